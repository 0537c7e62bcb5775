"""Which row of the table, called `t`, a declared row `d` is, and whether it is as declared: the rules, as SQL."""

from collections.abc import Sequence
from itertools import product
from typing import Final

from psycopg import sql

from seedframe.database.column_sql import equals_by, server_text
from seedframe.database.declared import Field, Reference, Shape
from seedframe.database.source import Source

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_OR: Final = sql.SQL(" OR ")
_FALSE: Final = sql.SQL("false")

# So many nullable parts of a key are looked up by index, each with and without a value: sixteen look-ups at most.
_NULLABLE_LOOK_UPS: Final = 4


def staged_columns(shape: Shape) -> list[str]:
    """The columns of `d` that a write needs: the staged ones, and what the key's index makes of them."""
    return [
        *(entry.staged for entry in shape.inputs),
        *(field.staged for field, _ in shape.references),
        *(expression.name for expression in shape.identity.expressions),
        *shape.identity.looked_up,
        *([shape.identity.moved] if shape.identity.renamed is not None else []),
    ]


def moved(shape: Shape) -> sql.Composable:
    """The row of `d` was found by its old key, and is to be renamed."""
    return sql.Identifier("d", shape.identity.moved) if shape.identity.renamed is not None else _FALSE


def same_key(shape: Shape, *, target: bool = False) -> sql.Composable:
    """`d` and `t` are the same row, by the equality of the key's parts; NULL equals NULL where the index has it so.

    For that, records are compared, which the planner can sort and merge; with OR it would compare each with each.

    Args:
        target: `t` is the table that the statement writes, rather than what `joined` made of it.
    """
    identity = shape.identity
    parts = [
        equals_by(part.equality, part.target if target else part.live, part.declared)
        for part in identity.parts
        if not part.nullable
    ]
    nullable = [part for part in identity.parts if part.nullable]
    if nullable:
        parts.append(
            sql.SQL("row({})::record = row({})::record").format(
                _COMMA.join([part.target if target else part.live for part in nullable]),
                _COMMA.join([part.declared for part in nullable]),
            )
        )
        parts += [sql.SQL("NOT ({})").format(part.unknown) for part in nullable if part.unknown is not None]
    if target and identity.predicate is not None:
        parts.append(server_text(identity.predicate))
    return _AND.join(parts)


def absent(shape: Shape) -> sql.Composable:
    """No row of `t` was found for `d`."""
    witness = sql.Identifier("t", shape.identity.witness)
    column = shape.table.columns.get(shape.identity.witness)
    if column is not None and column.composite:
        # IS NULL is true of (NULL, NULL), which is a value.
        return sql.SQL("pg_catalog.num_nulls({}) = 1").format(witness)
    return sql.SQL("{} IS NULL").format(witness)


def differs(fields: Sequence[Field]) -> sql.Composable:
    """The images of these fields differ between `d` and `t`. Images know every type; `=` does not."""
    if not fields:
        return _FALSE
    return sql.SQL("pg_catalog.record_image_ne(row({}), row({}))").format(
        _COMMA.join([field.desired for field in fields]), _COMMA.join([field.target for field in fields])
    )


def unresolved(reference: Reference, field: Field, alias: str = "d") -> sql.Composable:
    """A natural key was given and no row of the parent found for it."""
    given = _OR.join([sql.SQL("{} IS NOT NULL").format(sql.Identifier(alias, name)) for name in reference.staged])
    return sql.SQL("(({}) AND {} IS NULL)").format(given, sql.Identifier(alias, field.staged))


def unresolved_here(shape: Shape, field: Field, reference: Reference, missing: sql.Composable) -> sql.Composable:
    """The same, where the value is needed: what is only written on insert does not matter in a row that is there."""
    condition = unresolved(reference, field)
    if field.role == "key" or field in shape.managed:
        return condition
    return sql.SQL("({} AND {})").format(missing, condition)


def any_unresolved(shape: Shape, missing: sql.Composable) -> sql.Composable:
    """Some reference of the row is unresolved and needed; `missing` says whether the row is not there yet."""
    return _OR.join(
        [unresolved_here(shape, field, reference, missing) for field, reference in shape.references] or [_FALSE]
    )


def differing_rows(shape: Shape) -> sql.Composable:
    """The condition under which a row of `d LEFT JOIN t` is not as declared."""
    parts = [absent(shape), differs(shape.managed)]
    if shape.references:
        parts.append(any_unresolved(shape, absent(shape)))
    if shape.identity.renamed is not None:
        parts.append(moved(shape))
    return _OR.join(parts)


def joined(shape: Shape, source: Source) -> sql.Composable:
    """`d LEFT JOIN t`: the planner may use the key's index, however large the table.

    A stage and a distributed table want a FULL JOIN: for another kind the stage would be sent to every shard.
    """
    full = shape.table.distributed and not source.parameters
    nullable = [part for part in shape.identity.parts if part.nullable]
    if nullable and len(nullable) <= _NULLABLE_LOOK_UPS and not shape.table.distributed:
        return sql.SQL("{} LEFT JOIN LATERAL ({}) AS t ON true").format(source.relation, _looked_up(shape))
    join = sql.SQL("FULL JOIN") if full else sql.SQL("LEFT JOIN")
    return sql.SQL("{} {} {} ON {}").format(source.relation, join, live(shape), same_key(shape))


def live(shape: Shape) -> sql.Composable:
    """The rows of the table as `t`, those that the key's index speaks of, with the index's expressions."""
    identity = shape.identity
    if not identity.present and not identity.expressions and identity.predicate is None:
        return sql.SQL("{} AS t").format(shape.table.source)
    return sql.SQL("({}) AS t").format(_live_rows(shape))


def _live_rows(shape: Shape) -> sql.Composable:
    identity = shape.identity
    names = [field.name for field in shape.fields]
    if not identity.present and identity.witness not in names:
        names.append(identity.witness)
    columns: list[sql.Composable] = [sql.Identifier("t", name) for name in names]
    columns += [
        sql.SQL("{} AS {}").format(server_text(expression.text), sql.Identifier(expression.name))
        for expression in identity.expressions
    ]
    if identity.present:
        columns.append(sql.SQL("true AS {}").format(sql.Identifier(identity.witness)))
    where = sql.SQL(" WHERE {}").format(server_text(identity.predicate)) if identity.predicate else sql.SQL("")
    return sql.SQL("SELECT {} FROM {} AS t{}").format(_COMMA.join(columns), shape.table.source, where)


def _looked_up(shape: Shape) -> sql.Composable:
    """The rows of `t` with the key of `d`, for each way in which its parts may be NULL: each way can use the index."""
    identity = shape.identity
    nullable = [part for part in identity.parts if part.nullable]
    ways = []
    for nulls in product((False, True), repeat=len(nullable)):
        is_null = dict(zip(map(id, nullable), nulls, strict=True))
        conditions = [
            sql.SQL("({} IS NULL AND {} IS NULL{})").format(
                part.live,
                part.declared,
                sql.SQL(" AND NOT ({})").format(part.unknown) if part.unknown is not None else sql.SQL(""),
            )
            if is_null.get(id(part))
            else equals_by(part.equality, part.live, part.declared)
            for part in identity.parts
        ]
        ways.append(sql.SQL("SELECT t.* FROM ({}) AS t WHERE {}").format(_live_rows(shape), _AND.join(conditions)))
    return sql.SQL(" UNION ALL ").join(ways)
