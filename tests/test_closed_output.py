"""Output that nobody can be given: a standard stream is closed or full, or its reader has gone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Folder, ProjectFactory, Sql, clean_variables

_ITEMS = "from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', rows=[{'sku': 'a'}])\n"
_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture
def shop(project: ProjectFactory, sql: Sql) -> Folder:
    sql("create table items (sku text primary key)")
    return project({"seeds/10_items.py": _ITEMS})


def shell(folder: Folder, redirected: str, *arguments: str) -> tuple[int, str]:
    """The exit code and stderr of a command of which a shell has set up the streams."""
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirected}', "sh", sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=folder.path,
        env={**clean_variables(folder.path), **folder.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("closed", [">&-", "<&- >&-"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_exit_code_of_a_run_without_standard_output_is_its_own(
    form: str, closed: str, shop: Folder, sql: Sql
) -> None:
    code, err = shell(shop, closed, "apply", "--format", form)
    assert (code, err) == (0, "the report was not written: standard output is closed\n")
    assert sql("select * from items") == [("a",)]
    sql("delete from items")
    assert shell(shop, closed, "verify", "--format", form)[0] == 2


def test_a_file_is_written_though_all_streams_are_closed(shop: Folder) -> None:
    assert shell(shop, "<&- >&- 2>&-", "apply", "--output", "report.txt") == (0, "")
    assert "1 created" in (shop.path / "report.txt").read_text()


def test_a_list_is_for_standard_output_only(shop: Folder) -> None:
    assert shell(shop, ">&-", "list") == (3, "error: standard output is closed\n")


@_FULL
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_full_output_says_what_the_run_did(form: str, shop: Folder, sql: Sql) -> None:
    code, err = shell(shop, ">/dev/full", "apply", "--format", form)
    assert code == 3
    assert err == (
        "error: the report could not be written: No space left on device\n"
        " hint: the run itself was done: exit code 0 otherwise; see seedframe history\n"
    )
    assert sql("select * from items") == [("a",)]
    code, err = shell(shop, ">/dev/full", "apply", "--dry-run")
    assert (code, err.splitlines()[1]) == (3, " hint: the run itself was done: exit code 0 otherwise")


@_FULL
def test_a_full_file_says_what_the_run_did(shop: Folder, sql: Sql) -> None:
    code, err = shell(shop, "", "apply", "--output", "/dev/full")
    assert code == 3
    assert err.startswith("error: --output /dev/full: the report could not be written: No space")
    assert "the run itself was done: exit code 0 otherwise; see seedframe history" in err
    assert sql("select * from items") == [("a",)]


def gone(folder: Folder, *arguments: str, both: bool = False) -> tuple[int, str]:
    """The exit code and stderr of a command whose standard output (or both streams) nobody reads any more."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=folder.path,
        env={**clean_variables(folder.path), **folder.env},
        stdin=subprocess.DEVNULL,
        stdout=write_end,
        stderr=write_end if both else subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(write_end)
    return done.returncode, done.stderr or ""


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list"], ["list", "--format", "json"], ["env"], ["plugins"], ["history"], ["history", "--check"],
     ["apply", "--dry-run", "--format", "json"]],
)  # fmt: skip
def test_a_reader_that_has_gone_is_no_error(arguments: list[str], shop: Folder) -> None:
    assert shop.run("apply").returncode == 0
    assert gone(shop, *arguments) == (0, "")


@pytest.mark.parametrize("unbuffered", [{}, {"PYTHONUNBUFFERED": "1"}])
def test_the_exit_code_says_what_was_done_whoever_reads_it(unbuffered: dict[str, str], shop: Folder, sql: Sql) -> None:
    shop.env.update(unbuffered)
    assert gone(shop, "-vv", "apply", both=True) == (0, "")
    assert sql("select * from items") == [("a",)]
    sql("delete from items")
    assert gone(shop, "verify") == (2, "")
    assert gone(shop, "verify", "nobody", "--format", "json", both=True) == (3, "")


def test_a_job_of_several_steps_goes_on_to_its_end(shop: Folder, sql: Sql) -> None:
    assert gone(shop, "db", "init") == (0, "")
    assert sql("select * from items") == [("a",)]
