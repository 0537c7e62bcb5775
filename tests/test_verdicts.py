"""Verdicts as a table: what was left, what is declared, what is there; without a database."""

import pytest

from seedframe.changes import Verdict
from seedframe.verdicts import UNKNOWN, Baseline, Hash, cell_verdict, resource_verdict, row_verdict

SYNC, PENDING, DRIFT, CONFLICT = Verdict.IN_SYNC, Verdict.PENDING, Verdict.DRIFT, Verdict.CONFLICT


@pytest.mark.parametrize(
    ("left", "declared", "live", "expected"),
    [
        (1, 1, 1, SYNC),
        (2, 1, 1, SYNC),
        (1, 1, 2, DRIFT),
        (1, 2, 1, PENDING),
        (1, 2, 3, CONFLICT),
        (None, None, 1, DRIFT),
        (None, 1, None, PENDING),
        (1, None, None, SYNC),
        (1, UNKNOWN, 1, PENDING),
        (1, UNKNOWN, 2, CONFLICT),
    ],
)
def test_a_cell(left: Hash, declared: Hash, live: Hash, expected: Verdict) -> None:
    assert cell_verdict(left, declared, live) is expected


@pytest.mark.parametrize(
    ("left", "declared", "live", "known", "expected"),
    [
        (None, (1,), None, None, PENDING),
        (None, (1,), (2,), None, PENDING),
        ((1,), (1,), None, None, DRIFT),
        ((1,), (2,), None, None, CONFLICT),
        ((), (), None, None, DRIFT),
        ((1, 1), (1, 1), (1, 2), None, DRIFT),
        ((1, 1), (2, 1), (1, 1), None, PENDING),
        ((1, 1), (2, 1), (1, 2), None, DRIFT),
        ((1, 1), (2, 1), (3, 1), None, CONFLICT),
        ((1, None), (1, 5), (1, 6), (True, False), PENDING),
        ((1, None), (1, 5), (2, 5), (True, False), DRIFT),
        ((1, None), (1, 5), None, (True, False), DRIFT),
        ((1,), (1,), (1,), None, DRIFT),
    ],
)
def test_a_row(
    left: tuple[Hash, ...] | None,
    declared: tuple[Hash, ...],
    live: tuple[Hash, ...] | None,
    known: tuple[bool, ...] | None,
    expected: Verdict,
) -> None:
    assert row_verdict(left, declared, live, known=known) is expected


@pytest.mark.parametrize(
    ("applied", "digest", "as_left", "expected"),
    [
        (False, "new", None, PENDING),
        (True, "old", None, DRIFT),
        (True, "old", True, DRIFT),
        (True, "new", True, PENDING),
        (True, "new", False, CONFLICT),
        (True, "new", None, CONFLICT),
    ],
)
def test_a_resource_without_row_hashes(applied: bool, digest: str, as_left: bool | None, expected: Verdict) -> None:
    baseline = Baseline(id=1, digest="old", fingerprint="1:1", columns=(), by_row=False) if applied else None
    assert resource_verdict(baseline, digest, as_left=as_left) is expected
