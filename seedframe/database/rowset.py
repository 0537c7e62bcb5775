"""A rowset: the declared rows of one table on their way through one attempt: compare, write, compare again."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TypeVar

import psycopg

from seedframe.changes import Cell, Change, Changes, Counts, Finding, Marker, Severity, Verdict, worst_verdict
from seedframe.database.baselines import BaselineStore
from seedframe.database.catalog import Table
from seedframe.database.changed_rows import ChangedRows
from seedframe.database.compare import Difference, find_differences
from seedframe.database.dangling import Dangling, dangling
from seedframe.database.declared import Chunk, DeclaredDigest, Reference, Removing, Shape
from seedframe.database.foresight import Foresight
from seedframe.database.holders import holder_of
from seedframe.database.keeping import Contest
from seedframe.database.keys import first_misfit
from seedframe.database.locate import bad_value, locate_bad_value, may_be_a_value
from seedframe.database.moves import Moves, take_moved
from seedframe.database.no_longer import no_longer_declared
from seedframe.database.planned import NaturalKey, PlannedRows
from seedframe.database.privileges import refused_privilege
from seedframe.database.problems import held
from seedframe.database.removal import Removal
from seedframe.database.rounds import Stuck, Writer
from seedframe.database.rowids import RowIds
from seedframe.database.seen_keys import SeenKeys, key_texts
from seedframe.database.sequences import SequenceWatch
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source, staged_source
from seedframe.database.staging import Stage, require_room
from seedframe.database.validation import Validation
from seedframe.database.weighing import Given, referring, require_within
from seedframe.database.whereabouts import Whereabouts
from seedframe.database.write import Delta
from seedframe.errors import BadData, ConstraintViolated, PermissionDenied, RefError, SeedframeError
from seedframe.history import ChangedRow
from seedframe.limits import Limits
from seedframe.recorder import ResourceRecord
from seedframe.verdicts import Judged, LeftRow, OnConflict, resource_verdict, row_verdict

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rowset is told of the run it is in.

    Attributes:
        place: where a line of the source is, for messages: "data/medications.csv:12".
        store: the baselines of this resource.
        planned: rows that earlier resources will make.
        sample: how many changes to carry in full.
        resource: the resource's name, for messages.
        on_conflict: what becomes of what was changed in the database; None in verify.
        note: tells a person something in the report.
        progress: called with the number of rows read so far.
        limits: how many rows may be deleted and updated.
        doomed: the rows that the resources which delete before this one delete.
        record: what a saved plan is bound to; None where none is made or applied.
        listed: the ledger lists the changed rows, unless there are more than this.
    """

    place: Callable[[int], str]
    store: BaselineStore
    planned: PlannedRows
    sample: int
    resource: str
    on_conflict: OnConflict | None
    note: Callable[[str, Severity], None]
    progress: Callable[[int], None]
    limits: Limits
    doomed: list[RowIds]
    record: ResourceRecord | None = None
    listed: int = 0

    @property
    def verifying(self) -> bool:
        """True in verify, which is all about what is there."""
        return self.on_conflict is None


@dataclass(slots=True)
class _Tally:
    """What has been found so far, over all chunks."""

    create: int = 0
    update: int = 0
    verdicts: set[Verdict] = field(default_factory=set)
    sample: list[Change] = field(default_factory=list)


class Rowset:
    """Compares and writes the declared rows of one table. Small sources are kept as one chunk, large ones are staged.

    A small source is compared by parameters, in apply too: most of the time nothing differs, and then not even a
    temporary table is made. A large one is staged in apply, and streamed chunk by chunk where nothing may be written.
    """

    def __init__(
        self,
        session: Session,
        shape: Shape,
        chunks: Iterator[Chunk],
        around: Surroundings,
        removing: Removing,
        validation: Validation | None = None,
    ) -> None:
        self._session = session
        self._shape = self._plain = shape
        self._moves = Moves(session, shape, around.resource)
        self._chunks = chunks
        self._around = around
        self._validation = validation
        self._baseline = around.store.baseline
        self._digest = DeclaredDigest(shape, removing)
        self._given = Given(
            around.resource, around.place, around.store, around.limits, around.on_conflict, around.doomed
        )
        self._removing = removing
        self._removal = Removal(session, shape, removing, self._given) if removing else None
        self._counts = Counts()
        self._foresight = Foresight(session, shape)
        self._contest = Contest(shape, around.resource, around.on_conflict)
        self._changed = ChangedRows(session, shape, around.resource, around.listed)
        self._only: Chunk | None = None
        self._stage: Stage | None = None
        self._delta: Delta | None = None
        self._writer: Writer | None = None
        self._pending: dict[int, dict[NaturalKey, int]] = {}
        self._sequences = SequenceWatch(session, shape)
        self._rows = 0
        self._differs = False
        self._written = False
        self._planned_lines: set[int] = set()
        self._planned_delta: Delta | None = None
        self._foreseen: ConstraintViolated | None = None
        self._dangling: dict[str, tuple[Dangling, str]] = {}
        self.beyond_plan = 0
        self.left_at: str | None = None
        """Where the first row stands that still differs after it was written."""

    @property
    def declared_shape(self) -> Shape:
        """How the declared fields meet the table's columns, as they were declared."""
        return self._plain

    # Comparing

    def compare(self) -> Changes:
        """What differs. Reads the source to its end, once. Errors: BadData, RefError, and the server's."""
        require_room(self._shape, self._around.resource)
        if self._validation is not None:
            self._validation.check()
        removal = self._removal
        if removal is not None:
            removal.prepare()
        self._shape = self._moves.decide()
        self._foresight = Foresight(self._session, self._shape)
        self._tell(self._moves.findings)
        changes = self._compare_rows()
        self._moves.require_declared()
        if self._around.record is not None:
            self._around.record.describe(self._digest.hexdigest())  # the keys that must not be there are in it, too
        self._counts = changes.counts
        for told in self._sequences.unchecked():
            self._around.note(told, "warning")
        changes = self._with_sequences(changes)
        if removal is not None:
            changes = self._with_removals(removal, changes)
        self._tell_of_undeclared()
        return changes

    def _tell_of_undeclared(self) -> None:
        if self._baseline is None or self._baseline.digest == self._digest.hexdigest():
            return
        staying = no_longer_declared(
            self._around.store, self._plain, self._at_hand(), resource=self._around.resource, rows=self._rows,
            removing=self._removing, going=self._removal.keys_to_go if self._removal is not None else (),
        )  # fmt: skip
        if staying is not None:
            self._tell([staying])

    def _with_removals(self, removal: Removal, changes: Changes) -> Changes:
        source = self._at_hand()
        if self._stage is not None and source is not None:
            removal.see(self._shape, source, None, streamed=False)
        streamed = source is None and self._rows > 0
        removal.find(self._shape, source, rows=self._rows, existing=self._existing, streamed=streamed)
        same_digest = self._baseline is not None and self._baseline.digest == self._digest.hexdigest()
        changes = removal.changes(changes, sample=self._around.sample, whole=self._judge_whole, same_digest=same_digest)
        if self._recorded is not None:
            for change in removal.each():
                self._recorded.change(change)
            for version in removal.versions():
                self._recorded.bind(version)
        if len(removal.ids):
            self._around.planned.add_removed(self._shape.table.oid, removal.ids)
        return changes

    @property
    def written(self) -> tuple[Table, tuple[str, ...]]:
        """The table, and the columns that are written, on insert at least; less those of the key."""
        return self._plain.table, tuple(field.name for field in self._plain.fields if field.role != "key")

    @property
    def _existing(self) -> int:
        """How many of the declared rows were there when they were compared."""
        return self._rows - self._counts.create - self._contest.absent

    def _at_hand(self) -> Source | None:
        """The declared rows as they were compared; None where there are none, or where they were streamed."""
        if self._stage is not None:
            return staged_source(self._shape, self._stage.name)
        return chunk_source(self._shape, self._only) if self._only is not None else None

    def _refuse_referring(self, source: Source) -> None:
        line = referring(self._session, self._shape, source, self._around.planned.removed)
        if line is not None:
            raise RefError(
                "this row refers to a row that is to be deleted",
                hint="declare the row that it refers to as well, or refer to another one",
                where=self._around.place(line),
            )

    def _compare_rows(self) -> Changes:
        first = next(self._chunks, None)
        if first is None:
            return self._changes(_Tally())
        second = next(self._chunks, None)
        if second is None:
            self._only = first
            return self._compare_chunks(iter([first]), single=True)
        chunks = chain([first, second], self._chunks)
        if self._session.writable:
            return self._compare_staged(chunks)
        return self._compare_chunks(chunks, single=False)

    def compare_again(self) -> Changes:
        """What still differs after writing; the source is not read a second time."""
        self._shape = self._plain  # what was moved is by now
        tally = _Tally()
        source = self._source()
        if source is not None:
            kept = bool(self._contest.kept)
            found = find_differences(self._session, self._shape, source, room=5, hashes=kept, limit=None if kept else 5)
            found = self._contest.still_differing(found)
            for difference in found:
                self._refuse_unmet_now(difference)
            for difference in found:
                self._count(tally, difference, None)
            self.left_at = self._around.place(min(difference.line for difference in found)) if found else None
            self._delta = self._writer = None  # what is left is another difference than the one that was written
            self._sequences.look(source)
        counts = Counts(tally.create, tally.update, 0, self._rows - tally.create - tally.update)
        changes = self._with_sequences(Changes(counts=counts, sample=tuple(tally.sample)))
        if self._removal is None:
            return changes
        left = self._removal.left(self._shape, source, sample=5)
        return replace(changes, counts=changes.counts + left.counts, sample=(*changes.sample, *left.sample))

    def _with_sequences(self, changes: Changes) -> Changes:
        """The difference of the rows, and of the sequences that their values were to come from."""
        self._differs = bool(changes)
        behind = self._sequences.behind()
        if self._recorded is not None:
            for change in behind:
                self._recorded.change(change)
        if not behind:
            return changes
        # A key that is new is a row to be created; another column's value may be new in a row that is there.
        elsewhere = any(field.column.sequence is not None and field.role != "key" for field in self._shape.fields)
        seed_moved = self._baseline is None or self._baseline.digest != self._digest.hexdigest()
        moved_on = self._baseline is None or changes.counts.create > 0 or (seed_moved and elsewhere)
        verdict = Verdict.PENDING if moved_on and not self._around.store.unreadable else Verdict.DRIFT
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

    def _source(self) -> Source | None:
        """The same, with references looked up as they are by now."""
        if self._stage is not None:
            self._stage.resolve()
        return self._at_hand()

    def _compare_chunks(self, chunks: Iterator[Chunk], *, single: bool) -> Changes:
        tally = _Tally()
        keys = SeenKeys()
        pending: dict[int, dict[NaturalKey, int]] = {}
        for chunk in chunks:
            self._read(chunk)
            source = chunk_source(self._shape, chunk)
            room = max(1, self._around.sample - len(tally.sample))
            if self._recorded is not None:
                room = len(chunk)
            texts = key_texts(self._shape, chunk)
            distinct = texts is not None and len(set(texts)) == len(texts)

            def ask(source: Source = source, room: int = room, distinct: bool = distinct) -> list[Difference]:
                return find_differences(
                    self._session, self._shape, source, room=room, hashes=self._by_row, distinct=distinct,
                    flags=self._around.listed,
                )  # fmt: skip

            found = self._guarded(chunk, ask)
            self._refuse_misfit(source)
            self._refuse_moved(source)
            self._refuse_unusable(chunk, found)
            if not single:
                keys.add(self._session, self._shape, source, chunk, texts)
                if self._validation is not None and self._around.verifying:
                    self._validation.look(source)  # the chunk does not come by again
                self._refuse_referring(source)
            if self._removal is not None:
                self._removal.see(self._shape, source, texts, streamed=not single)
            remaining = self._take(tally, found)
            if single:
                self._planned_lines.update(difference.line for difference in remaining)
            if remaining:
                self._around.planned.add_chunk(self._shape, self._contest.without_absent(chunk))
                if not self._session.writable:
                    self._look_ahead(source, chunk)
            self._note_unresolved(chunk, remaining, pending)
            self._sequences.look_at_chunk(chunk)
        again = keys.repeated()
        if again is not None:
            raise self._repeated(*again)
        self._pending = pending
        return self._changes(tally)

    def _compare_staged(self, chunks: Iterator[Chunk]) -> Changes:
        stage = self._stage = Stage(self._session, self._shape)
        for chunk in chunks:
            self._read(chunk)

            def load(chunk: Chunk = chunk) -> None:
                stage.load(chunk)

            self._guarded(chunk, load)
        again = stage.repeated()
        if again is not None:
            raise self._repeated(*again)
        several = stage.ambiguous()
        if several is not None:
            raise self._several(several[1], several[0])
        stage.resolve()
        self._refuse_misfit(stage.source)
        self._sequences.look(stage.source)
        self._refuse_moved(stage.source)
        source = staged_source(self._shape, stage.name)
        if not find_differences(self._session, self._shape, source, room=0, hashes=False, limit=1):
            return self._changes(_Tally())  # and no second temporary table, whose catalog rows are WAL
        delta = self._delta = self._planned_delta = Delta(self._session, self._shape, stage)
        tally = _Tally()
        found = find_differences(
            self._session,
            self._shape,
            delta.source,
            room=max(1, self._around.sample),
            hashes=self._by_row,
            limit=None if self._by_row else max(self._around.sample, self._around.listed),
            flags=self._around.listed,
        )
        remaining = self._take(tally, found)
        self._contest.exclude(self._session, delta.identifier, self._shape)
        if remaining:
            # Of the stage, rows that stay absent are no rows that a reference may find later.
            absent = any(row.absent for row in self._contest.kept.values())
            self._around.planned.add_stage(self._shape, delta.identifier if absent else stage.identifier)
        pending: dict[int, dict[NaturalKey, int]] = {}
        for number, (declared, reference) in enumerate(self._shape.references):
            for line, key in delta.unresolved(declared, reference):
                pending.setdefault(number, {}).setdefault(key, line)
        self._pending = pending
        if not self._by_row:
            tally.create, tally.update = delta.counts()
        return self._changes(tally)

    @property
    def _by_row(self) -> bool:
        return self._baseline is not None and self._baseline.by_row and self._baseline.comparable

    @property
    def _recorded(self) -> ResourceRecord | None:
        """The record that takes each change in full, where one does."""
        record = self._around.record
        return record if record is not None and record.wants_changes else None

    def _read(self, chunk: Chunk) -> None:
        self._digest.add(chunk)
        if self._around.record is not None:
            inputs = self._shape.inputs
            self._around.record.declare(
                chunk.columns[position] for position, entry in enumerate(inputs) if not entry.secret
            )
        self._rows += len(chunk)
        self._around.progress(self._rows)
        for declared in self._shape.key:
            if declared.name in self._shape.identity.nullable:
                continue
            staged = declared.reference.staged if declared.reference is not None else (declared.staged,)
            for name in staged:
                column = chunk.columns[self._shape.input_position(name)]
                if None in column:
                    raise BadData(
                        f"key column {declared.name} has no value",
                        hint="give it a value in every row; NULL identifies a row only where the column may be NULL and"
                        " the unique index is NULLS NOT DISTINCT (PostgreSQL 15)",
                        where=self._around.place(chunk.lines[column.index(None)]),
                    )

    def validate(self, severity: Severity) -> list[Finding]:
        """What of the declared rows is not as `validate=` says; after everything was written."""
        if self._validation is None:
            return []
        source = self._source()
        if source is not None:
            self._validation.look(source)
        return self._validation.findings(severity)

    # What cannot be used

    def _guarded(self, chunk: Chunk, action: Callable[[], _T]) -> _T:
        """Run what casts the chunk's values; when the server refuses one, say which."""
        try:
            with self._session.savepoint():
                return action()
        except PermissionDenied as error:
            raise refused_privilege(self._session, self._shape, error, "SELECT") from error
        except SeedframeError as error:
            # Not every type complains in the class of bad data: a regclass names no table, a jsonpath has bad syntax.
            located = locate_bad_value(self._session, self._shape, chunk) if may_be_a_value(error) else None
            if located is None:
                raise
            line, column, said = located
            raise bad_value(self._around.place(line), column, said) from None

    def _refuse_unusable(self, chunk: Chunk, found: Sequence[Difference]) -> None:
        for difference in found:
            if difference.repeated:
                identity = self._identity(chunk, difference.line)
                same = [line for line in chunk.lines if self._identity(chunk, line) == identity]
                other = next((line for line in same if line != difference.line), None)
                if other is None:
                    # Equal for the server (citext, a collation), though the texts differ: the other repeated rows.
                    other = next(d.line for d in found if d.repeated and d.line != difference.line)
                raise self._repeated(difference.line, other)
            for (_, reference), several in zip(self._shape.references, difference.ambiguous, strict=True):
                if several:
                    raise self._several(reference, difference.line)

    def _refuse_misfit(self, source: Source) -> None:
        misfit = first_misfit(self._session, self._shape, source)
        if misfit is not None:
            raise BadData(
                misfit[1],
                hint="correct the row: the unique index that index= names does not speak of it",
                where=self._around.place(misfit[0]),
            )

    def _refuse_moved(self, source: Source) -> None:
        wrong = self._moves.see(source)
        if wrong is not None:
            raise BadData(wrong[1], hint="take it out of one of the two", where=self._around.place(wrong[0]))

    def _identity(self, chunk: Chunk, line: int) -> tuple[str | None, ...]:
        position = bisect_left(chunk.lines, line)
        names = [
            name
            for declared in self._shape.key
            for name in (declared.reference.staged if declared.reference is not None else (declared.staged,))
        ]
        return tuple(chunk.columns[self._shape.input_position(name)][position] for name in names)

    def _repeated(self, first: int, second: int) -> BadData:
        low, high = sorted((first, second))
        keys = ", ".join(declared.name for declared in self._shape.key)
        return BadData(
            f"the key ({keys}) of this row is also that of {self._around.place(low)}",
            hint="remove one of the two rows, or add a column to the key",
            where=self._around.place(high),
        )

    def _several(self, reference: Reference, line: int) -> RefError:
        return RefError(
            f"ref to {reference.label} matches several rows",
            hint="name the columns that identify one row",
            where=self._around.place(line),
        )

    def _note_unresolved(
        self, chunk: Chunk, found: Sequence[Difference], pending: dict[int, dict[NaturalKey, int]]
    ) -> None:
        for difference in found:
            for number, missing in enumerate(difference.unresolved):
                if missing:
                    reference = self._shape.references[number][1]
                    row = bisect_left(chunk.lines, difference.line)
                    key = tuple(chunk.columns[self._shape.input_position(name)][row] for name in reference.staged)
                    pending.setdefault(number, {}).setdefault(key, difference.line)

    def require_met(self) -> None:
        """Every reference finds a row that is there or planned. Errors: RefError.

        To be asked once all resources of the seed are compared, since a later one may declare the row.
        """
        self._tell_of_dangling()
        source = self._at_hand()
        if source is not None:
            self._refuse_referring(source)
        pending, self._pending = self._pending, {}
        for number, keys in pending.items():
            declared, reference = self._shape.references[number]
            unmet = self._around.planned.unmet(self._session, reference, list(keys))
            if unmet is not None:
                raise self._unmet(reference, unmet, keys[unmet], secret=declared.secret)

    def _unmet(self, reference: Reference, key: NaturalKey, line: int, *, secret: bool) -> RefError:
        names = [column.name for column in reference.key]
        named = ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True))
        error = RefError(
            f"no row of {reference.parent.name} has {'the natural key' if secret else named}",
            hint="declare that row in this seed or an earlier one, or correct the reference",
            where=self._around.place(line),
        )
        error.table = reference.parent.oid
        return error

    # What the table's rules refuse

    def refuse_foreseen(self) -> None:
        """Where nothing is written, say what apply would be refused. Errors: ConstraintViolated."""
        if self._foreseen is not None:
            raise self._foreseen

    def _look_ahead(self, source: Source, chunk: Chunk) -> None:
        if self._foreseen is None:
            self._foreseen = self._foresee(source, chunk)
        whereabouts = self._whereabouts()
        for found in dangling(self._session, self._shape, source, leaving=list(self._contest.kept)):
            if found.name not in self._dangling:
                self._dangling[found.name] = (found, whereabouts.at(next(iter(found.lines.values())), source))

    def _tell_of_dangling(self) -> None:
        """Warn of foreign keys whose rows are neither there nor planned: what else may make them is not known."""
        for found, first in self._dangling.values():
            reference = Reference(found.parent, found.columns[0], found.columns, (), unique=True)
            unmet = self._around.planned.unmet(self._session, reference, list(found.lines))
            if unmet is not None:
                at = first if unmet == next(iter(found.lines)) else self._around.place(found.lines[unmet])
                self._around.note(
                    f"{at}: the foreign key {found.name} will refuse this row, unless something else makes the row of"
                    f" {found.parent.label} that it refers to",
                    "warning",
                )

    def locate(self, error: ConstraintViolated) -> ConstraintViolated | None:
        """The refusal of a deferred constraint, naming the row; None where it is none of these."""
        cause, source, table = error.__cause__, self._source(), self._shape.table
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        if not isinstance(cause, psycopg.Error) or name is None or source is None or not self._written:
            return None
        if table.kind == "r" and cause.diag.table_name != table.name:
            return None
        whereabouts = self._whereabouts()

        def at(line: int) -> str:
            return whereabouts.at(line, source)

        for found in dangling(self._session, self._shape, source, written=True):
            if found.name == name:
                error.where = at(next(iter(found.lines.values())))
                return error
        taken = holder_of(self._session, self._shape, source, None, name)
        if taken is None:
            return None
        error.where = at(taken[0])
        return held(error, taken[1].told(at, table.label))

    def _foresee(self, source: Source, chunk: Chunk | None) -> ConstraintViolated | None:
        found = self._foresight.first_refused(source, chunk, list(self._contest.kept))
        if found is None:
            return None
        whereabouts = self._whereabouts()
        found.error.where = whereabouts.at(found.line, source)
        return found.error if found.other is None else held(found.error, whereabouts.at(found.other, source))

    def _foresee_at_hand(self) -> ConstraintViolated | None:
        source = self._at_hand()
        return self._foresee(source, self._only) if source is not None else None

    def _whereabouts(self) -> Whereabouts:
        return Whereabouts(self._session, self._shape, self._around.place, self._around.resource)

    def _refuse_unmet_now(self, difference: Difference) -> None:
        for (_, reference), missing in zip(self._shape.references, difference.unresolved, strict=True):
            if missing:
                raise RefError(
                    f"ref to {reference.label} still matches no row after apply",
                    where=self._around.place(difference.line),
                )

    # Counting and judging

    def _take(self, tally: _Tally, found: Sequence[Difference]) -> list[Difference]:
        """Judge and count rows that differ; those of which something is to be changed."""
        if not self._by_row:
            for difference in found:
                self._count(tally, difference, None)
            return list(found)
        hashes = [found_by for row in found for found_by in (row.key_hash, row.own_hash) if found_by is not None]
        lefts = self._around.store.rows_left(hashes)
        remaining: list[Difference] = []
        for difference in found:
            if difference.moved:
                rest = take_moved(self._contest, self._shape, difference, lefts)
            else:
                rest = self._contest.take(difference, self._judge(difference, lefts))
            if rest is not None:
                self._count(tally, rest.difference, rest.verdict, rest.reason)
                remaining.append(rest.difference)
        return remaining

    def _count(self, tally: _Tally, difference: Difference, verdict: Verdict | None, reason: str | None = None) -> None:
        if difference.missing:
            tally.create += 1
        else:
            tally.update += 1
        if verdict is not None:
            tally.verdicts.add(verdict)
        if self._recorded is not None and difference.after is not None:
            self._recorded.change(self._change(difference, verdict))
        if self._around.listed and not difference.missing and difference.differing is not None:
            self._changed.differs(difference.line, self._differing(difference))
        if len(tally.sample) < self._around.sample and difference.after is not None:
            tally.sample.append(replace(self._change(difference, verdict), reason=self._reason(difference, reason)))

    def _reason(self, difference: Difference, reason: str | None) -> str | None:
        if not difference.moved:
            return reason
        moved = f"moved from {self._moves.origin(difference.own_hash)}"
        return moved if reason is None else f"{moved}; {reason}"

    def _judge(self, difference: Difference, lefts: Mapping[int, LeftRow]) -> Judged:
        assert difference.declared is not None  # noqa: S101 - hashes were asked for
        return row_verdict(
            lefts.get(difference.key_hash) if difference.key_hash is not None else None,
            [entry.name for entry in self._shape.tracked],
            difference.declared,
            difference.live,
            differing=self._contest.differing(difference),
        )

    def _differing(self, difference: Difference) -> list[str]:
        """The columns in which a row that is there differs, or will once its references are found."""
        assert difference.differing is not None  # noqa: S101 - the caller looked
        unresolved = {
            looked_up.name
            for (looked_up, _), flag in zip(self._shape.references, difference.unresolved, strict=True)
            if flag
        }
        return [
            declared.name
            for declared, differs in zip(self._shape.stored, difference.differing, strict=True)
            if differs or (declared.name in unresolved and declared.role == "managed")
        ]

    def _change(self, difference: Difference, verdict: Verdict | None) -> Change:
        shape = self._shape
        assert difference.after is not None  # noqa: S101 - the caller looked
        missing = {
            looked_up.name for (looked_up, _), flag in zip(shape.references, difference.unresolved, strict=True) if flag
        }
        befores = difference.before or (None,) * len(difference.after)
        flags = difference.differing or (False,) * len(difference.after)
        key: dict[str, Cell] = {}
        before: dict[str, Cell] = {}
        after: dict[str, Cell] = {}
        for declared, was, now, differing in zip(shape.stored, befores, difference.after, flags, strict=True):
            shown: Cell = Marker.KNOWN_AFTER_APPLY if declared.name in missing else now
            if declared.secret:
                was, shown = Marker.SECRET, Marker.SECRET
            if declared.role == "key":
                key[declared.name] = shown
            if declared.role == "key" and (difference.missing or not differing):
                continue
            if difference.missing or differing or (declared.name in missing and declared.role == "managed"):
                before[declared.name] = was
                after[declared.name] = shown
        if not difference.missing:
            return Change("update", key, before, after, verdict)
        for declared in shape.fields:
            if declared.expression is not None:
                after[declared.name] = Marker.KNOWN_AFTER_APPLY
        return Change("create", key, None, after, verdict)

    def _changes(self, tally: _Tally) -> Changes:
        counts = Counts(tally.create, tally.update, 0, self._rows - tally.create - tally.update)
        contest = self._contest
        if self._by_row or not counts.changed:
            first = contest.first_line
            contest.refuse(self._around.place(first) if first is not None else None)
            self._tell(contest.findings())
        if not counts.changed:
            return Changes(counts=counts, verdict=Verdict.IN_SYNC)
        if self._by_row:
            verdict = worst_verdict(tally.verdicts)
            sample = tuple(tally.sample)
        else:
            verdict = self._judge_whole()
            contest.refuse_whole(verdict, counts.changed, self._why_whole())
            self._tell(contest.findings(whole=verdict, rows=counts.changed))
            sample = tuple(replace(change, verdict=verdict) for change in tally.sample)
        return Changes(counts=counts, sample=sample, omitted=counts.changed - len(sample), verdict=verdict)

    def _tell(self, findings: Sequence[Finding]) -> None:
        for finding in findings:
            self._around.note(finding.text, finding.severity)

    def _why_whole(self) -> str:
        """Why there are no row hashes to go by."""
        if self._around.store.unreadable:
            return "for all that is known: the ledger cannot be read"
        if any(declared.secret for declared in self._shape.key):
            return "and no hash of a secret key is kept"
        if self._baseline is not None and not self._baseline.comparable:
            return "and the server hashes differently since then"
        return "and has more rows than [ledger] baseline_rows"

    def _judge_whole(self) -> Verdict:
        store = self._around.store
        if store.unreadable:
            return Verdict.DRIFT
        digest = self._digest.hexdigest()
        as_left: bool | None = None
        baseline = self._baseline
        if baseline is not None and baseline.digest != digest and baseline.comparable:
            as_left = store.table_fingerprint(self._shape, baseline.columns) == baseline.fingerprint
            if not as_left and baseline.fingerprint is not None and self._shape.mode != "sync":
                self._around.note(
                    f"{self._around.resource}: rows of others count too above [ledger] baseline_rows, so that conflict"
                    " may be only pending",
                    "info",
                )
        return resource_verdict(baseline, digest, as_left=as_left)

    # Deleting

    def weigh(self, *, going: bool) -> list[Finding]:
        """What a person should be told of the plan before any of it is done.

        Args:
            going: whether it is, or would be, done; else it is only proven.

        Errors: TooManyChanges; ConstraintViolated where rows that are to go are referred to.
        """
        limit = self._around.limits.update
        if going and limit is not None and self._counts.update:
            existing = self._existing
            what = f"of {self._shape.table.label} would be updated"
            require_within(limit, "max_update", self._counts.update, existing, what, self._given)
        return self._removal.weigh(going=going) if self._removal is not None else []

    def delete(self) -> None:
        """Delete the rows that are to go. Errors: ConstraintViolated, PermissionDenied, TooManyChanges."""
        if self._removal is not None:
            if len(self._removal.ids) <= self._around.listed:
                self._changed.deletes(self._removal.keys())
            self._removal.delete(self._shape, self._at_hand())

    # Writing

    def write(self) -> None:
        """Insert what is missing, update what differs, and move sequences past what was declared.

        Errors: ConstraintViolated, PermissionDenied, RefError.
        """
        if self._differs:
            self._write_rows()
        self._sequences.advance()

    def _write_rows(self) -> None:
        if self._delta is None:
            if self._stage is None:
                if self._only is None:
                    return
                self._stage = Stage(self._session, self._shape)
                self._stage.load(self._only)
            self._stage.resolve()
            self._delta = Delta(self._session, self._shape, self._stage)
            self._contest.exclude(self._session, self._delta.identifier, self._shape)
            # What another resource wrote may have moved what rows refer to that were as declared.
            self.beyond_plan += self._delta.beyond(self._planned_lines, self._planned_delta)
        self._delta.returning = self._removal.returning() if self._removal is not None else None
        self._written = True
        self._writer = Writer(
            self._session, self._shape, self._delta, self._whereabouts(), self._foresee_at_hand, self._around.planned
        )
        self._changed.wrote(self._delta)
        self._writer.write()

    @property
    def waiting(self) -> bool:
        """Rows are still to be written, or references of them, that wait for rows which are not there yet."""
        return self._writer is not None and self._writer.waiting

    def go_on(self, *, let_in: bool = False) -> bool:
        """Write rows that waited for others; see `Writer.go_on`."""
        return self._writer is not None and self._writer.go_on(let_in=let_in)

    def stuck(self) -> Stuck | None:
        """The first row that waits for another; None when there is none."""
        return self._writer.stuck() if self._writer is not None else None

    # What is left behind

    @property
    def digest(self) -> str:
        """Of what was declared; no secret column is in it."""
        return self._digest.hexdigest()

    def changed_rows(self) -> list[ChangedRow]:
        """The rows that were written or deleted; none where there are more than are to be listed."""
        rows = self._changed.all()
        return rows if len(rows) <= self._around.listed else []

    def record(self, run: int) -> list[str]:
        """Keep digest, fingerprint and row hashes as the baseline, unless the ledger has just these.

        Returns: the other resources that declare the same columns of the same rows.
        """
        self._shape = self._plain
        removal = self._removal
        shared = self._around.store.save(
            self._shape,
            self._source,
            digest=self._digest.hexdigest(),
            rows=self._rows,
            changed=self._written or self._contest.moved or (removal is not None and removal.deleted),
            run=run,
            kept=self._contest.kept,
            owning=removal is not None and removal.owning,
        )
        if removal is not None:
            removal.record()
        return shared
