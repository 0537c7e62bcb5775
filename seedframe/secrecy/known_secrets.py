"""The secrets that a project's configuration holds: passwords of the database, and what seeds declare as `Secret`."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from seedframe.configuration.config import SUPABASE_KEY, Config
from seedframe.configuration.settings import Setting
from seedframe.configuration.variables import Variable, find_variable
from seedframe.secrecy.masking import hide, hiding
from seedframe.secrecy.written_settings import settings_below
from seedframe.secrets import Secret
from seedframe.seed import Seed

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


def variable_secrets(variables: Mapping[str, str], root: Path) -> Iterator[str]:
    """What is secret of variables by their names, for those who read nothing else of them.

    The passwords in DATABASE_URL, those of libpq, the key of accounts.
    """
    for name in (*_VARIABLES, SUPABASE_KEY):
        yield from _values(name, variables, root)
    for address in _values("DATABASE_URL", variables, root):
        yield from _passwords(address)


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


# -------------------------------------------------------------------------
# Before seeds are known
# -------------------------------------------------------------------------

# Where variables are looked for, beside the environment, each with the folder that paths start at.
_places: ContextVar[tuple[tuple[Mapping[str, str], Path], ...]] = ContextVar("places of variables", default=())


@contextmanager
def looking_in(variables: Mapping[str, str], root: Path) -> Iterator[None]:
    """Meanwhile, the values of settings that are to be masked may stand here, too."""
    token = _places.set((*_places.get(), (variables, root)))
    try:
        yield
    finally:
        _places.reset(token)


@contextmanager
def before_import(config: Config) -> Iterator[None]:
    """Around the import of a project's code, which may tell them: mask the secrets that its seeds seem to declare."""
    with looking_in(config.variables, config.root), hiding(declared_secrets(settings_below(config.seeds_dir))):
        yield


def hide_declared(settings: Iterable[Setting]) -> None:
    """Mask the values of those that are secret, wherever they may be read from: as `masking.hide`."""
    hide(*declared_secrets(settings))


def declared_secrets(settings: Iterable[Setting]) -> Iterator[str]:
    """What the secret ones of them may be: every value that is somewhere, their defaults, too."""
    for setting in (setting for setting in settings if setting.secret):
        for variables, root in ((os.environ, Path()), *_places.get()):
            yield from _values(setting.name, variables, root)
        if not setting.required and isinstance(setting.default, Secret):
            yield setting.default.reveal()


def _values(name: str, variables: Mapping[str, str], root: Path) -> Iterator[str]:
    """The value of a variable, and what is in the file of NAME_FILE, whichever of them counts."""
    if variables.get(name):
        yield variables[name]
    file = f"{name}_FILE"
    if variables.get(file):
        found = find_variable(name, {file: variables[file]}, {}, root)
        if isinstance(found, Variable):
            yield found.value
