"""What an entry point names: `module`, or `module:object`."""

import re
from importlib.metadata import EntryPoint
from typing import Final

_DOTTED: Final = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_VALUE: Final = re.compile(rf"\s*(?P<module>{_DOTTED})\s*(?::\s*{_DOTTED}\s*)?(?:\[[^\]]*\]\s*)?")


def module_of(point: EntryPoint) -> str | None:
    """The module that it names; None where it names none."""
    match = _VALUE.fullmatch(point.value)
    return None if match is None else match["module"]


def not_a_module(point: EntryPoint) -> str:
    """What is said of one that names none."""
    return f"entry point {point.name} has {point.value!r}, which is no module, and no module:object"
