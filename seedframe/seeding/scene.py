"""The scene of a run: what every attempt of it shares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from seedframe.account_run import AccountRun
from seedframe.configuration.limits import Limits
from seedframe.database.baselines import Baselines
from seedframe.database.session import Session
from seedframe.errors import Problem
from seedframe.plugins.manager import SeedManager
from seedframe.recorder import Recorder
from seedframe.report import Mode
from seedframe.seed import Seed
from seedframe.seeding.column_claims import ColumnClaims
from seedframe.verdicts import OnConflict


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every attempt of a run shares.

    Attributes:
        all_seeds: every seed of the project, in order.
        on_conflict: None in verify.
        told: what was said already, of what is said once a run.
        misnamed: what is wrong with the name of an environment, given the name and where it stands; None for nothing.
        claims: the columns that the seeds of plugins write.
        elsewhere: resources of the run that are limited to other environments, and why, each with its tables.
        listed: the ledger lists the changed rows of a resource, unless there are more than this.
    """

    session: Session
    baselines: Baselines
    plugins: SeedManager
    all_seeds: Sequence[Seed]
    env: str
    mode: Mode
    on_conflict: OnConflict | None
    state_dir: Path
    sample: int
    limits: Limits
    accounts: AccountRun
    misnamed: Callable[[str, str], Problem | None]
    elsewhere: list[tuple[str, tuple[str, ...]]]
    claims: ColumnClaims
    recorder: Recorder | None = None
    listed: int = 0
    told: set[str] = field(default_factory=set)

    @property
    def writes(self) -> bool:
        """True where the database is written, if only to be rolled back."""
        return self.mode in ("apply", "rehearse")

    @property
    def writes_elsewhere(self) -> bool:
        """True where what cannot be rolled back is done as well: a seed's own `apply` is called."""
        return self.mode == "apply"
