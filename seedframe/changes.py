"""Changes, findings and verdicts: plain data, the same for every command, format and kind of resource."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias


class Verdict(StrEnum):
    """What a difference means, from best to worst."""

    IN_SYNC = "in_sync"
    PENDING = "pending"
    ORPHAN = "orphan"
    DRIFT = "drift"
    CONFLICT = "conflict"

    @property
    def severity(self) -> int:
        """0 for `in_sync`, rising to `conflict`."""
        return _VERDICT_ORDER[self]


_VERDICT_ORDER: Final[dict[Verdict, int]] = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst_verdict(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several verdicts; `in_sync` when there is none."""
    return max(verdicts, key=lambda verdict: verdict.severity, default=Verdict.IN_SYNC)


class Marker(StrEnum):
    """What stands in a cell whose value is not shown."""

    SECRET = "secret"  # noqa: S105 - a name, not a password
    KNOWN_AFTER_APPLY = "known_after_apply"


Cell: TypeAlias = str | None | Marker
"""PostgreSQL's text of a value, None for NULL, or a marker."""


def key_text(key: Mapping[str, Cell]) -> str:
    """A key within a message: `sku=A-1, region=NULL`."""
    return ", ".join(f"{name}={'NULL' if cell is None else cell}" for name, cell in key.items())


def rows_text(count: int) -> str:
    """For messages: `1 row`, `1,234 rows`."""
    return f"{count:,} row{'' if count == 1 else 's'}"


Action: TypeAlias = Literal["create", "update", "delete", "other"]
Severity: TypeAlias = Literal["info", "warning", "error"]


REPLACES: Final = "replaces what was changed in the database"
"""The reason of an update that undoes what somebody changed."""

MADE_AGAIN: Final = "was deleted in the database, is made again"
"""The reason of a row's creation that undoes its deletion."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between what is declared and what is there.

    Attributes:
        action: "create", "update", "delete" or "other" (counted as an update).
        key: the natural key, column to cell; for what is no row, any naming pairs, e.g. `{"extension": "pgcrypto"}`.
        before: the differing cells as they are; None where nothing is there.
        after: the same cells as declared; None for a delete.
        verdict: None lets the runner decide.
        reason: one line for a person.
    """

    action: Action
    key: Mapping[str, Cell]
    before: Mapping[str, Cell] | None = None
    after: Mapping[str, Cell] | None = None
    verdict: Verdict | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows (or other things) a comparison would create, update, delete, or found as declared."""

    create: int = 0
    update: int = 0
    delete: int = 0
    unchanged: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.create + other.create,
            self.update + other.update,
            self.delete + other.delete,
            self.unchanged + other.unchanged,
        )

    @property
    def changed(self) -> int:
        """All that differs."""
        return self.create + self.update + self.delete


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What one resource's comparison found: exact counts, a bounded sample.

    Attributes:
        counts: exact, however large.
        sample: the first changes, at most as many as the run asks for.
        omitted: how many changes are not in the sample.
        verdict: the worst verdict over all changes; None lets the runner decide from the ledger.
        skipped_reason: why nothing was compared (an optional table or extension that is not there).
    """

    counts: Counts = field(default_factory=Counts)
    sample: tuple[Change, ...] = ()
    omitted: int = 0
    verdict: Verdict | None = None
    skipped_reason: str | None = None

    @classmethod
    def of(cls, changes: Iterable[Change], *, unchanged: int = 0) -> "Changes":
        """Counts and sample from changes that are few enough to be listed whole."""
        sample = tuple(changes)
        tally = {"create": 0, "update": 0, "delete": 0, "other": 0}
        for change in sample:
            tally[change.action] += 1
        counts = Counts(tally["create"], tally["update"] + tally["other"], tally["delete"], unchanged)
        return cls(counts=counts, sample=sample)

    def __bool__(self) -> bool:
        """True when there is something to change."""
        return self.counts.changed > 0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a seed's own `verify` found; an error fails the seed."""

    text: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class PlannedResource:
    """What a plan says of one resource."""

    resource: str
    changes: Changes


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes of one seed, in the order of its resources; `hook:check` last. `apply` asks for it as `plan`."""

    seed: str
    resources: tuple[PlannedResource, ...] = ()

    @property
    def own(self) -> tuple[Change, ...]:
        """What the seed's own `check` returned."""
        return next((part.changes.sample for part in self.resources if part.resource == CHECK_RESOURCE), ())

    def __bool__(self) -> bool:
        return any(part.changes for part in self.resources)


CHECK_RESOURCE: Final = "hook:check"
"""The name under which a seed's own changes appear in plans and reports."""
