"""`seedframe env`: the variables the seeds read, whether they are set, and a .env.example. Needs no database."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from seedframe.cli.env_example import deliver_example, example_text
from seedframe.cli.exposure import exposures
from seedframe.cli.options import Context, OutputPath, format_option, global_options
from seedframe.cli.printing import page_of, print_lines
from seedframe.cli.problems import print_problems, problem_document
from seedframe.cli.seedframe_settings import address_problems, describe_own
from seedframe.configuration.settings import Described, State, declaration_problems, describe
from seedframe.errors import Problem, UsageError
from seedframe.project import Project
from seedframe.reporting.cells import visible
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.reporting.page import Line, Page, Style, Whole, folded
from seedframe.reporting.signs import signs_for
from seedframe.reporting.table import Column, table_lines
from seedframe.reporting.words import one_of, plural
from seedframe.secrecy.masking import masked

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What `seedframe env` tells, as data.

    Attributes:
        project: the project's name.
        env: the environment's name.
        variables: what the usable seeds of this environment declare.
        own: what seedframe itself reads, less what seeds declare too.
        problems: variables that are missing, do not fit, or are declared in two ways.
        warnings: what is odd, or could show a secret to others, and fails nothing.
        broken: seeds and plugins whose variables cannot be known.
    """

    project: str
    env: str
    variables: tuple[Described, ...]
    own: tuple[Described, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
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
    own = describe_own(config, declared=frozenset(entry.name for entry in variables))
    everything = (*variables, *own)
    errors = [*project.problems, *(seed.broken for seed in project.seeds if seed.broken is not None)]
    return Overview(
        project=config.project,
        env=config.env,
        variables=variables,
        own=own,
        problems=(
            *declaration_problems(declared),
            *(entry.problem for entry in everything if entry.problem is not None),
            *address_problems(config),
        ),
        warnings=(
            *(warning for entry in everything for warning in entry.warnings),
            *exposures(config.root, everything),
        ),
        broken=tuple(problem for error in errors for problem in error.problems),
    )


@click.command("env")
@click.option("--check", is_flag=True, help="Exit with 1 if a variable is missing or does not fit.")
@click.option("--example", is_flag=True, help="Print a .env.example.")
@click.option(
    "--output",
    metavar="FILE",
    type=OutputPath(),
    help="Write the example there, if nothing else is there.",
)
@format_option()
@global_options
def command(context: Context, *, check: bool, example: bool, output: Path | None, form: str) -> int:
    """List every variable the seeds read, and seedframe itself: type, default, whether it is set and from where.

    Values are never shown.
    """
    if example and (check or form == "json"):
        raise UsageError("--example cannot be combined with --check or --format json", hint="drop one of them")
    if output is not None and not example:
        raise UsageError("--output is for the example", hint="seedframe env --example --output FILE")
    found = overview(context.project())
    if example:
        deliver_example(example_text(found.project, found.own, found.variables), output)
    elif form == "json":
        print_utf8(encode(as_dict(found)))
    else:
        print_lines(lines(found, page_of(context)), context)
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
        "variables": [_entry(entry) for entry in found.variables],
        "own": [_entry(entry) for entry in found.own],
        "problems": [problem_document(problem) for problem in found.problems],
        "warnings": [problem_document(problem) for problem in found.warnings],
        "broken": [problem_document(problem) for problem in found.broken],
    }


def _entry(entry: Described) -> dict[str, Any]:
    return {
        "name": entry.name,
        "type": entry.type,
        "required": entry.required,
        "secret": entry.secret,
        "default": entry.default,
        "choices": None if entry.choices is None else list(entry.choices),
        "state": entry.state,
        "source": entry.source,
        "seeds": list(entry.seeds),
        "help": entry.help,
    }


_STATE_STYLES: Final[dict[State, Style]] = {"set": "good", "default": "dim", "missing": "bad", "invalid": "bad"}
_OWN: Final = "(seedframe)"
_GIVE_UP: Final = ("help", "seeds", "type", "default")
_HELP_COLUMNS: Final = 30


def lines(found: Overview, page: Page) -> Iterator[Line]:
    """The list for people: a row for each variable, then what is wrong."""
    signs = signs_for(page)
    yield from table_lines(_columns((*found.variables, *found.own), page), page, give_up=_GIVE_UP)
    if found.problems or found.warnings or found.broken:
        yield []
    marks: tuple[tuple[Line, tuple[Problem, ...]], ...] = (
        ([(f"{signs.bad} ", "bad")], found.problems),
        ([("! ", "warn")], found.warnings),
        ([(f"{signs.bad} broken: ", "bad")], found.broken),
    )
    for mark, problems in marks:
        for problem in problems:
            text = visible(masked(str(problem)), ascii_only=not page.unicode)
            yield from folded([*mark, (text, "plain")], page, indent=2)
    yield []
    yield from folded([(_summary(found), "plain")], page, indent=2)


def _columns(entries: Sequence[Described], page: Page) -> list[Column]:
    ascii_only = not page.unicode
    dash = signs_for(page).dash

    def shown(text: str) -> str:
        return visible(text, ascii_only=ascii_only)

    defaults = [dash if entry.default is None else shown(entry.default) or "''" for entry in entries]
    return [
        Column(title="variable", cells=[(Whole(entry.name), "strong") for entry in entries]),
        Column(title="type", cells=[(entry.type, "plain") for entry in entries], narrow="below"),
        Column(title="default", cells=[(Whole(default), "plain") for default in defaults], narrow="below"),
        Column(title="value", cells=[(shown(_state_text(entry)), _STATE_STYLES[entry.state]) for entry in entries]),
        Column(
            title="seeds", cells=[(shown(", ".join(entry.seeds) or _OWN), "dim") for entry in entries], narrow="below"
        ),
        Column(
            title="help",
            cells=[(shown(_about(entry)), "dim") for entry in entries],
            narrow="below",
            named=False,
            least=_HELP_COLUMNS,
        ),
    ]


def _about(entry: Described) -> str:
    choices = one_of(entry.choices)
    return f"{entry.help} ({choices})" if entry.help and choices else entry.help or choices


def _state_text(entry: Described) -> str:
    source = f" ({entry.source})" if entry.source else ""
    return f"{entry.state}{source}"


def _summary(found: Overview) -> str:
    if not found.variables:
        return f"No seed of {found.project} reads a variable in {found.env}."
    entries = (*found.variables, *found.own)
    counts = [
        f"{number} {state}" for state in _STATE_STYLES if (number := sum(entry.state == state for entry in entries))
    ]
    return f"{plural(len(entries), 'variable')} in {found.env}: {', '.join(counts)}"
