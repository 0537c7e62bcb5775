"""`seedframe env`: the variables the seeds read, whether they are set, and a .env.example. Needs no database."""

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import click

from seedframe.cli.options import Context, global_options
from seedframe.cli.problems import print_problems, problem_document
from seedframe.dotenv import dotenv_value
from seedframe.errors import Problem, UsageError
from seedframe.project import Project
from seedframe.reporting.cells import pad, text_width, visible
from seedframe.reporting.output import page_for, print_text, print_utf8
from seedframe.reporting.page import Line, Page, Style
from seedframe.reporting.signs import signs_for
from seedframe.reporting.text import text_of
from seedframe.reporting.words import plural
from seedframe.settings import Described, State, declaration_problems, describe

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What `seedframe env` tells, as data.

    Attributes:
        project: the project's name.
        env: the environment's name.
        variables: what the usable seeds of this environment declare.
        problems: variables that are missing, do not fit, or are declared in two ways.
        broken: seeds and plugins whose variables cannot be known.
    """

    project: str
    env: str
    variables: tuple[Described, ...]
    problems: tuple[Problem, ...]
    broken: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """What `--check` exits with: 0 fine, 1 something is missing or does not fit, 3 some seeds cannot be read."""
        return 3 if self.broken else 1 if self.problems else 0


def overview(project: Project) -> Overview:
    """The variables of a project's seeds, those that run in its environment."""
    config = project.config
    declared = [(seed.name, seed.settings) for seed in project.seeds if seed.runs_in(config.env) and not seed.broken]
    variables = describe(declared, config.variables, config.variable_sources, root=config.root)
    errors = [*project.problems, *(seed.broken for seed in project.seeds if seed.broken is not None)]
    return Overview(
        project=config.project,
        env=config.env,
        variables=variables,
        problems=(
            *declaration_problems(declared),
            *(entry.problem for entry in variables if entry.problem is not None),
        ),
        broken=tuple(problem for error in errors for problem in error.problems),
    )


@click.command("env")
@click.option("--check", is_flag=True, help="Exit with 1 if a variable is missing or does not fit.")
@click.option("--example", is_flag=True, help="Print a .env.example.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to print the list.")
@global_options
def command(context: Context, *, check: bool, example: bool, format_: Literal["text", "json"]) -> int:
    """List every variable the seeds read: type, default, whether it is set and from where. Values are never shown."""
    if example and (check or format_ == "json"):
        raise UsageError("--example cannot be combined with --check or --format json", hint="drop one of them")
    found = overview(context.project())
    if example:
        print_utf8(example_text(found))
    elif format_ == "json":
        print_utf8(json.dumps(as_dict(found), ensure_ascii=False, indent=2) + "\n")
    else:
        page = replace(page_for(sys.stdout), color=context.colored(sys.stdout))
        print_text(text_of(lines(found, page), page))
    if example and found.broken:
        print_problems(found.broken, context)
    return found.exit_code if check else 0


def as_dict(found: Overview) -> dict[str, Any]:
    """The JSON document; no value of a variable is in it."""
    return {
        "schema": SCHEMA_VERSION,
        "command": "env",
        "project": found.project,
        "env": found.env,
        "variables": [
            {
                "name": entry.name,
                "type": entry.type,
                "required": entry.required,
                "secret": entry.secret,
                "default": entry.default,
                "state": entry.state,
                "source": entry.source,
                "seeds": list(entry.seeds),
                "help": entry.help,
            }
            for entry in found.variables
        ],
        "problems": [problem_document(problem) for problem in found.problems],
        "broken": [problem_document(problem) for problem in found.broken],
    }


_STATE_STYLES: Final[dict[State, Style]] = {"set": "good", "default": "dim", "missing": "bad", "invalid": "bad"}
_TITLES: Final = ("variable", "type", "default", "value", "seeds", "help")


def lines(found: Overview, page: Page) -> Iterator[Line]:
    """The list for people: a row for each variable, then what is wrong."""
    signs = signs_for(page)
    ascii_only = not page.unicode
    rows = [
        (
            entry.name,
            entry.type,
            signs.dash if entry.default is None else visible(entry.default, ascii_only=ascii_only) or "''",
            visible(_state_text(entry), ascii_only=ascii_only),
            visible(", ".join(entry.seeds), ascii_only=ascii_only),
            visible(entry.help, ascii_only=ascii_only),
        )
        for entry in found.variables
    ]
    widths = [max(text_width(row[column]) for row in [_TITLES, *rows]) for column in range(len(_TITLES))]
    if rows:
        yield [(_row(_TITLES, widths), "dim")]
    for row, entry in zip(rows, found.variables, strict=True):
        cells = [pad(text, width) for text, width in zip(row, widths, strict=True)]
        yield [
            (cells[0] + "  ", "strong"),
            (f"{cells[1]}  {cells[2]}  ", "plain"),
            (cells[3] + "  ", _STATE_STYLES[entry.state]),
            (f"{cells[4]}  {cells[5]}", "dim"),
        ]
    if rows and (found.problems or found.broken):
        yield []
    for problem in found.problems:
        yield [(f"{signs.bad} ", "bad"), (visible(str(problem), ascii_only=ascii_only), "plain")]
    for problem in found.broken:
        yield [(f"{signs.bad} broken: ", "bad"), (visible(str(problem), ascii_only=ascii_only), "plain")]
    if rows:
        yield []
    yield [(_summary(found), "plain")]


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(pad(text, width) for text, width in zip(texts, widths, strict=True))


def _state_text(entry: Described) -> str:
    source = f" ({entry.source})" if entry.source else ""
    return f"{entry.state}{source}"


def _summary(found: Overview) -> str:
    if not found.variables:
        return f"No seed of {found.project} reads a variable in {found.env}."
    counts = [
        f"{number} {state}"
        for state in _STATE_STYLES
        if (number := sum(entry.state == state for entry in found.variables))
    ]
    return f"{plural(len(found.variables), 'variable')} in {found.env}: {', '.join(counts)}"


def example_text(found: Overview) -> str:
    """A .env.example: what is required with an empty value, the rest commented out with its default."""
    parts = [f"# What the seeds of {visible(found.project)} read. Copy this file to .env and fill it in.\n"]
    written: set[str] = set()
    for entry in found.variables:
        if entry.name in written:
            continue
        written.add(entry.name)
        about = [entry.type, "required" if entry.required else "", f"read by {', '.join(entry.seeds)}"]
        comments = [*(line.strip() for line in entry.help.splitlines()), ", ".join(filter(None, about))]
        assignment = f"{entry.name}=" if entry.required else f"# {entry.name}={_example_value(entry)}"
        parts.append("".join(f"# {visible(comment)}\n" for comment in comments if comment) + assignment + "\n")
    return "\n".join(parts)


def _example_value(entry: Described) -> str:
    """The default as .env would have it; empty for a secret, and for what would steer a terminal."""
    value = "" if entry.default is None or entry.secret else dotenv_value(entry.default)
    return value if value.isprintable() else ""
