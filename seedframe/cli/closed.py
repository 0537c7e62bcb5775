"""Standard streams that are closed: from the start, or by a reader that goes away before everything is written."""

import errno
import io
import os
import stat
import sys
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_STANDARD: Final = 3


class _ReaderMayGo(io.BufferedWriter):
    """Bytes for a descriptor; what is written after its reader has gone goes nowhere, and is no error.

    Not done below the buffer, where a signal's exception after the system call would have it write once more.
    """

    def __init__(self, raw: io.FileIO, *, at_once: bool) -> None:
        super().__init__(raw)
        self._at_once = at_once

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            super().write(data)
        except BrokenPipeError:
            self._discard()
        if self._at_once:
            self.flush()
        return memoryview(data).nbytes

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._discard()

    def _discard(self) -> None:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.fileno())
        os.close(null)


def let_reader_go(stream: TextIO) -> TextIO:
    """The stream to use instead: of a pipe, one for which `| head` is no error, so that the command goes on to its end.

    A command's exit code says what it did, whoever looks on; half a `db init` would help nobody.
    """
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # there is no buffer between them under PYTHONUNBUFFERED
    if not isinstance(stream, io.TextIOWrapper) or not isinstance(raw, io.FileIO) or isinstance(buffer, _ReaderMayGo):
        return stream
    mode = os.fstat(raw.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        _ReaderMayGo(io.FileIO(raw.fileno(), "wb", closefd=False), at_once=raw is buffer),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class ClosedOutput(io.TextIOBase):
    """In the place of a standard output that is closed: writing to it fails as it would there."""

    def write(self, text: str, /) -> int:  # noqa: ARG002 - it is written nowhere
        raise OSError(errno.EBADF, "standard output is closed")


def stand_in() -> None:
    """Put something in the place of each standard stream that is closed, and of its descriptor.

    Python has None for them, and the next file or connection would get their descriptors: what is printed by others,
    such as a child process, would go there.
    """
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor < _STANDARD:
        os.set_inheritable(descriptor, True)
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
    if sys.stdout is None:
        sys.stdout = ClosedOutput()  # all that is asked of a stream of text
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - as long as the process
