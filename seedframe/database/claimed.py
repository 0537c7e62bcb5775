"""What a seed writes of a table, so that two of them can be compared by the table rather than by its name."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, LiteralString

from seedframe.database.catalog import written_name
from seedframe.database.ledger import Ledger
from seedframe.database.session import Session
from seedframe.database.table import Table

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
        columns: None for the whole table.
        deletes: it may delete rows that others have made or completed, and so takes all columns of them.
        part: a condition that is true of each of its rows, and of each that it deletes; None where there is none.
    """

    oid: int
    above: frozenset[int]
    name: str
    columns: frozenset[str] | None
    deletes: bool = False
    part: str | None = None

    def meets(self, other: "Claimed") -> bool:
        """True when both write one table, whatever of it."""
        return self.oid in other.above or other.oid in self.above

    def common(self, other: "Claimed") -> frozenset[str] | None:
        """The columns that both write; None for the whole table."""
        if not self.meets(other):
            return frozenset()
        if self.columns is None or other.columns is None:
            return None
        return self.columns & other.columns


def claimed(
    session: Session,
    table: Table,
    columns: Iterable[str] | None,
    *,
    deletes: bool = False,
    part: str | None = None,
) -> Claimed:
    """Columns that are written, by the names that a seed has for them: of the table below, for a view."""
    real = table if table.shows is None else table.shows
    return Claimed(
        real.oid,
        frozenset(row[0] for row in session.query(_ABOVE, [real.oid])),
        written_name(None if real.schema == session.schema else real.schema, real.name),
        None if columns is None else frozenset(map(table.name_below, columns)),
        deletes,
        part,
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
