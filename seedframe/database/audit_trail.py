"""The audit trail: entries of the ledger, chained by their hashes; appended under the run's lock, and checked."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from seedframe.database.audit_chain import FORM, Inspection, Link, RowsDigest, entry_hash, run_digest
from seedframe.database.ledger import Ledger
from seedframe.errors import LedgerError
from seedframe.history import Broken, ChainCheck, ChainHead, ChangedRow

_BLOCK: Final = 1_000
_PAGE: Final = 500

# An instant as its text is: of fixed width, in UTC, to the microsecond that the server keeps.
_MOMENT: Final = sql.SQL("""pg_catalog.to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""")

_RUN_FACTS: Final = sql.SQL(
    "r.id, r.project, r.target_schema AS schema, r.env, r.command, r.mode, r.version, r.role, r.os_user, r.host,"
    " r.address, r.revision, r.arguments, {} AS started_at"
).format(_MOMENT.format(sql.SQL("r.started_at")))

# What the entry's text is made of is what the server makes of it: its clock, and its text of a number.
_NEXT: Final = sql.SQL("""
SELECT {}, {} AS recorded_at, $4::float8::text AS duration_s, $5::jsonb AS resources, $6::jsonb AS error,
       h.position, h.hash
  FROM seedframe.run r
  LEFT JOIN LATERAL (SELECT o.position, o.hash FROM seedframe.outcome o
                      WHERE o.project = $1 AND o.target_schema = $2 AND o.position IS NOT NULL
                      ORDER BY o.position DESC LIMIT 1) AS h ON true
 WHERE r.id = $3
""").format(_RUN_FACTS, _MOMENT.format(sql.SQL("clock_timestamp()")))

_ENTRIES: Final = sql.SQL("""
SELECT o.id AS outcome_id, o.run_id, o.hash, o.form, o.project, o.target_schema AS schema, o.position,
       o.previous_hash, o.run_digest, o.rows_digest, o.seed, o.origin, o.status, o.created, o.updated, o.deleted,
       o.unchanged, o.duration_s::text AS duration_s, o.code_digest, o.data_digest, o.resources, o.error,
       {} AS recorded_at
  FROM seedframe.outcome o
 WHERE o.project = $1 AND o.target_schema = $2 AND o.position IS NOT NULL AND ($3::bigint IS NULL OR o.position > $3)
 ORDER BY o.position LIMIT $4
""").format(_MOMENT.format(sql.SQL("o.recorded_at")))

_RUNS: Final = sql.SQL("SELECT {} FROM seedframe.run r WHERE r.id = ANY ($1::bigint[])").format(_RUN_FACTS)

_CHANGED: Final[LiteralString] = """
SELECT outcome_id, number, resource, action, key, columns FROM seedframe.changed_row
 WHERE outcome_id = ANY ($1::bigint[]) ORDER BY outcome_id, number
"""

_HEAD: Final[LiteralString] = """
SELECT o.position, o.hash FROM seedframe.outcome o
 WHERE o.project = $1 AND o.target_schema = $2 AND o.position IS NOT NULL ORDER BY o.position DESC LIMIT 1
"""

# Outcomes from before there was a chain have no list of resources, are of a run whose session is not known, and were
# numbered before all entries.
_UNCHAINED: Final[LiteralString] = """
SELECT o.run_id, o.seed, o.status
  FROM seedframe.outcome o LEFT JOIN seedframe.run r ON r.id = o.run_id
 WHERE coalesce(r.project, o.project) = $1 AND coalesce(r.target_schema, o.target_schema) = $2 AND o.position IS NULL
   AND (coalesce(o.hash, o.previous_hash, o.run_digest, o.rows_digest) IS NOT NULL
        OR ((o.created > 0 OR o.updated > 0 OR o.deleted > 0 OR o.status IN ('changed', 'failed', 'forgotten'))
            AND NOT (o.resources IS NULL AND r.backend_pid IS NULL
                     AND NOT EXISTS (SELECT FROM seedframe.outcome e WHERE e.position IS NOT NULL AND e.id < o.id))))
 ORDER BY o.id LIMIT 1
"""

# How a run ended is no part of an entry, but it cannot be better than what became of its seeds.
_ENDED_OTHERWISE: Final[LiteralString] = """
SELECT r.id, o.seed, o.status, r.status
  FROM seedframe.run r JOIN seedframe.outcome o ON o.run_id = r.id
 WHERE r.project = $1 AND r.target_schema = $2 AND r.status IN ('changed', 'in_sync', 'skipped', 'forgotten')
   AND (o.status = 'failed' OR o.status IN ('changed', 'forgotten') AND r.status <> o.status)
 ORDER BY o.id LIMIT 1
"""


class AuditTrail:
    """The chained entries of one project and one schema."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._session = ledger.session

    # Appending

    def link(self, run: int, facts: Mapping[str, Any], rows: Sequence[ChangedRow]) -> dict[str, Any]:
        """What makes an outcome the next entry of the chain; the caller holds the run's lock.

        Args:
            facts: seed, origin, status, created, updated, deleted, unchanged, duration_s, code_digest, data_digest,
                resources and error, the last two as they are to be in JSON.

        Returns: the values of the columns of `seedframe.outcome` that are not among the facts.

        Errors: LedgerError when the run's own entry is gone.
        """
        ledger = self._ledger
        found = self._session.first_dict(
            _NEXT,
            [
                ledger.project, ledger.schema, run, facts["duration_s"], Jsonb(facts["resources"]),
                None if facts["error"] is None else Jsonb(facts["error"]),
            ],
        )  # fmt: skip
        if found is None:
            raise LedgerError(f"run {run} was removed from the ledger", hint="see seedframe history --check")
        rows_digest = RowsDigest()
        for number, row in enumerate(rows, 1):
            rows_digest.add(row_facts(number, row))
        entry = {
            **facts,
            "form": FORM,
            "project": ledger.project,
            "schema": ledger.schema,
            "position": (found["position"] or 0) + 1,
            "previous_hash": found["hash"],
            "run_digest": run_digest(found),
            "rows_digest": rows_digest.hexdigest(),
            "duration_s": found["duration_s"],
            "resources": found["resources"],
            "error": found["error"],
            "recorded_at": found["recorded_at"],
        }
        made = ("form", "position", "previous_hash", "run_digest", "rows_digest", "recorded_at")
        return {
            "project": ledger.project,
            "target_schema": ledger.schema,
            **{name: entry[name] for name in made},
            "hash": entry_hash(entry),
        }

    def add_rows(self, outcome: int, rows: Sequence[ChangedRow]) -> None:
        """Enter the changed rows of an outcome."""
        for start in range(0, len(rows), _BLOCK):
            block = [row_facts(number, row) for number, row in enumerate(rows[start : start + _BLOCK], start + 1)]
            self._session.execute(
                "INSERT INTO seedframe.changed_row (outcome_id, number, resource, action, key, columns)"
                " SELECT $1, x.* FROM pg_catalog.jsonb_to_recordset($2)"
                " AS x (number integer, resource text, action text, key jsonb, columns text[])",
                [outcome, Jsonb(block)],
            )

    # Looking at it

    def head(self) -> ChainHead:
        """The last entry."""
        last = self._session.first(_HEAD, [self._ledger.project, self._ledger.schema]) if self._there else None
        return self._as_head(*(last or (0, None)))

    @property
    def _there(self) -> bool:
        """A ledger that was not upgraded yet has no chain."""
        return self._ledger.readable and self._ledger.chained

    def _as_head(self, position: int, hashed: str | None) -> ChainHead:
        database, at = self._session.query("SELECT current_database(), clock_timestamp()")[0]
        return ChainHead(
            project=self._ledger.project, schema=self._ledger.schema, database=database, position=position,
            hash=hashed, at=at,
        )  # fmt: skip

    def check(self, head: ChainHead | None = None) -> ChainCheck:
        """Compute every hash again, up to the first link that does not fit."""
        inspection = Inspection(head)
        broken = self._first_broken(inspection) or self._beside() or inspection.end()
        return ChainCheck(self._as_head(inspection.entries, inspection.last_hash), broken, head)

    def _beside(self) -> Broken | None:
        """What does not fit the chain, and is no entry of it."""
        if not self._there:
            return None
        if not self._ledger.current:
            text = f"the ledger says that it is of version {self._ledger.version}, and has the columns of a later one"
            return Broken("version", None, None, None, text)
        parameters = [self._ledger.project, self._ledger.schema]
        unchained = self._session.first(_UNCHAINED, parameters)
        if unchained is not None:
            run, seed, status = unchained
            text = f"run {run}, seed {seed}, has an outcome ({status}) that ought to be an entry and is none"
            return Broken("unchained", None, run, seed, text)
        ended = self._session.first(_ENDED_OTHERWISE, parameters)
        if ended is not None:
            run, seed, status, of_run = ended
            text = f"run {run} is entered as {of_run}, though its seed {seed} is entered as {status}"
            return Broken("status", None, run, seed, text)
        return None

    def _first_broken(self, inspection: Inspection) -> Broken | None:
        for link in self._links():
            broken = inspection.look(link)
            if broken is not None:
                return broken
        return None

    def _links(self) -> Iterator[Link]:
        """All entries, page by page, so that no more than a page of them is ever held."""
        after: int | None = None
        while self._there:
            page = self._session.dicts(_ENTRIES, [self._ledger.project, self._ledger.schema, after, _PAGE])
            if not page:
                return
            after = page[-1]["position"]
            runs = {
                run["id"]: run_digest(run)
                for run in self._session.dicts(_RUNS, [list({entry["run_id"] for entry in page})])
            }
            digests = self._rows_digests([entry["outcome_id"] for entry in page])
            for entry in page:
                run, hashed = entry["run_id"], entry["hash"]
                yield Link(run, entry, hashed, runs.get(run), digests.get(entry["outcome_id"], _NO_ROWS))

    def _rows_digests(self, outcomes: Sequence[int]) -> dict[int, str]:
        digests: dict[int, str] = {}
        rows = self._session.stream(_CHANGED, [list(outcomes)])
        for outcome, changed in groupby(rows, key=lambda row: row[0]):
            total = RowsDigest()
            for _, number, resource, action, key, columns in changed:
                total.add({"number": number, "resource": resource, "action": action, "key": key, "columns": columns})
            digests[outcome] = total.hexdigest()
        return digests

    def rows(self, outcome: int, limit: int | None) -> list[ChangedRow]:
        """The first changed rows of an outcome."""
        found = self._session.query(
            "SELECT resource, action, key, columns FROM seedframe.changed_row WHERE outcome_id = $1"
            " ORDER BY number LIMIT $2",
            [outcome, limit],
        )
        return [
            ChangedRow(resource, action, key, None if columns is None else tuple(columns))
            for resource, action, key, columns in found
        ]


_NO_ROWS: Final = RowsDigest().hexdigest()


def row_facts(number: int, row: ChangedRow) -> dict[str, Any]:
    """A changed row as its text has it."""
    return {
        "number": number,
        "resource": row.resource,
        "action": row.action,
        "key": None if row.key is None else dict(row.key),
        "columns": None if row.columns is None else list(row.columns),
    }
