"""Who holds a lock on a table that could not be had in time."""

from collections.abc import Iterable
from typing import Final, LiteralString

from seedframe.database.catalog import Catalog
from seedframe.database.session import Session
from seedframe.errors import LockTimeout, SeedframeError

# Also on tables that these refer to, or that refer to them: checking a reference locks rows there. The strongest lock
# first, and of equals the oldest transaction's; whoever only reads is in nobody's way.
_HOLDER: Final[LiteralString] = """
WITH wanted AS (
    SELECT pg_catalog.unnest($1::oid[]) AS oid
    UNION SELECT confrelid FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY ($1::oid[])
    UNION SELECT conrelid FROM pg_constraint WHERE contype = 'f' AND confrelid = ANY ($1::oid[])
)
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, l.pid, a.application_name, a.state,
       pg_catalog.to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') AS since
  FROM wanted w
  JOIN pg_locks l ON l.relation = w.oid AND l.locktype = 'relation' AND l.granted
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND l.pid IS DISTINCT FROM pg_backend_pid() AND l.mode <> 'AccessShareLock'
  JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_stat_activity a ON a.pid = l.pid
 ORDER BY l.relation = ANY ($1::oid[]) DESC, l.mode IN ('RowShareLock', 'RowExclusiveLock'), a.xact_start
 LIMIT 1
"""


def named(error: LockTimeout, session: Session, tables: Iterable[str]) -> LockTimeout:
    """The same error with the table and the session that holds it, should it hold it still.

    Args:
        session: with a transaction that is open and sound.
        tables: the names of the tables that were to be written.
    """
    try:
        with session.savepoint():
            found = [table.oid for name in tables if (table := Catalog(session).find(name)) is not None]
            holder = session.first_dict(_HOLDER, [found])
    except SeedframeError:
        return error  # it is the one to hear of
    if holder is None:
        return error
    told = LockTimeout(
        f"table {holder['name']} is locked by {_words(holder['pid'], holder['application_name'])}"
        f"{_doing(holder['state'], holder['since'])}",
        hint="wait for it to end, end it, or raise lock_timeout under [database]",
        where=error.where,
    )
    told.__cause__ = error.__cause__
    return told


def _words(pid: int | None, application: str | None) -> str:
    if pid is None:
        return "a prepared transaction"
    return f"process {pid} ({application or 'an unnamed application'})"


def _doing(state: str | None, since: str | None) -> str:
    """Only those who may look at other roles' sessions are told."""
    return (f", {state}" if state else "") + (f" since {since} UTC" if since else "")
