"""The proof itself: a seed is planned, applied, in sync; then what it made is disturbed, and repaired."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from psycopg import Error as ServerError

from seedframe.changes import Change, Marker, key_text
from seedframe.markers import hookimpl
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.project import Project
from seedframe.report import Report, ResourceOutcome
from seedframe.resources.built_in import is_built_in
from seedframe.resources.extension import Extension
from seedframe.resources.rows import Rows
from seedframe.resources.tables import Tables
from seedframe.secrecy.masking import hide, one_command
from seedframe.seed import Seed
from seedframe.testing import sql
from seedframe.testing.at_once import OVERLAP_S, at_once
from seedframe.testing.databases import Database
from seedframe.testing.fresh_process import trouble_elsewhere
from seedframe.testing.outcome import (
    APPLIED,
    AT_ONCE,
    DETECTED,
    EMPTY,
    IN_SYNC,
    LEFT_ALONE,
    MISSED,
    NO_MORE,
    PLANNED,
    REPAIRED,
    UNCHANGED,
    WROTE_NOTHING,
    Convergence,
    ConvergenceError,
    LeftOut,
    Mutation,
)
from seedframe.testing.own_truths import Truths
from seedframe.testing.quietly import Quietly
from seedframe.testing.report_reading import change_of, counts_by_place, trouble
from seedframe.testing.rewriting import RightRows
from seedframe.testing.runner import ProjectRunner
from seedframe.testing.sets import uses_sets
from seedframe.testing.taken_back import take_back
from seedframe.testing.trials import Trials

_LISTED: Final = 100_000
_ROWS_TRIED: Final = 5
_QUIET_ROUNDS: Final = 3
_Cell = TypeVar("_Cell")


def converge(runner: ProjectRunner, seeds: tuple[str, ...], breaking: Sequence[str]) -> Convergence:
    """Prove it for some seeds of a runner's project, on its database; without names, for all of them.

    What they require is applied before. The database is in sync with them afterwards.

    Args:
        breaking: statements, after each of which the `verify` of a seed's own has to find something.

    Errors: ConvergenceError, SeedframeError.
    """
    __tracebackhide__ = True
    with one_command():  # what the runs hide stays hidden until the end, in what is said of them
        return _Proof(runner, seeds, breaking).go()


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
    deletable: tuple[Mapping[str, str | None], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """What its changes call a column that has another name."""

    @property
    def name(self) -> str:
        return self.outcome.resource


@dataclass(frozen=True, slots=True)
class _Seen:
    """A table of which a resource tells by no declaration what it writes there; which rows, where `keys` are known."""

    seed: str
    resource: str
    table: sql.TableName
    keys: tuple[Mapping[str, str | None], ...] = ()


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

    def __init__(self, runner: ProjectRunner, names: tuple[str, ...], breaking: Sequence[str]) -> None:
        self._runner = runner
        self._breaking = (breaking,) if isinstance(breaking, str) else tuple(breaking)
        self._database = runner.database
        # Before any code of the seed has run, so that what it does only once is seen as well.
        self._untouched = sql.contents(self._database.connection)
        project = runner.load()
        self._chosen = project.choose(Selection(names=names))
        self._names = tuple(seed.name for seed in self._chosen)
        self._truths = Truths(runner, self._names, self._chosen)
        self._search_path = (project.config.database.schema, "public")
        self._required = _required(project, self._chosen)
        self._left_out: list[LeftOut] = []
        self._unproven: list[str] = []
        self._since = 0
        self._given: frozenset[sql.Given] = frozenset()
        self._at_first: dict[str, list[Any]] = {}
        self._declared_tables: dict[str, set[tuple[str, str]]] = {}
        self._seen: list[_Seen] = []
        self._extensions: list[tuple[str, Extension, ResourceOutcome]] = []
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
        self._prove_elsewhere()
        declared = self._declared(report)
        trials = Trials(self._runner, self._names, self._search_path, self._require_repaired, self._since)
        trials.of_checks(self._chosen, report, self._declared_tables)
        taken_back = self._try_seen(trials, declared)
        self._left_out += trials.left_out
        self._tables = {(one.seed, one.name): one.table for one in declared}
        mutated = [*trials.mutated, *self._prove_mutations(declared)]
        kept = self._prove_left_alone(declared)
        deleted = [*self._prove_missing(declared), *trials.deleted, *taken_back, *self._prove_extensions()]
        self._truths.try_broken(self._breaking)
        self._truths.try_without_rows(self._since)
        self._note_untried(mutated, deleted)
        return Convergence(
            report=report,
            mutated=tuple(mutated),
            kept=tuple(kept),
            deleted=tuple(name for _, name in deleted),
            left_out=(*self._left_out, *self._truths.left_out),
            unproven=tuple(self._unproven),
        )

    # Before, and the first apply

    def _prepare(self) -> None:
        __tracebackhide__ = True
        different = self._different(self._untouched)
        if different:
            raise ConvergenceError(WROTE_NOTHING, f"that it was loaded changed {different}")
        if self._required:
            report = self._runner.apply(*self._required)
            if report.exit_code:
                raise ConvergenceError("what the seed requires can be applied", trouble(report), report)

    def _plan(self) -> Report:
        __tracebackhide__ = True
        before = sql.contents(self._database.connection)
        report = self._dry_run()
        if report.exit_code:
            raise ConvergenceError(PLANNED, trouble(report), report)
        self._runner.verify(*self._names)  # which finds much to say, and has to write as little
        self._prove_nothing_written(before)
        return report

    def _prove_nothing_written(self, before: sql.Contents) -> None:
        """Rows, catalog and sequences of this database say so always; transaction ids and WAL, which are the whole
        server's, where it is quiet: what writes does so each time.
        """
        __tracebackhide__ = True
        report, moved = self._dry_run(), ""
        for _ in range(_QUIET_ROUNDS):
            position = self._database.position()
            report = self._dry_run()
            moved = _moved(position, self._database.position())
            if not moved:
                break
        different = self._different(before)
        if different:
            raise ConvergenceError(WROTE_NOTHING, f"it changed {different}", report)
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
        self._since = sql.transaction_id(self._database.connection)
        self._given = sql.given(self._database.connection)
        project, capture = self._runner.load(), _Capture()
        project.plugins.register(capture, "seedframe:testing")
        report = project.apply(ApplyOptions(selection=Selection(names=self._names), sample=_LISTED), Quietly())
        self._at_first = capture.declared
        if report.exit_code:
            raise ConvergenceError(APPLIED, trouble(report), report)
        done, foretold = counts_by_place(report), counts_by_place(planned)
        for place in done | foretold:
            if done.get(place) != foretold.get(place):
                what = (
                    f"planned were {foretold.get(place)}, done were {done.get(place)} creations, updates and deletions"
                )
                raise ConvergenceError(APPLIED, f"seed {', '.join(place)}: {what}", report)
        self._require_settled()
        return report

    def _require_settled(self, runner: ProjectRunner | None = None, promise: str | None = None) -> None:
        """A plan finds nothing to do, and verify nothing to say."""
        __tracebackhide__ = True
        runner = runner or self._runner
        before = sql.contents(runner.database.connection)
        plan = runner.apply(*self._names, dry_run=True)
        if plan.exit_code or plan.summary.changed:
            raise ConvergenceError(promise or EMPTY, trouble(plan), plan)
        verified = runner.verify(*self._names)
        if verified.exit_code:
            raise ConvergenceError(promise or IN_SYNC, trouble(verified), verified)
        different = self._different(before, runner.database)
        if different:
            raise ConvergenceError(WROTE_NOTHING, f"it or verify, after apply, changed {different}", verified)

    def _require_repaired(self, runner: ProjectRunner) -> None:
        __tracebackhide__ = True
        self._require_settled(runner, REPAIRED)

    def _different(self, before: sql.Contents, database: Database | None = None) -> str:
        """What was written since, for a message; empty for nothing."""
        after = sql.contents((database or self._database).connection)
        return ", ".join(sorted(name for name in before | after if before.get(name) != after.get(name)))

    def _prove_elsewhere(self) -> None:
        """Others will run it in processes of their own: nothing of it may hang on this one."""
        __tracebackhide__ = True
        before = sql.contents(self._database.connection)
        told = trouble_elsewhere(self._runner, self._names, sets=uses_sets(self._chosen))
        if told is not None:
            what = f"in a process of its own ({told.place}): {told.trouble}"
            raise ConvergenceError(EMPTY, f"{what}\n\n{told.text}".rstrip())
        different = self._different(before)
        if different:
            raise ConvergenceError(WROTE_NOTHING, f"in a process of its own it changed {different}")

    def _prove_settled(self) -> None:
        __tracebackhide__ = True
        connection = self._database.connection
        before = self._rows(connection)
        report = self._runner.apply(*self._names)
        if report.exit_code or report.summary.changed:
            raise ConvergenceError(UNCHANGED, trouble(report), report)
        after = self._rows(connection)
        different = sorted(name for name in before | after if before.get(name) != after.get(name))
        if different:
            raise ConvergenceError(UNCHANGED, f"it changed {', '.join(different)}", report)

    def _rows(self, connection: Any) -> dict[str, tuple[Any, ...] | None]:
        found = sql.contents(connection)
        return {name: mark for name, mark in found.items() if not name.startswith(sql.OWN)}

    def _prove_two_at_once(self, copy: Database) -> None:
        """The first waits in its transaction until the second has come to wait for its lock."""
        __tracebackhide__ = True
        runner = ProjectRunner(
            self._runner.path, copy, self._runner.variables, self._runner.env, self._runner.seeds_dir
        )
        options = ApplyOptions(selection=Selection(names=self._names), wait_s=OVERLAP_S)
        runs = at_once(runner.load(), runner.load(), options)
        for run in runs:
            if run.error is not None:
                raise ConvergenceError(AT_ONCE, str(run.error)) from run.error
        reports = [run.report for run in runs if run.report is not None]
        changed: set[str] = set()
        for report in reports:
            if report.exit_code:
                raise ConvergenceError(AT_ONCE, f"one of them failed: {trouble(report)}", report)
            now = {seed.seed for seed in report.seeds if seed.counts.changed}
            if now & changed:
                raise ConvergenceError(AT_ONCE, f"both of them changed rows of {', '.join(now & changed)}", report)
            changed |= now
        self._require_settled(runner, AT_ONCE)

    def _dry_run(self) -> Report:
        return self._runner.apply(*self._names, dry_run=True)

    def _note_untried(self, mutated: Sequence[Mutation], deleted: Sequence[tuple[str, str]]) -> None:
        """A seed of which nothing was changed by hand is not proven."""
        tried = {*(each.seed for each in mutated), *(seed for seed, _ in deleted)}
        tried |= {each.seed for each in self._left_out}
        for seed in self._chosen:
            if seed.label not in tried:
                self._left_out.append(
                    LeftOut(seed.label, "", None, "nothing of it was tried: it declared no rows here")
                )

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
                for name in resource.tables:
                    self._declared_tables.setdefault(name, set()).add((seed.label, resource.name))
                outcome = outcomes.get(seed.label, {}).get(resource.name)
                reason = "the first apply did not have it" if outcome is None else outcome.changes.skipped_reason
                if outcome is None or reason is not None:
                    self._left_out.append(LeftOut(seed.label, resource.name, None, f"not tried: {reason}"))
                    continue
                declared = self._of_rows if isinstance(resource, Rows) else self._of_another
                if isinstance(resource, Rows):
                    self._note_dropped(seed, resource)
                one = declared(seed.label, resource, outcome)
                if one is not None:
                    found.append(one)
        return found

    def _note_dropped(self, seed: Seed, resource: Rows) -> None:
        """Columns that were declared until they were as declared: nobody looks at them any more."""
        now = {each.name for each in resource.shape.managed} if resource.shape is not None else set()
        for first in self._at_first.get(seed.name, ()):
            if isinstance(first, Rows) and first.name == resource.name and first.shape is not None:
                for each in first.shape.managed:
                    if each.name not in now:
                        reason = "the first apply managed it, and once it is applied the seed does not declare it so"
                        self._left_out.append(LeftOut(seed.label, resource.name, each.name, reason))

    def _of_rows(self, seed: str, resource: Rows, outcome: ResourceOutcome) -> _Declared | None:
        shape = resource.shape
        if shape is None:  # it declares nothing but what must not be there
            self._left_out.append(LeftOut(seed, resource.name, None, "it declares no rows"))
            return None
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
        """Of a kind whose changes are of rows of a table that it says it writes, those that it makes may go missing,
        and the columns that it names as `managed_columns` may be changed. Of all else that it writes, it is tried who
        notices.
        """
        if isinstance(resource, Tables):
            return None  # it manages nothing
        if isinstance(resource, Extension):
            self._extensions.append((seed, resource, outcome))
            return None
        tables = [self._table(name) for name in resource.tables]
        made = [change for change in outcome.changes.sample if change.action in ("create", "update")]
        columns: Mapping[str, str] = getattr(resource, "column_names", {})
        made = [replace(change, key=_renamed(change.key, columns)) for change in made]
        found = [table for table in tables if table is not None and made and self._is_of(table, made[0])]
        if not made:
            self._left_out.append(LeftOut(seed, resource.name, None, "it had nothing to do"))
            return None
        # Accounts write theirs in step; of another kind nothing is known.
        if len(found) != 1 or not is_built_in(resource):
            others = [table for table in tables if table is not None and (len(found) != 1 or table != found[0])]
            self._seen += [_Seen(seed, resource.name, table) for table in others]
            if not others and not found:
                reason = "its changes name no row of a table that it writes, so nothing can be changed by the kit"
                self._left_out.append(LeftOut(seed, resource.name, None, reason))
        if len(found) != 1:
            return None
        managed = getattr(resource, "managed_columns", None)
        declared = self._with_keys(
            _Declared(
                *(seed, resource, outcome, found[0], ()),
                managed=tuple(managed or ()),
                names={name: called for called, name in columns.items()},
            ),
            tuple(made[0].key),
        )
        if declared is None:
            return None
        if managed is None:
            self._seen.append(_Seen(seed, resource.name, found[0], declared.keys))
        created = [change.key for change in made if change.action == "create"]
        return replace(declared, deletable=tuple(key for key in declared.keys if key in created))

    def _table(self, name: str) -> sql.TableName | None:
        return sql.find_table(self._database.connection, name, self._search_path)

    def _is_of(self, table: sql.TableName, change: Change) -> bool:
        """Whether the change's key finds a row there."""
        key = {name: cell for name, cell in change.key.items() if not isinstance(cell, Marker)}
        return (
            bool(change.key)
            and not change.key.keys() - sql.columns(self._database.connection, table)
            and (not key or sql.has_row(self._database.connection, table, key))
        )

    def _with_keys(self, declared: _Declared, names: tuple[str, ...]) -> _Declared | None:
        """Some of its rows, as they were reported; where a part of the key was not, as they are in the table."""
        changes = declared.outcome.changes
        reported = [change.key for change in changes.sample if change.action in ("create", "update")]
        columns = {called: name for name, called in declared.names.items()}
        plain = [
            {columns.get(name, name): cell for name, cell in key.items() if not isinstance(cell, Marker)}
            for key in reported
        ]
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
        return replace(declared, keys=tuple(some), deletable=tuple(some))

    # Disturbing it

    def _prove_mutations(self, declared: Sequence[_Declared]) -> list[Mutation]:
        __tracebackhide__ = True
        right = self._right_rows(declared)
        done = [each for one in declared for name in one.managed if (each := self._mutate(one, name)) is not None]
        if not done:
            return []
        report = self._runner.verify(*self._names, sample=_LISTED)
        self._truths.heard(report)
        called = {(one.seed, one.name): one.names for one in declared}
        for each in done:
            names = called[each.seed, each.resource]
            column = names.get(each.column, each.column)
            key = _renamed(each.key, names)
            if change_of(report, each.seed, each.resource, key, "update", column) is None:
                raise ConvergenceError(DETECTED, f"{_place(each)}: verify does not name the column", report)
        if report.exit_code == 0:
            raise ConvergenceError(DETECTED, "verify says that all is in sync", report)
        self._repair(right)
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
        verified = self._runner.verify(*self._names)
        self._truths.heard(verified)
        for report in (verified, self._dry_run()):
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
                LeftOut(each.seed, each.resource, each.column, f"apply refuses what was put there: {trouble(applied)}")
                for each in done
            ]
        connection = self._database.connection
        for each in reversed(done):
            with connection.transaction():
                self._column(each, None).put(each.before)
        self._require_settled(promise=LEFT_ALONE)
        return done if not applied.exit_code else []

    def _prove_missing(self, declared: Sequence[_Declared]) -> list[tuple[str, str]]:
        __tracebackhide__ = True
        right = self._right_rows(declared)
        gone = [(one, key) for one in reversed(declared) if (key := self._delete(one)) is not None]
        if not gone:
            return []
        report = self._runner.verify(*self._names, sample=_LISTED)
        self._truths.heard(report)
        for one, key in gone:
            if change_of(report, one.seed, one.name, _renamed(key, one.names), "create", None) is None:
                raise ConvergenceError(MISSED, f"seed {one.seed}, {one.name}, row {key_text(key)}", report)
        if report.exit_code == 0:
            raise ConvergenceError(MISSED, "verify says that all is in sync", report)
        self._repair(right)
        for one, key in gone:
            if not sql.is_there(self._database.connection, one.table, key):
                raise ConvergenceError(REPAIRED, f"seed {one.seed}, {one.name}: row {key_text(key)} is not made again")
        return [(one.seed, one.name) for one, _ in reversed(gone)]

    def _try_seen(self, trials: Trials, declared: Sequence[_Declared]) -> list[tuple[str, str]]:
        """What resources were seen to write, and no declaration of theirs tells. Those that write no rows, and do
        something else to their tables, are returned where that was missed and done again.
        """
        __tracebackhide__ = True
        writers: dict[sql.TableName | None, set[tuple[str, str]]] = {}
        for name, some in self._declared_tables.items():
            writers.setdefault(self._table(name), set()).update(some)
        written = sql.written_tables(self._database.connection, self._since)
        untried: list[tuple[_Seen, bool, str]] = []
        for seen in self._seen:
            others = writers[seen.table] - {(seen.seed, seen.resource)}
            if seen.table in written and not seen.keys and others:
                wrote = not self._wrote_all(declared, others, seen.table)
                reason = f"others write into {seen.table.label} as well, so which rows are its own is not known"
            elif seen.table not in written or not trials.of_resource(seen.seed, seen.resource, seen.table, seen.keys):
                wrote = False
                reason = f"it wrote nothing into {seen.table.label}, so nothing there could be tried"
            else:
                continue
            untried.append((seen, wrote, reason))
        if not untried:
            return []
        given = sql.given(self._database.connection) - self._given
        found = take_back(self._runner, self._names, given, self._require_repaired)
        done: dict[tuple[str, str], None] = {}
        for seen, wrote, reason in untried:
            unnoticed = found.unnoticed.get(seen.table)
            if unnoticed is not None:
                reason = f"the first apply made {unnoticed}, and nobody notices when that is taken back"
            elif not wrote and (seen.seed, seen.resource) in found.noticed:
                done[seen.seed, seen.resource] = None
                continue
            self._left_out.append(LeftOut(seen.seed, seen.resource, None, reason))
        return list(done)

    def _wrote_all(self, declared: Sequence[_Declared], writers: set[tuple[str, str]], table: sql.TableName) -> bool:
        """Whether those of them that are `Rows` tell of all the rows that the first apply wrote there."""
        rows = [one for one in declared if (one.seed, one.name) in writers and isinstance(one.resource, Rows)]
        told = sum(one.outcome.changes.counts.create + one.outcome.changes.counts.update for one in rows)
        return told == sql.count_written(self._database.connection, table, self._since)

    def _prove_extensions(self) -> list[tuple[str, str]]:
        """Each is dropped in a copy, with what depends on it; where that is nothing, it has to be made again there.
        Where something does, that the first apply made it has to be enough.
        """
        __tracebackhide__ = True
        done = []
        for seed, resource, outcome in self._extensions:
            name = resource.name.removeprefix("extension:")
            self._database.close()
            with self._database.server.database(template=self._database.name) as copy:
                runner = replace(self._runner, database=copy)
                try:
                    depends = sql.drop_extension(copy.connection, name)
                except ServerError as error:
                    reason = f"it cannot be dropped: {error.diag.message_primary or error}"
                    self._left_out.append(LeftOut(seed, resource.name, None, reason))
                    continue
                report = runner.verify(*self._names, sample=_LISTED)
                missed = change_of(report, seed, resource.name, {"extension": name}, "create", None)
                if report.exit_code == 0 or (missed is None and not depends):
                    raise ConvergenceError(MISSED, f"seed {seed}, {resource.name}, which was dropped", report)
                if not depends:
                    applied = runner.apply(*self._names)
                    if applied.exit_code:
                        raise ConvergenceError(REPAIRED, f"{resource.name}: {trouble(applied)}", applied)
                    self._require_repaired(runner)
                elif not outcome.changes.counts.create:
                    reason = "it was there before, and what depends on it would not be made again with it"
                    self._left_out.append(LeftOut(seed, resource.name, None, reason))
            done.append((seed, resource.name))
        return done

    def _mutate(self, declared: _Declared, name: str) -> Mutation | None:
        """Change one value by hand, in the first row that allows it; noted where none does."""
        connection, reason = self._database.connection, ""
        for key in declared.keys:
            try:
                with connection.transaction():
                    sql.at_once(connection)
                    column = sql.Column(connection, declared.table, name, key, condition=declared.conditions.get(name))
                    before, after = column.change()
                if isinstance(declared.resource, Rows) and name in declared.resource.spec.secret:
                    hide(*(value for value in (before, after) if value))
                return Mutation(declared.seed, declared.name, name, key, before, after)
            except sql.NotPossible as error:
                reason = reason or str(error)
            except ServerError as error:
                reason = reason or error.diag.message_primary or str(error)
        self._left_out.append(LeftOut(declared.seed, declared.name, name, reason))
        return None

    def _delete(self, declared: _Declared) -> Mapping[str, str | None] | None:
        connection, reason = self._database.connection, ""
        if not declared.deletable:
            return None  # rows that it only changes are for others to make
        # One that nobody refers to, if there is such a one.
        for referring in (False, True):
            for key in declared.deletable:
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

    def _right_rows(self, declared: Sequence[_Declared]) -> list[tuple[_Declared, RightRows]]:
        """Of kinds of plugins and seeds; what is built in writes as it is told."""
        connection = self._database.connection
        others = {one.table: one for one in declared if not is_built_in(one.resource)}
        return [(one, RightRows(connection, table, self._since)) for table, one in others.items()]

    def _repair(self, right: Sequence[tuple[_Declared, RightRows]]) -> None:
        __tracebackhide__ = True
        for _, rows in right:
            rows.repair_begins()
        report = self._runner.apply(*self._names)
        if report.exit_code:
            raise ConvergenceError(REPAIRED, trouble(report), report)
        for one, rows in right:
            again = rows.written_again()
            if again:
                raise ConvergenceError(NO_MORE, f"seed {one.seed}, {one.name}: {again}", report)
        self._require_settled(promise=REPAIRED)


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


def _renamed(key: Mapping[str, _Cell], names: Mapping[str, str]) -> dict[str, _Cell]:
    return {names.get(name, name): cell for name, cell in key.items()}


def _moved(before: tuple[str, str], after: tuple[str, str]) -> str:
    what = ("transaction ids", "the WAL")
    return " and ".join(name for name, was, now in zip(what, before, after, strict=True) if was != now)


def _place(mutation: Mutation) -> str:
    row = key_text(mutation.key)
    change = f"{mutation.before!r} to {mutation.after!r}"
    return f"seed {mutation.seed}, {mutation.resource}, row {row}, column {mutation.column} ({change})"
