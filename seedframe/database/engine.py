"""The engine: from a project's configuration to one open session, waiting for the server where asked to."""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from seedframe.configuration.config import Config
from seedframe.database.address import Address, configured_address, parse_address
from seedframe.database.connection_problems import connection_problem
from seedframe.database.one_statement import OneStatementCursor
from seedframe.database.session import Session
from seedframe.database.supported import require_supported
from seedframe.errors import ConnectionFailed
from seedframe.retrying import Pauses


@dataclass(frozen=True, slots=True)
class OpenTarget:
    """An open session, and the host it is on, for people."""

    session: Session
    host: str


@contextmanager
def open_target(
    config: Config, *, wait_s: float = 0.0, waiting: Callable[[str], None] = lambda _what: None
) -> Iterator[OpenTarget]:
    """Connect to the project's database; the embedded one is started when nobody else has.

    Args:
        wait_s: seconds to keep trying while the server starts or is out of reach.
        waiting: told what is waited for.

    Raises:
        ConnectionFailed: no server, wrong password, no such database …
        ConfigError: the address is malformed.
    """
    with ExitStack() as stack:
        if config.database.embedded:
            from seedframe.database import embedded  # here, as only this needs to know where servers are installed

            server = stack.enter_context(embedded.lease(config.root, config.project, config.variables))
            address, host = parse_address(server.url, source="embedded"), "embedded"
        else:
            address = configured_address(config.database)
            host = address.server
        dial = _Dial(address, config, waiting)
        session = Session(
            dial.connect(wait_s),
            schema=config.database.schema,
            search_path=config.database.search_path,
            lock_timeout_s=config.database.lock_timeout_s,
            statement_timeout_s=config.database.statement_timeout_s,
            reopen=dial.connect_again,
        )
        stack.callback(session.close)
        yield OpenTarget(session, host)


class _Dial:
    """Makes connections to one database, one at a time."""

    def __init__(self, address: Address, config: Config, waiting: Callable[[str], None]) -> None:
        self._address = address
        self._waiting = waiting
        # No prepared statements on the server: behind a pooler the next transaction may be on another one.
        self._arguments: dict[str, Any] = {
            **address.connect_args(config.database.connect_timeout_s),
            # For whoever waits for us. What the address or PGAPPNAME has comes first.
            "fallback_application_name": f"seedframe {config.project}",
            "prepare_threshold": None,
            "client_encoding": "UTF8",
        }

    def connect(self, wait_s: float) -> psycopg.Connection[Any]:
        """A new connection, waited for. Errors: ConnectionFailed."""
        pauses = Pauses(wait_s)
        while True:
            try:
                return self._open()
            except psycopg.Error as error:
                problem = connection_problem(error, self._address)
            left = pauses.left_s
            if not problem.retryable or left <= 0:
                raise _given_up(problem, wait_s) from None
            self._waiting(f"{problem.message}; waiting for it, {left:.0f} s left")
            pauses.pause()

    def connect_again(self, wait_s: float) -> psycopg.Connection[Any]:
        """As `connect`; what waits for an answer waits no longer than that either."""
        if "connect_timeout" not in self._address.parameters:
            self._arguments["connect_timeout"] = str(max(2, math.ceil(wait_s)))
        return self.connect(wait_s)

    def _open(self) -> psycopg.Connection[Any]:
        connection = psycopg.connect(**self._arguments, cursor_factory=OneStatementCursor, autocommit=True)
        try:
            # A pooler welcomes whoever comes, and only says when it is asked that there is no server behind it.
            connection.execute("SELECT 1")
            require_supported(connection.info.server_version, self._address)
            connection.autocommit = False
        except BaseException:
            connection.close()
            raise
        return connection


def _given_up(problem: ConnectionFailed, wait_s: float) -> ConnectionFailed:
    if not (problem.retryable and wait_s):
        return problem
    return ConnectionFailed(f"{problem.message} (waited {wait_s:g} s)", hint=problem.hint, retryable=problem.retryable)
