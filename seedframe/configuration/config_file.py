"""seedframe.toml, or [tool.seedframe] of pyproject.toml: where it is, what it says, and on which line."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seedframe.configuration.config_schema import ENV, KeyPath
from seedframe.configuration.toml_lines import key_lines, line_of
from seedframe.errors import ConfigError, Problem

FILE_NAME: Final = "seedframe.toml"
PYPROJECT: Final = "pyproject.toml"
_TOOL: Final = ("tool", "seedframe")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A configuration as read, not yet checked.

    Attributes:
        path: the file.
        text: its whole text.
        document: its tables, from [tool.seedframe] downwards for a pyproject.toml.
        at: where `document` stands in the file: () or ("tool", "seedframe").
        default_name: the project's name when the configuration gives none.
        problems: mistakes found on the way.
    """

    path: Path
    text: str
    document: Mapping[str, Any]
    at: KeyPath
    default_name: str
    problems: tuple[Problem, ...] = ()

    @property
    def prefix(self) -> str:
        """What a table's name is preceded by in this file: "" or "tool.seedframe."."""
        return "".join(f"{part}." for part in self.at)

    def problem(self, key: KeyPath, message: str, hint: str | None = None) -> Problem:
        """A mistake at a key of `document`, with the file and line it stands on."""
        line = line_of(key_lines(self.text), (*self.at, *key))
        name = shown_path(self.path)
        # What is no name is not shown: it may be an address with its password, in the wrong place.
        dotted = ".".join(part if _NAME.fullmatch(part) else '"…"' for part in (*self.at, *key))
        where = f"{name}:{line}" if line else name
        return Problem(ConfigError.code, f"{dotted}: {message}", hint, where)


def place_of(file: Path | None, table: KeyPath, key: str, env: str) -> str:
    """Where a key of a table stands, or its table where it does not: `seedframe.toml:12 [seeds.iso]`.

    Args:
        file: the configuration, whose name alone is told; None where there is none.
        env: the environment, whose overlay counts before the base. In other overlays nothing is looked for.
    """
    shown = f"[{'.'.join(table)}]"
    if file is None:
        return f"the configuration {shown}"
    try:
        lines = key_lines(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it was read before, and has changed
        lines = {}
    at = _TOOL if file.name == PYPROJECT else ()
    tables = ((*at, ENV, env, *table), (*at, *table))
    found = (lines.get(path) for path in (*((*each, key) for each in tables), *tables))
    line = next((number for number in found if number is not None), None)
    return f"{file.name}:{line} {shown}" if line is not None else f"{file.name} {shown}"


def shown_path(path: Path) -> str:
    """A path as messages name it: from the working directory where it is inside that, else whole."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def find_config_file(path: Path | None = None) -> ConfigFile:
    """The configuration file that `path` names, or the nearest one at or above it.

    Raises:
        ConfigError: there is none, it is not TOML, or seedframe.toml and [tool.seedframe] stand side by side.
    """
    start = (Path.cwd() if path is None else path.expanduser()).resolve()
    if not start.exists():
        raise ConfigError("no such file or folder", where=str(path), hint="give the configuration file, or its folder")
    if not start.is_dir():
        return _explicit(start)
    for folder in (start, *start.parents):
        found = _in_folder(folder)
        if found is not None:
            return found
    raise ConfigError(
        f"no {FILE_NAME} here or in any folder above",
        where=str(start),
        hint=f"`seedframe new project` writes one to start from; or create {FILE_NAME} beside the seeds folder (it may"
        f" be empty), or add [tool.seedframe] to {PYPROJECT}",
    )


def _explicit(file: Path) -> ConfigFile:
    text, document = _read(file)
    if file.name != PYPROJECT:
        return _whole(file, text, document, _pyproject_beside(file))
    tool = _tool_table(document)
    if tool is None:
        raise ConfigError("no table [tool.seedframe]", where=shown_path(file), hint="add it; it may be empty")
    return _part(file, text, document, tool)


def _in_folder(folder: Path) -> ConfigFile | None:
    own, pyproject = folder / FILE_NAME, folder / PYPROJECT
    if own.is_file():
        text, document = _read(own)
        return _whole(own, text, document, _pyproject_beside(own))
    if not pyproject.is_file():
        return None
    text, document = _read(pyproject)
    tool = _tool_table(document)
    return None if tool is None else _part(pyproject, text, document, tool)


def has_config(folder: Path) -> bool:
    """True where a configuration stands in this very folder. Errors: ConfigError for one that cannot be read."""
    return _in_folder(folder) is not None


def _pyproject_beside(file: Path) -> Mapping[str, Any]:
    pyproject = file.parent / PYPROJECT
    return _read(pyproject)[1] if pyproject.is_file() else {}


def _whole(file: Path, text: str, document: Mapping[str, Any], pyproject: Mapping[str, Any]) -> ConfigFile:
    problems: tuple[Problem, ...] = ()
    if _tool_table(pyproject) is not None:
        message = f"[tool.seedframe] of {PYPROJECT} stands beside {file.name}"
        problems = (Problem(ConfigError.code, message, "keep one of the two", shown_path(file.parent / PYPROJECT)),)
    name = _project_name(pyproject) or file.parent.name
    return ConfigFile(path=file, text=text, document=document, at=(), default_name=name, problems=problems)


def _part(file: Path, text: str, document: Mapping[str, Any], tool: Mapping[str, Any]) -> ConfigFile:
    name = _project_name(document) or file.parent.name
    return ConfigFile(path=file, text=text, document=tool, at=_TOOL, default_name=name)


def _tool_table(pyproject: Mapping[str, Any]) -> Mapping[str, Any] | None:
    tool = pyproject.get("tool")
    table = tool.get("seedframe") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _project_name(pyproject: Mapping[str, Any]) -> str | None:
    project = pyproject.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return name if isinstance(name, str) else None


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    name = shown_path(file)
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=name) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=name, hint="TOML is always UTF-8; save it so") from None
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _syntax_error(error, text)
        raise ConfigError(message, where=f"{name}:{line}") from None
    except (ValueError, RecursionError):
        raise ConfigError("not TOML that can be read: a number too long or tables too deep", where=name) from None


def _syntax_error(error: tomllib.TOMLDecodeError, text: str) -> tuple[str, int]:
    """What tomllib says, without the position at its end, and the line."""
    message, _, position = str(error).rpartition(" (at ")
    if position.startswith("line "):
        return f"not valid TOML: {message.lower()}", int(position.split()[1].rstrip(","))
    last = len(text.rstrip().splitlines())
    return f"not valid TOML: {(message or str(error)).lower()}", max(last, 1)
