"""Removal: the rows of one table that are to go. Found by one comparison, whether it is then shown, proven or done.

A row is to go when no declared row matches it and it is in a scope: the table or the part that `where` selects
(`sync`), what this resource made (`prune`), or a key that must not be there (`removed`).
"""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from seedframe.changes import Cell, Change, Changes, Counts, Finding, Marker, Verdict, worst_verdict
from seedframe.database.cascades import Effect, effects_of
from seedframe.database.compare import Source, absent, chunk_source, equals, key_hash, same_key, unresolved
from seedframe.database.declared import Chunk, Removing, Shape
from seedframe.database.ledger import BaselineStore
from seedframe.database.locate import bad_value, locate_bad_value
from seedframe.database.ownership import Ownership
from seedframe.database.privileges import missing_privilege
from seedframe.database.rowids import RowIds, at_place, joined_parameters, placed, rows_where
from seedframe.database.session import Session
from seedframe.database.statements import names_in
from seedframe.errors import (
    BadData,
    ChangedInDatabase,
    ConstraintViolated,
    DeclarationError,
    PermissionDenied,
    SeedError,
    TooManyChanges,
)
from seedframe.limits import Limit, Limits
from seedframe.verdicts import CONTESTED, OnConflict

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Given:
    """What a removal is told of the run it is in.

    Attributes:
        resource: its name, for messages.
        place: where a line of the source is.
        on_conflict: what becomes of rows that somebody added; None in verify.
        doomed: the rows that other resources of the seed delete before this one does; it adds its own.
    """

    resource: str
    place: Callable[[int], str]
    store: BaselineStore
    limits: Limits
    on_conflict: OnConflict | None
    doomed: list[RowIds]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Some rows of the table, as `t`, with the CTEs and parameters they need."""

    kind: str
    prefix: sql.Composable
    relation: sql.Composable
    parameters: tuple[Any, ...] = ()


@dataclass(slots=True)
class _Found:
    """Rows that are to go: where they lie, the hash of each key, and why."""

    ids: RowIds
    hashes: "array[int]"
    kinds: list[str]


class Removal:
    """The rows of one table that are to go, on their way through one attempt."""

    def __init__(self, session: Session, shape: Shape, removing: Removing, given: Given) -> None:
        self._session = session
        self._shape = self._plain = shape
        self._removing = removing
        self._given = given
        self._owned = Ownership(session, shape, given.store) if removing.prune else None
        self._streamed = _StreamedKeys(session, shape)
        self._inside = 0
        self._scope_rows: dict[str, int] = {}
        self._found: _Found | None = None
        self._rows = 0
        self._deleted = 0
        self._removed_hashes: list[int] = []
        self._extras: frozenset[int] = frozenset()
        self._staying: set[int] = set()
        self._newly_staying: set[int] = set()
        self._added = 0

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
                where=self._given.resource,
            )
        # Where a row lies is a column that no grant on columns covers.
        if not self._session.scalar("SELECT has_table_privilege($1::oid, 'SELECT')", [table.oid]):
            raise PermissionDenied(
                f"the role {self._session.role} has SELECT on some columns of {table.label} only",
                hint=f"GRANT SELECT ON {table.identifier.as_string()} TO {self._session.role_identifier}:"
                " what may delete rows has to see them whole",
                where=self._given.resource,
            )
        where = self._removing.where
        if where is not None:
            try:
                with self._session.savepoint():
                    self._session.query(sql.SQL("SELECT FROM {} LIMIT 0").format(self._part))
            except PermissionDenied:
                raise
            except SeedError as error:
                raise DeclarationError(
                    f"where= cannot be used: {error.message}",
                    hint="write one condition over the table's own columns",
                    where=self._given.resource,
                ) from error
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
        try:
            with self._session.savepoint():
                return [row[0] for row in self._session.query(statement, source.parameters)]
        except (BadData, ConstraintViolated):
            located = locate_bad_value(self._session, shape, keys)
            if located is None:
                raise
            line, column, said = located
            raise bad_value(f"{self._given.resource} removed() {line}", column, said) from None

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
        if self._removing.where is not None:
            self._look_inside(source)
        elif self._owned is not None and self._scope_rows_of("prune"):
            self._inside += int(
                self._session.scalar(
                    sql.SQL("{}SELECT count(*) FROM {} JOIN {} ON {}").format(
                        source.prefix, source.relation, self._owned.relation, same_key(self._shape)
                    ),
                    source.parameters or None,
                )
            )

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
                where=self._given.place(line),
            )

    def _look_inside(self, source: Source) -> None:
        """Count the declared rows that are in the part, and refuse one that would not be once it is written."""
        shape = self._shape
        assert self._removing.where is not None  # noqa: S101 - the caller looked
        row = self._session.first(
            sql.SQL(
                "{prefix}SELECT count(*) FILTER (WHERE NOT {absent} AND i.yes),"
                " min(d.line) FILTER (WHERE {known} AND NOT p.yes)"
                " FROM {relation} LEFT JOIN {table} ON {same}"
                " CROSS JOIN LATERAL {now} AS i CROSS JOIN LATERAL {then} AS p"
            ).format(
                prefix=source.prefix,
                absent=absent(shape),
                known=self._known_before_apply(),
                relation=source.relation,
                table=rows_where(shape, more=self._mentioned, found=True),
                same=same_key(shape),
                now=self._judged(declared=False),
                then=self._judged(declared=True),
            ),
            source.parameters or None,
        )
        assert row is not None  # noqa: S101 - an aggregate without GROUP BY returns one row
        self._inside += row[0]
        self._refuse_outside(row[1])

    def _refuse_outside(self, line: int | None) -> None:
        if line is not None:
            raise BadData(
                "this row is outside of the part of the table that where= selects",
                hint="correct the row, or where=: what is declared must be part of what is held",
                where=self._given.place(line),
            )

    @property
    def _mentioned(self) -> list[str]:
        names = names_in(self._removing.where or "")
        return [name for name in self._shape.table.columns if name in names]

    def _known_before_apply(self) -> sql.Composable:
        """True of the rows for which it can be told before they are written whether they will be in the part."""
        shape = self._shape
        declared = {field.name: field for field in shape.fields}
        conditions = []
        for name in self._mentioned:
            field = declared.get(name)
            if shape.table.columns[name].generated:
                return sql.SQL("false")
            if field is None or field.expression is not None:
                conditions.append(sql.SQL("NOT {}").format(absent(shape)))
            elif field.reference is not None:
                conditions.append(sql.SQL("NOT {}").format(unresolved(field.reference, field)))
        return _AND.join(conditions) if conditions else sql.SQL("true")

    def _judged(self, *, declared: bool) -> sql.Composable:
        """`(SELECT … AS yes)`: what `where` says of `t` as it is, or as it will be once `d` is written."""
        shape = self._shape
        fields = {field.name: field for field in shape.stored} if declared else {}
        columns = []
        for name in self._mentioned:
            field = fields.get(name)
            value: sql.Composable = sql.Identifier("t", name)
            if field is not None and field.role == "initial":
                value = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(absent(shape), field.desired, value)
            elif field is not None:
                value = field.desired
            columns.append(sql.SQL("{} AS {}").format(value, sql.Identifier(name)))
        return sql.SQL("(SELECT ({}\n) IS TRUE AS yes FROM (SELECT {}) AS {})").format(
            sql.SQL(self._removing.where or "true"), _COMMA.join(columns), sql.Identifier(shape.table.name)
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
            self._extras = self._given.store.extras()
        inside = existing if self._removing.sync and self._removing.where is None else self._inside
        scopes = [
            scope for scope in self._scopes() if scope.kind == "removed" or self._scope_rows_of(scope.kind) != inside
        ]
        self._found = self._collect(scopes, source, streamed=streamed, lock=False)
        if self._session.writable and len(self._found.ids):
            self._require_privileges()
            self._found = self._collect(scopes, source, streamed=False, lock=True)

    def _scope_rows_of(self, kind: str) -> int:
        """How many rows are in a scope, matched or not."""
        if kind not in self._scope_rows:
            if kind == "prune":
                assert self._owned is not None  # noqa: S101 - there is such a scope
                self._scope_rows[kind] = self._owned.there()
            else:
                relation = self._part if kind == "sync" else sql.SQL("{} AS t").format(self._shape.table.source)
                self._scope_rows[kind] = int(self._session.scalar(sql.SQL("SELECT count(*) FROM {}").format(relation)))
        return self._scope_rows[kind]

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
            yield _Scope("sync", nothing, self._part)
        if self._owned is not None and self._scope_rows_of("prune"):
            yield _Scope("prune", nothing, self._owned.relation)

    @property
    def _part(self) -> sql.Composable:
        """The table, or the part that `where` selects; rows that the key's index does not speak of are not meant."""
        where = self._removing.where
        return rows_where(self._shape, condition=sql.SQL("({}\n)").format(sql.SQL(where)) if where else None)

    def _collect(self, scopes: Sequence[_Scope], source: Source | None, *, streamed: bool, lock: bool) -> _Found:
        found = _Found(RowIds(), array("q"), [])
        seen: set[tuple[int, str]] = set()
        for scope in scopes:
            by_hand = streamed and scope.kind != "removed"
            rows = self._streamed.undeclared(scope.relation) if by_hand else self._undeclared(scope, source, lock=lock)
            for table, place, hashed in rows:
                if (table, place) in seen:
                    continue
                if scope.kind != "prune" and (hashed in self._extras or hashed in self._newly_staying):
                    self._staying.add(hashed)
                    continue
                if scope.kind == "removed":
                    seen.add((table, place))
                found.ids.add(table, place)
                found.hashes.append(hashed)
                found.kinds.append(scope.kind)
        return found

    def _undeclared(self, scope: _Scope, source: Source | None, *, lock: bool) -> Iterator[tuple[int, str, int]]:
        anti: sql.Composable = sql.SQL("")
        prefix, parameters = scope.prefix, scope.parameters
        if source is not None and scope.kind != "removed":
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
        with self._session.set_based():
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

    def changes(self, changes: Changes, *, sample: int, whole: Callable[[], Verdict], same_digest: bool) -> Changes:
        """The changes of the declared rows, with these deletes added.

        Args:
            sample: how many changes to carry in full.
            whole: the verdict on the resource where there are no row hashes to go by.
            same_digest: whether the declaration is that of the last apply.
        """
        if self._found is None:
            return changes
        verdicts = self._verdicts(self._found, self._judge(whole, same_digest=same_digest))
        found, verdicts = self._contend(self._found, verdicts)
        self._found = found
        count = len(found.ids)
        if not count:
            return changes
        kept = changes.sample[: max(sample - count, sample - sample // 2)]
        room = min(count, sample - len(kept))
        shown = self._shown(found.ids.parameters(0, room), verdicts[:room]) if room else []
        counts = changes.counts + Counts(delete=count)
        return Changes(
            counts=counts,
            sample=(*kept, *shown),
            omitted=counts.changed - len(kept) - len(shown),
            verdict=worst_verdict([*set(verdicts), *([changes.verdict] if changes.verdict is not None else [])]),
        )

    def _verdicts(self, found: _Found, judge: Callable[[str, bool], Verdict]) -> list[Verdict]:
        verdicts: list[Verdict] = []
        for start in range(0, len(found.ids), _PAGE):
            hashes = found.hashes[start : start + _PAGE].tolist()
            known = self._known(hashes)
            kinds = found.kinds[start : start + _PAGE]
            verdicts += [judge(kind, hashed in known) for kind, hashed in zip(kinds, hashes, strict=True)]
        return verdicts

    def _contend(self, found: _Found, verdicts: list[Verdict]) -> tuple[_Found, list[Verdict]]:
        """Take out the rows that somebody added and that are to be left there.

        Errors: ChangedInDatabase where they are a reason to stop, or no key of them may be kept.
        """
        self._added = sum(verdict in CONTESTED for verdict in verdicts)
        rule = self._given.on_conflict
        if not self._added or rule in (None, "seed"):
            return found, verdicts
        secret = any(field.secret for field in self._shape.key)
        if rule == "fail" or secret:
            count = self._added
            what = f"{_rows(count)} that {_is(count)} not to be there {_was(count)} added in the database"
            raise ChangedInDatabase(
                f"{what} since the last apply"
                + ("" if rule == "fail" else ", and no hash of a secret key is kept to leave them there"),
                hint="see seedframe verify; --on-conflict=seed deletes them"
                + ("" if secret else ", --on-conflict=database leaves them"),
                where=self._given.resource,
            )
        left = _Found(RowIds(), array("q"), [])
        places = zip(*found.ids.parameters(), strict=True)
        for (table, place), hashed, kind, verdict in zip(places, found.hashes, found.kinds, verdicts, strict=True):
            if verdict in CONTESTED:
                self._newly_staying.add(hashed)
            else:
                left.ids.add(table, place)
                left.hashes.append(hashed)
                left.kinds.append(kind)
        return left, [verdict for verdict in verdicts if verdict not in CONTESTED]

    def _known(self, hashes: Sequence[int]) -> frozenset[int]:
        return frozenset(self._given.store.rows_left(hashes)) if self._by_row else frozenset()

    @property
    def _by_row(self) -> bool:
        baseline = self._given.store.baseline
        return baseline is not None and baseline.by_row and baseline.comparable

    def _judge(self, whole: Callable[[], Verdict], *, same_digest: bool) -> Callable[[str, bool], Verdict]:
        """The verdict on a row from why it is to go, and whether the last apply left it as declared."""
        baseline = self._given.store.baseline
        unreadable = self._given.store.unreadable
        told: dict[str, Verdict] = {}

        def at_large() -> Verdict:
            if "whole" not in told:
                verdict = whole()
                # As the last apply left it, and no longer declared: it was ours.
                told["whole"] = Verdict.ORPHAN if baseline and verdict is Verdict.PENDING else verdict
            return told["whole"]

        def judge(kind: str, declared_before: bool) -> Verdict:
            if unreadable:
                return Verdict.DRIFT
            if kind == "prune":
                return Verdict.ORPHAN
            if kind == "removed":
                return Verdict.DRIFT if same_digest else Verdict.PENDING
            if baseline is None:
                return Verdict.PENDING
            if not self._by_row:
                return at_large()
            return Verdict.ORPHAN if declared_before else Verdict.DRIFT

        return judge

    def _shown(self, ids: tuple[list[int], list[str]], verdicts: Sequence[Verdict]) -> list[Change]:
        shape = self._shape
        texts = _COMMA.join([sql.SQL("{}::text").format(field.target) for field in shape.fields])
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

    # What it does to others, and whether that is too much

    def weigh(self, *, going: bool) -> list[Finding]:
        """What a person should be told of them.

        Args:
            going: whether they go, or would; else they are only proven to be there.

        Errors: TooManyChanges; ConstraintViolated where other rows refer to them.
        """
        told: list[Finding] = []
        owned = self._owned
        if owned is not None and self._given.store.unreadable:
            told.append(
                Finding(f"{self._given.resource}: prune deletes nothing, as the ledger cannot be read", "warning")
            )
        if owned is not None and owned.misfit:
            told.append(
                Finding(
                    f"{self._given.resource}: prune deletes nothing, as the keys that the ledger has of what this"
                    " seed made no longer fit the types of the columns",
                    "warning",
                )
            )
        told += self._told_of_added()
        found = self._found
        if found is None or not len(found.ids) or not going:
            return told
        self._refuse_an_empty_source(found)
        effects = effects_of(self._session, self._shape.table.oid, found.ids, self._given.doomed)
        self._refuse_what_is_referred_to(effects, len(found.ids))
        told += self._told(effects, len(found.ids))
        self._require_within(len(found.ids) + _along(effects), "would be deleted")
        self._given.doomed.append(found.ids)
        return told

    def _told_of_added(self) -> Iterator[Finding]:
        name, rule = self._given.resource, self._given.on_conflict
        if self._added and rule == "seed":
            yield Finding(
                f"{name}: {_rows(self._added)} added in the database {_is(self._added)} deleted;"
                " --on-conflict=database leaves what is there",
                "warning",
            )
        if self._newly_staying:
            count = len(self._newly_staying)
            yield Finding(f"{name}: {_rows(count)} added in the database {_is(count)} left there", "info")
        earlier = len(self._staying - self._newly_staying)
        if earlier:
            yield Finding(
                f"{name}: {_rows(earlier)} added in the database {_is(earlier)} left there by an earlier"
                " --on-conflict=database",
                "info",
            )

    def _refuse_an_empty_source(self, found: _Found) -> None:
        swept = sum(kind != "removed" for kind in found.kinds)
        if self._rows or not swept or self._given.limits.delete_is_own:
            return
        all_of = "in scope" if self._removing.sync else "that this seed made"
        raise TooManyChanges(
            f"the source has no rows: all {_rows(swept)} {all_of} of {self._shape.table.label} would be deleted",
            hint=f"if that is meant, say so: Rows(…, max_delete={swept})",
            where=self._given.resource,
        )

    def _refuse_what_is_referred_to(self, effects: Sequence[Effect], deleted: int) -> None:
        for effect in effects:
            if effect.rule == "refused":
                raise ConstraintViolated(
                    f"{_rows(deleted)} of {self._shape.table.label} cannot be deleted:"
                    f" {_rows(effect.rows)} of {effect.table} {_refer(effect.rows)} ({effect.constraint})",
                    hint="have those rows deleted, or apply first what points them elsewhere, then remove these",
                    where=self._given.resource,
                )

    def _told(self, effects: Sequence[Effect], deleted: int) -> Iterator[Finding]:
        what = f"{self._given.resource}: deleting {_rows(deleted)} of {self._shape.table.label}"
        for effect in effects:
            rows = f"{_rows(effect.rows)} of {effect.table}"
            if effect.rule == "deleted":
                yield Finding(f"{what} takes {rows} along (ON DELETE CASCADE)", "warning")
            elif effect.rule == "set":
                yield Finding(f"{what} sets a column of {rows} to {effect.value} ({effect.constraint})", "warning")
            elif effect.rule == "deferred":
                yield Finding(
                    f"{what} fails at the end unless {rows} {_refer(effect.rows)} no more ({effect.constraint})",
                    "warning",
                )
            elif effect.rule == "unseen":
                yield Finding(
                    f"{what} may change rows of {effect.table}, which this role may not read ({effect.constraint})",
                    "warning",
                )

    def _require_within(self, rows: int, what: str) -> None:
        limit = self._given.limits.delete
        if limit is not None:
            there = self._scope_rows_of("sync" if self._removing.sync else "table") if limit.share is not None else 0
            require_within(limit, "max_delete", rows, there, f"of {self._shape.table.label} {what}", self._given)

    # Deleting

    def delete(self, shape: Shape, source: Source | None) -> None:
        """Delete what was found. Errors: ConstraintViolated, PermissionDenied, TooManyChanges."""
        self._shape = shape
        found = self._found
        if found is None or not len(found.ids):
            return
        limited = self._given.limits.delete is not None
        before = self._tuples_deleted() if limited else 0
        deleted = self._delete(found.ids)
        if deleted < len(found.ids):
            # What was deleted before may have changed some (ON DELETE SET NULL), so that they lie elsewhere by now.
            planned = frozenset(found.hashes)
            again = self._collect(list(self._scopes()), source, streamed=False, lock=True)
            moved = RowIds()
            tables, places = again.ids.parameters()
            for table, place, hashed in zip(tables, places, again.hashes, strict=True):
                if hashed in planned:
                    moved.add(table, place)
            deleted += self._delete(moved) if len(moved) else 0
        self._deleted = deleted
        if limited:
            self._require_within(max(deleted, self._tuples_deleted() - before), "were to be deleted")

    def _delete(self, ids: RowIds) -> int:
        # One statement, so that rows of the set may refer to each other.
        return self._session.execute(
            sql.SQL("DELETE FROM {} AS t USING {} WHERE {}").format(self._shape.table.source, placed(), at_place()),
            ids.parameters(),
        )

    def _tuples_deleted(self) -> int:
        """All rows that this transaction deleted so far, by cascades and triggers too."""
        return int(self._session.scalar("SELECT coalesce(sum(n_tup_del), 0) FROM pg_stat_xact_user_tables"))

    # After writing

    def left(self, shape: Shape, source: Source | None, *, sample: int) -> Changes:
        """What is still to be deleted. Errors: BadData for a declared row that is outside of the part after all."""
        self._shape = shape
        if self._removing.where is not None and source is not None:
            self._refuse_outside(
                self._session.scalar(
                    sql.SQL(
                        "{}SELECT min(d.line) FROM {} JOIN {} ON {} CROSS JOIN LATERAL {} AS i WHERE NOT i.yes"
                    ).format(
                        source.prefix,
                        source.relation,
                        rows_where(self._shape, more=self._mentioned),
                        same_key(self._shape),
                        self._judged(declared=False),
                    ),
                    source.parameters or None,
                )
            )
        found = self._collect(list(self._scopes()), source, streamed=False, lock=False)
        count = len(found.ids)
        shown = self._shown(found.ids.parameters(0, sample), [Verdict.DRIFT] * sample) if count else []
        return Changes(counts=Counts(delete=count), sample=tuple(shown))

    @property
    def deleted(self) -> bool:
        """True once rows were deleted."""
        return self._deleted > 0

    @property
    def ids(self) -> RowIds | None:
        """The rows to go, once they were looked for."""
        return self._found.ids if self._found is not None else None

    @property
    def owning(self) -> bool:
        """True where it is kept which rows were made."""
        return self._owned is not None

    def returning(self) -> tuple[sql.Composable, sql.Composable] | None:
        """What to have an INSERT return, and into which table, so that it is known later who made the rows."""
        return self._owned.returning() if self._owned is not None else None

    def record(self) -> None:
        """Keep in the ledger which rows were made, and which were left there, once the baseline is there."""
        extras = self._staying | self._newly_staying
        if extras != self._extras:
            self._given.store.save_extras(extras)
        if self._owned is not None:
            self._owned.record(deleted=self.deleted)


def referring(session: Session, shape: Shape, source: Source, doomed: Callable[[int], Sequence[RowIds]]) -> int | None:
    """The line of the first declared row with a reference to a row that is to go; None when there is none."""
    for field, reference in shape.references:
        gone = list(doomed(reference.parent.oid))
        if not gone or (field.role != "key" and field not in shape.managed):
            continue
        statement = sql.SQL("{}SELECT min(d.line) FROM {} JOIN {} AS t ON {} JOIN {} ON {}").format(
            source.prefix,
            source.relation,
            reference.parent.source,
            equals(reference.value, sql.Identifier("t", reference.value.name), field.desired),
            placed(len(source.parameters) + 1),
            at_place(),
        )
        with session.set_based():
            line = session.scalar(statement, [*source.parameters, *joined_parameters(gone)])
        if line is not None:
            return int(line)
    return None


def require_within(limit: Limit, name: str, rows: int, there: int, what: str, given: Given) -> None:
    """Errors: TooManyChanges when `rows` is more than the limit allows where `there` are there."""
    most = limit.of(there)
    if rows <= most:
        return
    allowed = f"{name}={limit}" if limit.share is None else f"{name}={limit} of {there}, that is {most},"
    raise TooManyChanges(
        f"{_rows(rows)} {what}, but {allowed} is what is allowed",
        hint=f"if it is meant: Rows(…, {name}={rows}), or {name} under [limits] in seedframe.toml",
        where=given.resource,
    )


def _along(effects: Sequence[Effect]) -> int:
    return sum(effect.rows for effect in effects if effect.rule == "deleted")


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _refer(count: int) -> str:
    return "refers to them" if count == 1 else "refer to them"


class _StreamedKeys:
    """Eight bytes for each declared key of a source that is read once, chunk by chunk."""

    def __init__(self, session: Session, shape: Shape) -> None:
        self._session = session
        self._shape = shape
        self._hashes = array("q")
        self._textual = False
        self._sorted = False

    def add(self, shape: Shape, source: Source, texts: Sequence[object] | None) -> None:
        """Take in the keys of a chunk: by their texts where equal keys are equal texts, else as the server hashes."""
        if texts is not None:
            self._textual = True
            self._hashes.extend(map(hash, texts))
            return
        self._hashes.extend(
            row[0]
            for row in self._session.query(
                sql.SQL("{}SELECT {} FROM {}").format(source.prefix, key_hash(shape), source.relation),
                source.parameters,
            )
        )

    def undeclared(self, relation: sql.Composable) -> Iterator[tuple[int, str, int]]:
        """The rows of a relation `t` that have none of these keys: table, place, hash of the key."""
        if not self._sorted:
            self._hashes = array("q", sorted(self._hashes))
            self._sorted = True
        keys = [field.target for field in self._shape.key]
        statement = sql.SQL("SELECT t.tableoid::bigint, t.ctid::text, {}, {} FROM {} ORDER BY {}").format(
            key_hash(self._shape, of_table=True),
            _COMMA.join([sql.SQL("{}::text").format(key) for key in keys]),
            relation,
            _COMMA.join(keys),
        )
        with self._session.set_based():
            for table, place, hashed, *texts in self._session.stream(statement):
                mine = hash(texts[0] if len(texts) == 1 else tuple(texts)) if self._textual else hashed
                position = bisect_left(self._hashes, mine)
                if position == len(self._hashes) or self._hashes[position] != mine:
                    yield table, place, hashed
