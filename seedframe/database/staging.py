"""The stage: declared rows in a temporary table, typed by the server, references looked up before they are compared."""

from typing import Final

from psycopg import sql

from seedframe.database.column_sql import equals, typed
from seedframe.database.declared import Chunk, Reference, Shape
from seedframe.database.hashes import key_identity
from seedframe.database.matching import unresolved
from seedframe.database.session import Session
from seedframe.database.source import Source, staged_source
from seedframe.errors import DeclarationError

_COMMA = sql.SQL(", ")
_AND = sql.SQL(" AND ")


# Of the 1,600 columns that a table may have, the differences beside the declared ones need four.
_MOST_COLUMNS: Final = 1_596


def require_room(shape: Shape, resource: str) -> None:
    """A temporary table has room for what is declared. Errors: DeclarationError."""
    columns = len(shape.inputs) + len(shape.references)
    if columns > _MOST_COLUMNS:
        raise DeclarationError(
            f"{resource} declares {columns:,} columns of {shape.table.label},"
            " each reference counted with its natural key",
            hint=f"{_MOST_COLUMNS:,} are possible: declare the rest in a second Rows of the table, with a name=",
        )


class Stage:
    """A temporary table of declared rows; it goes with the transaction."""

    def __init__(self, session: Session, shape: Shape) -> None:
        self._session = session
        self._shape = shape
        self.name = session.temporary_name("stage")
        columns = [sql.SQL("{} {}").format(sql.Identifier(entry.staged), typed(entry.column)) for entry in shape.inputs]
        columns += [
            sql.SQL("{} {}").format(sql.Identifier(field.staged), typed(field.column)) for field, _ in shape.references
        ]
        # Made column by column rather than AS SELECT … WITH NO DATA: the same table, without reading the target.
        session.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} (line bigint, {}) ON COMMIT DROP").format(
                sql.Identifier(self.name), _COMMA.join(columns)
            )
        )

    @property
    def identifier(self) -> sql.Identifier:
        """The stage, where no table of another schema can stand in for it."""
        return sql.Identifier("pg_temp", self.name)

    @property
    def source(self) -> Source:
        """The stage as declared rows to compare."""
        return staged_source(self._shape, self.name)

    def load(self, chunk: Chunk) -> None:
        """COPY a chunk in. Errors: BadData, ConstraintViolated (of a domain)."""
        columns = _COMMA.join([sql.Identifier(entry.staged) for entry in self._shape.inputs])
        self._session.copy_in(
            sql.SQL("COPY {} (line, {}) FROM STDIN").format(self.identifier, columns), iter([chunk.copy_text()])
        )

    def repeated(self) -> tuple[int, int] | None:
        """The lines of the first two rows with one key."""
        key = key_identity(self._shape)
        rows = self.source.relation
        # Most of the time there are none, and this takes a third of the time of finding out which.
        if not self._session.scalar(
            sql.SQL("SELECT EXISTS (SELECT FROM {} GROUP BY {} HAVING pg_catalog.count(*) > 1)").format(rows, key)
        ):
            return None
        row = self._session.first(
            sql.SQL(
                "SELECT pg_catalog.min(d.line), (pg_catalog.array_agg(d.line ORDER BY d.line))[2] FROM {}"
                " GROUP BY {} HAVING pg_catalog.count(*) > 1 ORDER BY 1 LIMIT 1"
            ).format(rows, key)
        )
        return None if row is None else (row[0], row[1])

    def resolve(self) -> None:
        """Look references up in the parents as they are now, whatever was found before."""
        for field, _ in self._shape.references:
            column = sql.Identifier(field.staged)
            self._session.execute(
                sql.SQL("UPDATE {} SET {} = NULL WHERE {} IS NOT NULL").format(self.identifier, column, column)
            )
        resolve(self._session, self._shape, self.identifier)

    def ambiguous(self) -> tuple[int, Reference] | None:
        """The first line whose reference matches several rows, where no unique index rules that out."""
        for _field, reference in self._shape.references:
            if reference.unique:
                continue
            keys = _COMMA.join([sql.Identifier(column.name) for column in reference.key])
            row = self._session.first(
                sql.SQL(
                    "SELECT d.line FROM {} AS d JOIN (SELECT {}"
                    " FROM {} GROUP BY {} HAVING pg_catalog.count(*) > 1) AS p ON {}"
                    " ORDER BY d.line LIMIT 1"
                ).format(self.identifier, keys, reference.parent.source, keys, _parent_match(reference))
            )
            if row is not None:
                return row[0], reference
        return None


def resolve(session: Session, shape: Shape, relation: sql.Composable) -> None:
    """Fill the looked-up columns of a stage or a delta from the parents, where they are still empty."""
    for field, reference in shape.references:
        session.execute(
            sql.SQL("UPDATE {} AS d SET {} = p.{} FROM {} AS p WHERE {} AND {}").format(
                relation,
                sql.Identifier(field.staged),
                sql.Identifier(reference.value.name),
                reference.parent.source,
                _parent_match(reference),
                unresolved(reference, field),
            )
        )


def _parent_match(reference: Reference) -> sql.Composable:
    return _AND.join(
        [
            equals(column, sql.Identifier("p", column.name), sql.Identifier("d", staged))
            for column, staged in zip(reference.key, reference.staged, strict=True)
        ]
    )
