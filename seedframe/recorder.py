"""What each resource of a run declares and would change, in full, as digests: what a saved plan is bound to."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from seedframe.changes import Cell, Change, Changes, Marker
from seedframe.secrets import Secret


class ResourceDigests:
    """One resource, on its way through one comparison. Secret cells count as there or not there, and no more.

    The digests are over what is told to it in the order in which it is told: in that of the source, then by key.
    """

    def __init__(self, *, changes: bool) -> None:
        self.wants_changes = changes
        self._declared = sha256()
        self._changes = sha256()

    def describe(self, text: str) -> None:
        """What the resource says of itself, and what else of it is no row."""
        self._declared.update(_bytes(text))

    def declare(self, columns: Iterable[list[str | None]]) -> None:
        """Declared rows, as the texts of each column; none of a secret column."""
        self._declared.update(_bytes(list(columns)))

    def change(self, change: Change) -> None:
        """One change, with everything that a report would show of it but its reason."""
        cells = (change.key, change.before, change.after)
        self._changes.update(_bytes([change.action, change.verdict, *map(_cells, cells)]))

    def bind(self, version: str) -> None:
        """A row that is to go, as it is by now; what it holds besides declared columns is not told."""
        self._changes.update(_bytes(version))

    def finish(self, changes: Changes) -> None:
        """What is told of the resource as a whole."""
        counts = changes.counts
        numbers = (counts.create, counts.update, counts.delete)
        self._changes.update(_bytes([numbers, changes.verdict, changes.skipped_reason]))

    @property
    def declared(self) -> str:
        """SHA-256 of what is declared, in hexadecimal."""
        return self._declared.hexdigest()

    @property
    def changes(self) -> str:
        """SHA-256 of the changes, in hexadecimal."""
        return self._changes.hexdigest()


class Recorder:
    """The records of all resources of a run, by seed and resource.

    Args:
        changes: whether changes are taken in full too, rather than only what is declared.
    """

    def __init__(self, *, changes: bool) -> None:
        self._wants_changes = changes
        self._records: dict[tuple[str, str], ResourceDigests] = {}

    def start(self, seed: str, resource: str) -> ResourceDigests:
        """A new record; it replaces that of an earlier attempt."""
        record = self._records[seed, resource] = ResourceDigests(changes=self._wants_changes)
        return record

    def finish(self, seed: str, resource: str, changes: Changes, *, description: str, listed: bool) -> None:
        """The resource was compared.

        Args:
            listed: the changes were not told one by one; those that the comparison lists are all there is to take.
        """
        record = self._records.get((seed, resource))
        if record is None or listed:
            record = self.start(seed, resource)
        record.describe(description)
        if self._wants_changes:
            if listed:
                for change in changes.sample:
                    record.change(change)
            record.finish(changes)

    def of(self, seed: str) -> Mapping[str, ResourceDigests]:
        """The records of a seed, by resource, in the order in which they were compared."""
        return {resource: record for (owner, resource), record in self._records.items() if owner == seed}


def _cells(cells: Mapping[str, Cell] | None) -> list[list[Any]] | None:
    return None if cells is None else [[str(name), _cell(cell)] for name, cell in cells.items()]


def _cell(cell: object) -> str | None | list[str]:
    if isinstance(cell, Secret):
        return [Marker.SECRET.value]
    if isinstance(cell, Marker):
        return [cell.value]
    return None if cell is None else str(cell)


def _bytes(value: Any) -> bytes:
    """JSON has an end of its own, so that what follows cannot run into it."""
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode()
