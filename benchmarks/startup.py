"""How long `seedframe --help` and what else needs no database takes, against a bare interpreter, in the same minutes.

    python -m benchmarks.startup [RUNS]

Each row is a whole process, from its start to its end. The rows are measured in turn, round by round, so that what
else the machine does falls on all of them alike; the median is what counts.
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from benchmarks._measure import Measured, environment, in_turn, measure, median

HELP_LIMIT_MS: Final = 100.0

EXAMPLE: Final = Path(__file__).resolve().parent.parent

SEED: Final = '"""One seed."""\ndef verify(): pass\n'

COMMANDS: Final = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import click'": ["-c", "import click"],
    "seedframe --help": ["-m", "seedframe", "--help"],
    "seedframe --version": ["-m", "seedframe", "--version"],
    "seedframe list --help": ["-m", "seedframe", "list", "--help"],
    "seedframe list (1 seed)": ["-m", "seedframe", "list"],
    "seedframe lint (1 seed)": ["-m", "seedframe", "lint"],
    "seedframe lint (example)": ["-m", "seedframe", "lint", "--config", str(EXAMPLE)],
}


def main(runs: int) -> int:
    """Measure and print a table; 1 when help takes longer than it may."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seedframe.toml").write_text('[project]\nname = "bench"\n')
        (folder / "seeds").mkdir()
        (folder / "seeds" / "10_one.py").write_text(SEED)

        def process(arguments: Sequence[str]) -> Callable[[], Measured]:
            return lambda: measure([sys.executable, *arguments], cwd=folder)

        found = in_turn({command: process(arguments) for command, arguments in COMMANDS.items()}, runs)
    medians = {command: median(measured) * 1000 for command, measured in found.items()}
    bare = medians["python -c pass"]
    print(f"{environment()}, {runs} runs of each")
    print(f"{'':26}{'median':>10}{'fastest':>10}{'slowest':>10}{'of bare':>10}")
    for command, measured in found.items():
        times = [run.seconds * 1000 for run in measured]
        print(
            f"{command:26}{medians[command]:>7.1f} ms{min(times):>7.1f} ms{max(times):>7.1f} ms"
            f"{medians[command] / bare:>9.1f}×"
        )
    return 0 if medians["seedframe --help"] < HELP_LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
