"""`seedframe plugins`: what is installed, whether it may take part and why, and the hooks of what may."""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any, Final

import click

from seedframe.cli.options import COULD_NOT_RUN, Context, add_global_options, format_option, global_options
from seedframe.cli.plugins_lock import lock
from seedframe.cli.printing import page_of, print_lines
from seedframe.cli.problems import print_problems, problem_document
from seedframe.configuration.config_file import place_of
from seedframe.configuration.config_schema import SEEDS
from seedframe.errors import DiscoveryError, NoSeeds, Problem
from seedframe.reporting.cells import visible
from seedframe.reporting.changes import INDENT
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.reporting.page import Line, Page, Style, Whole, folded, line_width
from seedframe.reporting.text import problem_lines
from seedframe.secrecy.masking import masked
from seedframe.seed import Seed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from seedframe.configuration.config import Config
    from seedframe.plugins.installed import Distribution
    from seedframe.project import Project

_STYLES: Final[dict[str, Style]] = {"allowed": "good", "blocked": "warn", "disabled": "warn", "missing": "bad"}


@click.group("plugins", invoke_without_command=True)
@format_option()
@add_global_options
@click.pass_context
def command(ctx: click.Context, form: str) -> int:
    """Installed plugins: version, allowed or blocked and why, and what the allowed ones have.

    Nothing is imported of a plugin that `[plugins] allow` does not name, or that is not as seedframe.lock says.

    Exit code: 0, or 3 where a plugin that `[plugins] allow` names is broken, blocked or missing.
    """
    return _list(form) if ctx.invoked_subcommand is None else 0


command.add_command(lock)


@global_options
def _list(context: Context, form: str) -> int:
    from seedframe.plugins.installed import installed, unmet

    project = context.project()
    found, mistakes = installed(project.config, check_lock=False)
    # Where none is allowed, the project has not looked at them.
    shown = project.distributions or found
    with redirect_stdout(sys.stderr):  # what a plugin that is asked what it adds may print
        documents = [_document(dist, project) for dist in shown]
    if form == "json":
        print_utf8(encode({"schema": 1, "plugins": documents}))
    elif not documents:
        click.echo("no plugins are installed")
    else:
        print_lines(_text_lines(documents, project.config, page_of(context)), context)
    listed = unmet(shown)
    told = {error.message for error in listed}
    failures = [error for error in (*mistakes, *project.problems) if not isinstance(error, NoSeeds)]
    print_problems(
        dict.fromkeys(problem for error in failures for problem in error.problems if problem.message not in told),
        context,
    )
    broken = any(entry_point["errors"] for document in documents for entry_point in document["entry_points"])
    return COULD_NOT_RUN if failures or broken or listed else 0


def _document(dist: "Distribution", project: "Project") -> dict[str, Any]:
    from seedframe.plugins.installed import is_seed

    return {
        "name": dist.name,
        "version": dist.version,
        "state": dist.state,
        "reason": dist.reason,
        "hint": dist.hint,
        "requirement": dist.requirement,
        "locked": dist.locked,
        "entry_points": [
            {
                "name": entry_point.name,
                "kind": "seed" if is_seed(entry_point) else "extension",
                "module": entry_point.value,
                "disabled": entry_point.name in dist.left_out,
                "unheeded": _unheeded(dist, entry_point, project),
                **_loaded(dist, entry_point.name, project),
            }
            for entry_point in dist.entry_points
        ],
    }


def _unheeded(dist: "Distribution", entry_point: "EntryPoint", project: "Project") -> str | None:
    """Where the configuration has a table for a seed that takes no part."""
    from seedframe.plugins.installed import is_seed

    name = entry_point.name.partition("_")[2]
    takes_part = dist.state == "allowed" and entry_point.name not in dist.left_out
    if takes_part or not is_seed(entry_point) or name not in project.config.seeds:
        return None
    if any(seed.name == name for seed in project.seeds):  # another has that name
        return None
    return place_of(project.config.file, (SEEDS, name), "", project.config.env)


def _loaded(dist: "Distribution", name: str, project: "Project") -> dict[str, Any]:
    """What an entry point has that was imported, and what is wrong with it; nothing of one that was not."""
    from seedframe.loading.contract import ARGUMENTS
    from seedframe.seeding.hooks import has_hook

    for seed in project.seeds:
        if seed.label == name and seed.origin == dist.origin:
            hooks = [hook for hook in ARGUMENTS if has_hook(seed, hook)]
            return {"hooks": hooks, "writes": list(map(masked, seed.writes)), "adds": None, "errors": _errors(seed)}
    if project.plugins.extensions.get(f"extension:{name}") == dist.origin:
        callers = project.plugins.get_hookcallers(project.plugins.get_plugin(f"extension:{name}"))
        hooks = sorted(caller.name for caller in callers or ())
        try:
            adds = {
                what: list(map(masked, names))
                for what, names in project.plugins.contributions.added_by(f"extension:{name}").items()
            }
        except DiscoveryError:  # which is one of the project's problems
            adds = {}
        return {"hooks": hooks, "writes": None, "adds": adds, "errors": []}
    return {"hooks": None, "writes": None, "adds": None, "errors": []}


def _errors(seed: Seed) -> list[dict[str, str | None]]:
    problems = seed.broken.problems if seed.broken is not None else ()
    return [problem_document(problem) for problem in problems]


# -------------------------------------------------------------------------
# Text
# -------------------------------------------------------------------------


def _text_lines(documents: list[dict[str, Any]], config: "Config", page: Page) -> Iterator[Line]:
    for document in documents:
        yield from plugin_lines(document, page)
    wanted = [document["requirement"] for document in documents if document["requirement"] is not None]
    if wanted and config.plugins_allow is None:
        yield []
        yield from _how_to_allow(wanted, config, page)


def plugin_lines(document: dict[str, Any], page: Page) -> Iterator[Line]:
    """One plugin, what it has, and what is wrong with it."""
    name = visible(f"{document['name']} {document['version'] or ''}".rstrip())
    state, reason = document["state"], visible(document["reason"])
    locked = ", locked" if document["locked"] else ""
    yet = document["reason"] != _NOT_YET
    told: Line = [(state, _STYLES[state]), (f"{locked}: {reason}", "plain")] if yet else [(reason, _STYLES[state])]
    yield from folded([(Whole(name), "strong"), ("  ", "plain"), *told], page, indent=len(INDENT))
    if document["hint"] is not None and yet:
        yield from _indented(visible(document["hint"]), page, 4, hang=0)
    for entry_point in document["entry_points"]:
        yield from _indented(f"- {_entry_point_text(entry_point)}", page, 4)
        if entry_point.get("unheeded"):
            yield from _indented(f"{visible(entry_point['unheeded'])} has no effect meanwhile", page, 6)
        if entry_point["writes"]:
            yield from _indented(f"writes {', '.join(map(visible, entry_point['writes']))}", page, 6)
        if entry_point.get("adds"):
            added = (f"{what} {name}" for what, names in entry_point["adds"].items() for name in names)
            yield from _indented(f"adds {visible(', '.join(added))}", page, 6)
        for error in entry_point["errors"]:
            yield from problem_lines(Problem(**error), page, indent=" " * 6)


_NOT_YET: Final = "not allowed yet"


def _indented(text: str, page: Page, indent: int, *, hang: int = 2) -> Iterator[Line]:
    return folded([(" " * indent, "plain"), (text, "plain")], page, indent=indent + hang)


def _entry_point_text(entry_point: dict[str, Any]) -> str:
    text = f"{entry_point['kind']} {visible(entry_point['name'])} ({visible(entry_point['module'])})"
    if entry_point["disabled"]:
        return f"{text}: left out"
    hooks = entry_point["hooks"]
    return text if hooks is None else f"{text}: {', '.join(hooks) or 'no hooks'}"


def _how_to_allow(wanted: list[str], config: "Config", page: Page) -> Iterator[Line]:
    """What can be pasted into the file as it is, however narrow the terminal."""
    name = config.file.name if config.file is not None else "seedframe.toml"
    header = "tool.seedframe.plugins" if name == "pyproject.toml" else "plugins"
    place = f"[{header}] of {name}" if config.plugins_shared else name
    it = "it" if len(wanted) == 1 else "them"
    yield from folded([(f"to allow {it}, add to {place}:", "plain")], page, indent=2)
    yield []
    if not config.plugins_shared:
        yield [(f"[{header}]", "plain")]
    quoted = [_quoted(line) for line in wanted]
    allow: Line = [(f"allow = [{', '.join(quoted)}]", "plain")]
    if page.width is None or line_width(allow) <= page.width:
        yield allow
    else:
        yield [("allow = [", "plain")]
        for line in quoted:
            yield [(f"    {line},", "plain")]
        yield [("]", "plain")]


def _quoted(line: str) -> str:
    return f'"{visible(line)}"'
