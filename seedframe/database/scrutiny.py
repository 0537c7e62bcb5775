"""Declared rows that cannot be used, each refused with the line that it stands in: bad values, keys that come twice."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from seedframe.database.compare import Difference
from seedframe.database.declared import Chunk, Shape
from seedframe.database.keys import first_misfit
from seedframe.database.locate import locating
from seedframe.database.privileges import refused_privilege
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.surroundings import Surroundings
from seedframe.errors import BadData, PermissionDenied


class Scrutiny:
    """Looks through the declared rows of one resource."""

    def __init__(self, session: Session, shape: Shape, around: Surroundings) -> None:
        self._session = session
        self._shape = shape
        self._place = around.place

    @contextmanager
    def casting(self, chunk: Chunk) -> Iterator[None]:
        """Run what casts the chunk's values; when the server refuses one, say which. Errors: BadData …"""
        try:
            with locating(self._session, self._shape, chunk, self._place):
                yield
        except PermissionDenied as error:
            raise refused_privilege(self._session, self._shape, error, "SELECT") from error

    def require_keys(self, chunk: Chunk) -> None:
        """Each row has a key. Errors: BadData."""
        for declared in self._shape.key:
            if declared.name in self._shape.identity.nullable:
                continue
            for name in declared.input_names:
                column = chunk.columns[self._shape.input_position(name)]
                if None in column:
                    raise BadData(
                        f"key column {declared.name} has no value",
                        hint="give it a value in every row; NULL identifies a row only where the column may be NULL and"
                        " the unique index is NULLS NOT DISTINCT (PostgreSQL 15)",
                        where=self._place(chunk.lines[column.index(None)]),
                    )

    def require_fit(self, shape: Shape, source: Source) -> None:
        """The key's index speaks of each row. Errors: BadData."""
        misfit = first_misfit(self._session, shape, source)
        if misfit is not None:
            raise BadData(
                misfit[1],
                hint="correct the row: the unique index that index= names does not speak of it",
                where=self._place(misfit[0]),
            )

    def require_single(self, difference: Difference, chunk: Chunk, found: Sequence[Difference]) -> None:
        """No other row of the chunk, where these differ, has the key of this one. Errors: BadData."""
        if not difference.repeated:
            return
        identity = self._identity(chunk, difference.line)
        same = [line for line in chunk.lines if self._identity(chunk, line) == identity]
        other = next((line for line in same if line != difference.line), None)
        if other is None:
            # Equal for the server (citext, a collation), though the texts differ: the other repeated rows.
            other = next(d.line for d in found if d.repeated and d.line != difference.line)
        raise self._repeated(difference.line, other)

    def refuse_repeated(self, lines: tuple[int, int] | None) -> None:
        """Refuse two rows with one key, where there are such. Errors: BadData."""
        if lines is not None:
            raise self._repeated(*lines)

    def _identity(self, chunk: Chunk, line: int) -> tuple[str | None, ...]:
        position = bisect_left(chunk.lines, line)
        return tuple(
            chunk.columns[self._shape.input_position(name)][position]
            for declared in self._shape.key
            for name in declared.input_names
        )

    def _repeated(self, first: int, second: int) -> BadData:
        low, high = sorted((first, second))
        keys = ", ".join(declared.name for declared in self._shape.key)
        return BadData(
            f"the key ({keys}) of this row is also that of {self._place(low)}",
            hint="remove one of the two rows, or add a column to the key",
            where=self._place(high),
        )
