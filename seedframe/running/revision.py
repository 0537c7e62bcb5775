"""The commit of a project's git repository, read from its files: git need not be installed, nor trust the folder."""

import re
from pathlib import Path
from typing import Final

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)
_REF: Final = re.compile(r"ref: (refs/[^\s]+)", re.ASCII)
_MOST_LINKS: Final = 5


def revision_of(folder: Path) -> str | None:
    """The commit that is checked out in the repository around a folder; None where there is none, or none yet.

    Whether files were changed since is not looked at: that would take git itself.
    """
    try:
        for parent in (folder.resolve(), *folder.resolve().parents):
            if (parent / ".git").exists():
                return _head(_git_folder(parent / ".git"))
    except (OSError, ValueError):
        return None
    return None


def _git_folder(entry: Path) -> Path:
    """The folder itself or, in a worktree and in a submodule, the one that the file `.git` names."""
    if entry.is_dir():
        return entry
    return entry.parent / entry.read_text(encoding="utf-8").removeprefix("gitdir:").strip()


def _head(git: Path) -> str | None:
    common = git / "commondir"
    shared = git / common.read_text(encoding="utf-8").strip() if common.is_file() else git
    text = (git / "HEAD").read_text(encoding="utf-8").strip()
    for _ in range(_MOST_LINKS):
        if _COMMIT.fullmatch(text):
            return text
        link = _REF.fullmatch(text)
        if link is None or ".." in link[1]:
            return None
        text = _ref(link[1], git, shared)
    return None


def _ref(name: str, git: Path, shared: Path) -> str:
    for folder in (git, shared):
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8").strip()
    packed = shared / "packed-refs"
    for line in packed.read_text(encoding="utf-8").splitlines() if packed.is_file() else ():
        commit, _, ref = line.partition(" ")
        if ref == name:
            return commit
    return ""
