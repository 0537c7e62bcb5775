"""What linting found, as text for people, as JSON for programs, and as annotations for GitHub."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seedframe import __version__
from seedframe.linting.found import Found, files_of
from seedframe.linting.rules import BY_NAME, Rule
from seedframe.reporting.cells import visible
from seedframe.reporting.page import Line, Page, Span, Whole, folded, line_width
from seedframe.secrecy.masking import masked

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


def text_lines(
    found: Sequence[Found], seeds: Sequence[str], files: int, unknown: dict[str, str], base: Path, page: Page
) -> Iterator[Line]:
    """A line for each, its hint below it, and a line about all of them."""
    for each in found:
        place = each.place
        path = Whole(f"{visible(shown_path(place.path, base))}:{place.line}:{place.column}:")
        what: Line = [(" ", "plain"), (each.rule.code, "bad"), (f" {_clean(each.message)}", "plain")]
        yield from folded([(path, "strong"), *what], page, indent=4)
        if each.hint:
            yield from folded([("  hint: ", "dim"), (_clean(each.hint), "plain")], page, indent=8)
    for label, why in unknown.items():
        text = f"note: {visible(label)} was looked at only as it is written: {visible(why)}"
        yield from folded([(text, "dim")], page, indent=2)
    yield from folded([_summary(found, seeds, files, len(unknown))], page, indent=2)


def _summary(found: Sequence[Found], seeds: Sequence[str], files: int, unknown: int) -> Span:
    looked = f"{_counted(len(seeds), 'seed')}, {_counted(files, 'data file')}"
    if not found:
        if unknown:
            return (
                f"Nothing was found; what {_counted(unknown, 'seed')} would declare is not known ({looked}).",
                "strong",
            )
        return f"All is well: {looked}.", "good"
    where = f" in {_counted(files_of(found), 'file')}"
    return f"Found {_counted(len(found), 'mistake')}{where} ({looked}).", "strong"


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


def as_annotations(found: Sequence[Found], base: Path, workspace: Path | None = None) -> str:
    """Workflow commands that GitHub Actions shows beside the lines.

    Args:
        base: the working directory.
        workspace: the repository's folder, which GitHub takes paths from; None where that is not known.

    Source of the escapes: `toCommandValue` and `escapeProperty` of github.com/actions/toolkit, packages/core.
    """
    lines = []
    for each in found:
        place = each.place
        properties = {
            "file": _path_in(workspace, place.path, base),
            "line": str(place.line),
            "col": str(place.column),
            "title": f"{each.rule.code} {each.rule.name}",
        }
        given = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
        hint = f" ({_clean(each.hint)})" if each.hint else ""
        lines.append(f"::error {given}::{_data(_clean(each.message) + hint)}\n")
    return "".join(lines)


def _path_in(workspace: Path | None, path: Path, base: Path) -> str:
    """A path from the repository's folder; of a file outside of it as elsewhere."""
    if workspace is not None:
        # Links on the way are followed, as the folder may be one; what stands there is named as the repository has it.
        inside = path.parent.resolve() / path.name
        if inside.is_relative_to(workspace.resolve()):
            return inside.relative_to(workspace.resolve()).as_posix()
    return shown_path(path, base)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    # A path is a name, not a text: what cannot be seen in it stays, escaped for GitHub alone.
    return _data(text).replace(":", "%3A").replace(",", "%2C")


# -------------------------------------------------------------------------
# Rules
# -------------------------------------------------------------------------


def explanation_lines(rule: Rule, page: Page) -> Iterator[Line]:
    """What `--explain` says of one rule."""
    parts = [f"{rule.code} {rule.name}", f"{rule.summary}.", rule.why]
    if not rule.default:
        parts.append(f"Off unless it is selected: --select {rule.code}")
    for part in parts:
        yield from folded([(part, "plain")], page, indent=0)
        yield []
    samples = ["For example:", _files(rule.example)]
    if any(content is not None for content in rule.instead.values()):
        samples += ["Instead:", _files(rule.instead)]
    text = "\n\n".join(part.rstrip("\n") for part in samples)
    for line in text.split("\n"):
        yield [(line, "plain")]


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


def rule_lines(rules: Sequence[Rule], page: Page) -> Iterator[Line]:
    """Each rule in a line."""
    columns = max(len(name) for name in BY_NAME)
    for rule in rules:
        lead: Line = [(f"{rule.code}  {rule.name:{columns}}  ", "plain")]
        off = "" if rule.default else " (off unless selected)"
        yield from folded([*lead, (f"{rule.summary}{off}", "plain")], page, indent=line_width(lead))
