"""Columns of a table that a seed writes, so that two of them can be compared by the table rather than by its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.catalog import Table
from seedframe.database.ledger import Ledger
from seedframe.database.session import Session

# What is written to a table that has partitions, or that others inherit from, is written to them.
_ABOVE: Final[LiteralString] = """
WITH RECURSIVE up (oid) AS (
    SELECT $1::oid UNION SELECT i.inhparent FROM up JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid
)
SELECT oid FROM up
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Columns of one table.

    Attributes:
        above: its oid, and those of the tables that it is a partition of or inherits from.
        name: as a seed would write it: without the schema where that is the target's.
    """

    oid: int
    above: frozenset[int]
    name: str
    columns: frozenset[str]

    def common(self, other: "Claimed") -> frozenset[str]:
        """The columns that both write."""
        if self.oid not in other.above and other.oid not in self.above:
            return frozenset()
        return self.columns & other.columns


def claimed(session: Session, table: Table, columns: Iterable[str]) -> Claimed:
    """Columns that are written, by the names that a seed has for them: of the table below, for a view."""
    real = table if table.shows is None else table.shows
    return Claimed(
        real.oid,
        frozenset(row[0] for row in session.query(_ABOVE, [real.oid])),
        real.name if real.schema == session.schema else real.label,
        frozenset(map(table.name_below, columns)),
    )


def left_by(ledger: Ledger, seed: str) -> list[tuple[str, list[str]]]:
    """Tables, by schema and name, and their columns that a seed kept to what it declares when it was last applied."""
    if not ledger.readable:
        return []
    rows = ledger.session.query(
        "SELECT table_name, columns FROM seedframe.baseline WHERE project = $1 AND target_schema = $2 AND seed = $3"
        " AND table_name IS NOT NULL ORDER BY resource",
        [ledger.project, ledger.schema, seed],
    )
    return [(row[0], row[1]) for row in rows]
