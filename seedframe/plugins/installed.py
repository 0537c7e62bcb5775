"""Installed distributions that offer seeds or extensions: known by their metadata, judged, imported by nobody here."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib import metadata
from importlib.metadata import EntryPoint
from typing import Final, Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from seedframe.configuration.config import NO_AUTOLOAD, Config
from seedframe.errors import DiscoveryError, PluginMissing
from seedframe.loading.seed_names import SEED_NAME
from seedframe.plugins.lockfile import Lock, LockedPlugin, read_lock
from seedframe.plugins.locking import what_to_do, why_not
from seedframe.plugins.offered import Offer, offers

_PREFIX: Final = "seedframe-"

State: TypeAlias = Literal["allowed", "blocked", "disabled", "missing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution with entry points in the group `seedframe`, or one that is allowed and not installed.

    Attributes:
        name: as the distribution spells it.
        version: None when it is not installed.
        entry_points: what it offers; nothing of it has been imported.
        state: "allowed", "blocked" (no line allows it, its version does not fit, or it is not as it was locked),
            "disabled" (`-p no:NAME`, or SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD) or "missing" (allowed, and not installed).
        reason: why it is in that state, one line.
        hint: what would change that, where something would.
        expected: True when a line of `[plugins] allow`, or `-p NAME`, names it.
        left_out: names of entry points that are not loaded although the distribution is allowed.
        lock: what it is locked as; None where it is not, or not installed.
        locked: whether it is as the lock says; None where that was not looked at.
        requirement: the line of `[plugins] allow` that would allow it; None where one names it already.
    """

    name: str
    version: str | None
    entry_points: tuple[EntryPoint, ...]
    state: State
    reason: str
    hint: str | None = None
    expected: bool = False
    left_out: frozenset[str] = frozenset()
    lock: LockedPlugin | None = None
    locked: bool | None = None
    requirement: str | None = None

    @property
    def origin(self) -> str:
        """`seedframe-icd10 1.2.0`."""
        return f"{self.name} {self.version}" if self.version else self.name

    @property
    def installed(self) -> metadata.Distribution:
        """What the metadata says of it; only of one that is installed."""
        return metadata.distribution(self.name) if not self.entry_points else _distribution(self.entry_points[0])


def _distribution(entry_point: EntryPoint) -> metadata.Distribution:
    dist = entry_point.dist
    assert dist is not None  # noqa: S101 - others were left out when they were found
    return dist


def is_seed(entry_point: EntryPoint) -> bool:
    """True for `NN_name`; every other name is an extension's."""
    return SEED_NAME.fullmatch(entry_point.name) is not None


def installed(
    config: Config, *, check_lock: bool = True
) -> tuple[tuple[Distribution, ...], tuple[DiscoveryError, ...]]:
    """Every distribution with our entry points, or named by `[plugins] allow`, by name; and the mistakes in that list
    and in what `-p` names.

    Reads metadata only; of what is locked the files, too, unless `check_lock` is False.

    Errors: ConfigError where there is a lock that cannot be read.
    """
    wanted, mistakes = parse_allow(config.plugins_allow or ())
    lock = read_lock(config.root) if check_lock and wanted else None
    offered: set[str] = set()
    found: list[Distribution] = []
    for offer in offers():
        key: str = canonicalize_name(offer.name)
        offered.add(key)
        if offer.wrong is not None:
            found.append(_disbelieved(offer, expected=key in wanted))
            continue
        found.append(_judged(offer.name, offer.version, offer.entry_points, wanted, config, lock, key))
    for key, requirement in wanted.items():
        if key not in offered:
            found.append(_judged(requirement.name, None, (), wanted, config, lock, key))
    strangers = [dist for dist in found if canonicalize_name(dist.name) not in wanted]
    found = [_perhaps_misspelt(dist, strangers) for dist in found]
    ordered = tuple(sorted(found, key=lambda dist: canonicalize_name(dist.name)))
    return ordered, (*mistakes, *_unknown_names(config, ordered))


def _disbelieved(offer: Offer, *, expected: bool) -> Distribution:
    """One that no line can allow."""
    return Distribution(
        name=offer.name,
        version=offer.version,
        entry_points=offer.entry_points,
        state="blocked",
        reason=f"it {offer.wrong}",
        hint="uninstall it, or install it again",
        expected=expected,
    )


def _judged(
    name: str,
    version: str | None,
    points: Iterable[EntryPoint],
    wanted: Mapping[str, Requirement],
    config: Config,
    lock: Lock | None,
    key: str,
) -> Distribution:
    state, reason, hint = judge(name, version, wanted, config.plugins_disabled)
    points = tuple(points)
    whole = any(canonicalize_name(word) == key for word in config.plugins_named)
    named = {point.name for point in points if _is_called(point, config.plugins_named)}
    if state in ("allowed", "missing") and not (config.plugins_autoload or whole or named):
        state, reason, hint = "disabled", NO_AUTOLOAD, f"to load it all the same: -p {name}"
    out = {point.name for point in points if _is_called(point, config.plugins_disabled)}
    if not (config.plugins_autoload or whole):
        out |= {point.name for point in points} - named
    found = Distribution(
        name=name,
        version=version,
        entry_points=points,
        state=state,
        reason=reason,
        hint=hint,
        expected=key in wanted or whole or bool(named),
        left_out=frozenset(out),
        requirement=None if key in wanted else _line(name, version),
    )
    if found.requirement is not None and state == "blocked" and config.plugins_allow is None:
        found = replace(
            found, reason="not allowed yet", hint=f'to allow it, write under [plugins]: allow = ["{found.requirement}"]'
        )
    if lock is None or version is None:
        return found
    found = replace(found, lock=lock.plugins.get(key))
    if state != "allowed":
        return found
    why = why_not(found.lock, found.installed)
    if why is None:
        return replace(found, locked=True)
    return replace(found, state="blocked", reason=why, hint=what_to_do(found.lock, found.installed), locked=False)


def _perhaps_misspelt(dist: Distribution, strangers: Iterable[Distribution]) -> Distribution:
    """One that is missing, with the installed one that its name is near to, of those that nobody has named: whoever
    installs what a slip of the pen names installs what somebody put there for those who slip."""
    if dist.state != "missing":
        return dist
    there = {word: other.name for other in strangers if other.version is not None for word in _words(other)}
    near = get_close_matches(canonicalize_name(dist.name).removeprefix(_PREFIX), there, n=1)
    if not near:
        return dist
    hint = f"did you mean {there[near[0]]!r}, which is installed? Else take it from the list, or give -p no:{dist.name}"
    return replace(dist, hint=hint)


def _words(dist: Distribution) -> tuple[str, ...]:
    """What a distribution may be called by somebody who thinks of its seeds."""
    seeds = (SEED_NAME.fullmatch(point.name) for point in dist.entry_points)
    return canonicalize_name(dist.name).removeprefix(_PREFIX), *(match["name"] for match in seeds if match is not None)


def _is_called(entry_point: EntryPoint, words: Collection[str]) -> bool:
    """True when one of the words is `40_icd10` or `icd10`."""
    match = SEED_NAME.fullmatch(entry_point.name)
    return entry_point.name in words or (match is not None and match["name"] in words)


def left_out_in_vain(config: Config, found: Sequence[Distribution]) -> tuple[str, ...]:
    """What is to be said of each `-p no:NAME` that leaves nothing out, other than a slip, which is a mistake."""
    return tuple(
        f"-p no:{word} leaves nothing out: no installed plugin, and nothing in one, has that name; seedframe plugins"
        " lists them"
        for word in _unknown(config.plugins_disabled, found)
        if _near(word, found) is None
    )


def _unknown_names(config: Config, found: Sequence[Distribution]) -> Iterable[DiscoveryError]:
    """What `-p NAME` names, and nothing installed is called."""
    for word in _unknown(config.plugins_named, found):
        names = ", ".join(dist.name for dist in found)
        hint = _near(word, found) or (f"the plugins are {names}" if names else "no plugin is installed")
        yield DiscoveryError(f"no plugin is called {word!r}", hint=hint, where=f"-p {word}")
    for word in _unknown(config.plugins_disabled, found):
        # What is not installed is left out already; but a slip would load what was to be left out.
        near = _near(word, found)
        if near is not None:
            yield DiscoveryError(f"no plugin is called {word!r}", hint=near, where=f"-p no:{word}")


def _unknown(words: Iterable[str], found: Iterable[Distribution]) -> list[str]:
    """The words that neither a distribution nor an entry point is called."""
    found = tuple(found)
    keys = {canonicalize_name(dist.name) for dist in found}
    points = [point for dist in found for point in dist.entry_points]
    return [
        word
        for word in sorted(words)
        if canonicalize_name(word) not in keys and not any(_is_called(point, {word}) for point in points)
    ]


def _near(word: str, found: Iterable[Distribution]) -> str | None:
    """The name that `word` may be a slip of, as a hint. Most begin alike: what follows is what tells them apart."""
    named: dict[str, str] = {}
    for dist in found:
        for point in dist.entry_points:
            for name in (point.name, point.name.partition("_")[2] or point.name):
                named[canonicalize_name(name)] = point.name
        named[canonicalize_name(dist.name).removeprefix(_PREFIX)] = dist.name
    near = get_close_matches(canonicalize_name(word).removeprefix(_PREFIX), named, n=1)
    return f"did you mean {named[near[0]]!r}?" if near else None


class _AsWritten(Requirement):
    """A requirement that is shown as the file has it, not in an order of its own; `twice` where another line names the
    same distribution, so that none counts."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self._line = line.strip()
        self.twice = False

    def __str__(self) -> str:
        return self._line


def parse_allow(lines: Sequence[str]) -> tuple[Mapping[str, Requirement], tuple[DiscoveryError, ...]]:
    """`[plugins] allow` by normalised name, and what is wrong in it: `"seedframe-iso>=1,<2"`, a name and versions."""
    wanted: dict[str, _AsWritten] = {}
    problems: list[DiscoveryError] = []
    hint = 'write a name and the versions, as pip has them: "seedframe-iso>=1,<2"'
    for line in lines:
        try:
            requirement = _AsWritten(line)
        except InvalidRequirement:
            problems.append(DiscoveryError(f"{_shown(line)} is not a requirement", hint=hint, where=_ALLOW))
            continue
        if requirement.extras or requirement.marker or requirement.url:
            problems.append(
                DiscoveryError(f"{_shown(line)} has more than a name and versions", hint=hint, where=_ALLOW)
            )
            continue
        key = canonicalize_name(requirement.name)
        requirement.twice = key in wanted
        wanted[key] = requirement
    return wanted, tuple(problems)


def _shown(line: str) -> str:
    """What the list has; but for addresses, which may have a password in them."""
    return "an entry with an address" if "@" in line or "//" in line else repr(line)


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
            f'to allow it, add "{_line(name, version)}" to [plugins] allow',
        )
    if isinstance(requirement, _AsWritten) and requirement.twice:
        return "blocked", "[plugins] allow names it twice", "keep one of the lines"
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
        parsed = Version(version or "")
    except InvalidVersion:
        return name
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    return f"{name}>={parsed.public},<{epoch}{parsed.major + 1}"


def unmet(distributions: Iterable[Distribution]) -> tuple[DiscoveryError, ...]:
    """What the project counts on and cannot have: its seeds would be missing without a word."""
    return tuple(
        (PluginMissing if dist.state == "missing" else DiscoveryError)(
            f"plugin {dist.name}: {dist.reason}", hint=dist.hint
        )
        for dist in distributions
        if dist.expected and dist.state in ("missing", "blocked")
    )
