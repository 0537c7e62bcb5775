"""One run over one target: what is to be done, how far it has come, and what became of each seed."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from seedframe.account_run import AccountRun
from seedframe.changes import Finding
from seedframe.configuration.config import Config
from seedframe.configuration.settings import Settings, declaration_problems, resolve
from seedframe.database.baselines import Baselines
from seedframe.database.ledger import Ledger
from seedframe.database.planned import PlannedRows
from seedframe.database.session import Session
from seedframe.errors import ConfigError, NoSeeds, Problem, SeedframeError
from seedframe.observer import Observer
from seedframe.options import ApplyOptions
from seedframe.plugins.manager import SeedManager
from seedframe.plugins.uninstalled import GoneSeed
from seedframe.recorder import Recorder
from seedframe.report import Mode, ResourceOutcome, SeedOutcome, Status
from seedframe.secrecy.handover import Handover
from seedframe.secrecy.known_secrets import configured_secrets
from seedframe.secrecy.masked_report import masked_outcome
from seedframe.seed import Seed
from seedframe.seeding.attempt import Attempt, Attempted
from seedframe.seeding.column_claims import ColumnClaims
from seedframe.seeding.scene import Scene
from seedframe.seeding.seed_observer import SeedObserver

if TYPE_CHECKING:
    from seedframe.plugins.installed import Distribution
    from seedframe.saved_plan import SavedPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be run: the project's side of it.

    Attributes:
        missing: plugins that are allowed and not installed, in `verify`, which goes on without them.
        nothing: that there are no seeds, in `verify`, which asks the ledger all the same; raised where that knows none.
        plan: the one to be applied, where one was saved.
    """

    config: Config
    plugins: SeedManager
    all_seeds: tuple[Seed, ...]
    chosen: tuple[Seed, ...]
    distributions: "tuple[Distribution, ...]" = ()
    missing: "tuple[Distribution, ...]" = ()
    nothing: NoSeeds | None = None
    plan: "SavedPlan | None" = None


class Run:
    """One run. Errors: ConfigError (a setting of a chosen seed).

    Attributes:
        id: its number in the ledger; None for what leaves nothing there.
        marked: the database had no mark, and has one by this run.
        outcomes: of the seeds so far, in run order.
        started: when, by `time.monotonic`.
        stopped_by: the critical seed that failed, after which nothing else is tried.
        accounts: what the run knows of accounts and their passwords.
        unmet: what the project counts on, and what of it could not be looked at.
        gone: the seeds that the ledger knows and nobody declares any more; only where all seeds are chosen.
        recorder: takes down what a saved plan is bound to; None where none is made or applied.
    """

    def __init__(
        self, job: Job, command: Literal["apply", "verify"], mode: Mode, options: ApplyOptions, observer: Observer
    ) -> None:
        self.job = job
        self.config = job.config
        self.command: Literal["apply", "verify"] = command
        self.mode: Mode = mode
        self.options = options
        self.observer = observer
        self.outcomes: list[SeedOutcome] = []
        self.id: int | None = None
        self.marked = False
        self.stopped_by: Seed | None = None
        self.unmet: tuple[Problem, ...] = ()
        self.gone: tuple[GoneSeed, ...] = ()
        self._not_done: dict[str, str] = {}
        self._told: set[str] = set()
        self._elsewhere: list[tuple[str, tuple[str, ...]]] = []
        self.started = time.monotonic()
        self.recorder: Recorder | None = None
        self._claims = ColumnClaims(job.all_seeds, job.plugins, job.config.env, job.config.plugins_shared)
        self._settings = resolve_all(job.config, job.chosen)
        self.accounts = AccountRun(
            config=job.config.accounts,
            passwords=options.passwords,
            mode=mode,
            production=job.config.production,
            backends=job.plugins.contributions.account_backends,
            handover=Handover(
                job.config.root / ".seedframe", observer.password_generated if observer.shows_passwords else None
            ),
        )

    def attempt(self, session: Session, ledger: Ledger, seed: Seed, planned: PlannedRows) -> Attempt:
        """A first or another attempt of a seed, in the transaction that is open."""
        scene = Scene(
            session=session,
            baselines=Baselines(ledger, {seed.name for seed in self.job.all_seeds}),
            plugins=self.job.plugins,
            all_seeds=self.job.all_seeds,
            env=self.config.env,
            mode=self.mode,
            on_conflict=None if self.mode == "verify" else self.options.on_conflict,
            state_dir=self.config.root / ".seedframe",
            sample=self.options.sample,
            limits=self.config.limits,
            misnamed=self.config.environment_problem,
            elsewhere=self._elsewhere,
            claims=self._claims,
            recorder=self.recorder,
            listed=self.config.changed_rows if self.mode == "apply" else 0,
            told=self._told,
            accounts=self.accounts,
        )
        return Attempt(
            scene,
            seed,
            self._settings[seed.name],
            planned,
            SeedObserver(self.observer, seed),
        )

    def done(self, seed: Seed, attempted: Attempted, started: float) -> SeedOutcome:
        """The outcome of a seed whose attempt went to its end. `started` is by `time.monotonic`, as below."""
        outcome = self._outcome(
            seed, Status.IN_SYNC, started, resources=attempted.resources, findings=attempted.findings
        )
        return replace(outcome, status=self._status(outcome, attempted))

    def _status(self, outcome: SeedOutcome, attempted: Attempted) -> Status:
        if attempted.failed:
            return Status.FAILED
        if self.mode == "verify":
            return Status(outcome.verdict.value)
        return Status.CHANGED if outcome.counts.changed else Status.IN_SYNC

    def refused(self, seed: Seed, attempted: Attempted, started: float) -> SeedOutcome:
        """The outcome of a seed that was rolled back because its `verify` found an error: nothing of it was done."""
        return self._outcome(seed, Status.FAILED, started, findings=attempted.findings)

    def failed(self, seed: Seed, error: SeedframeError, started: float) -> SeedOutcome:
        """The outcome of a seed that raised."""
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
        outcome = SeedOutcome(
            seed=seed.label,
            origin=seed.origin,
            status=status,
            critical=seed.critical,
            duration_s=0.0 if started is None else time.monotonic() - started,
            resources=resources,
            findings=tuple(each for each in findings if each.text not in self.accounts.handover.taken_back),
            error=error,
            writes=seed.writes if seed.distribution is not None else None,
        )
        return masked_outcome(outcome)

    @property
    def settings(self) -> Mapping[str, Settings]:
        """The settings of each chosen seed, by its name."""
        return self._settings

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text that leaves the run may hold: secret settings, and the database's password."""
        found = [secret for settings in self._settings.values() for secret in settings.secrets]
        return (*found, *configured_secrets(self.config))

    def finish(self, seed: Seed, outcome: SeedOutcome) -> None:
        """Keep an outcome and tell of it; the failure of a critical seed stops the run, unless it is to keep going."""
        outcome = masked_outcome(outcome)
        self.outcomes.append(outcome)
        self.observer.seed_finished(seed, outcome)
        if outcome.status is Status.FAILED:
            self._not_done[seed.name] = f"{seed.label}, which it requires, failed"
        failed = outcome.status is Status.FAILED and seed.critical
        if failed and not self.options.keep_going and self.mode != "verify":
            self.stopped_by = seed

    def start_over(self) -> None:
        """Forget what became of the seeds: all of them are begun again."""
        self.outcomes.clear()
        self.accounts.start_over()
        self._claims.start_over()
        self.stopped_by = None
        self._not_done.clear()

    def may_go_on_to(self, seed: Seed) -> bool:
        """True when the seed is to be tried; else it has its outcome: one that it requires failed, or was not tried."""
        if self.stopped_by is not None:
            return False
        why = next((self._not_done[name] for name in seed.requires if name in self._not_done), None)
        if why is None or self.mode == "verify":
            return True
        self._not_done[seed.name] = f"{seed.label}, which it requires, was not tried"
        self.outcomes.append(self._skipped(seed, why))
        return False

    def _skipped(self, seed: Seed, why: str) -> SeedOutcome:
        return self._outcome(seed, Status.SKIPPED, findings=(Finding(f"not tried: {why}", "info"),))

    def skip_the_rest(self) -> None:
        """Give an outcome to the seeds that were not come to."""
        reached = {outcome.seed for outcome in self.outcomes}
        why = f"{self.stopped_by.label} failed" if self.stopped_by is not None else "the run could not go on"
        for seed in self.job.chosen:
            if seed.label not in reached:
                self.outcomes.append(self._skipped(seed, why))


def resolve_all(config: Config, chosen: Iterable[Seed]) -> Mapping[str, Settings]:
    """The settings of seeds, by a seed's name. Errors: ConfigError with every mistake in them."""
    resolved: dict[str, Settings] = {}
    chosen = tuple(chosen)
    problems = declaration_problems((seed.label, seed.settings) for seed in chosen)
    for seed in chosen:
        try:
            resolved[seed.name] = resolve(
                seed.settings, config.variables, config.variable_sources, root=config.root, seed=seed.name
            )
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError.of(problems)
    return resolved
