"""Options that commands share, and the context that every command is given."""

import os
import sys
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, Literal, ParamSpec, TextIO, TypeAlias

import click

from seedframe.secrecy.masking import hide

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.observer import Observer
    from seedframe.plugins.extension_manager import Trace
    from seedframe.project import Project

P = ParamSpec("P")
Color: TypeAlias = Literal["auto", "always", "never"]

_META: Final = "seedframe."

COULD_NOT_RUN: Final = 3
"""The exit code of every command that could not do what it was asked to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the options that every command takes say.

    Attributes:
        env: the name of the environment; None leaves it to SEEDFRAME_ENV and the default.
        config_path: the configuration file, or a folder in the project; None for the working directory.
        disabled: the names given with `-p no:NAME`.
        named: the names given with `-p NAME`.
        verbosity: how often -v was given, less how often -q was.
        log_file: where JSON lines are logged to.
        color: when to colour.
        trace_hooks: each call of a hook is shown, with its time.
    """

    env: str | None = None
    config_path: Path | None = None
    disabled: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    verbosity: int = 0
    log_file: Path | None = None
    color: Color = "auto"
    trace_hooks: bool = False

    @property
    def given(self) -> tuple[str, ...]:
        """The options that decide which project, environment and plugins are meant, as they were given."""
        words = ["--env", self.env] if self.env is not None else []
        words += ["--config", str(self.config_path)] if self.config_path is not None else []
        for name in (*(f"{_NOT}{name}" for name in self.disabled), *self.named):
            words += ["-p", name]
        return tuple(words)

    def config(self) -> "Config":
        """The project's configuration; seeds are not looked for. Errors: ConfigError."""
        from seedframe.configuration.config import load_config
        from seedframe.secrecy.known_secrets import configured_secrets

        config = load_config(self.config_path, env=self.env, disabled=self.disabled, named=self.named)
        hide(*configured_secrets(config))
        return config

    def project(self) -> "Project":
        """The project with its seeds; what they print while they are imported goes to stderr. Errors: ConfigError."""
        from seedframe.project import Project
        from seedframe.secrecy.known_secrets import setting_secrets

        config = self.config()
        with redirect_stdout(sys.stderr):
            project = Project.of(config, trace=self.trace)
        hide(*setting_secrets(config, project.seeds))
        return project

    @property
    def trace(self) -> "Trace | None":
        """What is told of each call of a hook, where that is to be shown."""
        if not self.trace_hooks:
            return None
        from seedframe.cli.traced import print_call

        return print_call

    def colored(self, stream: TextIO) -> bool:
        """Whether to colour what is written to `stream`: --color, then NO_COLOR and FORCE_COLOR, then a terminal."""
        return wants_color(stream, self.color)

    def observer(self) -> "Observer":
        """Logs what a run does."""
        from seedframe.cli.logs import LoggingObserver

        return LoggingObserver()


def wants_color(stream: TextIO, choice: Color = "auto") -> bool:
    """Whether to colour what is written to `stream`: the choice, then NO_COLOR and FORCE_COLOR, then a terminal."""
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


_STANDARD_OUTPUT: Final = frozenset({"/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})


class OutputPath(click.Path):
    """A file to write. Standard output, by a name that the system has for it, is where the command writes: while it
    runs, descriptor 1 is standard error."""

    def __init__(self, *, dir_okay: bool = True) -> None:
        super().__init__(path_type=Path, dir_okay=dir_okay)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The path; see above."""
        if str(value) in _STANDARD_OUTPUT:
            with suppress(OSError, ValueError):  # closed, or somebody else's stream
                value = f"/dev/fd/{sys.stdout.fileno()}"
        return super().convert(value, param, ctx)


# -------------------------------------------------------------------------
# Options of every command
# -------------------------------------------------------------------------

# Values are kept in `ctx.meta`, which all contexts of an invocation share: an option may stand before the command's
# name or after it, and the last one wins.


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value is not None and value != () and value != 0 and value is not False:
        ctx.meta[_META + str(param.name)] = value


def _add(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    key = _META + str(param.name)
    ctx.meta[key] = ctx.meta.get(key, type(value)()) + value


_NOT: Final = "no:"


def _plugin(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> None:
    for word in value:
        if not word.removeprefix(_NOT).strip():
            raise click.BadParameter("write no:NAME to leave that plugin out, or NAME", ctx, param)
    _add(ctx, param, value)


_GLOBAL: Final = (
    click.option("--env", metavar="NAME", callback=_keep, expose_value=False, help="The environment: production …"),
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(path_type=Path),
        callback=_keep,
        expose_value=False,
        help="seedframe.toml, or a folder to find it from.",
    ),
    click.option(
        "-p",
        "plugins",
        metavar="[no:]NAME",
        multiple=True,
        callback=_plugin,
        expose_value=False,
        help="no:NAME leaves a plugin out; NAME loads one where plugins are not loaded.",
    ),
    click.option("-v", "--verbose", count=True, callback=_add, expose_value=False, help="Log more (-vv: all)."),
    click.option("-q", "--quiet", count=True, callback=_add, expose_value=False, help="Log errors only."),
    click.option(
        "--log-file",
        metavar="FILE",
        type=OutputPath(dir_okay=False),
        callback=_keep,
        expose_value=False,
        help="Append log records as JSON lines.",
    ),
    click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        metavar="WHEN",
        callback=_keep,
        expose_value=False,
        help="auto, always or never.",
    ),
    click.option(
        "--trace-hooks",
        is_flag=True,
        callback=_keep,
        expose_value=False,
        help="Show each call of a hook, with its time, on stderr.",
    ),
)


def add_global_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options alone, for a group."""
    for option in reversed(_GLOBAL):
        function = option(function)
    return function


def global_parameters() -> list[click.Parameter]:
    """The options, for a command that is made already."""

    def nothing() -> None:
        """Only takes options."""

    return list(reversed(getattr(add_global_options(nothing), "__click_params__", [])))


def global_options(function: Callable[Concatenate[Context, P], int]) -> Callable[P, int]:
    """For a command: it takes the options of every command, its first argument is the `Context`, logging is set up."""

    def run(*args: P.args, **kwargs: P.kwargs) -> int:
        from seedframe.cli.logs import configure

        context = context_of(click.get_current_context())
        configure(context.verbosity, color=context.colored(sys.stderr), log_file=context.log_file)
        return function(context, *args, **kwargs)

    return add_global_options(update_wrapper(run, function))


def context_of(ctx: click.Context) -> Context:
    """The context as the options given so far say."""
    given = {key.removeprefix(_META): value for key, value in ctx.meta.items() if key.startswith(_META)}
    words: tuple[str, ...] = given.get("plugins", ())
    return Context(
        env=given.get("env"),
        config_path=given.get("config"),
        disabled=tuple(word.removeprefix(_NOT) for word in words if word.startswith(_NOT)),
        named=tuple(word for word in words if not word.startswith(_NOT)),
        verbosity=given.get("verbose", 0) - given.get("quiet", 0),
        log_file=given.get("log_file"),
        color=given.get("color", "auto"),
        trace_hooks=given.get("trace_hooks", False),
    )


# -------------------------------------------------------------------------
# Options of several commands
# -------------------------------------------------------------------------


def format_option(*more: str) -> Callable[[Callable[P, int]], Callable[P, int]]:
    """For a command that prints text or JSON, or in `more` ways: --format, given to it as `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["text", "json", *more]),
        default="text",
        show_default=True,
        help="How to write it.",
    )


def selection_options(function: Callable[..., int]) -> Callable[..., int]:
    """For a command that works on some seeds: NAMES, --tag and --skip, given to it as `selection`."""

    def run(*args: Any, names: tuple[str, ...], tag: tuple[str, ...], skip: tuple[str, ...], **kwargs: Any) -> int:
        from seedframe.options import Selection

        return function(*args, selection=Selection(names=names, tags=tag, skip=skip), **kwargs)

    run = update_wrapper(run, function)
    run = click.option("--skip", metavar="NAME", multiple=True, help="Leave this seed out. Repeatable.")(run)
    run = click.option("--tag", metavar="TAG", multiple=True, help="Seeds with this tag. Repeatable.")(run)
    return click.argument("names", nargs=-1, metavar="[SEED]...")(run)
