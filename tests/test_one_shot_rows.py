"""rows= given as an iterator: read once, and never taken for an empty source when it is asked for again."""

from typing import Final

import pytest

from seedframe import Project
from seedframe.options import ApplyOptions
from tests.conftest import ProjectFactory, Sql
from tests.running import apply, error

_SEED: Final = """
from seedframe import Rows

def made():
    yield {{"sku": "a", "n": 1}}
    yield {{"sku": "b", "n": 2}}

ROWS = {rows}

def resources():
    yield Rows("items", key="sku", rows=ROWS{more})
"""
_RAISE_ONCE: Final = """
create sequence attempts;
create function fail() returns trigger language plpgsql as $$ begin
  if nextval('attempts') <= 1 then raise 'not now' using errcode = '40001'; end if;
  return new;
end $$;
create trigger fail before insert on items for each row execute function fail();
"""
_ONE_SHOT: Final = ["made()", "iter(list(made()))", "map(dict, made())", "(lambda it: lambda: it)(made())"]


@pytest.fixture(autouse=True)
def items(sql: Sql) -> None:
    sql("create table items (sku text primary key, n int)")


@pytest.mark.parametrize("more", ["", ', mode="sync"'])
@pytest.mark.parametrize("rows", _ONE_SHOT)
def test_a_second_attempt_finds_no_empty_source(rows: str, more: str, project: ProjectFactory, sql: Sql) -> None:
    sql(_RAISE_ONCE)
    report = apply(project({"seeds/10_items.py": _SEED.format(rows=rows, more=more)}))
    assert report.exit_code == 1, report.as_dict()
    told = error(report)
    assert told.startswith("declaration: rows:items: rows= is an iterator, which was read already")
    assert "give rows= a function or a list, so that it can be read again" in told
    assert "\n" not in told
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize("rows", _ONE_SHOT)
def test_a_second_run_of_the_same_project_finds_none_either(rows: str, project: ProjectFactory, sql: Sql) -> None:
    loaded = Project.load(project({"seeds/10_items.py": _SEED.format(rows=rows, more="")}).path)
    assert loaded.apply(ApplyOptions(rehearse=True)).exit_code == 0
    report = loaded.apply(ApplyOptions())
    assert report.exit_code == 1, report.as_dict()
    assert "rows= is an iterator, which was read already" in error(report)
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize("rows", ["made", "list(made())", "lambda: made()"])
def test_what_can_be_read_again_is(rows: str, project: ProjectFactory, sql: Sql) -> None:
    sql(_RAISE_ONCE)
    loaded = Project.load(project({"seeds/10_items.py": _SEED.format(rows=rows, more="")}).path)
    assert loaded.apply(ApplyOptions()).exit_code == 0
    assert loaded.apply(ApplyOptions()).summary.unchanged == 2
    assert sql("select count(*) from items") == [(2,)]


def test_an_iterator_made_afresh_by_resources_is_read_each_time(project: ProjectFactory, sql: Sql) -> None:
    sql(_RAISE_ONCE)
    seed = _SEED.replace("rows=ROWS", "rows=made()").format(rows="None", more="")
    report = apply(project({"seeds/10_items.py": seed}))
    assert report.exit_code == 0, report.as_dict()
    assert sql("select count(*) from items") == [(2,)]
