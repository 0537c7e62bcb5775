"""Judging the rows that differ: what each difference means, how many there are, and the first of them in full."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seedframe.changes import Change, Changes, Counts, Verdict, worst_verdict
from seedframe.database.changed_rows import ChangedRows
from seedframe.database.compare import Difference
from seedframe.database.declared import Shape
from seedframe.database.differing_cells import DifferingCells
from seedframe.database.keeping import Contest
from seedframe.database.moves import Moves, take_moved
from seedframe.database.standing import Standing
from seedframe.database.surroundings import Surroundings
from seedframe.verdicts import Judged, LeftRow, row_verdict


@dataclass(slots=True)
class _Tally:
    """What has been found so far, over all chunks."""

    create: int = 0
    update: int = 0
    verdicts: set[Verdict] = field(default_factory=set)
    sample: list[Change] = field(default_factory=list)

    def counts(self, rows: int) -> Counts:
        return Counts(self.create, self.update, 0, rows - self.create - self.update)


class Judging:
    """Takes the differences of one resource, chunk by chunk, and has the changes in the end."""

    def __init__(
        self,
        shape: Shape,
        standing: Standing,
        contest: Contest,
        moves: Moves,
        changed: ChangedRows,
        around: Surroundings,
    ) -> None:
        self._shape = shape
        self._standing = standing
        self._contest = contest
        self._moves = moves
        self._changed = changed
        self._around = around
        self._cells = DifferingCells(shape)
        self._tally = _Tally()

    @property
    def room(self) -> int:
        """How many of the next differences are to carry their cells, one at least."""
        return max(1, self._around.sample - len(self._tally.sample))

    def take(self, found: Sequence[Difference]) -> list[Difference]:
        """Judge and count rows that differ; those of which something is to be changed."""
        if not self._standing.by_row:
            for difference in found:
                self._count(self._tally, difference, None)
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
                self._count(self._tally, rest.difference, rest.verdict, rest.reason)
                remaining.append(rest.difference)
        return remaining

    def count_whole(self, create: int, update: int) -> None:
        """How many rows are missing and how many differ, where only the first of them were taken one by one."""
        self._tally.create, self._tally.update = create, update

    def changes(self, rows: int) -> Changes:
        """All of it, of so many declared rows. Errors: ChangedInDatabase, where that is a reason to stop."""
        counts = self._tally.counts(rows)
        contest = self._contest
        if self._standing.by_row or not counts.changed:
            first = contest.first_line
            contest.refuse(self._around.place(first) if first is not None else None)
            self._around.tell(contest.findings())
        if not counts.changed:
            return Changes(counts=counts, verdict=Verdict.IN_SYNC)
        if self._standing.by_row:
            verdict = worst_verdict(self._tally.verdicts)
            sample = tuple(self._tally.sample)
        else:
            verdict = self._standing.whole
            contest.refuse_whole(verdict, counts.changed, self._standing.why_whole)
            self._around.tell(contest.findings(whole=verdict, rows=counts.changed))
            sample = tuple(replace(change, verdict=verdict) for change in self._tally.sample)
        return Changes(counts=counts, sample=sample, omitted=counts.changed - len(sample), verdict=verdict)

    def left(self, found: Sequence[Difference], rows: int) -> Changes:
        """What still differs after writing, of so many declared rows."""
        tally = _Tally()
        for difference in found:
            self._count(tally, difference, None)
        return Changes(counts=tally.counts(rows), sample=tuple(tally.sample))

    def _judge(self, difference: Difference, lefts: Mapping[int, LeftRow]) -> Judged:
        assert difference.declared is not None  # noqa: S101 - hashes were asked for
        return row_verdict(
            lefts.get(difference.key_hash) if difference.key_hash is not None else None,
            [entry.name for entry in self._shape.tracked],
            difference.declared,
            difference.live,
            differing=self._contest.differing(difference),
        )

    def _count(self, tally: _Tally, difference: Difference, verdict: Verdict | None, reason: str | None = None) -> None:
        if difference.missing:
            tally.create += 1
        else:
            tally.update += 1
        if verdict is not None:
            tally.verdicts.add(verdict)
        if self._around.recorded is not None and difference.after is not None:
            self._around.recorded.change(self._cells.change(difference, verdict))
        if self._around.listed and not difference.missing and difference.differing is not None:
            self._changed.differs(difference.line, self._cells.names(difference))
        if len(tally.sample) < self._around.sample and difference.after is not None:
            change = self._cells.change(difference, verdict)
            tally.sample.append(replace(change, reason=self._reason(difference, reason)))

    def _reason(self, difference: Difference, reason: str | None) -> str | None:
        if not difference.moved:
            return reason
        moved = f"moved from {self._moves.origin(difference.own_hash)}"
        return moved if reason is None else f"{moved}; {reason}"
