"""The page a report is laid out for, and lines of styled spans: what a layout yields and a terminal prints."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from seedframe.reporting.cells import text_width

Style: TypeAlias = Literal["plain", "strong", "dim", "good", "warn", "bad", "create", "update", "delete"]
Span: TypeAlias = tuple[str, Style]
Line: TypeAlias = list[Span]

_WORDS: Final = re.compile(r" +|(?:`[^`]*`|[^ ])+")
_KEPT_TOGETHER: Final = re.compile(
    r"""[ ]+
    | (?: `[^`]*`                               # what is quoted: of a command all, however long
        | "[^"]*"
        | (?<!\w)'[^']*'(?!\w)
        | (?<!\S)--?[a-z][a-z-]*[ ](?=[^ -])      # an option and its value
        | (?<!\S)(?:seedframe|pip[ ]install)[ ](?=\S)
        | (?<!\S)[0-9][0-9,]*[ ](?=[a-z])         # how many of what
        | [ ]=[ ](?=\S)                          # a line of a configuration file
        | [^ ] )+""",
    re.VERBOSE,
)
_CLOSES: Final = frozenset({"Pe", "Pf", "Po"})


class Whole(str):
    """A text that is copied from the page, such as a path: no line is broken inside it, spaces or not."""

    __slots__ = ()


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
    """A line, continued below after `indent` columns where a terminal is narrower than it.

    Words stay whole, commands in backticks, and what else is quoted or a command where it fits into a line. A word
    that is too long for any line is left to the terminal: what is copied from there is whole. Only a text in wide
    characters, which has no spaces, is broken between them.
    """
    if page.width is None or line_width(line) <= page.width:
        yield line
        return
    part: Line = []
    used, has_word, continued = 0, False, False
    for unit in _units_that_fit(line, page.width - indent):
        blank, width = _is_blank(unit), line_width(unit)
        if not blank and has_word and used + width > page.width:
            yield part
            part, used, has_word, continued = [(" " * indent, "plain")], indent, False, True
        if blank and continued and not has_word:
            continue  # the space at which the line was broken
        part += unit
        used += width
        has_word = has_word or not blank
    yield part


def _is_blank(unit: Line) -> bool:
    return all(text.isspace() for text, _ in unit)


def _units_that_fit(line: Line, room: int) -> Iterator[Line]:
    """The line in parts between which it may be broken, the largest that are no wider than `room`; spaces are parts."""
    for unit in _split(line, _KEPT_TOGETHER):
        if line_width(unit) <= room:
            yield unit
            continue
        for word in _split(unit, _WORDS):
            yield from [word] if line_width(word) <= room else _between_wide_characters(word)


def _split(line: Line, pattern: re.Pattern[str]) -> Iterator[Line]:
    """The parts of a line that a pattern finds, whatever styles they are in."""
    unit: Line = []
    for text, style in line:
        for piece in [text] if isinstance(text, Whole) else pattern.findall(text):
            if not piece.isspace():
                unit.append((piece, style))
                continue
            if unit:
                yield unit
            yield [(piece, style)]
            unit = []
    if unit:
        yield unit


def _between_wide_characters(word: Line) -> Iterator[Line]:
    """A word in parts that end where one wide character follows another; punctuation stays at what it closes."""
    part: Line = []
    before = ""
    for text, style in word:
        for piece in [text] if isinstance(text, Whole) else text:
            here = "" if isinstance(piece, Whole) else piece
            if part and _is_wide(before) and _is_wide(here) and unicodedata.category(here) not in _CLOSES:
                yield part
                part = []
            part.append((piece, style))
            before = here
    yield part


def _is_wide(character: str) -> bool:
    return bool(character) and text_width(character) > 1
