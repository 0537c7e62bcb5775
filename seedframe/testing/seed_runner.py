"""The runner that tests are given: runs a project, and proves that its seeds converge."""

from collections.abc import Sequence
from dataclasses import dataclass

from seedframe.testing.outcome import Convergence
from seedframe.testing.proof import converge
from seedframe.testing.runner import ProjectRunner


@dataclass(slots=True)
class SeedRunner(ProjectRunner):
    """A project in a folder, on a database; see `ProjectRunner`, whose attributes and methods are its own."""

    def assert_converges(self, *seeds: str, breaking: Sequence[str] = ()) -> Convergence:
        """As `seedframe.testing.assert_converges`, for seeds of this project on this database; default: all of them.

        Args:
            breaking: SQL statements, after each of which the `verify` of one of these seeds has to find something.

        Errors: AssertionError, naming the promise that was broken.
        """
        __tracebackhide__ = True
        return converge(self, seeds, breaking)
