"""The engine: from a project's configuration to one open session, waiting for the server where asked to."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import sqlalchemy
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from seedframe.config import Config
from seedframe.database import embedded
from seedframe.database.address import Address, configured_address, connection_problem, parse_address
from seedframe.database.session import Session
from seedframe.errors import ConnectionFailed

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0


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
            server = stack.enter_context(embedded.lease(config.root, config.project, config.variables))
            address, host = parse_address(server.url, source="embedded"), "embedded"
        else:
            address = configured_address(config.database)
            host = address.server
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect(address, config.database.connect_timeout_s, wait_s, waiting),
            poolclass=NullPool,
            hide_parameters=True,
            use_native_hstore=False,
        )
        try:
            connection = stack.enter_context(engine.connect())
        except DBAPIError as error:
            # SQLAlchemy asks the server a few things before it hands the connection over.
            if isinstance(error.orig, psycopg.Error):
                raise connection_problem(error.orig, address) from None
            raise
        session = Session(
            connection,
            schema=config.database.schema,
            search_path=config.database.search_path,
            lock_timeout_s=config.database.lock_timeout_s,
            statement_timeout_s=config.database.statement_timeout_s,
        )
        stack.callback(session.rollback)
        yield OpenTarget(session, host)


def _connect(
    address: Address, connect_timeout_s: float, wait_s: float, waiting: Callable[[str], None]
) -> psycopg.Connection[Any]:
    deadline = time.monotonic() + wait_s
    pause = _FIRST_PAUSE_S
    while True:
        try:
            # No prepared statements on the server: behind a pooler the next transaction may be on another one.
            return psycopg.connect(
                **address.connect_args(connect_timeout_s),
                prepare_threshold=None,
                client_encoding="UTF8",
            )
        except psycopg.Error as error:
            problem = connection_problem(error, address)
        left = deadline - time.monotonic()
        if not problem.retryable or left <= 0:
            raise _given_up(problem, wait_s) from None
        waiting(f"{problem.message}; waiting for it, {left:.0f} s left")
        time.sleep(min(pause * random.uniform(0.5, 1.5), left))  # noqa: S311 - jitter, not a secret
        pause = min(pause * 2, _LONGEST_PAUSE_S)


def _given_up(problem: ConnectionFailed, wait_s: float) -> ConnectionFailed:
    if not (problem.retryable and wait_s):
        return problem
    return ConnectionFailed(f"{problem.message} (waited {wait_s:g} s)", hint=problem.hint, retryable=problem.retryable)
