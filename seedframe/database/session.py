"""Session: one connection, its pinned settings, its transactions and savepoints."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString, NoReturn, TypeAlias

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from seedframe.database.problems import explain, standby, swallowed
from seedframe.errors import ConnectionFailed, ConnectionLost, Misbehaved, SeedframeError, TransactionEnded

Statement: TypeAlias = LiteralString | sql.SQL | sql.Composed

# A role's or a database's own settings must change nothing: how values are read and written, what is found by name,
# and which rows are seen. row_security off raises where a policy would hide rows. The first three are for Citus
# (ignored elsewhere) and stand first: without them SET LOCAL does not reach the workers.
_PINNED: Final = {
    "citus.multi_shard_modify_mode": "sequential",
    "citus.propagate_set_commands": "local",
    "citus.max_intermediate_result_size": "-1",
    "TimeZone": "UTC",
    "timezone_abbreviations": "Default",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "xmloption": "content",
    "lc_monetary": "C",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "transform_null_equals": "off",
    "row_security": "off",
    "cursor_tuple_fraction": "1",
    "client_connection_check_interval": "500",
}

# How soon the server notices that we are gone without a word, where its own settings would have it keep our locks for
# hours: seconds, and milliseconds for what it sent and we did not acknowledge. Lowered, never raised; only over TCP.
_KEEPALIVE: Final[sql.SQL] = sql.SQL(
    "CASE WHEN pg_catalog.current_setting('tcp_keepalives_idle')::int > 30"
    " THEN pg_catalog.set_config('tcp_keepalives_idle', '30', true)"
    " || pg_catalog.set_config('tcp_keepalives_interval', '10', true)"
    " || pg_catalog.set_config('tcp_keepalives_count', '3', true) END,"
    " CASE WHEN pg_catalog.current_setting('tcp_keepalives_idle') <> '0'"
    " AND pg_catalog.current_setting('tcp_user_timeout') = '0'"
    " THEN pg_catalog.set_config('tcp_user_timeout', '60000', true) END"
)

_OWN_PLACES: Final = frozenset({"pg_catalog", "pg_temp"})

_STREAMED: Final = 5_000

# Sent together, as each message that waits for its answer costs a journey.
_SAVEPOINT: Final[LiteralString] = "SAVEPOINT {}"
_READ_ONLY: Final[LiteralString] = "; SET TRANSACTION READ ONLY"
_READ_AND_UNDO: Final[LiteralString] = "SHOW transaction_read_only; ROLLBACK TO SAVEPOINT {0}; RELEASE SAVEPOINT {0}"
_UNDO: Final[LiteralString] = "ROLLBACK TO SAVEPOINT {0}; RELEASE SAVEPOINT {0}"


class _UndoneError(Exception):
    """Leaves a savepoint whose work was only tried."""


def _undo_it() -> NoReturn:
    raise _UndoneError


class Session:
    """One connection to the target. A transaction is always begun by `begin` and ended by `commit` or `rollback`.

    Attributes:
        schema: the target's schema; names without one are looked up there first.
        transaction_id: that of the transaction, where a statement has brought it along; by it the server can be asked,
            in another transaction, what became of this one.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        *,
        schema: str,
        search_path: Sequence[str] = (),
        lock_timeout_s: float = 5.0,
        statement_timeout_s: float = 0.0,
        reopen: Callable[[float], psycopg.Connection[Any]] | None = None,
    ) -> None:
        self._reopen = reopen
        self.schema = schema
        self._settings = {
            **_PINNED,
            "lock_timeout": f"{round(lock_timeout_s * 1000)}",
            "statement_timeout": f"{round(statement_timeout_s * 1000)}",
            "search_path": ", ".join(
                # pg_catalog is not named, so that it is searched first, and pg_temp is last. What matches the types of
                # arguments better is taken from later schemas all the same: see `pg_catalog.` in all statements.
                sql.Identifier(name).as_string()
                for name in (schema, *(name for name in search_path if name not in _OWN_PLACES), "pg_temp")
            ),
        }
        self._own_role: str | None = None
        self._writable = False
        self._temporary = 0
        self._cursors = 0
        self._has_citus: bool | None = None
        self.transaction_id: str | None = None
        self._take(connection)
        self.role: str = self._raw.info.user

    def _take(self, connection: psycopg.Connection[Any]) -> None:
        self._raw = connection
        self._spoilt = False
        self.server_version_num: int = connection.info.server_version

    @property
    def lost(self) -> bool:
        """True when the connection is of no use any more."""
        return self._raw.closed

    def require_connection(self, error: SeedframeError) -> None:
        """Raise what is behind an error that a seed's own code made of a lost connection. Errors: ConnectionLost."""
        if self.lost and not isinstance(error, ConnectionFailed | TransactionEnded):
            raise ConnectionLost("the connection to the server was lost", hint="run the command again") from error

    def reconnect(self, wait_s: float) -> None:
        """Take a new connection to the same target, with the same settings and the same role in each transaction.

        Args:
            wait_s: seconds to wait for the server.

        Errors: ConnectionFailed.
        """
        assert self._reopen is not None  # noqa: S101 - whoever made the session can make another connection
        self.close()
        self._take(self._reopen(wait_s))

    def close(self) -> None:
        """Roll back, and end the connection."""
        self.rollback()
        self._raw.close()

    @property
    def server_version(self) -> str:
        """As people write it: "17.10"."""
        return f"{self.server_version_num // 10000}.{self.server_version_num % 10000}"

    @property
    def role_identifier(self) -> str:
        """The role's name, quoted where SQL needs it."""
        return sql.Identifier(self.role).as_string()

    @property
    def writable(self) -> bool:
        """True inside a transaction that was begun to write."""
        return self._writable

    # Transactions

    def begin(self, *, write: bool, snapshot: bool = False) -> None:
        """Begin a transaction: READ COMMITTED to write (lock, then read), else REPEATABLE READ, READ ONLY.

        Args:
            snapshot: REPEATABLE READ to write, too: what was read is what is written to, or the server refuses.

        Errors: ConnectionFailed, also where the server is a standby and this is to write.
        """
        if self._spoilt:
            self.reconnect(0.0)
        raw = self._raw
        try:
            raw.isolation_level = (
                psycopg.IsolationLevel.READ_COMMITTED
                if write and not snapshot
                else psycopg.IsolationLevel.REPEATABLE_READ
            )
            # What writes says so below: a transaction that psycopg begins unasked, after a stray ROLLBACK, only reads.
            raw.read_only = True
        except psycopg.Error as error:  # of a connection that was lost before, and is only found out now
            raise self.explained(error) from error
        self._writable = write
        self.transaction_id = None
        try:
            self.pin(first="SET TRANSACTION READ WRITE; " if write else "")
        except SeedframeError as error:
            # The first statement brings BEGIN along, and only a standby has this to say to it.
            if write and isinstance(error.__cause__, psycopg.errors.FeatureNotSupported):
                raise standby() from error.__cause__
            raise

    def pin(self, *, first: LiteralString = "") -> None:
        """Pin the settings of the transaction, and the role; also after a seed's own code, which may have set some.

        Args:
            first: statements to be sent along, each with its semicolon.
        """
        pins: list[sql.Composable] = [
            sql.SQL("pg_catalog.set_config({}, {}, true)").format(sql.Literal(name), sql.Literal(value))
            for name, value in self._settings.items()
        ]
        if self._own_role is not None:
            pins.append(sql.SQL("pg_catalog.set_config('role', {}, true)").format(sql.Literal(self._own_role)))
        pins.append(_KEEPALIVE)
        # Whoever may not set it need not: it is at its default, unless a superuser has decided otherwise.
        pins.append(
            sql.SQL(
                "CASE WHEN pg_catalog.current_setting('session_replication_role') <> 'origin'"
                " THEN pg_catalog.set_config('session_replication_role', 'origin', true) END"
            )
        )
        pinning = sql.SQL("SELECT pg_catalog.current_setting('role'), current_user, {}").format(
            sql.SQL(", ").join(pins)
        )
        row = self._at_once(sql.SQL(first) + pinning)
        if row is not None and self._own_role is None:
            # ALTER ROLE … SET role makes a login act as another role from its start: that one's privileges count.
            self._own_role, self.role = row[0], row[1]

    def commit(self) -> None:
        """Commit. Deferred constraints speak here. Errors: ConstraintViolated, ConnectionFailed."""
        if self._raw.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            raise self._ended()
        try:
            self._raw.commit()
        except psycopg.Error as error:
            # Deferred constraints speak here, and a connection that is lost now leaves the outcome open.
            raise self.explained(error, committing=True) from error

    def rollback(self) -> None:
        """Roll back, quietly when the connection is gone: the first error is the one to hear of."""
        try:
            self._raw.rollback()
        except psycopg.Error:
            self._raw.close()

    @property
    def aborted(self) -> bool:
        """True when a statement failed in the open transaction, and nothing was rolled back since."""
        return self._raw.info.transaction_status == psycopg.pq.TransactionStatus.INERROR

    def _ended(self) -> TransactionEnded:
        """The error of who ended the transaction; what is left of the connection is not used again."""
        self._spoilt = True
        if self._closed_by_hand:
            return TransactionEnded(
                "closed the connection it ran on", hint="leave the connection and its transaction to seedframe"
            )
        return TransactionEnded("ended the transaction it ran in", hint="leave COMMIT and ROLLBACK to seedframe")

    @property
    def _closed_by_hand(self) -> bool:
        return self._raw.closed and not self._raw.broken

    @contextmanager
    def savepoint(self, *, read_only: bool = False) -> Iterator[None]:
        """What runs inside is undone when it raises. With `read_only` the server refuses every write in it, and what it
        set (SET LOCAL, SET ROLE) is undone in any case.

        The name is random, so that nobody can release or roll back to it by guessing.
        """
        name = sql.Identifier(f"seedframe_{secrets.token_hex(8)}")
        self.execute(sql.SQL(_SAVEPOINT + (_READ_ONLY if read_only and self._writable else "")).format(name))
        try:
            yield
            if read_only:
                self._require_not_aborted()
        except TransactionEnded:
            raise
        except BaseException as error:
            if not self._undo(name) and isinstance(error, Exception):
                raise self._ended() from error
            raise
        try:
            if read_only:
                still = self._cursor().execute(sql.SQL(_READ_AND_UNDO).format(name)).fetchone()
            else:
                self._raw.execute(sql.SQL("RELEASE SAVEPOINT {}").format(name))
        except (psycopg.errors.InvalidSavepointSpecification, psycopg.errors.NoActiveSqlTransaction) as error:
            raise self._ended() from error
        except psycopg.Error as error:
            if self._closed_by_hand:
                raise self._ended() from error
            raise self.explained(error) from error
        if read_only and still != ("on",):
            raise Misbehaved("turned off read-only", hint="only `apply` may write")

    def _require_not_aborted(self) -> None:
        if self.aborted:
            raise swallowed()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """A part of a transaction that writes in which nothing may be written: it is as in one that only reads."""
        with self.savepoint(read_only=True):
            self._writable = False
            try:
                yield
            finally:
                self._writable = True

    def accepts(self, attempt: Callable[[], object]) -> SeedframeError | None:
        """Try something and undo it either way: None when the server takes it, else why not."""
        try:
            with self.savepoint():
                attempt()
                _undo_it()
        except _UndoneError:
            return None
        except SeedframeError as error:
            return error

    def _undo(self, name: sql.Identifier) -> bool:
        """Undo what was done since; False when somebody has ended the transaction."""
        # Never hides the first error: when the transaction or the connection is gone there is nothing left to undo.
        try:
            self._cursor().execute(sql.SQL(_UNDO).format(name))
        except (psycopg.errors.InvalidSavepointSpecification, psycopg.errors.NoActiveSqlTransaction):
            return False
        except psycopg.Error:
            return not self._closed_by_hand
        return True

    def tidy(self) -> None:
        """Give back what outlives a transaction and a seed's own code may have taken: locks of the session, prepared
        statements. Behind a pooler the session goes to others.
        """
        if self._raw.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            return
        if self.scalar("SELECT EXISTS (SELECT FROM pg_catalog.pg_prepared_statements), pg_advisory_unlock_all()"):
            self.execute("DEALLOCATE ALL")

    # Statements

    def explained(self, error: psycopg.Error, *, committing: bool = False) -> SeedframeError:
        """What a user is told of an error of this connection; `committing` when the statement was COMMIT."""
        return explain(error, role=self.role, lost=self._raw.closed, committing=committing)

    def _cursor(self) -> psycopg.RawCursor[tuple[Any, ...]]:
        # Raw cursors take PostgreSQL's own $1, so that a % in a quoted name is a % and nothing else.
        return psycopg.RawCursor(self._raw)

    def execute(self, statement: Statement, parameters: Sequence[Any] | None = None) -> int:
        """Run a statement; how many rows it touched (-1 where the server does not say)."""
        try:
            return self._cursor().execute(statement, parameters).rowcount
        except psycopg.Error as error:
            raise self.explained(error) from error

    def run(self, statement: str, parameters: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        """Run a seed's own statement, with `%(name)s` parameters: one, as the server refuses a second in it.

        Errors: psycopg.Error.
        """
        return self._raw.cursor().execute(statement, parameters)

    def _at_once(self, statements: Statement) -> tuple[Any, ...] | None:
        """Run several statements; the first row of the last one."""
        try:
            cursor = self._cursor().execute(statements)
            while cursor.nextset():
                pass
            return cursor.fetchone()
        except psycopg.Error as error:
            raise self.explained(error) from error

    def query(self, statement: Statement, parameters: Sequence[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows."""
        try:
            return self._cursor().execute(statement, parameters).fetchall()
        except psycopg.Error as error:
            raise self.explained(error) from error

    def stream(self, statement: Statement, parameters: Sequence[Any] | None = None) -> Iterator[tuple[Any, ...]]:
        """All rows, fetched by the thousand while they are read. Read it to its end before anything else is run."""
        self._cursors += 1
        try:
            with psycopg.RawServerCursor(self._raw, f"seedframe_{self._cursors}") as cursor:
                cursor.itersize = _STREAMED
                yield from cursor.execute(statement, parameters)
        except psycopg.Error as error:
            raise self.explained(error) from error

    @contextmanager
    def set_based(self, many: bool = True) -> Iterator[None]:
        """Joins are made by hash or merge inside. Of rows that were just staged, or are parameters, the planner knows
        next to nothing, and a nested loop that it takes for short goes over each of them for each of the others.

        Args:
            many: False leaves the choice to the planner: a few rows are best found by index.
        """
        if many:
            self.execute("SELECT pg_catalog.set_config('enable_nestloop', 'off', true)")
        yield
        if many:
            self.execute("SELECT pg_catalog.set_config('enable_nestloop', 'on', true)")

    def first(self, statement: Statement, parameters: Sequence[Any] | None = None) -> tuple[Any, ...] | None:
        """The first row, if any."""
        rows = self.query(statement, parameters)
        return rows[0] if rows else None

    def scalar(self, statement: Statement, parameters: Sequence[Any] | None = None) -> Any:
        """The first column of the first row; None without rows."""
        row = self.first(statement, parameters)
        return None if row is None else row[0]

    def first_dict(self, statement: Statement, parameters: Sequence[Any] | None = None) -> dict[str, Any] | None:
        """The first row, by column name."""
        try:
            with psycopg.RawCursor(self._raw, row_factory=dict_row) as cursor:
                return cursor.execute(statement, parameters).fetchone()
        except psycopg.Error as error:
            raise self.explained(error) from error

    def dicts(self, statement: Statement, parameters: Sequence[Any] | None = None) -> list[dict[str, Any]]:
        """All rows, by column name."""
        try:
            with psycopg.RawCursor(self._raw, row_factory=dict_row) as cursor:
                return cursor.execute(statement, parameters).fetchall()
        except psycopg.Error as error:
            raise self.explained(error) from error

    def copy_in(self, statement: Statement, blocks: Iterator[str]) -> None:
        """COPY … FROM STDIN, one block of text after the other."""
        try:
            with self._raw.cursor() as cursor, cursor.copy(statement) as copy:
                for block in blocks:
                    copy.write(block)
        except psycopg.Error as error:
            raise self.explained(error) from error

    # What the server is

    def temporary_name(self, what: str) -> str:
        """A name for a temporary table that this session has not used."""
        self._temporary += 1
        return f"seedframe_{what}_{self._temporary}"

    def is_distributed(self, oid: int) -> bool:
        """True for a distributed or reference table of Citus."""
        if self._has_citus is None:
            self._has_citus = self.scalar("SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL")
        if not self._has_citus:
            return False
        found = self.scalar("SELECT true FROM pg_catalog.pg_dist_partition WHERE logicalrelid = $1::oid", [oid])
        return found is not None

    def defer_constraint(self, schema: str, name: str) -> None:
        """Have a deferrable constraint wait, until `settle_constraints` or COMMIT."""
        self.execute(sql.SQL("SET CONSTRAINTS {} DEFERRED").format(sql.Identifier(schema, name)))

    def settle_constraints(self) -> None:
        """Have all deferred constraints speak now rather than at COMMIT; later statements find them as they were.

        Errors: ConstraintViolated, and whatever a constraint trigger raises.
        """
        # By name, as SET CONSTRAINTS ALL would also set off the guard, and could not be taken back.
        found = self.query(
            "SELECT n.nspname, c.conname, pg_catalog.bool_or(c.condeferred) FROM pg_constraint c"
            " JOIN pg_namespace n ON n.oid = c.connamespace"
            " WHERE c.condeferrable AND n.nspname <> 'seedframe' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
            " GROUP BY 1, 2 ORDER BY 1, 2"
        )
        if found:
            self._set_constraints("IMMEDIATE", [(schema, name) for schema, name, _ in found])
        deferred = [(schema, name) for schema, name, initially in found if initially]
        if deferred:
            self._set_constraints("DEFERRED", deferred)

    def settle_what_can_be(self) -> bool:
        """Have deferred constraints speak now, with the triggers that wait as they do; whether they all could.

        Where one is not met yet, or its trigger raises, all of them wait on.
        """
        try:
            with self.savepoint():
                self.settle_constraints()
        except (ConnectionFailed, TransactionEnded):
            raise
        except SeedframeError:
            return False
        return True

    def _set_constraints(self, when: LiteralString, names: Sequence[tuple[str, str]]) -> None:
        listed = sql.SQL(", ").join([sql.Identifier(schema, name) for schema, name in names])
        self.execute(sql.SQL("SET CONSTRAINTS {} {}").format(listed, sql.SQL(when)))
