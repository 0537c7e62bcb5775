"""Lines for people on a standard stream: laid out for what stands there, in one way for all commands."""

import sys
from collections.abc import Iterable
from typing import TextIO

from seedframe.cli.options import Context
from seedframe.reporting.output import page_for, print_text
from seedframe.reporting.page import Line, Page
from seedframe.reporting.text import text_of


def page_of(context: Context, stream: TextIO | None = None) -> Page:
    """What is printed on: standard output, or `stream`, as wide and as coloured as it is."""
    target = sys.stdout if stream is None else stream
    return page_for(target, color=context.colored(target), verbosity=context.verbosity)


def print_lines(lines: Iterable[Line], context: Context, stream: TextIO | None = None) -> None:
    """Print lines that were laid out for `page_of` the same stream, at once."""
    print_text(text_of(lines, page_of(context, stream)), stream)
