"""Which other row has the values that a unique or exclusion constraint refused to a row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias

from psycopg import sql

from seedframe.changes import key_text
from seedframe.database.column_sql import equals
from seedframe.database.declared import Field, Shape
from seedframe.database.finals import final, final_rows
from seedframe.database.hashes import key_hash
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.errors import SeedframeError

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")

_EXCLUSION: Final[LiteralString] = """
SELECT a.attname, n.nspname, o.oprname,
       CASE WHEN n.nspname <> 'pg_catalog' THEN pg_catalog.format_type(o.oprleft, NULL) END
  FROM pg_constraint k
  CROSS JOIN LATERAL unnest(k.conkey, k.conexclop) WITH ORDINALITY AS c (attnum, op, position)
  LEFT JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum
  JOIN pg_operator o ON o.oid = c.op JOIN pg_namespace n ON n.oid = o.oprnamespace
  JOIN pg_index i ON i.indexrelid = k.conindid AND i.indpred IS NULL
 WHERE k.conrelid = $1::oid AND k.conname = $2 AND k.contype = 'x' ORDER BY c.position
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """The other row.

    Attributes:
        line: what declares it.
        key: that of a row of the table, where no line is given; empty where it is secret.
        undeclared: the hash of that key, where it can be told and is not among the declared ones.
    """

    line: int | None = None
    key: str | None = None
    undeclared: int | None = None

    def told(self, at: Callable[[int], str], table: str) -> str:
        """It, for messages.

        Args:
            at: where a declared row is.
        """
        if self.line is not None:
            return at(self.line)
        return f"the row {self.key} of {table}" if self.key else f"another row of {table}"


def holder_of(
    session: Session, shape: Shape, source: Source, line: int | None, constraint: str
) -> tuple[int, Holder] | None:
    """The line of a declared row, and the row that has what the constraint refuses to it; None where it cannot be told.

    Args:
        source: the declared rows that are being written.
        line: the row that was refused; None finds the first.
    """
    try:
        with session.savepoint(read_only=True):
            compared = _unique(shape, constraint) or _exclusion(session, shape, constraint)
            return _find(session, shape, source, line, compared) if compared is not None else None
    except SeedframeError:
        return None


@dataclass(frozen=True, slots=True)
class _Operator:
    """An operator by schema and name; `type` is that of its operands, where it is not built in."""

    schema: str
    name: str
    type: str | None

    def between(self, left: sql.Composable, right: sql.Composable) -> sql.Composable:
        if self.type is not None:
            left, right = (sql.SQL("CAST({} AS {})").format(value, sql.SQL(self.type)) for value in (left, right))
        name = sql.SQL(self.name)  # the catalog's own
        return sql.SQL("{} OPERATOR({}.{}) {}").format(left, sql.Identifier(self.schema), name, right)


_Compared: TypeAlias = Sequence[tuple[Field, _Operator | None]]
"""The fields that a constraint is about; each with the operator that may not be true of two rows: None is equality."""


def _unique(shape: Shape, constraint: str) -> _Compared | None:
    index = next((index for index in shape.table.unique if index.name == constraint and not index.partial), None)
    return _declared(shape, [(name, None) for name in index.columns]) if index is not None else None


def _exclusion(session: Session, shape: Shape, constraint: str) -> _Compared | None:
    rows = session.query(_EXCLUSION, [shape.table.oid, constraint])
    return _declared(shape, [(name, _Operator(*operator)) for name, *operator in rows]) if rows else None


def _declared(shape: Shape, columns: Sequence[tuple[str | None, _Operator | None]]) -> _Compared | None:
    """None where one of the columns is not declared, or is an expression."""
    known = {field.name: field for field in shape.stored}
    found = [(known[name], operator) for name, operator in columns if name is not None and name in known]
    return found if len(found) == len(columns) else None


def _find(
    session: Session, shape: Shape, source: Source, line: int | None, compared: _Compared
) -> tuple[int, Holder] | None:
    fields = list(dict.fromkeys([*(field for field, _ in compared), *shape.key]))
    rows = final_rows(shape, source, fields)

    def matches(theirs: Callable[[Field], sql.Composable]) -> sql.Composable:
        parts: list[sql.Composable] = []
        for field, operator in compared:
            mine = final(fields, field.name)
            if operator is None:
                parts.append(equals(field.column, theirs(field), mine))
            else:
                parts.append(operator.between(theirs(field), mine))
        return _AND.join(parts)

    own = _AND.join(
        [equals(field.column, sql.Identifier("t", field.name), final(fields, field.name)) for field in shape.key]
    )
    this = sql.SQL("m.line = {}").format(sql.Literal(line)) if line is not None else sql.SQL("true")
    shown = [field for field in shape.key if not field.secret]
    by_columns = shape.identity.plain and shape.identity.renamed is None
    declared = _AND.join(
        [equals(field.column, sql.Identifier("t", field.name), final(fields, field.name, "o")) for field in shape.key]
    )
    there = session.first(
        sql.SQL(
            "{}SELECT m.line, CASE WHEN NOT EXISTS (SELECT FROM m AS o WHERE {}) THEN {} END, {}"
            " FROM m JOIN {} AS t ON {} WHERE {} AND ({}) IS NOT TRUE ORDER BY 1 LIMIT 1"
        ).format(
            rows,
            declared,
            key_hash(shape, of_table=True) if by_columns else sql.NULL,
            _COMMA.join([_text(sql.Identifier("t", field.name)) for field in shown] or [sql.NULL]),
            shape.table.source,
            matches(lambda field: sql.Identifier("t", field.name)),
            this,
            own,
        ),
        source.parameters or None,
    )
    if there is not None:
        key = key_text({field.name: value for field, value in zip(shown, there[2:], strict=True)}) if shown else ""
        return there[0], Holder(key=key, undeclared=there[1])
    other = session.first(
        sql.SQL(
            "{}SELECT m.line, o.line FROM m JOIN m AS o ON {} WHERE {} AND o.line <> m.line ORDER BY 1 LIMIT 1"
        ).format(rows, matches(lambda field: final(fields, field.name, "o")), this),
        source.parameters or None,
    )
    return (other[0], Holder(line=other[1])) if other is not None else None


def _text(value: sql.Composable) -> sql.Composable:
    return sql.SQL("{}::text").format(value)
