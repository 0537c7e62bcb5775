"""The rows of a table as they would be once declared rows are written, to be asked about before or after that."""

from collections.abc import Sequence
from typing import Final

from psycopg import sql

from seedframe.database.declared import Field, Shape
from seedframe.database.matching import absent, differing_rows, joined, unresolved
from seedframe.database.source import Source

_COMMA: Final = sql.SQL(", ")

Finals = Sequence[Field]
"""Fields of a shape; in `final_rows`, the value of each is called as `final` says."""


def final(fields: Finals, name: str, alias: str = "m") -> sql.Identifier:
    """The value of the field for a column, among `fields`."""
    return sql.Identifier(alias, f"f{next(n for n, field in enumerate(fields) if field.name == name)}")


def unknown(fields: Finals, field: Field, alias: str = "m") -> sql.Identifier:
    """Whether the field is a reference that finds nothing yet."""
    return sql.Identifier(alias, f"u{fields.index(field)}")


def final_rows(shape: Shape, source: Source, fields: Finals, leaving: Sequence[int] = ()) -> sql.Composed:
    """`WITH … m AS (…) `: for each declared row its line, whether it is `missing`, whether it `differs`, and the values
    that it would have.

    Args:
        leaving: lines of rows that stay as they are, whatever is declared.
    """
    columns: list[sql.Composable] = []
    for number, field in enumerate(fields):
        columns.append(sql.SQL("{} AS {}").format(_value(shape, field), sql.Identifier(f"f{number}")))
        if field.reference is not None:
            columns.append(sql.SQL("{} AS {}").format(unresolved(field.reference, field), sql.Identifier(f"u{number}")))
    stays = sql.SQL("d.line <> ALL ({}::bigint[])").format(sql.Literal(list(leaving)))
    return sql.SQL("{}m AS MATERIALIZED (SELECT d.line, {} AS missing, {} AS differs{} FROM {} WHERE {}) ").format(
        sql.SQL("{}, ").format(source.prefix) if source.parameters else sql.SQL("WITH "),
        absent(shape),
        differing_rows(shape),
        sql.SQL("").join([sql.SQL(", {}").format(column) for column in columns]),
        joined(shape, source),
        stays,
    )


def _value(shape: Shape, field: Field) -> sql.Composable:
    if field.role == "key" or field in shape.managed:
        return field.desired
    return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(absent(shape), field.desired, field.target)
