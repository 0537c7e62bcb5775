"""The one comparison: what differs between declared rows and a table, as SQL the server judges.

Declared rows are a relation called `d`: a chunk of parameters (`chunk_source`), or a staged table. The rules for
keys, references and equality below are shared by both. The table is called `t`. The shapes used here (explicit
columns, record_image_ne over row(), writes through a CTE) also run on Citus.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final, LiteralString

from psycopg import sql

from seedframe.database.catalog import TableColumn
from seedframe.database.declared import Chunk, Field, Reference, Shape
from seedframe.database.identity import Hashing, KeyPart, Told
from seedframe.database.session import Session

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_OR: Final = sql.SQL(" OR ")
_FALSE: Final = sql.SQL("false")
# Columns of both sides that a target list of the server, of 1,664, has room for beside what else is in it.
_WIDE: Final = 1_500

# So many nullable parts of a key are looked up by index, each with and without a value: sixteen look-ups at most.
_NULLABLE_LOOK_UPS: Final = 4

_HASHINGS: Final[dict[Hashing, LiteralString]] = {
    "value": "{0}",
    "array": "{0}, array_dims({0})",
    "numeric": 'trim_scale({0})::text COLLATE "C"',
    "numbers": "{0}, regexp_replace(regexp_replace({0}::text, '\\.0+(?![0-9])', '', 'g'),"
    """ '([.][0-9]*[1-9])0+(?![0-9])', '\\1', 'g') COLLATE "C\"""",
    "text": '{0}::text COLLATE "C"',
}


@dataclass(frozen=True, slots=True)
class Source:
    """A relation of declared rows: the CTEs it needs, and what to put after FROM. Its alias is `d`."""

    prefix: sql.Composable
    relation: sql.Composable
    parameters: tuple[Any, ...]


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
            sql.SQL(f"string_to_array(${n}::text, {{}}, {{}})").format(sql.Literal(separator), sql.Literal(null))
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
        looked_up.append(sql.SQL("{}.matches AS {}").format(alias, _matches(field)))
        joins.append(_parent_join(reference, alias, sql.Identifier("s")))
    resolved = sql.SQL("resolved AS (SELECT s.*, {} FROM declared AS s {})").format(
        _COMMA.join(looked_up), sql.SQL(" ").join(joins)
    )
    return Source(
        sql.SQL("WITH {}, {} ").format(declared, resolved), identified(shape, sql.Identifier("resolved")), parameters
    )


def typed(column: TableColumn) -> sql.Composable:
    """The column's type and, where it is not the type's own, collation; both are the server's own text."""
    named = sql.SQL(column.type)  # format_type's text, quoted by the server
    if column.collation is None:
        return named
    return sql.SQL("{} COLLATE {}").format(named, sql.SQL(column.collation))  # quote_ident's


def written(column: TableColumn, value: sql.Composable) -> sql.Composable:
    """The text of a value, which reads as the same again. A cast of char to text would drop its blanks."""
    if column.base_type == "bpchar" and column.length is None:
        return sql.SQL("textin(bpcharout({}))").format(value)
    return sql.SQL("{}::text").format(value)


def read_as(column: TableColumn, text: sql.Composable) -> sql.Composable:
    """A text read as the column's type, by the rules of COPY and of assignment.

    An explicit cast has rules of its own for some types: it cuts the elements of a varchar(3)[] and the bits of a
    bit(3), takes 5 for five seconds where an interval day takes it for days, and knows a regclass by name only. What
    reads JSON goes through the type's input, as COPY does; it takes longer, so it is for those types only.
    """
    if column.casts_alike:
        return sql.SQL("{}::{}").format(text, typed(column))
    return sql.SQL("(SELECT i.v FROM json_to_record(json_build_object('v', {})) AS i (v {}))").format(
        text, typed(column)
    )


def _matches(field: Field) -> sql.Identifier:
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
        rows = sql.SQL("(SELECT {}, (array_agg({}))[1] AS value, count(*) AS matches FROM {} GROUP BY {})").format(
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


def equals(column: TableColumn, left: sql.Composable, right: sql.Composable) -> sql.Composable:
    """Equality as the column's own type has it (citext, collations, numeric scale).

    The operator is named with its schema: an extension's is not in every search path, and without it `=` would quietly
    be that of text.
    """
    return _equal(column.equality, left, right)


def _equal(schema: str | None, left: sql.Composable, right: sql.Composable) -> sql.Composable:
    if schema is None:
        return sql.SQL("{} = {}").format(left, right)
    return sql.SQL("{} OPERATOR({}.=) {}").format(left, sql.Identifier(schema), right)


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
        sql.SQL("{} AS {}").format(_server_text(expression.text), sql.Identifier(expression.name))
        for expression in identity.expressions
    ]
    if identity.predicate is not None and identity.judged:
        parts.append(sql.SQL("{} AS {}").format(_server_text(identity.predicate), sql.Identifier(identity.judged_name)))
    # The names that the index's own SQL uses are those of the innermost subquery, so that they mean nothing else.
    return sql.SQL(
        "(SELECT r.*, k.* FROM {} AS r CROSS JOIN LATERAL (SELECT {} FROM (SELECT {}) AS v) AS k) AS d"
    ).format(relation, _COMMA.join(parts), _COMMA.join(values))


def _server_text(text: str) -> sql.Composable:
    """SQL as the server itself writes it, from its catalog."""
    return sql.SQL(f"({text})")


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
        _equal(part.equality, part.target if target else part.live, part.declared)
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
        parts.append(_server_text(identity.predicate))
    return _AND.join(parts)


def absent(shape: Shape) -> sql.Composable:
    """No row of `t` was found for `d`."""
    witness = sql.Identifier("t", shape.identity.witness)
    column = shape.table.columns.get(shape.identity.witness)
    if column is not None and column.composite:
        return sql.SQL("num_nulls({}) = 1").format(witness)  # IS NULL is true of (NULL, NULL), which is a value
    return sql.SQL("{} IS NULL").format(witness)


def differs(fields: Sequence[Field]) -> sql.Composable:
    """The images of these fields differ between `d` and `t`. Images know every type; `=` does not."""
    if not fields:
        return _FALSE
    return sql.SQL("record_image_ne(row({}), row({}))").format(
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


def key_identity(shape: Shape) -> sql.Composable:
    """What makes a declared row unique: the key, with references by what they were declared as."""
    return _COMMA.join([told.value for part in shape.identity.parts for told in part.told_by])


def identity_hash(shape: Shape) -> sql.Composable:
    """64 bits of `key_identity`: what tells declared rows apart before their references are looked up."""
    return _hash([(told.value, told) for part in shape.identity.parts for told in part.told_by])


def key_hash(shape: Shape, *, of_table: bool = False) -> sql.Composable:
    """64 bits that identify a row by its key, equal for equal keys: of `d`, or of `t` as `joined` or `live` has it."""
    return _hash([(part.live if of_table else part.declared, part) for part in shape.identity.parts])


def _hash(values: Sequence[tuple[sql.Composable, KeyPart | Told]]) -> sql.Composable:
    """By their types' own equality where they have such a hash; the others as text."""
    hashed = [sql.SQL(_HASHINGS[like.hashing]).format(value) for value, like in values]
    return sql.SQL("hash_record_extended(row({}), 0)").format(_COMMA.join(hashed))


def cell_hashes(shape: Shape, *, of_table: bool) -> sql.Composable:
    """An array with a hash for each tracked field's text; NULL for NULL. A reference is the natural key of the row that
    it finds, which stays when that row gets another id."""
    hashes = []
    for field in shape.tracked:
        value: sql.Composable = field.target if of_table else field.desired
        text = written(field.column, value)
        if field.reference is not None and not (shape.table.distributed or field.reference.parent.distributed):
            text = _natural_key(field.reference, value)
        hashes.append(sql.SQL('hashtextextended({} COLLATE "C", 0)').format(text))
    return sql.SQL("ARRAY[{}]::bigint[]").format(_COMMA.join(hashes))


def _natural_key(reference: Reference, value: sql.Composable) -> sql.Composable:
    keys = _COMMA.join([sql.SQL("p.{}::text").format(sql.Identifier(column.name)) for column in reference.key])
    referred = sql.Identifier("p", reference.value.name)
    return sql.SQL("(SELECT row({})::text FROM {} AS p WHERE {} LIMIT 1)").format(
        keys, reference.parent.source, equals(reference.value, referred, value)
    )


def declared_hashes(shape: Shape) -> sql.Composable:
    """The same of what is declared; a reference is its natural key as it is given."""
    hashes: list[sql.Composable] = []
    for field in shape.tracked:
        if field.reference is None:
            text = written(field.column, field.desired)
        else:
            parts = [sql.SQL("{}::text").format(sql.Identifier("d", name)) for name in field.reference.staged]
            given = _OR.join([sql.SQL("{} IS NOT NULL").format(part) for part in parts])
            text = sql.SQL("(CASE WHEN {} THEN row({}) END)::text").format(given, _COMMA.join(parts))
        hashes.append(sql.SQL('hashtextextended({} COLLATE "C", 0)').format(text))
    return sql.SQL("ARRAY[{}]::bigint[]").format(_COMMA.join(hashes))


def row_fingerprint(columns: Sequence[TableColumn]) -> sql.Composable:
    """64 bits that tell apart all that the row's image tells apart, over these columns of `t`."""
    values: list[sql.Composable] = []
    for column in columns:
        value = sql.Identifier("t", column.name)
        values.append(value if column.hashes_as_is else sql.SQL('{} COLLATE "C"').format(written(column, value)))
    return sql.SQL("hash_record_extended(row({}), 0)").format(_COMMA.join(values))


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
        sql.SQL("{} AS {}").format(_server_text(expression.text), sql.Identifier(expression.name))
        for expression in identity.expressions
    ]
    if identity.present:
        columns.append(sql.SQL("true AS {}").format(sql.Identifier(identity.witness)))
    where = sql.SQL(" WHERE {}").format(_server_text(identity.predicate)) if identity.predicate else sql.SQL("")
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
            else _equal(part.equality, part.live, part.declared)
            for part in identity.parts
        ]
        ways.append(sql.SQL("SELECT t.* FROM ({}) AS t WHERE {}").format(_live_rows(shape), _AND.join(conditions)))
    return sql.SQL(" UNION ALL ").join(ways)


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
        sql.SQL("coalesce(d.{} > 1, false)").format(_matches(field)) if not reference.unique else _FALSE
        for field, reference in shape.references
    ]
    chunked = bool(source.parameters)
    counted = chunked and not distinct
    repeated = sql.SQL("d.repeats > 1") if counted else _FALSE
    trouble = [part for part in (repeated, *ambiguous) if part is not _FALSE] if chunked else []
    relation = source.relation
    prefix = source.prefix
    if counted:
        relation = sql.SQL("(SELECT d.*, count(*) OVER (PARTITION BY {}) AS repeats FROM {}) AS d").format(
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
