"""Standard streams that whoever started the process has closed."""

import errno
import io
import os
import sys
from typing import Final

_STANDARD: Final = 3


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
