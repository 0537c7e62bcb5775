"""For tests of an application: its database, migrated and seeded once, to be copied, or to be rolled back."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
import sqlalchemy
from sqlalchemy.pool import StaticPool

from seedframe.configuration.config import Config, load_config
from seedframe.configuration.config_file import has_config
from seedframe.errors import MigrationFailed, SeedframeError
from seedframe.operations.migrations import run_migrations
from seedframe.project import Project
from seedframe.secrets import Secret
from seedframe.testing.databases import Database
from seedframe.testing.quietly import Quietly
from seedframe.testing.report_reading import report_text

if TYPE_CHECKING:
    from seedframe.report import Report
    from seedframe.testing.databases import Server

_OUTERMOST: Final = "seedframe_outermost"
_SAVEPOINT: Final = "seedframe_test"


class NotSeeded(Exception):
    """The database could not be migrated and seeded; the message says why, for a person."""


def seed_for_tests(database: Database, where: Path, *, env: str | None, environ: Mapping[str, str]) -> None:
    """Migrate a database, apply all seeds of a project, and verify them.

    Args:
        database: an empty database.
        where: the project's configuration file, or a folder in the project.
        env: the name of the environment; None leaves it to SEEDFRAME_ENV and the default.
        environ: the environment variables, DATABASE_URL excepted.

    Errors: NotSeeded.
    """
    kept = {name: value for name, value in environ.items() if not name.startswith(("PG", "DATABASE_URL"))}
    try:
        if where.is_dir():
            _require_config(where)
        config = load_config(where, env=env, environ={**kept, "DATABASE_URL": database.url})
        _migrate(config, database)
        project = Project.of(config)
        _require_done(project.apply(observer=Quietly()))
        _require_done(project.verify())
    except SeedframeError as error:
        output = error.output if isinstance(error, MigrationFailed) else ()
        lines = [*(str(problem) for problem in error.problems), *(f"    {line}" for line in output)]
        raise NotSeeded("\n".join(lines)) from error


def _require_config(where: Path) -> None:
    """Where pytest is run beside the project, its own setting is what is missing."""
    if not any(has_config(folder) for folder in (where, *where.resolve().parents)):
        below = [file.parent.name for file in sorted(where.glob("*/seedframe.toml"))]
        named = f": {' or '.join(below)}" if below else ""
        raise NotSeeded(
            f"{where}: no seedframe.toml here or in any folder above; in pytest's configuration, seedframe_config"
            f" names its folder{named}"
        )


def _migrate(config: Config, database: Database) -> None:
    if config.migrations:
        variables = {**os.environ, **config.variables}
        try:
            run_migrations(config.migrations, root=config.root, url=Secret(database.url), variables=variables)
        except MigrationFailed as error:
            error.hint = "put the migrations right; the tests begin with a new database"
            raise


def _require_done(report: "Report") -> None:
    if report.exit_code:
        raise NotSeeded(f"seedframe {report.command} ended with exit code {report.exit_code}:\n{report_text(report)}")


class TransactionEndedByTest(Exception):
    """The transaction that was to be undone was ended by SQL text: what was written after that is in the database."""


class _Cursor(psycopg.Cursor[Any]):
    """Tells its connection of each statement."""

    def execute(self, *args: Any, **kwargs: Any) -> Self:
        try:
            return super().execute(*args, **kwargs)
        finally:
            self._told()

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().executemany(*args, **kwargs)
        finally:
            self._told()

    @contextmanager
    def copy(self, *args: Any, **kwargs: Any) -> Iterator[psycopg.Copy]:
        try:
            with super().copy(*args, **kwargs) as copy:
                yield copy
        finally:
            self._told()

    def _told(self) -> None:
        if isinstance(self.connection, RolledBack):
            self.connection.executed()


class RolledBack(psycopg.Connection[Any]):
    """A connection of which nothing stays: what is committed on it is kept until the test ends, and then undone.

    All of it is one transaction. `commit` sets a savepoint and `rollback` returns to the last one. What psycopg commits
    by itself (an outermost `transaction()`, and each statement where `autocommit` is set) is committed so, too. `close`
    closes nothing.
    """

    _pending = False
    _each = False
    _blocks = 0

    def begin(self) -> None:
        """Begin what `undo` will end."""
        self._control(f"BEGIN; SAVEPOINT {_OUTERMOST}; SAVEPOINT {_SAVEPOINT}")

    def undo(self) -> None:
        """Undo all of it, and close. Errors: TransactionEndedByTest, where that is too late."""
        try:
            if self.closed:  # the server undid it
                return
            try:
                self._control(f"ROLLBACK TO SAVEPOINT {_OUTERMOST}")
            except psycopg.Error as error:
                raise TransactionEndedByTest(
                    "the test ended its transaction with SQL text (COMMIT or ROLLBACK), so that what it did after that"
                    " could not be undone: call commit() and rollback() of the connection, or use seedframe_clone"
                ) from error
            super().rollback()
        finally:
            super().close()

    def commit(self) -> None:
        """Keep what was done until the test ends."""
        self._control(f"RELEASE SAVEPOINT {_SAVEPOINT}; SAVEPOINT {_SAVEPOINT}")
        self._pending = False

    def rollback(self) -> None:
        """Undo what was done since the last `commit`."""
        self._control(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        self._pending = False

    def close(self) -> None:
        """Undo what was not committed; the connection stays open."""
        if not self.closed:
            self.rollback()

    @contextmanager
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        """As psycopg's: the outermost, where nothing is pending, commits at its end."""
        outermost = not self._pending and not self._blocks
        self._blocks += 1
        try:
            with super().transaction(savepoint_name, force_rollback) as block:
                yield block
        finally:
            self._blocks -= 1
        if outermost:
            self.commit()

    def set_autocommit(self, value: bool) -> None:
        """What each statement commits from now on is undone as well."""
        self._each = value

    def set_isolation_level(self, value: psycopg.IsolationLevel | None) -> None:
        """Nothing: alone in its database, it sees the same at each of them."""

    def executed(self) -> None:
        """A statement was run."""
        if self._blocks or self.info.transaction_status is not psycopg.pq.TransactionStatus.INTRANS:
            self._pending = True
        elif self._each:
            self.commit()
        else:
            self._pending = True

    def _control(self, statements: str) -> None:
        """Run statements about transactions, which are nobody's work."""
        with psycopg.Cursor(self) as cursor:
            cursor.execute(statements.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        if exc_type is None:
            self.commit()
        else:
            self.rollback()


def rolled_back(url: str) -> RolledBack:
    """Connect to a database; the caller calls `undo` in the end. Errors: psycopg's."""
    connection = RolledBack.connect(url, autocommit=True, cursor_factory=_Cursor)
    connection.prepare_threshold = None
    connection.begin()
    return connection


def engine_over(connection: RolledBack) -> sqlalchemy.Engine:
    """SQLAlchemy's engine over that one connection."""
    return sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)


class SharedCopy:
    """A copy of the seeded database that tests share, as nothing stays of what they do; made again where it does."""

    def __init__(self, server: "Server", seeded: Database) -> None:
        self._server = server
        self._seeded = seeded
        self._copies = ExitStack()
        self._url: str | None = None

    def url(self) -> str:
        """Its address."""
        if self._url is None:
            self._seeded.close()
            self._url = self._copies.enter_context(self._server.database(template=self._seeded.name)).url
        return self._url

    def drop(self) -> None:
        """Drop it: the next test gets another."""
        self._url = None
        self._copies.close()
