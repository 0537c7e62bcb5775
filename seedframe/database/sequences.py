"""Sequences after explicit values: moved past the declared ones, so that they never hand one of them out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from psycopg import sql

from seedframe.changes import Cell, Change, Changes, Counts, Marker, Verdict, worst_verdict
from seedframe.database.declared import Chunk, Field, Shape
from seedframe.database.matching import absent, joined
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source
from seedframe.database.standing import Standing
from seedframe.database.surroundings import Surroundings
from seedframe.database.table import ColumnSequence
from seedframe.errors import PermissionDenied

_COMMA: Final = sql.SQL(", ")

# Up to here values are drawn, which cannot take a sequence back whatever others do meanwhile. Beyond it the sequence is
# set, in one statement that looks first: for that to take it back, others would have to draw as many in between.
_DRAWN: Final = 1_000


@dataclass(frozen=True, slots=True)
class _State:
    last_value: int
    is_called: bool


@dataclass(slots=True)
class _Watched:
    """A sequence, the declared columns that its values go to, and what is known of both."""

    sequence: ColumnSequence
    fields: list[Field]
    state: _State | None = None
    extreme: int | None = None

    @property
    def rising(self) -> bool:
        return self.sequence.increment > 0

    def next(self, state: _State) -> int | None:
        """The value it would give next; None when it has come to its end."""
        sequence = self.sequence
        if not state.is_called:
            return state.last_value
        following = state.last_value + sequence.increment
        if sequence.minimum <= following <= sequence.maximum:
            return following
        if not sequence.cycles:
            return None
        return sequence.minimum if self.rising else sequence.maximum

    def wanted(self, state: _State) -> int | None:
        """The first value, of those it would come to by itself, beyond all declared ones; None when the next one is."""
        following = self.next(state)
        if following is None or self.extreme is None:
            return None
        passed = following > self.extreme if self.rising else following < self.extreme
        if passed:
            return None
        step = self.sequence.increment
        wanted = following + ((self.extreme - following) // step + 1) * step
        beyond = not self.sequence.minimum <= wanted <= self.sequence.maximum
        # One that starts over comes to declared values whatever is done.
        return None if beyond and self.sequence.cycles else wanted

    def take(self, extreme: int | None) -> None:
        if extreme is not None:
            known = extreme if self.extreme is None else self.extreme
            self.extreme = max(known, extreme) if self.rising else min(known, extreme)


class SequenceWatch:
    """The sequences of the columns that a shape declares, seen beside the greatest declared values of these.

    Only declared rows count, never others of the table. Values that a sequence cannot reach are no concern of it.
    """

    def __init__(self, session: Session, shape: Shape, standing: Standing, around: Surroundings) -> None:
        self._session = session
        self._shape = shape
        self._standing = standing
        self._around = around
        self._watched: dict[int, _Watched] = {}
        for field in shape.stored:
            sequence = field.column.sequence
            if sequence is not None:
                self._watched.setdefault(sequence.oid, _Watched(sequence, [])).fields.append(field)
        fields = [field for watched in self._watched.values() for field in watched.fields]
        # Where only some columns matter, only these are sent. What is written once is as it is in the table.
        self._plain = all(field.reference is None and self._as_declared(field) for field in fields)
        names = {field.staged for field in fields}
        self._inputs = [number for number, entry in enumerate(shape.inputs) if entry.staged in names]

    def __bool__(self) -> bool:
        return bool(self._watched)

    def _as_declared(self, field: Field) -> bool:
        return field.role == "key" or field in self._shape.managed

    def look_at_chunk(self, chunk: Chunk) -> None:
        """Take the declared values of a chunk into account, and see where the sequences are."""
        if not self._plain:
            self.look(chunk_source(self._shape, chunk))
        elif self._watched:
            inputs = tuple(self._shape.inputs[number] for number in self._inputs)
            columns = tuple(chunk.columns[number] for number in self._inputs)
            some = replace(self._shape, fields=(), inputs=inputs, identity=self._shape.identity.bare)
            self.look(chunk_source(some, Chunk(chunk.lines, columns)))

    def look(self, source: Source) -> None:
        """Take declared rows into account, and see where the sequences are: one query, none without sequences."""
        if not self._watched:
            return
        columns: list[sql.Composable] = []
        for watched in self._watched.values():
            columns += [*_state(watched.sequence), self._extreme(watched)]
        relation = source.relation if self._plain else joined(self._shape, source)
        row = self._session.first(
            sql.SQL("{}SELECT {} FROM {} WHERE d.line IS NOT NULL").format(
                source.prefix, _COMMA.join(columns), relation
            ),
            source.parameters or None,
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        for number, watched in enumerate(self._watched.values()):
            last_value, is_called, extreme = row[3 * number : 3 * number + 3]
            watched.state = None if last_value is None else _State(last_value, is_called)
            watched.take(extreme)

    def _extreme(self, watched: _Watched) -> sql.Composable:
        sequence = watched.sequence
        parts = []
        for field in watched.fields:
            value: sql.Composable = field.desired
            if not self._as_declared(field):
                value = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
                    absent(self._shape), field.desired, field.target
                )
            parts.append(
                sql.SQL(
                    "{whole}({most}({value}::numeric) FILTER (WHERE {value}::numeric BETWEEN {low}::numeric"
                    " AND {high}::numeric))"
                ).format(
                    whole=sql.SQL("pg_catalog.floor" if watched.rising else "pg_catalog.ceil"),
                    most=sql.SQL("pg_catalog.max" if watched.rising else "pg_catalog.min"),
                    value=value,
                    low=sql.Literal(sequence.minimum),
                    high=sql.Literal(sequence.maximum),
                )
            )
        most = sql.SQL("greatest" if watched.rising else "least")
        return sql.SQL("{}({})::bigint").format(most, _COMMA.join(parts))

    # What there is to do

    def changes(self, changes: Changes) -> Changes:
        """The changes of the declared rows, with those of the sequences added."""
        behind = self._behind()
        if self._around.recorded is not None:
            for change in behind:
                self._around.recorded.change(change)
        if not behind:
            return changes
        store = self._around.store
        # A key that is new is a row to be created; another column's value may be new in a row that is there.
        elsewhere = any(field.column.sequence is not None and field.role != "key" for field in self._shape.fields)
        seed_moved = elsewhere and not self._standing.as_declared
        moved_on = store.baseline is None or changes.counts.create > 0 or seed_moved
        verdict = Verdict.PENDING if moved_on and not store.unreadable else Verdict.DRIFT
        counts = changes.counts + Counts(update=len(behind))
        # They are few, and matter more than one more row of many.
        told = tuple(replace(change, verdict=verdict) for change in behind[: self._around.sample])
        sample = (*changes.sample[: self._around.sample - len(told)], *told)
        return replace(
            changes,
            counts=counts,
            sample=sample,
            omitted=counts.changed - len(sample),
            verdict=worst_verdict([verdict, *([changes.verdict] if changes.verdict is not None else [])]),
        )

    def _behind(self) -> list[Change]:
        """A change for each sequence that would hand out a declared value, or one before it."""
        changes = []
        for watched in self._watched.values():
            wanted = watched.wanted(watched.state) if watched.state is not None else None
            if watched.state is None or wanted is None:
                continue
            sequence = watched.sequence
            reachable = sequence.minimum <= wanted <= sequence.maximum
            before: Cell = str(watched.next(watched.state))
            after: Cell = str(wanted) if reachable else None
            if any(field.secret for field in watched.fields):
                before, after = Marker.SECRET, Marker.SECRET
            changes.append(Change("other", {"sequence": sequence.label}, {"next": before}, {"next": after}))
        return changes

    def unchecked(self) -> Iterator[str]:
        """What could not be checked of the sequences, and what would let it."""
        for watched in self._watched.values():
            if watched.state is None and watched.extreme is not None:
                sequence = watched.sequence
                yield (
                    f"sequence {sequence.label} could not be checked: {self._session.role} may not read it"
                    f" (GRANT SELECT ON SEQUENCE {sequence.identifier.as_string()} TO {self._session.role_identifier})"
                )

    def advance(self) -> None:
        """Move the sequences forward, past the declared values. Errors: PermissionDenied, with what to grant."""
        for watched in self._watched.values():
            state = self._now(watched)
            wanted = watched.wanted(state) if state is not None else None
            following = watched.next(state) if state is not None else None
            if wanted is None or following is None:
                continue
            step = watched.sequence.increment
            draws = (wanted - following) // step
            privilege = "USAGE" if draws <= _DRAWN else "UPDATE"
            try:
                with self._session.savepoint():
                    if draws <= _DRAWN:
                        self._draw(watched, wanted - step, draws)
                    else:
                        self._set(watched, wanted - step)
            except PermissionDenied as error:
                sequence = watched.sequence
                role = self._session.role_identifier
                raise PermissionDenied(
                    f"the role {self._session.role} has no {privilege} on sequence {sequence.label},"
                    f" which is behind the declared {', '.join(field.name for field in watched.fields)}",
                    hint=f"GRANT {privilege} ON SEQUENCE {sequence.identifier.as_string()} TO {role}",
                ) from error

    def _now(self, watched: _Watched) -> _State | None:
        row = self._session.first(sql.SQL("SELECT {}, {}").format(*_state(watched.sequence)))
        return None if row is None or row[0] is None else _State(row[0], row[1])

    def _draw(self, watched: _Watched, last: int, draws: int) -> None:
        """Draw values until `last` was given, to this session or another."""
        while draws > 0:
            drawn = [
                row[0]
                for row in self._session.query(
                    "SELECT pg_catalog.nextval($1::oid::regclass) FROM pg_catalog.generate_series(1, $2::integer)",
                    [watched.sequence.oid, draws],
                )
            ]
            draws = (last - drawn[-1]) // watched.sequence.increment

    def _set(self, watched: _Watched, last: int) -> None:
        value, _ = _state(watched.sequence)
        self._session.execute(
            sql.SQL("SELECT pg_catalog.setval($1::oid::regclass, $2) WHERE {} {} $2::bigint").format(
                value, sql.SQL("<" if watched.rising else ">")
            ),
            [watched.sequence.oid, last],
        )


def _state(sequence: ColumnSequence) -> Sequence[sql.Composable]:
    """The sequence's last value and whether it was given out; NULL when that cannot be seen."""
    if sequence.readable:
        return [
            sql.SQL("(SELECT {} FROM {})").format(sql.Identifier(name), sequence.identifier)
            for name in ("last_value", "is_called")
        ]
    if sequence.usable:
        # Who may only draw from it is told the last value, but not where one stands that was not drawn from yet.
        last = sql.SQL("pg_catalog.pg_sequence_last_value({})").format(sql.Literal(sequence.oid))
        return [last, sql.SQL("true")]
    return [sql.SQL("NULL::bigint"), sql.SQL("NULL::boolean")]
