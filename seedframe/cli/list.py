"""`seedframe list`: the seeds in run order, where they come from and what they declare."""

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from seedframe.changes import CHECK_RESOURCE
from seedframe.cli.options import COULD_NOT_RUN, Context, global_options, selection_options
from seedframe.cli.problems import lines_of, print_problems, problem_document
from seedframe.errors import Problem, SeedframeError
from seedframe.masking import masked
from seedframe.options import Selection
from seedframe.ordering import matching
from seedframe.reporting.cells import visible
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.project import Project


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a seed declares, as far as it can be known without a database."""

    resources: tuple[tuple[str, str], ...] = ()
    unknown: str | None = None
    problems: tuple[Problem, ...] = ()


@click.command("list")
@selection_options
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="text or json.")
@global_options
def command(context: Context, selection: Selection, form: str) -> int:
    """The seeds in run order: number, name, where from, what they declare, tags and requirements.

    No database is needed. A broken seed is shown as broken, with the reason, among the others; `apply` and `verify`
    refuse it.

    Exit code: 0, or 3 where something is broken: what that would declare is not known.
    """
    project = context.project()
    chosen = matching(project.seeds, selection) if project.seeds else ()
    declared = {seed.name: _declared(seed, project) for seed in chosen}
    if form == "json":
        print_utf8(encode(_document(project, chosen, declared)))
    else:
        _print_text(project, chosen, declared, context)
        _mention_plugins(project)
    print_problems([problem for error in project.problems for problem in error.problems], context)
    return COULD_NOT_RUN if project.problems or any(found.problems for found in declared.values()) else 0


def _declared(seed: Seed, project: "Project") -> _Declared:
    """The seed's resources, where its `resources` asks for nothing that listing does not have."""
    # Here, so that --help need not load what hooks may return.
    from seedframe.hooks import asks_for, call, has_hook

    if seed.broken is not None:
        return _Declared(problems=seed.broken.problems)
    own = ((CHECK_RESOURCE, "compared and changed by its own hooks"),) if has_hook(seed, "check") else ()
    if not has_hook(seed, "resources"):
        return _Declared(own)
    needed = sorted(asks_for(seed, "resources") & {"db", "settings"})
    if needed:
        return _Declared(own, unknown=f"`resources` asks for {' and '.join(needed)}")
    try:
        with redirect_stdout(sys.stderr):
            found = call(seed, project.plugins, "resources", db=None, settings=None, env=project.config.env)
            declared = [(masked(resource.name), masked(resource.describe())) for resource in found]
        return _Declared((*declared, *own))
    except SeedframeError as error:
        return _Declared(problems=error.problems)


# -------------------------------------------------------------------------
# Text
# -------------------------------------------------------------------------


def _print_text(project: "Project", seeds: tuple[Seed, ...], declared: dict[str, _Declared], context: Context) -> None:
    color = context.colored(sys.stdout)
    width = max((len(seed.label) for seed in seeds), default=0)
    for seed in seeds:
        for line in _seed_lines(seed, declared[seed.name], project.config.env, width, color=color):
            click.echo(line, color=color)


def _seed_lines(seed: Seed, declared: _Declared, env: str, width: int, *, color: bool) -> list[str]:
    def paint(text: str, **style: Any) -> str:
        return click.style(text, **style) if color else text

    name = paint(f"{seed.label:{width}}", bold=True, fg="red" if seed.broken is not None else None)
    lines = [f"{name}  {paint(visible(seed.origin), dim=True)}  {_notes(seed, env)}".rstrip()]
    if seed.doc is not None and seed.broken is None:
        lines.append(f"    {visible(seed.doc)}")
    for problem in declared.problems:
        first, *rest = lines_of(problem)
        word = "broken:" if seed.broken is not None else "error:"
        lines.append(f"    {paint(word, fg='red', bold=True)}{first.removeprefix('error:')}")
        lines += [f"    {line}" for line in rest]
    lines += [f"    - {visible(text)}" for _, text in declared.resources]
    if declared.unknown is not None:
        lines.append(f"    - known only with the database: {declared.unknown}")
    return lines


def _notes(seed: Seed, env: str) -> str:
    """What sets this seed apart, in one parenthesis."""
    notes = []
    if not seed.label.startswith(f"{seed.number}_") and int(seed.label.partition("_")[0]) != seed.number:
        notes.append(f"order {seed.number}")
    if seed.requires:
        notes.append(f"requires {', '.join(seed.requires)}")
    if seed.tags:
        notes.append(f"tags {', '.join(sorted(seed.tags))}")
    if seed.writes:
        notes.append(f"writes {', '.join(seed.writes)}")
    if not seed.critical:
        notes.append("not critical")
    if not seed.enabled:
        notes.append("disabled")
    if seed.environments is not None:
        where = ", ".join(sorted(seed.environments))
        notes.append(f"only in {where}" + ("" if env in seed.environments else f", not in {env}"))
    return f"({'; '.join(visible(note) for note in notes)})" if notes else ""


def _mention_plugins(project: "Project") -> None:
    """Where nothing says which plugins are allowed, one line says that some are installed."""
    if project.config.plugins_allow is not None:
        return
    from seedframe.plugins.installed import installed

    found = [visible(dist.name) for dist in installed(project.config)[0] if dist.state == "blocked"]
    if found:
        what = "1 installed plugin is" if len(found) == 1 else f"{len(found)} installed plugins are"
        click.echo(f"note: {what} not allowed yet: {', '.join(found)} (see seedframe plugins)")


# -------------------------------------------------------------------------
# JSON
# -------------------------------------------------------------------------


def _document(project: "Project", seeds: tuple[Seed, ...], declared: dict[str, _Declared]) -> dict[str, Any]:
    return {
        "schema": 1,
        "project": project.config.project,
        "env": project.config.env,
        "seeds": [_seed_document(seed, declared[seed.name], project.config.env) for seed in seeds],
        "problems": [problem_document(problem) for error in project.problems for problem in error.problems],
    }


def _seed_document(seed: Seed, declared: _Declared, env: str) -> dict[str, Any]:
    known = declared.unknown is None and not declared.problems
    return {
        "seed": seed.label,
        "name": seed.name,
        "number": seed.number,
        "origin": seed.origin,
        "description": seed.doc,
        "requires": list(seed.requires),
        "tags": sorted(seed.tags),
        "environments": sorted(seed.environments) if seed.environments is not None else None,
        "enabled": seed.enabled,
        "runs": seed.broken is None and seed.runs_in(env),
        "critical": seed.critical,
        "writes": list(seed.writes),
        "settings": [setting.name for setting in seed.settings],
        "resources": [{"resource": name, "description": text} for name, text in declared.resources] if known else None,
        "broken": seed.broken is not None,
        "errors": [problem_document(problem) for problem in declared.problems],
    }
