"""`seedframe lint`: mistakes in seeds and their data that can be found without a database."""

import os
from collections.abc import Iterator
from pathlib import Path

import click

from seedframe.cli.options import Context, format_option, global_options
from seedframe.cli.printing import page_of, print_lines
from seedframe.reporting.json import encode
from seedframe.reporting.output import print_utf8
from seedframe.reporting.page import Line, Page


def _codes(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> tuple[str, ...] | None:  # noqa: ARG001 - click's signature
    words = tuple(word.strip() for part in value for word in part.split(",") if word.strip())
    return words if value else None


@click.command("lint")
@click.argument("only", nargs=-1, metavar="[SEED|FILE]...")
@format_option("github")
@click.option("--select", metavar="CODES", multiple=True, callback=_codes, help="Look for these rules only: SF1,SF501.")
@click.option("--ignore", metavar="CODES", multiple=True, callback=_codes, help="Leave these rules out.")
@click.option("--explain", metavar="CODE", help="Explain a rule and end; `all` lists them, SF5 those below.")
@global_options
def command(
    context: Context,
    only: tuple[str, ...],
    form: str,
    select: tuple[str, ...] | None,
    ignore: tuple[str, ...] | None,
    explain: str | None,
) -> int:
    """Look for mistakes in seeds and their data; no database, no variable and no secret is needed.

    Seeds are imported, and `resources` is called where it asks for neither `db` nor `settings`. Given names of seeds,
    files or folders, only what is of them is told; other files are ignored, and one that is not there is an error.

    Exit code: 0 where all is well, 1 where something was found, 3 where nothing could be looked at.
    """
    if explain is not None:
        print_lines(_explained(explain, page_of(context)), context)
        return 0
    from seedframe.linting import output  # here, so that --help need not load what linting stands on
    from seedframe.linting.run import LintOptions, lint

    base = Path.cwd()
    linted = lint(
        LintOptions(
            config_path=context.config_path,
            env=context.env,
            disabled=context.disabled,
            named=context.named,
            only=only,
            select=select,
            ignore=ignore,
            trace=context.trace,
        )
    )
    found, files = linted.found, len(linted.files)
    if form == "json":
        print_utf8(encode(output.as_document(found, linted.seeds, files, linted.unknown, base)))
    elif form == "github":
        workspace = os.environ.get("GITHUB_WORKSPACE")
        print_utf8(output.as_annotations(found, base, Path(workspace) if workspace else None))
    else:
        page = page_of(context)
        print_lines(output.text_lines(found, linted.seeds, files, linted.unknown, base, page), context)
    return 1 if found else 0


def _explained(word: str, page: Page) -> Iterator[Line]:
    from seedframe.linting.output import explanation_lines, rule_lines
    from seedframe.linting.rules import RULES, rule_of, rules_below

    if word.lower() == "all":
        return rule_lines(RULES, page)
    several = rules_below(word)
    if len(several) > 1:
        return rule_lines(several, page)
    return explanation_lines(several[0] if several else rule_of(word), page)
