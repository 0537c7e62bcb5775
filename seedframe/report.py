"""The report of a run: plain data that every format is derived from. It knows nothing of databases or terminals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from seedframe.changes import Cell, Change, Changes, Counts, Finding, Marker, Verdict, worst_verdict
from seedframe.errors import Problem
from seedframe.secrets import Secret

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
    """One seed's part of a run.

    Attributes:
        duration_s: seconds by a monotonic clock.
        writes: of a plugin's seed, the tables that it says it writes; None for the project's own.
    """

    seed: str
    origin: str
    status: Status
    critical: bool = True
    duration_s: float = 0.0
    resources: tuple[ResourceOutcome, ...] = ()
    findings: tuple[Finding, ...] = ()
    error: Problem | None = None
    writes: tuple[str, ...] | None = None

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


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report:
    """One run, whole. `error` is set only when the run could not start or could not go on.

    Attributes:
        marked: the database had no mark, and was marked as that of `env` by this run.
        more_errors: where several mistakes were found at once, those after `error`.
        findings: what is to be told of the run rather than of a seed that took part in it.
    """

    command: Literal["apply", "verify"]
    mode: Mode
    env: str
    version: str
    target: Target
    seeds: tuple[SeedOutcome, ...]
    started_at: datetime
    duration_s: float
    run: int | None = None
    marked: bool = False
    strict: bool = False
    detailed_exitcode: bool = False
    error: Problem | None = None
    more_errors: tuple[Problem, ...] = ()
    plan: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def status(self) -> Status:
        """The worst of the seeds; `failed` when the run itself could not go on, or had no seeds at all."""
        if self.error is not None or not self.seeds:
            return Status.FAILED
        return worst_status(outcome.status for outcome in self.seeds)

    @property
    def summary(self) -> Counts:
        """The sum over all seeds."""
        return sum((outcome.counts for outcome in self.seeds), Counts())

    @property
    def exit_code(self) -> int:
        """The process's exit code, 0 to 3."""
        return exit_code(self)

    def __repr__(self) -> str:
        """`<Report apply failed, exit code 1: 10_items: …>`: short, and what went wrong first, for a failed test."""
        wrong = [str(error) for error in (self.error, *self.more_errors) if error is not None]
        for outcome in self.seeds:
            if outcome.error is not None:
                wrong.append(f"{outcome.seed}: {outcome.error}")
            wrong += [f"{outcome.seed}: {found.text}" for found in outcome.findings if found.severity == "error"]
        counts = self.summary
        done = f"create {counts.create}, update {counts.update}, delete {counts.delete}"
        return (
            f"<Report {self.mode} {self.status.value}, exit code {self.exit_code}:"
            f" {'; '.join(wrong) if wrong else done}>"
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON document that docs/report.md describes.

        `marked` is added only where the database was marked, `plan` where a plan was saved or applied, `findings`
        where there are any of the run itself, `error` only where it failed, and `errors` where several mistakes were
        found at once.
        """
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
            "started_at": utc_text(self.started_at),
            "duration_s": round(self.duration_s, 6),
            "summary": counts_dict(self.summary),
            "seeds": [_seed_dict(outcome) for outcome in self.seeds],
        }
        if self.marked:
            document["marked"] = True
        if self.plan is not None:
            document["plan"] = self.plan
        if self.findings:
            document["findings"] = _findings(self.findings)
        if self.error is not None:
            document["error"] = problem_dict(self.error)
        if self.error is not None and self.more_errors:
            document["errors"] = [problem_dict(problem) for problem in (self.error, *self.more_errors)]
        return document


def done_seeds(outcomes: Iterable[SeedOutcome]) -> list[str]:
    """The seeds of an apply whose changes stay, or that had none to make."""
    return [outcome.seed for outcome in outcomes if outcome.status in (Status.CHANGED, Status.IN_SYNC)]


def done_text(done: Sequence[str], *, of: int) -> str:
    """What stays of a run that was ended early, for a person.

    Args:
        done: the seeds that are done.
        of: how many were chosen.
    """
    if not done:
        return "nothing was changed"
    if len(done) == of:
        return "all seeds are done"
    return f"{', '.join(done)} {'is' if len(done) == 1 else 'are'} done"


# The database could be looked at, and is not what it must be: for a monitor that is CRITICAL, not UNKNOWN.
_CRITICAL_CODES: Final = frozenset({"missing_table", "does_not_converge"})
# Errors of a seed that mean that the run, rather than the seed's content, could not be carried out.
_COULD_NOT_RUN_CODES: Final = frozenset(
    {
        "usage",
        "config",
        "discovery",
        "no_seeds",
        "unknown_seed",
        "seed_import",
        "plugin_missing",
        "hook",
        "requirement",
        "connection",
        "lock",
        "ledger",
        "environment",
        "plan",
        "migration",
        "os",
    }
)
_SEVERE_VERDICTS: Final = frozenset({Verdict.DRIFT, Verdict.CONFLICT, Verdict.ORPHAN})
# Of the run itself: its COMMIT was refused for what its seeds hold.
_REFUSED_CODE: Final = "constraint"
_SEVERE_STATUSES: Final = frozenset({Status.DRIFT, Status.CONFLICT, Status.ORPHAN})


def exit_code(report: Report) -> int:
    """The exit code of a report, 0 to 3: `verify` prefers 2, then 3, then 1; `apply` 3, then 1, then 2.

    A report without seeds is never 0: nothing was proven.
    """
    codes = {3} if not report.seeds else set()
    if report.error is not None:
        codes.add(1 if report.error.code == _REFUSED_CODE else 3)
    if report.command == "verify":
        for outcome in report.seeds:
            codes |= _verify_codes(outcome)
        return next((code for code in (2, 3, 1) if code in codes), 0)
    for outcome in report.seeds:
        codes |= _apply_codes(outcome, strict=report.strict)
    if report.mode == "dry_run" and report.detailed_exitcode and report.summary.changed:
        codes.add(2)
    return next((code for code in (3, 1, 2) if code in codes), 0)


def _apply_codes(outcome: SeedOutcome, *, strict: bool) -> set[int]:
    if outcome.status is Status.SKIPPED and (outcome.critical or strict):
        return {1}  # another's failure kept it from being done, be that critical or not
    if outcome.status is not Status.FAILED:
        return set()
    code = outcome.error.code if outcome.error is not None else None
    if code == "seed_import":  # whether it is critical stands in the module that could not be imported
        return {3}
    if not (outcome.critical or strict):
        return set()
    return {3} if code in _COULD_NOT_RUN_CODES else {1}


def _verify_codes(outcome: SeedOutcome) -> set[int]:
    codes: set[int] = set()
    raised = outcome.error is not None and outcome.error.code not in _CRITICAL_CODES
    if raised:
        codes.add(3)
    found_wrong = any(finding.severity == "error" for finding in outcome.findings)
    # A difference that nobody gave a verdict is not explained by the seed having moved on.
    unexplained = outcome.counts.changed > 0 and outcome.verdict is Verdict.IN_SYNC
    severe = (
        outcome.verdict in _SEVERE_VERDICTS
        or outcome.status in _SEVERE_STATUSES
        or (outcome.error is not None and not raised)
        or found_wrong
        or unexplained
    )
    if severe:
        codes.add(2 if outcome.critical else 1)
    if outcome.status is Status.FAILED and not codes:
        codes.add(3)
    warned = any(finding.severity == "warning" for finding in outcome.findings)
    pending = outcome.verdict is Verdict.PENDING or outcome.status in {Status.PENDING, Status.CHANGED}
    if warned or pending:
        codes.add(1)
    return codes


def as_cell(value: object) -> Cell:
    """A value as a report may show it: what a seed's own `check` returned may be anything, a Secret included."""
    if isinstance(value, Secret):
        return Marker.SECRET
    if value is None or isinstance(value, str):
        return value
    return str(value)


def utc_text(moment: datetime) -> str:
    """An instant as documents have it: ISO 8601 in UTC, with a `Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def counts_dict(counts: Counts) -> dict[str, int]:
    """Counts as documents have them."""
    return {
        "create": counts.create,
        "update": counts.update,
        "delete": counts.delete,
        "unchanged": counts.unchanged,
    }


def problem_dict(problem: Problem) -> dict[str, str | None]:
    """An error as documents have it."""
    return {"code": problem.code, "message": problem.message, "hint": problem.hint, "where": problem.where}


def _cell_json(value: object) -> str | None | dict[str, bool]:
    cell = as_cell(value)
    return {cell.value: True} if isinstance(cell, Marker) else cell


def _cells_dict(cells: Mapping[str, Cell]) -> dict[str, Any]:
    return {str(name): _cell_json(cell) for name, cell in cells.items()}


def _change_dict(change: Change) -> dict[str, Any]:
    document: dict[str, Any] = {
        "action": change.action,
        "verdict": change.verdict.value if change.verdict is not None else None,
        "key": _cells_dict(change.key),
        "before": None if change.before is None else _cells_dict(change.before),
        "after": None if change.after is None else _cells_dict(change.after),
    }
    if change.reason is not None:
        document["reason"] = change.reason
    return document


def resource_document(outcome: ResourceOutcome) -> dict[str, Any]:
    """A resource as documents have it."""
    return {
        "resource": outcome.resource,
        "verdict": outcome.verdict.value if outcome.verdict is not None else None,
        "counts": counts_dict(outcome.changes.counts),
        "skipped_reason": outcome.changes.skipped_reason,
        "changes": [_change_dict(change) for change in outcome.changes.sample],
        "changes_omitted": outcome.changes.omitted,
    }


def _findings(findings: Iterable[Finding]) -> list[dict[str, str]]:
    return [{"severity": finding.severity, "text": finding.text} for finding in findings]


def _seed_dict(outcome: SeedOutcome) -> dict[str, Any]:
    return {
        "seed": outcome.seed,
        "origin": outcome.origin,
        **({"writes": list(outcome.writes)} if outcome.writes is not None else {}),
        "status": outcome.status.value,
        "critical": outcome.critical,
        "duration_s": round(outcome.duration_s, 6),
        "counts": counts_dict(outcome.counts),
        "resources": [resource_document(resource) for resource in outcome.resources],
        "findings": _findings(outcome.findings),
        "error": problem_dict(outcome.error) if outcome.error is not None else None,
    }
