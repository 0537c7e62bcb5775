"""`seedframe env`, as a user runs it: in a process of its own, without any database."""

import json
from pathlib import Path
from typing import Any

import pytest

from seedframe.configuration.dotenv import parse_dotenv
from tests.conftest import Cli, Folder

CANARY = "canary-7f3a"
ADMIN = f"""
from seedframe import Secret, Setting

SETTINGS = [
    Setting("SEED_EMAIL", str, default="admin@example.com", help="who may log in first"),
    Setting("SEED_PASSWORD", Secret, default="{CANARY}", help="the first password"),
    Setting("SEED_LIMIT", int, help="how many"),
    Setting("SEED_GREETING", default='two "words" # and\\nlines'),
]

def verify(settings):
    pass
"""
REFERENCE = """
from seedframe import Setting

ENVIRONMENTS = ["development", "staging"]
SETTINGS = [Setting("SEED_EMAIL", str, default="admin@example.com"), Setting("SEED_ON", bool, default=True)]

def verify(settings):
    pass
"""
OWN = [
    [
        "DATABASE_URL",
        "Secret",
        "—",
        "default",
        "(seedframe)",
        "the database; without it seedframe.toml's, libpq's variables, or a PostgreSQL of seedframe's own",
    ],
    ["SEEDFRAME_ENV", "str", "development", "default", "(seedframe)", "the environment, where --env names none"],
    [
        "SUPABASE_URL",
        "str",
        "—",
        "default",
        "(seedframe)",
        "where Supabase is, whose Auth may keep the accounts",
    ],
    ["SUPABASE_SERVICE_ROLE_KEY", "Secret", "—", "default", "(seedframe)", "the key of its service role"],
]
BROKEN = "from seedframe import Setting\nSETTINGS = [Setting('A B')]\n"
PLAIN = "def verify():\n    pass\n"


@pytest.fixture
def shop(tmp_path: Path, cli: Cli) -> Folder:
    """A project with two seeds that read variables; no DATABASE_URL and no server."""
    folder = Folder(tmp_path, cli)
    folder.write(
        {
            "seedframe.toml": '[project]\nname = "shop"\n',
            "seeds/10_admin.py": ADMIN,
            "seeds/20_reference.py": REFERENCE,
        }
    )
    return folder


def document(folder: Folder, *arguments: str, **env: str) -> dict[str, Any]:
    done = folder.run("env", "--format", "json", *arguments, env=env)
    assert CANARY not in done.stdout + done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def test_the_list_for_people(shop: Folder) -> None:
    shop.write({".env": "SEED_GREETING=hello\n", "limit": "5\n"})
    done = shop.run("env", env={"SEED_PASSWORD": f"{CANARY}-set", "SEED_LIMIT_FILE": "limit"})
    assert (done.returncode, done.stderr) == (0, "")
    table = [
        ["variable", "type", "default", "value", "seeds", "help"],
        ["SEED_EMAIL", "str", "admin@example.com", "default", "admin, reference", "who may log in first"],
        ["SEED_PASSWORD", "Secret", "********", "set (environment)", "admin", "the first password"],
        ["SEED_LIMIT", "int", "—", f"set (file {shop.path / 'limit'})", "admin", "how many"],
        ["SEED_GREETING", "str", r'two "words" # and\nlines', "set (.env)", "admin", ""],
        ["SEED_ON", "bool", "true", "default", "reference", ""],
        *OWN,
    ]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    aligned = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
    assert done.stdout.splitlines() == [*aligned, "", "9 variables in development: 3 set, 6 default"]


def test_what_is_wrong_is_listed_below(shop: Folder) -> None:
    shop.write({"seeds/30_broken.py": BROKEN})
    done = shop.run("env", env={"SEED_ON": "maybe"})
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[-5:-2] == [
        (
            "✗ seed 'admin': SEED_LIMIT is not set "
            "(set it (how many) in the environment or in .env, or set SEED_LIMIT_FILE)"
        ),
        "✗ environment: SEED_ON is not true or false (true, yes, on, 1 or false, no, off, 0)",
        (
            "✗ broken: seeds/30_broken.py:2: cannot be imported: ValueError: Setting('A B'): "
            "a name has letters, digits and _, and begins with no digit (run with -v for the traceback)"
        ),
    ]
    assert lines[-1] == "9 variables in development: 7 default, 1 missing, 1 invalid"
    assert CANARY not in str(done)


def test_colour_and_ascii(shop: Folder) -> None:
    coloured = shop.run("env", "--color", "always").stdout
    assert "\x1b[1mSEED_EMAIL" in coloured
    plain = shop.run("env", env={"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}).stdout
    assert plain.isascii()
    assert "\x1b" not in plain


def test_json_has_no_values(shop: Folder) -> None:
    found = document(shop, SEED_PASSWORD=f"{CANARY}-set", SEED_LIMIT=CANARY)
    problem = {
        "code": "config",
        "message": "SEED_LIMIT is not a whole number",
        "hint": "how many",
        "where": "environment",
    }
    assert {key: value for key, value in found.items() if key not in ("variables", "own")} == {
        "schema": 1,
        "command": "env",
        "project": "shop",
        "env": "development",
        "problems": [problem],
        "warnings": [],
        "broken": [],
    }
    assert [(entry["name"], entry["seeds"], entry["state"]) for entry in found["own"]] == [
        (row[0], [], "default") for row in OWN
    ]
    assert [set(entry) for entry in found["own"]] == [set(found["variables"][0])] * len(OWN)
    assert found["variables"][:3] == [
        {
            "name": "SEED_EMAIL",
            "type": "str",
            "required": False,
            "secret": False,
            "default": "admin@example.com",
            "choices": None,
            "state": "default",
            "source": None,
            "seeds": ["admin", "reference"],
            "help": "who may log in first",
        },
        {
            "name": "SEED_PASSWORD",
            "type": "Secret",
            "required": False,
            "secret": True,
            "default": "********",
            "choices": None,
            "state": "set",
            "source": "environment",
            "seeds": ["admin"],
            "help": "the first password",
        },
        {
            "name": "SEED_LIMIT",
            "type": "int",
            "required": True,
            "secret": False,
            "default": None,
            "choices": None,
            "state": "invalid",
            "source": "environment",
            "seeds": ["admin"],
            "help": "how many",
        },
    ]


def test_only_seeds_of_the_environment_count(shop: Folder) -> None:
    names = [entry["name"] for entry in document(shop, "--env", "production")["variables"]]
    assert names == ["SEED_EMAIL", "SEED_PASSWORD", "SEED_LIMIT", "SEED_GREETING"]
    shop.write({"seedframe.toml": "[seeds.admin]\nenabled = false\n"})
    assert [entry["name"] for entry in document(shop)["variables"]] == ["SEED_EMAIL", "SEED_ON"]


@pytest.mark.parametrize("format_", ["text", "json"])
def test_check(shop: Folder, format_: str) -> None:
    def check(**env: str) -> int:
        return shop.run("env", "--check", "--format", format_, env=env).returncode

    assert check(SEED_LIMIT="5") == 0
    assert check() == 1
    assert check(SEED_LIMIT="many") == 1
    shop.write({"seeds/30_other.py": REFERENCE.replace('"SEED_ON", bool', '"SEED_LIMIT", str').replace("True", '"x"')})
    assert check(SEED_LIMIT="5") == 1
    shop.write({"seeds/40_broken.py": BROKEN})
    assert check(SEED_LIMIT="5") == 3


def test_check_cannot_look(shop: Folder) -> None:
    shop.write({"seedframe.toml": "[databse]\n[projct]\n"})
    done = shop.run("env", "--check")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines() == [
        "error: seedframe.toml:1: databse: unknown table",
        " hint: did you mean 'database'?",
        "error: seedframe.toml:2: projct: unknown table",
        " hint: did you mean 'project'?",
    ]


def test_contradicting_declarations(shop: Folder) -> None:
    shop.write({"seeds/30_other.py": REFERENCE.replace('"SEED_ON", bool', '"SEED_LIMIT", str').replace("True", '"x"')})
    [problem] = document(shop, SEED_LIMIT="5")["problems"]
    assert problem["message"] == "SEED_LIMIT is str in seed 'other' and int in seed 'admin'"


def test_the_example_is_a_dotenv_file(shop: Folder) -> None:
    done = shop.run("env", "--example")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "# What the seeds of shop read. Copy this file to .env and fill it in.\n"
        "\n"
        "# the database; without it seedframe.toml's, libpq's variables, or a PostgreSQL of seedframe's own\n"
        "# Secret, read by seedframe\n"
        "# DATABASE_URL=\n"
        "\n"
        "# the environment, where --env names none\n"
        "# str, read by seedframe\n"
        "# SEEDFRAME_ENV=development\n"
        "\n"
        "# where Supabase is, whose Auth may keep the accounts\n"
        "# str, read by seedframe\n"
        "# SUPABASE_URL=\n"
        "\n"
        "# the key of its service role\n"
        "# Secret, read by seedframe\n"
        "# SUPABASE_SERVICE_ROLE_KEY=\n"
        "\n"
        "# who may log in first\n"
        "# str, read by admin, reference\n"
        "# SEED_EMAIL=admin@example.com\n"
        "\n"
        "# the first password\n"
        "# Secret, read by admin\n"
        "# SEED_PASSWORD=\n"
        "\n"
        "# how many\n"
        "# int, required, read by admin\n"
        "SEED_LIMIT=\n"
        "\n"
        "# str, read by admin\n"
        '# SEED_GREETING="two \\"words\\" # and\\nlines"\n'
        "\n"
        "# bool, read by reference\n"
        "# SEED_ON=true\n"
    )
    parsed = parse_dotenv(done.stdout)
    assert (parsed.values, parsed.problems) == ({"SEED_LIMIT": ""}, ())
    filled = parse_dotenv(done.stdout.replace("# SEED_", "SEED_"))
    assert filled.problems == ()
    assert filled.values["SEED_GREETING"] == 'two "words" # and\nlines'


def test_the_example_names_what_it_had_to_leave_out(shop: Folder) -> None:
    shop.write({"seeds/30_broken.py": BROKEN})
    done = shop.run("env", "--example")
    assert done.returncode == 0
    assert done.stderr.startswith("error: seeds/30_broken.py:2: cannot be imported: ValueError: Setting('A B')")
    assert parse_dotenv(done.stdout).problems == ()


@pytest.mark.parametrize("other", [["--check"], ["--format", "json"]])
def test_the_example_stands_alone(shop: Folder, other: list[str]) -> None:
    done = shop.run("env", "--example", *other)
    assert done.returncode == 3
    assert done.stderr == (
        "error: --example cannot be combined with --check or --format json\n hint: drop one of them\n"
    )


def test_seeds_that_read_nothing(tmp_path: Path, cli: Cli) -> None:
    folder = Folder(tmp_path, cli)
    folder.write({"seedframe.toml": '[project]\nname = "shop"\n', "seeds/10_a.py": PLAIN})
    done = folder.run("env", "--check")
    assert done.returncode == 0
    assert done.stdout.startswith(
        "variable                   type    default      value    seeds        help\nDATABASE_URL "
    )
    assert done.stdout.endswith("\n\nNo seed of shop reads a variable in development.\n")


def test_what_steers_a_terminal_is_escaped(tmp_path: Path, cli: Cli) -> None:
    folder = Folder(tmp_path, cli)
    seed = PLAIN + 'from seedframe import Setting\nSETTINGS = [Setting("A", default="\\x1b[31m", help="\\x1b]8;;x")]\n'
    folder.write({"seedframe.toml": "", "seeds/10_a.py": seed})
    shown = folder.run("env").stdout
    assert r"\x1b[31m" in shown
    example = folder.run("env", "--example").stdout
    assert example.endswith("# A=\n")
    for printed in (shown, example):
        assert "\x1b" not in printed
        assert r"\x1b]8;;x" in printed


def test_no_database_is_touched(shop: Folder) -> None:
    done = shop.run("env", env={"DATABASE_URL": "not an address at all", "SEED_LIMIT": "1"})
    assert (done.returncode, done.stderr) == (0, "")
    assert not (shop.path / ".seedframe").exists()
