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
    from seedframe.testing.convergence import Convergence, ConvergenceError, LeftOut, Mutation, assert_converges
    from seedframe.testing.databases import Database, Server
    from seedframe.testing.runner import CommandResult, SeedRunner

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
    "Convergence": "seedframe.testing.convergence",
    "ConvergenceError": "seedframe.testing.convergence",
    "Database": "seedframe.testing.databases",
    "LeftOut": "seedframe.testing.convergence",
    "Mutation": "seedframe.testing.convergence",
    "SeedRunner": "seedframe.testing.runner",
    "Server": "seedframe.testing.databases",
    "assert_converges": "seedframe.testing.convergence",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'seedframe.testing' has no attribute {name!r}")
    return getattr(import_module(home), name)


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
            pytest.fail(said, pytrace=False)
        yield server


@pytest.fixture
def seedframe_database(seedframe_server: "Server") -> "Iterator[Database]":
    """An empty database of the test's own, dropped afterwards."""
    with seedframe_server.database() as database:
        yield database


@pytest.fixture
def seedframe_project(seedframe_database: "Database", tmp_path: Path) -> "SeedRunner":
    """An empty project in a folder of its own, on `seedframe_database`: `write`, `configure`, `allow`, and run it."""
    from seedframe.testing.runner import SeedRunner

    folder = tmp_path / "project"
    (folder / "seeds").mkdir(parents=True)
    runner = SeedRunner(folder, seedframe_database)
    runner.configure({"project": {"name": "tests"}})
    return runner
