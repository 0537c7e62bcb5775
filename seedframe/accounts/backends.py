"""The built-in backends of accounts, by the names that `[accounts] backend` has for them."""

from typing import TYPE_CHECKING

from seedframe.markers import hookimpl

if TYPE_CHECKING:
    from seedframe.accounts.chosen import BackendFactory


@hookimpl
def seedframe_account_backends() -> "dict[str, BackendFactory]":
    """A table, and Supabase Auth."""
    return {"local": lambda accounts: accounts.local, "supabase": lambda accounts: accounts.supabase}
