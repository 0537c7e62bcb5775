"""Which tables were written, emptied or altered between two looks at them, in the transaction that is open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.session import Session
from seedframe.errors import Misbehaved

# The counters may hold what transactions before have left there, so that only what was added says anything. TRUNCATE
# counts nothing; it gives a table another file, and takes a lock that nothing but DDL asks for.
_TABLES: Final[LiteralString] = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relfilenode::bigint AS file, l.relation IS NOT NULL AS locked,
       pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
       + pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS written,
           pg_catalog.current_setting('track_counts') = 'on' AS counted
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT DISTINCT relation FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'relation'
                AND mode = 'AccessExclusiveLock') l ON l.relation = c.oid
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'pg_toast', 'information_schema')
"""

# Whatever writes has a transaction id, and each id is locked by who has it; a savepoint's own id is seen nowhere else.
_WRITING: Final[LiteralString] = """
SELECT l.locktype, l.relation::bigint, l.transactionid::text, n.nspname::text, c.relname::text
  FROM pg_catalog.pg_locks l
  LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm') AND l.database <> 0::oid
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
    """A table that was made, written, emptied, altered, renamed, or dropped.

    Attributes:
        schema: where it was before; of one that was made since, where it is.
        name: likewise.
        made: it was not there before.
    """

    oid: int
    schema: str
    name: str
    made: bool = False


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
    """What was done to tables since. Those that were made by others meanwhile are not among them.

    Errors: Misbehaved where the server was told meanwhile to count no more.
    """
    after = table_states(session)
    if _all_counted(before) and not _all_counted(after):
        raise Misbehaved("turned track_counts off", hint="by it seedframe sees which tables are written")
    found = [Touched(oid, old.schema, old.name) for oid, old in before.items() if oid not in after]
    for oid, new in after.items():
        old = before.get(oid)
        if old is None:
            if new.locked or new.written > 0:
                found.append(Touched(oid, new.schema, new.name, made=True))
        elif (new.schema, new.name, new.file, new.written) != (
            old.schema,
            old.name,
            old.file,
            old.written,
        ) or new.locked > old.locked:
            found.append(Touched(oid, old.schema, old.name))
    return found


def _all_counted(states: Mapping[int, TableState]) -> bool:
    return all(state.counted for state in states.values())
