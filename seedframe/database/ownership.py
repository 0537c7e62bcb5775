"""Ownership: which rows a resource really made, so that `prune` deletes those and nobody else's."""

from typing import Final

from psycopg import sql

from seedframe.database.baselines import BaselineStore
from seedframe.database.column_sql import equals, read_as, written
from seedframe.database.declared import Shape
from seedframe.database.hashes import key_hash
from seedframe.database.matching import moved, same_key
from seedframe.database.rowids import rows_where
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.errors import BadData

_COMMA = sql.SQL(", ")
_AND = sql.SQL(" AND ")
_MANY: Final = 5_000


class Ownership:
    """The rows that one resource made, by their keys as text; the ledger has them.

    A key is kept with the names of its columns and its table: when the declaration names others, nothing that it was
    once about can be mistaken for a row of now.
    """

    def __init__(self, session: Session, shape: Shape, store: BaselineStore) -> None:
        self._session = session
        self._shape = shape
        self._store = store
        self._made: sql.Identifier | None = None
        self._stale = False
        self._misfit = False
        self._untold: list[str] = []
        self._renamed: list[tuple[int, str]] = []

    @property
    def misfit(self) -> bool:
        """True when keys were kept that the columns' types, as they are now, do not take."""
        return self._misfit

    @property
    def untold(self) -> list[str]:
        """Other resources that may declare what it made, which cannot be told row by row."""
        return self._untold

    def there(self) -> int:
        """How many rows that it made are still there."""
        baseline = self._store.id
        if baseline is None or self._store.unreadable:
            return 0
        kept = self._session.scalar(
            "SELECT pg_catalog.count(*) FROM seedframe.owned_row WHERE baseline_id = $1", [baseline]
        )
        if not kept:
            return 0
        self._untold = self._store.untold(self._shape)
        if self._untold:
            return 0
        try:
            with self._session.savepoint(), self._session.set_based(kept > _MANY):
                there = int(self._session.scalar(sql.SQL("SELECT pg_catalog.count(*) FROM {}").format(self.relation)))
        except BadData:
            self._misfit = True
            return 0
        self._stale = there < kept
        return there

    @property
    def relation(self) -> sql.Composable:
        """The rows it made that are still there and that no other resource declares, as `t`."""
        return sql.SQL(
            "(SELECT t.* FROM {rows} WHERE EXISTS (SELECT FROM {kept} WHERE {same})"
            " AND NOT EXISTS (SELECT FROM seedframe.baseline AS b JOIN seedframe.baseline_row AS r"
            " ON r.baseline_id = b.id WHERE b.table_name = {label} AND b.id <> {baseline} AND r.key_hash = {hash}))"
            " AS t"
        ).format(
            rows=rows_where(self._shape),
            kept=self._kept,
            same=self._same,
            label=sql.Literal(self._shape.table.label),
            baseline=sql.Literal(self._store.id),
            hash=key_hash(self._shape, of_table=True),
        )

    @property
    def _kept(self) -> sql.Composable:
        """What the ledger has of it, as `o`; the fence keeps keys of other columns away from what casts them."""
        names = self._names
        return sql.SQL(
            "(SELECT o.key_hash, o.key FROM seedframe.owned_row AS o WHERE o.baseline_id = {} AND o.table_name = {}"
            " AND o.key ?& {} AND o.key - {} = '{{}}' OFFSET 0) AS o"
        ).format(sql.Literal(self._store.id), sql.Literal(self._shape.table.label), names, names)

    @property
    def _names(self) -> sql.Composable:
        return sql.SQL("ARRAY[{}]::text[]").format(_COMMA.join([sql.Literal(field.name) for field in self._shape.key]))

    @property
    def _same(self) -> sql.Composable:
        """`o` is the key of `t`, by the equality of the key's columns."""
        parts = []
        for field in self._shape.key:
            kept = read_as(field.column, sql.SQL("(o.key ->> {}::text)").format(sql.Literal(field.name)))
            same = equals(field.column, field.target, kept)
            if field.name in self._shape.identity.nullable:
                empty = sql.SQL("o.key -> {}::text = 'null'").format(sql.Literal(field.name))
                same = sql.SQL("({} OR {} IS NULL AND {})").format(same, field.target, empty)
            parts.append(same)
        return _AND.join(parts)

    def follow(self, shape: Shape, source: Source) -> None:
        """Note which of the rows it made are about to be renamed: they stay its own.

        Args:
            shape: as it is compared with, in which such rows are found by the key that they have.
        """
        new = _COMMA.join(
            [
                sql.SQL("{}::text, {}").format(sql.Literal(field.name), written(field.column, field.desired))
                for field in shape.key
            ]
        )
        self._renamed = self._session.query(
            sql.SQL(
                "{}SELECT o.key_hash, pg_catalog.jsonb_build_object({})::text FROM {} JOIN {} ON {} JOIN {}"
                " ON {} WHERE {}"
            ).format(
                source.prefix, new, source.relation, rows_where(shape), same_key(shape), self._kept, self._same,
                moved(shape),
            ),
            source.parameters or None,
        )  # fmt: skip

    # Writing

    def returning(self) -> tuple[sql.Composable, sql.Composable]:
        """What an INSERT returns of the rows it really makes, and the temporary table that this goes to."""
        if self._made is None:
            name = self._session.temporary_name("made")
            self._session.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} (key jsonb NOT NULL) ON COMMIT DROP").format(sql.Identifier(name))
            )
            self._made = sql.Identifier("pg_temp", name)
        parts = _COMMA.join(
            [
                sql.SQL("{}::text, {}").format(
                    sql.Literal(field.name), written(field.column, sql.Identifier(field.name))
                )
                for field in self._shape.key
            ]
        )
        return sql.SQL("pg_catalog.jsonb_build_object({})").format(parts), self._made

    def record(self, *, deleted: bool) -> None:
        """Enter in the ledger what was made, and drop what is not there any more."""
        baseline = self._store.id
        label = self._shape.table.label
        if self._made is not None:
            self._session.execute(
                sql.SQL(
                    "INSERT INTO seedframe.owned_row (baseline_id, key_hash, table_name, key)"
                    " SELECT $1, pg_catalog.jsonb_hash_extended(m.key, 0), $2, m.key FROM {} AS m"
                    " ON CONFLICT (baseline_id, key_hash) DO UPDATE"
                    " SET table_name = excluded.table_name, key = excluded.key"
                ).format(self._made),
                [baseline, label],
            )
        for old, new in self._renamed:
            self._session.execute(
                "DELETE FROM seedframe.owned_row WHERE baseline_id = $1"
                " AND key_hash = pg_catalog.jsonb_hash_extended($2::jsonb, 0) AND key_hash <> $3",
                [baseline, new, old],
            )
            self._session.execute(
                "UPDATE seedframe.owned_row SET key = $2::jsonb,"
                " key_hash = pg_catalog.jsonb_hash_extended($2::jsonb, 0)"
                " WHERE baseline_id = $1 AND key_hash = $3",
                [baseline, new, old],
            )
        if not (deleted or self._stale) or self._misfit:
            return
        self._session.execute(
            sql.SQL(
                "DELETE FROM seedframe.owned_row AS w WHERE w.baseline_id = $1"
                " AND w.key_hash NOT IN (SELECT o.key_hash FROM {} JOIN {} ON {})"
            ).format(self._kept, rows_where(self._shape), self._same),
            [baseline],
        )
