"""`seedframe lint` as a person, a program and GitHub see it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from seedframe.cli.main import main
from seedframe.linting.rules import RULES
from tests.conftest import Cli
from tests.linted import write

VERIFY = "def verify(db):\n    pass\n"
BROKEN = {"seeds/10_shop.py": "def verify(database):\n    pass\n", "seeds/20_plans.py": VERIFY}


def test_text_has_a_line_for_each_mistake_its_hint_and_a_summary(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, BROKEN)
    done = cli("lint", cwd=tmp_path, env={"DATABASE_URL": "nonsense://:x@[", "SEEDFRAME_ENV": "  ", "PGHOST": "\x01"})
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "seeds/10_shop.py:1:12: SF102 'verify' asks for 'database', which it cannot be given\n"
        "  hint: did you mean 'db'? It may ask for db, seed, env, config, settings\n"
        "note: 10_shop was looked at only as it is written: the seed is broken\n"
        "Found 1 mistake in 1 file (2 seeds, 0 data files).\n"
    )
    coloured = cli("lint", "--color", "always", cwd=tmp_path)
    assert "\x1b[1mseeds/10_shop.py:1:12:\x1b[0m \x1b[1;31mSF102\x1b[0m" in coloured.stdout


def test_a_project_without_mistakes_ends_with_0(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, {"seeds/10_shop.py": VERIFY, ".env": "not a line of it\n"})
    done = cli("lint", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "All is well: 1 seed, 0 data files.\n", "")


def test_json_is_as_documented(tmp_path: Path, cli: Cli) -> None:
    write(tmp_path, BROKEN)
    done = cli("lint", "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert document.pop("version")
    assert document == {
        "schema": 1,
        "command": "lint",
        "exit_code": 1,
        "summary": {"findings": 1, "files_with_findings": 1, "seeds": 2, "files": 0},
        "counts": {"SF102": 1},
        "findings": [
            {
                "code": "SF102",
                "name": "unknown-argument",
                "path": "seeds/10_shop.py",
                "line": 1,
                "column": 12,
                "message": "'verify' asks for 'database', which it cannot be given",
                "hint": "did you mean 'db'? It may ask for db, seed, env, config, settings",
                "seed": "10_shop",
            }
        ],
        "seeds": ["10_shop", "20_plans"],
        "unknown": [{"seed": "10_shop", "reason": "the seed is broken"}],
    }


def test_what_was_not_looked_at_of_a_plugin_is_said(tmp_path: Path, cli: Cli) -> None:
    """A required option without choices has no value until a project gives it one; of choices, all are looked at."""
    module = tmp_path / "geo.py"
    files = {
        "pyproject.toml": '[project]\nname = "seedframe-geo"\n[project.entry-points.seedframe]\n30_geo = "geo"\n',
        "DE.csv": "code\nA\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    seed = (
        "from seedframe import Option, Rows\n"
        "WRITES = ['geo']\n"
        "OPTIONS = [Option('countries', list[str]), Option('x', int), Option('y', int, default=1)]\n"
        "def resources(config):\n"
        "    for name in config['countries']:\n"
        "        yield Rows('geo', name=name, key='code', file=f'{name}.csv')\n"
    )
    module.write_text(seed)
    done = cli("lint", cwd=tmp_path)
    assert done.stdout == (
        "note: 30_geo was looked at only as it is written: `resources` was not called, as only a project sets options"
        " 'countries', 'x'; give values to be tried under [tool.seedframe.seeds.geo] in pyproject.toml: countries = …\n"
        "Nothing was found; what 1 seed would declare is not known (1 seed, 0 data files).\n"
    )
    for file, table in (("pyproject.toml", "tool.seedframe.seeds.geo"), ("seedframe.toml", "seeds.geo")):
        before = (tmp_path / file).read_text() if file in files else ""
        (tmp_path / file).write_text(f"{before}[{table}]\ncountries = ['DE', 'FR']\nx = 'one'\n")
        done = cli("lint", cwd=tmp_path)
        assert done.returncode == 1
        line = before.count("\n") + 3
        assert f"{file}:{line}:1: SF303 'x' is not a whole number\nnote: 30_geo was " in done.stdout
        assert "its options do not fit" in done.stdout
        assert done.stdout.count(" SF") == 1
        (tmp_path / file).write_text(f"{before}[{table}]\ncountries = ['DE', 'FR']\nx = 1\n")
        done = cli("lint", cwd=tmp_path)
        assert done.returncode == 1
        assert "SF501 file 'FR.csv' does not exist" in done.stdout
        assert done.stdout.count(" SF") == 1
        (tmp_path / file).unlink()
        (tmp_path / "pyproject.toml").write_text(files["pyproject.toml"])
    chosen = seed.replace("list[str])", "list[str], choices=['DE', 'FR'])").replace(
        "'x', int)", "'x', int, choices=[4])"
    )
    module.write_text(chosen)
    done = cli("lint", cwd=tmp_path)
    assert done.returncode == 1
    assert "SF501 file 'FR.csv' does not exist" in done.stdout
    module.write_text(seed.partition("def ")[0] + "def verify(): pass\n")
    assert cli("lint", cwd=tmp_path).stdout == "All is well: 1 seed, 0 data files.\n"


def test_annotations_are_relative_to_the_repository(tmp_path: Path, cli: Cli) -> None:
    """GitHub reads them so, whatever folder the step works in."""
    inside = tmp_path / "repository" / "services" / "shop"
    inside.mkdir(parents=True)
    write(inside, {"seeds/10_shop.py": "def verify(database): pass\n"})
    for workspace, path in (
        (tmp_path / "repository", "services/shop/seeds/10_shop.py"),
        (tmp_path / "elsewhere", "seeds/10_shop.py"),
        ("", "seeds/10_shop.py"),
    ):
        done = cli("lint", "--format", "github", cwd=inside, env={"GITHUB_WORKSPACE": str(workspace)})
        assert done.stdout.startswith(f"::error file={path},line=1,")
    (tmp_path / "link").symlink_to(tmp_path / "repository")
    done = cli("lint", "--format", "github", cwd=inside, env={"GITHUB_WORKSPACE": str(tmp_path / "link")})
    assert done.stdout.startswith("::error file=services/shop/seeds/10_shop.py,line=1,")


def test_annotations_for_github_are_escaped(tmp_path: Path, cli: Cli) -> None:
    rows = 'from seedframe import Rows\n\n\ndef resources():\n    yield Rows("p", key="k", file="a, b:100%.csv")\n'
    write(tmp_path, {"seeds/10_shop.py": rows, "seeds/a, b:100%.csv": "k,50%\u2028off\nA\n"})
    done = cli("lint", "--format", "github", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        (
            "::error file=seeds/a%2C b%3A100%25.csv,line=1,col=3,title=SF509 header-blanks::"
            "column '50%25\\u2028off' holds what cannot be seen (write just the name)"
        ),
        (
            "::error file=seeds/a%2C b%3A100%25.csv,line=2,col=1,title=SF511 field-count::"
            "1 field, but the header has 2 (fill in the missing fields)"
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plans"], []),
        (["10_shop"], ["SF102"]),
        (["shop", "plans"], ["SF102"]),
        (["seeds/10_shop.py"], ["SF102"]),
        (["seeds"], ["SF102"]),
        (["seeds/20_plans.py", "README.md"], []),
        (["--select", "SF2,SF5"], []),
        (["--select", "sf1"], ["SF102"]),
        (["--select", "unknown-argument"], ["SF102"]),
        (["--ignore", "SF102"], []),
        (["--select", "SF1", "--ignore", "SF101"], ["SF102"]),
    ],
)
def test_only_what_is_asked_for_is_told(tmp_path: Path, cli: Cli, arguments: list[str], expected: list[str]) -> None:
    write(tmp_path, {**BROKEN, "README.md": "# Shop\n"})
    done = cli("lint", "--format", "json", *arguments, cwd=tmp_path)
    assert [each["code"] for each in json.loads(done.stdout)["findings"]] == expected, done
    assert done.returncode == (1 if expected else 0)


def test_the_configuration_selects_rules_and_the_command_line_overrules_it(tmp_path: Path, cli: Cli) -> None:
    config = '[project]\nname = "shop"\n\n[lint]\nignore = ["unknown-argument"]\n'
    write(tmp_path, {**BROKEN, "seedframe.toml": config})
    assert cli("lint", cwd=tmp_path).returncode == 0
    assert cli("lint", "--ignore", "SF5", cwd=tmp_path).returncode == 1


def test_a_missing_file_that_a_seed_names_may_be_asked_for(tmp_path: Path, cli: Cli) -> None:
    rows = "from seedframe import Rows\n\n\ndef resources():\n    yield Rows('p', key='k', file='p.csv')\n"
    write(tmp_path, {"seeds/10_shop.py": rows})
    done = cli("lint", "seeds/p.csv", cwd=tmp_path)
    assert (done.returncode, " SF501 " in done.stdout) == (1, True), done


@pytest.mark.parametrize(
    ("files", "arguments", "message"),
    [
        ({"seedframe.toml": "x = "}, [], "error: seedframe.toml:1: not valid TOML: "),
        ({"seeds/README": "x"}, [], "error: no seeds found: seeds/ has no seeds\n"),
        (BROKEN, ["--select", "SF999"], "error: --select: there is no rule 'SF999'\n hint: "),
        (BROKEN, ["shopp"], "error: no seed is called 'shopp', and no file\n hint: did you mean 'shop'?\n"),
        (
            BROKEN,
            ["seeds/10_shpo.py"],
            "error: there is no file 'seeds/10_shpo.py'\n hint: did you mean 'seeds/10_shop.py'?\n",
        ),
        (
            BROKEN,
            ["shop", "elsewhere/at/all"],
            "error: there is no file 'elsewhere/at/all'\n hint: paths begin at the folder that you are in\n",
        ),
        (BROKEN, ["--explain", "SF1055"], "error: there is no rule 'SF1055'\n hint: did you mean 'SF105'?\n"),
        (
            {**BROKEN, "seedframe.toml": '[lint]\nselect = ["x"]\n'},
            [],
            "error: seedframe.toml [lint] select: there is no",
        ),
    ],
)
def test_what_cannot_be_looked_at_ends_with_3(
    tmp_path: Path, cli: Cli, files: dict[str, Any], arguments: list[str], message: str
) -> None:
    write(tmp_path, files)
    done = cli("lint", *arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(message), done


def test_rules_are_explained(tmp_path: Path, cli: Cli) -> None:
    done = cli("lint", "--explain", "sf105", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("SF105 apply-without-check\n\nA seed has `apply` and no `check`.\n\n")
    assert "    # seeds/10_shop.py\n    def apply(db, plan):\n        pass\n" in done.stdout
    listed = cli("lint", "--explain", "all", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in listed] == [rule.code for rule in RULES]
    assert cli("lint", "--explain", "byte-order-mark", cwd=tmp_path).stdout.startswith("SF510 ")
    below = cli("lint", "--explain", "sf5", cwd=tmp_path).stdout.splitlines()
    assert below == [line for line in listed if line.startswith("SF5")] != []


def test_the_example_has_no_mistake(cli: Cli) -> None:
    root = Path(__file__).parents[1]
    done = cli("lint", "--select", "SF", cwd=root)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert done.stdout.endswith(
        "\nNothing was found; what 1 seed would declare is not known (3 seeds, 2 data files).\n"
    )


def test_calls_of_hooks_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {"seeds/10_shop.py": "def resources():\n    return []\n"})
    assert main(["lint", "--config", str(tmp_path), "--trace-hooks"]) == 0
    assert re.fullmatch(r"hook +[0-9.]+ ms  resources  seed shop\n", capsys.readouterr().err)
