"""pg_terminate_backend at each step of an apply: the seed is rolled back, the run says so, the next one goes on."""

from typing import Final

import pytest

from tests import terminating
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply

_STAGED: Final = 5_001  # one more than travels as parameters

_TABLES: Final = """
create table makers (name text primary key);
create table parts (code int primary key);
create table notes (text text primary key);
create table terminations (id serial);
"""

_FIRST: Final = """
from seedframe import Rows
from tests.terminating import passing

def resources(db):
    passing(db, "the first seed")
    yield Rows("makers", key="name", rows=[{"name": "Acme"}])
"""

_SECOND: Final = f"""
from seedframe import Change, Rows
from tests.terminating import passing

REQUIRES = ["first"]

def resources(db):
    def rows():
        for n in range({_STAGED}):
            if n == {_STAGED - 1}:
                passing(db, "staging")
            yield {{"code": n}}

    passing(db, "resources")
    yield Rows("parts", key="code", rows=rows())

def check(db):
    passing(db, "check")
    if not db.scalar("select count(*) from notes"):
        yield Change("other", {{"notes": "all"}})

def apply(db):
    passing(db, "apply")
    db.execute("insert into notes values ('made')")

def verify(db):
    passing(db, "verify")
    if db.scalar("select count(*) from notes") != 1:
        yield "no note"
"""

# In the server, at the end of a transaction: sequences are not rolled back, so that it is the first time only once.
_AT_COMMIT: Final = """
create function terminate() returns trigger language plpgsql as $$
begin
  if nextval('terminations_id_seq') <= {times} then
    perform pg_terminate_backend(pg_backend_pid());
    perform pg_sleep(60);
  end if;
  return null;
end $$;
create constraint trigger terminate after insert on {table} deferrable initially deferred
  for each row when ({when}) execute function terminate();
"""
_HOOKS: Final = ("resources", "staging", "check", "apply", "verify")


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql(_TABLES)
    return project({"seeds/10_first.py": _FIRST, "seeds/20_second.py": _SECOND})


@pytest.mark.promise(
    "the server ends the connection in the middle of a seed",
    "the seed is rolled back, and the run says so and exits 3; earlier seeds stay, and the next run goes on",
)
@pytest.mark.parametrize("through", ["database", "pooled"])
@pytest.mark.parametrize("point", ["the first seed", *_HOOKS])
def test_a_seed_whose_connection_is_terminated_is_applied_once(
    point: str,
    through: str,
    folder: Folder,
    sql: Sql,
    database: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", request.getfixturevalue(through))
    terminating.arm(database, point)
    _applied_once(folder, sql, whole=[] if point == "the first seed" else ["first"])


@pytest.mark.promise(
    "the server ends the connection while constraints or COMMIT are at work",
    "the same",
)
@pytest.mark.parametrize("through", ["database", "pooled"])
@pytest.mark.parametrize("table", ["makers", "seedframe.outcome"])
def test_a_seed_whose_connection_is_terminated_at_its_end_is_applied_once(
    table: str,
    through: str,
    folder: Folder,
    sql: Sql,
    database: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminating.arm(database)
    _make_ledger(folder, sql)
    sql(_AT_COMMIT.format(table=table, when="true", times=1))
    monkeypatch.setenv("DATABASE_URL", request.getfixturevalue(through))
    _applied_once(folder, sql, whole=[])
    assert sql("select nextval('terminations_id_seq') > 2") == [(True,)], "it was not terminated there"


@pytest.mark.promise(
    "the server ends the connection in every run", "nothing of the seed is left; earlier ones are not done again"
)
def test_a_seed_whose_connection_is_terminated_again_and_again(folder: Folder, sql: Sql, database: str) -> None:
    terminating.arm(database, "verify", times=1000)
    for _ in range(3):
        _lost(folder)
    assert sql("select (select count(*) from makers), (select count(*) from parts), (select count(*) from notes)") == [
        (1, 0, 0)
    ]
    assert sql("select seed from seedframe.applied_seed") == [("first",)]
    terminating.arm(database)
    assert apply(folder).exit_code == 0


def _make_ledger(folder: Folder, sql: Sql) -> None:
    """Only the ledger: a run of a seed that declares nothing."""
    folder.write({"seeds/01_nothing.py": "def resources():\n    return []\n"})
    assert apply(folder, "nothing").exit_code == 0


def _lost(folder: Folder) -> None:
    report = apply(folder)
    assert report.exit_code == 3, report.as_dict()
    assert report.error is not None
    assert report.error.code == "connection"


def _applied_once(folder: Folder, sql: Sql, *, whole: list[str]) -> None:
    """The connection is lost, these seeds are there whole, and the next run applies the others, once."""
    _lost(folder)
    known = sql("select seed from seedframe.applied_seed where seed <> 'nothing' order by seed")
    assert known == [(seed,) for seed in whole]
    assert sql("select (select count(*) from makers), (select count(*) from parts), (select count(*) from notes)") == [
        (len(whole), 0, 0)
    ]
    report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    assert sql("select (select count(*) from makers), (select count(*) from parts), (select count(*) from notes)") == [
        (1, _STAGED, 1)
    ]
    assert sql("select seed, count(*) from seedframe.outcome where status = 'changed' group by seed order by seed") == [
        ("10_first", 1),
        ("20_second", 1),
    ]
    report = apply(folder)
    assert (report.exit_code, report.summary.changed) == (0, 0), report.as_dict()
