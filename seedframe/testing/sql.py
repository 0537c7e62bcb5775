"""The SQL of the test kit: what a database holds, and how a value or a row of it is disturbed and stays valid."""

import re
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg import sql

Cells = Mapping[str, str | None]
"""A row's key: column to PostgreSQL's text."""

Contents = dict[str, tuple[Any, ...] | None]
"""Marks of what a database holds, by the name of the table."""

_NAMESPACES: Final = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"

CATALOG: Final = "(catalog)"
_SEQUENCE: Final = "sequence "

OWN: Final = ("seedframe.", f"{_SEQUENCE}seedframe.")
"""How the names of what is seedframe's own begin."""

# Of all that is no row: what a table, a function, a comment … is. Every change moves an entry or changes who wrote it;
# what vacuuming and analyzing note there is overwritten in place. Temporary tables come and go with their sessions.
_LASTING: Final = "SELECT oid FROM pg_class WHERE relpersistence <> 't' AND relnamespace <> 'pg_toast'::regnamespace"
_CATALOGS: Final[Mapping[str, str]] = {
    "pg_attrdef": f"adrelid IN ({_LASTING})",
    "pg_attribute": f"attrelid IN ({_LASTING})",
    "pg_class": f"oid IN ({_LASTING})",
    "pg_constraint": f"conrelid = 0 OR conrelid IN ({_LASTING})",
    "pg_default_acl": "true",
    "pg_description": "true",
    "pg_enum": "true",
    "pg_event_trigger": "true",
    "pg_extension": "true",
    "pg_inherits": "true",
    "pg_namespace": "nspname !~ '^pg_(toast_)?temp_'",
    "pg_policy": "true",
    "pg_proc": "true",
    "pg_rewrite": f"ev_class IN ({_LASTING})",
    "pg_trigger": f"tgrelid IN ({_LASTING})",
    "pg_type": "typnamespace::regnamespace::text !~ '^pg_(toast_)?temp_'",
}
_MARK: Final = "coalesce(sum(hashtextextended(concat_ws(' ', ctid, xmin), 0)::numeric), 0)"
_CATALOG: Final = f"""
SELECT {", ".join(f"(SELECT {_MARK} FROM pg_catalog.{name} WHERE {which})" for name, which in _CATALOGS.items())}
"""  # noqa: S608 - constants

_SEQUENCES: Final = "SELECT schemaname, sequencename, last_value FROM pg_sequences"

_TABLES: Final = f"""
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'm') AND {_NAMESPACES} ORDER BY 1, 2
"""  # noqa: S608 - two constants

# Every write moves a row or changes who wrote or locked it last.
_ROWS: Final = """
SELECT count(*), coalesce(sum(hashtextextended(concat_ws(' ', ctid, xmin, xmax), 0)::numeric), 0) FROM {table}
"""

_COLUMN: Final = """
SELECT format_type(a.atttypid, a.atttypmod), t.typcategory::text,
       ARRAY(SELECT e.enumlabel::text FROM pg_enum e
              WHERE e.enumtypid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
              ORDER BY e.enumsortorder),
       ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k
              WHERE k.contype = 'c'
                AND (k.contypid = t.oid OR (k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)))),
       f.confrelid::regclass::text,
       (SELECT r.attname::text FROM pg_attribute r
         WHERE r.attrelid = f.confrelid AND r.attnum = f.confkey[array_position(f.conkey, a.attnum)])
  FROM pg_attribute a
  JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN LATERAL (SELECT * FROM pg_constraint k
                      WHERE k.contype = 'f' AND k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey)
                      ORDER BY cardinality(k.conkey), k.oid LIMIT 1) f ON true
 WHERE a.attrelid = to_regclass(%s) AND a.attname = %s AND a.attnum > 0 AND NOT a.attisdropped
"""

_FOREIGN_KEY: Final = """
SELECT (SELECT array_agg(a.attname::text ORDER BY o)
          FROM unnest(k.conkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a
            ON a.attrelid = k.conrelid AND a.attnum = n),
       (SELECT array_agg(a.attname::text ORDER BY o)
          FROM unnest(k.confkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a
            ON a.attrelid = k.confrelid AND a.attnum = n),
       (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = k.confrelid),
       (SELECT c.relname FROM pg_class c WHERE c.oid = k.confrelid)
  FROM pg_constraint k
 WHERE k.contype = 'f' AND k.conname = %s AND k.conrelid = to_regclass(format('%%I.%%I', %s::text, %s::text))
"""

# Other values of the same kind, made of the one that is there: `c` stands for it. The first that all constraints let
# through is taken.
_LETTERS: Final = string.ascii_lowercase + string.ascii_uppercase + string.digits
_TURNED: Final = "".join(part[1:] + part[0] for part in (string.ascii_lowercase, string.ascii_uppercase, string.digits))
_BY_CATEGORY: Final[Mapping[str, tuple[str, ...]]] = {
    "B": ("NOT c",),
    "N": ("c + 1", "c - 1", "c * 2", "c / 2", "-c", "c + c / 100", "c + 10", "c + '1'", "c - '1'"),
    # The first keeps the length and which of it are letters, capitals and digits; the others change just that.
    "S": (
        f"translate(c::text, '{_LETTERS}', '{_TURNED}')",
        "c::text || 'x'",
        "left(c::text, -1)",
        "overlay(c::text placing 'x' from 1 for 1)",
        "upper(c::text)",
        "lower(c::text)",
        "c::text || '/x'",
        "md5(c::text)",
    ),
    "D": ("c + interval '1 day'", "c - interval '1 day'", "c + interval '1 hour'", "c - interval '1 hour'", "c + 1"),
    "T": ("c + interval '1 day'", "c - interval '1 day'", "c + interval '1 hour'"),
    "U": (
        "c::jsonb || '{\"mutated\": true}'",
        "c::jsonb || '[\"mutated\"]'",
        "gen_random_uuid()",
        "c || '\\x00'::bytea",
        "~ c",
    ),
    "I": ("c + 1", "c - 1", "set_masklen(c, masklen(c) - 1)"),
    "A": ("c || c", "c[2:]", "c[:0]"),
    "R": ("'empty'",),
    "V": ("~ c",),
    "G": ("c + point(1, 1)",),
}
# For NULL, and for types that none of the above fits.
_CONSTANTS: Final = (
    *("1", "0", "2", "mutated", "x", "t", "f", "2001-02-03", "2001-02-03 04:05:06", "04:05:06", "1 day", "{}", "[]"),
    *('{"mutated": true}', "00000000-0000-4000-8000-000000000001", "192.0.2.1", "192.0.2.0/24", "08:00:2b:01:02:03"),
    *(
        "08:00:2b:01:02:03:04:05",
        "(1,2)",
        "(1,2),(3,4)",
        "[(1,2),(3,4)]",
        "((1,2),(3,4),(5,6))",
        "<(1,2),3>",
        "{1,2,3}",
    ),
    *("<mutated/>", "\\x01", "empty", "pg_class", "0/1", "$.mutated", "en", "1.1", "US"),
    *("[1,2)", "[2001-02-03,2001-02-04)", "{[1,2)}", "{[2001-02-03,2001-02-04)}", "{2001-02-03}", "{(3,4),(1,2)}"),
    *("mutated=>1", "[(5,6),(7,8)]", "5:5:", "6:6:", "(0, 0, 6378168)"),
)
_OTHERS: Final = 5


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, by its schema and its name."""

    schema: str
    name: str

    @property
    def label(self) -> str:
        """For messages: without the schema that is nearly always meant."""
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        """For statements."""
        return sql.Identifier(self.schema, self.name)

    def quoted(self, connection: psycopg.Connection[Any]) -> str:
        """For `to_regclass`."""
        return self.identifier.as_string(connection)


class NotPossible(Exception):
    """What is asked for cannot be done to this row without breaking a rule of the database; the message says which."""


def create_database(name: str, template: str | None) -> sql.Composed:
    """The statement that makes a database, empty or as a copy."""
    made = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    return made if template is None else sql.SQL("{} TEMPLATE {}").format(made, sql.Identifier(template))


def drop_database(name: str) -> sql.Composed:
    """The statement that drops a database, whoever is connected to it."""
    return sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))


POSITION: Final = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text, pg_current_wal_insert_lsn()::text"
"""The server's next transaction id and its place in the WAL."""


def contents(connection: psycopg.Connection[Any]) -> Contents:
    """What this database holds, as marks that any write changes: by table and by sequence, the catalog besides."""
    found: Contents = {CATALOG: connection.execute(_CATALOG.encode()).fetchone()}
    for schema, name, last in connection.execute(_SEQUENCES.encode()).fetchall():
        found[f"{_SEQUENCE}{TableName(schema, name).label}"] = (last,)
    for schema, name in connection.execute(_TABLES.encode()).fetchall():
        query = sql.SQL(_ROWS).format(table=sql.Identifier(schema, name))
        found[TableName(schema, name).label] = connection.execute(query).fetchone()
    return found


def find_table(connection: psycopg.Connection[Any], name: str, search_path: Sequence[str]) -> TableName | None:
    """The table that a seed calls by this name; None where there is none."""
    query = """SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE c.oid = to_regclass(%s)"""
    with connection.transaction():
        connection.execute(
            sql.SQL("SET LOCAL search_path = {}").format(sql.SQL(", ").join(map(sql.Identifier, search_path)))
        )
        row = connection.execute(query, [name]).fetchone()
    return None if row is None else TableName(row[0], row[1])


def count(connection: psycopg.Connection[Any], table: TableName) -> int:
    """How many rows it has."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table.identifier)).fetchone()
    return int(row[0]) if row is not None else 0


def keys(
    connection: psycopg.Connection[Any], table: TableName, names: Sequence[str], *, limit: int, since: int | None = None
) -> list[dict[str, str | None]]:
    """The keys of some of its rows, the same ones each time; of those written since a transaction, if it is given."""
    texts = [sql.SQL("{}::text").format(sql.Identifier(name)) for name in names]
    query = sql.SQL("SELECT {texts} FROM {table} WHERE {which} ORDER BY {texts} LIMIT {limit}").format(
        texts=sql.SQL(", ").join(texts),
        table=table.identifier,
        which=sql.SQL("true") if since is None else _written(since),
        limit=sql.Literal(limit),
    )
    return [dict(zip(names, row, strict=True)) for row in connection.execute(query).fetchall()]


def transaction_id(connection: psycopg.Connection[Any]) -> int:
    """What the rows that are written from now on have in `xmin`, or more."""
    row = connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()
    return int(row[0]) % 2**32 if row is not None else 0


def _written(since: int) -> sql.Composable:
    return sql.SQL("xmin::text::bigint >= {}").format(sql.Literal(since))


def written_tables(connection: psycopg.Connection[Any], since: int) -> list[TableName]:
    """The tables, seedframe's own apart, of which there are rows that were written since a transaction."""
    found = []
    for schema, name in connection.execute(_TABLES.encode()).fetchall():
        query = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE {})").format(sql.Identifier(schema, name), _written(since))
        row = connection.execute(query).fetchone()
        if schema != "seedframe" and row is not None and row[0]:
            found.append(TableName(schema, name))
    return found


@dataclass(frozen=True, slots=True)
class Written:
    """A row as it was written once: an UPDATE, or a DELETE and an INSERT, make another of it.

    Attributes:
        place: where it is; vacuuming moves no row of a table that nobody rewrites as a whole.
        partition: of the table, or the table itself.
        writer: the transaction that wrote it.
        values: its columns, as JSON has them.
    """

    place: str
    partition: int
    writer: int
    values: Mapping[str, Any]

    @property
    def written(self) -> tuple[str, int, int]:
        """What tells it apart from what else is, and was, in the table."""
        return self.place, self.partition, self.writer


def written_rows(
    connection: psycopg.Connection[Any],
    table: TableName,
    *,
    limit: int,
    since: int | None = None,
    before: int | None = None,
) -> list[Written]:
    """Rows of a table, some if there are more: those that were written since a transaction, or before one. What is no
    table of this server's tells of none.
    """
    kind = "SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass(%s)"
    row = connection.execute(kind, [table.quoted(connection)]).fetchone()
    if row is None or not row[0]:
        return []
    if since is not None:
        which = _written(since)
    else:
        which = sql.SQL("true") if before is None else sql.SQL("NOT ({})").format(_written(before))
    query = sql.SQL(
        "SELECT r.ctid::text, r.tableoid::bigint, r.xmin::text::bigint, to_jsonb(r.*) FROM {} AS r WHERE {} LIMIT {}"
    ).format(table.identifier, which, sql.Literal(limit))
    return [Written(*row) for row in connection.execute(query).fetchall()]


def still_there(
    connection: psycopg.Connection[Any], table: TableName, rows: Sequence[Written]
) -> set[tuple[str, int, int]]:
    """Of those of them that nobody wrote since, what tells them apart."""
    query = sql.SQL(
        "SELECT r.ctid::text, r.tableoid::bigint, r.xmin::text::bigint FROM {} AS r"
        " WHERE r.ctid = ANY (%s::text[]::tid[])"
    ).format(table.identifier)
    return set(connection.execute(query, [[row.place for row in rows]]).fetchall())


def filled_columns(connection: psycopg.Connection[Any], table: TableName) -> frozenset[str]:
    """The columns that number the rows, or tell them apart: another value with each INSERT that says nothing."""
    query = r"""SELECT a.attname::text
                  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                 WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
                   AND (a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) ~ '(nextval|uuid\w*)\(')"""
    return frozenset(name for (name,) in connection.execute(query, [table.quoted(connection)]).fetchall())


def time_columns(connection: psycopg.Connection[Any], table: TableName) -> frozenset[str]:
    """The columns that hold a time."""
    query = """SELECT attname::text FROM pg_attribute
                WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
                  AND atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)"""
    return frozenset(name for (name,) in connection.execute(query, [table.quoted(connection)]).fetchall())


_OF_USERS: Final = f"{_NAMESPACES} AND n.nspname <> 'seedframe'"

_TRIGGERS: Final = f"""
SELECT DISTINCT p.proname::text, l.lanname::text, p.prosrc
  FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_proc p ON p.oid = g.tgfoid JOIN pg_language l ON l.oid = p.prolang
 WHERE NOT g.tgisinternal AND g.tgenabled <> 'D' AND {_OF_USERS}
"""  # noqa: S608 - two constants

_RULES: Final = f"""
SELECT EXISTS (SELECT FROM pg_rewrite w JOIN pg_class c ON c.oid = w.ev_class
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE w.ev_type <> '1' AND {_OF_USERS})
"""  # noqa: S608 - two constants

_FUNCTIONS: Final = f"""
SELECT DISTINCT lower(p.proname::text) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE p.provolatile = 'v' AND p.prorettype <> 'trigger'::regtype AND {_OF_USERS}
"""  # noqa: S608 - two constants

_PLAIN_TABLES: Final = f"""
SELECT DISTINCT lower(c.relname::text) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'r' AND NOT c.relispartition AND {_OF_USERS}
"""  # noqa: S608 - two constants


@dataclass(frozen=True, slots=True)
class TriggerCode:
    """What may write when something else is written.

    Attributes:
        triggers: the functions of triggers: their names, languages and sources.
        rules: whether there are rules, of others than SELECT.
        functions: functions that may write, by their names in lower case; those of triggers apart.
        tables: tables, their partitions apart, by their names in lower case without the schema.
    """

    triggers: tuple[tuple[str, str, str], ...]
    rules: bool
    functions: frozenset[str]
    tables: frozenset[str]


def trigger_code(connection: psycopg.Connection[Any]) -> TriggerCode:
    """What there is of it in this database, but for what is the server's and seedframe's."""
    rules = connection.execute(_RULES.encode()).fetchone()
    return TriggerCode(
        tuple(connection.execute(_TRIGGERS.encode()).fetchall()),
        rules is None or rules[0],
        frozenset(name for (name,) in connection.execute(_FUNCTIONS.encode()).fetchall()),
        frozenset(name for (name,) in connection.execute(_PLAIN_TABLES.encode()).fetchall()),
    )


def unique_key(connection: psycopg.Connection[Any], table: TableName) -> tuple[str, ...]:
    """The columns of its primary key, or of another unique index over all its rows; empty where it has none."""
    query = """SELECT ARRAY(SELECT a.attname::text FROM unnest(i.indkey) WITH ORDINALITY u (n, o)
                              JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.n ORDER BY o)
                 FROM pg_index i
                WHERE i.indrelid = to_regclass(%s) AND i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
                ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1"""
    row = connection.execute(query, [table.quoted(connection)]).fetchone()
    return tuple(row[0]) if row is not None else ()


def chosen_columns(connection: psycopg.Connection[Any], table: TableName, key: Cells) -> tuple[str, ...]:
    """The columns of a row whose values somebody chose: not generated, and not what the column has by default."""
    query = """SELECT a.attname::text, pg_get_expr(d.adbin, d.adrelid)
                 FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
                  AND a.attgenerated = '' AND a.attidentity = '' ORDER BY a.attnum"""
    found = []
    for name, default in connection.execute(query, [table.quoted(connection)]).fetchall():
        if default is not None and "nextval(" in default:
            continue
        other = sql.SQL("SELECT ({})::text IS DISTINCT FROM {}::text FROM {} AS t WHERE {}").format(
            sql.SQL(default or "NULL"), sql.Identifier("t", name), table.identifier, where(connection, table, key)
        )
        row = connection.execute(other).fetchone()
        if row is not None and row[0]:
            found.append(name)
    return tuple(found)


def columns(connection: psycopg.Connection[Any], table: TableName) -> frozenset[str]:
    """The names of its columns."""
    query = (
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
    )
    return frozenset(name for (name,) in connection.execute(query, [table.quoted(connection)]).fetchall())


def at_once(connection: psycopg.Connection[Any]) -> None:
    """Have constraints that wait for the COMMIT judge each statement, in the transaction that is open."""
    connection.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Column:
    """One column of a row, to be changed by hand. Errors: NotPossible where there is no such column."""

    def __init__(
        self, connection: psycopg.Connection[Any], table: TableName, name: str, key: Cells, *, condition: str | None
    ) -> None:
        self._connection = connection
        self._table = table.identifier
        self._column = sql.Identifier("t", name)
        self._name = sql.Identifier(name)
        self._where = where(connection, table, key)
        self._condition = sql.SQL(f"({condition})") if condition else sql.SQL("true")
        facts = connection.execute(_COLUMN, [table.quoted(connection), name]).fetchone()
        if facts is None:
            raise NotPossible("there is no such column")
        self._type, self._category, self._labels, self._checks, self._parent, self._referred = facts

    def text(self) -> str | None:
        """Its value now. Errors: NotPossible where the row is not there."""
        query = sql.SQL("SELECT {}::text FROM {} AS t WHERE {}").format(self._column, self._table, self._where)
        row = self._connection.execute(query).fetchone()
        if row is None:
            raise NotPossible("the row is not there")
        text: str | None = row[0]
        return text

    def change(self) -> tuple[str | None, str | None]:
        """Give it another value that is valid, in the transaction that is open; what it was, and what it is.

        Errors: NotPossible, with the last reason why not.
        """
        before = self.text()
        refused = other = ""
        for candidate in self._candidates(before):
            try:
                with self._connection.transaction():
                    return before, self._set_another(candidate, before)
            except NotPossible as error:
                refused = refused or str(error)
            except psycopg.errors.NotNullViolation:
                continue  # NULL is what is tried last
            except psycopg.IntegrityError as error:
                refused = refused or error.diag.message_primary or ""
            except psycopg.Error as error:
                # That the type has no such operator, say, tells less than what a constraint does.
                other = error.diag.message_primary or str(error)
        raise NotPossible(refused or other or "no other value is known")

    def put(self, text: str | None) -> None:
        """Give it this value. Errors: psycopg's, NotPossible."""
        self._set(sql.Literal(text))

    def _set(self, value: sql.Composable) -> str | None:
        update = sql.SQL("UPDATE {table} AS t SET {name} = CAST({value} AS {type}) WHERE {where}").format(
            table=self._table, name=self._name, value=value, type=sql.SQL(self._type), where=self._where
        )
        changed = self._connection.execute(update).rowcount
        if changed != 1:
            raise NotPossible(f"an UPDATE reaches {changed} rows")
        kept = sql.SQL("SELECT {} FROM {} AS t WHERE {}").format(self._condition, self._table, self._where)
        row = self._connection.execute(kept).fetchone()
        if row is None or row[0] is False:
            raise NotPossible("validate= refuses the other values that are known")
        return self.text()

    def _set_another(self, value: sql.Composable, before: str | None) -> str | None:
        after = self._set(value)
        if after == before:
            raise NotPossible("a trigger puts it back")
        return after

    def _candidates(self, before: str | None) -> Iterator[sql.Composable]:
        """Other values, the likeliest first."""
        value = sql.SQL("(SELECT {} FROM {} AS t WHERE {})").format(self._column, self._table, self._where)
        if self._parent is not None:
            yield from self._others(sql.SQL(self._parent), sql.Identifier("t", self._referred), before)
        yield from (sql.Literal(label) for label in self._labels if label != before)
        if before is not None and self._parent is None:
            for template in _BY_CATEGORY.get(self._category, ()):
                parts = re.split(r"\bc\b", template)
                yield sql.SQL("(SELECT {} FROM (SELECT {} AS c) v)").format(
                    sql.SQL("c").join(sql.SQL(part) for part in parts),
                    value,
                )
        yield from self._others(self._table, self._column, before)
        for check in self._checks:
            for quoted, number in re.findall(r"'((?:[^']|'')*)'|(?<![\w.])(-?\d+(?:\.\d+)?)", check):
                yield sql.Literal(quoted.replace("''", "'") if quoted or not number else number)
                if number:
                    yield from (sql.SQL(f"{number} {step}") for step in ("+ 1", "- 1"))
        yield from map(sql.Literal, _CONSTANTS)
        if before is not None:
            yield sql.NULL

    def _others(self, table: sql.Composable, column: sql.Composable, before: str | None) -> Iterator[sql.Composable]:
        """What stands elsewhere, which is valid there."""
        query = sql.SQL(
            "SELECT DISTINCT {column}::text FROM {table} AS t"
            " WHERE {column}::text <> coalesce({before}, '') LIMIT {limit}"
        ).format(column=column, table=table, before=sql.Literal(before), limit=sql.Literal(_OTHERS))
        yield from [sql.Literal(text) for (text,) in self._connection.execute(query).fetchall()]


def where(connection: psycopg.Connection[Any], table: TableName, key: Cells) -> sql.Composable:
    """The condition that finds a row, of the table called `t`. Errors: NotPossible for a column that is none."""
    parts: list[sql.Composable] = []
    for name, text in key.items():
        facts = connection.execute(_COLUMN, [table.quoted(connection), name]).fetchone()
        if facts is None:
            raise NotPossible(f"the key names {name}, which is no column")
        column = sql.Identifier("t", name)
        if text is None:
            parts.append(sql.SQL("{} IS NULL").format(column))
        else:
            parts.append(sql.SQL("{} = CAST({} AS {})").format(column, sql.Literal(text), sql.SQL(facts[0])))
    return sql.SQL(" AND ").join(parts) if parts else sql.SQL("true")


def delete_row(connection: psycopg.Connection[Any], table: TableName, key: Cells, *, referring: bool) -> None:
    """Delete a row, in the transaction that is open; with `referring` those that refer to it, before.

    Errors: NotPossible.
    """
    condition = where(connection, table, key)
    if _delete(connection, table.identifier, condition, 6 if referring else 0) != 1:
        raise NotPossible("a DELETE does not reach it")


def _delete(connection: psycopg.Connection[Any], table: sql.Composable, condition: sql.Composable, depth: int) -> int:
    statement = sql.SQL("DELETE FROM {} AS t WHERE {}").format(table, condition)
    for _ in range(20):  # so many tables may refer to it
        try:
            with connection.transaction():
                return connection.execute(statement).rowcount
        except (psycopg.errors.ForeignKeyViolation, psycopg.errors.RestrictViolation) as error:
            said = error.diag
            if not depth:
                raise NotPossible(said.message_primary or str(error)) from None
            found = connection.execute(
                _FOREIGN_KEY, [said.constraint_name, said.schema_name, said.table_name]
            ).fetchone()
            if found is None or said.schema_name is None or said.table_name is None:
                raise NotPossible(said.message_primary or str(error)) from None
            own, referred, schema, name = found
            children = sql.SQL("({}) IN (SELECT {} FROM {} AS t WHERE {})").format(
                sql.SQL(", ").join(sql.Identifier("t", column) for column in own),
                sql.SQL(", ").join(sql.Identifier("t", column) for column in referred),
                sql.Identifier(schema, name),
                condition,
            )
            _delete(connection, sql.Identifier(said.schema_name, said.table_name), children, depth - 1)
        except psycopg.Error as error:
            raise NotPossible(error.diag.message_primary or str(error)) from None
    raise NotPossible("too many rows refer to it")


def empty(connection: psycopg.Connection[Any], tables: Sequence[TableName]) -> None:
    """Delete all rows of tables, and of those that refer to them. Errors: psycopg's."""
    names = sql.SQL(", ").join(table.identifier for table in tables)
    connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(names))


def drop_extension(connection: psycopg.Connection[Any], name: str) -> bool:
    """Drop an extension, and whatever depends on it; whether anything did. Errors: psycopg's."""
    drop = sql.SQL("DROP EXTENSION {}").format(sql.Identifier(name))
    try:
        connection.execute(drop)
    except psycopg.errors.DependentObjectsStillExist:
        connection.execute(sql.SQL("{} CASCADE").format(drop))
        return True
    return False


@dataclass(frozen=True, slots=True)
class Given:
    """What a table has beside rows and columns, and may be without.

    Attributes:
        table: the table.
        label: what it is, for messages.
        undo: the statement that takes it away.
        mark: changes when it does.
    """

    table: TableName
    label: str
    undo: str
    mark: str


_GIVEN: Final = f"""
WITH tables AS (
    SELECT c.oid, n.nspname, c.relname, c.oid::regclass AS name, c.relowner, c.relacl, c.relrowsecurity,
           CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                ELSE 'TABLE' END AS kind
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND {_NAMESPACES} AND n.nspname <> 'seedframe'
), attributes AS (
    SELECT t.*, a.attnum, quote_ident(a.attname) AS attribute, a.attacl
      FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
), privileges AS (
    SELECT t.nspname, t.relname, t.name, t.relowner, NULL::text AS attribute, p.*
      FROM tables t, aclexplode(t.relacl) p
    UNION ALL
    SELECT a.nspname, a.relname, a.name, a.relowner, a.attribute, p.*
      FROM attributes a, aclexplode(a.attacl) p
)
SELECT t.nspname, t.relname, format('the comment on %s', t.name),
       format('COMMENT ON %s %s IS NULL', t.kind, t.name), md5(d.description)
  FROM tables t JOIN pg_description d ON d.objoid = t.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = 0
UNION ALL
SELECT a.nspname, a.relname, format('the comment on %s.%s', a.name, a.attribute),
       format('COMMENT ON COLUMN %s.%s IS NULL', a.name, a.attribute), md5(d.description)
  FROM attributes a
  JOIN pg_description d ON d.objoid = a.oid AND d.classoid = 'pg_class'::regclass AND d.objsubid = a.attnum
UNION ALL
SELECT p.nspname, p.relname, format('%s of %s on %s', what.privilege, who.grantee, p.name),
       format('REVOKE %s ON %s FROM %s', what.privilege, p.name, who.grantee), p.is_grantable::text
  FROM privileges p,
       LATERAL (SELECT CASE WHEN p.grantee = 0 THEN 'PUBLIC' ELSE p.grantee::regrole::text END AS grantee) who,
       LATERAL (SELECT p.privilege_type || coalesce(' (' || p.attribute || ')', '') AS privilege) what
 WHERE p.grantee <> p.relowner
UNION ALL
SELECT t.nspname, t.relname, format('row-level security of %s', t.name),
       format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', t.name), ''
  FROM tables t WHERE t.relrowsecurity
UNION ALL
SELECT t.nspname, t.relname, format('policy %I on %s', p.polname, t.name),
       format('DROP POLICY %I ON %s', p.polname, t.name), ''
  FROM tables t JOIN pg_policy p ON p.polrelid = t.oid
UNION ALL
SELECT t.nspname, t.relname, format('trigger %I on %s', g.tgname, t.name),
       format('DROP TRIGGER %I ON %s', g.tgname, t.name), md5(pg_get_triggerdef(g.oid))
  FROM tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
UNION ALL
SELECT t.nspname, t.relname, format('constraint %I of %s', k.conname, t.name),
       format('ALTER TABLE %s DROP CONSTRAINT %I', t.name, k.conname), md5(pg_get_constraintdef(k.oid))
  FROM tables t JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('c', 'f', 'u', 'x', 'p')
UNION ALL
SELECT t.nspname, t.relname, format('index %s of %s', i.indexrelid::regclass, t.name),
       format('DROP INDEX %s', i.indexrelid::regclass), md5(pg_get_indexdef(i.indexrelid))
  FROM tables t JOIN pg_index i ON i.indrelid = t.oid
 WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = t.oid)
"""  # noqa: S608 - a constant


def given(connection: psycopg.Connection[Any]) -> frozenset[Given]:
    """What the tables of this database have: comments, privileges, policies, triggers, constraints and indexes."""
    found = connection.execute(_GIVEN.encode()).fetchall()
    return frozenset(Given(TableName(schema, name), *rest) for schema, name, *rest in found)


def count_written(connection: psycopg.Connection[Any], table: TableName, since: int) -> int:
    """How many rows of it were written since a transaction."""
    query = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(table.identifier, _written(since))
    row = connection.execute(query).fetchone()
    return 0 if row is None else int(row[0])


def is_there(connection: psycopg.Connection[Any], table: TableName, key: Cells) -> bool:
    """Whether the row is there."""
    query = sql.SQL("SELECT EXISTS (SELECT FROM {} AS t WHERE {})").format(
        table.identifier, where(connection, table, key)
    )
    row = connection.execute(query).fetchone()
    return bool(row and row[0])


def has_row(connection: psycopg.Connection[Any], table: TableName, key: Cells) -> bool:
    """As `is_there`, and False for a key that is none of this table's: other columns, or what is no value of them."""
    if not key.keys() <= columns(connection, table):
        return False
    try:
        return is_there(connection, table, key)
    except psycopg.DataError:
        return False
