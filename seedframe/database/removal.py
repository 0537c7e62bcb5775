"""Removal: the rows of one table that are to go. Found by one comparison, whether it is then shown, proven or done.

A row is to go when no declared row matches it and it is in a scope: the table or the part that `where` selects
(`sync`), what this resource made (`prune`), or a key that must not be there (`removed`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from psycopg import sql

from seedframe.changes import (
    Cell,
    Change,
    Changes,
    Counts,
    Finding,
    Marker,
    Verdict,
    key_text,
    rows_text,
    worst_verdict,
)
from seedframe.database.additions import Additions
from seedframe.database.column_sql import written
from seedframe.database.declared import Chunk, Removing, Shape
from seedframe.database.hashes import key_hash
from seedframe.database.locate import locating
from seedframe.database.matching import same_key
from seedframe.database.ownership import Ownership
from seedframe.database.part import Part
from seedframe.database.privileges import missing_privilege
from seedframe.database.problems import withheld
from seedframe.database.rowids import FoundRows, RowIds, Why, at_place, placed, rows_where
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source
from seedframe.database.standing import Standing
from seedframe.database.streamed_keys import StreamedKeys
from seedframe.database.surroundings import Surroundings
from seedframe.database.weighing import along, effects_on_others, require_within, told_of
from seedframe.errors import (
    BadData,
    ConstraintViolated,
    DeclarationError,
    PermissionDenied,
    SeedframeError,
    TooManyChanges,
)
from seedframe.recorder import ResourceDigests
from seedframe.verdicts import removal_verdict

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_PAGE: Final = 5_000
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class _Scope:
    """Some rows of the table, as `t`, with the CTEs and parameters they need."""

    why: Why
    prefix: sql.Composable
    relation: sql.Composable
    parameters: tuple[Any, ...] = ()


class Removal:
    """The rows of one table that are to go, on their way through one attempt."""

    def __init__(
        self, session: Session, shape: Shape, removing: Removing, standing: Standing, around: Surroundings
    ) -> None:
        self._session = session
        self._shape = self._plain = shape
        self._removing = removing
        self._standing = standing
        self._around = around
        self._owned = Ownership(session, shape, around.store) if removing.prune else None
        self._part = Part(session, removing.where, around.resource)
        self._additions = Additions(shape, around)
        self._streamed = StreamedKeys(session, shape)
        self._inside = 0
        self._scope_rows: dict[str, int] = {}
        self._found = FoundRows()
        self._rows = 0
        self._deleted = 0
        self._removed_hashes: list[int] = []

    # Before the declared rows are read

    def prepare(self) -> None:
        """Have the server judge `where` and the keys that must not be there.

        Errors: DeclarationError, BadData, PermissionDenied.
        """
        table = self._shape.table
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
        if not self._session.scalar("SELECT has_table_privilege($1::oid, 'SELECT')", [table.oid]):
            raise PermissionDenied(
                f"the role {self._session.role} has SELECT on some columns of {table.label} only",
                hint=f"GRANT SELECT ON {table.identifier.as_string()} TO {self._session.role_identifier}:"
                " what may delete rows has to see them whole",
                where=self._around.resource,
            )
        self._part.check(self._shape)
        keys = self._removing.keys
        if keys is not None:
            self._removed_hashes = self._hash_removed(keys)

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

    def see(self, shape: Shape, source: Source, texts: Sequence[object] | None, *, streamed: bool) -> None:
        """Take note of a chunk, or of the stage.

        Args:
            shape: as it is compared with, in which a row to be renamed is found by the key that it has.
            texts: the keys, where equal keys are equal texts.
            streamed: whether the chunk does not come by again.

        Errors: BadData for a row that may not be declared.
        """
        self._shape = shape
        self._refuse_both(source)
        if streamed and (self._removing.sync or self._removing.prune):
            self._streamed.add(shape, source, texts if shape.identity.renamed is None else None)
        if not self._part.is_whole:
            with self._part.evaluating():
                inside, outside = self._part.look(shape, source)
            self._inside += inside
            self._refuse_outside(outside)

    def _refuse_both(self, source: Source) -> None:
        if not self._removed_hashes:
            return
        number = len(source.parameters) + 1
        line = self._session.scalar(
            sql.SQL("{}SELECT min(d.line) FROM {} WHERE ARRAY[{}, {}] && {}::bigint[]").format(
                source.prefix,
                source.relation,
                key_hash(self._plain),
                key_hash(self._shape),
                sql.SQL(f"${number}"),
            ),
            [*source.parameters, self._removed_hashes],
        )
        if line is not None:
            keys = ", ".join(field.name for field in self._shape.key)
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

    def find(self, shape: Shape, source: Source | None, *, rows: int, existing: int, streamed: bool) -> None:
        """Find the rows to go, and in a transaction that writes, lock them.

        Args:
            source: the declared rows; None where there are none, or where they were streamed.
            rows: how many are declared.
            existing: how many of them are there.
        """
        self._shape = shape
        self._rows = rows
        if self._owned is not None and source is not None and shape.identity.renamed is not None:
            self._owned.follow(shape, source)
        if self._removing.sync or self._removing.keys is not None:
            self._additions.load()
        inside = existing if self._part.is_whole else self._inside
        scopes = [scope for scope in self._scopes() if scope.why != "sync" or self._scope_rows_of("sync") != inside]
        self._found = self._collect(scopes, source, streamed=streamed, lock=False)
        if self._session.writable and len(self._found):
            self._require_privileges()
            self._found = self._collect(scopes, source, streamed=False, lock=True)

    def _scope_rows_of(self, which: Literal["sync", "prune", "table"]) -> int:
        """How many rows are in a scope, or in the table, matched or not."""
        if which not in self._scope_rows:
            if which == "prune":
                rows = self._owned.there() if self._owned is not None else 0
            else:
                table = sql.SQL("{} AS t").format(self._shape.table.source)
                relation = self._part.relation(self._shape) if which == "sync" else table
                with self._part.evaluating():
                    rows = int(self._session.scalar(sql.SQL("SELECT count(*) FROM {}").format(relation)))
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
            yield _Scope("sync", nothing, self._part.relation(self._shape))
        if self._owned is not None and self._scope_rows_of("prune"):
            yield _Scope("prune", nothing, self._owned.relation)

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
        return scope.why == "sync" or staged or self._scope_rows_of("prune") > _PAGE

    def _undeclared(
        self, scope: _Scope, source: Source | None, *, many: bool, lock: bool
    ) -> Iterator[tuple[int, str, int]]:
        anti: sql.Composable = sql.SQL("")
        prefix, parameters = scope.prefix, scope.parameters
        if source is not None and scope.why != "removed":
            prefix, parameters = source.prefix, source.parameters
            anti = sql.SQL(" LEFT JOIN {} ON {} WHERE d.line IS NULL").format(source.relation, same_key(self._shape))
        statement = sql.SQL("{}SELECT t.tableoid::bigint, t.ctid::text, {} FROM {}{} ORDER BY {}{}").format(
            prefix,
            key_hash(self._shape, of_table=True),
            scope.relation,
            anti,
            _COMMA.join([field.target for field in self._shape.key]),
            sql.SQL(" FOR UPDATE OF t") if lock else sql.SQL(""),
        )
        with self._session.set_based(many), self._part.evaluating():
            yield from self._session.stream(statement, parameters or None)

    def _require_privileges(self) -> None:
        """Rows are locked before they go, which takes UPDATE of a column. Errors: PermissionDenied."""
        names = [field.name for field in self._shape.key]
        table = self._shape.table
        lacking = missing_privilege(self._session, table, names, ["DELETE"])
        lacking = lacking or missing_privilege(self._session, table, names[:1], ["UPDATE"])
        if lacking is not None:
            raise lacking

    # Telling

    def changes(self, changes: Changes) -> Changes:
        """The changes of the declared rows, with these deletes added. Errors: ChangedInDatabase."""
        self._found, verdicts = self._additions.contend(self._found, self._verdicts())
        count, sample = len(self._found), self._around.sample
        if not count:
            return changes
        # Half of the sample is theirs: what goes is what people ask about first.
        kept = changes.sample[: max(sample - count, sample - sample // 2)]
        room = min(count, sample - len(kept))
        shown = self._shown(self._found.ids.parameters(0, room), verdicts[:room]) if room else []
        counts = changes.counts + Counts(delete=count)
        if self._around.recorded is not None:
            self._record_in_full(self._around.recorded, verdicts)
        self._around.planned.add_removed(self._shape.table.oid, self._found.ids)
        return Changes(
            counts=counts,
            sample=(*kept, *shown),
            omitted=counts.changed - len(kept) - len(shown),
            verdict=worst_verdict([*set(verdicts), *([changes.verdict] if changes.verdict is not None else [])]),
        )

    def _record_in_full(self, record: ResourceDigests, verdicts: Sequence[Verdict]) -> None:
        """Every delete, and which transaction wrote each row: another one when any column of it is written again.

        Not its contents: what nobody declares may be secret, and a digest of something short can be guessed at.
        """
        pages = [(start, start + _PAGE) for start in range(0, len(self._found), _PAGE)]
        for start, stop in pages:
            for change in self._shown(self._found.ids.parameters(start, stop), verdicts[start:stop]):
                record.change(change)
        for start, stop in pages:
            rows = self._session.query(
                sql.SQL("SELECT t.xmin::text FROM {} JOIN {} AS t ON {} ORDER BY f.n").format(
                    placed(), self._shape.table.source, at_place()
                ),
                self._found.ids.parameters(start, stop),
            )
            for row in rows:
                record.bind(row[0])

    def _verdicts(self) -> Sequence[Verdict]:
        store, found, by_row = self._around.store, self._found, self._standing.by_row
        as_declared = self._standing.as_declared
        verdicts: list[Verdict] = []
        for start in range(0, len(found), _PAGE):
            hashes = found.hashes[start : start + _PAGE].tolist()
            declared = store.rows_left(hashes) if by_row else {}
            verdicts += [
                removal_verdict(
                    why,
                    store.baseline,
                    unreadable=store.unreadable,
                    same_digest=as_declared,
                    was_declared=hashed in declared if by_row else None,
                    whole=lambda: self._standing.whole,
                )
                for why, hashed in zip(found.whys[start : start + _PAGE], hashes, strict=True)
            ]
        return verdicts

    def _shown(self, ids: tuple[list[int], list[str]], verdicts: Sequence[Verdict]) -> list[Change]:
        shape = self._shape
        texts = _COMMA.join([written(field.column, field.target) for field in shape.fields])
        rows = self._session.query(
            sql.SQL("SELECT {} FROM {} JOIN {} AS t ON {} ORDER BY f.n").format(
                texts, placed(), shape.table.source, at_place()
            ),
            ids,
        )
        shown = []
        for row, verdict in zip(rows, verdicts, strict=False):
            cells: dict[str, Cell] = {
                field.name: Marker.SECRET if field.secret else text
                for field, text in zip(shape.fields, row, strict=True)
            }
            key = {field.name: cells.pop(field.name) for field in shape.key}
            shown.append(Change("delete", key, cells, None, verdict))
        return shown

    def keys(self) -> list[dict[str, str | None]]:
        """The keys of the rows to go, as text, while they are there."""
        names = [field.name for field in self._shape.key]
        rows = self._session.query(
            sql.SQL("SELECT {} FROM {} JOIN {} AS t ON {} ORDER BY f.n").format(
                _COMMA.join([written(field.column, field.target) for field in self._shape.key]),
                placed(),
                self._shape.table.source,
                at_place(),
            ),
            self._found.ids.parameters(),
        )
        return [dict(zip(names, row, strict=True)) for row in rows]

    # What it does to others, and whether that is too much

    def weigh(self, *, going: bool) -> list[Finding]:
        """What a person should be told of them.

        Args:
            going: whether they go, or would; else they are only proven to be there.

        Errors: TooManyChanges; ConstraintViolated where other rows refer to them.
        """
        told = [*self._told_of_prune(), *self._told_of_others(), *self._additions.findings()]
        count = len(self._found)
        if not count or not going:
            return told
        table = self._shape.table
        try:
            self._refuse_an_empty_source()
            effects = effects_on_others(self._session, table, self._found.ids, self._around)
            others = along(effects)
            cascaded = f", {others:,} of them along with others (ON DELETE CASCADE)" if others else ""
            self._require_within(count + others, f"would be deleted{cascaded}")
        except (ConstraintViolated, TooManyChanges) as error:
            raise type(error)(f"{error.message}; {self._first_keys()}", hint=error.hint, where=error.where) from None
        told += told_of(effects, table, count, self._around)
        self._around.doomed.append(self._found.ids)
        return told

    def _first_keys(self) -> str:
        """For messages: `to go are sku=A, sku=B, sku=C and 4 more`."""
        first = self._shown(self._found.ids.parameters(0, _NAMED), [Verdict.PENDING] * _NAMED)
        keys = [f"({key_text(change.key)})" if len(change.key) > 1 else key_text(change.key) for change in first]
        more = len(self._found) - len(first)
        return f"to go {'is' if len(self._found) == 1 else 'are'} {', '.join(keys)}" + (
            f" and {more:,} more" if more else ""
        )

    def _told_of_others(self) -> Iterator[Finding]:
        if not len(self._found):
            return
        others = self._around.store.declared_by_others(self._plain, self._found.hashes[:_PAGE].tolist())
        if others:
            yield Finding(
                f"{self._around.resource} is to delete rows that {', '.join(others)} declared when last applied:"
                " each apply may undo the other's; give each its own part of the table with where=",
                "warning",
            )

    def _told_of_prune(self) -> Iterator[Finding]:
        if self._owned is None:
            return
        what = f"{self._around.resource}: prune deletes nothing"
        if self._around.store.unreadable:
            yield Finding(f"{what}, as the ledger cannot be read", "warning")
        if self._owned.untold:
            yield Finding(
                f"{what}, as {', '.join(self._owned.untold)} may declare the same rows: another key, or too many rows"
                " ([ledger] baseline_rows) to tell which",
                "warning",
            )
        if self._owned.misfit:
            yield Finding(
                f"{what}, as the keys that the ledger has of what this seed made no longer fit the columns' types",
                "warning",
            )

    def _refuse_an_empty_source(self) -> None:
        swept = sum(why != "removed" for why in self._found.whys)
        if self._rows or not swept or self._around.limits.delete_is_own:
            return
        all_of = "in scope" if self._removing.sync else "that this seed made"
        raise TooManyChanges(
            f"the source has no rows: all {rows_text(swept)} {all_of} of {self._shape.table.label} would be deleted",
            hint=f"if that is meant, say so: Rows(…, max_delete={swept})",
            where=self._around.resource,
        )

    def _require_within(self, rows: int, what: str) -> None:
        limit = self._around.limits.delete
        if limit is not None:
            # A key in removed() may lie outside of the part that is held.
            part = self._removing.sync and self._removing.keys is None
            there = self._scope_rows_of("sync" if part else "table") if limit.share is not None else 0
            require_within(
                limit, "max_delete", rows, there, f"of {self._shape.table.label} {what}", self._around.resource
            )

    # Deleting

    def delete(self, shape: Shape, source: Source | None) -> None:
        """Delete what was found. Errors: ConstraintViolated, PermissionDenied, TooManyChanges."""
        self._shape = shape
        found = self._found
        if not len(found):
            return
        limited = self._around.limits.delete is not None
        before = self._tuples_deleted() if limited else 0
        deleted = self._delete(found.ids)
        if deleted < len(found):
            # What was deleted before may have changed some (ON DELETE SET NULL), so that they lie elsewhere by now.
            planned = frozenset(found.hashes)
            moved = RowIds()
            for table, place, hashed, _ in self._collect(list(self._scopes()), source, streamed=False, lock=True):
                if hashed in planned:
                    moved.add(table, place)
            deleted += self._delete(moved) if len(moved) else 0
        self._deleted = deleted
        if limited:
            self._require_within(max(deleted, self._tuples_deleted() - before), "were to be deleted")

    def _delete(self, ids: RowIds) -> int:
        # One statement, so that rows of the set may refer to each other.
        statement = sql.SQL("DELETE FROM {} AS t USING {} WHERE {}").format(
            self._shape.table.source, placed(), at_place()
        )
        try:
            return self._session.execute(statement, ids.parameters())
        except SeedframeError as error:
            if any(field.secret for field in self._shape.fields):
                raise withheld(error, self._around.resource) from None
            raise

    def _tuples_deleted(self) -> int:
        """All rows that this transaction deleted so far, by cascades and triggers too."""
        return int(self._session.scalar("SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_xact_user_tables"))

    # After writing

    def left(self, shape: Shape, source: Source | None, *, sample: int) -> Changes:
        """What is still to be deleted. Errors: BadData for a declared row that is outside of the part after all."""
        self._shape = shape
        if source is not None:
            with self._part.evaluating():
                outside = self._part.outside(shape, source)
            self._refuse_outside(outside)
        found = self._collect(list(self._scopes()), source, streamed=False, lock=False)
        count = len(found)
        shown = self._shown(found.ids.parameters(0, sample), [Verdict.DRIFT] * sample) if count else []
        return Changes(counts=Counts(delete=count), sample=tuple(shown))

    @property
    def deleted(self) -> bool:
        """True once rows were deleted."""
        return self._deleted > 0

    @property
    def ids(self) -> RowIds:
        """The rows to go, once they were looked for."""
        return self._found.ids

    @property
    def keys_to_go(self) -> set[int]:
        """The hashes of the keys of the rows to go, and of those that must not be there."""
        return {*self._found.hashes, *self._removed_hashes}

    @property
    def owning(self) -> bool:
        """True where it is kept which rows were made."""
        return self._owned is not None

    def returning(self) -> tuple[sql.Composable, sql.Composable] | None:
        """What to have an INSERT return, and into which table, so that it is known later who made the rows."""
        return self._owned.returning() if self._owned is not None else None

    def record(self) -> None:
        """Keep in the ledger which rows were made, and which were left there, once the baseline is there."""
        self._additions.record()
        if self._owned is not None:
            self._owned.record(deleted=self.deleted)
