"""What deleting rows does to the tables that refer to them: counted before it happens, rule by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, LiteralString, TypeAlias

from psycopg import sql

from seedframe.database.rowids import RowIds, joined_parameters
from seedframe.database.session import Session

_AND = sql.SQL(" AND ")
_UNION = sql.SQL(" UNION ALL ")

Rule: TypeAlias = Literal["deleted", "set", "refused", "deferred", "unseen"]

# From pg_constraint, of a foreign key to one of the tables walked. A constraint on a partitioned table has a clone for
# each partition; only the one that was declared is looked at.
_FOREIGN_KEYS: Final[LiteralString] = """
WITH RECURSIVE walked (oid) AS (
    SELECT $1::oid
    UNION
    SELECT n.oid FROM walked AS w CROSS JOIN LATERAL (
        SELECT f.conrelid AS oid FROM pg_constraint f
         WHERE f.confrelid = w.oid AND f.contype = 'f' AND f.confdeltype = 'c'
        UNION ALL
        SELECT i.inhrelid FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhparent AND c.relkind = 'p'
         WHERE i.inhparent = w.oid) AS n
)
SELECT f.conname, f.confdeltype::text AS action, f.condeferred AS deferred,
       pn.nspname AS parent_schema, p.relname AS parent, p.relkind::text AS parent_kind,
       c.oid::bigint AS child_oid, cn.nspname AS child_schema, c.relname AS child, c.relkind::text AS child_kind,
       pg_catalog.has_schema_privilege(cn.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
           AND pg_catalog.has_schema_privilege(pn.oid, 'USAGE') AND pg_catalog.has_table_privilege(p.oid, 'SELECT')
           AND NOT pg_catalog.row_security_active(c.oid) AND NOT pg_catalog.row_security_active(p.oid) AS readable,
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                 'parent', pa.attname, 'child', ca.attname, 'schema', opn.nspname, 'operator', op.oprname,
                 'parent_type', CASE WHEN opn.nspname <> 'pg_catalog'
                                     THEN pg_catalog.format_type(op.oprleft, NULL) END,
                 'child_type', CASE WHEN opn.nspname <> 'pg_catalog'
                                    THEN pg_catalog.format_type(op.oprright, NULL) END,
                 'collation', CASE WHEN pa.attcollation <> 0::oid
                                   THEN pg_catalog.format('%I.%I', con.nspname, co.collname) END)
                 ORDER BY k.n)
          FROM unnest(f.confkey, f.conkey, f.conpfeqop) WITH ORDINALITY AS k (parent, child, operator, n)
          JOIN pg_attribute pa ON pa.attrelid = f.confrelid AND pa.attnum = k.parent
          JOIN pg_attribute ca ON ca.attrelid = f.conrelid AND ca.attnum = k.child
          JOIN pg_operator op ON op.oid = k.operator
          JOIN pg_namespace opn ON opn.oid = op.oprnamespace
          LEFT JOIN pg_collation co ON co.oid = pa.attcollation
          LEFT JOIN pg_namespace con ON con.oid = co.collnamespace) AS columns
  FROM walked AS w
  JOIN pg_constraint f ON f.confrelid = w.oid AND f.contype = 'f'
  JOIN pg_class p ON p.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace
  JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
 WHERE NOT EXISTS (SELECT FROM pg_constraint o WHERE o.oid = f.conparentid
                    AND (o.confrelid = f.confrelid OR o.confrelid IN (SELECT oid FROM walked)))
 ORDER BY c.relname, f.conname, f.oid
"""


@dataclass(frozen=True, slots=True)
class Effect:
    """What becomes of some rows of another table, or of the same one.

    Attributes:
        rule: "deleted" along with them, a column "set" to NULL or its default, "refused" by a foreign key, perhaps
            refused by a "deferred" one, or "unseen" as the role may not look.
        oid: of the table; of the whole one, for a partition.
        table: its schema and name.
        rows: how many; 0 for "unseen".
        constraint: the foreign key's name; empty for "deleted", which may come by several.
        value: for "set": "NULL" or "the default".
    """

    rule: Rule
    oid: int
    table: str
    rows: int
    constraint: str = ""
    value: str = ""


def effects_of(session: Session, table: int, gone: RowIds, before: Sequence[RowIds]) -> list[Effect]:
    """What deleting the rows `gone` of a table does, after the rows `before` were deleted.

    Rows that are deleted along are followed as far as they go, each counted once.
    """
    keys = session.dicts(_FOREIGN_KEYS, [table])
    effects = [
        Effect("unseen", key["child_oid"], f"{key['child_schema']}.{key['child']}", 0, key["conname"])
        for key in keys
        if not key["readable"]
    ]
    keys = [key for key in keys if key["readable"]]
    if not keys:
        return effects
    after = _counted(session, keys, joined_parameters([*before, gone]))
    already = _counted(session, keys, joined_parameters(list(before))) if before else {}
    for (number, oid, name), rows in sorted(after.items(), key=lambda item: (item[0][0], item[0][2], item[0][1])):
        more = rows - already.get((number, oid, name), 0)
        if more <= 0:
            continue
        if number == 0:
            effects.append(Effect("deleted", oid, name, more))
            continue
        key = keys[number - 1]
        label = f"{key['child_schema']}.{key['child']}"
        if key["action"] in ("n", "d"):
            value = "NULL" if key["action"] == "n" else "the default"
            effects.append(Effect("set", key["child_oid"], label, more, key["conname"], value))
        else:
            rule: Rule = "deferred" if key["deferred"] else "refused"
            effects.append(Effect(rule, key["child_oid"], label, more, key["conname"]))
    return effects


def _counted(
    session: Session, keys: Sequence[dict[str, Any]], parameters: list[Any]
) -> dict[tuple[int, int, str], int]:
    """Rows that go along, by (0, their table's oid, its name); those that refer to what goes and stay, by (number of
    the key, 0, "")."""
    steps = [
        sql.SQL("SELECT c.tableoid AS place, c.ctid AS row FROM {} AS p JOIN {} AS c ON {} WHERE {}").format(
            _relation(key, "parent"),
            _relation(key, "child"),
            _refers(key),
            sql.SQL("p.tableoid = g.place AND p.ctid = g.row"),
        )
        for key in keys
        if key["action"] == "c"
    ]
    further = (
        sql.SQL(" UNION SELECT n.place, n.row FROM gone AS g CROSS JOIN LATERAL ({}) AS n").format(_UNION.join(steps))
        if steps
        else sql.SQL("")
    )
    staying = [
        sql.SQL(
            " UNION ALL SELECT {}, 0, '', pg_catalog.count(*) FROM {} AS c WHERE EXISTS (SELECT FROM {} AS p"
            " JOIN gone AS g"
            " ON p.tableoid = g.place AND p.ctid = g.row WHERE {})"
            " AND NOT EXISTS (SELECT FROM gone AS g WHERE g.place = c.tableoid AND g.row = c.ctid)"
        ).format(sql.Literal(number), _relation(key, "child"), _relation(key, "parent"), _refers(key))
        for number, key in enumerate(keys, start=1)
        if key["action"] != "c"
    ]
    statement = sql.SQL(
        "WITH RECURSIVE given (place, row) AS"
        " (SELECT f.place::oid, f.row FROM unnest($1::bigint[], $2::text[]::tid[]) AS f (place, row)),"
        " gone (place, row) AS (SELECT place, row FROM given{}),"
        " along AS (SELECT place, row FROM gone EXCEPT SELECT place, row FROM given)"
        " SELECT 0, c.oid::bigint, pg_catalog.concat(n.nspname, '.', c.relname), pg_catalog.count(*) FROM along AS a"
        " JOIN pg_class c ON c.oid = coalesce(pg_catalog.pg_partition_root(a.place)::oid, a.place)"
        " JOIN pg_namespace n ON n.oid = c.relnamespace GROUP BY 2, 3{}"
    ).format(further, sql.SQL("").join(staying))
    return {(number, oid, name): rows for number, oid, name, rows in session.query(statement, parameters)}


def _relation(key: dict[str, Any], side: str) -> sql.Composable:
    name = sql.Identifier(key[f"{side}_schema"], key[side])
    return name if key[f"{side}_kind"] == "p" else sql.SQL("ONLY {}").format(name)


def _refers(key: dict[str, Any]) -> sql.Composable:
    """`c` refers to `p`, by the operators of the foreign key itself."""
    return _AND.join(
        [
            sql.SQL("{} OPERATOR({}.{}) {}{}").format(
                _operand("p", part["parent"], part["parent_type"]),
                sql.Identifier(part["schema"]),
                sql.SQL(part["operator"]),  # an operator's name cannot be quoted; the server has checked it
                _operand("c", part["child"], part["child_type"]),
                sql.SQL(" COLLATE {}").format(sql.SQL(part["collation"])) if part["collation"] else sql.SQL(""),
            )
            for part in key["columns"]
        ]
    )


def _operand(alias: str, column: str, kind: str | None) -> sql.Composable:
    """A column as what an operator of an extension takes, so that no other one of its name and schema is meant."""
    value = sql.Identifier(alias, column)
    return value if kind is None else sql.SQL("CAST({} AS {})").format(value, sql.SQL(kind))
