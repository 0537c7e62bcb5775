"""Another session is in the way: the seed is begun again from its top, a bounded number of times."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
import pytest

from seedframe.report import Status
from seedframe.retrying import ATTEMPTS
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, only

_ROWS: Final = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "b", "n": 2}, {"sku": "a", "n": 1}])
"""
_QUICK: Final = '[project]\nname = "shop"\n\n[database]\nlock_timeout = "200ms"\n'
_RAISE: Final = """
create sequence attempts;
create function fail() returns trigger language plpgsql as $$ begin
  if nextval('attempts') <= {times} then raise 'not now' using errcode = '{code}'; end if;
  return new;
end $$;
create trigger fail before insert on items for each row execute function fail();
"""
# Deferred to COMMIT, where serialization failures like to come.
_RAISE_LATE: Final = _RAISE.replace(
    "create trigger fail before insert on items",
    "create constraint trigger fail after insert on items deferrable initially deferred",
)


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql("create table items (sku text primary key, n int)")
    return project({"seeds/10_items.py": _ROWS}, config=_QUICK)


@pytest.mark.promise(
    "a serialization failure, a deadlock, a lock that is not free (40001, 40P01, 55P03)",
    "the seed is rolled back and applied again from its top, with growing pauses, five times in all",
)
@pytest.mark.parametrize("when", [_RAISE, _RAISE_LATE], ids=["in a statement", "at the end"])
@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
@pytest.mark.parametrize("transaction", ["seed", "run"])
def test_what_another_session_caused_is_tried_again(
    transaction: str, code: str, when: str, folder: Folder, sql: Sql
) -> None:
    sql(when.format(times=2, code=code))
    report = apply(folder, transaction=transaction)
    assert report.exit_code == 0, report.as_dict()
    told = [finding.text for finding in only(report).findings]
    assert told == ["another session was in the way; applied in the third attempt"]
    assert sql("select count(*) from items") == [(2,)]
    assert sql("select status, count(*) from seedframe.outcome group by status") == [("changed", 1)]


@pytest.mark.parametrize("transaction", ["seed", "run"])
def test_what_never_goes_through_is_given_up(transaction: str, folder: Folder, sql: Sql) -> None:
    sql(_RAISE.format(times=1000, code="40001"))
    report = apply(folder, transaction=transaction)
    assert report.exit_code == 1
    assert "not now" in error(report)
    assert "\n" not in error(report)
    assert sql("select last_value from attempts") == [(ATTEMPTS,)]
    assert sql("select seed, status from seedframe.outcome") == [("10_items", "failed")]
    assert sql("select status from seedframe.run") == [("failed",)]
    assert sql("select count(*) from items") == [(0,)]


@contextmanager
def reversed_writer(url: str) -> Iterator[None]:
    """A session that has changed b, and then changes a, and holds until one of the two is told of the deadlock."""
    with psycopg.connect(url) as other:
        other.execute("set deadlock_timeout = '1h'")  # so that it is seedframe who is told
        other.execute("update items set n = 20 where sku = 'b'")

        def change_the_first() -> None:
            with psycopg.connect(url, autocommit=True) as watch:
                while not watch.execute(
                    "select true from pg_locks where not granted and pid <> pg_backend_pid()"
                ).fetchone():
                    pass
            other.execute("update items set n = 10 where sku = 'a'")
            other.commit()

        thread = threading.Thread(target=change_the_first)
        thread.start()
        yield
        thread.join(60)
        assert not thread.is_alive()


@pytest.mark.promise(
    "two sessions change the same rows in opposite order", "the deadlock is rolled back and the seed applied again"
)
def test_a_deadlock_with_another_session(folder: Folder, sql: Sql, database: str) -> None:
    folder.write({"seedframe.toml": '[project]\nname = "shop"\n\n[database]\nlock_timeout = "60s"\n'})
    one_by_one = """
from seedframe import Change

WRITES = ["items"]

def check(db):
    for row in db.rows("select sku from items where n >= 100 or n < 0 or n in (3, 10, 20) order by sku"):
        yield Change("update", {"sku": row["sku"]})

def apply(db, plan):
    for change in plan.own:
        db.execute("update items set n = 1 where sku = :sku", sku=change.key["sku"])
"""
    folder.write({"seeds/10_items.py": one_by_one})
    sql("insert into items values ('a', 3), ('b', 3)")
    with reversed_writer(database):
        report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    assert [finding.text for finding in only(report).findings] == [
        "another session was in the way; applied in the second attempt"
    ]
    assert sql("select n from items") == [(1,), (1,)]


@pytest.mark.promise(
    "another session keeps a table or its rows locked",
    "`lock_timeout`, five attempts; then the message names the table, and the session that holds it",
)
@pytest.mark.parametrize("transaction", ["seed", "run"])
@pytest.mark.parametrize("lock", ["lock table items in share mode", "update items set n = 0"])
def test_who_holds_a_lock_is_named(lock: str, transaction: str, folder: Folder, sql: Sql, connect: Connect) -> None:
    sql("insert into items values ('a', 5), ('b', 5)")
    holder = connect(autocommit=False)
    holder.execute("set application_name = 'nightly import'")
    holder.execute(lock.encode())
    report = apply(folder, transaction=transaction)
    assert report.exit_code == 3
    assert only(report).status is Status.FAILED
    expected = (
        f"table public.items is locked by process {holder.info.backend_pid} (nightly import), idle in transaction"
    )
    assert expected in error(report)
    assert sql("select status from seedframe.outcome") == [("failed",)]
    holder.rollback()
    assert apply(folder, transaction=transaction).exit_code == 0


def test_a_lock_that_is_freed_in_time_is_waited_for(folder: Folder, sql: Sql, connect: Connect) -> None:
    holder = connect(autocommit=False)
    holder.execute("lock table items in share mode")
    timer = threading.Timer(0.5, holder.rollback)
    timer.start()
    report = apply(folder)
    timer.join()
    assert report.exit_code == 0, report.as_dict()


def test_a_lost_connection_that_a_seed_calls_something_else(folder: Folder, sql: Sql) -> None:
    folder.write(
        {
            "seeds/10_items.py": _ROWS
            + """
import psycopg, os

def verify(db):
    if not os.path.exists("lost"):
        open("lost", "w").close()
        try:
            db.scalar("select pg_terminate_backend(pg_backend_pid())")
        except Exception:
            raise ValueError("something happened") from None
"""
        }
    )
    (folder.path / "lost").unlink(missing_ok=True)
    result = folder.run("apply")
    assert result.returncode == 0, result
    assert result.stderr == "waiting: the connection to the server was lost; connecting again\n"
    (folder.path / "lost").unlink()
    assert folder.run("verify").returncode == 0


def test_readers_are_told_nothing_of_locks(folder: Folder, sql: Sql, connect: Connect) -> None:
    """A dry run does not wait for those who change rows."""
    sql("insert into items values ('a', 5)")
    holder = connect(autocommit=False)
    holder.execute("update items set n = 0")
    assert dry_run(folder).summary.changed == 2


def test_an_error_that_is_its_own_cause_is_told(folder: Folder) -> None:
    text = "def resources():\n    error = SeedframeError('no')\n    raise error from error\n"
    folder.write({"seeds/10_items.py": f"from seedframe import SeedframeError\n{text}"})
    assert error(apply(folder)) == "error: seeds/10_items.py:4: no"
