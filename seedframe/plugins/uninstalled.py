"""Seeds that take no part any more: what is said of them, and `verify` without a plugin that is not installed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING

from seedframe.errors import NoSeeds, PluginMissing, Problem, RequirementMissing
from seedframe.ordering import requirement_problems
from seedframe.report import SeedOutcome, Status
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.plugins.installed import Distribution


@dataclass(frozen=True, slots=True)
class GoneSeed:
    """A seed that the ledger knows and nobody declares any more.

    Attributes:
        name: the seed's.
        origin: where it was applied from: a file, or a plugin with its version.
        what: that it was applied, and why it is not there, one line.
        hint: what to do.
    """

    name: str
    origin: str
    what: str
    hint: str

    @property
    def text(self) -> str:
        """What it is and what to do, in one line."""
        return f"{self.what}: {self.hint}"

    @property
    def problem(self) -> Problem:
        """The same, beside the error that there are no seeds."""
        return Problem(NoSeeds.code, self.what, self.hint)


def gone_seeds(
    applied: Mapping[str, str], declared: Iterable[Seed], distributions: "Sequence[Distribution]"
) -> tuple[GoneSeed, ...]:
    """The seeds that were applied and that nobody declares any more, by name.

    Args:
        applied: by its name, where each was applied from.
        declared: every seed of the project, broken ones included.
        distributions: the installed plugins, and those that are allowed.
    """
    seeds = tuple(declared)
    there = {seed.name for seed in seeds}
    new = [seed for seed in seeds if seed.name not in applied and seed.distribution is None]
    return tuple(
        _maybe_renamed(_gone(name, origin, distributions), new) for name, origin in applied.items() if name not in there
    )


def _maybe_renamed(gone: GoneSeed, new: Sequence[Seed]) -> GoneSeed:
    """Ask whether it has another name now, where a seed of the project's own that was never applied has its number."""
    number = PurePath(gone.origin).name.partition("_")[0]
    named = [seed.name for seed in new if number.isdecimal() and seed.number == int(number)]
    if plugin_of(gone.origin) is not None or len(named) != 1:
        return gone
    return replace(
        gone, hint=f"was it renamed to {named[0]}? Then `seedframe forget {gone.name}`; its rows stay. Else put it back"
    )


def _gone(name: str, origin: str, distributions: "Sequence[Distribution]") -> GoneSeed:
    told = f"seed {name} was applied from {origin}"
    give_up = f"`seedframe forget {name}`; its rows stay"
    plugin = plugin_of(origin)
    if plugin is None:
        return GoneSeed(name, origin, f"{told} and is gone", f"put it back, or {give_up}")
    dist = next((dist for dist in distributions if _same(dist.name, plugin)), None)
    if dist is None:
        why, hint = "which is not allowed any more", "put it back into [plugins] allow"
    elif dist.state == "missing":
        offers_nothing = _installed(plugin)
        why = "which is not installed any more" if offers_nothing is None else f"and {offers_nothing} offers nothing"
        hint = "install it again" if offers_nothing is None else "install that version again"
        return GoneSeed(name, origin, f"{told}, {why}", f"{hint}, or take it from [plugins] allow and {give_up}")
    elif dist.state != "allowed":
        why, hint = f"which takes no part ({dist.reason})", "let it"
    elif any(point.name in dist.left_out and point.name.partition("_")[2] == name for point in dist.entry_points):
        why, hint = "of which it was left out (-p)", "let it take part"
    else:
        why, hint = f"and {dist.origin} has it no more", "install that version again"
    return GoneSeed(name, origin, f"{told}, {why}", f"{hint}, or {give_up}")


def plugin_of(origin: str) -> str | None:
    """The name of the plugin that a seed is from; None for a seed of the project's own, which is from a file."""
    name, _, version = origin.rpartition(" ")
    return name if name and "/" not in name and not version.endswith(".py") else None


def unseen(missing: "Iterable[Distribution]", outcomes: Sequence[SeedOutcome]) -> Iterator[Problem]:
    """The missing plugins of which the ledger knows no seed, so that nothing can be told of what they would declare."""
    orphans = [outcome for outcome in outcomes if outcome.status is Status.ORPHAN]
    told = [plugin_of(orphan.origin) for orphan in orphans]
    for dist in missing:
        if not any(_same(dist.name, name) for name in told if name is not None):
            yield problem_of(dist)


def problem_of(dist: "Distribution") -> Problem:
    """That it is not installed."""
    return Problem(PluginMissing.code, f"plugin {dist.name}: {dist.reason}", dist.hint)


def with_reasons(seeds: Iterable[Seed], distributions: "Sequence[Distribution]", config: "Config") -> tuple[Seed, ...]:
    """The seeds; one that is broken because it requires a seed of a plugin that takes no part says why that is.

    Args:
        distributions: empty where the project has not looked at them, as it allows none.
    """
    from seedframe.plugins.installed import installed

    why = {
        point.name.partition("_")[2]: f"it is a seed of {dist.origin}, which takes no part: {_reason(dist)}"
        for dist in distributions or installed(config, check_lock=False)[0]
        for point in dist.entry_points
        if dist.state != "allowed" or point.name in dist.left_out
    }
    return tuple(_with_reason(seed, why) for seed in seeds)


def _reason(dist: "Distribution") -> str:
    if dist.state == "allowed":
        return "-p leaves it out"
    return f"{dist.reason}; {dist.hint}" if dist.hint else dist.reason


def _with_reason(seed: Seed, why: Mapping[str, str]) -> Seed:
    error = seed.broken
    if not isinstance(error, RequirementMissing) or not any(problem.about in why for problem in error.problems):
        return seed
    problems = [replace(each, hint=why.get(each.about or "", each.hint)) for each in error.problems]
    return replace(seed, broken=RequirementMissing.of(problems))


def without_absent_requirements(seeds: Sequence[Seed]) -> tuple[Seed, ...]:
    """The seeds, of which none is broken because it requires a seed that is in none of them: what the ledger has of
    that decides."""
    return tuple(_without_absent(seed, seeds) for seed in seeds)


def _without_absent(seed: Seed, seeds: Sequence[Seed]) -> Seed:
    if not isinstance(seed.broken, RequirementMissing):
        return seed
    names = {other.name for other in seeds}
    there = replace(seed, requires=tuple(name for name in seed.requires if name in names))
    return seed if requirement_problems(there, seeds) else replace(seed, broken=None)


def _installed(plugin: str) -> str | None:
    """What is installed of that name; None for nothing."""
    from importlib import metadata

    try:
        return f"{plugin} {metadata.version(plugin)}"
    except metadata.PackageNotFoundError:
        return None


def _same(left: str, right: str) -> bool:
    from packaging.utils import canonicalize_name  # here, as most projects have no plugins

    return canonicalize_name(left) == canonicalize_name(right)
