"""Lints a project: its modules, what its seeds declare, their data, and how all that fits together."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from seedframe.configuration.config import Config
from seedframe.configuration.seed_option import RESERVED, read_options
from seedframe.configuration.settings import declaration_problems
from seedframe.configuration.toml_lines import key_lines, line_of
from seedframe.discovery import unknown_tables
from seedframe.errors import DiscoveryError, NoSeeds, Problem, SeedImportFailed
from seedframe.linting.data import RowsCheck
from seedframe.linting.declared import Declared, Looked, Looking, missing, shown_file
from seedframe.linting.found import Collector, Found, Place
from seedframe.linting.modules import ModuleCheck, kind_of, place_of
from seedframe.linting.python_source import PythonSource, PythonSources
from seedframe.linting.references import References
from seedframe.linting.secrets import HINTS, secrets_in
from seedframe.linting.targets import Target, undisturbed
from seedframe.ordering import is_about_order, requirement_problems
from seedframe.resources.environments import limited_to
from seedframe.seed import Seed
from seedframe.sources.files import BUILT_IN

_DATA: Final = re.compile(r"\.(?:csv|tsv|json|jsonl|ndjson|toml|ya?ml|parquet)(?:\.(?:gz|bz2|xz))?$", re.IGNORECASE)
# What a plugin is to blame for, or whoever installs it.
_PLUGIN: Final = "plugin-unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Linted:
    """What came of it.

    Attributes:
        found: every mistake, rules and places of no interest included.
        seeds: the labels of the seeds that were looked at.
        files: the data files that were read.
        unknown: labels of seeds whose resources are not known without a database, and why.
        belongs: for each file of a seed, code or data, the labels of the seeds.
    """

    found: tuple[Found, ...]
    seeds: tuple[str, ...]
    files: frozenset[Path]
    unknown: dict[str, str]
    belongs: dict[Path, set[str]] = field(default_factory=dict)


def lint_target(target: Target, sources: PythonSources) -> Linted:
    """Look at everything."""
    return _Linting(target, sources, Collector()).run()


class _Linting:
    def __init__(self, target: Target, sources: PythonSources, collector: Collector) -> None:
        self._target = target
        self._config = target.config
        self._files = target.files
        self._bases = target.bases
        try:
            self._formats = target.plugins.contributions.file_formats
        except DiscoveryError:  # which is told as a problem of the project
            self._formats = BUILT_IN
        self._sources = sources
        self._collector = collector

    def run(self) -> Linted:
        target = self._target
        self._check_syntax()
        for problem in target.problems:
            self._check_problem(problem)
        local = [seed for seed in target.seeds if target.sources(seed)]
        for seed in target.seeds:
            self._check_module(seed)
        self._check_requirements(local)
        self._check_settings()
        for config in target.others:
            self._check_other_environment(config)
        for source in self._files:
            for rule, place, message in secrets_in(source):
                self._collector.report(rule, place, message, HINTS[rule], seed=self._label_of(source.path))
        looked, checks = self._look()
        return Linted(
            found=tuple(self._collector.all()),
            seeds=tuple(seed.label for seed in local),
            files=frozenset(path for check in checks if (path := check.path) is not None),
            unknown={each.seed.label: each.unknown for each in looked if each.unknown is not None and each.sources},
            belongs=self._belongs(looked),
        )

    def _label_of(self, path: Path) -> str | None:
        own = ((seed, self._target.sources(seed)) for seed in self._target.seeds)
        return next((seed.label for seed, found in own if any(source.path == path for source in found)), None)

    def _belongs(self, looked: Iterable[Looked]) -> dict[Path, set[str]]:
        found: dict[Path, set[str]] = {}
        for each in looked:
            paths = [source.path for source in each.sources]
            names = [declared.rows.file for declared in each.declared] + list(each.files)
            if each.sources:
                files = [shown_file(each.seed, name) for name in names if isinstance(name, str)]
                paths += [file for file in files if file is not None]
            for path in paths:
                found.setdefault(path, set()).add(each.seed.label)
        return found

    # Modules

    def _check_syntax(self) -> None:
        for source in self._files:
            if source.error is not None:
                place, message = source.error
                self._collector.report("syntax-error", place, message, seed=self._label_of(source.path))

    def _check_module(self, seed: Seed) -> None:
        own = self._target.sources(seed)
        broken = seed.broken
        if not own:
            if broken is not None and not is_about_order(broken):
                self._check_plugin(seed, broken)
            return
        check = ModuleCheck(seed.label, own[0], self._sources, self._collector)
        if isinstance(broken, SeedImportFailed):
            self._check_import(seed, broken, own[0])
            check.unimported()
            return
        if seed.plugin is not None:
            check.imported(seed.plugin)
        for problem in broken.problems if broken is not None else ():
            if problem.kind == "option-misfit":
                place = self._in_config("seeds", seed.name, problem.about or "")
            elif problem.kind == "not-registered":
                entry_point = self._target.entry_points.get(seed.label)
                place = Place(own[0].path) if entry_point is None else self._at_key(entry_point)
            elif problem.kind in ("duplicate-seed", "writes-missing"):
                place = Place(own[0].path)
            else:
                continue
            self._collector.report(problem.kind, place, problem.message, problem.hint, seed=seed.label)

    def _check_import(self, seed: Seed, error: SeedImportFailed, source: PythonSource) -> None:
        place = place_of(error.where, self._bases, Place(source.path))
        if place.path.suffix == ".py" and self._sources.of(place.path).error is not None:
            return  # told once, of the file itself
        message = f"seed {seed.label} {error.message}"
        hint = error.hint if error.hint != "run with -v for the traceback" else None
        if place.path.suffix == ".py" and place.column == 1:
            place = self._sources.of(place.path).begin(place.line)
        self._collector.report("import-failed", place, message, hint, seed=seed.label)

    def _check_plugin(self, seed: Seed, error: DiscoveryError) -> None:
        """What is wrong with a plugin's seed whose code is not looked at: of a project, or none that is there."""
        entry_point = self._target.entry_points.get(seed.label)
        place = self._in_config("plugins", "allow") if entry_point is None else self._at_key(entry_point)
        for problem in error.problems:
            kind = _PLUGIN if entry_point is None else kind_of(problem, _PLUGIN)
            self._collector.report(kind, place, f"seed {seed.label}: {problem.message}", problem.hint)

    # The project

    def _check_problem(self, error: DiscoveryError) -> None:
        if isinstance(error, NoSeeds):
            return
        for problem in error.problems:
            kind = kind_of(problem, _PLUGIN) if problem.kind is not None or not self._target.whole else _PLUGIN
            if self._target.entry_points and kind == _PLUGIN:
                kind = "unknown-hook"
            if kind == "unknown-seed":
                if self._target.whole and problem.about not in self._target.beside:
                    place = self._in_config("seeds", problem.about or "")
                    self._collector.report(kind, place, problem.message, problem.hint)
            elif kind == "environment-name":
                self._check_environment(problem)
            else:
                entry_point = self._target.entry_points.get(problem.about or "")
                otherwise = self._in_config("plugins", "allow") if entry_point is None else self._at_key(entry_point)
                if kind == "stray-file" and problem.where is not None:  # a folder, or a link that leads nowhere
                    otherwise = Place(self._config.root / problem.where)
                place = place_of(problem.where, self._bases, otherwise)
                self._collector.report(kind, place, problem.message, problem.hint)

    def _check_environment(self, problem: Problem) -> None:
        where = problem.where or ""
        file, _, constant = where.partition(": ")
        label, place = None, self._in_config()
        if constant:
            source = self._sources.of(self._config.root / file)
            place = source.text_within(source.value_of(constant), problem.about or "") or source.of_name(constant)
            label = self._label_of(source.path)
        elif where.startswith("[seeds."):
            place = self._in_config("seeds", where.removeprefix("[seeds.").partition("]")[0], "environments")
        self._collector.report("environment-name", place, problem.message, problem.hint, seed=label)

    def _check_other_environment(self, config: Config) -> None:
        """What `[env.NAME.seeds.…]` says beside what the chosen environment has."""
        target, at = self._target, ("env", config.env, "seeds")
        for error in unknown_tables(config, target.seeds, target.distributions) if target.whole else ():
            if error.about not in self._config.seeds and error.about not in target.beside:
                place = self._in_config(*at, error.about or "")
                self._collector.report("unknown-seed", place, error.message, error.hint)
        for seed in target.seeds:
            known = {problem.message for problem in _misfits(self._config, seed)}
            for problem in _misfits(config, seed):
                if problem.message not in known:
                    place = self._in_config(*at, seed.name, problem.about or "")
                    self._collector.report("option-misfit", place, problem.message, problem.hint, seed=seed.label)

    def _in_config(self, *key: str) -> Place:
        """The line of a key of the configuration, in the base or in the overlay of an environment."""
        file = self._target.tables or self._target.file
        at = ("tool", "seedframe") if file is not None and file.name == "pyproject.toml" else ()
        return self._at_key((*at, *key), at, file)

    def _at_key(self, wanted: tuple[str, ...], at: tuple[str, ...] = (), file: Path | None = None) -> Place:
        file = file or self._target.file
        if file is None:
            return Place(self._config.root)
        try:
            lines = key_lines(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return Place(file)
        key = wanted[len(at) :]
        overlays = [path for path in lines if path[len(at) : len(at) + 1] == ("env",) and path[len(at) + 2 :] == key]
        exact = next((path for path in (wanted, *overlays) if path in lines), wanted)
        return Place(file, line_of(lines, exact) or 1)

    def _check_requirements(self, seeds: Iterable[Seed]) -> None:
        for seed in seeds:
            source = self._target.sources(seed)[0]
            for error in requirement_problems(seed, self._target.seeds):
                if error.kind == "unknown-requirement" and not self._target.whole:
                    continue
                place = source.text_within(source.value_of("REQUIRES"), error.about or "") or source.of_name("REQUIRES")
                kind = kind_of(error.problems[0], "unknown-requirement")
                self._collector.report(kind, place, error.message, error.hint, seed=seed.label)

    def _check_settings(self) -> None:
        declared = [(seed.name, seed.settings) for seed in self._target.seeds]
        for problem in declaration_problems(declared):
            name = problem.about or ""
            for seed in reversed(self._target.seeds):
                own = self._target.sources(seed)
                if own and any(setting.name == name for setting in seed.settings):
                    place = own[0].text_within(own[0].value_of("SETTINGS"), name) or own[0].of_name("SETTINGS")
                    self._collector.report("setting-conflict", place, problem.message, problem.hint, seed=seed.label)
                    break

    # What is declared

    def _look(self) -> tuple[list[Looked], list[RowsCheck]]:
        elsewhere = Collector()  # what is wrong with a plugin's data is its author's to hear
        looked: list[Looked] = []
        checks: dict[int, RowsCheck] = {}
        with undisturbed():
            for seed in self._target.seeds:
                own = self._target.sources(seed)
                collector = self._collector if own else elsewhere
                each = Looking(self._target.plugins, self._bases, self._config.env, collector).look(seed, own)
                looked.append(each)
                self._check_resources(each)
                checks.update(
                    (id(declared), RowsCheck(declared, self._bases, collector, self._formats))
                    for declared in each.declared
                )
            texts = frozenset(
                text for source in self._files if source.path.name.startswith("_") for text in source.texts
            )
            references = References(looked, checks, self._collector, texts)
            for each in looked:
                for declared in each.declared:
                    checks[id(declared)].run(references.keepers(declared))
            references.check()
        self._check_unused(looked)
        return looked, [checks[id(declared)] for each in looked if each.sources for declared in each.declared]

    def _check_resources(self, looked: Looked) -> None:
        if not looked.sources:
            return
        for name, place in looked.files.items():
            for error in missing(looked.seed, name, self._formats):
                self._collector.report(str(error.kind), place, error.message, error.hint, seed=looked.seed.label)
        rows = {id(declared.rows): declared for declared in looked.declared}
        for resource in looked.resources or ():
            for env in sorted(limited_to(resource) or ()):
                problem = self._config.environment_problem(env, resource.name)
                if problem is not None:
                    declared: Declared | None = rows.get(id(resource))
                    written = declared.call if declared is not None else None
                    place = looked.sources[0].of_name("resources") if written is None else written.of_text(env)
                    self._collector.report(
                        "environment-name", place, problem.message, problem.hint, seed=looked.seed.label
                    )

    def _check_unused(self, looked: Sequence[Looked]) -> None:
        used = set(self._belongs(looked))
        texts = [text for source in self._files for text in source.texts]
        for folder in self._target.folders:
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
                if hidden or path in used or not _DATA.search(path.name) or not path.is_file():
                    continue
                if not any(path.name in text for text in texts):
                    message = "no seed reads this file"
                    self._collector.report("unused-file", Place(path), message, "remove it, or declare its rows")


def _misfits(config: Config, seed: Seed) -> tuple[Problem, ...]:
    """What `[seeds.NAME]` says to a seed, in one environment, that its options do not fit."""
    if seed.options is None:
        return ()
    table = {key: value for key, value in config.seeds.get(seed.name, {}).items() if key not in RESERVED}
    return read_options(seed.options, table, "")[2]
