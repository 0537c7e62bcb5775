"""OPTIONS and WRITES: what seedframe.toml may say to a seed, and what a plugin's seed may write."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import Option, Project
from seedframe.configuration.seed_option import read_options
from tests.conftest import Install, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

WHERE = "seedframe.toml [seeds.icd10]"
CHAPTERS = Option("chapters", list[str], default=None, choices=["I", "II", "V"], help="which chapters")
OPTIONS = [
    CHAPTERS,
    Option("leaves_only", bool, default=False),
    Option("depth", int, default=4),
    Option("table", str, default="icd10", table=True),
    Option("share", float, default=1),
]


def told(table: dict[str, Any], options: list[Option] = OPTIONS) -> list[str]:
    return [str(problem) for problem in read_options(options, table, WHERE)[2]]


def test_values_are_read_and_defaults_filled_in() -> None:
    values, written, problems = read_options(OPTIONS, {"chapters": ["I", "V"], "share": 1, "table": "x.codes"}, WHERE)
    assert problems == ()
    assert values == {"chapters": ["I", "V"], "leaves_only": False, "depth": 4, "table": "x.codes", "share": 1.0}
    assert written == ("x.codes",)
    assert read_options(OPTIONS, {}, WHERE)[:2] == (
        {"chapters": None, "leaves_only": False, "depth": 4, "table": "icd10", "share": 1.0},
        ("icd10",),
    )


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"chapter": ["I"]}, "unknown key 'chapter' (did you mean 'chapters'?)"),
        ({"environment": []}, "unknown key 'environment' (did you mean 'environments'?)"),
        (
            {"zzz": 1},
            (
                "unknown key 'zzz' (its keys are chapters, leaves_only, depth, table, share, and seedframe's own order,"
                " enabled, environments)"
            ),
        ),
        ({"chapters": "I"}, "'chapters' is not an array of texts (set it: chapters = … (which chapters))"),
        ({"chapters": ["I", 5]}, "'chapters' is not an array of texts (set it: chapters = … (which chapters))"),
        ({"chapters": ["XX"]}, "'chapters': entry 1 is none of I, II, V (set it: chapters = … (which chapters))"),
        ({"chapters": ["I", "III"]}, "'chapters': entry 2 is none of I, II, V (did you mean 'II'?)"),
        (
            {"chapters": ["III", "I", "W", "XX"]},
            "'chapters': entries 1, 3 and 4 are none of I, II, V (did you mean 'II'?)",
        ),
        ({"depth": True}, "'depth' is not a whole number"),
        ({"depth": 2.0}, "'depth' is not a whole number"),
        ({"leaves_only": "yes"}, "'leaves_only' is not true or false"),
        ({"share": float("nan")}, "'share' is not a number"),
        ({"share": 10**400}, "'share' is not a number"),
        ({"table": " "}, "'table' is blank (write the table's name)"),
    ],
)
def test_what_does_not_fit_is_told(table: dict[str, Any], problem: str) -> None:
    assert told(table) == [f"{WHERE}: {problem}"]


def test_all_that_is_wrong_is_told_at_once_and_values_are_not_shown() -> None:
    options = [Option("key", help="the service's key"), Option("n", int, parse=lambda n: 1 // n)]
    assert told({"n": 0, "secret": "hunter2"}, options) == [
        f"{WHERE}: unknown key 'secret' (its keys are key, n, and seedframe's own order, enabled, environments)",
        f"{WHERE}: 'key' is required (set it: key = … (the service's key))",
        (
            f"{WHERE}: 'n' cannot be read: its parse function raised ZeroDivisionError"
            " (it is to raise ValueError for what does not fit)"
        ),
    ]


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        (("two words",), {}, "a name has letters"),
        (("order",), {}, "that key is seedframe's own"),
        (("x", dict), {}, "the type is one of"),
        (("x", list), {}, "the type is one of"),
        (("x", list[float]), {}, "the type is one of"),
        (("x", dict[str, int]), {}, "the type is one of"),
        (("x", int), {"default": "1"}, "the default is not a whole number"),
        (("x", str), {"default": "c", "choices": ["a"]}, "the default is none of a"),
        (("x", str), {"choices": []}, "the choices are not a list"),
        (("x", int), {"choices": ["a"]}, "a choice is not a whole number"),
        (("x", int), {"table": True}, "a table's name is a str"),
        (("x", str), {"parse": 3}, "parse is not a function"),
        (("x", str), {"help": 3}, "the help is not a text"),
    ],
)
def test_an_option_that_cannot_be_is_refused(arguments: Any, keywords: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Option(*arguments, **keywords)


toml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["chapters", "leaves_only", "depth", "table", "share", "other"]), toml))
def test_whatever_stands_there_is_read_or_told(table: dict[str, Any]) -> None:
    values, written, problems = read_options(OPTIONS, table, WHERE)
    wrong = {name for name in table if any(f"'{name}'" in problem.message for problem in problems)}
    assert set(values) == {option.name for option in OPTIONS} - wrong
    assert len(written) <= 1
    for option in OPTIONS:
        if option.name in values and option.name in table and option.name != "share":
            assert values[option.name] == table[option.name]


# -------------------------------------------------------------------------
# In a project
# -------------------------------------------------------------------------

CONFIG = '[project]\nname = "shop"\n'
LOCAL = (
    "from seedframe import Option, Rows\n"
    "OPTIONS = [Option('size', int, default=2)]\n"
    "def resources(config):\n    yield Rows('t', key='id', rows=[{'id': n} for n in range(config['size'])])\n"
)


def test_a_projects_own_seed_has_options_too(project: ProjectFactory, sql: Sql) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY)")
    folder = project({"seeds/10_a.py": LOCAL})
    assert dry_run(folder).summary.create == 2
    folder.write({"seedframe.toml": CONFIG + "[seeds.a]\nsize = 3\n[env.test.seeds.a]\nsize = 4\n"})
    assert dry_run(folder).summary.create == 3
    assert apply(folder, env="test", dry_run=True).summary.create == 4
    folder.write({"seedframe.toml": CONFIG + "[seeds.a]\nsizes = 3\n"})
    done = folder.run("apply")
    assert done.returncode == 3
    assert done.stderr.splitlines() == [
        "error: seedframe.toml:4 [seeds.a]: unknown key 'sizes'",
        " hint: did you mean 'size'?",
    ]
    assert folder.run("list").returncode == 3


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("[seeds.a]\norder = 10\nsize = 'x'\n", "seedframe.toml:5 [seeds.a]"),
        ("[seeds]\na = {order = 10, size = 'x'}\n", "seedframe.toml:4 [seeds.a]"),
        ("[env.test.seeds.a]\nsize = 'x'\n[seeds.a]\nsize = 4\n", "seedframe.toml:4 [seeds.a]"),
        ("[env.other.seeds.a]\nsize = 4\n[seeds.a]\nsize = 'x'\n", "seedframe.toml:6 [seeds.a]"),
        ("[env.test.seeds.a]\norder = 7\n", "seedframe.toml:3 [seeds.a]"),  # where it is lacking
        ("", "seedframe.toml [seeds.a]"),
    ],
)
def test_what_does_not_fit_has_its_line(project: ProjectFactory, config: str, place: str) -> None:
    folder = project({"seeds/10_a.py": LOCAL.replace(", default=2", "")}, config=CONFIG + config)
    (seed,) = Project.load(folder.path, env="test").seeds
    assert seed.broken is not None
    assert seed.broken.where == place


def test_the_line_in_a_pyproject(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": LOCAL})
    (folder.path / "seedframe.toml").unlink()
    folder.write({"pyproject.toml": "[tool.seedframe.seeds.a]\norder = 10\nsize = 'x'\n"})
    (seed,) = Project.load(folder.path).seeds
    assert seed.broken is not None
    assert seed.broken.where == "pyproject.toml:3 [seeds.a]"


def test_all_seeds_and_the_project_are_told_of_at_once(project: ProjectFactory) -> None:
    """Of a seed with another mistake, too; not what is only a consequence."""
    table = "[seeds.{}]\nsizes = 1\nsize = 'x'\n"
    folder = project(
        {
            "seeds/10_a.py": LOCAL,
            "seeds/20_b.py": LOCAL + "def verify(database): pass\n",
            "seeds/30_c.py": "REQUIRES = ['nobody']\ndef verify(): pass\n",
        },
        config=CONFIG + "".join(table.format(name) for name in ("a", "b", "nope")),
    )
    done = folder.run("apply")
    assert done.returncode == 3
    assert [line for line in done.stderr.splitlines() if "hint: " not in line] == [
        "error: seedframe.toml:9 [seeds.nope]: no seed is called 'nope'",
        "error: seedframe.toml:4 [seeds.a]: unknown key 'sizes'",
        "error: seedframe.toml:5 [seeds.a]: 'size' is not a whole number",
        "error: seeds/20_b.py:5: seed 20_b: 'verify' asks for 'database', which it cannot be given",
        "error: seedframe.toml:7 [seeds.b]: unknown key 'sizes'",
        "error: seedframe.toml:8 [seeds.b]: 'size' is not a whole number",
    ]


def test_options_that_are_no_list_of_options_are_told(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": "OPTIONS = ['size']\ndef verify(): pass\n"})
    (seed,) = Project.load(folder.path).seeds
    assert str(seed.broken) == (
        "seeds/10_a.py:1: seed 10_a: OPTIONS has a str in it"
        ' (write OPTIONS = [Option("name", str, default="…", help="…")])'
    )


def test_the_place_of_a_mistake_is_the_line_that_makes_it(project: ProjectFactory, install: Install) -> None:
    iso(install, "from seedframe import Option\n\nOPTIONS = [Option('order', int)]\n")
    (seed,) = Project.load(project(config=ALLOW).path).seeds
    assert str(seed.broken).endswith("key is seedframe's own (run with -v for the traceback)")
    assert "/seedframe_iso/__init__.py:3: plugin seedframe-iso 1.2.0 cannot be imported" in str(seed.broken)


ALLOW = CONFIG + '[plugins]\nallow = ["seedframe-iso"]\n'


def iso(install: Install, text: str) -> Path:
    return install("seedframe-iso", "1.2.0", {"40_iso": "seedframe_iso"}, {"seedframe_iso/__init__.py": text})


ROWS = "from seedframe import Option, Rows\ndef resources(): yield Rows({table!r}, key='id', rows=[{{'id': 1}}])\n"


def test_a_plugins_seed_must_say_what_it_writes(project: ProjectFactory, install: Install) -> None:
    iso(install, ROWS.format(table="t"))
    (seed,) = Project.load(project(config=ALLOW).path).seeds
    assert str(seed.broken).startswith("seedframe_iso/__init__.py: seed 40_iso: does not say which tables it writes (")


@pytest.mark.parametrize("mode", ["dry_run", "rehearse", "apply", "verify"])
def test_a_plugins_seed_writes_no_other_table(project: ProjectFactory, install: Install, sql: Sql, mode: str) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY)")
    iso(install, "WRITES = ['t']\n" + ROWS.format(table="users"))
    folder = project(config=ALLOW)
    if mode == "verify":
        report = verify(folder)
    else:
        report = apply(folder, dry_run=mode == "dry_run", rehearse=mode == "rehearse")
    assert error(report) == (
        "declaration: seedframe-iso 1.2.0: rows:users of seed 40_iso writes table users, which plugin seedframe-iso"
        " does not say it writes (it says t; if it is right to, its author adds the table to WRITES)"
    )
    assert sql("SELECT count(*) FROM users") == [(0,)]


@pytest.mark.parametrize("said", ["t", "public.t", "t_view"])
def test_a_table_may_be_said_under_another_of_its_names(
    project: ProjectFactory, install: Install, sql: Sql, said: str
) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY); CREATE VIEW t_view AS SELECT id FROM t")
    iso(install, f"WRITES = [{said!r}]\n" + ROWS.format(table="t"))
    assert apply(project(config=ALLOW)).exit_code == 0


def test_a_plugins_own_code_writes_no_other_table(project: ProjectFactory, install: Install, sql: Sql) -> None:
    sql("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE users (id int PRIMARY KEY)")
    iso(
        install,
        "from seedframe import Change\nWRITES = ['t']\n"
        "def check(db):\n    if not db.rows('select 1 from users'): yield Change('create', {'id': '1'})\n"
        "def apply(db): db.execute('insert into users values (1)')\n",
    )
    report = apply(project(config=ALLOW))
    assert "`apply` of seed 40_iso changed tables that the seed does not declare: users" in error(report)
    assert sql("SELECT count(*) FROM users") == [(0,)]


def test_a_table_that_the_project_names_may_be_written(project: ProjectFactory, install: Install, sql: Sql) -> None:
    sql("CREATE TABLE nations (id int PRIMARY KEY)")
    iso(
        install,
        "from seedframe import Option, Rows\nOPTIONS = [Option('table', str, default='countries', table=True)]\n"
        "def resources(config): yield Rows(config['table'], key='id', rows=[{'id': 1}])\n",
    )
    folder = project(config=ALLOW + "[seeds.iso]\ntable = 'nations'\n")
    assert apply(folder).exit_code == 0
    (seed,) = Project.load(folder.path).seeds
    assert seed.writes == ("nations",)
    assert "(writes nations)" in folder.run("list", env={"PYTHONPATH": str(Path(str(seed.files)).parent)}).stdout
