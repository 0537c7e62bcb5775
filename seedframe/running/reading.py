"""A run that reads, and writes nothing: verify and dry run, all seeds in one transaction and one snapshot."""

import time
from dataclasses import replace

from seedframe.changes import Changes, Finding, Verdict
from seedframe.database.baselines import Baselines
from seedframe.database.ledger import Ledger
from seedframe.database.planned import PlannedRows
from seedframe.database.session import Session
from seedframe.errors import ConnectionFailed, SeedframeError, TransactionEnded
from seedframe.plugins.uninstalled import unseen
from seedframe.report import ResourceOutcome, SeedOutcome, Status
from seedframe.running.run import Run
from seedframe.seed import Seed
from seedframe.seeding import hooks


class Reading:
    """Compares the chosen seeds, in the transaction that is open."""

    def __init__(self, run: Run, session: Session, ledger: Ledger) -> None:
        self._run = run
        self._session = session
        self._ledger = ledger
        self._planned = PlannedRows()

    def go(self) -> None:
        """Compare seed by seed; what becomes of each goes into the run. Errors: ConnectionFailed."""
        for seed in self._run.job.chosen:
            if self._run.may_go_on_to(seed):
                self._run.finish(seed, self._read_one(seed))
        if self._run.mode == "verify":
            self._run.outcomes += self._gone()
        self._run.unmet = tuple(unseen(self._run.job.missing, self._run.outcomes))

    def _read_one(self, seed: Seed) -> SeedOutcome:
        self._run.observer.seed_started(seed)
        started = time.monotonic()
        planned = self._planned.copy()
        try:
            with self._session.savepoint(), hooks.blamed(seed, self._run.job.plugins):
                attempted = self._run.attempt(self._session, self._ledger, seed, self._planned).run()
        except ConnectionFailed:
            raise
        except SeedframeError as error:
            self._run.observer.step()
            self._session.require_connection(error)
            if isinstance(error, TransactionEnded):
                self._session.rollback()
                self._session.begin(write=False)
            self._planned = planned
            return self._run.failed(seed, error, started)
        if self._ledger.unreadable is not None and not self._run.outcomes:
            text = f"the ledger cannot be read ({self._ledger.unreadable}): pending and drift cannot be told apart"
            if self._ledger.env is None:
                text += ", and which environment the database is of is not known"
            attempted = replace(attempted, findings=(*attempted.findings, Finding(text, "warning")))
        return self._run.done(seed, attempted, started)

    def _gone(self) -> list[SeedOutcome]:
        """Seeds that the ledger knows and nobody declares any more."""
        baselines = Baselines(self._ledger)
        return [
            SeedOutcome(
                seed=gone.name,
                origin=gone.origin,
                status=Status.ORPHAN,
                resources=tuple(
                    ResourceOutcome(resource, Verdict.ORPHAN, Changes()) for resource in baselines.of(gone.name)
                ),
                findings=(Finding(gone.text, "error"),),
            )
            for gone in self._run.gone
        ]
