"""What may stand in a row instead of a value: a reference by natural key, a column of the file, an SQL expression."""

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
