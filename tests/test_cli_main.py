"""The command line's entry: help without imports, options anywhere, every end as a clear line and an exit code."""

import io
import json
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import __version__
from seedframe.cli.main import main
from seedframe.cli.options import wants_color
from seedframe.command_table import COMMANDS
from seedframe.errors import Problem
from seedframe.reporting.page import Page, line_text
from seedframe.reporting.text import problem_lines
from tests.conftest import Cli, ProjectFactory, clean_variables

CONFIG = '[project]\nname = "shop"\n'
SEED = "def verify(): pass\n"
CANARY = "canary-4711"

Write = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Write:
    """`folder({"seeds/10_a.py": "…"})`: a project's folder."""

    def folder(files: Mapping[str, str] | None = None, *, config: str = CONFIG) -> Path:
        for file, text in {"seedframe.toml": config, "seeds/10_a.py": SEED, **(files or {})}.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
        return tmp_path

    return folder


# -------------------------------------------------------------------------
# Help
# -------------------------------------------------------------------------

HEAVY = ("sqlalchemy", "psycopg", "pluggy", "loguru", "rich", "importlib.metadata", "packaging", "asyncio")


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = f"""
        import sys
        from seedframe.cli.main import main
        code = main({arguments!r})
        print(*sys.modules, file=sys.stderr)
        sys.exit(code)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    loaded = done.stderr.split()
    assert "click" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    assert {name for name in loaded if name.startswith("seedframe.cli.")} == {
        "seedframe.cli.apart",
        "seedframe.cli.closed",
        "seedframe.cli.options",
        "seedframe.cli.masked_stream",
        "seedframe.cli.signals",
        "seedframe.cli.main",
    }


def test_help_lists_every_command_and_its_line(cli: Cli, tmp_path: Path) -> None:
    done = cli("--help", cwd=tmp_path)
    assert done.returncode == 0
    for name, (_, line) in COMMANDS.items():
        assert f"  {name:8} {line}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says_and_explains_itself(name: str, cli: Cli, tmp_path: Path) -> None:
    command = import_module(COMMANDS[name][0]).command
    assert isinstance(command, click.Command)
    assert command.name == name
    done = cli(name, "--help", cwd=tmp_path)
    assert done.returncode == 0, done
    assert done.stdout.startswith(f"Usage: seedframe {name} ")


def _leaves(command: click.Command, path: tuple[str, ...]) -> list[tuple[tuple[str, ...], click.Command]]:
    if isinstance(command, click.Group):
        return [leaf for name, sub in command.commands.items() for leaf in _leaves(sub, (*path, name))]
    return [(path, command)]


LEAVES = [leaf for name, (module, _) in COMMANDS.items() for leaf in _leaves(import_module(module).command, (name,))]


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_command_takes_the_common_options(path: tuple[str, ...], command: click.Command) -> None:
    options = {name for parameter in command.params for name in parameter.opts}
    assert {"--env", "--config", "-p", "-v", "-q", "--log-file", "--color"} <= options
    assert command.help


def test_version(cli: Cli, tmp_path: Path) -> None:
    done = cli("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"seedframe {__version__}\n")


def test_the_lines_of_commands_are_not_cut_off(cli: Cli, tmp_path: Path) -> None:
    for group in ("new", "plugins", "db"):
        assert "..." not in cli(group, "--help", cwd=tmp_path, env={"COLUMNS": "80"}).stdout.partition("Commands:")[2]


def test_without_a_command_there_is_help_and_nothing_ran(cli: Cli, tmp_path: Path) -> None:
    done = cli(cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Commands:" in done.stderr


# -------------------------------------------------------------------------
# Usage
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["aply"], "error: no command 'aply'\n hint: did you mean 'apply'?\n"),
        (["frobnicate"], "error: no command 'frobnicate'\n hint: the commands are list, apply, verify"),
        (["--nonsense"], "error: no such option '--nonsense'"),
        (["list", "--tga", "x"], "error: no such option '--tga'. Did you mean '--tag'"),
        (["list", "--tag"], "error: option '--tag' requires an argument\n hint: seedframe --help\n"),
        (["list", "--format", "xml"], "error: invalid value for '--format'"),
        (["list", "-p", "no:"], "error: invalid value for '-p': write no:NAME"),
        (["list", "--color", "blue"], "error: invalid value for '--color'"),
        (["list", "--log-file", "/nowhere/at/all"], "error: /nowhere/at/all: cannot write the log file: No such file"),
        (["list", "nobody"], "error: no seed is called 'nobody'\n hint: the seeds are a\n"),
    ],
)
def test_a_mistake_on_the_command_line_is_told_in_one_line_and_3(
    arguments: list[str], expected: str, folder: Write, cli: Cli
) -> None:
    done = cli(*arguments, cwd=folder())
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(expected)
    assert len(done.stderr.splitlines()) <= 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--env", "staging", "list", "--format", "json"],
        ["list", "--env", "staging", "--format", "json"],
        ["list", "--format", "json", "--env", "staging"],
        ["--env", "production", "list", "--format", "json", "--env", "staging"],
    ],
)
def test_common_options_stand_anywhere_and_the_last_one_wins(arguments: list[str], folder: Write, cli: Cli) -> None:
    done = cli(*arguments, cwd=folder())
    assert done.returncode == 0, done
    assert json.loads(done.stdout)["env"] == "staging"


def test_config_names_a_file_or_a_folder(folder: Write, cli: Cli, tmp_path: Path) -> None:
    root = folder()
    for path in (root, root / "seedframe.toml"):
        done = cli("list", "--config", str(path), cwd=tmp_path.parent)
        assert done.returncode == 0, done
        assert done.stdout.startswith("10_a  ")


def test_every_mistake_in_the_configuration_has_its_line(folder: Write, cli: Cli) -> None:
    done = cli("list", cwd=folder(config='[project]\nname = 5\n[databse]\nurl = "x"\n'))
    assert done.returncode == 3
    assert [line.partition(":")[0] for line in done.stderr.splitlines()].count("error") == 2
    assert "Traceback" not in done.stderr


def test_library_and_command_line_are_one(folder: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--config", str(folder())]) == 0
    assert capsys.readouterr().out.startswith("10_a  ")
    assert main(["nonsense"]) == 3


# -------------------------------------------------------------------------
# Ends
# -------------------------------------------------------------------------


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`command("raise ValueError")`: a command `boom` with this body."""

    def command(body: str) -> None:
        text = (
            "import click\nfrom seedframe.cli.options import global_options\n@click.command('boom')\n@global_options\n"
        )
        text += f"def command(context):\n    password = '{CANARY}'\n    {body}\n"
        (tmp_path / "boom_command.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setitem(COMMANDS, "boom", ("boom_command", ""))
        monkeypatch.delitem(sys.modules, "boom_command", raising=False)

    return command


def test_a_bug_is_one_line_and_with_v_a_traceback_without_variables(
    command: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command("return {}['x' + password[:0]]")
    assert main(["boom"]) == 3
    expected = "error: this is a bug in seedframe: KeyError: no key 'x' (boom_command.py:7)\n"
    assert capsys.readouterr().err == expected + " hint: report it, with the traceback that -v shows\n"
    log = tmp_path / "log"
    assert main(["boom", "-vv", "--log-file", str(log)]) == 3
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback (most recent call last):\n")
    assert "return {}['x' + password[:0]]" in shown
    assert expected in shown
    assert CANARY not in shown + log.read_text()


def test_trouble_with_files_is_no_bug(command: Callable[[str], None], capsys: pytest.CaptureFixture[str]) -> None:
    command("open('/nowhere/at/all')")
    assert main(["boom"]) == 3
    assert capsys.readouterr().err == "error: /nowhere/at/all: No such file or directory\n"


def test_what_could_not_run_is_in_the_log_file_too(folder: Write, cli: Cli) -> None:
    root = folder()
    assert cli("list", "nobody", "--log-file", "log", cwd=root).returncode == 3
    (record,) = [json.loads(line) for line in (root / "log").read_text().splitlines()]
    assert record["level"] == "error"
    assert record["code"] == "unknown_seed"
    assert record["message"] == "no seed is called 'nobody'"


def _start(root: Path, *arguments: str, home: Path, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return] # options are few and known
        [sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=root,
        env=clean_variables(home),
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error(folder: Write, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = _start(folder(), "list", home=tmp_path, stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert err == "error: No space left on device\n"


WAITING = "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"


@pytest.mark.parametrize(("signum", "code", "name"), [(signal.SIGINT, 130, "SIGINT"), (signal.SIGTERM, 143, "SIGTERM")])
def test_a_signal_stops_the_command(signum: int, code: int, name: str, folder: Write, tmp_path: Path) -> None:
    process = _start(folder({"seeds/10_a.py": WAITING}), "list", home=tmp_path)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signum)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, f"stopped by {name}\n")


def test_a_second_signal_forces(folder: Write, tmp_path: Path) -> None:
    stubborn = "import time\ntry:\n    print('ready', flush=True)\n    time.sleep(60)\n"
    stubborn += "finally:\n    print('cleaning', flush=True)\n    time.sleep(60)\n"
    process = _start(folder({"seeds/10_a.py": stubborn}), "list", home=tmp_path)
    assert process.stderr is not None
    for expected in ("ready\n", "cleaning\n"):
        assert process.stderr.readline() == expected
        process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM


def test_a_signal_that_is_ignored_stays_ignored(folder: Write, tmp_path: Path) -> None:
    """As a shell starts what runs in its background."""
    twice = WAITING.replace("time.sleep(60)", "time.sleep(0.3)\nprint('still here', flush=True)\ntime.sleep(60)")
    ignored = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731 - runs in the child
    process = _start(folder({"seeds/10_a.py": twice}), "list", home=tmp_path, preexec_fn=ignored)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "still here\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143


def test_signal_handlers_are_given_back(folder: Write) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    main(["list", "--config", str(folder())])
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def test_a_locale_without_the_character_shows_an_escape(folder: Write, tmp_path: Path) -> None:
    root = folder({"seeds/10_a.py": '"""Größe → klein."""\n' + SEED})
    process = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", "list"],
        cwd=root,
        env={**clean_variables(tmp_path), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=True,
    )
    assert "Größe \\u2192 klein.".encode("latin-1") in process.stdout


# -------------------------------------------------------------------------
# How errors look
# -------------------------------------------------------------------------


@given(st.text(), st.text(), st.none() | st.text())
def test_no_text_leaves_its_line_or_steers_the_terminal(message: str, where: str, hint: str | None) -> None:
    lines = [line_text(line) for line in problem_lines(Problem("x", message, hint, where), Page())]
    assert len(lines) == (2 if hint else 1)
    assert all(line.isprintable() for line in lines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("choice", "variables", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("always", {"NO_COLOR": "1"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_when_there_is_colour(
    choice: str, variables: dict[str, str], terminal: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wants_color(Terminal() if terminal else io.StringIO(), choice) is expected  # type: ignore[arg-type] # a literal


def test_colour_reaches_the_output(folder: Write, cli: Cli) -> None:
    root = folder({"seeds/20_b.py": "1 / 0\n"})
    assert "\x1b[" not in str(cli("list", cwd=root))
    assert "\x1b[1m10_a" in cli("list", "--color", "always", cwd=root).stdout
    assert "\x1b[1m10_a" in cli("list", cwd=root, env={"FORCE_COLOR": "1"}).stdout
    assert cli("list", "x", "--color=always", cwd=root).stderr.startswith("\x1b[1;31merror: \x1b[0mno seed")


# -------------------------------------------------------------------------
# Logs
# -------------------------------------------------------------------------

LEAKY = f"def resources():\n    password = '{CANARY}'\n    raise RuntimeError('forged\\nline \\x1b[2J')\n"


def test_v_shows_the_traceback_of_a_seeds_own_bug_and_never_a_variable(folder: Write, cli: Cli) -> None:
    root = folder({"seeds/10_a.py": LEAKY, "seeds/20_b.py": "import nobody\n"})
    calm = cli("list", cwd=root)
    assert calm.stderr == ""
    told = cli("list", "-v", cwd=root)
    assert '  File "' in told.stderr
    assert 'seeds/10_a.py", line 3, in resources' in told.stderr
    assert "RuntimeError: forged line \\x1b[2J" in told.stderr
    assert "import nobody" in told.stderr
    assert "pluggy" not in told.stderr
    logged = cli("list", "-vv", "--log-file", "log", cwd=root)
    for text in (told.stdout, told.stderr, logged.stderr, (root / "log").read_text()):
        assert "\x1b" not in text
    # The source line that sets it stands in the file, not in a frame that is shown.
    assert CANARY not in told.stderr + logged.stderr + (root / "log").read_text()


def test_a_seeds_own_log_lines_cannot_forge_others(folder: Write, cli: Cli) -> None:
    text = "from loguru import logger\ndef resources():\n"
    text += "    logger.bind(row='a\\r\\nb').warning('a\\n12:00:00 error forged\\x1b[2J')\n"
    text += "    try: 1 / 0\n    except ZeroDivisionError: logger.exception('went wrong')\n"
    done = cli("list", "--log-file", "log", cwd=folder({"seeds/10_a.py": text}))
    first, second = done.stderr.splitlines()
    assert first.endswith(r"warning  a\n12:00:00 error forged\x1b[2J row=a\r\nb")
    assert second.endswith('error    went wrong exception="ZeroDivisionError: division by zero"')
    records = [json.loads(line) for line in (folder() / "log").read_text().splitlines()]
    assert [record["level"] for record in records] == ["warning", "error"]
    assert records[0]["row"] == "a\r\nb"
    assert all(record["time"].endswith("Z") for record in records)


@pytest.mark.parametrize(
    ("flags", "levels"),
    [
        (["-q"], ["error"]),
        ([], ["warning", "error"]),
        (["-v"], ["info", "warning", "error"]),
        (["-vv"], ["debug", "info", "warning", "error"]),
        (["-v", "-q"], ["warning", "error"]),
    ],
)
def test_levels(flags: list[str], levels: list[str], folder: Write, cli: Cli) -> None:
    text = "from loguru import logger\ndef resources():\n"
    text += "".join(f"    logger.{level}('x')\n" for level in ("debug", "info", "warning", "error"))
    done = cli("list", *flags, cwd=folder({"seeds/10_a.py": text}))
    assert [line.split()[1] for line in done.stderr.splitlines()] == levels


ROWS = "from seedframe import Rows\ndef resources():\n"
ROWS += "    yield Rows('t', key='id', rows=[{'id': 1, 'v': 'canary-4711'}])\n"


def test_a_run_is_logged_with_counts_and_without_values(project: ProjectFactory, sql: Callable[[str], object]) -> None:
    sql("create table t (id int primary key, v text)")
    run = project({"seeds/10_a.py": ROWS, "seeds/20_b.py": "CRITICAL = False\ndef verify(): yield 'no'\n"})
    done = run.run("apply", "--log-file", "log")
    assert done.returncode == 0, done
    assert done.stderr == ""  # what the report says is not said twice
    records = [json.loads(line) for line in (run.path / "log").read_text().splitlines()]
    assert [record["event"] for record in records] == [
        "run_started",
        "seed_started",
        "seed_finished",
        "seed_started",
        "seed_finished",
    ]
    assert records[0] | {"mode": "apply", "seeds": ["10_a", "20_b"]} == records[0]
    assert records[2] | {"seed": "10_a", "status": "changed", "create": 1, "level": "info"} == records[2]
    assert records[4] | {"seed": "20_b", "status": "failed", "level": "warning"} == records[4]
    told = run.run("apply", "-vv", "--log-file", "more")
    assert "resource compared" in told.stderr
    assert "canary" not in told.stderr + (run.path / "log").read_text() + (run.path / "more").read_text()
    assert '"event": "resource_planned"' in (run.path / "more").read_text()


def test_the_library_logs_nothing_of_itself(folder: Write, tmp_path: Path) -> None:
    """An application that uses seedframe hears its log only if it asks for it."""
    root = folder({"seeds/20_b.py": "import nobody\n"})
    code = "from pathlib import Path\nfrom seedframe import Project\n{}Project.load(Path({!r}))\n"
    said = [
        subprocess.run(
            [sys.executable, "-c", code.format(enable, str(root))], capture_output=True, text=True, check=True
        ).stderr
        for enable in ("", "from seedframe import project; from loguru import logger; logger.enable('seedframe')\n")
    ]
    assert said[0] == ""
    assert "a module raised while it was imported" in said[1]
