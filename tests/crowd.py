"""Processes that were forked after everything was imported, and apply a project: many at once, or one to be killed.

They are forked by multiprocessing's fork server, which has no connection open and no thread running; it ends, and they
end, when the process that asked for them does.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final, TypeAlias

from seedframe import Project
from seedframe.database import embedded, engine
from seedframe.options import ApplyOptions
from seedframe.running import runner

_CONTEXT: Final = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__])
_PATIENCE_S: Final = 120.0

AS_DEPLOYED: Final = ApplyOptions(wait_s=60.0)

Report: TypeAlias = dict[str, Any]
"""A report as JSON has it."""

# All that a run imports, and which process did.
_LOADED: Final = (runner, engine, embedded)
_LOADED_BY: Final = os.getpid()


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is to do: `seedframe apply` in a folder, on a database."""

    folder: Path
    url: str
    options: ApplyOptions = AS_DEPLOYED
    application: str = "seedframe"


class Crowd:
    """Processes that wait to be told what to do."""

    def __init__(self, pipes: "Sequence[Connection[Any, Any]]") -> None:
        self._pipes = pipes

    def apply(self, task: Task) -> list[Report]:
        """All of them apply, from the same moment on; their reports, as JSON has them.

        Errors: AssertionError, with what one of them raised.
        """
        for pipe in self._pipes:
            pipe.send(task)
        return [_answer(pipe) for pipe in self._pipes]


@contextlib.contextmanager
def crowd(size: int) -> Iterator[Crowd]:
    """So many processes; they are gone afterwards."""
    barrier = _CONTEXT.Barrier(size)
    with contextlib.ExitStack() as stack:
        pipes = []
        for _ in range(size):
            here, there = _CONTEXT.Pipe()
            stack.callback(here.close)
            process = _CONTEXT.Process(target=_work, args=(there, barrier), daemon=True)
            process.start()
            there.close()
            stack.callback(process.join, _PATIENCE_S)
            stack.callback(process.kill)
            pipes.append(here)
        yield Crowd(pipes)


@dataclass(frozen=True, slots=True)
class Victim:
    """A process that applies, and may be killed."""

    process: ForkServerProcess
    pipe: "Connection[Any, Any]"

    def kill(self) -> bool:
        """kill -9; False when it had come to its end before that."""
        self.process.kill()
        self.process.join(_PATIENCE_S)
        return self.process.exitcode == -signal.SIGKILL

    def ended(self) -> bool:
        """True when it has come to its end, and has a report or died."""
        return self.pipe.poll()

    def report(self) -> Report:
        """What it reports when nobody kills it. Errors: as `Crowd.apply`."""
        return _answer(self.pipe)


@contextlib.contextmanager
def victim(task: Task) -> Iterator[Victim]:
    """A process that has just begun to apply; it is gone afterwards."""
    here, there = _CONTEXT.Pipe()
    with here:
        process = _CONTEXT.Process(target=_apply_alone, args=(there, task), daemon=True)
        process.start()
        there.close()
        assert here.poll(_PATIENCE_S)
        assert here.recv() == "ready"
        try:
            yield Victim(process, here)
        finally:
            process.kill()
            process.join(_PATIENCE_S)


def _answer(pipe: "Connection[Any, Any]") -> Report:
    answer = pipe.recv() if pipe.poll(_PATIENCE_S) else "no answer"
    assert isinstance(answer, dict), answer
    return answer


# In the processes


def _work(pipe: "Connection[Any, Any]", barrier: Barrier) -> None:
    _require_forked()
    with contextlib.suppress(EOFError):
        while True:
            task = pipe.recv()
            barrier.wait(_PATIENCE_S)
            pipe.send(_applied(task))


def _apply_alone(pipe: "Connection[Any, Any]", task: Task) -> None:
    _require_forked()
    pipe.send("ready")
    pipe.send(_applied(task))


def _require_forked() -> None:
    assert os.getppid() == _LOADED_BY, "seedframe was imported in this process rather than before the fork"


def _applied(task: Task) -> Report | str:
    """The report; a text where there is none."""
    os.environ.update(DATABASE_URL=task.url, PGAPPNAME=task.application)
    try:
        return Project.load(task.folder).apply(task.options).as_dict()
    except Exception as error:  # noqa: BLE001 - whatever it is, the test is to see it
        return repr(error)
