"""`seedframe env` beyond a plain list: choices, own variables, secrets that others can read, and a .env.example."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from seedframe.cli.env import overview
from seedframe.configuration.dotenv import parse_dotenv
from seedframe.project import Project
from tests.conftest import Cli, Folder

CANARY = "canary-7f3a"
SEED = """
from seedframe import Secret, Setting, parse_accounts

SETTINGS = [
    Setting("SEED_ROLE", choices=["admin", "support"], default="admin", help="what the first one is"),
    Setting("SEED_PLAN", int, choices=(1, 2)),
    Setting("SEED_OTHERS", default="", parse=lambda text: parse_accounts(text, roles=["admin", "support"])),
    Setting("SEED_PASSWORD", Secret, default=None),
]

def verify(settings):
    pass
"""
OWN = ["DATABASE_URL", "SEEDFRAME_ENV", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"]


@pytest.fixture
def shop(cli: Cli) -> Iterator[Folder]:
    """A project in a folder that every user can come to, unlike those that pytest makes."""
    with TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        assert all(folder.stat().st_mode & 0o001 for folder in path.parents)
        made = Folder(path, cli)
        made.write({"seedframe.toml": '[project]\nname = "shop"\n', "seeds/10_admin.py": SEED})
        yield made


def document(folder: Folder, *arguments: str, **env: str) -> dict[str, Any]:
    """The JSON, without any value in it."""
    done = folder.run("env", "--format", "json", *arguments, env={"SEED_PLAN": "1", **env})
    assert CANARY not in done.stdout + done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def problems(folder: Folder, **env: str) -> list[tuple[str | None, str, str | None]]:
    """What --check complains about."""
    return [(each["where"], each["message"], each["hint"]) for each in document(folder, **env)["problems"]]


def warnings(folder: Folder, **env: str) -> list[tuple[str | None, str, str | None]]:
    """What it warns of, and fails nothing for."""
    found = document(folder, "--check", **env)
    assert found["problems"] == []
    return [(each["where"], each["message"], each["hint"]) for each in found["warnings"]]


# Choices and functions


def test_choices_are_shown_wherever_a_variable_is(shop: Folder) -> None:
    found = {entry["name"]: entry for entry in document(shop)["variables"]}
    assert found["SEED_ROLE"]["choices"] == ["admin", "support"]
    assert found["SEED_PLAN"]["choices"] == ["1", "2"]
    assert found["SEED_OTHERS"]["choices"] is None
    text = shop.run("env").stdout
    assert "what the first one is (one of admin, support)\n" in text
    assert " one of 1, 2\n" in text
    example = shop.run("env", "--example").stdout
    assert "# str, one of admin, support, read by admin\n# SEED_ROLE=admin\n" in example
    assert "# int, required, one of 1, 2, read by admin\nSEED_PLAN=\n" in example


def test_what_is_no_choice_or_cannot_be_parsed_fails_the_check(shop: Folder) -> None:
    env = {"SEED_ROLE": "suport", "SEED_PLAN": "3", "SEED_OTHERS": f"a@example.com:{CANARY}"}
    assert problems(shop, **env) == [
        ("environment", "SEED_ROLE is none of admin, support", "did you mean 'support'?"),
        ("environment", "SEED_PLAN is none of 1, 2", None),
        (
            "environment",
            "SEED_OTHERS: the role of entry 1 (a@example.com) is not one of admin, support",
            "a role is written exactly as it is listed",
        ),
    ]
    assert shop.run("env", "--check", env=env).returncode == 1
    assert shop.run("env", "--check", env={"SEED_PLAN": "2"}).returncode == 0


def test_what_steers_a_terminal_in_a_choice_is_escaped(shop: Folder) -> None:
    shop.write({"seeds/10_admin.py": SEED.replace('"admin", "support"], default', '"admin", "\\x1b[31m"], default')})
    for arguments in (["env"], ["env", "--example"], ["env", "--check"]):
        done = shop.run(*arguments, env={"SEED_ROLE": "x"})
        assert "\x1b" not in done.stdout
        assert r"\x1b[31m" in done.stdout


# What seedframe reads itself


def test_what_seedframe_reads_itself_is_listed_with_where_it_comes_from(shop: Folder) -> None:
    (shop.path / "url").write_text(f"postgresql://a:{CANARY}@db.example.com/shop\n")
    (shop.path / "url").chmod(0o600)
    shop.write({".env": "SEEDFRAME_ENV=staging\n"})
    found = document(shop, DATABASE_URL_FILE="url")
    assert [(entry["name"], entry["state"], entry["source"]) for entry in found["own"]] == [
        ("DATABASE_URL", "set", f"file {shop.path / 'url'}"),
        ("SEEDFRAME_ENV", "set", ".env"),
        ("SUPABASE_URL", "default", None),
        ("SUPABASE_SERVICE_ROLE_KEY", "default", None),
    ]
    assert found["env"] == "staging"
    assert found["problems"] == found["warnings"] == []


def test_nothing_but_the_database_is_read_from_a_file(shop: Folder) -> None:
    states = {entry["name"]: entry["state"] for entry in document(shop, SEEDFRAME_ENV_FILE="gone")["own"]}
    assert states == dict.fromkeys(OWN, "default")


def backend(folder: Folder, name: str) -> Folder:
    """The project, its accounts kept there."""
    folder.write({"seedframe.toml": f'[project]\nname = "shop"\n[accounts]\nbackend = "{name}"\n'})
    return folder


def test_supabases_variables_are_read_where_its_accounts_may_be(shop: Folder) -> None:
    wrong = {"SUPABASE_URL": "https://a.example.com", "SUPABASE_SERVICE_ROLE_KEY_FILE": "gone"}
    where = f"SUPABASE_SERVICE_ROLE_KEY_FILE={shop.path / 'gone'}"
    assert [each[0] for each in warnings(shop, **wrong)] == [where]
    assert [entry["name"] for entry in document(backend(shop, "local"), **wrong)["own"]] == OWN[:2]
    assert warnings(shop, **wrong) == []
    backend(shop, "supabase")
    assert [each[0] for each in problems(shop, **wrong)] == [where]
    assert [each[1] for each in problems(shop)] == [f"{name} is not set" for name in OWN[2:]]
    assert "\nSUPABASE_SERVICE_ROLE_KEY=\n" in shop.run("env", "--example").stdout
    env = {"SUPABASE_URL": "https://a.example.com", "SUPABASE_SERVICE_ROLE_KEY": f" {CANARY}\n"}
    assert warnings(shop, **env) == []


def test_what_a_seed_declares_too_is_listed_once(shop: Folder) -> None:
    shop.write(
        {
            "seeds/20_x.py": 'from seedframe import Setting\nSETTINGS = [Setting("SEEDFRAME_ENV", default="x")]\n'
            "def verify(): pass\n"
        }
    )
    found = document(shop)
    assert [entry["name"] for entry in found["own"]] == [name for name in OWN if name != "SEEDFRAME_ENV"]
    assert "SEEDFRAME_ENV" in [entry["name"] for entry in found["variables"]]
    assert shop.run("env", "--example").stdout.count("SEEDFRAME_ENV=") == 1


@pytest.mark.parametrize("url", [f"postgresql://a:{CANARY}@b@c/d", f"mysql://a:{CANARY}@b/c", f"{CANARY} {CANARY}"])
def test_an_address_that_is_malformed_fails_the_check_and_is_not_shown(shop: Folder, url: str) -> None:
    env = {"DATABASE_URL": url, "SEED_PLAN": "1"}
    done = shop.run("env", "--check", env=env)
    assert done.returncode == 1
    assert "✗ DATABASE_URL: " in done.stdout
    assert CANARY not in done.stdout + done.stderr


# Secrets that others could read


@pytest.mark.parametrize(
    ("mode", "verb"), [(0o600, None), (0o640, None), (0o644, "read"), (0o666, "write"), (0o622, "write")]
)
def test_a_secrets_file_that_is_open_to_others_is_a_warning(shop: Folder, mode: int, verb: str | None) -> None:
    file = shop.path / "password"
    file.write_text(CANARY)
    file.chmod(mode)
    message = f"every user of this machine may {verb} it, and a secret is in it"
    expected = [] if verb is None else [(str(file), message, f"chmod 600 {file}")]
    assert warnings(shop, SEED_PASSWORD_FILE="password") == expected
    assert warnings(shop, SEED_OTHERS_FILE="") == []


def test_a_file_in_a_folder_that_others_cannot_enter_is_safe(shop: Folder) -> None:
    folder = shop.path / "own"
    folder.mkdir(mode=0o700)
    (folder / "password").write_text(CANARY)
    (folder / "password").chmod(0o666)
    assert warnings(shop, SEED_PASSWORD_FILE="own/password") == []


def test_a_file_without_a_secret_may_be_read(shop: Folder) -> None:
    (shop.path / "others").write_text("a@example.com:admin")
    (shop.path / "others").chmod(0o666)
    assert warnings(shop, SEED_OTHERS_FILE="others") == []


def test_a_dotenv_with_a_secret_in_it_that_is_open_to_others_is_a_warning(shop: Folder) -> None:
    shop.write({".env": f"SEED_PASSWORD={CANARY}\n"})
    (shop.path / ".env").chmod(0o644)
    message = "every user of this machine may read it, and a secret is in it"
    assert warnings(shop) == [(".env", message, "chmod 600 .env")]
    assert f"! .env: {message} (chmod 600 .env)\n" in shop.run("env").stdout
    shop.write({".env": "SEED_ROLE=support\n"})
    assert warnings(shop) == []


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_a_dotenv_with_a_secret_in_it_that_git_would_take_is_a_warning(shop: Folder) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=shop.path, check=True, capture_output=True)

    shop.write({".env": f"SEED_PASSWORD={CANARY}\n"})
    (shop.path / ".env").chmod(0o600)
    assert warnings(shop) == []
    git("init")
    taken = [(".env", "git does not ignore it, and secrets are in it", "write .env into .gitignore")]
    assert warnings(shop) == taken
    shop.write({".gitignore": "/.env\n"})
    assert warnings(shop) == []
    git("add", "--force", ".env")
    assert warnings(shop) == taken
    git("rm", "--cached", ".env")
    shop.write({".env": "SEED_ROLE=support\n", ".gitignore": ""})
    assert warnings(shop) == []


def test_warnings_fail_nothing(shop: Folder) -> None:
    done = shop.run("env", "--check", env={"SEED_PLAN": "1", "SEED_PASSWORD": f"{CANARY}\n"})
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        "! environment: SEED_PASSWORD has blanks or line breaks around it, which are part of its value "
        "(take them away, unless they are meant)\n"
    ) in done.stdout
    assert CANARY not in done.stdout


def test_the_overview_is_data_for_a_program(shop: Folder) -> None:
    found = overview(Project.load(shop.path))
    assert [entry.name for entry in found.own] == OWN
    assert found.exit_code == 1


# .env.example


def test_the_example_goes_to_a_file_by_either_way_and_can_be_filled_in(shop: Folder) -> None:
    printed = shop.run("env", "--example").stdout
    done = shop.run("env", "--example", "--output", ".env.example")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    file = shop.path / ".env.example"
    assert file.read_text() == printed
    assert parse_dotenv(printed).values == {"SEED_PLAN": ""}
    (shop.path / ".env").write_text(printed.replace("SEED_PLAN=", "SEED_PLAN=2"))
    assert shop.run("env", "--check").returncode == 0


def test_an_example_that_is_there_is_never_overwritten(shop: Folder) -> None:
    file = shop.path / ".env.example"
    file.write_text("SEED_PLAN=my own notes\n")
    done = shop.run("env", "--example", "--output", ".env.example")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "error: --output .env.example: it is there, and says something else\n"
        " hint: remove it first, name another file, or print with > to overwrite it\n"
    )
    assert file.read_text() == "SEED_PLAN=my own notes\n"
    file.unlink()
    for _ in range(2):
        assert shop.run("env", "--example", "--output", ".env.example").returncode == 0


@pytest.mark.parametrize(
    ("target", "complaint"), [("seeds", "it is a folder"), ("gone/.env.example", "there is no folder")]
)
def test_an_example_that_cannot_be_written(shop: Folder, target: str, complaint: str) -> None:
    done = shop.run("env", "--example", "--output", target)
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: --output {target}: {complaint}")


def test_the_example_goes_to_a_device(shop: Folder) -> None:
    done = shop.run("env", "--example", "--output", "/dev/stdout")
    assert (done.returncode, done.stdout) == (0, shop.run("env", "--example").stdout)


def test_an_output_is_for_the_example(shop: Folder) -> None:
    done = shop.run("env", "--output", "x")
    assert done.returncode == 3
    assert done.stderr == "error: --output is for the example\n hint: seedframe env --example --output FILE\n"
