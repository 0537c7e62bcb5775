"""The plugins that a project allows: their extensions, imported and registered, and their seeds."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.resources import files as resource_files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from seedframe.configuration.config import Config
from seedframe.errors import (
    DiscoveryError,
    HookMistake,
    SeedframeError,
    SeedImportFailed,
)
from seedframe.loading.seed_loading import import_code, loaded, looked_at
from seedframe.loading.seed_names import SEED_NAME
from seedframe.log import logger
from seedframe.plugins.contributions import guarded, unknown
from seedframe.plugins.entry_values import why_not_imported
from seedframe.plugins.extension_manager import Trace
from seedframe.plugins.manager import SeedManager, build_manager
from seedframe.secrecy.known_secrets import hide_declared
from seedframe.secrecy.written_settings import settings_of_files
from seedframe.seed import Seed

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from seedframe.plugins.installed import Distribution


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
        for dist in distributions:
            if dist.state == "allowed":
                hide_declared(settings_of_files(_sources(dist)))
        for dist, entry_point in _offered(distributions):
            if SEED_NAME.fullmatch(entry_point.name) is None:
                try:
                    load_extension(dist.origin, entry_point, manager)
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


def _sources(dist: "Distribution") -> "Iterator[Path]":
    """The Python files that a distribution is known to consist of."""
    from seedframe.plugins.installed_files import NoRecordError, folder_of, recorded

    try:
        found = recorded(dist.installed)
    except NoRecordError:
        return
    folder = folder_of(dist.installed)
    yield from (folder / entry.path for entry in found if entry.path.endswith(".py"))


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
        yield DiscoveryError(message, hint=hint, where=f"{config.file_name} [accounts] backend")


def load_extension(origin: str, entry_point: "EntryPoint", manager: SeedManager) -> None:
    """Import one extension and register it. Errors: DiscoveryError."""
    refused = _not_imported(entry_point, origin)
    if refused is not None:
        raise refused
    plugin = import_code(entry_point.load, origin, None)
    try:
        looked_at(lambda: manager.add_extension(entry_point.name, plugin, origin), origin, None)
    except HookMistake as error:
        who = f"plugin {origin}, extension {entry_point.name!r}"
        problems = (replace(problem, message=f"{who}: {problem.message}") for problem in error.problems)
        raise HookMistake.of(problems) from error


def _not_imported(entry_point: "EntryPoint", origin: str) -> SeedImportFailed | None:
    why = why_not_imported(entry_point)
    return None if why is None else SeedImportFailed(why[0], hint=why[1], where=origin, about=entry_point.name)


def plugin_seeds(distributions: "Iterable[Distribution]") -> list[Seed]:
    """The seeds of those that are allowed, broken ones included."""
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
    refused = _not_imported(entry_point, dist.origin)
    if refused is not None:
        return replace(found, broken=refused)
    seed = loaded(found, entry_point.load, None)
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
