"""A cursor that sends one statement at a time: whatever a text hides, the server refuses a second one in it."""

from typing import Any

import psycopg


class OneStatementCursor(psycopg.Cursor[Any]):
    """psycopg's cursor, always by the extended query protocol, in which the server takes no more than one statement.

    Source of the rule: PostgreSQL's documentation, "Message Flow", Extended Query. psycopg itself takes the simple
    protocol, in which several are welcome, for whatever has no parameters.
    """

    def _execute_send(self, query: Any, *, force_extended: bool = False, binary: bool | None = None) -> None:  # noqa: ARG002
        super()._execute_send(query, force_extended=True, binary=binary)
