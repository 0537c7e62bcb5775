"""The keys of declared rows that are read once, chunk by chunk: eight bytes each, to find rows with none of them."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from psycopg import sql

from seedframe.database.declared import Shape
from seedframe.database.hashes import key_hash
from seedframe.database.session import Session
from seedframe.database.source import Source

_COMMA: Final = sql.SQL(", ")


class StreamedKeys:
    """The declared keys of one source."""

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

    def undeclared(self, relation: sql.Composable, *, many: bool) -> Iterator[tuple[int, str, int]]:
        """The rows of a relation `t` that have none of these keys: table, place, hash of the key.

        Args:
            many: whether the relation is large, for what the server does not know of it.
        """
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
        with self._session.set_based(many):
            for table, place, hashed, *texts in self._session.stream(statement):
                mine = hash(texts[0] if len(texts) == 1 else tuple(texts)) if self._textual else hashed
                position = bisect_left(self._hashes, mine)
                if position == len(self._hashes) or self._hashes[position] != mine:
                    yield table, place, hashed
