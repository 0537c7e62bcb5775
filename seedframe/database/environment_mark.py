"""The mark: the name of the environment that a database is of, kept in its ledger and compared by every run."""

import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from seedframe.database.ledger import Ledger
from seedframe.errors import PermissionDenied, WrongEnvironment

_MARK_FIRST: Final[LiteralString] = (
    "INSERT INTO seedframe.environment (env, project) VALUES ($1, $2) ON CONFLICT (single) DO NOTHING"
)
_MARK_ANEW: Final[LiteralString] = (
    "INSERT INTO seedframe.environment (env, project) VALUES ($1, $2) ON CONFLICT (single) DO UPDATE"
    " SET env = excluded.env, project = excluded.project, marked_at = clock_timestamp(), marked_by = current_user"
)


@dataclass(frozen=True, slots=True)
class Mark:
    """What a database is marked as.

    Attributes:
        env: the name of its environment.
        at: when it was marked, by the database's clock.
        by: the role that did.
        project: the project that it was done for.
    """

    env: str
    at: datetime
    by: str
    project: str


def require_environment(ledger: Ledger, env: str) -> None:
    """The database is not marked as that of another environment, as far as the ledger was looked at.

    `Production` and `production` are one.

    Errors: WrongEnvironment.
    """
    if ledger.env is not None and ledger.env.casefold() != env.casefold():
        raise WrongEnvironment(
            f"this database is marked as that of environment {ledger.env!r}, and this is {env!r}",
            hint=f"choose the database that is meant, or --env {ledger.env!r}; `seedframe db mark` tells who marked it,"
            f" and `seedframe db mark {shlex.quote(env)} --yes` marks it anew",
        )


def mark_first(ledger: Ledger, env: str) -> bool:
    """Mark a database that has no mark yet, and require the one that it has by then; whether it was marked by this.

    The ledger is current, and the caller holds the ledger's lock, so that of several first runs one is the first.

    Errors: WrongEnvironment, PermissionDenied.
    """
    unmarked = ledger.env is None
    if unmarked:
        _write(ledger, env)
        ledger.look()
    require_environment(ledger, env)
    return unmarked


def read_mark(ledger: Ledger) -> Mark | None:
    """The mark, whole; None where there is none. The ledger can be read."""
    if ledger.env is None:
        return None
    found = ledger.session.first("SELECT env, marked_at, marked_by, project FROM seedframe.environment")
    return None if found is None else Mark(*found)


def change_mark(ledger: Ledger, env: str) -> None:
    """Mark the database anew, whatever its mark is. Requires what `mark_first` does. Errors: PermissionDenied."""
    _write(ledger, env, anew=True)


def _write(ledger: Ledger, env: str, *, anew: bool = False) -> None:
    try:
        ledger.session.execute(_MARK_ANEW if anew else _MARK_FIRST, [env, ledger.project])
    except PermissionDenied as error:
        raise PermissionDenied(
            f"the database cannot be marked as that of environment {env!r}: {error.message}", hint=ledger.grants
        ) from error
