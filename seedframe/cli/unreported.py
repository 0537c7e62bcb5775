"""What a program that asked for a document is given of a command that could not run: one that says so."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Final

from seedframe import __version__
from seedframe.cli.options import COULD_NOT_RUN, Context
from seedframe.cli.problems import problem_document
from seedframe.errors import Problem, SeedframeError
from seedframe.report import SCHEMA_VERSION, Mode, Report, Target
from seedframe.reporting.formats import BUILT_IN
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8, write_file
from seedframe.reporting.page import Page

# Options that may stand before the command.
_WITH_VALUE: Final = frozenset({"--env", "--config", "-p", "--log-file", "--color"})
_MODES: Final[dict[str, Mode]] = {"--dry-run": "dry_run", "--rehearse": "rehearse"}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for, as far as it can be told of one that may not fit."""

    report: str | None
    mode: Mode
    format: str
    output: Path | None

    @classmethod
    def of(cls, arguments: Sequence[str], commands: Sequence[str]) -> "_Asked":
        given = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
        words = zip(["", *given], given, strict=False)
        command = next((word for before, word in words if word in commands and before not in _WITH_VALUE), None)
        report = command if command in ("apply", "verify") else None
        mode: Mode = next((mode for word, mode in _MODES.items() if word in given), "apply")
        if command == "verify":
            mode = "verify"
        output = _value("--output", given)
        return cls(
            report,
            mode,
            _value("--format", given) or "text",
            Path(output) if output and report is not None else None,
        )


def _value(option: str, given: Sequence[str]) -> str | None:
    """What the last one of an option says, as click reads it."""
    found = None
    for at, word in enumerate(given):
        if word == option and at + 1 < len(given):
            found = given[at + 1]
        elif word.startswith(f"{option}="):
            found = word.removeprefix(f"{option}=")
    return found


def tell_program(
    problems: Sequence[Problem], arguments: Sequence[str], commands: Sequence[str], context: Context
) -> None:
    """Write a document of the format that was asked for, where it is one for programs, with the errors in it.

    It goes where the report would have gone, so that a report of before is not taken for one of now. Where the command
    line itself does not fit, no file is touched.
    """
    asked = _Asked.of(arguments, commands)
    if any(problem.code == "usage" for problem in problems) and asked.output is not None:
        return
    with suppress(OSError, SeedframeError):  # the errors were told; nobody can be given the document
        # What a plugin's reporter would say of it cannot be asked: the plugins may be what is wrong.
        form = next((reporter for reporter in BUILT_IN if reporter.name == asked.format), None)
        if asked.report is not None and form is not None:
            if asked.output is not None:
                write_file(asked.output, form.document(_report(problems, asked, context), Page()))
            elif not form.for_people:
                print_utf8(form.document(_report(problems, asked, context), Page()))
        elif asked.format == "json":
            told = [problem_document(problem) for problem in problems]
            document = {"schema": SCHEMA_VERSION, "exit_code": COULD_NOT_RUN, "error": told[0]}
            print_utf8(encode(document if len(told) == 1 else {**document, "errors": told}))


def _report(problems: Sequence[Problem], asked: _Asked, context: Context) -> Report:
    env, target = context.env or environ.get("SEEDFRAME_ENV") or "development", Target("", "", "", "", "")
    with suppress(SeedframeError, OSError):
        config = context.config()
        env, target = config.env, Target(config.project, "", config.database.schema, "", "")
    return Report(
        command="verify" if asked.report == "verify" else "apply",
        mode=asked.mode,
        env=env,
        version=__version__,
        target=target,
        seeds=(),
        started_at=datetime.now(UTC),
        duration_s=0.0,
        error=problems[0],
        more_errors=tuple(problems[1:]),
    )
