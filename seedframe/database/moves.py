"""Moves: which rows of a table are renamed, because what had one key is declared to have another now."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from psycopg import sql

from seedframe.changes import Finding, Verdict, key_text
from seedframe.database.column_sql import typed
from seedframe.database.compare import Difference
from seedframe.database.declared import Chunk, Move, Shape
from seedframe.database.hashes import key_hash
from seedframe.database.identity import Identity
from seedframe.database.keeping import Contest, Remaining
from seedframe.database.locate import locating
from seedframe.database.matching import absent, joined
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source, identified
from seedframe.database.surroundings import Surroundings
from seedframe.errors import BadData, DeclarationError
from seedframe.verdicts import CONTESTED, LeftRow, row_verdict

_COMMA: Final = sql.SQL(", ")


@dataclass(frozen=True, slots=True)
class _Key:
    """A key that is named in a move: the hash of it, and whether a row of the table has it."""

    hash: int
    there: bool


class Moves:
    """The moves of one declaration, as they stand in the table. A chain of them (A to B, B to C) is one move.

    Attributes:
        findings: what a person should be told.
    """

    def __init__(self, session: Session, shape: Shape, around: Surroundings) -> None:
        self._session = session
        self._plain = shape
        self._around = around
        self.findings: list[Finding] = []
        self._olds: dict[int, int] = {}
        self._news: dict[int, int] = {}
        self._wanted: dict[int, int] = {}
        self._from: dict[int, Move] = {}

    def decide(self) -> Shape:
        """The shape to compare with: where a row is to be renamed, it is found by the key that it has.

        Errors: BadData for a value that is none of its column, DeclarationError for moves that contradict each other.
        """
        if self._plain.moves:
            self._from = self._effective(self._look())
        if not self._from:
            return self._plain
        return replace(self._plain, identity=_following(self._plain, self._from))

    def origin(self, declared_hash: int | None) -> str | None:
        """The old key of a row that is renamed, for a person; by the hash of its declared key."""
        move = self._from.get(declared_hash) if declared_hash is not None else None
        return self._text(move.old) if move is not None else None

    # Before the declared rows are read

    def _look(self) -> list[_Key]:
        """All keys that are named, the old ones first: their hashes, and whether they are there. One query."""
        moves, shape = self._plain.moves, self._plain.keyed
        keys = [*(move.old for move in moves), *(move.new for move in moves)]
        chunk = Chunk(list(range(len(keys))), tuple([list(column) for column in zip(*keys, strict=True)]))
        source = chunk_source(shape, chunk)
        statement = sql.SQL("{}SELECT d.line, {}, NOT {} FROM {} ORDER BY d.line").format(
            source.prefix, key_hash(shape), absent(shape), joined(shape, source)
        )
        with locating(self._session, shape, chunk, lambda line: self._place(line % len(moves))):
            return [_Key(row[1], row[2]) for row in self._session.query(statement, source.parameters)]

    def _effective(self, keys: list[_Key]) -> dict[int, Move]:
        """The moves that rename a row, by the hash of its new key."""
        moves = self._plain.moves
        olds, news = keys[: len(moves)], keys[len(moves) :]
        for number, (old, new) in enumerate(zip(olds, news, strict=True)):
            if old.hash == new.hash:
                raise self._refused(number, f"{self._text(moves[number].old)} and the new key are one for the server")
            for seen, key, what in ((self._olds, old, "old"), (self._news, new, "new")):
                if key.hash in seen:
                    first = seen[key.hash] + 1
                    raise self._refused(number, f"its {what} key is also that of moved() {first}", "leave one of them")
                seen[key.hash] = number
        effective: dict[int, Move] = {}
        reached: set[int] = set()
        for new in news:
            if new.hash in self._olds:
                continue
            self._wanted[new.hash] = self._news[new.hash]
            taken = new.there
            for number in self._back(new.hash, olds):
                reached.add(number)
                if olds[number].there and taken:
                    self._tell_left(moves[number], moves[self._news[new.hash]])
                elif olds[number].there:
                    taken = True
                    effective[new.hash] = moves[number]
        circular = next((number for number in range(len(moves)) if number not in reached), None)
        if circular is not None:
            raise self._refused(
                circular, "its keys go round in a circle", "rename by way of a key that nothing has, in two applies"
            )
        return effective

    def _back(self, new: int, olds: list[_Key]) -> Iterator[int]:
        """The moves that lead to a key, the last first."""
        while new in self._news:
            number = self._news[new]
            yield number
            new = olds[number].hash

    def _tell_left(self, move: Move, last: Move) -> None:
        old, new = self._text(move.old), self._text(last.new)
        names = [field.name for field in self._plain.key]
        advice = (
            f"removed({move.old[0]!r})"
            if len(names) == 1
            else f"removed({', '.join(f'{name}={value!r}' for name, value in zip(names, move.old, strict=True))})"
        )
        self.findings.append(
            Finding(
                f"{self._around.resource}: {old} was declared moved, but it is there beside {new}: nothing is renamed;"
                f" {advice} in its place deletes it",
                "warning",
            )
        )

    # While they are read

    def see(self, source: Source) -> None:
        """Take note of the declared keys. Errors: BadData for a row with an old one."""
        if not self._plain.moves:
            return
        named = sql.Literal([*self._olds, *self._wanted])
        rows = self._session.query(
            sql.SQL("{}SELECT d.line, {} FROM {} WHERE {} = ANY ({}::bigint[]) ORDER BY d.line").format(
                source.prefix, key_hash(self._plain), source.relation, key_hash(self._plain), named
            ),
            source.parameters or None,
        )
        for line, hashed in rows:
            if hashed in self._olds:
                new = self._text(self._plain.moves[self._olds[hashed]].new)
                raise BadData(
                    f"this row is declared, and moved() {self._olds[hashed] + 1} says that it is {new} now",
                    hint="take it out of one of the two",
                    where=self._around.place(line),
                )
            self._wanted.pop(hashed, None)

    def require_declared(self) -> None:
        """Each new key is that of a declared row. Errors: DeclarationError."""
        number = min(self._wanted.values(), default=None)
        if number is not None:
            raise self._refused(
                number,
                f"its new key {self._text(self._plain.moves[number].new)} is not declared",
                "declare the row with its new key; removed() is for rows that go",
            )

    # Words

    def _text(self, key: tuple[str | None, ...]) -> str:
        return key_text(dict(zip([field.name for field in self._plain.key], key, strict=True)))

    def _place(self, number: int) -> str:
        return f"{self._around.resource} moved() {number + 1}"

    def _refused(self, number: int, message: str, hint: str | None = None) -> DeclarationError:
        return DeclarationError(message, hint=hint, where=self._place(number))


def take_moved(
    contest: Contest, shape: Shape, difference: Difference, lefts: Mapping[int, LeftRow]
) -> Remaining | None:
    """What is to be changed of a row that is to be renamed, and what that means; None when it stays as it is.

    The seed has moved on, and where cells were changed in the database too, both have.
    """
    assert difference.declared is not None  # noqa: S101 - hashes were asked for
    names = [field.name for field in shape.tracked]
    known = lefts.get(difference.own_hash) if difference.own_hash is not None else None
    if known is not None:
        # The last apply left it with its new key: it is the database where it was renamed.
        gone = row_verdict(known, names, difference.declared, None, differing=())
        rest = contest.take(replace(difference, missing=True), gone)
        return Remaining(difference, rest.verdict, "renamed in the database") if rest is not None else None
    left = lefts.get(difference.key_hash) if difference.key_hash is not None else None
    differing = contest.differing(difference)
    judged = row_verdict(left, names, difference.declared, difference.live, differing=differing)
    if not any(differing):
        judged = replace(judged, verdict=Verdict.PENDING)
    rest = contest.take(difference, judged)
    if rest is None:
        return Remaining(contest.less_kept(difference), Verdict.PENDING, None)
    return replace(rest, verdict=Verdict.CONFLICT if rest.verdict in CONTESTED else Verdict.PENDING)


def _following(shape: Shape, effective: dict[int, Move]) -> Identity:
    """The identity by which a renamed row is found: the old key in place of the declared one."""
    identity, keyed = shape.identity, shape.keyed
    names = [sql.Identifier(entry.staged) for entry in keyed.inputs]
    casts = [
        sql.SQL("v.{}::{} AS {}").format(name, typed(entry.column), name)
        for name, entry in zip(names, keyed.inputs, strict=True)
    ]
    rows = [
        sql.SQL("({}::bigint, {})").format(
            sql.Literal(hashed), _COMMA.join([sql.SQL("{}::text").format(sql.Literal(value)) for value in move.old])
        )
        for hashed, move in effective.items()
    ]
    olds = sql.SQL("(SELECT v.line, {} FROM (VALUES {}) AS v (line, {}))").format(
        _COMMA.join(casts), _COMMA.join(rows), _COMMA.join(names)
    )
    looked_up = identity.looked_up_names
    parts = [
        sql.SQL("{} AS {}").format(part.declared, sql.Identifier(name))
        for part, name in zip(identity.parts, looked_up, strict=True)
    ]
    renamed = sql.SQL("(SELECT d.line AS hash, {} FROM {}) AS m").format(_COMMA.join(parts), identified(keyed, olds))
    return replace(
        identity,
        parts=tuple(
            replace(part, declared=sql.Identifier("d", name))
            for part, name in zip(identity.parts, looked_up, strict=True)
        ),
        renamed=renamed,
        own=identity,
    )
