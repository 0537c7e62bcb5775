"""What a table's own rules would refuse of declared rows, told by asking: NULLs, checks, unique values twice.

What a trigger may still change is not foreseen; nor are the rules of tables that rows are written to through a view.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.declared import Chunk, Field, Shape
from seedframe.database.finals import final, final_rows, unknown
from seedframe.database.problems import may_be_of_a_row, null_refused, refused_by
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.table import UniqueIndex
from seedframe.errors import ConstraintViolated, PermissionDenied, SeedframeError

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_MISSING: Final = sql.SQL("m.missing")

# 1: for each row; 2: BEFORE; 4 and 16: INSERT and UPDATE. Source: pg_trigger.h.
_RULES: Final[LiteralString] = """
SELECT EXISTS (SELECT FROM pg_trigger g
                WHERE g.tgrelid IN (SELECT $1::oid UNION SELECT relid::oid FROM pg_catalog.pg_partition_tree($1::oid))
                  AND NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype::integer & 3 = 3
                      AND g.tgtype::integer & 20 <> 0),
       (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(
                 k.conname, pg_catalog.pg_get_expr(k.conbin, k.conrelid),
                 (SELECT pg_catalog.json_agg(a.attname) FROM pg_attribute a
                   WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey)),
                 0 >= ANY (k.conkey)) ORDER BY k.conname)
          FROM pg_constraint k
         WHERE k.conrelid = $1::oid AND k.contype = 'c'
             AND coalesce((pg_catalog.to_jsonb(k) ->> 'conenforced'::text)::boolean, true))
"""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The first row that would be refused, by its line, and the line of the row that has what it would take, if any."""

    line: int
    error: ConstraintViolated
    other: int | None = None


class Foresight:
    """Asks what would be refused of the rows of one shape; of what cannot be told beforehand, nothing is said."""

    def __init__(self, session: Session, shape: Shape) -> None:
        self._session = session
        self.shape = shape
        self._checks: list[tuple[str, str, tuple[str, ...]]] = []
        self._tellable: bool | None = None

    def first_refused(self, source: Source, chunk: Chunk | None, leaving: Sequence[int] = ()) -> Foreseen | None:
        """The first row, by line, that would be refused; None when there is none, or when it cannot be told.

        Args:
            chunk: what the source is made of, where that is at hand: a column without a NULL is not asked about.
            leaving: lines of rows that stay as they are, whatever is declared.
        """
        try:
            if self._tellable is None:
                self._tellable = self._read_rules()
            if not self._tellable:
                return None
            fields, conditions, errors = self._conditions(chunk)
            unique = self._unique(fields)
            if not conditions and not unique:
                return None
            with self._session.savepoint(read_only=True):
                found = self._first(source, fields, conditions, leaving) if conditions else None
                refused = Foreseen(found[0], errors[found[1]]) if found is not None else None
                for index in unique:
                    twice = self._twice(source, fields, index, leaving)
                    if twice is not None and (refused is None or twice.line < refused.line):
                        refused = twice
                return refused
        except PermissionDenied:
            return None  # of a column that is never compared, or of a function: told when it is written
        except SeedframeError as error:
            if may_be_of_a_row(error):
                return None  # a check that cannot be evaluated
            raise

    def _read_rules(self) -> bool:
        """Read the table's checks; False where what becomes of a row cannot be told from them."""
        table = self.shape.table
        if table.distributed or table.has_rules or table.kind not in ("r", "p"):
            return False
        row = self._session.first(_RULES, [table.oid])
        if row is None or row[0]:
            return False
        self._checks = [
            (name, expression, tuple(columns or ()))
            for name, expression, columns, of_system in row[1] or ()
            # A row as a whole has more columns than are known here.
            if not of_system and ".*" not in expression
        ]
        return True

    def _conditions(self, chunk: Chunk | None) -> tuple[list[Field], list[sql.Composable], list[ConstraintViolated]]:
        """The fields that anything is to be asked of; the conditions under which a row is refused, and their errors."""
        shape, table = self.shape, self.shape.table
        ruled = {name for _, _, columns in self._checks for name in columns}
        ruled.update(name for index in table.unique for name in index.columns)
        required = [
            field
            for field in shape.stored
            if field.column.not_null and (chunk is None or _has_null(shape, field, chunk))
        ]
        fields = [field for field in shape.stored if field in required or field.name in ruled]
        conditions = [_is_null(fields, field) for field in required]
        errors = [null_refused(field.name, table.label) for field in required]
        for column in table.columns.values():
            if (
                column.not_null
                and not (column.has_default or column.generated or column.identity)
                and all(field.name != column.name for field in shape.fields)
            ):
                conditions.append(_MISSING)
                errors.append(null_refused(column.name, table.label))
        for name, expression, columns in self._checks:
            condition = self._broken(fields, expression, columns)
            if condition is not None:
                conditions.append(condition)
                errors.append(refused_by("check constraint", name, table.label))
        return fields, conditions, errors

    def _unique(self, fields: Sequence[Field]) -> list[UniqueIndex]:
        """The unique indexes whose values are all declared, and that the key does not make unique already."""
        known = {field.name for field in fields if field.reference is None}
        keyed = {field.name for field in self.shape.key}
        return [
            index
            for index in self.shape.table.unique
            if not index.partial and known.issuperset(index.columns) and not keyed.issubset(index.columns)
        ]

    def _broken(self, fields: Sequence[Field], expression: str, columns: Sequence[str]) -> sql.Composable | None:
        """The condition under which a check is false; None where some column of it is not known beforehand."""
        known = {field.name: field for field in fields}
        values: list[sql.Composable] = []
        only_missing = False
        for name in columns:
            column = self.shape.table.columns[name]
            if name in known:
                if known[name].reference is not None:
                    return None
                value: sql.Composable = final(fields, name)
            elif any(field.name == name for field in self.shape.fields) or (
                column.has_default or column.generated or column.identity
            ):
                return None
            else:
                only_missing = True
                value = sql.SQL("NULL::{}").format(sql.SQL(column.type))
            values.append(sql.SQL("{} AS {}").format(value, sql.Identifier(name)))
        # The names of the check are those of the innermost query, so that they never mean something of ours.
        false = sql.SQL("(SELECT ({}) FROM (SELECT {}) AS v) IS FALSE").format(
            sql.SQL(expression),  # the server's own text, from its catalog
            _COMMA.join(values),
        )
        return sql.SQL("{} AND {}").format(_MISSING, false) if only_missing else false

    def _first(
        self, source: Source, fields: Sequence[Field], conditions: Sequence[sql.Composable], leaving: Sequence[int]
    ) -> tuple[int, int] | None:
        which = sql.SQL(" ").join(
            [sql.SQL("WHEN {} THEN {}").format(each, sql.Literal(number)) for number, each in enumerate(conditions)]
        )
        row = self._session.first(
            sql.SQL("{}SELECT line, which FROM (SELECT m.line, CASE {} END AS which FROM m WHERE m.differs) AS w"
                    " WHERE which IS NOT NULL ORDER BY line LIMIT 1").format(
                final_rows(self.shape, source, fields, leaving), which
            ),
            source.parameters or None,
        )  # fmt: skip
        return None if row is None else (row[0], row[1])

    def _twice(
        self, source: Source, fields: Sequence[Field], index: UniqueIndex, leaving: Sequence[int]
    ) -> Foreseen | None:
        """The first row that would have the unique value of an earlier one."""
        values = [final(fields, name) for name in index.columns]
        given = [
            sql.SQL("pg_catalog.num_nulls({}) = 0").format(value) for value in values if not index.nulls_not_distinct
        ]
        row = self._session.first(
            sql.SQL(
                "{}SELECT line, earlier FROM (SELECT m.line, pg_catalog.min(m.line) OVER (PARTITION BY {})"
                " AS earlier FROM m{})"
                " AS w WHERE earlier < line ORDER BY line LIMIT 1"
            ).format(
                final_rows(self.shape, source, fields, leaving),
                _COMMA.join(values),
                sql.SQL(" WHERE {}").format(_AND.join(given)) if given else sql.SQL(""),
            ),
            source.parameters or None,
        )
        if row is None:
            return None
        return Foreseen(row[0], refused_by("unique constraint", index.name, self.shape.table.label), row[1])


def _has_null(shape: Shape, field: Field, chunk: Chunk) -> bool:
    return any(None in chunk.columns[shape.input_position(name)] for name in field.input_names)


def _is_null(fields: Sequence[Field], field: Field) -> sql.Composable:
    value = final(fields, field.name)
    # IS NULL is true of the composite value (NULL, NULL), too.
    null = (
        sql.SQL("pg_catalog.num_nulls({}) = 1").format(value)
        if field.column.composite
        else sql.SQL("{} IS NULL").format(value)
    )
    if field.reference is None:
        return null
    return sql.SQL("({} AND NOT {})").format(null, unknown(fields, field))
