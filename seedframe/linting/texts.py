"""Texts in data that are not what they look like, and where in a line a field stands."""

import re
from collections.abc import Iterable
from typing import Final

# Controls but for tabs and ends of lines, marks that turn the direction, a byte order mark, what stands for a lost
# letter. Joiners (U+200C, U+200D) are letters' own in several scripts.
_HIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ufffd]")
_FOREIGN: Final = re.compile("[^\x00-\x7f]{2,}")
# The first character of every letter of Europe in UTF-8, as Windows-1252 shows it.
_LEADS: Final = re.compile("[\u00c2-\u00c5\u00e2\u00ce\u00cf\u00d0\u00d1]")


def hidden_in(text: str) -> str | None:
    """What is wrong with a text: "holds U+FEFF", "is UTF-8 that was read as Windows-1252"; None for nothing."""
    found = _HIDDEN.search(text)
    if found is not None:
        point = f"U+{ord(found[0]):04X}"
        return f"holds {point}, which {'stands for a lost letter' if point == 'U+FFFD' else 'cannot be seen'}"
    if _LEADS.search(text) and any(_was_decoded_wrongly(match[0]) for match in _FOREIGN.finditer(text)):
        return "looks like UTF-8 that was read as Windows-1252"
    return None


def _was_decoded_wrongly(run: str) -> bool:
    """True where the characters are the bytes of UTF-8, each taken for one of Windows-1252 (its holes as controls)."""
    try:
        run.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return False
    return True


def may_hide(texts: Iterable[str]) -> bool:
    """False where none of these texts has anything wrong with it, which one look tells of all of them."""
    joined = "".join(texts)
    if joined.isascii() and joined.isprintable():
        return False
    return _HIDDEN.search(joined) is not None or _LEADS.search(joined) is not None


def field_column(line: str, position: int, delimiter: str) -> int:
    """In which column of a line its field begins, both counted from 1 and from 0; 1 where the line has fewer."""
    at, quoted, opened, fresh = 0, False, False, True
    if position == 0:
        return 1
    for column, mark in enumerate(line):
        if mark == '"' and (opened or fresh):
            opened, quoted = True, not quoted
        elif mark == delimiter and not quoted:
            at, opened = at + 1, False
            if at == position:
                return column + 2
        fresh = mark == delimiter and not quoted
    return 1
