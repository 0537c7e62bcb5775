"""Writing a difference: from a delta, insert what is missing and update what differs, and nothing else."""

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, Literal, TypeAlias

from psycopg import sql

from seedframe.database.declared import Field, Reference, Shape
from seedframe.database.matching import (
    absent,
    any_unresolved,
    differing_rows,
    differs,
    joined,
    live,
    moved,
    same_key,
    staged_columns,
    unresolved,
    unresolved_here,
)
from seedframe.database.planned import PlannedRows
from seedframe.database.session import Session
from seedframe.database.source import Source, staged_source
from seedframe.database.staging import Stage, resolve
from seedframe.database.swaps import update_in_order

Step: TypeAlias = Literal["insert", "update", "fill"]
"""What is done with rows of a delta: insert, update, or write the references that they were written without."""

# The columns of both sides must fit into one target list, of 1,664.
_TOLD_AT_ONCE: Final = 500

_COMMA = sql.SQL(", ")
_OR = sql.SQL(" OR ")
_MISSING = sql.SQL("d.missing")


class Delta:
    """The staged rows that differ, in a temporary table: what a plan for one table is once it is to be written."""

    def __init__(self, session: Session, shape: Shape, stage: Stage) -> None:
        self._session = session
        self._shape = shape
        # What to have the server return of each row that is really made, and into which temporary table.
        self.returning: tuple[sql.Composable, sql.Composable] | None = None
        self.name = session.temporary_name("delta")
        self.round = 0
        condition: sql.Composable = differing_rows(shape)
        if shape.table.distributed:
            condition = sql.SQL("d.line IS NOT NULL AND ({})").format(condition)
        # `level` is the round in which a row can be written; NULL while it waits for a row that it refers to. A hollow
        # row was written without the references that it still waits for.
        session.execute(
            sql.SQL(
                "CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS"
                " SELECT d.line, {columns}, {absent} AS missing,"
                " CASE WHEN {unresolved} THEN NULL ELSE 0 END::integer AS level, false AS hollow"
                " FROM {joined} WHERE {condition}"
            ).format(
                name=sql.Identifier(self.name),
                columns=_COMMA.join([sql.Identifier("d", name) for name in staged_columns(shape)]),
                absent=absent(shape),
                unresolved=any_unresolved(shape, absent(shape)),
                joined=joined(shape, staged_source(shape, stage.name)),
                condition=condition,
            )
        )

    @property
    def identifier(self) -> sql.Identifier:
        """The delta, where no table of another schema can stand in for it."""
        return sql.Identifier("pg_temp", self.name)

    @property
    def source(self) -> Source:
        """The delta as declared rows to compare."""
        return Source(sql.SQL(""), sql.SQL("{} AS d").format(self.identifier), ())

    def unresolved(self, field: Field, reference: Reference) -> Iterator[tuple[int, tuple[str | None, ...]]]:
        """Line and natural key, as text, of each row that needs a reference which found nothing."""
        keys = _COMMA.join([sql.SQL("d.{}::text").format(sql.Identifier(name)) for name in reference.staged])
        for line, *key in self._session.query(
            sql.SQL("SELECT d.line, {} FROM {} AS d WHERE {} ORDER BY d.line").format(
                keys, self.identifier, unresolved_here(self._shape, field, reference, _MISSING)
            )
        ):
            yield line, tuple(key)

    def resolve(self) -> None:
        """Look up references whose rows have been written since the delta was made."""
        if self.waiting():
            resolve(self._session, self._shape, self.identifier)
            self._promote(0)

    def waiting(self) -> bool:
        """Some row waits for another, or was written without a reference that it is to have."""
        if not self._shape.references:
            return False
        return bool(
            self._session.scalar(
                sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE level IS NULL OR hollow)").format(self.identifier)
            )
        )

    def next_round(self) -> bool:
        """Look up what was written meanwhile; whether that lets rows that waited be written now."""
        if not self.waiting():
            return False
        resolve(self._session, self._shape, self.identifier)
        return self._promote(self.round + 1) > 0

    def _promote(self, level: int) -> int:
        promoted = self._session.execute(
            sql.SQL("UPDATE {} AS d SET level = {} WHERE d.level IS NULL AND NOT ({})").format(
                self.identifier, sql.Literal(level), any_unresolved(self._shape, _MISSING)
            )
        )
        if promoted:
            self.round = level
        return promoted

    def release(self, planned: PlannedRows, *, own: bool) -> bool:
        """Let rows be written that wait in a circle; whether there were any.

        A reference that may be NULL is left out for now. One that may not is written ahead of the row it refers to,
        where that row's declaration says its value and the foreign key is checked late enough.

        Args:
            own: only rows that wait for nothing but rows of the same table; others may be made by a later resource.
        """
        shape = self._shape
        for field, reference in shape.references:
            here = reference.parent.oid == shape.table.oid
            # Within one statement, the rows of one table may refer to each other in any order.
            if _needed_at_once(field) and (here or not own) and (self._defer(field, reference) or here):
                planned.look_up(self._session, self.identifier, field, reference)
        blocking = []
        for field, reference in shape.references:
            if own and reference.parent.oid != shape.table.oid:
                blocking.append(unresolved_here(shape, field, reference, _MISSING))
            elif _needed_at_once(field):
                blocking.append(sql.SQL("(d.missing AND {})").format(unresolved(reference, field)))
        released = self._session.execute(
            sql.SQL("UPDATE {} AS d SET level = {}, hollow = {} WHERE d.level IS NULL AND NOT ({})").format(
                self.identifier,
                sql.Literal(self.round + 1),
                any_unresolved(shape, _MISSING),
                _OR.join(blocking or [sql.SQL("false")]),
            )
        )
        if released:
            self.round += 1
        return released > 0

    def _defer(self, field: Field, reference: Reference) -> bool:
        """Have the foreign key of this reference wait for the check after apply; whether it can."""
        foreign_key = self._shape.table.foreign_key_of(field.name, reference.parent.oid)
        if foreign_key is None or not foreign_key.deferrable:
            return False
        self._session.defer_constraint(self._shape.table.rows_schema, foreign_key.name)
        return True

    def fill(self) -> bool:
        """Write the references that rows were written without, where they are known by now; whether there were any."""
        known = self._fillable()
        if not self._session.scalar(
            sql.SQL("SELECT EXISTS (SELECT FROM {} AS d WHERE {})").format(self.identifier, known)
        ):
            return False
        self._update_where(self._fields_to_fill(), known)
        self._session.execute(sql.SQL("UPDATE {} AS d SET hollow = false WHERE {}").format(self.identifier, known))
        return True

    def _fillable(self) -> sql.Composable:
        return sql.SQL("d.hollow AND NOT ({})").format(any_unresolved(self._shape, _MISSING))

    def _fields_to_fill(self) -> list[Field]:
        return [field for field, _ in self._shape.references if field.role != "key"]

    def stuck(self) -> tuple[int, list[tuple[Field, Reference]]] | None:
        """The line of the first row that waits, and the references that it waits for."""
        flags = sql.SQL(", ").join(
            [unresolved_here(self._shape, field, reference, _MISSING) for field, reference in self._shape.references]
        )
        row = self._session.first(
            sql.SQL("SELECT d.line, {} FROM {} AS d WHERE d.level IS NULL OR d.hollow ORDER BY d.line LIMIT 1").format(
                flags, self.identifier
            )
        )
        if row is None:
            return None
        return row[0], [found for found, flag in zip(self._shape.references, row[1:], strict=True) if flag]

    def insert(self) -> None:
        """Insert the missing rows of this round."""
        self._insert_where(self._this_round(missing=True))

    def _this_round(self, *, missing: bool) -> sql.Composable:
        return sql.SQL("{} AND d.level = {}").format(
            _MISSING if missing else sql.SQL("NOT d.missing"), sql.Literal(self.round)
        )

    def _insert_where(self, condition: sql.Composable, parameters: Sequence[Any] | None = None) -> None:
        shape = self._shape
        explicit = any(field.column.identity == "a" for field in shape.fields)
        values = [
            _own_sql(field.expression) if field.expression is not None else field.desired for field in shape.fields
        ]
        guard: sql.Composable = sql.SQL("")
        if shape.identity.arbiter is not None and not shape.table.has_rules:  # rules and ON CONFLICT exclude each other
            # Another writer may have made the row since it was compared; the check after apply sees what it is like.
            guard = sql.SQL(" ON CONFLICT {} DO NOTHING").format(shape.identity.arbiter)
        statement = sql.SQL("INSERT INTO {} ({}){} SELECT {} FROM {} AS d WHERE {} ORDER BY d.line{}").format(
            shape.table.identifier,
            _COMMA.join([sql.Identifier(field.name) for field in shape.fields]),
            sql.SQL(" OVERRIDING SYSTEM VALUE") if explicit else sql.SQL(""),
            _COMMA.join(values),
            self.identifier,
            condition,
            guard,
        )
        if self.returning is not None:
            returned, made = self.returning
            statement = sql.SQL("WITH made AS ({} RETURNING {}) INSERT INTO {} SELECT * FROM made").format(
                statement, returned, made
            )
        self._session.execute(statement, parameters)

    def update(self, *, in_order: bool = False) -> None:
        """Update the rows of this round that are there and differ, in the columns that differ in any of them.

        Updates go before the inserts of a round, since an insert may take over a unique value that an update gives up.

        Args:
            in_order: row after row where they take over unique values from each other; see `update_in_order`.
        """
        changed = self._changed_fields()
        round_ = self._this_round(missing=False)
        if changed and in_order:
            self._session.execute(sql.SQL("CREATE INDEX ON {} (line)").format(self.identifier))
            update_in_order(
                self._session,
                self._shape,
                sql.SQL("(SELECT d.* FROM {} AS d WHERE {})").format(self.identifier, round_),
                changed,
                self._to_write,
                lambda lines: self._update_where(
                    changed, sql.SQL("{} AND d.line = ANY ($1::bigint[])").format(round_), [list(lines)]
                ),
            )
        elif changed:
            self._update_where(changed, round_)
        identity = self._shape.identity
        if identity.own is not None:
            # What is still to be written of these rows finds them by the key that they have from now on.
            values = [sql.SQL("false"), *(part.declared for part in identity.own.parts)]
            own = zip((identity.moved, *identity.looked_up), values, strict=True)
            self._session.execute(
                sql.SQL("UPDATE {} AS d SET {} WHERE {} AND {}").format(
                    self.identifier,
                    _COMMA.join([sql.SQL("{} = {}").format(sql.Identifier(name), value) for name, value in own]),
                    moved(self._shape),
                    round_,
                )
            )

    def _changed_fields(self) -> list[Field]:
        renamed = self._shape.identity.renamed is not None
        managed = [*self._shape.managed, *(self._shape.key if renamed else ())]
        if not managed:
            return []
        flags: list[bool] = []
        for start in range(0, len(managed), _TOLD_AT_ONCE):
            row = self._session.first(
                sql.SQL("SELECT {} FROM {} AS d JOIN {} ON {} WHERE NOT d.missing").format(
                    _COMMA.join(
                        [
                            sql.SQL("pg_catalog.bool_or({})").format(self._differs(field))
                            for field in managed[start : start + _TOLD_AT_ONCE]
                        ]
                    ),
                    self.identifier,
                    live(self._shape),
                    same_key(self._shape),
                )
            )
            assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
            flags += row
        return [field for field, flag in zip(managed, flags, strict=True) if flag]

    def _update_where(
        self, fields: Sequence[Field], condition: sql.Composable, parameters: Sequence[Any] | None = None
    ) -> None:
        self._session.execute(
            # Only such names as are none of the table's where the index's own SQL stands beside them.
            sql.SQL(
                "WITH d AS (SELECT {}, d.missing AS {} FROM {} AS d WHERE {}) UPDATE {} AS t SET {} FROM d WHERE {}"
            ).format(
                _COMMA.join([sql.Identifier("d", name) for name in staged_columns(self._shape)]),
                sql.Identifier(self._shape.identity.missing),
                self.identifier,
                condition,
                self._shape.table.source,
                _COMMA.join(
                    [sql.SQL("{} = {}").format(sql.Identifier(field.name), self._to_write(field)) for field in fields]
                ),
                same_key(self._shape, target=True),
            ),
            parameters,
        )

    def _differs(self, field: Field) -> sql.Composable:
        if field.role == "key":
            return sql.SQL("{} AND {}").format(moved(self._shape), differs([field]))
        return differs([field])

    def _to_write(self, field: Field) -> sql.Composable:
        """The value that an update gives a field. A reference that is not known yet, or is written on insert only,
        keeps what is there."""
        if field.role == "key":
            return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(moved(self._shape), field.desired, field.target)
        if field.reference is None:
            return field.desired
        if field in self._shape.managed:
            keeps = unresolved(field.reference, field)
        else:
            missing = sql.Identifier("d", self._shape.identity.missing)
            keeps = sql.SQL("NOT {} OR {} IS NOT NULL").format(missing, field.target)
        return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(keeps, field.target, field.desired)

    def culprit(self, step: Step) -> int | None:
        """The line of the first row that the server refuses, found by writing ever shorter beginnings of the delta."""
        condition = self._fillable() if step == "fill" else self._this_round(missing=step == "insert")
        lines = [
            row[0]
            for row in self._session.query(
                sql.SQL("SELECT d.line FROM {} AS d WHERE {} ORDER BY d.line").format(self.identifier, condition)
            )
        ]
        changed = {"insert": list, "update": self._changed_fields, "fill": self._fields_to_fill}[step]()
        if not lines or self._accepts(condition, lines[-1], changed):
            return None
        before_last = len(lines) - 1
        first = bisect_left(lines, True, hi=before_last, key=lambda line: not self._accepts(condition, line, changed))
        return int(lines[first])

    def _accepts(self, condition: sql.Composable, last: int, changed: Sequence[Field]) -> bool:
        up_to = sql.SQL("{} AND d.line <= $1").format(condition)

        def attempt() -> None:
            if changed:
                self._update_where(changed, up_to, [last])
            else:
                self._insert_where(up_to, [last])

        return self._session.accepts(attempt) is None

    def beyond(self, lines: Collection[int], planned: "Delta | None") -> int:
        """How many of its rows are neither of these lines nor in an earlier delta."""
        if planned is not None:
            return int(
                self._session.scalar(
                    sql.SQL(
                        "SELECT pg_catalog.count(*) FROM {} AS d WHERE NOT EXISTS (SELECT FROM {} AS p"
                        " WHERE p.line = d.line)"
                    ).format(self.identifier, planned.identifier)
                )
            )
        found = self._session.query(sql.SQL("SELECT line FROM {}").format(self.identifier))
        return sum(row[0] not in lines for row in found)

    def counts(self) -> tuple[int, int]:
        """How many rows are missing, and how many differ."""
        row = self._session.first(
            sql.SQL(
                "SELECT pg_catalog.count(*) FILTER (WHERE missing), pg_catalog.count(*)"
                " FILTER (WHERE NOT missing) FROM {}"
            ).format(self.identifier)
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        return row[0], row[1]


def evaluate(session: Session, shape: Shape) -> None:
    """Evaluate the seed's own SQL once, apart from any row. Errors: whatever it raises."""
    expressions = [_own_sql(field.expression) for field in shape.fields if field.expression is not None]
    session.query(sql.SQL("SELECT {}").format(_COMMA.join(expressions)))


def _own_sql(expression: str) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(expression))


def _needed_at_once(field: Field) -> bool:
    """The reference cannot be left out when its row is inserted."""
    return field.role == "key" or field.column.not_null
