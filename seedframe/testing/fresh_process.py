"""A dry run in a process of its own, where nothing is left of what the seed's modules computed and took in this one."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from seedframe.errors import SeedframeError
from seedframe.testing.databases import existing
from seedframe.testing.report_reading import trouble
from seedframe.testing.runner import SeedRunner, report_text

_HASH_SEED: Final = "PYTHONHASHSEED"
# In which order a set of few texts is gone through is the same in half of all processes: so there is more than one.
_HASH_SEEDS: Final = ("1", "2", "3")
_AT_ONCE: Final = 2


@dataclass(frozen=True, slots=True)
class Told:
    """What a dry run in another process found.

    Attributes:
        exit_code: of the report.
        changed: how many rows it would change.
        trouble: what is wrong, in a line.
        text: the report for a person, as `seedframe` prints it.
        hash_seed: PYTHONHASHSEED of the process, to have the same again.
    """

    exit_code: int
    changed: int
    trouble: str
    text: str
    hash_seed: str = ""


def dry_runs_elsewhere(runner: SeedRunner, names: Sequence[str]) -> list[Told]:
    """`apply --dry-run` in fresh interpreters, at once, each with another order of sets; all else is as it is here."""
    asked = {
        "path": str(runner.path),
        "url": runner.database.url,
        "variables": runner.variables,
        "env": runner.env,
        "seeds_dir": None if runner.seeds_dir is None else str(runner.seeds_dir),
        "names": list(names),
    }
    path = os.pathsep.join(str(Path(part).absolute()) for part in sys.path)
    seeds = [seed for seed in _HASH_SEEDS if seed != os.environ.get(_HASH_SEED)][:_AT_ONCE]
    processes = [_start({**os.environ, "PYTHONPATH": path, _HASH_SEED: seed}) for seed in seeds]
    # All are given their task before any is waited for.
    for process in processes:
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        process.stdin.write(json.dumps(asked))
        process.stdin.flush()
    return [_end(process, seed) for process, seed in zip(processes, seeds, strict=True)]


def _start(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )


def _end(process: subprocess.Popen[str], hash_seed: str) -> Told:
    out, err = process.communicate()
    try:
        return Told(**{**json.loads(out), "hash_seed": hash_seed})
    except (ValueError, TypeError):
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        return Told(3, 0, f"it ended with exit code {process.returncode}: {last}", "", hash_seed)


def main() -> None:
    """Of the process of its own: what to do comes on standard input, what was found goes to standard output."""
    asked = json.load(sys.stdin)
    # What the seed prints is not taken for the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    folder = asked["seeds_dir"]
    runner = SeedRunner(
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
