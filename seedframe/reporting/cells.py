"""Data as a person may see it: control characters as escapes, NULL unlike any text, long values cut where it helps."""

import unicodedata
from collections.abc import Mapping
from typing import Final, TypeGuard

from seedframe.changes import Cell, Marker
from seedframe.report import as_cell

_MARKER_TEXT: Final = {Marker.SECRET: "(secret)", Marker.KNOWN_AFTER_APPLY: "(known after apply)"}
_NULL: Final = "NULL"
_SHORT_ESCAPES: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# What would read as the notation around a value rather than as the value.
_NOTATION: Final = (", ", " → ", " -> ", " (declared ", "…")


def visible(text: str, *, ascii_only: bool = False) -> str:
    """`text` with every character that cannot be seen, or that steers a terminal, written as an escape.

    Control characters, ESC, bidirectional overrides, zero-width characters, line separators, odd spaces and lone
    surrogates are escaped; with `ascii_only`, all that is not ASCII.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character.isprintable() and (character.isascii() or not ascii_only) else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    short = _SHORT_ESCAPES.get(character)
    if short is not None:
        return short
    point = ord(character)
    if point <= 0xFF:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def text_width(text: str) -> int:
    """The columns `text` takes in a terminal: 2 for wide characters, 0 for combining ones."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def pad(text: str, width: int) -> str:
    """`text` with spaces up to `width` columns; longer text stays whole."""
    return text + " " * max(0, width - text_width(text))


def cell_text(cell: object, *, limit: int | None = None, ascii_only: bool = False, in_key: bool = False) -> str:
    """One cell: bare where that is clear, in single quotes where it is not; no two values look the same.

    Args:
        cell: a Cell, or what a seed's own `check` put in its place.
        limit: the columns it may take; what is cut ends in an ellipsis. None shows all of it.
        ascii_only: write what is not ASCII as escapes.
        in_key: quote spaces too, as keys stand side by side.
    """
    clean = as_cell(cell)
    if clean is None:
        return _NULL
    if isinstance(clean, Marker):
        return _MARKER_TEXT[clean]
    return _shortened(clean, limit, ascii_only=ascii_only, in_key=in_key)


def cell_pair_texts(
    before: object, after: object, *, limit: int | None = None, ascii_only: bool = False
) -> tuple[str, str]:
    """Two values of one column, cut so that where they differ is seen, and escaped where they would look the same."""
    old, new = as_cell(before), as_cell(after)
    if not _is_text(old) or not _is_text(new):
        return cell_text(old, limit=limit, ascii_only=ascii_only), cell_text(new, limit=limit, ascii_only=ascii_only)
    alike = old != new and unicodedata.normalize("NFC", old) == unicodedata.normalize("NFC", new)
    ascii_only = ascii_only or alike
    too_long = limit is not None and max(len(old), len(new)) > limit
    start = _difference_start(old, new, limit) if limit is not None and too_long else 0
    lead = _ellipsis(ascii_only=ascii_only) if start else ""
    room = None if limit is None else limit - len(lead)
    return (
        lead + _shortened(old[start:], room, ascii_only=ascii_only),
        lead + _shortened(new[start:], room, ascii_only=ascii_only),
    )


def key_text(key: Mapping[str, Cell], *, limit: int | None = None, ascii_only: bool = False) -> str:
    """A natural key: `code=US region=CA`."""
    return " ".join(
        f"{visible(str(name), ascii_only=ascii_only)}="
        f"{cell_text(cell, limit=limit, ascii_only=ascii_only, in_key=True)}"
        for name, cell in key.items()
    )


def _is_text(cell: Cell) -> TypeGuard[str]:
    return isinstance(cell, str) and not isinstance(cell, Marker)


def _ellipsis(*, ascii_only: bool) -> str:
    return "..." if ascii_only else "…"


def _difference_start(old: str, new: str, limit: int) -> int:
    """Where to begin showing two long texts: a little before the first character that differs."""
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    context = limit // 3
    return same - context if same > limit // 2 else 0


def _shortened(text: str, limit: int | None, *, ascii_only: bool, in_key: bool = False) -> str:
    if limit is None or len(text) <= limit:
        quote = _needs_quotes(text, ascii_only=ascii_only, in_key=in_key)
        whole = _literal(text, quote=quote, ascii_only=ascii_only)
        if limit is None or text_width(whole) <= limit:
            return whole
    ellipsis = _ellipsis(ascii_only=ascii_only)
    kept = text[:limit]
    quote = _needs_quotes(kept, ascii_only=ascii_only, in_key=in_key)
    shown = _literal(kept, quote=quote, ascii_only=ascii_only)
    while len(kept) > 1 and (excess := text_width(shown) + len(ellipsis) - limit) > 0:
        # An escape is at most ten columns wide, so dropping a tenth of the excess never drops too much.
        kept = kept[: -max(1, excess // 10)]
        shown = _literal(kept, quote=quote, ascii_only=ascii_only)
    return shown + ellipsis


def _literal(text: str, *, quote: bool, ascii_only: bool) -> str:
    if not quote:
        return text
    escaped = visible(text.replace("\\", "\\\\").replace("'", "\\'"), ascii_only=ascii_only)
    return f"'{escaped}'"


def _needs_quotes(text: str, *, ascii_only: bool, in_key: bool) -> bool:
    return (
        not text
        or text[0] in " '"
        or text[-1] in " ,"
        or not text.isprintable()
        or (ascii_only and not text.isascii())
        or text.upper() == _NULL
        or text in _MARKER_TEXT.values()
        or any(notation in text for notation in _NOTATION)
        or (in_key and (" " in text or "=" in text))
    )
