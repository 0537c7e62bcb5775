"""seedframe: essential data as code, for PostgreSQL. The public names are imported when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from seedframe.accounts.account import Account
    from seedframe.accounts.chosen import Accounts
    from seedframe.accounts.grants import AccountGrant, parse_accounts
    from seedframe.accounts.local import LocalAccounts
    from seedframe.accounts.supabase import SupabaseAccounts
    from seedframe.changes import Change, Changes, Finding, Plan, Verdict
    from seedframe.cli.command_context import CommandContext
    from seedframe.configuration.seed_option import Option
    from seedframe.configuration.settings import Setting
    from seedframe.database.db import Db
    from seedframe.emails import normalise_email
    from seedframe.errors import SeedframeError
    from seedframe.markers import hookimpl
    from seedframe.project import Project
    from seedframe.report import Report
    from seedframe.reporting.formats import Reporter
    from seedframe.reporting.page import Page
    from seedframe.resources.extension import Extension
    from seedframe.resources.protocol import Resource
    from seedframe.resources.rows import Rows
    from seedframe.resources.tables import Tables
    from seedframe.resources.values import column, moved, ref, removed, sql
    from seedframe.secrets import Secret
    from seedframe.seed import Seed
    from seedframe.sources.formats import FileFormat

__version__ = "0.1.0"

_HOMES: Final = {
    "Account": "seedframe.accounts.account",
    "AccountGrant": "seedframe.accounts.grants",
    "Accounts": "seedframe.accounts.chosen",
    "Change": "seedframe.changes",
    "Changes": "seedframe.changes",
    "CommandContext": "seedframe.cli.command_context",
    "Db": "seedframe.database.db",
    "Extension": "seedframe.resources.extension",
    "FileFormat": "seedframe.sources.formats",
    "Finding": "seedframe.changes",
    "LocalAccounts": "seedframe.accounts.local",
    "Option": "seedframe.configuration.seed_option",
    "Page": "seedframe.reporting.page",
    "Plan": "seedframe.changes",
    "Project": "seedframe.project",
    "Report": "seedframe.report",
    "Reporter": "seedframe.reporting.formats",
    "Resource": "seedframe.resources.protocol",
    "Rows": "seedframe.resources.rows",
    "Secret": "seedframe.secrets",
    "Seed": "seedframe.seed",
    "SeedframeError": "seedframe.errors",
    "Setting": "seedframe.configuration.settings",
    "SupabaseAccounts": "seedframe.accounts.supabase",
    "Tables": "seedframe.resources.tables",
    "Verdict": "seedframe.changes",
    "column": "seedframe.resources.values",
    "hookimpl": "seedframe.markers",
    "moved": "seedframe.resources.values",
    "normalise_email": "seedframe.emails",
    "parse_accounts": "seedframe.accounts.grants",
    "ref": "seedframe.resources.values",
    "removed": "seedframe.resources.values",
    "sql": "seedframe.resources.values",
}

__all__ = [
    "Account",
    "AccountGrant",
    "Accounts",
    "Change",
    "Changes",
    "CommandContext",
    "Db",
    "Extension",
    "FileFormat",
    "Finding",
    "LocalAccounts",
    "Option",
    "Page",
    "Plan",
    "Project",
    "Report",
    "Reporter",
    "Resource",
    "Rows",
    "Secret",
    "Seed",
    "SeedframeError",
    "Setting",
    "SupabaseAccounts",
    "Tables",
    "Verdict",
    "__version__",
    "column",
    "hookimpl",
    "moved",
    "normalise_email",
    "parse_accounts",
    "ref",
    "removed",
    "sql",
]


if not TYPE_CHECKING:  # a type checker would take any name for one of seedframe's

    def __getattr__(name: str) -> object:
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f"module 'seedframe' has no attribute {name!r}")
        return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
