"""Verdicts: what a difference means, judged from what was declared before, what was left behind, and what is now.

Pure functions over hashes; the ledger supplies the baseline, the comparison the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from seedframe.changes import Verdict, worst_verdict

Hash: TypeAlias = int | str | None

OnConflict: TypeAlias = Literal["seed", "database", "fail"]
"""What apply does where the database was changed: write what is declared, keep what is there, or stop."""

CONTESTED: Final = frozenset({Verdict.DRIFT, Verdict.CONFLICT})
"""The verdicts that `OnConflict` decides about: the database was changed since the last apply."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the last apply of a resource left behind.

    Attributes:
        digest: of what was declared.
        fingerprint: of the table, as left, where no row hashes were kept: the number of its rows and the sum of their
            hashes.
        columns: the tracked columns, in the order of the row hashes.
        by_row: whether row hashes were kept (resources below the configured size).
        comparable: False when hashes of now and then cannot be compared (the server hashes differently since).
        kept: how many cells, and missing rows, were left as they were in the database.
    """

    id: int
    digest: str
    fingerprint: str | None
    columns: tuple[str, ...]
    by_row: bool
    comparable: bool = True
    kept: int = 0


@dataclass(frozen=True, slots=True)
class LeftCell:
    """One cell as the last apply left it.

    Attributes:
        there: the hash of what was in the database.
        declared: the hash of what was declared: the same, but for a reference (its natural key) and a kept cell.
        kept: it was left as it was in the database, by choice.
    """

    there: Hash
    declared: Hash
    kept: bool = False


@dataclass(frozen=True, slots=True)
class LeftRow:
    """One row as the last apply left it.

    Attributes:
        cells: by column; columns that were not declared then are not in it.
        absent: it was left missing, by choice.
    """

    cells: dict[str, LeftCell]
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict on a row that differs, and on each of its tracked cells; no cells where the row is missing."""

    verdict: Verdict
    cells: tuple[Verdict, ...] = ()


def cell_verdict(left: LeftCell | None, declared: Hash, live: Hash, *, differs: bool) -> Verdict:
    """The verdict on one cell.

    Args:
        left: as the last apply left it; None when the column was not declared then.
        declared: the hash of what is declared.
        live: the hash of what is there.
        differs: whether what is declared is not what is there; the server judges that, not the hashes.
    """
    if not differs:
        return Verdict.IN_SYNC
    if left is None:
        return Verdict.PENDING
    seed_moved = declared != left.declared
    database_moved = live != left.there
    if not seed_moved and not database_moved:
        # Accepted as it is; or a reference that finds another row now, or none: that is the database's doing.
        return Verdict.IN_SYNC if left.kept else Verdict.DRIFT
    if not seed_moved:
        return Verdict.DRIFT
    # A kept cell is the database's since it was kept: when the seed moves too, both have.
    return Verdict.CONFLICT if database_moved or left.kept else Verdict.PENDING


def row_verdict(
    left: LeftRow | None,
    names: Sequence[str],
    declared: Sequence[Hash],
    live: Sequence[Hash] | None,
    *,
    differing: Sequence[bool],
) -> Judged:
    """The verdict on a row that differs.

    Args:
        left: as the last apply left it; None when it was not declared then.
        names: the tracked columns.
        declared: their hashes as declared now.
        live: their hashes as they are; None when the row is not there.
        differing: which of them differ.
    """
    if live is None:
        if left is None:
            return Judged(Verdict.PENDING)
        known = [(left.cells[name], now) for name, now in zip(names, declared, strict=True) if name in left.cells]
        moved = any(cell.declared != now for cell, now in known)
        if left.absent and not moved:
            return Judged(Verdict.IN_SYNC)
        return Judged(Verdict.CONFLICT if moved else Verdict.DRIFT)
    cells = tuple(
        cell_verdict(left.cells.get(name) if left is not None else None, now, there, differs=differs)
        for name, now, there, differs in zip(names, declared, live, differing, strict=True)
    )
    if not any(differing):
        # Only a secret cell differs, of which nothing is kept: the louder of the two explanations.
        return Judged(Verdict.PENDING if left is None else Verdict.DRIFT, cells)
    return Judged(worst_verdict(cells), cells)


def resource_verdict(baseline: Baseline | None, digest: str, *, as_left: bool | None) -> Verdict:
    """The verdict on a resource that differs, where there are no row hashes to go by.

    Args:
        as_left: whether its rows still are as the last apply left them; None when that cannot be told.
    """
    if baseline is None:
        return Verdict.PENDING
    if baseline.digest == digest:
        return Verdict.DRIFT
    return Verdict.PENDING if as_left else Verdict.CONFLICT


def removal_verdict(
    why: Literal["sync", "prune", "removed"],
    baseline: Baseline | None,
    *,
    unreadable: bool,
    same_digest: bool,
    was_declared: bool | None,
    whole: Callable[[], Verdict],
) -> Verdict:
    """The verdict on a row that is there and is not to be.

    Args:
        why: it is not declared where only declared rows are to be, this resource made it, or its key is in `removed()`.
        unreadable: there is a ledger, and it cannot be read.
        same_digest: what is declared is what was declared at the last apply.
        was_declared: whether the row was declared then; None where there are no row hashes to tell by.
        whole: the verdict on the resource as a whole, asked for only where it is needed.
    """
    if unreadable:
        return Verdict.DRIFT
    if why == "prune":
        return Verdict.ORPHAN
    if why == "removed":
        return Verdict.DRIFT if same_digest else Verdict.PENDING
    if baseline is None:
        return Verdict.PENDING
    if was_declared is None:
        found = whole()
        # The table is as the last apply left it, and then it held what was declared.
        return Verdict.ORPHAN if found is Verdict.PENDING else found
    return Verdict.ORPHAN if was_declared else Verdict.DRIFT
