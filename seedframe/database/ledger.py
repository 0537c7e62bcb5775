"""The ledger: seedframe's own tables, in the schema `seedframe` of the same database: runs, outcomes, baselines."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from seedframe.changes import Counts
from seedframe.database.compare import Source, cell_hashes, declared_hashes, key_hash, row_fingerprint
from seedframe.database.declared import Shape
from seedframe.database.keeping import NOTHING_KEPT, KeptRow, kept_count, save_kept
from seedframe.database.session import Session
from seedframe.errors import LedgerError, PermissionDenied, Problem
from seedframe.history import RunRecord, SeedRecord
from seedframe.verdicts import Baseline, LeftCell, LeftRow

LEDGER_VERSION: Final = 2

_TABLES: Final = ("ledger", "run", "outcome", "applied_seed", "baseline", "baseline_row", "owned_row", "extra_row")

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

# What the server's hash functions make of a value of each type: equal on two servers whose hashes can be compared.
_PROBE: Final[LiteralString] = """
SELECT hash_record_extended(row(true, 7::int2, 7, 7::int8, 7::oid, uuid '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  date '2001-02-03', time '04:05', timetz '04:05+01', timestamp '2001-02-03 04:05',
  timestamptz '2001-02-03 04:05+01', '\\x0a'::bytea, 'n'::name,
  'a text, long enough for more than one round'::text COLLATE "C", 'v'::varchar COLLATE "C",
  'c '::bpchar COLLATE "C", 1.50::numeric, 1.5::float4, 1.5::float8, inet '10.0.0.1', cidr '10.0.0.0/8',
  macaddr '08:00:2b:01:02:03', interval '1 mon 2 days', '{"a": [1, null]}'::jsonb), 0)
"""

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

_RUNS: Final[LiteralString] = """
SELECT r.id, r.started_at, r.finished_at, r.command, r.mode, r.env, r.status, r.version,
       r.os_user AS who, r.host, coalesce(r.duration_s, 0) AS duration_s,
       coalesce(sum(o.created), 0)::bigint AS created, coalesce(sum(o.updated), 0)::bigint AS updated,
       coalesce(sum(o.deleted), 0)::bigint AS deleted, coalesce(sum(o.unchanged), 0)::bigint AS unchanged
  FROM seedframe.run r LEFT JOIN seedframe.outcome o ON o.run_id = r.id
 WHERE r.project = $1 AND r.target_schema = $2 AND ($3::bigint IS NULL OR r.id = $3)
 GROUP BY r.id ORDER BY r.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What is known of a run when it begins. `arguments` holds no secret."""

    env: str
    command: str
    mode: str
    version: str
    os_user: str
    host: str
    arguments: dict[str, Any] = field(default_factory=dict)


class Ledger:
    """The ledger of one project and one schema, over one session. Live rows decide; the ledger only remembers."""

    def __init__(self, session: Session, *, project: str, baseline_rows: int) -> None:
        self._session = session
        self._project = project
        self._schema = session.schema
        self.baseline_rows = baseline_rows
        self.exists = False
        self.incomplete = False
        self.repaired = False
        self.unreadable: str | None = None
        self._probed: int | None = None

    def look(self) -> None:
        """Find out whether there is a ledger and whether this role can read it."""
        state = self._session.first_dict(_STATE, [list(_TABLES)])
        assert state is not None  # noqa: S101 - one row, whatever there is
        self.exists = state["tables"] == len(_TABLES)
        self.incomplete = 0 < state["tables"] < len(_TABLES)
        self.unreadable = None
        if state["schema_exists"] and not state["usable"]:
            self.unreadable = f"{self._session.role} has no USAGE on schema seedframe"
        elif self.incomplete:
            self.unreadable = "some of its tables are gone; `seedframe apply` makes them again"
        elif self.exists and not state["readable"]:
            self.unreadable = f"{self._session.role} has no SELECT on all tables of schema seedframe"
        elif self.exists:
            self._check_version()

    def _check_version(self) -> None:
        version = self._session.scalar("SELECT version FROM seedframe.ledger")
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

    @property
    def readable(self) -> bool:
        """True when it is there and can be read."""
        return self.exists and self.unreadable is None

    @property
    def grants(self) -> str:
        """What a role needs that is to use a ledger that somebody else made."""
        role = self._session.role_identifier
        return (
            f"GRANT USAGE ON SCHEMA seedframe TO {role}; GRANT SELECT, INSERT, UPDATE, DELETE"
            f" ON ALL TABLES IN SCHEMA seedframe TO {role} (SELECT is enough for verify)"
        )

    def create(self) -> None:
        """Make what is missing of it. The caller holds the ledger's lock: IF NOT EXISTS alone is not atomic."""
        self.repaired = self.repaired or self.incomplete
        self._session.execute("SELECT set_config('citus.enable_schema_based_sharding', 'off', true)")
        try:
            if not self._session.scalar("SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'seedframe')"):
                self._session.execute("CREATE SCHEMA seedframe")
            for statement in _DDL:
                self._session.execute(statement)
        except PermissionDenied as error:
            raise PermissionDenied(
                f"the ledger cannot be made: {error.message}",
                hint=f"as the database's owner: CREATE SCHEMA seedframe AUTHORIZATION {self._session.role_identifier}",
            ) from error
        self.exists = True

    # Runs

    def start_run(self, start: RunStart) -> int:
        """Enter a run; its number."""
        return int(
            self._session.scalar(
                "INSERT INTO seedframe.run"
                " (project, target_schema, env, command, mode, version, os_user, host, arguments)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id",
                [
                    self._project, self._schema, start.env, start.command, start.mode, start.version, start.os_user,
                    start.host, Jsonb(start.arguments),
                ],
            )
        )  # fmt: skip

    def finish_run(self, run: int, *, status: str, duration_s: float, error: Problem | None) -> None:
        """Close a run's entry."""
        self._session.execute(
            "UPDATE seedframe.run SET status = $2, duration_s = $3, error = $4, finished_at = clock_timestamp()"
            " WHERE id = $1",
            [run, status, duration_s, _problem(error)],
        )

    def record(
        self, run: int, *, seed: str, origin: str, status: str, counts: Counts, duration_s: float, error: Problem | None
    ) -> None:
        """Enter the outcome of one seed, in the transaction of its changes (or, when it failed, after the rollback)."""
        self._session.execute(
            "INSERT INTO seedframe.outcome"
            " (run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            [
                run, seed, origin, status, counts.create, counts.update, counts.delete, counts.unchanged, duration_s,
                _problem(error),
            ],
        )  # fmt: skip

    def runs(self, *, limit: int | None = None, run: int | None = None) -> list[RunRecord]:
        """Runs, newest first; with `run`, that one and its seeds."""
        if not self.readable:
            return []
        records = []
        for row in self._session.dicts(_RUNS, [self._project, self._schema, run, limit]):
            counts = Counts(row.pop("created"), row.pop("updated"), row.pop("deleted"), row.pop("unchanged"))
            seeds = self._seeds_of(row["id"]) if run is not None else ()
            records.append(RunRecord(**row, counts=counts, seeds=seeds))
        return records

    def _seeds_of(self, run: int) -> tuple[SeedRecord, ...]:
        rows = self._session.dicts(
            "SELECT seed, status, created, updated, deleted, unchanged, duration_s, error"
            " FROM seedframe.outcome WHERE run_id = $1 ORDER BY id",
            [run],
        )
        return tuple(
            SeedRecord(
                seed=row["seed"],
                status=row["status"],
                counts=Counts(row["created"], row["updated"], row["deleted"], row["unchanged"]),
                duration_s=row["duration_s"],
                error=Problem(**row["error"]) if row["error"] else None,
            )
            for row in rows
        )

    # What was applied

    def applied(self) -> dict[str, str]:
        """The seeds that were applied to this schema: name and origin."""
        if not self.readable:
            return {}
        rows = self._session.query(
            "SELECT seed, origin FROM seedframe.applied_seed WHERE project = $1 AND target_schema = $2 ORDER BY seed",
            [self._project, self._schema],
        )
        return {row[0]: row[1] for row in rows}

    def mark_applied(self, seed: str, *, origin: str, run: int) -> None:
        """Remember that a seed was applied; written once, and again only when it comes from elsewhere."""
        self._session.execute(
            "INSERT INTO seedframe.applied_seed AS a (project, target_schema, seed, origin, first_run)"
            " SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM seedframe.applied_seed"
            " WHERE project = $1 AND target_schema = $2 AND seed = $3 AND origin = $4)"
            " ON CONFLICT (project, target_schema, seed) DO UPDATE SET origin = excluded.origin",
            [self._project, self._schema, seed, origin, run],
        )

    def baselines(self, seed: str) -> dict[str, Baseline]:
        """What the last apply of a seed left behind, by resource."""
        if not self.readable:
            return {}
        rows = self._session.dicts(
            "SELECT resource, id, declared_digest, fingerprint, columns, by_row, kept, server_major, hash_probe"
            " FROM seedframe.baseline WHERE project = $1 AND target_schema = $2 AND seed = $3 ORDER BY resource",
            [self._project, self._schema, seed],
        )
        major = self._session.server_version_num // 10000
        # Hashes may change with the major version; mostly they do not, and then what was left is known as before.
        probe = self._probe() if any(row["server_major"] != major for row in rows) else None
        return {
            row["resource"]: Baseline(
                id=row["id"],
                digest=row["declared_digest"],
                fingerprint=row["fingerprint"],
                columns=tuple(row["columns"]),
                by_row=row["by_row"],
                kept=row["kept"],
                comparable=row["server_major"] == major or row["hash_probe"] == probe,
            )
            for row in rows
        }

    def _probe(self) -> int:
        if self._probed is None:
            self._probed = int(self._session.scalar(_PROBE))
        return self._probed

    def store(self, seed: str, resource: str, baselines: dict[str, Baseline]) -> "BaselineStore":
        """The baselines of one resource."""
        return BaselineStore(self, self._session, seed, resource, baselines.get(resource))

    def save_baseline(
        self, seed: str, resource: str, *, digest: str, run: int, fingerprint: str | None = None,
        table: str | None = None, rows: int = 0, columns: Sequence[str] = (), by_row: bool = False, kept: int = 0,
        key: Sequence[str] = (),
    ) -> int:  # fmt: skip
        """Write a resource's baseline; its id."""
        return int(
            self._session.scalar(
                "INSERT INTO seedframe.baseline (project, target_schema, seed, resource, declared_digest, fingerprint,"
                " rows, columns, by_row, server_major, run_id, table_name, kept, hash_probe, key_columns)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
                " ON CONFLICT (project, target_schema, seed, resource) DO UPDATE SET"
                " declared_digest = excluded.declared_digest, fingerprint = excluded.fingerprint, rows = excluded.rows,"
                " columns = excluded.columns, by_row = excluded.by_row, server_major = excluded.server_major,"
                " hash_probe = excluded.hash_probe,"
                " run_id = excluded.run_id, table_name = excluded.table_name, kept = excluded.kept,"
                " key_columns = excluded.key_columns RETURNING id",
                [
                    self._project, self._schema, seed, resource, digest, fingerprint, rows, list(columns), by_row,
                    self._session.server_version_num // 10000, run, table, kept,
                    self._probe(), list(key),
                ],
            )
        )  # fmt: skip

    def shared(self, baseline: int) -> list[str]:
        """Other resources that declare the same columns of the same rows, as `rows:products of seed shop`."""
        rows = self._session.query(
            "SELECT DISTINCT b.resource, b.seed FROM seedframe.baseline m"
            " JOIN seedframe.baseline b ON (b.project, b.target_schema, b.table_name)"
            " = (m.project, m.target_schema, m.table_name) AND b.id <> m.id AND b.columns && m.columns"
            " JOIN seedframe.baseline_row mr ON mr.baseline_id = m.id"
            " JOIN seedframe.baseline_row br ON br.baseline_id = b.id AND br.key_hash = mr.key_hash"
            " WHERE m.id = $1 ORDER BY 2, 1",
            [baseline],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def drop_baseline(self, seed: str, resource: str) -> None:
        """Forget one resource of a seed: it is no longer declared, and there is nothing of it to remove."""
        self._session.execute(
            "DELETE FROM seedframe.baseline WHERE project = $1 AND target_schema = $2 AND seed = $3 AND resource = $4",
            [self._project, self._schema, seed, resource],
        )

    def forget(self, seed: str) -> int:
        """Drop a seed and its baselines; how many baselines there were. Its rows stay."""
        baselines = len(self.baselines(seed))
        self._session.execute(
            "DELETE FROM seedframe.applied_seed WHERE project = $1 AND target_schema = $2 AND seed = $3",
            [self._project, self._schema, seed],
        )
        return baselines


class BaselineStore:
    """The baseline of one resource: what it was compared with last, and where the next one is written."""

    def __init__(self, ledger: Ledger, session: Session, seed: str, resource: str, baseline: Baseline | None) -> None:
        self._ledger = ledger
        self._session = session
        self._seed = seed
        self._resource = resource
        self.baseline = baseline
        self.id = baseline.id if baseline is not None else None

    @property
    def unreadable(self) -> bool:
        """True when there is, or was, a ledger that cannot be read: nothing says whether this was ever applied."""
        return self._ledger.unreadable is not None or (self._ledger.repaired and self.baseline is None)

    def rows_left(self, keys: Sequence[int]) -> dict[int, LeftRow]:
        """The rows with these key hashes, as left."""
        if self.baseline is None or not keys:
            return {}
        rows = self._session.query(
            "SELECT key_hash, cell_hashes, coalesce(declared_hashes, cell_hashes), kept, absent"
            " FROM seedframe.baseline_row WHERE baseline_id = $1 AND key_hash = ANY ($2::bigint[])",
            [self.baseline.id, list(keys)],
        )
        columns = self.baseline.columns
        return {
            key: LeftRow(
                {
                    name: LeftCell(was, declared, flag)
                    for name, was, declared, flag in zip(
                        columns, there, declared_then, kept or [False] * len(columns), strict=True
                    )
                },
                absent,
            )
            for key, there, declared_then, kept, absent in rows
        }

    def extras(self) -> frozenset[int]:
        """The key hashes of the rows that are not declared and were left there, by choice."""
        if self.baseline is None or self.unreadable:
            return frozenset()
        rows = self._session.query(
            "SELECT key_hash FROM seedframe.extra_row WHERE baseline_id = $1", [self.baseline.id]
        )
        return frozenset(row[0] for row in rows)

    def save_extras(self, extras: Collection[int]) -> None:
        """Keep the key hashes of such rows, once the baseline is there."""
        self._session.execute("DELETE FROM seedframe.extra_row WHERE baseline_id = $1", [self.id])
        self._session.execute(
            "INSERT INTO seedframe.extra_row (baseline_id, key_hash) SELECT DISTINCT $1::bigint, h"
            " FROM unnest($2::bigint[]) AS u (h)",
            [self.id, list(extras)],
        )

    def untold(self, shape: Shape) -> list[str]:
        """Resources that declare rows of this table, and of which cannot be told here which: they have another key, or
        are too large for row hashes. As `rows:products of seed shop`."""
        rows = self._session.query(
            "SELECT b.resource, b.seed FROM seedframe.baseline AS b WHERE b.table_name = $1"
            " AND b.id IS DISTINCT FROM $2 AND (NOT b.by_row OR b.key_columns <> $3::text[]) ORDER BY 2, 1",
            [shape.table.label, self.id, _told_apart_by(shape)],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def declarers(self, table: str) -> list[str]:
        """Resources that declare rows of a table, by its schema and name, as `rows:products of seed shop`."""
        if not self._ledger.readable:
            return []
        rows = self._session.query(
            "SELECT b.resource, b.seed FROM seedframe.baseline AS b WHERE b.table_name = $1 ORDER BY 2, 1", [table]
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def declared_by_others(self, shape: Shape, keys: Sequence[int]) -> list[str]:
        """Resources that declared rows with these key hashes when they were last applied, as far as can be told."""
        if not self._ledger.readable:
            return []
        rows = self._session.query(
            "SELECT DISTINCT b.resource, b.seed FROM seedframe.baseline AS b"
            " JOIN seedframe.baseline_row AS r ON r.baseline_id = b.id AND r.key_hash = ANY ($4::bigint[])"
            " WHERE b.table_name = $1 AND b.id IS DISTINCT FROM $2 AND b.key_columns = $3::text[] ORDER BY 2, 1",
            [shape.table.label, self.id, _told_apart_by(shape), list(keys)],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def table_fingerprint(self, shape: Shape, tracked: Sequence[str]) -> str | None:
        """The number of the table's rows and the sum of their hashes, over key and tracked columns; no secret ones.

        None when one of the columns is no longer there.
        """
        names = [*(field.name for field in shape.key if not field.secret), *tracked]
        columns = [shape.table.columns[name] for name in names if name in shape.table.columns]
        if len(columns) < len(names) or not columns:
            return None
        return str(
            self._session.scalar(
                sql.SQL("SELECT count(*)::text || ':' || coalesce(sum({}), 0)::text FROM {} AS t").format(
                    row_fingerprint(columns), shape.table.source
                )
            )
        )

    def save(
        self,
        shape: Shape,
        declared: Callable[[], Source | None],
        *,
        digest: str,
        rows: int,
        changed: bool,
        run: int,
        kept: Mapping[int, KeptRow] = NOTHING_KEPT,
        owning: bool = False,
    ) -> list[str]:
        """Keep what was left behind, unless the ledger has just this. `declared` equals what is there by now.

        Args:
            kept: by line, the rows of which some cells, or all, were left as they are in the database.
            owning: whether the rows that the resource made are remembered; else they are forgotten, as somebody else
                may make them again meanwhile.

        Returns: the other resources that declare the same columns of the same rows.
        """
        columns = tuple(entry.name for entry in shape.tracked)
        # A hash of a secret key could be guessed at: such rows are told of as a whole.
        by_row = (rows <= self._ledger.baseline_rows or bool(kept)) and not any(field.secret for field in shape.key)
        known = self.baseline
        if (
            not changed
            and known is not None
            and (known.digest, known.columns, known.by_row, known.comparable, known.kept)
            == (digest, columns, by_row, True, kept_count(kept))
        ):
            return []
        source = declared() if by_row else None
        fingerprint = None if by_row else self.table_fingerprint(shape, columns)
        baseline = self._ledger.save_baseline(
            self._seed, self._resource, digest=digest, fingerprint=fingerprint, table=shape.table.label, rows=rows,
            columns=columns, by_row=by_row, run=run, kept=kept_count(kept),
            key=_told_apart_by(shape),
        )  # fmt: skip
        self.id = baseline
        self._session.execute("DELETE FROM seedframe.baseline_row WHERE baseline_id = $1", [baseline])
        if not owning and known is not None:
            self._session.execute("DELETE FROM seedframe.owned_row WHERE baseline_id = $1", [baseline])
        if by_row and source is not None:
            self._session.execute(
                sql.SQL(
                    "{}INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes)"
                    " SELECT {}, {}, {}, {} FROM {} ON CONFLICT (baseline_id, key_hash) DO NOTHING"
                ).format(
                    source.prefix,
                    sql.Literal(baseline),
                    key_hash(shape),
                    cell_hashes(shape, of_table=False),
                    declared_hashes(shape) if any(field.reference for field in shape.tracked) else sql.NULL,
                    source.relation,
                ),
                source.parameters or None,
            )
            if kept:
                save_kept(self._session, shape, source, baseline, kept)
        return self._ledger.shared(baseline)

    def save_plain(self, digest: str, *, run: int) -> None:
        """Keep the digest of a resource that is no set of rows."""
        if self.baseline is None or self.baseline.digest != digest:
            self._ledger.save_baseline(self._seed, self._resource, digest=digest, run=run)


def _told_apart_by(shape: Shape) -> list[str]:
    """What the hashes of its keys are made from: two resources with the same have one hash for one row."""
    return [*(field.name for field in shape.key), *(expression.text for expression in shape.identity.expressions)]


def _problem(error: Problem | None) -> Jsonb | None:
    if error is None:
        return None
    return Jsonb({"code": error.code, "message": error.message, "hint": error.hint, "where": error.where})
