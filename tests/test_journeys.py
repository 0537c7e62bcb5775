"""How often a run waits for the server: what cannot have touched the database is not watched."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Folder, ProjectFactory, Sql
from tests.proxy import Proxy, proxied
from tests.running import apply, error
from tests.servers import Server

_PLAIN = "from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', rows=[{'sku': 'a'}])\n"


@pytest.fixture
def proxy(server: Server, database: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    folder = str(conninfo_to_dict(database)["host"])
    with proxied(Path(folder)) as (made, sockets):
        url = database.replace(quote(folder, safe=""), quote(str(sockets), safe=""))
        monkeypatch.setenv("SEED_PROXIED", url.replace(folder, str(sockets)))
        yield made


@pytest.fixture
def shop(project: ProjectFactory, sql: Sql) -> Any:
    sql("create table items (sku text primary key)")
    sql("create table others (sku text primary key)")

    def shop(seed: str) -> Folder:
        return project({"seeds/10_items.py": seed})

    return shop


def journeys(folder: Folder, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> int:
    """How often an apply that has nothing to do waits for the server."""
    assert apply(folder).exit_code == 0
    with monkeypatch.context() as during:
        during.setenv("DATABASE_URL", os.environ["SEED_PROXIED"])
        proxy.break_at(None)
        report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    assert report.summary.changed == 0
    return sum(message.kind == "Z" for message in proxy.messages)


def test_a_hook_costs_nothing_but_what_it_asks_for(shop: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = journeys(shop(_PLAIN), proxy, monkeypatch)
    hooks = "\ndef check():\n    return []\n\ndef apply():\n    pass\n\ndef verify(config, env):\n    return []\n"
    assert journeys(shop(_PLAIN + hooks), proxy, monkeypatch) <= plain
    reading = journeys(shop(_PLAIN + "\ndef verify(db):\n    db.scalar('select 1')\n"), proxy, monkeypatch)
    assert plain < reading <= plain + 6


def test_what_a_seed_must_have_is_asked_at_once(shop: Any, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = "from seedframe import Tables\n\ndef resources():\n    yield Tables({})\n"
    one = journeys(shop(seed.format("'items'")), proxy, monkeypatch)
    assert journeys(shop(seed.format("'items', 'others'")), proxy, monkeypatch) == one


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("insert into others values ('x')", "25006"),
        ("commit", "COMMIT: not for seeds"),
        ("select set_config('search_path', 'nowhere', true)", None),
        ("select pg_advisory_lock(17)", None),
    ],
)
def test_a_hook_that_kept_what_another_was_given_can_only_read(
    statement: str, expected: str | None, shop: Any, sql: Sql
) -> None:
    kept = f"""
kept = []

def check(db):
    kept.append(db)
    return []

def apply(db):
    pass

def verify():
    kept[0].scalar({statement!r})
"""
    report = apply(shop(_PLAIN + kept))
    assert sql("select count(*) from others") == [(0,)]
    assert sql("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]
    if expected is None:
        assert report.exit_code == 0, report.as_dict()
        return
    assert report.exit_code == 1
    assert "seeds/10_items.py" in error(report)
    assert expected in error(report) or "read" in error(report), error(report)


def test_what_a_kept_statement_broke_cannot_be_swallowed(shop: Any, sql: Sql) -> None:
    kept = """
kept = []

def check(db):
    kept.append(db)
    return []

def apply(db):
    pass

def verify():
    try:
        kept[0].execute("insert into others values ('x')")
    except Exception:
        pass
"""
    report = apply(shop(_PLAIN + kept))
    assert report.exit_code == 0  # the statement was undone by itself
    assert sql("select count(*) from others") == [(0,)]
    assert sql("select count(*) from items") == [(1,)]
