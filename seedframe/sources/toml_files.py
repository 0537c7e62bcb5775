"""TOML: a table for each row, in the file's one array of tables."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from seedframe.configuration.toml_lines import key_lines, table_lines
from seedframe.errors import BadData
from seedframe.sources.records import Records, Report, keyed_records, refuse
from seedframe.sources.texts import TextFile

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def toml_records(file: TextFile, report: Report = refuse) -> Records:
    """The tables of the file's one array of tables. TOML cannot be read in parts: it is for short lists.

    Errors: BadData, naming file and line.
    """
    with file.open() as opened:
        text = opened.read().replace("\r\n", "\n")
    name, rows = _rows(text, file)
    lines: list[int] = []

    def place(number: int) -> str:
        # Looked for only when it is asked for, which is rarely.
        if not lines:
            lines.extend(table_lines(text, name) or [key_lines(text).get((name,), 1)])
        if len(lines) == len(rows):
            return file.place(lines[number - 1])
        return f"{file.place(lines[0])}, row {number}"

    def numbered() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for number, row in enumerate(rows, start=1):
            if isinstance(row, dict):
                yield number, row
            else:
                report(BadData("a row is no table", hint="begin each row with [[rows]]", where=place(number)))

    return keyed_records(numbered(), place, report=report)


def _rows(text: str, file: TextFile) -> tuple[str, list[Any]]:
    if not text.strip():
        hint = "begin each row with [[rows]]"
        raise BadData("the file is empty", hint=hint, where=file.shown, kind="empty-file")
    try:
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise _no_toml(str(error), text, file) from error
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise BadData(
            "this is no TOML: it is nested too deeply, or has a number that cannot be read",
            hint="correct the file",
            where=file.shown,
        ) from error
    if len(document) == 1:
        [(name, rows)] = document.items()
        if isinstance(rows, list):
            return name, rows
    raise BadData(
        "the file does not hold exactly one array of tables", hint="begin each row with [[rows]]", where=file.shown
    )


def _no_toml(message: str, text: str, file: TextFile) -> BadData:
    found = _PLACE.search(message)
    if found is None:
        place = file.shown
    elif found[1] is None:
        place = file.place(text.count("\n") + (not text.endswith("\n")))
    else:
        place = f"{file.place(int(found[1]))}:{found[2]}"
    return BadData(f"this is no TOML: {_PLACE.sub('', message)}", hint="correct the file", where=place)
