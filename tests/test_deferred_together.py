"""Deferred constraints in a transaction of several seeds: each speaks at the end of the seed that broke it."""

from typing import Any, Final

import pytest

from seedframe.report import Report, Status
from tests.conftest import ProjectFactory, Sql
from tests.running import apply, error

_TABLES: Final = """
create table p (id int primary key);
create table c (id int primary key, p int references p deferrable initially deferred);
create table items (sku text primary key);
"""
_OWN: Final = """
from seedframe import Change

WRITES = ["c"]
CRITICAL = {critical}

def check(db):
    if not db.scalar("select count(*) from c"):
        yield Change("create", {{"id": "1"}})

def apply(db):
    db.execute("insert into c values (1, 5)")
"""
_ITEMS: Final = (
    "from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', rows=[{'sku': 'a'}])\n"
)


def statuses(report: Report) -> list[Status]:
    return [outcome.status for outcome in report.seeds]


@pytest.mark.parametrize("options", [{"transaction": "run"}, {"transaction": "seed"}], ids=str)
def test_a_deferred_constraint_of_a_table_that_no_resource_declares(
    options: dict[str, Any], project: ProjectFactory, sql: Sql
) -> None:
    sql(_TABLES)
    folder = project({"seeds/10_a.py": _OWN.format(critical=False), "seeds/20_b.py": _ITEMS})
    report = apply(folder, **options)
    assert statuses(report) == [Status.FAILED, Status.CHANGED], report.as_dict()
    assert error(report).startswith("constraint: ")
    assert report.exit_code == 0
    assert sql("select * from items") == [("a",)]
    assert sql("select * from c") == []
    assert sql("select seed, status from seedframe.outcome order by 1") == [("10_a", "failed"), ("20_b", "changed")]


_REFUSES: Final = """
create function refuse() returns trigger language plpgsql as $$ begin
  if new.status = 'changed' then raise 'not this one' using errcode = '23514'; end if;
  return new;
end $$;
create constraint trigger refuse after insert on seedframe.outcome deferrable initially deferred
  for each row execute function refuse();
"""
_SYNCED: Final = "from seedframe import Rows\n\ndef resources():\n    yield Rows('p', key='id', rows=[{'id': 1}])\n"


@pytest.mark.promise(
    "the COMMIT of `--transaction run` is refused by a constraint that speaks no sooner",
    "each seed is told and entered as rolled back, the run as failed; exit code 1",
)
@pytest.mark.parametrize("planned", [False, True], ids=["run", "plan"])
def test_what_is_refused_at_commit_is_told_and_entered(planned: bool, project: ProjectFactory, sql: Sql) -> None:
    sql(_TABLES)
    folder = project({"seeds/05_p.py": _SYNCED})
    assert apply(folder).exit_code == 0
    sql(_REFUSES)  # on a table of the ledger's own, which no seed is asked about before
    folder.write({"seeds/20_b.py": _ITEMS})
    options: dict[str, Any] = {"transaction": "run"}
    if planned:
        options = {"plan": folder.path / "plan.json"}
        assert apply(folder, dry_run=True, out=folder.path / "plan.json").exit_code == 0
    report = apply(folder, **options)
    assert statuses(report) == [Status.IN_SYNC, Status.SKIPPED], report.as_dict()
    assert [finding.text for finding in report.seeds[1].findings] == [
        "rolled back with the run, as its COMMIT was refused"
    ]
    assert report.error is not None
    assert report.error.code == "constraint"
    assert "the COMMIT of all seeds was refused, and nothing of them is there" in report.error.message
    assert "not this one" in report.error.message
    assert report.exit_code == 1
    assert report.as_dict()["exit_code"] == 1
    assert sql("select * from items") == []
    last = sql("select max(id) from seedframe.run")[0][0]
    entered = sql(f"select seed, status from seedframe.outcome where run_id = {last} order by 1")
    assert entered == [("05_p", "in_sync"), ("20_b", "skipped")]
    ((status, told),) = sql(f"select status, error::text from seedframe.run where id = {last}")
    assert status == "failed"
    assert "not this one" in told
    shown = folder.run("history", str(last))
    assert "not this one" in shown.stdout, shown
    assert folder.run("history", "--check").returncode == 0
