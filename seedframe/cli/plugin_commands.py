"""Commands that allowed plugins add: loaded when a command is asked for that is not built in."""

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from copy import copy
from dataclasses import dataclass
from typing import Final

import click

from seedframe.cli.apart import Apart
from seedframe.cli.command_context import CommandContext
from seedframe.cli.masked_stream import masked_stdout
from seedframe.cli.options import context_of, global_parameters
from seedframe.errors import ConfigError, HookFailed
from seedframe.plugins.loading import load_extensions
from seedframe.plugins.manager import SeedManager
from seedframe.secrecy.known_secrets import before_import

_LOADED: Final = "commands of plugins"
_CHOSEN: Final = "command of a plugin"
_LARGEST_CODE: Final = 255


def plugin_commands(ctx: click.Context) -> Mapping[str, click.Command]:
    """The commands by name; none where there is no configuration that could allow any plugin.

    Errors: DiscoveryError, where a plugin cannot say which it adds.
    """
    if _LOADED not in ctx.meta:
        ctx.meta[_LOADED] = _load(ctx)
    found: Mapping[str, click.Command] = ctx.meta[_LOADED][0]
    return found


def _load(ctx: click.Context) -> tuple[Mapping[str, click.Command], SeedManager | None]:
    context = context_of(ctx)
    try:
        config = context.config()
    except ConfigError:
        return {}, None
    with redirect_stdout(sys.stderr), before_import(config):
        manager, _, problems = load_extensions(config, context.trace)
        found = manager.contributions.commands
    if problems and not found:
        raise problems[0]
    return found, manager


def choose(ctx: click.Context, name: str) -> click.Command | None:
    """The command of this name, which is going to be run, with the options that every command takes; None where no
    plugin has it. Errors: as above."""
    found = plugin_commands(ctx).get(name)
    if found is None:
        return None
    ctx.meta[_CHOSEN] = name
    if (apart := ctx.find_object(Apart)) is not None:
        apart.give_back()  # what it prints, and its children do, is its own affair
    ctx.with_resource(masked_stdout())
    ctx.obj = CommandContext(ctx)
    return _with_global_options(found)


def _with_global_options(found: click.Command) -> click.Command:
    """A command that takes the options of every command, but those it has itself; of a group each of its own, too."""
    own = {word for parameter in found.params for word in (*parameter.opts, *parameter.secondary_opts)}
    more = [parameter for parameter in global_parameters() if own.isdisjoint(parameter.opts)]
    command = copy(found)
    command.params = [*found.params, *more]
    if isinstance(command, click.Group):
        command.commands = {name: _with_global_options(each) for name, each in command.commands.items()}
    return command


@dataclass(frozen=True, slots=True)
class Chosen:
    """The command of a plugin that was run: its name, and the manager that knows whose code it is."""

    name: str
    plugins: SeedManager

    @property
    def who(self) -> str:
        """What its plugin is called in messages."""
        owner = self.plugins.contributions.owner("command", self.name)
        return "the plugin" if owner is None else self.plugins.called(owner)

    def exit_code(self, ended: object) -> int:
        """The code that it returned, or ended with by an exception. Errors: HookFailed for what is none."""
        if isinstance(ended, click.exceptions.Exit):
            ended = ended.exit_code
        elif isinstance(ended, SystemExit):
            ended = ended.code
            if isinstance(ended, str):  # as Python has it; and masked, which it would not be after our end
                click.echo(ended, err=True)
                return 1
        if ended is None:
            return 0
        if type(ended) is int and 0 <= ended <= _LARGEST_CODE:
            return ended
        told = ended if isinstance(ended, int) else f"a {type(ended).__name__}"
        raise HookFailed(
            f"{self.who}: the command {self.name!r} returned {told}, which is no exit code",
            hint="return None or an int from 0 to 255",
        )


def chosen(ctx: click.Context | None) -> Chosen | None:
    """The plugin's command that was run; None for a built-in one."""
    if ctx is None or _CHOSEN not in ctx.meta:
        return None
    return Chosen(ctx.meta[_CHOSEN], ctx.meta[_LOADED][1])


def unasked(ctx: click.Context) -> str | None:
    """What to warn of: the command line says which project and environment is meant, and the plugin's command that was
    run has not asked."""
    command = chosen(ctx)
    given = context_of(ctx)
    told = {"--env": given.env, "--config": given.config_path, "-p": given.disabled or given.named}
    words = [word for word, value in told.items() if value]
    if command is None or not words or not isinstance(ctx.obj, CommandContext) or ctx.obj.asked:
        return None
    return f"the command {command.name!r} of {command.who} has not looked at {', '.join(words)}"
