"""Texts that neither the server nor a terminal can take."""

import re
from typing import Final

_HALF_PAIR: Final = re.compile(r"[\ud800-\udfff]")


def why_unstorable(text: str) -> str | None:
    """What is in a text that PostgreSQL cannot store; None where it can."""
    if "\x00" in text:
        return "a NUL character, which PostgreSQL cannot store"
    if not text.isascii() and _HALF_PAIR.search(text) is not None:
        return "half of a surrogate pair, which is no character"
    return None
