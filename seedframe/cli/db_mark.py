"""`seedframe db mark`: the environment that a database is marked as, shown, and changed on purpose."""

from typing import TYPE_CHECKING

import click

from seedframe.cli.options import Context, global_options
from seedframe.errors import UsageError

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.database.environment_mark import Mark


@click.command("mark", short_help="Show how the database is marked, or mark it.")
@click.argument("name", required=False)
@click.option("--yes", is_flag=True, help="Change it; without, only say what would be changed.")
@global_options
def mark(context: Context, *, name: str | None, yes: bool) -> int:
    """Show which environment the database is marked as, or mark it as NAME.

    The first apply marks a database; every run compares, and refuses where another environment is chosen.
    """
    from seedframe.operations.marking import mark_as, mark_of, require_name
    from seedframe.reporting.cells import visible
    from seedframe.reporting.output import print_text

    config = context.config()
    where = _where(config)
    if name is None:
        print_text(f"{visible(where)} {visible(_told(mark_of(config)))}\n")
        return 0
    require_name(config, name)
    if not yes:
        before = mark_of(config)
        raise UsageError(
            f"{where} {_told(before)}, and would be marked as {name}", hint="add --yes if that is what is meant"
        )
    before = mark_as(config, name)
    was = f" (before: {before.env})" if before is not None and before.env != name else ""
    print_text(f"{visible(where)} is marked as {name} now{visible(was)}\n")
    return 0


def _told(mark: "Mark | None") -> str:
    if mark is None:
        return "is not marked: the first apply marks it"
    return f"is marked as {mark.env}, by {mark.by} for project {mark.project} on {mark.at:%Y-%m-%d %H:%M:%S} UTC"


def _where(config: "Config") -> str:
    from seedframe.database.address import configured_address

    return "the embedded database" if config.database.embedded else configured_address(config.database).display
