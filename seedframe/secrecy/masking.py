"""Masking: the secrets that a run knows are taken out of texts that a seed's own code, or the server, made of them.

A value of fewer than four characters is masked only where it stands as a word: it would be found everywhere. How else
a text may write a value is in `seedframe.secrecy.disguises`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from seedframe.secrecy.disguises import Disguise, disguises
from seedframe.secrets import MASK

# A shorter one may well stand in a statement that has nothing to do with it.
_DISTINCT: Final = 8

# Of values that turn up while a seed is at work; a source of rows may be long.
_MOST_LATER: Final = 1_000

_hidden: Counter[Disguise] = Counter()
_later: set[str] = set()
_pattern: re.Pattern[str] | None = None
_literals: tuple[str, ...] = ()
_stale = False
_scopes = 0
_commands = 0


@contextmanager
def hiding(values: Iterable[str]) -> Iterator[None]:
    """Mask these values in all threads meanwhile; within `one_command`, until that is at its end."""
    global _scopes
    found = Counter({each for value in values for each in disguises(value)})
    _add(found)
    _scopes += 1
    try:
        yield
    finally:
        _scopes -= 1
        if not _commands:
            _reveal(found)
            if not _scopes:
                _forget_later()


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
            if not _scopes:
                _forget_later()


def hide(*values: str) -> None:
    """Mask these, too, as long as the run or the command that is going on; outside of both nothing is masked.

    Of more than a thousand, which only a long source of rows has, the first are.
    """
    if not (_scopes or _commands):
        return
    for value in values:
        if len(_later) < _MOST_LATER and value not in _later:
            _later.add(value)
            _add(Counter(disguises(value)))


def _forget_later() -> None:
    for value in _later:
        _reveal(Counter(disguises(value)))
    _later.clear()


def _add(found: Counter[Disguise]) -> None:
    global _stale
    _hidden.update(found)
    _stale = True


def _reveal(found: Counter[Disguise]) -> None:
    global _stale
    _hidden.subtract(found)
    for each in [each for each, count in _hidden.items() if count <= 0]:
        del _hidden[each]
    _stale = True


def _compiled() -> re.Pattern[str] | None:
    global _stale, _pattern, _literals
    if _stale:
        _stale = False
        # The longest first, so that nothing is left of one that begins with another.
        found = sorted(_hidden, key=lambda each: (-len(each.pattern), each.pattern))
        _literals = tuple(dict.fromkeys(each.literal for each in found))
        _pattern = re.compile("|".join(each.pattern for each in found)) if found else None
    return _pattern


def masked(text: str) -> str:
    """The text without the values that are hidden."""
    pattern = _compiled()
    # Most texts have none of them, which a plain search finds out much sooner.
    if pattern is None or not any(literal in text for literal in _literals):
        return text
    return pattern.sub(MASK, text)


def tells(statement: str) -> bool:
    """Whether an SQL statement has one of them in it, and not by chance: one of eight characters and more that is no
    name, or that is all of a text in quotes.
    """
    pattern = _compiled()
    if pattern is None or not any(literal in statement for literal in _literals):
        return False
    return any(
        len(match[0]) >= _DISTINCT
        and (
            not match[0].isidentifier() or {"'"} == {*statement[match.start() - 1 :][:1], *statement[match.end() :][:1]}
        )
        for match in pattern.finditer(statement)
    )


def masked_document(value: Any) -> Any:
    """A JSON value without them, its names and texts."""
    if _compiled() is None:
        return value
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return {masked(str(name)): masked_document(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked_document(item) for item in value]
    return value
