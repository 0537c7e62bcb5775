"""Linting a folder in this process, for tests that look at what was found rather than at a terminal."""

from collections.abc import Mapping
from pathlib import Path

from seedframe.linting.run import LintOptions, lint

CONFIG = '[project]\nname = "shop"\n'


def write(folder: Path, files: Mapping[str, str | bytes | None]) -> None:
    """A project of these files, with a configuration unless they have one; None takes a file away."""
    for name, content in {"seedframe.toml": CONFIG, **files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())


def found(folder: Path, *only: str, select: tuple[str, ...] | None = None, env: str | None = None) -> list[str]:
    """Everything that is found in a project, as `seeds/10_shop.py:3:5 SF101 message`."""
    linted = lint(LintOptions(config_path=folder, only=only, select=select, env=env))
    return [
        f"{each.place.path.relative_to(folder)}:{each.place.line}:{each.place.column} {each.rule.code} {each.message}"
        for each in linted.found
    ]


def lint_files(folder: Path, files: Mapping[str, str | bytes | None], *only: str) -> list[str]:
    """What is found in a project of these files."""
    write(folder, files)
    return found(folder, *only)
