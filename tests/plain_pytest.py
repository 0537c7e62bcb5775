"""pytest in a process of its own, as somebody runs it at home: what is set for these tests says nothing to it."""

import os
import subprocess
import sys
from pathlib import Path

# With CI or BUILD_NUMBER set, pytest writes the lines of its summary whole.
_OURS = ("PYTEST", "COLUMNS", "COV", "MYPY")
_OF_A_CI = ("CI", "BUILD_NUMBER")


def environment() -> dict[str, str]:
    """The variables of this process without those that change what pytest, or a tool beside it, does or prints."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS) and name not in _OF_A_CI}


def python(*arguments: str | Path, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """This interpreter with some arguments in a folder; `variables` are set beside those of `environment`."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment(), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
