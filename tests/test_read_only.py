"""Reading only reads: no transaction id, no WAL, no ledger, no change to the catalog or a sequence; proven on a server
that is otherwise idle, with a role that may only read."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from seedframe import Project
from seedframe.report import Report, Status
from tests import everything
from tests.conftest import Cli, Folder, ProjectFactory
from tests.machines import Machine, machine
from tests.running import apply, counts, dry_run, verify

Query = Callable[[str], list[tuple[Any, ...]]]

# Nothing of the server's own writes to its log: no standbys to inform, no checkpoint by time.
_IDLE = {"wal_level": "minimal", "max_wal_senders": "0", "checkpoint_timeout": "1d", "track_counts": "off"}

_LOOK = """
select json_build_object(
    'wal', pg_current_wal_insert_lsn(),
    'next xid', pg_snapshot_xmax(pg_current_snapshot()),
    'catalog', (select md5(string_agg(format('%s %s %s %s', oid, relname, relfilenode, relkind), ',' order by oid))
                  from pg_class),
    'schemas', (select string_agg(nspname, ',' order by nspname) from pg_namespace),
    'sequences', (select string_agg(format('%s=%s', sequencename, last_value), ',' order by sequencename)
                    from pg_sequences),
    'temp', (select sum(temp_files) from pg_stat_database)
)::text
"""


@pytest.fixture(scope="module")
def idle() -> Iterator[Machine]:
    with machine(settings=_IDLE) as started:
        yield started


@pytest.fixture
def idle_url(idle: Machine) -> Iterator[str]:
    with closing(psycopg.connect(idle.url(), autocommit=True)) as admin:
        admin.execute("create database shop")
        yield idle.url("shop")
        admin.execute("drop database shop with (force)")
        admin.execute("drop role if exists reader")


@pytest.fixture
def query(idle_url: str) -> Iterator[Query]:
    with closing(psycopg.connect(idle_url, autocommit=True)) as connection:

        def query(statement: str) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

        yield query


@pytest.fixture
def folder(project: ProjectFactory, idle_url: str, query: Query, cli: Cli) -> Folder:
    query(everything.SCHEMA)
    made = project(everything.FILES)
    return Folder(made.path, cli, {"DATABASE_URL": idle_url})


# What may be there when one looks, and what of it the role may read.
STATES = ("empty", "seeded", "seeded, ledger hidden", "disturbed")


def prepare(state: str, folder: Folder, query: Query) -> None:
    if state != "empty":
        with pytest.MonkeyPatch.context() as monkeypatch:
            monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"])
            monkeypatch.delenv("SEED_FEWER", raising=False)
            assert apply(folder).exit_code == 0
    if state == "disturbed":
        query(everything.DISTURBANCE)
    query("create role reader login; grant select on all tables in schema public to reader")
    query("alter role reader set default_transaction_read_only = on")
    if state in ("seeded", "disturbed"):
        query("grant usage on schema seedframe to reader; grant select on all tables in schema seedframe to reader")


def look(query: Query) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(query(_LOOK)[0][0])
    return found


@pytest.fixture
def as_reader(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What seedframe is run with, in this process and in others: as the role that may only read."""
    env = {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "reader@"), **everything.FEWER}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    return env


@pytest.mark.promise(
    "`verify` or a dry run that writes",
    "no transaction id, no WAL, no ledger, no sequence moved, whatever is declared; SELECT is enough",
)
@pytest.mark.parametrize("state", STATES)
def test_reading_leaves_no_trace(state: str, folder: Folder, query: Query, as_reader: dict[str, str]) -> None:
    prepare(state, folder, query)
    # The first to read a page tidies it up, which is the server's doing: have that done.
    query("vacuum freeze")
    query("checkpoint")
    before = look(query)
    reads: list[Callable[[], Report]] = [
        lambda: verify(folder),
        lambda: dry_run(folder),
        lambda: dry_run(folder, on_conflict="database", keep_going=True),
    ]
    for read in reads:
        outcomes = read().seeds
        assert [(outcome.seed, outcome.error) for outcome in outcomes] == [("10_kinds", None), ("20_many", None)]
        assert look(query) == before
    deadline = time.monotonic() + 60
    while query("select count(*) from pg_stat_activity where usename = 'reader'") != [(0,)]:
        assert time.monotonic() < deadline, "a backend is left"
        time.sleep(0.01)


def test_other_commands_leave_no_trace(folder: Folder, query: Query, as_reader: dict[str, str]) -> None:
    prepare("empty", folder, query)
    query("vacuum freeze")
    query("checkpoint")
    before = look(query)
    for command in (("history",), ("list",), ("env",), ("plugins",)):
        result = folder.run(*command, env=as_reader)
        assert result.returncode == 0, result
        assert look(query) == before, command
    # An apply that may not write says so.
    result = folder.run("apply", env=as_reader)
    assert result.returncode == 3, result
    assert result.stderr.startswith("error: the ledger cannot be made: reader may not do this"), result
    assert look(query)["schemas"] == before["schemas"]


def test_history_leaves_no_trace(folder: Folder, query: Query, as_reader: dict[str, str]) -> None:
    prepare("seeded", folder, query)
    query("vacuum freeze")
    query("checkpoint")
    before = look(query)
    loaded = Project.load(folder.path)
    assert [run.id for run in loaded.history()] == [1]
    assert len(loaded.run_record(1).seeds) == 2
    assert look(query) == before


def test_reading_foretells_what_apply_does(
    folder: Folder, query: Query, as_reader: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the proofs above are about reads that did their work."""
    prepare("disturbed", folder, query)
    foretold = dry_run(folder)
    assert [outcome.status for outcome in foretold.seeds] == [Status.CHANGED] * 2
    assert 0 not in counts(foretold)
    monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"])
    assert counts(apply(folder)) == counts(foretold)
    monkeypatch.setenv("DATABASE_URL", as_reader["DATABASE_URL"])
    report = verify(folder)
    assert (report.exit_code, counts(report)[:3]) == (0, (0, 0, 0)), report.as_dict()
