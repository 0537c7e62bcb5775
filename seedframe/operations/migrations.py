"""Runs the project's migration command on the target: its own program, in its own process, without a shell."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

from seedframe.database.address import parse_address
from seedframe.errors import ConfigError, MigrationFailed
from seedframe.secrets import MASK, Secret

LAST_LINES: Final = 20
# What psql, psycopg and SQLAlchemy print below an error: the statement with a caret, details, where to read on.
_BESIDE: Final = re.compile(
    r"\s|[\^~]|(LINE \d+|DETAIL|HINT|CONTEXT|QUERY|STATEMENT|LOCATION):|\[\w+: |\(Background on "
)
# `psql:schema.sql:3: ERROR:  …`, `psycopg.errors.UndefinedTable: …`, `ValueError: …`.
_ERROR: Final = re.compile(r"\b(ERROR|FATAL|PANIC): |^(\w+\.)+[A-Z]\w*: |^\w*(Error|Exception)\b")
_LOOK_S: Final = 0.5
_PATIENCE_S: Final = 10.0


def run_migrations(command: Sequence[str], *, root: Path, url: Secret, variables: Mapping[str, str]) -> str:
    """Run the migration command in the project's folder, with DATABASE_URL set to the target.

    Args:
        command: the program and its arguments. A program of the environment that seedframe runs in (`alembic`,
            `python`) is found there first, activated or not.
        root: the project's folder.
        url: the target.
        variables: the environment for the command; DATABASE_URL is replaced.

    Returns:
        What it printed.

    Raises:
        ConfigError: the program cannot be run.
        MigrationFailed: it ran and failed; `output` has its last lines.
    """
    shown = shlex.join(command)
    environment = child_environment(variables, url)
    program = find_program(command[0], root, environment["PATH"])
    if program is None:
        raise ConfigError(
            f"the migration command {shown!r} cannot be run: there is no program {command[0]!r}",
            hint=f"install it where seedframe is installed ({sys.prefix}), or change command under [migrations]",
        )
    try:
        process = subprocess.Popen(
            [program, *command[1:]],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise ConfigError(
            f"the migration command {shown!r} cannot be run: {error.strerror or error}",
            hint="change command under [migrations]",
        ) from error
    output = _without_secrets(_wait(process), url, variables)
    if process.returncode != 0:
        lines = last_lines(output)
        raise MigrationFailed(
            f"the migration command {shown!r} {_ending(process.returncode)}"
            + (f": {_telling(lines)}" if lines else ""),
            hint="the database is as the migrations left it; put it right and run seedframe db init again",
            output=lines,
        )
    return output


def child_environment(variables: Mapping[str, str], url: Secret) -> dict[str, str]:
    """The variables that a migration command is run with: DATABASE_URL, and our own programs first on PATH."""
    environment = {name: value for name, value in variables.items() if name != "DATABASE_URL_FILE"}
    path = environment.get("PATH", os.defpath)
    return {**environment, "DATABASE_URL": url.reveal(), "PATH": os.pathsep.join([*_own_folders(), path])}


def find_program(name: str, root: Path, path: str) -> str | None:
    """The file to run for the first word of a command: a path is relative to the project, a name is looked up.

    `python` is the one that seedframe runs with, which a system's own may know as python3 only.
    """
    if name in {"python", "python3"}:
        return sys.executable
    if os.sep in name:
        file = root / Path(name).expanduser()
        return str(file) if file.is_file() else None
    return shutil.which(name, path=path)


def last_lines(text: str) -> tuple[str, ...]:
    """The last few lines that have anything on them, whose end tells most."""
    return tuple([line.rstrip() for line in text.splitlines() if line.strip()][-LAST_LINES:])


def _telling(lines: Sequence[str]) -> str:
    """The lines that say what went wrong, as one: the last one, unless that only belongs to an error further up."""
    if _BESIDE.match(lines[-1]) is None:
        return lines[-1].strip()
    errors = [number for number, line in enumerate(lines) if _ERROR.search(line)]
    if not errors:
        return next((line for line in reversed(lines) if _BESIDE.match(line) is None), lines[-1]).strip()
    place = next((line for line in lines[errors[-1] + 1 :] if line.startswith("LINE ")), None)
    return " ".join(lines[errors[-1]].split()) + (f" ({' '.join(place.split())})" if place is not None else "")


def _own_folders() -> list[str]:
    """The folders with this environment's programs."""
    return list(dict.fromkeys((sysconfig.get_path("scripts"), str(Path(sys.executable).parent))))


def _wait(process: subprocess.Popen[str]) -> str:
    try:
        while True:
            # Not without end: a signal that comes just before such a wait begins is handled only after it.
            try:
                return process.communicate(timeout=_LOOK_S)[0]
            except subprocess.TimeoutExpired:
                continue
    except BaseException as stopped:
        # A terminal's Ctrl-C has reached it too. Of a SIGTERM only we know; many programs roll back at SIGINT alone.
        # Let it do so, then insist.
        if str(stopped) == signal.SIGTERM.name:
            process.send_signal(signal.SIGINT)
        for insist in (process.terminate, process.kill):
            try:
                process.communicate(timeout=_PATIENCE_S)
                break
            except subprocess.TimeoutExpired:
                insist()
        process.wait()
        raise


def _ending(returncode: int) -> str:
    return f"was ended by signal {-returncode}" if returncode < 0 else f"failed with exit code {returncode}"


def _without_secrets(text: str, url: Secret, variables: Mapping[str, str]) -> str:
    """The text without the address and the password, should the command have printed them."""
    password = parse_address(url.reveal()).parameters.get("password", "")
    for plain in (url.reveal(), password, quote(password, safe=""), variables.get("PGPASSWORD", "")):
        if plain:
            text = text.replace(plain, MASK)
    return text
