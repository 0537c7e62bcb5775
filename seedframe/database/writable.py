"""Which tables a seed's own code may write: decided before it runs, so that nothing it makes or renames adds to it."""

from collections.abc import Collection, Sequence
from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.catalog import split_name, written_name
from seedframe.database.db import Db
from seedframe.database.session import Session
from seedframe.database.touched import Touched

# A partition, or a table that inherits, is declared with the one above it.
_BELOW: Final[LiteralString] = """
WITH RECURSIVE down (oid) AS (
    SELECT o FROM pg_catalog.unnest($1::oid[]) o
    UNION SELECT i.inhrelid FROM down JOIN pg_catalog.pg_inherits i ON i.inhparent = down.oid
)
SELECT oid FROM down
"""

_NAMED: Final[LiteralString] = """
SELECT q.name, c.oid, c.relkind::text
  FROM unnest($1::text[], $2::text[]) AS q (name, quoted)
  JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(q.quoted)::oid AND c.relpersistence <> 't'
"""


class Writable:
    """The tables that one seed declares, in one attempt.

    Attributes:
        unknown: the names that stood for nothing when this was first asked.
    """

    def __init__(self, session: Session, db: Db, names: Sequence[str]) -> None:
        self._session = session
        self._db = db
        self._names = tuple(dict.fromkeys(names))
        self._declared: frozenset[int] | None = None
        self.unknown: tuple[str, ...] = ()

    def now(self) -> frozenset[int]:
        """The oids that code which is about to run may write: of the declared tables, and of those below them."""
        if self._declared is None:
            self._declared, self.unknown = self._db.writable_oids(self._names)
        return self._below(self._declared)

    def beyond(self, touched: Sequence[Touched], before: frozenset[int]) -> list[Touched]:
        """What the code touched and may not, sorted; what it made under a declared name is declared from now on.

        Args:
            before: what `now` said before it ran.
        """
        made = {table.oid for table in touched if table.made}
        own = frozenset(oid for _, oid, _ in self._named() if oid in made) if made else frozenset()
        allowed = self._below(before | own) if made else before
        refused = [table for table in touched if table.oid not in (allowed if table.made else before)]
        self._declared = (self._declared or frozenset()) | own
        return sorted(refused, key=lambda table: (table.schema, table.name))

    def redirected(self) -> tuple[str, str] | None:
        """A declared name that is a view by now, of a table that is not declared; the name, and that of the table."""
        views = [name for name, _, kind in self._named() if kind == "v"]
        allowed = self.now() if views else frozenset()
        for name in views:
            below = self._db.below_view(name)
            if below is not None and below.oid not in allowed:
                return name, written_name(None if below.schema == self._session.schema else below.schema, below.name)
        return None

    def _below(self, oids: Collection[int]) -> frozenset[int]:
        return frozenset(row[0] for row in self._session.query(_BELOW, [list(oids)]))

    def _named(self) -> list[tuple[str, int, str]]:
        if not self._names:
            return []
        quoted = [sql.Identifier(*filter(None, split_name(name))).as_string() for name in self._names]
        return [(row[0], row[1], row[2]) for row in self._session.query(_NAMED, [list(self._names), quoted])]
