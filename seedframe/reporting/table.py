"""A table that fits its page: where a terminal is too narrow, columns stand below their rows, or are left out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from seedframe.reporting.cells import text_width
from seedframe.reporting.page import Line, Page, Span, folded, line_width

Narrow: TypeAlias = Literal["stays", "below", "left out"]

_GAP: Final = "  "
_INDENT: Final = "    "
_ROOM: Final = 20  # columns below which what does not fit goes on from the left
_WIDEST: Final = 40  # columns beyond which a cell stands out of its column, rather than making that wider for all


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: what stands above it.
        cells: one for each row; one that is to be copied is `Whole`.
        right: whether its cells stand at its right edge.
        narrow: what becomes of it where there is no room for all columns.
        named: whether its title is said again where it stands below its row.
        least: the columns that are enough for it where it is the last one, and is folded; None where it is all or none.
    """

    title: str
    cells: Sequence[Span]
    right: bool = False
    narrow: Narrow = "stays"
    named: bool = True
    least: int | None = None


def table_lines(columns: Sequence[Column], page: Page, *, give_up: Sequence[str] = ()) -> Iterator[Line]:
    """The titles and the rows, no line wider than the page where a word does not make it so.

    The last column is folded, and continued below itself.

    Args:
        columns: at least one, all with the same number of cells.
        page: what is written on.
        give_up: the titles of the columns that do not stay where there is no room, in the order in which they go.
    """
    beside, below = list(columns), []
    for title in give_up:
        if page.width is None or _needed(beside, page) <= page.width:
            break
        column = next(column for column in beside if column.title == title)
        beside.remove(column)
        if column.narrow == "below":
            below.append(column)
    below.sort(key=columns.index)
    widths = [_width(column, page) for column in beside]
    yield from _row([(column.title, "dim") for column in beside], beside, widths, page)
    for at in range(len(columns[0].cells)):
        yield from _row([column.cells[at] for column in beside], beside, widths, page)
        yield from _below([column for column in below if not column.named], at, page)
        yield from _below([column for column in below if column.named], at, page)


def _below(columns: Sequence[Column], at: int, page: Page) -> Iterator[Line]:
    """Cells of one row that stand below it, beside each other."""
    line: Line = []
    for column in columns:
        text, style = column.cells[at]
        if text:
            title: Line = [(f"{column.title}: ", "dim")] if column.named else []
            line += [(_GAP if line else _INDENT, "plain"), *title, (text, style)]
    if line:
        yield from folded(line, page, indent=len(_INDENT))


def _needed(columns: Sequence[Column], page: Page) -> int:
    """The columns of the terminal that a row needs."""
    *others, last = columns
    natural = _width(last, page)
    least = natural if last.least is None else min(natural, last.least)
    return sum(_width(column, page) + len(_GAP) for column in others) + least


def _width(column: Column, page: Page) -> int:
    most = None if page.width is None or column.least is not None else _WIDEST
    widths = (text_width(text) for text in (column.title, *(text for text, _ in column.cells)))
    return max(width for width in widths if most is None or width <= most)


def _row(cells: Sequence[Span], columns: Sequence[Column], widths: Sequence[int], page: Page) -> Iterator[Line]:
    line: Line = []
    start = 0
    for (text, style), column, width in zip(cells, columns, widths, strict=True):
        last = column is columns[-1]
        start = line_width(line) if last else start
        blank: Line = [(" " * max(0, width - text_width(text)), "plain")]
        line += [*blank, (text, style)] if column.right else [(text, style)]
        if not last:
            line += [*([] if column.right else blank), (_GAP, "plain")]
    roomy = page.width is not None and page.width - start >= _ROOM
    yield from folded(line, page, indent=start if roomy else len(_GAP))
