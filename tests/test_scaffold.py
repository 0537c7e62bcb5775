"""Scaffolds: what `seedframe new` writes passes its own tests and strict checkers, and overwrites nothing."""

import os
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from seedframe import __version__
from seedframe.testing import CommandResult, Database, SeedRunner, assert_converges
from seedframe.testing.databases import existing
from tests.plain_pytest import python

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Scaffolds:
    """One of each: a project with a second seed, and a plugin with its wheel unpacked in `site`."""

    project: Path
    plugin: Path
    site: Path

    def python(self, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
        return python(*arguments, cwd=cwd, PYTHONPATH=f"{self.site}{os.pathsep}{ROOT}")


def new(folder: Path, *arguments: str) -> CommandResult:
    """`seedframe new ARGUMENTS` in a folder; no database is there."""
    return SeedRunner(folder, existing("postgresql://nobody@/none?host=/nowhere")).run("new", *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Scaffolds:
    folder = tmp_path_factory.mktemp("scaffolds")
    for where, arguments in (
        (".", ("project", "shop")),
        ("shop", ("seed", "order")),  # a word of SQL
        (".", ("plugin", "iso-test")),
    ):
        done = new(folder / where, *arguments)
        assert (done.exit_code, done.stderr) == (0, ""), done
    made = Scaffolds(folder / "shop", folder / "seedframe-iso-test", folder / "site")
    built = made.python("-m", "build", "--no-isolation", "--wheel", "--outdir", folder, cwd=made.plugin)
    assert built.returncode == 0, built.stdout + built.stderr
    with zipfile.ZipFile(folder / "seedframe_iso_test-0.1.0-py3-none-any.whl") as wheel:
        wheel.extractall(made.site)
    return made


def test_their_own_tests_pass(made: Scaffolds) -> None:
    """All in one run; warnings are errors."""
    done = made.python(
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull),
        *(f"--rootdir={made.project}", "-o", f"seedframe_config={made.project}", "-W", "error"),
        *(made.project / "tests", made.plugin / "tests"),
        cwd=made.project,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_strict_checkers_find_nothing(made: Scaffolds) -> None:
    for command in (
        ("ruff", "check", "--no-cache", "--config", str(ROOT / "pyproject.toml"), "--ignore", "S101"),
        ("ruff", "format", "--no-cache", "--check", "--config", str(ROOT / "pyproject.toml")),
    ):
        done = made.python("-m", *command, made.project, made.plugin, cwd=made.project)
        assert done.returncode == 0, done.stdout + done.stderr
    done = made.python("-m", "ruff", "check", "--no-cache", cwd=made.plugin)
    assert done.returncode == 0, done.stdout + done.stderr
    cache = os.environ.get("MYPY_CACHE_DIR", str(ROOT / ".mypy_cache"))
    files = [str(path) for folder in (made.project, made.plugin) for path in folder.rglob("*.py")]
    done = made.python(
        *(
            "-m",
            "mypy",
            "--strict",
            "--explicit-package-bases",
            "--follow-imports=silent",
            "--cache-dir",
            cache,
            *files,
        ),
        cwd=made.site,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_is_whole(made: Scaffolds) -> None:
    package = made.site / "seedframe_iso_test"
    inside = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.suffix != ".pyc"}
    assert {"__init__.py", "seed.py", "py.typed", "tables.sql", "data/iso_test.csv"} <= inside
    info = made.site / "seedframe_iso_test-0.1.0.dist-info"
    assert "40_iso_test = seedframe_iso_test.seed" in (info / "entry_points.txt").read_text()
    assert f"seedframe>={__version__[:3]}" in (info / "METADATA").read_text()
    assert (info / "licenses" / "LICENSE").exists()


def test_the_tables_of_a_plugin_can_be_made_twice(made: Scaffolds, seedframe_database: Database) -> None:
    """A project's migrations run each SQL file every time."""
    readme = (made.plugin / "README.md").read_text(encoding="utf-8")
    tables = (made.plugin / "src/seedframe_iso_test/tables.sql").read_text(encoding="utf-8")
    for text in (tables, readme.partition("```sql\n")[2].partition("```")[0]):
        for _ in range(2):
            seedframe_database.execute(text)
        seedframe_database.execute("drop table iso_test")


def test_a_project_is_set_up_in_one_command(made: Scaffolds, seedframe_database: Database) -> None:
    project = SeedRunner(made.project, seedframe_database)
    done = project.run("db", "init")
    assert done.exit_code == 0, done
    assert "5 created" in done.stdout
    example = project.run("env", "--example")
    assert example.stdout == (made.project / ".env.example").read_text(encoding="utf-8")
    listed = project.run("list")
    assert (listed.exit_code, "20_order" in listed.stdout) == (0, True), listed


def test_a_migration_of_a_project_that_fails_names_its_file_and_line(
    made: Scaffolds, seedframe_database: Database
) -> None:
    broken = made.project / "schema" / "99_broken.sql"
    project = SeedRunner(made.project, seedframe_database)
    try:
        for text, place in (
            ("-- Größe\n\ncreate tabel x ();\n", ":3: syntax error"),
            ("select 1/0;", ": division by zero"),
        ):
            broken.write_text(text, encoding="utf-8")
            done = project.run("db", "init")
            assert done.exit_code == 3
            assert f"failed with exit code 1: 99_broken.sql{place}" in done.stderr
    finally:
        broken.unlink()


def test_what_the_projects_readme_changes_is_found_and_put_back(made: Scaffolds, seedframe_database: Database) -> None:
    project = SeedRunner(made.project, seedframe_database)
    assert project.run("db", "init").exit_code == 0
    readme = (made.project / "README.md").read_text(encoding="utf-8")
    seedframe_database.execute("update settings set value = 'USD'")
    assert project.run("verify").exit_code == 0
    seedframe_database.execute(readme.partition("```sql\n")[2].partition("```")[0])
    found = project.run("verify")
    assert (found.exit_code, "drift    settings name=currency  description: " in found.stdout) == (2, True), found
    assert project.run("apply").exit_code == 0
    assert seedframe_database.scalar("select count(*) from settings where description = 'changed by hand'") == 0
    assert project.run("verify").exit_code == 0


def test_what_is_printed(tmp_path: Path) -> None:
    done = new(tmp_path, "project", "my shop")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "the project my shop:"
    assert lines[-4:] == [
        'first: pip install "seedframe[embedded]" pytest, unless both are there',
        "then:",
        "  cd 'my shop' && seedframe db init",
        "  pytest",
    ]
    written = {line.strip() for line in lines[1:-4]}
    assert written == {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert new(tmp_path / "my shop", "-q", "seed", "a").stdout == ""
    assert "  cd ./-shop && seedframe db init\n" in new(tmp_path, "project", "--", "-shop").stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    mine = {"README.md", "seedframe.toml", "seeds/data/settings.csv", "tests/test_settings.py"}
    for name in sorted(mine):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("mine")
        expected = "" if name == "README.md" else "seedframe.toml: it is there already"
        if expected:
            done = new(tmp_path, "project")
            assert done.exit_code == 3
            assert f"error: {tmp_path}/{expected}" in done.stderr
    assert done.stderr == (
        f"error: {tmp_path}/seedframe.toml: it is there already, and so are seeds/data/settings.csv,"
        " tests/test_settings.py; nothing is overwritten\n"
        " hint: remove or rename them, or choose another name or folder\n"
    )
    files = {path.relative_to(tmp_path).as_posix(): path for path in tmp_path.rglob("*") if path.is_file()}
    assert set(files) == mine
    assert {path.read_text() for path in files.values()} == {"mine"}


def test_a_project_in_an_application_that_is_there(tmp_path: Path) -> None:
    mine = {"README.md", ".gitignore", ".env.example", "pyproject.toml", "tests/test_app.py"}
    (tmp_path / "tests").mkdir()
    for name in mine:
        (tmp_path / name).write_text("# mine")
    done = new(tmp_path, "project")
    assert (done.exit_code, done.stderr) == (0, ""), done
    assert {(tmp_path / name).read_text() for name in mine} == {"# mine"}
    assert (tmp_path / "seeds" / "10_settings.py").is_file()
    made, _, left = done.stdout.partition("left as they are:\n")
    assert not mine & {line.strip() for line in made.splitlines()}
    assert left.splitlines()[:3] == [
        "  README.md",
        "  .gitignore: add /.env and /.seedframe/ to it",
        "  .env.example: `seedframe env --example` prints what belongs into it",
    ]


def test_a_project_that_pyproject_has_is_none_to_make(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.seedframe]\n")
    done = new(tmp_path, "project")
    assert (done.exit_code, "is a project already" in done.stderr) == (3, True), done
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_a_project_below_the_folder_that_pytest_runs_in(tmp_path: Path) -> None:
    """Without pytest's setting nothing says where the seeds are; the error names it."""
    assert new(tmp_path, "project", "db").exit_code == 0
    pytest_here = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "pytest.ini", "-k", "settings_are_there")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    done = python(*pytest_here, cwd=tmp_path)
    assert "no seedframe.toml here or in any folder above; in pytest's configuration, seedframe_config names its" in (
        done.stdout
    )
    assert "folder: db" in done.stdout
    (tmp_path / "pytest.ini").write_text("[pytest]\nseedframe_config = db\n")
    done = python(*pytest_here, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_whose_file_is_there_is_not_begun(tmp_path: Path) -> None:
    (tmp_path / "seedframe.toml").touch()
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_seed_a.py").touch()
    done = new(tmp_path, "seed", "a")
    assert (done.exit_code, "tests/test_seed_a.py: it is there already" in done.stderr) == (3, True), done
    assert not (tmp_path / "seeds").exists()


def test_a_folder_where_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "seedframe.toml").touch()
    (tmp_path / "seeds").touch()
    done = new(tmp_path, "seed", "a")
    assert (done.exit_code, done.stderr.count("\n")) == (3, 1), done
    assert "it is a file, and a folder is needed there" in done.stderr


def test_numbers_and_tables_of_a_seed(tmp_path: Path, seedframe_database: Database) -> None:
    """The next full ten; in a project whose tables are made elsewhere, their SQL stands beside the test."""
    (tmp_path / "pyproject.toml").write_text("[tool.seedframe.project]\nname = 'shop'\nseeds = 'data/seeds'\n")
    names = [("a", "10_a"), ("35_b", "35_b"), ("c", "40_c"), ("d", "07_d"), ("e", "50_e")]
    for given, label in names:
        extra = ["--number", "7"] if given == "d" else []
        done = new(tmp_path, "seed", given, *extra)
        assert (done.exit_code, done.stderr) == (0, ""), done
        assert (tmp_path / "data" / "seeds" / f"{label}.py").is_file()
    assert "first: add the table to your migrations: tests/e.sql has its SQL\nthen:\n  seedframe apply --dry-run\n" in (
        done.stdout
    )
    again = new(tmp_path, "seed", "60_b")
    assert (again.exit_code, again.stderr.split("\n")[0]) == (
        3,
        f"error: {tmp_path}/data/seeds/35_b.py: a seed is called 'b' already",
    )
    seed, tables = tmp_path / "data" / "seeds" / "07_d.py", tmp_path / "tests" / "d.sql"
    assert_converges(seed, database=seedframe_database, tables=tables).require_complete()


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (("seed", "my-seed"), "'my-seed' is no name for a seed", ": my_seed"),
        (("seed", "Größe"), "'Größe' is no name for a seed", ": grosse"),
        (("seed", "日本"), "'日本' is no name for a seed", ": countries"),
        (("seed", "class"), "'class' is a word of Python", "class_data"),
        (("seed", "20_import"), "'import' is a word of Python", "import_data"),
        (("seed", "20"), "'20' is no name for a seed", ": countries"),
        (("seed", "20_"), "'20_' is no name for a seed", ": countries"),
        (("seed", "a" * 51), "50 characters at most", "shorter"),
        (("seed", "../a"), "'../a' is no name for a seed", ": a"),
        (("seed", "20_a", "--number", "30"), "has the number 20, and --number says 30", "one of them"),
        (("seed", "10000_a"), "has the number 10000, and 9999 is the highest", "a lower one, or only the name"),
        (("plugin", "Seedframe_ICD-10"), "begins with what every plugin's name does", "give the topic: icd-10"),
        (("plugin", "seedframe"), "begins with what every plugin's name does", "give the topic: countries"),
        (("plugin", "seedframe-icd10"), "begins with what every plugin's name does", "give the topic: icd10"),
        (("plugin", "pg-class"), "PostgreSQL's own tables begin with pg_", "give another: class"),
        (("seed", "pg_class"), "PostgreSQL's own tables begin with pg_", "give another: class"),
        (("plugin", "ICD 10"), "'ICD 10' is no name for a plugin's topic", ": icd-10"),
        (("plugin", "40_icd10"), "'40_icd10' is no name for a plugin's topic", ": icd10"),
        (("plugin", "lambda"), "'lambda' is a word of Python", "lambda-data"),
        (("plugin", "a\nb"), "is no name for a plugin's topic", ": a-b"),
    ],
)
def test_names_that_will_not_do(tmp_path: Path, arguments: tuple[str, ...], said: str, hint: str) -> None:
    (tmp_path / "seedframe.toml").touch()
    done = new(tmp_path, *arguments)
    assert (done.exit_code, done.stdout) == (3, "")
    error, more, end = done.stderr.split("\n")
    assert error.startswith("error: ")
    assert said in error
    assert more.startswith(" hint: ")
    assert hint in more
    assert end == ""
    assert [path.name for path in tmp_path.iterdir()] == ["seedframe.toml"]
