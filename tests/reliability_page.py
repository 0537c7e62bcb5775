"""Writes docs/reliability.md from the `promise` markers of all tests: `python -m tests.reliability_page`."""

from typing import Final

from tests.marked import DOCS, cell, link, marked

PAGE: Final = DOCS / "reliability.md"

_HEAD: Final = """\
# Reliability

What may happen while a database is seeded, what seedframe does then, and the test that proves it. This page is made
from the tests by `python -m tests.reliability_page`, and a test fails when it is not what they say. They run against
real servers: processes are really killed, and connections really cut.

Tests that make many rounds end with figures ("100 kills, 0 violations"). Twenty times as many are made by hand so:

```console
$ pytest tests/test_killed.py --torture 20
```
"""

# Which tests belong to which theme, in the order of the page; a file that is not here comes last.
_THEMES: Final = {
    "Transactions": ("runner",),
    "Several at once": ("several_at_once", "pgbouncer", "locks", "waiting"),
    "Saved plans": ("saved_plans", "saved_plan_cuts"),
    "Crashes": ("killed", "terminated", "account"),
    "Servers and the network": ("restarts", "cuts", "network", "full_disk", "standby", "read_only", "clocks", "tls"),
    "The ledger": ("ledger_upgrade", "marked_databases", "audit_trail", "masking", "changed_rows", "retention"),
    "Bad input": ("bad_input", "bad_input_rows", "bad_data", "yaml", "data_paths", "identifiers", "hostile_text"),
}
_REST: Final = "And more"

_Row = tuple[str, str]


def promises() -> dict[str, dict[_Row, list[str]]]:
    """By theme: what happens and what seedframe does, with the tests that prove it."""
    found: dict[str, dict[_Row, list[str]]] = {theme: {} for theme in (*_THEMES, _REST)}
    themes = {f"test_{name}.py": theme for theme, names in _THEMES.items() for name in names}
    order = {file: number for number, file in enumerate(themes)}
    marks = marked("promise", "a promise has an event and what is kept")
    for mark in sorted(marks, key=lambda mark: order.get(mark.file, len(order))):
        tests = found[themes.get(mark.file, _REST)].setdefault(mark.texts, [])
        test = f"{mark.file}::{mark.test}" if mark.test else mark.file
        if test not in tests:
            tests.append(test)
    return {theme: rows for theme, rows in found.items() if rows}


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(_section(theme, rows) for theme, rows in promises().items())])


def _section(theme: str, rows: dict[_Row, list[str]]) -> str:
    lines = [f"## {theme}", "", "| what happens | what seedframe does | tests |", "|---|---|---|"]
    for (event, kept), tests in rows.items():
        links = ", ".join(link(test.partition("::")[0], test) for test in tests)
        lines.append(f"| {cell(event)} | {cell(kept)} | {links} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
