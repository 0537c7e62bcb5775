"""Reading reports for what a proof of convergence is about, and as a person reads them."""

from collections.abc import Mapping

from seedframe.changes import Change, Counts, Marker
from seedframe.report import Report


def change_of(
    report: Report, seed: str, resource: str, key: Mapping[str, str | None], action: str, column: str | None
) -> Change | None:
    """The change of a row, and of a column of it, that the report has."""
    for outcome in report.seeds:
        for each in outcome.resources if outcome.seed == seed else ():
            for change in each.changes.sample if each.resource == resource else ():
                same = all(isinstance(cell, Marker) or key.get(name) == cell for name, cell in change.key.items())
                if same and change.action == action and (column is None or column in (change.before or {})):
                    return change
    return None


def trouble(report: Report) -> str:
    """What is wrong, in a line."""
    if report.error is not None:
        return str(report.error)
    for seed in report.seeds:
        if seed.error is not None:
            return f"seed {seed.seed}: {seed.error}"
        for finding in seed.findings:
            if finding.severity == "error":
                return f"seed {seed.seed}: {finding.text}"
    for seed in report.seeds:
        for resource in seed.resources:
            if resource.changes.counts.changed:
                return f"seed {seed.seed}, {resource.resource}: {_counts_of(resource.changes.counts)}"
    return f"the status is {report.status.value}"


def _counts_of(counts: Counts) -> str:
    return f"{counts.create} to create, {counts.update} to update, {counts.delete} to delete"


def counts_by_place(report: Report) -> dict[tuple[str, str], tuple[int, int, int]]:
    """Creations, updates and deletions by seed and resource."""
    return {
        (seed.seed, each.resource): (each.changes.counts.create, each.changes.counts.update, each.changes.counts.delete)
        for seed in report.seeds
        for each in seed.resources
    }


def names_row(report: Report, seed: str, key: Mapping[str, str | None]) -> bool:
    """Whether the report has a change of this row, whatever it is, of this seed."""
    return any(
        all(name in change.key and change.key[name] == cell for name, cell in key.items())
        for outcome in report.seeds
        if outcome.seed == seed
        for each in outcome.resources
        for change in each.changes.sample
    )


def report_text(report: Report) -> str:
    """The report, as `seedframe` prints it."""
    from seedframe.reporting.page import Page
    from seedframe.reporting.text import lines, text_of

    page = Page(verbosity=1)
    return text_of(lines(report, page), page)
