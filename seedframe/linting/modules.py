"""The modules of seeds held against the contract, by the judge that every command has, with exact places."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from seedframe.errors import Problem
from seedframe.linting.found import Collector, Place
from seedframe.linting.python_source import PythonSource, PythonSources
from seedframe.linting.rules import BY_NAME
from seedframe.linting.stand_in import stand_in
from seedframe.loading.contract import hook_mistakes, read_constants

_WHERE: Final = re.compile(r"(?P<file>.*?)(?::(?P<line>\d+))?(?::(?P<column>\d+))?(?:, (?!.*[/\\]).*)?", re.DOTALL)

# Of errors that have no kind of their own, by their code.
KINDS: Final = {
    "seed_import": "import-failed",
    "hook": "unknown-hook",
    "requirement": "unknown-requirement",
    "config": "settings",
    "bad_data": "malformed-file",
    "declaration": "declaration",
    "hook_failed": "resources-failed",
}


def kind_of(problem: Problem, otherwise: str) -> str:
    """The name of the rule that a mistake breaks."""
    if problem.kind in BY_NAME:
        return str(problem.kind)
    return KINDS.get(problem.code, otherwise)


def place_of(where: str | None, bases: Sequence[Path], otherwise: Place) -> Place:
    """The place that an error names, as `seeds/x.csv:12:3`; another where it names no file that is there.

    Args:
        where: as the error has it.
        bases: folders that its path may be relative to.
        otherwise: where it names no such file.
    """
    match = _WHERE.fullmatch(where or "")
    if match is None or not match["file"]:
        return otherwise
    for base in bases:
        path = base / match["file"]
        try:
            if path.is_file():
                return Place(path, int(match["line"] or 1), int(match["column"] or 1))
        except (OSError, ValueError):
            pass  # no name that a file can have
    return otherwise


class ModuleCheck:
    """The module of one seed.

    Args:
        seed: its label.
        source: its file.
    """

    def __init__(self, seed: str, source: PythonSource, sources: PythonSources, collector: Collector) -> None:
        self._seed = seed
        self._source = source
        self._sources = sources
        self._collector = collector

    def imported(self, plugin: object) -> None:
        """Hold what was imported against the contract."""
        self._report(plugin, lambda _: False)

    def unimported(self) -> None:
        """Hold what is written there against it, as far as that can be told of a module that is not imported."""
        module = stand_in(self._source)
        if module is None:
            return
        others = {name for name in ("check", "*") if self._is_imported(name)}
        self._report(
            module,
            lambda kind: kind == "no-hook" or (kind == "apply-without-check" and bool(others)),
        )

    def _is_imported(self, name: str) -> bool:
        return any(
            isinstance(node, ast.ImportFrom) and any(name in (alias.asname, alias.name) for alias in node.names)
            for node in self._source.nodes
        )

    def _report(self, plugin: object, leave_out: Callable[[str | None], bool]) -> None:
        for problem in self._problems(plugin):
            if leave_out(problem.kind):
                continue
            place = place_of(problem.where, (Path(),), Place(self._source.path))
            kind = kind_of(problem, "constant-value")
            self._collector.report(kind, place, problem.message, problem.hint, seed=self._seed)

    def _problems(self, plugin: object) -> Iterator[Problem]:
        yield from hook_mistakes(plugin, self._where)
        yield from read_constants(plugin, self._where)[1]

    def _where(self, thing: object, argument: str | None = None, /) -> str:
        place = self._place(thing, argument)
        return f"{place.path}:{place.line}:{place.column}"

    def _place(self, thing: object, argument: str | None) -> Place:
        if isinstance(thing, str):
            return self._source.of_name(thing)
        code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) else None
        if code is None or isinstance(thing, ModuleType):
            return Place(self._source.path)
        path = Path(code.co_filename)
        if not path.is_file():
            return Place(self._source.path)
        return self._sources.of(path).of_function(code.co_firstlineno, argument)
