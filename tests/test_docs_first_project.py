"""docs/first-project.md: its files and its commands, one after the other, on the embedded PostgreSQL."""

import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli

PAGE = (Path(__file__).resolve().parent.parent / "docs/first-project.md").read_text(encoding="utf-8")
_FILE = re.compile(r"^```\w+\n# (?P<file>[\w./]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_DATA = re.compile(r"`(?P<file>[\w./]+\.csv)`:\n\n```csv\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_page_as_it_is_read(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for block in (*_FILE.finditer(PAGE), *_DATA.finditer(PAGE)):
        file = tmp_path / block["file"]
        file.parent.mkdir(exist_ok=True)
        file.write_text(block["text"], encoding="utf-8")
    commands = [shlex.split(line) for line in re.findall(r"^\$ seedframe (.*)$", PAGE, re.MULTILINE)]
    results = [cli(*command, cwd=tmp_path) for command in commands]
    assert [result.returncode for result in results] == [0, 0, 2, 0], "\n".join(map(str, results))
    assert "teas code=EG  name: Grey Earl (declared Earl Grey)" in results[2].stdout
    assert cli("verify", cwd=tmp_path).returncode == 0
