"""The order of seeds, what is chosen of them, and whether what they require comes first: pure functions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile

from seedframe.errors import (
    DiscoveryError,
    NoSeeds,
    RequirementMissing,
    UnknownSeed,
    UsageError,
    did_you_mean,
)
from seedframe.options import Selection
from seedframe.seed import Seed


def arrange(seeds: Iterable[Seed]) -> tuple[Seed, ...]:
    """The seeds in run order; one whose `REQUIRES` does not fit becomes a broken one."""
    return with_requirements(in_order(seeds))


def with_requirements(ordered: Sequence[Seed]) -> tuple[Seed, ...]:
    """The seeds as ordered; one whose `REQUIRES` does not fit that order becomes a broken one."""
    return tuple(_with_requirements(seed, ordered) for seed in ordered)


def in_order(seeds: Iterable[Seed]) -> tuple[Seed, ...]:
    """By number (9, 10, 100), then by name."""
    return tuple(sorted(seeds, key=_position))


def _position(seed: Seed) -> tuple[int, str, str]:
    return seed.number, seed.name, seed.origin


# -------------------------------------------------------------------------
# Requirements
# -------------------------------------------------------------------------


def _with_requirements(seed: Seed, seeds: Sequence[Seed]) -> Seed:
    problems = requirement_problems(seed, seeds)
    if not problems or seed.broken is not None:
        return seed
    return replace(seed, broken=RequirementMissing.of(p for error in problems for p in error.problems))


def requirement_problems(seed: Seed, seeds: Sequence[Seed]) -> tuple[RequirementMissing, ...]:
    """For each name in `REQUIRES` that no seed has, or that comes later in `seeds`: what is wrong, and what to do."""
    by_name = {other.name: other for other in seeds}
    place = {other.name: number for number, other in enumerate(seeds)}
    labels = {other.label: other.name for other in seeds}
    problems: list[RequirementMissing] = []
    for name in dict.fromkeys(seed.requires):
        required = by_name.get(name)
        if required is None:
            meant = f"write {labels[name]!r}: seeds are required by name" if name in labels else None
            hint = meant or did_you_mean(name, sorted(by_name.keys() - {seed.name})) or "no seed has that name"
            message = f"seed {seed.label} requires {name!r}, which does not exist"
            problems.append(_unmet(seed, name, message, hint, "unknown-requirement"))
        elif cycle := _cycle(seed, required, by_name):
            message = f"seed {seed.label} requires itself: {' → '.join(cycle)}"
            hint = "no order fits; take one of them out of REQUIRES"
            problems.append(_unmet(seed, name, message, hint, "circular-requirement"))
        elif place[required.name] > place[seed.name]:
            moved = _position(required) < _position(seed)
            hint = "an extension's `seedframe_modify_order` put it there" if moved else _renumber(seed, seeds)
            message = f"seed {seed.label} requires {name!r}, which comes later ({_numbered(required)})"
            problems.append(_unmet(seed, name, message, hint, "late-requirement"))
    return tuple(problems)


def _unmet(seed: Seed, name: str, message: str, hint: str, kind: str) -> RequirementMissing:
    return RequirementMissing(message, hint=hint, where=seed.origin, kind=kind, about=name)


def not_required(seed: Seed, seeds: Sequence[Seed]) -> tuple[Seed, ...]:
    """Those that come before a seed and that it does not require, not even by what it requires."""
    by_name = {other.name: other for other in seeds}
    required: set[str] = set()
    waiting = list(seed.requires)
    while waiting:
        name = waiting.pop()
        if name not in required:
            required.add(name)
            waiting += by_name[name].requires if name in by_name else ()
    before = takewhile(lambda other: other.name != seed.name, seeds)
    return tuple(other for other in before if other.name not in required)


def _cycle(seed: Seed, required: Seed, by_name: dict[str, Seed]) -> list[str]:
    """The shortest way from `seed` through `required` back to `seed`, as names; empty when there is none."""
    paths = [[seed.name, required.name]]
    seen = {required.name}
    while paths:
        path = paths.pop(0)
        if path[-1] == seed.name:
            return path
        for name in by_name[path[-1]].requires:
            if name in by_name and name not in seen:
                seen.add(name)
                paths.append([*path, name])
    return []


def _numbered(seed: Seed) -> str:
    """`20_reference`, or with the number that `[seeds.NAME] order` gave it."""
    return (
        seed.label
        if seed.label.split("_", 1)[0].lstrip("0") == str(seed.number).lstrip("0")
        else (f"{seed.label}, order = {seed.number}")
    )


def free_number(seed: Seed, seeds: Iterable[Seed]) -> int:
    """A number that puts `seed` after everything it requires: between its neighbours, or the next ten."""
    others = [other for other in seeds if other.name != seed.name]
    floor = max((other.number for other in others if other.name in seed.requires), default=seed.number)
    later = [other.number for other in others if other.number > floor]
    if not later:
        return (floor // 10 + 1) * 10
    return max(floor + 1, (floor + min(later)) // 2)


def _renumber(seed: Seed, seeds: Iterable[Seed]) -> str:
    number = free_number(seed, seeds)
    order = f"set order = {number} under [seeds.{seed.name}] in seedframe.toml"
    if not seed.origin.endswith(".py") or seed.label.split("_", 1)[0].lstrip("0") != str(seed.number).lstrip("0"):
        return order
    return f"rename it to {number:02d}_{seed.name}, or {order}"


def missing_requirements(
    chosen: Iterable[Seed], seeds: Iterable[Seed], applied: Collection[str]
) -> tuple[RequirementMissing, ...]:
    """The requirements of what is chosen that are neither chosen nor applied before.

    Args:
        chosen: what `select` returned.
        seeds: every seed of the project.
        applied: the names of the seeds that the ledger has as applied.
    """
    chosen = tuple(chosen)
    names = {seed.name for seed in chosen}
    known = {seed.name: seed for seed in seeds}
    return tuple(
        RequirementMissing(
            f"seed {seed.label} requires {name!r}, which is neither chosen nor applied yet",
            hint=_how_to_have(known.get(name), name),
            where=seed.origin,
        )
        for seed in chosen
        for name in dict.fromkeys(seed.requires)
        if name not in names and name not in applied
    )


def _how_to_have(required: Seed | None, name: str) -> str:
    if required is None:
        return "no seed has that name"
    if not required.enabled:
        return f"it is disabled: [seeds.{name}] enabled = false"
    if required.environments is not None:
        return f"choose {name} too, where it may run: it is for {_listed(required.environments)}"
    return f"choose {name} too, or apply it first: seedframe apply {name}"


# -------------------------------------------------------------------------
# Selection
# -------------------------------------------------------------------------


def select(seeds: Sequence[Seed], selection: Selection, env: str) -> tuple[Seed, ...]:
    """The seeds that are chosen and run in `env`, in the order of `seeds`.

    Errors: UnknownSeed for a name or tag that no seed has, UsageError for one that was named and does not run in
    `env`, NoSeeds when nothing is left.
    """
    if not seeds:
        raise NoSeeds("no seeds found", hint="`seedframe new seed NAME` writes one")
    wanted = matching(seeds, selection)
    named = {seed.name for name in selection.names for seed in _named(name, seeds)}
    refused = [_not_here(seed, env) for seed in wanted if seed.name in named and not seed.runs_in(env)]
    if refused:
        raise UsageError.of(problem for error in refused for problem in error.problems)
    chosen = tuple(seed for seed in wanted if seed.runs_in(env))
    if not chosen:
        raise _nothing_left(wanted, selection, env)
    return chosen


def matching(seeds: Sequence[Seed], selection: Selection) -> tuple[Seed, ...]:
    """The seeds that are chosen, whether or not they run in an environment, in the order of `seeds`.

    Names and tags add up; without either, all are chosen. What is skipped is taken away from that.

    Errors: UnknownSeed for a name or tag that no seed has.
    """
    problems = [
        *(_unknown_name(name, seeds) for name in (*selection.names, *selection.skip) if not _named(name, seeds)),
        *(_unknown_tag(tag, seeds) for tag in selection.tags if not any(tag in seed.tags for seed in seeds)),
    ]
    if problems:
        raise UnknownSeed.of(problem for error in problems for problem in error.problems)
    named = {seed.name for name in selection.names for seed in _named(name, seeds)}
    skipped = {seed.name for name in selection.skip for seed in _named(name, seeds)}
    everything = not (selection.names or selection.tags)
    return tuple(
        seed
        for seed in seeds
        if (everything or seed.name in named or seed.tags.intersection(selection.tags)) and seed.name not in skipped
    )


def _named(name: str, seeds: Iterable[Seed]) -> list[Seed]:
    return [seed for seed in seeds if name in (seed.name, seed.label)]


def _unknown_name(name: str, seeds: Iterable[Seed]) -> UnknownSeed:
    known = [word for seed in seeds for word in (seed.name, seed.label)]
    existing = f"the seeds are {', '.join(dict.fromkeys(seed.name for seed in seeds))}"
    return UnknownSeed(f"no seed is called {name!r}", hint=_meant(name, known, existing))


def _unknown_tag(tag: str, seeds: Iterable[Seed]) -> UnknownSeed:
    known = sorted({tag for seed in seeds for tag in seed.tags})
    existing = f"the tags are {', '.join(known)}" if known else "no seed has TAGS"
    return UnknownSeed(f"no seed has the tag {tag!r}", hint=_meant(tag, known, existing))


def _meant(wrong: str, known: Iterable[str], existing: str) -> str:
    """What was probably meant, and all there is."""
    meant = did_you_mean(wrong, known)
    return f"{meant} {existing[0].upper()}{existing[1:]}" if meant else existing


def _not_here(seed: Seed, env: str) -> UsageError:
    if not seed.enabled:
        return UsageError(
            f"seed {seed.label} is disabled",
            hint=f"set enabled = true under [seeds.{seed.name}] in seedframe.toml",
            where=seed.origin,
        )
    return UsageError(
        f"seed {seed.label} does not run in {env!r}",
        hint=f"it is for {_listed(seed.environments or ())}: choose with --env",
        where=seed.origin,
    )


def _nothing_left(wanted: Sequence[Seed], selection: Selection, env: str) -> NoSeeds:
    if not wanted:
        return NoSeeds("no seeds left: all that were chosen are skipped", hint="leave out a --skip")
    of = "those chosen" if not selection.everything else "the project's"
    return NoSeeds(
        f"no seeds to run: none of {of} runs in {env!r}",
        hint="choose another environment with --env, or look at `seedframe list`",
    )


def broken(seeds: Iterable[Seed]) -> tuple[DiscoveryError, ...]:
    """Why seeds of these cannot be used; empty when all can."""
    return tuple(seed.broken for seed in seeds if seed.broken is not None)


def is_about_order(error: DiscoveryError) -> bool:
    """True for a requirement that is not there, comes later or is disabled."""
    return (error.kind or "").endswith("-requirement")


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
