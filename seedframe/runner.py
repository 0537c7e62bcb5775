"""The runner: takes the chosen seeds through their transactions, in order, and reports."""

import getpass
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

import psycopg

from seedframe import __version__
from seedframe.attempt import Attempt, Attempted, Scene
from seedframe.changes import Changes, Finding, Verdict
from seedframe.config import Config
from seedframe.database.engine import OpenTarget, open_target
from seedframe.database.ledger import Ledger, RunStart
from seedframe.database.locks import begin_locked, ledger_lock, run_lock
from seedframe.database.planned import PlannedRows
from seedframe.database.problems import RETRYABLE, standby
from seedframe.database.session import Session
from seedframe.errors import (
    ConfigError,
    ConnectionFailed,
    DiscoveryError,
    LedgerError,
    LockTimeout,
    Problem,
    SeedframeError,
)
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, VerifyOptions
from seedframe.ordering import missing_requirements
from seedframe.plugins import SeedManager
from seedframe.report import Mode, Report, ResourceOutcome, SeedOutcome, Status, Target, worst_status
from seedframe.seed import Seed
from seedframe.settings import declaration_problems, resolve

_LOCK_BUDGET_S: Final = 60.0
_ATTEMPTS: Final = 3
_RETRY_PAUSE_S: Final = 0.2
_RECONNECT_S: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run: the project's side of it."""

    config: Config
    plugins: SeedManager
    all_seeds: tuple[Seed, ...]
    chosen: tuple[Seed, ...]


def apply(job: Job, options: ApplyOptions, observer: Observer) -> Report:
    """Apply, dry-run or rehearse. Errors: ConfigError (a setting), DiscoveryError (a requirement)."""
    mode: Mode = "dry_run" if options.dry_run else "rehearse" if options.rehearse else "apply"
    return _Run(job, "apply", mode, options, observer).report()


def verify(job: Job, options: VerifyOptions, observer: Observer) -> Report:
    """Compare, and write nothing. Errors: as `apply`."""
    applied = ApplyOptions(selection=options.selection, keep_going=True, wait_s=options.wait_s, sample=options.sample)
    return _Run(job, "verify", "verify", applied, observer).report()


class _SeedFailedError(Exception):
    """Rolls a seed back whose own `verify` found an error; what it found goes into the report."""

    def __init__(self, attempted: Attempted) -> None:
        super().__init__("verify found an error")
        self.attempted = attempted


class _Run:
    """One run over one target."""

    def __init__(
        self, job: Job, command: Literal["apply", "verify"], mode: Mode, options: ApplyOptions, observer: Observer
    ) -> None:
        self._job = job
        self._config = job.config
        self._command = command
        self._mode = mode
        self._options = options
        self._observer = observer
        self._settings = _resolve_all(job)
        self._outcomes: list[SeedOutcome] = []
        self._run_id: int | None = None
        self._error: Problem | None = None
        self._target = Target(job.config.project, "", job.config.database.schema, "", "")
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()
        self._planned = PlannedRows()
        self._stopped_by: Seed | None = None

    def report(self) -> Report:
        """Run it, and report: an error of the run itself is in the report, one of the configuration is raised."""
        try:
            if self._mode in ("verify", "dry_run"):
                self._reread()
            else:
                with open_target(self._config, wait_s=self._options.wait_s, waiting=self._observer.waiting) as target:
                    self._go(target)
        except DiscoveryError:
            raise
        except SeedframeError as error:
            self._error = error.problems[0]
        self._skip_the_rest()
        return Report(
            command=self._command,
            mode=self._mode,
            env=self._config.env,
            version=__version__,
            target=self._target,
            seeds=tuple(self._outcomes),
            started_at=self._started_at,
            duration_s=time.monotonic() - self._started,
            run=self._run_id,
            strict=self._options.strict,
            detailed_exitcode=self._options.detailed_exitcode,
            error=self._error,
        )

    def _reread(self) -> None:
        """Read everything; from its start when the connection is lost, or a standby breaks it off, a few times."""
        wait_s = self._options.wait_s
        for attempts_left in reversed(range(_ATTEMPTS)):
            with open_target(self._config, wait_s=wait_s, waiting=self._observer.waiting) as target:
                try:
                    self._go(target)
                except ConnectionFailed as error:
                    if not attempts_left:
                        raise
                    lost = error
                else:
                    return
            self._observer.waiting(f"{lost.message}; reading it all again")
            self._outcomes.clear()
            self._planned, self._stopped_by = PlannedRows(), None
            wait_s = max(self._options.wait_s, _RECONNECT_S)
            time.sleep(_RETRY_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret

    def _go(self, target: OpenTarget) -> None:
        session = target.session
        ledger = Ledger(session, project=self._config.project, baseline_rows=self._config.baseline_rows)
        session.begin(write=False)
        self._look_around(session, ledger, target.host)
        self._observer.run_started(self._job.chosen, self._mode)
        if self._mode in ("verify", "dry_run"):
            self._read(session, ledger)
            session.rollback()
        else:
            session.rollback()
            self._write(session, ledger)

    def _look_around(self, session: Session, ledger: Ledger, host: str) -> None:
        seen = session.first_dict(
            "SELECT current_database() AS database, clock_timestamp() AS now, pg_is_in_recovery() AS standby,"
            " EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) AS schema_exists",
            [session.schema],
        )
        assert seen is not None  # noqa: S101 - one row, whatever there is
        self._started_at = seen["now"]
        self._target = replace(self._target, database=seen["database"], host=host, server=session.server_version)
        if not seen["schema_exists"]:
            raise ConfigError(
                f"schema {session.schema!r} does not exist in database {seen['database']!r}",
                hint="run migrations first: seedframe db init, or set [database] schema",
            )
        if seen["standby"] and self._mode in ("apply", "rehearse"):
            raise standby()
        ledger.look()
        missing = missing_requirements(self._job.chosen, self._job.all_seeds, ledger.applied())
        if missing:
            raise type(missing[0]).of(problem for error in missing for problem in error.problems)

    # Reading: one transaction, one snapshot

    def _read(self, session: Session, ledger: Ledger) -> None:
        for seed in self._job.chosen:
            if self._stopped_by is None:
                self._finish(seed, self._read_one(session, ledger, seed))
        if self._mode == "verify" and self._options.selection.everything:
            self._outcomes += self._gone(ledger)

    def _read_one(self, session: Session, ledger: Ledger, seed: Seed) -> SeedOutcome:
        self._observer.seed_started(seed)
        started = time.monotonic()
        planned = self._planned.copy()
        try:
            with session.savepoint():
                attempted = self._attempt(session, ledger, seed, self._planned).run()
        except ConnectionFailed:
            raise
        except SeedframeError as error:
            self._planned = planned
            return self._failed(seed, error, started)
        if ledger.unreadable is not None and not self._outcomes:
            text = f"the ledger cannot be read ({ledger.unreadable}): pending and drift cannot be told apart"
            attempted = replace(attempted, findings=(*attempted.findings, Finding(text, "warning")))
        return self._done(seed, attempted, started)

    def _gone(self, ledger: Ledger) -> list[SeedOutcome]:
        """Seeds that the ledger knows and nobody declares any more."""
        known = {seed.name for seed in self._job.all_seeds}
        return [
            SeedOutcome(
                seed=name,
                origin=origin,
                status=Status.ORPHAN,
                resources=tuple(
                    ResourceOutcome(resource, Verdict.ORPHAN, Changes()) for resource in ledger.baselines(name)
                ),
                findings=(
                    Finding(
                        f"seed {name} was applied from {origin} and is gone:"
                        f" put it back, or `seedframe forget {name}`; its rows stay",
                        "error",
                    ),
                ),
            )
            for name, origin in ledger.applied().items()
            if name not in known
        ]

    # Writing

    def _write(self, session: Session, ledger: Ledger) -> None:
        together = self._mode == "rehearse" or self._options.transaction == "run"
        if self._mode == "apply":
            self._begin_run(session, ledger)
        try:
            if together:
                self._write_together(session, ledger)
            else:
                for seed in self._job.chosen:
                    if self._stopped_by is None:
                        self._finish(seed, self._write_one(session, ledger, seed))
        except BaseException as error:
            session.rollback()
            self._end_run(session, ledger, "interrupted" if isinstance(error, KeyboardInterrupt) else "failed", error)
            error.add_note(self._what_stays(together=together))
            raise
        self._end_run(session, ledger, worst_status(outcome.status for outcome in self._outcomes).value, None)

    def _begin_run(self, session: Session, ledger: Ledger) -> None:
        if ledger.unreadable is not None and not ledger.incomplete:
            raise LedgerError(f"the ledger cannot be read: {ledger.unreadable}", hint=ledger.grants)
        if ledger.readable:
            session.begin(write=True)
        else:
            begin_locked(session, ledger_lock(), budget_s=self._lock_budget, waiting=self._observer.waiting)
            ledger.create()
            ledger.look()
        options = self._options
        self._run_id = ledger.start_run(
            RunStart(
                env=self._config.env,
                command=self._command,
                mode=self._mode,
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
                },
            )
        )
        session.commit()

    def _end_run(self, session: Session, ledger: Ledger, status: str, error: BaseException | None) -> None:
        if self._run_id is None:
            return
        problem = error.problems[0] if isinstance(error, SeedframeError) else None
        try:
            session.begin(write=True)
            ledger.finish_run(self._run_id, status=status, duration_s=time.monotonic() - self._started, error=problem)
            session.commit()
        except (SeedframeError, psycopg.Error):
            # The first error is the one to hear of; a run without an end says for itself that it was cut short.
            session.rollback()
            if error is None:
                raise

    def _what_stays(self, *, together: bool) -> str:
        done = [] if together else [o.seed for o in self._outcomes if o.status in (Status.CHANGED, Status.IN_SYNC)]
        kept = f"{', '.join(done)} {'is' if len(done) == 1 else 'are'} done" if done else "nothing was changed"
        return f"the seed at work was rolled back; {kept}"

    @property
    def _lock_budget(self) -> float:
        return self._options.wait_s or _LOCK_BUDGET_S

    def _begin_locked(self, session: Session) -> None:
        begin_locked(
            session,
            run_lock(self._config.project, session.schema),
            budget_s=self._lock_budget,
            waiting=self._observer.waiting,
        )

    def _write_one(self, session: Session, ledger: Ledger, seed: Seed) -> SeedOutcome:
        """One seed in a transaction of its own, again from its top when another session was in the way."""
        self._observer.seed_started(seed)
        started = time.monotonic()
        for attempts_left in reversed(range(_ATTEMPTS)):
            try:
                self._begin_locked(session)
                outcome = self._within(session, ledger, seed, PlannedRows(), started)
                session.commit()
            except (ConnectionFailed, LockTimeout) as error:
                session.rollback()
                if not (attempts_left and _may_succeed_again(error)):
                    if isinstance(error, ConnectionFailed) or error.__cause__ is None:
                        raise
                    return self._recorded_failure(session, ledger, seed, error, started)
            except _SeedFailedError as failure:
                session.rollback()
                outcome = self._refused(seed, failure.attempted, started)
                self._record_apart(session, ledger, outcome)
                return outcome
            except SeedframeError as error:
                session.rollback()
                if not (attempts_left and _may_succeed_again(error)):
                    return self._recorded_failure(session, ledger, seed, error, started)
            else:
                return outcome
            time.sleep(_RETRY_PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 - jitter, not a secret
        raise AssertionError("the last attempt returns or raises")

    def _write_together(self, session: Session, ledger: Ledger) -> None:
        """All seeds in one transaction; a savepoint for each lets one fail alone, where it may."""
        self._begin_locked(session)
        if not ledger.exists:
            ledger.create()
            ledger.look()
        for seed in self._job.chosen:
            if self._stopped_by is not None:
                break
            self._observer.seed_started(seed)
            started = time.monotonic()
            try:
                with session.savepoint():
                    # Rows of earlier seeds are there already; what a failed one planned went with its savepoint.
                    outcome = self._within(session, ledger, seed, PlannedRows(), started)
            except ConnectionFailed:
                raise
            except _SeedFailedError as failure:
                outcome = self._refused(seed, failure.attempted, started)
            except SeedframeError as error:
                outcome = self._failed(seed, error, started)
            self._finish(seed, outcome)
        failed = [outcome for outcome in self._outcomes if outcome.status is Status.FAILED and outcome.critical]
        if self._mode == "rehearse":
            session.rollback()
        elif failed:
            session.rollback()
            self._outcomes = [self._undone(outcome) for outcome in self._outcomes]
            for outcome in self._outcomes:
                self._record_apart(session, ledger, outcome)
        else:
            session.commit()

    def _within(
        self, session: Session, ledger: Ledger, seed: Seed, planned: PlannedRows, started: float
    ) -> SeedOutcome:
        """Apply one seed and enter it in the ledger, in the transaction that is open."""
        attempt = self._attempt(session, ledger, seed, planned)
        attempted = attempt.run()
        if attempted.failed:
            raise _SeedFailedError(attempted)
        if ledger.repaired and not self._outcomes:
            text = "parts of the ledger were gone and were made again: pending and drift cannot be told apart"
            attempted = replace(attempted, findings=(*attempted.findings, Finding(text, "warning")))
        outcome = self._done(seed, attempted, started)
        if self._run_id is not None:
            told = attempt.record(self._run_id)
            outcome = replace(outcome, findings=(*outcome.findings, *told))
            self._record(ledger, outcome)
        return outcome

    def _undone(self, outcome: SeedOutcome) -> SeedOutcome:
        """What a seed's outcome becomes when the transaction it shared was rolled back for another's failure."""
        if outcome.status is not Status.CHANGED:
            return outcome
        told = Finding("rolled back with the run, because a critical seed failed", "info")
        return replace(outcome, status=Status.SKIPPED, resources=(), findings=(*outcome.findings, told))

    def _record(self, ledger: Ledger, outcome: SeedOutcome) -> None:
        assert self._run_id is not None  # noqa: S101 - the caller looked
        ledger.record(
            self._run_id,
            seed=outcome.seed,
            origin=outcome.origin,
            status=outcome.status.value,
            counts=outcome.counts,
            duration_s=outcome.duration_s,
            error=outcome.error or _error_finding(outcome),
        )

    def _record_apart(self, session: Session, ledger: Ledger, outcome: SeedOutcome) -> None:
        """Enter a failure in a transaction of its own, after the rollback that it caused."""
        if self._run_id is None:
            return
        session.begin(write=True)
        self._record(ledger, outcome)
        session.commit()

    def _recorded_failure(
        self, session: Session, ledger: Ledger, seed: Seed, error: SeedframeError, started: float
    ) -> SeedOutcome:
        outcome = self._failed(seed, error, started)
        self._record_apart(session, ledger, outcome)
        return outcome

    # Outcomes

    def _attempt(self, session: Session, ledger: Ledger, seed: Seed, planned: PlannedRows) -> Attempt:
        scene = Scene(
            session=session,
            ledger=ledger,
            plugins=self._job.plugins,
            env=self._config.env,
            mode=self._mode,
            on_conflict=None if self._mode == "verify" else self._options.on_conflict,
            state_dir=self._config.root / ".seedframe",
            sample=self._options.sample,
            limits=self._config.limits,
        )
        return Attempt(
            scene,
            seed,
            self._settings[seed.name],
            planned,
            on_rows=lambda resource, rows: self._observer.rows_read(seed, resource, rows),
            on_planned=lambda outcome: self._observer.resource_planned(seed, outcome),
        )

    def _done(self, seed: Seed, attempted: Attempted, started: float) -> SeedOutcome:
        outcome = self._outcome(
            seed, Status.IN_SYNC, started, resources=attempted.resources, findings=attempted.findings
        )
        return replace(outcome, status=self._status(outcome, attempted))

    def _status(self, outcome: SeedOutcome, attempted: Attempted) -> Status:
        if attempted.failed:
            return Status.FAILED
        if self._mode == "verify":
            return Status(outcome.verdict.value)
        return Status.CHANGED if outcome.counts.changed else Status.IN_SYNC

    def _refused(self, seed: Seed, attempted: Attempted, started: float) -> SeedOutcome:
        """The outcome of a seed that was rolled back because its `verify` found an error: nothing of it was done."""
        return self._outcome(seed, Status.FAILED, started, findings=attempted.findings)

    def _failed(self, seed: Seed, error: SeedframeError, started: float) -> SeedOutcome:
        problem = error.problems[0]
        return self._outcome(seed, Status.FAILED, started, error=replace(problem, where=problem.where or seed.origin))

    def _outcome(
        self,
        seed: Seed,
        status: Status,
        started: float | None = None,
        *,
        resources: tuple[ResourceOutcome, ...] = (),
        findings: tuple[Finding, ...] = (),
        error: Problem | None = None,
    ) -> SeedOutcome:
        return SeedOutcome(
            seed=seed.label,
            origin=seed.origin,
            status=status,
            critical=seed.critical,
            duration_s=0.0 if started is None else time.monotonic() - started,
            resources=resources,
            findings=findings,
            error=error,
        )

    def _finish(self, seed: Seed, outcome: SeedOutcome) -> None:
        self._outcomes.append(outcome)
        self._observer.seed_finished(seed, outcome)
        failed = outcome.status is Status.FAILED and seed.critical
        if failed and not self._options.keep_going and self._mode != "verify":
            self._stopped_by = seed

    def _skip_the_rest(self) -> None:
        reached = {outcome.seed for outcome in self._outcomes}
        why = f"{self._stopped_by.label} failed" if self._stopped_by is not None else "the run could not go on"
        for seed in self._job.chosen:
            if seed.label not in reached:
                told = Finding(f"not tried: {why}", "info")
                self._outcomes.append(self._outcome(seed, Status.SKIPPED, findings=(told,)))


def _resolve_all(job: Job) -> Mapping[str, Mapping[str, Any]]:
    """The settings of all chosen seeds. Errors: ConfigError with every mistake in them."""
    resolved: dict[str, Mapping[str, Any]] = {}
    config = job.config
    problems = declaration_problems((seed.label, seed.settings) for seed in job.chosen)
    for seed in job.chosen:
        try:
            resolved[seed.name] = resolve(
                seed.settings, config.variables, config.variable_sources, root=config.root, seed=seed.name
            )
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError.of(problems)
    return resolved


def _may_succeed_again(error: SeedframeError) -> bool:
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate in RETRYABLE


def _error_finding(outcome: SeedOutcome) -> Problem | None:
    return next((Problem("finding", finding.text) for finding in outcome.findings if finding.severity == "error"), None)


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
