"""File locks that the kernel releases when their holder is gone, however it went."""

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

POLL_S: Final = 0.01


class FileLock:
    """One holder's view of a lock file (flock). Two of them on the same path compete, even within a process.

    Args:
        path: the lock file; made where it is missing, never removed.

    Errors: OSError where the file cannot be opened for writing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = self._open()

    def _open(self) -> int:
        # The folder may be someone else's: a link planted in its place is not followed.
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    @property
    def descriptor(self) -> int:
        """The open file. A process that inherits it holds the lock too, until it and its own children are gone."""
        return self._descriptor

    def try_exclusive(self) -> bool:
        """Take the lock alone, at once; False when anyone else has it."""
        return self._try(fcntl.LOCK_EX)

    def exclusive(self, timeout_s: float) -> bool:
        """Take the lock alone, waiting at most `timeout_s` seconds; False when that was not enough."""
        deadline = time.monotonic() + timeout_s
        while not self.try_exclusive():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_S)
        return True

    def free(self) -> bool:
        """True when nobody has the lock; it is not kept."""
        free = self.try_exclusive()
        if free:
            self.release()
        return free

    def try_shared(self) -> bool:
        """Take the lock together with others, at once; False when someone has it alone."""
        return self._try(fcntl.LOCK_SH)

    def _try(self, how: int) -> bool:
        try:
            fcntl.flock(self._descriptor, how | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise
        return True

    def release(self) -> None:
        """Give the lock up, also for processes that inherited it; the file stays open."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def hand_over(self) -> None:
        """Leave the lock to the processes that inherited it, and look at it from outside from now on."""
        os.close(self._descriptor)
        self._descriptor = self._open()

    def close(self) -> None:
        """Close the file. The lock goes with it unless a child process inherited it."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
