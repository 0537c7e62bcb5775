"""Where a report goes: standard output, laid out for what stands there, or a file, replaced as a whole."""

import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import TextIO

from seedframe.errors import UsageError
from seedframe.reporting.page import Page

_FEWEST_COLUMNS = 40
_USUAL_COLUMNS = 80


def page_for(stream: TextIO, *, color: bool = False, verbosity: int = 0) -> Page:
    """What a person reads on `stream`: as wide as a terminal, or in a pipe as wide as its lines are."""
    encoding = (stream.encoding or "ascii").lower().replace("-", "").replace("_", "")
    return Page(
        width=max(_FEWEST_COLUMNS, _columns(stream)) if stream.isatty() else None,
        color=color,
        unicode=encoding.startswith("utf"),
        verbosity=max(-1, min(1, verbosity)),
    )


def _columns(stream: TextIO) -> int:
    """The columns of the terminal that `stream` is, which need not be that of standard output; COLUMNS wins."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _USUAL_COLUMNS
    except OSError:
        return _USUAL_COLUMNS


def print_text(text: str, stream: TextIO | None = None) -> None:
    """Write a whole text to standard output (or `stream`) at once, and flush it."""
    target = sys.stdout if stream is None else stream
    target.write(text)
    target.flush()


def print_utf8(text: str) -> None:
    """Write a document for programs to standard output: UTF-8, whatever the locale says."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        print_text(text)
        return
    sys.stdout.flush()
    buffer.write(text.encode())
    buffer.flush()


def check_writable(path: Path) -> None:
    """Refuse a file that cannot be written, before anything else is done. Errors: UsageError."""
    folder = path.resolve().parent
    if path.is_dir():
        raise UsageError("it is a folder", where=f"--output {path}", hint="name a file")
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", where=f"--output {path}", hint="make the folder first")
    if not os.access(path if _is_special(path) else folder, os.W_OK):
        raise UsageError("no permission to write there", where=f"--output {path}")


def write_file(path: Path, text: str) -> None:
    """Write `text` as UTF-8 so that a reader sees the old file or the new one, never a part.

    A symbolic link is followed; a device or a pipe is written to as it is. Errors: UsageError.
    """
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path.resolve(), text)
    except OSError as error:
        raise UsageError(f"cannot write it: {error.strerror or error}", where=f"--output {path}") from error


def _is_special(path: Path) -> bool:
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - a descriptor
            file.write(text)
            file.flush()
            os.fchmod(descriptor, _mode_for(path))
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        # The first error is the one to hear of; what is left of the temporary file is worth nothing.
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _mode_for(path: Path) -> int:
    """The mode of the file that is replaced, or what a new file would get."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
