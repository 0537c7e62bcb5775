"""Declared rows as a relation called `d`: a chunk of parameters, or a staged table, its references looked up."""

from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg import sql

from seedframe.database.column_sql import equals, read_as, server_text, typed
from seedframe.database.declared import Chunk, Field, Reference, Shape
from seedframe.database.hashes import key_hash

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")


@dataclass(frozen=True, slots=True)
class Source:
    """A relation of declared rows: the CTEs it needs, and what to put after FROM. Its alias is `d`."""

    prefix: sql.Composable
    relation: sql.Composable
    parameters: tuple[Any, ...]


def staged_source(shape: Shape, name: str) -> Source:
    """Declared rows that stand in a temporary table, references resolved."""
    return Source(sql.SQL(""), identified(shape, sql.Identifier("pg_temp", name)), ())


def chunk_source(shape: Shape, chunk: Chunk) -> Source:
    """Declared rows as parameters, cast by the server, references looked up by join."""
    packed = chunk.parameters()
    lines = f"{{{','.join(map(str, chunk.lines))}}}"  # the server reads this sooner than a list is dumped
    raw = [sql.Identifier(entry.staged) for entry in shape.inputs]
    if packed is None:
        arrays: sql.Composable = _COMMA.join(
            [sql.SQL("$1::bigint[]"), *(sql.SQL(f"${n}::text[]") for n in range(2, len(raw) + 2))]
        )
        parameters: tuple[Any, ...] = (lines, *[list(column) for column in chunk.columns])
    else:
        separator, null, texts = packed
        splits = [
            sql.SQL(f"pg_catalog.string_to_array(${n}::text, {{}}, {{}})").format(
                sql.Literal(separator), sql.Literal(null)
            )
            for n in range(2, len(raw) + 2)
        ]
        arrays = _COMMA.join([sql.SQL("$1::bigint[]"), *splits])
        parameters = (lines, *texts)
    casts = [
        sql.SQL("{} AS {}").format(read_as(entry.column, sql.SQL("u.{}").format(name)), name)
        for name, entry in zip(raw, shape.inputs, strict=True)
    ]
    declared = sql.SQL(
        "declared AS (SELECT u.line::bigint AS line, {casts} FROM unnest({arrays}) AS u (line, {raw})"
        " WHERE u.line IS NOT NULL)"
    ).format(casts=_COMMA.join(casts), arrays=arrays, raw=_COMMA.join(raw))
    if not shape.references:
        return Source(sql.SQL("WITH {} ").format(declared), identified(shape, sql.Identifier("declared")), parameters)
    looked_up: list[sql.Composable] = []
    joins: list[sql.Composable] = []
    for number, (field, reference) in enumerate(shape.references):
        alias = sql.Identifier(f"p{number}")
        # The referring column may have another type than the one it refers to, bigint for integer say.
        value = sql.SQL("{}.value::{} AS {}").format(alias, typed(field.column), sql.Identifier(field.staged))
        looked_up.append(value)
        looked_up.append(sql.SQL("{}.matches AS {}").format(alias, matches(field)))
        joins.append(_parent_join(reference, alias, sql.Identifier("s")))
    resolved = sql.SQL("resolved AS (SELECT s.*, {} FROM declared AS s {})").format(
        _COMMA.join(looked_up), sql.SQL(" ").join(joins)
    )
    return Source(
        sql.SQL("WITH {}, {} ").format(declared, resolved), identified(shape, sql.Identifier("resolved")), parameters
    )


def matches(field: Field) -> sql.Identifier:
    """The column of a chunk's `d` that says how many rows a reference finds."""
    return sql.Identifier(f"{field.staged}_matches")


def _parent_join(reference: Reference, alias: sql.Identifier, source: sql.Identifier) -> sql.Composable:
    keys = [sql.Identifier(f"k{position}") for position in range(len(reference.key))]
    selected = _COMMA.join(
        [
            sql.SQL("{} AS {}").format(sql.Identifier(column.name), key)
            for column, key in zip(reference.key, keys, strict=True)
        ]
    )
    value = sql.Identifier(reference.value.name)
    if reference.unique:
        rows = sql.SQL("(SELECT {}, {} AS value, 1 AS matches FROM {})").format(
            selected, value, reference.parent.source
        )
    else:
        # The first of several is as good as any: more than one match is an error, whichever it was.
        rows = sql.SQL(
            "(SELECT {}, (pg_catalog.array_agg({}))[1] AS value, pg_catalog.count(*) AS matches FROM {} GROUP BY {})"
        ).format(
            selected,
            value,
            reference.parent.source,
            _COMMA.join([sql.Identifier(column.name) for column in reference.key]),
        )
    condition = _AND.join(
        [
            equals(column, sql.SQL("{}.{}").format(alias, key), sql.SQL("{}.{}").format(source, sql.Identifier(staged)))
            for column, key, staged in zip(reference.key, keys, reference.staged, strict=True)
        ]
    )
    return sql.SQL("LEFT JOIN {} AS {} ON {}").format(rows, alias, condition)


def identified(shape: Shape, relation: sql.Composable) -> sql.Composable:
    """Declared rows as `d`, with what the expressions and the predicate of the key's index are for each."""
    identity = shape.identity
    if identity.own is not None and identity.renamed is not None:
        own = replace(shape, identity=identity.own)
        looked_up = [
            sql.SQL("CASE WHEN m.hash IS NULL THEN {} ELSE m.{} END AS {}").format(
                part.declared, sql.Identifier(name), sql.Identifier(name)
            )
            for part, name in zip(identity.own.parts, identity.looked_up, strict=True)
        ]
        return sql.SQL("(SELECT d.*, m.hash IS NOT NULL AS {}, {} FROM {} LEFT JOIN {} ON m.hash = {}) AS d").format(
            sql.Identifier(identity.moved), _COMMA.join(looked_up), identified(own, relation), identity.renamed,
            key_hash(own),
        )  # fmt: skip
    if identity.plain:
        return sql.SQL("{} AS d").format(relation)
    values = [
        sql.SQL("r.{} AS {}").format(sql.Identifier(staged), sql.Identifier(name)) for name, staged in identity.values
    ]
    parts = [
        sql.SQL("{} AS {}").format(server_text(expression.text), sql.Identifier(expression.name))
        for expression in identity.expressions
    ]
    if identity.predicate is not None and identity.judged:
        parts.append(sql.SQL("{} AS {}").format(server_text(identity.predicate), sql.Identifier(identity.judged_name)))
    # The names that the index's own SQL uses are those of the innermost subquery, so that they mean nothing else.
    return sql.SQL(
        "(SELECT r.*, k.* FROM {} AS r CROSS JOIN LATERAL (SELECT {} FROM (SELECT {}) AS v) AS k) AS d"
    ).format(relation, _COMMA.join(parts), _COMMA.join(values))
