"""Writes docs/traps.md from the tests: `python -m tests.traps_page`.

The types are those of the catalogue that tests/test_types.py and tests/test_convergence.py work through; the traps are
the `trap` markers of all tests.
"""

from dataclasses import dataclass
from typing import Final

from tests.marked import DOCS, cell, link, marked
from tests.types_catalogue import FAMILIES, IMPOSSIBLE, LIBXML, Kind

PAGE: Final = DOCS / "traps.md"

_HEAD: Final = """\
# Types and traps

What may go wrong between "apply" and "nothing left to do", and what seedframe does about it. This page is made from the
tests by `python -m tests.traps_page`, and a test fails when it is not what they say. They run on PostgreSQL 15 (3,000
generated tables) and 17 (300); those of types, rows, keys and deletes on 14 and 18 too (300 each), and those of types,
rows and keys on 16.

## Types

Every type below *converges*: the same value from CSV, TSV, JSON, JSON Lines, TOML, YAML and Python ends as the same
image, in small sources and in staged ones; a second apply writes nothing; and each change to another value is found
as drift of that column, though the type's own `=` may call the two equal. So do arrays of each, domains over each,
and composite types with each. What is refused is refused alike by a dry run, `verify` and `apply`, naming the row and
the column.
"""

_IMPOSSIBLE: Final = """\
### Impossible

| type | why |
|---|---|
"""

_TRAPS: Final = """\
## Traps

| trap | what seedframe does | tests |
|---|---|---|
"""


@dataclass(frozen=True, slots=True, order=True)
class Trap:
    """One marker: the trap, what seedframe does, and the file of the test that proves it."""

    name: str
    outcome: str
    file: str


def traps() -> list[Trap]:
    """All `trap` markers, by name, each pair of name and outcome once for each file."""
    found = {Trap(*mark.texts, mark.file) for mark in marked("trap", "a trap has a name and an outcome")}
    return sorted(found, key=lambda trap: (trap.name.casefold(), trap))


def page() -> str:
    """The whole page."""
    parts = [_HEAD]
    for family, kinds in FAMILIES.items():
        rows = "".join(_row(kind) for kind in kinds)
        parts.append(f"### {family.capitalize()}\n\n| type | told apart | refused | note |\n|---|---|---|---|\n{rows}")
    parts.append(_IMPOSSIBLE + "".join(f"| {_code(name)} | {why} |\n" for name, why in IMPOSSIBLE.items()))
    parts.append(_TRAPS + "".join(_line(trap) for trap in traps()))
    return "\n".join(parts)


def _row(kind: Kind) -> str:
    note = "; ".join(part for part in (_needs(kind), cell(kind.note)) if part)
    return f"| {_code(kind.type)} | {_some(kind.values)} | {_some(kind.bad)} | {note} |\n"


def _needs(kind: Kind) -> str:
    if kind.needs == LIBXML:
        return "a server built with libxml"
    return f"extension {kind.needs}" if kind.needs else ""


def _line(trap: Trap) -> str:
    return f"| {cell(trap.name)} | {cell(trap.outcome)} | {link(trap.file)} |\n"


def _some(values: tuple[str, ...]) -> str:
    """The first of them, as code; the empty text in words."""
    return ", ".join(_code(value) if value else "the empty text" for value in values[:4])


def _code(text: str) -> str:
    shown = "".join(
        c if c.isprintable() and not _is_combining(c) else c.encode("unicode_escape").decode() for c in text
    )
    shown = shown if len(shown) <= 40 else shown[:39] + "…"
    return "`` " + cell(shown) + " ``" if "`" in shown else f"`{cell(shown)}`"


def _is_combining(character: str) -> bool:
    return "\u0300" <= character <= "\u036f"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
