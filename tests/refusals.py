"""What every test of refused data asks: one line that says where, the same in each command, and nothing written."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

SEED = "10_items"


def seed(arguments: str) -> str:
    """The text of a seed with one `Rows`."""
    return f"from seedframe import Rows, ref, sql, column\n\ndef resources():\n    yield Rows({arguments})\n"


def of_file(name: str, more: str = "") -> str:
    """The text of a seed that declares `items`, by `sku`, from a file."""
    return seed(f'"items", key="sku", file={name!r}{more}')


def one_line(report: Report) -> str:
    """The error of the report's one seed: never several lines, never a traceback."""
    told = error(report)
    assert "\n" not in told
    assert "Traceback" not in told
    return told


class Refusals:
    """A project whose seed `10_items` is refused, in the database that `sql` talks to."""

    def __init__(self, project: ProjectFactory, sql: Sql) -> None:
        self._project = project
        self._sql = sql

    def folder(self, declared: str, files: Mapping[str, str | bytes]) -> Folder:
        """A project with this seed and these files next to it."""
        folder = self._project({f"seeds/{SEED}.py": declared})
        for name, content in files.items():
            path: Path = folder.path / "seeds" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    def file(self, name: str, content: str | bytes, *expected: str, more: str = "") -> str:
        """A seed of one file is refused by each command alike; what it says, which has each of `expected`."""
        return self.everywhere(self.folder(of_file(name, more), {name: content}), *expected)

    def rows(self, rows: str, *expected: str, more: str = "") -> str:
        """The same for rows in Python."""
        return self.everywhere(self.folder(seed(f'"items", key="sku", rows={rows}{more}'), {}), *expected)

    def everywhere(self, folder: Folder, *expected: str, verified: int = 3) -> str:
        """Dry run, verify and apply say the same one line, and nothing is written.

        Args:
            verified: verify's exit code: it could not look.
        """
        self._sql("drop schema if exists seedframe cascade")
        said = {}
        for name, run, code in (("dry run", dry_run, 1), ("verify", verify, verified)):
            report = run(folder)
            said[name] = one_line(report)
            assert report.exit_code == code, said
            assert self._sql("select to_regnamespace('seedframe') is null") == [(True,)], f"{name} made a ledger"
        told = self.apply(folder, *expected)
        assert said == dict.fromkeys(said, told)
        return told

    def apply(self, folder: Folder, *expected: str) -> str:
        """Apply refuses, and nothing of it stays; what it says."""
        before = self._sql("select i::text from items as i order by 1")
        report = apply(folder)
        told = one_line(report)
        assert report.exit_code == 1, told
        for text in expected:
            assert text in told
        assert self._sql("select i::text from items as i order by 1") == before
        assert self._sql("select count(*) from seedframe.baseline") == [(0,)]
        assert self._sql("select count(*) from seedframe.applied_seed") == [(0,)]
        assert self._sql("select distinct status, error is null from seedframe.outcome") == [("failed", False)]
        return told


@pytest.fixture
def refused(project: ProjectFactory, sql: Sql) -> Refusals:
    """Refusals of data in this test's database, where the test has made a table `items`."""
    return Refusals(project, sql)
