"""Rows that were right, and that a repair of others wrote again."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any, Final

import psycopg

from seedframe.changes import key_text
from seedframe.testing import sql
from seedframe.testing.trigger_code import may_write

_LOOKED_AT: Final = 10_000


class RightRows:
    """The rows of a table that nobody disturbs, from before a disturbance until it is repaired."""

    def __init__(self, connection: psycopg.Connection[Any], table: sql.TableName, first: int) -> None:
        """What is written to the table from now on is the disturbance.

        Args:
            first: the transaction id before the seed's first apply.
        """
        self._connection = connection
        self.table: Final = table
        self._first = first
        self._disturbed_since = sql.transaction_id(connection)
        self._repaired_since = 0
        self._rows: list[sql.Written] = []

    @property
    def any(self) -> bool:
        """Whether there are such rows, once the repair has begun."""
        return bool(self._rows)

    def repair_begins(self) -> None:
        """What is written from now on is the repair."""
        self._repaired_since = sql.transaction_id(self._connection)
        self._rows = sql.written_rows(self._connection, self.table, limit=_LOOKED_AT, before=self._disturbed_since)

    def written_again(self) -> str:
        """What the repair did to them that was of no use, for a message; empty for nothing."""
        made = sql.written_rows(self._connection, self.table, limit=2 * _LOOKED_AT, since=self._repaired_since)
        if not made or not self._rows:
            return ""
        there = sql.still_there(self._connection, self.table, self._rows)
        gone = [row for row in self._rows if row.written not in there]
        filled = sql.filled_columns(self._connection, self.table)
        again, besides = _same(gone, made, filled), ""
        if gone and not again:
            # A time that is written with each row tells nothing, where it is written with all of them: that of a single
            # row may well be what the repair is about.
            times = sql.time_columns(self._connection, self.table)
            own = sum(row.writer >= self._first for row in self._rows)
            same = _same([row for row in gone if row.writer >= self._first], made, filled | times)
            if len(same) == own > 1:
                again, besides = same, f", but for {', '.join(sorted(times))}"
        if not again or may_write(sql.trigger_code(self._connection), self.table.name):
            return ""
        names = sql.unique_key(self._connection, self.table) or tuple(again[0].values)[:1]
        which = key_text({name: _text(again[0].values.get(name)) for name in names})
        if len(again) == 1:
            return f"the row {which} of {self.table.label} was right, and is written again as it was{besides}"
        what = f"{len(again)} rows of {self.table.label} were right, and are written again as they were{besides}"
        return f"{what}; one of them is {which}"


def _same(gone: Sequence[sql.Written], made: Sequence[sql.Written], without: Collection[str]) -> list[sql.Written]:
    """Those that are gone in whose place others with the same values came, each for one."""
    came = Counter(_values(row, without) for row in made)
    found = []
    for row in gone:
        values = _values(row, without)
        if came[values]:
            came[values] -= 1
            found.append(row)
    return found


def _values(row: sql.Written, without: Collection[str]) -> str:
    return json.dumps({name: value for name, value in row.values.items() if name not in without}, sort_keys=True)


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
