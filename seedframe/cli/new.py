"""`seedframe new`: a project, a seed or a plugin to start from; nothing that is there is overwritten."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from seedframe.cli.options import COULD_NOT_RUN, Context, add_global_options, global_options
from seedframe.scaffold.made import HIGHEST_NUMBER

if TYPE_CHECKING:
    from seedframe.project import Project
    from seedframe.scaffold.made import Made

_NUMBER: Final = click.IntRange(0, HIGHEST_NUMBER)


@click.group("new", invoke_without_command=True)
@add_global_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Write a project, a seed or a plugin to start from."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(COULD_NOT_RUN)


@command.command("project", short_help="A project that works at once: seed, table, test.")
@click.argument("path", type=click.Path(path_type=Path, file_okay=False), default=".")
@global_options
def project(context: Context, *, path: Path) -> int:
    """Write a project into PATH, which is made; default: the working directory.

    A configuration, a seed with its data, the table it fills, a test, a README, .gitignore and .env.example:
    `seedframe db init` and `pytest` work at once. A README, .gitignore and .env.example that are there already stay as
    they are; where another of the files is, that is an error, and nothing is written.
    """
    from seedframe.scaffold.project import new_project

    _tell(new_project(path, _example), context)
    return 0


@command.command("seed", short_help="A seed of the project, with data, table and test.")
@click.argument("name")
@click.option("--number", type=_NUMBER, metavar="N", help="Its number; default: the next full ten after the highest.")
@global_options
def seed(context: Context, *, name: str, number: int | None) -> int:
    """Write a seed of the project: its module, a data file, the SQL of its table, and a test.

    NAME identifies it: letters a to z, digits and _. A number may stand before it: `30_reference`.
    """
    from seedframe.scaffold.seed import new_seed

    _tell(new_seed(context.config(), name, number), context)
    return 0


@command.command("plugin", short_help="A distribution with a seed, to be published.")
@click.argument("topic")
@click.option(
    "--number", type=_NUMBER, metavar="N", default=40, show_default=True, help="Its seed's number, in all projects."
)
@global_options
def plugin(context: Context, *, topic: str, number: int) -> int:
    """Write a distribution with a seed, into the folder seedframe-TOPIC.

    With its package, entry point, data, tests, README, licence and changelog: `pip install -e ".[test]"` and `pytest`
    work at once, and so does its wheel. TOPIC is a word, or several with hyphens: `iso-3166`.
    """
    from seedframe.scaffold.plugin import new_plugin

    _tell(new_plugin(topic, Path(), number), context)
    return 0


def _example(made: "Project") -> str:
    from seedframe.cli.env import overview
    from seedframe.cli.env_example import example_text

    found = overview(made)
    return example_text(found.project, found.own, found.variables)


def _tell(made: "Made", context: Context) -> None:
    from seedframe.configuration.config_file import shown_path
    from seedframe.reporting.cells import visible

    if context.verbosity < 0:
        return
    click.echo(f"{visible(made.what)}:")
    for name in made.names:
        click.echo(f"  {visible(shown_path(made.folder / name))}")
    if made.left:
        click.echo("left as they are:")
        for name, advice in made.left.items():
            said = f": {advice}" if advice else ""
            click.echo(f"  {visible(shown_path(made.folder / name))}{said}")
    if made.note:
        click.echo(f"first: {visible(made.note)}")
    click.echo("then:")
    for line in made.commands:
        click.echo(f"  {visible(line)}")
