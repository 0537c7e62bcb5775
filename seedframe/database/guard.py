"""The guard: while a seed is at work, a COMMIT that is not the runner's own is refused by the server."""

import secrets

from seedframe.database.session import Session
from seedframe.errors import TransactionEnded


class Guard:
    """A row whose deferred foreign key nothing satisfies, from `set` until `lift`.

    Every way to a COMMIT, PREPARE TRANSACTION among them, has the server look at deferred foreign keys first.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._row = 0

    def set(self) -> None:
        """Refuse COMMIT from here on. Outside any savepoint, so that none takes the row away. Errors: SeedError."""
        self._row = secrets.randbits(62) + 1
        self._session.execute("INSERT INTO seedframe.guard (id, unmet) VALUES ($1, -$1::bigint)", [self._row])

    def lift(self) -> None:
        """Let the next COMMIT through. Errors: TransactionEnded, when somebody took the row away."""
        if self._session.execute("DELETE FROM seedframe.guard WHERE id = $1", [self._row]) != 1:
            raise TransactionEnded("a seed took away what keeps its transaction from being committed by others")
