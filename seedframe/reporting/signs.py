"""The signs of the text format, and how they and its styles look."""

from dataclasses import dataclass
from typing import Final

from seedframe.reporting.page import Line, Page, Style, line_text


@dataclass(frozen=True, slots=True)
class Signs:
    """The characters that stand for something, as far as the page can show them."""

    good: str
    bad: str
    skipped: str
    arrow: str
    more: str
    dot: str
    dash: str


_UNICODE: Final = Signs(good="✓", bad="✗", skipped="○", arrow="→", more="…", dot="·", dash="—")
_ASCII: Final = Signs(good="=", bad="x", skipped="o", arrow="->", more="...", dot="|", dash="--")

RICH_STYLES: Final[dict[Style, str]] = {
    "plain": "",
    "strong": "bold",
    "dim": "dim",
    "good": "green",
    "warn": "yellow",
    "bad": "bold red",
    "create": "green",
    "update": "yellow",
    "delete": "red",
}
"""What each style is called in rich."""

_CODES: Final = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
"""Source: ECMA-48, Select Graphic Rendition."""


def colored_text(line: Line) -> str:
    """A line with the escape sequences of its styles, each ended where the style ends; no spaces stand at its end."""
    kept = len(line_text(line))
    parts: list[str] = []
    for text, style in line:
        shown, kept = text[:kept], max(0, kept - len(text))
        codes = ";".join(_CODES[word] for word in RICH_STYLES[style].split())
        parts.append(f"\x1b[{codes}m{shown}\x1b[0m" if codes and shown else shown)
    return "".join(parts)


def signs_for(page: Page) -> Signs:
    """The signs that `page` can show."""
    return _UNICODE if page.unicode else _ASCII
