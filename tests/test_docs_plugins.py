"""The samples of docs/plugins.md: installed, allowed, and used as the page says; and no hook is left out of it."""

import inspect
import os
import re
import tomllib
from pathlib import Path

import pytest

from seedframe import hookspecs
from seedframe.plugins.extension_contract import EXTENSION_ARGUMENTS
from seedframe.testing import Database, assert_converges
from tests.conftest import Folder, Install, ProjectFactory, Sql
from tests.plain_pytest import python
from tests.running import apply, dry_run, error, verify

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "plugins.md").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^```(\w+)\n# ([\w./-]+)(, more)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

_DATA = re.compile(r"`([\w./]+\.csv)`:\n\n```csv\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def samples() -> dict[str, str]:
    """The page's files; what is more of one stands below it."""
    files: dict[str, str] = {}
    for _, file, more, text in _BLOCK.findall(PAGE):
        assert (file in files) == bool(more), file
        files[file] = files.get(file, "") + text
    return files | dict(_DATA.findall(PAGE))


FILES = samples()
TABLE = "CREATE TABLE vaccines (code text PRIMARY KEY, name text NOT NULL)"
ALLOW = '[project]\nname = "clinic"\n[plugins]\nallow = ["seedframe-vaccines", "seedframe-clinic"]\n'
EXTENSIONS = sorted(Path(file).stem for file in FILES if re.fullmatch(r"seedframe_clinic/\w+\.py", file))


def install_vaccines(install: Install) -> Path:
    points = tomllib.loads(FILES["pyproject.toml"])["project"]["entry-points"]["seedframe"]
    files = {name: text for name, text in FILES.items() if name.startswith("seedframe_vaccines/")}
    return install("seedframe-vaccines", "1.0", points, {"seedframe_vaccines/__init__.py": "", **files})


@pytest.fixture
def site(install: Install) -> Path:
    """Both plugins of the page, installed."""
    install_vaccines(install)
    files = {name: text for name, text in FILES.items() if name.startswith("seedframe_clinic/")}
    points = {name: f"seedframe_clinic.{name}" for name in EXTENSIONS}
    return install("seedframe-clinic", "1.0", points, {"seedframe_clinic/__init__.py": "", **files})


@pytest.fixture
def clinic(project: ProjectFactory, sql: Sql, site: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    sql(TABLE)
    folder = project({}, config=ALLOW)
    monkeypatch.chdir(folder.path)  # one of the samples writes where it is run
    return folder


# -------------------------------------------------------------------------
# No hook is left out
# -------------------------------------------------------------------------


def test_each_hook_is_on_the_page_with_its_arguments() -> None:
    shown = re.findall(r"^(?:#### |\| )`(seedframe_\w+\([^)]*\))`", PAGE, re.MULTILINE)
    assert sorted(shown) == sorted(f"{name}({', '.join(arguments)})" for name, arguments in EXTENSION_ARGUMENTS.items())


def test_each_hook_says_when_it_is_called_and_who_implements_it() -> None:
    for name in EXTENSION_ARGUMENTS:
        doc = inspect.getdoc(getattr(hookspecs, name)) or ""
        assert "Implemented by extensions" in doc, name
        assert len(doc.splitlines()) >= 3, name


def test_each_hook_is_tried_on_the_page() -> None:
    tried = {name for text in FILES.values() for name in re.findall(r"^def (seedframe_\w+)", text, re.MULTILINE)}
    watching = {
        name for name in EXTENSION_ARGUMENTS if re.match("seedframe_(run|seed|resource)_(started|finished)", name)
    }
    assert tried | watching == set(EXTENSION_ARGUMENTS)
    assert tried & watching


# -------------------------------------------------------------------------
# A plugin with a seed
# -------------------------------------------------------------------------


def test_the_plugin_is_not_allowed_yet(project: ProjectFactory, install: Install) -> None:
    site = install_vaccines(install)
    folder = project({"seeds/10_a.py": "def verify(): pass\n"}, config='[project]\nname = "clinic"\n')
    done = folder.run("plugins", env={"PYTHONPATH": str(site)})
    (shown,) = re.findall(r"^\$ seedframe plugins\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert done.stdout == shown


def test_the_plugin_is_configured_as_shown(clinic: Folder, sql: Sql, site: Path) -> None:
    clinic.write({"seedframe.toml": FILES["seedframe.toml"]})
    listed = clinic.run("list", env={"PYTHONPATH": str(site)})
    shown = next(line for line in PAGE.splitlines() if line.startswith("30_vaccines  "))
    assert listed.stdout.startswith(f"{shown}\n"), listed
    plan = clinic.run("apply", "--dry-run", env={"PYTHONPATH": str(site)})
    assert "    seedframe-vaccines 1.0: writes vaccines\n" in plan.stdout
    assert apply(clinic).exit_code == 0
    assert sql("SELECT code FROM vaccines ORDER BY 1") == [("DE-1",), ("DE-2",)]
    assert verify(clinic).exit_code == 0
    assert clinic.run("plugins", "lock", env={"PYTHONPATH": str(site)}).returncode == 0
    clinic.write({"seedframe.toml": FILES["seedframe.toml"].replace("countries", "country")})
    wrong = clinic.run("apply", env={"PYTHONPATH": str(site)})
    assert (wrong.returncode, "did you mean 'countries'?" in wrong.stderr) == (3, True)


def test_the_seed_converges(site: Path, seedframe_database: Database) -> None:
    text = FILES["tests/test_vaccines.py"]
    namespace: dict[str, object] = {}
    exec(compile(text, "tests/test_vaccines.py", "exec"), namespace)
    test = namespace["test_it_converges"]
    assert callable(test)
    assert namespace["assert_converges"] is assert_converges
    test(seedframe_database)


# -------------------------------------------------------------------------
# Extensions
# -------------------------------------------------------------------------


def test_a_project_is_refused_and_ordered(clinic: Folder) -> None:
    clinic.write({"seeds/10_a.py": "TAGS = ['late']\ndef verify(): pass\n", "seeds/20_b.py": "def verify(): pass\n"})
    assert [outcome.seed for outcome in dry_run(clinic).seeds] == ["20_b", "30_vaccines", "10_a"]
    refused = clinic.run("list", "--env", "production")
    assert refused.returncode == 3


def test_the_kind_of_resource(clinic: Folder, sql: Sql) -> None:
    clinic.write({"seeds/40_comments.py": FILES["seeds/40_comments.py"]})
    report = apply(clinic)
    assert report.exit_code == 0, [outcome.error for outcome in report.seeds]
    assert sql("SELECT obj_description('vaccines'::regclass)") == [("what we may give to whom",)]
    assert verify(clinic).exit_code == 0
    sql("COMMENT ON TABLE vaccines IS 'pencil'")
    assert verify(clinic).exit_code == 2
    assert apply(clinic).summary.update == 1


def test_the_file_format(clinic: Folder, sql: Sql) -> None:
    seed = "from seedframe import Rows\ndef resources(): yield Rows('vaccines', key='code', file='more.list')\n"
    clinic.write({"seeds/50_more.py": seed, "seeds/more.list": "X-1 Yellow fever\n"})
    assert apply(clinic).exit_code == 0
    assert sql("SELECT name FROM vaccines WHERE code = 'X-1'") == [("Yellow fever",)]
    clinic.write({"seeds/50_more.py": seed.replace("list'", "list', null='?'"), "seeds/more.list": "X-1 ?\nX-2\n"})
    assert error(apply(clinic)) == "bad_data: seeds/more.list:2: no name (write CODE NAME)"


def test_the_account_backend(clinic: Folder, sql: Sql) -> None:
    sql(
        "CREATE TABLE users (email text UNIQUE, password_hash text, first_name text, last_name text, role text,"
        " is_active boolean DEFAULT true)"
    )
    seed = (
        "from seedframe import Account, Accounts, LocalAccounts\n"
        "def resources(): yield Account(Accounts(LocalAccounts('users')),"
        " email='a@b.example', role='admin')\n"
    )
    clinic.write({"seedframe.toml": ALLOW + '[accounts]\nbackend = "directory"\n', "seeds/60_admin.py": seed})
    report = apply(clinic, "admin")
    assert report.exit_code == 0, report.seeds
    assert any("kept in our directory, table users" in finding.text for finding in report.seeds[0].findings)


def test_the_reporter_the_command_and_who_watches(clinic: Folder, site: Path) -> None:
    done = clinic.run("apply", "--format", "short", env={"PYTHONPATH": str(site)})
    assert (done.returncode, done.stdout) == (0, "30_vaccines: changed\n")
    assert clinic.run("count", env={"PYTHONPATH": str(site)}).stdout == "1 seeds in development\n"
    assert not (clinic.path / "alert.txt").exists()
    clinic.write({"seeds/90_bad.py": "def verify(): yield 'never'\n"})
    assert clinic.run("apply", env={"PYTHONPATH": str(site)}).returncode == 1
    assert (clinic.path / "alert.txt").read_text() == "clinic: failed\n"


def test_the_extensions_are_tested_as_shown(site: Path, tmp_path: Path) -> None:
    (tmp_path / "test_clinic.py").write_text(FILES["tests/test_clinic.py"])
    root = Path(__file__).resolve().parents[1]
    done = python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", tmp_path),
        cwd=tmp_path,
        PYTHONPATH=f"{site}{os.pathsep}{root}",
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout + done.stderr


def test_calls_are_traced_as_shown(clinic: Folder, site: Path) -> None:
    done = clinic.run("apply", "--trace-hooks", env={"PYTHONPATH": str(site)})
    shown = [re.sub(r"[\d.]+ ms", "", line) for line in done.stderr.splitlines()]
    assert next(line.split() for line in shown if "seed vaccines" in line) == ["hook", "resources", "seed", "vaccines"]
    assert any(line.split() == ["hook", "seedframe_configure", "extension", "project"] for line in shown)


def test_the_entry_points_of_the_extensions_are_modules_of_the_page() -> None:
    (shown,) = re.findall(r"^# pyproject.toml of seedframe-clinic\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    points = tomllib.loads(shown)["project"]["entry-points"]["seedframe"]
    assert points
    assert {f"{module.replace('.', '/')}.py" for module in points.values()} <= FILES.keys()
