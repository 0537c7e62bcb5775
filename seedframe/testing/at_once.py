"""Two runs of one project at once, the second of which is let in while the first holds the lock."""

import threading
from collections.abc import Callable
from typing import Final

from seedframe.options import ApplyOptions
from seedframe.project import Project
from seedframe.report import Report, ResourceOutcome
from seedframe.seed import Seed
from seedframe.testing.quietly import Quietly

OVERLAP_S: Final = 60.0
"""Seconds that either waits for the other at most."""


class _First(Quietly):
    """Stands still in its transaction, when it has planned something, until the other waits."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.go_on = threading.Event(), threading.Event()

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:  # noqa: ARG002 - the observer's
        self.inside.set()
        self.go_on.wait(OVERLAP_S / 2)


class _Second(Quietly):
    """Tells the other when it waits."""

    def __init__(self, first: _First) -> None:
        super().__init__()
        self._first = first

    def waiting(self, what: str) -> None:  # noqa: ARG002 - the observer's
        self._first.go_on.set()


class Running(threading.Thread):
    """A run in a thread of its own: its report, or what it raised."""

    def __init__(self, run: Callable[[], Report], ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._run, self._ended = run, ended
        self.report: Report | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.report = self._run()
        except Exception as error:  # noqa: BLE001 - it is raised where the threads are joined
            self.error = error
        finally:
            self._ended.set()


def at_once(first: Project, second: Project, options: ApplyOptions) -> tuple[Running, Running]:
    """Apply both, the second while the first is in the midst of it; how they ended."""
    ahead = _First()

    def follow() -> Report:
        ahead.inside.wait(OVERLAP_S)
        return second.apply(options, _Second(ahead))

    runs = Running(lambda: first.apply(options, ahead), ahead.inside), Running(follow, ahead.go_on)
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    return runs
