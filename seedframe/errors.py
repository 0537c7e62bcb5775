"""The errors seedframe raises, each of which says what happened, where, and what to do next.

SeedframeError
├── UsageError                 the command line asks for something that does not fit
├── ConfigError                seedframe.toml, the environment or .env (one or several mistakes)
├── DiscoveryError             the seeds cannot be put together
│   ├── NoSeeds                nothing was found
│   ├── UnknownSeed            a name that no seed has
│   ├── SeedImportFailed       a seed module raised while it was imported
│   ├── PluginMissing          a plugin is allowed, and not installed
│   ├── HookMistake            an unknown hook, an unknown argument, apply without check
│   └── RequirementMissing     REQUIRES names a seed that is absent, later, or not applied
├── ConnectionFailed           no server, wrong password, no such database
│   ├── ConnectionLost         it was there, and is gone; what was at work is rolled back
│   └── OutcomeUnknown         it was lost during COMMIT, and the server does not come back to be asked
├── LockTimeout                another run, or another session, holds what is needed
├── MigrationFailed            the project's migration command ran and failed
├── PlanRefused                a saved plan cannot be made, read, or does not fit any more
├── LedgerError                seedframe's own tables cannot be read, made or trusted
├── WrongEnvironment           the database is marked as that of another environment
└── SeedError                  one seed failed; the run decides what that means
    ├── DeclarationError       a resource does not fit the table it names
    │   └── MissingTable       a table that must exist does not
    ├── BadData                a source cannot be read, or a value does not fit its column
    ├── RefError               ref() found no row, or several
    ├── PermissionDenied       the role lacks a privilege
    ├── ConstraintViolated     a constraint of the database refused a row
    ├── TooManyChanges         more rows would be deleted or updated than is allowed
    ├── ChangedInDatabase      --on-conflict does not let apply replace, or keep, what was changed there
    ├── DoesNotConverge        after apply, check still finds a difference
    ├── AuthUnreachable        Supabase Auth does not answer
    ├── AuthRefused            Supabase Auth answers, and does not do what it is asked for
    └── HookFailed             a hook raised
        └── Misbehaved         a seed's own code did what it may not: wrote where it may only read, swallowed an error
            └── TransactionEnded  it ended the transaction it ran in, or the connection
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import ClassVar, Self


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake, as data: what a report's `error` and each line on the terminal are made from.

    Attributes:
        kind: the name of the rule of `seedframe lint` that it breaks, where that is known.
        about: the word of the source that is wrong, for an exact column.
    """

    code: str
    message: str
    hint: str | None = None
    where: str | None = None
    kind: str | None = field(default=None, compare=False)
    about: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{advice}"


class SeedframeError(Exception):
    """Base of every error seedframe raises on purpose.

    Args:
        message: what happened, one line, without secrets or row contents.
        hint: what to do next.
        where: `file:line` (or file, key, table) the mistake is at.
        problems: the mistakes it stands for, where several were found at once.
        kind, about: as in `Problem`.

    Attributes:
        sqlstate: of the server's error behind it, where that itself is kept from view.
    """

    code: ClassVar[str] = "error"
    sqlstate: str | None = None

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        problems: Iterable[Problem] = (),
        kind: str | None = None,
        about: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.kind = kind
        self.about = about
        self._problems = tuple(problems)

    @classmethod
    def of(cls, problems: Iterable[Problem]) -> Self:
        """One error that carries every problem; the first one is its message."""
        found = tuple(problems)
        first = found[0]
        return cls(
            first.message, hint=first.hint, where=first.where, problems=found, kind=first.kind, about=first.about
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The mistakes this error stands for: one, unless several were found at once."""
        return self._problems or (Problem(self.code, self.message, self.hint, self.where, self.kind, self.about),)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class UsageError(SeedframeError):
    """The command line asks for something that does not fit."""

    code = "usage"


class ReportNotWritten(SeedframeError):
    """A run was done, and its report could not be written."""

    code = "os"


class ConfigError(SeedframeError):
    """The configuration does not fit. All mistakes are collected before this is raised."""

    code = "config"


class DiscoveryError(SeedframeError):
    """The seeds cannot be put together."""

    code = "discovery"


class NoSeeds(DiscoveryError):
    """No seed was found, or none is left after selection."""

    code = "no_seeds"


class UnknownSeed(DiscoveryError):
    """A name that no seed has."""

    code = "unknown_seed"


class SeedImportFailed(DiscoveryError):
    """A seed module raised while it was imported."""

    code = "seed_import"


class PluginMissing(DiscoveryError):
    """A plugin that `[plugins] allow` names is not installed: what it declares is not known."""

    code = "plugin_missing"


class HookMistake(DiscoveryError):
    """An unknown hook, an unknown argument, or `apply` without `check`."""

    code = "hook"


class RequirementMissing(DiscoveryError):
    """`REQUIRES` names a seed that is absent, comes later, or was neither chosen nor applied before."""

    code = "requirement"


class ConnectionFailed(SeedframeError):
    """The database cannot be reached, refuses the login, or the connection was lost.

    Attributes:
        retryable: waiting may help: the server is starting, is not there yet, or has no connection left.
    """

    code = "connection"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        problems: Iterable[Problem] = (),
        kind: str | None = None,
        about: str | None = None,
        retryable: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, where=where, problems=problems, kind=kind, about=about)
        self.retryable = retryable


class ConnectionLost(ConnectionFailed):
    """The connection was there, and is gone: what was at work is rolled back."""


class OutcomeUnknown(ConnectionFailed):
    """The connection was lost during COMMIT: only the server knows what became of the transaction."""


class LockTimeout(SeedframeError):
    """Another run holds the lock of this project and schema, or another session a table."""

    code = "lock"


class MigrationFailed(SeedframeError):
    """The project's migration command ran and failed; `output` has the last lines it printed."""

    code = "migration"

    def __init__(self, message: str, *, hint: str | None = None, output: Iterable[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.output = tuple(output)


class PlanRefused(SeedframeError):
    """A saved plan cannot be made or read, was applied before, or what it is bound to has moved."""

    code = "plan"


class LedgerError(SeedframeError):
    """seedframe's own tables cannot be read, made or trusted."""

    code = "ledger"


class WrongEnvironment(SeedframeError):
    """The database is marked as that of another environment than the one that was chosen."""

    code = "environment"


class SeedError(SeedframeError):
    """One seed failed."""

    code = "seed"


class DeclarationError(SeedError):
    """A resource does not fit the table it names."""

    code = "declaration"


class MissingTable(DeclarationError):
    """A table that must exist does not; `table` is its name, as the seed has it, where that is known."""

    code = "missing_table"
    table: str | None = None


class BadData(SeedError):
    """A source cannot be read, or a value in it does not fit its column."""

    code = "bad_data"


class RefError(SeedError):
    """`ref()` found no row, or several.

    Attributes:
        table: the oid of the table that has no such row, where that is what is wrong.
    """

    code = "ref"
    table: int | None = None


class PermissionDenied(SeedError):
    """The role lacks a privilege; the message names the privilege and the object."""

    code = "permission"


class ConstraintViolated(SeedError):
    """A constraint of the database refused a row."""

    code = "constraint"


class TooManyChanges(SeedError):
    """More rows would be deleted or updated than max_delete or max_update allows."""

    code = "too_many_changes"


class ChangedInDatabase(SeedError):
    """Rows were changed in the database since the last apply, and `on_conflict` says to stop, or cannot be followed."""

    code = "changed_in_database"


class DoesNotConverge(SeedError):
    """After apply, check still finds a difference."""

    code = "does_not_converge"


class AuthUnreachable(SeedError):
    """Supabase Auth does not answer: no network, no server, a gateway without one, or too slow."""

    code = "auth_unreachable"


class AuthRefused(SeedError):
    """Supabase Auth answers, and does not do what it is asked for; or what answers is not Supabase Auth.

    Attributes:
        status: of the HTTP answer, where there is one.
        answer: the service's own code for what is wrong, such as `weak_password`.
    """

    code = "auth_refused"
    status: int | None = None
    answer: str | None = None


class HookFailed(SeedError):
    """A hook raised, or did what it may not."""

    code = "hook_failed"


class Misbehaved(HookFailed):
    """A seed's own code did what it may not; the message is a predicate until it is known whose code it was."""


class TransactionEnded(Misbehaved):
    """A seed's own code ended the transaction it ran in, or closed its connection: nothing of it can go on."""


def did_you_mean(wrong: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word nearest to `wrong`, or None when none is near."""
    near = get_close_matches(wrong, list(known), n=1, cutoff=0.6)
    return f"did you mean {near[0]!r}?" if near else None
