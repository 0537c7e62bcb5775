"""`seedframe history`: what was applied, when, by whom, and with what outcome."""

import sys
from typing import Literal

import click

from seedframe.cli.options import Context, global_options
from seedframe.errors import UsageError
from seedframe.reporting.history import record_lines, run_document, run_lines, runs_document
from seedframe.reporting.json import encode
from seedframe.reporting.output import page_for, print_text, print_utf8
from seedframe.reporting.text import text_of


@click.command("history")
@click.argument("run", type=click.IntRange(1, 2**63 - 1), required=False)
@click.option("--limit", type=click.IntRange(1, 1_000_000), metavar="N", help="How many runs to list.  [default: 20]")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to write it.",
)
@global_options
def command(context: Context, *, run: int | None, limit: int | None, format_: Literal["text", "json"]) -> int:
    """List past runs, newest first; with a RUN's number, that run and its seeds.

    Dry runs, rehearsals and verify leave no trace in the ledger, and are not listed.
    """
    if run is not None and limit is not None:
        raise UsageError("--limit goes with the list of runs", hint="leave it out, or the run's number")
    project = context.project()
    page = page_for(sys.stdout, color=context.colored(sys.stdout), verbosity=context.verbosity)
    if run is not None:
        record = project.run_record(run)
        text = encode(run_document(record)) if format_ == "json" else text_of(record_lines(record, page), page)
    else:
        records = project.history(limit=limit or 20)
        text = encode(runs_document(records)) if format_ == "json" else text_of(run_lines(records, page), page)
    if format_ == "json":
        print_utf8(text)
    else:
        print_text(text)
    return 0
