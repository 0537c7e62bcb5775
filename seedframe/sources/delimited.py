"""CSV and TSV: a header of column names, then rows of as many fields."""

import csv
from collections.abc import Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import IO, Final

from seedframe.errors import BadData
from seedframe.sources.records import Block, Records, Report, blocks_of, refuse
from seedframe.sources.texts import TextFile

# The csv module refuses fields over 128 KiB unless told otherwise; real data has larger ones.
_LARGEST_FIELD: Final = 2**31 - 1
_SHOWN: Final = 40


def delimited_records(file: TextFile, delimiter: str, null: str | None, report: Report = refuse) -> Records:
    """The rows of a CSV or TSV file.

    Args:
        delimiter: "," or a tab.
        null: the token that means NULL; by default an empty field does.
        report: is told of names in the header, and of rows, that are wrong.

    Errors: BadData, naming file, line and column.
    """
    rows = _rows(file, delimiter, report)
    try:
        names = _header(next(rows, None), file, delimiter, report)
    except BadData:
        rows.close()
        raise

    def blocks() -> Iterator[Block]:
        token = "" if null is None else null
        try:
            for block in blocks_of(_until_bad(rows, report), characters=lambda row: len("".join(row))):
                yield _with_nulls(block, token)
        finally:
            rows.close()

    return Records(names, blocks(), file.place, textual=True)


def _until_bad(rows: Iterator[tuple[int, list[str]]], report: Report) -> Iterator[tuple[int, list[str]]]:
    """The rows before the place where the file cannot be read on; those before it are right all the same."""
    try:
        yield from rows
    except BadData as error:
        report(error)


def _with_nulls(block: Block, token: str) -> Block:
    columns = [
        [None if value == token else value for value in column] if token in column else column
        for column in block.columns
    ]
    return Block(block.lines, columns)


def _rows(file: TextFile, delimiter: str, report: Report) -> Generator[tuple[int, list[str]], None, None]:
    csv.field_size_limit(_LARGEST_FIELD)
    header: list[str] | None = None
    with file.open() as text:
        reader = csv.reader(_without_nul(text, file), delimiter=delimiter, strict=True)
        line = 1
        try:
            for row in reader:
                if header is None:
                    header = row
                elif len(row) != len(header):
                    if row:
                        report(_ragged(row, header, file.place(line)))
                    line = reader.line_num + 1
                    continue
                yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise _no_csv(error, file, delimiter, line, header or []) from error


def _without_nul(text: IO[str], file: TextFile) -> Iterator[str]:
    for number, line in enumerate(text, start=1):
        if "\x00" in line:
            raise BadData(
                "a NUL character",
                hint="is this a text file in UTF-8?",
                where=f"{file.place(number)}:{line.index(chr(0)) + 1}",
            )
        yield line


# The header


def _header(first: tuple[int, list[str]] | None, file: TextFile, delimiter: str, report: Report) -> tuple[str, ...]:
    hint = "the first line names the columns"
    if first is None:
        raise BadData("the file is empty", hint=hint, where=file.shown, kind="empty-file")
    names, where = tuple(first[1]), file.place(1)
    if not names:
        raise BadData("the first line is empty", hint=hint, where=where, kind="header")
    if len(names) == 1:
        other = next((mark for mark in ",;\t|" if mark != delimiter and mark in names[0]), None)
        if other is not None:
            raise BadData(
                f"the header has one column, {names[0][:_SHOWN]!r}",
                hint=f"the delimiter seems to be {other!r}; write the file with {delimiter!r}",
                where=where,
                kind="header",
            )
    for position, column in enumerate(names):
        if not column:
            last = position == len(names) - 1
            hint = "name it, or take the delimiter from the end of each line" if last else "name every column"
            message = f"column {position + 1} has no name"
            report(BadData(message, hint=hint, where=where, kind="header", about=""))
        elif column in names[:position]:
            message = f"column {column!r} stands twice in the header"
            report(BadData(message, hint="remove one", where=where, kind="header", about=column))
    return names


# What is wrong with a row


def _ragged(row: Sequence[str], names: Sequence[str], where: str) -> BadData:
    width = len(names)
    if len(row) < width:
        hint = "fill in the missing fields"
    elif not any(row[width:]):
        hint = "take the delimiter from the end of the line"
    else:
        hint = "quote a field that holds the delimiter"
    last = names[min(len(row), width) - 1]
    return BadData(
        f"{len(row)} field{'' if len(row) == 1 else 's'}, but the header has {width}",
        hint=hint,
        where=f"{where}, after column {last if last.isprintable() else repr(last)}",
        kind="field-count",
    )


def _no_csv(error: csv.Error, file: TextFile, delimiter: str, line: int, header: Sequence[str]) -> BadData:
    """What is wrong with the quotes of the row that begins in this line."""
    with file.open() as text:
        wrong = _wrong_quote(islice(text, line - 1, None), delimiter)
    if wrong is None:
        return BadData(f"this is no CSV: {error}", hint="check the quotes", where=file.place(line))
    offset, field, closed = wrong
    column = f"column {header[field] if field < len(header) else field + 1}"
    return BadData(
        f"this is no CSV: {column} goes on after its closing quote"
        if closed
        else f"this is no CSV: the quote that opens {column} is never closed",
        hint="within a quoted field, write each quote twice" if closed else "close it; and write a quote within twice",
        where=file.place(line + offset),
    )


def _wrong_quote(lines: Iterable[str], delimiter: str) -> tuple[int, int, bool] | None:
    """(lines after the row's first, field, whether it was closed) of the quoted field that does not end as it must."""
    field, opened, state = 0, 0, "start"
    for number, line in enumerate(lines):
        for mark in line:
            if state == "quoted":
                state = "closed" if mark == '"' else "quoted"
            elif mark == '"' and state != "plain":
                opened = number if state == "start" else opened
                state = "quoted"
            elif mark == delimiter:
                field, state = field + 1, "start"
            elif mark in "\r\n":
                return None
            elif state == "closed":
                return number, field, True
            else:
                state = "plain"
    return (opened, field, False) if state == "quoted" else None
