"""A hot standby: what only reads works there, what writes is refused, and a recovery conflict is met with patience."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from seedframe import Project
from seedframe.errors import ConnectionFailed
from seedframe.report import Report
from seedframe.retrying import ATTEMPTS
from tests import everything
from tests.conftest import Cli, Folder, ProjectFactory
from tests.machines import Machine, machine
from tests.running import apply, dry_run, verify
from tests.servers import find_bindir

# A standby that waits for no reader: what the primary vacuums away is taken from under a query at once.
_IMPATIENT = {"max_standby_streaming_delay": "0", "hot_standby_feedback": "off", "wal_retrieve_retry_interval": "100ms"}


@pytest.fixture(scope="module")
def primary() -> Iterator[Machine]:
    if not (find_bindir() / "pg_basebackup").exists():
        pytest.skip(f"no pg_basebackup in {find_bindir()}")
    with machine() as started:
        yield started


@pytest.fixture(scope="module")
def standby(primary: Machine) -> Iterator[Machine]:
    with machine(standby_of=primary, settings=_IMPATIENT) as started:
        yield started


def run_on(server: Machine, statement: str, dbname: str = "shop") -> list[tuple[Any, ...]]:
    with closing(psycopg.connect(server.url(dbname), autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def caught_up(primary: Machine, standby: Machine) -> None:
    """Wait until the standby has replayed all that the primary has written."""
    # What VACUUM writes is sent with the next commit that has something to send.
    run_on(primary, "select pg_logical_emit_message(true, 'test', 'flush')", "postgres")
    ((written,),) = run_on(primary, "select pg_current_wal_lsn()", "postgres")
    while not run_on(standby, f"select pg_last_wal_replay_lsn() >= '{written}'", "postgres")[0][0]:
        time.sleep(0.02)


@pytest.fixture
def folder(
    project: ProjectFactory, primary: Machine, standby: Machine, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Folder]:
    """All kinds of resources; commands run on the standby."""
    run_on(primary, "create database shop", "postgres")
    run_on(primary, everything.SCHEMA)
    caught_up(primary, standby)
    monkeypatch.setenv("DATABASE_URL", standby.url("shop"))
    yield Folder(project(everything.FILES).path, cli, {"DATABASE_URL": standby.url("shop")})
    run_on(primary, "drop database shop with (force)", "postgres")


def apply_on_primary(folder: Folder, primary: Machine, standby: Machine) -> Report:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("DATABASE_URL", primary.url("shop"))
        report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    caught_up(primary, standby)
    return report


@pytest.mark.promise(
    "a hot standby", "`verify` and `apply --dry-run` work there; `apply` and `--rehearse` say why they do not"
)
def test_reading_works_on_a_standby(folder: Folder, primary: Machine, standby: Machine) -> None:
    empty = dry_run(folder)
    assert (empty.exit_code, verify(folder).exit_code) == (0, 2), empty.as_dict()  # the seed's own check of its tickets
    assert apply_on_primary(folder, primary, standby).summary == empty.summary
    assert verify(folder).exit_code == 0
    run_on(primary, everything.DISTURBANCE)
    caught_up(primary, standby)
    drifted = verify(folder)
    assert (drifted.exit_code, [outcome.error for outcome in drifted.seeds]) == (2, [None, None])
    planned = dry_run(folder)
    assert [outcome.error for outcome in planned.seeds] == [None, None]
    assert apply_on_primary(folder, primary, standby).summary == planned.summary
    assert verify(folder).exit_code == 0
    loaded = Project.load(folder.path)
    assert [run.id for run in loaded.history()] == [2, 1]
    assert [seed.seed for seed in loaded.run_record(1).seeds] == ["10_kinds", "20_many"]


def test_writing_is_refused_on_a_standby(folder: Folder) -> None:
    result = folder.run("apply")
    assert (result.returncode, result.stdout) == (3, ""), result
    assert result.stderr.splitlines() == [
        "error: the server is a standby: it can be verified, but not written to",
        " hint: connect to the primary; target_session_attrs=read-write finds it",
    ]
    for report in (apply(folder, rehearse=True), apply(folder, transaction="run")):
        assert report.exit_code == 3
        assert report.error is not None
        assert report.error.message == "the server is a standby: it can be verified, but not written to"
    with pytest.raises(ConnectionFailed, match="the server is a standby"):
        Project.load(folder.path).forget("gone")


def test_the_primary_is_found_among_several(
    folder: Folder, primary: Machine, standby: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = f"postgresql://postgres@/shop?host={standby.server.socket_dir},{primary.server.socket_dir}"
    monkeypatch.setenv("DATABASE_URL", both)
    assert apply(folder).exit_code == 3  # the first that answers is the standby
    monkeypatch.setenv("DATABASE_URL", f"{both}&target_session_attrs=read-write")
    assert apply(folder).exit_code == 0
    caught_up(primary, standby)
    monkeypatch.setenv("DATABASE_URL", f"{both}&target_session_attrs=standby")
    assert verify(folder).exit_code == 0
    neither = folder.run("apply", env={**folder.env, "PGTARGETSESSIONATTRS": "read-write"})
    assert neither.returncode == 3, neither
    assert re.match("error: .*session is read-only", neither.stderr), neither
    assert neither.stderr.count("\n") == 2, neither


# What the primary vacuums away, under a query of the standby

_LOOKS_TWICE = """
from pathlib import Path
from time import sleep
from seedframe import Rows

def resources():
    yield Rows("kept", key="code", rows=[{"code": "a", "note": "n"}])

def verify(db):
    db.scalar("select count(*) from kept")
    with Path("looked").open("a") as file:
        file.write("x")
    while len(Path("go").read_text()) < len(Path("looked").read_text()):
        sleep(0.01)
    yield from (["fewer"] if db.scalar("select count(*) from kept") < 1 else [])
"""


def disturb(folder: Folder, primary: Machine, standby: Machine, times: int) -> threading.Thread:
    """While the seed waits, take from under it what it has read, so many times; each time, let it go on."""
    looked, go = folder.path / "looked", folder.path / "go"
    looked.write_text("")
    go.write_text("")

    def run() -> None:
        for number in range(1, times + 1):
            while len(looked.read_text()) < number:
                time.sleep(0.01)
            run_on(primary, f"delete from kept where code = 'gone {number}'")
            run_on(primary, "vacuum kept")
            caught_up(primary, standby)
            go.write_text("x" * number)
        go.write_text("x" * 99)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def reader(folder: Folder, primary: Machine, standby: Machine) -> Folder:
    """A seed that reads twice, applied; with rows in its table that the primary can do without."""
    folder.write({"seeds/10_kinds.py": _LOOKS_TWICE})
    (folder.path / "seeds/20_many.py").unlink()
    folder.write({"go": "x"})
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder.path)
        apply_on_primary(folder, primary, standby)
    run_on(primary, "insert into kept (code) select format('gone %s', n) from generate_series(1, 9) n")
    caught_up(primary, standby)
    return folder


@pytest.mark.promise(
    "a standby breaks off a read (a conflict with recovery)", "it reads all again, and then says so and exits 3"
)
def test_a_read_that_a_standby_breaks_off_is_made_again(reader: Folder, primary: Machine, standby: Machine) -> None:
    disturber = disturb(reader, primary, standby, 1)
    result = reader.run("verify")
    disturber.join(60)
    assert result.returncode == 0, result
    assert (reader.path / "looked").read_text() == "xx"
    assert result.stdout.count("10_kinds") == 1
    assert result.stderr.startswith("waiting: the standby broke off what was being read"), result


def test_a_standby_that_breaks_off_every_read_is_named(reader: Folder, primary: Machine, standby: Machine) -> None:
    disturber = disturb(reader, primary, standby, ATTEMPTS)
    result = reader.run("verify")
    disturber.join(60)
    assert result.returncode == 3, result
    assert (reader.path / "looked").read_text() == "x" * ATTEMPTS
    (line, hint) = result.stderr.splitlines()[-2:]
    assert re.search("error: .*the standby broke off what was being read", line), result
    assert "hot_standby_feedback" in hint
