"""The catalog: what the server says of a table, read in one query and resolved once for each transaction."""

import json
from collections.abc import Sequence
from typing import Any, Final, LiteralString

from psycopg import sql

from seedframe.database.session import Session
from seedframe.database.table import ColumnSequence, Equality, ForeignKey, Table, TableColumn, UniqueIndex
from seedframe.errors import DeclarationError, MissingTable, PermissionDenied, did_you_mean

# Types whose hash tells apart all that their image tells apart. Every other type is hashed as text: hashes of
# numeric 1.5 and 1.50, of interval '1 mon' and '30 days', of citext 'A' and 'a' are equal, and money, json, point
# and more have none.
_HASHES_AS_IS: Final = frozenset(
    {"bool", "int2", "int4", "int8", "oid", "uuid", "date", "time", "timestamp", "timestamptz", "bytea", "name"}
)


_TABLE: Final[LiteralString] = r"""
SELECT c.oid::bigint AS oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
       pg_catalog.row_security_active(c.oid) AS row_security, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS owned,
       c.relhasrules AS has_rules, c.relhassubclass AND c.relkind <> 'p' AS has_children,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
           AS can_select,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', a.attname, 'type', pg_catalog.format_type(a.atttypid, a.atttypmod),
                 'base_type', base.typname, 'element_type', element.typname,
                 'length', CASE WHEN base.typname IN ('varchar', 'bpchar') AND base_mod.typmod > 4
                                THEN base_mod.typmod - 4 END,
                 'collation', CASE WHEN a.attcollation <> 0::oid AND a.attcollation <> t.typcollation
                                   THEN pg_catalog.format('%I.%I', cn.nspname, co.collname) END,
                 'deterministic', coalesce(co.collisdeterministic, true),
                 'equality', (SELECT pg_catalog.json_build_object(
                                         'schema', eqn.nspname, 'type', pg_catalog.format_type(eq.oprleft, NULL))
                                FROM pg_opclass oc
                                JOIN pg_amop ao ON ao.amopfamily = oc.opcfamily AND ao.amopstrategy = 3
                                               AND ao.amoplefttype = base.oid AND ao.amoprighttype = base.oid
                                JOIN pg_operator eq ON eq.oid = ao.amopopr
                                JOIN pg_namespace eqn ON eqn.oid = eq.oprnamespace
                               WHERE oc.opcintype = base.oid AND oc.opcdefault AND eqn.nspname <> 'pg_catalog'
                                 AND oc.opcmethod = (SELECT oid FROM pg_am WHERE amname = 'btree') LIMIT 1),
                 'composite', base.typtype = 'c',
                 'casts_alike', (base_mod.typmod = -1
                                 OR coalesce(element.typname, base.typname)
                                    IN ('numeric', 'time', 'timetz', 'timestamp', 'timestamptz')
                                 OR base.typname IN ('varchar', 'bpchar'))
                                AND NOT EXISTS (SELECT FROM pg_cast
                                                 WHERE castsource = 'text'::regtype::oid AND casttarget = base.oid
                                                   AND castmethod = 'f'),
                 'not_null', a.attnotnull, 'has_default', a.atthasdef OR t.typdefault IS NOT NULL,
                 'generated', a.attgenerated <> '', 'identity', a.attidentity,
                 'sequence', CASE WHEN base.typname IN ('int4', 'int8', 'int2', 'numeric', 'float8', 'float4') THEN (
                     SELECT pg_catalog.json_build_object(
                              'oid', s.oid::bigint, 'schema', sn.nspname, 'name', s.relname,
                              'increment', q.seqincrement, 'minimum', q.seqmin, 'maximum', q.seqmax,
                              'cycles', q.seqcycle, 'usable', pg_catalog.has_sequence_privilege(s.oid, 'USAGE'),
                              'readable', pg_catalog.has_sequence_privilege(s.oid, 'SELECT')
                                          AND pg_catalog.has_schema_privilege(sn.oid, 'USAGE'))
                       FROM (SELECT k.refobjid AS oid, 1 AS rank
                               FROM pg_attrdef e JOIN pg_depend k ON k.objid = e.oid
                                    AND k.classid = 'pg_attrdef'::regclass::oid
                                        AND k.refclassid = 'pg_class'::regclass::oid
                              WHERE a.atthasdef AND e.adrelid = c.oid AND e.adnum = a.attnum
                                AND pg_catalog.pg_get_expr(e.adbin, e.adrelid)
                                    ~ $re$^\(?nextval\('([^']|'')*'::regclass\)\)?(::|$)$re$
                              UNION ALL
                             SELECT k.objid, 2 FROM pg_depend k
                              WHERE k.refobjid = c.oid AND k.refobjsubid = a.attnum AND k.deptype IN ('a', 'i')
                                AND k.classid = 'pg_class'::regclass::oid
                                    AND k.refclassid = 'pg_class'::regclass::oid) AS o
                       JOIN pg_class s ON s.oid = o.oid AND s.relkind = 'S'
                       JOIN pg_sequence q ON q.seqrelid = s.oid
                       JOIN pg_namespace sn ON sn.oid = s.relnamespace
                      ORDER BY o.rank LIMIT 1) END) ORDER BY a.attnum)
          FROM pg_attribute a
          JOIN pg_type t ON t.oid = a.atttypid
          CROSS JOIN LATERAL (
                 SELECT t.oid, a.atttypmod AS typmod WHERE t.typtype <> 'd'
                 UNION ALL
                 (WITH RECURSIVE up (oid, typmod) AS (
                     SELECT t.oid, a.atttypmod
                     UNION ALL
                     SELECT d.typbasetype, CASE WHEN up.typmod = -1 THEN d.typtypmod ELSE up.typmod END
                       FROM up JOIN pg_type d ON d.oid = up.oid WHERE d.typtype = 'd')
                  SELECT up.oid, up.typmod FROM up JOIN pg_type b ON b.oid = up.oid
                   WHERE t.typtype = 'd' AND b.typtype <> 'd')
                 LIMIT 1) AS base_mod
          JOIN pg_type base ON base.oid = base_mod.oid
          LEFT JOIN pg_type element ON element.oid = base.typelem AND base.typcategory = 'A'
          LEFT JOIN pg_collation co ON co.oid = a.attcollation
          LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', ic.relname, 'partial', i.indpred IS NOT NULL, 'deferrable', NOT i.indimmediate,
                 'nulls_not_distinct', coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct'::text)::boolean,
                     false),
                 'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY k.n)
                               FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
                               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                              WHERE k.n <= i.indnkeyatts)) ORDER BY NOT i.indisprimary, ic.relname)
          FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
         WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND NOT i.indisexclusion AND i.indexprs IS NULL
           -- One that has other values equal than its columns have is not what is meant by naming these.
           AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS k (attnum, own)
                             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
                             JOIN pg_collation o ON o.oid IN (k.own, a.attcollation)
                            WHERE k.own <> a.attcollation AND NOT o.collisdeterministic)) AS unique_indexes,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'name', f.conname, 'table', f.confrelid::bigint, 'deferrable', f.condeferrable,
                 'columns', (SELECT pg_catalog.json_agg(a.attname ORDER BY k.n)
                               FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (attnum, n)
                               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.attnum),
                 'referred', (SELECT pg_catalog.json_agg(a.attname ORDER BY k.n)
                                FROM pg_catalog.unnest(f.confkey) WITH ORDINALITY AS k (attnum, n)
                                JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.attnum))
                 ORDER BY f.conname)
          FROM pg_constraint f WHERE f.conrelid = c.oid AND f.contype = 'f') AS foreign_keys
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.oid = coalesce(pg_catalog.to_regclass($1)::oid, $2::oid)
"""

_NEIGHBOURS: Final[LiteralString] = """
SELECT c.relname FROM pg_class c
 WHERE c.relkind IN ('r', 'p', 'v', 'f')
     AND c.relnamespace = pg_catalog.to_regnamespace(pg_catalog.quote_ident($1))::oid
"""

_KINDS: Final = {"m": "a materialized view", "f": "a foreign table", "S": "a sequence", "i": "an index"}


LEDGER_SCHEMA: Final = "seedframe"
"""The schema of seedframe's own tables."""


def is_of_ledger(name: str) -> bool:
    """True for the name of one of seedframe's own tables, as it is written; one that cannot be read is none."""
    try:
        return split_name(name)[0] == LEDGER_SCHEMA
    except DeclarationError:
        return False


def written_name(schema: str | None, name: str) -> str:
    """A table as a seed would write it, so that `split_name` takes it apart again; without a schema for None."""
    parts = [part for part in (schema, name) if part is not None]
    return ".".join('"' + part.replace('"', '""') + '"' if "." in part or '"' in part else part for part in parts)


def as_text(name: str) -> str:
    """A table's name as Python and TOML have it in quotes."""
    plain = name.isprintable() and not {"'", "\\"} & set(name)
    return f"'{name}'" if plain and '"' in name else json.dumps(name, ensure_ascii=False)


def split_name(name: str) -> tuple[str | None, str]:
    """`table` or `schema.table`, either part in double quotes where it has a dot of its own, as (schema, table)."""
    parts: list[str] = []
    rest = name
    while rest:
        if rest.startswith('"'):
            end = rest.find('"', 1)
            while end != -1 and rest[end + 1 : end + 2] == '"':
                end = rest.find('"', end + 2)
            if end == -1:
                break
            parts.append(rest[1:end].replace('""', '"'))
            rest = rest[end + 1 :]
        else:
            part, _, _ = rest.partition(".")
            parts.append(part)
            rest = rest[len(part) :]
        if rest.startswith(".") and len(rest) > 1:
            rest = rest[1:]
        else:
            break
    if rest or len(parts) not in (1, 2) or not all(parts):
        raise DeclarationError(
            f"{name!r} is no name of a table",
            hint='write "table" or "schema.table"; quote a name that has a dot',
        )
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


class Catalog:
    """Looks tables up for one transaction and remembers what it found."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._found: dict[str, Table | None] = {}

    def find(self, name: str) -> Table | None:
        """The table of this name, in the target's schema and then the search path; None when there is none."""
        if name not in self._found:
            self._found[name] = self._read(name)
        return self._found[name]

    def absent(self, names: Sequence[str]) -> tuple[str, ...]:
        """Those of the names that no table, nor anything like one, has now. Errors: DeclarationError."""
        parts = [split_name(name) for name in names]
        qualified = [sql.Identifier(*filter(None, part)).as_string() for part in parts]
        rows = self._session.query(
            "SELECT pg_catalog.to_regclass(name) IS NULL FROM pg_catalog.unnest($1::text[]) AS name", [qualified]
        )
        return tuple(name for name, (is_absent,) in zip(names, rows, strict=True) if is_absent)

    def forget(self, name: str) -> None:
        """Look again next time: the table may have been made meanwhile."""
        self._found.pop(name, None)

    def table(self, name: str) -> Table:
        """The table of this name, readable. Errors: MissingTable, DeclarationError, PermissionDenied."""
        found = self.find(name)
        if found is None:
            self._require_usage(name)
            raise self.missing(name)
        if found.kind not in ("r", "p", "v"):
            what = _KINDS.get(found.kind, "no table")
            raise DeclarationError(f"{found.label} is {what}", hint="declare the table whose rows are meant")
        if not found.can_select:
            raise PermissionDenied(
                f"the role has no SELECT on table {found.label}",
                hint=f"GRANT SELECT ON {found.identifier.as_string()} TO {self._session.role_identifier}",
            )
        if found.row_security:
            # No policy helps: whether one hides rows cannot be told, and with row_security off any of them raises.
            of_owner = f"ALTER TABLE {found.identifier.as_string()} NO FORCE ROW LEVEL SECURITY"
            raise PermissionDenied(
                f"row-level security of table {found.label} may hide rows from the role {self._session.role}",
                hint=f"ALTER ROLE {self._session.role_identifier} BYPASSRLS, or "
                + (of_owner if found.owned else "connect as the table's owner"),
            )
        return found

    def missing(self, name: str, *, hint: str | None = None) -> MissingTable:
        """The error for a table that is not there, with a did-you-mean from its schema."""
        schema, table = split_name(name)
        place = schema or self._session.schema
        near = did_you_mean(table, [row[0] for row in self._session.query(_NEIGHBOURS, [place])])
        error = MissingTable(
            f"table {place}.{table} does not exist",
            hint=hint
            or f"{f'{near} Else ' if near else ''}run migrations first: seedframe db init; or create the table",
        )
        error.table = name
        return error

    def _require_usage(self, name: str) -> None:
        """A schema that the role may not use hides its tables: that is no missing table. Errors: PermissionDenied."""
        place = split_name(name)[0] or self._session.schema
        usable = self._session.scalar(
            "SELECT pg_catalog.has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = $1", [place]
        )
        if usable is False:
            schema = sql.Identifier(place).as_string()
            raise PermissionDenied(
                f"the role {self._session.role} has no USAGE on schema {place}",
                hint=f"GRANT USAGE ON SCHEMA {schema} TO {self._session.role_identifier}",
            )

    def _read(self, name: str) -> Table | None:
        schema, table = split_name(name)
        qualified = sql.Identifier(schema, table) if schema else sql.Identifier(table)
        row = self._session.first_dict(_TABLE, [qualified.as_string(), None])
        if row is None and schema is None:
            return None
        return None if row is None else self._build(row)

    def read(self, oid: int) -> Table:
        """The table, or whatever it is, with an oid."""
        row = self._session.first_dict(_TABLE, [None, oid])
        assert row is not None  # noqa: S101 - the catalog itself gave the oid
        return self._build(row)

    def _build(self, row: dict[str, Any]) -> Table:
        return Table(
            oid=row["oid"],
            schema=row["schema"],
            name=row["name"],
            kind=row["kind"],
            columns={entry["name"]: _column(entry) for entry in row["columns"] or ()},
            unique=tuple(
                UniqueIndex(
                    entry["name"],
                    tuple(entry["columns"]),
                    entry["partial"],
                    entry["deferrable"],
                    entry["nulls_not_distinct"],
                )
                for entry in row["unique_indexes"] or ()
            ),
            foreign_keys=tuple(
                ForeignKey(
                    entry["name"],
                    tuple(entry["columns"]),
                    entry["table"],
                    tuple(entry["referred"]),
                    entry["deferrable"],
                )
                for entry in row["foreign_keys"] or ()
            ),
            row_security=row["row_security"],
            owned=row["owned"],
            distributed=self._session.is_distributed(row["oid"]),
            can_select=row["can_select"],
            has_children=row["has_children"],
            has_rules=row["has_rules"],
        )


def _column(entry: dict[str, Any]) -> TableColumn:
    as_is = entry["base_type"] in _HASHES_AS_IS or (
        # The hash of a char drops its blanks, which all values of one length have alike.
        (entry["base_type"] in ("text", "varchar") or (entry["base_type"] == "bpchar" and entry["length"] is not None))
        and entry["deterministic"]
    )
    return TableColumn(
        name=entry["name"],
        type=entry["type"],
        base_type=entry["base_type"],
        element_type=entry["element_type"],
        length=entry["length"],
        collation=entry["collation"],
        not_null=entry["not_null"],
        has_default=entry["has_default"],
        generated=entry["generated"],
        identity=entry["identity"],
        hashes_as_is=as_is,
        equality=None if entry["equality"] is None else Equality(**entry["equality"]),
        casts_alike=entry["casts_alike"],
        composite=entry["composite"],
        sequence=None if entry["sequence"] is None else ColumnSequence(**entry["sequence"]),
    )
