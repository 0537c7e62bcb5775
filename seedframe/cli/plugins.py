"""`seedframe plugins`: what is installed, whether it may take part and why, and the hooks of what may."""

import sys
from typing import TYPE_CHECKING, Any

import click

from seedframe.cli.options import COULD_NOT_RUN, Context, global_options
from seedframe.cli.problems import lines_of, print_problems, problem_document
from seedframe.errors import HookMistake, Problem, SeedImportFailed
from seedframe.reporting.cells import visible
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.installed import Distribution
    from seedframe.project import Project

_COLORS = {"allowed": "green", "blocked": "yellow", "disabled": "yellow", "missing": "red"}


@click.command("plugins")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="text or json.")
@global_options
def command(context: Context, form: str) -> int:
    """Installed plugins: version, allowed or blocked and why, and the hooks of the allowed ones.

    Nothing is imported of a plugin that `[plugins] allow` does not name.

    Exit code: 0, or 3 where a plugin that is allowed is broken.
    """
    from seedframe.installed import installed

    project = context.project()
    distributions, mistakes = installed(project.config)
    documents = [_document(dist, project) for dist in distributions]
    if form == "json":
        print_utf8(encode({"schema": 1, "plugins": documents}))
    elif not documents:
        click.echo("no plugins are installed")
    else:
        _print_text(documents, context)
    failures = [error for error in project.problems if isinstance(error, HookMistake | SeedImportFailed)]
    print_problems([problem for error in (*mistakes, *failures) for problem in error.problems], context)
    broken = any(entry_point["errors"] for document in documents for entry_point in document["entry_points"])
    return COULD_NOT_RUN if mistakes or failures or broken else 0


def _document(dist: "Distribution", project: "Project") -> dict[str, Any]:
    from seedframe.installed import is_disabled, is_seed

    return {
        "name": dist.name,
        "version": dist.version,
        "state": dist.state,
        "reason": dist.reason,
        "hint": dist.hint,
        "entry_points": [
            {
                "name": entry_point.name,
                "kind": "seed" if is_seed(entry_point) else "extension",
                "module": entry_point.value,
                "disabled": is_disabled(entry_point, project.config.plugins_disabled),
                **_loaded(dist, entry_point.name, project),
            }
            for entry_point in dist.entry_points
        ],
    }


def _loaded(dist: "Distribution", name: str, project: "Project") -> dict[str, Any]:
    """The hooks of an entry point that was imported, and what is wrong with it; nothing for one that was not."""
    from seedframe.contract import ARGUMENTS
    from seedframe.hooks import has_hook

    for seed in project.seeds:
        if seed.label == name and seed.origin == dist.origin:
            return {"hooks": [hook for hook in ARGUMENTS if has_hook(seed, hook)], "errors": _errors(seed)}
    if project.extensions.get(name) == dist.origin:
        callers = project.plugins.get_hookcallers(project.plugins.get_plugin(f"extension:{name}"))
        return {"hooks": sorted(caller.name for caller in callers or ()), "errors": []}
    return {"hooks": None, "errors": []}


def _errors(seed: Seed) -> list[dict[str, str | None]]:
    problems = seed.broken.problems if seed.broken is not None else ()
    return [problem_document(problem) for problem in problems]


def _print_text(documents: list[dict[str, Any]], context: Context) -> None:
    color = context.colored(sys.stdout)

    def paint(text: str, **style: Any) -> str:
        return click.style(text, **style) if color else text

    for document in documents:
        name = f"{document['name']} {document['version'] or ''}".rstrip()
        state = paint(document["state"], fg=_COLORS[document["state"]])
        click.echo(f"{paint(visible(name), bold=True)}  {state}: {visible(document['reason'])}", color=color)
        if document["hint"] is not None:
            click.echo(f"    {visible(document['hint'])}", color=color)
        for entry_point in document["entry_points"]:
            click.echo(f"    {_entry_point_line(entry_point)}", color=color)
            for error in entry_point["errors"]:
                for line in lines_of(Problem(**error)):
                    click.echo(f"      {line}", color=color)


def _entry_point_line(entry_point: dict[str, Any]) -> str:
    text = f"- {entry_point['kind']} {visible(entry_point['name'])} ({visible(entry_point['module'])})"
    if entry_point["disabled"]:
        return f"{text}: left out by -p"
    hooks = entry_point["hooks"]
    return text if hooks is None else f"{text}: {', '.join(hooks) or 'no hooks'}"
