"""What the seed of an in-process project declares, handed over as Python objects rather than as text."""

from collections.abc import Callable, Iterable

from seedframe.resources.protocol import Resource

SEED = "from tests import declaring\n\ndef resources():\n    yield from declaring.declared()\n"
"""The text of a seed whose resources are what `declare` was told last."""

_hook: list[Callable[[], Iterable[Resource]]] = []


def declare(resources: Callable[[], Iterable[Resource]]) -> None:
    """From now on, the seed's `resources` calls this."""
    _hook[:] = [resources]


def declared() -> Iterable[Resource]:
    """What was declared last, afresh."""
    return _hook[0]()
