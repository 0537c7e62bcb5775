"""`seedframe apply`: make the database hold what the seeds declare, or show what that would change."""

import shlex
from pathlib import Path

import click
from click.core import ParameterSource

from seedframe.cli.options import Context, OutputPath, global_options, selection_options
from seedframe.cli.passwords import addresses, password_screen
from seedframe.cli.progress import watching
from seedframe.cli.reports import Destination, deliver, report_options
from seedframe.configuration.account_options import PasswordOptions
from seedframe.errors import UsageError
from seedframe.options import ApplyOptions, Selection, Transaction, refused_beside_plan
from seedframe.report import done_seeds, done_text
from seedframe.reporting.cells import visible
from seedframe.verdicts import OnConflict


@click.command("apply")
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing, take no lock.")
@click.option(
    "--rehearse",
    is_flag=True,
    help="Write it all, constraints and triggers too, but for own `apply` hooks; then roll it back.",
)
@click.option(
    "--transaction",
    type=click.Choice(["seed", "run"]),
    default="seed",
    show_default=True,
    help="What is committed together: each seed, or all of them.",
)
@click.option(
    "--on-conflict",
    type=click.Choice(["seed", "database", "fail"]),
    default="seed",
    show_default=True,
    help="What was changed in the database since the last apply: write what is declared, keep what is there, or fail.",
)
@click.option("--keep-going", is_flag=True, help="Go on with later seeds after a critical one has failed.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a seed fails that is not critical.")
@click.option("--detailed-exitcode", is_flag=True, help="With --dry-run: exit with 2 if something would change.")
@click.option(
    "--out",
    metavar="FILE",
    type=OutputPath(),
    help="With --dry-run: save the plan, for --plan to apply.",
)
@click.option(
    "--plan",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Make exactly what this plan says, in one transaction; refused if anything has moved since.",
)
@click.option(
    "--rotate-password",
    "rotate",
    metavar="EMAIL",
    multiple=True,
    callback=addresses,
    help="Change the password of this account, to what is given or to a generated one; may be repeated.",
)
@report_options
@selection_options
@global_options
def command(
    context: Context,
    *,
    selection: Selection,
    dry_run: bool,
    rehearse: bool,
    transaction: Transaction,
    on_conflict: OnConflict,
    keep_going: bool,
    strict: bool,
    detailed_exitcode: bool,
    out: Path | None,
    plan: Path | None,
    rotate: frozenset[str],
    wait_s: float,
    to: Destination,
) -> int:
    """Make the database hold what the seeds declare. Without names: all seeds.

    A SEED is a name, with its number or without: `reference` or `20_reference`. Nothing is asked on the way.

    Exit code: 0 done, 1 a critical seed failed and was rolled back, 2 --detailed-exitcode found changes, 3 could not
    run.
    """
    if plan is not None:
        _require_not_given("transaction", "on_conflict")
    options = ApplyOptions(
        selection=selection,
        dry_run=dry_run,
        rehearse=rehearse,
        transaction=transaction,
        on_conflict=on_conflict,
        keep_going=keep_going,
        strict=strict,
        detailed_exitcode=detailed_exitcode,
        wait_s=wait_s,
        out=out,
        plan=plan,
        passwords=PasswordOptions(rotate=rotate),
    )
    options.require_sensible()
    if out is not None and to.output is not None and out.resolve() == to.output.resolve():
        raise UsageError("--out and --output name one file", hint="the report and the plan are two files")
    project = context.project()
    reporter = to.reporter(project)
    report = None
    try:
        with password_screen(for_people=to.output is None and reporter.for_people) as screen:
            with watching(context, screen) as observer:
                report = project.apply(options, observer)
            code = deliver(report, to, reporter, context)
    except KeyboardInterrupt as stopped:
        if report is not None and report.mode == "apply" and not getattr(stopped, "__notes__", ()):
            stopped.add_note(done_text(done_seeds(report.seeds), of=len(report.seeds)))
        raise
    if out is not None and report.plan is not None and context.verbosity >= 0:
        command_line = visible(shlex.join(["seedframe", "apply", *context.given, "--plan", str(out)]))
        click.echo(f"plan saved: {command_line} makes exactly this, once", err=True)
    return code


def _require_not_given(*names: str) -> None:
    """Also where it is the default that was given. Errors: UsageError."""
    current = click.get_current_context()
    for name in names:
        if current.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise refused_beside_plan(f"--{name.replace('_', '-')}")
