"""Writing a difference: from a delta, insert what is missing and update what differs, and nothing else."""

from collections.abc import Iterator, Sequence
from typing import Any

from psycopg import sql

from seedframe.database.compare import (
    absent,
    any_unresolved,
    differing_rows,
    differs,
    joined,
    same_key,
    unresolved_here,
)
from seedframe.database.declared import Field, Reference, Shape
from seedframe.database.session import Session
from seedframe.database.staging import Stage, resolve

_COMMA = sql.SQL(", ")
_MISSING = sql.SQL("d.missing")


class Delta:
    """The staged rows that differ, in a temporary table: what a plan for one table is once it is to be written."""

    def __init__(self, session: Session, shape: Shape, stage: Stage) -> None:
        self._session = session
        self._shape = shape
        self.name = session.temporary_name("delta")
        names = [entry.staged for entry in shape.inputs] + [field.staged for field, _ in shape.references]
        condition: sql.Composable = differing_rows(shape)
        if shape.table.distributed:
            condition = sql.SQL("d.line IS NOT NULL AND ({})").format(condition)
        # `level` orders rows that refer to rows of the same table: level 0 can be written now, NULL not yet.
        session.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS"
                " SELECT d.line, {columns}, {absent} AS missing,"
                " CASE WHEN {unresolved} THEN NULL ELSE 0 END::integer AS level FROM {joined} WHERE {condition}"
            ).format(
                name=sql.Identifier(self.name),
                columns=_COMMA.join([sql.Identifier("d", name) for name in names]),
                absent=absent(shape),
                unresolved=any_unresolved(shape, absent(shape)),
                joined=joined(shape, stage.source),
                condition=condition,
            )
        )

    @property
    def identifier(self) -> sql.Identifier:
        """The delta, where no table of another schema can stand in for it."""
        return sql.Identifier("pg_temp", self.name)

    def unresolved(self, field: Field, reference: Reference) -> Iterator[tuple[int, tuple[str | None, ...]]]:
        """Line and natural key, as text, of each row that needs a reference which found nothing."""
        keys = _COMMA.join([sql.SQL("d.{}::text").format(sql.Identifier(name)) for name in reference.staged])
        for line, *key in self._session.query(
            sql.SQL("SELECT d.line, {} FROM {} AS d WHERE {} ORDER BY d.line").format(
                keys, self.identifier, unresolved_here(self._shape, field, reference, _MISSING)
            )
        ):
            yield line, tuple(key)

    def insert(self) -> int | None:
        """Insert the missing rows, those first that others refer to; the line of a row that cannot be, else None."""
        level = 0
        while True:
            self._insert_level(level)
            if not self._pending():
                return None
            resolve(self._session, self._shape, self.identifier)
            level += 1
            if not self._promote(level):
                return int(
                    self._session.scalar(
                        sql.SQL("SELECT min(line) FROM {} WHERE level IS NULL").format(self.identifier)
                    )
                )

    def resolve(self) -> None:
        """Look up references whose rows have been written since the delta was made."""
        if self._shape.references and self._pending():
            resolve(self._session, self._shape, self.identifier)
            self._promote(0)

    def _pending(self) -> bool:
        if not self._shape.references:
            return False
        return bool(
            self._session.scalar(sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE level IS NULL)").format(self.identifier))
        )

    def _promote(self, level: int) -> int:
        return self._session.execute(
            sql.SQL("UPDATE {} AS d SET level = {} WHERE d.level IS NULL AND NOT ({})").format(
                self.identifier, sql.Literal(level), any_unresolved(self._shape, _MISSING)
            )
        )

    def _insert_level(self, level: int) -> None:
        self._insert_where(sql.SQL("d.missing AND d.level = {}").format(sql.Literal(level)))

    def _insert_where(self, condition: sql.Composable, parameters: Sequence[Any] | None = None) -> None:
        shape = self._shape
        explicit = any(field.column.identity == "a" for field in shape.fields)
        values = [
            sql.SQL("({})").format(sql.SQL(field.expression))  # the seed's own SQL
            if field.expression is not None
            else field.desired
            for field in shape.fields
        ]
        guard: sql.Composable = sql.SQL("")
        if shape.arbiter:
            # Another writer may have made the row since it was compared; the check after apply sees what it is like.
            guard = sql.SQL(" ON CONFLICT ({}) DO NOTHING").format(
                _COMMA.join([sql.Identifier(name) for name in shape.arbiter])
            )
        self._session.execute(
            sql.SQL("INSERT INTO {} ({}){} SELECT {} FROM {} AS d WHERE {} ORDER BY d.line{}").format(
                shape.table.identifier,
                _COMMA.join([sql.Identifier(field.name) for field in shape.fields]),
                sql.SQL(" OVERRIDING SYSTEM VALUE") if explicit else sql.SQL(""),
                _COMMA.join(values),
                self.identifier,
                condition,
                guard,
            ),
            parameters,
        )

    def update(self, *, early: bool) -> None:
        """Update the rows that are there and differ, in the columns that differ in any of them.

        Args:
            early: those that refer to no row which is yet to be inserted; they go first, since an insert may take over
                a unique value that an update gives up. Else the others.
        """
        changed = self._changed_fields()
        if changed:
            level = sql.SQL("d.level = 0") if early else sql.SQL("d.level > 0")
            self._update_where(changed, sql.SQL("NOT d.missing AND {}").format(level))

    def _changed_fields(self) -> list[Field]:
        managed = self._shape.managed
        if not managed:
            return []
        flags = self._session.first(
            sql.SQL("SELECT {} FROM {} AS d JOIN {} AS t ON {} WHERE NOT d.missing").format(
                _COMMA.join([sql.SQL("bool_or({})").format(differs([field])) for field in managed]),
                self.identifier,
                self._shape.table.source,
                same_key(self._shape),
            )
        )
        assert flags is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        return [field for field, flag in zip(managed, flags, strict=True) if flag]

    def _update_where(
        self, fields: Sequence[Field], condition: sql.Composable, parameters: Sequence[Any] | None = None
    ) -> None:
        self._session.execute(
            sql.SQL("WITH d AS (SELECT d.* FROM {} AS d WHERE {}) UPDATE {} AS t SET {} FROM d WHERE {}").format(
                self.identifier,
                condition,
                self._shape.table.source,
                _COMMA.join([sql.SQL("{} = {}").format(sql.Identifier(field.name), field.desired) for field in fields]),
                same_key(self._shape),
            ),
            parameters,
        )

    def culprit(self, *, missing: bool) -> int | None:
        """The line of the first row that the server refuses, found by writing ever shorter beginnings of the delta."""
        condition = sql.SQL("d.missing AND d.level IS NOT NULL") if missing else sql.SQL("NOT d.missing")
        lines = [
            row[0]
            for row in self._session.query(
                sql.SQL("SELECT d.line FROM {} AS d WHERE {} ORDER BY d.line").format(self.identifier, condition)
            )
        ]
        changed = [] if missing else self._changed_fields()
        good, bad = 0, len(lines)
        if not lines or self._accepts(condition, lines[-1], changed):
            return None
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._accepts(condition, lines[middle - 1], changed):
                good = middle
            else:
                bad = middle
        return int(lines[bad - 1])

    def _accepts(self, condition: sql.Composable, last: int, changed: Sequence[Field]) -> bool:
        up_to = sql.SQL("{} AND d.line <= $1").format(condition)

        def attempt() -> None:
            if changed:
                self._update_where(changed, up_to, [last])
            else:
                self._insert_where(up_to, [last])

        return self._session.accepts(attempt) is None

    def counts(self) -> tuple[int, int]:
        """How many rows are missing, and how many differ."""
        row = self._session.first(
            sql.SQL("SELECT count(*) FILTER (WHERE missing), count(*) FILTER (WHERE NOT missing) FROM {}").format(
                self.identifier
            )
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        return row[0], row[1]
