"""From a dry run to a saved plan."""

import secrets
from dataclasses import replace
from datetime import datetime

from seedframe.changes import Finding
from seedframe.database.ledger import Ledger
from seedframe.database.session import Session
from seedframe.database.target_identity import target_identity
from seedframe.errors import PlanRefused, Problem
from seedframe.report import Report, Status, utc_text
from seedframe.running.plan_binding import binding
from seedframe.running.plan_fit import compared_seeds
from seedframe.running.run import Run
from seedframe.saved_plan import SavedPlan, write_plan

_ID_BYTES = 16


def require_ledger(ledger: Ledger) -> None:
    """A plan can be made. Errors: PlanRefused where verdicts cannot be told: it would fit for nobody who can."""
    if ledger.unreadable is not None:
        raise PlanRefused(
            f"no plan can be made, as the ledger cannot be read: {ledger.unreadable}",
            hint=None if ledger.incomplete else ledger.grants,
        )


def plan_of(run: Run, session: Session, *, created_at: datetime) -> SavedPlan | None:
    """The plan of a dry run that has come to its end; None where a seed failed. The transaction is still open."""
    job = run.job
    if any(outcome.status is Status.FAILED for outcome in run.outcomes) or len(run.outcomes) < len(job.chosen):
        return None
    return SavedPlan(
        id=secrets.token_hex(_ID_BYTES),
        created_at=utc_text(created_at),
        selection=run.options.selection,
        on_conflict=run.options.on_conflict,
        binding=binding(run.config, job.chosen, run.settings, job.distributions, target_identity(session)),
        seeds=compared_seeds(run),
    )


def saved(report: Report, plan: SavedPlan | None, run: Run) -> Report:
    """The report of a dry run whose plan was saved, or could not be: a seed that failed has none.

    Errors: PlanRefused, when the file cannot be written.
    """
    path = run.options.out
    assert path is not None  # noqa: S101 - the runner looked
    if plan is not None and report.error is None:
        write_plan(path, plan)
        return replace(report, plan=plan.id)
    failed = [outcome.seed for outcome in report.seeds if outcome.status is Status.FAILED]
    told = Finding("no plan was saved, as this seed failed", "info")
    report = replace(
        report,
        seeds=tuple(
            replace(outcome, findings=(*outcome.findings, told)) if outcome.seed in failed else outcome
            for outcome in report.seeds
        ),
    )
    if report.exit_code in (0, 2):  # only seeds failed that are not critical: whoever waits for the file has to know
        message = f"no plan was saved, as seed {', '.join(failed)} failed"
        return replace(report, error=Problem(PlanRefused.code, message, "mend it, or leave it out with --skip"))
    return report
