"""Searching for rows that are to go, in each scope: one comparison, whether they are then shown, proven or deleted.

A row is to go when no declared row matches it and it is in a scope: the table or the part that `where` selects
(`sync`), what this resource made (`prune`), or a key that must not be there (`removed`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from psycopg import sql

from seedframe.database.additions import Additions
from seedframe.database.declared import Chunk, Removing
from seedframe.database.declared_rows import DeclaredRows
from seedframe.database.hashes import key_hash
from seedframe.database.locate import locating
from seedframe.database.matching import same_key
from seedframe.database.ownership import Ownership
from seedframe.database.part import Part
from seedframe.database.privileges import missing_privilege
from seedframe.database.rowids import FoundRows, Why, rows_where
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source
from seedframe.database.streamed_keys import StreamedKeys
from seedframe.database.surroundings import Surroundings
from seedframe.errors import BadData, DeclarationError, PermissionDenied

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_MANY: Final = 5_000


@dataclass(frozen=True, slots=True)
class _Scope:
    """Some rows of the table, as `t`, with the CTEs and parameters they need."""

    why: Why
    prefix: sql.Composable
    relation: sql.Composable
    parameters: tuple[Any, ...] = ()


class RemovalSearch:
    """Finds the rows of one table that are to go.

    Attributes:
        owned: which rows the resource made, under `prune`.
        removed: the hashes of the keys that must not be there.
    """

    def __init__(
        self, session: Session, declared: DeclaredRows, removing: Removing, additions: Additions, around: Surroundings
    ) -> None:
        self._session = session
        self._declared = declared
        self._plain = declared.shape
        self._removing = removing
        self._additions = additions
        self._around = around
        self._part = Part(session, removing.where, around.resource)
        self._streamed = StreamedKeys(session, declared.shape)
        self._inside = 0
        self._scope_rows: dict[str, int] = {}
        self.owned = Ownership(session, declared.shape, around.store) if removing.prune else None
        self.removed: list[int] = []

    # Before the declared rows are read

    def prepare(self) -> None:
        """Have the server judge `where` and the keys that must not be there.

        Errors: DeclarationError, BadData, PermissionDenied.
        """
        table = self._declared.shape.table
        if table.distributed:
            raise DeclarationError(
                f"{table.label} is a distributed table, of which seedframe deletes no rows",
                hint='use mode="upsert" without prune or removed()',
                where=self._around.resource,
            )
        if table.shows is not None:
            raise DeclarationError(
                f"{table.label} is a view, through which seedframe deletes no rows",
                hint=f'declare {table.shows.label}, or use mode="upsert" without prune or removed()',
                where=self._around.resource,
            )
        # Where a row lies is a column that no grant on columns covers.
        if not self._session.scalar("SELECT pg_catalog.has_table_privilege($1::oid, 'SELECT')", [table.oid]):
            raise PermissionDenied(
                f"the role {self._session.role} has SELECT on some columns of {table.label} only",
                hint=f"GRANT SELECT ON {table.identifier.as_string()} TO {self._session.role_identifier}:"
                " what may delete rows has to see them whole",
                where=self._around.resource,
            )
        self._part.check(self._declared.shape)
        keys = self._removing.keys
        if keys is not None:
            self.removed = self._hash_removed(keys)

    def _hash_removed(self, keys: Chunk) -> list[int]:
        shape = self._plain.keyed
        source = chunk_source(shape, keys)
        known = [sql.SQL("{} IS NOT NULL").format(field.desired) for field, _ in shape.references]
        statement = sql.SQL("{}SELECT {} FROM {}{}").format(
            source.prefix,
            key_hash(shape),
            source.relation,
            sql.SQL(" WHERE {}").format(_AND.join(known)) if known else sql.SQL(""),
        )
        with locating(self._session, shape, keys, lambda line: f"{self._around.resource} removed() {line}"):
            return [row[0] for row in self._session.query(statement, source.parameters)]

    # While they are read

    def see(self, source: Source, texts: Sequence[object] | None, *, streamed: bool) -> None:
        """Take note of a chunk, or of the stage.

        Args:
            texts: the keys, where equal keys are equal texts.
            streamed: whether the chunk does not come by again.

        Errors: BadData for a row that may not be declared.
        """
        shape = self._declared.shape
        self._refuse_both(source)
        if streamed and (self._removing.sync or self._removing.prune):
            self._streamed.add(shape, source, texts if shape.identity.renamed is None else None)
        if not self._part.is_whole:
            with self._part.evaluating():
                inside, outside = self._part.look(shape, source)
            self._inside += inside
            self._refuse_outside(outside)

    def _refuse_both(self, source: Source) -> None:
        if not self.removed:
            return
        number = len(source.parameters) + 1
        line = self._session.scalar(
            sql.SQL(
                "{}SELECT pg_catalog.min(d.line) FROM {} WHERE ARRAY[{}, {}] OPERATOR(pg_catalog.&&) {}::bigint[]"
            ).format(
                source.prefix,
                source.relation,
                key_hash(self._plain),
                key_hash(self._declared.shape),
                sql.SQL(f"${number}"),
            ),
            [*source.parameters, self.removed],
        )
        if line is not None:
            keys = ", ".join(field.name for field in self._declared.shape.key)
            raise BadData(
                f"this row is declared, and its key ({keys}) is also in removed()",
                hint="take it out of one of the two",
                where=self._around.place(line),
            )

    def _refuse_outside(self, line: int | None) -> None:
        if line is not None:
            raise BadData(
                "this row is outside of the part of the table that where= selects",
                hint="correct the row, or where=: what is declared must be part of what is held",
                where=self._around.place(line),
            )

    # Finding

    def find(self, existing: int) -> FoundRows:
        """The rows to go; in a transaction that writes, they are locked.

        Args:
            existing: how many of the declared rows are there.
        """
        shape, source = self._declared.shape, self._declared.at_hand()
        streamed = source is None and self._declared.count > 0
        if self.owned is not None and source is not None and shape.identity.renamed is not None:
            self.owned.follow(shape, source)
        if self._removing.sync or self._removing.keys is not None:
            self._additions.load()
        inside = existing if self._part.is_whole else self._inside
        scopes = [scope for scope in self._scopes() if scope.why != "sync" or self.rows_in("sync") != inside]
        found = self._collect(scopes, source, streamed=streamed, lock=False)
        if self._session.writable and len(found):
            self._require_privileges()
            found = self._collect(scopes, source, streamed=False, lock=True)
        return found

    def find_again(self, *, lock: bool) -> FoundRows:
        """The rows to go as they are by now; of declared rows that were streamed nothing is known any more."""
        return self._collect(list(self._scopes()), self._declared.at_hand(), streamed=False, lock=lock)

    def require_inside(self) -> None:
        """After writing, all declared rows are in the part. Errors: BadData."""
        source = self._declared.at_hand()
        if source is not None:
            with self._part.evaluating():
                outside = self._part.outside(self._declared.shape, source)
            self._refuse_outside(outside)

    def rows_in(self, which: Literal["sync", "prune", "table"]) -> int:
        """How many rows are in a scope, or in the table, matched or not."""
        if which not in self._scope_rows:
            if which == "prune":
                rows = self.owned.there() if self.owned is not None else 0
            else:
                table = sql.SQL("{} AS t").format(self._declared.shape.table.source)
                relation = self._part.relation(self._declared.shape) if which == "sync" else table
                with self._part.evaluating():
                    rows = int(self._session.scalar(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(relation)))
            self._scope_rows[which] = rows
        return self._scope_rows[which]

    def _scopes(self) -> Iterator[_Scope]:
        nothing = sql.SQL("")
        keys = self._removing.keys
        if keys is not None:
            shape = self._plain.keyed
            source = chunk_source(shape, keys)
            relation = sql.SQL("(SELECT t.* FROM {} WHERE EXISTS (SELECT FROM {} WHERE {})) AS t").format(
                rows_where(shape), source.relation, same_key(shape)
            )
            yield _Scope("removed", source.prefix, relation, source.parameters)
        if self._removing.sync:
            yield _Scope("sync", nothing, self._part.relation(self._declared.shape))
        if self.owned is not None and self.rows_in("prune"):
            yield _Scope("prune", nothing, self.owned.relation)

    def _collect(self, scopes: Sequence[_Scope], source: Source | None, *, streamed: bool, lock: bool) -> FoundRows:
        found = FoundRows()
        seen: set[tuple[int, str]] = set()
        for scope in scopes:
            by_hand = streamed and scope.why != "removed"
            many = self._are_many(scope, source)
            rows = (
                self._streamed.undeclared(scope.relation, many=many)
                if by_hand
                else self._undeclared(scope, source, many=many, lock=lock)
            )
            for table, place, hashed in rows:
                if (table, place) in seen or (scope.why != "prune" and self._additions.stays(hashed)):
                    continue
                if scope.why == "removed":
                    seen.add((table, place))
                found.add(table, place, hashed, scope.why)
        return found

    def _are_many(self, scope: _Scope, source: Source | None) -> bool:
        """Whether to go over all of the table rather than to look rows up in it one by one."""
        if scope.why == "removed":
            return False
        staged = source is not None and not source.parameters
        return scope.why == "sync" or staged or self.rows_in("prune") > _MANY

    def _undeclared(
        self, scope: _Scope, source: Source | None, *, many: bool, lock: bool
    ) -> Iterator[tuple[int, str, int]]:
        anti: sql.Composable = sql.SQL("")
        prefix, parameters = scope.prefix, scope.parameters
        if source is not None and scope.why != "removed":
            prefix, parameters = source.prefix, source.parameters
            anti = sql.SQL(" LEFT JOIN {} ON {} WHERE d.line IS NULL").format(
                source.relation, same_key(self._declared.shape)
            )
        statement = sql.SQL("{}SELECT t.tableoid::bigint, t.ctid::text, {} FROM {}{} ORDER BY {}{}").format(
            prefix,
            key_hash(self._declared.shape, of_table=True),
            scope.relation,
            anti,
            _COMMA.join([field.target for field in self._declared.shape.key]),
            sql.SQL(" FOR UPDATE OF t") if lock else sql.SQL(""),
        )
        with self._session.set_based(many), self._part.evaluating(locking=lock):
            yield from self._session.stream(statement, parameters or None)

    def _require_privileges(self) -> None:
        """Rows are locked before they go, which takes UPDATE of a column. Errors: PermissionDenied."""
        names = [field.name for field in self._declared.shape.key]
        table = self._declared.shape.table
        lacking = missing_privilege(self._session, table, names, ["DELETE"])
        lacking = lacking or missing_privilege(self._session, table, names[:1], ["UPDATE"])
        if lacking is not None:
            raise lacking
