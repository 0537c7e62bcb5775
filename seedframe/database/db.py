"""Db: what hooks and resources are given to talk to the database with."""

from collections.abc import Mapping
from typing import Any, Protocol


class Db(Protocol):
    """SQL with `:name` parameters, inside the transaction of the seed. No commit, no raw connection.

    Read-only outside `apply`, enforced by the server.
    """

    def scalar(self, sql: str, /, **params: Any) -> Any:
        """The first column of the first row; None when there is no row."""
        ...

    def row(self, sql: str, /, **params: Any) -> Mapping[str, Any] | None:
        """The first row; None when there is none."""
        ...

    def rows(self, sql: str, /, **params: Any) -> list[Mapping[str, Any]]:
        """All rows."""
        ...

    def execute(self, sql: str, /, **params: Any) -> int:
        """Run a statement; how many rows it touched."""
        ...
