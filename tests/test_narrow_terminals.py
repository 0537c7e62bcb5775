"""What every command prints on terminals of several widths: folded between words, and whole where it is copied."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from seedframe.reporting.cells import text_width
from tests.conftest import Cli, Folder, ProjectFactory, Sql
from tests.installing import Site
from tests.terminals import run_on_a_terminal

WIDTHS = [60, 80]
SGR = re.compile(r"\x1b\[[0-9;]*m")

NAMES = [f"requirement_{number}" for number in range(12)]
TAGS = [f"a-tag-that-is-long-{number}" for number in range(12)]
LONG = "a_seed_whose_name_goes_on_and_on_until_it_does_not_fit"
VARIABLE = "SEED_A_VARIABLE_WITH_A_NAME_THAT_IS_LONG_INDEED"
DEFAULT = "https://user.example.com/a/path/that/is/long"
PATH = "my own seeds/20_many.py"
WORDS = "One of several sentences that say what the seed is for, and are longer than any terminal is wide. "
CHINESE = "这些数据来自世界卫生组织的国际疾病分类,包括章节、代码块和代码,以及它们的上级代码。"

FILES = {
    "seedframe.toml": '[project]\nname = "shop"\nseeds = "my own seeds"\n',
    **{f"my own seeds/{number:02}_{name}.py": "def verify(): pass\n" for number, name in enumerate(NAMES)},
    f"my own seeds/15_{LONG}.py": f'"""{CHINESE * 2}"""\nfrom seedframe import Rows, Secret, Setting, Tables\n'
    f"SETTINGS = [Setting({VARIABLE!r}, str, default={DEFAULT!r}, help={WORDS * 2!r}),\n"
    "    Setting('SEED_KIND', str, choices=['one', 'two', 'three'], default='one', help='which'),\n"
    "    Setting('SEED_PASSWORD', Secret)]\n"
    "def resources():\n    yield Tables('数据表格有一个很长的名字', 'another_table_whose_name_is_long', 'third')\n"
    "    yield Rows('third', key=['a_column_of_the_key', 'another_column_of_the_key', 'c'], file='data/no such.csv')\n",
    PATH: f'"""{WORDS}"""\nREQUIRES = {NAMES}\nTAGS = {TAGS}\nCRITICAL = False\ndef verify(): pass\n',
    "my own seeds/30_broken.py": "import there_is_no_module_of_this_name\n",
}

REQUIRED = "seedframe-a-plugin-with-a-name-that-is-long>=1.2.0,<2"
HOOKS = ["resources", "check", "apply", "verify"]
PLUGIN = (
    f"WRITES = {[f'table_{number}' for number in range(20)]}\n"
    "def resources(): return []\ndef check(): pass\ndef apply(): pass\ndef verify(): pass\n"
)


@pytest.fixture
def shop(tmp_path: Path, cli: Cli) -> Folder:
    """A project with names, tags, requirements and texts that are long, and a broken seed."""
    root = tmp_path / "shop"
    root.mkdir()
    folder = Folder(root, cli)
    folder.write(FILES)
    return folder


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """Two installed plugins, of which the one has a name that is long."""
    site = Site(tmp_path / "site")
    for name, point in (("seedframe-a-plugin-with-a-name-that-is-long", "40_long"), ("seedframe-second", "41_second")):
        package = name.replace("-", "_")
        files = {f"{package}/__init__.py": "", f"{package}/seed.py": PLUGIN}
        site.install(name, points={point: f"{package}.seed"}, files=files)
    return {"PYTHONPATH": str(site.path)}


def shown(folder: Folder, *arguments: str, columns: int, env: Mapping[str, str] | None = None) -> list[str]:
    """The lines that a command prints on a terminal, none of which is wider than it, unless a word is."""
    quiet = {"CI": "1"}  # progress is another matter
    _, text = run_on_a_terminal(folder, *arguments, columns=columns, env={**quiet, **(env or {})})
    lines = SGR.sub("", text).splitlines()
    wide = [line for line in lines if text_width(line) > columns and any(map(may_break, line.strip().split(" ")[1:]))]
    assert wide == []
    return lines


def may_break(word: str) -> bool:
    """Not of a path with a space in it."""
    return not word.startswith(("own", "seeds/", "such.csv"))


def require_whole(lines: list[str], *texts: str) -> None:
    """Each text stands in one line."""
    assert [text for text in texts if not any(text in line for line in lines)] == []


@pytest.mark.parametrize("columns", WIDTHS)
def test_list(columns: int, shop: Folder) -> None:
    lines = shown(shop, "list", columns=columns)
    require_whole(lines, *NAMES, *TAGS, f"15_{LONG}", f"my own seeds/15_{LONG}.py", PATH)
    require_whole(lines, "another_table_whose_name_is_long", "数据表格有一个很长的名字", "not critical")
    assert CHINESE * 2 in "".join(line.strip() for line in lines)
    assert " ".join(WORDS.split()) in " ".join(" ".join(lines).split())


@pytest.mark.parametrize("columns", WIDTHS)
def test_env(columns: int, shop: Folder) -> None:
    lines = shown(shop, "env", columns=columns)
    require_whole(lines, VARIABLE, DEFAULT, LONG, "DATABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SEED_PASSWORD_FILE")
    flowing = " ".join(" ".join(lines).split())
    assert " ".join((WORDS * 2).split()) in flowing
    assert "which (one of one, two, three)" in flowing
    assert "missing" in flowing


def test_env_is_a_table_with_its_help_below_at_80_columns(shop: Folder) -> None:
    for file in (f"15_{LONG}.py", "20_many.py", "30_broken.py"):
        (shop.path / "my own seeds" / file).unlink()
    setting = "Setting('SEED_EMAIL', str, default='a@example.com', help='the address')"
    seed = f"from seedframe import Setting\nSETTINGS = [{setting}]\ndef verify(): pass\n"
    shop.write({"my own seeds/20_admin.py": seed})
    assert shown(shop, "env", columns=80)[:5] == [
        "variable                   type    default        value    seeds",
        "SEED_EMAIL                 str     a@example.com  default  admin",
        "    the address",
        "DATABASE_URL               Secret  —              default  (seedframe)",
        "    the database; without it seedframe.toml's, libpq's variables, or a",
    ]
    assert shown(shop, "env", columns=50)[:4] == [
        "variable                   default        value",
        "SEED_EMAIL                 a@example.com  default",
        "    the address",
        "    type: str  seeds: admin",
    ]


@pytest.mark.parametrize("columns", WIDTHS)
def test_lint(columns: int, shop: Folder) -> None:
    lines = shown(shop, "lint", columns=columns)
    require_whole(lines, "my own seeds/30_broken.py:1:1: ", f"my own seeds/15_{LONG}.py:", "'data/no such.csv'")
    require_whole(lines, "SF501", "SF002", "'there_is_no_module_of_this_name'")
    rules = shown(shop, "lint", "--explain", "all", columns=columns)
    require_whole(rules, "SF501  missing-file  ", "SF514  duplicate-key  ")
    assert max(map(text_width, rules)) <= columns


@pytest.mark.parametrize("columns", WIDTHS)
def test_plugins_that_are_not_allowed_yet_come_with_lines_to_paste(
    columns: int, shop: Folder, env: Mapping[str, str]
) -> None:
    lines = shown(shop, "plugins", columns=columns, env=env)
    require_whole(lines, "seedframe-a-plugin-with-a-name-that-is-long 1.2.0", f'"{REQUIRED}"')
    at = next(at for at, line in enumerate(lines) if line == "[plugins]")
    end = next(end for end, line in enumerate(lines) if end > at and line.endswith("]"))
    with (shop.path / "seedframe.toml").open("a") as file:
        file.write("\n".join(lines[at : end + 1]) + "\n")
    allowed = shown(shop, "plugins", columns=columns, env=env)
    tables = [f"table_{number}" for number in range(20)]
    require_whole(allowed, "seedframe-second 1.2.0  allowed:", REQUIRED, "seedframe-second>=1.2.0,<2", *tables, *HOOKS)


@pytest.mark.parametrize("columns", WIDTHS)
def test_errors(columns: int, shop: Folder) -> None:
    """What is to be copied of an error's hint: a command with its option, and what is quoted."""
    shop.write(
        {"seedframe.toml": FILES["seedframe.toml"] + f'[plugins]\nallow = ["{REQUIRED}", "seedframe-b>=1,<2"]\n'}
    )
    lines = shown(shop, "verify", columns=columns)
    require_whole(lines, REQUIRED, "pip install 'seedframe-b>=1,<2'", "-p no:seedframe-b")
    assert lines[0].startswith("error: ")


def test_a_pipe_has_a_line_for_each_thing(shop: Folder) -> None:
    out = shop.run("list").stdout.splitlines()
    assert f"{'20_many':{len(LONG) + 3}}  my own seeds/20_many.py  (requires {', '.join(NAMES)}; " in next(
        line for line in out if line.startswith("20_many")
    )
    assert f"    {CHINESE * 2}" in out
    assert shop.run("env").stdout.splitlines()[1].endswith(f"  {WORDS * 2}".rstrip())


@pytest.mark.parametrize("columns", WIDTHS)
def test_apply_verify_and_history(columns: int, project: ProjectFactory, sql: Sql) -> None:
    table = "a_table_whose_name_is_long_and_goes_on"
    sql(f"create table {table} (code text primary key, name text)")
    rows = f"[{{'code': 'C-1', 'name': {CHINESE!r}}}]"
    seed = f"from seedframe import Rows\ndef resources():\n    yield Rows('{table}', key='code', rows={rows})\n"
    folder = project({f"seeds/10_{LONG}.py": seed})
    for arguments in (["apply", "--dry-run"], ["apply"], ["verify"], ["history"], ["history", "1"]):
        lines = shown(folder, *arguments, columns=columns)
        require_whole(lines, *([] if arguments == ["history"] else [f"10_{LONG}"]))
    sql(f"update {table} set name = 'x'")
    lines = shown(folder, "verify", columns=columns)
    require_whole(lines, "seedframe apply --dry-run", "seedframe apply --on-conflict=database", f" {table}")


def test_the_steps_of_db_init(project: ProjectFactory, sql: Sql) -> None:
    sql("create table teas (code text primary key)")
    seeds = {
        f"seeds/{number}_tea_{number}.py": "from seedframe import Extension, Rows, Tables\n"
        "def resources():\n    yield Tables('teas')\n    yield Extension('plpgsql')\n"
        f"    yield Rows('teas', key='code', rows=[{{'code': '{number}-{{}}'.format(n)}} for n in range(1000)])\n"
        for number in range(10, 14)
    }
    folder = project(seeds)
    lines = shown(folder, "db", "init", columns=50)
    assert lines[0].startswith("✓ database  PostgreSQL ")
    assert lines[-2].startswith("✓ verified  4 seeds in sync, 4,000 rows,")
    assert lines[-1].startswith("            ")
