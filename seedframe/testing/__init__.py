"""The test kit: a pytest plugin with databases, a runner for projects, and the proof that a seed converges.

Installed with seedframe, and inert until one of its fixtures is asked for. PYTEST_DONT_REWRITE
"""

from collections.abc import Iterator
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    import psycopg
    import sqlalchemy

    from seedframe.testing.convergence import assert_converges
    from seedframe.testing.databases import Database, Server
    from seedframe.testing.outcome import Convergence, ConvergenceError, LeftOut, Mutation
    from seedframe.testing.runner import CommandResult
    from seedframe.testing.seed_runner import SeedRunner
    from seedframe.testing.seeded import RolledBack, SharedCopy

__all__ = [
    "CommandResult",
    "Convergence",
    "ConvergenceError",
    "Database",
    "LeftOut",
    "Mutation",
    "SeedRunner",
    "Server",
    "assert_converges",
]

# Every pytest run imports this module: what needs a database driver is imported when it is asked for. There is no
# `__dir__` that lists these names, since pytest would ask for all that it lists.
_HOMES: Final = {
    "CommandResult": "seedframe.testing.runner",
    "Convergence": "seedframe.testing.outcome",
    "ConvergenceError": "seedframe.testing.outcome",
    "Database": "seedframe.testing.databases",
    "LeftOut": "seedframe.testing.outcome",
    "Mutation": "seedframe.testing.outcome",
    "SeedRunner": "seedframe.testing.seed_runner",
    "Server": "seedframe.testing.databases",
    "assert_converges": "seedframe.testing.convergence",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'seedframe.testing' has no attribute {name!r}")
    return getattr(import_module(home), name)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which project, in which environment, `seedframe_seeded` seeds."""
    parser.addini("seedframe_config", "seedframe.toml, or a folder in its project (default: the rootdir)")
    parser.addini("seedframe_env", "the environment that seedframe_seeded is seeded for")


@pytest.fixture(scope="session")
def seedframe_server() -> "Iterator[Server]":
    """A PostgreSQL for this session, of this worker under pytest-xdist; where none is to be had, the tests fail."""
    from seedframe.errors import SeedframeError
    from seedframe.testing.databases import server_for_tests

    with ExitStack() as stack:
        said = ""
        try:
            server = stack.enter_context(server_for_tests())
        except SeedframeError as error:
            said = str(error.problems[0])
        if said:
            raise _ToldOnce(said)
        yield server


@pytest.fixture
def seedframe_database(seedframe_server: "Server") -> "Iterator[Database]":
    """An empty database of the test's own, dropped afterwards."""
    with seedframe_server.database() as database:
        yield database


@pytest.fixture
def seedframe_project(seedframe_database: "Database", tmp_path: Path) -> "SeedRunner":
    """An empty project in a folder of its own, on `seedframe_database`: `write`, `configure`, `allow`, and run it."""
    from seedframe.testing.seed_runner import SeedRunner

    folder = tmp_path / "project"
    (folder / "seeds").mkdir(parents=True)
    runner = SeedRunner(folder, seedframe_database)
    runner.configure({"project": {"name": "tests"}})
    return runner


class _ToldOnce(pytest.fail.Exception):  # type: ignore[name-defined, misc] # mypy sees no class there
    """Why no test can have what all of them want: the whole story for the first of them, and where that is for others.

    pytest keeps the failure of a session's fixture, and raises it again for each test that asks for that.
    """

    # As pytest shows what fails.
    __module__ = "builtins"
    __qualname__ = "Failed"

    def __init__(self, text: str) -> None:
        super().__init__(text, pytrace=False)
        self._text = text
        self._first = _running()

    def __str__(self) -> str:
        if _running() == self._first:
            return self._text
        what, _, _ = self._text.partition(": ")
        return f"{what}: the error of {self._first or 'the first test'} says why"


def _running() -> str:
    """The test that is being run, as pytest names it."""
    import os

    return os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]


@pytest.fixture(scope="session")
def seedframe_seeded(seedframe_server: "Server", pytestconfig: pytest.Config) -> "Iterator[Database]":
    """The project's database, migrated and seeded once for the session: what the others are copies of. Only read it."""
    import os

    from seedframe.testing.seeded import NotSeeded, seed_for_tests

    where = pytestconfig.rootpath / (pytestconfig.getini("seedframe_config") or ".")
    with seedframe_server.database() as database:
        said = ""
        try:
            seed_for_tests(database, where, env=pytestconfig.getini("seedframe_env") or None, environ=os.environ)
        except NotSeeded as error:
            said = str(error)
        if said:
            raise _ToldOnce(f"the database for the tests cannot be made: {said}")
        yield database


@pytest.fixture
def seedframe_clone(seedframe_server: "Server", seedframe_seeded: "Database") -> "Iterator[Database]":
    """A copy of `seedframe_seeded` of the test's own, dropped afterwards."""
    seedframe_seeded.close()
    with seedframe_server.database(template=seedframe_seeded.name) as database:
        yield database


@pytest.fixture(scope="session")
def _seedframe_shared(seedframe_server: "Server", seedframe_seeded: "Database") -> "Iterator[SharedCopy]":
    """The copy that `seedframe_connection` works in: one for all, as nothing stays of what is done there."""
    from seedframe.testing.seeded import SharedCopy

    shared = SharedCopy(seedframe_server, seedframe_seeded)
    yield shared
    shared.drop()


@pytest.fixture
def seedframe_connection(_seedframe_shared: "SharedCopy") -> "Iterator[psycopg.Connection[Any]]":
    """A psycopg connection to the seeded database; all that is done on it, commits included, is undone afterwards."""
    from seedframe.testing.seeded import TransactionEndedByTest, rolled_back

    connection = rolled_back(_seedframe_shared.url())
    yield connection
    try:
        connection.undo()
    except TransactionEndedByTest as ended:
        _seedframe_shared.drop()
        pytest.fail(str(ended), pytrace=False)


@pytest.fixture
def seedframe_engine(seedframe_connection: "RolledBack") -> "Iterator[sqlalchemy.Engine]":
    """SQLAlchemy's engine over `seedframe_connection`: all that is done through it is undone afterwards."""
    from seedframe.testing.seeded import engine_over

    engine = engine_over(seedframe_connection)
    yield engine
    engine.dispose()
