"""Iterators that were given as a source: each can be read once, and is remembered when it was."""

from collections.abc import Iterator
from typing import Any
from weakref import WeakSet

_WEAKLY: "WeakSet[Iterator[Any]]" = WeakSet()
# Some kinds of iterators (map, zip) take no weak reference. They are held, so that no other can come by their identity.
_HELD: dict[int, Iterator[Any]] = {}


def was_read(source: Iterator[Any]) -> bool:
    """True for an iterator of which this was asked before; whoever asks is about to read it."""
    try:
        if source in _WEAKLY:
            return True
        _WEAKLY.add(source)
    except TypeError:
        if id(source) in _HELD:
            return True
        _HELD[id(source)] = source
    return False
