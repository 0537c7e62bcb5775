"""A seed's own code at work: in a savepoint, and with a look at what it left of the transaction and did to tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg

from seedframe.database.catalog import LEDGER_SCHEMA, as_text, written_name
from seedframe.database.db import Db
from seedframe.database.problems import swallowed
from seedframe.database.session import Session
from seedframe.database.touched import Touched, WritingLocks, table_states, touched_since, writing_locks
from seedframe.database.writable import Writable
from seedframe.errors import ConnectionFailed, DeclarationError, Misbehaved, SeedframeError, TransactionEnded
from seedframe.plugins.manager import SeedManager
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed

# Sources: PostgreSQL's appendix "Error Codes". The second is that of leaving read-only, too.
_VOID: Final = "25P02"
_NOT_IN_A_TRANSACTION: Final = "25001"
_OWN_TABLES: Final = "they are seedframe's to write"


class OwnCode:
    """Watches over the code of one seed, in one attempt.

    Attributes:
        uncounted: it wrote, and the server does not count what is written to which table.
    """

    def __init__(self, session: Session, seed: Seed, plugins: SeedManager, db: Db) -> None:
        self._session = session
        self._seed = seed
        self._plugins = plugins
        self._db = db
        self._writable = Writable(session, db, seed.writes)
        self.uncounted = False
        self._unsettled: str | None = None

    def declare(self, resources: tuple[Resource, ...]) -> None:
        """What the seed's resources are: it may write their tables.

        Errors: DeclarationError for one of seedframe's own, or one that a plugin's seed does not say it writes.
        """
        self._require_not_of_ledger(resources)
        tables = [name for resource in resources for name in resource.tables]
        self._writable = Writable(self._session, self._db, (*tables, *self._seed.writes))
        if self._seed.distribution is None:
            return
        self._db.confine(Writable(self._session, self._db, self._seed.writes).now)
        for resource in resources:
            undeclared = [name for name in resource.tables if name not in self._seed.writes]
            if undeclared:
                self._require_said(resource, undeclared)

    def _require_not_of_ledger(self, resources: tuple[Resource, ...]) -> None:
        named = [(f"{resource.name} of", name) for resource in resources for name in resource.tables]
        for what, name in (*named, *(("WRITES of", name) for name in self._seed.writes)):
            if self._db.is_of_ledger(name):
                raise DeclarationError(
                    f"{what} seed {self._seed.label} names {name}, one of seedframe's own tables",
                    hint=_OWN_TABLES,
                    where=self._seed.origin,
                )

    def _require_said(self, resource: Resource, names: list[str]) -> None:
        """What a plugin's seed writes was said before, under these names or others."""
        said, _ = self._db.writable_oids(self._seed.writes)
        for name in names:
            found, _ = self._db.writable_oids([name])
            if not found or not found <= said:
                raise DeclarationError(
                    f"{resource.name} of seed {self._seed.label} writes table {name}, which plugin"
                    f" {self._seed.distribution} does not say it writes",
                    hint=f"it says {', '.join(self._seed.writes) or 'none'}; if it is right to, its author adds the"
                    " table to WRITES",
                    where=self._seed.origin,
                )

    @contextmanager
    def reads(self, what: str) -> Iterator[None]:
        """Run code that may only read. `what` is its name: "check", "own:thing: diff".

        Raises:
            HookFailed: it wrote, swallowed an SQL error, or ended the transaction.
        """
        with self._tidied(), self._named(what), self._session.savepoint(read_only=True), self._db.at_work():
            before = writing_locks(self._session)
            yield
            self._require_no_error()
            self._require_nothing_written(before)

    @contextmanager
    def without_db(self, what: str) -> Iterator[None]:
        """Run a hook that is not given `db`, and so needs no watching.

        One that it kept from another hook runs each of its statements as read-only for itself.

        Raises:
            HookFailed: it did so, and swallowed an SQL error, or ended the transaction.
        """
        with self._named(what):
            before = self._db.statements
            yield
            self._require_no_error()
        if self._db.statements != before:
            self._session.tidy()

    @contextmanager
    def writes(self, what: str) -> Iterator[None]:
        """Run code that may write, and what it set ends with it.

        Raises:
            HookFailed: it wrote what the seed does not declare, swallowed an SQL error, or ended the transaction.
        """
        with self._tidied(), self._named(what), self._session.savepoint(), self._db.at_work():
            self._session.settle_what_can_be()  # triggers that wait since resources were written are not this code's
            with self._within_declared():
                yield
                self._require_no_error()
                self._session.pin()
                if not self._session.settle_what_can_be():
                    self._unsettled = what

    @contextmanager
    def settles(self) -> Iterator[None]:
        """Have deferred constraints speak; what triggers write that a seed's own code left waiting is its doing.

        Raises:
            HookFailed: they wrote what the seed does not declare.
        """
        if self._unsettled is None:
            yield
            return
        with self._named(self._unsettled), self._within_declared():
            yield
        self._unsettled = None

    @contextmanager
    def _within_declared(self) -> Iterator[None]:
        allowed = self._writable.now()
        before = table_states(self._session)
        yield
        self.uncounted = self.uncounted or any(not state.counted for state in before.values())
        self._require_declared(touched_since(self._session, before), allowed)

    def try_expressions(self, rows: Rows) -> None:
        """Evaluate the SQL of a plugin's rows once for itself, and undo it: only so is what it writes told apart from
        what the table's own triggers and defaults write.

        Raises:
            HookFailed: it wrote what the seed does not say it writes.
        """
        rowset = rows.rowset
        if self._seed.distribution is None or rowset is None or not rowset.has_expressions:
            return

        def attempt() -> None:
            with self._within_declared():
                rowset.evaluate()

        with self._tidied(), self._named(f"sql() in {rows.name}"):
            error = self._session.accepts(attempt)
            if isinstance(error, Misbehaved):  # any other is told of when the rows are written
                raise error

    @contextmanager
    def supplies(self, what: str, *, by_code: bool) -> Iterator[None]:
        """Run seedframe's own code that asks the seed for its rows; `by_code` when a generator or function has them.

        Raises:
            HookFailed: that swallowed an SQL error, or ended the transaction.
        """
        if not by_code:
            yield
            return
        with self._tidied(), self._named(what), self._session.savepoint():
            yield
            self._require_no_error()
            self._session.pin()

    @contextmanager
    def _tidied(self) -> Iterator[None]:
        try:
            yield
        finally:
            self._session.tidy()

    @contextmanager
    def _named(self, what: str) -> Iterator[None]:
        """Puts the subject before what is said of the code, and the place behind it."""
        self._db.take_first_error()
        try:
            yield
        except ConnectionFailed:
            raise
        except Misbehaved as error:
            raise self._of(what, error) from (None if isinstance(error, TransactionEnded) else error.__cause__)
        except SeedframeError as error:
            cause = error.__cause__
            if isinstance(cause, psycopg.Error) and cause.sqlstate == _VOID:
                raise self._of(what, self._swallowed()) from cause
            if isinstance(cause, psycopg.Error) and cause.sqlstate == _NOT_IN_A_TRANSACTION:
                refused = Misbehaved(f"asked for what its transaction does not allow: {cause.diag.message_primary}")
                raise self._of(what, refused) from cause
            raise

    def _of(self, what: str, error: Misbehaved) -> Misbehaved:
        cause = error.__cause__
        if isinstance(cause, psycopg.Error) and cause.sqlstate == _VOID:
            error = self._swallowed()
        where = error.where or (self._place(cause) if cause is not None else None) or self._place(error)
        return type(error)(f"`{what}` of seed {self._seed.label} {error.message}", hint=error.hint, where=where)

    def _place(self, error: BaseException) -> str | None:
        return self._plugins.own_files(self._seed.plugin).raised_at(error)

    def _require_no_error(self) -> None:
        if self._session.aborted:
            raise self._swallowed()

    def _require_nothing_written(self, before: WritingLocks) -> None:
        after = writing_locks(self._session)
        if after.ids <= before.ids:
            return
        names = sorted(
            name if schema == self._session.schema else f"{schema}.{name}"
            for oid, (schema, name) in after.tables.items()
            if oid not in before.tables and not schema.startswith("pg_")
        )
        raise Misbehaved(
            "wrote to the database" + (f": {', '.join(names)}" if names else ""), hint="only `apply` may write"
        )

    def _swallowed(self) -> Misbehaved:
        first = self._db.take_first_error()
        error = swallowed(first)
        error.where = self._place(first) if first is not None else None
        return error

    def _require_declared(self, touched: list[Touched], allowed: frozenset[int]) -> None:
        if any(table.schema == LEDGER_SCHEMA for table in touched):
            raise Misbehaved("wrote seedframe's own tables", hint=_OWN_TABLES)
        names = list(dict.fromkeys(map(self._name, self._writable.beyond(touched, allowed))))
        if names:
            listed = ", ".join(map(as_text, names))
            missing = [name for name in self._writable.unknown if name in self._seed.writes]
            known = f"; {', '.join(missing)} in WRITES does not exist" if missing else ""
            raise Misbehaved(
                f"changed tables that the seed does not declare: {', '.join(names)}",
                hint=f"declare their rows, or that it writes them: WRITES = [{listed}]{known}",
            )
        redirected = self._writable.redirected()
        if redirected is not None:
            view, table = redirected
            raise Misbehaved(
                f"made {view} a view of {table}, which the seed does not declare",
                hint=f"say that it writes that table: WRITES = [{as_text(table)}]",
            )

    def _name(self, table: Touched) -> str:
        return written_name(None if table.schema == self._session.schema else table.schema, table.name)
