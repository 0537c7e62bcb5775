"""Numbers, counts and durations in words, the same in every format that people read."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from seedframe.changes import Counts
from seedframe.report import Mode, ResourceOutcome

_VERBS: Final[dict[Mode, tuple[str, str, str]]] = {
    "apply": ("created", "updated", "deleted"),
    "dry_run": ("to create", "to update", "to delete"),
    "rehearse": ("to create", "to update", "to delete"),
    "verify": ("missing", "different", "not declared"),
}


def number(value: int) -> str:
    """1234567 as `1,234,567`."""
    return f"{value:,}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 seed`, `2 seeds`, `1,000 seeds`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """A duration as people read it: `0.04s`, `12.3s`, `3m 05s`, `2h 04m`."""
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"


def counts_text(counts: Counts, mode: Mode, *, zeros: bool = False) -> str:
    """`12 to create, 1 to update, 3 unchanged`; with `zeros`, what is none is said too."""
    numbers = zip((counts.create, counts.update, counts.delete), _VERBS[mode], strict=True)
    parts = [f"{number(count)} {verb}" for count, verb in numbers if count or zeros]
    if counts.unchanged or zeros:
        parts.append(f"{number(counts.unchanged)} {'as declared' if mode == 'verify' else 'unchanged'}")
    return ", ".join(parts)


def holdings_text(resources: Iterable[ResourceOutcome]) -> str:
    """What was found as declared, by kind of resource: `33 rows, 2 extensions`."""
    kinds: Counter[str] = Counter()
    for outcome in resources:
        kinds[outcome.resource.partition(":")[0]] += outcome.changes.counts.unchanged
    ordered = sorted((kind for kind in kinds if kinds[kind]), key=lambda kind: kind != "rows")
    return ", ".join(plural(kinds[kind], kind.removesuffix("s"), kind.removesuffix("s") + "s") for kind in ordered)


def one_of(choices: Iterable[str] | None) -> str:
    """`one of admin, support`; nothing where there is no choice."""
    return f"one of {', '.join(choices)}" if choices is not None else ""
