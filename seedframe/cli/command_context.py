"""CommandContext: what a plugin's command is given of the command line it was called in."""

from typing import TYPE_CHECKING

import click

from seedframe.cli.options import context_of

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.project import Project


class CommandContext:
    """The project that `--env`, `--config` and `-p` mean; a plugin's command gets this by `@click.pass_obj`.

    Attributes:
        asked: whether the command has asked for any of it.
    """

    def __init__(self, ctx: click.Context) -> None:
        self._ctx = ctx
        self.asked = False

    @property
    def env(self) -> str:
        """The name of the environment. Errors: ConfigError."""
        return self.config().env

    def config(self) -> "Config":
        """The project's configuration; seeds are not looked for. Errors: ConfigError."""
        self.asked = True
        return context_of(self._ctx).config()

    def project(self) -> "Project":
        """The project with its seeds; what they print while they are imported goes to standard error.

        Errors: ConfigError. What is wrong with seeds and plugins is in its `problems` and in `Seed.broken`.
        """
        self.asked = True
        return context_of(self._ctx).project()
