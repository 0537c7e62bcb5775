"""What a program that reads documents is given of a command that could not run."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Folder, ProjectFactory, Result

_SEED = "def verify(): pass\n"
_CONFIG = '[project]\nname = "shop"\n'
_REPORT_KEYS = {
    "schema", "command", "mode", "run", "version", "env", "target", "status", "exit_code", "started_at", "duration_s",
    "summary", "seeds", "error",
}  # fmt: skip


def document(done: Result) -> dict[str, Any]:
    """The one document on standard output, of a command that said why on stderr, too."""
    found: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, found["exit_code"]) == (3, 3), str(done)
    assert done.stderr.startswith("error: ")
    assert found["error"]["message"] in done.stderr
    return found


@pytest.fixture
def shop(project: ProjectFactory) -> Folder:
    return project({"seeds/10_items.py": _SEED})


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["nobody"], "unknown_seed"),
        (["--config", "nowhere.toml"], "config"),
        (["--skip", "items"], "no_seeds"),
        (["--wait", "soon"], "usage"),
        (["--no-such-option"], "usage"),
    ],
)
@pytest.mark.parametrize("command", ["apply", "verify"])
def test_the_document_is_a_report_with_an_error(command: str, arguments: list[str], code: str, shop: Folder) -> None:
    found = document(shop.run(command, "--format", "json", *arguments))
    assert found.keys() == _REPORT_KEYS
    assert (found["command"], found["status"], found["seeds"]) == (command, "failed", [])
    assert found["mode"] == command
    assert found["error"]["code"] == code


def test_what_is_known_of_the_project_is_in_it(shop: Folder) -> None:
    shop.write({"seedframe.toml": _CONFIG + '[database]\nschema = "crm"\n[env.staging]\n'})
    found = document(shop.run("--env", "staging", "apply", "--dry-run", "--format=json", "nobody"))
    assert (found["env"], found["mode"]) == ("staging", "dry_run")
    assert (found["target"]["project"], found["target"]["schema"]) == ("shop", "crm")


def test_a_plan_that_is_refused(shop: Folder) -> None:
    shop.write({"plan.json": "{}"})
    found = document(shop.run("apply", "--plan", "plan.json", "--format", "json"))
    assert (found["command"], found["error"]["code"]) == ("apply", "plan")


def test_several_mistakes_are_all_told(shop: Folder) -> None:
    shop.write({"seedframe.toml": '[project]\nnane = "shop"\n[database]\nschem = "x"\n'})
    for arguments in (["verify"], ["list"], ["history"], ["env"], ["plugins"]):
        found = document(shop.run(*arguments, "--format", "json"))
        assert [error["where"] for error in found["errors"]] == ["seedframe.toml:2", "seedframe.toml:4"]
        assert found["error"] == found["errors"][0]


def test_other_commands_have_the_error_alone(shop: Folder) -> None:
    found = document(shop.run("list", "nobody", "--format", "json"))
    assert found.keys() == {"schema", "exit_code", "error"}


def test_nothing_is_on_standard_output_where_people_read_it(shop: Folder) -> None:
    for arguments in (["verify", "nobody"], ["verify", "nobody", "--format", "text"], ["list", "nobody"]):
        assert shop.run(*arguments).stdout == ""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_file_no_longer_says_what_was_before(form: str, shop: Folder) -> None:
    report = shop.path / "report"
    assert shop.run("apply", "--format", form, "--output", "report").returncode == 0
    before = report.read_text()
    shop.write({"seedframe.toml": "[project]\nnane = 'shop'\n[databas]\n"})
    done = shop.run("verify", "--format", form, "--output", "report")
    assert (done.returncode, done.stdout) == (3, "")
    assert report.read_text() != before
    for mistake in ("did you mean 'name'?", "did you mean 'database'?"):
        assert mistake in report.read_text()


@pytest.mark.parametrize("mistake", [["--bogus"], ["--dry-run", "--out", "report"]])
def test_a_command_line_that_does_not_fit_touches_no_file(mistake: list[str], shop: Folder) -> None:
    shop.write({"report": "something else"})
    done = shop.run("apply", "--format", "json", "--output", "report", *mistake)
    assert (done.returncode, done.stdout) == (3, "")
    assert Path(shop.path / "report").read_text() == "something else"


def test_what_cannot_be_printed_is_told_once(shop: Folder) -> None:
    done = shop.run("-v", "apply", "nobody")
    assert done.stderr.count("no seed is called 'nobody'") == 1, done.stderr
