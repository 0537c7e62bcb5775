"""Errors as lines on stderr: `error: where: what happened`, and below it what to do next."""

import errno
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from seedframe.cli.options import Context
from seedframe.cli.printing import page_of
from seedframe.errors import HookFailed, Problem, SeedframeError
from seedframe.reporting.cells import visible
from seedframe.reporting.output import print_text
from seedframe.reporting.text import problem_lines, text_of
from seedframe.secrecy.masked_report import masked_problem
from seedframe.secrecy.tracebacks import deepest, describe, render

if TYPE_CHECKING:
    from seedframe.cli.plugin_commands import Chosen


def print_problems(problems: Iterable[Problem], context: Context) -> None:
    """Each problem on stderr, with its hint below it."""
    page = page_of(context, sys.stderr)
    lines = (line for problem in problems for line in problem_lines(masked_problem(problem), page))
    print_text(text_of(lines, page), sys.stderr)


def problem_document(problem: Problem) -> dict[str, str | None]:
    """The problem as JSON, like `error` in a report."""
    problem = masked_problem(problem)
    return {"code": problem.code, "message": problem.message, "hint": problem.hint, "where": problem.where}


def explain(error: BaseException, context: Context, *, command: "Chosen | None" = None) -> tuple[Problem, ...]:
    """What the user is told of an exception that ended a command; with -v, a bug's traceback is printed first.

    Args:
        error: the exception.
        context: the options of every command.
        command: the command of a plugin that it ended, whose bug it is then.
    """
    return tuple(map(masked_problem, _explained(error, context, command)))


def _explained(error: BaseException, context: Context, command: "Chosen | None") -> tuple[Problem, ...]:
    if isinstance(error, SeedframeError):
        return error.problems
    if isinstance(error, click.ClickException):
        return (_usage(error),)
    if isinstance(error, OSError) and error.errno is not None and error.errno != errno.EINVAL:
        name = f"{error.filename}: " if error.filename is not None else ""
        return (Problem("os", f"{name}{error.strerror}"),)
    if context.verbosity > 0:
        click.echo("".join(f"{visible(line)}\n" for line in render(error).splitlines()), err=True, nl=False)
        hint = "report it, with the traceback above"
    else:
        hint = "report it, with the traceback that -v shows"
    place = deepest(error, lambda _: True)
    where = f" ({Path(place[0]).name}:{place[1]})" if place else ""
    if command is not None:
        who, line = command.plugins.raised_in(error) or (None, None)
        told = f"the command {command.name!r} failed: {describe(error)}"
        hint = f"{hint}, to the author of the plugin"
        return (Problem(HookFailed.code, f"{who}: {told}" if who else f"{told}{where}", hint, line),)
    return (Problem("bug", f"this is a bug in seedframe: {describe(error)}{where}", hint),)


def _usage(error: click.ClickException) -> Problem:
    """Click's own message, and the command whose help explains it."""
    message = error.format_message().rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    command = context.command_path if context is not None else "seedframe"
    return Problem("usage", message[:1].lower() + message[1:], f"{command} --help")
