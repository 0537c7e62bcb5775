"""Files of rows: found next to the seed, opened safely, read in the format that their ending names."""

import errno
import stat
from collections.abc import Callable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import IO, Final

from seedframe.errors import BadData, did_you_mean
from seedframe.sources.below import LeadsOut, NotRegular, Replaced, find_below, open_below
from seedframe.sources.formats import FileFormat, HowToRead, seedframe_file_formats
from seedframe.sources.records import Records, Report, refuse
from seedframe.sources.texts import DECOMPRESSORS, TextFile

BUILT_IN: Final[Mapping[str, FileFormat]] = {
    ending: file_format for file_format in seedframe_file_formats() for ending in file_format.endings
}
"""The built-in formats, by ending."""


def open_file(
    folder: Traversable,
    name: str,
    *,
    shown: str,
    null: str | None = None,
    report: Report = refuse,
    formats: Mapping[str, FileFormat] = BUILT_IN,
) -> Records:
    """The records of a file under the seed's folder, in the format that its ending names, compressed or not.

    Args:
        folder: the seed's folder.
        name: a path below it, with forward slashes.
        shown: the same file for messages, relative to the project.
        null: for CSV, TSV and other formats of texts, the token that means NULL; by default an empty field does.
        report: is told of records that are wrong; by default the first one is raised.
        formats: the formats that there are, by ending.

    Errors: BadData, naming file, line and column.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
        raise BadData(
            f"file {name!r} is not below the seed's folder",
            hint="name a file next to the seed, without .. or a leading /",
            kind="file-outside",
        )
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in DECOMPRESSORS else None
    ending = suffixes[-1] if suffixes else ""
    found = formats.get(ending)
    if found is None:
        raise BadData(
            f"file {name!r} has the ending {ending or 'none'}",
            hint=did_you_mean(ending, formats) or f"the formats are {', '.join(formats)}, also .gz, .bz2 and .xz",
            kind="file-format",
        )
    if null is not None and not found.null_token:
        texts = ", ".join(known for known, entry in formats.items() if entry.null_token)
        hint = f"null= is for {texts}, whose fields are texts; the other formats have a null"
        raise BadData(f"null= says nothing of file {name!r}", hint=hint, kind="file-format")
    return found.records(TextFile(_find(folder, path, name), shown, packed), HowToRead(null, report))


def _find(folder: Traversable, path: PurePosixPath, name: str) -> Callable[[], IO[bytes]]:
    """How to open the file, which is there and below the folder."""
    target = folder.joinpath(*path.parts)
    if isinstance(target, Path):
        return _find_on_disk(folder, target, path, name)
    if not target.is_file():  # in an archive, where no link leads anywhere
        raise _missing(folder, path, name)
    return lambda: target.open("rb")


def _find_on_disk(folder: Traversable, target: Path, path: PurePosixPath, name: str) -> Callable[[], IO[bytes]]:
    # A package may be in several folders, of which this is the one that has the file.
    base = Path(*target.parts[: -len(path.parts)])
    try:
        mode = target.stat().st_mode
        find_below(base, path)
    except LeadsOut as error:
        raise _leads_out(name) from error
    except OSError as error:
        raise _unreachable(error, target, folder, path, name) from error
    except ValueError as error:  # a NUL, or half of a surrogate pair
        raise BadData(
            f"{name!r} is no name that a file can have", hint="correct the name", kind="missing-file"
        ) from error
    if not stat.S_ISREG(mode):
        raise _no_regular_file(name)
    return lambda: _opened(base, path, name)


def _opened(base: Path, path: PurePosixPath, name: str) -> IO[bytes]:
    try:
        return open_below(base, path)
    except LeadsOut as error:
        raise _leads_out(name) from error
    except NotRegular as error:
        raise _no_regular_file(name) from error
    except Replaced as error:
        raise BadData(f"file {name!r} was replaced while it was opened", hint="run again once it is whole") from error


def _leads_out(name: str) -> BadData:
    message, hint = f"file {name!r} is a link out of the seed's folder", "copy the file next to the seed"
    return BadData(message, hint=hint, kind="file-outside")


def _no_regular_file(name: str) -> BadData:
    hint = "name a file, not a folder or a device"
    return BadData(f"{name!r} is no regular file", hint=hint, kind="unreadable-file")


def _unreachable(error: OSError, target: Path, folder: Traversable, path: PurePosixPath, name: str) -> BadData:
    if error.errno in (errno.ENOENT, errno.ELOOP) and target.is_symlink():
        message, hint = f"file {name!r} is a link that leads nowhere", "copy the file next to the seed"
        return BadData(message, hint=hint, kind="missing-file")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return _missing(folder, path, name)
    return BadData(f"file {name!r} cannot be read: {error.strerror}", kind="unreadable-file")


def _missing(folder: Traversable, path: PurePosixPath, name: str) -> BadData:
    beside = folder.joinpath(*path.parts[:-1])
    try:
        names = [entry.name for entry in beside.iterdir()] if beside.is_dir() else []
    except OSError:
        names = []
    near = did_you_mean(str(path), [str(path.with_name(entry)) for entry in names])
    hint = near or "file= is relative to the seed's own folder"
    return BadData(f"file {name!r} does not exist", hint=hint, kind="missing-file")
