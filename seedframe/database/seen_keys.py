"""Keys that a source has twice, found without a stage: a hash for each key, over all chunks."""

from collections.abc import Sequence

from psycopg import sql

from seedframe.database.declared import Chunk, Shape
from seedframe.database.hashes import identity_hash
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.repeats import Repeats


def key_texts(shape: Shape, chunk: Chunk) -> Sequence[object] | None:
    """The keys as the server has them, where they are texts that are equal only if identical; else None."""
    columns: list[list[str | None]] = []
    if not shape.identity.plain:
        return None
    for declared in shape.key:
        column = declared.column
        if declared.reference is not None or column.base_type not in ("text", "varchar") or not column.hashes_as_is:
            return None
        values = chunk.columns[shape.input_position(declared.staged)]
        # Blanks beyond the length are cut, as the server does.
        columns.append(values if column.length is None else [value and value[: column.length] for value in values])
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


class SeenKeys:
    """A hash for each key over all chunks: eight bytes a row, so that a key repeated chunks apart is found."""

    def __init__(self) -> None:
        self._seen = Repeats()

    def add(self, session: Session, shape: Shape, source: Source, chunk: Chunk, texts: Sequence[object] | None) -> None:
        """Take in a chunk. `texts` are its `key_texts`."""
        if texts is not None:
            self._seen.add(map(hash, texts), chunk.lines)
            return
        rows = session.query(
            sql.SQL("{}SELECT d.line, {} FROM {}").format(source.prefix, identity_hash(shape), source.relation),
            source.parameters,
        )
        self._seen.add((row[1] for row in rows), (row[0] for row in rows))

    def repeated(self) -> tuple[int, int] | None:
        """The lines of the first two rows with one key."""
        return next(self._seen.repeated(), None)
