"""Rows of which no declaration tells the kit: they are changed in copies of the database, to see who notices.

They are those of a seed's own `check` and `apply`, and those that a plugin's kind of resource writes beside what its
changes are about.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from psycopg import Error as ServerError

from seedframe.changes import CHECK_RESOURCE, Change, Marker, key_text
from seedframe.report import Report
from seedframe.seed import Seed
from seedframe.seeding.hooks import has_hook
from seedframe.testing import sql
from seedframe.testing.databases import Database
from seedframe.testing.outcome import DETECTED, MISSED, NO_MORE, REPAIRED, ConvergenceError, LeftOut, Mutation
from seedframe.testing.report_reading import names_row, trouble
from seedframe.testing.rewriting import RightRows
from seedframe.testing.runner import ProjectRunner

_TOGETHER: Final = 12
"""Rows of a table that are changed at once, spread over it."""

_ALONE: Final = 4
"""Of those that verify does not name: each is changed alone, which costs as much as all at once."""

_LOOKED_UP: Final = 200
_LISTED: Final = 100_000
_READ: Final = 10_000
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that nobody declared.

    Attributes:
        resource: what wrote it: `hook:check`, or a resource's name.
        columns: those to be changed, each with whether `check` said that it manages it: then it has to notice.
        deletable: whether it may be deleted.
        declared: `check` said that it is to be created: then it has to miss it.
    """

    seed: str
    resource: str
    table: sql.TableName
    key: Mapping[str, str | None]
    columns: Mapping[str, bool]
    deletable: bool
    declared: bool

    @property
    def place(self) -> str:
        """For messages."""
        return f"seed {self.seed}, {self.resource}, {self.table.label}, row {key_text(self.key)}"


@dataclass(frozen=True, slots=True)
class _Changed:
    row: _Row
    before: str | None
    after: str | None


class Trials:
    """The trials of one proof.

    Attributes:
        mutated: values that were changed, found and repaired.
        deleted: the label of a seed and the name of a resource for each of which a row was deleted and missed.
        left_out: what could not be tried, and what nobody noticed and nobody said it would be.
    """

    def __init__(
        self,
        runner: ProjectRunner,
        names: Sequence[str],
        search_path: Sequence[str],
        settle: Callable[[ProjectRunner], None],
        since: int,
    ) -> None:
        """`since` is the transaction id before the first apply."""
        self._runner = runner
        self._names = names
        self._search_path = search_path
        self._settle = settle
        self._since = since
        self.mutated: list[Mutation] = []
        self.deleted: dict[tuple[str, str], None] = {}
        self.left_out: list[LeftOut] = []
        self._alone: set[sql.TableName] = set()

    def of_checks(self, seeds: Iterable[Seed], applied: Report, declared: Collection[str]) -> None:
        """Try it for those that have a `check`.

        Args:
            applied: the report of the first apply.
            declared: the tables of the seeds' resources, as they name them: only what `check` names is tried there.

        Errors: ConvergenceError.
        """
        __tracebackhide__ = True
        own = [seed for seed in seeds if has_hook(seed, "check")]
        if not own:
            return
        connection = self._runner.database.connection
        written = sql.written_tables(connection, self._since)
        of_resources = {self._table(name) for name in declared}
        rows: dict[tuple[sql.TableName, frozenset[tuple[str, str | None]]], _Row] = {}
        for seed in own:
            tables = {*written, *(table for name in seed.writes if (table := self._table(name)) is not None)}
            for row in self._named(seed.label, applied, sorted(tables, key=lambda table: table.label)):
                rows[row.table, frozenset(row.key.items())] = row
        for table in (table for table in written if table not in of_resources):
            label = next((seed.label for seed in own if table in map(self._table, seed.writes)), own[0].label)
            for row in self._seen(label, CHECK_RESOURCE, table, [row for row in rows.values() if row.table == table]):
                place = table, frozenset(row.key.items())
                said = rows.get(place, row)
                rows[place] = replace(said, columns={**row.columns, **said.columns}, deletable=True)
        for table in dict.fromkeys(row.table for row in rows.values()):
            self._try(_spread([row for row in rows.values() if row.table == table], _TOGETHER))

    def of_resource(
        self, seed: str, resource: str, table: sql.TableName, keys: Sequence[Mapping[str, str | None]]
    ) -> bool:
        """Try it for what a resource wrote into a table: the rows with these keys, of which only columns are changed;
        without keys, all that the first apply was seen to write there. False where there is nothing to try.

        Errors: ConvergenceError.
        """
        __tracebackhide__ = True
        before = len(self.left_out)
        rows = [self._row(seed, resource, table, key, deletable=False) for key in keys]
        rows = rows or self._seen(seed, resource, table, ())
        self._try(_spread(rows, _TOGETHER))
        return bool(rows) or len(self.left_out) > before

    # Which rows they are

    def _table(self, name: str) -> sql.TableName | None:
        return sql.find_table(self._runner.database.connection, name, self._search_path)

    def _named(self, label: str, applied: Report, tables: Sequence[sql.TableName]) -> list[_Row]:
        """The rows that its `check` named when it was applied."""
        outcomes = [each for seed in applied.seeds if seed.seed == label for each in seed.resources]
        changes = [change for each in outcomes if each.resource == CHECK_RESOURCE for change in each.changes.sample]
        found = [(change, self._row_of(label, change, tables)) for change in _spread(changes, _LOOKED_UP)]
        unknown = [change for change, row in found if row is None]
        if not changes:
            reason = "it found nothing to do, so nothing that it keeps could be tried"
            self._leave_out(label, CHECK_RESOURCE, None, reason)
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            what = f"{key_text(unknown[0].key)}{more}: no row of one table that it wrote"
            reason = f"what its own code manages cannot be changed by the kit: {what}"
            self._leave_out(label, CHECK_RESOURCE, None, reason)
        return [row for _, row in found if row is not None]

    def _row_of(self, label: str, change: Change, tables: Sequence[sql.TableName]) -> _Row | None:
        connection = self._runner.database.connection
        key = {name: cell for name, cell in change.key.items() if not isinstance(cell, Marker)}
        if change.action == "delete" or not key or len(key) != len(change.key):
            return None
        found = [table for table in tables if sql.has_row(connection, table, key)]
        if len(found) != 1:
            return None
        there = sql.columns(connection, found[0])
        columns = {name: change.action == "update" for name in change.after or {} if name in there and name not in key}
        created = change.action == "create"
        if not created and not columns:
            return None
        return _Row(label, CHECK_RESOURCE, found[0], key, columns, deletable=created, declared=created)

    def _seen(self, label: str, resource: str, table: sql.TableName, named: Sequence[_Row]) -> list[_Row]:
        """The rows of a table that the first apply was seen to write."""
        connection = self._runner.database.connection
        names = tuple(named[0].key) if named else sql.unique_key(connection, table)
        if not names:
            self._leave_out(label, resource, table.label, "its rows have no key to find them by")
            return []
        keys = sql.keys(connection, table, names, limit=_READ, since=self._since)
        return [self._row(label, resource, table, key, deletable=True) for key in _spread(keys, _TOGETHER)]

    def _row(
        self, label: str, resource: str, table: sql.TableName, key: Mapping[str, str | None], *, deletable: bool
    ) -> _Row:
        chosen = sql.chosen_columns(self._runner.database.connection, table, key)
        columns = {name: False for name in chosen if name not in key}
        return _Row(label, resource, table, key, columns, deletable=deletable, declared=False)

    # Disturbing them

    def _try(self, rows: Sequence[_Row]) -> None:
        """Rows of one table."""
        __tracebackhide__ = True
        database = self._runner.database
        database.close()
        if rows:
            with database.server.database(template=database.name) as copy:
                for name in dict.fromkeys(name for row in rows for name in row.columns):
                    self._change_together(copy, [row for row in rows if name in row.columns], name)
        deletable = [row for row in rows if row.deletable]
        if deletable:
            database.close()
            with database.server.database(template=database.name) as copy:
                alone = self._delete_together(copy, deletable)
            if alone:
                with database.server.database(template=database.name) as copy:
                    for row in alone:
                        if not self._delete_alone(copy, row):
                            break  # nothing is as it should be from here on

    def _change_together(self, copy: Database, rows: Sequence[_Row], name: str) -> None:
        """Change one column of all of them; those that verify does not name are changed alone, some of them."""
        __tracebackhide__ = True
        runner, place = replace(self._runner, database=copy), f"{rows[0].table.label}.{name}"
        changed: list[_Changed] = []
        reason = ""
        right = RightRows(copy.connection, rows[0].table, self._since)
        for row in rows:
            try:
                changed.append(_Changed(row, *_change(copy, row, name)))
            except (sql.NotPossible, ServerError) as error:
                reason = reason or str(error).partition("\n")[0]
        if not changed:
            self._leave_out(rows[0].seed, rows[0].resource, place, reason)
            return
        report = runner.verify(*self._names, sample=_LISTED)
        if not report.exit_code:
            self._nobody_noticed(changed, name, report)
        named = [one for one in changed if report.exit_code and names_row(report, one.row.seed, one.row.key)]
        unnamed = [one for one in changed if one not in named]
        for one in unnamed:
            with suppress(sql.NotPossible, ServerError), copy.connection.transaction():
                sql.Column(copy.connection, one.row.table, name, one.row.key, condition=None).put(one.before)
        if named:
            self._repair(runner, f"{named[0].row.place}, column {name}", copy, right)
            self._note(named, name)
            self._change_among_others(copy, named[0].row, name, right)
        if report.exit_code:
            for one in _spread(unnamed, _ALONE):
                if not self._change_alone(copy, one.row, name):
                    break

    def _change_alone(self, copy: Database, row: _Row, name: str) -> bool:
        """Whether somebody noticed."""
        __tracebackhide__ = True
        runner = replace(self._runner, database=copy)
        right = RightRows(copy.connection, row.table, self._since)
        try:
            changed = _Changed(row, *_change(copy, row, name))
        except (sql.NotPossible, ServerError):
            return True  # it was possible a moment ago; what comes of it now is no worse
        report = runner.verify(*self._names)
        if report.exit_code:
            self._repair(runner, f"{row.place}, column {name}", copy, right)
            self._note([changed], name)
            return True
        self._nobody_noticed([changed], name, report)
        with suppress(sql.NotPossible, ServerError), copy.connection.transaction():
            sql.Column(copy.connection, row.table, name, row.key, condition=None).put(changed.before)
        return False

    def _change_among_others(self, copy: Database, row: _Row, name: str, right: RightRows) -> None:
        """Once for a table all of whose rows were changed: those that are right now are to be left alone."""
        __tracebackhide__ = True
        if not right.any and row.table not in self._alone and sql.count(copy.connection, row.table) > 1:
            self._alone.add(row.table)
            self._change_alone(copy, row, name)

    def _nobody_noticed(self, changed: Sequence[_Changed], name: str, report: Report) -> None:
        __tracebackhide__ = True
        one = next((one for one in changed if one.row.columns[name]), changed[0])
        row, place = one.row, f"{one.row.table.label}.{name}"
        if row.columns[name]:
            what = f"row {key_text(row.key)}, column {place} ({one.before!r} to {one.after!r})"
            told = f"seed {row.seed}, {row.resource}, {what}: verify says that all is in sync"
            raise ConvergenceError(DETECTED, told, report)
        self._leave_out(
            row.seed, row.resource, place, f"{_writer(row)} wrote it, and nobody notices when it is changed"
        )

    def _note(self, changed: Iterable[_Changed], name: str) -> None:
        for one in changed:
            row = one.row
            mutation = Mutation(row.seed, row.resource, name, row.key, one.before, one.after)
            if mutation not in self.mutated:
                self.mutated.append(mutation)

    def _delete_together(self, copy: Database, rows: Sequence[_Row]) -> list[_Row]:
        """Delete all of them; those that have to be deleted alone, to see who misses them."""
        __tracebackhide__ = True
        runner, before = replace(self._runner, database=copy), sql.count(copy.connection, rows[0].table)
        right = RightRows(copy.connection, rows[0].table, self._since)
        gone = [row for row in rows if not _delete(copy, row)]
        report = runner.verify(*self._names, sample=_LISTED)
        named = [row for row in gone if names_row(report, row.seed, row.key)]
        if not gone or len(named) < len(gone):
            return [*named[:1], *_spread([row for row in rows if row not in named], _ALONE)]
        self._repair(runner, named[0].place, copy, right, rows=before)
        for row in named:
            self._require_made_again(copy, row)
            self.deleted[row.seed, row.resource] = None
        if len(named) > 1:
            self._delete_alone(copy, named[0])  # while the others are there, to be made twice
        return []

    def _delete_alone(self, copy: Database, row: _Row) -> bool:
        """Whether it can go on with this copy."""
        __tracebackhide__ = True
        runner, before = replace(self._runner, database=copy), sql.count(copy.connection, row.table)
        right = RightRows(copy.connection, row.table, self._since)
        reason = _delete(copy, row)
        if reason:
            self._leave_out(row.seed, row.resource, row.table.label, f"no row can be deleted: {reason}")
            return True
        report = runner.verify(*self._names)
        if not report.exit_code:
            if row.declared:
                raise ConvergenceError(MISSED, f"{row.place}: verify says that all is in sync", report)
            reason = f"{_writer(row)} wrote a row of it, and nobody notices when that is deleted"
            self._leave_out(row.seed, row.resource, row.table.label, reason)
            return False
        self._repair(runner, row.place, copy, right, rows=before)
        self._require_made_again(copy, row)
        self.deleted[row.seed, row.resource] = None
        return True

    def _require_made_again(self, copy: Database, row: _Row) -> None:
        __tracebackhide__ = True
        if row.declared and not sql.has_row(copy.connection, row.table, row.key):
            raise ConvergenceError(REPAIRED, f"{row.place} is not made again")

    def _repair(
        self, runner: ProjectRunner, what: str, copy: Database, right: RightRows, *, rows: int | None = None
    ) -> None:
        """`rows` is how many the table had before one was deleted; default: as many as now."""
        __tracebackhide__ = True
        table = right.table
        most = sql.count(copy.connection, table) if rows is None else rows
        right.repair_begins()
        report = runner.apply(*self._names)
        if report.exit_code:
            raise ConvergenceError(REPAIRED, f"{what}: {trouble(report)}", report)
        now = sql.count(copy.connection, table)
        if now > most:
            told = f"afterwards {table.label} has {now} rows, and it had {most} before"
            raise ConvergenceError(REPAIRED, f"{what}: {told}", report)
        again = right.written_again()
        if again:
            raise ConvergenceError(NO_MORE, f"{what}: {again}", report)
        self._settle(runner)

    def _leave_out(self, seed: str, resource: str, place: str | None, reason: str) -> None:
        one = LeftOut(seed, resource, place, reason)
        if one not in self.left_out:
            self.left_out.append(one)


def _writer(row: _Row) -> str:
    return "its own code" if row.resource == CHECK_RESOURCE else "the resource"


def _change(copy: Database, row: _Row, name: str) -> tuple[str | None, str | None]:
    """What it was and what it is. Errors: NotPossible, psycopg's."""
    with copy.connection.transaction():
        sql.at_once(copy.connection)
        return sql.Column(copy.connection, row.table, name, row.key, condition=None).change()


def _delete(copy: Database, row: _Row) -> str:
    """Why it could not be deleted, first alone, then with those that refer to it; empty where it was."""
    reason = ""
    for referring in (False, True):
        try:
            with copy.connection.transaction():
                sql.at_once(copy.connection)
                sql.delete_row(copy.connection, row.table, row.key, referring=referring)
        except (sql.NotPossible, ServerError) as error:
            reason = str(error).partition("\n")[0]
        else:
            return ""
    return reason


def _spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """Some of them, the first and the last included, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]
