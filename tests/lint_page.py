"""docs/lint.md, of which the rules are made from the code: `python -m tests.lint_page` writes it."""

from itertools import groupby
from pathlib import Path
from typing import Final

from seedframe.linting.output import example_text
from seedframe.linting.rules import RULES, Rule

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "lint.md"

_GROUPS: Final = {
    "SF0": "Files and modules",
    "SF1": "Hooks and constants",
    "SF2": "Order",
    "SF3": "Configuration",
    "SF4": "Declarations",
    "SF5": "Data",
    "SF6": "Secrets",
}
_LANGUAGES: Final = {".py": "python", ".toml": "toml", ".csv": "csv", ".json": "json"}
_MARK: Final = "## Rules\n"


def page() -> str:
    """The page: what is written there by hand, and below it the rules."""
    by_hand = PAGE.read_text(encoding="utf-8").partition(_MARK)[0] if PAGE.exists() else ""
    return by_hand + _MARK + "\n" + _table() + "\n" + "\n".join(_group(*group) for group in _grouped())


def _grouped() -> list[tuple[str, list[Rule]]]:
    return [(name, list(rules)) for name, rules in groupby(RULES, key=lambda rule: rule.code[:3])]


def _table() -> str:
    lines = ["This part is made from the code by `python -m tests.lint_page`, and each example is tried by a test.", ""]
    lines += ["| code | name | what it finds |", "|---|---|---|"]
    for rule in RULES:
        off = "" if rule.default else " (off unless it is selected)"
        lines.append(f"| [{rule.code}](#{rule.code.lower()}-{rule.name}) | `{rule.name}` | {rule.summary}{off} |")
    return "\n".join(lines) + "\n"


def _group(prefix: str, rules: list[Rule]) -> str:
    return "\n".join([f"### {_GROUPS[prefix]}\n", *(_rule(rule) for rule in rules)])


def _rule(rule: Rule) -> str:
    off = "" if rule.default else f"\nOff unless it is selected: `--select {rule.code}`.\n"
    files = "".join(_file(name, content) for name, content in rule.example.items() if content is not None)
    return f"#### {rule.code} {rule.name}\n\n{rule.summary}. {rule.why}\n{off}\n{files}"


def _file(name: str, content: str | bytes) -> str:
    language = _LANGUAGES.get(Path(name).suffix, "text")
    text = example_text(content).rstrip("\n")
    comment = f"`{name}`:\n\n" if language in ("csv", "json", "text") or not text else ""
    inside = f"# {name}\n{text}" if not comment else text
    return f"{comment}```{language}\n{inside}\n```\n\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
