"""Accounts: kept where the configuration says, or where it finds that they can be."""

from collections.abc import Callable, Collection, Mapping
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from seedframe.accounts.local import LocalAccounts
from seedframe.accounts.places import AccountBackend, Kept
from seedframe.accounts.supabase import SupabaseAccounts
from seedframe.changes import Finding
from seedframe.database.db import Db
from seedframe.errors import AuthUnreachable, ConfigError

_KEY: Final = "accounts: kept"


class Accounts:
    """Accounts of a project that may use Supabase Auth: there, with a row in the table, or in the table alone.

    `[accounts] backend` decides; under "auto", which is the default, it is Supabase Auth where SUPABASE_URL and
    SUPABASE_SERVICE_ROLE_KEY are set, and with `fallback = true` the table where that does not answer. The report says
    which it was, and why.
    """

    def __init__(self, local: LocalAccounts, *, supabase: SupabaseAccounts | None = None) -> None:
        """Say what each is like.

        Args:
            local: the table where accounts are kept without Supabase Auth.
            supabase: how they are kept with it; by default with a row in the same table, its password empty.
        """
        self._local = local
        self._supabase = supabase if supabase is not None else SupabaseAccounts(profile=local.about())

    @property
    def local(self) -> LocalAccounts:
        """The table where accounts are kept without Supabase Auth."""
        return self._local

    @property
    def supabase(self) -> SupabaseAccounts:
        """How they are kept with it."""
        return self._supabase

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables of both."""
        return tuple(dict.fromkeys([*self._local.tables, *self._supabase.tables]))

    @property
    def column_names(self) -> Mapping[str, str]:
        """What the table of accounts without Supabase Auth calls an account's fields."""
        return self._local.column_names

    def columns_of(self, fields: Collection[str]) -> Mapping[str, Collection[str]]:
        """The columns of both that are written where an account has these fields, less what finds it."""
        return {**self._supabase.columns_of(fields), **self._local.columns_of(fields)}

    def describe(self) -> str:
        """`table users, or Supabase Auth with table users`."""
        return f"{self._local.describe()}, or {self._supabase.describe()}"

    def keep(self, db: Db) -> Kept:
        """Decide, once a run. Errors: ConfigError, AuthUnreachable, AuthRefused."""
        shared = db.accounts.shared
        if _KEY not in shared:
            shared[_KEY] = self._decide(db)
        backend, told = shared[_KEY]
        make = db.accounts.backends.get(backend)
        if make is None:
            raise ConfigError(f"no account backend is called {backend!r}", hint="see `seedframe plugins`")
        return Kept(make(self).keep(db).places, told)

    def _decide(self, db: Db) -> tuple[str, Finding]:
        """The name of the backend, and why it is that."""
        config = db.accounts.config
        if config.backend != "auto":
            make = db.accounts.backends.get(config.backend)
            where = make(self).describe() if make is not None else config.backend
            why = f'[accounts] backend = "{config.backend}"'
            return config.backend, Finding(f"accounts are kept in {where}: {why}", "info")
        if config.problems:
            raise ConfigError.of(list(config.problems))
        missing = [
            name
            for name, value in (("SUPABASE_URL", config.url), ("SUPABASE_SERVICE_ROLE_KEY", config.key))
            if value is None
        ]
        if len(missing) == 1:
            return "local", self._at(self._local, f"{missing[0]} is not set", warning=True)
        if missing:
            return "local", self._at(self._local, "Supabase is not configured")
        try:
            self._supabase.reach(db)
        except AuthUnreachable as error:
            if not config.fallback:
                raise
            return "local", self._at(self._local, f"fallback, since {error.message}", warning=True)
        return "supabase", self._at(self._supabase, f"SUPABASE_URL names {urlsplit(config.url or '').hostname}")

    def _at(self, backend: LocalAccounts | SupabaseAccounts, why: str, *, warning: bool = False) -> Finding:
        return Finding(f"accounts are kept in {backend.describe()}: {why}", "warning" if warning else "info")


BackendFactory: TypeAlias = Callable[[Accounts], AccountBackend]
"""Makes the backend for accounts that leave it to the configuration where they are kept."""
