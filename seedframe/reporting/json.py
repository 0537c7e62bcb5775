"""The JSON format: the report's document, whole, for programs."""

from typing import Any

from seedframe.json_text import json_text
from seedframe.report import Report
from seedframe.reporting.page import Page


def document(report: Report, page: Page) -> str:  # noqa: ARG001 - the same on every page
    """The report as one JSON document with a newline at its end."""
    return encode(report.as_dict())


def encode(value: Any) -> str:
    """Plain data as indented JSON, non-ASCII text as it is, except what cannot be seen."""
    return json_text(value, indent=2) + "\n"
