"""The formats a report can be written in, by name; each is a module of its own, loaded when it is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol, cast

from seedframe.report import Report
from seedframe.reporting.page import Page


class Renderer(Protocol):
    """What a format's module has as `document`."""

    def __call__(self, report: Report, page: Page) -> str:
        """The whole report as text that ends with a newline; the page may be ignored."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        module: where its `document` is.
        for_people: True when it may be coloured, and written in whatever encoding the terminal has.
    """

    module: str
    for_people: bool = False

    def document(self, report: Report, page: Page) -> str:
        """The report in this format."""
        return cast(Renderer, import_module(self.module).document)(report, page)


FORMATS: Final[Mapping[str, Format]] = {
    "text": Format("seedframe.reporting.text", for_people=True),
    "json": Format("seedframe.reporting.json"),
}
"""Every format, the default first."""
