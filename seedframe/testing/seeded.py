"""For tests of an application: its database, migrated and seeded once, to be copied, or to be rolled back."""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import psycopg
import sqlalchemy
from sqlalchemy.pool import StaticPool

from seedframe.config import Config, load_config
from seedframe.errors import MigrationFailed, SeedframeError
from seedframe.migrations import run_migrations
from seedframe.project import Project
from seedframe.secrets import Secret
from seedframe.testing.databases import Database
from seedframe.testing.runner import Quietly, report_text

if TYPE_CHECKING:
    from seedframe.report import Report

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
        config = load_config(where, env=env, environ={**kept, "DATABASE_URL": database.url})
        _migrate(config, database)
        project = Project.of(config)
        _require_done(project.apply(observer=Quietly()))
        _require_done(project.verify())
    except SeedframeError as error:
        output = error.output if isinstance(error, MigrationFailed) else ()
        lines = [*(str(problem) for problem in error.problems), *(f"    {line}" for line in output)]
        raise NotSeeded("\n".join(lines)) from error


def _migrate(config: Config, database: Database) -> None:
    if config.migrations:
        run_migrations(
            config.migrations, root=config.root, url=Secret(database.url), variables={**os.environ, **config.variables}
        )


def _require_done(report: "Report") -> None:
    if report.exit_code:
        raise NotSeeded(f"seedframe {report.command} ended with exit code {report.exit_code}:\n{report_text(report)}")


class RolledBack(psycopg.Connection[Any]):
    """A connection of which nothing stays: what is committed on it is kept until the test ends, and then undone.

    All of it is one transaction. `commit` sets a savepoint and `rollback` returns to the last one; within
    `transaction()` psycopg does so by itself. `close` closes nothing.
    """

    def begin(self) -> None:
        """Begin what `undo` will end."""
        self.execute("BEGIN")
        self.execute(f"SAVEPOINT {_SAVEPOINT}".encode())

    def undo(self) -> None:
        """Undo all of it, and close."""
        try:
            super().rollback()
        finally:
            super().close()

    def commit(self) -> None:
        """Keep what was done until the test ends."""
        self.execute(f"RELEASE SAVEPOINT {_SAVEPOINT}; SAVEPOINT {_SAVEPOINT}".encode())

    def rollback(self) -> None:
        """Undo what was done since the last `commit`."""
        self.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}".encode())

    def close(self) -> None:
        """Undo what was not committed; the connection stays open."""
        if not self.closed:
            self.rollback()

    def set_autocommit(self, value: bool) -> None:
        """Nothing: what each statement commits is undone as well."""

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
    connection = RolledBack.connect(url, autocommit=True)
    connection.prepare_threshold = None
    connection.begin()
    return connection


def engine_over(connection: RolledBack) -> sqlalchemy.Engine:
    """SQLAlchemy's engine over that one connection."""
    return sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
