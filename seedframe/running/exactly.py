"""A run that makes exactly what a saved plan says, or nothing: all of it in one transaction, and one snapshot."""

import time

from seedframe.database.applied_plans import AppliedPlan, enter_applied, find_applied
from seedframe.database.ledger import Ledger
from seedframe.database.planned import PlannedRows
from seedframe.database.session import Session
from seedframe.database.target_identity import target_identity
from seedframe.errors import ConnectionFailed, ConstraintViolated, PlanRefused, Problem, SeedframeError
from seedframe.observer import Observer
from seedframe.recorder import Recorder
from seedframe.report import SeedOutcome, Status, utc_text
from seedframe.running.plan_binding import binding, mismatches
from seedframe.running.plan_fit import compared_seeds, misfits, undeclared
from seedframe.running.reading import Reading
from seedframe.running.run import Run
from seedframe.running.writing import SeedFailedError, Writing
from seedframe.saved_plan import SavedPlan, SavedSeed
from seedframe.seed import Seed


def require_bound(plan: SavedPlan, run: Run, session: Session, ledger: Ledger) -> None:
    """What can be told before anything is locked: used already, another target, other code. Errors: PlanRefused."""
    _require_unused(plan, ledger)
    job = run.job
    now = binding(run.config, job.chosen, run.settings, job.distributions, target_identity(session))
    problems = mismatches(plan.binding, now)
    if problems:
        raise PlanRefused.of(problems)


def _require_unused(plan: SavedPlan, ledger: Ledger) -> None:
    applied: AppliedPlan | None = find_applied(ledger, plan.id)
    if applied is not None:
        raise PlanRefused(
            f"the plan was applied by run {applied.run} on {utc_text(applied.at)}",
            hint="a plan is applied once: make a new one with seedframe apply --dry-run --out FILE",
        )


class ExactWriting(Writing):
    """Applies a saved plan.

    The lock first, then a REPEATABLE READ snapshot, in which everything is compared as the dry run has compared it,
    before anything is written: all of it must be as it is in the plan. Whoever changes a row from then on that is to be
    written makes the server refuse it, and all is begun anew, with the comparison.
    """

    def _write_together(self) -> None:
        self._write_all_again()
        if any(outcome.status is Status.FAILED for outcome in self._run.outcomes):
            self._undo_all("because another seed failed")

    def _write_all(self, attempt: int) -> None:
        plan = self._run.job.plan
        assert plan is not None  # noqa: S101 - the runner looked
        assert self._run.id is not None  # noqa: S101 - a plan is applied, not rehearsed
        self._run.start_over()
        self._transactions.begin_locked(snapshot=True)
        self._guard.set()
        _require_unused(plan, self._ledger)
        self._require_fit(plan)
        try:
            # Before anything else is written: it keeps others from applying the same plan.
            enter_applied(self._ledger, plan.id, run=self._run.id)
        except ConstraintViolated:
            # By a run that ended after the snapshot was taken.
            self._session.rollback()
            self._session.begin(write=False)
            _require_unused(plan, self._ledger)
            raise
        planned = {seed.name: seed for seed in plan.seeds}
        self._run.recorder = Recorder(changes=False)
        for seed in self._run.job.chosen:
            outcome = self._write_planned(seed, planned[seed.name], attempt)
            self._run.finish(seed, outcome)
            if outcome.status is Status.FAILED:
                self._run.stopped_by = seed  # critical or not: a plan is made whole or not at all
                self._session.rollback()
                return
        self._guard.lift()
        self._commit_all("the plan")

    def _require_fit(self, plan: SavedPlan) -> None:
        """Errors: PlanRefused, with everything that moved."""
        again = Run(self._run.job, "apply", "dry_run", self._run.options, Observer())
        again.recorder = Recorder(changes=True)
        try:
            with self._session.reading():
                Reading(again, self._session, self._ledger).go()
        finally:
            again.accounts.close()
        problems = [
            Problem(PlanRefused.code, f"seed {outcome.seed} cannot be compared any more: {outcome.error.message}",
                    outcome.error.hint, outcome.error.where)
            for outcome in again.outcomes
            if outcome.error is not None
        ]  # fmt: skip
        problems = problems or misfits(plan.seeds, compared_seeds(again))
        if problems:
            raise PlanRefused.of(problems)

    def _write_planned(self, seed: Seed, planned: SavedSeed, attempt: int) -> SeedOutcome:
        self._run.observer.seed_started(seed)
        started = time.monotonic()
        try:
            outcome = self._within(seed, PlannedRows(), started)
        except ConnectionFailed:
            raise
        except SeedFailedError as failure:
            return self._run.refused(seed, failure.attempted, started)
        except SeedframeError as error:
            return self._failed_together(seed, error, started, attempt)
        assert self._run.recorder is not None  # noqa: S101 - set above
        problem = undeclared(planned, self._run.recorder.of(seed.name))
        if problem is not None:
            raise PlanRefused.of([problem])
        return outcome
