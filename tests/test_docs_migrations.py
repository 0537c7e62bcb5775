"""docs/migrations.md: its samples run, on a database that is reached in the ways in which URLs can be awkward."""

import re
import runpy
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Cli, Sql

PAGE = (Path(__file__).resolve().parent.parent / "docs/migrations.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^```(?:toml|python)\n# (?P<file>[\w./]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

REVISION = '''"""Teas."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade():
    op.execute("create table teas (code text primary key, name text default '100%')")
'''
SEED = """
from seedframe import Rows

def resources():
    yield Rows("teas", key="code", rows=[{"code": "EG"}])
"""
FILES = {
    "Alembic": {
        "alembic.ini": "[alembic]\nscript_location = migrations\npath_separator = os\n",
        "migrations/versions/0001_teas.py": REVISION,
    },
    "SQL files": {"schema/0010_teas.sql": "create table if not exists teas (code text primary key)"},
}


def samples(title: str) -> dict[str, str]:
    """The files of one section, by name."""
    (section,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return {found["file"]: found["text"] for found in _FILE.finditer(section)}


@pytest.fixture
def awkward(database: str) -> str:
    """The database's URL: the host is a folder, with %2F; there is a % in the password and in a parameter."""
    given = conninfo_to_dict(database)
    host, port = quote(str(given["host"]), safe=""), given.get("port", "5432")
    options = quote("-c seedframe_test.rate=5%", safe="")
    return f"postgresql://{given['user']}:p%25s%40%2F@{host}:{port}/{given['dbname']}?options={options}"


@pytest.mark.parametrize("title", FILES)
def test_a_project_is_migrated_as_the_page_says(title: str, cli: Cli, tmp_path: Path, awkward: str, sql: Sql) -> None:
    for name, text in {**FILES[title], **samples(title), "seeds/10_teas.py": SEED}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    for _ in range(2):
        done = cli("db", "init", cwd=tmp_path, env={"DATABASE_URL": awkward})
        assert done.returncode == 0, done
    assert sql("select code from teas") == [("EG",)]
    if title == "Alembic":
        sql("drop table teas, alembic_version")
        named = awkward.replace("postgresql://", "postgresql+psycopg://")
        done = cli("db", "init", cwd=tmp_path, env={"DATABASE_URL": named})
        assert done.returncode == 0, done


def test_djangos_settings_are_of_the_same_database(
    tmp_path: Path, awkward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.py"
    file.write_text(samples("Django")["settings.py"], encoding="utf-8")
    monkeypatch.setenv("DATABASE_URL", awkward)
    settings = runpy.run_path(str(file))["DATABASES"]["default"]
    assert settings["PASSWORD"] == "p%s@/"
    assert set(settings) == {"ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS"}
    # As Django does: it names the database, and hands on what OPTIONS have.
    with psycopg.connect(
        dbname=settings["NAME"],
        user=settings["USER"],
        password=settings["PASSWORD"],
        host=settings["HOST"],
        port=settings["PORT"],
        **settings["OPTIONS"],
    ) as connection:
        found = connection.execute("select current_setting('seedframe_test.rate')").fetchone()
    assert found == ("5%",)
