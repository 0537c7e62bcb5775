"""A variable's value: from the environment, from .env, or from the file that NAME_FILE names."""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seedframe.errors import ConfigError, Problem

ENVIRONMENT: Final = "environment"
LARGEST_FILE_BYTES: Final = 1_048_576


@dataclass(frozen=True, slots=True)
class Variable:
    """A value and where it came from: "environment", ".env", or "file PATH"; that file, if it is one."""

    value: str = field(repr=False)
    source: str
    file: Path | None = None


def find_variable(
    name: str, variables: Mapping[str, str], sources: Mapping[str, str], root: Path
) -> Variable | Problem | None:
    """The value of NAME, or of the file that NAME_FILE names, less one trailing line break.

    An empty variable counts as not set. Setting both is a mistake, unless one comes from the environment and the
    other from .env: what is set in the environment then wins.

    Args:
        name: the variable.
        variables: all variables.
        sources: where from, for those that are not from the environment.
        root: the folder that a relative path in NAME_FILE starts at.
    """
    direct, file = variables.get(name), variables.get(f"{name}_FILE")
    direct_source = sources.get(name, ENVIRONMENT)
    file_source = sources.get(f"{name}_FILE", ENVIRONMENT)
    if direct and file:
        if direct_source == file_source:
            return Problem(
                ConfigError.code, f"{name} and {name}_FILE are both set", "unset one of the two", where=direct_source
            )
        if file_source == ENVIRONMENT:
            direct = None
        else:
            file = None
    if direct:
        return Variable(direct, direct_source)
    if file:
        return _read(name, root / Path(file).expanduser())
    return None


def _read(name: str, file: Path) -> Variable | Problem:
    def mistake(message: str, hint: str) -> Problem:
        return Problem(ConfigError.code, message, hint, where=f"{name}_FILE={file}")

    try:
        content = _content(file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        return mistake(f"the file cannot be read: {reason}", f"{name}_FILE names a file that holds the value")
    if content is None:
        # Several seeds may read the variable, and retries do: each would have to wait for what comes once.
        return mistake("it is a pipe or a device, not a file", "write the value into a file")
    if len(content) > LARGEST_FILE_BYTES:
        return mistake("the file is larger than 1 MiB", f"{name}_FILE names a file that holds the value alone")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return mistake("the file is not UTF-8 text", "save it as UTF-8")
    value = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    if not value:
        return mistake("the file is empty", f"write the value into it, or unset {name}_FILE")
    if "\0" in value:
        return mistake("the file has a NUL character in it", "remove it")
    return Variable(value, f"file {file}", file)


def _content(file: Path) -> bytes | None:
    """What a file holds, and a byte too many where it is too large; None of what is no file. Errors: OSError."""
    # A pipe that nobody writes to would otherwise be waited for when it is opened.
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as stream:  # noqa: PTH123 - a descriptor
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return stream.read(LARGEST_FILE_BYTES + 1) if stat.S_ISREG(mode) else None
