"""What becomes of what was changed in the database since the last apply: replaced, kept, or a reason to stop."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from types import MappingProxyType
from typing import Final

from psycopg import sql

from seedframe.changes import MADE_AGAIN, REPLACES, Finding, Verdict, key_text, rows_text
from seedframe.database.compare import Difference, find_differences
from seedframe.database.declared import Chunk, Shape
from seedframe.database.differing_cells import DifferingCells
from seedframe.database.matching import any_unresolved, differs, live, moved, same_key
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.errors import ChangedInDatabase
from seedframe.verdicts import CONTESTED, Judged, OnConflict

_COMMA: Final = sql.SQL(", ")
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class KeptRow:
    """A declared row that stays as it is in the database: the positions of the tracked cells, or its absence."""

    cells: frozenset[int] = frozenset()
    absent: bool = False


NOTHING_KEPT: Final[Mapping[int, KeptRow]] = MappingProxyType({})


def kept_count(kept: Mapping[int, KeptRow]) -> int:
    """How many cells were kept, and how many absences."""
    return sum(len(row.cells) + row.absent for row in kept.values())


@dataclass(frozen=True, slots=True)
class Remaining:
    """What is left of a difference once kept cells are taken out: what apply writes, and what it means."""

    difference: Difference
    verdict: Verdict
    reason: str | None


class Contest:
    """Takes the judged rows of one resource; what is kept is taken out of them.

    Attributes:
        kept: by line, what stays as it is in the database: by an earlier apply's choice or by this one's.
        moved: whether this one's choice added to it.
    """

    def __init__(self, shape: Shape, resource: str, rule: OnConflict | None) -> None:
        """
        Args:
            rule: what apply does with it; None in verify, which does nothing.
        """
        self._shape = shape
        self._resource = resource
        self._rule = rule
        self._tracked = [shape.stored.index(field) for field in shape.tracked]
        self._others = [
            position
            for position, field in enumerate(shape.stored)
            if field in shape.managed and position not in self._tracked
        ]
        self._cells = DifferingCells(shape)
        self.kept: dict[int, KeptRow] = {}
        self.moved = False
        self._newly = _Told()
        self._before = _Told()
        self._contested = _Told()
        self._gone = 0
        self._drifted = self._conflicting = self._secret = 0
        self._first_line: int | None = None

    def differing(self, difference: Difference) -> list[bool]:
        """Which tracked cells differ, or will once a reference is found."""
        return [self._cells.differs(difference, position) for position in self._tracked]

    def take(self, difference: Difference, judged: Judged) -> Remaining | None:
        """What is to be changed of a row; None when it stays as it is."""
        if difference.missing:
            return self._take_missing(difference, judged)
        flags = self.differing(difference)
        accepted = {n for n, flag in enumerate(flags) if flag and judged.cells[n] is Verdict.IN_SYNC}
        contested = {n for n, flag in enumerate(flags) if flag and judged.cells[n] in CONTESTED}
        secret = any(self._cells.differs(difference, position) for position in self._others)
        kept = set(accepted)
        if accepted:
            self._before.add(self._key(difference), self._names(accepted))
        if contested and self._rule == "database":
            kept |= contested
            self._newly.add(self._key(difference), self._names(contested))
            self.moved = True
        if kept:
            self.kept[difference.line] = KeptRow(frozenset(kept))
        left = [judged.cells[n] for n, flag in enumerate(flags) if flag and n not in kept]
        if not left and not secret and any(flags):
            return None
        # Of a secret cell nothing is known: the louder explanation, unless the rest of the row has one.
        verdict = max(left, key=lambda found: found.severity) if left else self._of_secrets(judged)
        if verdict in CONTESTED and self._rule != "database":
            names = self._names(contested) or [self._shape.stored[n].name for n in self._others]
            self._contend(difference, verdict, names)
        if not left and verdict in CONTESTED:
            self._secret += 1
        return Remaining(self._without(difference, kept), verdict, self._reason(judged, flags, kept, verdict))

    @staticmethod
    def _of_secrets(judged: Judged) -> Verdict:
        return Verdict.DRIFT if judged.verdict is Verdict.IN_SYNC else judged.verdict

    def _take_missing(self, difference: Difference, judged: Judged) -> Remaining | None:
        if judged.verdict is Verdict.IN_SYNC:
            self._before.add(self._key(difference), [])
            self.kept[difference.line] = KeptRow(absent=True)
            return None
        if judged.verdict not in CONTESTED:
            return Remaining(difference, judged.verdict, None)
        if self._rule == "database":
            self._newly.add(self._key(difference), [])
            self.kept[difference.line] = KeptRow(absent=True)
            self.moved = True
            return None
        self._contend(difference, judged.verdict, [])
        self._gone += 1
        reason = MADE_AGAIN if self._rule == "seed" else None
        return Remaining(difference, judged.verdict, reason)

    def _contend(self, difference: Difference, verdict: Verdict, names: Sequence[str]) -> None:
        if self._first_line is None:
            self._first_line = difference.line
        self._contested.add(self._key(difference), names)
        if verdict is Verdict.DRIFT:
            self._drifted += 1
        else:
            self._conflicting += 1

    def _names(self, positions: set[int]) -> list[str]:
        tracked = self._shape.tracked
        return [tracked[n].name for n in sorted(positions)]

    def _key(self, difference: Difference) -> str | None:
        """The row's key for a person; None beyond the sample, and where it is secret."""
        if difference.after is None or any(field.secret for field in self._shape.key):
            return None
        values = zip(self._shape.stored, difference.after, strict=True)
        return key_text({field.name: value for field, value in values if field.role == "key"})

    def _without(self, difference: Difference, kept: Collection[int]) -> Difference:
        """The difference, less the tracked cells that are kept."""
        return self._cells.without(difference, [self._tracked[n] for n in kept])

    def _reason(self, judged: Judged, flags: Sequence[bool], kept: set[int], verdict: Verdict) -> str | None:
        """What tells the cells of one row apart; in apply, that what somebody wrote is replaced."""
        left = {n for n, flag in enumerate(flags) if flag and n not in kept}
        contested = {n for n in left if judged.cells[n] in CONTESTED}
        mixed = len({judged.cells[n] for n in left}) > 1
        if self._rule == "seed" and verdict in CONTESTED and not mixed:
            return REPLACES if left else None
        if not mixed:
            return None
        columns = ", ".join(self._names(contested))
        return (
            f"replaces {columns}, changed in the database"
            if self._rule == "seed"
            else (f"changed in the database: {columns}")
        )

    # What is told

    @property
    def first_line(self) -> int | None:
        """The line of the first row that is in the way of `fail`."""
        return self._first_line

    def refuse(self, where: str | None) -> None:
        """Errors: ChangedInDatabase, under "fail", when anything was changed in the database."""
        if self._rule != "fail" or not self._contested:
            return
        kinds = [
            f"{count} {kind}"
            for count, kind in ((self._drifted, Verdict.DRIFT), (self._conflicting, Verdict.CONFLICT))
            if count
        ]
        raise ChangedInDatabase(
            f"{self._resource}: {rows_text(self._contested.rows)} {_were(self._contested.rows)} changed in the database"
            f" since the last apply ({', '.join(kinds)}): {self._contested.examples()}",
            hint=_HINT,
            where=where,
        )

    def refuse_whole(self, verdict: Verdict, rows: int, why: str) -> None:
        """The same where verdicts are told for the resource as a whole; then nothing can be kept either.

        Errors: ChangedInDatabase, under "fail" and "database".
        """
        if verdict not in CONTESTED or self._rule in (None, "seed"):
            return
        what = f"{self._resource}: the table was changed in the database since the last apply ({verdict}), {why}"
        if self._rule == "fail":
            raise ChangedInDatabase(f"{what}; {rows_text(rows)} {_differ(rows)}", hint=_HINT)
        raise ChangedInDatabase(
            f"{what}: which cells to keep cannot be told",
            hint="raise [ledger] baseline_rows and apply with --on-conflict=seed once, or declare columns `initial`",
        )

    def findings(self, *, whole: Verdict | None = None, rows: int = 0) -> list[Finding]:
        """What a person should be told.

        Args:
            whole: the verdict, where it was told for the resource as a whole.
            rows: how many rows differ then.
        """
        told: list[Finding] = []
        if self._newly:
            told.append(
                Finding(
                    f"{self._resource}: {self._newly.text()} kept as in the database: {self._newly.examples()};"
                    " in sync until the seed or the database moves",
                    "info",
                )
            )
        if self._before:
            told.append(
                Finding(
                    f"{self._resource}: {self._before.text()} kept as in the database by an earlier"
                    f" --on-conflict=database: {self._before.examples()};"
                    " until the declared value, or that in the database, is another",
                    "info",
                )
            )
        if self._rule == "database" and self._secret:
            told.append(
                Finding(
                    f"{self._resource}: secret columns differ in {rows_text(self._secret)} and are written:"
                    " no hash of them is kept, so they cannot be kept as in the database",
                    "warning",
                )
            )
        if self._rule == "seed" and self._contested:
            told.append(Finding(f"{self._resource}: {self._lost()}", "warning"))
        if self._rule == "seed" and whole in CONTESTED:
            told.append(
                Finding(
                    f"{self._resource}: the table was changed in the database since the last apply; what differs"
                    f" ({rows_text(rows)}) is replaced",
                    "warning",
                )
            )
        return told

    def _lost(self) -> str:
        """What becomes of rows that were changed, and of rows that were deleted, in the database."""
        changed, gone = self._contested.rows - self._gone, self._gone
        parts = []
        if changed:
            parts.append(f"{rows_text(changed)} changed in the database {_are(changed)} replaced")
        if gone:
            parts.append(f"{rows_text(gone)} deleted in the database {_are(gone)} made again")
        return f"{', '.join(parts)}; --on-conflict=database keeps {'what is there' if changed else 'it so'}"

    # What is kept, in SQL

    def still_differing(self, found: Sequence[Difference]) -> list[Difference]:
        """What differs after writing, less what is kept."""
        left: list[Difference] = []
        for difference in found:
            kept = self.kept.get(difference.line)
            if kept is None:
                left.append(difference)
            elif not difference.missing:
                rest = self._without(difference, kept.cells)
                positions = [*self._tracked, *self._others]
                if any(self._cells.differs(rest, position) for position in positions):
                    left.append(rest)
            elif not kept.absent:
                left.append(difference)
        return left

    def less_kept(self, difference: Difference) -> Difference:
        """The difference, less the cells that are kept."""
        kept = self.kept.get(difference.line)
        return self._without(difference, kept.cells) if kept is not None else difference

    @property
    def absent(self) -> int:
        """How many rows stay missing."""
        return sum(row.absent for row in self.kept.values())

    def without_absent(self, chunk: Chunk) -> Chunk:
        """The chunk, less the rows that stay missing: no reference will find them."""
        absent = {line for line, row in self.kept.items() if row.absent}
        if not absent:
            return chunk
        flags = [line not in absent for line in chunk.lines]
        return Chunk(
            list(compress(chunk.lines, flags)), tuple(list(compress(column, flags)) for column in chunk.columns)
        )

    def exclude(self, session: Session, delta: sql.Composable, shape: Shape) -> None:
        """Take out of a delta what is kept: missing rows whole, cells by giving them the value that is there.

        Args:
            shape: that of the delta, which may find rows by another key than the declared one.
        """
        if not self.kept:
            return
        absent = [line for line, row in self.kept.items() if row.absent]
        if absent:
            session.execute(sql.SQL("DELETE FROM {} WHERE line = ANY ($1::bigint[])").format(delta), [absent])
        for n, field in enumerate(shape.tracked):
            lines = [line for line, row in self.kept.items() if n in row.cells]
            if not lines:
                continue
            # Without its natural key a reference is not looked up again.
            staged = field.reference.staged if field.reference is not None else ()
            emptied = [sql.SQL("{} = NULL").format(sql.Identifier(name)) for name in staged]
            kept = sql.SQL("{} = {}").format(sql.Identifier(field.staged), field.target)
            session.execute(
                sql.SQL(
                    "UPDATE {} AS d SET {} FROM {} WHERE {} AND NOT d.missing AND d.line = ANY ($1::bigint[])"
                ).format(delta, _COMMA.join([kept, *emptied]), live(shape), same_key(shape)),
                [lines],
            )
        session.execute(
            sql.SQL(
                "DELETE FROM {} AS d USING {} WHERE {} AND NOT d.missing AND d.line = ANY ($1::bigint[])"
                " AND NOT {} AND NOT ({}) AND NOT {}"
            ).format(
                delta, live(shape), same_key(shape), differs(shape.managed),
                any_unresolved(shape, sql.SQL("d.missing")), moved(shape),
            ),
            [list(self.kept)],
        )  # fmt: skip


def save_kept(session: Session, shape: Shape, source: Source, baseline: int, kept: Mapping[int, KeptRow]) -> None:
    """Enter in the ledger what was kept: the hashes of what is there beside those of what is declared."""
    rows = [
        (difference, kept[difference.line])
        for difference in find_differences(session, shape, source, room=0, hashes=True)
        if difference.line in kept
    ]
    keys, lefts, declareds, flags, absents = [], [], [], [], []
    for difference, row in rows:
        declared, live = difference.declared or (), difference.live
        keys.append(difference.key_hash)
        lefts.append(_array(declared if live is None else live))
        declareds.append(_array(declared))
        flags.append(_array([n in row.cells for n in range(len(declared))]))
        absents.append(live is None)
    session.execute(
        "UPDATE seedframe.baseline_row AS r SET cell_hashes = k.there::bigint[],"
        " declared_hashes = k.declared::bigint[], kept = k.flags::boolean[], absent = k.absent"
        " FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[])"
        " AS k (key_hash, there, declared, flags, absent) WHERE r.baseline_id = $1 AND r.key_hash = k.key_hash",
        [baseline, keys, lefts, declareds, flags, absents],
    )


def _array(values: Sequence[int | None]) -> str:
    """An array literal, of numbers or booleans."""
    return "{" + ",".join("NULL" if value is None else str(value).lower() for value in values) + "}"


_HINT: Final = "see seedframe verify; --on-conflict=seed writes what is declared, --on-conflict=database keeps it"


class _Told:
    """How many rows and cells, and the first of them by name."""

    def __init__(self) -> None:
        self.rows = 0
        self.cells = 0
        self._examples: list[str] = []

    def __bool__(self) -> bool:
        return self.rows > 0

    def add(self, key: str | None, names: Sequence[str]) -> None:
        self.rows += 1
        self.cells += len(names)
        if len(self._examples) < _SHOWN:
            what = f"column{'' if len(names) == 1 else 's'} {', '.join(names)}" if names else "deleted"
            self._examples.append(f"{key}, {what}" if key is not None else what)

    def text(self) -> str:
        """`2 cells in 1 row are`, `3 rows are`."""
        if not self.cells:
            return f"{rows_text(self.rows)} {_are(self.rows)}"
        return f"{self.cells:,} cell{'' if self.cells == 1 else 's'} in {rows_text(self.rows)} {_are(self.cells)}"

    def examples(self) -> str:
        return "; ".join(self._examples) + (" …" if self.rows > len(self._examples) else "")


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _differ(count: int) -> str:
    return "differs" if count == 1 else "differ"
