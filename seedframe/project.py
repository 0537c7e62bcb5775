"""Project: the library's front door. Everything the command line does is a method here."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seedframe.config import Config
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, VerifyOptions
from seedframe.report import Report
from seedframe.seed import Seed


@dataclass(frozen=True, slots=True)
class Project:
    """A configured project and its seeds, in run order (broken ones included)."""

    config: Config
    seeds: tuple[Seed, ...]

    @classmethod
    def load(cls, path: Path | None = None, *, env: str | None = None, disabled: Sequence[str] = ()) -> "Project":
        """Read the configuration at or above `path` (default: the working directory) and discover the seeds.

        Errors: ConfigError, DiscoveryError.
        """
        raise NotImplementedError

    def apply(self, options: ApplyOptions = ApplyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Make it so, or with `dry_run` or `rehearse` show what would be done. Raises nothing a report can carry."""
        raise NotImplementedError

    def verify(self, options: VerifyOptions = VerifyOptions(), observer: Observer | None = None) -> Report:  # noqa: B008
        """Prove that it still holds; never writes."""
        raise NotImplementedError
