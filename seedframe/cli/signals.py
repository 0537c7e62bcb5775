"""SIGINT and SIGTERM as one exception in the main thread, so that transactions roll back; a second signal forces."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """The process was asked to stop. A KeyboardInterrupt, which psycopg answers by cancelling the running statement."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` at the first signal, end the process at the second; a signal that is ignored stays ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        for each in _SIGNALS:
            signal.signal(each, _force)
        raise Stopped(signum)

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _force(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
    signal.signal(signum, signal.SIG_DFL)
    os.kill(os.getpid(), signum)
