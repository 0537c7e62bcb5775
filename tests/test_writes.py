"""What a seed may write: never seedframe's own tables; of a plugin's, its `Rows` too are held to what it says."""

from dataclasses import dataclass
from typing import Any

import pytest

from seedframe import Project
from seedframe.report import Report
from tests.conftest import Folder, Install, ProjectFactory, Sql
from tests.running import apply, error, verify

CONFIG = '[project]\nname = "shop"\n[plugins]\nallow = ["acme-one"]\n'


@dataclass(frozen=True, slots=True)
class Plugin:
    """A project that allows acme-one, whose one seed is `10_one`."""

    folder: Folder
    install: Install

    def __call__(self, text: str) -> Folder:
        """The project, with this as the plugin's seed."""
        self.install("acme-one", "1.0", {"10_one": "acme_one"}, {"acme_one/__init__.py": text})
        return self.folder


@pytest.fixture
def plugin(project: ProjectFactory, install: Install) -> Plugin:
    return Plugin(project(config=CONFIG), install)


def run(folder: Folder, mode: str) -> Report:
    if mode == "verify":
        return verify(folder)
    return apply(folder, dry_run=mode == "dry_run", rehearse=mode == "rehearse")


MODES = ["dry_run", "rehearse", "apply", "verify"]

# seedframe's own tables

MARK = {"single": "t", "env": "production", "project": "shop", "marked_at": "2020-01-01", "marked_by": "x"}
ROWS = "from seedframe import Rows\ndef resources():\n    yield Rows({table!r}, key='single', rows=[{row!r}])\n"
TOLD = "is one of seedframe's own tables (they are seedframe's to write)"


def of_ledger(table: str, row: dict[str, Any] = MARK) -> str:
    return f"WRITES = [{table!r}]\n" + ROWS.format(table=table, row=row)


def test_seedframe_s_own_tables_are_no_seed_s(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/20_a.py": "def verify(): pass\n"})
    assert apply(folder).exit_code == 0
    sql("create view mark as select * from seedframe.environment")
    for table in ("seedframe.environment", '"seedframe"."environment"', "mark"):
        folder.write({"seeds/10_b.py": ROWS.format(table=table, row=MARK)})
        for mode in MODES:
            told = error(run(folder, mode))
            assert told.startswith("declaration: ")
            assert "one of seedframe's own tables (they are seedframe's to write)" in told
    assert sql("select env from seedframe.environment") == [("development",)]


BY_OPTION = f"""
from seedframe import Option, Rows
OPTIONS = [Option("table", str, default="seedframe.environment", table=True)]
def resources(config): yield Rows(config["table"], key="single", rows=[{MARK!r}])
"""


@pytest.mark.parametrize("text", [of_ledger("seedframe.environment"), BY_OPTION])
def test_nor_a_plugin_s(plugin: Plugin, text: str) -> None:
    folder = plugin(text)
    for mode in MODES:
        assert TOLD in error(run(folder, mode))


def test_nor_in_writes(project: ProjectFactory) -> None:
    folder = project({"seeds/20_a.py": "def verify(): pass\n"})
    assert apply(folder).exit_code == 0
    folder.write({"seeds/10_b.py": "WRITES = ['seedframe.run']\ndef verify(): pass\n"})
    told = "WRITES of seed 10_b names seedframe.run, one of seedframe's own tables (they are seedframe's to write)"
    for mode in MODES:
        assert told in error(run(folder, mode))


def test_nor_where_the_ledger_s_schema_is_that_of_the_target(project: ProjectFactory, sql: Sql) -> None:
    config = '[project]\nname = "shop"\n'
    folder = project({"seeds/20_a.py": "def verify(): pass\n"}, config=config)
    assert apply(folder).exit_code == 0
    folder = project(
        {"seeds/10_b.py": ROWS.format(table="environment", row=MARK)},
        config=config + "[database]\nschema = 'seedframe'\n",
    )
    assert "rows:environment of seed 10_b names environment, one of seedframe's own tables" in error(apply(folder))


def test_list_and_lint_tell_it_without_a_database(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": ROWS.format(table="seedframe.environment", row=MARK)})
    for command in ("list", "lint"):
        assert "one of seedframe's own tables" in (done := folder.run(command)).stdout + done.stderr
    assert Project.load(folder.path).seeds
