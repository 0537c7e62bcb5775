"""pg_terminate_backend at each step of an apply: the seed's transaction runs again from its top, and counts once."""

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
WRITES = ["notes"]

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
    "it reconnects and runs the seed's transaction again from its top; earlier seeds stay and are not done again",
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
    terminator = terminating.arm(database, point)
    at = _applied_once(folder, sql)
    assert at == ("10_first" if point == "the first seed" else "20_second")
    assert terminator.done == 1
    again = "the first seed" if point == "the first seed" else "resources"
    for name in ("the first seed", "resources"):
        assert terminator.passed[name] == (3 if name == again else 2), "once more in the apply that finds nothing to do"


@pytest.mark.promise(
    "the server ends the connection while constraints or COMMIT are at work",
    "it reconnects and asks what became of the transaction; what was rolled back is run again",
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
    at = _applied_once(folder, sql)
    assert at == ("10_first" if table == "makers" else "01_nothing")
    assert sql("select nextval('terminations_id_seq') > 2") == [(True,)], "it was not terminated there"


@pytest.mark.promise(
    "the server ends the connection each time", "it gives up after a few times, says so, and exits 3; nothing is left"
)
def test_a_seed_whose_connection_is_terminated_again_and_again(folder: Folder, sql: Sql, database: str) -> None:
    terminator = terminating.arm(database, "verify", times=1000)
    report = apply(folder)
    assert report.exit_code == 3, report.as_dict()
    assert report.error is not None
    assert report.error.code == "connection"
    assert 1 < terminator.passed["verify"] <= 10
    assert terminator.passed["the first seed"] == 1
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


def _applied_once(folder: Folder, sql: Sql) -> str:
    """All seeds are applied once, though a connection was lost at one of them; the one that says so."""
    report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    told = [
        (outcome.seed, finding.text)
        for outcome in report.seeds
        for finding in outcome.findings
        if "connection was lost" in finding.text
    ]
    ((at, text),) = told
    assert text == "the connection was lost; applied in the second attempt"
    assert {outcome.seed: outcome.counts.changed for outcome in report.seeds if outcome.counts.changed} == {
        "10_first": 1,
        "20_second": _STAGED + 1,
    }
    assert sql("select (select count(*) from makers), (select count(*) from parts), (select count(*) from notes)") == [
        (1, _STAGED, 1)
    ]
    assert sql("select seed, count(*) from seedframe.outcome where status = 'changed' group by seed order by seed") == [
        ("10_first", 1),
        ("20_second", 1),
    ]
    report = apply(folder)
    assert (report.exit_code, report.summary.changed) == (0, 0), report.as_dict()
    return at
