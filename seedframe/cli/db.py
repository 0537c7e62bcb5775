"""`seedframe db`: start, stop, initialise and reach the database."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import click

from seedframe.cli.db_init import init
from seedframe.cli.db_mark import mark
from seedframe.cli.db_shell import shell
from seedframe.cli.options import COULD_NOT_RUN, Context, add_global_options, global_options
from seedframe.configuration.config import Config
from seedframe.errors import UsageError
from seedframe.secrets import MASK

if TYPE_CHECKING:
    from seedframe.database.address import Address

_PASSWORDS: Final = frozenset({"password", "sslpassword", "oauth_client_secret"})


@click.group("db", invoke_without_command=True)
@add_global_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Start, stop, initialise and reach the database."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(COULD_NOT_RUN)


command.add_command(init)
command.add_command(mark)
command.add_command(shell)


@command.command("start")
@global_options
def start(context: Context) -> int:
    """Start the embedded PostgreSQL and keep it until `db stop`. Other commands start it for themselves."""
    from seedframe.database import embedded

    config = _embedded_only(context)
    server, fresh = embedded.start(config.root, config.project, config.variables)
    state = "runs" if fresh else "was to stay already; it runs"
    click.echo(f"The embedded PostgreSQL of {config.project} {state} until `seedframe db stop`.", err=True)
    click.echo(server.url)
    return 0


@command.command("stop")
@click.option("--now", is_flag=True, help="Although others use it; what they have not committed is lost.")
@global_options
def stop(context: Context, *, now: bool) -> int:
    """Stop the embedded PostgreSQL. While other commands use it, the last of them stops it."""
    from seedframe.database import embedded

    config = _embedded_only(context)
    told = {
        embedded.Stopped.STOPPED: "has stopped.",
        embedded.Stopped.NOT_RUNNING: "was not running.",
        embedded.Stopped.IN_USE: "is in use and stops when the last command is done (now: `seedframe db stop --now`).",
    }
    outcome = embedded.stop(config.root, now=now, environ=config.variables)
    click.echo(f"The embedded PostgreSQL of {config.project} {told[outcome]}", err=True)
    return 0


@command.command("url")
@click.option("--show-password", is_flag=True, help="With the password, where there is one.")
@global_options
def url(context: Context, *, show_password: bool) -> int:
    """Print the database's URL, for psql, SQLAlchemy and other programs. Starts nothing."""
    config = context.config()
    if config.database.embedded:
        from seedframe.database import embedded

        server, running = embedded.describe(config.root, config.project, config.variables)
        click.echo(server.url)
        if not running:
            click.echo("The embedded PostgreSQL does not run; `seedframe db start` starts it.", err=True)
        return 0
    from seedframe.database.address import configured_address

    address = configured_address(config.database)
    click.echo(address.url().reveal() if show_password else masked_url(address))
    return 0


def masked_url(address: "Address") -> str:
    """The URL of a database with a mask in the place of each password."""
    parameters = {key: MASK if key in _PASSWORDS else value for key, value in address.parameters.items()}
    return replace(address, parameters=parameters).url().reveal().replace(quote(MASK, safe=""), MASK)


def _embedded_only(context: Context) -> Config:
    config = context.config()
    if not config.database.embedded:
        raise UsageError(
            f"the database of {config.project} is not the embedded one: {config.database.source} says where it is",
            hint=f"start and stop that server itself, or take {config.database.source} away",
        )
    return config
