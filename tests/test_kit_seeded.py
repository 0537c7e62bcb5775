"""What an application's tests are given: a seeded database, and connections of which nothing stays."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from sqlalchemy.orm import Session

from seedframe.testing import Database
from seedframe.testing.databases import Server
from seedframe.testing.seeded import (
    NotSeeded,
    RolledBack,
    SharedCopy,
    TransactionEndedByTest,
    engine_over,
    rolled_back,
    seed_for_tests,
)
from tests.plain_pytest import python

MIGRATE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("create table plans (slug text primary key, price int check (price > 0))")
"""
SEED = """
import os
from seedframe import Rows, Setting

SETTINGS = [Setting("PRICE", int)]

def resources(settings):
    yield Rows("plans", key="slug", rows=[{"slug": "basic", "price": settings["PRICE"]}])
"""


@pytest.fixture
def application(tmp_path: Path) -> Path:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seedframe.toml").write_text('[migrations]\ncommand = "python migrate.py"\n')
    (tmp_path / "migrate.py").write_text(MIGRATE)
    (tmp_path / "seeds" / "10_plans.py").write_text(SEED)
    return tmp_path


def seed(database: Database, where: Path, **variables: str) -> None:
    outside = {"DATABASE_URL": "postgresql://nobody@nowhere/none", "PGHOST": "nowhere"}
    seed_for_tests(database, where, env="testing", environ={**outside, **variables})


def test_it_is_migrated_and_seeded(application: Path, seedframe_database: Database) -> None:
    seed(seedframe_database, application, PRICE="10")
    assert seedframe_database.rows("select * from plans") == [("basic", 10)]
    assert seedframe_database.scalar("select env from seedframe.run") == "testing"


@pytest.mark.parametrize(
    ("variables", "broken", "said"),
    [
        ({}, {}, "PRICE"),
        ({"PRICE": "-1"}, {}, "seedframe apply ended with exit code 1:\n"),
        ({"PRICE": "1"}, {"migrate.py": "raise SystemExit('no tables today')"}, "    no tables today"),
        ({"PRICE": "1"}, {"seedframe.toml": "[project"}, "seedframe.toml"),
        ({"PRICE": "1"}, {"seeds/10_plans.py": "import nothing_like_it"}, "seeds/10_plans.py:1"),
    ],
)
def test_what_goes_wrong_is_one_readable_text(
    application: Path,
    seedframe_database: Database,
    variables: dict[str, str],
    broken: dict[str, str],
    said: str,
) -> None:
    for name, text in broken.items():
        (application / name).write_text(text)
    with pytest.raises(NotSeeded) as caught:
        seed(seedframe_database, application, **variables)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_what_goes_wrong_is_told_once(application: Path) -> None:
    """Each test that wants the database fails; the first one says why, and the others that it does."""
    (application / "test_it.py").write_text(
        "def test_one(seedframe_clone):\n    pass\n\n\ndef test_two(seedframe_connection):\n    pass\n\n\n"
        "def test_none():\n    pass\n"
    )
    done = python("-m", "pytest", "-p", "no:cacheprovider", "test_it.py", cwd=application, PRICE="-1")
    assert "1 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    assert done.stdout.count("plans_price_check refused a row") == 1
    again = "the database for the tests cannot be made: the error of test_it.py::test_one says why"
    assert done.stdout.count(again) == 1
    assert "ERROR test_it.py::test_two - Failed: the database" in done.stdout


@pytest.fixture
def table(seedframe_database: Database) -> Database:
    seedframe_database.execute("create table t (n int primary key); insert into t values (1)")
    return seedframe_database


@pytest.fixture
def connection(table: Database) -> Iterator[RolledBack]:
    connection = rolled_back(table.url)
    yield connection
    connection.undo()
    assert connection.closed
    assert table.rows("select n from t") == [(1,)]


def numbers(connection: psycopg.Connection[tuple[int]]) -> list[int]:
    return [n for (n,) in connection.execute("select n from t order by n").fetchall()]


def test_commits_and_rollbacks_are_undone(connection: RolledBack) -> None:
    connection.execute("insert into t values (2)")
    connection.rollback()
    connection.execute("insert into t values (3)")
    connection.commit()
    connection.execute("insert into t values (4)")
    connection.rollback()
    connection.rollback()
    assert numbers(connection) == [1, 3]
    connection.commit()
    connection.autocommit = False
    with connection:
        connection.execute("insert into t values (5)")
    with pytest.raises(psycopg.errors.DivisionByZero), connection:
        connection.execute("insert into t values (6); select 1 / 0")
    connection.execute("insert into t values (7)")
    connection.close()
    assert numbers(connection) == [1, 3, 5]


def test_errors_and_transactions_within(connection: RolledBack) -> None:
    with connection.transaction():
        connection.execute("insert into t values (2)")
        with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
            connection.execute("insert into t values (1)")
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("insert into t values (1)")
    connection.rollback()
    assert numbers(connection) == [1, 2]  # the outermost block commits at its end, as psycopg has it
    with connection.transaction():
        connection.execute("insert into t values (8)")
    connection.rollback()
    assert numbers(connection) == [1, 2]  # the block was within what the SELECT had begun
    connection.commit()
    with connection.transaction(force_rollback=True):
        connection.execute("insert into t values (9)")
    assert numbers(connection) == [1, 2]


def test_autocommit_commits_each_statement(connection: RolledBack) -> None:
    connection.autocommit = True
    connection.execute("insert into t values (2)")
    connection.rollback()
    connection.cursor().executemany("insert into t values (%s)", [(3,), (4,)])
    connection.rollback()
    with connection.cursor().copy("copy t from stdin") as copy:
        copy.write("5\n")
    connection.rollback()
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("insert into t values (1)")
    connection.rollback()
    assert numbers(connection) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("text", ["commit", "rollback", "rollback; begin", "commit; begin; savepoint seedframe_test"])
def test_a_transaction_that_the_test_ended_is_told(table: Database, text: str) -> None:
    connection = rolled_back(table.url)
    connection.execute("insert into t values (2)")
    connection.execute(text.encode())
    with pytest.raises(TransactionEndedByTest, match="seedframe_clone"):
        connection.undo()
    assert connection.closed


def test_a_copy_that_is_spoilt_is_made_again(seedframe_server: Server, table: Database) -> None:
    shared = SharedCopy(seedframe_server, table)
    first = shared.url()
    assert shared.url() == first
    with psycopg.connect(first) as spoiling:
        spoiling.execute("delete from t")
    shared.drop()
    with psycopg.connect(shared.url()) as fresh:
        assert numbers(fresh) == [1]
    shared.drop()


def test_sqlalchemy_over_it(connection: RolledBack) -> None:
    engine = engine_over(connection)
    insert = sqlalchemy.text("insert into t values (:n)")
    with engine.begin() as one:
        one.execute(insert, {"n": 2})
    with engine.connect() as one:
        one.execute(insert, {"n": 3})  # never committed
    with Session(engine) as session:
        session.execute(insert, {"n": 4})
        session.commit()
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.execute(insert, {"n": 4})
        session.rollback()
        with session.begin_nested() as nested:
            session.execute(insert, {"n": 5})
            nested.rollback()
        session.execute(insert, {"n": 6})
        session.commit()
    engine.dispose()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
        one.execute(insert, {"n": 7})
    with engine.connect().execution_options(isolation_level="SERIALIZABLE") as one, one.begin():
        one.execute(sqlalchemy.text("delete from t where n = 7"))
    with engine.connect() as one:
        assert one.scalars(sqlalchemy.text("select n from t order by n")).all() == [1, 2, 4, 6]
