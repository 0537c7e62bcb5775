"""Locks: one run at a time for a project and schema, by transaction-level advisory locks that die with their owner."""

from collections.abc import Callable
from hashlib import sha256
from typing import Final, LiteralString

from seedframe.database.session import Session
from seedframe.errors import LockTimeout
from seedframe.retrying import Pauses

_HOLDER: Final[LiteralString] = """
SELECT a.pid, coalesce(nullif(a.application_name, ''), 'an unnamed application')
  FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (l.classid::bigint << 32) | l.objid::bigint = $1
 LIMIT 1
"""


def run_lock(project: str, schema: str) -> int:
    """The key of the lock of one project and target schema: 64 bits of a SHA-256."""
    return _key(f"run\0{project}\0{schema}")


def ledger_lock() -> int:
    """The key of the database-wide lock under which the ledger is made."""
    return _key("ledger")


def _key(text: str) -> int:
    return int.from_bytes(sha256(f"seedframe\0{text}".encode()).digest()[:8], "big", signed=True)


def lock_too(session: Session, key: int) -> None:
    """Take another lock in a transaction that has one; waits until it is free. Whoever has it must want no other."""
    session.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", [key])


def begin_locked(
    session: Session,
    key: int,
    *,
    budget_s: float,
    waiting: Callable[[str], None] = lambda _what: None,
    snapshot: bool = False,
) -> None:
    """Begin a writing transaction that holds the lock.

    Polled in short transactions: a blocking wait would hold a snapshot back, be cut by the role's statement_timeout,
    and could not say who holds the lock.

    Args:
        budget_s: seconds to keep trying; at least one attempt is made.
        snapshot: the transaction is to be REPEATABLE READ. Its snapshot is that of the attempt which gets the lock, so
            that a run which ended in this very moment may be missing in it: what both wrote is then refused.

    Raises:
        LockTimeout: naming the holder.
    """
    pauses = Pauses(budget_s)
    while True:
        session.begin(write=True, snapshot=snapshot)
        if session.scalar("SELECT pg_catalog.pg_try_advisory_xact_lock($1)", [key]):
            return
        holder = session.first(_HOLDER, [key])
        session.rollback()
        who = f"process {holder[0]} ({holder[1]})" if holder is not None else "another session"
        left = pauses.left_s
        if left <= 0:
            raise LockTimeout(
                f"another run of this project is at work: {who} holds the lock",
                hint="wait for it to end, or give it longer with --wait SECONDS",
            )
        waiting(f"{who} holds the lock of this project, {left:.0f} s left")
        pauses.pause()
