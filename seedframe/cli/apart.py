"""Standard output for the command alone: what seeds and their children write to descriptor 1 goes to stderr."""

import io
import os
import sys
from types import TracebackType
from typing import Final, Self

_OUTPUT: Final = 1
_ERROR: Final = 2


class Apart:
    """Meanwhile, `sys.stdout` writes to a descriptor that no child inherits, and descriptor 1 is standard error.

    Python's own `print` in a seed is another matter (`redirect_stdout`); this is for a child process and for libraries
    in C, which know of descriptors only. Nothing is done where `sys.stdout` does not write to descriptor 1: who calls
    us in process has put something else there, and standard output is not ours.
    """

    def __init__(self, *, for_good: bool) -> None:
        """`for_good`: the process ends with the command, and what C libraries write as it does is none of ours."""
        self._for_good = for_good
        self._before = sys.stdout
        self._kept: int | None = None

    def __enter__(self) -> Self:
        stream = sys.stdout
        if isinstance(stream, io.TextIOWrapper) and not stream.closed and _descriptor(stream) == _OUTPUT:
            stream.flush()
            self._kept = os.dup(_OUTPUT)
            unbuffered = isinstance(stream.buffer, io.RawIOBase)
            sys.stdout = io.TextIOWrapper(
                open(self._kept, "wb", buffering=0 if unbuffered else -1, closefd=False),
                encoding=stream.encoding,
                errors=stream.errors,
                line_buffering=stream.line_buffering,
                write_through=stream.write_through,
            )
            os.dup2(_ERROR, _OUTPUT)
        return self

    def give_back(self) -> None:
        """Descriptor 1 is standard output again: what is run now is what the user asked to see."""
        if self._kept is not None:
            sys.stdout.flush()
            os.dup2(self._kept, _OUTPUT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._kept is None:
            return
        if self._for_good:
            sys.stdout = sys.stderr
            return
        os.dup2(self._kept, _OUTPUT)
        os.close(self._kept)
        sys.stdout = self._before


def _descriptor(stream: io.TextIOWrapper) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
