"""The name of a seed as files and entry points have it: what it must be, and what is nearly one."""

import re
from typing import Final

SEED_NAME: Final = re.compile(r"(?P<number>[0-9]+)_(?P<name>[A-Za-z][A-Za-z0-9_]*)")


def nearest_seed_name(word: str) -> tuple[str, str]:
    """The seed's name that a word comes nearest to, and the part of it after the number: `30_icd_10`, `icd_10`."""
    word = "".join(character if character.isalnum() and character.isascii() else "_" for character in word)
    digits = word[: len(word) - len(word.lstrip("0123456789"))]
    rest = word[len(digits) :].strip("_") or "name"
    return f"{digits or '10'}_{rest if rest[0].isalpha() else 'x' + rest}", rest
