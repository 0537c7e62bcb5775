"""SIGINT and SIGTERM in every phase of a run: cancelled, rolled back, entered in the ledger, and nobody left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import pytest

from seedframe import Project
from seedframe.cli.options import Context
from seedframe.cli.reports import Destination, deliver
from seedframe.database.locks import run_lock
from seedframe.observer import Observer
from seedframe.report import Report, SeedOutcome, Status, Target
from seedframe.reporting.formats import Reporter
from seedframe.reporting.page import Page
from tests.conftest import Connect, Folder, ProjectFactory, Sql, clean_variables
from tests.figures import Figures
from tests.running import apply

_SIGNALS: Final = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
_PATIENCE_S: Final = 120

_FIRST: Final = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "first"}])
"""

# Each phase says on stderr when it is reached, or is recognised by what the server does.
_SECOND: Final = """
import sys, time
from seedframe import Change, Finding, Rows

WRITES = ["log"]

ROWS = 6000

def reached(point, db):
    if point == POINT:
        print("reached", file=sys.stderr, flush=True)
        WAIT(db)

def rows():
    for n in range(ROWS):
        if n == ROWS - 1:
            reached("rows", None)
        yield {{"sku": str(n)}}

def resources(db):
    reached("resources", db)
    yield Rows("items", key="sku", rows=rows())

def check(db):
    reached("check", db)
    if not db.scalar("select count(*) from log"):
        yield Change("other", {{"log": "all"}})

def apply(db):
    reached("apply", db)
    db.execute("insert into log values (1)")

def verify(db):
    reached("verify", db)

POINT = {point!r}

def WAIT(db):
{wait}
"""
_SLEEP: Final = "    time.sleep(600)\n"
_PG_SLEEP: Final = "    db.scalar('select true from pg_sleep(600)')\n"
_SWALLOW: Final = "    try:\n        time.sleep(600)\n    except BaseException:\n        pass\n"
_SWALLOW_AND_RAISE: Final = (
    "    try:\n        time.sleep(600)\n    except KeyboardInterrupt:\n        raise ValueError('something else')\n"
)


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql("create table items (sku text primary key); create table log (n int)")
    return project({"seeds/10_first.py": _FIRST})


class Command:
    """A command at work."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def reads(self, line: str) -> None:
        """Wait until it says this on stderr."""
        assert self.process.stderr is not None
        while (said := self.process.stderr.readline()) != line:
            assert said, "it ended before that"

    def stop(self, signum: int) -> tuple[int, str]:
        """Send the signal; the exit code, and what it said on stderr."""
        self.process.send_signal(signum)
        _, err = self.process.communicate(timeout=_PATIENCE_S)
        return self.process.returncode, err


@contextmanager
def started(folder: Folder, *arguments: str, **env: str) -> Iterator[Command]:
    """A command in a process of its own, which is gone afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=folder.path,
        env={**clean_variables(folder.path), **folder.env, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        try:
            yield Command(process)
        finally:
            process.kill()


def wait_for(sql: Sql, condition: str) -> None:
    """Wait until this is true in the database."""
    deadline = time.monotonic() + _PATIENCE_S
    while sql(f"select {condition}") != [(True,)]:
        assert time.monotonic() < deadline, condition
        time.sleep(0.01)


_OTHERS: Final = "from pg_stat_activity where datname = current_database() and application_name = 'seedframe shop'"


def nobody_left(sql: Sql) -> None:
    wait_for(sql, f"not exists (select {_OTHERS})")


def only_the_first(sql: Sql) -> None:
    """What a run leaves that was stopped in its second seed."""
    nobody_left(sql)
    assert sql("select sku from items") == [("first",)]
    assert sql("select count(*) from log") == [(0,)]
    assert sql("select status, finished_at is not null from seedframe.run") == [("interrupted", True)]
    assert sql("select seed from seedframe.outcome") == [("10_first",)]


_PHASES: Final = [
    ("resources", _SLEEP),
    ("rows", _SLEEP),
    ("check", _PG_SLEEP),
    ("apply", _PG_SLEEP),
    ("verify", _SLEEP),
    ("apply", _SWALLOW),
    ("rows", _SWALLOW),
    ("resources", _SWALLOW_AND_RAISE),
]


@pytest.mark.promise(
    "SIGINT or SIGTERM, in any phase",
    "the statement is cancelled, the seed rolled back, the run entered as interrupted; exit code 130 or 143",
)
@pytest.mark.parametrize(
    ("point", "wait"),
    _PHASES,
    ids=["resources", "staging", "in SQL of check", "in SQL of apply", "verify", "swallowed", "swallowed by a source",
         "made something else"],
)  # fmt: skip
def test_a_signal_in_a_seed(point: str, wait: str, folder: Folder, sql: Sql, request: pytest.FixtureRequest) -> None:
    signum, code = _SIGNALS[len(request.node.name) % 2]
    folder.write({"seeds/20_second.py": _SECOND.format(point=point, wait=wait)})
    with started(folder, "apply") as command:
        command.reads("reached\n")
        if wait == _PG_SLEEP:
            wait_for(sql, f"exists (select {_OTHERS} and query ~ 'pg_sleep' and state = 'active')")
        returned, said = command.stop(signum)
    name = signal.Signals(signum).name
    assert (returned, said) == (code, f"stopped by {name}: seed 20_second was rolled back; 10_first is done\n")
    only_the_first(sql)
    folder.write({"seeds/20_second.py": _SECOND.format(point="", wait=_SLEEP)})
    assert apply(folder).exit_code == 0


@pytest.mark.parametrize(("signum", "code"), _SIGNALS)
def test_a_signal_in_a_commit_that_waits(signum: int, code: int, folder: Folder, sql: Sql) -> None:
    folder.write({"seeds/20_second.py": _SECOND.format(point="", wait=_SLEEP)})
    assert apply(folder, "first").exit_code == 0
    sql("alter table seedframe.outcome disable trigger user; alter table seedframe.changed_row disable trigger user;")
    sql("delete from seedframe.run")
    sql(
        "create function wait() returns trigger language plpgsql as"
        " $$ begin perform pg_sleep(600); return null; end $$;"
        "create constraint trigger wait after insert on seedframe.applied_seed deferrable initially deferred"
        " for each row execute function wait()"
    )
    with started(folder, "apply") as command:
        # In the trigger itself: the COMMIT of an earlier transaction may be seen too, for as long as it takes.
        wait_for(sql, f"exists (select {_OTHERS} and query = 'COMMIT' and wait_event = 'PgSleep')")
        returned, said = command.stop(signum)
    assert (returned, "seed 20_second was rolled back; 10_first is done" in said) == (code, True), said
    only_the_first(sql)


def test_a_signal_while_it_waits_for_the_lock(folder: Folder, sql: Sql, connect: Connect) -> None:
    holder = connect(autocommit=False)
    holder.execute("select pg_advisory_xact_lock(%s)", [run_lock("shop", "public")])
    with started(folder, "apply") as command:
        command.reads(
            f"waiting: process {holder.info.backend_pid} (an unnamed application) holds the lock of this project,"
            " 60 s left\n"
        )
        returned, said = command.stop(signal.SIGTERM)
    assert (returned, said) == (143, "stopped by SIGTERM: seed 10_first was rolled back; nothing was changed\n")
    nobody_left(sql)
    assert sql("select status from seedframe.run") == [("interrupted",)]


@pytest.mark.parametrize("arguments", [["apply"], ["verify"], ["apply", "--dry-run"]], ids=" ".join)
def test_a_signal_while_it_waits_for_the_server(arguments: list[str], folder: Folder) -> None:
    nowhere = "postgresql://me@127.0.0.1:9/shop"
    with started(folder, *arguments, "--wait", "600", DATABASE_URL=nowhere) as command:
        assert command.process.stderr is not None
        assert command.process.stderr.readline().startswith("waiting: ")
        returned, said = command.stop(signal.SIGINT)
    stays = ": nothing was changed" if arguments == ["apply"] else ""
    assert (returned, said) == (130, f"stopped by SIGINT{stays}\n")


@pytest.mark.parametrize("arguments", [["verify"], ["apply", "--dry-run"], ["apply", "--rehearse"]], ids=" ".join)
def test_a_signal_in_a_run_that_writes_nothing(arguments: list[str], folder: Folder, sql: Sql) -> None:
    folder.write({"seeds/20_second.py": _SECOND.format(point="check", wait=_PG_SLEEP)})
    report = folder.path / "report.json"
    report.write_text("of the last run")
    with started(folder, *arguments, "--format", "json", "--output", str(report)) as command:
        command.reads("reached\n")
        returned, said = command.stop(signal.SIGTERM)
    assert (returned, said.startswith("stopped by SIGTERM")) == (143, True), said
    nobody_left(sql)
    assert sql("select count(*) from items") == [(0,)]
    assert report.read_text() == "of the last run"
    assert sorted(path.name for path in folder.path.iterdir() if "report" in path.name) == ["report.json"]


_MIGRATE: Final = """
import os, sys, psycopg
with psycopg.connect(os.environ["DATABASE_URL"], application_name="seedframe shop") as connection:
    connection.execute("create table made (id int)")
    connection.execute("select pg_sleep(600)")
"""


@pytest.mark.parametrize(("signum", "code"), _SIGNALS)
def test_a_signal_in_a_migration(signum: int, code: int, project: ProjectFactory, sql: Sql) -> None:
    """SIGINT as a terminal sends it, to the whole group; SIGTERM to seedframe alone."""
    config = '[project]\nname = "shop"\n\n[migrations]\ncommand = "python migrate.py"\n'
    folder = project({"migrate.py": _MIGRATE, "seeds/10_first.py": _FIRST}, config=config)
    with started(folder, "db", "init") as command:
        wait_for(sql, f"exists (select {_OTHERS} and query ~ 'pg_sleep' and state = 'active')")
        if signum == signal.SIGINT:
            os.killpg(command.process.pid, signum)
            command.process.communicate(timeout=_PATIENCE_S)
            returned = command.process.returncode
        else:
            returned, _ = command.stop(signum)
    assert returned == code
    nobody_left(sql)
    assert sql("select to_regclass('made')") == [(None,)]


def test_a_signal_while_the_report_is_written(folder: Folder, sql: Sql) -> None:
    report = folder.path / "report"
    os.mkfifo(report)
    with started(folder, "apply", "--output", str(report)) as command:
        wait_for(sql, "to_regclass('seedframe.run') is not null")
        wait_for(sql, "exists (select from seedframe.run where finished_at is not null)")
        nobody_left(sql)
        time.sleep(0.1)  # it is between the run and its end, or waits for a reader of the report
        returned, said = command.stop(signal.SIGTERM)
    assert returned == 143, said
    assert sql("select status from seedframe.run") == [("changed",)]
    assert apply(folder).summary.changed == 0


def test_a_second_signal_forces(folder: Folder, sql: Sql) -> None:
    stubborn = "    while True:\n        try:\n            print('asleep', file=sys.stderr, flush=True)\n"
    stubborn += "            time.sleep(600)\n        except BaseException:\n"
    stubborn += "            print('stubborn', file=sys.stderr, flush=True)\n"
    folder.write({"seeds/20_second.py": _SECOND.format(point="apply", wait=stubborn)})
    with started(folder, "apply") as command:
        command.reads("reached\n")
        command.reads("asleep\n")
        command.process.send_signal(signal.SIGTERM)
        command.reads("stubborn\n")
        returned, _ = command.stop(signal.SIGTERM)
    assert returned == -signal.SIGTERM  # a shell calls it 143
    nobody_left(sql)
    assert sql("select sku from items") == [("first",)]


def test_an_interrupt_in_the_library_rolls_back(folder: Folder, sql: Sql) -> None:
    folder.write(
        {"seeds/20_second.py": _SECOND.format(point="apply", wait="    raise KeyboardInterrupt\n")},
    )
    with pytest.raises(KeyboardInterrupt):
        Project.load(folder.path).apply()
    only_the_first(sql)


@pytest.mark.parametrize(
    ("moment", "told"), [("run_started", "nothing was changed"), ("run_finished", "all seeds are done")]
)
def test_before_the_first_seed_and_after_the_last_one(folder: Folder, moment: str, told: str) -> None:
    class Interrupts(Observer):
        pass

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    setattr(Interrupts, moment, interrupt)
    with pytest.raises(KeyboardInterrupt) as stopped:
        Project.load(folder.path).apply(observer=Interrupts())
    assert stopped.value.__notes__ == [told]


def test_while_the_report_is_written(folder: Folder, sql: Sql) -> None:
    os.mkfifo(folder.path / "report")
    with started(folder, "apply", "--output", "report", "--format", "json") as command:
        wait_for(sql, "exists (select from pg_tables where schemaname = 'seedframe')")
        wait_for(sql, f"not exists (select {_OTHERS})")
        returned, said = command.stop(signal.SIGTERM)
    # Just before it is written, or while it waits for a reader.
    told = ("all seeds are done", "the run is done, only its report was not written")
    assert (returned, said) in [(143, f"stopped by SIGTERM: {each}\n") for each in told]


@pytest.mark.promise(
    "a signal at any moment", "what is said to be done is done, what is said to be rolled back is not there"
)
def test_a_signal_at_any_moment(folder: Folder, sql: Sql, rounds: Callable[[int], int], tell: Figures) -> None:
    """Each time a little later: the run says itself, on stderr, what is done."""
    apply(folder)
    counted = {"in time": 0, "too late": 0}
    total = rounds(12)
    for number in range(total):
        sql("truncate items")
        with started(folder, "apply", PYTHONUNBUFFERED="1") as command:
            wait_for(sql, f"exists (select {_OTHERS}) or {command.process.poll() is not None}")
            time.sleep(number / total * 0.08)
            returned, said = command.stop(signal.SIGTERM)
        there = sql("select count(*) from items") == [(1,)]
        if returned in (0, -signal.SIGTERM):  # it was at its end, and only Python was not
            counted["too late"] += 1
            assert there
            continue
        counted["in time"] += 1
        assert returned == 143, said
        assert said.startswith("stopped by SIGTERM: "), said
        assert ("done" in said) == there, said
        nobody_left(sql)
    assert sql("select count(*) from seedframe.run where status not in ('interrupted', 'changed', 'in_sync')") == [(0,)]
    tell(f"{total} signals ({counted['in time']} in time), 0 violations")


@pytest.mark.parametrize(("code", "said"), [(0, "the run is done"), (1, "the run had ended with exit code 1")])
def test_a_signal_while_the_report_is_written_tells_how_the_run_ended(code: int, said: str) -> None:
    def interrupted(report: Report, page: Page) -> str:
        raise KeyboardInterrupt

    target = Target("shop", "shop", "public", "h", "15")
    status = Status.FAILED if code else Status.IN_SYNC
    outcome = SeedOutcome(seed="10_a", origin="seeds/10_a.py", status=status)
    report = Report(
        command="apply",
        mode="apply",
        env="test",
        version="1",
        target=target,
        seeds=(outcome,),
        started_at=datetime.now(UTC),
        duration_s=0.1,
    )
    assert report.exit_code == code
    with pytest.raises(KeyboardInterrupt) as stopped:
        deliver(report, Destination("x", None), Reporter("x", interrupted), Context())
    assert stopped.value.__notes__ == [f"{said}, only its report was not written"]
