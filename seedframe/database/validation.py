"""Validation: conditions that must be true of declared rows, whoever owns the column; looked at, never mended."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Final

import psycopg
from psycopg import sql

from seedframe.changes import Finding, Severity, rows_text
from seedframe.database.declared import Field, Shape
from seedframe.database.locate import shorten
from seedframe.database.matching import same_key
from seedframe.database.problems import quiet
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.statements import forbidden
from seedframe.errors import DeclarationError, SeedError

_COMMA: Final = sql.SQL(", ")
_SHOWN: Final = 3


class Validation:
    """The conditions of one resource: what was found of them, over all chunks.

    A condition sees one row of the table, under the table's own name, and nothing of what is declared.
    """

    def __init__(self, session: Session, shape: Shape, conditions: Mapping[str, str], resource: str) -> None:
        self._session = session
        self._shape = shape
        self._conditions = dict(conditions)
        self._resource = resource
        self._alias = sql.Identifier(shape.table.name)
        self._counts = dict.fromkeys(conditions, 0)
        self._examples: dict[str, list[str]] = {column: [] for column in conditions}
        self._broken: dict[str, str] = {}

    def check(self) -> None:
        """Have the server read each condition. Errors: DeclarationError, naming the one it does not take."""
        for column, condition in self._conditions.items():
            self._shape.table.column(column, where=self._resource)
            refused = forbidden(f"SELECT ({condition}\n)")
            if refused is None:
                refused = self._refusal(
                    sql.SQL("SELECT FROM {} AS {} WHERE false AND {}").format(
                        self._shape.table.source, self._alias, _holds(condition)
                    )
                )
            if refused is not None:
                raise DeclarationError(
                    f"validate= of {column}, {_shown(condition)}: {refused}",
                    hint=f"write one condition over the columns of {self._shape.table.label}",
                    where=self._resource,
                )

    def look(self, source: Source) -> None:
        """Count the declared rows that are there and for which a condition is not true, with the keys of the first."""
        try:
            with self._session.savepoint(read_only=True):
                self._count(source, list(self._conditions))
        except SeedError:
            # One of them cannot be evaluated for some row: the others still are.
            for column in self._conditions:
                try:
                    with self._session.savepoint(read_only=True):
                        self._count(source, [column])
                except SeedError as error:
                    if column not in self._broken:
                        row = self._culprit(source, column)
                        self._broken[column] = f"{f' for {row}' if row else ''}: {_words(error)}"

    def findings(self, severity: Severity) -> list[Finding]:
        """One for each condition that some row does not meet."""
        found: list[Finding] = []
        for column, condition in self._conditions.items():
            lead = f"{self._resource}: validate= of {column}, {_shown(condition)}"
            count, examples = self._counts[column], self._examples[column]
            if count:
                keys = f": {', '.join(examples)}{' …' if count > len(examples) else ''}" if examples else ""
                found.append(Finding(f"{lead} is not true in {rows_text(count)}{keys}", severity))
            if column in self._broken:
                found.append(Finding(f"{lead} cannot be evaluated{self._broken[column]}", severity))
        return found

    def _culprit(self, source: Source, column: str) -> str | None:
        """The key of the first row for which a condition cannot be evaluated, unless it is secret."""
        key = self._shape.key
        if any(field.secret for field in key):
            return None
        shown = _COMMA.join([sql.SQL("{}::text").format(field.target) for field in key])
        rows = self._session.query(
            sql.SQL("{}SELECT d.line, {} FROM {} JOIN {} AS t ON {} ORDER BY d.line").format(
                source.prefix, shown, source.relation, self._shape.table.source, same_key(self._shape, target=True)
            ),
            source.parameters or None,
        )
        first = bisect_left(rows, True, key=lambda row: not self._evaluates(source, column, row[0]))
        return _key_text(key, rows[first][1:]) if first < len(rows) else None

    def _evaluates(self, source: Source, column: str, last: int) -> bool:
        """Whether a condition can be evaluated for the rows up to this line."""
        statement = sql.SQL("{} WHERE d.line <= {}").format(
            self._over(source, [column], sql.SQL("pg_catalog.count(*) FILTER (WHERE checked.{})").format(_verdict(0))),
            sql.Literal(last),
        )
        try:
            with self._session.savepoint(read_only=True):
                self._session.query(statement, source.parameters or None)
        except SeedError:
            return False
        return True

    def _refusal(self, statement: sql.Composed) -> str | None:
        try:
            with self._session.savepoint(read_only=True):
                self._session.query(statement)
        except SeedError as error:
            return _words(error)
        return None

    def _count(self, source: Source, columns: list[str]) -> None:
        counted = [
            sql.SQL("pg_catalog.count(*) FILTER (WHERE NOT checked.{})").format(_verdict(number))
            for number in range(len(columns))
        ]
        row = self._session.first(self._over(source, columns, _COMMA.join(counted)), source.parameters or None)
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        for column, count in zip(columns, row, strict=True):
            room = _SHOWN - len(self._examples[column])
            if count and room > 0 and not any(field.secret for field in self._shape.key):
                self._examples[column] += self._first(source, column, room)
        for column, count in zip(columns, row, strict=True):
            self._counts[column] += count

    def _first(self, source: Source, column: str, room: int) -> list[str]:
        key = self._shape.key
        shown = _COMMA.join([sql.SQL("{}::text").format(field.target) for field in key])
        first = sql.SQL("{} WHERE NOT checked.{} ORDER BY d.line LIMIT {}").format(
            self._over(source, [column], shown), _verdict(0), sql.Literal(room)
        )
        rows = self._session.query(first, source.parameters or None)
        return [_key_text(key, row) for row in rows]

    def _over(self, source: Source, columns: list[str], what: sql.Composable) -> sql.Composed:
        """A query over the declared rows that are there, with what each condition is for them.

        A condition's names are those of the innermost subquery, so that they never mean something of ours.
        """
        conditions = [self._conditions[column] for column in columns]
        checked = _COMMA.join(
            [sql.SQL("{} AS {}").format(_holds(text), _verdict(number)) for number, text in enumerate(conditions)]
        )
        return sql.SQL(
            "{}SELECT {} FROM {} JOIN {} AS t ON {}"
            " CROSS JOIN LATERAL (SELECT {} FROM (SELECT {}) AS {}) AS checked"
        ).format(
            source.prefix, what, source.relation, self._shape.table.source, same_key(self._shape, target=True),
            checked, _COMMA.join(self._used(conditions)), self._alias,
        )  # fmt: skip

    def _used(self, conditions: list[str]) -> list[sql.Composable]:
        """The columns that the conditions name: others need not be readable. All, where the row as a whole may be."""
        text = "\n".join(conditions).casefold()
        table = self._shape.table
        whole = 'u&"' in text or _written(table.name) in text
        return [sql.Identifier("t", name) for name in table.columns if whole or _written(name) in text]


def _key_text(key: Sequence[Field], values: Sequence[str | None]) -> str:
    return " ".join(f"{field.name}={value}" for field, value in zip(key, values, strict=True))


def _written(name: str) -> str:
    """A name as it is found in SQL, whatever the case."""
    return name.replace('"', '""').casefold()


def _verdict(number: int) -> sql.Identifier:
    return sql.Identifier(f"v{number}")


def _holds(condition: str) -> sql.Composable:
    """True where the seed's own condition is; a line of its own, as it may end with a comment."""
    return sql.SQL("(({}\n) IS TRUE)").format(sql.SQL(condition))


def _shown(condition: str) -> str:
    return f"`{shorten(condition)}`"


def _words(error: SeedError) -> str:
    """The server's words, without a value that they may quote."""
    cause = error.__cause__
    primary = cause.diag.message_primary if isinstance(cause, psycopg.Error) else None
    return shorten(quiet(primary)) if primary is not None else error.message
