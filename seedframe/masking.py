"""Masking: the secrets that a run knows are taken out of texts that a seed's own code, or the server, made of them.

A value of fewer than four characters is masked only where it stands as a word: it would be found everywhere.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import quote

from seedframe.secrets import MASK

_SHORT: Final = 4
# The server cuts names there.
_NAME_BYTES: Final = 63

_hidden: Counter[str] = Counter()
_pattern: re.Pattern[str] | None = None
_commands = 0


@contextmanager
def hiding(values: Iterable[str]) -> Iterator[None]:
    """Mask these values in all threads meanwhile; within `one_command`, until that is at its end."""
    forms = Counter({form for value in values for form in _forms(value)})
    _hidden.update(forms)
    _compile()
    try:
        yield
    finally:
        if not _commands:
            _reveal(forms)


@contextmanager
def one_command() -> Iterator[None]:
    """What was hidden once stays so until the end: the errors that end a command are told after its run."""
    global _commands
    _commands += 1
    before = Counter(_hidden)
    try:
        yield
    finally:
        _commands -= 1
        if not _commands:
            _reveal(_hidden - before)


def _reveal(forms: Counter[str]) -> None:
    _hidden.subtract(forms)
    for form in [form for form, count in _hidden.items() if count <= 0]:
        del _hidden[form]
    _compile()


def _compile() -> None:
    global _pattern
    # The longest first, so that nothing is left of one that begins with another.
    found = sorted(_hidden, key=lambda form: (-len(form), form))
    parts = [re.escape(form) if len(form) >= _SHORT else rf"(?<!\w){re.escape(form)}(?!\w)" for form in found]
    _pattern = re.compile("|".join(parts)) if parts else None


def _forms(value: str) -> set[str]:
    """The value as texts have it: as it is, in quotes, in an address, without what a name or a line cannot hold."""
    forms = {value, value.strip(), repr(value)[1:-1], repr(value + "'\"")[1:-4], quote(value, safe="")}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], " ".join(value.split())}
    forms |= {value.replace("'", "''"), value.replace('"', '""')}
    encoded = value.encode(errors="replace")
    if len(encoded) > _NAME_BYTES:
        forms.add(encoded[:_NAME_BYTES].decode(errors="ignore"))
    return {form for form in forms if form.strip()}


def masked(text: str) -> str:
    """The text without the values that are hidden."""
    return text if _pattern is None else _pattern.sub(MASK, text)


def masked_document(value: Any) -> Any:
    """A JSON value without them, its names and texts."""
    if _pattern is None:
        return value
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {masked(str(name)): masked_document(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_document(item) for item in value]
    return value
