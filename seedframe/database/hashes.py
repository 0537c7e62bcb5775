"""Hashes that the server makes of keys, cells and rows, to tell them apart and to know them again: as SQL."""

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.column_sql import equals, written
from seedframe.database.declared import Reference, Shape
from seedframe.database.identity import Hashing, KeyPart, Told
from seedframe.database.table import TableColumn

_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")

_HASHINGS: Final[dict[Hashing, LiteralString]] = {
    "value": "{0}",
    "array": "{0}, pg_catalog.array_dims({0})",
    "numeric": 'pg_catalog.trim_scale({0})::text COLLATE "C"',
    "numbers": "{0}, pg_catalog.regexp_replace(pg_catalog.regexp_replace({0}::text, '\\.0+(?![0-9])', '', 'g'),"
    """ '([.][0-9]*[1-9])0+(?![0-9])', '\\1', 'g') COLLATE "C\"""",
    "text": '{0}::text COLLATE "C"',
}


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
    return sql.SQL("pg_catalog.hash_record_extended(row({}), 0)").format(_COMMA.join(hashed))


def cell_hashes(shape: Shape, *, of_table: bool) -> sql.Composable:
    """An array with a hash for each tracked field's text; NULL for NULL. A reference is the natural key of the row that
    it finds, which stays when that row gets another id."""
    hashes = []
    for field in shape.tracked:
        value: sql.Composable = field.target if of_table else field.desired
        text = written(field.column, value)
        if field.reference is not None and not (shape.table.distributed or field.reference.parent.distributed):
            text = _natural_key(field.reference, value)
        hashes.append(sql.SQL('pg_catalog.hashtextextended({} COLLATE "C", 0)').format(text))
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
        hashes.append(sql.SQL('pg_catalog.hashtextextended({} COLLATE "C", 0)').format(text))
    return sql.SQL("ARRAY[{}]::bigint[]").format(_COMMA.join(hashes))


def row_fingerprint(columns: Sequence[TableColumn]) -> sql.Composable:
    """64 bits that tell apart all that the row's image tells apart, over these columns of `t`."""
    values: list[sql.Composable] = []
    for column in columns:
        value = sql.Identifier("t", column.name)
        values.append(value if column.hashes_as_is else sql.SQL('{} COLLATE "C"').format(written(column, value)))
    return sql.SQL("pg_catalog.hash_record_extended(row({}), 0)").format(_COMMA.join(values))
