"""The version of each account's password, in the ledger: it was changed by a run when its version was raised."""

from typing import Final

from seedframe.database.ledger import Ledger

# The ledger's version that has the table.
_SINCE: Final = 4


def password_version(ledger: Ledger, seed: str, resource: str) -> int | None:
    """The version that was declared when a run last set the password; None where the ledger has none."""
    if not ledger.readable or (ledger.version or 0) < _SINCE:
        return None
    found: int | None = ledger.session.scalar(
        "SELECT password_version FROM seedframe.account"
        " WHERE project = $1 AND target_schema = $2 AND seed = $3 AND resource = $4",
        [ledger.project, ledger.schema, seed, resource],
    )
    return found


def keep_password_version(ledger: Ledger, seed: str, resource: str, version: int) -> None:
    """Remember the version."""
    ledger.session.execute(
        "INSERT INTO seedframe.account (project, target_schema, seed, resource, password_version)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (project, target_schema, seed, resource) DO UPDATE SET"
        " password_version = excluded.password_version, changed_at = clock_timestamp()",
        [ledger.project, ledger.schema, seed, resource, version],
    )
