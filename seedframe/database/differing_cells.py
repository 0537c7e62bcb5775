"""The cells in which a row differs, or will once its references are found; and the difference as a change to show."""

from collections.abc import Collection
from dataclasses import replace

from seedframe.changes import Cell, Change, Marker, Verdict
from seedframe.database.compare import Difference
from seedframe.database.declared import Shape


class DifferingCells:
    """Reads the differences of one shape. A position is that of one of its stored fields."""

    def __init__(self, shape: Shape) -> None:
        self._stored = shape.stored
        self._expressions = [declared.name for declared in shape.fields if declared.expression is not None]
        numbers = {declared.name: number for number, (declared, _) in enumerate(shape.references)}
        self._references = [numbers.get(declared.name) for declared in shape.stored]

    def differs(self, difference: Difference, position: int) -> bool:
        """Whether a managed cell differs, or will."""
        assert difference.differing is not None  # noqa: S101 - the caller looked
        return difference.differing[position] or self._unresolved(difference, position)

    def _unresolved(self, difference: Difference, position: int) -> bool:
        number = self._references[position]
        return number is not None and difference.unresolved[number]

    def names(self, difference: Difference) -> list[str]:
        """The columns in which a row that is there differs, or will."""
        assert difference.differing is not None  # noqa: S101 - the caller looked
        return [
            declared.name
            for position, declared in enumerate(self._stored)
            if difference.differing[position] or (declared.role == "managed" and self._unresolved(difference, position))
        ]

    def without(self, difference: Difference, positions: Collection[int]) -> Difference:
        """The difference, less these cells."""
        if not positions:
            return difference
        assert difference.differing is not None  # noqa: S101 - the caller looked
        flags = list(difference.differing)
        unresolved = list(difference.unresolved)
        for position in positions:
            flags[position] = False
            number = self._references[position]
            if number is not None:
                unresolved[number] = False
        return replace(difference, differing=tuple(flags), unresolved=tuple(unresolved))

    def change(self, difference: Difference, verdict: Verdict | None) -> Change:
        """A difference that carries its cells, as a change; secret ones are masked."""
        assert difference.after is not None  # noqa: S101 - the caller looked
        befores = difference.before or (None,) * len(difference.after)
        flags = difference.differing or (False,) * len(difference.after)
        key: dict[str, Cell] = {}
        before: dict[str, Cell] = {}
        after: dict[str, Cell] = {}
        for position, (declared, was, now, differing) in enumerate(
            zip(self._stored, befores, difference.after, flags, strict=True)
        ):
            unresolved = self._unresolved(difference, position)
            shown: Cell = Marker.KNOWN_AFTER_APPLY if unresolved else now
            if declared.secret:
                was, shown = Marker.SECRET, Marker.SECRET
            if declared.role == "key":
                key[declared.name] = shown
            if declared.role == "key" and (difference.missing or not differing):
                continue
            if difference.missing or differing or (unresolved and declared.role == "managed"):
                before[declared.name] = was
                after[declared.name] = shown
        if not difference.missing:
            return Change("update", key, before, after, verdict)
        after |= dict.fromkeys(self._expressions, Marker.KNOWN_AFTER_APPLY)
        return Change("create", key, None, after, verdict)
