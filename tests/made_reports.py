"""Reports that no run made, for tests of what becomes of them."""

from datetime import UTC, datetime
from typing import Any, Final, Literal

from seedframe.report import Mode, Report, SeedOutcome, Target

TARGET: Final = Target("telehealth", "telehealth", "public", "127.0.0.1", "17.10")


def report(mode: Mode, *seeds: SeedOutcome, **fields: Any) -> Report:
    """The report of a run over TARGET with these outcomes; `fields` are other fields of it."""
    command: Literal["apply", "verify"] = "verify" if mode == "verify" else "apply"
    known: dict[str, Any] = {
        "env": "development",
        "version": "0.1.0",
        "target": TARGET,
        "started_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "duration_s": 0.41,
    }
    return Report(command=command, mode=mode, seeds=seeds, **(known | fields))
