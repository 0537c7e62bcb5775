"""`seedframe history`: what was applied, when, by whom, and with what outcome; and whether that was tampered with."""

import sys
from typing import Any, TextIO

import click

from seedframe.cli.options import Context, format_option, global_options
from seedframe.errors import UsageError
from seedframe.history import ChainHead
from seedframe.reporting.chain import check_document, check_lines, head_line, parse_head
from seedframe.reporting.history import note_lines, record_lines, run_document, run_lines, runs_document
from seedframe.reporting.json import encode
from seedframe.reporting.output import page_for, print_text, print_utf8
from seedframe.reporting.text import text_of
from seedframe.secrecy.masking import masked

_SHOWN_ROWS = 20
_LONGEST_HEAD = 100_000


class _RunNumber(click.IntRange):
    """The number of a run."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            raise UsageError(
                f"RUN is a number from 1 on, not {value!r}", hint="seedframe history lists the runs"
            ) from None


@click.command("history")
@click.argument("run", type=_RunNumber(1, 2**63 - 1), required=False)
@click.option("--limit", type=click.IntRange(1, 1_000_000), metavar="N", help="How many runs to list.  [default: 20]")
@click.option("--check", is_flag=True, help="Look for entries that were changed, moved or removed.")
@click.option(
    "--head",
    type=click.File(encoding="utf-8"),
    metavar="FILE",
    help="With --check: what --export-head printed at some time, or - to read it from standard input.",
)
@click.option("--export-head", is_flag=True, help="Print the last entry's position and hash, to be kept elsewhere.")
@format_option()
@global_options
def command(
    context: Context,
    *,
    run: int | None,
    limit: int | None,
    check: bool,
    head: TextIO | None,
    export_head: bool,
    form: str,
) -> int:
    """List past runs, newest first; with a RUN's number, that run, its seeds and the rows that it changed.

    Dry runs, rehearsals and verify leave no trace in the ledger, and are not listed.

    Exit code of --check: 0 nothing was tampered with, 1 something was, 3 could not look.
    """
    if run is not None and limit is not None:
        raise UsageError("--limit goes with the list of runs", hint="leave it out, or the run's number")
    if (run is not None or limit is not None) and (check or export_head):
        raise UsageError("--check and --export-head are about all runs", hint="leave out the run's number and --limit")
    if check and export_head:
        raise UsageError("--check and --export-head are two commands", hint="choose one of them")
    if head is not None and not check:
        raise UsageError("--head is what --check compares with", hint="add --check")
    project = context.project()
    if export_head:
        print_utf8(head_line(project.history_head()))
        return 0
    page = page_for(sys.stdout, color=context.colored(sys.stdout), verbosity=context.verbosity)
    code = 0
    if check:
        checked = project.check_history(_exported(head) if head is not None else None)
        code = 0 if checked.broken is None else 1
        text = encode(check_document(checked)) if form == "json" else text_of(check_lines(checked, page), page)
    elif run is not None:
        record = project.run_record(run, rows=None if context.verbosity > 0 else _SHOWN_ROWS)
        text = encode(run_document(record)) if form == "json" else text_of(record_lines(record, page), page)
    else:
        records, gone = project.past(limit=limit or 20)
        notes = [masked(seed.text) for seed in gone]
        if form == "json":
            text = encode(runs_document(records, notes))
        else:
            text = text_of((*run_lines(records, page), *note_lines(notes, page)), page)
    if form == "json":
        print_utf8(text)
    else:
        print_text(text)
    return code


def _exported(file: TextIO) -> ChainHead:
    try:
        return parse_head(file.read(_LONGEST_HEAD))
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{file.name} holds no exported head", hint="give what seedframe history --export-head printed"
        ) from error
