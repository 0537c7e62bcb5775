"""Rows that the last apply declared, that are declared no more and that nothing deletes: a person is told they stay."""

from collections.abc import Collection

from seedframe.changes import Finding, rows_text
from seedframe.database.declared import Removing, Shape
from seedframe.database.source import Source
from seedframe.database.surroundings import Surroundings


def no_longer_declared(
    shape: Shape,
    source: Source | None,
    around: Surroundings,
    *,
    rows: int,
    removing: Removing,
    going: Collection[int],
) -> Finding | None:
    """What to tell of them: exactly how many where the ledger knows each row, else how many fewer are declared.

    Args:
        shape: as declared, whose declared rows are others than at the last apply.
        source: the declared rows; None where they were streamed, or there are none.
        rows: how many are declared.
        going: the hashes of the keys that this declaration deletes, or keeps away.
    """
    if removing.sync:
        return None
    # What is renamed is declared by another key; what was streamed does not come by again.
    by_row = not shape.moves and (source is not None or not rows)
    store = around.store
    staying = store.undeclared(shape, source, going) if by_row else None
    if staying is None:
        staying = store.rows_declared(shape) - rows - len(going)
    if staying <= 0:
        return None
    one = staying == 1
    why = (
        "prune deletes only what this seed made while prune was on"
        if removing.prune
        else 'prune=True or mode="sync" is for such rows'
    )
    return Finding(
        f"{around.resource}: {rows_text(staying)} that {'was' if one else 'were'} declared at the last apply"
        f" {'is' if one else 'are'} declared no more and {'stays' if one else 'stay'} as in the database; {why}",
        "info",
    )
