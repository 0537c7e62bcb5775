"""SupabaseAccounts: accounts at Supabase Auth, and, where it is told to, a row about each in a table."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from seedframe.accounts.local import LocalAccounts
from seedframe.accounts.passwords import hash_password
from seedframe.accounts.places import FIELDS, FoundAccount, Identity, Kept
from seedframe.changes import Cell, Finding
from seedframe.database.db import Db
from seedframe.errors import ConfigError, SeedError
from seedframe.secrets import Secret

if TYPE_CHECKING:
    from seedframe.accounts.auth_service import AuthService, AuthUser

_SHARED: Final = "supabase: service"
# Only the service may write app_metadata: what is in user_metadata, its user may change.
_IN_APP_METADATA: Final = ("role",)
_IN_USER_METADATA: Final = ("first_name", "last_name")


class SupabaseAccounts:
    """The accounts at the Supabase Auth that SUPABASE_URL and SUPABASE_SERVICE_ROLE_KEY name.

    Names are kept in `user_metadata`, the role in `app_metadata`, which no user may change.
    """

    name = "Supabase Auth"
    keeps_passwords = True
    elsewhere = True

    def __init__(self, *, profile: LocalAccounts | None = None) -> None:
        """Say whether there are rows about the accounts.

        Args:
            profile: the table with a row for each account, whose id is that of the account; None where there is none.
        """
        self._profile = profile.about() if profile is not None else None

    @property
    def tables(self) -> tuple[str, ...]:
        """The table of the rows about accounts."""
        return self._profile.tables if self._profile is not None else ()

    def columns_of(self, fields: Collection[str]) -> Mapping[str, Collection[str]]:
        """The columns of that table that are written where an account has these fields, less what finds it."""
        return {} if self._profile is None else self._profile.columns_of(set(fields) - {"password_hash"})

    def describe(self) -> str:
        """`Supabase Auth with table profiles`."""
        return self.name + (f" with {self._profile.describe()}" if self._profile is not None else "")

    def keep(self, db: Db) -> Kept:
        """There, and in the table. Errors: ConfigError where it is not configured."""
        self._service(db)
        return Kept((self,) if self._profile is None else (self, self._profile))

    def reach(self, db: Db) -> None:
        """Errors: AuthUnreachable, AuthRefused, ConfigError."""
        self._service(db).ping()

    def vet(self, db: Db) -> None:
        """Nothing: it takes what an account of ours has."""

    def find(self, db: Db, identity: Identity) -> FoundAccount | None:
        """The account with this e-mail address. Errors: AuthUnreachable, AuthRefused."""
        user = self._service(db).find(identity.email)
        if user is None:
            return None
        there = _fields(user)
        differs: dict[str, tuple[Cell, Cell]] = {
            field: (there.get(field), wanted) for field, wanted in identity.fields.items() if there.get(field) != wanted
        }
        return FoundAccount(differs, user.id)

    def create(self, db: Db, identity: Identity, password: Secret | None) -> bool:
        """Make the account, with the hash of the password alone. Errors: AuthUnreachable, AuthRefused."""
        if password is None:
            raise SeedError(f"an account at {self.name} needs a password")
        _, made = self._service(db).create(
            email=identity.email,
            password_hash=hash_password(password, identity.email, db.accounts.config.rounds),
            user_metadata=_chosen(identity, _IN_USER_METADATA),
            app_metadata=_chosen(identity, _IN_APP_METADATA),
            user_id=identity.id,
        )
        return made

    def update(self, db: Db, identity: Identity, fields: Collection[str]) -> None:
        """Merge what is declared into what is there. Errors: AuthUnreachable, AuthRefused, SeedError (it is gone)."""
        self._service(db).update(
            self._id(db, identity),
            user_metadata=_chosen(identity, [field for field in _IN_USER_METADATA if field in fields]) or None,
            app_metadata=_chosen(identity, [field for field in _IN_APP_METADATA if field in fields]) or None,
            unban="is_active" in fields,
        )

    def set_password(self, db: Db, identity: Identity, password: Secret) -> None:
        """Change the password: the service takes no hash for that. Errors: AuthUnreachable, AuthRefused."""
        self._service(db).set_password(self._id(db, identity), password)

    def opens(self, db: Db, identity: Identity, password: Secret) -> bool | None:
        """Whether one can sign in with it; None where that is closed. Errors: AuthUnreachable, AuthRefused."""
        return self._service(db).opens(identity.email, password)

    def remarks(self, db: Db, identity: Identity, found: FoundAccount) -> Collection[Finding]:
        """Nothing: the service does not show hashes."""
        return ()

    def has_administrator(self, db: Db, roles: Collection[str]) -> bool | None:
        """Whether an account that is not banned has one of these roles. Errors: AuthUnreachable, AuthRefused."""
        return any(user.app_metadata.get("role") in roles and not user.banned for user in self._service(db).users())

    def _id(self, db: Db, identity: Identity) -> str:
        user = self._service(db).find(identity.email)
        if user is None:
            raise SeedError(f"{identity.email} at {self.name} changed meanwhile", hint="apply again")
        return user.id

    def _service(self, db: Db) -> "AuthService":
        run = db.accounts
        if _SHARED not in run.shared:
            from seedframe.accounts.auth_service import AuthService

            config = run.config
            if config.problems:
                raise ConfigError.of(list(config.problems))
            for name, value in (("SUPABASE_URL", config.url), ("SUPABASE_SERVICE_ROLE_KEY", config.key)):
                if value is None:
                    raise ConfigError(
                        f"{name} is not set, and accounts are kept at {self.name}",
                        hint=f'set it, or {name}_FILE, in the environment or in .env; or [accounts] backend = "local"',
                    )
            assert config.url is not None  # noqa: S101 - looked at above
            assert config.key is not None  # noqa: S101 - looked at above
            service = AuthService(url=config.url, key=config.key, timeout_s=config.timeout_s)
            run.closing.callback(service.close)
            run.shared[_SHARED] = service
        found: AuthService = run.shared[_SHARED]
        return found


def _fields(user: "AuthUser") -> Mapping[str, str | None]:
    """What there is of the fields, as text: what is no text there is no value of ours."""
    there: dict[str, str | None] = {"is_active": "false" if user.banned else "true"}
    for names, metadata in ((_IN_USER_METADATA, user.user_metadata), (_IN_APP_METADATA, user.app_metadata)):
        for name in names:
            value = metadata.get(name)
            there[name] = None if value is None else str(value)
    return {field: there[field] for field in FIELDS}


def _chosen(identity: Identity, names: Collection[str]) -> dict[str, str]:
    return {name: identity.fields[name] for name in names if name in identity.fields}
