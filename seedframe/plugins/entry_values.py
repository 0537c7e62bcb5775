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


class ForeignEntryPoint(EntryPoint):
    """One that is not imported, as it names what is none of the files that are looked at."""


def not_a_module(point: EntryPoint) -> str:
    """What is said of one that names none."""
    return f"entry point {point.name} has {point.value!r}, which is no module, and no module:object"


def why_not_imported(point: EntryPoint) -> tuple[str, str] | None:
    """Why one is not imported at all, and a hint; None where it is."""
    if module_of(point) is None:
        return not_a_module(point), 'name one: "40_icd10" = "seedframe_icd10.seed"'
    if isinstance(point, ForeignEntryPoint):
        told = f"entry point {point.name} names {point.value}, which is in none of the Python files of this folder"
        return told, "name a module of the plugin's own, in src/ or beside pyproject.toml"
    return None
