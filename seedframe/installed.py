"""Installed distributions that offer seeds or extensions: known by their metadata, judged, imported by nobody here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from seedframe.config import Config
from seedframe.errors import DiscoveryError
from seedframe.plugins import SEED_NAME

GROUP: Final = "seedframe"

State: TypeAlias = Literal["allowed", "blocked", "disabled", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution with entry points in the group `seedframe`, or one that is allowed and not installed.

    Attributes:
        name: as the distribution spells it.
        version: None when it is not installed.
        entry_points: what it offers; nothing of it has been imported.
        state: "allowed", "blocked" (no line allows it, or its version does not fit), "disabled" (`-p no:NAME`) or
            "missing" (allowed, and not installed).
        reason: why it is in that state, one line.
        hint: what would change that, where something would.
        expected: True when a line of `[plugins] allow` names it.
    """

    name: str
    version: str | None
    entry_points: tuple[EntryPoint, ...]
    state: State
    reason: str
    hint: str | None = None
    expected: bool = False

    @property
    def origin(self) -> str:
        """`seedframe-icd10 1.2.0`."""
        return f"{self.name} {self.version}" if self.version else self.name


def is_seed(entry_point: EntryPoint) -> bool:
    """True for `NN_name`; every other name is an extension's."""
    return SEED_NAME.fullmatch(entry_point.name) is not None


def installed(config: Config) -> tuple[tuple[Distribution, ...], tuple[DiscoveryError, ...]]:
    """Every distribution with our entry points, or named by `[plugins] allow`, by name; and the mistakes in that list.

    Reads metadata only.
    """
    wanted, mistakes = parse_allow(config.plugins_allow or ())
    offered: dict[str, list[EntryPoint]] = {}
    for entry_point in entry_points(group=GROUP):
        if entry_point.dist is not None:
            offered.setdefault(canonicalize_name(entry_point.dist.name), []).append(entry_point)
    found: list[Distribution] = []
    for key, points in offered.items():
        dist = points[0].dist
        name, version = (dist.name, dist.version) if dist is not None else (key, None)
        state, reason, hint = judge(name, version, wanted, config.plugins_disabled)
        found.append(
            Distribution(
                name=name,
                version=version,
                entry_points=tuple(points),
                state=state,
                reason=reason,
                hint=hint,
                expected=key in wanted,
            )
        )
    for key, requirement in wanted.items():
        if key not in offered:
            state, reason, hint = judge(requirement.name, None, wanted, config.plugins_disabled)
            found.append(
                Distribution(
                    name=requirement.name,
                    version=None,
                    entry_points=(),
                    state=state,
                    reason=reason,
                    hint=hint,
                    expected=True,
                )
            )
    return tuple(sorted(found, key=lambda dist: canonicalize_name(dist.name))), mistakes


def parse_allow(lines: Sequence[str]) -> tuple[dict[str, Requirement], tuple[DiscoveryError, ...]]:
    """`[plugins] allow` by normalised name, and what is wrong in it: `"seedframe-iso>=1,<2"`, a name and versions."""
    wanted: dict[str, Requirement] = {}
    problems: list[DiscoveryError] = []
    hint = 'write a name and the versions, as pip has them: "seedframe-iso>=1,<2"'
    for line in lines:
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            problems.append(DiscoveryError(f"{line!r} is not a requirement", hint=hint, where=_ALLOW))
            continue
        if requirement.extras or requirement.marker or requirement.url:
            problems.append(DiscoveryError(f"{line!r} has more than a name and versions", hint=hint, where=_ALLOW))
            continue
        key = canonicalize_name(requirement.name)
        if key in wanted:
            problems.append(
                DiscoveryError(f"{requirement.name} is named twice", hint="keep one of the lines", where=_ALLOW)
            )
        wanted[key] = requirement
    return wanted, tuple(problems)


_ALLOW: Final = "[plugins] allow"


def judge(
    name: str, version: str | None, wanted: Mapping[str, Requirement], disabled: Collection[str]
) -> tuple[State, str, str | None]:
    """Whether a distribution may take part, why, and what would change that."""
    key = canonicalize_name(name)
    if any(canonicalize_name(word) == key for word in disabled):
        return "disabled", f"-p no:{name}", None
    requirement = wanted.get(key)
    if requirement is None:
        return (
            "blocked",
            "[plugins] allow does not name it",
            f'to allow it: [plugins] allow = ["{_line(name, version)}"]',
        )
    if version is None:
        return (
            "missing",
            f"[plugins] allow names {requirement}, and it is not installed or offers nothing",
            (f"pip install '{requirement}', take it from the list, or give -p no:{name}"),
        )
    try:
        fits = requirement.specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        fits = False
    if not fits:
        return (
            "blocked",
            f"[plugins] allow wants {requirement}, and {version} is installed",
            (f"install a version that fits, change the line, or give -p no:{name}"),
        )
    return "allowed", f"[plugins] allow = {requirement}", None


def _line(name: str, version: str | None) -> str:
    """The narrowest sensible line: this version and its fixes."""
    try:
        major = Version(version or "").major
    except InvalidVersion:
        return name
    return f"{name}>={version},<{major + 1}"


def is_disabled(entry_point: EntryPoint, disabled: Collection[str]) -> bool:
    """True when `-p no:NAME` names this entry point: `40_icd10` or `icd10`."""
    match = SEED_NAME.fullmatch(entry_point.name)
    return entry_point.name in disabled or (match is not None and match["name"] in disabled)


def unmet(distributions: Iterable[Distribution]) -> tuple[DiscoveryError, ...]:
    """What the project counts on and cannot have: its seeds would be missing without a word."""
    return tuple(
        DiscoveryError(f"plugin {dist.name}: {dist.reason}", hint=dist.hint)
        for dist in distributions
        if dist.expected and dist.state in ("missing", "blocked")
    )
