"""The part of a table that `where` selects: all that may be deleted, and where each declared row has to be."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from psycopg import sql

from seedframe.database.declared import Shape
from seedframe.database.matching import absent, same_key, unresolved
from seedframe.database.rowids import rows_where
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.statements import names_in
from seedframe.errors import BadData, DeclarationError, Misbehaved, PermissionDenied, SeedError

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")


class Part:
    """A part of a table; without a condition the whole of it."""

    def __init__(self, session: Session, where: str | None, resource: str) -> None:
        self._session = session
        self._where = where
        self._resource = resource

    @property
    def is_whole(self) -> bool:
        """True where there is no condition."""
        return self._where is None

    def check(self, shape: Shape) -> None:
        """Have the server judge the condition. Errors: DeclarationError, PermissionDenied."""
        if self._where is None:
            return
        try:
            with self._session.savepoint():
                self._session.query(sql.SQL("SELECT FROM {} LIMIT 0").format(self.relation(shape)))
        except PermissionDenied:
            raise
        except SeedError as error:
            raise DeclarationError(
                f"where= cannot be used: {error.message}",
                hint="write one condition over the table's own columns",
                where=self._resource,
            ) from error

    @contextmanager
    def evaluating(self, *, locking: bool = False) -> Iterator[None]:
        """Run what evaluates the condition: it may only read, and a value that does not fit is one of the table's.

        Args:
            locking: rows are locked, for which nothing may be read-only; what it means was evaluated before.

        Errors: DeclarationError.
        """
        reading = self._where is not None and self._session.writable and not locking
        try:
            with self._session.savepoint(read_only=True) if reading else nullcontext():
                yield
        except Misbehaved as error:
            if self._where is None:
                raise
            raise DeclarationError(
                "where= writes to the database",
                hint="a condition may only read: see which functions it calls",
                where=self._resource,
            ) from error
        except BadData as error:
            if self._where is None:
                raise
            raise DeclarationError(
                f"where= cannot be evaluated for some row of the table: {error.message}",
                hint="guard it: CASE WHEN … THEN … END, or another condition",
                where=self._resource,
            ) from error

    def relation(self, shape: Shape) -> sql.Composable:
        """Its rows as `t`; those that the key's index does not speak of are not meant."""
        # The line break ends a comment that the condition may end with.
        condition = sql.SQL("({}\n)").format(sql.SQL(self._where)) if self._where is not None else None
        return rows_where(shape, condition=condition)

    def look(self, shape: Shape, source: Source) -> tuple[int, int | None]:
        """How many declared rows are in it, and the line of the first that would not be once it is written."""
        row = self._session.first(
            sql.SQL(
                "{prefix}SELECT pg_catalog.count(*) FILTER (WHERE NOT {absent} AND i.yes),"
                " pg_catalog.min(d.line) FILTER (WHERE {known} AND NOT p.yes)"
                " FROM {relation} LEFT JOIN {table} ON {same}"
                " CROSS JOIN LATERAL {now} AS i CROSS JOIN LATERAL {then} AS p"
            ).format(
                prefix=source.prefix,
                absent=absent(shape),
                known=self._known_before_apply(shape),
                relation=source.relation,
                table=rows_where(shape, more=self._mentioned(shape), found=True),
                same=same_key(shape),
                now=self._judged(shape, declared=False),
                then=self._judged(shape, declared=True),
            ),
            source.parameters or None,
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        return row[0], row[1]

    def outside(self, shape: Shape, source: Source) -> int | None:
        """The line of the first declared row that is not in it, now that all are written."""
        if self._where is None:
            return None
        line: int | None = self._session.scalar(
            sql.SQL(
                "{}SELECT pg_catalog.min(d.line) FROM {} JOIN {} ON {} CROSS JOIN LATERAL {} AS i WHERE NOT i.yes"
            ).format(
                source.prefix,
                source.relation,
                rows_where(shape, more=self._mentioned(shape)),
                same_key(shape),
                self._judged(shape, declared=False),
            ),
            source.parameters or None,
        )
        return line

    def _mentioned(self, shape: Shape) -> list[str]:
        names = names_in(self._where or "")
        return [name for name in shape.table.columns if name in names]

    def _known_before_apply(self, shape: Shape) -> sql.Composable:
        """True of the rows of which it can be told before they are written whether they will be in it."""
        declared = {field.name: field for field in shape.fields}
        conditions = []
        for name in self._mentioned(shape):
            field = declared.get(name)
            if shape.table.columns[name].generated:
                return sql.SQL("false")
            if field is None or field.expression is not None:
                conditions.append(sql.SQL("NOT {}").format(absent(shape)))
            elif field.reference is not None:
                conditions.append(sql.SQL("NOT {}").format(unresolved(field.reference, field)))
        return _AND.join(conditions) if conditions else sql.SQL("true")

    def _judged(self, shape: Shape, *, declared: bool) -> sql.Composable:
        """`(SELECT … AS yes)`: what the condition says of `t` as it is, or as it will be once `d` is written."""
        fields = {field.name: field for field in shape.stored} if declared else {}
        columns = []
        for name in self._mentioned(shape):
            field = fields.get(name)
            value: sql.Composable = sql.Identifier("t", name)
            if field is not None and field.role == "initial":
                value = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(absent(shape), field.desired, value)
            elif field is not None:
                value = field.desired
            columns.append(sql.SQL("{} AS {}").format(value, sql.Identifier(name)))
        return sql.SQL("(SELECT ({}\n) IS TRUE AS yes FROM (SELECT {}) AS {})").format(
            sql.SQL(self._where or "true"), _COMMA.join(columns), sql.Identifier(shape.table.name)
        )
