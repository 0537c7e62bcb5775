"""Whether a saved plan still fits: its seeds as they were compared then, beside the same seeds as they compare now."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from seedframe.changes import Marker
from seedframe.errors import PlanRefused, Problem
from seedframe.recorder import ResourceDigests
from seedframe.report import resource_document
from seedframe.running.run import Run
from seedframe.saved_plan import SavedResource, SavedSeed

_ANEW = "make a new plan"
_WILL = {"create": "created", "delete": "deleted"}


def compared_seeds(run: Run) -> tuple[SavedSeed, ...]:
    """The seeds of a dry run that was recorded in full, as a plan has them. None of them failed."""
    assert run.recorder is not None  # noqa: S101 - made for this
    seeds = {seed.label: seed for seed in run.job.chosen}
    return tuple(
        SavedSeed(
            name=seeds[outcome.seed].name,
            label=outcome.seed,
            resources=tuple(
                SavedResource(
                    name=resource.resource,
                    declared=records[resource.resource].declared,
                    digest=records[resource.resource].changes,
                    shown=resource_document(resource),
                )
                for resource in outcome.resources
            ),
        )
        for outcome in run.outcomes
        for records in [run.recorder.of(seeds[outcome.seed].name)]
    )


def misfits(then: Sequence[SavedSeed], now: Sequence[SavedSeed]) -> list[Problem]:
    """Everything that moved, resource by resource: what is declared, else what it would change."""
    current = {seed.name: seed for seed in now}
    return [
        Problem(PlanRefused.code, f"seed {seed.label}: {message}", _ANEW)
        for seed in then
        if seed.name in current
        for message in _of_seed(seed, current[seed.name])
    ]


def undeclared(then: SavedSeed, records: Mapping[str, ResourceDigests]) -> Problem | None:
    """The first resource that declares something else by now than the plan has; None where all are the same."""
    for resource in then.resources:
        record = records.get(resource.name)
        if record is None or record.declared != resource.declared:
            return Problem(PlanRefused.code, f"seed {then.label}: {_declares_else(resource.name)}", _ANEW)
    return None


def _declares_else(resource: str) -> str:
    return (
        f"{resource} declares other than when the plan was made: a file or a setting changed, or its source is not"
        " the same each time it is read"
    )


def _of_seed(then: SavedSeed, now: SavedSeed) -> Iterator[str]:
    current = {resource.name: resource for resource in now.resources}
    known = {resource.name for resource in then.resources}
    for resource in then.resources:
        found = current.get(resource.name)
        if found is None:
            yield f"{resource.name} is in the plan, and is not declared any more"
        elif found.declared != resource.declared:
            yield _declares_else(resource.name)
        elif found.digest != resource.digest:
            yield f"{resource.name} moved in the database since the plan was made: {_what(resource, found)}"
    for name in current:
        if name not in known:
            yield f"{name} is declared, and is not in the plan"


def _what(then: SavedResource, now: SavedResource) -> str:
    """The first difference between two samples; the digests know of more than these show."""
    planned = {_identity(change): change for change in then.shown["changes"]}
    found = {_identity(change): change for change in now.shown["changes"]}
    for identity, change in planned.items():
        other = found.get(identity)
        if other is None and not now.shown["changes_omitted"]:
            return f"{_row(change)} is not to be {_will(change)} any more"
        if other is not None and other != change:
            return f"{_row(change)}{_differing(change, other)}"
    for identity, change in found.items():
        if identity not in planned and not then.shown["changes_omitted"]:
            return f"{_row(change)} is to be {_will(change)} by now{_columns(change)}"
    before, after = _count(then), _count(now)
    if before != after:
        return f"{before:,} changes were planned, it would be {after:,} by now"
    if before == len(planned) and then.shown["counts"]["delete"]:
        return "a row that is to be deleted was written anew, in columns that are not declared"
    return "in a change that the plan has no room to show"


def _identity(change: Mapping[str, Any]) -> str:
    return repr(sorted(change["key"].items(), key=lambda pair: pair[0]))


def _row(change: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_cell(cell)}" for name, cell in sorted(change["key"].items()))


def _cell(cell: object) -> str:
    if isinstance(cell, Mapping):
        return "(secret)" if Marker.SECRET.value in cell else "(known after apply)"
    return "NULL" if cell is None else str(cell)


def _will(change: Mapping[str, Any]) -> str:
    return _WILL.get(change["action"], "changed")


def _differing(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    if then["action"] != now["action"]:
        return f" was to be {_will(then)}, and is to be {_will(now)} by now"
    names = [
        name
        for name in sorted({*_cells(then, "before"), *_cells(then, "after"), *_cells(now, "before")})
        if any(_at(then, side, name) != _at(now, side, name) for side in ("before", "after"))
    ]
    if not names:
        return f" was {then['verdict']}, and is {now['verdict']} by now"
    return f", column{'' if len(names) == 1 else 's'} {', '.join(names)}"


def _columns(change: Mapping[str, Any]) -> str:
    names = sorted(_cells(change, "after")) if change["action"] == "update" else []
    return f", column{'' if len(names) == 1 else 's'} {', '.join(names)}" if names else ""


def _cells(change: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    return change[side] or {}


def _at(change: Mapping[str, Any], side: str, name: str) -> tuple[bool, Any]:
    cells = _cells(change, side)
    return name in cells, cells.get(name)


def _count(resource: SavedResource) -> int:
    counts = resource.shown["counts"]
    return int(counts["create"] + counts["update"] + counts["delete"])
