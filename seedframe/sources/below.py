"""A regular file below a folder, opened so that no link leads out of it, whatever is put in its place meanwhile."""

import errno
import os
import stat
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import IO, Final

# A folder on the way need not be readable, where the system can open it without.
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO or a terminal that was put there since it was looked at neither waits for a writer nor becomes ours.
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
# What the system says where a part of the path is no more, or is now a link, or no link any more.
_OTHERWISE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL})


class LeadsOut(Exception):
    """What the name stands for is outside the folder."""


class NotRegular(Exception):
    """What the name stands for is a folder, a FIFO, a socket or a device."""


class Replaced(Exception):
    """What the name stands for was replaced between the two looks at it."""


def find_below(folder: Path, path: PurePosixPath) -> PurePosixPath:
    """Where a name leads to, as a path below the folder that has no links any more.

    Errors: LeadsOut; OSError for what does not exist or cannot be reached; ValueError for what no name can have.
    """
    root = folder.resolve()
    try:
        target = root.joinpath(*path.parts).resolve(strict=True)
    except RuntimeError as error:  # what Python before 3.13 makes of a link to itself
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if not target.is_relative_to(root):
        raise LeadsOut
    return PurePosixPath(target.relative_to(root))


def open_below(folder: Path, path: PurePosixPath) -> IO[bytes]:
    """Open the regular file that a name stands for.

    Links within the folder are followed. Once it is known where they lead, that is opened part by part, and no link
    is followed any more: one that was put there since is refused.

    Args:
        folder: it may itself be a link; whoever can replace it is trusted.
        path: the name, relative and without `..`.

    Errors: LeadsOut, NotRegular, Replaced; OSError for what cannot be read.
    """
    try:
        descriptor = _open_found(folder, find_below(folder, path))
    except OSError as error:
        if error.errno in _OTHERWISE:
            raise Replaced from error
        if error.errno == errno.ENXIO:  # a socket
            raise NotRegular from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor


def _open_found(folder: Path, path: PurePosixPath) -> int:
    *parents, name = path.parts or (".",)
    with ExitStack() as opened:
        here = os.open(folder.resolve(), _FOLDER)
        opened.callback(os.close, here)
        for part in parents:
            here = os.open(part, _FOLDER, dir_fd=here)
            opened.callback(os.close, here)
        return os.open(name, _FILE, dir_fd=here)
