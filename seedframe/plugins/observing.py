"""Extensions as observers of a run: what one of them raises is told once, and changes nothing."""

from typing import Any

from seedframe.log import logger
from seedframe.observer import Observer
from seedframe.plugins.manager import SeedManager
from seedframe.plugins.wrappers import HINT, BadWrapper
from seedframe.report import Report, ResourceOutcome, SeedOutcome
from seedframe.secrecy.handover import Handed
from seedframe.secrecy.tracebacks import describe, render
from seedframe.seed import Seed


def observed(plugins: SeedManager, observer: Observer, env: str) -> Observer:
    """The observer, and the extensions that watch beside it, if there are any."""
    watched = any(name.startswith(_WATCHING) for name in plugins.extension_hooks())
    return _Extensions(plugins, observer, env) if watched else observer


_WATCHING = ("seedframe_run_", "seedframe_seed_", "seedframe_resource_started", "seedframe_resource_finished")


class _Extensions(Observer):
    """Tells the observer, then each extension."""

    def __init__(self, plugins: SeedManager, observer: Observer, env: str) -> None:
        self._plugins = plugins
        self._observer = observer
        self._env = env
        self._told: set[tuple[str, str]] = set()
        self.shows_passwords = observer.shows_passwords

    def run_started(self, seeds: tuple[Seed, ...], mode: str) -> None:
        self._observer.run_started(seeds, mode)
        self._tell("seedframe_run_started", seeds=tuple(seed.unshared() for seed in seeds), mode=mode, env=self._env)

    def run_finished(self, report: Report) -> None:
        self._observer.run_finished(report)
        self._tell("seedframe_run_finished", report=report)

    def step(self) -> None:
        self._observer.step()

    def waiting(self, what: str) -> None:
        self._observer.waiting(what)

    def seed_started(self, seed: Seed) -> None:
        self._observer.seed_started(seed)
        self._tell("seedframe_seed_started", seed=seed.unshared())

    def rows_read(self, seed: Seed, resource: str, rows: int) -> None:
        self._observer.rows_read(seed, resource, rows)

    def resource_started(self, seed: Seed, resource: str) -> None:
        self._observer.resource_started(seed, resource)
        self._tell("seedframe_resource_started", seed=seed.unshared(), resource=resource)

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:
        self._observer.resource_planned(seed, outcome)

    def resource_finished(self, seed: Seed, outcome: ResourceOutcome) -> None:
        self._observer.resource_finished(seed, outcome)
        self._tell("seedframe_resource_finished", seed=seed.unshared(), outcome=outcome)

    def seed_finished(self, seed: Seed, outcome: SeedOutcome) -> None:
        self._observer.seed_finished(seed, outcome)
        self._tell("seedframe_seed_finished", seed=seed.unshared(), outcome=outcome)

    def password_generated(self, handed: Handed) -> bool:
        return self._observer.password_generated(handed)

    def _tell(self, hook: str, **arguments: Any) -> None:
        for name in self._plugins.implementing(hook):
            try:
                self._plugins.one(name, hook)(**arguments)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - who watches does not decide
                if (name, hook) not in self._told:
                    self._told.add((name, hook))
                    self._warn(name, hook, error)

    def _warn(self, name: str, hook: str, error: BaseException) -> None:
        own = self._plugins.own_files(self._plugins.get_plugin(name))
        logger.bind(extension=name, hook=hook, traceback=render(error, since=own.owns)).info("a hook raised")
        if isinstance(error, BadWrapper):
            who, where = self._plugins.broken_wrapper(error)
            what = f"its wrapper of `{hook}` {error.what} at {where} ({HINT})"
        else:
            who, place = self._plugins.raised_in(error) or (self._plugins.called(name), "")
            what = f"`{hook}` {'called sys.exit()' if isinstance(error, SystemExit) else f'failed: {describe(error)}'}"
            what += f" at {place}" if place else ""
        logger.bind(extension=name, hook=hook).warning(f"{who}: {what}; the run goes on without it")
