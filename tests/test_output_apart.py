"""Standard output is the command's alone: what seeds, their children and C libraries write there goes to stderr."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seedframe.cli.main import main
from tests.conftest import Folder, ProjectFactory, clean_variables
from tests.installing import Site

NOISE = """
import atexit, ctypes, os, subprocess, sys

def say(what):
    print(f"print {what}")
    subprocess.run(["echo", f"child {what}"])
    os.write(1, f"write {what}\\n".encode())
    print(f"python {what}", file=sys.__stdout__)
    ctypes.CDLL(None).printf(f"library {what}\\n".encode())

atexit.register(say, "at the end")
say("on import")
"""
SEED = f"""{NOISE}
def resources():
    say("in resources")
    return []

def verify(db):
    say("in verify")
    return []
"""
SAID = ["print", "child", "write", "python", "library"]


@pytest.fixture
def loud(tmp_path: Path) -> Folder:
    """A project without a database, whose seed and everything it starts write to standard output."""
    root = tmp_path / "loud"
    (root / "seeds").mkdir(parents=True)
    (root / "seedframe.toml").write_text('[project]\nname = "loud"\n')
    (root / "seeds" / "10_loud.py").write_text(SEED)
    return Folder(root, None)  # type: ignore[arg-type]


def run(folder: Folder, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=folder.path,
        env={**clean_variables(folder.path), **folder.env, **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("command", [["list"], ["env"], ["lint"], ["plugins"]])
def test_a_document_stands_alone(command: list[str], unbuffered: str, loud: Folder) -> None:
    code, out, err = run(loud, *command, "--format", "json", env={"PYTHONUNBUFFERED": unbuffered})
    assert code == 0
    assert json.loads(out)["schema"] == 1
    assert out.endswith("}\n")
    for way in SAID:
        assert f"{way} on import" in err
        assert f"{way} at the end" in err


def test_so_does_a_text(loud: Folder) -> None:
    assert run(loud, "list")[1] == "10_loud  seeds/10_loud.py\n"


def test_reports(project: ProjectFactory) -> None:
    folder = project({"seeds/10_loud.py": SEED})
    for command in (["apply"], ["verify"], ["history"]):
        code, out, err = run(folder, *command, "--format", "json")
        assert (code, json.loads(out)["command"]) == (0, command[0])
        if command != ["history"]:
            assert all(f"{way} in resources" in err and f"{way} in verify" in err for way in SAID)
    code, out, _ = run(folder, "verify", "nobody", "--format", "json")
    assert (code, json.loads(out)["exit_code"]) == (3, 3)


def test_a_document_goes_into_a_file_as_well(loud: Folder) -> None:
    with (loud.path / "out.json").open("w") as file:
        subprocess.run(
            [sys.executable, "-P", "-m", "seedframe", "list", "--format", "json"],
            cwd=loud.path,
            env=clean_variables(loud.path),
            stdout=file,
            stderr=subprocess.DEVNULL,
            check=True,
        )
    assert json.loads((loud.path / "out.json").read_text())["schema"] == 1


def shell(folder: Folder, script: str) -> "subprocess.CompletedProcess[bytes]":
    """Run `seedframe list --format json`, which is `"$@"`, as a shell has it."""
    command = [sys.executable, "-P", "-m", "seedframe", "list", "--format=json"]
    return subprocess.run(
        ["/bin/bash", "-c", script, "bash", *command],
        cwd=folder.path,
        env=clean_variables(folder.path),
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed(closed: str, loud: Folder) -> None:
    done = shell(loud, f'exec "$@" {closed}')
    if ">&-" in closed.split():
        assert (done.returncode, done.stdout) == (3, b"")
    else:
        assert (done.returncode, json.loads(done.stdout)["schema"]) == (0, 1)


def test_a_reader_that_goes_away(loud: Folder) -> None:
    done = shell(loud, '"$@" 2>/dev/null | head -c 1; exit ${PIPESTATUS[0]}')
    assert (done.returncode, done.stdout) == (0, b"{")


def test_a_command_of_a_plugin_has_standard_output_for_itself_and_its_children(tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    code = (
        "import click, os, subprocess\n"
        "@click.command('shout')\n"
        "def shout():\n"
        "    click.echo('click')\n    print('print', flush=True)\n"
        "    subprocess.run(['echo', 'child'])\n    os.write(1, b'write\\n')\n"
        "def seedframe_commands():\n    os.write(1, b'early\\n')\n    return [shout]\n"
    )
    site.install("seedframe-shout", points={"shout": "shout_plugin"}, files={"shout_plugin.py": code})
    (tmp_path / "seedframe.toml").write_text('[plugins]\nallow = ["seedframe-shout"]\n')
    code_, out, err = run(Folder(tmp_path, None), "shout", env={"PYTHONPATH": str(site.path)})  # type: ignore[arg-type]
    assert (code_, out, err) == (0, "click\nprint\nchild\nwrite\n", "early\n")


QUIET = "import subprocess\ndef resources():\n    subprocess.run(['echo', 'child'])\n    return []\n"


def test_in_process_nothing_of_the_callers_is_moved(loud: Folder, capfd: pytest.CaptureFixture[str]) -> None:
    (loud.path / "seeds" / "10_loud.py").write_text(QUIET)
    before = os.fstat(1)
    streams = sys.stdout, sys.stderr
    assert main(["list", "--config", str(loud.path)]) == 0
    os.write(1, b"afterwards\n")
    assert (sys.stdout, sys.stderr) == streams
    assert os.path.samestat(os.fstat(1), before)
    lines = capfd.readouterr().out.splitlines()
    assert sorted(lines) == ["10_loud  seeds/10_loud.py", "afterwards", "child"]


SCRIPT = """
import os
from seedframe.cli.main import main
code = main(["list", "--format", "json"])
print("after", code)
os.system("echo system")
"""


def test_who_calls_it_in_process_has_standard_output_back(loud: Folder) -> None:
    (loud.path / "seeds" / "10_loud.py").write_text(QUIET)
    done = subprocess.run(
        [sys.executable, "-P", "-u", "-c", SCRIPT],
        cwd=loud.path,
        env=clean_variables(loud.path),
        capture_output=True,
        text=True,
        check=True,
    )
    document, _, rest = done.stdout.rpartition("}\n")
    assert json.loads(document + "}")["schema"] == 1
    assert (rest, done.stderr) == ("after 0\nsystem\n", "child\n")


def test_clicks_runner(loud: Folder) -> None:
    from seedframe.cli.list import command

    (loud.path / "seeds" / "10_loud.py").write_text(QUIET)
    result = CliRunner().invoke(command, ["--format", "json", "--config", str(loud.path)])
    assert json.loads(result.stdout)["schema"] == 1


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
def test_standard_output_by_its_name_is_the_commands_too(name: str, project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": SEED})
    code, out, err = run(folder, "verify", "--format", "json", "--output", name)
    assert code == 0, err
    assert json.loads(out)["status"] == "in_sync"
    assert "child in verify" in err
    _, out, _ = run(folder, "verify", "-v", "--log-file", name, "--output", os.devnull)
    assert out
    assert all(json.loads(line)["level"] for line in out.splitlines())
