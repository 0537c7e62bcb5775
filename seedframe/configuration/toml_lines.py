"""On which line of a TOML document each key stands; tomllib itself does not say."""

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]


def key_lines(text: str) -> dict[Path, int]:
    """The line, counted from 1, on which each table and key of a valid TOML document is first named.

    Each statement is parsed on its own, with as many lines as it needs, so that tomllib is the only judge of the
    syntax. Keys of an array of tables are all listed under the array's name.
    """
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        document = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(document)
            names = [table[:depth] for depth in range(1, len(table) + 1)]
        else:
            names = [table + path for path in _paths(document)]
        for name in names:
            found.setdefault(name, line)
    return found


def line_of(lines: Mapping[Path, int], path: Path) -> int | None:
    """The line of `path`, or of the nearest table around it."""
    return next((lines[path[:depth]] for depth in range(len(path), 0, -1) if path[:depth] in lines), None)


def table_lines(text: str, name: str) -> list[int]:
    """The line on which each table of the array of tables `name` begins, in a valid TOML document."""
    return [
        line
        for line, statement in _statements(text)
        if statement.lstrip().startswith("[[") and _header(tomllib.loads(statement)) == (name,)
    ]


def _statements(text: str) -> Iterator[tuple[int, str]]:
    pending: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        pending.append(line)
        statement = "\n".join(pending) + "\n"
        try:
            tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        yield number - len(pending) + 1, statement
        pending.clear()


def _header(document: Mapping[str, Any]) -> Path:
    """The one path in the document of a lone `[a.b]` or `[[a.b]]`."""
    path: list[str] = []
    inner: Any = document
    while inner:
        if isinstance(inner, list):
            inner = inner[0]
            continue
        [(key, inner)] = inner.items()
        path.append(key)
    return tuple(path)


def _paths(value: Any, at: Path = ()) -> Iterator[Path]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        yield (*at, key)
        yield from _paths(inner, (*at, key))
