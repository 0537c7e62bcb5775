"""The runner: takes the chosen seeds through one run over one target, and reports."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from seedframe import __version__
from seedframe.changes import Finding
from seedframe.database.engine import OpenTarget, open_target
from seedframe.database.environment_mark import require_environment
from seedframe.database.ledger import Ledger
from seedframe.database.problems import standby
from seedframe.database.session import Session
from seedframe.errors import ConfigError, DiscoveryError, LedgerError, NoSeeds, PlanRefused, Problem, SeedframeError
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, VerifyOptions
from seedframe.ordering import missing_requirements
from seedframe.plugins.uninstalled import gone_seeds
from seedframe.recorder import Recorder
from seedframe.report import Mode, Report, Target, done_seeds, done_text
from seedframe.retrying import reconnect_s, run_again
from seedframe.running.reading import Reading
from seedframe.running.run import Job, Run
from seedframe.secrecy.masked_report import masked_finding, masked_outcome, masked_problem
from seedframe.secrecy.masking import hiding


def apply(job: Job, options: ApplyOptions, observer: Observer) -> Report:
    """Apply, dry-run or rehearse. Errors: ConfigError (a setting), DiscoveryError (a requirement)."""
    mode: Mode = "dry_run" if options.dry_run else "rehearse" if options.rehearse else "apply"
    return _Runner(Run(job, "apply", mode, options, observer)).report()


def verify(job: Job, options: VerifyOptions, observer: Observer) -> Report:
    """Compare, and write nothing. Errors: as `apply`."""
    applied = ApplyOptions(
        selection=options.selection,
        keep_going=True,
        wait_s=options.wait_s,
        sample=options.sample,
        passwords=options.passwords,
    )
    return _Runner(Run(job, "verify", "verify", applied, observer)).report()


if TYPE_CHECKING:
    from seedframe.saved_plan import SavedPlan


class _Runner:
    """Opens the target, has a look at it, and has the run done."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._error: Problem | None = None
        self._target = Target(run.config.project, "", run.config.database.schema, "", "")
        self._started_at = datetime.now(UTC)
        self._plan: SavedPlan | None = None

    def report(self) -> Report:
        """Run it, and report: an error of the run itself is in the report, one of the configuration is raised."""
        with hiding(self._run.secrets):
            try:
                return self._report()
            except KeyboardInterrupt as stopped:
                # Before anything was written, or when all was at its end: else it has been told already.
                if self._run.mode == "apply" and not getattr(stopped, "__notes__", ()):
                    stopped.add_note(done_text(done_seeds(self._run.outcomes), of=len(self._run.job.chosen)))
                raise
            finally:
                self._run.accounts.close()

    def _report(self) -> Report:
        try:
            if self._run.mode in ("verify", "dry_run"):
                self._reread()
            else:
                with open_target(
                    self._run.config, wait_s=self._run.options.wait_s, waiting=self._run.observer.waiting
                ) as target:
                    self._write(target)
        except (DiscoveryError, PlanRefused):
            raise
        except SeedframeError as error:
            nothing = self._run.job.nothing
            if nothing is not None:  # and the ledger could not be asked
                raise NoSeeds.of((*nothing.problems, *error.problems)) from error
            self._error = masked_problem(error.problems[0])
        self._run.skip_the_rest()
        candidates = (self._error, *self._run.unmet, self._run.accounts.unknown())
        errors = [error for error in candidates if error is not None]
        report = Report(
            command=self._run.command,
            mode=self._run.mode,
            env=self._run.config.env,
            version=__version__,
            target=self._target,
            seeds=tuple(map(masked_outcome, self._run.outcomes)),
            started_at=self._started_at,
            duration_s=time.monotonic() - self._run.started,
            run=self._run.id,
            marked=self._run.marked and self._run.id is not None,
            strict=self._run.options.strict,
            detailed_exitcode=self._run.options.detailed_exitcode,
            error=errors[0] if errors else None,
            more_errors=tuple(errors[1:]),
            plan=self._run.job.plan.id if self._run.job.plan is not None else None,
            findings=self._findings(),
        )
        if self._run.options.out is not None:
            from seedframe.running.plan_making import saved  # here and below, as most runs need none of that

            report = saved(report, self._plan, self._run)
        self._run.observer.run_finished(report)
        return report

    def _findings(self) -> tuple[Finding, ...]:
        """What is to be told of no seed that took part. In `verify`, seeds that are gone have outcomes of their own."""
        if self._run.mode == "verify":
            return ()
        return tuple(masked_finding(Finding(gone.text, "warning")) for gone in self._run.gone)

    def _reread(self) -> None:
        """Read everything; from its start when the connection is lost, or a standby breaks it off, a few times."""
        run = self._run
        wait_s = run.options.wait_s

        def read(attempt: int) -> None:
            again = attempt > 1
            with open_target(
                run.config, wait_s=reconnect_s(wait_s) if again else wait_s, waiting=run.observer.waiting
            ) as target:
                self._read(target)

        run_again(read, recover=self._start_over)

    def _start_over(self, error: SeedframeError) -> None:
        self._run.observer.waiting(f"{error.message}; reading it all again")
        self._run.start_over()

    def _read(self, target: OpenTarget) -> None:
        session, run = target.session, self._run
        ledger = Ledger(session, project=run.config.project, baseline_rows=run.config.baseline_rows)
        session.begin(write=False)
        self._look_around(session, ledger, target.host)
        run.observer.run_started(run.job.chosen, run.mode)
        if run.options.out is not None:
            from seedframe.running.plan_making import require_ledger

            require_ledger(ledger)
            run.recorder = Recorder(changes=True)
        Reading(run, session, ledger).go()
        if run.options.out is not None:
            from seedframe.running.plan_making import plan_of

            self._plan = plan_of(run, session, created_at=self._started_at)
        session.rollback()

    def _write(self, target: OpenTarget) -> None:
        from seedframe.running.transactions import Transactions  # here, as what only reads needs none of it
        from seedframe.running.writing import Writing

        session, run = target.session, self._run
        ledger = Ledger(session, project=run.config.project, baseline_rows=run.config.baseline_rows)
        plan = run.job.plan

        def look(_attempt: int) -> None:
            session.begin(write=False)
            self._look_around(session, ledger, target.host)
            if plan is not None:
                from seedframe.running.exactly import require_bound

                require_bound(plan, run, session, ledger)
            session.rollback()

        Transactions(run, session).again(look)
        run.observer.run_started(run.job.chosen, run.mode)
        if plan is None:
            Writing(run, session, ledger).go()
        else:
            from seedframe.running.exactly import ExactWriting

            ExactWriting(run, session, ledger).go()

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
        if seen["standby"] and self._run.mode in ("apply", "rehearse"):
            raise standby()
        ledger.look()
        require_environment(ledger, self._run.config.env)
        job, applied = self._run.job, ledger.applied()
        missing = missing_requirements(job.chosen, job.all_seeds, applied)
        if missing:
            raise type(missing[0]).of(problem for error in missing for problem in error.problems)
        if self._run.options.selection.everything:
            self._run.gone = gone_seeds(applied, job.all_seeds, job.distributions)
        if job.nothing is not None and not self._run.gone:
            if ledger.unreadable is not None:
                raise LedgerError(f"the ledger cannot be read: {ledger.unreadable}", hint=ledger.grants)
            raise job.nothing
