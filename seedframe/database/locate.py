"""Finding the one value that the server refused among thousands, by asking about ever fewer of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import sql

from seedframe.database.column_sql import read_as
from seedframe.database.declared import Chunk, Input, Shape
from seedframe.database.session import Session
from seedframe.errors import BadData, PermissionDenied, SeedframeError

_SHOWN: Final = 60

# Data exception, constraint, syntax or name, schema, feature, and what functions raise by themselves.
_OF_VALUES: Final = frozenset({"22", "23", "42", "3F", "0A", "P0", "XX", "54"})


@contextmanager
def locating(session: Session, shape: Shape, chunk: Chunk, place: Callable[[int], str]) -> Iterator[None]:
    """Run what casts the chunk's values, in a savepoint; when the server refuses one, say which. Errors: BadData …

    Args:
        place: where a line of the chunk is, for messages.
    """
    try:
        with session.savepoint():
            yield
    except PermissionDenied:
        raise
    except SeedframeError as error:
        # Not every type complains in the class of bad data: a regclass names no table, a jsonpath has bad syntax.
        located = locate_bad_value(session, shape, chunk) if _may_be_a_value(error) else None
        if located is None:
            raise
        line, column, said = located
        raise bad_value(place(line), column, said) from None


def _may_be_a_value(error: SeedframeError) -> bool:
    """Whether the server's refusal may be of a value, rather than of the connection, a lock or a resource."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and (cause.sqlstate or "")[:2] in _OF_VALUES


def locate_bad_value(session: Session, shape: Shape, chunk: Chunk) -> tuple[int, str, str] | None:
    """(line, column, what the server said) of the first value that does not fit its column's type; None when all do."""
    found: list[tuple[int, str, str]] = []
    for position, entry in enumerate(shape.inputs):
        values = chunk.columns[position]
        if _refusal(session, entry, values) is None:
            continue
        good, bad = 0, len(values)
        while bad - good > 1:
            middle = (good + bad) // 2
            if _refusal(session, entry, values[good:middle]) is None:
                good = middle
            else:
                bad = middle
        error = _refusal(session, entry, values[good : good + 1])
        if error is not None:
            found.append((chunk.lines[good], entry.column.name, _said(error, entry)))
    return min(found, default=None)


def _refusal(session: Session, entry: Input, values: list[str | None]) -> SeedframeError | None:
    statement = sql.SQL("SELECT pg_catalog.count({}) FROM pg_catalog.unnest($1::text[]) AS u (v)").format(
        read_as(entry.column, sql.Identifier("u", "v"))
    )
    return session.accepts(lambda: session.query(statement, [values]))


def _said(error: SeedframeError, entry: Input) -> str:
    """The server's words, which quote the value, unless the column is secret."""
    if entry.secret:
        return f"the value is no {entry.column.type}"
    cause = error.__cause__
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    if primary is None:
        return f"the value is no {entry.column.type}"
    return shorten(primary)


def check_length(entry: Input, value: str) -> str | None:
    """What is wrong with the length of a value, which an explicit cast would cut in silence; None when it fits."""
    length = entry.column.length
    if length is None:
        return None
    # Blanks beyond the length are cut by the server on assignment, as the SQL standard has it.
    actual = len(value) if len(value) <= length else max(length, len(value.rstrip(" ")))
    return f"{actual} characters are too long for {entry.column.type}" if actual > length else None


def bad_value(where: str, column: str, said: str) -> BadData:
    """The error for one value that does not fit."""
    return BadData(f"column {column}: {said}", hint="correct the value in the source", where=where)


def shorten(text: str) -> str:
    """At most a line's worth of the server's words."""
    line = " ".join(text.split())
    return line if len(line) <= 2 * _SHOWN else f"{line[: 2 * _SHOWN]}…"
