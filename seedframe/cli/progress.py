"""Progress on stderr while a run takes its time: on a terminal only, gone before the report is printed."""

import os
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

from seedframe.cli.options import Context
from seedframe.cli.signals import require_going
from seedframe.observer import Observer
from seedframe.report import Mode, Report, ResourceOutcome, SeedOutcome
from seedframe.reporting.cells import visible
from seedframe.reporting.changes import resource_text
from seedframe.reporting.words import counts_text, number
from seedframe.secrecy.handover import Handed
from seedframe.secrecy.masking import masked
from seedframe.seed import Seed

if TYPE_CHECKING:
    from rich.progress import Progress

NOTICEABLE_S: Final = 0.5
"""Runs shorter than this many seconds show nothing."""


@contextmanager
def watching(context: Context, *others: Observer, say_waiting: bool = True) -> Iterator[Observer]:
    """The observer for a command's run: it logs, and shows progress where there is someone to see it; and others.

    Where nobody sees progress, one line says what is waited for, unless the command has lines of its own for that.
    Meanwhile, what a seed prints goes to stderr: standard output is for the report alone.
    """
    with redirect_stdout(sys.stderr):
        if context.verbosity != 0:
            yield Several(context.observer(), Stoppable(), *others)
            return
        if not shows_progress(sys.stderr, os.environ):
            yield Several(context.observer(), Stoppable(), *others, *([WaitingLine(sys.stderr)] if say_waiting else []))
            return
        with ProgressBar(sys.stderr, color=context.colored(sys.stderr)) as bar:
            yield Several(context.observer(), Stoppable(), *others, bar)


def shows_progress(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True on a terminal that can redraw a line, outside CI."""
    return stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI")


class Stoppable(Observer):
    """Ends the run that goes on although a signal has asked it to stop."""

    def step(self) -> None:
        require_going()


class WaitingLine(Observer):
    """Says once what is waited for, where no progress is shown: silence would look like a hang."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = False

    def waiting(self, what: str) -> None:
        if not self._said:
            self._said = True
            print(f"waiting: {visible(masked(what))}", file=self._stream, flush=True)


class Several(Observer):
    """Tells each of several observers, in order."""

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self.shows_passwords = any(observer.shows_passwords for observer in observers)

    def step(self) -> None:
        for observer in self._observers:
            observer.step()

    def run_started(self, seeds: tuple[Seed, ...], mode: str) -> None:
        for observer in self._observers:
            observer.run_started(seeds, mode)

    def run_finished(self, report: Report) -> None:
        for observer in self._observers:
            observer.run_finished(report)

    def waiting(self, what: str) -> None:
        for observer in self._observers:
            observer.waiting(what)

    def seed_started(self, seed: Seed) -> None:
        for observer in self._observers:
            observer.seed_started(seed)

    def rows_read(self, seed: Seed, resource: str, rows: int) -> None:
        for observer in self._observers:
            observer.rows_read(seed, resource, rows)

    def resource_started(self, seed: Seed, resource: str) -> None:
        for observer in self._observers:
            observer.resource_started(seed, resource)

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:
        for observer in self._observers:
            observer.resource_planned(seed, outcome)

    def resource_finished(self, seed: Seed, outcome: ResourceOutcome) -> None:
        for observer in self._observers:
            observer.resource_finished(seed, outcome)

    def seed_finished(self, seed: Seed, outcome: SeedOutcome) -> None:
        for observer in self._observers:
            observer.seed_finished(seed, outcome)

    def password_generated(self, handed: Handed) -> bool:
        return any(observer.password_generated(handed) for observer in self._observers if observer.shows_passwords)


class ProgressBar(Observer):
    """A line that is redrawn: what is being done, how many seeds are done, how long it has taken.

    It appears when `delay_s` seconds have passed and vanishes without a trace when the block ends, however it ends.
    """

    def __init__(self, stream: TextIO, *, color: bool, delay_s: float = NOTICEABLE_S) -> None:
        self._stream = stream
        self._color = color
        self._lock = threading.Lock()
        self._progress: Progress | None = None
        self._ended = False
        self._text = "starting"
        self._mode: Mode = "dry_run"
        self._seeds: int | None = None
        self._done = 0
        self._timer = threading.Timer(delay_s, self.show)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._ended = True
            if self._progress is not None:
                self._progress.stop()
        self._timer.join()

    def show(self) -> None:
        """Draw the line now, rather than when the delay is over."""
        with self._lock:
            if self._ended or self._progress is not None:
                return
            self._progress = _progress(self._stream, color=self._color)
            self._progress.add_task(self._text, total=self._seeds, completed=self._done)
            self._progress.start()

    def refresh(self) -> None:
        """Draw it again now, rather than ten times a second."""
        with self._lock:
            if self._progress is not None:
                self._progress.refresh()

    def run_started(self, seeds: tuple[Seed, ...], mode: str) -> None:
        self._mode = "verify" if mode == "verify" else "dry_run"  # nothing is done yet, whatever is to come
        self._update("starting", seeds=len(seeds), done=-self._done)

    def waiting(self, what: str) -> None:
        self._update(f"waiting: {masked(what)}")

    def seed_started(self, seed: Seed) -> None:
        self._update(seed.label)

    def rows_read(self, seed: Seed, resource: str, rows: int) -> None:
        self._update(f"{seed.label}: {resource_text(resource)}, {number(rows)} rows read")

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:
        counts = counts_text(replace(outcome.changes.counts, unchanged=0), self._mode)
        self._update(f"{seed.label}: {resource_text(outcome.resource)}{f', {counts}' if counts else ''}")

    def seed_finished(self, seed: Seed, outcome: SeedOutcome) -> None:  # noqa: ARG002 - the report tells the outcome
        self._update(seed.label, done=1)

    def _update(self, text: str, *, seeds: int | None = None, done: int = 0) -> None:
        with self._lock:
            self._text = visible(text)
            self._seeds = self._seeds if seeds is None else seeds
            self._done += done
            if self._progress is not None:
                task = self._progress.task_ids[0]
                self._progress.update(task, description=self._text, total=self._seeds, completed=self._done)


def _progress(stream: TextIO, *, color: bool) -> "Progress":
    # Imported here, as most runs are over before a progress bar is wanted.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    class Terminal(Console):
        """A console that leaves the cursor alone, which a killed process could not give back."""

        def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002 - rich's signature
            return False

    unicode = (stream.encoding or "").lower().startswith("utf")
    return Progress(
        SpinnerColumn("dots" if unicode else "line"),
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Terminal(file=stream, color_system="auto" if color else None, markup=False, highlight=False),
        transient=True,
        expand=True,
        # What a seed prints goes above the line.
        redirect_stdout=True,
        redirect_stderr=True,
    )
