"""The seeds folder and the allowed plugins, as one list of seeds; what is wrong with one does not hide the others."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from seedframe.configuration.config import DEFAULT_ENV, Config
from seedframe.configuration.config_file import place_of
from seedframe.configuration.config_schema import SEEDS
from seedframe.configuration.seed_option import RESERVED, read_options
from seedframe.errors import (
    DiscoveryError,
    HookMistake,
    NoSeeds,
    Problem,
    did_you_mean,
)
from seedframe.loading.own_files import OwnFiles
from seedframe.loading.seed_names import SEED_NAME
from seedframe.plugins.extension_manager import Trace
from seedframe.plugins.loading import load_extension, load_extensions, plugin_seeds
from seedframe.plugins.manager import SeedManager, build_manager
from seedframe.secrecy.known_secrets import before_import
from seedframe.seed import Seed
from seedframe.seeds_folder import local_seeds

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from seedframe.plugins.installed import Distribution


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found.

    Attributes:
        seeds: every seed, broken ones included, in no particular order.
        problems: what is wrong with the project rather than with one seed.
        plugins: the manager that the usable seeds are registered with.
        distributions: installed plugins and what became of them; empty where the project has no `[plugins] allow`.
    """

    seeds: tuple[Seed, ...]
    problems: tuple[DiscoveryError, ...]
    plugins: SeedManager
    distributions: "tuple[Distribution, ...]" = ()


def discover(config: Config, trace: Trace | None = None) -> Discovery:
    """Find, import and check every seed of a project. Raises nothing that a user's mistake can cause.

    Args:
        config: the project's.
        trace: is told of each call of a hook.
    """
    with before_import(config):
        manager, distributions, problems = load_extensions(config, trace)
        local, mistakes = local_seeds(config)
        foreign = plugin_seeds(distributions)
    problems += mistakes
    seeds = _without_duplicates([*local, *foreign])
    seeds = [_registered(seed, manager) for seed in seeds]
    seeds = [_configured(seed, config) for seed in seeds]
    if not any(dist.state == "missing" for dist in distributions):  # whose seeds may be what tables are for
        problems += unknown_tables(config, seeds, distributions)
    problems += _unknown_environment(config, seeds)
    problems += _misnamed_environments(config, seeds)
    if not seeds and not problems:  # which may be why there are none
        problems.append(_nothing(config))
    return Discovery(tuple(seeds), tuple(problems), manager, distributions)


def discover_source(
    name: str, points: "Iterable[EntryPoint]", root: Path, trace: Trace | None = None, config: Config | None = None
) -> Discovery:
    """The seeds and extensions of a plugin as it lies in its own folder, which need not be installed.

    Args:
        name: of its distribution.
        points: its entry points, whose modules can be imported.
        root: the folder.
        trace: is told of each call of a hook.
        config: of a project in the same folder, whose `[seeds.NAME]` has values of options.
    """
    from seedframe.plugins.installed import Distribution

    points = tuple(points)
    manager = build_manager(root)
    if trace is not None:
        manager.trace_calls(trace)
    dist = Distribution(name=name, version=None, entry_points=points, state="allowed", reason="it is being written")
    problems: list[DiscoveryError] = []
    for point in points:
        if SEED_NAME.fullmatch(point.name) is None:
            try:
                load_extension(dist.origin, point, manager)
            except DiscoveryError as error:
                problems.append(error)
    seeds = _without_duplicates(plugin_seeds([dist]))
    found = tuple(_as_tried(_registered(seed, manager), config) for seed in seeds)
    return Discovery(found, (*problems, *manager.contributions.problems()), manager, (dist,))


def _registered(seed: Seed, manager: SeedManager) -> Seed:
    if seed.plugin is None or seed.broken is not None:
        return seed
    try:
        manager.add_seed(seed.name, seed.plugin)
    except HookMistake as error:
        broken = HookMistake(error.message, hint=error.hint, where=seed.origin, kind="not-registered")
        return replace(seed, broken=broken)
    return seed


def _without_duplicates(seeds: list[Seed]) -> list[Seed]:
    """Two seeds of one name are both broken: neither has more right to it."""
    by_name: dict[str, list[Seed]] = {}
    for seed in seeds:
        by_name.setdefault(seed.name, []).append(seed)
    return [_shared_name(seed, by_name[seed.name]) if len(by_name[seed.name]) > 1 else seed for seed in seeds]


def _shared_name(seed: Seed, same: list[Seed]) -> Seed:
    local = sum(_is_local(other) for other in same)
    places = [other.origin if _is_local(other) else f"{other.label} of {other.origin}" for other in same]
    if local == len(same):
        hint = "rename one of them; the number is no part of the name"
    elif local:
        hint = f"rename the local one, or leave the plugin's out with -p no:{seed.name}"
    else:
        hint = "leave one of the plugins out with -p no:NAME, or take it from [plugins] allow"
    message = f"{len(same)} seeds are called {seed.name!r}: {' and '.join(sorted(places))}"
    return replace(seed, broken=DiscoveryError(message, hint=hint, where=seed.origin, kind="duplicate-seed"))


def _is_local(seed: Seed) -> bool:
    return seed.distribution is None


def _configured(seed: Seed, config: Config) -> Seed:
    table = config.seeds.get(seed.name, {})
    environments = table.get("environments")
    own = {key: value for key, value in table.items() if key not in RESERVED}
    seed = replace(
        seed,
        number=table.get("order", seed.number),
        enabled=table.get("enabled", True),
        environments=frozenset(environments) if environments is not None else seed.environments,
        config=own,
    )
    if seed.options is None or not isinstance(seed.broken, HookMistake | None):
        return seed
    values, written, misfits = read_options(seed.options, own, "")
    problems = [*(seed.broken.problems if seed.broken is not None else ()), *_placed(misfits, seed.name, config)]
    broken = type(seed.broken or DiscoveryError("")).of(problems) if problems else None
    return replace(seed, config=values, writes=tuple(dict.fromkeys((*seed.writes, *written))), broken=broken)


def _placed(misfits: Iterable[Problem], name: str, config: Config) -> Iterator[Problem]:
    """Each with the line of `[seeds.NAME]` that it is about."""
    for problem in misfits:
        yield replace(problem, where=place_of(config.file, (SEEDS, name), problem.about or "", config.env))


def _as_tried(seed: Seed, config: Config | None) -> Seed:
    """The seed with what `[seeds.NAME]` says, if there is such a table, else with the defaults of its options, and the
    choices of those that a project has to set; without choices, these are left out."""
    options = seed.options or ()
    table = config.seeds.get(seed.name, {}) if config is not None else {}
    own = {key: value for key, value in table.items() if key not in RESERVED}
    chosen = {option.name: option.any_choice() for option in options if option.required and option.choices}
    values, written, misfits = read_options(options, {**chosen, **own}, seed.origin)
    seed = replace(seed, config=values, writes=tuple(dict.fromkeys((*seed.writes, *written))))
    misfits = tuple(problem for problem in misfits if problem.about in own)
    if config is None or not misfits or seed.options is None or not isinstance(seed.broken, HookMistake | None):
        return seed
    known = seed.broken.problems if seed.broken is not None else ()
    broken = type(seed.broken or DiscoveryError("")).of([*known, *_placed(misfits, seed.name, config)])
    return replace(seed, broken=broken)


def unknown_tables(
    config: Config, seeds: Iterable[Seed], distributions: "Iterable[Distribution]"
) -> Iterator[DiscoveryError]:
    """The tables `[seeds.NAME]` of seeds that no file and no installed plugin has, allowed or not."""
    names = {seed.name for seed in seeds}
    labels = {seed.label: seed.name for seed in seeds}
    absent = [name for name in config.seeds if name not in names]
    offered = _offered_seeds(distributions) if absent else frozenset()
    for name in absent:
        if name in offered:
            continue
        meant = f"write [seeds.{labels[name]}]" if name in labels else did_you_mean(name, names | offered)
        the_seeds = f"the seeds are {', '.join(sorted(names)) or '(none)'}"
        meant = meant or f"{the_seeds}; if a plugin had it, install that again, or take this table out"
        yield DiscoveryError(
            f"no seed is called {name!r}",
            hint=meant,
            where=place_of(config.file, (SEEDS, name), "", config.env),
            kind="unknown-seed",
            about=name,
        )


def _offered_seeds(distributions: "Iterable[Distribution]") -> frozenset[str]:
    """The names of the seeds that installed plugins have, by their metadata."""
    points = [point for dist in distributions for point in dist.entry_points]
    if not points:  # none is allowed, so that they were not looked at
        from seedframe.plugins.offered import offers

        points = [point for offer in offers() for point in offer.entry_points]
    return frozenset(match["name"] for point in points if (match := SEED_NAME.fullmatch(point.name)) is not None)


def _unknown_environment(config: Config, seeds: Iterable[Seed]) -> Iterator[DiscoveryError]:
    """An environment that resembles one the seeds name: `--env prduction` must not quietly leave seeds out."""
    named = {name for seed in seeds for name in seed.environments or ()}
    near = did_you_mean(config.env, named)
    if near is not None and config.env not in named | config.environments | {DEFAULT_ENV}:
        hint = f"{near} If {config.env!r} is meant, add an empty table [env.{config.env}]"
        yield DiscoveryError(f"no seed knows the environment {config.env!r}", hint=hint, kind="environment-name")


def _misnamed_environments(config: Config, seeds: Iterable[Seed]) -> Iterator[DiscoveryError]:
    """Environments that a seed of the project is limited to, and that `--env` would take for a slip: it would quietly
    never run. What a plugin names may be another project's."""
    for seed in seeds:
        configured = "environments" in config.seeds.get(seed.name, {})
        if not (configured or _is_local(seed)):
            continue
        where = f"[seeds.{seed.name}] environments" if configured else f"{seed.origin}: ENVIRONMENTS"
        for name in sorted(seed.environments or ()):
            problem = config.environment_problem(name, where)
            if problem is not None:
                yield DiscoveryError(
                    problem.message, hint=problem.hint, where=problem.where, kind="environment-name", about=name
                )


def _nothing(config: Config) -> NoSeeds:
    folder = OwnFiles((), config.root).show(str(config.seeds_dir))
    state = "has no seeds" if config.seeds_dir.is_dir() else "does not exist"
    return NoSeeds(
        f"no seeds found: {folder}/ {state}",
        hint=f"`seedframe new seed NAME` writes one ({folder}/NN_name.py, with a function `resources`);"
        " `seedframe plugins` shows those of plugins",
    )
