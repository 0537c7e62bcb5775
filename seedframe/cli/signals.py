"""SIGINT and SIGTERM as one exception in the main thread, so that transactions roll back; a second signal forces."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


_asked: "Stopped | None" = None


class Stopped(KeyboardInterrupt):
    """The process was asked to stop. A KeyboardInterrupt, which psycopg answers by cancelling the running statement."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.exit_code = 128 + signum


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Raise `Stopped` at the first signal, end the process at the second; a signal that is ignored stays ignored."""
    global _asked
    _asked = None
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
        global _asked
        # By the kernel, so that even code that never comes back to Python ends; it spares process 1, of a container.
        force = signal.SIG_DFL if os.getpid() != 1 else _force
        for each in _SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, force)
        _asked = Stopped(signum)
        raise _asked

    before = {each: signal.getsignal(each) for each in _SIGNALS}
    for each, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def require_going() -> None:
    """Raise `Stopped` again, should a seed's code have swallowed it."""
    if _asked is not None:
        raise _asked


def _force(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signal module's signature
    os._exit(128 + signum)
