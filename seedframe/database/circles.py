"""Circles: rows of several resources that refer to each other, written once all that can be written first has been."""

from collections.abc import Sequence

from seedframe.database.rounds import Stuck
from seedframe.database.rowset import Rowset
from seedframe.errors import RefError

_NAMED = 4


def finish_circles(rowsets: Sequence[Rowset]) -> None:
    """Write what waits for rows that a later resource of the seed has made by now, and what waits in a circle.

    Errors: RefError where a circle has no row that could be the first, or where a row that was declared is not there
    after it was written.
    """
    waiting = [rowset for rowset in rowsets if rowset.waiting]
    while waiting:
        went = [rowset.go_on() for rowset in waiting]
        if not any(went) and not any(rowset.go_on(let_in=True) for rowset in waiting):
            raise _refusal([stuck for rowset in waiting if (stuck := rowset.stuck()) is not None])
        waiting = [rowset for rowset in waiting if rowset.waiting]


def _refusal(stuck: Sequence[Stuck]) -> RefError:
    first = stuck[0]
    tables = {found.table for found in stuck}
    lost = next((found for found in stuck if not tables.intersection(found.parents)), None)
    if lost is not None:
        return RefError(
            f"ref to {lost.labels[0]} matches no row, though it was declared and written",
            hint="look for a trigger or a rule that swallows that row or rewrites its key",
            where=lost.where,
        )
    listed = "; ".join(f"{found.where}: {', '.join(found.columns)}" for found in stuck[1:_NAMED])
    with_others = f", with {listed}" if listed else ""
    columns = ", ".join(first.columns)
    return RefError(
        f"{columns} refers to a row that cannot be made before this one: they refer to each other in a circle"
        f"{with_others}",
        hint="let one of these columns be NULL for a moment (no NOT NULL), or make its foreign key deferrable and"
        " declare the value it refers to",
        where=first.where,
    )
