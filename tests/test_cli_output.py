"""What apply, verify, history and forget print, and where: terminals, pipes, files, programs; and progress."""

import io
import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.changes import Changes, Counts, Verdict
from seedframe.cli.main import main
from seedframe.cli.progress import ProgressBar, Several, shows_progress
from seedframe.cli.reports import report_options
from seedframe.errors import UsageError
from seedframe.observer import Observer
from seedframe.report import Report, ResourceOutcome, SeedOutcome, Status, Target
from seedframe.reporting.output import check_writable, page_for, print_utf8, write_file
from seedframe.seed import Seed
from tests.conftest import Folder, ProjectFactory, Sql, clean_variables
from tests.terminals import Terminal, run_on_a_terminal

SEED = """
from seedframe import Rows

def resources():
    yield Rows("medications", key="sku", file="medications.csv")
"""
DATA = """sku,name,price,notes
SEMA-025,Semaglutide,299.00,
FINA-1,Finasteride,25.00,"one, two"
"""
TABLE = "create table medications (sku text primary key, name text not null, price numeric(10,2), notes text)"
SGR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def shop(project: ProjectFactory, sql: Sql) -> Folder:
    """A project with one seed of two medications, and its table, still empty."""
    sql(TABLE)
    return project({"seeds/20_reference.py": SEED, "seeds/medications.csv": DATA})


@pytest.fixture
def applied(shop: Folder) -> Folder:
    done = shop.run("apply")
    assert done.returncode == 0, done
    return shop


# -------------------------------------------------------------------------
# From an empty table to a drift that is repaired
# -------------------------------------------------------------------------


def test_the_way_of_a_row(shop: Folder, sql: Sql) -> None:
    planned = shop.run("apply", "--dry-run")
    assert planned.returncode == 0, planned
    assert planned.stderr == ""
    assert "    + medications sku=SEMA-025  name: Semaglutide, price: 299.00, notes: NULL\n" in planned.stdout
    assert "    + medications sku=FINA-1    name: Finasteride, price: 25.00, notes: 'one, two'\n" in planned.stdout
    assert "\n1 seed: 2 to create, 0 to update, 0 to delete, 0 unchanged (" in planned.stdout
    assert "\nDry run: nothing was written." in planned.stdout
    assert sql("select count(*) from medications") == [(0,)]

    done = shop.run("apply")
    assert done.returncode == 0, done
    assert re.search(
        r"\n1 seed: 2 created, 0 updated, 0 deleted, 0 unchanged \(run 1, [0-9.]+s\)\nmarked: ", done.stdout
    )

    again = shop.run("apply")
    assert re.search(r"✓ 20_reference  in sync +[0-9.]+s  2 rows\n", again.stdout)
    assert "\n1 seed: 0 created, 0 updated, 0 deleted, 2 unchanged (run 2, " in again.stdout

    fine = shop.run("verify")
    assert fine.returncode == 0, fine
    assert "\n1 seed in sync, 2 rows (" in fine.stdout

    sql("update medications set price = 149 where sku = 'SEMA-025'")
    drifted = shop.run("verify")
    assert drifted.returncode == 2, drifted
    assert "    drift    medications sku=SEMA-025  price: 149.00 (declared 299.00)\n" in drifted.stdout
    assert "  seedframe apply                         restores what is declared\n" in drifted.stdout

    repaired = shop.run("apply")
    assert "    ~ medications sku=SEMA-025  price: 149.00 → 299.00  (drift)\n" in repaired.stdout
    assert shop.run("verify").returncode == 0


def test_data_that_would_steer_a_terminal(project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    hostile = r"""
from seedframe import Finding, Rows

def resources():
    yield Rows("medications", key="sku", rows=[
        {"sku": "[red]A\x1b[2J", "name": "a\r\nb\x1b]8;;x\x07", "price": "1", "notes": "\u202egpj.exe"}])

def verify(db):
    yield Finding("\x1b[31mred\x1b[0m", "warning")
"""
    shop = project({"seeds/20_reference.py": hostile})
    for arguments in (["apply", "--dry-run", "-v"], ["apply", "-v"], ["verify", "-v"], ["verify", "--format", "json"]):
        done = shop.run(*arguments)
        for text in (done.stdout, done.stderr):
            assert text.replace("\n", "").isprintable(), done
    planned = shop.run("apply", "--rehearse").stdout
    assert r"warning: \x1b[31mred\x1b[0m" in planned


# -------------------------------------------------------------------------
# Exit codes
# -------------------------------------------------------------------------


def test_detailed_exit_code(shop: Folder) -> None:
    assert shop.run("apply", "--dry-run", "--detailed-exitcode").returncode == 2
    assert shop.run("apply").returncode == 0
    assert shop.run("apply", "--dry-run", "--detailed-exitcode").returncode == 0


def test_strict(project: ProjectFactory) -> None:
    extra = "CRITICAL = False\n\ndef verify(db):\n    yield 'wrong'\n"
    shop = project({"seeds/30_extra.py": extra, "seeds/40_more.py": "def verify(db): pass\n"})
    lenient = shop.run("apply")
    assert lenient.returncode == 0, lenient
    assert "! 30_extra  failed " in lenient.stdout
    assert "warning: 30_extra was rolled back; it is not critical, so the run went on\n" in lenient.stdout
    assert shop.run("apply", "--strict").returncode == 1
    assert shop.run("verify").returncode == 1


def test_keep_going(project: ProjectFactory) -> None:
    shop = project(
        {"seeds/30_bad.py": "def verify(db):\n    yield 'wrong'\n", "seeds/40_more.py": "def verify(db): pass\n"}
    )
    stopped = shop.run("apply")
    assert stopped.returncode == 1, stopped
    assert "✗ 30_bad   failed " in stopped.stdout
    assert re.search(r"○ 40_more  skipped +not tried: 30_bad failed\n", stopped.stdout)
    assert "\nfailed: 30_bad was rolled back\n2 seeds (1 failed, 1 skipped): " in stopped.stdout
    went_on = shop.run("apply", "--keep-going")
    assert went_on.returncode == 1, went_on
    assert "✓ 40_more  in sync" in went_on.stdout


def test_no_server_is_one_line_on_stderr(shop: Folder) -> None:
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:1/shop"}
    for command in ("apply", "verify"):
        done = shop.run(command, env=nowhere)
        assert done.returncode == 3, done
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert "127.0.0.1:1" in done.stderr.splitlines()[0]
        assert len(done.stderr.splitlines()) == 2
    told = shop.run("verify", "--format", "json", env=nowhere)
    assert told.returncode == 3
    assert json.loads(told.stdout)["error"]["code"] == "connection"
    assert told.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["apply", "--dry-run", "--rehearse"], "--dry-run and --rehearse"),
        (["apply", "--detailed-exitcode"], "--detailed-exitcode tells what a dry run found"),
        (["apply", "--wait", "soon"], "'--wait': expected a duration"),
        (["apply", "--wait", "nan"], "'--wait': expected a duration"),
        (["verify", "--wait", "-1"], "'--wait': expected a duration"),
        (["verify", "--format", "yaml"], "--format: no format is called 'yaml'"),
        (["verify", "--output", "no/such/folder/report"], "there is no folder"),
        (["verify", "--output", "."], "it is a folder"),
        (["apply", "refrence"], "no seed is called 'refrence'"),
        (["history", "0"], "RUN is a number"),
        (["history", "1", "--limit", "3"], "--limit goes with the list of runs"),
        (["forget"], "missing argument 'NAME'"),
    ],
)
def test_usage_that_does_not_fit(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seedframe.toml").write_text('[project]\nname = "shop"\n')
    (tmp_path / "seeds" / "20_reference.py").write_text(SEED)
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert message in printed.err


@pytest.mark.parametrize(("given_", "seconds"), [("0", 0.0), ("5", 5.0), ("0.5", 0.5), ("500ms", 0.5), ("2min", 120.0)])
def test_wait_is_seconds_or_a_duration(given_: str, seconds: float) -> None:
    met: list[object] = []

    def run(*, wait_s: float, to: object) -> int:
        met.append(wait_s)
        return 0

    click.command()(report_options(run)).main(["--wait", given_], standalone_mode=False)
    assert met == [seconds]


# -------------------------------------------------------------------------
# Programs and files
# -------------------------------------------------------------------------


def test_json_is_one_document_whatever_a_seed_prints(shop: Folder) -> None:
    shop.write({"seeds/20_reference.py": SEED + "\ndef verify(db):\n    print('noise')\n"})
    for arguments, mode in (
        (["apply", "--dry-run"], "dry_run"),
        (["apply", "--rehearse"], "rehearse"),
        (["apply"], "apply"),
        (["verify"], "verify"),
    ):
        done = shop.run(*arguments, "--format", "json")
        assert done.returncode == 0, done
        document = json.loads(done.stdout)
        assert done.stdout.endswith("}\n")
        assert (document["mode"], document["exit_code"]) == (mode, 0)
        assert ("noise" in done.stderr) == (mode != "dry_run")


def test_json_is_utf8_in_any_locale(shop: Folder) -> None:
    shop.write({"seeds/medications.csv": DATA + "ÅÄÖ-漢,Müller,1.00,\n"})
    latin = {"PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "0"}
    raw = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", "apply", "--dry-run", "--format", "json"],
        cwd=shop.path,
        env={**clean_variables(shop.path), **shop.env, **latin},
        capture_output=True,
        check=True,
    )
    assert "ÅÄÖ-漢" in raw.stdout.decode()
    text = shop.run("apply", "--dry-run", env=latin).stdout
    assert text.isascii()
    assert r"sku='\xc5\xc4\xd6-\u6f22'" in text


def test_output_goes_to_a_file_in_silence_unless_there_is_trouble(applied: Folder, sql: Sql) -> None:
    target = applied.path / "report.json"
    fine = applied.run("verify", "--format", "json", "--output", "report.json")
    assert (fine.returncode, fine.stdout, fine.stderr) == (0, "", "")
    assert json.loads(target.read_text())["status"] == "in_sync"

    sql("delete from medications where sku = 'FINA-1'")
    drifted = applied.run("verify", "--format", "json", "--output", "report.json")
    assert (drifted.returncode, drifted.stdout) == (2, "")
    assert "1 seed: 1 drift; 1 missing, 1 as declared" in drifted.stderr
    assert json.loads(target.read_text())["status"] == "drift"

    assert applied.run("verify", "--output", "report.txt", env={"FORCE_COLOR": "1"}).returncode == 2
    text = (applied.path / "report.txt").read_text()
    assert "drift    medications sku=FINA-1  missing\n" in text
    assert "\x1b" not in text


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_done(shop: Folder, sql: Sql) -> None:
    assert shop.run("apply", "--output", "no/such/folder/report.txt").returncode == 3
    assert sql("select count(*) from medications") == [(0,)]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "report"
    write_file(target, "first ä\n")
    assert target.read_bytes() == "first ä\n".encode()
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask

    target.chmod(0o640)
    with target.open() as old:
        write_file(target, "second\n")
        assert old.read() == "first ä\n"
    assert target.read_text() == "second\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "report"
    target.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_file(target, "new \udc80")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_link_is_followed_and_a_device_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder/report")
    check_writable(tmp_path / "link")
    write_file(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "folder" / "report").read_text() == "text"

    null = Path("/dev/null")
    check_writable(null)
    write_file(null, "text")
    assert stat.S_ISCHR(null.stat().st_mode)


def test_a_full_disk_is_said_plainly() -> None:
    with pytest.raises(UsageError, match="No space left on device") as caught:
        write_file(Path("/dev/full"), "text")
    assert caught.value.where == "--output /dev/full"


# -------------------------------------------------------------------------
# Terminals
# -------------------------------------------------------------------------


# A run that takes its time shows how far it has come.
NO_PROGRESS = {"CI": "1"}


def test_a_terminal_gets_colour_and_lines_that_fit(shop: Folder) -> None:
    long = "word " * 60
    shop.write({"seeds/medications.csv": DATA + f"LONG-1,{long.strip()},1.00,{long.strip()}\n"})
    code, shown = run_on_a_terminal(shop, "apply", "--dry-run", env=NO_PROGRESS)
    assert code == 0
    assert "\x1b[32m" in shown
    lines = SGR.sub("", shown).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert any(line.startswith("    + medications sku=LONG-1    name: word word wo") for line in lines)


@pytest.mark.parametrize(
    ("env", "arguments", "colored"),
    [
        ({"NO_COLOR": "1"}, [], False),
        ({"TERM": "dumb"}, [], False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, [], False),
        ({"NO_COLOR": "1"}, ["--color", "always"], True),
        ({}, ["--color", "never"], False),
    ],
)
def test_colour_on_a_terminal(shop: Folder, env: dict[str, str], arguments: list[str], colored: bool) -> None:
    _, shown = run_on_a_terminal(shop, "apply", "--dry-run", *arguments, env={**NO_PROGRESS, **env})
    assert ("\x1b[" in shown) == colored


def test_colour_in_a_pipe(shop: Folder) -> None:
    assert "\x1b" not in shop.run("apply", "--dry-run").stdout
    forced = shop.run("apply", "--dry-run", env={"FORCE_COLOR": "1"}).stdout
    assert "\x1b[32m" in forced
    line = next(line for line in SGR.sub("", forced).splitlines() if "FINA-1" in line)
    assert line == "    + medications sku=FINA-1    name: Finasteride, price: 25.00, notes: 'one, two'"


class Tty(io.StringIO):
    encoding = "UTF-8"

    def isatty(self) -> bool:
        return True


def test_the_page_is_as_wide_as_the_terminal_and_no_narrower_than_is_legible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "123")
    assert page_for(Tty()).width == 123
    assert page_for(io.StringIO()).width is None
    monkeypatch.setenv("COLUMNS", "7")
    assert page_for(Tty()).width == 40


@pytest.mark.parametrize(
    ("encoding", "unicode"), [("utf-8", True), ("UTF8", True), ("ascii", False), ("cp1252", False)]
)
def test_the_page_shows_what_the_stream_can_carry(encoding: str, unicode: bool) -> None:
    assert page_for(io.TextIOWrapper(io.BytesIO(), encoding=encoding)).unicode == unicode


@given(st.integers(-9, 9))
def test_verbosity_is_one_of_three(verbosity: int) -> None:
    assert page_for(io.StringIO(), verbosity=verbosity).verbosity == max(-1, min(1, verbosity))


def test_documents_are_utf8_even_where_stdout_is_no_byte_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    print_utf8("ä\n")
    raw = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", raw)
    print_utf8("ä\n")
    assert text.getvalue() == "ä\n"
    assert isinstance(raw.buffer, io.BytesIO)
    assert raw.buffer.getvalue() == "ä\n".encode()


# -------------------------------------------------------------------------
# Progress
# -------------------------------------------------------------------------

A_SEED = Seed(
    name="reference", number=20, label="20_reference", origin="seeds/20_reference.py", plugin=None, files=None
)
PLANNED = ResourceOutcome("rows:codes", Verdict.PENDING, Changes(counts=Counts(create=1234, unchanged=5)))


@contextmanager
def progress(terminal: Terminal, *, delay_s: float = 3600) -> Iterator[ProgressBar]:
    with (
        open(os.dup(terminal.near), "w", encoding="utf-8") as stream,  # noqa: PTH123 - a descriptor
        ProgressBar(stream, color=True, delay_s=delay_s) as bar,
    ):
        yield bar


def tell_a_run(bar: ProgressBar) -> Iterator[None]:
    """The calls that a run makes, one at each step."""
    bar.waiting("process 4711 (psql) holds the lock")
    yield
    bar.run_started((A_SEED, A_SEED), "apply")
    bar.seed_started(A_SEED)
    bar.rows_read(A_SEED, "rows:codes", 12_345)
    yield
    bar.resource_planned(A_SEED, PLANNED)
    yield
    bar.seed_finished(A_SEED, SeedOutcome(seed="20_reference", origin="", status=Status.CHANGED))
    yield


def test_progress_names_seed_resource_and_rows_and_what_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(100)
    with progress(terminal) as bar:
        bar.show()
        for _ in tell_a_run(bar):
            bar.refresh()
    shown = SGR.sub("", terminal.text())
    for words in (
        "waiting: process 4711 (psql) holds the lock",
        "20_reference: codes, 12,345 rows read",
        "20_reference: codes, 1,234 to create",
        "0/2",
        "1/2",
    ):
        assert words in shown
    assert "\x1b[?25l" not in shown, "a cursor that was hidden stays hidden when the process is killed"


def test_progress_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(80)
    with progress(terminal) as bar:
        bar.show()
        bar.seed_started(A_SEED)
        bar.refresh()
    last = terminal.text().rpartition("20_reference")[2]
    assert "\x1b[2K" in last
    assert last.rpartition("\x1b[2K")[2].strip() == ""


def test_a_short_run_shows_no_progress() -> None:
    terminal = Terminal(80)
    with progress(terminal) as bar:
        for _ in tell_a_run(bar):
            pass
    bar.show()  # as the timer might, a moment too late
    assert terminal.text() == ""


def test_progress_ends_when_the_run_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(80)
    streams = (sys.stdout, sys.stderr)

    def run() -> None:
        with progress(terminal) as bar:
            bar.show()
            assert (sys.stdout, sys.stderr) != streams
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert (sys.stdout, sys.stderr) == streams
    assert terminal.text().rpartition("\x1b[2K")[2].strip() == ""


def test_what_is_named_in_progress_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Terminal(80)
    with progress(terminal) as bar:
        bar.show()
        bar.waiting("[red]\x1b]0;owned\x07")
        bar.refresh()
    shown = terminal.text()
    assert "\x1b]0;" not in shown
    assert r"[red]\x1b]0;owned\x07" in SGR.sub("", shown)


@pytest.mark.parametrize(
    ("stream", "environ", "shown"),
    [
        (Tty(), {"TERM": "xterm"}, True),
        (Tty(), {"TERM": "dumb"}, False),
        (Tty(), {"TERM": "xterm", "CI": "true"}, False),
        (io.StringIO(), {"TERM": "xterm"}, False),
    ],
)
def test_progress_is_for_terminals_that_somebody_looks_at(
    stream: io.StringIO, environ: dict[str, str], shown: bool
) -> None:
    assert shows_progress(stream, environ) == shown


def test_several_observers_are_all_told() -> None:
    told: list[tuple[int, str]] = []

    class Noting(Observer):
        def __init__(self, number: int) -> None:
            for name in vars(Observer):
                if not name.startswith("_"):
                    setattr(self, name, lambda *_, name=name: told.append((number, name)))

    outcome = SeedOutcome(seed="20_reference", origin="", status=Status.CHANGED)
    both = Several(Noting(1), Noting(2))
    both.run_started((A_SEED,), "apply")
    target = Target("shop", "shop", "public", "127.0.0.1", "17.10")
    now = datetime(2026, 1, 2, tzinfo=UTC)
    both.run_finished(
        Report(
            command="apply", mode="apply", env="", version="", target=target, seeds=(), started_at=now, duration_s=0.0
        )
    )
    both.step()
    both.waiting("the lock")
    both.seed_started(A_SEED)
    both.rows_read(A_SEED, "rows:codes", 1)
    both.resource_started(A_SEED, "rows:codes")
    both.resource_planned(A_SEED, PLANNED)
    both.resource_finished(A_SEED, PLANNED)
    both.seed_finished(A_SEED, outcome)
    # Only those are told of passwords who show them.
    names = [name for name in vars(Observer) if not name.startswith("_") and "password" not in name]
    assert told == [(number, name) for name in names for number in (1, 2)]


def test_progress_on_a_terminal_is_gone_before_the_report(shop: Folder) -> None:
    slow = SEED + "\ndef verify(db):\n    print('noise')\n    db.scalar('select pg_sleep(1.5)')\n"
    shop.write({"seeds/20_reference.py": slow})
    code, shown = run_on_a_terminal(shop, "apply")
    assert code == 0
    drawn, _, report = shown.rpartition("\x1b[2K")
    assert "20_reference: medications, 2 to create" in SGR.sub("", drawn)
    assert "noise" in drawn
    assert "1 seed: 2 created" in SGR.sub("", report)
    assert "━" not in report


# -------------------------------------------------------------------------
# History and forget
# -------------------------------------------------------------------------


def test_history(shop: Folder) -> None:
    none = shop.run("history")
    assert (none.returncode, none.stdout) == (0, "No run is recorded yet: seedframe apply makes the first.\n")

    shop.run("apply")
    shop.run("apply", "--dry-run")
    shop.run("apply")
    listed = shop.run("history")
    assert listed.returncode == 0, listed
    titles, newest, oldest = listed.stdout.splitlines()
    assert titles.split() == ["run", "when", "(UTC)", "env", "mode", "status", "took", "who", "changes"]
    assert re.match(r"  2  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  development  apply  in sync  ", newest)
    assert newest.endswith("  2 unchanged")
    assert oldest.endswith("  2 created")
    assert len(shop.run("history", "--limit", "1").stdout.splitlines()) == 2

    one = shop.run("history", "1")
    assert one.stdout.startswith("run 1  changed\n")
    assert re.search(r"\n✓ 20_reference  changed +[0-9.]+s  2 created\n", one.stdout)

    document = json.loads(shop.run("history", "--format", "json").stdout)
    assert [run["run"] for run in document["runs"]] == [2, 1]
    detail = json.loads(shop.run("history", "1", "--format", "json").stdout)["run"]
    assert detail == document["runs"][1] | {"seeds": detail["seeds"]}
    assert detail["seeds"][0]["counts"] == {"create": 2, "update": 0, "delete": 0, "unchanged": 0}

    missing = shop.run("history", "99")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert "no run 99" in missing.stderr


def test_the_history_of_a_failure(project: ProjectFactory) -> None:
    shop = project({"seeds/30_bad.py": "def verify(db):\n    yield 'wrong'\n"})
    assert shop.run("apply").returncode == 1
    assert re.search(r"✗ 30_bad  failed +[0-9.]+s  rolled back\n    error: wrong\n", shop.run("history", "1").stdout)


def test_forget_drops_what_the_ledger_keeps_and_nothing_else(applied: Folder, sql: Sql) -> None:
    still = applied.run("forget", "reference")
    assert still.returncode == 3
    assert "still declared" in still.stderr

    applied.write({"seeds/30_other.py": "def verify(db): pass\n"})
    (applied.path / "seeds" / "20_reference.py").unlink()
    gone = applied.run("verify")
    assert gone.returncode == 2, gone
    assert "✗ reference" in gone.stdout
    assert "  seedframe forget reference  if it is gone for good: its rows stay, and are nobody's\n" in gone.stdout
    assert "seedframe apply" not in gone.stdout  # which restores nothing of it

    wrong = applied.run("forget", "refrence")
    assert wrong.returncode == 3
    assert "did you mean 'reference'?" in wrong.stderr

    done = applied.run("forget", "reference")
    assert done.returncode == 0, done
    assert done.stdout == "reference: 1 baseline dropped; its rows stay in the database\n"
    assert sql("select count(*) from medications") == [(2,)]
    assert applied.run("verify").returncode == 0


def test_what_was_forgotten_is_an_entry_of_the_trail(applied: Folder, sql: Sql) -> None:
    (applied.path / "seeds" / "20_reference.py").rename(applied.path / "seeds" / "30_other.py")
    assert applied.run("forget", "reference").returncode == 0
    listed = applied.run("history").stdout.splitlines()
    assert re.search(r" forget +forgotten .*  reference: no longer known$", listed[1])
    shown = applied.run("history", "2").stdout
    assert re.search(
        r"\n✓ reference  forgotten +[0-9.]+s  1 baseline dropped; its rows stay\n    entry 2  hash ", shown
    )
    assert shown.endswith("\n\nreference: no longer known\n")
    record = json.loads(applied.run("history", "2", "--format", "json").stdout)["run"]
    assert (record["command"], record["status"], record["arguments"]) == (
        "forget",
        "forgotten",
        {"seeds": ["reference"], "baselines": 1},
    )
    assert record["seeds"][0]["origin"] == "seeds/20_reference.py"
    whole = applied.run("history", "--check")
    assert (whole.returncode, "2 entries" in whole.stdout) == (0, True), whole


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("update seedframe.outcome set origin = 'x' where status = 'forgotten'", "entry 2 (run 2, seed reference)"),
        ("update seedframe.outcome set position = null where status = 'forgotten'", "run 2, seed reference, has an"),
        ("update seedframe.run set status = 'in_sync' where status = 'forgotten'", "run 2 is entered as in_sync"),
        ("update seedframe.run set arguments = '{}' where status = 'forgotten'", "run 2"),
    ],
)
def test_what_was_forgotten_cannot_be_edited_unseen(applied: Folder, sql: Sql, tampering: str, told: str) -> None:
    (applied.path / "seeds" / "20_reference.py").rename(applied.path / "seeds" / "30_other.py")
    assert applied.run("forget", "reference").returncode == 0
    sql(f"set session_replication_role = replica; {tampering}")
    checked = applied.run("history", "--check")
    assert (checked.returncode, told in checked.stdout) == (1, True), checked
