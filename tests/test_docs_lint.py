"""docs/lint.md: the rules are those of the code, the first sample is what is printed, the hook does what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seedframe.cli.main import main
from tests.lint_page import PAGE, page
from tests.linted import write

ROOT = PAGE.parent.parent


def test_the_rules_on_the_page_are_those_of_the_code() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.lint_page"


def test_the_sample_is_what_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "from seedframe import Rows\n\n\ndef resources():\n    yield Rows("
    write(
        tmp_path,
        {
            "seeds/10_shop.py": rows.replace("yield", "yield Rows('p', key='sku', file='data/products.csv')\n    yield")
            + '"products", key="sku", file="data/product.csv")\n',
            "seeds/data/products.csv": "sku\nA-1\nA-1\n",
            "seeds/20_plans.py": "def verify(database):\n    pass\n",
        },
    )
    monkeypatch.chdir(tmp_path)
    assert main(["lint"]) == 1
    printed = "".join(line for line in capsys.readouterr().out.splitlines(keepends=True)[:6])
    assert f"```console\n$ seedframe lint\n{printed}```" in PAGE.read_text(encoding="utf-8")


def test_the_options_on_the_page_are_those_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    main(["lint", "--help"])
    offered = set(re.findall(r"^  (--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    main(["list", "--help"])
    offered -= set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--format"}
    text = PAGE.read_text(encoding="utf-8").partition("## Rules\n")[0]
    assert offered == {"--select", "--ignore", "--explain", "--format"}
    assert all(option in text for option in offered)


def test_the_hook_of_pre_commit_runs(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert f"id: {hook['id']}\n" in PAGE.read_text(encoding="utf-8")
    assert (hook["language"], hook["pass_filenames"], hook["always_run"]) == ("python", False, True)
    program, *arguments = shlex.split(hook["entry"])
    assert program == "seedframe"
    write(tmp_path, {"seeds/10_shop.py": "def verify(database):\n    pass\n"})
    command = [sys.executable, "-P", "-m", program, *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "SF102" in done.stdout
