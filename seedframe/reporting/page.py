"""The page a report is laid out for, and lines of styled spans: what a layout yields and a terminal prints."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from seedframe.reporting.cells import text_width

Style: TypeAlias = Literal["plain", "strong", "dim", "good", "warn", "bad", "create", "update", "delete"]
Span: TypeAlias = tuple[str, Style]
Line: TypeAlias = list[Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a report is written on.

    Attributes:
        width: the terminal's columns; None where it is no terminal, and a line is as long as it needs to be.
        color: whether escape sequences for colour are wanted.
        unicode: False writes all that is not ASCII as escapes.
        verbosity: -1 trouble and the summary only, 0 as usual, 1 everything, in full.
    """

    width: int | None = None
    color: bool = False
    unicode: bool = True
    verbosity: int = 0


def line_text(line: Iterable[Span]) -> str:
    """A line without its styles."""
    return "".join(text for text, _ in line).rstrip()


def line_width(line: Iterable[Span]) -> int:
    """The columns a line takes."""
    return sum(text_width(text) for text, _ in line)
