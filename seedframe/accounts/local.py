"""LocalAccounts: accounts in a table of the application's own, with bcrypt hashes, or rows about accounts elsewhere."""

import os
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from seedframe.accounts.checked import is_known_default, remember_good
from seedframe.accounts.passwords import HASH_PATTERN, PLACEHOLDER_HASH, hash_password, opens
from seedframe.accounts.places import FIELDS, FoundAccount, Identity, Kept
from seedframe.changes import Finding, Severity
from seedframe.database.db import Db
from seedframe.database.users import UsersTable, Value
from seedframe.errors import DeclarationError, SeedError, did_you_mean
from seedframe.secrets import Secret

_COLUMNS: Final[dict[str, str]] = {name: name for name in ("id", "email", "password_hash", *FIELDS)}


class LocalAccounts:
    """The accounts in one table of the target."""

    keeps_passwords = True
    elsewhere = False

    def __init__(
        self,
        table: str = "users",
        *,
        columns: Mapping[str, str | None] | None = None,
        initial: Mapping[str, Value] | None = None,
    ) -> None:
        """Name the table and what its columns are called.

        Args:
            table: `table` or `schema.table`.
            columns: where a column has a name other than `id`, `email`, `password_hash`, `first_name`, `last_name`,
                `role` or `is_active`; None where the table has no such column (not for `email`). The id matters only
                where the password is kept elsewhere: it is the same in both places.
            initial: values for further columns of a new account, as `{"email_verified": True}`.

        Errors: DeclarationError for unknown fields or a column that is named twice.
        """
        mapping: dict[str, str | None] = {**_COLUMNS, **(columns or {})}
        for field in mapping:
            if field not in _COLUMNS:
                raise DeclarationError(
                    f"an account has no field {field!r}",
                    hint=did_you_mean(field, _COLUMNS) or f"its fields are {', '.join(_COLUMNS)}",
                )
        if mapping["email"] is None:
            raise DeclarationError("accounts in a table need a column for email")
        self._table = table
        self._columns = {field: name for field, name in mapping.items() if name is not None}
        self._initial = dict(initial or {})
        given = {**self._columns, "id": (columns or {}).get("id")}
        named = [*(name for name in given.values() if name is not None), *self._initial]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise DeclarationError(f"column {twice!r} of {table} is named twice", hint="name it once")

    @property
    def tables(self) -> tuple[str, ...]:
        """The one table."""
        return (self._table,)

    @property
    def column_names(self) -> Mapping[str, str]:
        """The columns' names, by what they are of an account: those that the table has."""
        return MappingProxyType(self._columns)

    def columns_of(self, fields: Collection[str]) -> Mapping[str, Collection[str]]:
        """The columns that are written where an account has these fields, by table, less what finds it."""
        written = {name for field, name in self._columns.items() if field in fields and field not in ("id", "email")}
        return {self._table: frozenset({*written, *self._initial})}

    @property
    def name(self) -> str:
        """The table's."""
        return self._table

    def describe(self) -> str:
        """`table users`."""
        return f"table {self._table}"

    def keep(self, db: Db) -> Kept:
        """In the table."""
        return Kept((self,))

    def about(self) -> "Profiles":
        """The same table, where passwords are kept elsewhere."""
        return Profiles(self._table, columns=self._columns, initial=self._initial)

    def vet(self, db: Db) -> None:
        """Errors: MissingTable, DeclarationError; BadData where no whole hash would fit."""
        self._look_up(db).require_room({"password_hash": PLACEHOLDER_HASH})

    def find(self, db: Db, identity: Identity) -> FoundAccount | None:
        """The account with this e-mail address, compared by the server, each field in its column's own type.

        Errors: MissingTable, DeclarationError, BadData.
        """
        row = self._look_up(db).find(identity.email, identity.fields)
        return None if row is None else FoundAccount(row.differs, row.id, row.cost, row.hashed)

    def create(self, db: Db, identity: Identity, password: Secret | None) -> bool:
        """Insert the account. Errors: SeedError and its kinds."""
        users = self._look_up(db)
        values: dict[str, str | None] = {
            "email": identity.email,
            **{field: identity.fields[field] for field in FIELDS if users.has(field) and field in identity.fields},
        }
        if password is not None:
            values["password_hash"] = _hash(db, password, identity.email)
        if identity.id is not None:
            values["id"] = identity.id
        users.insert(values)
        return True

    def update(self, db: Db, identity: Identity, fields: Collection[str]) -> None:
        """Set these fields to what is declared. Errors: SeedError where the account is gone."""
        self._look_up(db).update(identity.email, {field: identity.fields[field] for field in fields})

    def set_password(self, db: Db, identity: Identity, password: Secret) -> None:
        """Replace the hash. Errors: SeedError where the account is gone."""
        self._look_up(db).update(identity.email, {"password_hash": _hash(db, password, identity.email)})

    def opens(self, db: Db, identity: Identity, password: Secret) -> bool | None:
        """Whether the hash is the password's."""
        stored = self._look_up(db).password_hash(identity.email)
        return stored is not None and opens(password, stored)

    def remarks(self, db: Db, identity: Identity, found: FoundAccount) -> Collection[Finding]:
        """A hash that is none, one that is cheap to try passwords on, or one of a password that everybody knows."""
        run, email = db.accounts, identity.email
        severity: Severity = "error" if run.verifies else "warning"
        if not found.hashed:
            text = f"{email} has no password in {self._table}: nobody can sign in with it there; rotate its password"
            return [Finding(text, severity)]
        if found.cost is None:
            text = f"the password hash of {email} is no bcrypt hash: reset its password, unless another scheme is meant"
            return [Finding(text, severity)]
        told: list[Finding] = []
        if found.cost < run.config.rounds:
            text = f"the password hash of {email} has cost {found.cost}, less than {run.config.rounds}"
            told.append(Finding(f"{text}: apply raises it where the password is given; else change it", "warning"))
        if run.verifies and self._has_default(db, email):
            told.append(Finding(f"{email} has a password that everybody knows: change it", "error"))
        return told

    def _has_default(self, db: Db, email: str) -> bool:
        stored = self._look_up(db).password_hash(email)
        return stored is not None and is_known_default(stored, os.environ)

    def has_administrator(self, db: Db, roles: Collection[str]) -> bool | None:
        """Whether a row that is active has one of these roles; None where the table has no roles."""
        users = self._look_up(db)
        return users.has_one_of(roles) if users.has("role") else None

    def _look_up(self, db: Db) -> UsersTable:
        if "password_hash" not in self._columns:
            raise DeclarationError("accounts in a table need a column for password_hash")
        columns = {field: name for field, name in self._columns.items() if field != "id"}
        return UsersTable(db, self._table, columns, self._initial, pattern=HASH_PATTERN)


class Profiles(LocalAccounts):
    """Rows about accounts whose passwords are kept elsewhere: the ids are the same in both places."""

    keeps_passwords = False

    def about(self) -> "Profiles":
        """Itself."""
        return self

    def vet(self, db: Db) -> None:
        """Errors: DeclarationError where a row without a password could not be."""
        users = UsersTable(db, self._table, self._columns, self._initial, pattern=HASH_PATTERN)
        if users.requires("password_hash") and "password_hash" not in self._initial:
            raise DeclarationError(
                f"column {self._columns['password_hash']} of {self._table} must have a value, and the password of an"
                " account at Supabase Auth is not kept there",
                hint="let the column be NULL, in a migration",
            )

    def set_password(self, db: Db, identity: Identity, password: Secret) -> None:
        """Errors: SeedError, always."""
        raise SeedError(f"{self._table} keeps no passwords", hint="change it where it is kept")

    def remarks(self, db: Db, identity: Identity, found: FoundAccount) -> Collection[Finding]:
        """Nothing: there is no password."""
        return ()

    def _look_up(self, db: Db) -> UsersTable:
        columns = {field: name for field, name in self._columns.items() if field != "password_hash"}
        return UsersTable(db, self._table, columns, self._initial, pattern=HASH_PATTERN)


def _hash(db: Db, password: Secret, owner: str) -> str:
    # A rehearsal is rolled back: it needs a hash that passes for one, not the time that a real one takes.
    if db.rehearsal:
        return PLACEHOLDER_HASH
    made = hash_password(password, owner, db.accounts.config.rounds)
    remember_good(made, os.environ)  # it was looked at just now
    return made
