"""Verdicts: what a difference means, judged from what was declared before, what was left behind, and what is now.

Pure functions over hashes; the ledger supplies the baseline, the comparison the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from seedframe.changes import Verdict, worst_verdict

UNKNOWN: Final = "unknown"
"""The hash of a cell that is known only after apply: equal to nothing that was left behind."""

Hash = int | str | None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the last apply of a resource left behind.

    Attributes:
        digest: of what was declared.
        fingerprint: of the table, as left, where no row hashes were kept: the number of its rows and the sum of their
            hashes.
        columns: the tracked columns, in the order of the row hashes.
        by_row: whether row hashes were kept (resources below the configured size).
        comparable: False when hashes of now and then cannot be compared (another major version of the server).
    """

    id: int
    digest: str
    fingerprint: str | None
    columns: tuple[str, ...]
    by_row: bool
    comparable: bool = True


def cell_verdict(left: Hash, declared: Hash, live: Hash) -> Verdict:
    """The verdict on one cell from its three hashes: as left by the last apply, as declared, as it is."""
    if declared == live:
        return Verdict.IN_SYNC
    if left == declared:
        return Verdict.DRIFT
    if left == live:
        return Verdict.PENDING
    return Verdict.CONFLICT


def row_verdict(
    left: Sequence[Hash] | None,
    declared: Sequence[Hash],
    live: Sequence[Hash] | None,
    *,
    known: Sequence[bool] | None = None,
) -> Verdict:
    """The verdict on a row that differs.

    Args:
        left: its hashes as the last apply left them; None when it was not declared then.
        declared: its hashes as declared now.
        live: its hashes as it is; None when it is not there.
        known: which cells have a baseline; others were not declared then. Default: all.
    """
    if left is None:
        return Verdict.PENDING
    tracked = known if known is not None else [True] * len(declared)
    if live is None:
        moved = any(is_known and was != now for is_known, was, now in zip(tracked, left, declared, strict=True))
        return Verdict.CONFLICT if moved else Verdict.DRIFT
    verdicts = [
        cell_verdict(was, now, there) if is_known or now == there else Verdict.PENDING
        for is_known, was, now, there in zip(tracked, left, declared, live, strict=True)
    ]
    worst = worst_verdict(verdicts)
    # Only a secret cell differs, of which nothing is kept: the louder of the two explanations.
    return Verdict.DRIFT if worst is Verdict.IN_SYNC else worst


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
