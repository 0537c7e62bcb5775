"""The saved plans that were applied, in the ledger: each is applied once."""

from dataclasses import dataclass
from datetime import datetime

from seedframe.database.ledger import Ledger


@dataclass(frozen=True, slots=True)
class AppliedPlan:
    """By which run a plan was applied, and when, by the database's clock."""

    run: int
    at: datetime


def find_applied(ledger: Ledger, plan: str) -> AppliedPlan | None:
    """What the ledger has of a plan, by its id; None when it was not applied, as far as can be told."""
    if not (
        ledger.readable and ledger.session.scalar("SELECT pg_catalog.to_regclass('seedframe.applied_plan') IS NOT NULL")
    ):
        return None
    row = ledger.session.first("SELECT run_id, applied_at FROM seedframe.applied_plan WHERE id = $1", [plan])
    return None if row is None else AppliedPlan(*row)


def enter_applied(ledger: Ledger, plan: str, *, run: int) -> None:
    """Enter a plan, in the transaction of its changes. Errors: ConstraintViolated when it is there already."""
    ledger.session.execute("INSERT INTO seedframe.applied_plan (id, run_id) VALUES ($1, $2)", [plan, run])
