"""Declared rows, bound to a table: which column each value is for, its type, and a chunk of values as text."""

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal, TypeAlias

from psycopg import sql

from seedframe.database.identity import Identity
from seedframe.database.table import Table, TableColumn

Role: TypeAlias = Literal["key", "managed", "initial"]
Mode: TypeAlias = Literal["insert", "upsert", "sync"]

# One of these joins the values of a column into one parameter; the first that occurs in no value is taken.
_SEPARATORS: Final = ("\x1f", "\x1e", "\x1d", "\x1c", "\ue000", "\ue001", "\ue002", "\ue003")

_COPY_ESCAPES: Final = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


@dataclass(frozen=True, slots=True)
class Input:
    """One text that every record supplies, the staged column it goes to, and the column whose type it takes."""

    staged: str
    column: TableColumn
    secret: bool = False
    digested: bool = True


@dataclass(frozen=True, slots=True)
class Reference:
    """How a field's value is looked up: `value` of the row of `parent` whose `key` columns equal the `staged` ones."""

    parent: Table
    value: TableColumn
    key: tuple[TableColumn, ...]
    staged: tuple[str, ...]
    unique: bool

    @property
    def label(self) -> str:
        """For messages: `medications(sku)`."""
        return f"{self.parent.name}({', '.join(column.name for column in self.key)})"


@dataclass(frozen=True, slots=True, eq=False)  # each is itself only: comparing all of two takes long in wide tables
class Field:
    """One declared column of the table.

    Attributes:
        role: "key" finds the row, "managed" is compared and updated, "initial" is written on insert only.
        staged: the column of the stage that holds its value.
        reference: how its value is looked up; None for a value that is given.
        expression: SQL evaluated on insert instead of a staged value.
    """

    column: TableColumn
    role: Role
    staged: str
    secret: bool = False
    reference: Reference | None = None
    expression: str | None = None

    @property
    def name(self) -> str:
        """The column's name."""
        return self.column.name

    @property
    def input_names(self) -> tuple[str, ...]:
        """The staged columns that records supply for it: its own, or those of the natural key that it refers by."""
        return self.reference.staged if self.reference is not None else (self.staged,)

    @property
    def target(self) -> sql.Identifier:
        """The column, of the table called `t` in every query."""
        return sql.Identifier("t", self.column.name)

    @property
    def desired(self) -> sql.Identifier:
        """The declared value, of the relation called `d` in every query."""
        return sql.Identifier("d", self.staged)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a `Rows` declares of a table, less the rows themselves."""

    table: Table
    fields: tuple[Field, ...]
    inputs: tuple[Input, ...]
    mode: Mode
    identity: Identity
    moves: tuple["Move", ...] = ()

    @property
    def key(self) -> tuple[Field, ...]:
        """The fields that find a row."""
        return tuple(field for field in self.fields if field.role == "key")

    @property
    def managed(self) -> tuple[Field, ...]:
        """The fields that are compared and updated; none in `insert` mode."""
        if self.mode == "insert":
            return ()
        return tuple(field for field in self.fields if field.role == "managed")

    @property
    def tracked(self) -> tuple[Field, ...]:
        """The managed fields that baselines may hold a hash of: no secret ones."""
        return tuple(field for field in self.managed if not field.secret)

    @property
    def stored(self) -> tuple[Field, ...]:
        """The fields whose value is staged; the others are expressions."""
        return tuple(field for field in self.fields if field.expression is None)

    @property
    def references(self) -> tuple[tuple[Field, Reference], ...]:
        """The fields that are looked up, with how."""
        return tuple((field, field.reference) for field in self.fields if field.reference is not None)

    @property
    def keyed(self) -> "Shape":
        """The key alone, with the inputs that it takes."""
        key = self.key
        staged = [name for field in key for name in field.input_names]
        return replace(
            self,
            fields=key,
            inputs=tuple(entry for entry in self.inputs if entry.staged in staged),
            identity=self.identity.of_key([*staged, *(field.staged for field in key)]),
        )

    def input_position(self, staged: str) -> int:
        """The position of an input by the name of its staged column."""
        return next(position for position, entry in enumerate(self.inputs) if entry.staged == staged)


@dataclass(frozen=True, slots=True)
class Move:
    """A row that has the key `old` is declared to have the key `new` now: texts for the inputs of `Shape.keyed`."""

    old: tuple[str | None, ...]
    new: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Removing:
    """Which rows of the table are to go.

    Attributes:
        sync: all that are not declared, in the table or in the part of it that `where` selects.
        where: an SQL condition over the table's columns.
        prune: those that this resource once made and that are not declared any more.
        keys: keys of rows that must not be there, for the inputs of the shape's `keyed`.
    """

    sync: bool = False
    where: str | None = None
    prune: bool = False
    keys: "Chunk | None" = None

    def __bool__(self) -> bool:
        """True where any row may have to go."""
        return self.sync or self.prune or self.keys is not None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some thousands of declared rows: a line number for each, and each input's texts as one list."""

    lines: list[int]
    columns: tuple[list[str | None], ...]

    def __len__(self) -> int:
        return len(self.lines)

    def parameters(self) -> tuple[str, str, list[str | None]] | None:
        """(separator, null token, one text for each column), or None when no separator is free.

        A null token ends each text, so that a text is never empty and the last value may be.
        """
        marks = _free_marks(self.columns)
        if marks is None:
            return None
        separator, null = marks
        return separator, null, [_joined(column, separator, null) for column in self.columns]

    def copy_text(self) -> str:
        """The chunk in COPY's text format: line number, then the inputs."""
        return _rows_text([list(map(str, self.lines)), *(_copy_column(column) for column in self.columns)])


def _free_marks(columns: tuple[list[str | None], ...]) -> tuple[str, str] | None:
    """Two separators that occur in no value; None when there are none."""
    free = list(_SEPARATORS)
    for column in columns:
        blob = "".join(filter(None, column))
        free = [mark for mark in free if mark not in blob]
    return (free[0], free[1]) if len(free) >= 2 else None


def _joined(column: list[str | None], separator: str, null: str) -> str:
    """One text of the values; a null token ends it."""
    return separator.join([*_filled(column, null), null])


def _filled(column: list[str | None], null: str) -> list[str]:
    """The column, with `null` in place of None."""
    return [null if value is None else value for value in column]


def _copy_column(column: list[str | None]) -> list[str]:
    blob = "".join(filter(None, column))
    if any(mark in blob for mark in "\\\n\r\t"):
        return ["\\N" if value is None else value.translate(_COPY_ESCAPES) for value in column]
    return _filled(column, "\\N")


def _rows_text(columns: list[list[str]]) -> str:
    """COPY's text format, less the escaping. Empty without columns, which have no rows to tell of."""
    if not columns:
        return ""
    return "\n".join([*map("\t".join, zip(*columns, strict=True)), ""])


class DeclaredDigest:
    """SHA-256 over what is declared: the shape, then each row's texts. Secret and initial values are left out.

    Initial values belong to the operators once written, and a digest of a secret could be guessed at.
    """

    def __init__(self, shape: Shape, removing: Removing = Removing()) -> None:
        self._positions = [
            position for position, entry in enumerate(shape.inputs) if entry.digested and not entry.secret
        ]
        self._hash = sha256()
        described = [
            (field.name, field.role, field.column.type, field.reference.label if field.reference else "")
            for field in shape.fields
            if field.role != "initial" and not field.secret
        ]
        self._hash.update(repr((shape.table.schema, shape.table.name, shape.mode, described)).encode())
        if removing:
            given = removing.keys.columns if removing.keys is not None else ()
            keys = [column for entry, column in zip(shape.keyed.inputs, given, strict=bool(given)) if not entry.secret]
            self._hash.update(repr((removing.where, removing.prune, keys)).encode())

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk in."""
        self._hash.update(_rows_text([_copy_column(chunk.columns[position]) for position in self._positions]).encode())

    def hexdigest(self) -> str:
        """The digest so far."""
        return self._hash.hexdigest()
