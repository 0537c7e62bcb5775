"""Waiting for locks: ours, whatever the role's statement_timeout; a table's, for no longer than readers can bear."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from seedframe.database.locks import run_lock
from tests.conftest import Connect, Folder, ProjectFactory, Sql, clean_variables

CONFIG = '[project]\nname = "shop"\n[database]\nlock_timeout = "300ms"\n'
ROWS = (
    'from seedframe import Rows\n\ndef resources():\n    yield Rows("items", key="sku", rows=[{"sku": "a", "n": 2}])\n'
)
ALTERS = """
from seedframe import Change

WRITES = ["items"]

def check(db):
    if not db.scalar("select 1 from pg_attribute where attrelid = 'items'::regclass and attname = 'x'"):
        yield Change("create", {"column": "x"})

def apply(db, plan):
    db.execute("alter table items add column x int")
"""


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql("create table items (sku text primary key, n int); insert into items values ('a', 1)")
    return project(config=CONFIG)


@contextmanager
def applying(folder: Folder, home: Path, *options: str, url: str = "") -> "Iterator[subprocess.Popen[str]]":
    """`seedframe apply`, at work."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "seedframe", "apply", *options],
        cwd=folder.path,
        env={**clean_variables(home), "DATABASE_URL": url or folder.env["DATABASE_URL"]},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.wait(120) is not None


def until_it_waits(sql: Sql, process: "subprocess.Popen[str]") -> None:
    waits = "select true from pg_stat_activity where wait_event_type = 'Lock' and application_name like 'seedframe%'"
    while not sql(f"{waits} and datname = current_database()"):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


@pytest.mark.promise(
    "a statement_timeout of the role, shorter than the wait for another run",
    "the wait is not cut off by it, and says who holds the lock: pid and application",
)
def test_the_role_s_statement_timeout_does_not_end_the_wait(
    folder: Folder, sql: Sql, connect: Connect, tmp_path: Path
) -> None:
    folder.write({"seeds/10_a.py": ROWS})
    sql("create role hasty superuser login; alter role hasty set statement_timeout = '1s'")
    try:
        holder = connect(autocommit=False)
        holder.execute("set application_name = 'the other one'")
        holder.execute("select pg_advisory_xact_lock(%s)", [run_lock("shop", "public")])
        url = folder.env["DATABASE_URL"].replace("postgres@", "hasty@")
        with applying(folder, tmp_path, "--wait", "100", url=url) as process:
            assert process.stderr is not None
            said = process.stderr.readline()
            expected = rf"waiting: process {holder.info.backend_pid} \(the other one\) holds the lock"
            assert re.match(expected, said), said
            time.sleep(2.5)  # much longer than the role's statements may take
            assert process.poll() is None
            holder.rollback()
            stdout, stderr = process.communicate()
        assert (process.returncode, stderr) == (0, ""), stdout
    finally:
        sql("reassign owned by hasty to postgres; drop owned by hasty; drop role hasty")
    assert sql("select n from items") == [(2,)]


@pytest.mark.promise(
    "readers queue behind a table lock that a seed waits for",
    "it waits for lock_timeout at most, then lets them through and tries again, a few times",
)
def test_readers_are_let_through(folder: Folder, sql: Sql, connect: Connect, tmp_path: Path) -> None:
    folder.write({"seeds/10_a.py": ALTERS})
    idle = connect(autocommit=False)
    idle.execute("select count(*) from items")  # and then it does nothing, with its transaction open
    reader = connect()
    with applying(folder, tmp_path) as process:
        until_it_waits(sql, process)
        # Behind the seed's lock, which waits for the idle transaction, which does not end before this is answered.
        assert reader.execute("select n from items").fetchall() == [(1,)]
        stdout, stderr = process.communicate()
    assert idle.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    assert process.returncode == 3, stdout + stderr
    assert stdout.count("error: ") == 1, stdout
    assert re.search(r"error: seeds/10_a\.py:\d+: another session holds a lock", stdout), stdout
    idle.rollback()
    assert folder.run("apply").returncode == 0


HOLDS = {
    "a row": "update items set n = 7 where sku = 'a'",
    "the table, for itself": "lock table items in access exclusive mode",
    "the table, against writers": "lock table items in share mode",
}


@pytest.mark.promise(
    "another transaction holds a row or the table, and does not end",
    "the seed is rolled back after lock_timeout and a few tries; one line says who holds what",
)
@pytest.mark.parametrize("held", HOLDS)
def test_a_lock_that_is_held_for_good(held: str, folder: Folder, sql: Sql, connect: Connect) -> None:
    folder.write({"seeds/10_a.py": ROWS})
    holder = connect(autocommit=False)
    holder.execute("set application_name = 'the idle one'")
    holder.execute(HOLDS[held].encode())
    result = folder.run("apply")
    assert (result.returncode, result.stdout.count("error: ")) == (3, 1), result
    assert f"table public.items is locked by process {holder.info.backend_pid} (the idle one)" in result.stdout, result
    holder.rollback()
    assert folder.run("apply").returncode == 0
    assert sql("select n from items") == [(2,)]


@pytest.mark.parametrize("held", HOLDS)
def test_a_lock_that_is_given_back_meanwhile(
    held: str, folder: Folder, sql: Sql, connect: Connect, tmp_path: Path
) -> None:
    folder.write({"seeds/10_a.py": ROWS})
    holder = connect(autocommit=False)
    holder.execute(HOLDS[held].encode())
    with applying(folder, tmp_path) as process:
        until_it_waits(sql, process)
        holder.rollback()
        stdout, stderr = process.communicate()
    assert process.returncode == 0, stdout + stderr
    assert sql("select n from items") == [(2,)]


def test_a_read_that_meets_a_lock_says_so(folder: Folder, connect: Connect) -> None:
    folder.write({"seeds/10_a.py": ROWS})
    holder = connect(autocommit=False)
    holder.execute("lock table items in access exclusive mode")
    result = folder.run("verify")
    assert (result.returncode, result.stdout.count("error: ")) == (3, 1), result
    assert "another session holds a lock" in result.stdout, result
