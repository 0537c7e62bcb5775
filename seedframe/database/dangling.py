"""Declared rows whose foreign keys refer to nothing: what a plain value refers to, where ref() is not used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.catalog import Catalog
from seedframe.database.column_sql import equals
from seedframe.database.declared import Shape
from seedframe.database.finals import final, final_rows
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.table import ForeignKey, Table, TableColumn
from seedframe.errors import SeedError

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_MOST: Final = 5_000

# PostgreSQL 18 has foreign keys that are not enforced.
_ENFORCED: Final[LiteralString] = """
SELECT coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true)
  FROM pg_constraint k WHERE k.conrelid = $1::oid AND k.conname = $2 AND k.contype = 'f'
"""


@dataclass(frozen=True, slots=True)
class Dangling:
    """Rows that a foreign key finds nothing for: what they refer to by text, each with the first line that does."""

    name: str
    parent: Table
    columns: tuple[TableColumn, ...]
    lines: dict[tuple[str | None, ...], int]


def dangling(
    session: Session, shape: Shape, source: Source, *, written: bool = False, leaving: Sequence[int] = ()
) -> list[Dangling]:
    """The foreign keys of plain values with rows that refer to nothing which is in the table now.

    Args:
        written: the rows are written already; else only those that differ matter.
        leaving: lines of rows that stay as they are.
    """
    try:
        with session.savepoint(read_only=True):
            return list(_dangling(session, shape, source, written=written, leaving=leaving))
    except SeedError:
        return []  # what may not be read, or not compared: told when it is written


def _dangling(
    session: Session, shape: Shape, source: Source, *, written: bool, leaving: Sequence[int]
) -> Iterator[Dangling]:
    known = {field.name: field for field in shape.stored if field.reference is None}
    for foreign_key in shape.table.foreign_keys:
        if not known.keys() >= set(foreign_key.columns) or shape.table.distributed or shape.table.shows is not None:
            continue
        parent = Catalog(session).read(foreign_key.table)
        if not parent.can_select or parent.row_security or parent.kind not in ("r", "p"):
            continue
        found = _lines(session, shape, source, foreign_key, parent, written=written, leaving=leaving)
        if found.lines and session.scalar(_ENFORCED, [shape.table.oid, foreign_key.name]):
            yield found


def _lines(
    session: Session,
    shape: Shape,
    source: Source,
    foreign_key: ForeignKey,
    parent: Table,
    *,
    written: bool,
    leaving: Sequence[int],
) -> Dangling:
    known = {field.name: field for field in shape.stored}
    fields = [known[name] for name in foreign_key.columns]
    columns = tuple(parent.column(name) for name in foreign_key.referred)
    values = [final(fields, field.name) for field in fields]
    rows = session.query(
        sql.SQL(
            "{}SELECT pg_catalog.min(m.line), {} FROM m WHERE {} AND pg_catalog.num_nulls({}) = 0"
            " AND NOT EXISTS (SELECT FROM {} AS p WHERE {}) GROUP BY {} ORDER BY 1 LIMIT {}"
        ).format(
            final_rows(shape, source, fields, leaving),
            _COMMA.join([sql.SQL("{}::text").format(value) for value in values]),
            sql.SQL("true" if written else "m.differs"),
            _COMMA.join(values),
            parent.source,
            _AND.join(
                [
                    equals(column, sql.Identifier("p", column.name), value)
                    for column, value in zip(columns, values, strict=True)
                ]
            ),
            _COMMA.join(values),
            sql.Literal(_MOST),
        ),
        source.parameters or None,
    )
    return Dangling(foreign_key.name, parent, columns, {tuple(row[1:]): row[0] for row in rows})
