"""Keys: which unique index a declared key means, and what makes rows the same by it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, LiteralString

from psycopg import sql

from seedframe.database.declared import Field, Shape
from seedframe.database.identity import Expression, Hashing, Identity, KeyPart, Told
from seedframe.database.matching import unresolved
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.table import Equality, Table, TableColumn, UniqueIndex
from seedframe.errors import DeclarationError, did_you_mean

_COMMA: Final = sql.SQL(", ")
_OR: Final = sql.SQL(" OR ")

# Types whose hash is equal for equal values, the same on every server, and hardly ever equal for others. Enums and the
# reg… types are hashed by their oid, which a restored dump does not keep. The hash of bigint, and of all times, folds
# 64 bits to 32 (that of 1 is that of 4294967296), and that of numeric, and so of jsonb, forgets the sign.
_HASHED: Final = frozenset(
    {
        "bool", "int2", "int4", "oid", "uuid", "date", "bytea", "name", "text", "varchar", "bpchar", "citext", "float4",
        "float8", "inet", "cidr", "macaddr", "macaddr8", "interval",
    }
)  # fmt: skip

# Types whose text is equal for equal values, and different for others.
_CANONICAL: Final = frozenset(
    {
        "bool", "int2", "int4", "int8", "oid", "uuid", "date", "bytea", "name", "text", "varchar", "time", "timetz",
        "timestamp", "timestamptz", "inet", "cidr", "macaddr", "macaddr8",
    }
)  # fmt: skip
_NUMBERS: Final = frozenset({"numeric", "jsonb"})

_INDEXES: Final[LiteralString] = """
SELECT ic.relname AS name, i.indisunique AND NOT i.indisexclusion AS is_unique, i.indisvalid AND i.indisready AS valid,
       NOT i.indimmediate AS deferrable, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
       coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean, false) AS nulls_not_distinct,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'attnum', k.attnum, 'text', pg_catalog.pg_get_indexdef(i.indexrelid, k.n::integer, false),
                 'type', pg_catalog.format_type(ia.atttypid, NULL),
                 'collation', pg_catalog.quote_ident(cn.nspname) || '.' || pg_catalog.quote_ident(co.collname),
                 'own_collation', k.attnum = 0 OR i.indcollation[k.n - 1] = a.attcollation,
                 'equality', (SELECT pg_catalog.json_build_object(
                                         'schema', eqn.nspname, 'type', pg_catalog.format_type(eq.oprleft, NULL))
                                FROM pg_opclass oc
                                JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                                               AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype
                                JOIN pg_operator eq ON eq.oid = ao.amopopr
                                JOIN pg_namespace eqn ON eqn.oid = eq.oprnamespace
                               WHERE oc.oid = i.indclass[k.n - 1] AND eqn.nspname <> 'pg_catalog')) ORDER BY k.n)
          FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_attribute ia ON ia.attrelid = i.indexrelid AND ia.attnum = k.n
          LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
          LEFT JOIN pg_collation co ON co.oid = i.indcollation[k.n - 1]
          LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
         WHERE k.n <= i.indnkeyatts) AS parts,
       ARRAY(SELECT DISTINCT m[1]::integer
               FROM pg_catalog.regexp_matches(i.indexprs::text, ':varattno (-?[0-9]+)', 'g') AS m)
                   AS expression_columns,
       ARRAY(SELECT DISTINCT m[1]::integer
               FROM pg_catalog.regexp_matches(i.indpred::text, ':varattno (-?[0-9]+)', 'g') AS m) AS predicate_columns,
       (SELECT pg_catalog.json_object_agg(a.attnum, a.attname) FROM pg_attribute a
         WHERE a.attrelid = i.indrelid AND a.attnum > 0 AND NOT a.attisdropped) AS names
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
 WHERE i.indrelid = $1::oid ORDER BY ic.relname
"""

_LEAVES: Final[LiteralString] = """
WITH RECURSIVE part (oid) AS (
    SELECT $1::regtype::oid
    UNION
    SELECT inside.oid
      FROM part JOIN pg_type t ON t.oid = part.oid
     CROSS JOIN LATERAL (
           SELECT t.typbasetype AS oid WHERE t.typtype = 'd'
           UNION ALL SELECT t.typelem WHERE t.typcategory = 'A'
           UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
           UNION ALL SELECT r.rngtypid FROM pg_range r WHERE r.rngmultitypid = t.oid
           UNION ALL SELECT a.atttypid FROM pg_attribute a
                      WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
           ) AS inside)
SELECT DISTINCT CASE WHEN t.typcategory = 'A' THEN '[]' ELSE t.typname END
  FROM part JOIN pg_type t ON t.oid = part.oid
 WHERE t.typtype IN ('b', 'e', 'p')
"""


@dataclass(frozen=True, slots=True)
class _Index:
    """An index, as the catalog has it. Columns are names; `whole_row` when an expression or predicate uses one."""

    name: str
    is_unique: bool
    valid: bool
    deferrable: bool
    nulls_not_distinct: bool
    predicate: str | None
    parts: tuple[dict[str, Any], ...]
    expression_columns: tuple[str, ...]
    predicate_columns: tuple[str, ...]
    whole_row: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the table that its parts are made from."""
        plain = [part["column"] for part in self.parts if part["column"] is not None]
        return tuple(dict.fromkeys((*plain, *self.expression_columns)))

    @property
    def raw(self) -> bool:
        """True when it has SQL of its own: expressions, a predicate, or another collation than the column's."""
        return self.predicate is not None or any(part["column"] is None for part in self.parts)


class Keys:
    """What one declaration's key means: made before its fields are, since the names of staged columns follow from it.

    Errors: DeclarationError for a key without a unique index, or an `index=` that cannot be one.
    """

    def __init__(self, session: Session, table: Table, key: Sequence[str], *, index: str | None, where: str) -> None:
        self._session = session
        self._table = table
        self._where = where
        self._index = self._named(index, key) if index is not None else None
        self._plain = self._fitting(key) if index is None else ()
        self.prefix = ""
        """What the names of staged columns begin with, so that none is a name which the index's SQL uses."""
        if self._index is not None and self._index.raw:
            self.prefix = "staged_"
            while any(name.startswith(self.prefix) for name in table.columns):
                self.prefix += "_"

    def identity(self, fields: Sequence[Field]) -> Identity:
        """What makes a declared row of these fields and a row of the table the same."""
        key = [field for field in fields if field.role == "key"]
        if self._index is not None:
            return self._of_index(self._index, key, fields)
        nulls = any(index.nulls_not_distinct for index in self._plain)
        parts = tuple(self._part(field, nulls) for field in key)
        arbiter = next((index for index in self._plain if not index.deferrable), None)
        witness, present = self._witness(fields, key, derived=any(part.nullable for part in parts))
        return Identity(
            parts=parts,
            nullable=frozenset(field.name for field, part in zip(key, parts, strict=True) if part.nullable),
            # A view may hide the row that is in the way: then the constraint speaks, rather than nothing happening.
            arbiter=_columns(arbiter.columns) if arbiter is not None and self._table.shows is None else None,
            witness=witness,
            present=present,
        )

    # Which index

    def _fitting(self, key: Sequence[str]) -> tuple[UniqueIndex, ...]:
        fitting = self._table.unique_on(key)
        if fitting:
            return fitting
        near = [index for index in _indexes(self._session, self._table) if set(index.columns) == set(key)]
        usable = [index for index in near if index.is_unique and index.valid and not index.whole_row]
        if usable:
            index = usable[0]
            what = (
                "has a predicate"
                if index.predicate is not None
                else "is over expressions or has a collation of its own"
            )
            raise DeclarationError(
                f"unique index {index.name} of {self._table.label} covers the key ({', '.join(key)}), but {what}",
                hint=f'index="{index.name}", if that is what makes these rows unique',
                where=self._where,
            )
        columns = ", ".join(sql.Identifier(name).as_string() for name in key)
        if self._table.shows is not None:
            raise DeclarationError(
                f"no unique index of {self._table.shows.label}, whose rows view {self._table.label} shows, covers"
                f" exactly the key ({', '.join(key)})",
                hint="key= columns that the view shows as they are and a unique index of that table covers",
                where=self._where,
            )
        raise DeclarationError(
            f"no unique index of {self._table.label} covers exactly the key ({', '.join(key)})",
            hint=f"CREATE UNIQUE INDEX ON {self._table.identifier.as_string()} ({columns}), or key= one there is",
            where=self._where,
        )

    def _named(self, name: str, key: Sequence[str]) -> _Index:
        indexes = {index.name: index for index in _indexes(self._session, self._table)}
        index = indexes.get(name)
        unique = [other.name for other in indexes.values() if other.is_unique and other.valid and not other.whole_row]
        instead = f"its unique indexes are {', '.join(unique)}" if unique else "it has no unique index"
        if index is None:
            raise self._refused(f"{self._table.label} has no index {name!r}", did_you_mean(name, unique) or instead)
        if not index.is_unique:
            raise self._refused(f"index {name} of {self._table.label} is not unique", instead)
        if not index.valid:
            raise self._refused(
                f"index {name} of {self._table.label} is not valid", f"REINDEX INDEX CONCURRENTLY {name}, or drop it"
            )
        if index.whole_row:
            what = (
                "the row as a whole" if self._table.shows is None else "columns that it does not show under their names"
            )
            raise self._refused(f"index {name} of {self._table.label} is over {what}", instead)
        if set(index.columns) != set(key):
            raise self._refused(
                f"index {name} of {self._table.label} is over {', '.join(index.columns)}, the key is {', '.join(key)}",
                f"key={list(index.columns)!r}" if len(index.columns) > 1 else f'key="{index.columns[0]}"',
            )
        return index

    def _refused(self, message: str, hint: str) -> DeclarationError:
        return DeclarationError(message, hint=hint, where=self._where)

    # What is equal

    def _part(self, field: Field, nulls: bool) -> KeyPart:
        hashing = self._hashing(field.column)
        told = [Told(field.desired, hashing)]
        unknown = None
        if field.reference is not None:
            told = [
                Told(sql.Identifier("d", staged), self._hashing(column))
                for staged, column in zip(field.reference.staged, field.reference.key, strict=True)
            ]
            unknown = unresolved(field.reference, field)
        return KeyPart(
            live=field.target,
            target=field.target,
            declared=field.desired,
            told_by=tuple(told),
            unknown=unknown,
            nullable=nulls and not field.column.not_null,
            equality=field.column.equality,
            hashing=hashing,
        )

    def _of_index(self, index: _Index, key: Sequence[Field], fields: Sequence[Field]) -> Identity:
        by_name = {field.name: field for field in key}
        looked_up = [field for field in key if field.reference is not None and field.name in index.expression_columns]
        parts: list[KeyPart] = []
        expressions: list[Expression] = []
        for number, described in enumerate(index.parts):
            if described["column"] is not None:
                part = self._part(by_name[described["column"]], index.nulls_not_distinct)
            else:
                expression = Expression(f"{self.prefix}k{number}", _sql_of(described))
                expressions.append(expression)
                part = self._expression_part(index, expression, described, looked_up)
            parts.append(part)
        plain = {part["column"] for part in index.parts if part["column"] is not None}
        stored = {field.name: field.staged for field in fields if field.expression is None}
        judged = index.predicate is not None and set(index.predicate_columns) <= set(stored)
        used = dict.fromkeys((*index.expression_columns, *(index.predicate_columns if judged else ())))
        derived = index.raw or any(part.nullable for part in parts)
        witness, present = self._witness(fields, key, derived=derived)
        return Identity(
            parts=tuple(parts),
            nullable=frozenset(
                field.name
                for field in key
                if not field.column.not_null and (index.nulls_not_distinct or field.name not in plain)
            ),
            arbiter=None if index.deferrable or self._table.shows is not None else _arbiter(index),
            witness=witness,
            present=present,
            expressions=tuple(expressions),
            predicate=index.predicate,
            values=tuple((name, stored[name]) for name in used),
            judged=judged,
            prefix=self.prefix,
        )

    def _expression_part(
        self, index: _Index, expression: Expression, described: dict[str, Any], looked_up: Sequence[Field]
    ) -> KeyPart:
        declared = sql.Identifier("d", expression.name)
        told = [Told(declared, self._hashing_of(described["type"]))]
        unknown: list[sql.Composable] = []
        for field in looked_up:
            assert field.reference is not None  # noqa: S101 - the caller chose such
            told += self._part(field, nulls=False).told_by
            unknown.append(unresolved(field.reference, field))
        return KeyPart(
            live=sql.Identifier("t", expression.name),
            target=sql.SQL(f"({expression.text})"),  # the server's own text
            declared=declared,
            told_by=tuple(told),
            unknown=_OR.join(unknown) if unknown else None,
            nullable=index.nulls_not_distinct,
            equality=None if described["equality"] is None else Equality(**described["equality"]),
            hashing=told[0].hashing,
        )

    def _witness(self, fields: Sequence[Field], key: Sequence[Field], *, derived: bool) -> tuple[str, bool]:
        """A column of `t` that is NULL only where no row was found, and whether it is none of the table."""
        if not derived:
            return key[0].name, False  # equal by `=`, so not NULL in a row that was found
        sure = next((field for field in fields if field.column.not_null), None)
        if sure is not None:
            return sure.name, False
        present = "present"
        while present in self._table.columns:
            present += "_"
        return present, True

    def _hashing(self, column: TableColumn) -> Hashing:
        if column.base_type == "numeric":
            return "numeric"
        if column.base_type in _HASHED:
            return "value"
        return self._hashing_of(column.type, is_array=column.element_type is not None)

    def _hashing_of(self, written: str, *, is_array: bool | None = None) -> Hashing:
        """Of a type as the server writes it."""
        if written.partition("(")[0] == "numeric" and not written.endswith("]"):
            return "numeric"
        found = {row[0] for row in self._session.query(_LEAVES, [written])}
        leaves, arrays = found - {"[]"}, "[]" in found
        array = written.endswith("]") if is_array is None else is_array
        if leaves and leaves <= _HASHED and (array or not arrays):
            return "array" if array else "value"
        if leaves <= _CANONICAL:  # none at all, too
            return "text"
        if leaves <= _CANONICAL | _NUMBERS:
            return "numbers"
        return "value" if leaves <= _CANONICAL | _NUMBERS | _HASHED else "text"


def _indexes(session: Session, table: Table) -> list[_Index]:
    """All indexes of a table; of a view, those of the table below that are over columns which it shows.

    SQL of an index is in the table's names, and of use only where the view has the same.
    """
    found = []
    shown = {own: name for name, own in table.shown.items()}
    for row in session.dicts(_INDEXES, [table.rows_oid]):
        names = {int(number): name for number, name in row.pop("names").items()}
        if table.shows is not None:
            parts = row["parts"] or ()
            own_sql = row["predicate"] is not None or not all(
                part["own_collation"] and part["attnum"] for part in parts
            )
            names = {n: shown[own] for n, own in names.items() if own in shown and (not own_sql or shown[own] == own)}
        expression, predicate = row.pop("expression_columns"), row.pop("predicate_columns")
        described = row.pop("parts") or ()
        if any(part["attnum"] > 0 and part["attnum"] not in names for part in described):
            continue
        parts = tuple(
            {**part, "column": names[part["attnum"]] if part["attnum"] > 0 and part["own_collation"] else None}
            for part in described
        )
        recollated = [part["attnum"] for part in parts if part["column"] is None and part["attnum"] > 0]
        numbers = [*recollated, *expression]
        found.append(
            _Index(
                **row,
                parts=parts,
                expression_columns=tuple(names[number] for number in numbers if number in names),
                predicate_columns=tuple(names[number] for number in predicate if number in names),
                whole_row=any(number not in names for number in (*numbers, *predicate)),
            )
        )
    return found


def _sql_of(part: dict[str, Any]) -> str:
    """The expression with the collation that the index compares by."""
    if part["collation"] is None:
        return str(part["text"])
    return f"({part['text']}) COLLATE {part['collation']}"


def _columns(names: Iterable[str]) -> sql.Composable:
    return sql.SQL("({})").format(_COMMA.join([sql.Identifier(name) for name in names]))


def _arbiter(index: _Index) -> sql.Composable:
    parts = [
        sql.Identifier(part["column"]) if part["column"] is not None else sql.SQL(f"({part['text']})")
        for part in index.parts
    ]
    listed = sql.SQL("({})").format(_COMMA.join(parts))
    if index.predicate is None:
        return listed
    return sql.SQL("{} WHERE {}").format(listed, sql.SQL(index.predicate))


def first_misfit(session: Session, shape: Shape, source: Source) -> tuple[int, str] | None:
    """The first declared row that the key's index does not speak of, as line and what is wrong; None when it does.

    Only where the index has expressions or a predicate is there something to ask.
    """
    identity = shape.identity
    if identity.plain:
        return None
    missing = [
        sql.SQL("({} IS NULL{})").format(
            part.declared,
            sql.SQL(" AND NOT ({})").format(part.unknown) if part.unknown is not None else sql.SQL(""),
        )
        for part in identity.parts
        if not part.nullable
    ]
    lacks = sql.SQL("({})").format(_OR.join(missing)) if missing else sql.SQL("false")
    outside = (
        sql.SQL("({} IS NOT TRUE)").format(sql.Identifier("d", identity.judged_name))
        if identity.judged
        else sql.SQL("false")
    )
    row = session.first(
        sql.SQL("{}SELECT d.line, {} FROM {} WHERE {} OR {} ORDER BY d.line LIMIT 1").format(
            source.prefix, lacks, source.relation, lacks, outside
        ),
        source.parameters or None,
    )
    if row is None:
        return None
    return row[0], "the key has no value" if row[1] else f"the row is not one of those WHERE {identity.predicate}"
