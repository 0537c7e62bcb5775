"""What linting found, as data: a rule that is broken, where, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seedframe.linting.rules import BY_NAME, Rule

# Of one rule in one file. A million rows that lack a field are one mistake.
MOST: Final = 20


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A place in a file; line and column count from 1, the column in characters."""

    path: Path
    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One mistake.

    Attributes:
        seed: the label of the seed that it is of; None for the project.
        declared: where the declaration stands that it follows from: what is wrong with a data file is silenced there.
    """

    rule: Rule
    place: Place
    message: str
    hint: str | None = None
    seed: str | None = None
    declared: Place | None = None


class Collector:
    """Takes in what is found; of one rule in one file so many, and then only their number."""

    def __init__(self) -> None:
        self._found: dict[tuple[Place, str, str], Found] = {}
        self._counts: dict[tuple[Path, str], int] = {}
        self._last: dict[tuple[Path, str], Found] = {}

    def add(self, found: Found) -> None:
        """Take in one; the same one twice is one."""
        same = (found.place, found.rule.code, found.message)
        if same in self._found:
            return
        group = (found.place.path, found.rule.code)
        self._counts[group] = self._counts.get(group, 0) + 1
        if self._counts[group] <= MOST:
            self._found[same] = found
        else:
            self._last[group] = found

    def has_room(self, kind: str, path: Path) -> bool:
        """True where one more of a rule in a file would be told in full: else its exact place need not be found."""
        return self._counts.get((path, BY_NAME[kind].code), 0) < MOST

    def report(
        self,
        kind: str,
        place: Place,
        message: str,
        hint: str | None = None,
        *,
        seed: str | None = None,
        declared: Place | None = None,
    ) -> None:
        """Take in one by the name of its rule."""
        found = Found(rule=BY_NAME[kind], place=place, message=message, hint=hint, seed=seed, declared=declared)
        self.add(found)

    def all(self) -> list[Found]:
        """Everything, by place; where there was too much, the last one says how much."""
        found = [*self._found.values()]
        for group, last in self._last.items():
            more = self._counts[group] - MOST
            what = "another mistake" if more == 1 else f"{more:,} more mistakes"
            found.append(replace(last, message=f"{what} of this kind up to here", hint=None))
        return sorted(found, key=_order)


def _order(found: Found) -> tuple[Place, str, str]:
    return found.place, found.rule.code, found.message


def files_of(found: Iterable[Found]) -> int:
    """In how many files."""
    return len({each.place.path for each in found})
