"""Identity: what makes a declared row and a row of the table the same one, as SQL over `d` and `t`. Data only."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from psycopg import sql

from seedframe.database.table import Equality

Hashing: TypeAlias = Literal["value", "array", "numeric", "numbers", "text"]
"""What is hashed of a value: itself, where its type has a hash that is equal for equal values; of an array its
dimensions, too, which its hash leaves out; of a numeric the text without the scale; of what has numerics inside both
itself and its text without the scales; else the text."""


@dataclass(frozen=True, slots=True)
class KeyPart:
    """One part of what identifies a row: a column of the key, or an expression of the index.

    Attributes:
        live: it, of the rows called `t`.
        target: it, of the table called `t` that an UPDATE or DELETE writes.
        declared: it, of the declared rows called `d`.
        told_by: what tells declared rows apart in it, before references are looked up.
        unknown: a condition, of `d`: a reference found no row, and the part is not known yet. None without references.
        nullable: NULL is one of its values, and equal to NULL.
        equality: its type's `=`, unless it is built in.
        hashing: what of it is hashed.
    """

    live: sql.Composable
    target: sql.Composable
    declared: sql.Composable
    told_by: tuple["Told", ...]
    unknown: sql.Composable | None
    nullable: bool
    equality: Equality | None
    hashing: Hashing


@dataclass(frozen=True, slots=True)
class Told:
    """A value of `d` that tells declared rows apart; the others as of a KeyPart."""

    value: sql.Composable
    hashing: Hashing


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of an index: the name it has as a column of `t` and `d`, and the server's own text of it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Identity:
    """What finds a row.

    Attributes:
        parts: what has to be equal.
        nullable: the columns of the key that may be declared NULL.
        arbiter: what stands after ON CONFLICT; None where nothing can.
        witness: the column of `t` that is NULL only where no row was found for `d`.
        present: it is no column of the table, so that `t` has to be a subquery.
        expressions: those of the index.
        predicate: that of the index, in the server's text; only rows that it is true of are found.
        values: the staged columns that expressions and predicate are evaluated over, by the column's name.
        judged: the predicate can be told of a declared row, since all it is about is declared.
        prefix: what the names of staged columns begin with, so that none is a name which the index's SQL uses.
        renamed: the rows that have an old key, as `m`: the hash of their new key, and the parts of the old one.
        own: with `renamed`, the identity by the declared key.
    """

    parts: tuple[KeyPart, ...]
    nullable: frozenset[str]
    arbiter: sql.Composable | None
    witness: str
    present: bool = False
    expressions: tuple[Expression, ...] = ()
    predicate: str | None = None
    values: tuple[tuple[str, str], ...] = ()
    judged: bool = False
    prefix: str = ""
    renamed: sql.Composable | None = None
    own: "Identity | None" = None

    @property
    def plain(self) -> bool:
        """True when declared rows need nothing evaluated: the key is columns, of the whole table."""
        return not self.expressions and not self.judged

    @property
    def judged_name(self) -> str:
        """The column of `d` that says whether the predicate is true."""
        return f"{self.prefix}judged"

    @property
    def missing(self) -> str:
        """The column of `d` that says, where a write needs it, that no row was found."""
        return f"{self.prefix}missing"

    @property
    def moved(self) -> str:
        """The column of `d` that says that the row is found by its old key."""
        return f"{self.prefix}moved"

    @property
    def looked_up(self) -> tuple[str, ...]:
        """The columns of `d` that a row is found by where some are found by an old key."""
        return self.looked_up_names if self.renamed is not None else ()

    @property
    def looked_up_names(self) -> tuple[str, ...]:
        """What these columns are called, where there are any."""
        return tuple(f"{self.prefix}l{number}" for number in range(len(self.parts)))

    @property
    def bare(self) -> "Identity":
        """The same for declared rows that are not to be found, of which any staged columns may be left out."""
        return replace(self, expressions=(), judged=False, renamed=None, own=None)

    def of_key(self, staged: Collection[str]) -> "Identity":
        """The same for declared rows of which only these staged columns, those of the key, are there."""
        return replace(self, judged=False, values=tuple(entry for entry in self.values if entry[1] in staged))
