"""What seeds keep by `check` and `apply` of their own: its rows are changed in copies, to see who notices."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from psycopg import Error as ServerError

from seedframe.changes import CHECK_RESOURCE, Change, Marker, key_text
from seedframe.hooks import has_hook
from seedframe.report import Report
from seedframe.seed import Seed
from seedframe.testing import sql
from seedframe.testing.databases import Database
from seedframe.testing.outcome import DETECTED, MISSED, REPAIRED, ConvergenceError, LeftOut, Mutation
from seedframe.testing.report_reading import trouble
from seedframe.testing.runner import SeedRunner

_EITHER_END: Final = 2
_READ: Final = 10_000
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row that a seed's own code wrote.

    Attributes:
        columns: those to be changed, each with whether `check` said that it manages it: then it has to notice.
        deletable: whether it may be deleted.
        declared: `check` said that it is to be created: then it has to miss it.
    """

    seed: str
    table: sql.TableName
    key: Mapping[str, str | None]
    columns: Mapping[str, bool]
    deletable: bool
    declared: bool


class CheckTrials:
    """The trials of one proof.

    Attributes:
        mutated: values that were changed, found and repaired.
        deleted: the labels of seeds of which a row was deleted, missed and made again.
        left_out: what could not be tried, and what nobody noticed and nobody said it would be.
    """

    def __init__(
        self, runner: SeedRunner, names: Sequence[str], search_path: Sequence[str], settle: Callable[[SeedRunner], None]
    ) -> None:
        self._runner = runner
        self._names = names
        self._search_path = search_path
        self._settle = settle
        self.mutated: list[Mutation] = []
        self.deleted: dict[str, None] = {}
        self.left_out: list[LeftOut] = []

    def go(self, seeds: Iterable[Seed], applied: Report, since: int, declared: Collection[str]) -> None:
        """Try it for those that have a `check`.

        Args:
            applied: the report of the first apply.
            since: the transaction id before it.
            declared: the tables of the seeds' resources, as they name them: only what `check` names is tried there.

        Errors: ConvergenceError.
        """
        __tracebackhide__ = True
        own = [seed for seed in seeds if has_hook(seed, "check")]
        if not own:
            return
        connection = self._runner.database.connection
        written = sql.written_tables(connection, since)
        of_resources = {self._table(name) for name in declared}
        rows: dict[tuple[sql.TableName, frozenset[tuple[str, str | None]]], _Row] = {}
        for seed in own:
            tables = {*written, *(table for name in seed.writes if (table := self._table(name)) is not None)}
            for row in self._named(seed.label, applied, sorted(tables, key=lambda table: table.label)):
                rows[row.table, frozenset(row.key.items())] = row
        for table in (table for table in written if table not in of_resources):
            label = next((seed.label for seed in own if table in map(self._table, seed.writes)), own[0].label)
            for row in self._seen(label, table, since, [row for row in rows.values() if row.table == table]):
                place = table, frozenset(row.key.items())
                said = rows.get(place, row)
                rows[place] = replace(said, columns={**row.columns, **said.columns}, deletable=True)
        for table in dict.fromkeys(row.table for row in rows.values()):
            self._try(_ends([row for row in rows.values() if row.table == table]))

    # Which rows are its own

    def _table(self, name: str) -> sql.TableName | None:
        return sql.find_table(self._runner.database.connection, name, self._search_path)

    def _named(self, label: str, applied: Report, tables: Sequence[sql.TableName]) -> list[_Row]:
        """The rows that its `check` named when it was applied."""
        outcomes = [each for seed in applied.seeds if seed.seed == label for each in seed.resources]
        changes = [change for each in outcomes if each.resource == CHECK_RESOURCE for change in each.changes.sample]
        found = [(change, self._row_of(label, change, tables)) for change in changes]
        unknown = [change for change, row in found if row is None]
        if not changes:
            self._leave_out(label, None, "it found nothing to do, so nothing that it keeps could be tried")
        if unknown:
            more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
            what = f"{key_text(unknown[0].key)}{more}: no row of one table that it wrote"
            self._leave_out(label, None, f"what its own code manages cannot be changed by the kit: {what}")
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
        return _Row(label, found[0], key, columns, deletable=created, declared=created)

    def _seen(self, label: str, table: sql.TableName, since: int, named: Sequence[_Row]) -> list[_Row]:
        """The rows of a table that the first apply was seen to write."""
        connection = self._runner.database.connection
        names = tuple(named[0].key) if named else sql.unique_key(connection, table)
        if not names:
            self._leave_out(label, table.label, "its rows, which its own code wrote, have no key to find them by")
            return []
        keys = sql.keys(connection, table, names, limit=_READ, since=since)
        return [
            _Row(
                label,
                table,
                key,
                {name: False for name in sql.chosen_columns(connection, table, key) if name not in names},
                deletable=True,
                declared=False,
            )
            for key in _ends(keys)
        ]

    # Disturbing them

    def _try(self, rows: Sequence[_Row]) -> None:
        __tracebackhide__ = True
        database = self._runner.database
        database.close()
        with database.server.database(template=database.name) as copy:
            runner = replace(self._runner, database=copy)
            for row in rows:
                for name, said in row.columns.items():
                    self._change(runner, copy, row, name, said=said)
            for row in rows:
                if row.deletable and not self._delete(runner, copy, row):
                    break  # nothing is as it should be from here on

    def _change(self, runner: SeedRunner, copy: Database, row: _Row, name: str, *, said: bool) -> None:
        __tracebackhide__ = True
        connection, place = copy.connection, f"{row.table.label}.{name}"
        try:
            with connection.transaction():
                sql.at_once(connection)
                before, after = sql.Column(connection, row.table, name, row.key, condition=None).change()
        except (sql.NotPossible, ServerError) as error:
            self._leave_out(row.seed, place, str(error).partition("\n")[0])
            return
        report = runner.verify(*self._names)
        what = f"seed {row.seed}, {CHECK_RESOURCE}, row {key_text(row.key)}, column {place} ({before!r} to {after!r})"
        if report.exit_code:
            self._repair(runner, what)
            self.mutated.append(Mutation(row.seed, CHECK_RESOURCE, name, row.key, before, after))
            return
        if said:
            raise ConvergenceError(DETECTED, f"{what}: verify says that all is in sync", report)
        self._leave_out(row.seed, place, "its own code wrote it, and nobody notices when it is changed")
        with suppress(sql.NotPossible, ServerError), connection.transaction():
            sql.Column(connection, row.table, name, row.key, condition=None).put(before)

    def _delete(self, runner: SeedRunner, copy: Database, row: _Row) -> bool:
        """Whether it can go on with this copy."""
        __tracebackhide__ = True
        connection, reason = copy.connection, ""
        for referring in (False, True):
            try:
                with connection.transaction():
                    sql.at_once(connection)
                    sql.delete_row(connection, row.table, row.key, referring=referring)
                break
            except (sql.NotPossible, ServerError) as error:
                reason = str(error).partition("\n")[0]
        else:
            self._leave_out(row.seed, row.table.label, f"no row can be deleted: {reason}")
            return True
        report = runner.verify(*self._names)
        what = f"seed {row.seed}, {CHECK_RESOURCE}, {row.table.label}, row {key_text(row.key)}"
        if not report.exit_code:
            if row.declared:
                raise ConvergenceError(MISSED, f"{what}: verify says that all is in sync", report)
            reason = "its own code wrote a row of it, and nobody notices when that is deleted"
            self._leave_out(row.seed, row.table.label, reason)
            return False
        self._repair(runner, what)
        if row.declared and not sql.has_row(connection, row.table, row.key):
            raise ConvergenceError(REPAIRED, f"{what} is not made again")
        self.deleted[row.seed] = None
        return True

    def _repair(self, runner: SeedRunner, what: str) -> None:
        __tracebackhide__ = True
        report = runner.apply(*self._names)
        if report.exit_code:
            raise ConvergenceError(REPAIRED, f"{what}: {trouble(report)}", report)
        self._settle(runner)

    def _leave_out(self, seed: str, place: str | None, reason: str) -> None:
        self.left_out.append(LeftOut(seed, CHECK_RESOURCE, place, reason))


def _ends(items: Sequence[_Item]) -> list[_Item]:
    """The first and the last few."""
    return [*items[:_EITHER_END], *items[_EITHER_END:][-_EITHER_END:]]
