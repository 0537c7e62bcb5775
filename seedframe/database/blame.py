"""Which declared row a constraint of the table refuses: foreseen where nothing is written, found where it spoke."""

import psycopg

from seedframe.database.dangling import Dangling, dangling
from seedframe.database.declared import Chunk, Reference
from seedframe.database.declared_rows import DeclaredRows
from seedframe.database.foresight import Foresight
from seedframe.database.holders import Holder, holder_of
from seedframe.database.keeping import Contest
from seedframe.database.problems import held
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.surroundings import Surroundings
from seedframe.database.whereabouts import Whereabouts
from seedframe.errors import ConstraintViolated


class Blame:
    """Names the rows of one resource that are, or would be, refused."""

    def __init__(self, session: Session, rows: DeclaredRows, contest: Contest, around: Surroundings) -> None:
        self._session = session
        self._rows = rows
        self._contest = contest
        self._around = around
        self._foresight = Foresight(session, rows.shape)
        self._foreseen: ConstraintViolated | None = None
        self._dangling: dict[str, tuple[Dangling, str]] = {}

    @property
    def whereabouts(self) -> Whereabouts:
        """Tells where a row is declared."""
        return Whereabouts(self._session, self._rows.shape, self._around.place, self._around.resource)

    # Before anything is written

    def look_ahead(self, source: Source, chunk: Chunk) -> None:
        """Take note of what would be refused of a chunk."""
        if self._foreseen is None:
            self._foreseen = self._foresee(source, chunk)
        whereabouts = self.whereabouts
        for found in dangling(self._session, self._rows.shape, source, leaving=list(self._contest.kept)):
            if found.name not in self._dangling:
                self._dangling[found.name] = (found, whereabouts.at(next(iter(found.lines.values())), source))

    def refuse_foreseen(self) -> None:
        """Say what apply would be refused. Errors: ConstraintViolated."""
        if self._foreseen is not None:
            raise self._foreseen

    def tell_of_dangling(self) -> None:
        """Warn of foreign keys whose rows are neither there nor planned: what else may make them is not known."""
        for found, first in self._dangling.values():
            reference = Reference(found.parent, found.columns[0], found.columns, (), unique=True)
            unmet = self._around.planned.unmet(self._session, reference, list(found.lines))
            if unmet is not None:
                at = first if unmet == next(iter(found.lines)) else self._around.place(found.lines[unmet])
                self._around.note(
                    f"{at}: the foreign key {found.name} will refuse this row, unless something else makes the row of"
                    f" {found.parent.label} that it refers to",
                    "warning",
                )

    # While rows are written, and after

    def foresee(self) -> ConstraintViolated | None:
        """What the table's rules refuse of the rows at hand, as a dry run would tell it."""
        source = self._rows.at_hand()
        return self._foresee(source, self._rows.only) if source is not None else None

    def _foresee(self, source: Source, chunk: Chunk | None) -> ConstraintViolated | None:
        if self._foresight.shape is not self._rows.shape:
            self._foresight = Foresight(self._session, self._rows.shape)
        found = self._foresight.first_refused(source, chunk, list(self._contest.kept))
        if found is None:
            return None
        whereabouts = self.whereabouts
        found.error.where = whereabouts.at(found.line, source)
        return found.error if found.other is None else held(found.error, whereabouts.at(found.other, source))

    def locate(self, error: ConstraintViolated) -> ConstraintViolated | None:
        """The refusal of a deferred constraint, naming the row that was written; None where it is none of these."""
        shape, cause, source = self._rows.shape, error.__cause__, self._rows.as_of_now()
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        if not isinstance(cause, psycopg.Error) or name is None or source is None:
            return None
        if shape.table.kind == "r" and cause.diag.table_name != shape.table.name:
            return None
        whereabouts = self.whereabouts

        def at(line: int) -> str:
            return whereabouts.at(line, source)

        for found in dangling(self._session, shape, source, written=True):
            if found.name == name:
                error.where = at(next(iter(found.lines.values())))
                return error
        taken = holder_of(self._session, shape, source, None, name)
        if taken is None:
            return None
        error.where = at(taken[0])
        return self._held(error, taken[1], source)

    def with_holder(self, error: ConstraintViolated, line: int, source: Source) -> ConstraintViolated:
        """The refusal of the row in a line, naming what is in its way, where a value is taken and that can be told."""
        cause = error.__cause__
        name = cause.diag.constraint_name if isinstance(cause, psycopg.Error) else None
        found = holder_of(self._session, self._rows.shape, source, line, name) if name is not None else None
        return error if found is None else self._held(error, found[1], source)

    def _held(self, error: ConstraintViolated, holder: Holder, source: Source) -> ConstraintViolated:
        shape, whereabouts = self._rows.shape, self.whereabouts
        told = holder.told(lambda line: whereabouts.at(line, source), shape.table.label)
        if holder.line is not None:
            return held(error, told)
        key = holder.undeclared
        if key is not None and self._around.store.left_there(shape, key):
            return held(
                error,
                told,
                f"{self._around.resource} declared that row and does so no more, which leaves it where it is: delete"
                " it, or declare what became of its key, with moved() or removed()",
            )
        return held(error, told, "give one of the two another value, or delete that row")
