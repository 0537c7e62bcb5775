"""Through PgBouncer in transaction mode: sessions are shared, so that nothing of a run may be left in one."""

import contextlib
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest

from tests.conftest import ProjectFactory, Sql
from tests.running import applied, apply, dry_run, verify

_POOL: Final = 4

_SEED: Final = """
from seedframe import Rows

def resources():
    yield Rows("parts", key="code", rows=({"code": n, "price": "1.50"} for n in range(ROWS)))
"""

# What one session has that another has not. PL/pgSQL's own settings are there from its first use on.
_OWN: Final = {
    "settings": "select name, setting from pg_settings"
    " where name not in ('application_name', 'client_encoding') and name !~ '^plpgsql[.]'",
    "role": "select current_user, session_user, current_setting('role')",
    "prepared statements": "select name from pg_prepared_statements",
    "cursors": "select name from pg_cursors where name <> ''",
    "temporary tables": "select relname from pg_class where relnamespace = pg_my_temp_schema()",
    "locks": "select locktype from pg_locks where pid = pg_backend_pid() and locktype = 'advisory'",
    "channels": "select pg_listening_channels()",
}


@contextlib.contextmanager
def _all_sessions(url: str) -> Iterator[list[psycopg.Connection[Any]]]:
    """A client for each connection that the pooler has to the server, each in a transaction."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(url, prepare_threshold=None)) for _ in range(_POOL)]
        pids = {client.execute("select pg_backend_pid()").fetchall()[0] for client in clients}
        assert len(pids) == _POOL
        yield clients


def test_a_connection_to_the_server_goes_to_whoever_begins_a_transaction(pooled: str) -> None:
    """What the pooler of these tests is for."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(psycopg.connect(pooled, autocommit=True)) for _ in range(2 * _POOL)]
        assert len({client.execute("select pg_backend_pid()").fetchall()[0] for client in clients}) <= _POOL


@pytest.mark.promise(
    "a pooler gives a session of the server to one client after the other",
    "no setting, lock, prepared statement or temporary table of a run is left in one",
)
@pytest.mark.parametrize("rows", [100, 6_000], ids=["small", "staged"])
def test_nothing_of_a_run_is_left_in_a_session(
    rows: int, project: ProjectFactory, sql: Sql, pooled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("create table parts (code int primary key, price numeric)")
    folder = project({"seeds/10_parts.py": f"ROWS = {rows}\n{_SEED}"})
    before = {name: set(sql(query)) for name, query in _OWN.items()}
    monkeypatch.setenv("DATABASE_URL", pooled)
    with _all_sessions(pooled):
        pass
    for run in (dry_run, applied, apply):  # a verify at the end would clean up: the driver's ROLLBACK does
        assert run(folder).exit_code == 0
    with _all_sessions(pooled) as clients:
        for client in clients:
            for name, query in _OWN.items():
                assert set(client.execute(query.encode()).fetchall()) ^ before[name] == set(), name


_TAKES: Final = """
from seedframe import Change, Rows

def _take(db, n):
    db.scalar("select pg_advisory_lock(:n)", n=n)
    db.execute(f"prepare seed_{n} as select 1")

def resources(db):
    _take(db, 1)
    def rows():
        _take(db, 2)
        yield {"code": 1}
    yield Rows("parts", key="code", rows=rows())

def check(db):
    _take(db, 3 if db.writable else 4)
    if db.scalar("select count(*) from parts") < 2:
        yield Change("create", {"code": "2"})

WRITES = ["parts"]

def apply(db):
    _take(db, 5)
    db.execute("insert into parts values (2)")
    FAILS

def verify(db):
    _take(db, 6)
"""


@pytest.mark.parametrize("fails", ["pass", "raise ValueError('x')", "db.scalar('select 1/0')"])
def test_nothing_that_a_hook_took_is_left_in_a_session(
    fails: str, project: ProjectFactory, sql: Sql, pooled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql("create table parts (code int primary key, price numeric)")
    folder = project({"seeds/10_parts.py": _TAKES.replace("FAILS", fails)})
    monkeypatch.setenv("DATABASE_URL", pooled)
    for run in (dry_run, apply, verify):
        report = run(folder)
        assert "pg_advisory" not in str(report.as_dict())
    with _all_sessions(pooled) as clients:
        for client in clients:
            for name in ("prepared statements", "locks"):
                assert client.execute(_OWN[name].encode()).fetchall() == [], name
