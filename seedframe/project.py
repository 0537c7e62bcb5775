"""Project: the library's front door. Everything the command line does is a method here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from seedframe.config import Config, load_config
from seedframe.discovery import discover
from seedframe.errors import DiscoveryError
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.ordering import arrange, broken, select
from seedframe.plugins import SeedManager
from seedframe.report import Report
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.installed import Distribution


@dataclass(frozen=True, slots=True)
class Project:
    """A configured project and its seeds.

    Attributes:
        config: the configuration, for one environment.
        seeds: all seeds in run order, broken ones included.
        plugins: the manager that the usable seeds are registered with; hooks are called through it.
        problems: what is wrong with the project rather than with one seed.
        distributions: the installed plugins and what became of them; empty without `[plugins] allow`.
        extensions: names of the loaded extensions, with the distribution each is from.
    """

    config: Config
    seeds: tuple[Seed, ...]
    plugins: SeedManager
    problems: tuple[DiscoveryError, ...] = ()
    distributions: "tuple[Distribution, ...]" = ()
    extensions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path | None = None, *, env: str | None = None, disabled: Sequence[str] = ()) -> "Project":
        """Read the configuration at or above `path` (default: the working directory) and discover the seeds.

        Args:
            path: the configuration file, or a folder in the project.
            env: the name of the environment; default: SEEDFRAME_ENV, else "development".
            disabled: names of plugins (distributions or entry points) not to load.

        Errors: ConfigError. What is wrong with seeds and plugins is kept in `problems` and `Seed.broken`.
        """
        return cls.of(load_config(path, env=env, disabled=disabled))

    @classmethod
    def of(cls, config: Config) -> "Project":
        """Discover the seeds of a configuration that was read before."""
        found = discover(config)
        return cls(config, arrange(found.seeds), found.plugins, found.problems, found.distributions, found.extensions)

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
        if len(found) == 1:
            raise found[0]
        raise DiscoveryError.of(problem for error in found for problem in error.problems)

    def apply(self, options: ApplyOptions = ApplyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Make it so, or with `dry_run` or `rehearse` show what would be done. Raises nothing a report can carry."""
        raise NotImplementedError

    def verify(self, options: VerifyOptions = VerifyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Prove that it still holds; never writes."""
        raise NotImplementedError
