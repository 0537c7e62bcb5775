"""The page a report is laid out for, and lines of styled spans: what a layout yields and a terminal prints."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from seedframe.reporting.cells import text_width

Style: TypeAlias = Literal["plain", "strong", "dim", "good", "warn", "bad", "create", "update", "delete"]
Span: TypeAlias = tuple[str, Style]
Line: TypeAlias = list[Span]

_WORDS_AND_SPACES: Final = re.compile(" +|[^ ]+")


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


def folded(line: Line, page: Page, *, indent: int) -> Iterator[Line]:
    """A line, continued below after `indent` columns where a terminal is narrower than it; words stay whole."""
    if page.width is None or line_width(line) <= page.width:
        yield line
        return
    part: Line = []
    used, has_word, continued = 0, False, False
    for text, style in line:
        for piece in _WORDS_AND_SPACES.findall(text):
            blank = piece.isspace()
            if not blank and has_word and used + text_width(piece) > page.width:
                yield part
                part, used, has_word, continued = [(" " * indent, "plain")], indent, False, True
            if blank and continued and not has_word:
                continue  # the space at which the line was broken
            part.append((piece, style))
            used += text_width(piece)
            has_word = has_word or not blank
    yield part
