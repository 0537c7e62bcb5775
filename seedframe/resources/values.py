"""What may be declared of rows besides plain values: references, columns of the file, SQL, moved and removed keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedframe.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Column:
    """The field of a file that a value is taken from; made by `column()`."""

    name: str


@dataclass(frozen=True, slots=True)
class Sql:
    """An SQL expression, evaluated by the server when the row is inserted; made by `sql()`."""

    expression: str


@dataclass(frozen=True, slots=True)
class Ref:
    """A foreign key looked up by natural key; made by `ref()`."""

    table: str
    key: Mapping[str, Any]

    def __hash__(self) -> int:
        return hash((self.table, tuple(self.key)))

    def __str__(self) -> str:
        return f"ref({self.table!r}, {', '.join(self.key)})"


@dataclass(frozen=True, slots=True)
class Moved:
    """A row whose key was changed in the source; made by `moved()`."""

    old: Mapping[str, Any] | Any
    new: Mapping[str, Any] | Any


@dataclass(frozen=True, slots=True)
class Removed:
    """A row that must not be there; made by `removed()`."""

    key: Mapping[str, Any] | Any


def ref(table: str, /, **natural_key: Any) -> Ref:
    """The row of `table` with this natural key; stands for the column that the foreign key refers to.

    Args:
        table: the table the foreign key points to, `name` or `schema.name`.
        natural_key: column and value; in `refs=` of a file, column and `column("field")`.

    Errors: DeclarationError without a natural key; RefError, when compared, where no row or several match.
    """
    if not natural_key:
        raise DeclarationError(
            f"ref({table!r}) names no natural key",
            hint=f'write ref({table!r}, code="…") with the columns that identify a row',
        )
    return Ref(table, dict(natural_key))


def column(name: str) -> Column:
    """The field of the file, by its header, that part of a `ref()` in `refs=` is taken from."""
    return Column(name)


def sql(expression: str) -> Sql:
    """An SQL expression such as `now()`, for `initial` columns only: volatile values would never be in sync."""
    return Sql(expression)


def moved(old: Any, new: Any) -> Moved:
    """A row was renamed: what has the key `old` gets the key `new`, and keeps its id and all that refers to it.

    Args:
        old: the key's value; for a key of several columns a mapping, column to value.
        new: likewise; the rows declare it.
    """
    return Moved(old, new)


def removed(key: Any = None, /, **columns: Any) -> Removed:
    """A row must not be there, whoever made it: `removed("OLD-1")`, or `removed(country="xx", code="old")`.

    Errors: DeclarationError without a key, or with both forms of it.
    """
    if (key is None) == (not columns):
        raise DeclarationError(
            "removed() takes a key", hint='write removed("OLD-1"), or removed(country="xx", code="old")'
        )
    return Removed(columns or key)
