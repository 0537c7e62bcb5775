"""Commands that allowed plugins add: loaded when a command is asked for that is not built in."""

import sys
from collections.abc import Collection, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Final

import click

from seedframe.cli.apart import Apart
from seedframe.cli.options import context_of
from seedframe.discovery import load_extensions
from seedframe.errors import ConfigError
from seedframe.plugins.manager import SeedManager

_LOADED: Final = "commands of plugins"
_CHOSEN: Final = "command of a plugin"


def plugin_commands(ctx: click.Context, built_in: Collection[str]) -> Mapping[str, click.Command]:
    """The commands by name; none where there is no configuration that could allow any plugin.

    Errors: DiscoveryError, where a plugin cannot say which it adds.
    """
    if _LOADED not in ctx.meta:
        ctx.meta[_LOADED] = _load(ctx, built_in)
    found: Mapping[str, click.Command] = ctx.meta[_LOADED][0]
    return found


def _load(ctx: click.Context, built_in: Collection[str]) -> tuple[Mapping[str, click.Command], SeedManager | None]:
    context = context_of(ctx)
    try:
        config = context.config()
    except ConfigError:
        return {}, None
    with redirect_stdout(sys.stderr):
        manager, _, problems = load_extensions(config, context.trace)
        found = manager.contributions.commands(built_in)
    if problems and not found:
        raise problems[0]
    return found, manager


def choose(ctx: click.Context, name: str, built_in: Collection[str]) -> click.Command | None:
    """The command of this name, which is going to be run; None where no plugin has it. Errors: as above."""
    found = plugin_commands(ctx, built_in).get(name)
    if found is not None:
        ctx.meta[_CHOSEN] = name
        if (apart := ctx.find_object(Apart)) is not None:
            apart.give_back()  # what it prints, and its children do, is its own affair
    return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """The command of a plugin that was run: its name, and the manager that knows whose code it is."""

    name: str
    plugins: SeedManager


def chosen(ctx: click.Context | None) -> Chosen | None:
    """The plugin's command that was run; None for a built-in one."""
    if ctx is None or _CHOSEN not in ctx.meta:
        return None
    return Chosen(ctx.meta[_CHOSEN], ctx.meta[_LOADED][1])
