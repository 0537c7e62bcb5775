"""Tables and folded lines on pages of every width: nothing is lost, and nothing is broken that is to be copied."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from seedframe.reporting.cells import text_width
from seedframe.reporting.page import Page, Span, Whole, folded, line_text
from seedframe.reporting.table import Column, Narrow, table_lines

WORDS = st.text("abc漢字", min_size=1, max_size=12)
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
NARROW: list[Narrow] = ["stays", "below", "left out"]


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[Column], list[str]]:
    rows = draw(st.integers(0, 4))
    columns = []
    for number in range(draw(st.integers(1, 5))):
        texts = draw(st.lists(TEXTS.map(Whole) if draw(st.booleans()) else TEXTS, min_size=rows, max_size=rows))
        cells: list[Span] = [(text, "plain") for text in texts]
        columns.append(
            Column(
                title=f"title{number}",
                cells=cells,
                right=draw(st.booleans()),
                narrow=draw(st.sampled_from(NARROW)) if number else "stays",
                named=draw(st.booleans()),
                least=draw(st.none() | st.just(20)),
            )
        )
    movable = [column.title for column in columns if column.narrow != "stays"]
    return columns, draw(st.permutations(movable))


def letters(text: str) -> str:
    return "".join(sorted(text.replace(" ", "")))


@given(tables(), st.integers(20, 200))
def test_a_table_loses_nothing_but_the_columns_it_may(table: tuple[list[Column], list[str]], width: int) -> None:
    columns, give_up = table
    lines = [line_text(line) for line in table_lines(columns, Page(width=width), give_up=give_up)]
    shown = "\n".join(lines)
    for column in columns:
        for text, _ in column.cells:
            if column.narrow != "left out":
                assert all(word in shown or text_width(word) > width - 10 for word in text.split(" "))
                if isinstance(text, Whole):
                    assert not text or any(text.rstrip() in line for line in lines)
    assert len(lines) >= 1 + len(columns[0].cells)


@given(tables())
def test_in_a_pipe_a_row_is_a_line_and_columns_begin_at_one_place(table: tuple[list[Column], list[str]]) -> None:
    columns, give_up = table
    lines = [line_text(line) for line in table_lines(columns, Page(), give_up=give_up)]
    assert len(lines) == 1 + len(columns[0].cells)
    for number, line in enumerate(lines[1:]):
        assert letters(line) == letters("".join(column.cells[number][0] for column in columns))


@given(st.lists(st.tuples(TEXTS.map(Whole) | TEXTS, st.just("plain")), max_size=5), st.integers(10, 60))
def test_what_is_whole_stands_in_one_line(line: list[Any], width: int) -> None:
    parts = [line_text(part) for part in folded(line, Page(width=width), indent=2)]
    for text, _ in line:
        if isinstance(text, Whole):
            assert any(text.rstrip() in part for part in parts)


def test_commands_and_what_is_quoted_stay_together() -> None:
    text = (
        "read it, then `seedframe apply --dry-run`, or add \"a b c d\" to 'the file', or give -p no:iso, or 1,200 rows"
    )
    for width in range(34, 90):
        parts = [line_text(part) for part in folded([(text, "plain")], Page(width=width), indent=4)]
        for kept in ("`seedframe apply --dry-run`", '"a b c d"', "'the file'", "-p no:iso", "1,200 rows"):
            assert any(kept in part for part in parts), (width, parts)
    long = "`seedframe apply --plan a.json --wait 30`"
    assert [line_text(part) for part in folded([(f"run {long} now", "plain")], Page(width=20), indent=2)] == [
        "run",
        f"  {long}",
        "  now",
    ]
