"""`seedframe list`: what a person and a program are told of the seeds, without a database."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli

CONFIG = '[project]\nname = "shop"\n'
SEED = "def verify(): pass\n"
FILES = {
    "seedframe.toml": CONFIG + "[seeds.late]\norder = 95\n[seeds.off]\nenabled = false\n",
    "seeds/00_core.py": '"""What everything stands on."""\nfrom seedframe import Extension, Tables\n'
    "def resources():\n    yield Tables('users')\n    yield Extension('pgcrypto', required=False)\n",
    "seeds/9_first.py": "REQUIRES = ['core']\nTAGS = ['b', 'a']\nCRITICAL = False\n"
    "def check(): pass\ndef apply(): pass\n",
    "seeds/10_late.py": "ENVIRONMENTS = ['staging', 'production']\ndef resources(db, settings): return []\n",
    "seeds/20_off.py": SEED,
}

TEXT = """\
00_core  seeds/00_core.py
    What everything stands on.
    - table users
    - extension pgcrypto (optional)
9_first  seeds/9_first.py  (requires core; tags a, b; not critical)
    - compared and changed by its own hooks
20_off   seeds/20_off.py  (disabled)
10_late  seeds/10_late.py  (order 95; only in production, staging, not in development)
    - known only when it runs: `resources` asks for db and settings
"""

List = Callable[..., Any]


@pytest.fixture
def listed(tmp_path: Path, cli: Cli) -> List:
    """`listed({"seeds/10_a.py": "…"}, "--tag", "x")`: what the command printed, and how it ended."""

    def listed(files: Mapping[str, str], *arguments: str) -> Any:
        for file, text in {"seedframe.toml": CONFIG, **files}.items():
            (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file).write_text(text, encoding="utf-8")
        return cli("list", *arguments, cwd=tmp_path)

    return listed


def test_seeds_are_listed_in_run_order_with_what_sets_them_apart(listed: List) -> None:
    done = listed(FILES)
    assert (done.returncode, done.stdout, done.stderr) == (0, TEXT, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["core"], ["00_core"]),
        (["10_late", "core"], ["00_core", "10_late"]),
        (["--tag", "a"], ["9_first"]),
        (["--skip", "core", "--skip", "9_first"], ["20_off", "10_late"]),
    ],
)
def test_a_selection_is_listed_alone(listed: List, arguments: list[str], expected: list[str]) -> None:
    done = listed(FILES, "--format", "json", *arguments)
    assert [seed["seed"] for seed in json.loads(done.stdout)["seeds"]] == expected


def test_json_says_the_same(listed: List) -> None:
    done = listed(FILES, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert (document["schema"], document["project"], document["env"]) == (1, "shop", "development")
    assert document["problems"] == []
    core, first, off, late = document["seeds"]
    assert core == {
        "seed": "00_core",
        "name": "core",
        "number": 0,
        "origin": "seeds/00_core.py",
        "description": "What everything stands on.",
        "requires": [],
        "tags": [],
        "environments": None,
        "enabled": True,
        "runs": True,
        "critical": True,
        "settings": [],
        "writes": [],
        "resources": [
            {"resource": "tables:users", "description": "table users"},
            {"resource": "extension:pgcrypto", "description": "extension pgcrypto (optional)"},
        ],
        "broken": False,
        "errors": [],
    }
    assert (first["requires"], first["tags"], first["critical"]) == (["core"], ["a", "b"], False)
    assert [resource["resource"] for resource in first["resources"]] == ["hook:check"]
    assert (off["enabled"], off["runs"]) == (False, False)
    assert (late["number"], late["environments"], late["runs"]) == (95, ["production", "staging"], False)
    assert late["resources"] is None


def test_broken_seeds_are_shown_with_the_reason_among_the_others(listed: List) -> None:
    files = {
        "seeds/10_a.py": "import sys\nsys.exit('bye')\n",
        "seeds/20_b.py": "def verify(databas): pass\n",
        "seeds/30_c.py": "REQUIRES = ['d']\n" + SEED,
        "seeds/40_d.py": SEED,
    }
    done = listed(files)
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        "10_a  seeds/10_a.py",
        "    broken: seeds/10_a.py:2: calls sys.exit() while it is imported",
        "20_b  seeds/20_b.py",
        "    broken: seeds/20_b.py:1: seed 20_b: 'verify' asks for 'databas', which it cannot be given",
        "     hint: did you mean 'db'? It may ask for db, seed, env, config, settings",
        "30_c  seeds/30_c.py  (requires d)",
        "    broken: seeds/30_c.py: seed 30_c requires 'd', which comes later (40_d)",
        "     hint: rename it to 50_c, or set order = 50 under [seeds.c] in seedframe.toml",
        "40_d  seeds/40_d.py",
    ]
    document = json.loads(listed(files, "--format", "json").stdout)
    assert [seed["broken"] for seed in document["seeds"]] == [True, True, True, False]
    assert [seed["errors"][0]["code"] for seed in document["seeds"][:3]] == ["seed_import", "hook", "requirement"]


def test_resources_that_raise_are_told_and_the_rest_is_listed(listed: List) -> None:
    done = listed({"seeds/10_a.py": "def resources():\n    return 1 / 0\n", "seeds/20_b.py": SEED})
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        "10_a  seeds/10_a.py",
        "    error: seeds/10_a.py:2: `resources` of seed 10_a failed: ZeroDivisionError: division by zero",
        "     hint: run with -v for the traceback",
        "20_b  seeds/20_b.py",
    ]


def test_what_is_wrong_with_the_project_is_told_after_the_list(listed: List) -> None:
    done = listed({"seedframe.toml": CONFIG + "[seeds.aa]\nx = 1\n", "seeds/10_aaa.py": SEED, "seeds/foo.py": ""})
    assert done.returncode == 3
    assert done.stdout == "10_aaa  seeds/10_aaa.py\n"
    assert done.stderr.splitlines() == [
        "error: seeds/foo.py: neither a seed (NN_name) nor a helper (_name)",
        " hint: call it 10_foo.py, or _foo.py if it is a helper",
        "error: seedframe.toml:3 [seeds.aa]: no seed is called 'aa'",
        " hint: did you mean 'aaa'?",
    ]


def test_no_seeds_at_all_is_not_a_list(listed: List) -> None:
    done = listed({})
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: no seeds found: seeds/ does not exist\n hint: `seedframe new seed")


def test_nothing_a_seed_says_of_itself_steers_the_terminal(listed: List) -> None:
    done = listed({"seeds/10_a.py": "'''Red \\x1b[31m and a bell \\a.'''\nTAGS = ['\\x1b[2J']\n" + SEED})
    assert "Red \\x1b[31m and a bell \\x07." in done.stdout
    assert "\x1b" not in done.stdout
