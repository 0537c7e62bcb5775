"""Run records: what the ledger remembers of past runs, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from seedframe.changes import Counts
from seedframe.errors import Problem

FORGOTTEN: Final = "forgotten"
"""The status of a seed, and of the run, by which the ledger forgot what it knew of the seed."""
MARKED: Final = "marked"
"""The status of a run that marked the database as that of an environment; it has no seeds."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """One row that a run changed; no values of it but its key.

    Attributes:
        resource: the resource that declares it: "rows:medications".
        action: "create", "update", "delete", or "other" for what is no row.
        key: column to text; None where a column of the key is secret.
        columns: of an update, the columns that differed; None where that is not known, or of no use.
    """

    resource: str
    action: str
    key: Mapping[str, str | None] | None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ResourceRecord:
    """What a run changed of one resource; one that it did not change has none.

    Attributes:
        resource: its name.
        counts: rows (or other things) created, updated and deleted.
        unlisted: how many of them are not among the changed rows.
    """

    resource: str
    counts: Counts
    unlisted: int


@dataclass(frozen=True, slots=True)
class SeedRecord:
    """One seed's part of a recorded run.

    Attributes:
        seed: the seed's name.
        status: the status the seed ended with, as the report had it: "in_sync", "changed", "failed" …; or "forgotten".
        counts: rows (or other things) created, updated, deleted, and found as declared.
        duration_s: seconds by a monotonic clock.
        error: why it failed; None where it did not.
        origin: where it came from: "seeds/20_reference.py".
        recorded_at: by the database's clock.
        code_digest: SHA-256 of its code; None in entries of an earlier seedframe.
        data_digest: SHA-256 of what its resources declared; None too where it failed before that was read.
        position: its place in the chain; None where nothing was changed and nothing failed.
        hash: its hash in the chain.
        resources: what was changed, resource by resource.
        rows: the changed rows, at most as many as were asked for.
        rows_omitted: how many more there are in the ledger.
    """

    seed: str
    status: str
    counts: Counts
    duration_s: float
    error: Problem | None
    origin: str = ""
    recorded_at: datetime | None = None
    code_digest: str | None = None
    data_digest: str | None = None
    position: int | None = None
    hash: str | None = None
    resources: tuple[ResourceRecord, ...] = ()
    rows: tuple[ChangedRow, ...] = ()
    rows_omitted: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as the ledger has it.

    Attributes:
        id: the run's number, rising.
        started_at: by the database's clock.
        finished_at: by the database's clock; None where the run never got to its end.
        command: "apply", "forget" or "db mark".
        mode: "apply", "forget" or "mark"; dry runs and rehearsals leave nothing in the ledger.
        env: the name of the environment.
        status: the worst of its seeds, as the report had it; "forgotten"; "marked"; or "running", "interrupted" (by a
            signal), or "lost": it has no end, and nobody is at work on it any more.
        version: seedframe's version.
        who: the operating system's user.
        host: the machine seedframe ran on.
        duration_s: seconds by a monotonic clock.
        counts: the sum over its seeds.
        seeds: in run order.
        role: the database role.
        address: the client's address, as the server saw it; None over a unix socket.
        revision: the commit of the project's git repository; None where there is none.
        arguments: what it was told, without secrets.
        error: what ended the run itself, where that was no seed's failure.
    """

    id: int
    started_at: datetime
    finished_at: datetime | None
    command: str
    mode: str
    env: str
    status: str
    version: str
    who: str
    host: str
    duration_s: float
    counts: Counts
    seeds: tuple[SeedRecord, ...]
    role: str = ""
    address: str | None = None
    revision: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    error: Problem | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """The last entry of the chain of one project and schema, at some time.

    Attributes:
        position: how many entries there are; 0 when there is none.
        hash: of the last one; None when there is none.
        at: by the database's clock.
    """

    project: str
    schema: str
    database: str
    position: int
    hash: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Broken:
    """The first link of a chain that does not fit.

    Attributes:
        kind: "edited" (the entry), "run" (what its run was started as), "rows" (its changed rows), "gone" (entries),
            "order", "rewritten" (it is not the one that was exported), "unchained" (an outcome that ought to be an
            entry and is none), "status" (a run ended otherwise than its outcomes), "version" (of the ledger).
        position: of the entry, or of the first one that is gone; None for what is no entry.
        run: its run; None for entries that are gone.
        seed: likewise.
        text: one line for a person.
    """

    kind: Literal["edited", "run", "rows", "gone", "order", "rewritten", "unchained", "status", "version"]
    position: int | None
    run: int | None
    seed: str | None
    text: str


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What came of looking at every link of a chain.

    Attributes:
        head: its last entry, or the last one before the broken link.
        broken: the first link that does not fit; None when all do.
        compared: the exported head that it was compared with, if any.
    """

    head: ChainHead
    broken: Broken | None
    compared: ChainHead | None = None
