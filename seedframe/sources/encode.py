"""Python values as the text PostgreSQL reads them from."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.abc import Transformer
from psycopg.adapt import PyFormat

from seedframe.database.catalog import TableColumn
from seedframe.secrets import Secret

_JSON_STRING: Final = json.JSONEncoder(ensure_ascii=False).encode


class Unsuitable(ValueError):
    """A value that has no text for its column; the message says why, without the value."""


def encode(value: Any, column: TableColumn, transformer: Transformer) -> str | None:
    """The text of a value for a column, None for NULL.

    Texts are handed over as they are, for the server to read. For json and jsonb, what is no text is written as JSON.
    Everything else goes through psycopg's own text dumpers.

    Errors: Unsuitable.
    """
    if value is None:
        return None
    if isinstance(value, Enum) and not isinstance(value, str):
        value = value.value
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, str):
        text = str(value.value) if isinstance(value, Enum) else str(value)
        _require_storable(text)
        return text
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
        return "\\x" + bytes(value).hex()
    if isinstance(value, Mapping) or (is_dataclass(value) and not isinstance(value, type)):
        raise Unsuitable(f"a {type(value).__name__}, but the column is {column.type}")
    if isinstance(value, list | tuple) and column.element_type is not None:
        return _array_text(value, column, transformer)
    try:
        dumped = transformer.get_dumper(value, PyFormat.TEXT).dump(value)
    except (psycopg.Error, NotImplementedError, ValueError, TypeError) as error:
        raise Unsuitable(f"a {type(value).__name__}, which cannot be written as {column.type}") from error
    if dumped is None:
        return None
    return bytes(dumped).decode("utf-8")


def _array_text(values: Sequence[Any], column: TableColumn, transformer: Transformer) -> str:
    """PostgreSQL's array literal, each element as a value of the element's type."""
    element = replace(column, base_type=column.element_type or column.base_type, type=f"an element of {column.type}")
    parts: list[str] = []
    for value in values:
        if isinstance(value, list | tuple):
            parts.append(_array_text(value, column, transformer))
            continue
        text = encode(value, replace(element, element_type=None), transformer)
        if text is None:
            parts.append("NULL")
        else:
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'"{escaped}"')
    separator = ";" if column.element_type == "box" else ","
    return "{" + separator.join(parts) + "}"


def json_text(value: Any) -> str:
    """JSON with numbers as they were written: a Decimal keeps its digits, which a float would not.

    Errors: Unsuitable for what JSON has no form for.
    """
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Enum):
        return json_text(value.value)
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
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return "[" + ", ".join(json_text(part) for part in value) + "]"
    if is_dataclass(value) and not isinstance(value, type):
        return json_text(asdict(value))
    if hasattr(value, "isoformat"):
        return _JSON_STRING(value.isoformat())
    if isinstance(value, UUID):
        return _JSON_STRING(str(value))
    raise Unsuitable(f"a {type(value).__name__}, which JSON has no form for")


def _require_storable(text: str) -> None:
    if "\x00" in text:
        raise Unsuitable("a NUL character, which PostgreSQL cannot store")
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise Unsuitable("half of a surrogate pair, which is no character")


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
