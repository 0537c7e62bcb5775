"""Removal: the rows of one table that are to go, judged, shown and weighed before any of them is deleted."""

from collections.abc import Iterator, Sequence
from typing import Final

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
from seedframe.database.declared import Removing
from seedframe.database.declared_rows import DeclaredRows
from seedframe.database.problems import withheld
from seedframe.database.removal_search import RemovalSearch
from seedframe.database.rowids import FoundRows, RowIds, at_place, placed
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.standing import Standing
from seedframe.database.surroundings import Surroundings
from seedframe.database.weighing import along, effects_on_others, require_said, require_within, told_of
from seedframe.errors import (
    ConstraintViolated,
    DeclarationError,
    SeedframeError,
    TooManyChanges,
)
from seedframe.recorder import ResourceDigests
from seedframe.verdicts import removal_verdict

_COMMA: Final = sql.SQL(", ")
_AND: Final = sql.SQL(" AND ")
_PAGE: Final = 5_000
_NAMED: Final = 3


class Removal:
    """The rows of one table that are to go, on their way through one attempt."""

    def __init__(
        self,
        session: Session,
        declared: DeclaredRows,
        removing: Removing,
        standing: Standing,
        around: Surroundings,
    ) -> None:
        self._session = session
        self._declared = declared
        self._shape = declared.shape
        self._removing = removing
        self._standing = standing
        self._around = around
        self._additions = Additions(declared.shape, around)
        self._search = RemovalSearch(session, declared, removing, self._additions, around)
        self._found = FoundRows()
        self._deleted = 0

    # Finding

    def prepare(self) -> None:
        """See `RemovalSearch.prepare`."""
        self._search.prepare()

    def see(self, source: Source, texts: Sequence[object] | None, *, streamed: bool) -> None:
        """See `RemovalSearch.see`."""
        self._search.see(source, texts, streamed=streamed)

    def changes(self, changes: Changes, *, existing: int) -> Changes:
        """The changes of the declared rows, with these deletes added. Errors: ChangedInDatabase, PermissionDenied.

        Args:
            existing: how many of the declared rows are there.
        """
        found = self._search.find(existing)
        self._found, verdicts = self._additions.contend(found, self._verdicts(found))
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

    def _verdicts(self, found: FoundRows) -> Sequence[Verdict]:
        store, by_row = self._around.store, self._standing.by_row
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

    # Telling

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

        Errors: TooManyChanges; ConstraintViolated where other rows refer to them; DeclarationError for a plugin's seed
            that changes tables by it which it does not say it writes.
        """
        told = [*self._told_of_prune(), *self._told_of_others(), *self._additions.findings()]
        count = len(self._found)
        if not count or not going:
            return told
        table = self._shape.table
        try:
            self._refuse_an_empty_source()
            effects = effects_on_others(self._session, table, self._found.ids, self._around)
            require_said(effects, table, count, self._around)
            others = along(effects)
            cascaded = f", {others:,} of them along with others (ON DELETE CASCADE)" if others else ""
            self._require_within(count + others, f"would be deleted{cascaded}")
        except (ConstraintViolated, DeclarationError, TooManyChanges) as error:
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
        others = self._around.store.declared_by_others(self._shape, self._found.hashes[:_PAGE].tolist())
        if others:
            yield Finding(
                f"{self._around.resource} is to delete rows that {', '.join(others)} declared when last applied:"
                " each apply may undo the other's; give each its own part of the table with where=",
                "warning",
            )

    def _told_of_prune(self) -> Iterator[Finding]:
        owned = self._search.owned
        if owned is None:
            return
        what = f"{self._around.resource}: prune deletes nothing"
        if self._around.store.unreadable:
            yield Finding(f"{what}, as the ledger cannot be read", "warning")
        if owned.untold:
            yield Finding(
                f"{what}, as {', '.join(owned.untold)} may declare the same rows: another key, or too many rows"
                " ([ledger] baseline_rows) to tell which",
                "warning",
            )
        if owned.misfit:
            yield Finding(
                f"{what}, as the keys that the ledger has of what this seed made no longer fit the columns' types",
                "warning",
            )

    def _refuse_an_empty_source(self) -> None:
        swept = sum(why != "removed" for why in self._found.whys)
        if self._declared.count or not swept or self._around.limits.delete_is_own:
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
            there = self._search.rows_in("sync" if part else "table") if limit.share is not None else 0
            require_within(
                limit, "max_delete", rows, there, f"of {self._shape.table.label} {what}", self._around.resource
            )

    # Deleting

    def delete(self) -> None:
        """Delete what was found. Errors: ConstraintViolated, PermissionDenied, TooManyChanges."""
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
            for table, place, hashed, _ in self._search.find_again(lock=True):
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
        return int(self._session.scalar("SELECT coalesce(pg_catalog.sum(n_tup_del), 0) FROM pg_stat_xact_user_tables"))

    # After writing

    def left(self, *, sample: int) -> Changes:
        """What is still to be deleted. Errors: BadData for a declared row that is outside of the part after all."""
        self._search.require_inside()
        found = self._search.find_again(lock=False)
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
        return {*self._found.hashes, *self._search.removed}

    @property
    def owning(self) -> bool:
        """True where it is kept which rows were made."""
        return self._search.owned is not None

    def returning(self) -> tuple[sql.Composable, sql.Composable] | None:
        """What to have an INSERT return, and into which table, so that it is known later who made the rows."""
        owned = self._search.owned
        return owned.returning() if owned is not None else None

    def record(self) -> None:
        """Keep in the ledger which rows were made, and which were left there, once the baseline is there."""
        self._additions.record()
        if self._search.owned is not None:
            self._search.owned.record(deleted=self.deleted)
