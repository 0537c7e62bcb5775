"""A run that writes: apply and rehearsal, each seed in a transaction of its own, or all of them in one."""

import getpass
import random
import socket
import time
from dataclasses import replace
from typing import Final

import psycopg

from seedframe import __version__
from seedframe.attempt import Attempted
from seedframe.changes import Finding
from seedframe.database.ledger import Ledger
from seedframe.database.locks import begin_locked, ledger_lock, run_lock
from seedframe.database.planned import PlannedRows
from seedframe.database.problems import RETRYABLE
from seedframe.database.run_log import RunLog, RunStart
from seedframe.database.session import Session
from seedframe.errors import ConnectionFailed, LockTimeout, Problem, SeedframeError
from seedframe.report import SeedOutcome, Status, worst_status
from seedframe.run import Run
from seedframe.seed import Seed

_LOCK_BUDGET_S: Final = 60.0
_ATTEMPTS: Final = 3
_RETRY_PAUSE_S: Final = 0.2


class SeedFailedError(Exception):
    """Rolls a seed back whose own `verify` found an error; what it found goes into the report."""

    def __init__(self, attempted: Attempted) -> None:
        super().__init__("verify found an error")
        self.attempted = attempted


class Writing:
    """Applies the chosen seeds, and enters them in the ledger."""

    def __init__(self, run: Run, session: Session, ledger: Ledger) -> None:
        self._run = run
        self._session = session
        self._ledger = ledger
        self._log = RunLog(ledger)

    def go(self) -> None:
        """Apply seed by seed; what becomes of each goes into the run. Errors: ConnectionFailed, LockTimeout …"""
        together = self._run.mode == "rehearse" or self._run.options.transaction == "run"
        if self._run.mode == "apply":
            self._begin_run()
        try:
            if together:
                self._write_together()
            else:
                for seed in self._run.job.chosen:
                    if self._run.stopped_by is None:
                        self._run.finish(seed, self._write_one(seed))
        except BaseException as error:
            self._session.rollback()
            self._end_run("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error)
            error.add_note(self._what_stays(together=together))
            raise
        self._end_run(worst_status(outcome.status for outcome in self._run.outcomes).value, None)

    def _begin_run(self) -> None:
        self._ledger.require_readable()
        if self._ledger.current:
            self._session.begin(write=True)
        else:
            begin_locked(self._session, ledger_lock(), budget_s=self._lock_budget, waiting=self._run.observer.waiting)
            self._ledger.make_current()
        options = self._run.options
        self._run.id = self._log.start(
            RunStart(
                env=self._run.config.env,
                command=self._run.command,
                mode=self._run.mode,
                version=__version__,
                os_user=_os_user(),
                host=socket.gethostname(),
                arguments={
                    "seeds": list(options.selection.names),
                    "tags": list(options.selection.tags),
                    "skip": list(options.selection.skip),
                    "transaction": options.transaction,
                    "on_conflict": options.on_conflict,
                    "keep_going": options.keep_going,
                    "strict": options.strict,
                    **({"plan": self._run.job.plan.id} if self._run.job.plan is not None else {}),
                },
            )
        )
        self._session.commit()

    def _end_run(self, status: str, error: BaseException | None) -> None:
        if self._run.id is None:
            return
        problem = error.problems[0] if isinstance(error, SeedframeError) else None
        try:
            self._session.begin(write=True)
            self._log.finish(
                self._run.id, status=status, duration_s=time.monotonic() - self._run.started, error=problem
            )
            self._session.commit()
        except (SeedframeError, psycopg.Error):
            # The first error is the one to hear of; a run without an end says for itself that it was cut short.
            self._session.rollback()
            if error is None:
                raise

    def _what_stays(self, *, together: bool) -> str:
        done = [] if together else [o.seed for o in self._run.outcomes if o.status in (Status.CHANGED, Status.IN_SYNC)]
        kept = f"{', '.join(done)} {'is' if len(done) == 1 else 'are'} done" if done else "nothing was changed"
        return f"the seed at work was rolled back; {kept}"

    @property
    def _lock_budget(self) -> float:
        return self._run.options.wait_s or _LOCK_BUDGET_S

    def _begin_locked(self) -> None:
        begin_locked(
            self._session,
            run_lock(self._run.config.project, self._session.schema),
            budget_s=self._lock_budget,
            waiting=self._run.observer.waiting,
        )

    def _write_one(self, seed: Seed) -> SeedOutcome:
        """One seed in a transaction of its own, again from its top when another session was in the way."""
        self._run.observer.seed_started(seed)
        started = time.monotonic()
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self._begin_locked()
                outcome = self._within(seed, PlannedRows(), started)
                self._session.commit()
            except (ConnectionFailed, LockTimeout) as error:
                self._session.rollback()
                if not (attempts_left and may_succeed_again(error)):
                    if isinstance(error, ConnectionFailed) or error.__cause__ is None:
                        raise
                    return self._recorded_failure(seed, error, started)
            except SeedFailedError as failure:
                self._session.rollback()
                return self._record_apart(self._run.refused(seed, failure.attempted, started))
            except SeedframeError as error:
                self._session.rollback()
                if not (attempts_left and may_succeed_again(error)):
                    return self._recorded_failure(seed, error, started)
            else:
                return outcome
            time.sleep(_RETRY_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last attempt returns or raises")

    def _write_together(self) -> None:
        """All seeds in one transaction; a savepoint for each lets one fail alone, where it may."""
        self._begin_locked()
        if not self._ledger.exists:
            self._ledger.make_current()
        for seed in self._run.job.chosen:
            if self._run.stopped_by is not None:
                break
            self._run.observer.seed_started(seed)
            started = time.monotonic()
            try:
                with self._session.savepoint():
                    # Rows of earlier seeds are there already; what a failed one planned went with its savepoint.
                    outcome = self._within(seed, PlannedRows(), started)
            except ConnectionFailed:
                raise
            except SeedFailedError as failure:
                outcome = self._run.refused(seed, failure.attempted, started)
            except SeedframeError as error:
                outcome = self._run.failed(seed, error, started)
            self._run.finish(seed, outcome)
        failed = [outcome for outcome in self._run.outcomes if outcome.status is Status.FAILED and outcome.critical]
        if self._run.mode == "rehearse":
            self._session.rollback()
        elif failed:
            self._session.rollback()
            self._run.outcomes = [self._record_apart(self._undone(outcome)) for outcome in self._run.outcomes]
        else:
            self._session.commit()

    def _within(self, seed: Seed, planned: PlannedRows, started: float) -> SeedOutcome:
        """Apply one seed and enter it in the ledger, in the transaction that is open."""
        attempt = self._run.attempt(self._session, self._ledger, seed, planned)
        attempted = attempt.run()
        if attempted.failed:
            raise SeedFailedError(attempted)
        if self._ledger.repaired and not self._run.outcomes:
            text = "parts of the ledger were gone and were made again: pending and drift cannot be told apart"
            attempted = replace(attempted, findings=(*attempted.findings, Finding(text, "warning")))
        outcome = self._run.done(seed, attempted, started)
        if self._run.id is not None:
            told = attempt.record(self._run.id)
            outcome = replace(outcome, findings=(*outcome.findings, *told))
            self._record(outcome)
        return outcome

    def _undone(self, outcome: SeedOutcome) -> SeedOutcome:
        """What a seed's outcome becomes when the transaction it shared was rolled back for another's failure."""
        if outcome.status is not Status.CHANGED:
            return outcome
        told = Finding("rolled back with the run, because a critical seed failed", "info")
        return replace(outcome, status=Status.SKIPPED, resources=(), findings=(*outcome.findings, told))

    def _record(self, outcome: SeedOutcome) -> None:
        assert self._run.id is not None  # noqa: S101 - the caller looked
        self._log.record(
            self._run.id,
            seed=outcome.seed,
            origin=outcome.origin,
            status=outcome.status.value,
            counts=outcome.counts,
            duration_s=outcome.duration_s,
            error=outcome.error or _error_finding(outcome),
        )

    def _record_apart(self, outcome: SeedOutcome) -> SeedOutcome:
        """Enter a failure in a transaction of its own, after the rollback that it caused.

        Returns: the outcome, with a remark where even that failed: the first error is the one to hear of.
        """
        if self._run.id is None:
            return outcome
        try:
            self._session.begin(write=True)
            self._record(outcome)
            self._session.commit()
        except SeedframeError as error:
            self._session.rollback()
            told = Finding(f"this could not be entered in the ledger: {error.message}", "warning")
            return replace(outcome, findings=(*outcome.findings, told))
        return outcome

    def _recorded_failure(self, seed: Seed, error: SeedframeError, started: float) -> SeedOutcome:
        return self._record_apart(self._run.failed(seed, error, started))


def may_succeed_again(error: SeedframeError) -> bool:
    """Another session was in the way."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate in RETRYABLE


def _error_finding(outcome: SeedOutcome) -> Problem | None:
    return next((Problem("finding", finding.text) for finding in outcome.findings if finding.severity == "error"), None)


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
