"""The runs in the ledger: who, when, from where, and what became of each seed."""

from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from seedframe.changes import Counts
from seedframe.database.ledger import Ledger
from seedframe.database.locks import run_lock
from seedframe.errors import Problem
from seedframe.history import RunRecord, SeedRecord

# A run without an end is at work while the session is there that began it, or while one has the lock: a new one, after
# the first was lost. Read as JSON, as ledgers of an older version have no such column. A standby cannot see either.
_RUNS: Final[LiteralString] = """
SELECT r.id, r.started_at, r.finished_at, r.command, r.mode, r.env,
       CASE WHEN r.status = 'running' AND NOT pg_is_in_recovery() AND NOT EXISTS (
            SELECT FROM pg_stat_activity a WHERE a.pid = (to_jsonb(r) ->> 'backend_pid')::integer
               AND (a.backend_start IS NULL OR a.backend_start <= r.started_at)
       ) AND NOT EXISTS (
            SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (l.classid::bigint << 32) | l.objid::bigint = $5
       ) THEN 'lost' ELSE r.status END AS status,
       r.version,
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


class RunLog:
    """The runs of one project and one schema."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._session = ledger.session

    def start(self, start: RunStart) -> int:
        """Enter a run; its number."""
        entered = self._session.first(
            "INSERT INTO seedframe.run"
            " (project, target_schema, env, command, mode, version, os_user, host, arguments)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id, txid_current_if_assigned()::text",
            [
                self._ledger.project, self._ledger.schema, start.env, start.command, start.mode, start.version,
                start.os_user, start.host, Jsonb(start.arguments),
            ],
        )  # fmt: skip
        assert entered is not None  # noqa: S101 - it was inserted
        self._session.transaction_id = entered[1]
        return int(entered[0])

    def finish(self, run: int, *, status: str, duration_s: float, error: Problem | None) -> None:
        """Close a run's entry."""
        self._session.transaction_id = self._session.scalar(
            "UPDATE seedframe.run SET status = $2, duration_s = $3, error = $4, finished_at = clock_timestamp()"
            " WHERE id = $1 RETURNING txid_current_if_assigned()::text",
            [run, status, duration_s, _problem(error)],
        )

    def record(
        self, run: int, *, seed: str, origin: str, status: str, counts: Counts, duration_s: float, error: Problem | None
    ) -> None:
        """Enter the outcome of one seed, in the transaction of its changes (or, when it failed, after the rollback)."""
        self._session.transaction_id = self._session.scalar(
            "INSERT INTO seedframe.outcome"
            " (run_id, seed, origin, status, created, updated, deleted, unchanged, duration_s, error)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING txid_current_if_assigned()::text",
            [
                run, seed, origin, status, counts.create, counts.update, counts.delete, counts.unchanged, duration_s,
                _problem(error),
            ],
        )  # fmt: skip

    # What is there, for those who lost their connection on the way

    def has_run(self, run: int) -> bool:
        """True when this run was entered."""
        return self._is_there("SELECT FROM seedframe.run WHERE id = $1", run)

    def has_end(self, run: int) -> bool:
        """True when the end of this run was entered."""
        return self._is_there("SELECT FROM seedframe.run WHERE id = $1 AND finished_at IS NOT NULL", run)

    def has_outcome(self, run: int, seed: str) -> bool:
        """True when the outcome of this seed was entered in this run."""
        return self._is_there("SELECT FROM seedframe.outcome WHERE run_id = $1 AND seed = $2", run, seed)

    def _is_there(self, statement: LiteralString, *parameters: object) -> bool:
        self._ledger.look()
        return self._ledger.readable and self._session.first(statement, parameters) is not None

    def runs(self, *, limit: int | None = None, run: int | None = None) -> list[RunRecord]:
        """Runs, newest first; with `run`, that one and its seeds."""
        if not self._ledger.readable:
            return []
        records = []
        for row in self._session.dicts(
            _RUNS,
            [
                self._ledger.project,
                self._ledger.schema,
                run,
                limit,
                run_lock(self._ledger.project, self._ledger.schema),
            ],
        ):
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


def _problem(error: Problem | None) -> Jsonb | None:
    if error is None:
        return None
    return Jsonb({"code": error.code, "message": error.message, "hint": error.hint, "where": error.where})
