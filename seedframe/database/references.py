"""What the references of declared rows find: one row, there or planned. None, several, or one that goes is an error."""

from bisect import bisect_left
from collections.abc import Sequence

from seedframe.database.compare import Difference
from seedframe.database.declared import Chunk, Reference, Shape
from seedframe.database.planned import NaturalKey
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.surroundings import Surroundings
from seedframe.database.weighing import referring
from seedframe.database.write import Delta
from seedframe.errors import RefError


class References:
    """The references of one resource's rows. Those that find nothing yet are kept until all resources are compared."""

    def __init__(self, session: Session, shape: Shape, around: Surroundings) -> None:
        self._session = session
        self._shape = shape
        self._around = around
        self._pending: dict[int, dict[NaturalKey, int]] = {}

    def require_single(self, difference: Difference) -> None:
        """None of a row finds several. Errors: RefError."""
        for (_, reference), several in zip(self._shape.references, difference.ambiguous, strict=True):
            if several:
                raise self._several(difference.line, reference)

    def refuse_several(self, ambiguous: tuple[int, Reference] | None) -> None:
        """Refuse a line with a reference that finds several, where there is one. Errors: RefError."""
        if ambiguous is not None:
            raise self._several(*ambiguous)

    def _several(self, line: int, reference: Reference) -> RefError:
        return RefError(
            f"ref to {reference.label} matches several rows",
            hint="name the columns that identify one row",
            where=self._around.place(line),
        )

    def require_staying(self, source: Source) -> None:
        """None finds a row that the plan deletes. Errors: RefError."""
        line = referring(self._session, self._shape, source, self._around.planned.removed)
        if line is not None:
            raise RefError(
                "this row refers to a row that is to be deleted",
                hint="declare the row that it refers to as well, or refer to another one",
                where=self._around.place(line),
            )

    def note(self, chunk: Chunk, found: Sequence[Difference]) -> None:
        """Keep in mind those of a chunk that find nothing."""
        for difference in found:
            for number, missing in enumerate(difference.unresolved):
                if missing:
                    reference = self._shape.references[number][1]
                    row = bisect_left(chunk.lines, difference.line)
                    key = tuple(chunk.columns[self._shape.input_position(name)][row] for name in reference.staged)
                    self._pending.setdefault(number, {}).setdefault(key, difference.line)

    def note_staged(self, delta: Delta) -> None:
        """Keep in mind those of a delta that find nothing."""
        for number, (declared, reference) in enumerate(self._shape.references):
            for line, key in delta.unresolved(declared, reference):
                self._pending.setdefault(number, {}).setdefault(key, line)

    def require_met(self) -> None:
        """What they find is there or planned. Errors: RefError."""
        pending, self._pending = self._pending, {}
        for number, keys in pending.items():
            declared, reference = self._shape.references[number]
            unmet = self._around.planned.unmet(self._session, reference, list(keys))
            if unmet is not None:
                raise self._unmet(reference, unmet, keys[unmet], secret=declared.secret)

    def _unmet(self, reference: Reference, key: NaturalKey, line: int, *, secret: bool) -> RefError:
        names = [column.name for column in reference.key]
        named = ", ".join(f"{name}={value!r}" for name, value in zip(names, key, strict=True))
        error = RefError(
            f"no row of {reference.parent.name} has {'the natural key' if secret else named}",
            hint="declare that row in this seed or an earlier one, or correct the reference",
            where=self._around.place(line),
        )
        error.table = reference.parent.oid
        return error

    def require_resolved(self, found: Sequence[Difference]) -> None:
        """After writing, what they find is there. Errors: RefError."""
        for difference in found:
            for (_, reference), missing in zip(self._shape.references, difference.unresolved, strict=True):
                if missing:
                    raise RefError(
                        f"ref to {reference.label} still matches no row after apply",
                        where=self._around.place(difference.line),
                    )
