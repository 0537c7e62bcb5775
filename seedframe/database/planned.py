"""Rows that are planned but not there yet, so that a reference to one is "known after apply" and not an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from psycopg import sql

from seedframe.database.column_sql import equals, read_as, typed
from seedframe.database.declared import Chunk, Field, Reference, Shape
from seedframe.database.matching import unresolved
from seedframe.database.rowids import RowIds
from seedframe.database.session import Session
from seedframe.database.table import TableColumn

NaturalKey: TypeAlias = tuple[str | None, ...]

_COMMA = sql.SQL(", ")
_AND = sql.SQL(" AND ")
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class _PlannedChunk:
    columns: Mapping[str, list[str | None]]


@dataclass(frozen=True, slots=True)
class _PlannedStage:
    columns: Mapping[str, str]
    relation: sql.Composable


class PlannedRows:
    """The declared rows, by table, that a plan creates or changes. Only columns that can identify a row are kept."""

    def __init__(self) -> None:
        self._parts: dict[int, list[_PlannedChunk | _PlannedStage]] = {}
        self._removed: dict[int, list[RowIds]] = {}

    def copy(self) -> "PlannedRows":
        """As it is now, to come back to when a seed fails."""
        other = PlannedRows()
        other._parts = {table: list(parts) for table, parts in self._parts.items()}
        other._removed = {table: list(parts) for table, parts in self._removed.items()}
        return other

    def add_removed(self, table: int, rows: RowIds) -> None:
        """Rows of a table that a plan deletes."""
        self._removed.setdefault(table, []).append(rows)

    def removed(self, table: int) -> Sequence[RowIds]:
        """The rows of a table that the plan deletes."""
        return self._removed.get(table, ())

    def add_chunk(self, shape: Shape, chunk: Chunk) -> None:
        """A chunk in which some row is to be created or changed."""
        columns = {name: chunk.columns[shape.input_position(staged)] for name, staged in _identifying(shape).items()}
        self._parts.setdefault(shape.table.rows_oid, []).append(_PlannedChunk(columns))

    def add_stage(self, shape: Shape, relation: sql.Composable) -> None:
        """A stage in which some row is to be created or changed."""
        self._parts.setdefault(shape.table.rows_oid, []).append(_PlannedStage(_identifying(shape), relation))

    def unmet(self, session: Session, reference: Reference, keys: Sequence[NaturalKey]) -> NaturalKey | None:
        """The first of these natural keys that no planned row has; equality is the parent column's own."""
        left = list(dict.fromkeys(keys))
        for part in self._parts.get(reference.parent.oid, ()):
            names = [column.name for column in reference.key]
            if not left:
                break
            if not all(name in part.columns for name in names):
                # By columns that were not kept: whether the row will be there is told when it is applied.
                left = []
                break
            met: set[NaturalKey] = set()
            for start in range(0, len(left), _PAGE):
                met.update(_met(session, reference, part, left[start : start + _PAGE]))
            left = [key for key in left if key not in met]
        return left[0] if left else None

    def look_up(self, session: Session, relation: sql.Composable, field: Field, reference: Reference) -> None:
        """Fill a reference of a delta's missing rows, where still empty, with what planned rows declare it to be."""
        for part in self._parts.get(reference.parent.oid, ()):
            columns = (reference.value, *reference.key)
            if not all(column.name in part.columns for column in columns):
                continue
            parameters: list[list[str | None]] = []
            planned, (value, *keys) = _relation(part, columns, parameters)
            match = _AND.join(
                [
                    equals(column, there, sql.Identifier("d", staged))
                    for column, there, staged in zip(reference.key, keys, reference.staged, strict=True)
                ]
            )
            session.execute(
                sql.SQL("UPDATE {} AS d SET {} = {}::{} FROM {} WHERE d.missing AND {} AND {}").format(
                    relation,
                    sql.Identifier(field.staged),
                    value,
                    typed(field.column),
                    planned,
                    match,
                    unresolved(reference, field),
                ),
                parameters or None,
            )


def _identifying(shape: Shape) -> dict[str, str]:
    unique = {name for index in shape.table.unique for name in index.columns}
    unique.update(field.name for field in shape.key)
    return {
        shape.table.name_below(field.name): field.staged
        for field in shape.stored
        if field.name in unique and field.reference is None and not field.secret
    }


def _relation(
    part: _PlannedChunk | _PlannedStage, columns: Sequence[TableColumn], parameters: list[list[str | None]]
) -> tuple[sql.Composable, list[sql.Composable]]:
    """Planned rows as a relation `p`, and these columns of it, typed; what it needs is added to the parameters."""
    if isinstance(part, _PlannedStage):
        there: list[sql.Composable] = [sql.Identifier("p", part.columns[column.name]) for column in columns]
        return sql.SQL("{} AS p").format(part.relation), there
    first = len(parameters) + 1
    parameters += [part.columns[column.name] for column in columns]
    names = [sql.Identifier(f"k{position}") for position in range(len(columns))]
    arrays = _COMMA.join([sql.SQL(f"pg_catalog.unnest(${first + n}::text[])") for n in range(len(columns))])
    relation = sql.SQL("ROWS FROM ({}) AS p ({})").format(arrays, _COMMA.join(names))
    return relation, [read_as(column, sql.Identifier("p", f"k{n}")) for n, column in enumerate(columns)]


def _met(
    session: Session, reference: Reference, part: _PlannedChunk | _PlannedStage, keys: Sequence[NaturalKey]
) -> list[NaturalKey]:
    width = len(reference.key)
    parameters: list[list[str | None]] = [[key[position] for key in keys] for position in range(width)]
    asked = _COMMA.join([sql.Identifier(f"u{position}") for position in range(width)])
    arrays = _COMMA.join([sql.SQL(f"pg_catalog.unnest(${n + 1}::text[])") for n in range(width)])
    relation, planned = _relation(part, reference.key, parameters)
    condition = _AND.join(
        [
            equals(
                column,
                there,
                read_as(column, sql.Identifier("u", f"u{position}")),
            )
            for position, (there, column) in enumerate(zip(planned, reference.key, strict=True))
        ]
    )
    rows = session.query(
        sql.SQL(
            "SELECT u.n FROM ROWS FROM ({}) WITH ORDINALITY AS u ({}, n) WHERE EXISTS (SELECT FROM {} WHERE {})"
        ).format(arrays, asked, relation, condition),
        parameters,
    )
    return [keys[row[0] - 1] for row in rows]
