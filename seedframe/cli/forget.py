"""`seedframe forget NAME`: drop a removed seed's baselines from the ledger, and leave its rows alone."""

import click

from seedframe.cli.options import Context, global_options
from seedframe.reporting.cells import visible
from seedframe.reporting.output import print_text
from seedframe.reporting.words import plural


@click.command("forget")
@click.argument("name")
@global_options
def command(context: Context, *, name: str) -> int:
    """Drop a removed seed's baselines from the ledger. Its rows stay in the database, and are nobody's from then on."""
    dropped = context.project().forget(name)
    if context.verbosity >= 0:
        print_text(f"{visible(name)}: {plural(dropped, 'baseline')} dropped; its rows stay in the database\n")
    return 0
