"""Account: someone who must be able to sign in, created once, wherever accounts are kept."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from seedframe.changes import Cell, Change, Changes, Marker
from seedframe.database.db import Db
from seedframe.emails import normalise_email
from seedframe.errors import DeclarationError, did_you_mean
from seedframe.secrets import Secret

Field: TypeAlias = Literal["first_name", "last_name", "role", "is_active"]

FIELDS: Final[tuple[Field, ...]] = ("first_name", "last_name", "role", "is_active")
"""What an account has beside its e-mail address and its password."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account as declared: its normalised e-mail address, and its fields as text."""

    email: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FoundAccount:
    """An account as it is, beside what is declared.

    Attributes:
        differs: the fields whose value is not the declared one: what is there, as text, and what is declared.
        remarks: what is wrong with it that no apply may mend, such as a weak password hash.
    """

    differs: Mapping[str, tuple[Cell, Cell]]
    remarks: tuple[str, ...] = ()


class AccountBackend(Protocol):
    """A place where accounts are kept: a table, an authentication service."""

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of this database that it writes, as named by the seed."""
        ...

    def describe(self) -> str:
        """Where that is, for `seedframe list`: "table users"."""
        ...

    def vet(self, email: str, password: Secret) -> None:
        """Errors: BadData where the backend cannot take this password."""
        ...

    def find(self, db: Db, identity: Identity) -> FoundAccount | None:
        """The account with this e-mail address; None where there is none. Reads only, and hashes nothing."""
        ...

    def create(self, db: Db, identity: Identity, password: Secret | None) -> None:
        """Make the account; a password is generated and handed over where None is given."""
        ...

    def update(self, db: Db, identity: Identity, fields: Collection[str]) -> None:
        """Set these fields, and nothing else, to what is declared. Never the password."""
        ...


class Account:
    """A resource: an account that exists, is active, and has its role.

    The password is set when the account is created and is its owner's from then on: no later run looks at it, hashes
    it or changes it.
    """

    def __init__(
        self,
        backend: AccountBackend,
        *,
        email: str,
        password: Secret | None = None,
        first_name: str | None = None,
        last_name: str | None = None,
        role: str | None = None,
        initial: Collection[Field] = ("first_name", "last_name"),
        name: str | None = None,
    ) -> None:
        """Declare it.

        Args:
            backend: where accounts are kept.
            email: compared regardless of case; stored in lower case, in Unicode's composed form.
            password: the first password, as it is; None has one generated when the account is created.
            first_name, last_name, role: None declares nothing.
            initial: fields that are set on creation and are the operators' from then on; the others are enforced.
            name: what the resource is called after `account:`; the e-mail address by default.

        Errors: DeclarationError for what cannot be an e-mail address, an unknown field, or a password in plain text.
        """
        # A caller without a type checker may well hand over a plain text, which tracebacks and logs would show.
        if not isinstance(password, Secret | None):
            raise DeclarationError(
                "the password of an account must be a Secret", hint='read it with Setting("NAME", Secret, default=None)'
            )
        for field in initial:
            if field not in FIELDS:
                raise DeclarationError(
                    f"an account has no field {field!r}",
                    hint=did_you_mean(field, FIELDS) or f"its fields are {', '.join(FIELDS)}",
                )
        fields = {
            "first_name": first_name,
            "last_name": last_name,
            "role": role,
            "is_active": "true",
        }
        self._backend = backend
        self._password = password
        self._initial = frozenset(initial)
        self._identity = Identity(
            normalise_email(email), {field: value for field, value in fields.items() if value is not None}
        )
        self._name = f"account:{name or self._identity.email}"

    @property
    def name(self) -> str:
        """`account:` and the e-mail address, unless named otherwise."""
        return self._name

    @property
    def backend(self) -> AccountBackend:
        """Where it is kept."""
        return self._backend

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of the backend."""
        return self._backend.tables

    def describe(self) -> str:
        """The e-mail address, where the account is kept, and what is enforced."""
        enforced = [f"{field} {value}" for field, value in self._identity.fields.items() if field not in self._initial]
        return f"{self._identity.email} in {self._backend.describe()} ({', '.join(enforced) or 'exists'})"

    def diff(self, db: Db) -> Changes:
        """One change where the account is missing, or where an enforced field differs."""
        absent = next((table for table in self.tables if db.is_absent(table)), None)
        if absent is not None and not db.was_applied(self.name):
            return Changes(skipped_reason=f"optional table {absent} does not exist")
        key = {"email": self._identity.email}
        found = self._backend.find(db, self._identity)
        if found is None:
            if self._password is not None:
                self._backend.vet(self._identity.email, self._password)
            after: dict[str, Cell] = {**self._identity.fields, "password": Marker.SECRET}
            reason = "a password will be generated" if self._password is None else None
            return Changes.of([Change("create", key, after=after, reason=reason)])
        for remark in found.remarks:
            db.note(remark, "warning")
        enforced = {field: cells for field, cells in found.differs.items() if field not in self._initial}
        if not enforced:
            return Changes.of([], unchanged=1)
        before = {field: cells[0] for field, cells in enforced.items()}
        return Changes.of([Change("update", key, before, {field: cells[1] for field, cells in enforced.items()})])

    def delete(self, db: Db, changes: Changes) -> None:
        """Nothing: accounts are never deleted."""

    def write(self, db: Db, changes: Changes) -> None:
        """Create the account, or set the fields that differ."""
        for change in changes.sample:
            if change.action == "create":
                self._backend.create(db, self._identity, self._password)
            else:
                self._backend.update(db, self._identity, [field for field in FIELDS if field in (change.after or {})])
