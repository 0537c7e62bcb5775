"""Running a project in this process, for tests that look at reports rather than at a terminal."""

from typing import Any

from seedframe import Project
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.report import Report, SeedOutcome
from tests.conftest import Folder


def apply(folder: Folder, *names: str, env: str | None = None, **options: Any) -> Report:
    """`seedframe apply NAMES`."""
    chosen = ApplyOptions(selection=Selection(names=names), **options)
    return Project.load(folder.path, env=env).apply(chosen)


def dry_run(folder: Folder, *names: str, **options: Any) -> Report:
    """`seedframe apply --dry-run NAMES`."""
    return apply(folder, *names, dry_run=True, **options)


def verify(folder: Folder, *names: str, env: str | None = None) -> Report:
    """`seedframe verify NAMES`."""
    return Project.load(folder.path, env=env).verify(VerifyOptions(selection=Selection(names=names)))


def only(report: Report) -> SeedOutcome:
    """The one seed of a report."""
    (outcome,) = report.seeds
    return outcome


def applied(folder: Folder, *names: str, **options: Any) -> Report:
    """Apply, which must succeed; then again, which must change nothing; the first report."""
    first = apply(folder, *names, **options)
    assert first.exit_code == 0, first.as_dict()
    again = apply(folder, *names, **options)
    assert again.summary.changed == 0, again.as_dict()
    checked = verify(folder, *names)
    assert checked.exit_code == 0, checked.as_dict()
    return first


def counts(report: Report) -> tuple[int, int, int, int]:
    """Created, updated, deleted, unchanged."""
    summary = report.summary
    return summary.create, summary.update, summary.delete, summary.unchanged


def error(report: Report) -> str:
    """The error of the first seed that has one, as one line: code, where, message, hint."""
    problem = next(outcome.error for outcome in report.seeds if outcome.error is not None)
    return f"{problem.code}: {problem}"
