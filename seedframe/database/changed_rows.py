"""The changed rows of one resource: their keys and columns, taken from what was written, for the ledger."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from psycopg import sql

from seedframe.database.column_sql import written
from seedframe.database.declared import Shape
from seedframe.database.session import Session
from seedframe.database.write import Delta

if TYPE_CHECKING:
    from seedframe.history import ChangedRow

Key = dict[str, str | None]


class ChangedRows:
    """What a resource changes, row by row, up to a number of rows; beyond that nothing is listed.

    Columns are taken from the differences as they are found, keys from what was written: by then references are known.
    """

    def __init__(self, session: Session, shape: Shape, resource: str, limit: int) -> None:
        self._session = session
        self._shape = shape
        self._resource = resource
        self.limit = limit
        self._columns: dict[int, tuple[str, ...]] = {}
        self._deltas: list[Delta] = []
        self._deleted: list[Key | None] = []

    @property
    def secret(self) -> bool:
        """True where a column of the key is secret: then no key is listed."""
        return any(field.secret for field in self._shape.key)

    def differs(self, line: int, columns: Sequence[str]) -> None:
        """Note which columns of a row differ; the first difference of a row counts."""
        if len(self._columns) < self.limit:
            self._columns.setdefault(line, tuple(columns))

    def wrote(self, delta: Delta) -> None:
        """Note that these rows were written."""
        if self.limit:
            self._deltas.append(delta)

    def deletes(self, keys: Sequence[Key]) -> None:
        """Note which rows are deleted."""
        self._deleted += [None if self.secret else key for key in keys]

    def all(self) -> "list[ChangedRow]":
        """All of them, at most one more than the limit: deletes first, as they are done."""
        from seedframe.history import ChangedRow  # here, as most runs change nothing

        rows = [ChangedRow(self._resource, "delete", key) for key in self._deleted]
        seen: set[int] = set()
        for delta in self._deltas:
            for line, missing, key in self._of(delta):
                if line not in seen:
                    seen.add(line)
                    action, columns = ("create", None) if missing else ("update", self._columns.get(line))
                    rows.append(ChangedRow(self._resource, action, key, columns))
        return rows[: self.limit + 1]

    def _of(self, delta: Delta) -> Iterator[tuple[int, bool, Key | None]]:
        names = [field.name for field in self._shape.key]
        texts = [written(field.column, field.desired) for field in self._shape.key]
        statement = sql.SQL("SELECT d.line, d.missing, ARRAY[{}]::text[] FROM {} AS d ORDER BY d.line LIMIT {}").format(
            sql.SQL(", ").join([] if self.secret else texts), delta.identifier, sql.Literal(self.limit + 1)
        )
        for line, missing, cells in self._session.query(statement):
            yield line, missing, None if self.secret else dict(zip(names, cells, strict=True))
