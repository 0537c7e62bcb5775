"""Which database and schema a session is on, so that another of the same name is not taken for it."""

from typing import Any

from seedframe.database.session import Session


def target_identity(session: Session) -> dict[str, Any]:
    """Names and object ids of database and schema, the server's major version, and the cluster's own identifier.

    The identifier is made by initdb and shared by a server and its standbys; None where the role may not ask for it.
    """
    found = session.first_dict(
        "SELECT current_database()::text AS database, d.oid::bigint AS database_oid,"
        " n.nspname::text AS schema, n.oid::bigint AS schema_oid"
        " FROM pg_database AS d, pg_namespace AS n WHERE d.datname = current_database() AND n.nspname = $1",
        [session.schema],
    )
    assert found is not None  # noqa: S101 - the schema was looked for before
    return {**found, "server_major": session.server_version_num // 10000, "system": _system(session)}


def _system(session: Session) -> str | None:
    if not session.scalar("SELECT pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')"):
        return None
    return str(session.scalar("SELECT system_identifier FROM pg_control_system()"))
