"""seedframe.toml, the environment and .env, read into one frozen Config."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal

from seedframe.configuration.account_options import AccountsConfig
from seedframe.configuration.config_file import PYPROJECT, ConfigFile, find_config_file, shown_path
from seedframe.configuration.config_schema import ENV, SEEDS, Layer, check_document, merge
from seedframe.configuration.dotenv import Dotenv, read_dotenv
from seedframe.configuration.limits import Limit, Limits
from seedframe.configuration.variables import ENVIRONMENT, Variable, find_variable
from seedframe.errors import ConfigError, Problem, did_you_mean
from seedframe.secrets import Secret

EMBEDDED: Final = "embedded"
DEFAULT_ENV: Final = "development"
DOTENV: Final = ".env"
NO_AUTOLOAD: Final = "SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD"
_PRODUCTION: Final = ("production", "prod")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """Where the database is and how to talk to it. Times are seconds; 0 means no limit.

    Attributes:
        url: `"embedded"`, a URL or libpq keywords; None leaves everything to libpq's own variables.
        source: where `url` came from, for messages: "DATABASE_URL", "seedframe.toml [database] url",
            "the libpq variables (PGHOST …)", "default".
        libpq: libpq keywords from PG… variables of .env, which libpq itself does not read; what `url` says wins.
        tls: "required": the server must be verified, unless it is on this machine. "optional": as `url` says.
    """

    url: Secret | None
    source: str
    schema: str = "public"
    search_path: tuple[str, ...] = ()
    lock_timeout_s: float = 5.0
    statement_timeout_s: float = 0.0
    connect_timeout_s: float = 10.0
    libpq: Mapping[str, Secret] = field(default_factory=dict)
    tls: Literal["required", "optional"] = "optional"

    @property
    def embedded(self) -> bool:
        """True when the database is the embedded PostgreSQL of this project."""
        return self.url is not None and self.url.reveal() == EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One project, in one environment.

    Attributes:
        root: the project's folder; relative paths start there.
        file: the file it was read from; None when there is none.
        project: the name that keys the ledger.
        env: the name of the environment.
        production: it is one where a mistake is dear, and caution the default.
        seeds_dir: the folder of local seeds.
        migrations: the migration command, split into arguments; empty when there is none.
        plugins_allow: requirement lines (`"seedframe-iso>=1,<2"`); None when the project has no such list.
        plugins_allow_elsewhere: such lists, as far as they are others, of the other environments.
        plugins_disabled: names given with `-p no:NAME`.
        plugins_named: names given with `-p NAME`: loaded, if they are allowed, although `plugins_autoload` is False.
        plugins_autoload: False where SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD is set.
        plugins_shared: tables of which several plugins may write the same columns.
        seeds: `[seeds.NAME]` tables, whole.
        variables: the process environment over `.env`; what settings are read from.
        variable_sources: for each variable that came from elsewhere than the environment, where from.
        baseline_rows: the largest resource whose baseline is kept row by row.
        changed_rows: the ledger lists the changed rows of a resource, unless there are more than this.
        keep_unchanged_runs: for so many seconds runs stay in the ledger that changed nothing; None means forever.
        max_delete: how many rows of one resource a run may delete; None means no limit.
        max_update: likewise for updates.
        environments: the names of the overlays that the file has.
        accounts: where accounts are kept, and how.
        lint_select: the rules that `seedframe lint` looks for, by code or its beginning; empty: all that are on anyway.
        lint_ignore: the rules that it leaves out.
    """

    root: Path
    file: Path | None
    project: str
    env: str
    database: DatabaseConfig
    seeds_dir: Path
    production: bool = False
    migrations: tuple[str, ...] = ()
    plugins_allow: tuple[str, ...] | None = None
    plugins_allow_elsewhere: tuple[tuple[str, ...], ...] = ()
    plugins_disabled: frozenset[str] = frozenset()
    plugins_named: frozenset[str] = frozenset()
    plugins_autoload: bool = True
    plugins_shared: tuple[str, ...] = ()
    seeds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    variable_sources: Mapping[str, str] = field(default_factory=dict)
    baseline_rows: int = 20_000
    changed_rows: int = 1_000
    keep_unchanged_runs: float | None = 90 * 86_400.0
    max_delete: Limit | None = None
    max_update: Limit | None = None
    environments: frozenset[str] = frozenset()
    accounts: AccountsConfig = AccountsConfig()  # noqa: RUF009 - it is frozen
    lint_select: tuple[str, ...] = ()
    lint_ignore: tuple[str, ...] = ()

    @property
    def file_name(self) -> str:
        """What its file is called in messages, where there is one."""
        return self.file.name if self.file is not None else "the configuration"

    @property
    def limits(self) -> Limits:
        """What a run may do to the rows of one resource that says nothing of its own."""
        return Limits(self.max_delete, self.max_update)

    def environment_problem(self, name: str, where: str) -> Problem | None:
        """Why a name cannot be that of an environment of this project, as `--env` would say; None if it can be.

        Args:
            where: where the name stands, for the message.
        """
        if name == self.env:
            return None
        return _environment_problem(name, self.environments, self.file, where)


def load_config(
    path: Path | None = None,
    *,
    env: str | None = None,
    disabled: Sequence[str] = (),
    named: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    dotenv: bool = True,
) -> Config:
    """Read the configuration of the project at or above `path`.

    Args:
        path: a configuration file, or a folder to search from upwards; default: the working directory.
        env: the name of the environment; default: SEEDFRAME_ENV, else "development".
        disabled: names of plugins not to load.
        named: names of plugins to load where SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD keeps all others out.
        environ: the variables that are set; default: those of this process.
        dotenv: whether to read `.env`, too.

    Raises:
        ConfigError: with every mistake that was found, not only the first.
    """
    file = find_config_file(path)
    root = file.path.parent
    environ = os.environ if environ is None else environ
    more = read_dotenv(root / DOTENV, shown_path(root / DOTENV)) if dotenv else Dotenv({})
    variables = {**more.values, **environ}
    sources = {name: DOTENV for name in more.values if name not in environ}

    base, overlays, mistakes = check_document(file.document)
    problems = [*file.problems, *more.problems]
    problems += [file.problem(key, message, hint) for key, message, hint in mistakes]

    name, env_problem = _choose_env(env, variables, sources, overlays, file)
    overlay = overlays.get(name, {})
    merged = merge(base, overlay)
    production = merged.get("project", {}).get("production", name.lower() in _PRODUCTION)
    database, url_problems = _database(
        {"tls": "required" if production else "optional", **merged.get("database", {})},
        overlay.get("database", {}),
        name,
        file,
        variables,
        sources,
    )
    project = merged.get("project", {}).get("name") or file.default_name
    problems += [problem for problem in (env_problem, *url_problems) if problem is not None]
    if not project.strip() or not project.isprintable():  # of pyproject.toml, or of the folder
        what = "the project has a name with control characters" if project.strip() else "the project has no name"
        problems.append(file.problem(("project", "name"), what, 'write name = "…" under [project]'))
    if problems:
        raise ConfigError.of(problems)
    return Config(
        root=root,
        file=file.path,
        project=project,
        env=name,
        database=database,
        seeds_dir=root / merged.get("project", {}).get("seeds", "seeds"),
        production=production,
        migrations=merged.get("migrations", {}).get("command", ()),
        plugins_allow=merged.get("plugins", {}).get("allow"),
        plugins_allow_elsewhere=_allowed_elsewhere(base, overlays, name),
        plugins_disabled=frozenset(disabled),
        plugins_named=frozenset(named),
        plugins_autoload=variables.get(NO_AUTOLOAD, "").strip().lower() in ("", "0", "false"),
        plugins_shared=merged.get("plugins", {}).get("shared", ()),
        seeds=MappingProxyType(merged.get(SEEDS, {})),
        variables=MappingProxyType(variables),
        variable_sources=MappingProxyType(sources),
        environments=frozenset(overlays),
        accounts=_accounts(merged.get("accounts", {}), variables, sources, root),
        lint_select=merged.get("lint", {}).get("select", ()),
        lint_ignore=merged.get("lint", {}).get("ignore", ()),
        **merged.get("ledger", {}),
        **merged.get("limits", {}),
    )


def _allowed_elsewhere(base: Layer, overlays: Mapping[str, Layer], env: str) -> tuple[tuple[str, ...], ...]:
    """`[plugins] allow` as the environments but this one have it: those of the file, and any that it does not name."""
    here = merge(base, overlays.get(env, {})).get("plugins", {}).get("allow", ())
    layers = ({}, *(overlay for name, overlay in overlays.items() if name != env))
    lists = dict.fromkeys(merge(base, layer).get("plugins", {}).get("allow", ()) for layer in layers)
    return tuple(lines for lines in lists if lines != here)


_ENV_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_ENV_VARIABLE: Final = "SEEDFRAME_ENV"


def _choose_env(
    chosen: str | None,
    variables: Mapping[str, str],
    sources: Mapping[str, str],
    overlays: Mapping[str, Layer],
    file: ConfigFile,
) -> tuple[str, Problem | None]:
    """The name of the environment. One that resembles an overlay of the file, without being it, is a mistake:
    `--env prod` must not quietly run without the safeguards of [env.production]."""
    name, where = chosen, "--env"
    if name is None:
        name, where = variables.get(_ENV_VARIABLE) or DEFAULT_ENV, sources.get(_ENV_VARIABLE, ENVIRONMENT)
        where = _ENV_VARIABLE if where == ENVIRONMENT else f"{_ENV_VARIABLE} in {where}"
    return name, _environment_problem(name, overlays, file.path, where)


def _environment_problem(name: str, overlays: Iterable[str], file: Path | None, where: str) -> Problem | None:
    """Why a name cannot be that of an environment: it is malformed, or nearly one that the file has; None if it can."""
    if not _ENV_NAME.fullmatch(name):
        advice = "letters, digits, and - _ . after the first character"
        return Problem(ConfigError.code, "not a name for an environment", advice, where)
    names = (*overlays, DEFAULT_ENV)
    if name in names:
        return None
    similar = [known for known in names if known.startswith(name) or name.startswith(known)]
    meant = f"did you mean {similar[0]!r}?" if similar else did_you_mean(name, names) or _nearly_production(name)
    if meant is None:
        return None
    message = f"{shown_path(file) if file is not None else 'the configuration'} has no environment {name!r}"
    prefix = "tool.seedframe." if file is not None and file.name == PYPROJECT else ""
    hint = f"{meant} If {name!r} is meant, add an empty table [{prefix}{ENV}.{name}]"
    return Problem(ConfigError.code, message, hint, where)


def _nearly_production(name: str) -> str | None:
    """A slip in the one name that means something by itself; `preproduction` is none."""
    word = name.casefold()
    return None if word == "prod" or "production" in word else did_you_mean(word, ("production",))


def _database(
    table: Mapping[str, Any],
    overlay: Mapping[str, Any],
    env: str,
    file: ConfigFile,
    variables: Mapping[str, str],
    sources: Mapping[str, str],
) -> tuple[DatabaseConfig, list[Problem]]:
    found = find_variable("DATABASE_URL", variables, sources, file.path.parent)
    problems: list[Problem] = []
    url: Secret | None
    if isinstance(found, Problem):
        url, source = None, "DATABASE_URL"
        problems.append(found)
    elif found is not None:
        url, source = Secret(found.value.strip()), _url_source(found)
    elif "url" in table:
        header = f"{file.prefix}{ENV}.{env}.database" if "url" in overlay else f"{file.prefix}database"
        url, source = Secret(table["url"].strip()), f"{file.path.name} [{header}] url"
    else:
        named = next((name for name in _LIBPQ_TARGET if variables.get(name)), None)
        url, source = (Secret(EMBEDDED), "default") if named is None else (None, f"the libpq variables ({named} …)")
    libpq, libpq_problems = _libpq(variables, sources)
    given = {f"{key}_s" if key.endswith("_timeout") else key: value for key, value in table.items() if key != "url"}
    return DatabaseConfig(url=url, source=source, libpq=libpq, **given), [*problems, *libpq_problems]


def _url_source(found: Variable) -> str:
    if found.source == ENVIRONMENT:
        return "DATABASE_URL"
    return f"DATABASE_URL in {found.source}" if found.source == DOTENV else f"DATABASE_URL_FILE ({found.source})"


SUPABASE_URL: Final = "SUPABASE_URL"
SUPABASE_KEY: Final = "SUPABASE_SERVICE_ROLE_KEY"


def _accounts(
    table: Mapping[str, Any], variables: Mapping[str, str], sources: Mapping[str, str], root: Path
) -> AccountsConfig:
    """What is wrong with a variable is kept until it is needed: most projects do not mean these variables for us."""
    url, key = (find_variable(name, variables, sources, root) for name in (SUPABASE_URL, SUPABASE_KEY))
    given = {("timeout_s" if name == "timeout" else name): value for name, value in table.items()}
    return AccountsConfig(
        url=url.value.strip() if isinstance(url, Variable) else None,
        key=Secret(key.value.strip()) if isinstance(key, Variable) else None,
        problems=tuple(found for found in (url, key) if isinstance(found, Problem)),
        **given,
    )


# libpq reads these from the environment itself, but knows nothing of .env: from there they are handed over as keywords.
_LIBPQ_KEYWORDS: Final = MappingProxyType(
    {
        "PGHOST": "host",
        "PGHOSTADDR": "hostaddr",
        "PGPORT": "port",
        "PGDATABASE": "dbname",
        "PGUSER": "user",
        "PGCONNECT_TIMEOUT": "connect_timeout",
        "PGPASSWORD": "password",
        "PGPASSFILE": "passfile",
        "PGSERVICE": "service",
        "PGSSLMODE": "sslmode",
        "PGSSLROOTCERT": "sslrootcert",
        "PGSSLCERT": "sslcert",
        "PGSSLKEY": "sslkey",
        "PGSSLCRL": "sslcrl",
        "PGSSLCRLDIR": "sslcrldir",
        "PGSSLSNI": "sslsni",
        "PGSSLMINPROTOCOLVERSION": "ssl_min_protocol_version",
        "PGSSLMAXPROTOCOLVERSION": "ssl_max_protocol_version",
        "PGCHANNELBINDING": "channel_binding",
        "PGGSSENCMODE": "gssencmode",
        "PGKRBSRVNAME": "krbsrvname",
        "PGGSSLIB": "gsslib",
        "PGREQUIREPEER": "requirepeer",
        "PGTARGETSESSIONATTRS": "target_session_attrs",
        "PGAPPNAME": "application_name",
        "PGOPTIONS": "options",
    }
)
# Any of these says that a server is meant; the others only say how to talk to one.
_LIBPQ_TARGET: Final = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICEFILE")
_ENVIRONMENT_ONLY: Final = ("PGSERVICEFILE", "PGSYSCONFDIR")


def _libpq(variables: Mapping[str, str], sources: Mapping[str, str]) -> tuple[Mapping[str, Secret], list[Problem]]:
    """libpq's variables that .env sets, as keywords; and those that have no keyword, as mistakes."""
    problems = [
        Problem(ConfigError.code, f"{name} has no effect in .env", "set it in the environment", where=DOTENV)
        for name in _ENVIRONMENT_ONLY
        if variables.get(name) and name in sources
    ]
    keywords = {
        keyword: Secret(variables[name])
        for name, keyword in _LIBPQ_KEYWORDS.items()
        if name in sources and variables.get(name)
    }
    return MappingProxyType(keywords), problems
