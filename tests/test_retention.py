"""Runs in which nothing was changed and nothing failed leave the ledger after a time; all others stay."""

import pytest

from seedframe import Project
from tests.conftest import ProjectFactory, Sql
from tests.running import apply

_SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{{"sku": "a", "name": "{}"}}])
"""


def config(keep: str) -> str:
    return f'[project]\nname = "shop"\n[ledger]\nkeep_unchanged_runs = {keep}\n'


def age(sql: Sql, days: int, *, up_to: int = 99) -> None:
    """As if these runs had been so many days earlier. To the check, that is an edit of the audit trail."""
    sql("set session_replication_role = replica")
    sql(f"update seedframe.run set started_at = started_at - interval '{days} days' where id <= {up_to}")
    sql("reset session_replication_role")


@pytest.mark.promise(
    "runs that change nothing pile up", "they go after `[ledger] keep_unchanged_runs` (90 days); all others stay"
)
def test_old_runs_that_changed_nothing_go(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_a.py": _SEED.format(1)})
    for _ in range(3):
        apply(folder)
    folder.write({"seeds/20_f.py": "def verify():\n    yield 'wrong'\n"})
    apply(folder)
    (folder.path / "seeds/20_f.py").unlink()
    sql(
        "insert into seedframe.run (project, target_schema, env, command, mode, version, os_user, host, arguments)"
        " select project, target_schema, env, command, mode, version, os_user, host, arguments from seedframe.run"
        " where id = 1"
    )  # killed
    age(sql, 89)
    apply(folder)
    assert [run.id for run in Project.load(folder.path).history()] == [6, 5, 4, 3, 2, 1]
    age(sql, 2)
    apply(folder)
    assert [run.id for run in Project.load(folder.path).history()] == [7, 6, 5, 4, 1]
    assert sql("select run_id from seedframe.outcome order by id") == [(1,), (4,), (4,), (6,), (7,)]
    age(sql, -2, up_to=6)
    age(sql, -89, up_to=5)
    assert Project.load(folder.path).check_history().broken is None


@pytest.mark.parametrize(("keep", "left"), [('"forever"', 3), ('"2d"', 2), ("0", 2), ("86400", 2), ('"4d"', 3)])
def test_how_long_is_configured(project: ProjectFactory, sql: Sql, keep: str, left: int) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_a.py": _SEED.format(1)}, config=config('"forever"'))
    apply(folder)
    apply(folder)
    age(sql, 3)
    folder.write({"seedframe.toml": config(keep)})
    apply(folder)
    assert sql("select count(*) from seedframe.run") == [(left,)]


@pytest.mark.parametrize("keep", ['"long"', "-1", "true", '"90"', "nan", "1e20"])
def test_a_time_that_is_none_is_refused(project: ProjectFactory, keep: str) -> None:
    done = project(config=config(keep)).run("list")
    assert (done.returncode, "ledger.keep_unchanged_runs" in done.stderr) == (3, True), done


def test_who_may_not_delete_removes_none(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_a.py": _SEED.format(1)})
    apply(folder)
    apply(folder)
    age(sql, 91)
    sql(
        "drop role if exists keeper; create role keeper login; grant all on items to keeper;"
        " grant usage on schema seedframe to keeper;"
        " grant select, insert, update, delete on all tables in schema seedframe to keeper;"
        " revoke delete on seedframe.run from keeper"
    )
    done = folder.run("apply", env={"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "keeper@")})
    assert done.returncode == 0, done
    assert sql("select count(*) from seedframe.run") == [(3,)]
    sql("drop owned by keeper; drop role keeper")


def test_of_another_project_nothing_goes(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")
    first = project({"seeds/10_a.py": _SEED.format(1)})
    apply(first)
    apply(first)
    age(sql, 91)
    second = project({"seeds/10_a.py": _SEED.format(1)}, config='[project]\nname = "other"\n')
    apply(second)
    assert sql("select count(*) from seedframe.run where project = 'shop'") == [(2,)]
