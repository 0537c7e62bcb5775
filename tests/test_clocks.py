"""Clocks: the database's for what is stamped, a monotonic one for what is measured; this machine's may be wrong."""

import json
import time
from datetime import UTC, datetime, tzinfo

import pytest

from tests.conftest import ProjectFactory, Sql
from tests.running import apply, verify

SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a"}])
"""


@pytest.fixture
def wrong_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes it for 2001, and its clock runs backwards."""
    seconds = iter(range(1_000_000_000, 0, -3600))
    monkeypatch.setattr(time, "time", lambda: float(next(seconds)))
    monkeypatch.setattr(time, "time_ns", lambda: next(seconds) * 1_000_000_000)

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Wrong":
            return cls.fromtimestamp(next(seconds), UTC)

    monkeypatch.setattr("seedframe.running.runner.datetime", Wrong)


@pytest.mark.promise(
    "the clock of this machine is wrong, or is set while a run is at work",
    "stamps are the database's, and durations are from a clock that only goes forward",
)
def test_a_wrong_clock_changes_nothing(project: ProjectFactory, sql: Sql, wrong_clock: None) -> None:
    sql("create table items (sku text primary key)")
    folder = project({"seeds/10_a.py": SEED})
    ((before,),) = sql("select clock_timestamp()")
    reports = [apply(folder), verify(folder)]
    ((after,),) = sql("select clock_timestamp()")
    for report in reports:
        assert report.exit_code == 0
        assert before <= report.started_at <= after
        assert before <= datetime.fromisoformat(json.loads(json.dumps(report.as_dict()))["started_at"]) <= after
        for duration in (report.duration_s, *(outcome.duration_s for outcome in report.seeds)):
            assert 0 < duration <= (after - before).total_seconds()
    runs = sql("select started_at, finished_at, duration_s from seedframe.run")
    stamps = [stamp for run in runs for stamp in run[:2]]
    stamps += [stamp for (stamp,) in sql("select recorded_at from seedframe.outcome")]
    stamps += [stamp for (stamp,) in sql("select first_applied_at from seedframe.applied_seed")]
    assert len(stamps) == 4
    assert all(before <= stamp <= after for stamp in stamps)
    assert all(0 < duration <= (after - before).total_seconds() for _, _, duration in runs)
