"""Unique values that move from row to row in one update: an order in which each is free when it is taken."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Sequence

import psycopg
from psycopg import sql

from seedframe.database.column_sql import equals
from seedframe.database.declared import Field, Shape
from seedframe.database.matching import live, same_key, staged_columns
from seedframe.database.session import Session
from seedframe.errors import ConstraintViolated

_COMMA = sql.SQL(", ")
_AND = sql.SQL(" AND ")
_TAKEN = frozenset({"23505", "23P01"})


class RowRefusedError(Exception):
    """A row that cannot be updated in any order; `other` is the line of one that it exchanges unique values with."""

    def __init__(self, error: ConstraintViolated, line: int, other: int | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.line = line
        self.other = other


def is_taken(error: Exception) -> bool:
    """A unique or exclusion constraint refused what another row has."""
    cause = error.__cause__
    return isinstance(error, ConstraintViolated) and isinstance(cause, psycopg.Error) and cause.sqlstate in _TAKEN


def update_in_order(
    session: Session,
    shape: Shape,
    rows: sql.Composable,
    changed: Sequence[Field],
    to_write: Callable[[Field], sql.Composable],
    update: Callable[[Sequence[int]], None],
) -> None:
    """Update rows that a single statement could not, since PostgreSQL checks unique values row by row.

    A deferrable constraint is deferred. Otherwise a row that gives a value up goes before the one that takes it over;
    where that is not told by columns, in an index over expressions say, rows are tried one by one.

    Args:
        rows: a delta's rows that are to be updated, as a relation with its columns.
        to_write: the value that a field gets.
        update: updates the rows of these lines.

    Raises:
        RowRefusedError: a row takes what another keeps, or two exchange their values.
    """
    for index in shape.table.unique:
        if index.deferrable:
            session.defer_constraint(shape.table.rows_schema, index.name)
    lines = [row[0] for row in session.query(sql.SQL("SELECT d.line FROM {} AS d ORDER BY d.line").format(rows))]
    holders: dict[int, set[int]] = defaultdict(set)
    for line, holder in _takeovers(session, shape, rows, changed, to_write):
        holders[line].add(holder)
    for batch in _batches(lines, holders):
        try:
            with session.savepoint():
                update(batch)
        except ConstraintViolated as error:
            if not is_taken(error):
                raise
            _one_by_one(session, batch, holders, update)


def _takeovers(
    session: Session,
    shape: Shape,
    rows: sql.Composable,
    changed: Sequence[Field],
    to_write: Callable[[Field], sql.Composable],
) -> Iterable[tuple[int, int]]:
    """Pairs of lines: the first takes over a unique value that the second has."""
    fields = {field.name: field for field in shape.stored}
    names = {field.name for field in changed}
    for index in shape.table.unique:
        if (
            index.deferrable
            or index.partial
            or not names.intersection(index.columns)
            or not fields.keys() >= set(index.columns)
        ):
            continue
        own = [fields[name] for name in index.columns]
        numbers = range(len(own))
        values = [
            sql.SQL("{} AS {}, {} AS {}").format(
                field.target,
                sql.Identifier(f"old{number}"),
                to_write(field) if field.name in names else field.target,
                sql.Identifier(f"new{number}"),
            )
            for number, field in zip(numbers, own, strict=True)
        ]
        match = _AND.join(
            [
                equals(field.column, sql.Identifier("a", f"new{number}"), sql.Identifier("b", f"old{number}"))
                for number, field in zip(numbers, own, strict=True)
            ]
        )
        yield from (
            (row[0], row[1])
            for row in session.query(
                sql.SQL(
                    "WITH m AS (SELECT d.line, {} FROM (SELECT d.line, {}, d.missing AS {} FROM {} AS d) AS d"
                    " JOIN {} ON {}) SELECT a.line, b.line FROM m AS a JOIN m AS b ON {} WHERE a.line <> b.line"
                ).format(
                    _COMMA.join(values),
                    _COMMA.join([sql.Identifier("d", name) for name in staged_columns(shape)]),
                    sql.Identifier(shape.identity.missing),
                    rows,
                    live(shape),
                    same_key(shape),
                    match,
                )
            )
        )


def _batches(lines: Sequence[int], holders: dict[int, set[int]]) -> Iterable[list[int]]:
    """The lines in batches, each after those whose values it takes; last those that wait for each other."""
    waiting = {line: len(holders.get(line, ())) for line in lines}
    takers: dict[int, list[int]] = defaultdict(list)
    for line, held in holders.items():
        for holder in held:
            takers[holder].append(line)
    ready = deque(line for line in lines if not waiting[line])
    while ready:
        batch = sorted(ready)
        yield batch
        ready.clear()
        for line in batch:
            del waiting[line]
            for taker in takers[line]:
                waiting[taker] -= 1
                if not waiting[taker]:
                    ready.append(taker)
    if waiting:
        yield sorted(waiting)


def _one_by_one(
    session: Session, lines: Sequence[int], holders: dict[int, set[int]], update: Callable[[Sequence[int]], None]
) -> None:
    """Try rows again and again, forwards and backwards, as long as each pass lets some more through."""
    left = list(lines)
    while left:
        refused: list[int] = []
        first: RowRefusedError | None = None
        for line in left:
            try:
                with session.savepoint():
                    update([line])
            except ConstraintViolated as error:
                refused.append(line)
                if first is None or line < first.line:
                    first = RowRefusedError(error, line)
        if first is not None and len(refused) == len(left):
            others = holders.get(first.line, set()).intersection(refused)
            first.other = min(others, default=None)
            if len(refused) > 1 and first.error.hint is None:
                first.error.hint = "rows that exchange their values need a constraint that is DEFERRABLE"
            raise first
        left = refused[::-1]
