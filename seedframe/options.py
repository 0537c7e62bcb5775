"""How one run is to go about it: plain data, made by the command line or a caller of the library."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from seedframe.configuration.account_options import PasswordOptions
from seedframe.errors import UsageError
from seedframe.verdicts import OnConflict

Transaction: TypeAlias = Literal["seed", "run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which seeds: names (`reference` or `20_reference`), any of the tags, less what is skipped. Empty: all."""

    names: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """True when nothing was left out by choice."""
        return not (self.names or self.tags or self.skip)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions:
    """Options of apply.

    Attributes:
        on_conflict: what becomes of rows that were changed in the database since the last apply: "seed" writes what is
            declared, "database" keeps what is there, "fail" fails the seed.
        wait_s: the budget in seconds for the server and for the lock.
        out: where a dry run saves its plan.
        plan: a saved plan to be applied, exactly; it says what is selected and `on_conflict`.
        passwords: which of them are to be changed.
    """

    selection: Selection = Selection()
    dry_run: bool = False
    rehearse: bool = False
    transaction: Transaction = "seed"
    keep_going: bool = False
    strict: bool = False
    detailed_exitcode: bool = False
    on_conflict: OnConflict = "seed"
    wait_s: float = 0.0
    sample: int = 50
    out: Path | None = None
    plan: Path | None = None
    passwords: PasswordOptions = PasswordOptions()  # noqa: RUF009 - it is frozen

    def require_sensible(self) -> None:
        """Refuse options of which one leaves no room for the other. Errors: UsageError."""
        if self.dry_run and self.rehearse:
            raise UsageError("--dry-run and --rehearse are two ways to look ahead", hint="choose one of them")
        if self.detailed_exitcode and not self.dry_run:
            raise UsageError("--detailed-exitcode tells what a dry run found", hint="add --dry-run")
        if self.out is not None and not self.dry_run:
            raise UsageError("--out saves the plan of a dry run", hint="add --dry-run")
        if self.out is not None and self.passwords.rotate:
            raise UsageError("--rotate-password is of this run, and no part of a plan", hint="leave out --out")
        if self.plan is None:
            return
        beside = {
            "--dry-run": self.dry_run,
            "--rehearse": self.rehearse,
            "--keep-going": self.keep_going,
            "--transaction": self.transaction != "seed",
            "--on-conflict": self.on_conflict != "seed",
            "seed names": self.selection.names,
            "--tag": self.selection.tags,
            "--skip": self.selection.skip,
            "--rotate-password": self.passwords.rotate,
        }
        for what, given in beside.items():
            if given:
                raise refused_beside_plan(what)


def refused_beside_plan(what: str) -> UsageError:
    """What is said of an option that a saved plan has decided already."""
    return UsageError(
        f"--plan leaves no room for {what}: what is done was decided when the plan was made, and is one transaction",
        hint="give it to seedframe apply --dry-run --out FILE, or apply without a plan",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Options of verify. `passwords`: whether to find out if they open the accounts."""

    selection: Selection = Selection()
    wait_s: float = 0.0
    sample: int = 50
    passwords: PasswordOptions = PasswordOptions()  # noqa: RUF009 - it is frozen
