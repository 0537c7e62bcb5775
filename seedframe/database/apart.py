"""Two parts of a table that can have no row in common: where the server proves it from the conditions alone."""

from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.session import Session
from seedframe.database.table import Table
from seedframe.errors import SeedError

# Beside the table's own constraints, the planner then looks at whether what a query asks for contradicts itself.
_PROVING: Final[LiteralString] = "SELECT pg_catalog.set_config('constraint_exclusion', 'on', true)"


def are_apart(session: Session, table: Table, first: str, second: str) -> bool:
    """True when no row of the table can meet both conditions. False says only that this is not known."""
    statement = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {} WHERE ({}\n) AND ({}\n)").format(
        table.source, sql.SQL(first), sql.SQL(second)
    )
    try:
        with session.savepoint(read_only=True):
            session.execute(_PROVING)
            plan = session.scalar(statement)[0]["Plan"]
    except SeedError:  # one of them cannot be used, which is told where its own seed is compared
        return False
    return plan["Node Type"] == "Result" and plan.get("One-Time Filter") == "false" and "Plans" not in plan
