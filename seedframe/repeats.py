"""Keys that come twice among very many: a hash and a line for each, sixteen bytes a key."""

from array import array
from collections.abc import Iterable, Iterator
from typing import Final

# A set of all hashes would take sixty bytes a key; those of a part at a time are few.
_PART: Final = 5_000


class Repeats:
    """The hashes of keys, in the order in which they come, each with the line that it is from."""

    def __init__(self) -> None:
        self._hashes = array("q")
        self._lines = array("q")

    def add(self, hashes: Iterable[int], lines: Iterable[int]) -> None:
        """Take in more keys."""
        self._hashes.extend(hashes)
        self._lines.extend(lines)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """(first line, later line) of every key that comes again, in the order of the later lines."""
        parts = [array("q") for _ in range(1 + len(self._hashes) // _PART)]
        count = len(parts)
        for value in self._hashes:
            parts[value % count].append(value)
        twice: set[int] = set()
        for part in parts:
            seen: set[int] = set()
            twice.update(value for value in part if value in seen or seen.add(value))  # type: ignore[func-returns-value]
        if not twice:
            return
        first: dict[int, int] = {}
        for value, line in zip(self._hashes, self._lines, strict=True):
            if value in twice:
                if value in first:
                    yield first[value], line
                else:
                    first[value] = line
