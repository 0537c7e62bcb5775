"""The transactions of a run that writes: under the lock, again from their top where that may help, surely committed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from seedframe.changes import Finding
from seedframe.database.aftermath import await_end
from seedframe.database.locks import begin_locked, run_lock
from seedframe.database.session import Session
from seedframe.errors import ConnectionLost, OutcomeUnknown, SeedframeError
from seedframe.retrying import ATTEMPTS, is_lost, reconnect_s, run_again
from seedframe.running.run import Run

_LOCK_BUDGET_S: Final = 60.0
_ORDINALS: Final = ("first", "second", "third", "fourth", "fifth")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction that is to be committed.

    Attributes:
        what: what it holds, for messages: "seed 10_core".
        is_there: asks the database, in a transaction of its own, whether it was committed.
        locked: it holds the lock of the run, so that whoever has the lock next knows that it is at its end.
        seeds: the seeds that are done by it.
    """

    what: str
    is_there: Callable[[], bool]
    locked: bool = False
    seeds: tuple[str, ...] = ()


class Transactions:
    """How one run begins, repeats and commits its transactions.

    Attributes:
        sent: the last COMMIT that was sent, answered or not; None before the first.
    """

    def __init__(self, run: Run, session: Session) -> None:
        self._run = run
        self._session = session
        self.sent: Commit | None = None
        self._sent_id: str | None = None
        self._step = run.observer.step

    @property
    def lock_budget_s(self) -> float:
        """Seconds to wait for a lock of seedframe's own."""
        return self._run.options.wait_s or _LOCK_BUDGET_S

    def begin_locked(self, key: int | None = None, *, snapshot: bool = False) -> None:
        """Begin a transaction that holds a lock: that of the project and schema. Errors: LockTimeout.

        Args:
            snapshot: the transaction is to be REPEATABLE READ.
        """
        begin_locked(
            self._session,
            run_lock(self._run.config.project, self._session.schema) if key is None else key,
            budget_s=self.lock_budget_s,
            waiting=self._run.observer.waiting,
            snapshot=snapshot,
        )

    def again(self, work: Callable[[int], T]) -> tuple[T, tuple[Finding, ...]]:
        """Do work that is one whole transaction, again from its top when it may go through another time.

        Args:
            work: given the number of the attempt, from 1 to ATTEMPTS.

        Returns: what it returned, and what a person should be told of it.
        """
        told: list[Finding] = []

        def attempt(number: int) -> T:
            try:
                done = work(number)
            except SeedframeError as error:
                self._step()
                self._session.require_connection(error)
                self._session.rollback()
                told[:] = [_told(error, number + 1)] if number < ATTEMPTS else []
                raise
            return done

        return run_again(attempt, recover=self._recover), tuple(told)

    def commit(self, ending: Commit) -> tuple[Finding, ...]:
        """Commit. Where the connection is lost before the answer has come, the database is asked what became of it.

        Returns: what a person should be told of it.

        Raises:
            ConnectionLost: the transaction was rolled back; there is a new connection.
            OutcomeUnknown: the server does not come back, or does not come to an end with it.
            SeedframeError: the transaction was refused.
        """
        self._step()
        self.sent, self._sent_id = ending, self._session.transaction_id
        try:
            self._session.commit()
        except OutcomeUnknown as error:
            if not self._ask(ending, error):
                raise ConnectionLost("the connection to the server was lost", hint="run the command again") from None
            return (Finding("the connection was lost during COMMIT; the ledger shows that it took place", "info"),)
        return ()

    def wind_up(self) -> None:
        """The run has been ended: what is still to be entered is not stopped once more."""
        self._step = lambda: None

    def took_place(self, *, budget_s: float) -> bool:
        """True when the last COMMIT that was sent took place, although whoever sent it did not stay to hear of it.

        Errors: ConnectionFailed, LockTimeout: it did not come to its end within these seconds.
        """
        if self.sent is None:
            return False
        await_end(self._session, self._sent_id, budget_s=budget_s, waiting=self._run.observer.waiting)
        self._session.begin(write=False)
        there = self.sent.is_there()
        self._session.rollback()
        return there

    def _ask(self, ending: Commit, error: OutcomeUnknown) -> bool:
        def ask(_attempt: int) -> bool:
            if ending.locked:
                self.begin_locked()
            else:
                await_end(
                    self._session,
                    self._sent_id,
                    budget_s=self.lock_budget_s,
                    waiting=self._run.observer.waiting,
                )
                self._session.begin(write=False)
            there = ending.is_there()
            self._session.rollback()
            return there

        try:
            self._recover(error)
            return run_again(ask, recover=self._recover)
        except SeedframeError as why:
            raise OutcomeUnknown(
                f"the connection to the server was lost during COMMIT, so that its outcome is not known:"
                f" {ending.what} was committed, or rolled back as a whole ({why.message})",
                hint="`seedframe apply` finds out: it looks at what is there, and does what is left",
            ) from why

    def _recover(self, error: SeedframeError) -> None:
        self._step()
        self._session.rollback()
        if self._session.lost or is_lost(error):
            self._run.observer.waiting(f"{error.message}; connecting again")
            self._session.reconnect(reconnect_s(self._run.options.wait_s))


def _told(error: SeedframeError, number: int) -> Finding:
    what = "the connection was lost" if is_lost(error) else "another session was in the way"
    return Finding(f"{what}; applied in the {_ORDINALS[number - 1]} attempt", "info")
