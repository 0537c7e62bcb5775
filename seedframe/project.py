"""Project: the library's front door. Everything the command line does is a method here."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seedframe.configuration.config import Config, load_config
from seedframe.discovery import discover
from seedframe.errors import (
    DiscoveryError,
    LedgerError,
    NoSeeds,
    PlanRefused,
    PluginMissing,
    RequirementMissing,
    SeedframeError,
    UnknownSeed,
    UsageError,
)
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.ordering import broken, in_order, is_about_order, select, with_requirements
from seedframe.plugins.extension_manager import Trace
from seedframe.plugins.manager import SeedManager
from seedframe.plugins.modified_order import modified_order
from seedframe.plugins.observing import observed
from seedframe.report import Report
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.database.environment_mark import Mark
    from seedframe.database.ledger import Ledger
    from seedframe.history import ChainCheck, ChainHead, RunRecord
    from seedframe.plugins.installed import Distribution
    from seedframe.plugins.uninstalled import GoneSeed
    from seedframe.running.run import Job


@dataclass(frozen=True, slots=True)
class Project:
    """A configured project and its seeds.

    Attributes:
        config: the configuration, for one environment.
        seeds: all seeds in run order, broken ones included.
        plugins: the manager that the usable seeds are registered with; hooks are called through it.
        problems: what is wrong with the project rather than with one seed.
        distributions: the installed plugins and what became of them; empty without `[plugins] allow`.
    """

    config: Config
    seeds: tuple[Seed, ...]
    plugins: SeedManager
    problems: tuple[DiscoveryError, ...] = ()
    distributions: "tuple[Distribution, ...]" = ()

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        env: str | None = None,
        disabled: Sequence[str] = (),
        named: Sequence[str] = (),
    ) -> "Project":
        """Read the configuration at or above `path` (default: the working directory) and discover the seeds.

        Args:
            path: the configuration file, or a folder in the project.
            env: the name of the environment; default: SEEDFRAME_ENV, else "development".
            disabled: names of plugins (distributions or entry points) not to load.
            named: names of plugins to load although SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD is set.

        Errors: ConfigError. What is wrong with seeds and plugins is kept in `problems` and `Seed.broken`.
        """
        return cls.of(load_config(path, env=env, disabled=disabled, named=named))

    @classmethod
    def of(cls, config: Config, *, trace: Trace | None = None) -> "Project":
        """Discover the seeds of a configuration that was read before; `trace` is told of each call of a hook."""
        found = discover(config, trace)
        seeds, problems = modified_order(in_order(found.seeds), found.plugins, config)
        seeds = with_requirements(seeds)
        if any(isinstance(seed.broken, RequirementMissing) for seed in seeds):
            from seedframe.plugins.uninstalled import with_reasons  # here, as few projects come to that

            seeds = with_reasons(seeds, found.distributions, config)
        return cls(config, seeds, found.plugins, (*found.problems, *problems), found.distributions)

    def choose(self, selection: Selection = Selection(), *, all_usable: bool = False) -> tuple[Seed, ...]:  # noqa: B008
        """The selected seeds that run in this environment, in run order, each of them usable.

        Args:
            selection: names, tags and what is skipped.
            all_usable: also refuse when a seed outside the selection is broken, as `verify` must.

        Errors: DiscoveryError with everything that stands in the way, UnknownSeed, NoSeeds, UsageError.
        """
        running = (seed for seed in self.seeds if seed.runs_in(self.config.env))
        found = [*self.problems, *(broken(running) if all_usable else ())]
        if not found:
            chosen = select(self.seeds, selection, self.config.env)
            found = list(broken(chosen))
            if not found:
                return chosen
        elif not all_usable:
            found += self._also_broken(selection)
        if len(found) == 1:
            raise found[0]
        raise DiscoveryError.of(problem for error in found for problem in error.problems)

    def _also_broken(self, selection: Selection) -> tuple[DiscoveryError, ...]:
        """What is wrong with the selected seeds themselves, beside what is wrong with the project: that may be why a
        seed is not there which is selected, or required."""
        try:
            chosen = select(self.seeds, selection, self.config.env)
        except SeedframeError:
            return ()
        return tuple(error for error in broken(chosen) if not is_about_order(error))

    def check_settings(self, chosen: Sequence[Seed]) -> None:
        """Read the variables of these seeds, and nothing else. Errors: ConfigError with all that do not fit."""
        from seedframe.running.run import resolve_all

        resolve_all(self.config, chosen)

    def apply(self, options: ApplyOptions = ApplyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Make it so, or with `dry_run` or `rehearse` show what would be done.

        Returns:
            The report; what went wrong while it ran, in a seed or on the way to the database, is in it.

        Errors: ConfigError, DiscoveryError, UsageError, for what can be told before anything runs; PlanRefused for a
        saved plan that cannot be made, or does not fit any more.
        """
        from seedframe.running import runner  # here, as all that needs the database: `list` and `env` do not

        options.require_sensible()
        if options.out is not None:
            from seedframe.saved_plan import check_out

            check_out(options.out)
        if options.plan is None:
            try:
                chosen = self.choose(options.selection)
            except NoSeeds as error:
                raise self._and_what_was_applied(error, options.selection) from None
            return runner.apply(self._job(chosen), options, self._observed(observer))
        from seedframe.saved_plan import read_plan

        plan = read_plan(options.plan)
        try:
            chosen = self.choose(plan.selection)
        except (UnknownSeed, NoSeeds) as error:
            raise PlanRefused(f"the plan's seeds are not there any more: {error.message}", hint=error.hint) from error
        exactly = replace(
            options, selection=plan.selection, on_conflict=plan.on_conflict, transaction="run", strict=True
        )
        return runner.apply(replace(self._job(chosen), plan=plan), exactly, self._observed(observer))

    def verify(self, options: VerifyOptions = VerifyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Prove that it still holds; never writes. Returns and raises as `apply`.

        It goes on where a plugin that is allowed is not installed, and where no seed is left: what the ledger knows
        and is not there is reported as missing.
        """
        missing = tuple(dist for dist in self.distributions if dist.expected and dist.state == "missing")
        if not missing:
            return self._verified(options, observer)
        from seedframe.plugins.uninstalled import problem_of, without_absent_requirements

        there = replace(
            self,
            seeds=without_absent_requirements(self.seeds),
            problems=tuple(error for error in self.problems if not isinstance(error, PluginMissing | NoSeeds)),
        )
        try:
            return there._verified(options, observer, missing)  # noqa: SLF001 - of the same class
        except DiscoveryError as error:
            raise DiscoveryError.of([*map(problem_of, missing), *error.problems]) from error

    def _verified(
        self, options: VerifyOptions, observer: Observer | None, missing: "tuple[Distribution, ...]" = ()
    ) -> Report:
        from seedframe.running import runner

        nothing: NoSeeds | None = None
        try:
            chosen = self.choose(options.selection, all_usable=True)
        except NoSeeds as error:
            if not (options.selection.everything and (missing or self._may_have_a_ledger)):
                raise
            chosen, nothing = (), error
        # Where a plugin is missing, that is what there is to say.
        job = replace(self._job(chosen), missing=missing, nothing=None if missing else nothing)
        return runner.verify(job, options, self._observed(observer))

    def _and_what_was_applied(self, error: NoSeeds, selection: Selection) -> NoSeeds:
        """That there are no seeds, and which ones were applied before, where the ledger can be asked."""
        if not (selection.everything and self._may_have_a_ledger):
            return error
        try:
            with self._ledger() as ledger:
                gone = self._gone(ledger)
        except SeedframeError:
            return error
        return NoSeeds.of([*error.problems, *(seed.problem for seed in gone)])

    @property
    def _may_have_a_ledger(self) -> bool:
        """False where there is no database yet, and looking would make one."""
        if not self.config.database.embedded:
            return True
        from seedframe.database.placement import is_known

        return is_known(self.config.root)

    def _gone(self, ledger: "Ledger") -> "tuple[GoneSeed, ...]":
        from seedframe.plugins.uninstalled import gone_seeds

        return gone_seeds(ledger.applied(), self.seeds, self.distributions)

    def history(self, *, limit: int = 20) -> "list[RunRecord]":
        """The newest runs of this project and schema, newest first. Errors: ConnectionFailed, LedgerError."""
        return self.past(limit=limit)[0]

    def past(self, *, limit: int = 20) -> "tuple[list[RunRecord], tuple[GoneSeed, ...]]":
        """As `history`, and the seeds that were applied and that nobody declares any more.

        Where something is wrong with the project, so that it is not known what it declares, none of these. Errors: as
        `history`.
        """
        from seedframe.database.run_log import RunLog

        known = all(isinstance(error, PluginMissing | NoSeeds) for error in self.problems)
        with self._ledger() as ledger:
            return RunLog(ledger).runs(limit=limit), self._gone(ledger) if known else ()

    def check_history(self, head: "ChainHead | None" = None) -> "ChainCheck":
        """Compute every hash of the audit trail again, and compare it with a head that was exported, if one is given.

        Errors: UsageError when the head is of another project or schema; as `history`.
        """
        from seedframe.database.audit_trail import AuditTrail

        config = self.config
        if head is not None and (head.project, head.schema) != (config.project, config.database.schema):
            raise UsageError(
                f"the head is of project {head.project!r} and schema {head.schema!r}, not of {config.project!r} and"
                f" {config.database.schema!r}",
                hint="give the one that was exported from here",
            )
        with self._ledger() as ledger:
            return AuditTrail(ledger).check(head)

    def history_head(self) -> "ChainHead":
        """The last entry of the audit trail, to be kept elsewhere. Errors: as `history`."""
        from seedframe.database.audit_trail import AuditTrail

        with self._ledger() as ledger:
            return AuditTrail(ledger).head()

    def run_record(self, run: int, *, rows: int | None = 20) -> "RunRecord":
        """One run with its seeds, each with so many of its changed rows (None: all).

        Errors: UsageError when the ledger has no such run; as `history`.
        """
        from seedframe.database.run_log import RunLog

        with self._ledger() as ledger:
            found = RunLog(ledger).runs(run=run, rows=rows)
        if not found:
            raise UsageError(f"there is no run {run} of project {self.config.project!r}", hint="see seedframe history")
        return found[0]

    def forget(self, name: str) -> int:
        """Drop a removed seed's baselines from the ledger; how many there were. Its rows stay.

        Errors: UnknownSeed when the ledger does not know it, UsageError while it is still declared.
        """
        declared = next((seed for seed in self.seeds if name in (seed.name, seed.label)), None)
        if declared is not None:
            raise UsageError(
                f"seed {declared.label} is still declared in {declared.origin}", hint="remove it first, then forget it"
            )
        from seedframe.operations import forgetting

        return forgetting.forget(self.config, name)

    def mark(self) -> "Mark | None":
        """What environment the database is marked as; None where it is not marked. Errors: as `history`."""
        from seedframe.operations import marking

        return marking.mark_of(self.config)

    def mark_as(self, env: str) -> "Mark | None":
        """Mark the database as that of another environment, on purpose; what it was marked as before.

        Errors: ConfigError, LockTimeout, PermissionDenied; as `history`.
        """
        from seedframe.operations import marking

        return marking.mark_as(self.config, env)

    @contextmanager
    def _ledger(self) -> "Iterator[Ledger]":
        from seedframe.database.engine import open_target
        from seedframe.database.ledger import Ledger

        config = self.config
        with open_target(config) as target:
            session = target.session
            session.begin(write=False)
            ledger = Ledger(session, project=config.project, baseline_rows=config.baseline_rows)
            ledger.look()
            if ledger.unreadable is not None:
                raise LedgerError(
                    f"the ledger cannot be read: {ledger.unreadable}",
                    hint=ledger.grants,
                )
            yield ledger

    def _observed(self, observer: Observer | None) -> Observer:
        return observed(self.plugins, observer or Observer(), self.config.env)

    def _job(self, chosen: tuple[Seed, ...]) -> "Job":
        from seedframe.running.run import Job

        return Job(
            config=self.config,
            plugins=self.plugins,
            all_seeds=self.seeds,
            chosen=chosen,
            distributions=self.distributions,
        )
