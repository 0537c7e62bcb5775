"""The secret settings of code that is not imported, or could not be: as they are written, or as far as it came."""

import ast
import linecache
import os
import re
import stat
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from seedframe.configuration.settings import Setting
from seedframe.secrets import Secret

_LARGEST_BYTES: Final = 1_048_576
# Of the few files that have both words, the syntax tree is asked.
_WORDS: Final = (re.compile(rb"\bSetting\b"), re.compile(rb"\bSecret\b"))
_PARAMETERS: Final = ("name", "type", "default")


def settings_below(folder: Path) -> Iterator[Setting]:
    """The secret settings that the Python files below a folder declare, whatever they are for."""
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__pycache__"))]
        yield from settings_of_files(Path(parent, name) for name in names if name.endswith(".py"))


def settings_of_files(files: Iterable[Path]) -> Iterator[Setting]:
    """The secret settings that these files declare; what cannot be read declares none."""
    for file in files:
        try:
            # A pipe would be waited for.
            status = file.stat()
            content = file.read_bytes() if stat.S_ISREG(status.st_mode) and status.st_size <= _LARGEST_BYTES else b""
        except (OSError, ValueError):
            continue
        yield from settings_in(content)


def settings_in(source: bytes) -> Iterator[Setting]:
    """The secret settings that are written out in a source: `Setting("NAME", Secret)`, however it is imported.

    A name may be that of a text elsewhere in it. What is computed is not found.
    """
    if not all(word.search(source) for word in _WORDS):
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # no code of it is run, either
        return
    aliases = {alias.asname: alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    texts = {
        target.id: node.value.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Call) and _name_of(node.func, aliases) == Setting.__name__:
            found = _written(node, aliases, texts)
            if found is not None:
                yield found


def _written(call: ast.Call, aliases: dict[str | None, str], texts: dict[str, str]) -> Setting | None:
    given = dict(zip(_PARAMETERS, call.args, strict=False)) | {
        each.arg: each.value for each in call.keywords if each.arg
    }
    name = _text_of(given.get("name"), texts)
    default = _text_of(given.get("default"), texts)
    if name is None or _name_of(given.get("type"), aliases) != Secret.__name__:
        return None
    try:
        return Setting(name, Secret, default)
    except ValueError:  # which is told when it is imported
        return None


def _name_of(node: ast.expr | None, aliases: dict[str | None, str]) -> str | None:
    """`Secret` of `Secret`, of `seedframe.Secret`, and of what it is imported as."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else None


def _text_of(node: ast.expr | None, texts: dict[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return texts.get(node.id)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def settings_on_the_way(error: BaseException) -> Iterator[Setting]:
    """The secret settings of the modules that an error passed through: those that are there already, and as written."""
    seen: set[int] = set()
    for frame in _frames(error):
        if id(frame.f_globals) in seen:
            continue
        seen.add(id(frame.f_globals))
        # Types are compared: of what else a module may hold nothing is asked.
        for value in list(frame.f_globals.values()):
            for item in value if type(value) in (list, tuple) else (value,):
                if type(item) is Setting and item.secret:
                    yield item
        # By the module's loader, where it is in no file.
        lines = linecache.getlines(frame.f_code.co_filename, frame.f_globals)
        yield from settings_in("".join(lines).encode(errors="replace"))


def _frames(error: BaseException) -> Iterator[FrameType]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        trace = current.__traceback__
        while trace is not None:
            yield trace.tb_frame
            trace = trace.tb_next
        waiting += [current.__cause__, current.__context__]
