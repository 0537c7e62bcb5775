"""A source of records: its fields, and blocks of values with a line number each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from itertools import chain
from typing import Any, Final, TypeAlias

from seedframe.errors import BadData, did_you_mean

Report: TypeAlias = Callable[[BadData], None]
"""Is told of a record that is wrong; where it returns, the record is left out and reading goes on."""


def refuse(problem: BadData) -> None:
    """The report of who wants right records only. Errors: BadData, always."""
    raise problem


BLOCK_ROWS: Final = 5_000
BLOCK_CHARACTERS: Final = 4_000_000


class JsonLiteral(str):
    """A text that is also JSON's own for a number, true or false, kept as it was written: `1e3`, `1.50`."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Block:
    """Some records: their line numbers, and for each of the source's fields the values of all of them."""

    lines: list[int]
    columns: list[list[Any]]


@dataclass(frozen=True, slots=True)
class Records:
    """An opened source.

    Attributes:
        fields: the names of its fields, in order.
        blocks: the records, read once.
        place: where a line is, for messages.
        textual: True when every value is a text or None already (CSV, TSV).
        json: True when the values are JSON's own, texts too (JSON, JSON Lines, YAML).
    """

    fields: tuple[str, ...]
    blocks: Iterator[Block]
    place: Callable[[int], str]
    textual: bool = False
    json: bool = False


def _characters(row: Sequence[Any]) -> int:
    return sum([len(value) for value in row if isinstance(value, str)])


def blocks_of(
    numbered: Iterable[tuple[int, Sequence[Any]]], *, characters: Callable[[Sequence[Any]], int] = _characters
) -> Iterator[Block]:
    """Records in blocks that are bounded in rows and, for large values, in characters.

    Args:
        numbered: records of one length, each with its line number.
        characters: how many a record has.
    """
    lines: list[int] = []
    rows: list[Sequence[Any]] = []
    size = 0
    for line, row in numbered:
        lines.append(line)
        rows.append(row)
        size += characters(row)
        if len(rows) >= BLOCK_ROWS or size >= BLOCK_CHARACTERS:
            yield _block(lines, rows)
            lines, rows, size = [], [], 0
    if rows:
        yield _block(lines, rows)


def _block(lines: list[int], rows: list[Sequence[Any]]) -> Block:
    return Block(lines, [list(column) for column in zip(*rows, strict=True)])


def records_of(items: Iterable[Any], place: Callable[[int], str], report: Report = refuse) -> Records:
    """Records from mappings, dataclasses or named tuples, all with the same fields; numbered from 1.

    Errors: BadData for a first record of another kind; of others, and of ones with other fields than the first,
    `report` is told.
    """
    stream = iter(items)
    first = next(stream, None)
    if first is None:
        return Records((), iter(()), place)
    names = _names(first, place(1))

    def numbered() -> Iterator[tuple[int, Sequence[Any]]]:
        for number, item in enumerate(chain([first], stream), start=1):
            try:
                values = _values(item, names, place, number)
            except BadData as error:
                report(error)
            else:
                yield number, values

    return Records(names, blocks_of(numbered()), place)


def keyed_records(
    items: Iterator[tuple[int, Mapping[str, Any]]],
    place: Callable[[int], str],
    *,
    json: bool = False,
    report: Report = refuse,
) -> Records:
    """Records from numbered mappings, as files of objects have them; the first one's keys are the fields.

    Args:
        json: the values are JSON's own.
        report: is told of records with other fields.
    """
    first = next(items, None)
    if first is None:
        return Records((), iter(()), place)
    names = tuple(first[1])

    def numbered() -> Iterator[tuple[int, Sequence[Any]]]:
        yield first[0], tuple(first[1].values())
        try:
            for line, item in items:
                try:
                    values = _from_mapping(item, names, place, line)
                except BadData as error:
                    report(error)
                else:
                    yield line, values
        except BadData as error:  # the file cannot be read on; what was read of it is right all the same
            report(error)

    return Records(names, blocks_of(numbered()), place, json=json)


def _names(item: Any, where: str) -> tuple[str, ...]:
    if isinstance(item, Mapping):
        return tuple(str(name) for name in item)
    if is_dataclass(item) and not isinstance(item, type):
        return tuple(entry.name for entry in fields(item))
    names = getattr(item, "_fields", None)
    if isinstance(item, tuple) and names is not None:
        return tuple(names)
    raise BadData(
        f"a row is {type(item).__name__}",
        hint="give dicts, dataclasses or named tuples, all with the same fields",
        where=where,
        kind="different-fields",
    )


def _values(item: Any, names: tuple[str, ...], place: Callable[[int], str], number: int) -> Sequence[Any]:
    if isinstance(item, Mapping):
        return _from_mapping(item, names, place, number)
    found = _names(item, place(number))
    if found != names:
        raise _other_fields(found, names, place(number))
    return item if isinstance(item, tuple) else tuple(getattr(item, name) for name in names)


def _from_mapping(
    item: Mapping[str, Any], names: tuple[str, ...], place: Callable[[int], str], line: int
) -> Sequence[Any]:
    if len(item) == len(names):
        try:
            return [item[name] for name in names]
        except KeyError:
            pass
    raise _other_fields(tuple(item), names, place(line))


def _other_fields(found: Sequence[str], names: Sequence[str], where: str) -> BadData:
    extra = [name for name in found if name not in names]
    lacking = [name for name in names if name not in found]
    near = did_you_mean(extra[0], lacking) if extra else None
    if extra and (near or not lacking):
        message, hint, about = f"field {extra[0]!r} is not in the first row", near, extra[0]
    elif lacking:
        message, hint, about = f"field {lacking[0]!r} is missing", "give every row the fields of the first", None
    else:
        message, hint, about = "the fields are in another order than the first row's", None, None
    hint = hint or "give every row the same fields"
    return BadData(message, hint=hint, where=where, kind="different-fields", about=about)
