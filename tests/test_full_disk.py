"""The server's disk is full: of tables, which rolls the seed back, or of its log, which ends the server."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests.conftest import Cli, Folder, ProjectFactory, Sql
from tests.machines import Machine, machine, no_small_disk
from tests.running import apply

SMALL = 'from seedframe import Rows\n\ndef resources():\n    yield Rows("items", key="sku", rows=[{"sku": "%s"}])\n'
LARGE = """
from seedframe import Rows

def resources():
    yield Rows("large", key="sku", rows=({"sku": f"s{n}", "text": f"{n:08}" * 200} for n in range(15_000)))
"""
SEEDS = {"seeds/10_first.py": SMALL % "first", "seeds/20_large.py": LARGE, "seeds/30_last.py": SMALL % "last"}
TABLES = "create table items (sku text primary key); create table large (sku text primary key, text text)"


@pytest.fixture
def disk(request: pytest.FixtureRequest, project: ProjectFactory, cli: Cli) -> Iterator[tuple[Machine, Folder]]:
    """A server with a small disk for its tables or its log, and a project to apply there."""
    refused = no_small_disk()
    if refused is not None:
        pytest.skip(refused)
    with machine(disk_mb=160, disk_of=request.param, settings={"full_page_writes": "on"}) as started:
        query(started, TABLES)
        yield started, Folder(project(SEEDS).path, cli, {"DATABASE_URL": started.url()})


def query(server: Machine, statement: str) -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(server.url(), autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def rows(server: Machine) -> tuple[list[str], int]:
    ((large,),) = query(server, "select count(*) from large")
    return [sku for (sku,) in query(server, "select sku from items order by 1")], large


@pytest.mark.promise(
    "the server's disk is full (53100)",
    "the seed is rolled back and says so, earlier ones stay; when there is room, the next run does the rest",
)
@pytest.mark.parametrize("disk", ["tables"], indirect=True)
def test_no_room_for_the_rows(disk: tuple[Machine, Folder]) -> None:
    server, folder = disk
    server.fill_disk(9_000)
    result = folder.run("apply", "-q")
    assert (result.returncode, "Traceback" in result.stderr) == (1, False), result
    said = "error: seeds/20_large.py: the server's disk is full: could not extend file"
    assert result.stdout.count(said) == 1, result
    assert rows(server) == (["first"], 0)
    history = folder.run("history", "1")
    assert "the server's disk is full" in history.stdout, history
    assert server.free_kb() > 8_000  # the staged rows are gone, too
    server.make_room()
    again = folder.run("apply")
    assert again.returncode == 0, again
    assert rows(server) == (["first", "last"], 15_000)
    assert folder.run("verify").returncode == 0


@pytest.mark.promise(
    "the disk of the server's log is full, which ends the server",
    "the run ends with one line; when there is room and the server is back, the next run does the rest",
)
@pytest.mark.parametrize("disk", ["log"], indirect=True)
def test_no_room_for_the_log(disk: tuple[Machine, Folder]) -> None:
    server, folder = disk
    server.fill_disk(9_000)
    result = folder.run("apply")
    assert (result.returncode, "Traceback" in result.stderr) == (3, False), result
    lines = [line for line in (result.stdout + result.stderr).splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result
    # As long as there is no room: again one line, whether the server came back or not.
    result = folder.run("apply")
    assert (result.returncode, "Traceback" in result.stderr) in ((3, False), (1, False)), result
    server.make_room()
    server.start()
    assert rows(server) == (["first"], 0)
    again = folder.run("apply", "--wait", "60")
    assert again.returncode == 0, again
    assert rows(server) == (["first", "last"], 15_000)
    assert folder.run("verify").returncode == 0


def test_a_failure_that_cannot_be_recorded_is_told_all_the_same(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_first.py": SMALL % "first"})
    sql("create table items (sku text primary key)")
    assert apply(folder).exit_code == 0
    sql(
        "create function full_disk() returns trigger language plpgsql as $$ begin"
        " raise 'no room %', tg_table_name using errcode = '53100'; end $$;"
        "create trigger full_disk before insert on items execute function full_disk();"
        "create trigger full_disk before insert on seedframe.outcome for each row when (new.status = 'failed')"
        " execute function full_disk()"
    )
    folder.write({"seeds/10_first.py": SMALL % "other", "seeds/20_last.py": SMALL % "last"})
    report = apply(folder, keep_going=True)
    assert (report.exit_code, report.error, len(report.seeds)) == (1, None, 2), report.as_dict()
    for outcome in report.seeds:
        assert outcome.error is not None
        assert "no room items" in outcome.error.message
        (told,) = outcome.findings
        assert told.severity == "warning"
        assert re.match("this could not be entered in the ledger: .*no room outcome", told.text), told
