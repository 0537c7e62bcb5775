"""What apply and verify share: --wait, --format and --output, and bringing a report to whoever asked for it."""

import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import click

from seedframe.cli.closed import ClosedOutput
from seedframe.cli.options import Context, OutputPath
from seedframe.configuration.durations import Misfit, parse_duration
from seedframe.errors import ReportNotWritten, UsageError
from seedframe.log import logger
from seedframe.plugins.contributions import unknown
from seedframe.plugins.manager import SeedManager
from seedframe.project import Project
from seedframe.report import Report
from seedframe.reporting.formats import BUILT_IN, Reporter
from seedframe.reporting.output import check_writable, page_for, print_text, print_utf8, write_file
from seedframe.reporting.page import Page
from seedframe.secrecy.masking import masked
from seedframe.secrecy.tracebacks import describe, render

_CANNOT: Final = "cannot write it: "
_FORMATS: Final = {reporter.name: reporter for reporter in BUILT_IN}


@dataclass(frozen=True, slots=True)
class Destination:
    """How and where a report is wanted. `output` is None for standard output."""

    format: str
    output: Path | None

    def reporter(self, project: Project) -> Reporter:
        """What writes it. Errors: UsageError for a format that there is not, DiscoveryError."""
        if self.format in _FORMATS:
            return _FORMATS[self.format]
        found = project.plugins.contributions.reporters.get(self.format)
        if found is None:
            message, hint = unknown("format", self.format, project.plugins.contributions.reporters)
            raise UsageError(message, hint=hint, where="--format")
        return replace(found, document=_guarded(found, project.plugins))


def _guarded(reporter: Reporter, plugins: SeedManager) -> Callable[[Report, Page], str]:
    """What a plugin's reporter makes of a report; where it fails, that is a UsageError that names the plugin."""
    who = plugins.called(plugins.contributions.owner("reporter", reporter.name) or "")

    def document(report: Report, page: Page) -> str:
        try:
            with redirect_stdout(sys.stderr):  # standard output is for what it returns
                text = reporter.document(report, page)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            logger.bind(reporter=reporter.name, traceback=render(error)).info("a reporter raised")
            what = "called sys.exit()" if isinstance(error, SystemExit) else f"failed: {describe(error)}"
            found = plugins.raised_in(error)
            where = found[1] if found is not None else None
            raise UsageError(f"{who}: reporter {reporter.name!r} {what}", where=where) from error
        if not isinstance(text, str):
            raise UsageError(f"{who}: reporter {reporter.name!r} returned {type(text).__name__}, not a text")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            what = f"returned half of a surrogate pair, at character {error.start + 1}: not a text that UTF-8 has"
            raise UsageError(f"{who}: reporter {reporter.name!r} {what}") from None
        return masked(text)  # the report has no secret, but what else it knows may

    return document


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
            output = output.absolute()  # a hook may change the working directory
        return function(*args, to=Destination(format_, output), **kwargs)

    run = update_wrapper(run, function)
    for option in (
        click.option(
            "--output",
            metavar="FILE",
            type=OutputPath(),
            help="Write the report there, replacing the file as a whole.",
        ),
        click.option(
            "--format",
            "format_",
            metavar="NAME",
            default=BUILT_IN[0].name,
            show_default=True,
            help=f"How to write the report: {', '.join(_FORMATS)}, or as a plugin has it.",
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


def deliver(report: Report, to: Destination, reporter: Reporter, context: Context) -> int:
    """Write the report where it is wanted; the exit code of the process.

    A file is written in silence, unless there is something to worry about, which a line on stderr then says.

    Where standard output is closed, nobody wants the report; a line on stderr says that it was not written.

    Errors: ReportNotWritten.
    """
    try:
        return _deliver(report, to, reporter, context)
    except UsageError as error:
        raise _not_written(report, error.message, error.where) from error
    except OSError as error:
        if to.output is None and isinstance(sys.stdout, ClosedOutput):
            click.echo("the report was not written: standard output is closed", err=True)
            return report.exit_code
        raise _not_written(report, error.strerror or str(error), None) from error
    except KeyboardInterrupt as stopped:
        end = "the run is done" if report.exit_code == 0 else f"the run had ended with exit code {report.exit_code}"
        stopped.add_note(f"{end}, only its report was not written")
        raise


def _not_written(report: Report, why: str, where: str | None) -> ReportNotWritten:
    entered = "; see seedframe history" if report.run is not None else ""
    return ReportNotWritten(
        f"the report could not be written: {why.removeprefix(_CANNOT)}",
        hint=f"the run itself was done: exit code {report.exit_code} otherwise{entered}",
        where=where,
    )


def _deliver(report: Report, to: Destination, reporter: Reporter, context: Context) -> int:
    if to.output is not None:
        page = Page(verbosity=max(-1, min(1, context.verbosity)))
        write_file(to.output, reporter.document(report, page))
        if report.exit_code:
            _tell(report, context)
    elif reporter.for_people:
        _print(report, reporter, context)
    else:
        print_utf8(reporter.document(report, Page()))
        if report.error is not None:
            _tell(report, context)
    return report.exit_code


def _print(report: Report, reporter: Reporter, context: Context) -> None:
    from seedframe.reporting.text import never_began

    if never_began(report):
        _tell(report, context)  # an error and nothing else belongs where errors of other commands are
        return
    page = page_for(sys.stdout, color=context.colored(sys.stdout), verbosity=context.verbosity)
    print_text(reporter.document(report, page))


def _tell(report: Report, context: Context) -> None:
    from seedframe.reporting.text import closing_lines, text_of

    page = page_for(sys.stderr, color=context.colored(sys.stderr), verbosity=context.verbosity)
    print_text(text_of(closing_lines(report, page), page), sys.stderr)
