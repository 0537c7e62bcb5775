"""The parts of a report, and of the ledger, without the secrets that texts of a seed's own code may hold."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from seedframe.changes import Cell, Change, Changes, Finding, Marker
from seedframe.errors import Problem
from seedframe.report import ResourceOutcome, SeedOutcome, as_cell
from seedframe.secrecy.masking import masked

if TYPE_CHECKING:
    from seedframe.history import ChangedRow


def masked_problem(problem: Problem) -> Problem:
    """An error without them; its code stays."""
    return replace(
        problem,
        message=masked(problem.message),
        hint=_optional(problem.hint),
        where=_optional(problem.where),
    )


def masked_outcome(outcome: SeedOutcome) -> SeedOutcome:
    """What became of a seed, without them: its error, its findings, and the cells of what was changed."""
    return replace(
        outcome,
        resources=tuple(masked_resource(resource) for resource in outcome.resources),
        writes=None if outcome.writes is None else tuple(map(masked, outcome.writes)),
        findings=tuple(masked_finding(finding) for finding in outcome.findings),
        error=None if outcome.error is None else masked_problem(outcome.error),
    )


def masked_row(row: "ChangedRow") -> "ChangedRow":
    """A changed row without them."""
    columns = None if row.columns is None else tuple(masked(name) for name in row.columns)
    key = None if row.key is None else {masked(name): _optional(cell) for name, cell in row.key.items()}
    return replace(row, resource=masked(row.resource), key=key, columns=columns)


def _optional(text: str | None) -> str | None:
    return None if text is None else masked(text)


def masked_finding(finding: Finding) -> Finding:
    """A finding without them."""
    return replace(finding, text=masked(finding.text))


def masked_resource(outcome: ResourceOutcome) -> ResourceOutcome:
    """What became of a resource, without them."""
    changes: Changes = outcome.changes
    sample = tuple(_change(change) for change in changes.sample)
    changes = replace(changes, sample=sample, skipped_reason=_optional(changes.skipped_reason))
    return replace(outcome, resource=masked(outcome.resource), changes=changes)


def _change(change: Change) -> Change:
    return replace(
        change,
        key=_cells(change.key),
        before=None if change.before is None else _cells(change.before),
        after=None if change.after is None else _cells(change.after),
        reason=_optional(change.reason),
    )


def _cells(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    return {masked(str(name)): _cell(cell) for name, cell in cells.items()}


def _cell(value: object) -> Cell:
    """What a seed's own `check` gave may be anything; markers are texts, too, and stay."""
    cell = as_cell(value)
    return cell if cell is None or isinstance(cell, Marker) else masked(cell)
