"""The secrets that a project's configuration holds: passwords of the database, and what seeds declare as `Secret`."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import unquote

from seedframe.config import SUPABASE_KEY, Config
from seedframe.secrets import Secret
from seedframe.seed import Seed
from seedframe.variables import Variable, find_variable

# Read by libpq itself, also where the address has a password of its own.
_VARIABLES: Final = ("PGPASSWORD",)

# Not by libpq's own reader: an address that is malformed has a password, too, and `list` needs no driver. Where there
# is one @ too many, or a / before it, whatever may be the password is taken for one.
_IN_URL: Final = re.compile(r"://[^:/?#@]*:(?P<greedy>.*)@|://[^:/?#@]*:(?P<short>[^@/?#]*)@", re.DOTALL)
_IN_QUERY: Final = re.compile(r"[?&](?:ssl)?password=([^&]*)")
_KEYWORD: Final = re.compile(r"\b(?:ssl)?password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|((?:[^\s\\]|\\.)+))", re.DOTALL)


def configured_secrets(config: Config) -> Iterator[str]:
    """The passwords of the database's address, as far as they are known (not one in ~/.pgpass); the key of accounts."""
    if config.accounts.key is not None:
        yield config.accounts.key.reveal()
    yield from filter(None, (config.variables.get(name) for name in _VARIABLES))
    yield from (secret.reveal() for keyword, secret in config.database.libpq.items() if keyword.endswith("password"))
    if config.database.url is not None and not config.database.embedded:
        yield from _passwords(config.database.url.reveal())


def environment_secrets(environ: Mapping[str, str], seeds: Iterable[Seed]) -> Iterator[str]:
    """What is secret of the process's environment, for those who read nothing else of it: what seeds raise may tell it.

    The passwords in DATABASE_URL, those of libpq, the key of accounts, and what seeds declare as `Secret`.
    """
    yield from (environ[name] for name in (*_VARIABLES, SUPABASE_KEY) if environ.get(name))
    yield from _passwords(environ.get("DATABASE_URL", ""))
    yield from (
        environ[setting.name]
        for seed in seeds
        for setting in seed.settings
        if setting.secret and environ.get(setting.name)
    )


def _passwords(address: str) -> Iterator[str]:
    """What stands in the place of a password in an address, well-formed or not."""
    if "://" in address:
        found = [match[name] for match in _IN_URL.finditer(address) for name in ("greedy", "short") if match[name]]
        for text in (*found, *_IN_QUERY.findall(address)):
            yield text
            yield unquote(text, errors="replace")
    else:
        for quoted, bare in _KEYWORD.findall(address):
            yield re.sub(r"\\(.)", r"\1", quoted or bare)


def setting_secrets(config: Config, seeds: Iterable[Seed]) -> Iterator[str]:
    """The values of secret settings, set or by default; one that cannot be read is told when it is needed."""
    for setting in (setting for seed in seeds for setting in seed.settings if setting.secret):
        found = find_variable(setting.name, config.variables, config.variable_sources, config.root)
        if isinstance(found, Variable):
            yield found.value
        if not setting.required and isinstance(setting.default, Secret):
            yield setting.default.reveal()
