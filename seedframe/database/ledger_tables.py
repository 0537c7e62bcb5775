"""The ledger's tables: their version, how they are made and upgraded, and whether they are there and can be read."""

from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.session import Session
from seedframe.errors import LedgerError, PermissionDenied

LEDGER_VERSION: Final = 4

_FIRST_VERSION: Final = 2
_FIRST_TABLES: Final = frozenset(
    {"ledger", "run", "outcome", "applied_seed", "baseline", "baseline_row", "owned_row", "extra_row"}
)
_NEW_TABLES: Final = {
    3: frozenset({"changed_row", "applied_plan", "guard"}),
    4: frozenset({"environment", "account"}),
}

# Version 2. A new ledger is made by this and all steps below it, so that it is no different from an upgraded one.
_FIRST: Final[tuple[LiteralString, ...]] = (
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

# Each step leads to the version that it is listed under, from the one before. It may be done again, to make a ledger
# whole of which some tables are gone; so it says IF NOT EXISTS and OR REPLACE throughout, and moves no data twice.
_STEPS: Final[dict[int, tuple[LiteralString, ...]]] = {
    3: (
        (
            "ALTER TABLE seedframe.run ADD COLUMN IF NOT EXISTS address text,"
            " ADD COLUMN IF NOT EXISTS revision text, ADD COLUMN IF NOT EXISTS backend_pid integer"
        ),
        # Apart, so that runs of the past have none.
        (
            "ALTER TABLE seedframe.run ALTER COLUMN address SET DEFAULT pg_catalog.host(inet_client_addr()),"
            " ALTER COLUMN backend_pid SET DEFAULT pg_backend_pid()"
        ),
        # The columns from `project` on are those of an entry of the chain; null in an outcome that is none.
        (
            "ALTER TABLE seedframe.outcome ADD COLUMN IF NOT EXISTS code_digest text,"
            " ADD COLUMN IF NOT EXISTS data_digest text,"
            " ADD COLUMN IF NOT EXISTS resources jsonb,"
            " ADD COLUMN IF NOT EXISTS project text, ADD COLUMN IF NOT EXISTS target_schema text,"
            " ADD COLUMN IF NOT EXISTS form integer, ADD COLUMN IF NOT EXISTS position bigint,"
            " ADD COLUMN IF NOT EXISTS run_digest text, ADD COLUMN IF NOT EXISTS rows_digest text,"
            " ADD COLUMN IF NOT EXISTS previous_hash text, ADD COLUMN IF NOT EXISTS hash text"
        ),
        (
            "CREATE UNIQUE INDEX IF NOT EXISTS outcome_by_position"
            " ON seedframe.outcome (project, target_schema, position) WHERE position IS NOT NULL"
        ),
        """CREATE TABLE IF NOT EXISTS seedframe.changed_row (
            outcome_id bigint NOT NULL REFERENCES seedframe.outcome ON DELETE CASCADE,
            number integer NOT NULL,
            resource text NOT NULL,
            action text NOT NULL,
            key jsonb,
            columns text[],
            PRIMARY KEY (outcome_id, number)
        )""",
        # Without a reference to the run, whose entry may go when it has become old.
        """CREATE TABLE IF NOT EXISTS seedframe.applied_plan (
            id text PRIMARY KEY,
            run_id bigint NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )""",
        # Empty whenever anybody looks: see database/guard.py.
        """CREATE TABLE IF NOT EXISTS seedframe.guard (
            id bigint PRIMARY KEY,
            unmet bigint NOT NULL,
            CONSTRAINT only_seedframe_commits FOREIGN KEY (unmet) REFERENCES seedframe.guard
                DEFERRABLE INITIALLY DEFERRED
        )""",
        # Whoever may alter the tables can switch these off: they are against slips, the hashes are against the rest.
        """CREATE OR REPLACE FUNCTION seedframe.refuse_change() RETURNS trigger
            LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
            BEGIN
                RAISE EXCEPTION 'seedframe.% is an audit trail: what is entered there stays as it is', TG_TABLE_NAME
                    USING ERRCODE = 'object_not_in_prerequisite_state';
            END $$""",
        (
            "CREATE OR REPLACE TRIGGER stays BEFORE UPDATE OR DELETE ON seedframe.outcome"
            " FOR EACH ROW WHEN (OLD.position IS NOT NULL) EXECUTE FUNCTION seedframe.refuse_change()"
        ),
        (
            "CREATE OR REPLACE TRIGGER stays_whole BEFORE TRUNCATE ON seedframe.outcome"
            " FOR EACH STATEMENT EXECUTE FUNCTION seedframe.refuse_change()"
        ),
        (
            "CREATE OR REPLACE TRIGGER stays BEFORE UPDATE OR DELETE ON seedframe.changed_row"
            " FOR EACH ROW EXECUTE FUNCTION seedframe.refuse_change()"
        ),
        (
            "CREATE OR REPLACE TRIGGER stays_whole BEFORE TRUNCATE ON seedframe.changed_row"
            " FOR EACH STATEMENT EXECUTE FUNCTION seedframe.refuse_change()"
        ),
        # What a run was started as is part of its entries; how it ended is not known yet when they are made.
        (
            "CREATE OR REPLACE TRIGGER stays BEFORE UPDATE OF id, project, target_schema, env, command, mode, version,"
            " role, os_user, host, address, revision, arguments, started_at ON seedframe.run"
            " FOR EACH ROW EXECUTE FUNCTION seedframe.refuse_change()"
        ),
        # Runs that changed nothing are looked for by age.
        """CREATE INDEX IF NOT EXISTS run_in_sync ON seedframe.run (project, target_schema, started_at)
            WHERE status = 'in_sync'""",
    ),
    4: (
        # The name of the environment that the whole database is of: one row, or none.
        """CREATE TABLE IF NOT EXISTS seedframe.environment (
            single boolean PRIMARY KEY DEFAULT true CONSTRAINT one_row CHECK (single),
            env text NOT NULL,
            marked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            marked_by text NOT NULL DEFAULT current_user,
            project text NOT NULL
        )""",
        # Without a reference to the run, whose entry may go when it has become old.
        """CREATE TABLE IF NOT EXISTS seedframe.account (
            project text NOT NULL,
            target_schema text NOT NULL,
            seed text NOT NULL,
            resource text NOT NULL,
            password_version integer NOT NULL,
            changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            run_id bigint,
            PRIMARY KEY (project, target_schema, seed, resource)
        )""",
    ),
}

_STATE: Final[LiteralString] = """
SELECT n.oid IS NOT NULL AS schema_exists,
       coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE'), false) AS usable,
       ARRAY(SELECT o.relname::text FROM pg_class o WHERE o.relnamespace = n.oid AND o.relkind = 'r') AS tables,
       coalesce((SELECT pg_catalog.has_table_privilege(o.oid, 'SELECT') FROM pg_class o WHERE o.relnamespace = n.oid
                  AND o.relkind = 'r' AND o.relname = 'environment'), false) AS mark_readable,
       EXISTS (SELECT FROM pg_attribute a JOIN pg_class o ON o.oid = a.attrelid
                WHERE o.relnamespace = n.oid AND o.relname = 'outcome' AND a.attname = 'position') AS chained,
       coalesce((SELECT pg_catalog.bool_and(pg_catalog.has_table_privilege(o.oid, 'SELECT')) FROM pg_class o
                  WHERE o.relnamespace = n.oid AND o.relkind = 'r'), false) AS readable
  FROM (SELECT 1) AS one
  LEFT JOIN pg_namespace n ON n.nspname = 'seedframe'
"""

_MARK: Final[LiteralString] = "SELECT env FROM seedframe.environment"
_VERSION: Final[LiteralString] = "SELECT pg_catalog.max(version), NULL::text FROM seedframe.ledger"
_VERSION_AND_MARK: Final[LiteralString] = (
    "SELECT pg_catalog.max(version), (SELECT env FROM seedframe.environment) FROM seedframe.ledger"
)


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What there is of the ledger, and what this role may do with it.

    Attributes:
        exists: all tables of its version are there.
        incomplete: only some are.
        unreadable: why it cannot be read; None where it can, or is not there.
        version: of its tables; None where that cannot be told.
        chained: its outcomes have what an entry of the chain has, whatever its version says.
        env: the environment that the database is marked as; None where it is not, or where that cannot be read.
    """

    exists: bool
    incomplete: bool
    unreadable: str | None
    version: int | None
    chained: bool = False
    env: str | None = None

    @property
    def outdated(self) -> bool:
        """True when `upgrade` has something to do."""
        return self.version is not None and self.version < LEDGER_VERSION


def look(session: Session) -> LedgerState:
    """Find out whether there is a ledger and whether this role can read it. Errors: LedgerError (its version)."""
    state = session.first_dict(_STATE)
    assert state is not None  # noqa: S101 - one row, whatever there is
    version = env = None
    mark = state["usable"] and state["mark_readable"]
    if "ledger" in state["tables"] and state["usable"] and state["readable"]:
        version, env = _version(session, mark=mark)
    elif mark:
        env = session.scalar(_MARK)
    expected = tables(LEDGER_VERSION if version is None else version)
    there = expected.intersection(state["tables"])
    # Without its version, a table of its own that is missing may be one that its version does not have.
    exists = there >= (tables(_FIRST_VERSION) if version is None else expected)
    incomplete = bool(there) and not exists
    unreadable = None
    if state["schema_exists"] and not state["usable"]:
        unreadable = f"{session.role} has no USAGE on schema seedframe"
    elif incomplete:
        unreadable = "some of its tables are gone; `seedframe apply` makes them again"
    elif exists and not state["readable"]:
        unreadable = f"{session.role} has no SELECT on all tables of schema seedframe"
    return LedgerState(exists, incomplete, unreadable, version, state["chained"], env)


def tables(version: int) -> frozenset[str]:
    """The names of the tables that a ledger of this version has."""
    return _FIRST_TABLES.union(*(new for since, new in _NEW_TABLES.items() if since <= version))


def _version(session: Session, *, mark: bool) -> tuple[int | None, str | None]:
    """Its version, and the environment of the database, in one round trip."""
    found = session.first(_VERSION_AND_MARK if mark else _VERSION)
    version, env = (None, None) if found is None else found
    if version is not None and version < _FIRST_VERSION:
        raise LedgerError(
            f"the ledger in schema seedframe has version {version}, from before the first release",
            hint="DROP SCHEMA seedframe CASCADE forgets what was applied; the rows of the seeds stay",
        )
    if version is None or version > LEDGER_VERSION:
        raise LedgerError(
            f"the ledger in schema seedframe has version {version}, this seedframe knows {LEDGER_VERSION}",
            hint="use the newest seedframe that was applied to this database",
        )
    return version, env


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
    session.execute("SELECT pg_catalog.set_config('citus.enable_schema_based_sharding', 'off', true)")
    try:
        if not session.scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'seedframe')"):
            session.execute("CREATE SCHEMA seedframe")
        if session.scalar("SELECT pg_catalog.to_regclass('seedframe.outcome') IS NULL"):
            # The outcomes whose rows these were are gone, and others are to have their numbers.
            session.execute("DROP TABLE IF EXISTS seedframe.changed_row")
        for statement in _FIRST:
            session.execute(statement)
        _take_steps(session, _FIRST_VERSION)
    except PermissionDenied as error:
        raise PermissionDenied(
            f"the ledger cannot be made: {error.message}",
            hint=f"as the database's owner: CREATE SCHEMA seedframe AUTHORIZATION {session.role_identifier}",
        ) from error


def upgrade(session: Session, version: int) -> None:
    """Bring a ledger of this version to the newest, step by step. The caller holds the ledger's lock.

    Errors: PermissionDenied, LockTimeout (somebody is reading it).
    """
    try:
        with session.savepoint():
            _take_steps(session, version)
    except PermissionDenied as error:
        owner = session.scalar(
            "SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_class"
            " WHERE oid = pg_catalog.to_regclass('seedframe.run')::oid"
        )
        raise PermissionDenied(
            f"the ledger in schema seedframe has version {version} and cannot be upgraded to {LEDGER_VERSION}:"
            f" {error.message}",
            hint=f"run `seedframe apply` once as {owner}, who owns its tables",
        ) from error


def _take_steps(session: Session, version: int) -> None:
    for step in range(version + 1, LEDGER_VERSION + 1):
        for statement in _STEPS[step]:
            session.execute(statement)
    session.execute("UPDATE seedframe.ledger SET version = $1", [LEDGER_VERSION])
