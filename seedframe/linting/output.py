"""What linting found, as text for people, as JSON for programs, and as annotations for GitHub."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from seedframe import __version__
from seedframe.linting.found import Found, files_of
from seedframe.linting.rules import BY_NAME, Rule
from seedframe.masking import masked
from seedframe.reporting.cells import visible

SCHEMA_VERSION = 1


def shown_path(path: Path, base: Path) -> str:
    """A path from the working directory, where it is below that; else whole."""
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        return str(path)


def _clean(text: str) -> str:
    return visible(masked(text))


# -------------------------------------------------------------------------
# Text
# -------------------------------------------------------------------------


def as_text(
    found: Sequence[Found], seeds: Sequence[str], files: int, unknown: dict[str, str], base: Path, *, color: bool
) -> str:
    """A line for each, its hint below it, and a line about all of them."""

    def paint(text: str, **style: Any) -> str:
        return click.style(text, **style) if color else text

    lines: list[str] = []
    for each in found:
        place = each.place
        path = paint(visible(shown_path(place.path, base)), bold=True)
        code = paint(each.rule.code, fg="red", bold=True)
        lines.append(f"{path}:{place.line}:{place.column}: {code} {_clean(each.message)}")
        if each.hint:
            lines.append(f"  {paint('hint:', fg='cyan', bold=True)} {_clean(each.hint)}")
    for label, why in unknown.items():
        text = f"note: {visible(label)} was looked at only as it is written: {visible(why)}"
        lines.append(paint(text, dim=True))
    lines.append(_summary(found, seeds, files, paint))
    return "".join(f"{line}\n" for line in lines)


def _summary(found: Sequence[Found], seeds: Sequence[str], files: int, paint: Callable[..., str]) -> str:
    looked = f"{_counted(len(seeds), 'seed')}, {_counted(files, 'data file')}"
    if not found:
        return paint(f"All is well: {looked}.", fg="green")
    where = f" in {_counted(files_of(found), 'file')}"
    return paint(f"Found {_counted(len(found), 'mistake')}{where} ({looked}).", bold=True)


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


# -------------------------------------------------------------------------
# JSON
# -------------------------------------------------------------------------


def as_document(
    found: Sequence[Found], seeds: Sequence[str], files: int, unknown: dict[str, str], base: Path
) -> dict[str, Any]:
    """The document of `--format json`."""
    return {
        "schema": SCHEMA_VERSION,
        "command": "lint",
        "version": __version__,
        "exit_code": 1 if found else 0,
        "summary": {
            "findings": len(found),
            "files_with_findings": files_of(found),
            "seeds": len(seeds),
            "files": files,
        },
        "counts": dict(sorted(Counter(each.rule.code for each in found).items())),
        "findings": [_finding(each, base) for each in found],
        "seeds": list(seeds),
        "unknown": [{"seed": label, "reason": why} for label, why in unknown.items()],
    }


def _finding(found: Found, base: Path) -> dict[str, Any]:
    return {
        "code": found.rule.code,
        "name": found.rule.name,
        "path": shown_path(found.place.path, base),
        "line": found.place.line,
        "column": found.place.column,
        "message": masked(found.message),
        "hint": None if found.hint is None else masked(found.hint),
        "seed": found.seed,
    }


# -------------------------------------------------------------------------
# GitHub
# -------------------------------------------------------------------------


def as_annotations(found: Sequence[Found], base: Path) -> str:
    """Workflow commands that GitHub Actions shows beside the lines.

    Source of the escapes: `toCommandValue` and `escapeProperty` of github.com/actions/toolkit, packages/core.
    """
    lines = []
    for each in found:
        place = each.place
        properties = {
            "file": shown_path(place.path, base),
            "line": str(place.line),
            "col": str(place.column),
            "title": f"{each.rule.code} {each.rule.name}",
        }
        given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        hint = f" ({_clean(each.hint)})" if each.hint else ""
        lines.append(f"::error {given}::{_data(_clean(each.message) + hint)}\n")
    return "".join(lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # A path is a name, not a text: what cannot be seen in it stays, escaped for GitHub alone.
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# -------------------------------------------------------------------------
# Rules
# -------------------------------------------------------------------------


def explanation(rule: Rule) -> str:
    """What `--explain` says of one rule."""
    parts = [f"{rule.code} {rule.name}", f"{rule.summary}.", rule.why]
    if not rule.default:
        parts.append(f"Off unless it is selected: --select {rule.code}")
    parts.append("For example:\n\n" + _files(rule.example))
    if any(content is not None for content in rule.instead.values()):
        parts.append("Instead:\n\n" + _files(rule.instead))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _files(files: Any) -> str:
    return "\n\n".join(
        f"    # {name}\n" + "\n".join(f"    {line}".rstrip() for line in example_text(content).split("\n")).rstrip()
        for name, content in files.items()
        if content is not None
    )


def example_text(content: str | bytes) -> str:
    """The content of a file of an example, as it can be shown."""
    text = content if isinstance(content, str) else content.decode("latin-1")
    return "\n".join(visible(line) for line in text.split("\n"))


def rule_list(rules: Sequence[Rule]) -> str:
    """Each rule in a line."""
    width = max(len(name) for name in BY_NAME)
    return "".join(
        f"{rule.code}  {rule.name:{width}}  {rule.summary}{'' if rule.default else ' (off unless selected)'}\n"
        for rule in rules
    )
