"""`seedframe verify`: prove that the database still holds what the seeds declare, without writing to it."""

import click

from seedframe.cli.options import Context, global_options, selection_options
from seedframe.cli.progress import watching
from seedframe.cli.reports import Destination, deliver, report_options
from seedframe.configuration.account_options import PasswordOptions
from seedframe.options import Selection, VerifyOptions


@click.command("verify")
@click.option(
    "--check-passwords", is_flag=True, help="Find out whether the passwords that are given open the accounts."
)
@report_options
@selection_options
@global_options
def command(context: Context, *, selection: Selection, check_passwords: bool, wait_s: float, to: Destination) -> int:
    """Prove that the database still holds what the seeds declare. Never writes. Without names: all seeds.

    Exit code: 0 in sync, 1 pending or a warning, 2 drift, conflict, orphan or an error finding, 3 could not look.
    """
    project = context.project()
    reporter = to.reporter(project)
    with watching(context) as observer:
        options = VerifyOptions(selection=selection, wait_s=wait_s, passwords=PasswordOptions(check=check_passwords))
        report = project.verify(options, observer)
    return deliver(report, to, reporter, context)
