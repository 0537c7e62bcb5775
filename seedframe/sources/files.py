"""Files of rows: found next to the seed, opened safely, read as a stream."""

import bz2
import csv
import gzip
import io
import json
import lzma
import stat
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from seedframe.errors import BadData, did_you_mean
from seedframe.sources.records import Block, Records, blocks_of, keyed_records

# The csv module refuses fields over 128 KiB unless told otherwise; real data has larger ones.
_LARGEST_FIELD: Final = 2**31 - 1

_DECOMPRESSORS: Final[Mapping[str, Callable[..., Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

_TOO_MUCH: Final = "it is nested too deeply, or has an integer of thousands of digits"

FORMATS: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".toml")


def open_file(folder: Traversable, name: str, *, shown: str, null: str | None = None) -> Records:
    """The records of a file under the seed's folder, in the format that its ending names, compressed or not.

    Args:
        folder: the seed's folder.
        name: a path below it, with forward slashes.
        shown: the same file for messages, relative to the project.
        null: for CSV and TSV, the token that means NULL; by default an empty field does.

    Errors: BadData, naming file, line and column.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise BadData(
            f"file {name!r} is not below the seed's folder",
            hint="name a file next to the seed, without .. or a leading /",
        )
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _DECOMPRESSORS else None
    ending = suffixes[-1] if suffixes else ""
    if ending not in FORMATS:
        raise BadData(
            f"file {name!r} has the ending {ending or 'none'}",
            hint=did_you_mean(ending, FORMATS) or f"the formats are {', '.join(FORMATS)}, also .gz, .bz2 and .xz",
        )
    if null is not None and ending not in (".csv", ".tsv"):
        raise BadData(f"file {name!r} is no CSV or TSV", hint="null= is for CSV and TSV; the other formats have a null")
    target = _find(folder, path, name)

    def place(line: int) -> str:
        return f"{shown}:{line}"

    if ending in (".csv", ".tsv"):
        return _csv(target, shown, packed, "\t" if ending == ".tsv" else ",", null, place)
    if ending == ".toml":
        return keyed_records(_toml(target, shown, packed), lambda number: f"{shown} [[{number}]]")
    read = _json_lines if ending in (".jsonl", ".ndjson") else _json
    return keyed_records(read(target, shown, packed), place, json=True)


def _find(folder: Traversable, path: PurePosixPath, name: str) -> Traversable:
    target = folder.joinpath(*path.parts)
    if isinstance(target, Path) and isinstance(folder, Path):
        try:
            mode = target.stat().st_mode
        except OSError as error:
            raise _missing(folder, path, name) from error
        if not target.resolve().is_relative_to(folder.resolve()):
            raise BadData(f"file {name!r} is a link out of the seed's folder", hint="copy the file next to the seed")
        if not stat.S_ISREG(mode):
            raise BadData(f"{name!r} is no regular file", hint="name a file, not a folder or a device")
        return target
    if not target.is_file():
        raise _missing(folder, path, name)
    return target


def _missing(folder: Traversable, path: PurePosixPath, name: str) -> BadData:
    beside = folder.joinpath(*path.parts[:-1])
    names = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
    near = did_you_mean(str(path), [str(path.with_name(entry)) for entry in names])
    return BadData(f"file {name!r} does not exist", hint=near or "file= is relative to the seed's own folder")


@contextmanager
def _text(target: Traversable, name: str, packed: str | None) -> Iterator[IO[str]]:
    try:
        with target.open("rb") as raw:
            data = _DECOMPRESSORS[packed](raw) if packed else raw
            with io.TextIOWrapper(data, encoding="utf-8-sig", newline="") as text:
                yield text
    except UnicodeDecodeError as error:
        place = f"{name}:{_first_undecodable(target, packed)}"
        raise BadData("the line is no UTF-8", hint="save the file as UTF-8", where=place) from error
    except (gzip.BadGzipFile, lzma.LZMAError, EOFError) as error:
        raise BadData("the file cannot be decompressed", hint="compress it again", where=name) from error
    except OSError as error:
        raise BadData(f"the file cannot be read: {error.strerror or error}", where=name) from error


def _first_undecodable(target: Traversable, packed: str | None) -> int:
    """The first line that is no UTF-8: the decoder itself counts bytes of a block, which helps nobody."""
    with target.open("rb") as raw:
        for number, line in enumerate(_DECOMPRESSORS[packed](raw) if packed else raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


def _csv(
    target: Traversable, name: str, packed: str | None, delimiter: str, null: str | None, place: Callable[[int], str]
) -> Records:
    rows = _csv_rows(target, name, packed, delimiter)
    header = next(rows, None)
    if header is None:
        raise BadData("the file is empty", hint="the first line names the columns", where=name)
    names = tuple(header[1])
    _check_header(names, name, delimiter)

    def numbered() -> Iterator[tuple[int, Sequence[Any]]]:
        width = len(names)
        for line, row in rows:
            if len(row) != width:
                if not row:
                    continue
                raise BadData(
                    f"{len(row)} fields, but the header has {width}",
                    hint="quote a field that holds the delimiter" if len(row) > width else "fill in the missing fields",
                    where=f"{place(line)}, after column {names[min(len(row), width) - 1]}",
                )
            yield line, row

    blocks = blocks_of(numbered(), characters=lambda row: len("".join(row)))
    token = "" if null is None else null
    return Records(names, (_with_nulls(block, token) for block in blocks), place, textual=True)


def _with_nulls(block: Block, token: str) -> Block:
    columns = [
        [None if value == token else value for value in column] if token in column else column
        for column in block.columns
    ]
    return Block(block.lines, columns)


def _csv_rows(target: Traversable, name: str, packed: str | None, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    csv.field_size_limit(_LARGEST_FIELD)
    with _text(target, name, packed) as text:
        reader = csv.reader(_without_nul(text, name), delimiter=delimiter, strict=True)
        line = 1
        try:
            for row in reader:
                yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise BadData(f"this is no CSV: {error}", hint="check the quotes", where=f"{name}:{line}") from error


def _without_nul(text: IO[str], name: str) -> Iterator[str]:
    for number, line in enumerate(text, start=1):
        if "\x00" in line:
            raise BadData("a NUL character", hint="is this a text file in UTF-8?", where=f"{name}:{number}")
        yield line


def _check_header(names: tuple[str, ...], name: str, delimiter: str) -> None:
    if len(names) == 1:
        other = next((mark for mark in ",;\t|" if mark != delimiter and mark in names[0]), None)
        if other is not None:
            raise BadData(
                f"the header has one column, {names[0][:40]!r}",
                hint=f"the delimiter seems to be {other!r}; write the file with {delimiter!r}",
                where=f"{name}:1",
            )
    for position, column in enumerate(names):
        if not column:
            raise BadData(f"column {position + 1} has no name", hint="name every column", where=f"{name}:1")
        if column in names[:position]:
            raise BadData(f"column {column!r} stands twice in the header", hint="remove one", where=f"{name}:1")


def _json_lines(target: Traversable, name: str, packed: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with _text(target, name, packed) as text:
        for number, line in enumerate(text, start=1):
            if line.strip():
                try:
                    value = json.loads(line, parse_float=Decimal)
                except json.JSONDecodeError as error:
                    raise _no_json(error.msg, name, number, error.colno) from error
                except (ValueError, RecursionError) as error:
                    raise _no_json(_TOO_MUCH, name, number, None) from error
                yield number, _object(value, f"{name}:{number}")


def _json(target: Traversable, name: str, packed: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The objects of one JSON array, decoded one by one as the file is read."""
    decoder = json.JSONDecoder(parse_float=Decimal)
    with _text(target, name, packed) as text:
        buffer = _Buffer(text)
        if buffer.peek() != "[":
            raise BadData("the file is no JSON array", hint="write [ {…}, {…} ]", where=f"{name}:{buffer.line}")
        buffer.skip(1)
        if buffer.peek() == "]":
            return
        while True:
            buffer.peek()
            line = buffer.line
            yield line, _object(_decode_one(decoder, buffer, name), f"{name}:{line}")
            mark = buffer.peek()
            buffer.skip(1)
            if mark == "]":
                break
            if mark != ",":
                raise _no_json("a comma or ] is missing", name, buffer.line, None)
        if buffer.peek():
            raise _no_json("something follows the array", name, buffer.line, None)


class _Buffer:
    """The unread part of a text, and the line it begins at."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self.content = ""
        self.line = 1

    def more(self) -> bool:
        block = self._text.read(max(65_536, len(self.content)))
        self.content += block
        return bool(block)

    def skip(self, length: int) -> None:
        self.line += self.content.count("\n", 0, length)
        self.content = self.content[length:]

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            stripped = self.content.lstrip(" \t\r\n")
            self.skip(len(self.content) - len(stripped))
            if self.content or not self.more():
                return self.content[:1]


def _decode_one(decoder: json.JSONDecoder, buffer: _Buffer, name: str) -> Any:
    while True:
        try:
            value, end = decoder.raw_decode(buffer.content)
        except json.JSONDecodeError as error:
            if buffer.more():
                continue
            raise _no_json(error.msg, name, buffer.line + error.lineno - 1, error.colno) from error
        except (ValueError, RecursionError) as error:
            raise _no_json(_TOO_MUCH, name, buffer.line, None) from error
        # A number at the very end may go on in the next block.
        if end == len(buffer.content) and buffer.more():
            continue
        buffer.skip(end)
        return value


def _toml(target: Traversable, name: str, packed: str | None) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The tables of the file's one array of tables. TOML cannot be read in parts: it is for short lists."""
    with _text(target, name, packed) as text:
        try:
            document = tomllib.loads(text.read().replace("\r\n", "\n"), parse_float=Decimal)
        except tomllib.TOMLDecodeError as error:
            raise BadData(f"this is no TOML: {error}", hint="correct the file", where=name) from error
    arrays = [value for value in document.values() if isinstance(value, list)]
    if len(document) != 1 or len(arrays) != 1:
        raise BadData(
            "the file does not hold exactly one array of tables", hint="begin each row with [[rows]]", where=name
        )
    for number, row in enumerate(arrays[0], start=1):
        yield number, _object(row, f"{name} [[{number}]]")


def _object(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise BadData(f"a row is a JSON {type(value).__name__}", hint="write each row as an object", where=where)
    return value


def _no_json(message: str, name: str, line: int, column: int | None) -> BadData:
    place = f"{name}:{line}" + (f":{column}" if column is not None else "")
    return BadData(f"this is no JSON: {message}", hint="correct the file", where=place)
