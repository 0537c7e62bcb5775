"""How one run is to go about it: plain data, made by the command line or a caller of the library."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

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


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyOptions:
    """Options of verify."""

    selection: Selection = Selection()
    wait_s: float = 0.0
    sample: int = 50
