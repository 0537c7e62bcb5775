"""The report of a run: plain data that every format is derived from. It knows nothing of databases or terminals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from seedframe.changes import Cell, Change, Changes, Counts, Finding, Marker, Verdict, worst_verdict
from seedframe.errors import Problem

SCHEMA_VERSION: Final = 1

Mode: TypeAlias = Literal["apply", "dry_run", "rehearse", "verify"]


class Status(StrEnum):
    """What became of a seed, or of the whole run, from best to worst."""

    SKIPPED = "skipped"
    IN_SYNC = "in_sync"
    CHANGED = "changed"
    PENDING = "pending"
    ORPHAN = "orphan"
    DRIFT = "drift"
    CONFLICT = "conflict"
    FAILED = "failed"


_STATUS_ORDER: Final[dict[Status, int]] = {status: rank for rank, status in enumerate(Status)}


def worst_status(statuses: Iterable[Status]) -> Status:
    """The worst of several statuses; `in_sync` when there is none."""
    return max(statuses, key=_STATUS_ORDER.__getitem__, default=Status.IN_SYNC)


@dataclass(frozen=True, slots=True)
class ResourceOutcome:
    """One resource: its verdict and what was, or would be, changed. The verdict is None where nothing was compared."""

    resource: str
    verdict: Verdict | None
    changes: Changes


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOutcome:
    """One seed's part of a run. `duration_s` is seconds by a monotonic clock."""

    seed: str
    origin: str
    status: Status
    critical: bool = True
    duration_s: float = 0.0
    resources: tuple[ResourceOutcome, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: Problem | None = None

    @property
    def counts(self) -> Counts:
        """The sum over its resources."""
        return sum((outcome.changes.counts for outcome in self.resources), Counts())

    @property
    def verdict(self) -> Verdict:
        """The worst over its resources."""
        return worst_verdict(outcome.verdict for outcome in self.resources if outcome.verdict is not None)


@dataclass(frozen=True, slots=True)
class Target:
    """One database and one schema of it, as the server names itself. Never a password."""

    project: str
    database: str
    schema: str
    host: str
    server: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run, whole. `error` is set only when the run could not start or could not go on."""

    command: Literal["apply", "verify"]
    mode: Mode
    env: str
    version: str
    target: Target
    seeds: tuple[SeedOutcome, ...]
    started_at: datetime
    duration_s: float
    run: int | None = None
    strict: bool = False
    detailed_exitcode: bool = False
    error: Problem | None = None

    @property
    def status(self) -> Status:
        """The worst of the seeds; `failed` when the run itself could not go on."""
        if self.error is not None:
            return Status.FAILED
        return worst_status(outcome.status for outcome in self.seeds)

    @property
    def summary(self) -> Counts:
        """The sum over all seeds."""
        return sum((outcome.counts for outcome in self.seeds), Counts())

    @property
    def exit_code(self) -> int:
        """The process's exit code, as DESIGN §6 has it."""
        return exit_code(self)

    def as_dict(self) -> dict[str, Any]:
        """The JSON document of DESIGN §7; `error` is added only where the run itself failed."""
        document: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "command": self.command,
            "mode": self.mode,
            "run": self.run,
            "version": self.version,
            "env": self.env,
            "target": {
                "project": self.target.project,
                "database": self.target.database,
                "schema": self.target.schema,
                "host": self.target.host,
                "server": self.target.server,
            },
            "status": self.status.value,
            "exit_code": self.exit_code,
            "started_at": self.started_at.isoformat().replace("+00:00", "Z"),
            "duration_s": round(self.duration_s, 6),
            "summary": _counts_dict(self.summary),
            "seeds": [_seed_dict(outcome) for outcome in self.seeds],
        }
        if self.error is not None:
            document["error"] = _problem_dict(self.error)
        return document


# What a verify that found trouble tells a monitor: missing tables and seeds are CRITICAL, not UNKNOWN.
_CRITICAL_CODES: Final = frozenset({"missing_table", "does_not_converge"})
_SEVERE_VERDICTS: Final = frozenset({Verdict.DRIFT, Verdict.CONFLICT, Verdict.ORPHAN})


def exit_code(report: Report) -> int:
    """The exit code of a report: `verify` prefers 2, then 3, then 1; `apply` 3, then 1, then 2."""
    if report.command == "verify":
        codes = {_verify_code(outcome) for outcome in report.seeds}
        if report.error is not None:
            codes.add(3)
        return next((code for code in (2, 3, 1) if code in codes), 0)
    if report.error is not None:
        return 3
    failed = [outcome for outcome in report.seeds if outcome.status is Status.FAILED]
    if any(outcome.critical for outcome in failed) or (failed and report.strict):
        return 1
    if report.mode == "dry_run" and report.detailed_exitcode and report.summary.changed:
        return 2
    return 0


def _verify_code(outcome: SeedOutcome) -> int:
    raised = outcome.error is not None and outcome.error.code not in _CRITICAL_CODES
    if raised:
        return 3
    found_error = any(finding.severity == "error" for finding in outcome.findings)
    severe = outcome.verdict in _SEVERE_VERDICTS or outcome.error is not None or found_error
    if severe:
        return 2 if outcome.critical else 1
    warned = any(finding.severity == "warning" for finding in outcome.findings)
    return 1 if warned or outcome.verdict is Verdict.PENDING else 0


def _counts_dict(counts: Counts) -> dict[str, int]:
    return {
        "create": counts.create,
        "update": counts.update,
        "delete": counts.delete,
        "unchanged": counts.unchanged,
    }


def _problem_dict(problem: Problem) -> dict[str, str | None]:
    return {"code": problem.code, "message": problem.message, "hint": problem.hint, "where": problem.where}


def _cell_json(cell: Cell) -> str | None | dict[str, bool]:
    return {cell.value: True} if isinstance(cell, Marker) else cell


def _cells_dict(cells: Any) -> dict[str, Any] | None:
    return None if cells is None else {name: _cell_json(cell) for name, cell in cells.items()}


def _change_dict(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {
        "action": change.action,
        "verdict": change.verdict.value if change.verdict is not None else None,
        "key": _cells_dict(change.key),
        "before": _cells_dict(change.before),
        "after": _cells_dict(change.after),
    }
    if change.reason is not None:
        document["reason"] = change.reason
    return document


def _resource_dict(outcome: ResourceOutcome) -> dict[str, Any]:
    return {
        "resource": outcome.resource,
        "verdict": outcome.verdict.value if outcome.verdict is not None else None,
        "counts": _counts_dict(outcome.changes.counts),
        "skipped_reason": outcome.changes.skipped_reason,
        "changes": [_change_dict(change) for change in outcome.changes.sample],
        "changes_omitted": outcome.changes.omitted,
    }


def _seed_dict(outcome: SeedOutcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "origin": outcome.origin,
        "status": outcome.status.value,
        "critical": outcome.critical,
        "duration_s": round(outcome.duration_s, 6),
        "counts": _counts_dict(outcome.counts),
        "resources": [_resource_dict(resource) for resource in outcome.resources],
        "findings": [{"severity": finding.severity, "text": finding.text} for finding in outcome.findings],
        "error": _problem_dict(outcome.error) if outcome.error is not None else None,
    }
