"""A hot standby: what only reads works there, what writes is refused, and a recovery conflict is met with patience."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from tests import everything
from tests.conftest import Cli, Folder, ProjectFactory
from tests.machines import Machine, machine
from tests.running import counts, dry_run, verify
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
def folder(project: ProjectFactory, primary: Machine, standby: Machine, cli: Cli) -> Iterator[Folder]:
    """All kinds of resources; the commands run on the standby."""
    run_on(primary, "create database shop", "postgres")
    run_on(primary, everything.SCHEMA)
    caught_up(primary, standby)
    made = project(everything.FILES)
    yield Folder(made.path, cli, {"DATABASE_URL": standby.url("shop")})
    run_on(primary, "drop database shop with (force)", "postgres")


@pytest.fixture
def there(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The same, for what runs in this process."""
    monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"])
    return folder


def on_primary(folder: Folder, primary: Machine) -> dict[str, str]:
    return {**folder.env, "DATABASE_URL": primary.url("shop")}


@pytest.mark.promise(
    "a hot standby", "`verify` and `apply --dry-run` work there; `apply` and `--rehearse` say why they do not"
)
def test_reading_works_on_a_standby(there: Folder, primary: Machine, standby: Machine) -> None:
    empty = dry_run(there)
    assert (empty.exit_code, verify(there).exit_code) == (0, 2), empty.as_dict()  # the seed's own check of its tickets
    done = there.run("apply", "--format", "json", env=on_primary(there, primary))
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["summary"]["create"] == counts(empty)[0]
    caught_up(primary, standby)
    report = verify(there)
    assert report.exit_code == 0, report.as_dict()
    run_on(primary, everything.DISTURBANCE)
    caught_up(primary, standby)
    drifted = verify(there)
    assert (drifted.exit_code, [outcome.error for outcome in drifted.seeds]) == (2, [None, None])
    planned = dry_run(there)
    assert [outcome.error for outcome in planned.seeds] == [None, None]
    mended = there.run("apply", "--format", "json", env=on_primary(there, primary))
    assert json.loads(mended.stdout)["summary"] == planned.as_dict()["summary"]
    caught_up(primary, standby)
    assert verify(there).exit_code == 0
    history = there.run("history")
    assert (history.returncode, "20_many" in there.run("history", "1").stdout) == (0, True), history


@pytest.mark.parametrize("how", [[], ["--rehearse"], ["--transaction", "run"]], ids=str)
def test_writing_is_refused_on_a_standby(how: list[str], folder: Folder) -> None:
    result = folder.run("apply", *how)
    assert (result.returncode, result.stdout) == (3, ""), result
    assert result.stderr.splitlines() == [
        "error: the server is a standby: it can be verified, but not written to",
        " hint: connect to the primary; target_session_attrs=read-write finds it",
    ]


def test_forget_is_refused_on_a_standby(folder: Folder) -> None:
    result = folder.run("forget", "gone")
    assert result.returncode == 3, result
    assert "the server is a standby" in result.stderr, result


def test_the_primary_is_found_among_several(folder: Folder, primary: Machine, standby: Machine) -> None:
    both = f"postgresql://postgres@/shop?host={standby.server.socket_dir},{primary.server.socket_dir}"
    refused = folder.run("apply", env={"DATABASE_URL": both})
    assert refused.returncode == 3, refused  # the first that answers is the standby
    found = folder.run("apply", env={"DATABASE_URL": f"{both}&target_session_attrs=read-write"})
    assert found.returncode == 0, found
    caught_up(primary, standby)
    read = folder.run("verify", env={"DATABASE_URL": f"{both}&target_session_attrs=standby"})
    assert read.returncode == 0, read
    assert str(standby.server.socket_dir) in read.stdout
    neither = folder.run("apply", env={**folder.env, "PGTARGETSESSIONATTRS": "read-write"})
    assert neither.returncode == 3, neither
    assert neither.stderr.count("\n") <= 2, neither


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
    done = folder.run("apply", env=on_primary(folder, primary))
    assert done.returncode == 0, done
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
    disturber = disturb(reader, primary, standby, 3)
    result = reader.run("verify")
    disturber.join(60)
    assert result.returncode == 3, result
    assert (reader.path / "looked").read_text() == "xxx"
    (line, hint) = result.stderr.splitlines()[-2:]
    assert re.search("error: .*the standby broke off what was being read", line), result
    assert "hot_standby_feedback" in hint
