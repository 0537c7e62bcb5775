"""One lint: finds the project, looks at all of it, and leaves what was asked for."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seedframe.configuration.config import DEFAULT_ENV, DOTENV, NO_AUTOLOAD, Config, load_config
from seedframe.configuration.config_file import PYPROJECT, has_config
from seedframe.configuration.dotenv import read_dotenv
from seedframe.errors import NoSeeds, UnknownSeed, did_you_mean
from seedframe.linting.found import Found
from seedframe.linting.project import Linted, lint_target
from seedframe.linting.python_source import PythonSources
from seedframe.linting.rules import chosen
from seedframe.linting.targets import PluginFolder, plugin_folder, plugin_target, project_target
from seedframe.plugins.extension_manager import Trace
from seedframe.secrecy.known_secrets import configured_secrets, looking_in, variable_secrets
from seedframe.secrecy.masking import hide


@dataclass(frozen=True, slots=True, kw_only=True)
class LintOptions:
    """What is asked for.

    Attributes:
        config_path: the configuration file, or a folder in the project; None for the working directory.
        env: the environment that `resources` is told.
        disabled: plugins not to load.
        named: plugins to load although SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD is set.
        only: names of seeds, files or folders; empty: everything.
        select, ignore: rules; None leaves it to the configuration.
        trace: is told of each call of a hook.
    """

    config_path: Path | None = None
    env: str | None = None
    disabled: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    select: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    trace: Trace | None = None


def lint(options: LintOptions) -> Linted:
    """Look for mistakes in seeds and their data; no database and no secret is needed.

    Of the environment and `.env` only what no output may show is looked at, as what seeds raise might tell it.

    Errors: ConfigError for a configuration that cannot be read, NoSeeds, UnknownSeed.
    """
    here = Path.cwd()
    sources = PythonSources()
    config, plugin = _find(options)
    codes = _codes(config, options)
    root = plugin.root if config is None and plugin is not None else here if config is None else config.root
    dotenv = root / DOTENV
    # A pipe is not waited for: lint needs nothing of it.
    variables = {**(read_dotenv(dotenv).values if dotenv.is_file() else {}), **os.environ}
    hide(*variable_secrets(variables, root))
    parts: list[Linted] = []
    with looking_in(variables, root):
        if config is not None:
            try:
                others = [_config(options, env) for env in sorted(config.environments - {config.env})]
                for each in (config, *others):
                    hide(*configured_secrets(each))
                target = project_target(config, sources, others, plugin=plugin, trace=options.trace)
                parts.append(lint_target(target, sources))
            except NoSeeds:
                if plugin is None:
                    raise
        if plugin is not None:
            with plugin_target(plugin, sources, config, trace=options.trace) as target:
                parts.append(lint_target(target, sources))
    linted = _together(parts)
    found = [each for each in linted.found if each.rule.code in codes and not _silenced(each, sources)]
    if options.only:
        names, paths = _chosen(options.only, linted, here)
        found = [each for each in found if _is_asked_for(each, names, paths)]
        linted = replace(
            linted,
            seeds=tuple(label for label in linted.seeds if label in names),
            files=frozenset(path for path in linted.files if linted.belongs.get(path, set()) & names),
            unknown={label: why for label, why in linted.unknown.items() if label in names},
        )
    return replace(linted, found=tuple(found))


def _find(options: LintOptions) -> tuple[Config | None, PluginFolder | None]:
    """The nearest project or plugin, or both in one folder. Errors: ConfigError."""
    start = (Path.cwd() if options.config_path is None else options.config_path.expanduser()).resolve()
    if not start.is_dir():
        plugin = plugin_folder(start.parent) if start.name == PYPROJECT and start.is_file() else None
        return (_config(options) if plugin is None or has_config(start.parent) else None), plugin
    for folder in (start, *start.parents):
        plugin = plugin_folder(folder)
        if plugin is not None:
            return (_config(options) if has_config(folder) else None), plugin
        if has_config(folder):
            break
    return _config(options), None


def _config(options: LintOptions, env: str | None = None) -> Config:
    """The configuration, without the variables: but for the one that keeps plugins from being loaded."""
    return load_config(
        options.config_path,
        env=env or options.env or DEFAULT_ENV,
        disabled=options.disabled,
        named=options.named,
        environ={name: os.environ[name] for name in (NO_AUTOLOAD,) if name in os.environ},
        dotenv=False,
    )


def _together(linted: Sequence[Linted]) -> Linted:
    belongs: dict[Path, set[str]] = {}
    for each in linted:
        for path, labels in each.belongs.items():
            belongs.setdefault(path, set()).update(labels)
    return Linted(
        found=tuple(found for each in linted for found in each.found),
        seeds=tuple(label for each in linted for label in each.seeds),
        files=frozenset(path for each in linted for path in each.files),
        unknown={label: why for each in linted for label, why in each.unknown.items()},
        belongs=belongs,
    )


def _codes(config: Config | None, options: LintOptions) -> frozenset[str]:
    file = config.file_name if config is not None else "the configuration"
    select = options.select if options.select is not None else config.lint_select if config is not None else ()
    ignore = options.ignore if options.ignore is not None else config.lint_ignore if config is not None else ()
    chosen(select, (), "--select" if options.select is not None else f"{file} [lint] select")
    chosen((), ignore, "--ignore" if options.ignore is not None else f"{file} [lint] ignore")
    return chosen(select, ignore, file)


def _silenced(found: Found, sources: PythonSources) -> bool:
    places = (found.place,) if found.declared is None else (found.place, found.declared)
    return any(sources.silence(found.rule.code, place) for place in places)


def _chosen(only: Sequence[str], linted: Linted, here: Path) -> tuple[set[str], set[Path]]:
    """The labels of the seeds that are asked for, by name or by a file of theirs, and the files themselves."""
    names: set[str] = set()
    paths: set[Path] = set()
    known = [word for label in linted.seeds for word in (label, label.partition("_")[2])]
    for word in only:
        labels = {label for label in linted.seeds if word in (label, label.partition("_")[2])}
        if labels:
            names |= labels
            continue
        path = here / word
        resolved = _resolved(path)
        paths.add(resolved)
        belonging = [owners for file, owners in linted.belongs.items() if _resolved(file).is_relative_to(resolved)]
        # A file that a seed names, and that is not there, may be asked for.
        if not belonging and not os.path.lexists(path):
            if path.suffix == "" and len(Path(word).parts) == 1:
                hint = did_you_mean(word, known) or f"the seeds are {', '.join(linted.seeds)}"
                raise UnknownSeed(f"no seed is called {word!r}, and no file", hint=hint)
            files = [os.path.relpath(file, here) for file in linted.belongs]
            hint = did_you_mean(os.path.normpath(word), files) or "paths begin at the folder that you are in"
            raise UnknownSeed(f"there is no file {word!r}", hint=hint)
        names = names.union(*belonging)
    return names, paths


def _is_asked_for(found: Found, names: set[str], paths: set[Path]) -> bool:
    path = _resolved(found.place.path)
    return found.seed in names or any(path.is_relative_to(each) for each in paths)


def _resolved(path: Path) -> Path:
    # Not Path.resolve: until Python 3.13 that raises for links in a circle.
    return Path(os.path.realpath(path))
