"""The ledger's tables: their version, how they are made, and whether they are there and can be read."""

from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.session import Session
from seedframe.errors import LedgerError, PermissionDenied

LEDGER_VERSION: Final = 2

TABLES: Final = ("ledger", "run", "outcome", "applied_seed", "baseline", "baseline_row", "owned_row", "extra_row")

_DDL: Final[tuple[LiteralString, ...]] = (
    "CREATE TABLE IF NOT EXISTS seedframe.ledger (version integer NOT NULL)",
    """CREATE TABLE IF NOT EXISTS seedframe.run (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        project text NOT NULL,
        target_schema text NOT NULL,
        env text NOT NULL,
        command text NOT NULL,
        mode text NOT NULL,
        status text NOT NULL DEFAULT 'running',
        version text NOT NULL,
        role text NOT NULL DEFAULT current_user,
        os_user text NOT NULL,
        host text NOT NULL,
        arguments jsonb NOT NULL,
        started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        finished_at timestamptz,
        duration_s double precision,
        error jsonb
    )""",
    "CREATE INDEX IF NOT EXISTS run_by_target ON seedframe.run (project, target_schema, id DESC)",
    """CREATE TABLE IF NOT EXISTS seedframe.outcome (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        run_id bigint NOT NULL REFERENCES seedframe.run ON DELETE CASCADE,
        seed text NOT NULL,
        origin text NOT NULL,
        status text NOT NULL,
        created bigint NOT NULL,
        updated bigint NOT NULL,
        deleted bigint NOT NULL,
        unchanged bigint NOT NULL,
        duration_s double precision NOT NULL,
        error jsonb,
        recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
    )""",
    "CREATE INDEX IF NOT EXISTS outcome_by_run ON seedframe.outcome (run_id)",
    """CREATE TABLE IF NOT EXISTS seedframe.applied_seed (
        project text NOT NULL,
        target_schema text NOT NULL,
        seed text NOT NULL,
        origin text NOT NULL,
        first_run bigint NOT NULL,
        first_applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        PRIMARY KEY (project, target_schema, seed)
    )""",
    """CREATE TABLE IF NOT EXISTS seedframe.baseline (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        project text NOT NULL,
        target_schema text NOT NULL,
        seed text NOT NULL,
        resource text NOT NULL,
        table_name text,
        declared_digest text NOT NULL,
        fingerprint text,
        rows bigint NOT NULL,
        columns text[] NOT NULL,
        key_columns text[] NOT NULL,
        by_row boolean NOT NULL,
        kept bigint NOT NULL,
        server_major integer NOT NULL,
        hash_probe bigint NOT NULL,
        run_id bigint NOT NULL,
        UNIQUE (project, target_schema, seed, resource),
        FOREIGN KEY (project, target_schema, seed) REFERENCES seedframe.applied_seed ON DELETE CASCADE
    )""",
    """CREATE TABLE IF NOT EXISTS seedframe.baseline_row (
        baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
        key_hash bigint NOT NULL,
        cell_hashes bigint[] NOT NULL,
        declared_hashes bigint[],
        kept boolean[],
        absent boolean NOT NULL DEFAULT false,
        PRIMARY KEY (baseline_id, key_hash)
    )""",
    # Keyed by a hash, as a key may be longer than what an index takes.
    """CREATE TABLE IF NOT EXISTS seedframe.owned_row (
        baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
        key_hash bigint NOT NULL,
        table_name text NOT NULL,
        key jsonb NOT NULL,
        PRIMARY KEY (baseline_id, key_hash)
    )""",
    # Rows of the table that are not declared and were left there, by choice.
    """CREATE TABLE IF NOT EXISTS seedframe.extra_row (
        baseline_id bigint NOT NULL REFERENCES seedframe.baseline ON DELETE CASCADE,
        key_hash bigint NOT NULL,
        PRIMARY KEY (baseline_id, key_hash)
    )""",
    "INSERT INTO seedframe.ledger (version) SELECT 2 WHERE NOT EXISTS (SELECT FROM seedframe.ledger)",
)

_STATE: Final[LiteralString] = """
SELECT n.oid IS NOT NULL AS schema_exists,
       coalesce(has_schema_privilege(n.oid, 'USAGE'), false) AS usable,
       (SELECT count(*) FROM pg_class o WHERE o.relnamespace = n.oid AND o.relkind = 'r'
           AND o.relname = ANY ($1::text[])) AS tables,
       coalesce((SELECT bool_and(has_table_privilege(o.oid, 'SELECT')) FROM pg_class o
                  WHERE o.relnamespace = n.oid AND o.relkind = 'r'), false) AS readable
  FROM (SELECT 1) AS one
  LEFT JOIN pg_namespace n ON n.nspname = 'seedframe'
"""


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What there is of the ledger, and what this role may do with it."""

    exists: bool
    incomplete: bool
    unreadable: str | None


def look(session: Session) -> LedgerState:
    """Find out whether there is a ledger and whether this role can read it. Errors: LedgerError (its version)."""
    state = session.first_dict(_STATE, [list(TABLES)])
    assert state is not None  # noqa: S101 - one row, whatever there is
    exists = state["tables"] == len(TABLES)
    incomplete = 0 < state["tables"] < len(TABLES)
    unreadable = None
    if state["schema_exists"] and not state["usable"]:
        unreadable = f"{session.role} has no USAGE on schema seedframe"
    elif incomplete:
        unreadable = "some of its tables are gone; `seedframe apply` makes them again"
    elif exists and not state["readable"]:
        unreadable = f"{session.role} has no SELECT on all tables of schema seedframe"
    elif exists:
        _check_version(session)
    return LedgerState(exists, incomplete, unreadable)


def _check_version(session: Session) -> None:
    version = session.scalar("SELECT version FROM seedframe.ledger")
    if version is not None and version < LEDGER_VERSION:
        raise LedgerError(
            f"the ledger in schema seedframe has version {version}, from before the first release",
            hint="DROP SCHEMA seedframe CASCADE forgets what was applied; the rows of the seeds stay",
        )
    if version != LEDGER_VERSION:
        raise LedgerError(
            f"the ledger in schema seedframe has version {version}, this seedframe knows {LEDGER_VERSION}",
            hint="use the newest seedframe that was applied to this database",
        )


def grants(session: Session) -> str:
    """What a role needs that is to use a ledger that somebody else made."""
    role = session.role_identifier
    return (
        f"GRANT USAGE ON SCHEMA seedframe TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE"
        f" ON ALL TABLES IN SCHEMA seedframe TO {role} (SELECT is enough for verify)"
    )


def create(session: Session) -> None:
    """Make what is missing of it. The caller holds the ledger's lock: IF NOT EXISTS alone is not atomic.

    Errors: PermissionDenied.
    """
    session.execute("SELECT set_config('citus.enable_schema_based_sharding', 'off', true)")
    try:
        if not session.scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'seedframe')"):
            session.execute("CREATE SCHEMA seedframe")
        for statement in _DDL:
            session.execute(statement)
    except PermissionDenied as error:
        raise PermissionDenied(
            f"the ledger cannot be made: {error.message}",
            hint=f"as the database's owner: CREATE SCHEMA seedframe AUTHORIZATION {session.role_identifier}",
        ) from error
