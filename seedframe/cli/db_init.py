"""`seedframe db init`: migrate, apply and verify, step by step."""

import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from seedframe.cli.options import Context, global_options
from seedframe.errors import MigrationFailed

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.database.address import Address
    from seedframe.report import Report
    from seedframe.reporting.page import Line, Style

_NAME_COLUMNS: Final = len("database")
_TEXT_COLUMNS: Final = 56
_INDENT: Final = len("✓ ") + _NAME_COLUMNS + 2


@click.command("init", short_help="Migrate, apply all seeds, and verify.")
@click.option(
    "--wait",
    "wait_s",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Wait that long for the database and for the lock.",
)
@global_options
def init(context: Context, *, wait_s: float) -> int:
    """Migrate, apply all seeds, and verify. As often as you like: what is done already stays as it is.

    The migration command is `[migrations] command` of seedframe.toml. It runs in the project's folder with
    DATABASE_URL set.

    Exit code: 3 when the migrations failed or something could not run, else that of `apply`, else that of `verify`.
    """
    from seedframe.cli.passwords import password_screen
    from seedframe.cli.progress import watching
    from seedframe.options import ApplyOptions, Selection, VerifyOptions

    project = context.project()
    # What is wrong with the seeds, or with a variable they read, is said before anything is changed.
    project.check_settings(project.choose(Selection(), all_usable=True))
    steps = Steps(context)
    with ExitStack() as held:
        _migrate(project.config, held, steps, context, wait_s)
        with password_screen(for_people=True) as screen:
            with watching(context, screen, say_waiting=False) as observer:
                report = project.apply(ApplyOptions(wait_s=wait_s), observer)
            steps.applied(report)
        if report.exit_code == 0:
            with watching(context, say_waiting=False) as observer:
                report = project.verify(VerifyOptions(wait_s=wait_s), observer)
            steps.verified(report)
    return report.exit_code


def _migrate(config: "Config", held: ExitStack, steps: "Steps", context: Context, wait_s: float) -> None:
    """The steps `database` and `migrate`; the embedded PostgreSQL is kept until `held` is closed."""
    from seedframe.cli.progress import watching
    from seedframe.database.migrating import migrating
    from seedframe.operations.marking import require_environment

    with ExitStack() as alone:
        with steps.step("database") as step:
            address, place = _reach(config, held)
            with watching(context, say_waiting=False) as observer:
                migration = alone.enter_context(
                    migrating(
                        address,
                        connect_timeout_s=config.database.connect_timeout_s,
                        wait_s=wait_s,
                        waiting=observer.waiting,
                    )
                )
            step.text = f"PostgreSQL {migration.server_version}, {place}"
            require_environment(config)
        with steps.step("migrate") as step:
            if not config.migrations:
                step.skip("no command under [migrations]")
                return
            step.text = shlex.join(config.migrations)
            try:
                with watching(context, say_waiting=False) as observer:
                    observer.waiting(step.text)
                    output = _run(config, address)
            except MigrationFailed as failure:
                steps.output(failure.output)
                raise
            step.text += f": {migration.change()}"
        if context.verbosity > 0:
            steps.output(output.splitlines())


def _reach(config: "Config", held: ExitStack) -> "tuple[Address, str]":
    """The database's address, and where it is in a few words."""
    from seedframe.database.address import configured_address, parse_address

    if not config.database.embedded:
        address = configured_address(config.database)
        return address, address.display
    from seedframe.database import embedded

    server = held.enter_context(embedded.lease(config.root, config.project, config.variables))
    return parse_address(server.url), f'database "{server.dbname}", embedded'


def _run(config: "Config", address: "Address") -> str:
    from seedframe.database.address import configured_url
    from seedframe.operations.migrations import run_migrations

    return run_migrations(
        config.migrations,
        root=config.root,
        url=configured_url(config.database, address),
        variables=config.variables,
    )


class Step:
    """One step while it runs; `text` is what its line says."""

    def __init__(self) -> None:
        self.text = ""
        self.skipped = False

    def skip(self, why: str) -> None:
        """There is nothing to do."""
        self.text, self.skipped = why, True


class Steps:
    """Tells on standard output how far it has come: a line for each step that is done."""

    def __init__(self, context: Context) -> None:
        from seedframe.reporting.output import page_for
        from seedframe.reporting.signs import signs_for

        self._page = page_for(
            sys.stdout, color=context.colored(sys.stdout), verbosity=max(-1, min(1, context.verbosity))
        )
        self._signs = signs_for(self._page)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Run a step and print its line when it has ended, well or not."""
        step, started = Step(), time.monotonic()
        try:
            yield step
        except Exception:
            self._line(self._signs.bad, "bad", name, step.text, None)
            raise
        if self._page.verbosity < 0:
            return
        if step.skipped:
            self._line(self._signs.skipped, "dim", name, step.text, None)
        else:
            self._line(self._signs.good, "good", name, step.text, time.monotonic() - started)

    def output(self, lines: Sequence[str]) -> None:
        """What another program printed, indented."""
        from seedframe.reporting.cells import visible

        self._print([[("    ", "plain"), (visible(line), "dim")] for line in lines])

    def applied(self, report: "Report") -> None:
        """The report of apply, whole."""
        from seedframe.reporting.text import lines

        self._print([[], *lines(report, self._page)])

    def verified(self, report: "Report") -> None:
        """The report of verify: whole where something is wrong, else its last line."""
        from seedframe.reporting.page import Line, folded
        from seedframe.reporting.text import closing_lines, lines

        if report.exit_code:
            self._print([[], *lines(report, self._page)])
            return
        *_, last = closing_lines(report, replace(self._page, width=None))
        line: Line = [(f"{self._signs.good} ", "good"), ("verified  ", "strong"), *last]
        self._print([[], *folded(line, self._page, indent=_INDENT)])

    def _line(self, sign: str, style: "Style", name: str, text: str, took_s: float | None) -> None:
        from seedframe.reporting.cells import pad, visible
        from seedframe.reporting.page import Line, folded
        from seedframe.reporting.words import duration

        shown = visible(text, ascii_only=not self._page.unicode)
        took = "" if took_s is None else f"  {duration(took_s)}"
        room = None if self._page.width is None else self._page.width - _INDENT - len(took)
        line: Line = [
            (f"{sign} ", style),
            (pad(name, _NAME_COLUMNS), "strong"),
            (f"  {pad(shown, _TEXT_COLUMNS if room is None else min(_TEXT_COLUMNS, room))}", "plain"),
            (took, "dim"),
        ]
        self._print(list(folded(line, self._page, indent=_INDENT)))

    def _print(self, content: "Sequence[Line]") -> None:
        from seedframe.reporting.output import print_text
        from seedframe.reporting.text import text_of

        print_text(text_of(iter(content), self._page))
