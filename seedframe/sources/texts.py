"""The text of a file: decompressed, decoded as UTF-8, and the same from its first line to its last."""

import bz2
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any, Final
from zipfile import BadZipFile

from seedframe.errors import BadData

DECOMPRESSORS: Final[Mapping[str, Callable[..., Any]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A file of rows.

    Attributes:
        read: opens the file itself, each time anew.
        shown: its name for messages, relative to the project.
        packed: the ending that says how it is compressed; None for a plain one.
    """

    read: Callable[[], IO[bytes]]
    shown: str
    packed: str | None

    @contextmanager
    def open(self, *, newline: str | None = "") -> Iterator[IO[str]]:
        """Its text, without a byte order mark.

        Args:
            newline: as of `open`: "" leaves the ends of lines as they are, None makes each a line feed.

        Errors: BadData for what cannot be read, or changed meanwhile.
        """
        try:
            with self.read() as raw:
                before = _state(raw)
                with io.TextIOWrapper(self._unpacked(raw), encoding="utf-8-sig", newline=newline) as text:
                    try:
                        yield text
                    except (BadData, UnicodeDecodeError, EOFError, zlib.error):
                        self._require_unchanged(raw, before)
                        raise
                    self._require_unchanged(raw, before)
        except UnicodeDecodeError as error:
            raise self._not_utf8() from error
        except EOFError as error:
            raise BadData(
                "the compressed file is cut short", hint="compress it again", where=self.shown, kind="unreadable-file"
            ) from error
        except (gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
            raise self._not_packed() from error
        except BadZipFile as error:
            raise BadData(
                "the archive that the file is in is damaged",
                hint="install the package again",
                where=self.shown,
                kind="unreadable-file",
            ) from error
        except OSError as error:
            if error.errno is None:  # bz2's own
                raise self._not_packed() from error
            message = f"the file cannot be read: {error.strerror}"
            raise BadData(message, where=self.shown, kind="unreadable-file") from error

    def place(self, line: int) -> str:
        """Where a line is, for messages."""
        return f"{self.shown}:{line}"

    def _unpacked(self, raw: IO[bytes]) -> Any:
        return DECOMPRESSORS[self.packed](raw) if self.packed else raw

    def _not_packed(self) -> BadData:
        return BadData(
            "the file cannot be decompressed", hint="compress it again", where=self.shown, kind="unreadable-file"
        )

    def _require_unchanged(self, raw: IO[bytes], before: object) -> None:
        if before is not None and _state(raw) != before:
            raise BadData(
                "the file changed while it was read",
                hint="run again once it is whole",
                where=self.shown,
                kind="unreadable-file",
            ) from None

    def _not_utf8(self) -> BadData:
        """Where the first byte stands that is no UTF-8: the decoder itself counts bytes of a block."""
        line, column, utf16 = 1, 1, False
        with self.read() as raw:
            for number, content in enumerate(self._unpacked(raw)):
                utf16 = utf16 or (number == 0 and content.startswith(_UTF16))
                try:
                    text = content.decode("utf-8")
                except UnicodeDecodeError as error:
                    # A line here ends with a line feed; a carriage return alone ends one too.
                    before = content[: error.start].decode("utf-8").removeprefix("\ufeff").split("\r")
                    line, column = line + len(before) - 1, len(before[-1]) + 1
                    break
                line += text.count("\n") + text.count("\r") - text.count("\r\n")
        return BadData(
            "the file is UTF-16" if utf16 else "the line is no UTF-8",
            hint="save the file as UTF-8",
            where=f"{self.place(line)}:{column}",
            kind="encoding",
        )


def _state(raw: IO[bytes]) -> tuple[int, int] | None:
    """Size and time of an open file; None where it is none of the file system, but of an archive."""
    try:
        found = os.fstat(raw.fileno())
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
