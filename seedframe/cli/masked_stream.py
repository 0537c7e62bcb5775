"""Standard streams without secrets: whatever code of seeds and plugins prints, warns of or logs, and however."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from seedframe.secrecy.masking import masked


class MaskedStream:
    """A stream of text that masks what is written, write by write; all else is the stream's below.

    A secret that is written in two parts, and what another process writes there, are beyond it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        """The length of the text as given: that is what a caller compares with."""
        self._stream.write(masked(text))
        return len(text)

    def writelines(self, lines: Iterable[str], /) -> None:
        """As `write`, for each."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> "_MaskedBytes":
        """For those who write bytes."""
        return _MaskedBytes(self._stream.buffer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


class _MaskedBytes:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, content: bytes, /) -> int:
        """As `MaskedStream.write`, of UTF-8; other bytes stay as they are."""
        text = bytes(content).decode("utf-8", "surrogateescape")
        self._stream.write(masked(text).encode("utf-8", "surrogateescape"))
        return len(content)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def masked_stderr() -> Iterator[None]:
    """Meanwhile, what is written to `sys.stderr` is masked."""
    before = sys.stderr
    ours: Any = MaskedStream(before)
    sys.stderr = ours
    try:
        yield
    finally:
        if sys.stderr is ours:
            sys.stderr = before


@contextmanager
def masked_stdout() -> Iterator[None]:
    """Meanwhile, what is written to `sys.stdout` is masked."""
    before = sys.stdout
    ours: Any = MaskedStream(before)
    sys.stdout = ours
    try:
        yield
    finally:
        if sys.stdout is ours:
            sys.stdout = before
