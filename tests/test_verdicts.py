"""Verdicts as a table: what was left, what is declared, what is there; without a database."""

from itertools import product

import pytest

from seedframe.changes import Verdict
from seedframe.verdicts import Baseline, Hash, LeftCell, LeftRow, cell_verdict, resource_verdict, row_verdict

SYNC, PENDING, DRIFT, CONFLICT = Verdict.IN_SYNC, Verdict.PENDING, Verdict.DRIFT, Verdict.CONFLICT


# One cell. A letter is a value, None is NULL; what was left is what was declared then.

ORDINARY = [
    # left, declared, there
    ("A", "A", "A", SYNC),
    ("A", "A", "X", DRIFT),
    ("A", "A", None, DRIFT),
    ("A", "B", "A", PENDING),
    ("A", "B", "B", SYNC),
    ("A", "B", "X", CONFLICT),
    ("A", "B", None, CONFLICT),
    ("A", None, "A", PENDING),
    ("A", None, None, SYNC),
    ("A", None, "X", CONFLICT),
    (None, None, None, SYNC),
    (None, None, "X", DRIFT),
    (None, "B", None, PENDING),
    (None, "B", "B", SYNC),
    (None, "B", "X", CONFLICT),
]


@pytest.mark.parametrize(("left", "declared", "live", "expected"), ORDINARY)
def test_a_cell(left: Hash, declared: Hash, live: Hash, expected: Verdict) -> None:
    assert cell_verdict(LeftCell(left, left), declared, live, differs=declared != live) is expected


def test_the_table_of_cells_has_every_combination() -> None:
    """What was left, declared and there is each a value or NULL; values are told apart by what they are equal to."""
    shapes = {_shape(left, declared, live) for left, declared, live, _ in ORDINARY}
    assert shapes == {_shape(*cells) for cells in product(("A", "B", "X", None), repeat=3)}


def _shape(*cells: Hash) -> tuple[object, ...]:
    """The cells by which of them are equal, and which are NULL."""
    seen: list[Hash] = []
    for cell in cells:
        if cell is not None and cell not in seen:
            seen.append(cell)
    return tuple(None if cell is None else seen.index(cell) for cell in cells)


@pytest.mark.parametrize(
    ("declared", "live", "expected"),
    [
        ("A", "X", SYNC),
        ("A", "A", SYNC),
        ("A", "Y", DRIFT),
        ("A", None, DRIFT),
        ("B", "X", CONFLICT),
        ("B", "Y", CONFLICT),
        ("X", "X", SYNC),
        (None, "X", CONFLICT),
    ],
)
def test_a_cell_that_was_kept_as_x_when_a_was_declared(declared: Hash, live: Hash, expected: Verdict) -> None:
    left = LeftCell("X", "A", kept=True)
    assert cell_verdict(left, declared, live, differs=declared != live) is expected


@pytest.mark.parametrize(
    ("key", "live", "differs", "expected"),
    [
        ("shoes", 1, False, SYNC),
        ("shoes", 1, True, DRIFT),  # the row it finds has another id by now, or is gone
        ("shoes", 2, True, DRIFT),
        ("boots", 1, True, PENDING),
        ("boots", 2, True, CONFLICT),
        ("boots", 1, False, SYNC),
        (None, 1, True, PENDING),
        ("shoes", None, True, DRIFT),
    ],
)
def test_a_reference_that_was_left_as_1_for_shoes(key: Hash, live: Hash, differs: bool, expected: Verdict) -> None:
    assert cell_verdict(LeftCell(1, "shoes"), key, live, differs=differs) is expected


def test_a_cell_of_a_column_that_was_not_declared_before() -> None:
    assert cell_verdict(None, "B", "X", differs=True) is PENDING
    assert cell_verdict(None, "B", "B", differs=False) is SYNC


def left_row(*cells: Hash, absent: bool = False) -> LeftRow:
    return LeftRow(
        {name: LeftCell(cell, cell) for name, cell in zip(("p", "q"), cells, strict=False)},
        absent,
    )


@pytest.mark.parametrize(
    ("left", "declared", "live", "expected", "cells"),
    [
        # Never declared before.
        (None, ("A", "A"), None, PENDING, ()),
        (None, ("A", "A"), ("A", "X"), PENDING, (SYNC, PENDING)),
        (None, (), None, PENDING, ()),
        # Missing.
        (left_row("A", "A"), ("A", "A"), None, DRIFT, ()),
        (left_row("A", "A"), ("A", "B"), None, CONFLICT, ()),
        (left_row(), (), None, DRIFT, ()),
        (left_row("A", "A", absent=True), ("A", "A"), None, SYNC, ()),
        (left_row("A", "A", absent=True), ("B", "A"), None, CONFLICT, ()),
        (left_row(absent=True), (), None, SYNC, ()),
        # It was kept absent and is there again.
        (left_row("A", "A", absent=True), ("A", "A"), ("X", "A"), DRIFT, (DRIFT, SYNC)),
        # A mixture: the row is as its worst cell.
        (left_row("A", "A"), ("B", "A"), ("A", "A"), PENDING, (PENDING, SYNC)),
        (left_row("A", "A"), ("B", "A"), ("A", "X"), DRIFT, (PENDING, DRIFT)),
        (left_row("A", "A"), ("B", "A"), ("X", "X"), CONFLICT, (CONFLICT, DRIFT)),
        # A column more than before, and one fewer.
        (left_row("A"), ("A", "B"), ("A", "X"), PENDING, (SYNC, PENDING)),
        (left_row("A"), ("A", "B"), ("X", "B"), DRIFT, (DRIFT, SYNC)),
        (left_row("A"), ("A", "B"), None, DRIFT, ()),
        (left_row("A", "A"), ("B",), ("A",), PENDING, (PENDING,)),
        # Only a secret differs, of which nothing is known.
        (left_row("A", "A"), ("A", "A"), ("A", "A"), DRIFT, (SYNC, SYNC)),
        (None, ("A", "A"), ("A", "A"), PENDING, (SYNC, SYNC)),
    ],
)
def test_a_row(
    left: LeftRow | None,
    declared: tuple[Hash, ...],
    live: tuple[Hash, ...] | None,
    expected: Verdict,
    cells: tuple[Verdict, ...],
) -> None:
    names = ("p", "q")[: len(declared)]
    differing = [live is not None and was != now for was, now in zip(declared, live or declared, strict=True)]
    judged = row_verdict(left, names, declared, live, differing=differing)
    assert (judged.verdict, judged.cells) == (expected, cells)


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
