"""The seeds folder and the allowed plugins, as one list of seeds; what is wrong with one does not hide the others."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.resources import files as resource_files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from seedframe.config import DEFAULT_ENV, Config
from seedframe.contract import Constants, hook_mistakes, read_constants
from seedframe.errors import (
    DiscoveryError,
    HookMistake,
    NoSeeds,
    Problem,
    SeedframeError,
    SeedImportFailed,
    did_you_mean,
)
from seedframe.local_modules import import_seed, open_folder
from seedframe.log import logger
from seedframe.own_files import OwnFiles
from seedframe.plugins.contributions import guarded, unknown
from seedframe.plugins.manager import SEED_NAME, SeedManager, Trace, build_manager
from seedframe.seed import Seed
from seedframe.seed_option import RESERVED, read_options
from seedframe.tracebacks import deepest, describe, render

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
    manager, distributions, problems = load_extensions(config, trace)
    local, mistakes = _local_seeds(config)
    problems += mistakes
    foreign = _plugin_seeds(distributions)
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


def discover_source(name: str, points: "Iterable[EntryPoint]", root: Path) -> Discovery:
    """The seeds and extensions of a plugin as it lies in its own folder, which need not be installed.

    Args:
        name: of its distribution.
        points: its entry points, whose modules can be imported.
        root: the folder.
    """
    from seedframe.plugins.installed import Distribution

    points = tuple(points)
    manager = build_manager(root)
    dist = Distribution(name=name, version=None, entry_points=points, state="allowed", reason="it is being written")
    problems: list[DiscoveryError] = []
    for point in points:
        if SEED_NAME.fullmatch(point.name) is None:
            try:
                _load_extension(dist.origin, point, manager)
            except DiscoveryError as error:
                problems.append(error)
    seeds = _without_duplicates(_plugin_seeds([dist]))
    found = tuple(_with_defaults(_registered(seed, manager)) for seed in seeds)
    return Discovery(found, (*problems, *manager.contributions.problems()), manager, (dist,))


# -------------------------------------------------------------------------
# The seeds folder
# -------------------------------------------------------------------------


def _local_seeds(config: Config) -> tuple[list[Seed], list[DiscoveryError]]:
    folder = config.seeds_dir
    own = OwnFiles((folder,), config.root)
    try:
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        return [], [DiscoveryError(f"cannot be read: {error.strerror}", where=own.show(str(folder)))]
    package = open_folder(folder)
    seeds: list[Seed] = []
    problems: list[DiscoveryError] = []
    for entry in entries:
        source = _source_of(entry)
        if source is None:
            continue
        match = SEED_NAME.fullmatch(_stem(entry))
        if match is not None and source.is_file():
            seeds.append(_local_seed(package, entry, source, own, int(match["number"]), match["name"]))
        elif not _is_beside_its_module(entry, entries):
            problems.append(_stray(entry, own))
    return seeds, problems


def _source_of(entry: Path) -> Path | None:
    """The file a seed would be read from; None for what is plainly no seed: data, helpers, editors' files."""
    if entry.name.startswith((".", "_")):
        return None
    if entry.suffix == ".py" and not entry.is_dir():
        return entry
    if entry.is_dir() and ((entry / "__init__.py").is_file() or _holds_code_of_a_seed(entry)):
        return entry / "__init__.py"
    return None


def _holds_code_of_a_seed(folder: Path) -> bool:
    return SEED_NAME.fullmatch(folder.name) is not None and any(folder.glob("*.py"))


def _is_beside_its_module(entry: Path, entries: Iterable[Path]) -> bool:
    """A folder of the same name as a module, and without `__init__.py`, holds that module's data."""
    return entry.is_dir() and entry.with_name(f"{entry.name}.py") in entries


def _stem(entry: Path) -> str:
    return entry.stem if entry.suffix == ".py" else entry.name


def _stray(entry: Path, own: OwnFiles) -> DiscoveryError:
    where = own.show(str(entry))
    if entry.is_dir() and SEED_NAME.fullmatch(entry.name):
        message, hint = "a seed's folder without __init__.py", "add one with the hooks in it"
        return DiscoveryError(message, hint=hint, where=where, kind="stray-file")
    word = "".join(character if character.isalnum() and character.isascii() else "_" for character in _stem(entry))
    digits = word[: len(word) - len(word.lstrip("0123456789"))]
    rest = word[len(digits) :].strip("_") or "name"
    numbered = f"{digits or '10'}_{rest if rest[0].isalpha() else 'x' + rest}"
    ending = ".py" if entry.suffix == ".py" else ""
    return DiscoveryError(
        "neither a seed (NN_name) nor a helper (_name)",
        hint=f"call it {numbered}{ending}, or _{rest}{ending} if it is a helper",
        where=where,
        kind="stray-file",
    )


def _local_seed(package: str, entry: Path, source: Path, own: OwnFiles, number: int, name: str) -> Seed:
    label = _stem(entry)
    found = Seed(
        name=name,
        number=number,
        label=label,
        origin=own.show(str(source)),
        plugin=None,
        files=source.parent,
    )
    return _loaded(found, lambda: import_seed(package, label), own)


# -------------------------------------------------------------------------
# Plugins
# -------------------------------------------------------------------------


def load_extensions(
    config: Config, trace: Trace | None = None
) -> "tuple[SeedManager, tuple[Distribution, ...], list[DiscoveryError]]":
    """Import the allowed plugins' extensions, and none of their seeds.

    Returns:
        The manager that they are registered with, the installed plugins and what became of them (none where the
        project has no `[plugins] allow`), and what is wrong.
    """
    manager = build_manager(config.root)
    if trace is not None:
        manager.trace_calls(trace)
    problems: list[DiscoveryError] = []
    distributions: tuple[Distribution, ...] = ()
    if config.plugins_allow or config.plugins_named or config.plugins_disabled:
        # Reading the metadata of all that is installed costs time, which a project without plugins need not spend.
        from seedframe.plugins.installed import installed, left_out_in_vain, unmet

        found, mistakes = installed(config)
        for told in left_out_in_vain(config, found):
            logger.warning(told)
        if config.plugins_allow or config.plugins_named:
            distributions = found
        problems += [*mistakes, *unmet(distributions)]
        _serve(distributions)
        for dist, entry_point in _offered(distributions):
            if SEED_NAME.fullmatch(entry_point.name) is None:
                try:
                    _load_extension(dist.origin, entry_point, manager)
                except DiscoveryError as error:
                    problems.append(error)
    problems += [*_configure(manager, config), *manager.contributions.problems(), *_unknown_backend(manager, config)]
    return manager, distributions, problems


def _serve(distributions: "Iterable[Distribution]") -> None:
    """See to it that of locked plugins what was locked is imported, and nothing else."""
    from seedframe.plugins.locking import serve, serve_unlocked

    for dist in distributions:
        if dist.lock is not None:  # allowed or not: another plugin may import it
            serve(dist.lock, dist.installed)
        elif dist.state == "allowed":
            serve_unlocked(dist.installed)


def _offered(distributions: "Iterable[Distribution]") -> "Iterator[tuple[Distribution, EntryPoint]]":
    """What allowed distributions offer, less what is left out by name."""
    for dist in distributions:
        if dist.state == "allowed":
            for entry_point in dist.entry_points:
                if entry_point.name not in dist.left_out:
                    yield dist, entry_point


def _configure(manager: SeedManager, config: Config) -> Iterator[DiscoveryError]:
    for name in manager.implementing("seedframe_configure"):
        try:
            guarded(manager, name, "seedframe_configure", config=config)
        except SeedframeError as error:
            problem = error.problems[0]
            yield DiscoveryError(problem.message, hint=problem.hint, where=problem.where)


def _unknown_backend(manager: SeedManager, config: Config) -> Iterator[DiscoveryError]:
    name = config.accounts.backend
    try:
        known = manager.contributions.account_backends
    except DiscoveryError:  # which is told already
        return
    if name != "auto" and name not in known:
        message, hint = unknown("account backend", name, ("auto", *known))
        yield DiscoveryError(message, hint=hint, where=f"{_config_file(config)} [accounts] backend")


def _plugin_seeds(distributions: "Iterable[Distribution]") -> list[Seed]:
    found = ((dist, point, SEED_NAME.fullmatch(point.name)) for dist, point in _offered(distributions))
    return [_plugin_seed(dist, point, int(match["number"]), match["name"]) for dist, point, match in found if match]


def _plugin_seed(dist: "Distribution", entry_point: "EntryPoint", number: int, name: str) -> Seed:
    found = Seed(
        name=name,
        number=number,
        label=entry_point.name,
        origin=dist.origin,
        plugin=None,
        files=None,
        distribution=dist.name,
    )
    seed = _loaded(found, entry_point.load, None)
    if seed.plugin is None:
        return seed
    return replace(seed, files=_plugin_files(seed.plugin))


def _plugin_files(plugin: object) -> Traversable | None:
    """The folder, real or in an archive, of the package that the seed's module is in."""
    module = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
    package = module if getattr(plugin, "__path__", None) is not None else module.rpartition(".")[0]
    if package:
        return resource_files(package)
    file = getattr(plugin, "__file__", None)
    return Path(file).parent if file else None


def _load_extension(origin: str, entry_point: "EntryPoint", manager: SeedManager) -> None:
    plugin = _import(entry_point.load, origin, None)
    try:
        manager.add_extension(entry_point.name, plugin, origin)
    except HookMistake as error:
        who = f"plugin {origin}, extension {entry_point.name!r}"
        problems = (replace(problem, message=f"{who}: {problem.message}") for problem in error.problems)
        raise HookMistake.of(problems) from error


# -------------------------------------------------------------------------
# One seed
# -------------------------------------------------------------------------


def _import(load: Callable[[], object], origin: str, own: OwnFiles | None) -> Any:
    try:
        return load()
    except KeyboardInterrupt:
        raise  # somebody wants the command to stop
    except BaseException as error:
        raise _import_failed(error, origin, own) from error


def _import_failed(error: BaseException, origin: str, own: OwnFiles | None) -> SeedImportFailed:
    trace = render(error, since=own.owns if own is not None else _outside_import_system)
    logger.bind(origin=origin, traceback=trace).info("a module raised while it was imported")
    where = own.raised_at(error) if own is not None else _innermost(error)
    hint = None
    if isinstance(error, ModuleNotFoundError) and error.name:
        hint = f"is {error.name.partition('.')[0]!r} installed in this environment?"
    who = "" if own is not None or where is None else f"plugin {origin} "
    if isinstance(error, SystemExit):
        return SeedImportFailed(f"{who}calls sys.exit() while it is imported", where=where or origin)
    hint = hint or "run with -v for the traceback"
    return SeedImportFailed(f"{who}cannot be imported: {describe(error)}", hint=hint, where=where or origin)


def _innermost(error: BaseException) -> str | None:
    """The place of an error in an installed plugin: its last frame outside Python's import system."""
    found = deepest(error, _outside_import_system)
    return None if found is None else f"{found[0]}:{found[1]}"


def _outside_import_system(filename: str) -> bool:
    # "<frozen …>" is Python's own; "<string>" is what its dataclasses are made of.
    return not filename.startswith("<") and Path(filename).parent.name not in (
        "importlib",
        "metadata",
        "seedframe",
    )


def _loaded(found: Seed, load: Callable[[], object], own: OwnFiles | None) -> Seed:
    """The seed with its module and constants, or with what is wrong in `broken`."""
    try:
        plugin = _import(load, found.origin, own)
    except SeedImportFailed as error:
        return replace(found, broken=error)
    files = OwnFiles.of(plugin, own.base if own is not None else Path())
    constants, problems = read_constants(plugin, files.place)
    problems = [*hook_mistakes(plugin, files.place), *problems]
    said = constants.writes is not None or any(option.table for option in constants.options or ())
    if found.distribution is not None and not said and not problems:
        problems.append(_no_writes(files.place(plugin)))
    broken = HookMistake.of(_located(problem, found) for problem in problems) if problems else None
    return replace(_with_constants(found, constants), plugin=plugin, doc=_doc(plugin), broken=broken)


def _no_writes(where: str | None) -> Problem:
    return Problem(
        HookMistake.code,
        "does not say which tables it writes",
        'write WRITES = ["countries"] in it, or WRITES = [] if it writes none: whoever allows a plugin is to know',
        where,
        "writes-missing",
    )


def _located(problem: Problem, seed: Seed) -> Problem:
    """The problem with the seed in its place, where the place alone does not name it."""
    where = problem.where or seed.origin
    return replace(problem, where=where, message=f"seed {seed.label}: {problem.message}")


def _with_constants(seed: Seed, constants: Constants) -> Seed:
    return replace(
        seed,
        requires=constants.requires,
        tags=constants.tags,
        environments=constants.environments,
        critical=constants.critical,
        settings=constants.settings,
        options=constants.options,
        writes=constants.writes or (),
    )


def _doc(plugin: object) -> str | None:
    """The first line of the docstring."""
    doc = plugin.__doc__ if isinstance(plugin, ModuleType) else None
    return doc.strip().partition("\n")[0].strip() or None if doc else None


def _registered(seed: Seed, manager: SeedManager) -> Seed:
    if seed.plugin is None or seed.broken is not None:
        return seed
    try:
        manager.add_seed(seed.name, seed.plugin)
    except HookMistake as error:
        return replace(seed, broken=HookMistake(error.message, hint=error.hint, where=seed.origin))
    return seed


# -------------------------------------------------------------------------
# All of them
# -------------------------------------------------------------------------


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
    if seed.options is None or seed.broken is not None:
        return seed
    values, written, problems = read_options(seed.options, own, f"{_config_file(config)} [seeds.{seed.name}]")
    broken = DiscoveryError.of(problems) if problems else None
    return replace(seed, config=values, writes=tuple(dict.fromkeys((*seed.writes, *written))), broken=broken)


def _with_defaults(seed: Seed) -> Seed:
    """The seed with the defaults of its options; those that a project has to set are left out."""
    values, written, _ = read_options(seed.options or (), {}, seed.origin)
    return replace(seed, config=values, writes=tuple(dict.fromkeys((*seed.writes, *written))))


def _config_file(config: Config) -> str:
    return config.file.name if config.file is not None else "the configuration"


def unknown_tables(
    config: Config, seeds: Iterable[Seed], distributions: "Iterable[Distribution]"
) -> Iterator[DiscoveryError]:
    """The tables `[seeds.NAME]` of seeds that are not there, or left out."""
    names = {seed.name for seed in seeds}
    labels = {seed.label: seed.name for seed in seeds}
    points = [SEED_NAME.fullmatch(point.name) for dist in distributions for point in dist.entry_points]
    left_out = {match["name"] for match in points if match is not None}
    for name in config.seeds:
        if name in names or name in left_out:
            continue
        meant = f"write [seeds.{labels[name]}]" if name in labels else did_you_mean(name, names)
        yield DiscoveryError(
            f"no seed is called {name!r}",
            hint=meant or f"the seeds are {', '.join(sorted(names)) or '(none)'}",
            where=f"{_config_file(config)} [seeds.{name}]",
            kind="unknown-seed",
            about=name,
        )


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
