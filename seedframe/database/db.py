"""Db: what hooks and resources are given to talk to the database with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from seedframe.changes import Severity


class Db(Protocol):
    """SQL with `:name` parameters, inside the transaction of the seed. No commit, no raw connection.

    Read-only outside `apply`, enforced by the server.
    """

    @property
    def state_dir(self) -> Path:
        """The project's `.seedframe/` folder, for what must outlive a crash and not be committed."""
        ...

    def note(self, text: str, severity: Severity = "info") -> None:
        """Add a finding to the seed's outcome: something a person should be told."""
        ...

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
