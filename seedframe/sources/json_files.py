"""JSON and JSON Lines: an object for each row, decoded one by one as the file is read."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import IO, Any, Final, NoReturn

from seedframe.errors import BadData
from seedframe.sources.records import Records, Report, keyed_records, refuse
from seedframe.sources.texts import TextFile

_TOO_MUCH: Final = "it is nested too deeply, or has an integer of thousands of digits"
_KINDS: Final = {list: "an array", str: "a string", bool: "true or false", type(None): "null"}


class _UnfitError(ValueError):
    """What Python's decoder would take, and nobody may mean."""


def json_records(file: TextFile, report: Report = refuse) -> Records:
    """The objects of one JSON array. Errors: BadData, naming file, line and column."""
    return keyed_records(_array(file, report), file.place, json=True, report=report)


def json_lines_records(file: TextFile, report: Report = refuse) -> Records:
    """The objects of a JSON Lines file. Errors: BadData, naming file, line and column."""
    return keyed_records(_lines(file, report), file.place, json=True, report=report)


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for position, name in enumerate(names) if name in names[:position])
        raise _UnfitError(f"field {twice!r} stands twice in an object")
    return found


def _constant(name: str) -> NoReturn:
    raise _UnfitError(f"{name} is no JSON number")


def _decoder() -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object_of)


def _lines(file: TextFile, report: Report) -> Iterator[tuple[int, Mapping[str, Any]]]:
    decoder = _decoder()
    empty = True
    with file.open() as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                empty = False
                try:
                    row = _object(_decode_line(decoder, line, number, file), file.place(number))
                except BadData as error:
                    report(error)
                else:
                    yield number, row
    if empty:
        raise BadData(
            "the file is empty",
            hint="to declare no rows at all, write [] into a .json file",
            where=file.shown,
            kind="empty-file",
        )


def _decode_line(decoder: json.JSONDecoder, line: str, number: int, file: TextFile) -> Any:
    try:
        return decoder.decode(line)
    except json.JSONDecodeError as error:
        column = min(error.pos, len(line.rstrip())) + 1
        raise _no_json(error.msg, file, number, column) from error
    except (ValueError, RecursionError) as error:
        raise _unfit(error, file, number) from error


def _array(file: TextFile, report: Report) -> Iterator[tuple[int, Mapping[str, Any]]]:
    decoder = _decoder()
    with file.open(newline=None) as text:
        buffer = _Buffer(text)
        if buffer.peek() != "[":
            if not buffer.content:
                hint = "write [] to declare no rows at all"
                raise BadData("the file is empty", hint=hint, where=file.shown, kind="empty-file")
            raise BadData("the file is no JSON array", hint="write [ {…}, {…} ]", where=file.place(buffer.line))
        buffer.skip(1)
        while buffer.peek() != "]":
            line = buffer.line
            value = _decode_one(decoder, buffer, file)
            try:
                row = _object(value, file.place(line))
            except BadData as error:
                report(error)
            else:
                yield line, row
            mark = buffer.peek()
            if mark == "]":
                break
            if mark != ",":
                raise _no_json("a comma or ] is missing", file, buffer.line, buffer.column)
            buffer.skip(1)
            if buffer.peek() == "]":
                raise _no_json("a row is missing after the comma", file, buffer.line, buffer.column)
        buffer.skip(1)
        if buffer.peek():
            raise _no_json("something follows the array", file, buffer.line, buffer.column)


class _Buffer:
    """The unread part of a text, and the line and column it begins at."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.content = ""
        self.line = 1
        self.column = 1

    def more(self) -> bool:
        block = self._text.read(max(65_536, len(self.content)))
        self.content += block
        return bool(block)

    def skip(self, length: int) -> None:
        ends = self.content.count("\n", 0, length)
        self.line += ends
        self.column = length - self.content.rindex("\n", 0, length) if ends else self.column + length
        self.content = self.content[length:]

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            stripped = self.content.lstrip(" \t\r\n")
            self.skip(len(self.content) - len(stripped))
            if self.content or not self.more():
                return self.content[:1]


def _decode_one(decoder: json.JSONDecoder, buffer: _Buffer, file: TextFile) -> Any:
    while True:
        try:
            value, end = decoder.raw_decode(buffer.content)
        except json.JSONDecodeError as error:
            if buffer.more():
                continue
            column = error.colno + (buffer.column - 1 if error.lineno == 1 else 0)
            raise _no_json(error.msg, file, buffer.line + error.lineno - 1, column) from error
        except (ValueError, RecursionError) as error:
            raise _unfit(error, file, buffer.line) from error
        # A number at the very end may go on in the next block.
        if end == len(buffer.content) and buffer.more():
            continue
        buffer.skip(end)
        return value


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadData(
            f"a row is {_KINDS.get(type(value), 'a number')}", hint="write each row as an object", where=where
        )
    return value


def _unfit(error: Exception, file: TextFile, line: int) -> BadData:
    if isinstance(error, _UnfitError):
        return BadData(str(error), hint="correct the row", where=file.place(line))
    return _no_json(_TOO_MUCH, file, line, None)


def _no_json(message: str, file: TextFile, line: int, column: int | None) -> BadData:
    place = file.place(line) + (f":{column}" if column is not None else "")
    # Some of the decoder's messages end in "at", for the place that would follow.
    return BadData(f"this is no JSON: {message.removesuffix(' at')}", hint="correct the file", where=place)
