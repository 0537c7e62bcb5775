"""What the ledger's entry of a seed tells beside counts: digests, and the changed rows as far as they are listed."""

from collections.abc import Sequence
from hashlib import sha256

from seedframe.changes import Change, Marker
from seedframe.database.audit_chain import canonical
from seedframe.database.run_log import Audited, storable
from seedframe.history import ChangedRow, ResourceRecord
from seedframe.report import ResourceOutcome, as_cell
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed
from seedframe.seeding.code_digest import code_digest
from seedframe.seeding.declared_digests import content_digest


def audited(seed: Seed, resources: Sequence[Resource], outcomes: Sequence[ResourceOutcome], *, listed: int) -> Audited:
    """What is to be kept of an attempt that went to its end.

    Args:
        listed: the changed rows of a resource are listed, unless there are more than this.
    """
    declared = {resource.name: content_digest(resource) for resource in resources}
    records: list[ResourceRecord] = []
    rows: list[ChangedRow] = []
    for outcome in outcomes:
        counts = outcome.changes.counts
        if counts.changed:
            shown = _changed_rows(resources, outcome) if counts.changed <= listed else []
            rows += shown
            records.append(ResourceRecord(outcome.resource, counts, max(0, counts.changed - len(shown))))
    return Audited(
        code=code_digest(seed),
        data=sha256(canonical(declared).encode()).hexdigest(),
        resources=tuple(records),
        rows=tuple(rows),
    )


def _changed_rows(resources: Sequence[Resource], outcome: ResourceOutcome) -> list[ChangedRow]:
    """The changed rows of one resource; what is no row is named as in the report."""
    named = [resource for resource in resources if resource.name == outcome.resource]
    rowset = next((resource.rowset for resource in named if isinstance(resource, Rows)), None)
    rows = rowset.changed_rows() if rowset is not None else []
    return rows + [
        ChangedRow(outcome.resource, change.action, _key_cells(change), _columns(change))
        for change in outcome.changes.sample
        if rowset is None or change.action == "other"
    ]


def _key_cells(change: Change) -> dict[str, str | None] | None:
    cells = {storable(str(name)): as_cell(cell) for name, cell in change.key.items()}
    if any(isinstance(cell, Marker) for cell in cells.values()):
        return None
    return {name: None if cell is None else storable(cell) for name, cell in cells.items()}


def _columns(change: Change) -> tuple[str, ...] | None:
    if change.action not in ("update", "other") or change.after is None:
        return None
    return tuple(storable(str(name)) for name in change.after)
