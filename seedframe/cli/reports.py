"""What apply and verify share: --wait, --format and --output, and bringing a report to whoever asked for it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import click

from seedframe.cli.closed import ClosedOutput
from seedframe.cli.options import Context
from seedframe.durations import Misfit, parse_duration
from seedframe.errors import ReportNotWritten, UsageError
from seedframe.report import Report
from seedframe.reporting.formats import FORMATS
from seedframe.reporting.output import check_writable, page_for, print_text, print_utf8, write_file
from seedframe.reporting.page import Page

_CANNOT: Final = "cannot write it: "
_DEFAULT_FORMAT: Final = next(iter(FORMATS))


@dataclass(frozen=True, slots=True)
class Destination:
    """How and where a report is wanted. `output` is None for standard output."""

    format: str
    output: Path | None


def _seconds(ctx: click.Context, param: click.Parameter, value: str) -> float:
    try:
        return parse_duration(_number_or_text(value))
    except Misfit as misfit:
        raise click.BadParameter(str(misfit), ctx, param) from None


def _number_or_text(value: str) -> float | str:
    try:
        return float(value)
    except ValueError:
        return value


def report_options(function: Callable[..., int]) -> Callable[..., int]:
    """For a command that makes a report: --wait (given to it as `wait_s`), --format and --output (as `to`).

    An output that could not be written is refused here, before anything is done. Errors: UsageError.
    """

    def run(*args: Any, format_: str, output: Path | None, **kwargs: Any) -> int:
        if output is not None:
            check_writable(output)
        return function(*args, to=Destination(format_, output), **kwargs)

    run = update_wrapper(run, function)
    for option in (
        click.option(
            "--output",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="Write the report there, replacing the file as a whole.",
        ),
        click.option(
            "--format",
            "format_",
            type=click.Choice(list(FORMATS)),
            default=_DEFAULT_FORMAT,
            show_default=True,
            help="How to write the report.",
        ),
        click.option(
            "--wait",
            "wait_s",
            metavar="SECONDS",
            default="0",
            callback=_seconds,
            help="Wait that long for the database and for the lock.",
        ),
    ):
        run = option(run)
    return run


def deliver(report: Report, to: Destination, context: Context) -> int:
    """Write the report where it is wanted; the exit code of the process.

    A file is written in silence, unless there is something to worry about, which a line on stderr then says.

    Where standard output is closed, nobody wants the report; a line on stderr says that it was not written.

    Errors: ReportNotWritten.
    """
    try:
        return _deliver(report, to, context)
    except UsageError as error:
        raise _not_written(report, error.message, error.where) from error
    except OSError as error:
        if to.output is None and isinstance(sys.stdout, ClosedOutput):
            click.echo("the report was not written: standard output is closed", err=True)
            return report.exit_code
        raise _not_written(report, error.strerror or str(error), None) from error
    except KeyboardInterrupt as stopped:
        stopped.add_note("the run was at its end, only its report was not written")
        raise


def _not_written(report: Report, why: str, where: str | None) -> ReportNotWritten:
    entered = "; see seedframe history" if report.run is not None else ""
    return ReportNotWritten(
        f"the report could not be written: {why.removeprefix(_CANNOT)}",
        hint=f"the run itself was done: exit code {report.exit_code} otherwise{entered}",
        where=where,
    )


def _deliver(report: Report, to: Destination, context: Context) -> int:
    form = FORMATS[to.format]
    if to.output is not None:
        write_file(to.output, form.document(report, Page(verbosity=max(-1, min(1, context.verbosity)))))
        if report.exit_code:
            _tell(report, context)
    elif form.for_people:
        _print(report, to, context)
    else:
        print_utf8(form.document(report, Page()))
        if report.error is not None:
            _tell(report, context)
    return report.exit_code


def _print(report: Report, to: Destination, context: Context) -> None:
    from seedframe.reporting.text import never_began

    if never_began(report):
        _tell(report, context)  # an error and nothing else belongs where errors of other commands are
        return
    page = page_for(sys.stdout, color=context.colored(sys.stdout), verbosity=context.verbosity)
    print_text(FORMATS[to.format].document(report, page))


def _tell(report: Report, context: Context) -> None:
    from seedframe.reporting.text import closing_lines, text_of

    page = page_for(sys.stderr, color=context.colored(sys.stderr), verbosity=context.verbosity)
    print_text(text_of(closing_lines(report, page), page), sys.stderr)
