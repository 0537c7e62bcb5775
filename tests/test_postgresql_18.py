"""What only PostgreSQL 18 has: temporal keys, uuidv7()."""

import pytest

from seedframe import Rows
from seedframe.changes import Verdict
from tests import declaring
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify
from tests.servers import Server


@pytest.fixture
def folder(project: ProjectFactory, server: Server) -> Folder:
    if server.major < 18:
        pytest.skip("this server is older than PostgreSQL 18")
    return project({"seeds/10_x.py": declaring.SEED})


@pytest.mark.trap("temporal keys: WITHOUT OVERLAPS", "refused as a key, since equality is not what they are about")
@pytest.mark.parametrize("index", [None, "prices_pkey"])
def test_a_temporal_key_is_no_key(index: str | None, folder: Folder, sql: Sql) -> None:
    sql("create extension btree_gist")
    sql("create table prices (sku text, during daterange, price int, primary key (sku, during without overlaps))")
    rows = [{"sku": "a", "during": "[2024-01-01,2025-01-01)", "price": 1}]
    declaring.declare(lambda: [Rows("prices", key=["sku", "during"], index=index, rows=rows)])
    for run in (dry_run, apply, verify):
        text = error(run(folder))
        assert text.startswith("declaration: ")
        assert "no unique index" in text or "prices_pkey of public.prices is not unique" in text
    # With a unique index beside it, that is the key, and the temporal one a constraint like others.
    sql("create unique index by_start on prices (sku, during)")
    declaring.declare(lambda: [Rows("prices", key=["sku", "during"], rows=rows)])
    applied(folder)
    overlapping = [*rows, {"sku": "a", "during": "[2024-06-01,2026-01-01)", "price": 2}]
    declaring.declare(lambda: [Rows("prices", key=["sku", "during"], rows=overlapping)])
    assert "prices_pkey refused a row" in error(apply(folder))


def test_a_default_of_uuidv7_is_left_to_the_server(folder: Folder, sql: Sql) -> None:
    sql("create table things (id uuid primary key default uuidv7(), code text unique, v int)")
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": c, "v": 1} for c in "ab"])])
    applied(folder)
    before = sql("select id, code, xmin::text from things order by code")
    assert counts(apply(folder)) == (0, 0, 0, 2)
    assert sql("select id, code, xmin::text from things order by code") == before
    sql("update things set v = 2 where code = 'b'")
    assert only(verify(folder)).verdict is Verdict.DRIFT
