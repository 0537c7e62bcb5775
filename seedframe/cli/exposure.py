"""Exposure: whether others on this machine, or whoever reads the repository, could read what is to be secret."""

import stat
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from seedframe.configuration.settings import Described
from seedframe.errors import ConfigError, Problem

# Mounted for one container, where everybody is the same: files there are readable to all by default.
_MOUNTED: Final = (Path("/run/secrets"), Path("/var/run/secrets"))
_GIT_SECONDS: Final = 10.0


def exposures(root: Path, entries: Iterable[Described]) -> Iterator[Problem]:
    """A warning for each file with a secret in it that others may read or write, and for a .env that git would take.

    Args:
        root: the project's folder, in which .env is.
        entries: the variables, and where their values come from.
    """
    secret = [entry for entry in entries if entry.secret and entry.state == "set"]
    for file in sorted({entry.file for entry in secret if entry.file is not None}):
        yield from _open_to_others(file, str(file))
    if any(entry.source == ".env" for entry in secret):
        yield from _open_to_others(root / ".env", ".env")
        if _git_would_take(root / ".env"):
            message = "git does not ignore it, and secrets are in it"
            yield Problem(ConfigError.code, message, "write .env into .gitignore", ".env")


def _open_to_others(file: Path, shown: str) -> Iterator[Problem]:
    try:
        path = file.resolve(strict=True)
        mode = path.stat().st_mode
        reachable = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    except OSError:  # it was read a moment ago; if it is gone, nobody reads it
        return
    if not reachable or any(path.is_relative_to(mounted) for mounted in _MOUNTED):
        return
    verb = "write" if mode & stat.S_IWOTH else "read" if mode & stat.S_IROTH else None
    if verb is not None:
        message = f"every user of this machine may {verb} it, and a secret is in it"
        yield Problem(ConfigError.code, message, f"chmod 600 {shown}", shown)


def _git_would_take(file: Path) -> bool:
    """Whether it lies in a repository that does not ignore it; False where git cannot say."""
    if not any((folder / ".git").exists() for folder in file.parents):
        return False
    try:
        asked = subprocess.run(
            ["git", "check-ignore", "-q", "--", file.name],  # noqa: S607 - the git that the user runs
            cwd=file.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    # 1: not ignored, or ignored and yet under version control; 128: git itself has a problem.
    return asked.returncode == 1
