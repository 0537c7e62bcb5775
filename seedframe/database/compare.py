"""The one comparison: what differs between declared rows and a table, as SQL the server judges.

Declared rows are a relation called `d`: a chunk of parameters, or a staged table (`source`). The table is called `t`.
The rules for keys, references and equality are shared by both (`matching`). The shapes used here (explicit columns,
record_image_ne over row(), writes through a CTE) also run on Citus.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from psycopg import sql

from seedframe.database.column_sql import written
from seedframe.database.declared import Field, Shape
from seedframe.database.hashes import cell_hashes, declared_hashes, key_hash, key_identity
from seedframe.database.matching import absent, differing_rows, differs, joined, moved, unresolved_here
from seedframe.database.session import Session
from seedframe.database.source import Source, matches

_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")
_FALSE: Final = sql.SQL("false")
# Columns of both sides that a target list of the server, of 1,664, has room for beside what else is in it.
_WIDE: Final = 1_500


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that differs, or that has something wrong with it.

    `after`, `before` and `differing` follow the shape's stored fields and are None beyond the sample; `differing` is
    there wherever hashes are. `unresolved` and `ambiguous` follow its references. Hashes follow its tracked fields, if
    asked for; what is declared of a reference is its natural key. A `moved` row was found by its old key, whose hash is
    `key_hash` then; `own_hash` is that of its declared one.
    """

    line: int
    missing: bool
    repeated: bool
    unresolved: tuple[bool, ...]
    ambiguous: tuple[bool, ...]
    key_hash: int | None
    declared: tuple[int | None, ...] | None
    live: tuple[int | None, ...] | None
    after: tuple[str | None, ...] | None
    before: tuple[str | None, ...] | None
    differing: tuple[bool, ...] | None
    moved: bool = False
    own_hash: int | None = None


def find_differences(
    session: Session,
    shape: Shape,
    source: Source,
    *,
    room: int,
    hashes: bool,
    limit: int | None = None,
    distinct: bool = False,
    flags: int = 0,
) -> list[Difference]:
    """All rows of the source that differ, repeated and unresolvable ones included, in the order of their lines.

    Args:
        room: how many of them carry their cells.
        hashes: whether they carry the hashes that verdicts are made from.
        limit: at most this many rows.
        distinct: the caller knows that no key of the source is repeated.
        flags: how many of them say which of their cells differ, at least; those with hashes and cells do.
    """
    if 2 * len(shape.stored) < _WIDE or not room:
        return _find(session, shape, source, room=room, hashes=hashes, limit=limit, distinct=distinct, flags=flags)
    found = _find(session, shape, source, room=0, hashes=hashes, limit=limit, distinct=distinct)
    lines = [difference.line for difference in found[:room]]
    if not lines:
        return found
    shown = _find(session, shape, source, room=room, hashes=False, limit=None, distinct=True, lines=lines)
    cells = {difference.line: difference for difference in shown}
    return [
        replace(row, after=cell.after, before=cell.before, differing=cell.differing)
        if (cell := cells.get(row.line)) is not None
        else row
        for row in found
    ]


def _find(
    session: Session,
    shape: Shape,
    source: Source,
    *,
    room: int,
    hashes: bool,
    limit: int | None,
    distinct: bool,
    lines: Sequence[int] | None = None,
    flags: int = 0,
) -> list[Difference]:
    """As `find_differences`; with `lines`, only of these, and all of them carry their cells.

    A target list holds no more than 1,664 columns. Those of both sides go through one only where they are sorted or
    counted after they were joined: the fence below has them made into arrays before.
    """
    ambiguous = [
        sql.SQL("coalesce(d.{} > 1, false)").format(matches(field)) if not reference.unique else _FALSE
        for field, reference in shape.references
    ]
    chunked = bool(source.parameters)
    counted = chunked and not distinct
    repeated = sql.SQL("d.repeats > 1") if counted else _FALSE
    trouble = [part for part in (repeated, *ambiguous) if part is not _FALSE] if chunked else []
    relation = source.relation
    prefix = source.prefix
    if counted:
        relation = sql.SQL("(SELECT d.*, pg_catalog.count(*) OVER (PARTITION BY {}) AS repeats FROM {}) AS d").format(
            key_identity(shape), source.relation
        )
    elif chunked:
        # The fence has every value cast, those of missing rows too: casting is how the server refuses a bad one.
        relation = sql.SQL("(SELECT d.* FROM {} OFFSET 0) AS d").format(source.relation)
    condition = _OR.join([differing_rows(shape), *trouble])
    if shape.table.distributed:
        condition = sql.SQL("d.line IS NOT NULL AND ({})").format(condition)
    stored = shape.stored
    own = shape.identity.own
    managed = frozenset(shape.managed)
    wide = 2 * len(stored) >= _WIDE
    first = sql.SQL("row_number() OVER (ORDER BY d.line) <= {}")
    shown: sql.Composable = first.format(sql.Literal(room))
    flagged: sql.Composable = first.format(sql.Literal(max(room, flags)))
    if lines is not None:
        condition = sql.SQL("({}) AND d.line = ANY ({})").format(condition, sql.Literal(list(lines)))
    if wide:
        shown = flagged = sql.SQL("true") if lines is not None else _FALSE
    statement = sql.SQL(
        "{prefix}{before_fence}SELECT d.line, {absent}, {repeated},"
        " ARRAY[{unresolved}]::boolean[], ARRAY[{ambiguous}]::boolean[],"
        " {key_hash}, {declared}, {live},"
        " CASE WHEN {shown} THEN ARRAY[{after}]::text[] END,"
        " CASE WHEN {shown} THEN ARRAY[{before}]::text[] END,"
        " CASE WHEN {flagged} THEN ARRAY[{differing}]::boolean[] END, {moved}, {own_hash}"
        " FROM {joined} WHERE {condition}{after_fence} ORDER BY {line}{limit}"
    ).format(
        prefix=prefix,
        before_fence=sql.SQL("SELECT * FROM (" if wide else ""),
        after_fence=sql.SQL(" OFFSET 0) AS x" if wide else ""),
        line=sql.SQL("1" if wide else "d.line"),
        absent=absent(shape),
        repeated=repeated,
        unresolved=_COMMA.join(
            [unresolved_here(shape, field, reference, absent(shape)) for field, reference in shape.references]
        ),
        ambiguous=_COMMA.join(ambiguous if chunked else [_FALSE] * len(ambiguous)),
        key_hash=key_hash(shape) if hashes else sql.NULL,
        declared=declared_hashes(shape) if hashes else sql.NULL,
        live=cell_hashes(shape, of_table=True) if hashes else sql.NULL,
        shown=shown,
        flagged=sql.SQL("true") if hashes else flagged,
        after=_COMMA.join([written(field.column, field.desired) for field in stored]),
        before=_COMMA.join([written(field.column, field.target) for field in stored]),
        differing=_COMMA.join([_differs_shown(shape, field, managed) for field in stored]),
        moved=moved(shape),
        own_hash=key_hash(replace(shape, identity=own)) if own is not None else sql.NULL,
        joined=joined(shape, Source(prefix, relation, source.parameters)),
        condition=condition,
        limit=sql.SQL(" LIMIT {}").format(sql.Literal(limit)) if limit is not None else sql.SQL(""),
    )
    return [_difference(row) for row in session.query(statement, source.parameters or None)]


def _differs_shown(shape: Shape, field: Field, managed: Collection[Field]) -> sql.Composable:
    if field in managed:
        return differs([field])
    if field.role == "key" and shape.identity.renamed is not None:
        return sql.SQL("({} AND {})").format(moved(shape), differs([field]))
    return _FALSE


def _difference(row: Sequence[Any]) -> Difference:
    return Difference(
        line=row[0],
        missing=row[1],
        repeated=row[2],
        unresolved=tuple(row[3]),
        ambiguous=tuple(row[4]),
        key_hash=row[5],
        declared=_or_none(row[6]),
        live=None if row[1] else _or_none(row[7]),
        after=_or_none(row[8]),
        before=_or_none(row[9]),
        differing=_or_none(row[10]),
        moved=row[11] and not row[1],
        own_hash=row[12],
    )


def _or_none(values: Sequence[Any] | None) -> tuple[Any, ...] | None:
    return None if values is None else tuple(values)
