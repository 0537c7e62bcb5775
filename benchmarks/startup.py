"""How long `seedframe --help` takes, against a bare interpreter on the same machine, in the same minutes.

    python benchmarks/startup.py [RUNS]

Each row is a whole process, from its start to its end. The rows are measured in turn, round by round, so that what
else the machine does falls on all of them alike; the median is what counts.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

HELP_LIMIT_MS: Final = 100.0

SEED: Final = '"""One seed."""\ndef verify(): pass\n'

COMMANDS: Final = {
    "python -c pass": ["-c", "pass"],
    "python -c 'import click'": ["-c", "import click"],
    "seedframe --help": ["-m", "seedframe", "--help"],
    "seedframe --version": ["-m", "seedframe", "--version"],
    "seedframe list --help": ["-m", "seedframe", "list", "--help"],
    "seedframe list (1 seed)": ["-m", "seedframe", "list"],
}


def measure(arguments: Sequence[str], folder: Path) -> float:
    """Milliseconds of one process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, check=True)
    return (time.perf_counter() - started) * 1000


def main(runs: int) -> int:
    """Measure and print a table; 1 when help takes longer than it may."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "seedframe.toml").write_text('[project]\nname = "bench"\n')
        (folder / "seeds").mkdir()
        (folder / "seeds" / "10_one.py").write_text(SEED)
        for arguments in COMMANDS.values():
            measure(arguments, folder)  # once unmeasured: bytecode is compiled, files are in memory
        for _ in range(runs):
            for command, arguments in COMMANDS.items():
                times[command].append(measure(arguments, folder))
    medians = {command: statistics.median(found) for command, found in times.items()}
    bare = medians["python -c pass"]
    print(f"Python {sys.version.split()[0]}, {runs} runs of each")
    print(f"{'':26}{'median':>10}{'fastest':>10}{'slowest':>10}{'of bare':>10}")
    for command, found in times.items():
        print(
            f"{command:26}{medians[command]:>7.1f} ms{min(found):>7.1f} ms{max(found):>7.1f} ms"
            f"{medians[command] / bare:>9.1f}×"
        )
    return 0 if medians["seedframe --help"] < HELP_LIMIT_MS else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
