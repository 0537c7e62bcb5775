"""Texts that neither the server nor a terminal can take."""


def why_unstorable(text: str) -> str | None:
    """What is in a text that PostgreSQL cannot store; None where it can."""
    if "\x00" in text:
        return "a NUL character, which PostgreSQL cannot store"
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        return "half of a surrogate pair, which is no character"
    return None
