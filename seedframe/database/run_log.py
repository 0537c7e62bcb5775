"""The runs in the ledger: who, when, from where, and what became of each seed."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from seedframe.changes import Counts
from seedframe.database.audit_trail import AuditTrail
from seedframe.database.ledger import Ledger
from seedframe.database.locks import run_lock
from seedframe.errors import ConstraintViolated, LedgerError, Problem, SeedframeError
from seedframe.history import FORGOTTEN, ChangedRow, ResourceRecord, RunRecord, SeedRecord
from seedframe.report import Status

_SHOWN_ROWS: Final = 20
_FORGOTTEN_AT_ONCE: Final = 1_000

# A run without an end is at work while the session is there that began it, or while one has the lock: a new one, after
# the first was lost. Read as JSON, as ledgers of an older version have no such columns. A standby cannot see either.
_RUNS: Final[LiteralString] = """
SELECT r.id, r.started_at, r.finished_at, r.command, r.mode, r.env,
       CASE WHEN r.status = 'running' AND NOT pg_is_in_recovery() AND NOT EXISTS (
            SELECT FROM pg_stat_activity a WHERE a.pid = (pg_catalog.to_jsonb(r) ->> 'backend_pid'::text)::integer
               AND (a.backend_start IS NULL OR a.backend_start <= r.started_at)
       ) AND NOT EXISTS (
            SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1
               AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
               AND (l.classid::bigint << 32) | l.objid::bigint = $5
       ) THEN 'lost' ELSE r.status END AS status,
       r.version,
       r.os_user AS who, r.host, r.role, r.arguments, r.error, coalesce(r.duration_s, 0) AS duration_s,
       pg_catalog.to_jsonb(r) ->> 'address'::text AS address, pg_catalog.to_jsonb(r) ->> 'revision'::text AS revision,
       coalesce(pg_catalog.sum(o.created), 0)::bigint AS created, coalesce(pg_catalog.sum(o.updated), 0)::bigint
           AS updated,
       coalesce(pg_catalog.sum(o.deleted), 0)::bigint AS deleted, coalesce(pg_catalog.sum(o.unchanged), 0)::bigint
           AS unchanged
  FROM seedframe.run r LEFT JOIN seedframe.outcome o ON o.run_id = r.id
 WHERE r.project = $1 AND r.target_schema = $2 AND ($3::bigint IS NULL OR r.id = $3)
 GROUP BY r.id ORDER BY r.id DESC LIMIT $4
"""

_SEEDS: Final[LiteralString] = """
SELECT o.id, o.seed, o.origin, o.status, o.created, o.updated, o.deleted, o.unchanged, o.duration_s, o.error,
       o.recorded_at, (pg_catalog.to_jsonb(o) ->> 'position'::text)::bigint AS position,
           pg_catalog.to_jsonb(o) ->> 'hash'::text AS hash,
       pg_catalog.to_jsonb(o) ->> 'code_digest'::text AS code_digest,
           pg_catalog.to_jsonb(o) ->> 'data_digest'::text AS data_digest,
       nullif(pg_catalog.to_jsonb(o) -> 'resources'::text, 'null') AS resources
  FROM seedframe.outcome o WHERE o.run_id = $1 ORDER BY o.id
"""


# The state of a run is the worst of its seeds: in sync, all of them were.
_OLD: Final = sql.SQL("""
  FROM seedframe.run r
 WHERE r.project = $1 AND r.target_schema = $2 AND r.status = 'in_sync'
   AND r.started_at < clock_timestamp() - pg_catalog.make_interval(secs => $3) AND r.id <> $4
   AND NOT EXISTS (SELECT FROM seedframe.outcome o WHERE o.run_id = r.id AND o.position IS NOT NULL)
""")
_ANY_OLD: Final = sql.SQL(
    "SELECT pg_catalog.has_table_privilege('seedframe.run', 'DELETE') AND EXISTS (SELECT{})"
).format(_OLD)
# What another run removes at this moment is left to it.
_FORGET_OLD: Final = sql.SQL(
    "DELETE FROM seedframe.run WHERE id = ANY (ARRAY(SELECT r.id{}"
    " ORDER BY r.started_at LIMIT $5 FOR UPDATE OF r SKIP LOCKED))"
).format(_OLD)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What is known of a run when it begins. `arguments` holds no secret."""

    env: str
    command: str
    mode: str
    version: str
    os_user: str
    host: str
    revision: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What else an outcome's entry tells.

    Attributes:
        code: SHA-256 of the seed's code.
        data: SHA-256 of what its resources declared; None where that was not read to its end.
        resources: what was changed, resource by resource.
        rows: the changed rows, as far as they are listed.
    """

    code: str | None = None
    data: str | None = None
    resources: tuple[ResourceRecord, ...] = ()
    rows: tuple[ChangedRow, ...] = ()


class RunLog:
    """The runs of one project and one schema."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._session = ledger.session
        self._trail = AuditTrail(ledger)

    def start(self, start: RunStart) -> int:
        """Enter a run; its number."""
        entered = self._session.first(
            "INSERT INTO seedframe.run"
            " (project, target_schema, env, command, mode, version, os_user, host, arguments, revision)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id, txid_current_if_assigned()::text",
            [
                self._ledger.project, self._ledger.schema, start.env, start.command, start.mode, start.version,
                start.os_user, start.host, Jsonb(start.arguments), start.revision,
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
            [run, status, duration_s, _jsonb(_problem(error))],
        )

    def forget_unchanged(self, older_than_s: float | None, *, run: int) -> None:
        """Remove runs before this one that are older than so many seconds and neither changed anything nor failed.

        Some at a time, oldest first: the next run goes on. None keeps them all; so does a role that may not DELETE.
        """
        if older_than_s is None:
            return
        parameters = [self._ledger.project, self._ledger.schema, older_than_s, run]
        if not self._session.scalar(_ANY_OLD, parameters):
            return
        with contextlib.suppress(SeedframeError), self._session.savepoint():
            # Whatever is in the way, the run is at its end and did what it was to do.
            self._session.execute(_FORGET_OLD, [*parameters, _FORGOTTEN_AT_ONCE])

    def record(
        self,
        run: int,
        *,
        seed: str,
        origin: str,
        status: str,
        counts: Counts,
        duration_s: float,
        error: Problem | None,
        audited: Audited,
    ) -> None:
        """Enter the outcome of one seed, in the transaction of its changes (or, when it failed, after the rollback).

        One that changed something, failed, or was forgotten, becomes the next entry of the chain: the
        caller holds the run's lock.
        """
        facts: dict[str, Any] = {
            "seed": seed,
            "origin": origin,
            "status": status,
            "created": counts.create,
            "updated": counts.update,
            "deleted": counts.delete,
            "unchanged": counts.unchanged,
            "duration_s": duration_s,
            "code_digest": audited.code,
            "data_digest": audited.data,
            "resources": [_resource_facts(resource) for resource in audited.resources],
            "error": _problem(error),
        }
        chained = counts.changed > 0 or status in (Status.FAILED, FORGOTTEN)
        link = self._trail.link(run, facts, audited.rows) if chained else {}
        stored = {**facts, **link, "resources": Jsonb(facts["resources"]), "error": _jsonb(facts["error"])}
        statement = sql.SQL(
            "INSERT INTO seedframe.outcome (run_id, {}) VALUES ($1, {}) RETURNING id, txid_current_if_assigned()::text"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, stored)),
            sql.SQL(", ").join([sql.SQL(f"${number}") for number in range(2, len(stored) + 2)]),
        )
        try:
            entered = self._session.first(statement, [run, *stored.values()])
        except ConstraintViolated as error:
            if chained and isinstance(error.__cause__, psycopg.errors.UniqueViolation):
                # A snapshot from before the lock has missed the last entry of a run that ended in that moment.
                raise LedgerError(
                    "another run of this project ended in this moment", hint="run the command again"
                ) from psycopg.errors.SerializationFailure("the snapshot is older than the lock")
            raise
        assert entered is not None  # noqa: S101 - it was inserted
        self._session.transaction_id = entered[1]
        if chained and audited.rows:
            self._trail.add_rows(entered[0], audited.rows)

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

    def runs(
        self, *, limit: int | None = None, run: int | None = None, rows: int | None = _SHOWN_ROWS
    ) -> list[RunRecord]:
        """Runs, newest first; with `run`, that one and its seeds, each with so many of its changed rows (None: all)."""
        if not self._ledger.readable:
            return []
        records = []
        lock = run_lock(self._ledger.project, self._ledger.schema)
        for row in self._session.dicts(_RUNS, [self._ledger.project, self._ledger.schema, run, limit, lock]):
            seeds = self._seeds_of(row["id"], rows) if run is not None else ()
            error = row.pop("error")
            records.append(RunRecord(**_with_counts(row), seeds=seeds, error=Problem(**error) if error else None))
        return records

    def _seeds_of(self, run: int, rows: int | None) -> tuple[SeedRecord, ...]:
        return tuple(self._seed_record(found, rows) for found in self._session.dicts(_SEEDS, [run]))

    def _seed_record(self, found: dict[str, Any], limit: int | None) -> SeedRecord:
        outcome, error = found.pop("id"), found.pop("error")
        resources = tuple(_resource_record(resource) for resource in found.pop("resources") or ())
        rows = self._trail.rows(outcome, limit) if found["position"] is not None else []
        listed = sum(resource.counts.changed - resource.unlisted for resource in resources)
        return SeedRecord(
            **_with_counts(found),
            error=Problem(**error) if error else None,
            resources=resources,
            rows=tuple(rows),
            rows_omitted=max(0, listed - len(rows)),
        )


def storable(text: str) -> str:
    """A text that the server takes: without NUL, and without halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _with_counts(row: dict[str, Any]) -> dict[str, Any]:
    counts = Counts(row.pop("created"), row.pop("updated"), row.pop("deleted"), row.pop("unchanged"))
    return {**row, "counts": counts}


def _resource_facts(resource: ResourceRecord) -> dict[str, Any]:
    counts = resource.counts
    return {
        "resource": resource.resource,
        "created": counts.create,
        "updated": counts.update,
        "deleted": counts.delete,
        "unlisted": resource.unlisted,
    }


def _resource_record(facts: Mapping[str, Any]) -> ResourceRecord:
    counts = Counts(facts["created"], facts["updated"], facts["deleted"])
    return ResourceRecord(facts["resource"], counts, facts["unlisted"])


def _problem(error: Problem | None) -> dict[str, Any] | None:
    if error is None:
        return None
    facts = {"code": error.code, "message": error.message, "hint": error.hint, "where": error.where}
    return {name: None if text is None else storable(text) for name, text in facts.items()}


def _jsonb(facts: Mapping[str, Any] | None) -> Jsonb | None:
    return None if facts is None else Jsonb(facts)
