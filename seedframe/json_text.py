"""JSON of which every character can be seen: what steers a terminal, breaks a line or hides is written as an escape."""

import json
import re
from typing import Any, Final

# json itself escapes C0 controls only. In what it writes, anything else that is not ASCII stands within a string.
_NO_ASCII: Final = re.compile("[^\n -~]+")


def json_text(value: Any, *, indent: int | None = None, sort_keys: bool = False) -> str:
    """Plain data as JSON: non-ASCII text as it is, except what cannot be seen; one line, unless it is indented.

    Errors: ValueError for nan and infinities, TypeError for what JSON has no form for.
    """
    text = json.dumps(value, ensure_ascii=False, indent=indent, sort_keys=sort_keys, allow_nan=False)
    return text if text.isascii() and "\x7f" not in text else _NO_ASCII.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    return found if found.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in found)
