"""What is linted: a project with its seeds folder, or the folder of a plugin that is being written."""

import io
import re
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from importlib import invalidate_caches
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from packaging.utils import canonicalize_name

from seedframe.configuration.config import DEFAULT_ENV, Config, DatabaseConfig
from seedframe.discovery import Discovery, discover_source
from seedframe.errors import ConfigError, DiscoveryError, NoSeeds
from seedframe.linting.python_source import PythonSource, PythonSources
from seedframe.loading.seed_names import SEED_NAME
from seedframe.ordering import arrange
from seedframe.plugins.entry_values import ForeignEntryPoint, module_of
from seedframe.plugins.locked_import import release
from seedframe.project import Project
from seedframe.secrecy.known_secrets import hide_declared
from seedframe.secrecy.written_settings import settings_of_files
from seedframe.seed import Seed

if TYPE_CHECKING:
    from seedframe.plugins.extension_manager import Trace
    from seedframe.plugins.installed import Distribution
    from seedframe.plugins.manager import SeedManager

_PYPROJECT: Final = "pyproject.toml"
_GROUP: Final = "seedframe"
# Poetry's own name for entry points, and the standard's (PEP 621).
_TABLES: Final = (("project", "entry-points", _GROUP), ("tool", "poetry", "plugins", _GROUP))
_MODULE: Final = re.compile(r"\w+(?:\.\w+)*")
_INSTALLED: Final = ("site-packages", "dist-packages")

Identity: TypeAlias = tuple[str, str]


def identity(seed: Seed) -> Identity:
    """What tells a seed apart from all others, those of its name too."""
    return seed.origin, seed.label


@dataclass(frozen=True, kw_only=True)
class Target:
    """Everything that is linted at once.

    Attributes:
        config: the configuration; of a plugin's folder, the defaults.
        file: the file that plugins and seeds' tables, or entry points, stand in.
        seeds: all seeds in run order, plugins' of a project too.
        owned: the Python files of each seed that is linted, the one with the hooks first.
        files: all Python files that are linted.
        folders: where data files may lie.
        bases: what paths in errors are relative to.
        others: the configuration in each of the other environments that the file has.
        distributions: installed plugins, and what became of them.
        whole: False where other seeds, which are not known, take part in the end.
        beside: names of the seeds of a plugin in the same folder, which may have tables in `file`.
        tables: the configuration beside a plugin, if there is one: its `[seeds.NAME]` is used.
    """

    config: Config
    file: Path | None
    seeds: tuple[Seed, ...]
    plugins: "SeedManager"
    problems: tuple[DiscoveryError, ...]
    files: tuple[PythonSource, ...]
    owned: Mapping[Identity, tuple[PythonSource, ...]]
    folders: tuple[Path, ...]
    bases: tuple[Path, ...]
    others: tuple[Config, ...] = ()
    distributions: "tuple[Distribution, ...]" = ()
    whole: bool = True
    entry_points: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    tables: Path | None = None

    def sources(self, seed: Seed) -> tuple[PythonSource, ...]:
        """The Python files of a seed; none of one that is only used."""
        return self.owned.get(identity(seed), ())


@contextmanager
def undisturbed() -> Iterator[None]:
    """Run code of seeds: what it prints goes to standard error, what it asks for is at its end, nothing is cached."""
    stdin, cached = sys.stdin, sys.dont_write_bytecode
    sys.stdin, sys.dont_write_bytecode = io.StringIO(), True
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdin, sys.dont_write_bytecode = stdin, cached


# -------------------------------------------------------------------------
# A project
# -------------------------------------------------------------------------


def project_target(
    config: Config,
    sources: PythonSources,
    others: Sequence[Config] = (),
    *,
    plugin: "PluginFolder | None" = None,
    trace: "Trace | None" = None,
) -> Target:
    """A project, and its configuration in other environments; `trace` is told of each call of a hook.

    `plugin` is one in the same folder.

    Errors: NoSeeds where there is nothing to look at.
    """
    with undisturbed():
        project = Project.of(config, trace=trace)
    folder = config.seeds_dir
    files = tuple(sources.below(folder)) if folder.is_dir() else ()
    nothing = next((problem for problem in project.problems if isinstance(problem, NoSeeds)), None)
    if nothing is not None and not files:
        raise nothing
    return Target(
        config=config,
        file=config.file,
        seeds=project.seeds,
        plugins=project.plugins,
        problems=project.problems,
        files=files,
        owned={
            identity(seed): _own(config.root / seed.origin, files, sources)
            for seed in project.seeds
            if seed.distribution is None
        },
        folders=(folder,),
        bases=(config.root,),
        others=tuple(others),
        distributions=project.distributions,
        beside=plugin.seeds if plugin is not None else frozenset(),
        whole=not any(problem.kind is None and not isinstance(problem, NoSeeds) for problem in project.problems),
    )


def _own(first: Path, files: Sequence[PythonSource], sources: PythonSources) -> tuple[PythonSource, ...]:
    if first.name != "__init__.py":
        return (sources.of(first),)
    inside = [each for each in files if each.path.is_relative_to(first.parent) and each.path != first]
    return (sources.of(first), *inside)


# -------------------------------------------------------------------------
# A plugin
# -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginFolder:
    """The folder of a plugin: its pyproject.toml has entry points of seedframe.

    Attributes:
        points: (name, value) of each, with the path of its key.
    """

    root: Path
    name: str
    points: Mapping[tuple[str, ...], str]

    @property
    def file(self) -> Path:
        """The pyproject.toml."""
        return self.root / _PYPROJECT

    @property
    def seeds(self) -> frozenset[str]:
        """The names of its seeds."""
        found = (SEED_NAME.fullmatch(path[-1]) for path in self.points)
        return frozenset(match["name"] for match in found if match is not None)


def plugin_folder(folder: Path) -> PluginFolder | None:
    """What the pyproject.toml of a folder says of a plugin; None where it says nothing. Errors: ConfigError."""
    file = folder / _PYPROJECT
    if not file.is_file():
        return None
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot be read: {error}", where=str(file)) from None
    points: dict[tuple[str, ...], str] = {}
    for table in _TABLES:
        found: Any = document
        for key in table:
            found = found.get(key) if isinstance(found, dict) else None
        for name, value in (found if isinstance(found, dict) else {}).items():
            if isinstance(value, str):
                points[(*table, name)] = value
    if not points:
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return PluginFolder(root=folder, name=name if isinstance(name, str) else folder.name, points=points)


@contextmanager
def plugin_target(
    plugin: PluginFolder, sources: PythonSources, config: Config | None = None, *, trace: "Trace | None" = None
) -> Iterator[Target]:
    """A plugin as it lies in its folder, installed or not; its modules can be imported meanwhile.

    `config` is that of the same folder, whose `[seeds.NAME]` has values of options; `trace` is told of each call of a
    hook.
    """
    root = plugin.root
    bases = tuple(folder for folder in (root / "src", root) if folder.is_dir())
    named = [EntryPoint(path[-1], value, _GROUP) for path, value in plugin.points.items()]
    release(canonicalize_name(plugin.name))  # a lock is of what is installed
    with _first_on_path(bases):
        modules = {point.name: _own_file(module_of(point) or "", root) for point in named}
        points = [
            point if modules[point.name] is not None else ForeignEntryPoint(point.name, point.value, _GROUP)
            for point in named
        ]
        own = [module_of(point) or "" for point in points if not isinstance(point, ForeignEntryPoint)]
        with _imported_anew({module.partition(".")[0] for module in own}):
            hide_declared(settings_of_files(source.path for source in _sources(plugin, bases, sources)))
            with undisturbed():
                found = discover_source(plugin.name, points, root, trace, config)
            target = _plugin_target(plugin, modules, bases, found, sources)
            yield target if config is None else replace(target, tables=config.file)


def _plugin_target(
    plugin: PluginFolder,
    modules: Mapping[str, Path | None],
    bases: tuple[Path, ...],
    found: Discovery,
    sources: PythonSources,
) -> Target:
    root = plugin.root
    tops = {_top(value, bases) for value in plugin.points.values()} - {None}
    files = _sources(plugin, bases, sources)
    hooks = set(modules.values())
    owned = {}
    for seed in found.seeds:
        first = modules.get(seed.label)
        if first is not None:
            helpers = [each for each in files if each.path not in hooks]
            owned[identity(seed)] = (sources.of(first), *helpers)
    return Target(
        config=Config(
            root=root,
            file=plugin.file,
            project=plugin.name,
            env=DEFAULT_ENV,
            database=DatabaseConfig(url=None, source="default"),
            seeds_dir=root / "seeds",
        ),
        file=plugin.file,
        seeds=arrange(found.seeds),
        plugins=found.plugins,
        problems=found.problems,
        files=tuple(files),
        owned=owned,
        folders=tuple(top if top.is_dir() else top.parent for top in tops if top is not None),
        bases=bases,
        whole=False,
        entry_points={path[-1]: path for path in plugin.points},
    )


def _sources(plugin: PluginFolder, bases: tuple[Path, ...], sources: PythonSources) -> list[PythonSource]:
    """The Python files of its packages."""
    tops = {_top(value, bases) for value in plugin.points.values()}
    return [source for top in sorted(filter(None, tops)) for source in _below(top, sources)]


@contextmanager
def _first_on_path(folders: Sequence[Path]) -> Iterator[None]:
    """Have modules found in these folders, and not where they are installed, which may be another version."""
    path = list(sys.path)
    sys.path[:0] = [str(folder) for folder in folders]
    invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path


@contextmanager
def _imported_anew(packages: Collection[str]) -> Iterator[None]:
    """Have these packages imported once more, and forgotten afterwards."""
    aside = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in packages}
    for name in aside:
        del sys.modules[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if name.partition(".")[0] in packages]:
            del sys.modules[name]
        sys.modules.update(aside)


def _own_file(module: str, root: Path) -> Path | None:
    """The file that a module would be imported from, if that, like all the packages it is in, is one of the folder's:
    nothing of anybody else is run. Nothing is imported to find out."""
    top, *rest = module.split(".")
    spec = next((spec for finder in sys.meta_path if (spec := _found(finder, top)) is not None), None)
    if spec is None:
        return None
    file = Path(spec.origin) if spec.has_location and spec.origin is not None else None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for part in rest:
        if file is not None and not _is_own(file, root):
            return None
        inside = [folder / part for folder in folders]
        files = [path for base in inside for path in (base / "__init__.py", base.with_name(f"{part}.py"))]
        file = next((path for path in files if path.is_file()), None)
        # Without an `__init__.py`, a package is all the folders of its name.
        folders = [base for base in inside if base.is_dir()] if file is None else [file.parent]
    return file if file is not None and _is_own(file, root) else None


def _found(finder: Any, module: str) -> ModuleSpec | None:
    find = getattr(finder, "find_spec", None)
    spec = find(module, None) if find is not None else None
    return spec if isinstance(spec, ModuleSpec) else None


def _is_own(file: Path, root: Path) -> bool:
    """True for a file of the folder, which may have an environment in it, with what is installed there."""
    if not file.resolve().is_relative_to(root.resolve()):
        return False
    parts = file.resolve().relative_to(root.resolve()).parts
    return file.suffix == ".py" and not any(part.startswith(".") or part in _INSTALLED for part in parts)


def _top(value: str, bases: Sequence[Path]) -> Path | None:
    """The folder of its top package, or the file of its only module."""
    match = _MODULE.match(value.strip())
    name = match[0].partition(".")[0] if match is not None else ""
    for base in bases if name else ():
        for path in (base / name, base / f"{name}.py"):
            if path.exists():
                return path
    return None


def _below(top: Path, sources: PythonSources) -> list[PythonSource]:
    return sources.below(top) if top.is_dir() else [sources.of(top)]
