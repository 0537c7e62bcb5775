"""Places where accounts are kept: what each does, and what an account is there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from seedframe.changes import Cell, Finding
from seedframe.database.db import Db
from seedframe.secrets import Secret

Field: TypeAlias = Literal["first_name", "last_name", "role", "is_active"]

FIELDS: Final[tuple[Field, ...]] = ("first_name", "last_name", "role", "is_active")
"""What an account has beside its e-mail address and its password."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account as declared: its normalised e-mail address, its fields as text, and its id where that is given."""

    email: str
    fields: Mapping[str, str]
    id: str | None = None


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account as it is in one place, beside what is declared.

    Attributes:
        differs: the fields whose value is not the declared one: what is there, as text, and what is declared.
        id: its id there; None where that is of no account.
        cost: of its password's hash; None where the place does not show it, or it is no bcrypt hash.
        hashed: it has a password's hash, of whatever form.
    """

    differs: Mapping[str, tuple[Cell, Cell]] = field(default_factory=dict)
    id: str | None = None
    cost: int | None = None
    hashed: bool = False


class Place(Protocol):
    """One place: a table, an authentication service."""

    @property
    def name(self) -> str:
        """What it is called, for people: "users", "Supabase Auth"."""
        ...

    @property
    def keeps_passwords(self) -> bool:
        """True where people sign in; False where there is only a row about them."""
        ...

    @property
    def elsewhere(self) -> bool:
        """True outside the database: what is done there is not undone by a rollback."""
        ...

    def vet(self, db: Db) -> None:
        """Make sure that an account could be made. Errors: SeedError and its kinds."""
        ...

    def find(self, db: Db, identity: Identity) -> FoundAccount | None:
        """The account with this e-mail address; None where there is none. Reads only, and hashes nothing."""
        ...

    def create(self, db: Db, identity: Identity, password: Secret | None) -> bool:
        """Make the account; `password` is None where the place keeps none. False where it was there meanwhile."""
        ...

    def update(self, db: Db, identity: Identity, fields: Collection[str]) -> None:
        """Set these fields, and nothing else, to what is declared. Never the password."""
        ...

    def set_password(self, db: Db, identity: Identity, password: Secret) -> None:
        """Change the password."""
        ...

    def opens(self, db: Db, identity: Identity, password: Secret) -> bool | None:
        """Whether one can sign in with the password; None where that cannot be told. Takes some 0.3 s."""
        ...

    def remarks(self, db: Db, identity: Identity, found: FoundAccount) -> Collection[Finding]:
        """What is wrong with the account's password, as far as can be told without knowing it."""
        ...

    def has_administrator(self, db: Db, roles: Collection[str]) -> bool | None:
        """Whether an enabled account has one of these roles; None where the place knows no roles."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """Where the accounts of a resource are kept in this run.

    Attributes:
        places: where passwords are first, if anywhere.
        told: which they are and why, where that was left to the configuration.
    """

    places: tuple[Place, ...]
    told: Finding | None = None


class AccountBackend(Protocol):
    """What an `Account` is declared with: where it is to be kept."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of this database that it writes, as named by the seed."""
        ...

    def describe(self) -> str:
        """Where that is, for `seedframe list`: "table users"."""
        ...

    def keep(self, db: Db) -> Kept:
        """The places, in this run. Errors: ConfigError, SeedError."""
        ...
