"""What seedframe itself reads from the environment and .env, declared as a seed declares its variables."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from seedframe.configuration.config import DEFAULT_ENV, NO_AUTOLOAD, SUPABASE_KEY, SUPABASE_URL, Config
from seedframe.configuration.settings import Described, Setting, describe
from seedframe.errors import ConfigError, Problem
from seedframe.secrets import Secret

# Where a machine has the embedded PostgreSQL and its data is not the project's to say, and not listed here.
_OWN: Final = (
    Setting(
        "DATABASE_URL",
        Secret,
        default=None,
        help="the database; without it seedframe.toml's, libpq's variables, or a PostgreSQL of seedframe's own",
    ),
    Setting("SEEDFRAME_ENV", str, default=DEFAULT_ENV, help="the environment, where --env names none"),
)
_PLUGINS: Final = (
    Setting(NO_AUTOLOAD, str, default=None, help="anything but 0 or false: only plugins named with -p are loaded"),
)
_SUPABASE: Final = (
    Setting(SUPABASE_URL, str, default=None, help="where Supabase is, whose Auth may keep the accounts"),
    Setting(SUPABASE_KEY, Secret, default=None, help="the key of its service role"),
)
# Of the others, the text itself is looked at: what NAME_FILE says of them is nobody's.
_READ_FROM_FILES: Final = frozenset({"DATABASE_URL", SUPABASE_URL, SUPABASE_KEY})


def own_settings(config: Config) -> tuple[Setting, ...]:
    """What seedframe reads in this project; by its configuration alone, so that an example is everywhere the same."""
    own = (*_OWN, *(_PLUGINS if config.plugins_allow else ()))
    match config.accounts.backend:
        case "auto":
            return (*own, *_SUPABASE)
        case "supabase":
            return (*own, *(Setting(setting.name, setting.type, help=setting.help) for setting in _SUPABASE))
        case _:
            return own


def describe_own(config: Config, *, declared: frozenset[str] = frozenset()) -> tuple[Described, ...]:
    """Each of them, with where its value comes from; no seed's name.

    Args:
        config: the project.
        declared: variables that seeds declare themselves: they are described with those.
    """
    settings = [setting for setting in own_settings(config) if setting.name not in declared]
    variables = {
        name: value
        for name, value in config.variables.items()
        if not name.endswith("_FILE") or name.removesuffix("_FILE") in _READ_FROM_FILES
    }
    found = describe([("", settings)], variables, config.variable_sources, root=config.root)
    return tuple(_own(entry, meant=config.accounts.backend == "supabase") for entry in found)


def _own(entry: Described, *, meant: bool) -> Described:
    """Blanks around an address or a key are no part of it: nothing to warn of.

    Supabase's variables may be there for another program, unless the configuration says that they are `meant`; what is
    wrong with them then fails nothing.
    """
    if entry.problem is None or meant or entry.name not in (SUPABASE_URL, SUPABASE_KEY):
        return replace(entry, seeds=(), warnings=())
    return replace(entry, seeds=(), warnings=(entry.problem,), problem=None)


def address_problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the database's address as it is written; no server is asked."""
    if config.database.embedded:
        return
    from seedframe.database.address import configured_address  # here, for nothing else of `env` needs the database

    try:
        configured_address(config.database)
    except ConfigError as error:
        yield from error.problems
