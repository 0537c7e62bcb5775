"""Keys that a source has twice, found without a stage: a hash for each key, over all chunks."""

from array import array
from collections.abc import Sequence

from psycopg import sql

from seedframe.database.compare import Source, identity_hash
from seedframe.database.declared import Chunk, Shape
from seedframe.database.session import Session


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
        self._hashes = array("q")
        self._lines = array("q")

    def add(self, session: Session, shape: Shape, source: Source, chunk: Chunk, texts: Sequence[object] | None) -> None:
        """Take in a chunk. `texts` are its `key_texts`."""
        if texts is not None:
            self._hashes.extend(map(hash, texts))
            self._lines.extend(chunk.lines)
            return
        rows = session.query(
            sql.SQL("{}SELECT d.line, {} FROM {}").format(source.prefix, identity_hash(shape), source.relation),
            source.parameters,
        )
        self._lines.extend(row[0] for row in rows)
        self._hashes.extend(row[1] for row in rows)

    def repeated(self) -> tuple[int, int] | None:
        """The lines of the first two rows with one key."""
        # By parts, as a set of all of them would take sixty bytes a row.
        parts = [array("q") for _ in range(1 + len(self._hashes) // 5_000)]
        count = len(parts)
        for value in self._hashes:
            parts[value % count].append(value)
        if all(len(set(part)) == len(part) for part in parts):
            return None
        first: dict[int, int] = {}
        for value, line in zip(self._hashes, self._lines, strict=True):
            if value in first:
                return first[value], line
            first[value] = line
        return None
