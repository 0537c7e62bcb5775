"""Saved plans: what `apply --dry-run --out` writes, what `apply --plan` makes of it, and what it refuses."""

import json
import multiprocessing
import re
import shlex
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from seedframe import Project
from seedframe.errors import PlanRefused, SeedframeError
from seedframe.options import ApplyOptions
from seedframe.report import Report, Status
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, verify

TABLES = """
create table items (id int generated always as identity primary key, sku text not null unique, name text, n int,
    token text);
create table parts (code text primary key, item int not null references items, note text default 'none');
create table gone (k text primary key, v text, remark text)
"""

ITEMS = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", file="data/items.csv", initial=["n"])
"""

PARTS = """
from seedframe import Rows, ref

def resources():
    yield Rows("parts", key="code", rows=[{"code": "p1", "item": ref("items", sku="a")}])
    yield Rows("gone", key="k", mode="sync", rows=[{"k": "kept", "v": "1"}])
"""

FILES = {
    "seeds/10_items.py": ITEMS,
    "seeds/20_parts.py": PARTS,
    "seeds/data/items.csv": "sku,name,n\na,Ay,1\nb,Bee,2\nc,Sea,3\n",
}


@pytest.fixture
def shop(project: ProjectFactory, sql: Sql) -> Folder:
    """Two seeds over three tables: rows to be created, to be updated, in sync and to be deleted; and a ref."""
    sql(TABLES)
    sql("insert into items (sku, name, n) values ('b', 'old', 9), ('c', 'Sea', 3)")
    sql("insert into gone values ('kept', '1'), ('going', '2')")
    return project(FILES)


def plan(folder: Folder, *names: str, **options: Any) -> Path:
    """`apply --dry-run --out`, which must make a plan."""
    path = folder.path / "plan.json"
    report = apply(folder, *names, dry_run=True, out=path, **options)
    assert report.plan is not None, report.as_dict()
    return path


def make(folder: Folder, path: Path | None = None, **options: Any) -> Report:
    """`apply --plan`."""
    return Project.load(folder.path).apply(ApplyOptions(plan=path or folder.path / "plan.json", **options))


def refused(folder: Folder) -> list[str]:
    """What a plan is refused for."""
    with pytest.raises(PlanRefused) as caught:
        make(folder)
    return [str(problem) for problem in caught.value.problems]


# Made and applied


@pytest.mark.promise(
    "a plan that was reviewed is applied later",
    "exactly that is made, in one transaction and once; else nothing is, and what moved is named",
)
def test_what_a_dry_run_saved_is_made(shop: Folder, sql: Sql) -> None:
    done = shop.run("apply", "--dry-run", "--out", "plan.json")
    assert done.returncode == 0, done
    assert "seedframe apply --plan plan.json" in done.stderr
    assert sql("select to_regclass('seedframe.run')") == [(None,)]
    done = shop.run("apply", "--plan", "plan.json")
    assert done.returncode == 0, done
    assert sql("select sku, name, n from items order by sku") == [("a", "Ay", 1), ("b", "Bee", 9), ("c", "Sea", 3)]
    assert sql("select code, sku from parts join items on items.id = item") == [("p1", "a")]
    assert sql("select k from gone") == [("kept",)]
    assert verify(shop).exit_code == 0
    identifier = json.loads((shop.path / "plan.json").read_text())["id"]
    assert sql("select id, run_id from seedframe.applied_plan") == [(identifier, 1)]
    assert sql("select arguments ->> 'plan' from seedframe.run") == [(identifier,)]


def test_a_plan_is_applied_once(shop: Folder, sql: Sql) -> None:
    plan(shop)
    assert make(shop).exit_code == 0
    [said] = refused(shop)
    assert said.startswith("the plan was applied by run 1 on ")
    done = shop.run("apply", "--plan", "plan.json")
    assert done.returncode == 3
    assert "error: the plan was applied by run 1 on" in done.stderr
    assert sql("select count(*) from seedframe.run") == [(1,)]


def test_a_plan_without_changes_is_applied_once_too(shop: Folder) -> None:
    applied(shop)
    plan(shop)
    report = make(shop)
    assert (report.exit_code, report.status) == (0, Status.IN_SYNC)
    assert "was applied by run" in refused(shop)[0]


def test_the_report_has_the_id_of_the_plan(shop: Folder) -> None:
    made = json.loads(
        shop.run("apply", "--dry-run", "--out", "p.json", "--format", "json", "--detailed-exitcode").stdout
    )
    assert made["exit_code"] == 2
    done = json.loads(shop.run("apply", "--plan", "p.json", "--format", "json").stdout)
    assert made["plan"] == done["plan"] == json.loads((shop.path / "p.json").read_text())["id"]


def test_selection_and_conflict_rule_are_the_plans(shop: Folder, sql: Sql) -> None:
    applied(shop)
    sql("update items set name = 'theirs' where sku = 'b'")
    sql("delete from parts")
    plan(shop, "items", on_conflict="database")
    report = make(shop)
    assert [outcome.seed for outcome in report.seeds] == ["10_items"]
    assert sql("select name from items where sku = 'b'") == [("theirs",)]
    assert sql("select count(*) from parts") == [(0,)]


def test_a_seed_that_fails_undoes_the_whole_plan_critical_or_not(shop: Folder, sql: Sql) -> None:
    shop.write({"seeds/20_parts.py": "CRITICAL = False\n" + PARTS})
    sql("create function no() returns trigger language plpgsql as $$ begin raise 'not this one'; end $$")
    sql("create trigger no before insert on parts for each row execute function no()")
    plan(shop)
    report = make(shop)
    assert report.exit_code == 1
    assert [outcome.status for outcome in report.seeds] == [Status.SKIPPED, Status.FAILED]
    assert sql("select count(*) from items") == [(2,)]
    assert sql("select count(*) from seedframe.applied_plan") == [(0,)]
    sql("drop trigger no on parts")
    assert make(shop).exit_code == 0


def test_the_page_as_it_is_read(shop: Folder) -> None:
    page = (Path(__file__).resolve().parent.parent / "docs/plans.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ seedframe (.*)$", page, re.MULTILINE)
    results = [shop.run(*shlex.split(command)) for command in commands]
    assert [result.returncode for result in results] == [0, 0], "\n".join(map(str, results))


# What moved


def _write(name: str, text: str) -> Callable[[Folder, Sql], object]:
    return lambda shop, _sql: shop.write({name: text})


def _sql(statement: str) -> Callable[[Folder, Sql], object]:
    return lambda _shop, sql: sql(statement)


MOVES: dict[str, tuple[Callable[[Folder, Sql], object], str]] = {
    "a cell that is to be updated": (
        _sql("update items set name = 'other' where sku = 'b'"),
        "seed 10_items: rows:items moved in the database since the plan was made: sku=b, column name (make a new plan)",
    ),
    "a row that was in sync": (
        _sql("update items set name = 'other' where sku = 'c'"),
        ("seed 10_items: rows:items moved in the database since the plan was made: sku=c is to be changed by now,"
        " column name (make a new plan)"),
    ),
    "a row that is to be created is there": (
        _sql("insert into items (sku, name) values ('a', 'Ay')"),
        ("seed 10_items: rows:items moved in the database since the plan was made: sku=a is not to be created any more"
        " (make a new plan)"),
    ),
    "a row that is to be updated is gone": (
        _sql("delete from items where sku = 'b'"),
        (
            "seed 10_items: rows:items moved in the database since the plan was made: sku=b was to be changed, and is"
            " to be created by now (make a new plan)"
        ),
    ),
    "a row that is to be deleted": (
        _sql("update gone set v = 'precious' where k = 'going'"),
        "seed 20_parts: rows:gone moved in the database since the plan was made: k=going, column v (make a new plan)",
    ),
    "a column that nobody declares, of a row that is to be deleted": (
        _sql("update gone set remark = 'precious' where k = 'going'"),
        (
            "seed 20_parts: rows:gone moved in the database since the plan was made: a row that is to be deleted was"
            " written anew, in columns that are not declared (make a new plan)"
        ),
    ),
    "one more row to be deleted": (
        _sql("insert into gone values ('new', null, null)"),
        ("seed 20_parts: rows:gone moved in the database since the plan was made: k=new is to be deleted by now"
        " (make a new plan)"),
    ),
    "a seed": (
        _write("seeds/20_parts.py", PARTS + "# and a remark\n"),
        "seeds/20_parts.py: seed 20_parts changed since the plan was made (make a new plan)",
    ),
    "a seed that is new": (
        _write("seeds/30_more.py", "def resources():\n    return []\n"),
        "seeds/30_more.py: seed 30_more is not in the plan (make a new plan)",
    ),
    "a seed that is gone": (
        lambda shop, _sql: (shop.path / "seeds/20_parts.py").unlink(),
        "seeds/20_parts.py: seed 20_parts is in the plan, and is not there any more (make a new plan)",
    ),
    "a seed's number": (
        lambda shop, _sql: shop.write({"seedframe.toml": '[project]\nname = "shop"\n[seeds.items]\norder = 30\n'}),
        "[seeds.items]: seed 10_items is configured otherwise than when the plan was made (make a new plan)",
    ),
    "a helper": (
        _write("seeds/_helper.py", "X = 1\n"),
        "seeds/_helper.py: helper seeds/_helper.py was added since the plan was made (make a new plan)",
    ),
    "a managed cell of a file": (
        _write("seeds/data/items.csv", "sku,name,n\na,Ay,1\nb,Bee,2\nc,C,3\n"),
        ("seed 10_items: rows:items declares other than when the plan was made: a file or a setting changed, or its"
        " source is not the same each time it is read (make a new plan)"),
    ),
    "an initial cell of a file": (
        _write("seeds/data/items.csv", "sku,name,n\na,Ay,7\nb,Bee,2\nc,Sea,3\n"),
        ("seed 10_items: rows:items declares other than when the plan was made: a file or a setting changed, or its"
        " source is not the same each time it is read (make a new plan)"),
    ),
    "a file that is gone": (
        lambda shop, _sql: (shop.path / "seeds/data/items.csv").unlink(),
        "seeds/10_items.py: seed 10_items cannot be compared any more: ",
    ),
    "the project's name": (
        _write("seedframe.toml", '[project]\nname = "other"\n'),
        "the plan is for project 'shop', this is 'other' (make a new plan)",
    ),
    "a limit": (
        _write("seedframe.toml", '[project]\nname = "shop"\n[limits]\nmax_delete = "50%"\n'),
        "[limits] max_delete was not set when the plan was made, and is 50% (make a new plan)",
    ),
    "the schema": (
        _sql("alter schema public rename to s; create schema public; alter table s.items set schema public;"
             " alter table s.parts set schema public; alter table s.gone set schema public"),
        "schema 'public' was made anew since the plan was made (make a new plan)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", MOVES)
def test_what_moved_is_named_and_nothing_is_written(shop: Folder, sql: Sql, what: str) -> None:
    move, expected = MOVES[what]
    plan(shop)
    move(shop, sql)
    before = sql(
        "select (select array_agg(i order by sku) from items i)::text, (select array_agg(g) from gone g)::text"
    )
    said = refused(shop)
    assert any(line.startswith(expected) for line in said), said
    after = sql("select (select array_agg(i order by sku) from items i)::text, (select array_agg(g) from gone g)::text")
    assert after == before
    assert sql("select count(*) from parts") == [(0,)]


def test_everything_that_moved_is_named_at_once(shop: Folder, sql: Sql) -> None:
    plan(shop)
    shop.write({"seeds/20_parts.py": PARTS + "#\n", "seeds/10_items.py": ITEMS + "#\n"})
    done = shop.run("apply", "--plan", "plan.json", "--env", "production")
    assert done.returncode == 3, done
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        "error: the plan is for environment 'development', this is 'production'",
        "error: seeds/10_items.py: seed 10_items changed since the plan was made",
        "error: seeds/20_parts.py: seed 20_parts changed since the plan was made",
    ]
    assert sql("select to_regclass('seedframe.run')") == [(None,)]


def test_a_refusal_under_the_lock_is_in_the_ledger(shop: Folder, sql: Sql) -> None:
    plan(shop)
    sql("update items set name = 'other' where sku = 'b'")
    assert shop.run("apply", "--plan", "plan.json").returncode == 3
    assert sql("select status, error ->> 'code' from seedframe.run") == [("failed", "plan")]
    assert sql("select count(*) from seedframe.outcome") == [(0,)]


def test_a_table_that_no_seed_writes_may_move(shop: Folder, sql: Sql) -> None:
    plan(shop)
    sql("create table elsewhere (n int); insert into elsewhere values (1)")
    sql("update items set token = 'theirs'")
    assert make(shop).exit_code == 0


def test_an_apply_in_between_that_changed_something_is_noticed(shop: Folder) -> None:
    path = plan(shop)
    assert apply(shop).exit_code == 0
    assert len(refused(shop)) == 3
    assert path.exists()


# At the same time


def _make_in_step(folder: str, barrier: Barrier, told: "multiprocessing.Queue[str]") -> None:
    project = Project.load(Path(folder))
    barrier.wait(60)
    try:
        told.put(f"done: {project.apply(ApplyOptions(plan=Path(folder) / 'plan.json', wait_s=60)).exit_code}")
    except SeedframeError as error:
        told.put(str(error))


def test_of_processes_that_apply_one_plan_at_once_one_does(shop: Folder, sql: Sql) -> None:
    plan(shop)
    fork = multiprocessing.get_context("fork")
    barrier, told = fork.Barrier(4), fork.Queue()
    running = [fork.Process(target=_make_in_step, args=(str(shop.path), barrier, told)) for _ in range(4)]
    for process in running:
        process.start()
    said = sorted(told.get(timeout=120) for _ in running)
    for process in running:
        process.join(60)
    assert said[0] == "done: 0"
    assert all(line.startswith("the plan was applied by run ") for line in said[1:]), said
    assert sql("select count(*) from seedframe.applied_plan") == [(1,)]


BESIDE = """
import psycopg
from seedframe import Rows

def resources(config):
    yield Rows("items", key="sku", rows=rows(config))

def rows(config):
    # Read for the second time once all was compared, and before anything is written.
    global times
    times = globals().get("times", 0) + 1
    if times == 2:
        with psycopg.connect(config["url"], autocommit=True) as other:
            other.execute(config["statement"])
    yield {"sku": "b", "name": "Bee"}
    yield {"sku": "c", "name": "Sea"}
"""


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update items set name = 'theirs' where sku = 'b'", ["sku=b, column name"]),
        ("delete from items where sku = 'b'", ["sku=b was to be changed, and is to be created by now"]),
    ],
)
@pytest.mark.promise(
    "somebody changes a row while a saved plan is being applied",
    "the server refuses to write over it; all is compared anew, and the plan is refused",
)
def test_what_moves_while_the_plan_is_applied_is_noticed(
    project: ProjectFactory, sql: Sql, database: str, statement: str, said: list[str]
) -> None:
    sql(TABLES)
    sql("insert into items (sku, name, n) values ('b', 'old', 9), ('c', 'Sea', 3)")
    config = f'[project]\nname = "shop"\n[seeds.items]\nurl = "{database}"\nstatement = "{statement}"\n'
    folder = project({"seeds/10_items.py": BESIDE}, config=config)
    plan(folder)
    there = refused(folder)
    assert [
        line.removeprefix("seed 10_items: rows:items moved in the database since the plan was made: ") for line in there
    ] == [f"{line} (make a new plan)" for line in said]
    assert ("b", "Bee") not in sql("select sku, name from items")
