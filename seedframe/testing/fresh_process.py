"""A dry run in a process of its own, where nothing is left of what the seed's modules computed and took in this one."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from seedframe.errors import SeedframeError
from seedframe.testing.databases import existing
from seedframe.testing.report_reading import report_text, trouble
from seedframe.testing.runner import ProjectRunner

_HASH_SEED: Final = "PYTHONHASHSEED"
# In which order a set of two texts is gone through is the same in half of all processes. Of so many, and this one, all
# have the same order in one case of 256.
_HASH_SEEDS: Final = ("1", "2", "3", "4", "5", "6", "7", "8", "9")
_USUALLY: Final = 2
_WITH_SETS: Final = 8
_AT_ONCE: Final = 2
_NEAR_MIDNIGHT: Final = 21


@dataclass(frozen=True, slots=True)
class Place:
    """How a process differs from this one.

    Attributes:
        hash_seed: PYTHONHASHSEED, to have the same order of sets again.
        folder: whether it runs in an empty folder, and not where this one does.
        variables: whether the environment's variables come in the other order.
        zone: whether the time zone is another.
    """

    hash_seed: str
    folder: bool = False
    variables: bool = False
    zone: bool = False

    def __str__(self) -> str:
        parts = [
            f"{_HASH_SEED}={self.hash_seed}",
            *(["in another working directory"] if self.folder else []),
            *(["the environment's variables in another order"] if self.variables else []),
            *([f"TZ={_another_zone()}"] if self.zone else []),
        ]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Told:
    """What a dry run in another process found.

    Attributes:
        exit_code: of the report.
        changed: how many rows it would change.
        trouble: what is wrong, in a line.
        text: the report for a person, as `seedframe` prints it.
        place: what was other there than here.
    """

    exit_code: int
    changed: int
    trouble: str
    text: str
    place: Place | None = None

    @property
    def well(self) -> bool:
        """Whether it found nothing to do."""
        return not (self.exit_code or self.changed)


def trouble_elsewhere(runner: ProjectRunner, names: Sequence[str], *, sets: bool) -> Told | None:
    """`apply --dry-run` in fresh interpreters, each with another order of sets, the last of them in other surroundings
    as well: what the first found that did not find nothing to do, with as little that is other there as shows it.

    Args:
        sets: whether the seed's code goes through sets: then there are more of them.
    """
    seeds = [seed for seed in _HASH_SEEDS if seed != os.environ.get(_HASH_SEED)][: _WITH_SETS if sets else _USUALLY]
    places = [*map(Place, seeds[:-1]), Place(seeds[-1], folder=True, variables=True, zone=True)]
    found = _first_trouble(runner, names, places)
    if found is None or found.place is None or not found.place.folder:
        return found
    alone = Place(found.place.hash_seed)
    less = [alone, replace(alone, folder=True), replace(alone, variables=True), replace(alone, zone=True)]
    return _first_trouble(runner, names, less) or found


def _first_trouble(runner: ProjectRunner, names: Sequence[str], places: Sequence[Place]) -> Told | None:
    for some in _pairs(places):
        for told in _dry_runs(runner, names, some):
            if not told.well:
                return told
    return None


def _pairs(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    for first in range(0, len(places), _AT_ONCE):
        yield places[first : first + _AT_ONCE]


def _dry_runs(runner: ProjectRunner, names: Sequence[str], places: Sequence[Place]) -> list[Told]:
    asked = {
        "path": str(runner.path.absolute()),
        "url": runner.database.url,
        "variables": runner.variables,
        "env": runner.env,
        "seeds_dir": None if runner.seeds_dir is None else str(runner.seeds_dir.absolute()),
        "names": list(names),
    }
    with tempfile.TemporaryDirectory(prefix="seedframe-") as empty:
        processes = [_start(place, empty) for place in places]
        # All are given their task before any is waited for.
        for process in processes:
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            process.stdin.write(json.dumps(asked))
            process.stdin.flush()
        return [_end(process, place) for process, place in zip(processes, places, strict=True)]


def _start(place: Place, empty: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        cwd=empty if place.folder else None,
        env=_environment(place),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _environment(place: Place) -> Mapping[str, str]:
    path = os.pathsep.join(str(Path(part).absolute()) for part in sys.path)
    there = {**os.environ, "PYTHONPATH": path, _HASH_SEED: place.hash_seed}
    if place.zone:
        there["TZ"] = _another_zone()
    return dict(reversed(there.items())) if place.variables else there


def _another_zone() -> str:
    """An hour from here, in which it is the same day: what is declared for today is no other there."""
    here = datetime.now().astimezone()
    offset = (here.utcoffset() or timedelta()) + timedelta(hours=-1 if here.hour >= _NEAR_MIDNIGHT else 1)
    minutes = round(offset.total_seconds() / 60)
    # POSIX counts westwards.
    return f"KIT{'-' if minutes >= 0 else '+'}{abs(minutes) // 60}:{abs(minutes) % 60:02}"


def _end(process: subprocess.Popen[str], place: Place) -> Told:
    out, err = process.communicate()
    try:
        return replace(Told(**json.loads(out)), place=place)
    except (ValueError, TypeError):
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        return Told(3, 0, f"it ended with exit code {process.returncode}: {last}", "", place)


def main() -> None:
    """Of the process of its own: what to do comes on standard input, what was found goes to standard output."""
    asked = json.load(sys.stdin)
    # What the seed prints is not taken for the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    folder = asked["seeds_dir"]
    runner = ProjectRunner(
        Path(asked["path"]),
        existing(asked["url"]),
        asked["variables"],
        asked["env"],
        None if folder is None else Path(folder),
    )
    try:
        report = runner.apply(*asked["names"], dry_run=True)
        told = Told(report.exit_code, report.summary.changed, trouble(report), report_text(report))
    except SeedframeError as error:
        told = Told(3, 0, str(error.problems[0]), "")
    with os.fdopen(answer, "w", encoding="utf-8") as stream:
        json.dump(asdict(told), stream)


if __name__ == "__main__":
    main()
