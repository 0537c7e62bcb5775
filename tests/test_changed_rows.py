"""The rows that a run changed, as the ledger lists them: key, action and columns, up to a number of rows."""

import json
from typing import Any

import pytest

from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run

_ROWS = """
from seedframe import Rows, ref

def resources():
{}
"""


def seed(*lines: str) -> dict[str, str]:
    return {"seeds/10_a.py": _ROWS.format("\n".join(f"    {line}" for line in lines))}


def items(rows: dict[str, str], more: str = "") -> str:
    return f'yield Rows("items", key="sku", rows={[{"sku": sku, "name": name} for sku, name in rows.items()]!r}{more})'


def listed(sql: Sql) -> list[tuple[Any, ...]]:
    """Of the last entry."""
    return sql(
        "select resource, action, key, columns from seedframe.changed_row"
        " where outcome_id = (select max(id) from seedframe.outcome) order by number"
    )


def resources(sql: Sql) -> Any:
    return sql("select resources from seedframe.outcome order by id desc limit 1")[0][0]


@pytest.fixture
def tables(sql: Sql) -> None:
    sql("create table items (sku text primary key, name text, n int default 0)")
    sql("create table makers (id int generated always as identity primary key, code text unique not null)")
    sql("create table parts (maker_id int references makers, no int, name text, unique (maker_id, no))")


def config(**ledger: Any) -> str:
    lines = [f"{name} = {json.dumps(value)}" for name, value in ledger.items()]
    return "\n".join(["[project]", 'name = "shop"', "[ledger]", *lines, ""])


@pytest.mark.parametrize("baseline_rows", [0, 10_000])
def test_more_rows_than_the_report_shows_are_listed(
    project: ProjectFactory, sql: Sql, tables: None, baseline_rows: int
) -> None:
    rows = {f"s{number:05}": "1" for number in range(7_000)}
    folder = project(seed(items(rows)), config=config(baseline_rows=baseline_rows, changed_rows=500))
    apply(folder)
    assert listed(sql) == []
    assert resources(sql) == [{"resource": "rows:items", "created": 7000, "updated": 0, "deleted": 0, "unlisted": 7000}]
    for number in range(500):
        rows[f"s{13 * number:05}"] = "2"
    folder.write(seed(items(rows)))
    assert apply(folder).summary.update == 500
    assert listed(sql) == [("rows:items", "update", {"sku": f"s{13 * number:05}"}, ["name"]) for number in range(500)]
    assert resources(sql)[0]["unlisted"] == 0
    rows |= {f"s{number:05}": "3" for number in range(501)}
    folder.write(seed(items(rows)))
    apply(folder)
    assert (listed(sql), resources(sql)[0]["unlisted"]) == ([], 501)
    assert folder.run("history", "--check").returncode == 0


def test_the_report_stays_as_it_is(project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project(seed(items({f"s{number}": "1" for number in range(80)})))
    told = [dry_run(folder).as_dict(), apply(folder).as_dict()]
    shown = [report["seeds"][0]["resources"] for report in told]
    assert shown[0] == shown[1]
    assert len(shown[0][0]["changes"]) == 50
    assert len(listed(sql)) == 80


def test_none_are_listed_where_that_is_turned_off(project: ProjectFactory, sql: Sql, tables: None) -> None:
    apply(project(seed(items({"a": "1"})), config=config(changed_rows=0)))
    assert listed(sql) == []
    assert resources(sql)[0]["unlisted"] == 1


def test_deletes_and_sequences_are_listed(project: ProjectFactory, sql: Sql, tables: None) -> None:
    sql("create table numbered (id serial primary key, name text)")
    folder = project(seed(items({"a": "1", "b": "1", "c": "1"}, ', mode="sync"')))
    apply(folder)
    numbered = 'yield Rows("numbered", key="id", rows=[{"id": 7, "name": "x"}])'
    folder.write(seed(items({"b": "2"}, ', mode="sync"'), numbered))
    apply(folder)
    assert listed(sql) == [
        ("rows:items", "delete", {"sku": "a"}, None),
        ("rows:items", "delete", {"sku": "c"}, None),
        ("rows:items", "update", {"sku": "b"}, ["name"]),
        ("rows:numbered", "create", {"id": "7"}, None),
        ("rows:numbered", "other", {"sequence": "public.numbered_id_seq"}, ["next"]),
    ]


def test_a_key_that_is_a_reference_is_known_by_then(project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project(
        seed(
            'yield Rows("makers", key="code", rows=[{"code": "m"}])',
            'yield Rows("parts", key=("maker_id", "no"), rows=[{"maker_id": ref("makers", code="m"), "no": 1}])',
        )
    )
    apply(folder)
    assert listed(sql) == [
        ("rows:makers", "create", {"code": "m"}, None),
        ("rows:parts", "create", {"maker_id": "1", "no": "1"}, None),
    ]


def test_what_is_no_row_is_listed_by_its_name(project: ProjectFactory, sql: Sql, tables: None) -> None:
    own = """
from seedframe import Change, Extension

WRITES = ["items"]

def resources():
    yield Extension("citext")

def check(db):
    if not db.scalar("select count(*) from items"):
        yield Change("create", {"item": "own"}, None, {"name": "x"})

def apply(db):
    db.execute("insert into items values ('own')")
"""
    folder = project({"seeds/10_a.py": own})
    apply(folder)
    assert [row[:3] for row in listed(sql)] == [
        ("extension:citext", "create", {"extension": "citext"}),
        ("hook:check", "create", {"item": "own"}),
    ]


def test_kept_rows_are_not_changed_rows(project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project(seed(items({"a": "1", "b": "1"})))
    apply(folder)
    sql("update items set name = 'hand' where sku = 'a'")
    folder.write(seed(items({"a": "1", "b": "2"})))
    apply(folder, on_conflict="database")
    assert listed(sql) == [("rows:items", "update", {"sku": "b"}, ["name"])]


def test_one_run_shows_them(project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder: Folder = project(seed(items({f"s{number:02}": "1" for number in range(30)})))
    apply(folder)
    shown = folder.run("history", "1").stdout
    assert "    rows:items  30 created\n      + sku=s00\n" in shown
    assert "    … 10 rows more: -v lists all\n" in shown
    assert "sku=s29" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    everything = folder.run("history", "1", "-v").stdout
    assert "sku=s29" in everything
    seeds = json.loads(folder.run("history", "1", "--format", "json").stdout)["run"]["seeds"]
    assert (len(seeds[0]["rows"]), seeds[0]["rows_omitted"]) == (20, 10)
    assert seeds[0]["rows"][0] == {
        "resource": "rows:items", "action": "create", "key": {"sku": "s00"}, "columns": None
    }  # fmt: skip
