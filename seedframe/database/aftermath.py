"""What became of a transaction whose COMMIT was sent and not answered: the server knows, once it is at its end."""

from collections.abc import Callable

from seedframe.database.session import Session
from seedframe.errors import LockTimeout
from seedframe.retrying import Pauses


def await_end(session: Session, transaction_id: str | None, *, budget_s: float, waiting: Callable[[str], None]) -> None:
    """Wait, in short transactions, until a transaction of a connection that was lost is at its end.

    Args:
        transaction_id: as the server told it before; None where it told none, because there was nothing to commit.
        budget_s: seconds to wait.

    Raises:
        LockTimeout: it still is at work.
    """
    if transaction_id is None:
        return
    pauses = Pauses(budget_s)
    while _status(session, transaction_id) == "in progress":
        left = pauses.left_s
        if left <= 0:
            raise LockTimeout("the server is still at work on it", hint="wait for it to end")
        waiting(f"the server still works on what the lost connection asked for, {left:.0f} s left")
        pauses.pause()


def _status(session: Session, transaction_id: str) -> str | None:
    """committed, aborted, or in progress; None for what the server has forgotten, or never knew: it is another one."""
    session.begin(write=False)
    found: list[str | None] = []
    # A number from the future is an error; it is of a primary that was replaced by a standby.
    session.accepts(
        lambda: found.append(session.scalar("SELECT pg_catalog.txid_status($1::bigint)", [int(transaction_id)]))
    )
    session.rollback()
    return found[0] if found else None
