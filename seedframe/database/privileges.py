"""Which privilege is missing: the server says only which object it was refused on."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

from psycopg import sql

from seedframe.database.declared import Shape
from seedframe.database.session import Session
from seedframe.database.table import Table
from seedframe.errors import PermissionDenied

Privilege: TypeAlias = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]


def missing_privilege(
    session: Session, table: Table, columns: Sequence[str], privileges: Sequence[Privilege]
) -> PermissionDenied | None:
    """The first of the privileges that the role lacks on the table or on one of these columns; None when it has all."""
    for privilege in privileges:
        lacking = [
            row[0]
            for row in session.query(
                "SELECT c.name FROM pg_catalog.unnest($1::text[]) AS c (name)"
                " WHERE NOT pg_catalog.has_schema_privilege($2, 'USAGE') OR NOT CASE WHEN $4 = 'DELETE'"
                " THEN pg_catalog.has_table_privilege($3::oid, $4)"
                " ELSE pg_catalog.has_column_privilege($3::oid, c.name, $4) END",
                [list(columns), table.schema, table.oid, privilege],
            )
        ]
        if not lacking:
            continue
        partly = len(lacking) < len(columns)
        role = session.role_identifier
        of = f" of column{'' if len(lacking) == 1 else 's'} {', '.join(lacking)}" if partly else ""
        listed = sql.SQL(" ({})").format(sql.SQL(", ").join([sql.Identifier(name) for name in lacking])).as_string()
        return PermissionDenied(
            f"the role {session.role} has no {privilege} on table {table.label}{of}",
            hint=f"GRANT {privilege}{listed if partly else ''} ON {table.identifier.as_string()} TO {role}",
        )
    return None


def refused_privilege(
    session: Session, shape: Shape, error: PermissionDenied, privilege: Privilege
) -> PermissionDenied:
    """The same refusal, with the privilege and the table by name; the server's words where it was about another."""
    fields = shape.managed if privilege == "UPDATE" else shape.fields
    return missing_privilege(session, shape.table, [field.name for field in fields], [privilege]) or error
