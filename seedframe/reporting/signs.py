"""The signs of the text format, and how they and its styles look."""

from dataclasses import dataclass
from typing import Final

from seedframe.reporting.page import Page, Style


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


def signs_for(page: Page) -> Signs:
    """The signs that `page` can show."""
    return _UNICODE if page.unicode else _ASCII
