"""A rowset: the declared rows of one table on their way through one attempt: compare, write, compare again."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from seedframe.changes import Changes, Counts, Finding, Severity
from seedframe.database.blame import Blame
from seedframe.database.changed_rows import ChangedRows
from seedframe.database.compare import Difference, find_differences
from seedframe.database.declared import Chunk, DeclaredDigest, Removing, Shape
from seedframe.database.declared_rows import DeclaredRows
from seedframe.database.judging import Judging
from seedframe.database.keeping import Contest
from seedframe.database.moves import Moves
from seedframe.database.no_longer import no_longer_declared
from seedframe.database.references import References
from seedframe.database.rounds import Stuck, Writer
from seedframe.database.scrutiny import Scrutiny
from seedframe.database.seen_keys import SeenKeys, key_texts
from seedframe.database.sequences import SequenceWatch
from seedframe.database.session import Session
from seedframe.database.source import chunk_source
from seedframe.database.staging import require_room
from seedframe.database.standing import Standing
from seedframe.database.surroundings import Surroundings
from seedframe.database.table import Table
from seedframe.database.validation import Validation
from seedframe.database.weighing import require_within
from seedframe.database.write import Delta, evaluate
from seedframe.errors import ConstraintViolated

if TYPE_CHECKING:
    from seedframe.database.removal import Removal
    from seedframe.history import ChangedRow


class Rowset:
    """Compares and writes the declared rows of one table. Small sources are kept as one chunk, large ones are staged.

    A small source is compared by parameters, in apply too: most of the time nothing differs, and then not even a
    temporary table is made. A large one is staged in apply, and streamed chunk by chunk where nothing may be written.

    Attributes:
        declared_shape: how the declared fields meet the table's columns.
        beyond_plan: how many rows were written though the plan had found them as declared.
        left_at: where the first row stands that still differs after it was written.
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
        self._chunks = chunks
        self._around = around
        self._validation = validation
        self._removing = removing
        self._digest = DeclaredDigest(shape, removing)
        self._rows = DeclaredRows(session, shape, self._digest, around)
        self._standing = Standing(shape, self._digest, around)
        self._moves = Moves(session, shape, around)
        self._contest = Contest(shape, around.resource, around.on_conflict)
        self._changed = ChangedRows(session, shape, around.resource, around.listed)
        self._judging = Judging(shape, self._standing, self._contest, self._moves, self._changed, around)
        self._scrutiny = Scrutiny(session, shape, around)
        self._references = References(session, shape, around)
        self._blame = Blame(session, self._rows, self._contest, around)
        self._removal = self._removal_of(removing) if removing else None
        self._sequences = SequenceWatch(session, shape, self._standing, around)
        self._counts = Counts()
        self._delta: Delta | None = None
        self._planned_delta: Delta | None = None
        self._planned_lines: set[int] = set()
        self._writer: Writer | None = None
        self._differs = False
        self._written = False
        self.declared_shape = shape
        self.beyond_plan = 0
        self.left_at: str | None = None

    def _removal_of(self, removing: Removing) -> "Removal":
        from seedframe.database.removal import Removal  # here, as few rows are to be deleted

        return Removal(self._session, self._rows, removing, self._standing, self._around)

    # Comparing

    def compare(self) -> Changes:
        """What differs. Reads the source to its end, once. Errors: BadData, RefError, and the server's."""
        require_room(self.declared_shape, self._around.resource)
        if self._validation is not None:
            self._validation.check()
        if self._removal is not None:
            self._removal.prepare()
        self._rows.shape = self._moves.decide()
        self._around.tell(self._moves.findings)
        changes = self._compare_rows()
        self._moves.require_declared()
        if self._around.record is not None:
            self._around.record.describe(self.digest)  # the keys that must not be there are in it, too
        self._counts = changes.counts
        for told in self._sequences.unchecked():
            self._around.note(told, "warning")
        self._differs = bool(changes)
        changes = self._sequences.changes(changes)
        if self._removal is not None:
            source = self._rows.at_hand()
            if self._rows.stage is not None and source is not None:
                self._removal.see(source, None, streamed=False)
            changes = self._removal.changes(changes, existing=self._existing)
        self._tell_of_undeclared()
        return changes

    def _tell_of_undeclared(self) -> None:
        if self._around.store.baseline is None or self._standing.as_declared:
            return
        going = self._removal.keys_to_go if self._removal is not None else ()
        source, rows = self._rows.at_hand(), self._rows.count
        staying = no_longer_declared(
            self.declared_shape, source, self._around, rows=rows, removing=self._removing, going=going
        )
        if staying is not None:
            self._around.tell([staying])

    def _compare_rows(self) -> Changes:
        first = next(self._chunks, None)
        if first is None:
            return self._judging.changes(0)
        second = next(self._chunks, None)
        if second is None:
            self._rows.only = first
            return self._compare_chunks(iter([first]), single=True)
        chunks = chain([first, second], self._chunks)
        if self._session.writable:
            return self._compare_staged(chunks)
        return self._compare_chunks(chunks, single=False)

    def _compare_chunks(self, chunks: Iterator[Chunk], *, single: bool) -> Changes:
        keys = SeenKeys()
        shape = self._rows.shape
        for chunk in chunks:
            self._read(chunk)
            source = chunk_source(shape, chunk)
            texts = key_texts(shape, chunk)
            with self._scrutiny.casting(chunk):
                found = find_differences(
                    self._session,
                    shape,
                    source,
                    room=len(chunk) if self._around.recorded is not None else self._judging.room,
                    hashes=self._standing.by_row,
                    distinct=texts is not None and len(set(texts)) == len(texts),
                    flags=self._around.listed,
                )
            self._scrutiny.require_fit(shape, source)
            self._moves.see(source)
            for difference in found:
                self._scrutiny.require_single(difference, chunk, found)
                self._references.require_single(difference)
            if not single:
                keys.add(self._session, shape, source, chunk, texts)
                if self._validation is not None and self._around.verifying:
                    self._validation.look(source)  # the chunk does not come by again
                self._references.require_staying(source)
            if self._removal is not None:
                self._removal.see(source, texts, streamed=not single)
            remaining = self._judging.take(found)
            if single:
                self._planned_lines.update(difference.line for difference in remaining)
            if remaining:
                self._around.planned.add_chunk(shape, self._contest.without_absent(chunk))
                if not self._session.writable:
                    self._blame.look_ahead(source, chunk)
            self._references.note(chunk, remaining)
            self._sequences.look_at_chunk(chunk)
        self._scrutiny.refuse_repeated(keys.repeated())
        return self._judging.changes(self._rows.count)

    def _compare_staged(self, chunks: Iterator[Chunk]) -> Changes:
        shape, stage = self._rows.shape, self._rows.make_stage()
        for chunk in chunks:
            self._read(chunk)
            with self._scrutiny.casting(chunk):
                stage.load(chunk)
        self._scrutiny.refuse_repeated(stage.repeated())
        self._references.refuse_several(stage.ambiguous())
        stage.resolve()
        self._scrutiny.require_fit(shape, stage.source)
        self._sequences.look(stage.source)
        self._moves.see(stage.source)
        if not find_differences(self._session, shape, stage.source, room=0, hashes=False, limit=1):
            return self._judging.changes(self._rows.count)  # and no second temporary table, whose catalog rows are WAL
        delta = self._delta = self._planned_delta = Delta(self._session, shape, stage)
        by_row = self._standing.by_row
        found = find_differences(
            self._session,
            shape,
            delta.source,
            room=self._judging.room,
            hashes=by_row,
            limit=None if by_row else max(self._around.sample, self._around.listed),
            flags=self._around.listed,
        )
        remaining = self._judging.take(found)
        self._contest.exclude(self._session, delta.identifier, shape)
        if remaining:
            # Of the stage, rows that stay absent are no rows that a reference may find later.
            relation = delta.identifier if self._contest.absent else stage.identifier
            self._around.planned.add_stage(shape, relation)
        self._references.note_staged(delta)
        if not by_row:
            self._judging.count_whole(*delta.counts())
        return self._judging.changes(self._rows.count)

    def _read(self, chunk: Chunk) -> None:
        self._rows.read(chunk)
        self._scrutiny.require_keys(chunk)

    @property
    def _existing(self) -> int:
        """How many of the declared rows were there when they were compared."""
        return self._rows.count - self._counts.create - self._contest.absent

    def require_met(self) -> None:
        """Every reference finds a row that is there or planned. Errors: RefError.

        To be asked once all resources of the seed are compared, since a later one may declare the row.
        """
        self._blame.tell_of_dangling()
        source = self._rows.at_hand()
        if source is not None:
            self._references.require_staying(source)
        self._references.require_met()

    def refuse_foreseen(self) -> None:
        """Where nothing is written, say what apply would be refused. Errors: ConstraintViolated."""
        self._blame.refuse_foreseen()

    def compare_again(self) -> Changes:
        """What still differs after writing; the source is not read a second time."""
        shape = self._rows.shape = self.declared_shape  # what was moved is by now
        source = self._rows.as_of_now()
        found: list[Difference] = []
        if source is not None:
            kept = bool(self._contest.kept)
            found = find_differences(self._session, shape, source, room=5, hashes=kept, limit=None if kept else 5)
            found = self._contest.still_differing(found)
            self._references.require_resolved(found)
            self.left_at = self._around.place(min(difference.line for difference in found)) if found else None
            self._delta = self._writer = None  # what is left is another difference than the one that was written
            self._sequences.look(source)
        changes = self._judging.left(found, self._rows.count)
        self._differs = bool(changes)
        changes = self._sequences.changes(changes)
        if self._removal is None:
            return changes
        left = self._removal.left(sample=5)
        return replace(changes, counts=changes.counts + left.counts, sample=(*changes.sample, *left.sample))

    def validate(self, severity: Severity) -> list[Finding]:
        """What of the declared rows is not as `validate=` says; after everything was written."""
        if self._validation is None:
            return []
        source = self._rows.as_of_now()
        if source is not None:
            self._validation.look(source)
        return self._validation.findings(severity)

    # Deleting

    def weigh(self, *, going: bool) -> list[Finding]:
        """What a person should be told of the plan before any of it is done.

        Args:
            going: whether it is, or would be, done; else it is only proven.

        Errors: TooManyChanges; ConstraintViolated where rows that are to go are referred to.
        """
        limit = self._around.limits.update
        if going and limit is not None and self._counts.update:
            what = f"of {self.declared_shape.table.label} would be updated"
            require_within(limit, "max_update", self._counts.update, self._existing, what, self._around.resource)
        return self._removal.weigh(going=going) if self._removal is not None else []

    def delete(self) -> None:
        """Delete the rows that are to go. Errors: ConstraintViolated, PermissionDenied, TooManyChanges."""
        if self._removal is not None:
            if len(self._removal.ids) <= self._around.listed:
                self._changed.deletes(self._removal.keys())
            self._removal.delete()

    # Writing

    @property
    def has_expressions(self) -> bool:
        """True where SQL of the seed's own gives rows that are inserted some of their values."""
        return any(field.expression is not None for field in self.declared_shape.fields)

    def evaluate(self) -> None:
        """Evaluate that SQL, for nothing. Errors: whatever it raises."""
        evaluate(self._session, self.declared_shape)

    def write(self) -> None:
        """Insert what is missing, update what differs, and move sequences past what was declared.

        Errors: ConstraintViolated, PermissionDenied, RefError.
        """
        if self._differs:
            self._write_rows()
        self._sequences.advance()

    def _write_rows(self) -> None:
        shape = self._rows.shape
        if self._delta is None:
            stage = self._rows.stage
            if stage is None:
                if self._rows.only is None:
                    return
                stage = self._rows.make_stage()
                stage.load(self._rows.only)
            stage.resolve()
            self._delta = Delta(self._session, shape, stage)
            self._contest.exclude(self._session, self._delta.identifier, shape)
            # What another resource wrote may have moved what rows refer to that were as declared.
            self.beyond_plan += self._delta.beyond(self._planned_lines, self._planned_delta)
        self._delta.returning = self._removal.returning() if self._removal is not None else None
        self._written = True
        self._writer = Writer(
            self._session,
            shape,
            self._delta,
            self._blame.whereabouts,
            self._blame.foresee,
            self._blame.with_holder,
            self._around.planned,
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

    def locate(self, error: ConstraintViolated) -> ConstraintViolated | None:
        """The refusal of a deferred constraint, naming the row; None where it is none of these."""
        return self._blame.locate(error) if self._written else None

    # What is left behind

    @property
    def written(self) -> tuple[Table, tuple[str, ...]]:
        """The table, and the columns that are written, on insert at least; less those of the key."""
        shape = self.declared_shape
        return shape.table, tuple(field.name for field in shape.fields if field.role != "key")

    @property
    def digest(self) -> str:
        """Of what was declared; no secret column is in it."""
        return self._digest.hexdigest()

    def changed_rows(self) -> "list[ChangedRow]":
        """The rows that were written or deleted; none where there are more than are to be listed."""
        rows = self._changed.all()
        return rows if len(rows) <= self._around.listed else []

    def record(self, run: int) -> list[str]:
        """Keep digest, fingerprint and row hashes as the baseline, unless the ledger has just these.

        Returns: the other resources that declare the same columns of the same rows.
        """
        shape = self._rows.shape = self.declared_shape
        removal = self._removal
        shared = self._around.store.save(
            shape,
            self._rows.as_of_now,
            digest=self.digest,
            rows=self._rows.count,
            changed=self._written or self._contest.moved or (removal is not None and removal.deleted),
            run=run,
            kept=self._contest.kept,
            owning=removal is not None and removal.owning,
        )
        if removal is not None:
            removal.record()
        return shared
