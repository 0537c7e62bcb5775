"""The proof that a seed converges: planned, applied, in sync; then what it made is disturbed, and repaired."""

import os
import shlex
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from psycopg import Error as ServerError

from seedframe.changes import Change, Counts, Marker, key_text
from seedframe.config_file import has_config
from seedframe.errors import ConfigError, UnknownSeed, UsageError, did_you_mean
from seedframe.markers import hookimpl
from seedframe.migrations import run_migrations
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.plugins import SEED_NAME
from seedframe.project import Project
from seedframe.report import Report, ResourceOutcome
from seedframe.resources.rows import Rows
from seedframe.secrets import Secret
from seedframe.seed import Seed
from seedframe.testing import sql
from seedframe.testing.databases import Database, existing, server_for_tests
from seedframe.testing.runner import Quietly, SeedRunner, names_of, report_text

_LISTED: Final = 100_000
_ROWS_TRIED: Final = 5
_QUIET_ROUNDS: Final = 3
_OVERLAP_S: Final = 60.0


class ConvergenceError(AssertionError):
    """A seed does not keep a promise. Its message names the promise, the place and what the report says.

    Attributes:
        promise: the promise that was broken, as docs/testing.md lists them.
        report: the report that shows it; None where no run came to its end.
    """

    def __init__(self, promise: str, what: str, report: Report | None = None) -> None:
        self.promise = promise
        self.report = report
        text = f"{promise}: {what}"
        super().__init__(text if report is None else f"{text}\n\n{report_text(report)}")


@dataclass(frozen=True, slots=True)
class Mutation:
    """A value that was changed by hand.

    Attributes:
        seed: the seed's label: "20_reference".
        resource: the resource's name: "rows:medications".
        column: the column.
        key: the row.
        before: what was declared, as PostgreSQL's text.
        after: what it was changed to.
    """

    seed: str
    resource: str
    column: str
    key: Mapping[str, str | None]
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What could not be tried, and why. `column` is None where it is the whole resource, or its row."""

    seed: str
    resource: str
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = self.resource if self.column is None else f"{self.resource}.{self.column}"
        return f"seed {self.seed}, {place}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """What was proven.

    Attributes:
        report: of the first apply.
        mutated: managed values that were changed by hand, found by `verify` and repaired by `apply`.
        kept: values of `initial` and `ignore` columns that were changed by hand, and left as they were.
        deleted: resources of which a row was deleted, missed by `verify` and made again by `apply`.
        left_out: what could not be tried.
        unproven: promises that could not be looked into here.
    """

    report: Report
    mutated: tuple[Mutation, ...] = ()
    kept: tuple[Mutation, ...] = ()
    deleted: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unproven: tuple[str, ...] = ()

    def require_complete(self) -> None:
        """Have nothing left out. Errors: AssertionError, with all that was."""
        __tracebackhide__ = True
        missing = [*map(str, self.left_out), *self.unproven]
        assert not missing, "not everything could be tried:\n  " + "\n  ".join(missing)  # noqa: S101 - as a test does


def assert_converges(
    seed: str | Path,
    *,
    database: Database | str | None = None,
    tables: str | Path | None = None,
    migrations: str | Sequence[str] | None = None,
    allow: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    env: str | None = None,
) -> Convergence:
    """Prove that a seed keeps what seedframe promises, on a database that is its own.

    Args:
        seed: the name of an installed plugin's seed (`icd10` or `40_icd10`), or the file of a local one.
        database: an empty database, such as the fixture `seedframe_database`, or its URL; default: a server is started
            for this call.
        tables: SQL that makes the tables, as text or as a file.
        migrations: a command that makes them, run with DATABASE_URL set.
        allow: more plugins to allow, for seeds that this one requires.
        config: tables of seedframe.toml: `{"seeds": {"icd10": {"chapters": ["I"]}}}`. A local seed's project has its
            own file, which is used as it is.
        variables: environment variables for the seed's settings.
        env: the name of the environment.

    Returns:
        What was proven, and what could not be tried.

    Errors: ConvergenceError, an AssertionError, naming the promise that was broken; UnknownSeed, ConfigError,
        ConnectionFailed when there is nothing to begin with.
    """
    __tracebackhide__ = True
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="seedframe-")))
        if database is None:
            server = stack.enter_context(server_for_tests())
            database = stack.enter_context(server.database())
        elif isinstance(database, str):
            database = existing(database)
            stack.callback(database.close)
        runner = SeedRunner(folder, database, dict(variables or {}), env)
        if _is_file(seed):
            name = _local(runner, Path(seed), config)
        else:
            name, distribution = _installed(str(seed))
            runner.configure({"project": {"name": "tests"}, **(config or {})})
            runner.allow(distribution, *allow)
        if tables is not None:
            make_tables(database, tables)
        if migrations is not None:
            migrate(runner, migrations)
        return converge(runner, (name,))


def make_tables(database: Database, tables: str | Path) -> None:
    """Run SQL, given as text or as a file. Errors: ConfigError for a file that is not there; psycopg's."""
    is_file = isinstance(tables, Path) or (tables.endswith(".sql") and "\n" not in tables)
    try:
        text = Path(tables).read_text(encoding="utf-8") if is_file else str(tables)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=f"tables={tables}") from None
    database.execute(text)


def migrate(runner: SeedRunner, command: str | Sequence[str]) -> None:
    """Run a migration command in the runner's folder. Errors: ConfigError, MigrationFailed."""
    words = shlex.split(command) if isinstance(command, str) else tuple(command)
    run_migrations(
        words,
        root=runner.path,
        url=Secret(runner.database.url),
        variables={**os.environ, **runner.variables},
    )


def converge(runner: SeedRunner, seeds: str | Sequence[str]) -> Convergence:
    """Prove it for some seeds of a runner's project, on its database; without names, for all of them.

    What they require is applied before. The database is in sync with them afterwards.

    Errors: ConvergenceError, SeedframeError.
    """
    __tracebackhide__ = True
    return _Proof(runner, names_of(seeds)).go()


# -------------------------------------------------------------------------
# Which seed
# -------------------------------------------------------------------------


def _is_file(seed: str | Path) -> bool:
    return isinstance(seed, Path) or seed.endswith(".py") or "/" in seed


def _local(runner: SeedRunner, file: Path, config: Mapping[str, Any] | None) -> str:
    """Have the runner work in the project that the file is a seed of; the seed's name."""
    file = file.resolve()
    match = SEED_NAME.fullmatch(file.stem if file.is_file() else file.name)
    if match is None or not file.exists():
        raise UnknownSeed(
            "no such seed" if match is not None else "not the name of a seed",
            hint="give the file of a seed, such as seeds/20_reference.py",
            where=str(file),
        )
    runner.seeds_dir = file.parent
    root = next((folder for folder in file.parents if has_config(folder)), None)
    if root is None:
        runner.configure({"project": {"name": "tests"}, **(config or {})})
    elif config:
        raise UsageError("config= is for seeds without a project of their own", where=str(root))
    else:
        runner.path = root
    return match["name"]


def _installed(name: str) -> tuple[str, str]:
    """The seed's name, and the distribution that offers it; nothing is imported."""
    offered: dict[str, EntryPoint] = {}
    for entry_point in entry_points(group="seedframe"):
        match = SEED_NAME.fullmatch(entry_point.name)
        if match is not None and entry_point.dist is not None:
            offered[match["name"]] = offered[entry_point.name] = entry_point
    found = offered.get(name)
    if found is None or found.dist is None:
        raise UnknownSeed(
            f"no installed plugin offers a seed {name!r}",
            hint=did_you_mean(name, offered) or "install it (pip install -e .), or give the file of a local seed",
        )
    match = SEED_NAME.fullmatch(found.name)
    return (match["name"] if match is not None else name), found.dist.name


# -------------------------------------------------------------------------
# The proof
# -------------------------------------------------------------------------

PLANNED: Final = "a dry run plans it"
WROTE_NOTHING: Final = "a dry run writes nothing"
APPLIED: Final = "apply does what was planned"
EMPTY: Final = "after apply, the plan is empty"
UNCHANGED: Final = "a second apply writes none of its rows"
IN_SYNC: Final = "after apply, verify is in sync"
AT_ONCE: Final = "two applies at once are safe"
DETECTED: Final = "a value changed by hand is found"
REPAIRED: Final = "apply repairs what was changed"
LEFT_ALONE: Final = "initial and ignored columns are left alone"
MISSED: Final = "a row that is gone is found"
PROMISES: Final = (
    PLANNED,
    WROTE_NOTHING,
    APPLIED,
    EMPTY,
    UNCHANGED,
    IN_SYNC,
    AT_ONCE,
    DETECTED,
    REPAIRED,
    LEFT_ALONE,
    MISSED,
)


@dataclass(slots=True)
class _Declared:
    """One resource of a seed under proof."""

    seed: str
    resource: Any
    outcome: ResourceOutcome
    table: sql.TableName
    keys: tuple[Mapping[str, str | None], ...]
    managed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.outcome.resource


class _Capture:
    """Keeps the resources that seeds declare, by seed: a wrapper around the hook, as any plugin may have."""

    def __init__(self) -> None:
        self.declared: dict[str, list[Any]] = {}

    @hookimpl(wrapper=True)
    def resources(self, seed: Seed) -> Generator[None, list[list[Any]], list[list[Any]]]:
        results = yield
        self.declared[seed.name] = [each for result in results for each in result]
        return results


class _Proof:
    """One proof over the seeds of one project, on one database."""

    def __init__(self, runner: SeedRunner, names: tuple[str, ...]) -> None:
        self._runner = runner
        self._database = runner.database
        project = runner.load()
        self._chosen = project.choose(Selection(names=names))
        self._names = tuple(seed.name for seed in self._chosen)
        self._env = project.config.env
        self._schema = project.config.database.schema
        self._required = _required(project, self._chosen)
        self._left_out: list[LeftOut] = []
        self._unproven: list[str] = []
        self._tables: dict[tuple[str, str], sql.TableName] = {}

    def go(self) -> Convergence:
        """All of it. Errors: ConvergenceError."""
        __tracebackhide__ = True
        self._prepare()
        planned = self._plan()
        with ExitStack() as stack:
            self._database.close()
            copy = stack.enter_context(self._database.server.database(template=self._database.name))
            report = self._apply(planned)
            self._prove_two_at_once(copy)
        self._prove_settled()
        declared = self._declared(report)
        self._tables = {(one.seed, one.name): one.table for one in declared}
        mutated = self._prove_mutations(declared)
        kept = self._prove_left_alone(declared)
        deleted = self._prove_missing(declared)
        return Convergence(
            report=report,
            mutated=tuple(mutated),
            kept=tuple(kept),
            deleted=tuple(deleted),
            left_out=tuple(self._left_out),
            unproven=tuple(self._unproven),
        )

    # Before, and the first apply

    def _prepare(self) -> None:
        __tracebackhide__ = True
        if self._required:
            report = self._runner.apply(*self._required)
            if report.exit_code:
                raise ConvergenceError("what the seed requires can be applied", _trouble(report), report)

    def _plan(self) -> Report:
        __tracebackhide__ = True
        report = self._dry_run()
        if report.exit_code:
            raise ConvergenceError(PLANNED, _trouble(report), report)
        self._prove_nothing_written()
        return report

    def _prove_nothing_written(self) -> None:
        """Rows, catalog and sequences of this database say so always; transaction ids and WAL, which are the whole
        server's, where it is quiet: what writes does so each time.
        """
        __tracebackhide__ = True
        connection = self._database.connection
        before = sql.contents(connection)
        report, moved = self._dry_run(), ""
        for _ in range(_QUIET_ROUNDS):
            position = self._database.position()
            report = self._dry_run()
            moved = _moved(position, self._database.position())
            if not moved:
                break
        after = sql.contents(connection)
        different = sorted(name for name in before | after if before.get(name) != after.get(name))
        if different:
            raise ConvergenceError(WROTE_NOTHING, f"it changed {', '.join(different)}", report)
        if not moved:
            return
        for _ in range(_QUIET_ROUNDS):
            position = self._database.position()
            time.sleep(max(report.duration_s, 0.05))
            if _moved(position, self._database.position()):
                self._unproven.append(f"{WROTE_NOTHING}: others write to the server, so {moved} tells nothing")
                return
        raise ConvergenceError(WROTE_NOTHING, f"{moved} moved with each of them, on a server that is quiet", report)

    def _apply(self, planned: Report) -> Report:
        __tracebackhide__ = True
        report = self._runner.apply(*self._names, sample=_LISTED)
        if report.exit_code:
            raise ConvergenceError(APPLIED, _trouble(report), report)
        done, foretold = _counts(report), _counts(planned)
        for place in done | foretold:
            if done.get(place) != foretold.get(place):
                what = (
                    f"planned were {foretold.get(place)}, done were {done.get(place)} creations, updates and deletions"
                )
                raise ConvergenceError(APPLIED, f"seed {', '.join(place)}: {what}", report)
        self._require_settled()
        return report

    def _require_settled(self, runner: SeedRunner | None = None, promise: str | None = None) -> None:
        """A plan finds nothing to do, and verify nothing to say."""
        __tracebackhide__ = True
        runner = runner or self._runner
        plan = runner.apply(*self._names, dry_run=True)
        if plan.exit_code or plan.summary.changed:
            raise ConvergenceError(promise or EMPTY, _trouble(plan), plan)
        verified = runner.verify(*self._names)
        if verified.exit_code:
            raise ConvergenceError(promise or IN_SYNC, _trouble(verified), verified)

    def _prove_settled(self) -> None:
        __tracebackhide__ = True
        connection = self._database.connection
        before = self._rows(connection)
        report = self._runner.apply(*self._names)
        if report.exit_code or report.summary.changed:
            raise ConvergenceError(UNCHANGED, _trouble(report), report)
        after = self._rows(connection)
        different = sorted(name for name in before | after if before.get(name) != after.get(name))
        if different:
            raise ConvergenceError(UNCHANGED, f"rows were written in {', '.join(different)}", report)

    def _rows(self, connection: Any) -> dict[str, tuple[Any, ...] | None]:
        found = sql.contents(connection)
        return {name: mark for name, mark in found.items() if not name.startswith(("seedframe.", "(catalog)"))}

    def _prove_two_at_once(self, copy: Database) -> None:
        """The first waits in its transaction until the second has come to wait for its lock."""
        __tracebackhide__ = True
        runner = SeedRunner(self._runner.path, copy, self._runner.variables, self._runner.env, self._runner.seeds_dir)
        options = ApplyOptions(selection=Selection(names=self._names), wait_s=_OVERLAP_S)
        runs = _at_once(runner.load(), runner.load(), options)
        for run in runs:
            if run.error is not None:
                raise ConvergenceError(AT_ONCE, str(run.error)) from run.error
        reports = [run.report for run in runs if run.report is not None]
        changed: set[str] = set()
        for report in reports:
            if report.exit_code:
                raise ConvergenceError(AT_ONCE, f"one of them failed: {_trouble(report)}", report)
            now = {seed.seed for seed in report.seeds if seed.counts.changed}
            if now & changed:
                raise ConvergenceError(AT_ONCE, f"both of them changed rows of {', '.join(now & changed)}", report)
            changed |= now
        self._require_settled(runner, AT_ONCE)

    def _dry_run(self) -> Report:
        return self._runner.apply(*self._names, dry_run=True)

    # What was declared

    def _declared(self, applied: Report) -> list[_Declared]:
        """The resources that have rows to be disturbed, with a few of their rows; the others are noted."""
        __tracebackhide__ = True
        project, capture = self._runner.load(), _Capture()
        project.plugins.register(capture, "seedframe:testing")
        options = VerifyOptions(selection=Selection(names=self._names))
        project.verify(options)
        outcomes = {seed.seed: {each.resource: each for each in seed.resources} for seed in applied.seeds}
        found: list[_Declared] = []
        for seed in self._chosen:
            for resource in capture.declared.get(seed.name, ()):
                outcome = outcomes.get(seed.label, {}).get(resource.name)
                if outcome is None or outcome.changes.skipped_reason is not None:
                    continue
                declared = self._of_rows if isinstance(resource, Rows) else self._of_another
                one = declared(seed.label, resource, outcome)
                if one is not None:
                    found.append(one)
        return found

    def _of_rows(self, seed: str, resource: Rows, outcome: ResourceOutcome) -> _Declared | None:
        shape = resource.shape
        if shape is None:
            return None  # it declares nothing but what must not be there
        table = sql.TableName(shape.table.schema, shape.table.name)
        fields = [declared.name for declared in shape.fields if declared.role != "key"]
        managed = [declared.name for declared in shape.managed]
        there = sql.columns(self._database.connection, table)
        ignored = [name for name in resource.ignored if name in there and name not in fields]
        return self._with_keys(
            _Declared(
                seed,
                resource,
                outcome,
                table,
                (),
                managed=tuple(managed),
                kept=tuple(name for name in [*fields, *ignored] if name not in managed),
                conditions=resource.conditions,
            ),
            tuple(declared.name for declared in shape.key),
        )

    def _of_another(self, seed: str, resource: Any, outcome: ResourceOutcome) -> _Declared | None:
        """Of a kind that says which table it writes, and whose changes are of its rows, a row may go missing."""
        created = [change for change in outcome.changes.sample if change.action == "create"]
        if len(resource.tables) != 1 or not created:
            return None
        connection = self._database.connection
        table = sql.find_table(connection, resource.tables[0], (self._schema, "public"))
        names = tuple(name for name in created[0].key)
        if table is None or not set(names) <= sql.columns(connection, table):
            return None
        kind = type(resource).__name__
        self._left_out.append(LeftOut(seed, resource.name, None, f"which columns {kind} manages is not known"))
        return self._with_keys(_Declared(seed, resource, outcome, table, ()), names)

    def _with_keys(self, declared: _Declared, names: tuple[str, ...]) -> _Declared | None:
        """Some of its rows, as they were reported; where a part of the key was not, as they are in the table."""
        changes = declared.outcome.changes
        reported = [change.key for change in changes.sample if change.action in ("create", "update")]
        plain = [{name: cell for name, cell in key.items() if not isinstance(cell, Marker)} for key in reported]
        keys = [key for key in plain if key.keys() == set(names)]
        total = changes.counts.create + changes.counts.update + changes.counts.unchanged
        connection = self._database.connection
        reason = "it declares no rows" if not total else "which rows of the table are its own is not known"
        if not keys and total and sql.count(connection, declared.table) == total:
            keys = sql.keys(connection, declared.table, names, limit=_ROWS_TRIED)
        if not keys:
            self._left_out.append(LeftOut(declared.seed, declared.name, None, reason))
            return None
        # The first are often parents of many, the last of none.
        some = [*keys[:_ROWS_TRIED], *keys[_ROWS_TRIED:][: -_ROWS_TRIED - 1 : -1]]
        return replace(declared, keys=tuple(some))

    # Disturbing it

    def _prove_mutations(self, declared: Sequence[_Declared]) -> list[Mutation]:
        __tracebackhide__ = True
        done = [each for one in declared for name in one.managed if (each := self._mutate(one, name)) is not None]
        if not done:
            return []
        report = self._runner.verify(*self._names, sample=_LISTED)
        for each in done:
            found = _change(report, each.seed, each.resource, each.key, "update", each.column)
            if found is None or each.column not in (found.before or {}):
                raise ConvergenceError(DETECTED, f"{_place(each)}: verify does not name the column", report)
        if report.exit_code == 0:
            raise ConvergenceError(DETECTED, "verify says that all is in sync", report)
        self._repair(REPAIRED)
        for each in done:
            now = self._column(each, None).text()
            if now != each.before:
                raise ConvergenceError(REPAIRED, f"{_place(each)}: it is {now!r} afterwards")
        return done

    def _prove_left_alone(self, declared: Sequence[_Declared]) -> list[Mutation]:
        __tracebackhide__ = True
        done = [each for one in declared for name in one.kept if (each := self._mutate(one, name)) is not None]
        if not done:
            return []
        for report in (self._runner.verify(*self._names), self._dry_run()):
            for seed in report.seeds:
                for resource in seed.resources:
                    if resource.changes.counts.changed:
                        columns = ", ".join(each.column for each in done if each.resource == resource.resource)
                        raise ConvergenceError(LEFT_ALONE, f"{resource.resource}: {columns} changed by hand", report)
        applied = self._runner.apply(*self._names)
        for each in done:
            if self._column(each, None).text() != each.after:
                raise ConvergenceError(LEFT_ALONE, f"{_place(each)}: apply wrote it", applied)
        if applied.exit_code:
            # The seed's own verify may demand something of them; then the promise was kept as far as could be seen.
            self._left_out += [
                LeftOut(each.seed, each.resource, each.column, f"apply refuses what was put there: {_trouble(applied)}")
                for each in done
            ]
        connection = self._database.connection
        for each in reversed(done):
            with connection.transaction():
                self._column(each, None).put(each.before)
        self._require_settled(promise=LEFT_ALONE)
        return done if not applied.exit_code else []

    def _prove_missing(self, declared: Sequence[_Declared]) -> list[str]:
        __tracebackhide__ = True
        gone = [(one, key) for one in reversed(declared) if (key := self._delete(one)) is not None]
        if not gone:
            return []
        report = self._runner.verify(*self._names, sample=_LISTED)
        for one, key in gone:
            if _change(report, one.seed, one.name, key, "create", None) is None:
                raise ConvergenceError(MISSED, f"seed {one.seed}, {one.name}, row {key_text(key)}", report)
        if report.exit_code == 0:
            raise ConvergenceError(MISSED, "verify says that all is in sync", report)
        self._repair(REPAIRED)
        for one, key in gone:
            if not sql.is_there(self._database.connection, one.table, key):
                raise ConvergenceError(REPAIRED, f"seed {one.seed}, {one.name}: row {key_text(key)} is not made again")
        return [one.name for one, _ in reversed(gone)]

    def _mutate(self, declared: _Declared, name: str) -> Mutation | None:
        """Change one value by hand, in the first row that allows it; noted where none does."""
        connection, reason = self._database.connection, ""
        for key in declared.keys:
            try:
                with connection.transaction():
                    sql.at_once(connection)
                    column = sql.Column(connection, declared.table, name, key, condition=declared.conditions.get(name))
                    before, after = column.change()
                return Mutation(declared.seed, declared.name, name, key, before, after)
            except sql.NotPossible as error:
                reason = reason or str(error)
            except ServerError as error:
                reason = reason or error.diag.message_primary or str(error)
        self._left_out.append(LeftOut(declared.seed, declared.name, name, reason))
        return None

    def _delete(self, declared: _Declared) -> Mapping[str, str | None] | None:
        connection, reason = self._database.connection, ""
        # One that nobody refers to, if there is such a one.
        for referring in (False, True):
            for key in declared.keys:
                try:
                    with connection.transaction():
                        sql.at_once(connection)
                        sql.delete_row(connection, declared.table, key, referring=referring)
                        return key
                except sql.NotPossible as error:
                    reason = str(error)
                except ServerError as error:
                    reason = error.diag.message_primary or str(error)
        self._left_out.append(LeftOut(declared.seed, declared.name, None, f"no row can be deleted: {reason}"))
        return None

    def _column(self, mutation: Mutation, condition: str | None) -> sql.Column:
        table = self._tables[mutation.seed, mutation.resource]
        return sql.Column(self._database.connection, table, mutation.column, mutation.key, condition=condition)

    def _repair(self, promise: str) -> None:
        __tracebackhide__ = True
        report = self._runner.apply(*self._names)
        if report.exit_code:
            raise ConvergenceError(promise, _trouble(report), report)
        self._require_settled(promise=promise)


def _required(project: Project, chosen: Sequence[Seed]) -> tuple[str, ...]:
    """The names of what the chosen seeds require, theirs included, less themselves."""
    by_name = {name: seed for seed in project.seeds for name in (seed.name, seed.label)}
    own = {seed.name for seed in chosen}
    found: dict[str, None] = {}
    waiting = [name for seed in chosen for name in seed.requires]
    while waiting:
        seed = by_name.get(waiting.pop())
        if seed is not None and seed.name not in own and seed.name not in found:
            found[seed.name] = None
            waiting += seed.requires
    return tuple(found)


# -------------------------------------------------------------------------
# Two at once
# -------------------------------------------------------------------------


class _First(Quietly):
    """Stands still in its transaction, when it has planned something, until the other waits."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.go_on = threading.Event(), threading.Event()

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:  # noqa: ARG002 - the observer's
        self.inside.set()
        self.go_on.wait(_OVERLAP_S / 2)


class _Second(Quietly):
    """Tells the other when it waits."""

    def __init__(self, first: _First) -> None:
        super().__init__()
        self._first = first

    def waiting(self, what: str) -> None:  # noqa: ARG002 - the observer's
        self._first.go_on.set()


class _Running(threading.Thread):
    """A run in a thread of its own: its report, or what it raised."""

    def __init__(self, run: Callable[[], Report], ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._run, self._ended = run, ended
        self.report: Report | None = None
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self.report = self._run()
        except Exception as error:  # noqa: BLE001 - it is raised where the threads are joined
            self.error = error
        finally:
            self._ended.set()


def _at_once(first: Project, second: Project, options: ApplyOptions) -> tuple[_Running, _Running]:
    ahead = _First()

    def follow() -> Report:
        ahead.inside.wait(_OVERLAP_S)
        return second.apply(options, _Second(ahead))

    runs = _Running(lambda: first.apply(options, ahead), ahead.inside), _Running(follow, ahead.go_on)
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    return runs


# -------------------------------------------------------------------------
# Reading reports
# -------------------------------------------------------------------------


def _change(
    report: Report, seed: str, resource: str, key: Mapping[str, str | None], action: str, column: str | None
) -> Change | None:
    """The change of a row, and of a column of it, that the report has."""
    for outcome in report.seeds:
        for each in outcome.resources if outcome.seed == seed else ():
            for change in each.changes.sample if each.resource == resource else ():
                same = all(isinstance(cell, Marker) or key.get(name) == cell for name, cell in change.key.items())
                if same and change.action == action and (column is None or column in (change.before or {})):
                    return change
    return None


def _trouble(report: Report) -> str:
    """What is wrong, in a line."""
    if report.error is not None:
        return str(report.error)
    for seed in report.seeds:
        if seed.error is not None:
            return f"seed {seed.seed}: {seed.error}"
        for finding in seed.findings:
            if finding.severity == "error":
                return f"seed {seed.seed}: {finding.text}"
    for seed in report.seeds:
        for resource in seed.resources:
            if resource.changes.counts.changed:
                return f"seed {seed.seed}, {resource.resource}: {_counts_of(resource.changes.counts)}"
    return f"the status is {report.status.value}"


def _counts_of(counts: Counts) -> str:
    return f"{counts.create} to create, {counts.update} to update, {counts.delete} to delete"


def _counts(report: Report) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {
        (seed.seed, each.resource): (each.changes.counts.create, each.changes.counts.update, each.changes.counts.delete)
        for seed in report.seeds
        for each in seed.resources
    }


def _moved(before: tuple[str, str], after: tuple[str, str]) -> str:
    what = ("transaction ids", "the WAL")
    return " and ".join(name for name, was, now in zip(what, before, after, strict=True) if was != now)


def _place(mutation: Mutation) -> str:
    row = key_text(mutation.key)
    change = f"{mutation.before!r} to {mutation.after!r}"
    return f"seed {mutation.seed}, {mutation.resource}, row {row}, column {mutation.column} ({change})"
