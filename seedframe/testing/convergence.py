"""`assert_converges`: finds the seed, makes its tables, and has it proven that it converges."""

import os
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from seedframe.configuration.config_file import has_config
from seedframe.errors import ConfigError, UnknownSeed, UsageError, did_you_mean
from seedframe.loading.seed_names import SEED_NAME
from seedframe.operations.migrations import run_migrations
from seedframe.secrets import Secret
from seedframe.testing.databases import Database, existing, server_for_tests
from seedframe.testing.outcome import Convergence
from seedframe.testing.proof import converge
from seedframe.testing.runner import ProjectRunner


def assert_converges(
    seed: str | Path,
    *,
    database: Database | str | None = None,
    tables: str | Path | None = None,
    migrations: str | Sequence[str] | None = None,
    allow: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    env: str | None = None,
    breaking: Sequence[str] = (),
) -> Convergence:
    """Prove that a seed keeps what seedframe promises, on a database that is its own.

    Args:
        seed: the name of an installed plugin's seed (`icd10` or `40_icd10`), or the file of a local one.
        database: an empty database, such as the fixture `seedframe_database`, or its URL; default: a server is started
            for this call.
        tables: SQL that makes the tables, as text or as a file.
        migrations: a command that makes them, run with DATABASE_URL set.
        allow: more plugins to allow, for seeds that this one requires.
        config: tables of seedframe.toml: `{"seeds": {"icd10": {"chapters": ["I"]}}}`. A local seed's project has its
            own file, which is used as it is.
        variables: environment variables for the seed's settings.
        env: the name of the environment.
        breaking: SQL statements, after each of which, in a copy of the database, the seed's own `verify` has to find
            something.

    Returns:
        What was proven, and what could not be tried.

    Errors: ConvergenceError, an AssertionError, naming the promise that was broken; UnknownSeed, ConfigError,
        ConnectionFailed when there is nothing to begin with.
    """
    __tracebackhide__ = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seedframe-")))
        if database is None:
            server = stack.enter_context(server_for_tests())
            database = stack.enter_context(server.database())
        elif isinstance(database, str):
            database = existing(database)
            stack.callback(database.close)
        runner = ProjectRunner(folder, database, dict(variables or {}), env)
        if _is_file(seed):
            name = _local(runner, Path(seed), config)
        else:
            name, distribution = _installed(str(seed))
            runner.configure({"project": {"name": "tests"}, **(config or {})})
            runner.allow(distribution, *allow)
        if tables is not None:
            make_tables(database, tables)
        if migrations is not None:
            migrate(runner, migrations)
        return converge(runner, (name,), breaking)


def make_tables(database: Database, tables: str | Path) -> None:
    """Run SQL, given as text or as a file. Errors: ConfigError for a file that is not there; psycopg's."""
    is_file = isinstance(tables, Path) or (tables.endswith(".sql") and "\n" not in tables)
    try:
        text = Path(tables).read_text(encoding="utf-8") if is_file else str(tables)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"tables={tables}") from None
    database.execute(text)


def migrate(runner: ProjectRunner, command: str | Sequence[str]) -> None:
    """Run a migration command in the runner's folder. Errors: ConfigError, MigrationFailed."""
    words = shlex.split(command) if isinstance(command, str) else tuple(command)
    run_migrations(
        words,
        root=runner.path,
        url=Secret(runner.database.url),
        variables={**os.environ, **runner.variables},
    )


def _is_file(seed: str | Path) -> bool:
    return isinstance(seed, Path) or seed.endswith(".py") or "/" in seed


def _local(runner: ProjectRunner, file: Path, config: Mapping[str, Any] | None) -> str:
    """Have the runner work in the project that the file is a seed of; the seed's name."""
    file = file.resolve()
    match = SEED_NAME.fullmatch(file.stem if file.suffix == ".py" else file.name)
    if match is None or not file.exists():
        raise UnknownSeed(
            "no such seed" if match is not None else "not the name of a seed",
            hint="give the file of a seed, such as seeds/20_reference.py",
            where=str(file),
        )
    runner.seeds_dir = file.parent
    root = next((folder for folder in file.parents if has_config(folder)), None)
    if root is None:
        runner.configure({"project": {"name": "tests"}, **(config or {})})
    elif config:
        raise UsageError("config= is for seeds without a project of their own", where=str(root))
    else:
        runner.path = root
    return match["name"]


def _installed(name: str) -> tuple[str, str]:
    """The seed's name, and the distribution that offers it; nothing is imported."""
    offered: dict[str, EntryPoint] = {}
    for entry_point in entry_points(group="seedframe"):
        match = SEED_NAME.fullmatch(entry_point.name)
        if match is not None and entry_point.dist is not None:
            offered[match["name"]] = offered[entry_point.name] = entry_point
    found = offered.get(name)
    if found is None or found.dist is None:
        raise UnknownSeed(
            f"no installed plugin offers a seed {name!r}",
            hint=did_you_mean(name, offered) or "install it (pip install -e .), or give the file of a local seed",
        )
    match = SEED_NAME.fullmatch(found.name)
    return (match["name"] if match is not None else name), found.dist.name
