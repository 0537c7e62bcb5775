"""A run that writes: apply and rehearsal, each seed in a transaction of its own, or all of them in one."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

import psycopg

from seedframe.changes import Finding
from seedframe.database.environment_mark import mark_first, require_environment
from seedframe.database.guard import Guard
from seedframe.database.ledger import Ledger
from seedframe.database.lock_holders import named
from seedframe.database.locks import ledger_lock
from seedframe.database.planned import PlannedRows
from seedframe.database.run_log import Audited, RunLog
from seedframe.database.session import Session
from seedframe.errors import ConnectionFailed, LockTimeout, Problem, SeedError, SeedframeError, TransactionEnded
from seedframe.report import SeedOutcome, Status, done_seeds, done_text, worst_status
from seedframe.retrying import ATTEMPTS, may_succeed_again
from seedframe.running.run import Run
from seedframe.running.run_start import run_start
from seedframe.running.transactions import Commit, Transactions
from seedframe.secrecy.masked_report import masked_outcome, masked_problem, masked_row
from seedframe.secrecy.masking import masked
from seedframe.seed import Seed
from seedframe.seeding.attempt import Attempt, Attempted
from seedframe.seeding.code_digest import code_digest
from seedframe.seeding.hooks import blamed

# How long a stopped run waits for a new connection, to tell of its end.
_SOON_S: Final = 2.0


class SeedFailedError(Exception):
    """Rolls a seed back whose own `verify` found an error; what it found goes into the report."""

    def __init__(self, attempted: Attempted) -> None:
        super().__init__("verify found an error")
        self.attempted = attempted


class CommitRefusedError(Exception):
    """The server refused the COMMIT of a transaction of all seeds: nothing of it is there."""

    def __init__(self, error: SeedError) -> None:
        super().__init__("the COMMIT was refused")
        self.error = error


class Writing:
    """Applies the chosen seeds, and enters them in the ledger."""

    def __init__(self, run: Run, session: Session, ledger: Ledger) -> None:
        self._run = run
        self._session = session
        self._ledger = ledger
        self._log = RunLog(ledger)
        self._transactions = Transactions(run, session)
        self._attempt: Attempt | None = None
        self._guard = Guard(session)

    def go(self) -> None:
        """Apply seed by seed; what becomes of each goes into the run. Errors: ConnectionFailed, LockTimeout …"""
        together = self._run.mode == "rehearse" or self._run.options.transaction == "run"
        try:
            if self._run.mode == "apply":
                self._begin_run()
            if together:
                self._write_together()
            else:
                for seed in self._run.job.chosen:
                    if self._run.may_go_on_to(seed):
                        self._run.finish(seed, self._write_one(seed))
            if self._run.id is not None:
                status = worst_status(outcome.status for outcome in self._run.outcomes).value
                self._transactions.again(lambda _: self._enter_end(status, None))
        except BaseException as error:
            error.add_note(self._end_early(error, together=together))
            raise

    def _begin_run(self) -> None:
        self._ledger.require_readable()
        try:
            self._transactions.again(self._enter_run)
        except SeedframeError:
            self._run.id = None
            raise

    def _enter_run(self, attempt: int) -> None:
        if attempt > 1:  # what was made of the ledger before was rolled back, or was not
            self._session.begin(write=False)
            self._ledger.look()
            self._session.rollback()
        env = self._run.config.env
        if self._ledger.current and self._ledger.env is not None:
            require_environment(self._ledger, env)
            self._session.begin(write=True)
        else:
            self._transactions.begin_locked(ledger_lock())
            self._ledger.make_current()
            self._run.marked = mark_first(self._ledger, env)
        options = self._run.options
        self._run.id = run = self._log.start(
            run_start(
                self._run.config,
                command=self._run.command,
                mode=self._run.mode,
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
        self._transactions.commit(Commit("the beginning of the run", lambda: self._log.has_run(run)))

    def _enter_end(self, status: str, error: Problem | None) -> None:
        run = self._run.id
        assert run is not None  # noqa: S101 - the callers looked
        self._session.begin(write=True)
        self._log.finish(run, status=status, duration_s=time.monotonic() - self._run.started, error=error)
        self._log.forget_unchanged(self._run.config.keep_unchanged_runs, run=run)
        self._transactions.commit(Commit("the end of the run", lambda: self._log.has_end(run)))

    def _end_early(self, error: BaseException, *, together: bool) -> str:
        """Roll back, and enter the end of the run where that can be done soon: the first error is the one to hear of.

        A run without an end says for itself that it was cut short.

        Returns: what stays of it, for a person.
        """
        sent = self._transactions.sent
        self._transactions.wind_up()
        self._session.rollback()
        committed: bool | None = False
        if self._run.id is not None and not isinstance(error, ConnectionFailed):
            committed = None
            problem = masked_problem(error.problems[0]) if isinstance(error, SeedframeError) else None
            with suppress(SeedframeError, psycopg.Error):
                if self._session.lost:
                    self._session.reconnect(_SOON_S)
                committed = self._transactions.took_place(budget_s=_SOON_S)
                self._enter_end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", problem)
            self._session.rollback()
        chosen = len(self._run.job.chosen)
        done = [] if together else done_seeds(self._run.outcomes)
        if sent is not None and sent.seeds and not set(sent.seeds) <= set(done):
            if committed is None:
                kept = done_text(done, of=chosen)
                return f"whether {sent.what} was committed is not known: `seedframe apply` finds out; {kept}"
            done += sent.seeds if committed else ()
        if len(done) == chosen:
            return done_text(done, of=chosen)
        reached = {outcome.seed for outcome in self._run.outcomes}
        at_work = next((f"seed {seed.label}" for seed in self._run.job.chosen if seed.label not in reached), "")
        return f"{at_work if at_work and not together else 'the run'} was rolled back; {done_text(done, of=chosen)}"

    def _write_one(self, seed: Seed) -> SeedOutcome:
        """One seed in a transaction of its own, again from its top when that may help."""
        self._run.observer.seed_started(seed)
        started = time.monotonic()
        try:
            outcome, told = self._transactions.again(lambda _: self._write_alone(seed, started))
        except SeedFailedError as failure:
            self._session.rollback()
            return self._record_apart(self._run.refused(seed, failure.attempted, started))
        except SeedframeError as error:
            if isinstance(error, ConnectionFailed) or _is_of_the_run(error):
                raise
            if isinstance(error, LockTimeout):
                error = self._with_holder(error)
            return self._recorded_failure(seed, error, started)
        self._run.accounts.handover.deliver()
        return replace(outcome, findings=(*outcome.findings, *told))

    def _write_alone(self, seed: Seed, started: float) -> SeedOutcome:
        self._transactions.begin_locked()
        self._guard.set()
        outcome = self._within(seed, PlannedRows(), started)
        self._guard.lift()
        told = self._transactions.commit(self._ending(f"seed {seed.label}", [outcome], locked=True))
        return replace(outcome, findings=(*outcome.findings, *told))

    def _failed_together(self, seed: Seed, error: SeedframeError, started: float, attempt: int) -> SeedOutcome:
        """The outcome of a seed that failed in the transaction of all; what may help to begin again is raised."""
        self._run.observer.step()
        self._session.require_connection(error)
        if may_succeed_again(error) and attempt < ATTEMPTS:
            raise error
        if isinstance(error, LockTimeout) and self._attempt is not None:
            error = named(error, self._session, self._attempt.tables)
        return self._run.failed(seed, error, started)

    def _with_holder(self, error: LockTimeout) -> LockTimeout:
        if self._attempt is None:
            return error
        try:
            self._session.begin(write=False)
            return named(error, self._session, self._attempt.tables)
        except SeedframeError:
            return error  # it is the one to hear of
        finally:
            self._session.rollback()

    def _ending(self, what: str, outcomes: Sequence[SeedOutcome], *, locked: bool = False) -> Commit:
        """The COMMIT of a transaction in which these outcomes were entered."""
        run = self._run.id
        assert run is not None  # noqa: S101 - nothing else is committed
        done = tuple(outcome.seed for outcome in outcomes if locked and outcome.status is not Status.FAILED)
        return Commit(what, lambda: self._log.has_outcome(run, outcomes[0].seed), locked, done)

    def _write_together(self) -> None:
        """All seeds in one transaction, again from its top when that may help."""
        self._write_all_again()
        failed = any(outcome.status is Status.FAILED and outcome.critical for outcome in self._run.outcomes)
        if failed and self._run.options.transaction == "run":
            self._undo_all("because another seed failed")

    def _write_all_again(self) -> None:
        """What is one transaction, again from its top when that may help. Errors: SeedError of a refused COMMIT."""
        try:
            _, told = self._transactions.again(self._write_all)
        except CommitRefusedError as refusal:
            self._session.rollback()
            self._undo_all("as its COMMIT was refused")
            error = refusal.error
            raise type(error)(
                f"the COMMIT of all seeds was refused, and nothing of them is there: {error.message}",
                hint=error.hint,
                where=error.where,
            ) from error.__cause__
        self._run.outcomes = [replace(each, findings=(*each.findings, *told)) for each in self._run.outcomes]

    def _undo_all(self, why: str) -> None:
        """Enter what becomes of each seed when the transaction that they shared was rolled back."""
        self._run.accounts.handover.undo()
        self._run.outcomes = [self._record_apart(self._undone(outcome, why)) for outcome in self._run.outcomes]

    def _commit_all(self, what: str) -> None:
        """Errors: CommitRefusedError, unless all of it may go through another time; ConnectionFailed …"""
        try:
            told = self._transactions.commit(self._ending(what, self._run.outcomes, locked=True))
        except SeedError as error:
            if may_succeed_again(error):
                raise
            raise CommitRefusedError(error) from error
        self._run.accounts.handover.deliver()
        self._run.outcomes = [replace(each, findings=(*each.findings, *told)) for each in self._run.outcomes]

    def _write_all(self, attempt: int) -> None:
        """All seeds in one transaction; a savepoint for each lets one fail alone, where it may."""
        self._run.start_over()
        self._transactions.begin_locked()
        self._ledger.look()
        require_environment(self._ledger, self._run.config.env)
        if not self._ledger.current:
            self._ledger.make_current()
        self._guard.set()
        for seed in self._run.job.chosen:
            if not self._run.may_go_on_to(seed):
                continue
            self._run.observer.seed_started(seed)
            started = time.monotonic()
            try:
                with self._session.savepoint():
                    # Rows of earlier seeds are there already; what a failed one planned went with its savepoint.
                    outcome = self._within(seed, PlannedRows(), started)
            except ConnectionFailed:
                raise
            except SeedFailedError as failure:
                outcome = self._refused_within(self._run.refused(seed, failure.attempted, started))
            except SeedframeError as error:
                outcome = self._failed_together(seed, error, started, attempt)
                if isinstance(error, TransactionEnded):
                    # It was everybody's: whatever the seed says of itself, nothing of the run is left.
                    self._run.finish(seed, replace(outcome, critical=True))
                    self._run.stopped_by = seed
                    break
                outcome = self._refused_within(outcome)
            self._run.finish(seed, outcome)
        failed = any(outcome.status is Status.FAILED and outcome.critical for outcome in self._run.outcomes)
        if self._run.mode == "rehearse" or failed:
            self._session.rollback()
        else:
            self._guard.lift()
            self._commit_all("the run")

    def _refused_within(self, outcome: SeedOutcome) -> SeedOutcome:
        """Enter a failure in the transaction that goes on without it."""
        if self._run.id is not None:
            self._record(outcome)
        return outcome

    def _within(self, seed: Seed, planned: PlannedRows, started: float) -> SeedOutcome:
        """Apply one seed and enter it in the ledger, in the transaction that is open."""
        handover = self._run.accounts.handover
        kept = len(handover)
        try:
            return self._apply_and_enter(seed, planned, started)
        except BaseException:
            handover.undo(kept)  # no COMMIT was sent
            raise

    def _apply_and_enter(self, seed: Seed, planned: PlannedRows, started: float) -> SeedOutcome:
        attempt = self._attempt = self._run.attempt(self._session, self._ledger, seed, planned)
        with blamed(seed, self._run.job.plugins):
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
            self._record(outcome, attempt.audited())
        return outcome

    def _undone(self, outcome: SeedOutcome, why: str) -> SeedOutcome:
        """What a seed's outcome becomes when the transaction it shared was rolled back through no fault of its own."""
        if outcome.status is not Status.CHANGED:
            return outcome
        told = Finding(f"rolled back with the run, {why}", "info")
        gone = self._run.accounts.handover.taken_back
        kept = [finding for finding in outcome.findings if finding.text not in gone]
        return replace(outcome, status=Status.SKIPPED, resources=(), findings=(*kept, told))

    def _record(self, outcome: SeedOutcome, audited: Audited | None = None) -> None:
        assert self._run.id is not None  # noqa: S101 - the caller looked
        outcome = masked_outcome(outcome)
        if audited is not None:
            audited = replace(
                audited,
                rows=tuple(map(masked_row, audited.rows)),
                resources=tuple(replace(each, resource=masked(each.resource)) for each in audited.resources),
            )
        self._log.record(
            self._run.id,
            seed=outcome.seed,
            origin=outcome.origin,
            status=outcome.status.value,
            counts=outcome.counts,
            duration_s=outcome.duration_s,
            error=outcome.error or _error_finding(outcome),
            audited=audited or Audited(code=self._code_digest(outcome)),
        )

    def _code_digest(self, outcome: SeedOutcome) -> str | None:
        return next((code_digest(seed) for seed in self._run.job.chosen if seed.label == outcome.seed), None)

    def _record_apart(self, outcome: SeedOutcome) -> SeedOutcome:
        """Enter a failure in a transaction of its own, after the rollback that it caused.

        Returns: the outcome, with a remark where even that failed: the first error is the one to hear of.
        """
        if self._run.id is None:
            return outcome
        try:
            self._transactions.again(lambda _: self._enter_apart(outcome))
        except SeedframeError as error:
            self._session.rollback()
            told = Finding(f"this could not be entered in the ledger: {error.message}", "warning")
            return replace(outcome, findings=(*outcome.findings, told))
        return outcome

    def _enter_apart(self, outcome: SeedOutcome) -> None:
        self._transactions.begin_locked()
        self._record(outcome)
        self._transactions.commit(self._ending(f"the failure of seed {outcome.seed}", [outcome], locked=True))

    def _recorded_failure(self, seed: Seed, error: SeedframeError, started: float) -> SeedOutcome:
        return self._record_apart(self._run.failed(seed, error, started))


def _is_of_the_run(error: SeedframeError) -> bool:
    """True for the lock of the run, which another run holds: not the seed's failure."""
    return isinstance(error, LockTimeout) and error.__cause__ is None


def _error_finding(outcome: SeedOutcome) -> Problem | None:
    return next((Problem("finding", finding.text) for finding in outcome.findings if finding.severity == "error"), None)
