"""The JSON format: the report's document, whole, for programs."""

import json
import re
from typing import Any, Final

from seedframe.report import Report
from seedframe.reporting.page import Page

# json escapes C0 controls only; these steer terminals and break lines too, and stand in strings alone.
_UNSEEN: Final = re.compile("[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def document(report: Report, page: Page) -> str:  # noqa: ARG001 - the same on every page
    """The report as one JSON document with a newline at its end."""
    return encode(report.as_dict())


def encode(value: Any) -> str:
    """Plain data as indented JSON, non-ASCII text as it is, except what cannot be seen."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False)
    return _UNSEEN.sub(lambda match: f"\\u{ord(match.group()):04x}", text) + "\n"
