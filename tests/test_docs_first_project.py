"""docs/first-project.md: its files and its commands, one after the other, on the embedded PostgreSQL."""

import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli, Sql

PAGE = (Path(__file__).resolve().parent.parent / "docs/first-project.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^```\w+\n# (?P<file>[\w./]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_DATA = re.compile(r"`(?P<file>[\w./]+\.csv)`:\n\n```csv\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def tea(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's project."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for block in (*_FILE.finditer(PAGE), *_DATA.finditer(PAGE)):
        file = tmp_path / block["file"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(block["text"], encoding="utf-8")
    return tmp_path


def test_the_page_as_it_is_read(cli: Cli, tea: Path) -> None:
    commands = [shlex.split(line) for line in re.findall(r"^\$ seedframe (.*)$", PAGE, re.MULTILINE)]
    results = [cli(*command, cwd=tea) for command in commands]
    assert [result.returncode for result in results] == [0, 0, 2, 0], "\n".join(map(str, results))
    assert "teas code=EG  name: Grey Earl (declared Earl Grey)" in results[2].stdout
    assert cli("verify", cwd=tea).returncode == 0


def test_a_role_that_monitors_needs_no_more_than_the_page_grants(cli: Cli, tea: Path, database: str, sql: Sql) -> None:
    assert cli("db", "init", cwd=tea, env={"DATABASE_URL": database}).returncode == 0
    (grants,) = re.findall(r"^```sql\n(create role monitor.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    sql("drop role if exists monitor")
    sql(grants)
    monitor = {"DATABASE_URL": database.replace("postgres@", "monitor@")}
    try:
        seen = cli("verify", "--format", "json", cwd=tea, env=monitor)
        report = json.loads(seen.stdout)
        assert (seen.returncode, report["status"]) == (0, "in_sync"), seen
        assert [seed["findings"] for seed in report["seeds"]] == [[]]
        sql("update teas set name = 'Grey Earl' where code = 'EG'")
        assert cli("verify", cwd=tea, env=monitor).returncode == 2  # drift: it is told from what is pending
        for privilege in re.findall(r"^grant (.*) to monitor;", grants, re.MULTILINE):
            sql(f"revoke {privilege} from monitor; update teas set name = 'Earl Grey' where code = 'EG'")
            assert cli("verify", cwd=tea, env=monitor).returncode > 0, privilege
            sql(f"grant {privilege} to monitor")
    finally:
        sql("drop owned by monitor; drop role monitor")
