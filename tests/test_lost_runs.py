"""Runs that could not enter their end, and transactions of which nobody knows what became."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from seedframe import Project
from seedframe.database.locks import run_lock
from seedframe.errors import OutcomeUnknown, UnknownSeed
from tests.conftest import Connect, Folder, ProjectFactory, Sql, clean_variables
from tests.figures import Figures
from tests.proxy import DIRECTIONS, MOMENTS, Break, Direction, Moment
from tests.running import apply, verify
from tests.servers import Server
from tests.two_seeds import Rig, rigged

_WAITING = """
import sys, time
from seedframe import Rows

def resources():
    print("reached", file=sys.stderr, flush=True)
    time.sleep(600)
    return []
"""


def statuses(folder: Folder) -> list[str]:
    """Of the runs, newest first."""
    return [record.status for record in Project.load(folder.path).history()]


@pytest.mark.promise("a run is killed", "`seedframe history` tells it, as lost, from one that is at work")
def test_a_run_without_an_end_is_told_from_one_at_work(project: ProjectFactory, sql: Sql, connect: Connect) -> None:
    folder = project({"seeds/10_a.py": _WAITING})
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "seedframe", "apply"],
        cwd=folder.path,
        env={**clean_variables(folder.path), **folder.env},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        assert process.stderr.readline() == "reached\n"
        assert statuses(folder) == ["running"]
        process.kill()
    while sql("select true from pg_stat_activity where application_name = 'seedframe shop'"):
        pass
    assert statuses(folder) == ["lost"]
    # After a lost connection another session is at work: it has the lock.
    holder = connect(autocommit=False)
    holder.execute("select pg_advisory_xact_lock(%s)", [run_lock("shop", "public")])
    assert statuses(folder) == ["running"]
    holder.rollback()
    said = folder.run("history")
    assert "lost" in said.stdout, said
    folder.write({"seeds/10_a.py": "def resources():\n    return []\n"})
    assert apply(folder).exit_code == 0
    assert statuses(folder) == ["in_sync", "lost"]


@pytest.fixture
def rig(project: ProjectFactory, sql: Sql, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with rigged(project, sql, server, monkeypatch) as made:
        yield made


@pytest.mark.promise(
    "the server does not come back after a COMMIT without an answer",
    "exit code 3, and the message says of which seed it is not known; the next apply finds out",
)
@pytest.mark.parametrize("committed", [True, False])
def test_a_server_that_does_not_come_back(
    committed: bool, rig: Rig, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedframe.retrying.RECONNECT_S", 0.2)
    rig.undisturbed(empty=False)
    rig.start(empty=False)
    # The beginning of the run, then the first seed.
    where = Break("to client" if committed else "to server", 2, "before", rig.proxy.vanish, "COMMIT")
    rig.proxy.break_at(where)
    report = apply(rig.folder)
    assert report.exit_code == 3
    assert report.error is not None
    assert "its outcome is not known: seed 10_first was committed, or rolled back as a whole" in report.error.message
    assert "nothing was committed" not in str(report.error)
    assert report.error.hint is not None
    assert "`seedframe apply` finds out" in report.error.hint
    assert rig.done() == {"10_first": committed, "20_second": False}
    monkeypatch.setenv("DATABASE_URL", database)
    assert apply(rig.folder).exit_code == 0
    assert all(rig.done().values())


def test_a_connection_may_end_round_the_commit_of_all(rig: Rig, tell: Figures) -> None:
    rig.undisturbed(empty=False)
    for number in (1, 2, 3):
        for when in MOMENTS:
            for direction in DIRECTIONS:
                rig.start(empty=False)
                before = rig.recorded()
                rig.proxy.break_at(Break(direction, number, when, text="COMMIT"))
                report = apply(rig.folder, transaction="run")
                rig.proxy.break_at(None)
                assert report.exit_code == 0, report.as_dict()
                assert all(rig.done().values())
                assert rig.recorded() == {label: count + 1 for label, count in before.items()}
    tell("12 cuts round the COMMITs of one transaction for all, 0 violations")


@pytest.mark.parametrize("direction", ["to server", "to client"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_forget_survives_a_cut_round_commit(direction: Direction, when: Moment, rig: Rig) -> None:
    rig.undisturbed(empty=True)
    (rig.folder.path / "seeds/20_second.py").unlink()
    rig.proxy.break_at(Break(direction, 1, when, text="COMMIT"))
    assert Project.load(rig.folder.path).forget("second") == 1
    assert rig.sql("select seed from seedframe.applied_seed") == [("first",)]
    with pytest.raises(UnknownSeed):
        Project.load(rig.folder.path).forget("second")
    assert verify(rig.folder).exit_code == 0


def test_forget_without_an_answer_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedframe.operations.forgetting.RECONNECT_S", 0.2)
    rig.undisturbed(empty=True)
    (rig.folder.path / "seeds/20_second.py").unlink()
    rig.proxy.break_at(Break("to client", 1, "before", rig.proxy.vanish, "COMMIT"))
    with pytest.raises(OutcomeUnknown, match="its outcome is not known: second may be forgotten"):
        Project.load(rig.folder.path).forget("second")
