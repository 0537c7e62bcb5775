"""What `seedframe lint` finds in seeds, whatever they do while they are looked at; and what it finds nothing in."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from seedframe.errors import SeedframeError
from tests.conftest import ProjectFactory
from tests.linted import found, lint_files, write

VERIFY = "def verify(db):\n    pass\n"
ROWS = "from seedframe import Rows, column, ref\n\n\ndef resources():\n"
NEEDS_DB = ROWS.replace("resources()", "resources(db)")


def codes(lines: list[str]) -> list[str]:
    return [line.split()[1] for line in lines]


# Seeds that misbehave


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import sys\n\nsys.exit('bye')\n", "3:1 SF002 seed 10_shop calls sys.exit() while it is imported"),
        ("raise BaseException('no')\n", "1:1 SF002 seed 10_shop cannot be imported: BaseException: no"),
        ("if True:\n    1 / 0\n", "2:5 SF002 seed 10_shop cannot be imported: ZeroDivisionError: division by zero"),
        ("while True:\n    input()\n", "2:5 SF002 seed 10_shop cannot be imported: EOFError: EOF when reading a line"),
        (
            "import nowhere\n",
            "1:1 SF002 seed 10_shop cannot be imported: ModuleNotFoundError: No module named 'nowhere'",
        ),
        ("x = 'a\0b'\n", "1:1 SF001 source code string cannot contain null bytes"),
        ("return 1\n", "1:1 SF001 'return' outside function"),
        ("x = (1\n", "1:5 SF001 '(' was never closed"),
        (
            "def resources():\n    raise SystemExit(3)\n",
            "2:5 SF401 `resources` of seed 10_shop failed: called sys.exit()",
        ),
        (
            "class Stop(BaseException):\n    pass\n\n\ndef resources():\n    raise Stop\n",
            "6:5 SF401 `resources` of seed 10_shop failed: Stop",
        ),
        ("def resources():\n    yield 3\n", "1:5 SF401 `resources` of seed 10_shop returned int, not a resource"),
    ],
)
def test_a_seed_that_misbehaves_is_one_finding_and_hides_no_other(tmp_path: Path, text: str, line: str) -> None:
    other = {"seeds/20_plans.py": "def verify(database):\n    pass\n"}
    lines = lint_files(tmp_path, {"seeds/10_shop.py": text, **other})
    assert lines[0].startswith(f"seeds/10_shop.py:{line}"), lines
    assert lines[1:] == ["seeds/20_plans.py:1:12 SF102 'verify' asks for 'database', which it cannot be given"]


def test_what_seeds_print_is_no_part_of_the_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        lint_files(
            tmp_path, {"seeds/10_shop.py": "print('hello')\n\n\ndef resources():\n    print('here')\n    return []\n"}
        )
        == []
    )
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\nhere\n")
    assert sys.stdin is not None
    assert not list(tmp_path.rglob("__pycache__"))


def test_a_broken_helper_is_told_once_and_what_imports_it_is_looked_at_as_it_is_written(tmp_path: Path) -> None:
    files = {
        "seeds/_prices.py": "PRICES = {\n",
        "seeds/10_shop.py": "from . import _prices\n\nTAGS = 3\n\n\ndef verify(database):\n    pass\n",
        "seeds/20_plans.py": "from ._prices import PRICES\n\n\ndef apply(db):\n    pass\n",
    }
    assert [line.partition(" ")[0] + " " + line.split()[1] for line in lint_files(tmp_path, files)] == [
        "seeds/10_shop.py:3:1 SF108",
        "seeds/10_shop.py:6:12 SF102",
        "seeds/20_plans.py:4:5 SF105",
        "seeds/_prices.py:1:10 SF001",
    ]


def test_seeds_that_cannot_be_imported_are_no_reason_for_false_alarms(tmp_path: Path) -> None:
    text = (
        "import nowhere\nfrom nowhere import check, thing\n\nTAGS = thing()\nSETTINGS = [nowhere.Setting('A')]\n\n\n"
        "@thing\ndef resorces(a, *b):\n    pass\n\n\ndef apply(db: nowhere.Db = None):\n    pass\n"
    )
    assert codes(lint_files(tmp_path, {"seeds/10_shop.py": text.replace(" = None", "")})) == ["SF002"]
    assert codes(lint_files(tmp_path, {"seeds/10_shop.py": text})) == ["SF002", "SF103"]


def test_hostile_names_and_cells_are_shown_as_escapes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from seedframe.cli.main import main

    files = {
        "seeds/10_shop.py": ROWS + "    yield Rows('p', key='k', file='\\x1b[2Jx.csv')\n",
        "seeds/\x1b[2Jx.csv": "k,\x1b]0;title\x07\n\x1b[31m,b\n\x1b[31m,b\n",
    }
    write(tmp_path, files)
    for form in ("text", "json", "github"):
        assert main(["lint", "--format", form, "--config", str(tmp_path)]) == 1
        shown = capsys.readouterr().out
        assert "\x1b" not in shown.replace("file=" + str(tmp_path) + "/seeds/\x1b", "")
        assert "\x07" not in shown


# Silence


@pytest.mark.parametrize(
    ("comment", "silent"),
    [
        ("# noqa: SF102", True),
        ("# noqa", True),
        ("# NOQA:SF102", True),
        ("# noqa: F401, SF102", True),
        ("# reason  # noqa: SF101 SF102", True),
        ("# noqa: SF101", False),
        ("# noqa: F401", False),
        ("# SF102", False),
    ],
)
def test_a_comment_silences_its_line(tmp_path: Path, comment: str, silent: bool) -> None:
    lines = lint_files(tmp_path, {"seeds/10_shop.py": f"def verify(database):  {comment}\n    pass\n"})
    assert (lines == []) is silent
    text = f'TEXT = """\n{comment}\n"""; TAGS = 3\n\n\n{VERIFY}'
    assert codes(lint_files(tmp_path, {"seeds/10_shop.py": text})) == ["SF108"]


def test_a_declaration_silences_what_is_wrong_with_its_data(tmp_path: Path) -> None:
    seed = ROWS + "    yield Rows('p', key=['a', 'b'], file='p.csv')  # noqa: SF513\n"
    assert codes(lint_files(tmp_path, {"seeds/10_shop.py": seed, "seeds/p.csv": "a,b\nx,\nx,\ny,1\ny,1\n"})) == [
        "SF514"
    ]


# Order and configuration


@pytest.mark.parametrize("only", [(), ("seeds",)])
def test_what_is_no_seed_is_named_whether_folder_or_link(tmp_path: Path, only: tuple[str, ...]) -> None:
    write(tmp_path, {"seeds/10_a.py": "def verify(): pass\n", "seeds/23_ns/helper.py": "x = 1\n"})
    (tmp_path / "seeds/20_dangling.py").symlink_to("nowhere")
    (tmp_path / "seeds/30_round.py").symlink_to("30_round.py")
    assert found(tmp_path, *(str(tmp_path / each) for each in only)) == [
        "seeds/20_dangling.py:1:1 SF003 a link that leads to no file",
        "seeds/23_ns:1:1 SF003 a seed's folder without __init__.py",
        "seeds/30_round.py:1:1 SF003 a link that leads to no file",
    ]


def test_gaps_and_equal_numbers_are_fine(tmp_path: Path) -> None:
    files = {f"seeds/{name}.py": VERIFY for name in ("00_a", "7_b", "10_c", "10_d", "999_e")}
    assert lint_files(tmp_path, files) == []


def test_each_requirement_is_pointed_at(tmp_path: Path) -> None:
    files = {"seeds/10_a.py": 'REQUIRES = [\n    "b",\n    "nobody",\n]\n' + VERIFY, "seeds/20_b.py": VERIFY}
    assert [line.split()[:2] for line in lint_files(tmp_path, files)] == [
        ["seeds/10_a.py:2:5", "SF202"],
        ["seeds/10_a.py:3:5", "SF201"],
    ]


def test_an_environment_s_table_is_pointed_at(tmp_path: Path) -> None:
    config = "[env.staging.seeds.shop]\nenabled = false\n\n[env.staging.seeds.nobody]\nenabled = false\n"
    files = {"seedframe.toml": config, "seeds/10_shop.py": VERIFY}
    write(tmp_path, files)
    assert [line.split()[:2] for line in found(tmp_path)] == [["seedframe.toml:4:1", "SF301"]]
    assert [line.split()[:2] for line in found(tmp_path, env="staging")] == [["seedframe.toml:4:1", "SF301"]]


def test_what_depends_on_a_plugin_that_is_not_there_is_not_judged(tmp_path: Path) -> None:
    config = '[plugins]\nallow = ["seedframe-nowhere"]\n\n[seeds.nowhere]\nx = 1\n'
    files = {"seedframe.toml": config, "seeds/10_shop.py": 'REQUIRES = ["nowhere"]\n' + VERIFY}
    assert codes(lint_files(tmp_path, files)) == ["SF302"]


def test_a_package_is_a_seed_too(tmp_path: Path) -> None:
    files = {
        "seeds/10_shop/__init__.py": "from ._rows import made\n\n\ndef resources():\n    yield made()\n",
        "seeds/10_shop/_rows.py": "from seedframe import Rows\n\n\ndef made():\n"
        "    return Rows('p', key='k', file='p.csv')\n",
        "seeds/10_shop/p.csv": "k\nA\nA\n",
    }
    assert lint_files(tmp_path, files) == ["seeds/10_shop/p.csv:3:1 SF514 k='A' stands here and in line 2"]
    assert codes(found(tmp_path, "shop")) == ["SF514"]
    files["seeds/10_shop/_rows.py"] = files["seeds/10_shop/_rows.py"].replace("p.csv", "q.csv")
    assert lint_files(tmp_path, files) == ["seeds/10_shop/_rows.py:5:36 SF501 file 'q.csv' does not exist"]


# References


REFS: Mapping[str, tuple[Mapping[str, str], list[str]]] = {
    "a table that no seed declares": (
        {"10_a": ROWS + "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', code='x')}])\n"},
        [],
    ),
    "declared by other columns": (
        {
            "10_a": ROWS + "    yield Rows('p', key='k', rows=[{'k': 1}])\n"
            "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', code='x')}])\n"
        },
        [],
    ),
    "declared by code": (
        {
            "10_a": ROWS + "    yield Rows('p', key='k', rows=lambda: [{'k': 1}])\n"
            "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', k=2)}])\n"
        },
        [],
    ),
    "in another order of one seed": (
        {
            "10_a": ROWS + "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', k=2)}])\n"
            "    yield Rows('p', key='k', rows=[{'k': '2'}])\n"
        },
        [],
    ),
    "written by a seed whose resources need the database": (
        {
            "10_a": NEEDS_DB + "    for k in db.rows('select 1'):\n        yield Rows('p', key='k', rows=[{'k': k}])\n",
            "20_b": ROWS + "    yield Rows('p', key='k', rows=[{'k': 1}], name='q')\n"
            "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', k=2)}])\n",
        },
        [],
    ),
    "written by a seed's own code": (
        {
            "10_a": "WRITES = ['p']\n" + ROWS + "    yield Rows('p', key='k', rows=[{'k': 1}])\n"
            "    yield Rows('c', key='k', rows=[{'k': 1, 'p': ref('p', k=2)}])\n"
            "def check(db): return []\ndef apply(db): pass\n"
        },
        [],
    ),
    "nobody's": (
        {
            "10_a": ROWS + "    yield Rows('p', key='k', rows=[{'k': 'SEMA-025'}])\n",
            "20_b": NEEDS_DB + "    yield Rows('other', key='k', rows=[{'k': 1}])\n",
            "30_c": ROWS
            + "    yield Rows('c', key='k', rows=[\n        {'k': 1, 'p': ref('public.p', k='SEMA-025')},\n"
            "        {'k': 2, 'p': ref('p', k='SEMA-25')},\n        {'k': 3, 'p': None},\n    ])\n",
        },
        ["seeds/30_c.py:7:23 SF405 ref('p', k='SEMA-25'): no seed declares such a row"],
    ),
    "of a file": (
        {
            "10_a": ROWS + "    yield Rows('p', key=['a', 'b'], file='p.csv')\n",
            "20_b": ROWS + "    yield Rows('c', key='k', file='c.csv',\n"
            "        refs={'p': ref('p', a=column('pa'), b=column('pb'))})\n",
        },
        ["seeds/c.csv:3:3 SF405 ref('p', a='y', b='3'): no seed declares such a row"],
    ),
}


@pytest.mark.parametrize("name", REFS)
def test_references(tmp_path: Path, name: str) -> None:
    seeds, expected = REFS[name]
    files = {f"seeds/{seed}.py": text for seed, text in seeds.items()}
    files |= {"seeds/p.csv": "a,b\nx,1\ny,2\n", "seeds/c.csv": "k,pa,pb\n1,x,1\n2,y,3\n3,,\n"}
    assert lint_files(tmp_path, files) == expected


# Secrets


HASH = "$2b$12$EXRkfkdmXn2gzds2SSitu.MW9.gAVqa9eLS1//RYtYCmB1eLHg.9q"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("PASSWORD = 'hunter22'", ["SF601"]),
        ("x = {'admin_password': 'hunter22'}", ["SF601"]),
        ("x = dict(api_key='hunter22')", ["SF601"]),
        ("x = Secret('hunter22')", ["SF601"]),
        ("SETTINGS = [Setting('A', Secret, default='hunter22')]", ["SF601"]),
        ("x = 'postgresql://me:hunter22@db/x'", ["SF601"]),
        (f"x = ['{HASH}']", ["SF602"]),
        ("x = '-----BEGIN RSA PRIVATE KEY-----'", ["SF602"]),
        ("PASSWORD = 'SEED_ADMIN_PASSWORD'", []),
        ("PASSWORD = ''", []),
        ("x = {'password': '********', 'password_reset': 'yes', 'secret': 'x', 'token': 'USD'}", []),
        ("SETTINGS = [Setting('A_PASSWORD', Secret, default=None, help='the password')]", []),
        ("SETTINGS = [Setting('A', str, default='x')]", []),
        ("x = dict(validate={'password': 'length(password) = 60'}, secret='password')", []),
        ("x = 'postgresql://me:${PASSWORD}@db/x', 'https://example.com:443/@x'", []),
    ],
)
def test_secrets_in_code(tmp_path: Path, code: str, expected: list[str]) -> None:
    text = f"from seedframe import Secret, Setting\n\n{code}\n\n\n{VERIFY}"
    lines = lint_files(tmp_path, {"seeds/10_shop.py": text})
    assert codes(lines) == expected
    assert "hunter22" not in str(lines)


def test_secrets_in_data(tmp_path: Path) -> None:
    rows = f"email,password,note,k\na@b.c,hunter22,{HASH},AKIAABCDEFGHIJKLMNOP\nb@b.c,hunter23,x,\n"
    seed = ROWS + "    yield Rows('users', key='email', file='u.csv', secret=['password'])\n"
    lines = lint_files(tmp_path, {"seeds/10_shop.py": seed, "seeds/u.csv": rows})
    assert [line.split()[:2] for line in lines] == [
        ["seeds/u.csv:2:7", "SF601"],
        ["seeds/u.csv:2:16", "SF602"],
        ["seeds/u.csv:2:77", "SF601"],
    ]
    assert "hunter" not in str(lines)


# Plugins in their own folder


PYPROJECT = '[project]\nname = "seedframe-x"\n\n[project.entry-points.seedframe]\n"40_x" = "seedframe_x.seed"\n'


@pytest.mark.parametrize("layout", ["src/", ""])
def test_a_plugin_is_linted_in_its_own_folder(tmp_path: Path, layout: str) -> None:
    files = {
        "seedframe.toml": None,
        "pyproject.toml": PYPROJECT + '"50_gone" = "seedframe_x.gone"\nmore = "seedframe_x.more"\n',
        f"{layout}seedframe_x/__init__.py": "",
        f"{layout}seedframe_x/more.py": "def seedframe_configur(config):\n    pass\n",
        f"{layout}seedframe_x/seed.py": "WRITES = ['p']\nREQUIRES = ['iso']\n"
        + ROWS
        + "    yield Rows('p', key='k', file='p.csv')\n",
        f"{layout}seedframe_x/p.csv": "k\nA\nA\n",
    }
    assert [line.split()[:2] for line in lint_files(tmp_path, files)] == [
        ["pyproject.toml:6:1", "SF002"],
        [f"{layout}seedframe_x/more.py:1:1", "SF101"],
        [f"{layout}seedframe_x/p.csv:3:1", "SF514"],
    ]
    assert "seedframe_x" not in sys.modules
    assert not any(str(tmp_path) in entry for entry in sys.path)


NOSY = "from pathlib import Path\nPath({trace!r}).write_text('')\nWRITES = []\ndef verify(): pass\n"


@pytest.mark.parametrize(
    ("value", "own"),
    [
        ("nosy.seed", ()),
        ("nosy:seed", ()),
        ("nosy_ns.b.seed", ("nosy_ns/a/__init__.py",)),
        ("nosy_ns.b.seed", ("nosy_ns/b/more.py",)),
        ("nosy.seed", ("nosy/seed.py",)),  # Python takes the package, wherever it is, and not the folder
        ("this", ()),
        ("antigravity.seed", ("antigravity/__init__.py",)),
        ("seedframe.cli.main", ()),
    ],
)
@pytest.mark.parametrize("point", ["10_pl", "pl"])
def test_of_a_plugins_folder_nothing_is_imported_but_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, own: tuple[str, ...], point: str
) -> None:
    folder, trace = tmp_path / "plugin", tmp_path / "trace"
    installed = folder / ".venv" / "lib" / "site-packages"
    nosy = NOSY.format(trace=str(trace))
    files: dict[str, str | None] = {"nosy/__init__.py": nosy, "nosy/seed.py": nosy, "nosy_ns/b/__init__.py": nosy,
        "nosy_ns/b/seed.py": nosy, "seedframe.toml": None}  # fmt: skip
    write(installed, files)
    monkeypatch.syspath_prepend(str(installed))
    pyproject = f'[project]\nname = "seedframe-pl"\n\n[project.entry-points.seedframe]\n"{point}" = "{value}"\n'
    before = dict(sys.modules)
    lines = lint_files(
        folder, {"seedframe.toml": None, "pyproject.toml": pyproject, **{f"src/{name}": VERIFY for name in own}}
    )
    (line,) = [line for line in lines if "pyproject.toml" in line]
    assert line.startswith("pyproject.toml:5:1 SF002 ")
    assert f"entry point {point} names {value}, which is in none of the Python files of this folder" in line
    assert not trace.exists()
    assert {name: module for name, module in sys.modules.items() if name in before} == before


@pytest.mark.parametrize("layout", ["python/", "src/"])
def test_a_plugin_in_a_namespace_or_an_unusual_folder_is_linted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / layout))  # as `pip install -e` leaves it
    files = {
        "seedframe.toml": None,
        "pyproject.toml": PYPROJECT.replace("seedframe_x.seed", "spread.deep.x.seed"),
        f"{layout}spread/deep/x/seed.py": "def verify(database): pass\nWRITES = []\n",
    }
    assert [line.split()[:2] for line in lint_files(tmp_path, files)] == [
        [f"{layout}spread/deep/x/seed.py:1:12", "SF102"],
    ]


def test_a_plugin_that_is_a_project_as_well_is_both(tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT,
        "seedframe_x/__init__.py": "",
        "seedframe_x/seed.py": VERIFY,
        "seeds/10_shop.py": "def verify(database): pass\n",
    }
    assert codes(lint_files(tmp_path, files)) == ["SF102", "SF112"]


def test_without_a_project_there_is_nothing_to_look_at(tmp_path: Path) -> None:
    with pytest.raises(SeedframeError, match=r"no seedframe\.toml"):
        found(tmp_path)


def test_linting_loads_no_driver_unless_a_seed_does(tmp_path: Path) -> None:
    write(tmp_path, {"seeds/10_shop.py": VERIFY})
    code = (
        "import sys\nfrom pathlib import Path\nfrom seedframe.linting.run import LintOptions, lint\n"
        f"assert not lint(LintOptions(config_path=Path({str(tmp_path)!r}))).found\n"
        "print(sorted({'psycopg', 'sqlalchemy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_what_a_seed_raises_tells_no_secret(project: ProjectFactory, form: str) -> None:
    seed = (
        "import os\nfrom seedframe import Secret, Setting\n"
        "SETTINGS = [Setting('SEED_KEY', Secret, default=None)]\n"
        "def resources(): raise ValueError(os.environ['DATABASE_URL'] + os.environ['SEED_KEY'])\n"
    )
    folder = project({"seeds/10_a.py": seed})
    environment = {"DATABASE_URL": "postgresql://u:hunter2hunter2@h/d", "SEED_KEY": "k3yk3yk3yk3y"}
    done = folder.run("lint", "--format", form, env=environment)
    assert done.returncode in (1, 3), done
    assert "ValueError" in done.stdout + done.stderr
    assert not any(secret in done.stdout + done.stderr for secret in ("hunter2", "k3yk3y"))


def test_other_environments_are_looked_at(tmp_path: Path) -> None:
    seed = "from seedframe import Option\nOPTIONS = [Option('size', int, default=1)]\ndef verify(): pass\n"
    config = (
        '[project]\nname = "shop"\n[seeds.a]\nsizes = 1\n'
        '[env.production.seeds.a]\nsize = "large"\n[env.staging.seeds.aa]\nx = 1\n[env.test.seeds.a]\nsize = 3\n'
    )
    write(tmp_path, {"seedframe.toml": config, "seeds/10_a.py": seed})
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", "lint", "--format", "json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    told = [(each["line"], each["message"]) for each in json.loads(done.stdout)["findings"]]
    assert told == [
        (4, "unknown key 'sizes'"),
        (6, "'size' is not a whole number"),
        (7, "no seed is called 'aa'"),
    ]
