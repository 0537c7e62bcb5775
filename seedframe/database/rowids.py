"""Which rows of a table, by where they lie: sixteen bytes a row, true as long as they are locked or in one snapshot."""

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from psycopg import sql

from seedframe.database.declared import Shape

Why: TypeAlias = Literal["sync", "prune", "removed"]
"""Why a row is to go: not declared where only such are to be, made here once, or its key is in `removed()`."""

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")


class RowIds:
    """Rows by their table (a partition, where there are some) and their place in it, in the order they were found."""

    def __init__(self) -> None:
        self._tables = array("q")
        self._places = array("q")

    def __len__(self) -> int:
        return len(self._tables)

    def add(self, table: int, place: str) -> None:
        """A row by `tableoid` and the text of `ctid`."""
        block, _, offset = place[1:-1].partition(",")
        self._tables.append(table)
        self._places.append(int(block) << 16 | int(offset))

    def parameters(self, start: int = 0, stop: int | None = None) -> tuple[list[int], list[str]]:
        """Some of them as the two parameters that `placed` reads."""
        places = self._places[start:stop]
        return self._tables[start:stop].tolist(), [f"({place >> 16},{place & 0xFFFF})" for place in places]


class FoundRows:
    """Rows that are to go: where they lie, the hash of each key, and why ("sync", "prune" or "removed")."""

    def __init__(self) -> None:
        self.ids = RowIds()
        self.hashes = array("q")
        self.whys: list[Why] = []

    def __len__(self) -> int:
        return len(self.whys)

    def __iter__(self) -> Iterator[tuple[int, str, int, Why]]:
        for (table, place), hashed, why in zip(
            zip(*self.ids.parameters(), strict=True), self.hashes, self.whys, strict=True
        ):
            yield table, place, hashed, why

    def add(self, table: int, place: str, hashed: int, why: Why) -> None:
        """A row by `tableoid`, the text of `ctid`, its key's hash, and why it is to go."""
        self.ids.add(table, place)
        self.hashes.append(hashed)
        self.whys.append(why)


def placed(first: int = 1) -> sql.Composable:
    """The two parameters from `$first` on as a relation `f (place, row, n)` to put after FROM."""
    return sql.SQL(f"unnest(${first}::bigint[], ${first + 1}::text[]::tid[]) WITH ORDINALITY AS f (place, row, n)")


def at_place(alias: str = "t") -> sql.Composable:
    """The row of `alias` is the one that `f` says."""
    table, row = sql.Identifier(alias, "tableoid"), sql.Identifier(alias, "ctid")
    return sql.SQL("{} = f.place::oid AND {} = f.row").format(table, row)


def joined_parameters(parts: list[RowIds]) -> list[Any]:
    """The rows of several as one pair of parameters."""
    tables: list[int] = []
    places: list[str] = []
    for part in parts:
        more = part.parameters()
        tables += more[0]
        places += more[1]
    return [tables, places]


def rows_where(
    shape: Shape, *, condition: sql.Composable | None = None, more: Sequence[str] = (), found: bool = False
) -> sql.Composable:
    """Rows of the table as `t`, those that the key's index speaks of, with what keys are compared by and their place.

    Args:
        condition: which rows, as the seed has it: by the columns' own names, or by the table's.
        more: columns that are needed besides.
        found: the join is an outer one, and it is asked whether a row was found.
    """
    identity = shape.identity
    fields = shape.fields if found else shape.key
    witness = [identity.witness] if found and not identity.present else []
    names = dict.fromkeys([*(field.name for field in fields), *witness, *more])
    columns: list[sql.Composable] = [sql.SQL("tableoid"), sql.SQL("ctid"), *map(sql.Identifier, names)]
    columns += [
        sql.SQL("{} AS {}").format(sql.SQL(f"({expression.text})"), sql.Identifier(expression.name))
        for expression in identity.expressions
    ]
    if identity.present:
        columns.append(sql.SQL("true AS {}").format(sql.Identifier(identity.witness)))
    conditions = [] if condition is None else [condition]
    if identity.predicate is not None:
        conditions.append(sql.SQL(f"({identity.predicate})"))  # the server's own text
    where = sql.SQL(" WHERE {}").format(_AND.join(conditions)) if conditions else sql.SQL("")
    return sql.SQL("(SELECT {} FROM {}{}) AS t").format(_COMMA.join(columns), shape.table.source, where)
