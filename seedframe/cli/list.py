"""`seedframe list`: the seeds in run order, where they come from and what they declare."""

import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import click

from seedframe.changes import CHECK_RESOURCE
from seedframe.cli.options import COULD_NOT_RUN, Context, format_option, global_options, selection_options
from seedframe.cli.printing import page_of, print_lines
from seedframe.cli.problems import print_problems, problem_document
from seedframe.errors import Problem, SeedframeError
from seedframe.options import Selection
from seedframe.ordering import matching
from seedframe.reporting.cells import text_width, visible
from seedframe.reporting.changes import INDENT
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.reporting.page import Line, Page, Span, Whole, folded, line_width
from seedframe.reporting.text import problem_lines
from seedframe.secrecy.masked_report import masked_problem
from seedframe.secrecy.masking import masked
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.project import Project

_LABEL_COLUMNS: Final = 32


@dataclass(frozen=True, slots=True)
class _Declared:
    """What a seed declares, as far as it can be known without a database."""

    resources: tuple[tuple[str, str], ...] = ()
    unknown: str | None = None
    problems: tuple[Problem, ...] = ()


@click.command("list")
@selection_options
@format_option()
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
        page = page_of(context)
        print_lines(_text_lines(project, chosen, declared, page), context)
        print_lines(_mention_plugins(project, page), context)
    print_problems([problem for error in project.problems for problem in error.problems], context)
    return COULD_NOT_RUN if project.problems or any(found.problems for found in declared.values()) else 0


def _declared(seed: Seed, project: "Project") -> _Declared:
    """The seed's resources, where its `resources` asks for nothing that listing does not have."""
    # Here, so that --help need not load what hooks may return.
    from seedframe.seeding.hooks import asks_for, call, guarded, has_hook

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
            with guarded(seed, project.plugins, "resources"):
                declared = [(masked(resource.name), masked(resource.describe())) for resource in found]
        return _Declared((*declared, *own))
    except SeedframeError as error:
        return _Declared(problems=error.problems)


# -------------------------------------------------------------------------
# Text
# -------------------------------------------------------------------------


def _text_lines(
    project: "Project", seeds: tuple[Seed, ...], declared: dict[str, _Declared], page: Page
) -> Iterator[Line]:
    labels = (len(seed.label) for seed in seeds)
    columns = max((width for width in labels if page.width is None or width <= _LABEL_COLUMNS), default=0)
    for seed in seeds:
        yield from _seed_lines(seed, declared[seed.name], project.config.env, columns, page)


def _seed_lines(seed: Seed, declared: _Declared, env: str, columns: int, page: Page) -> Iterator[Line]:
    name: Span = (Whole(seed.label), "bad" if seed.broken is not None else "strong")
    gap: Span = (" " * (max(0, columns - len(seed.label)) + 2), "plain")
    head: Line = [name, gap, (Whole(visible(seed.origin)), "dim")]
    notes = _notes(seed, env)
    told = f"({'; '.join(notes)})" if notes else ""
    beside: Line = [*head, (f"  {told}", "plain")]
    # Notes stand beside the name, else in a line below it, else in one each.
    if page.width is None or line_width(beside) <= page.width:
        head, notes = beside, []
    yield from folded(head, page, indent=len(INDENT))
    if notes and len(INDENT) + text_width(told) <= (page.width or 0):
        yield from _indented(told, page)
        notes = []
    if seed.doc is not None and seed.broken is None:
        yield from _indented(visible(masked(seed.doc)), page)
    for note in notes:
        yield from _indented(note, page, hang=2)
    for problem in declared.problems:
        word = "broken" if seed.broken is not None else "error"
        yield from problem_lines(masked_problem(problem), page, indent=INDENT, word=word)
    for _, text in declared.resources:
        yield from _indented(f"- {visible(text)}", page, hang=2)
    if declared.unknown is not None:
        yield from _indented(f"- known only when it runs: {declared.unknown}", page, hang=2)


def _indented(text: str, page: Page, *, hang: int = 0) -> Iterator[Line]:
    return folded([(INDENT, "plain"), (text, "plain")], page, indent=len(INDENT) + hang)


def _notes(seed: Seed, env: str) -> list[str]:
    """What sets this seed apart."""
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
    return [visible(masked(note)) for note in notes]


def _mention_plugins(project: "Project", page: Page) -> Iterator[Line]:
    """Where nothing says which plugins are allowed, one line says that some are installed."""
    if project.config.plugins_allow is not None:
        return
    from seedframe.plugins.installed import installed

    found = [visible(dist.name) for dist in installed(project.config)[0] if dist.state == "blocked"]
    if found:
        what = "1 installed plugin is" if len(found) == 1 else f"{len(found)} installed plugins are"
        text = f"note: {what} not allowed yet: {', '.join(found)} (see seedframe plugins)"
        yield from folded([(text, "plain")], page, indent=2)


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
        "description": None if seed.doc is None else masked(seed.doc),
        "requires": list(map(masked, seed.requires)),
        "tags": sorted(map(masked, seed.tags)),
        "environments": sorted(map(masked, seed.environments)) if seed.environments is not None else None,
        "enabled": seed.enabled,
        "runs": seed.broken is None and seed.runs_in(env),
        "critical": seed.critical,
        "writes": list(map(masked, seed.writes)),
        "settings": [setting.name for setting in seed.settings],
        "resources": [{"resource": name, "description": text} for name, text in declared.resources] if known else None,
        "broken": seed.broken is not None,
        "errors": [problem_document(problem) for problem in declared.problems],
    }
