"""The command line's entry: finds the command, and turns every way it can end into an exit code and a clear line."""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from seedframe import __version__
from seedframe.cli.apart import Apart
from seedframe.cli.closed import let_reader_go, stand_in
from seedframe.cli.masked_stream import masked_stderr
from seedframe.cli.options import COULD_NOT_RUN, Context, add_global_options, context_of
from seedframe.cli.signals import Stopped, stop_on_signals
from seedframe.command_table import COMMANDS
from seedframe.secrecy.masking import masked, one_command

if TYPE_CHECKING:
    from seedframe.cli.plugin_commands import Chosen
    from seedframe.errors import Problem


_LOGS: Final = "seedframe.cli.logs"
# Before click 8.2 a group writes its help itself.
_NO_SUBCOMMAND: Final[Any] = getattr(click.exceptions, "NoArgsIsHelpError", ())
_PLUGIN_COMMANDS: Final = "seedframe.cli.plugin_commands"


class _Commands(click.Group):
    """Commands by name, imported when called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            from seedframe.cli.plugin_commands import choose  # here and below: few invocations come to that

            return choose(ctx, cmd_name)
        command: click.Command = import_module(entry[0]).command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from seedframe.cli.plugin_commands import plugin_commands
            from seedframe.errors import UsageError, did_you_mean

            found = plugin_commands(ctx)
            if args[0] not in found:
                commands = (*COMMANDS, *found)
                known = f"the commands are {', '.join(commands)}; one of a plugin needs [plugins] allow"
                raise UsageError(f"no command {args[0]!r}", hint=did_you_mean(args[0], commands) or known)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    "seedframe",
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`seedframe COMMAND --help` has the options of each. Options above may stand after the command, too.",
)
@add_global_options
@click.version_option(__version__, prog_name="seedframe", message="%(prog)s %(version)s")
@click.pass_context
def _group(ctx: click.Context) -> None:
    """Essential data as code for PostgreSQL."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(COULD_NOT_RUN)


def program() -> int:
    """The program `seedframe`: as `main`, in a process that ends with it."""
    return _main(sys.argv[1:], for_good=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments after the program's name; default: those of this process.

    Returns:
        The exit code: 0, what the command says, 3 when it could not run, 130 or 143 when it was stopped.
    """
    return _main(sys.argv[1:] if argv is None else argv, for_good=False)


def _main(argv: Sequence[str], *, for_good: bool) -> int:
    if None in (sys.stdin, sys.stdout, sys.stderr):
        stand_in()
    with Apart(for_good=for_good) as apart:
        sys.stdout, sys.stderr = let_reader_go(sys.stdout), let_reader_go(sys.stderr)
        _never_fail_to_encode(sys.stdout)
        with one_command(), masked_stderr():
            code = _run(list(argv), apart)
        try:
            sys.stdout.flush()
        except OSError as error:
            _discard_output()
            if code != COULD_NOT_RUN:
                _explain(error, Context())
            code = COULD_NOT_RUN
        if _LOGS in sys.modules:
            sys.modules[_LOGS].close()
    return code


def _run(arguments: list[str], apart: Apart) -> int:
    ctx: click.Context | None = None
    try:
        with stop_on_signals():
            ctx = _group.make_context("seedframe", arguments, obj=apart)
            with ctx:
                return _invoke(ctx)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except _NO_SUBCOMMAND as error:  # of a group that a plugin brings; our own tell it themselves
        click.echo(error.ctx.get_help(), err=True)
        return COULD_NOT_RUN
    except Stopped as stopped:
        return _stopped(f"stopped by {stopped}", stopped)
    except (KeyboardInterrupt, click.Abort) as stopped:
        return _stopped("stopped", stopped)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the user gets a clear line and an exit code
        context = context_of(ctx) if ctx is not None else Context()
        problems = _explain(error, context, ctx)
        from seedframe.cli.unreported import tell_program
        from seedframe.errors import ReportNotWritten

        if not isinstance(error, ReportNotWritten):
            tell_program(problems, arguments, tuple(COMMANDS), context)
        return COULD_NOT_RUN


def _invoke(ctx: click.Context) -> int:
    """Run the command; a plugin's may end by `sys.exit()`, too, which elsewhere is an exception as any other."""
    ended: object
    try:
        ended = _group.invoke(ctx)
    except (click.exceptions.Exit, SystemExit) as stop:
        if _plugins_command(ctx) is None:
            raise
        ended = stop
    command = _plugins_command(ctx)
    if command is None:
        return ended if isinstance(ended, int) else 0
    if not isinstance(ended, BaseException) and (told := sys.modules[_PLUGIN_COMMANDS].unasked(ctx)) is not None:
        click.echo(f"warning: {told}", err=True)
    return command.exit_code(ended)


def _plugins_command(ctx: click.Context) -> "Chosen | None":
    """The plugin's command that was run; None for a built-in one, which need not load what knows of plugins'."""
    found: Chosen | None = sys.modules[_PLUGIN_COMMANDS].chosen(ctx) if _PLUGIN_COMMANDS in sys.modules else None
    return found


# -------------------------------------------------------------------------
# Ends
# -------------------------------------------------------------------------


def _discard_output() -> None:
    """Let what could not be written go: Python flushes once more at its end, and would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _stopped(text: str, stopped: BaseException) -> int:
    from seedframe.reporting.cells import visible

    click.echo(visible(masked(": ".join([text, *getattr(stopped, "__notes__", ())]))), err=True)
    return stopped.exit_code if isinstance(stopped, Stopped) else 130


def _explain(error: BaseException, context: Context, ctx: click.Context | None = None) -> "tuple[Problem, ...]":
    from seedframe.cli.plugin_commands import chosen
    from seedframe.cli.problems import explain, print_problems

    problems = explain(error, context, command=chosen(ctx))
    print_problems(problems, context)
    if _LOGS in sys.modules:  # else the command has not come so far as to log anything
        sys.modules[_LOGS].log_problems(problems)
    return problems


def _never_fail_to_encode(stream: TextIO) -> None:
    """In a locale that lacks a character, show it as an escape rather than fail half-way."""
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")
