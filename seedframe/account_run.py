"""What one run knows of accounts: how they are kept, what becomes of their passwords, and which tables are guarded."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from seedframe.changes import Finding
from seedframe.configuration.account_options import AccountsConfig, PasswordOptions
from seedframe.errors import Problem, UsageError
from seedframe.report import Mode
from seedframe.secrecy.handover import Handover


@dataclass(slots=True, kw_only=True)
class AccountRun:
    """Shared by all seeds of a run.

    Attributes:
        backends: what makes the places where accounts can be kept, by the backend's name; given the `Accounts`.
        production: the environment is one that people depend on.
        guards: by a place where accounts are kept, what must hold there before a COMMIT, asked with an attempt's `Db`:
            an administrator remains.
        declared: the e-mail addresses of the accounts that seeds of this run have declared.
        shared: what kinds of places share within a run, such as a connection to a service, by their own keys.
        closing: what is let go of at the end of the run.
    """

    config: AccountsConfig
    passwords: PasswordOptions
    mode: Mode
    production: bool
    backends: Mapping[str, Callable[[Any], Any]]
    handover: Handover
    guards: dict[str, Callable[[Any], Finding | None]] = field(default_factory=dict)
    declared: set[str] = field(default_factory=set)
    shared: dict[str, Any] = field(default_factory=dict)
    closing: ExitStack = field(default_factory=ExitStack)

    @property
    def verifies(self) -> bool:
        """True in `verify`."""
        return self.mode == "verify"

    def start_over(self) -> None:
        """All seeds are begun again, and what they did was rolled back."""
        self.handover.undo()
        self.guards.clear()

    def close(self) -> None:
        """The run is over."""
        self.closing.close()
        self.handover.close()

    def unknown(self) -> Problem | None:
        """What is wrong with the addresses whose passwords were to be changed; None where each was declared."""
        missing = sorted(self.passwords.rotate - self.declared)
        if not missing:
            return None
        return Problem(
            UsageError.code,
            f"no seed of this run declares an account {missing[0]}: its password was not changed",
            "name the seed that declares it, or see `seedframe list`",
            "--rotate-password",
        )
