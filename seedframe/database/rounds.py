"""Writing a delta round by round: rows that wait for others go once those are there; a refusal names its row."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from seedframe.database.declared import Shape
from seedframe.database.planned import PlannedRows
from seedframe.database.privileges import refused_privilege
from seedframe.database.problems import is_of_rules, may_be_of_a_row, refused_by_function, withheld
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.swaps import RowRefusedError, is_taken
from seedframe.database.whereabouts import Whereabouts
from seedframe.database.write import Delta, Step
from seedframe.errors import ConstraintViolated, PermissionDenied, SeedframeError

_T = TypeVar("_T")

_PATIENCE: Final = 32


@dataclass(frozen=True, slots=True)
class Stuck:
    """A row that cannot be written, or not whole, before another is.

    Attributes:
        where: its line and key.
        columns: the references that find nothing, with `labels`, and `parents`, the oids of the tables they refer to.
    """

    where: str
    table: int
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    parents: tuple[int, ...]


class Writer:
    """Writes the rows of one delta.

    Args:
        whereabouts: where its rows are declared, for messages.
        foresee: tells what the table's rules refuse, as a dry run would.
        with_holder: names, in the refusal of the row in a line, the row that has what is refused to it.
        planned: rows that the resources of this seed and earlier ones will make.
    """

    def __init__(
        self,
        session: Session,
        shape: Shape,
        delta: Delta,
        whereabouts: Whereabouts,
        foresee: Callable[[], ConstraintViolated | None],
        with_holder: Callable[[ConstraintViolated, int, Source], ConstraintViolated],
        planned: PlannedRows,
    ) -> None:
        self._session = session
        self._shape = shape
        self._delta = delta
        self._whereabouts = whereabouts
        self._foresee = foresee
        self._with_holder = with_holder
        self._planned = planned

    def write(self) -> None:
        """Write what can be written now. Errors: ConstraintViolated, PermissionDenied, RefError."""
        self._delta.resolve()
        self._write_round()
        self.go_on()

    def _write_round(self) -> None:
        delta = self._delta
        self._blamed(delta.update, "update", when_taken=lambda: delta.update(in_order=True))
        self._blamed(self._delta.insert, "insert")

    @property
    def waiting(self) -> bool:
        """Rows are still to be written, or references of them, that wait for rows which are not there yet."""
        return self._delta.waiting()

    def go_on(self, *, let_in: bool = False) -> bool:
        """Write rows that waited for others, which were written meanwhile; whether there were any.

        Rows of this table that wait in a circle for nothing but each other are let in, and so are those of a chain so
        long that row after row would take long.

        Args:
            let_in: once, let in whatever can be, also what waits for rows of other tables. See `Delta.release`.
        """
        delta = self._delta
        planned = self._planned
        rounds = 0
        while delta.waiting():
            impatient = rounds % _PATIENCE == _PATIENCE - 1
            if (
                (impatient and delta.release(planned, own=True))
                or delta.next_round()
                or delta.release(planned, own=True)
                or (let_in and delta.release(planned, own=False))
            ):
                let_in = False
                self._write_round()
            elif not self._blamed(delta.fill, "fill"):
                break
            rounds += 1
        return rounds > 0

    def stuck(self) -> Stuck | None:
        """The first row that waits for another; None when there is none."""
        found = self._delta.stuck()
        if found is None:
            return None
        line, references = found
        return Stuck(
            where=self._at(line),
            table=self._shape.table.rows_oid,
            columns=tuple(field.name for field, _ in references),
            labels=tuple(reference.label for _, reference in references),
            parents=tuple(reference.parent.oid for _, reference in references),
        )

    def _blamed(self, action: Callable[[], _T], step: Step, *, when_taken: Callable[[], _T] | None = None) -> _T:
        """Run a statement over many rows; when a constraint refuses one of them, say which.

        Args:
            when_taken: what to do instead when the refusal is that of a value which another row has.
        """
        try:
            with self._session.savepoint():
                return action()
        except PermissionDenied as error:
            raise refused_privilege(
                self._session, self._shape, error, "INSERT" if step == "insert" else "UPDATE"
            ) from error
        except SeedframeError as error:
            if when_taken is not None and is_taken(error):
                return self._in_order(when_taken)
            foreseen = self._foresee() if is_of_rules(error) else None
            if foreseen is not None:
                raise foreseen from None
            line = self._delta.culprit(step) if may_be_of_a_row(error) else None
            if line is not None:
                error.where = self._at(line)
            told = self._told(error)
            if line is not None and is_taken(told) and isinstance(told, ConstraintViolated):
                told = self._with_holder(told, line, self._delta.source)
            if told is error:
                raise
            raise told from None

    def _told(self, error: SeedframeError) -> SeedframeError:
        """The error as a person is told of it; where the rows hold secrets, what a trigger says of them is withheld."""
        if any(field.secret for field in self._shape.fields):
            return withheld(error, self._shape.table.label)
        return refused_by_function(error)

    def _in_order(self, action: Callable[[], _T]) -> _T:
        try:
            with self._session.savepoint():
                return action()
        except RowRefusedError as refused:
            error = refused.error
            error.where = self._at(refused.line)
            if refused.other is None:
                raise error from refused
            other = self._at(refused.other)
            raise ConstraintViolated(
                f"this row takes a value over from {other}, and gives it, or another row does, a value in return:"
                f" {error.message}",
                hint="make the constraint DEFERRABLE, or go by way of a value that no row has",
                where=error.where,
            ) from refused

    def _at(self, line: int) -> str:
        return self._whereabouts.at(line, self._delta.source)
