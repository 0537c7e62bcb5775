"""The declared rows of one table as they are read: counted, digested, and kept to be asked about again."""

from seedframe.database.declared import Chunk, DeclaredDigest, Shape
from seedframe.database.session import Session
from seedframe.database.source import Source, chunk_source, staged_source
from seedframe.database.staging import Stage
from seedframe.database.surroundings import Surroundings


class DeclaredRows:
    """The rows that one source has. What is read chunk by chunk and not kept does not come by again.

    Attributes:
        shape: how they meet the table; where rows are to be renamed, it finds these by the key that they have.
        count: how many were read.
        only: all of them, where they are one chunk that is kept.
        stage: the temporary table that holds them, where there is one.
    """

    def __init__(self, session: Session, shape: Shape, digest: DeclaredDigest, around: Surroundings) -> None:
        self._session = session
        self._digest = digest
        self._around = around
        self.shape = shape
        self.count = 0
        self.only: Chunk | None = None
        self.stage: Stage | None = None

    def read(self, chunk: Chunk) -> None:
        """Take note of the next chunk."""
        self._digest.add(chunk)
        if self._around.record is not None:
            inputs = self.shape.inputs
            self._around.record.declare(
                chunk.columns[position] for position, entry in enumerate(inputs) if not entry.secret
            )
        self.count += len(chunk)
        self._around.progress(self.count)

    def make_stage(self) -> Stage:
        """A new stage, which is to hold them."""
        self.stage = Stage(self._session, self.shape)
        return self.stage

    def at_hand(self) -> Source | None:
        """The rows as they were compared; None where there are none, or where they were streamed."""
        if self.stage is not None:
            return staged_source(self.shape, self.stage.name)
        return chunk_source(self.shape, self.only) if self.only is not None else None

    def as_of_now(self) -> Source | None:
        """The same, with references looked up as they are by now."""
        if self.stage is not None:
            self.stage.resolve()
        return self.at_hand()
