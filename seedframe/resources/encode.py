"""Python values as the text PostgreSQL reads them from."""

import json
import math
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat
from psycopg.types.json import Json, Jsonb

from seedframe.database.table import TableColumn
from seedframe.resources.storable import why_unstorable
from seedframe.secrecy.masking import hide
from seedframe.secrets import Secret
from seedframe.sources.records import JsonLiteral

_JSON_STRING: Final = json.JSONEncoder(ensure_ascii=False).encode

_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "name", "citext", "char"})
_VECTORS: Final = frozenset({"int2vector", "oidvector"})
_GEOMETRIC: Final = frozenset({"point", "box", "circle", "line", "lseg", "path", "polygon"})

# A tuple among the elements of an array of these is one more dimension; of others, a composite value or a point.
_SCALARS: Final = frozenset(
    {
        "bool", "int2", "int4", "int8", "numeric", "float4", "float8", "money", "text", "varchar", "bpchar", "name",
        "citext", "bytea", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "uuid", "json", "jsonb",
        "inet", "cidr", "macaddr", "macaddr8", "bit", "varbit", "oid",
    }
)  # fmt: skip

# An attribute of a composite value that needs no quotes.
_PLAIN: Final = re.compile(r"[\w.+:-]+")

_TRUTH: Final = {None: None, True: "true", False: "false"}


class Unsuitable(ValueError):
    """A value that has no text for its column; the message says why, without the value."""


def encode(value: Any, column: TableColumn, transformer: Transformer, *, json_source: bool = True) -> str | None:
    """The text of a value for a column, None for NULL.

    Texts are handed over as they are, for the server to read. For json and jsonb, what is no text is written as JSON.
    Everything else goes through psycopg's own text dumpers.

    Args:
        json_source: a text for a json or jsonb column is JSON; else it is a value, a JSON string.

    Errors: Unsuitable.
    """
    if value is None:
        return None
    if isinstance(value, Secret):
        value = value.reveal()
        hide(value)
    if isinstance(value, Enum):
        value = value.value
        if value is None:
            return None
    if isinstance(value, str):
        if not json_source and column.is_json:
            return json_text(value)
        _require_storable(value)
        return str(value)
    if column.is_json:
        return json_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        if column.base_type in _TEXTS:
            raise _unsuitable(value, column)
        return "\\x" + bytes(value).hex()
    if isinstance(value, Mapping) and column.base_type == "hstore":
        return _hstore_text(value, column, transformer)
    if isinstance(value, list | tuple) and column.element_type is not None:
        return _array_text(value, column, transformer, json_source=json_source)
    if isinstance(value, Mapping | Set | list) or (
        column.base_type in _TEXTS and (isinstance(value, tuple) or is_dataclass(value))
    ):
        raise _unsuitable(value, column)
    if isinstance(value, tuple) or (is_dataclass(value) and not isinstance(value, type)):
        return _composite_text(value, column, transformer)
    try:
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    except (psycopg.Error, NotImplementedError, ValueError, TypeError) as error:
        raise Unsuitable(f"a {type(value).__name__}, which cannot be written as {column.type}") from error
    if dumped is None:
        return None
    return bytes(dumped).decode("utf-8")


def plain_texts(values: list[Any], column: TableColumn) -> list[str | None] | None:
    """What `encode` makes of each of these, where they are NULLs and either texts or truth values: nearly all are, and
    looking at each takes long. None where one is anything else, or cannot be stored."""
    kinds = set(map(type, values)) - {NoneType}
    if kinds <= {str} and not column.is_json:
        wrong = why_unstorable("".join(filter(None, values)))
        return values if wrong is None else None
    if kinds == {bool} and not column.is_json:
        return [_TRUTH[value] for value in values]
    return None


def _unsuitable(value: Any, column: TableColumn) -> Unsuitable:
    return Unsuitable(f"a {type(value).__name__}, but the column is {column.type}")


def _array_text(values: Sequence[Any], column: TableColumn, transformer: Transformer, *, json_source: bool) -> str:
    """PostgreSQL's array literal, each element as a value of the element's type."""
    element_type = column.element_type or ""
    if column.base_type in _VECTORS:
        return " ".join(encode(value, _part(column, element_type), transformer) or "" for value in values)
    parts: list[str] = []
    for value in values:
        if isinstance(value, list) or (isinstance(value, tuple) and element_type in _SCALARS):
            parts.append(_array_text(value, column, transformer, json_source=json_source))
            continue
        text = encode(value, _part(column, element_type), transformer, json_source=json_source)
        parts.append("NULL" if text is None else _quoted(text))
    separator = ";" if element_type == "box" else ","
    return "{" + separator.join(parts) + "}"


def _composite_text(value: Any, column: TableColumn, transformer: Transformer) -> str:
    """PostgreSQL's literal of a composite value, from a tuple or from a dataclass by the order of its fields.

    A point is (x, y) likewise, and quotes around a number would be none of it.
    """
    values = value if isinstance(value, tuple) else [getattr(value, entry.name) for entry in fields(value)]
    parts: list[str] = []
    for part in values:
        # The types of the attributes are not known here: what is a list is an array, whatever of.
        text = encode(part, _part(column, "", element_type="" if isinstance(part, list) else None), transformer)
        plain = text is not None and _PLAIN.fullmatch(text) is not None
        parts.append("" if text is None else text if plain or column.base_type in _GEOMETRIC else _quoted(text))
    return "(" + ",".join(parts) + ")"


def _hstore_text(value: Mapping[Any, Any], column: TableColumn, transformer: Transformer) -> str:
    parts: list[str] = []
    for key, part in value.items():
        if not isinstance(key, str):
            raise _unsuitable(value, column)
        text = encode(part, _part(column, "text"), transformer)
        parts.append(f"{_quoted(key)}=>{'NULL' if text is None else _quoted(text)}")
    return ", ".join(parts)


def _part(column: TableColumn, base_type: str, *, element_type: str | None = None) -> TableColumn:
    """A column that stands for a part of a value: an element, an attribute."""
    return replace(column, base_type=base_type, element_type=element_type, type=f"a part of {column.type}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def json_text(value: Any) -> str:
    """JSON with numbers as they were written: a Decimal keeps its digits, which a float would not.

    Errors: Unsuitable for what JSON has no form for.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Enum):
        return json_text(value.value)
    if isinstance(value, Json | Jsonb):
        return json_text(value.obj)
    if isinstance(value, JsonLiteral):
        return str(value)
    if isinstance(value, str):
        _require_storable(value)
        return _JSON_STRING(value)
    if isinstance(value, int):
        return _integer_text(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise Unsuitable("a number that JSON has no form for")
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unsuitable("a number that JSON has no form for")
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_JSON_STRING(str(key))}: {json_text(part)}" for key, part in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return "[" + ", ".join(json_text(part) for part in value) + "]"
    if is_dataclass(value) and not isinstance(value, type):
        return json_text({entry.name: getattr(value, entry.name) for entry in fields(value)})
    if hasattr(value, "isoformat"):
        return _JSON_STRING(value.isoformat())
    if isinstance(value, UUID):
        return _JSON_STRING(str(value))
    raise Unsuitable(f"a {type(value).__name__}, which JSON has no form for")


def _require_storable(text: str) -> None:
    wrong = why_unstorable(text)
    if wrong is not None:
        raise Unsuitable(wrong)


def _integer_text(value: int) -> str:
    try:
        return str(int(value))
    except ValueError as error:
        raise Unsuitable("an integer of more digits than Python writes out") from error


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value)
