"""What seeds declare, as far as it can be known without a database, and where in their code that is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from seedframe.errors import BadData, DeclarationError, Problem, SeedframeError
from seedframe.linting.calls import Call, NotWritten, call_of, calls_in
from seedframe.linting.found import Collector, Place
from seedframe.linting.modules import kind_of, place_of
from seedframe.linting.python_source import PythonSource
from seedframe.loading.own_files import OwnFiles
from seedframe.plugins.manager import SeedManager
from seedframe.resources.repeated import declared_twice
from seedframe.secrecy.tracebacks import describe
from seedframe.seed import Seed
from seedframe.seeding.hooks import asks_for, call, has_hook

if TYPE_CHECKING:
    from seedframe.resources.protocol import Resource
    from seedframe.resources.rows import Rows
    from seedframe.sources.formats import FileFormat

_ROWS: Final = "Rows"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """One `Rows` of a seed.

    Attributes:
        call: the call that made it, where it is found.
        place: of that call, else of the hook.
        certain: False where it is written in code that was not run.
    """

    seed: Seed
    rows: "Rows"
    call: Call | None
    place: Place
    certain: bool = True


@dataclass(frozen=True, kw_only=True)
class Looked:
    """One seed as it was looked at.

    Attributes:
        sources: its own files, the one with the hooks first; empty for a plugin's.
        declared: the rows that it declares.
        resources: all resources; None where they are not known.
        unknown: why they are not.
        files: names of data files that are written in code that was not run, each with its place.
    """

    seed: Seed
    sources: tuple[PythonSource, ...]
    declared: tuple[Declared, ...] = ()
    resources: "tuple[Resource, ...] | None" = None
    unknown: str | None = None
    files: Mapping[str, Place] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """True where all that it declares is known."""
        return self.resources is not None


class Looking:
    """Looks at what seeds declare.

    Args:
        plugins: the manager that the usable seeds are registered with.
        bases: what paths in errors are relative to.
        env: the name of the environment.
    """

    def __init__(self, plugins: SeedManager, bases: Sequence[Path], env: str, collector: Collector) -> None:
        self._plugins = plugins
        self._bases = bases
        self._env = env
        self._collector = collector

    def look(self, seed: Seed, sources: tuple[PythonSource, ...]) -> Looked:
        """What one seed declares; what is wrong with that is reported."""
        calls = [call for source in sources for call in calls_in(source)]
        unknown = self._why_unknown(seed)
        resources: tuple[Resource, ...] | None = None
        if unknown is None:
            resources = self._call(seed, sources, calls)
        if resources is None:
            declared, files = self._written(seed, calls) if sources else ((), {})
            return Looked(seed=seed, sources=sources, declared=declared, unknown=unknown, files=files)
        found = list(_with_calls(resources, calls))
        self._check_names(seed, found, sources)
        declared = tuple(
            Declared(seed=seed, rows=rows, call=written, place=self._place(written, sources))
            for each, written in found
            for rows in _rows(each)
        )
        return Looked(seed=seed, sources=sources, declared=declared, resources=resources)

    def _why_unknown(self, seed: Seed) -> str | None:
        if seed.plugin is None or self._plugins.get_plugin(f"seed:{seed.name}") is not seed.plugin:
            return "the seed is broken"
        needed = sorted(asks_for(seed, "resources") & {"db", "settings"})
        if needed:
            return f"`resources` asks for {' and '.join(needed)}"
        problems = seed.broken.problems if seed.broken is not None else ()
        if any(problem.kind == "option-misfit" for problem in problems):
            return "its options do not fit"
        lacking = [repr(option.name) for option in seed.options or () if option.name not in seed.config]
        if lacking and has_hook(seed, "resources"):
            which = f"option {lacking[0]}" if len(lacking) == 1 else f"options {', '.join(lacking)}"
            line = f"{lacking[0][1:-1]} = …"
            return (
                f"`resources` was not called, as only a project sets {which}; give values to be tried under"
                f" [tool.seedframe.seeds.{seed.name}] in pyproject.toml: {line}"
            )
        return None

    def _call(self, seed: Seed, sources: tuple[PythonSource, ...], calls: list[Call]) -> "tuple[Resource, ...] | None":
        if not has_hook(seed, "resources"):
            return ()
        # One that is limited to other environments is asked what it declares there.
        env = self._env if seed.runs_in(self._env) else min(seed.environments or {self._env})
        try:
            return tuple(call(seed, self._plugins, "resources", db=None, settings=None, env=env))
        except SeedframeError as error:
            own = self._plugins.own_files(seed.plugin)
            for problem in error.problems:
                self._failed(seed, problem, error, own, sources, calls)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever a seed raises, the others are looked at
            problem = Problem("hook_failed", f"`resources` of seed {seed.label} failed: {describe(error)}")
            self._failed(seed, problem, error, self._plugins.own_files(seed.plugin), sources, calls)
        return None

    def _failed(
        self,
        seed: Seed,
        problem: Problem,
        error: BaseException,
        own: OwnFiles,
        sources: tuple[PythonSource, ...],
        calls: list[Call],
    ) -> None:
        hook = self._place(None, sources)
        place = place_of(own.raised_at(error), self._bases, hook)
        if problem.where != seed.origin:
            place = place_of(problem.where, self._bases, place)
        if (place.path, place.line) == (hook.path, hook.line):
            place = hook  # whose column is known
        around = min((call for call in calls if _covers(call, place)), key=_lines, default=None)
        if around is not None and isinstance(error, DeclarationError):
            place = around.of_text(problem.about) if problem.about else around.place
        elif place.column == 1:
            place = next((source.begin(place.line) for source in sources if source.path == place.path), place)
        self._collector.report(
            kind_of(problem, "resources-failed"), place, problem.message, problem.hint, seed=seed.label
        )

    @staticmethod
    def _place(written: Call | None, sources: tuple[PythonSource, ...]) -> Place:
        if written is not None:
            return written.place
        return sources[0].of_name("resources") if sources else Place(Path())

    def _check_names(
        self, seed: Seed, found: "Iterable[tuple[Resource, Call | None]]", sources: tuple[PythonSource, ...]
    ) -> None:
        if not sources:
            return
        written = {id(each): call for each, call in found}
        for resource, error in declared_twice([each for each, _ in found], seed.label, seed.origin):
            place = self._place(written[id(resource)], sources)
            self._collector.report("duplicate-resource", place, error.message, error.hint, seed=seed.label)

    def _written(self, seed: Seed, calls: list[Call]) -> tuple[tuple[Declared, ...], Mapping[str, Place]]:
        """What is written out in code that was not run."""
        declared: list[Declared] = []
        files: dict[str, Place] = {}
        for each in calls:
            if each.name == _ROWS:
                try:
                    rows = _made(each)
                except NotWritten:
                    pass
                except SeedframeError as error:
                    for problem in error.problems:
                        place = each.of_text(problem.about) if problem.about else each.place
                        kind = kind_of(problem, "declaration")
                        self._collector.report(kind, place, problem.message, problem.hint, seed=seed.label)
                    continue
                else:
                    declared.append(Declared(seed=seed, rows=rows, call=each, place=each.place, certain=False))
                    continue
            try:
                file = each.says("file")
            except NotWritten:
                continue
            if isinstance(file, str):
                files.setdefault(file, each.of_argument("file"))
        return tuple(declared), files


def _rows(resource: object) -> "Iterator[Rows]":
    """The resource, if it is a `Rows`."""
    if _is_rows(resource):
        rows: Any = resource
        yield rows


def _is_rows(resource: object) -> bool:
    # By its class's name first: a project without rows need not load what Rows stands on.
    if type(resource).__module__.partition(".")[0] != "seedframe" and _ROWS not in {
        each.__name__ for each in type(resource).__mro__
    }:
        return False
    from seedframe.resources.rows import Rows

    return isinstance(resource, Rows)


def _made(written: Call) -> "Rows":
    from seedframe.resources.rows import Rows

    node = written.node
    if len(node.args) != 1 or any(keyword.arg is None for keyword in node.keywords):
        raise NotWritten
    given: dict[str, Any] = {str(keyword.arg): written.says(str(keyword.arg)) for keyword in node.keywords}
    try:
        return Rows(written.says("table"), **given)
    except (TypeError, AttributeError):
        raise NotWritten from None


def _with_calls(resources: "Iterable[Resource]", calls: list[Call]) -> "Iterator[tuple[Resource, Call | None]]":
    """Each resource with the call that made it; a call in a loop makes several."""
    unused = list(calls)
    for resource in resources:
        written = _call_for(resource, unused)
        if written is None:
            written = _call_for(resource, calls)
        else:
            unused.remove(written)
        yield resource, written


def _call_for(resource: "Resource", calls: list[Call]) -> Call | None:
    """The call that made a resource, by what both say."""
    if not _is_rows(resource):
        return call_of(calls, type(resource).__name__, {})
    rows: Any = resource
    says = {"table": rows.table, "file": rows.file, "key": rows.spec.key}
    name = rows.name.removeprefix("rows:")
    says["name"] = name if name != rows.table else None
    return call_of(calls, _ROWS, says)


def _covers(written: Call, place: Place) -> bool:
    node = written.node
    return written.source.path == place.path and node.lineno <= place.line <= (node.end_lineno or node.lineno)


def _lines(written: Call) -> int:
    return (written.node.end_lineno or written.node.lineno) - written.node.lineno


def shown_file(seed: Seed, name: str) -> Path | None:
    """Where a data file of a seed is on disk; None where it is in an archive."""
    try:
        path = seed.files.joinpath(*PurePosixPath(name).parts) if seed.files is not None else None
    except (OSError, ValueError):
        return None
    return path if isinstance(path, Path) else None


def missing(seed: Seed, name: str, formats: "Mapping[str, FileFormat]") -> Iterator[BadData]:
    """Why a data file cannot be opened; nothing where it can."""
    from seedframe.sources.files import open_file

    if seed.files is None:
        return
    try:
        records = open_file(seed.files, name, shown=name, formats=formats)
        close = getattr(records.blocks, "close", None)
        if close is not None:
            close()
    except BadData as error:
        if error.kind in ("missing-file", "file-outside", "file-format"):
            yield error
