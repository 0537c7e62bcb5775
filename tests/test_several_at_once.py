"""Replicas that start at the same moment: one applies each seed, the others find nothing to do, and none fails."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.conftest import Folder, ProjectFactory, Sql
from tests.crowd import Crowd, Task, crowd
from tests.figures import Figures

_PROCESSES = 16

_TABLES = """
create table makers (name text primary key, round int not null);
create table parts (code text primary key, maker text not null references makers, round int not null);
"""

_SEEDS = {
    "seeds/10_makers.py": """
from seedframe import Rows

def resources():
    yield Rows("makers", key="name", rows=[{{"name": "Acme", "round": {number}}}])
""",
    "seeds/20_parts.py": """
from seedframe import Rows

REQUIRES = ["makers"]

def resources():
    yield Rows("parts", key="code", rows=[{{"code": "P1", "maker": "Acme", "round": {number}}}])
""",
}


@pytest.mark.promise(
    "16 replicas deploy at the same moment", "one applies each seed, 15 find nothing to do, none fails"
)
@pytest.mark.promise("several make the ledger at once", "its own lock comes before CREATE, so that one makes it")
def test_of_sixteen_one_applies_each_seed(
    project: ProjectFactory, sql: Sql, database: str, rounds: Callable[[int], int], tell: Figures
) -> None:
    told = _rounds(project(), sql, database, rounds(50))
    tell(told)


@pytest.mark.promise(
    "16 replicas deploy through PgBouncer in transaction mode",
    "the same: locks and settings are of transactions, nothing is of sessions or prepared",
)
def test_of_sixteen_behind_a_pooler_one_applies_each_seed(
    project: ProjectFactory, sql: Sql, pooled: str, rounds: Callable[[int], int], tell: Figures
) -> None:
    told = _rounds(project(), sql, pooled, rounds(50))
    tell(told)


def _rounds(folder: Folder, sql: Sql, url: str, number: int) -> str:
    """Rounds on an empty database and on a seeded one whose seeds have moved on, by turns; what there is to tell."""
    sql(_TABLES)
    with crowd(_PROCESSES) as processes:
        for turn in range(number):
            empty = turn % 2 == 0
            if empty:
                sql("drop schema if exists seedframe cascade; truncate makers, parts")
            _one_round(folder, sql, processes, url, turn, empty=empty)
    return f"{number} rounds of {_PROCESSES} processes, 0 errors"


def _one_round(folder: Folder, sql: Sql, processes: Crowd, url: str, turn: int, *, empty: bool) -> None:
    folder.write({name: text.format(number=turn) for name, text in _SEEDS.items()})
    reports = processes.apply(Task(folder.path, url))
    assert [report["exit_code"] for report in reports] == [0] * _PROCESSES, _errors(reports)
    did = Counter(
        (seed["seed"], seed["status"], seed["counts"]["create"], seed["counts"]["update"], seed["counts"]["unchanged"])
        for report in reports
        for seed in report["seeds"]
    )
    change = (1, 0, 0) if empty else (0, 1, 0)
    assert did == {
        **{(seed, "changed", *change): 1 for seed in ("10_makers", "20_parts")},
        **{(seed, "in_sync", 0, 0, 1): _PROCESSES - 1 for seed in ("10_makers", "20_parts")},
    }
    assert sql("select name, round from makers") == [("Acme", turn)]
    assert sql("select code, maker, round from parts") == [("P1", "Acme", turn)]
    changed = "select seed, count(*) from seedframe.outcome where status = 'changed' group by seed order by seed"
    assert sql(changed) == [("10_makers", 1 if empty else 2), ("20_parts", 1 if empty else 2)]


def _errors(reports: list[dict[str, Any]]) -> list[Any]:
    return [report["error"] or [seed["error"] for seed in report["seeds"]] for report in reports if report["exit_code"]]
