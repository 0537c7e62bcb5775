"""Which tables were written, emptied or altered between two looks at them, in the transaction that is open."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.session import Session

# The counters may hold what transactions before have left there, so that only what was added says anything. TRUNCATE
# counts nothing; it gives a table another file, and takes a lock that nothing but DDL asks for.
_TABLES: Final[LiteralString] = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relfilenode::bigint AS file, l.relation IS NOT NULL AS locked,
       pg_stat_get_xact_tuples_inserted(c.oid) + pg_stat_get_xact_tuples_updated(c.oid)
       + pg_stat_get_xact_tuples_deleted(c.oid) AS written, current_setting('track_counts') = 'on' AS counted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT DISTINCT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
                AND mode = 'AccessExclusiveLock') l ON l.relation = c.oid
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
"""

# A partition, or a table that inherits, is declared with the one above it.
_ABOVE: Final[LiteralString] = """
WITH RECURSIVE up (oid, above) AS (
    SELECT o, o FROM unnest($1::oid[]) o
    UNION SELECT up.oid, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.above
)
SELECT DISTINCT oid FROM up WHERE above = ANY ($2::oid[])
"""

# Whatever writes has a transaction id, and each id is locked by who has it; a savepoint's own id is seen nowhere else.
_WRITING: Final[LiteralString] = """
SELECT l.locktype, l.relation::bigint, l.transactionid::text, n.nspname::text, c.relname::text
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm') AND l.database <> 0
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND l.mode <> 'AccessShareLock'
   AND l.locktype IN ('transactionid', 'relation')
"""


@dataclass(frozen=True, slots=True)
class WritingLocks:
    """What shows that something was written: transaction ids, and tables by oid with schema and name."""

    ids: frozenset[str]
    tables: Mapping[int, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class TableState:
    """One table, as far as writing to it leaves a trace."""

    schema: str
    name: str
    file: int
    locked: bool
    written: int
    counted: bool


@dataclass(frozen=True, slots=True)
class Touched:
    """A table that was written, emptied, altered, or dropped."""

    oid: int
    schema: str
    name: str


def writing_locks(session: Session) -> WritingLocks:
    """The locks of the open transaction, and of the savepoint, that only who writes has."""
    rows = session.query(_WRITING)
    return WritingLocks(
        frozenset(row[2] for row in rows if row[0] == "transactionid"),
        {row[1]: (row[3], row[4]) for row in rows if row[0] == "relation" and row[4] is not None},
    )


def table_states(session: Session) -> Mapping[int, TableState]:
    """All tables but temporary ones and the server's own, by oid."""
    return {row.pop("oid"): TableState(**row) for row in session.dicts(_TABLES)}


def touched_since(session: Session, before: Mapping[int, TableState]) -> list[Touched]:
    """What was done to tables since: those that were made since count when something was written to them."""
    after = table_states(session)
    found = [Touched(oid, old.schema, old.name) for oid, old in before.items() if oid not in after]
    for oid, new in after.items():
        old = before.get(oid)
        if old is None:
            changed = new.written > 0
        else:
            changed = new.written != old.written or new.file != old.file or new.locked > old.locked
        if changed:
            found.append(Touched(oid, new.schema, new.name))
    return found


def not_within(session: Session, tables: Collection[Touched], declared: Collection[int]) -> list[Touched]:
    """Those of the tables that are neither declared nor below a table that is, by schema and name."""
    rows = session.query(_ABOVE, [[table.oid for table in tables], list(declared)])
    below = {row[0] for row in rows}
    return sorted((table for table in tables if table.oid not in below), key=lambda table: (table.schema, table.name))
