"""`seedframe plugins`: what is installed, whether it may take part and why, and the hooks of what may."""

import sys
from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Final

import click

from seedframe.cli.options import COULD_NOT_RUN, Context, add_global_options, global_options
from seedframe.cli.plugins_lock import lock
from seedframe.cli.problems import lines_of, print_problems, problem_document
from seedframe.errors import DiscoveryError, NoSeeds, Problem
from seedframe.reporting.cells import visible
from seedframe.reporting.json import encode
from seedframe.reporting.output import page_for, print_utf8
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.config import Config
    from seedframe.plugins.installed import Distribution
    from seedframe.project import Project

_COLORS: Final = {"allowed": "green", "blocked": "yellow", "disabled": "yellow", "missing": "red"}


@click.group("plugins", invoke_without_command=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="text or json.")
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
    documents = [_document(dist, project) for dist in shown]
    if form == "json":
        print_utf8(encode({"schema": 1, "plugins": documents}))
    elif not documents:
        click.echo("no plugins are installed")
    else:
        _print_text(documents, project.config, context)
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
                **_loaded(dist, entry_point.name, project),
            }
            for entry_point in dist.entry_points
        ],
    }


def _loaded(dist: "Distribution", name: str, project: "Project") -> dict[str, Any]:
    """What an entry point has that was imported, and what is wrong with it; nothing of one that was not."""
    from seedframe.contract import ARGUMENTS
    from seedframe.hooks import has_hook

    for seed in project.seeds:
        if seed.label == name and seed.origin == dist.origin:
            hooks = [hook for hook in ARGUMENTS if has_hook(seed, hook)]
            return {"hooks": hooks, "writes": list(seed.writes), "adds": None, "errors": _errors(seed)}
    if project.plugins.extensions.get(f"extension:{name}") == dist.origin:
        callers = project.plugins.get_hookcallers(project.plugins.get_plugin(f"extension:{name}"))
        hooks = sorted(caller.name for caller in callers or ())
        try:
            adds = {
                what: list(names) for what, names in project.plugins.contributions.added_by(f"extension:{name}").items()
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


def _print_text(documents: list[dict[str, Any]], config: "Config", context: Context) -> None:
    color = context.colored(sys.stdout)
    width = page_for(sys.stdout).width
    for document in documents:
        name, state = visible(f"{document['name']} {document['version'] or ''}".rstrip()), document["state"]
        first, *rest = plugin_lines(document, width)
        if color:
            first = first.replace(name, click.style(name, bold=True), 1)
            first = first.replace(f"  {state}", f"  {click.style(state, fg=_COLORS[state])}", 1)
        for line in (first, *rest):
            click.echo(line, color=color)
    wanted = [document["requirement"] for document in documents if document["requirement"] is not None]
    if wanted and config.plugins_allow is None:
        click.echo(f"\n{_how_to_allow(wanted, config)}")


def plugin_lines(document: dict[str, Any], width: int | None) -> Iterator[str]:
    """One plugin, no line wider than `width` (None: as wide as they are) where a word does not make it so."""
    name = visible(f"{document['name']} {document['version'] or ''}".rstrip())
    state, reason = document["state"], visible(document["reason"])
    locked = ", locked" if document["locked"] else ""
    head = f"{name}  {reason}" if document["reason"] == _NOT_YET else f"{name}  {state}{locked}: {reason}"
    yield from _wrapped(head, "", "    ", width)
    if document["hint"] is not None and document["reason"] != _NOT_YET:
        yield from _wrapped(visible(document["hint"]), "    ", "    ", width)
    for entry_point in document["entry_points"]:
        yield from _wrapped(_entry_point_text(entry_point), "    - ", "      ", width)
        if entry_point["writes"]:
            writes = ", ".join(map(visible, entry_point["writes"]))
            yield from _wrapped(f"writes {writes}", "      ", "        ", width)
        if entry_point.get("adds"):
            added = (f"{what} {name}" for what, names in entry_point["adds"].items() for name in names)
            yield from _wrapped(f"adds {visible(', '.join(added))}", "      ", "        ", width)
        for error in entry_point["errors"]:
            for line in lines_of(Problem(**error)):
                yield f"      {line}"


_NOT_YET: Final = "not allowed yet"


def _wrapped(text: str, first: str, rest: str, width: int | None) -> list[str]:
    if width is None:
        return [f"{first}{text}"]
    return wrap(
        text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def _entry_point_text(entry_point: dict[str, Any]) -> str:
    text = f"{entry_point['kind']} {visible(entry_point['name'])} ({visible(entry_point['module'])})"
    if entry_point["disabled"]:
        return f"{text}: left out"
    hooks = entry_point["hooks"]
    return text if hooks is None else f"{text}: {', '.join(hooks) or 'no hooks'}"


def _how_to_allow(wanted: list[str], config: "Config") -> str:
    """What can be pasted into the file as it is."""
    name = config.file.name if config.file is not None else "seedframe.toml"
    header = "tool.seedframe.plugins" if name == "pyproject.toml" else "plugins"
    allow = f"allow = [{', '.join(_quoted(line) for line in wanted)}]"
    if config.plugins_shared:
        return f"to allow {'it' if len(wanted) == 1 else 'them'}, add to [{header}] of {name}:\n\n{allow}"
    return f"to allow {'it' if len(wanted) == 1 else 'them'}, add to {name}:\n\n[{header}]\n{allow}"


def _quoted(line: str) -> str:
    return f'"{visible(line)}"'
