"""Reporter: one format of reports, as built-in and other extensions contribute it; and the built-in ones."""

from collections.abc import Callable
from dataclasses import dataclass

from seedframe.markers import hookimpl
from seedframe.report import Report
from seedframe.reporting.page import Page


@dataclass(frozen=True, slots=True)
class Reporter:
    """One format of reports.

    Attributes:
        name: what `--format` calls it.
        document: makes the whole report a text that ends with a newline; the page may be ignored.
        for_people: True when it may be coloured, and written in whatever encoding the terminal has.
    """

    name: str
    document: Callable[[Report, Page], str]
    for_people: bool = False


def _text(report: Report, page: Page) -> str:
    from seedframe.reporting import text  # here and below: imported by whoever asks for it

    return text.document(report, page)


def _json(report: Report, page: Page) -> str:
    from seedframe.reporting import json

    return json.document(report, page)


BUILT_IN = (Reporter("text", _text, for_people=True), Reporter("json", _json))
"""The built-in formats, the default first."""


@hookimpl
def seedframe_reporters() -> list[Reporter]:
    """The built-in formats."""
    return list(BUILT_IN)
