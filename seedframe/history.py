"""Run records: what the ledger remembers of past runs, as plain data."""

from dataclasses import dataclass
from datetime import datetime

from seedframe.changes import Counts
from seedframe.errors import Problem


@dataclass(frozen=True, slots=True)
class SeedRecord:
    """One seed's part of a recorded run.

    Attributes:
        seed: the seed's name.
        status: the status the seed ended with, as the report had it: "in_sync", "changed", "failed" …
        counts: rows (or other things) created, updated, deleted, and found as declared.
        duration_s: seconds by a monotonic clock.
        error: why it failed; None where it did not.
    """

    seed: str
    status: str
    counts: Counts
    duration_s: float
    error: Problem | None


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run, as the ledger has it.

    Attributes:
        id: the run's number, rising.
        started_at: by the database's clock.
        finished_at: by the database's clock; None where the run never got to its end.
        command: "apply".
        mode: "apply"; dry runs and rehearsals leave nothing in the ledger.
        env: the name of the environment.
        status: the worst of its seeds, as the report had it; or "running", "interrupted" (by a signal), or "lost": it
            has no end, and nobody is at work on it any more.
        version: seedframe's version.
        who: the operating system's user.
        host: the machine seedframe ran on.
        duration_s: seconds by a monotonic clock.
        counts: the sum over its seeds.
        seeds: in run order.
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
