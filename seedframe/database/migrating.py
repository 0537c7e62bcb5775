"""Keeps two migrations of a database apart, and tells what one changed in its schema."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from seedframe.database.address import Address
from seedframe.database.connection_problems import connection_problem
from seedframe.errors import LockTimeout

LOCK_S: Final = 600.0
_POLL_S: Final = 0.2

# Transaction-level, so that it works through PgBouncer and cannot outlive its owner.
_TRY_LOCK: Final = "SELECT pg_catalog.pg_try_advisory_xact_lock(pg_catalog.hashtextextended('seedframe migrations', 0))"

_TAKE_TIME: Final = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0"

# All names qualified, whatever the search_path of the role is.
_EMPTY_PATH: Final = "SET LOCAL search_path = ''"

_TABLES: Final = r"""
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f')
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'seedframe')
"""

# A digest of how everything is defined: columns, views, constraints, indexes, triggers, functions, enum labels,
# extensions. Rows, and what they would change (sequences' values), are left out.
_DIGEST: Final = r"""
WITH own (oid) AS (
    SELECT oid FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'seedframe')
),
line (text) AS (
    SELECT pg_catalog.concat_ws(' ', 'column', a.attrelid::regclass, a.attnum, a.attname, c.relkind,
                     pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated,
                     pg_catalog.pg_get_expr(d.adbin, d.adrelid))
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'i' AND c.relnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'view', oid::regclass, pg_catalog.pg_get_viewdef(oid))
    FROM pg_catalog.pg_class WHERE relkind IN ('v', 'm') AND relnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_catalog.pg_get_constraintdef(oid))
    FROM pg_catalog.pg_constraint WHERE connamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'index', pg_catalog.pg_get_indexdef(oid))
    FROM pg_catalog.pg_class WHERE relkind IN ('i', 'I') AND relnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'trigger', pg_catalog.pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
    WHERE NOT t.tgisinternal AND c.relnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'function', oid::regprocedure, prosrc, provolatile, prosecdef)
    FROM pg_catalog.pg_proc WHERE pronamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'label', e.enumtypid::regtype, e.enumsortorder, e.enumlabel)
    FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid
    WHERE t.typnamespace IN (SELECT oid FROM own)
    UNION ALL
    SELECT pg_catalog.concat_ws(' ', 'extension', extname, extversion) FROM pg_catalog.pg_extension
)
SELECT coalesce(pg_catalog.md5(pg_catalog.string_agg(text, E'\n' ORDER BY text COLLATE "C")), '') FROM line
"""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a schema looks like, without its rows: the tables' names, and a digest over all definitions."""

    tables: frozenset[str]
    digest: str


@dataclass(slots=True)
class Migration:
    """A migration that may run now. `server_version` is the server's, "17.10"; `change` tells what it did so far."""

    address: Address
    connect_timeout_s: float
    server_version: str
    _before: Outline = field(repr=False)

    def change(self) -> str:
        """What has changed in the schema, in a few words: "7 tables made", "schema unchanged" …

        Raises:
            ConnectionFailed: the database cannot be reached any more.
        """
        with _connected(self.address, self.connect_timeout_s, 0.0) as connection:
            return difference(self._before, read_outline(connection))


@contextmanager
def migrating(
    address: Address,
    *,
    connect_timeout_s: float = 10.0,
    wait_s: float = 0.0,
    waiting: Callable[[str], object] = lambda _: None,
) -> Iterator[Migration]:
    """Be the only one who migrates this database while the block runs.

    Args:
        address: the database.
        connect_timeout_s: seconds to wait for an answer of the server.
        wait_s: seconds to try again while it is not there or not ready.
        waiting: told once when someone else is migrating.

    Raises:
        ConnectionFailed: the database cannot be reached.
        LockTimeout: someone else has been migrating for ten minutes.
    """
    with _connected(address, connect_timeout_s, wait_s) as connection, connection.transaction():
        connection.execute(_TAKE_TIME)
        deadline, told = time.monotonic() + LOCK_S, False
        while not _scalar(connection, _TRY_LOCK):
            if not told:
                waiting("another seedframe db init migrates this database")
                told = True
            if time.monotonic() > deadline:
                raise LockTimeout(
                    f"another seedframe db init has been migrating {address.display} for {LOCK_S:.0f} s",
                    hint="let it finish, or end it, and try again",
                )
            time.sleep(_POLL_S)
        version = connection.info.server_version
        yield Migration(address, connect_timeout_s, f"{version // 10000}.{version % 10000}", read_outline(connection))


def read_outline(connection: psycopg.Connection[Any]) -> Outline:
    """The outline of all schemas but the system's and seedframe's own."""
    with connection.transaction():
        connection.execute(_EMPTY_PATH)
        tables = frozenset(name for (name,) in connection.execute(_TABLES))
        return Outline(tables, _scalar(connection, _DIGEST))


def difference(before: Outline, after: Outline) -> str:
    """What became of a schema, in a few words."""
    made, dropped = len(after.tables - before.tables), len(before.tables - after.tables)
    parts = [
        f"{count} table{'s' if count > 1 else ''} {done}"
        for count, done in ((made, "made"), (dropped, "dropped"))
        if count
    ]
    if parts:
        return ", ".join(parts)
    return "schema unchanged" if before.digest == after.digest else "schema changed"


@contextmanager
def _connected(address: Address, connect_timeout_s: float, wait_s: float) -> Iterator[psycopg.Connection[Any]]:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            connection = psycopg.connect(make_conninfo(**address.connect_args(connect_timeout_s)))
            break
        except psycopg.Error as error:
            problem = connection_problem(error, address)
            if not problem.retryable or time.monotonic() >= deadline:
                raise problem from None
            time.sleep(_POLL_S)
    try:
        with connection:
            connection.prepare_threshold = None  # statements are not kept on a connection that a pooler may share
            yield connection
    except psycopg.OperationalError as error:
        raise connection_problem(error, address) from None


def _scalar(connection: psycopg.Connection[Any], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]
