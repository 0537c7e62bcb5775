"""How long the telehealth example takes when nothing is to be done, against a process that only connects.

    python -m benchmarks.small_runs [RUNS]

Each row is a whole process. The floor imports SQLAlchemy and psycopg, connects, and selects 1, as an application would;
seedframe itself does without SQLAlchemy. "CPU" is what the process had of a processor.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks._measure import (
    CONNECT,
    Measured,
    cpu,
    environment,
    in_turn,
    measure,
    median,
    peak,
    server,
    sql,
    wal_bytes,
)

ROOT: Final = Path(__file__).resolve().parent.parent
EXAMPLE: Final = ("seeds", "migrations", "alembic.ini", "seedframe.toml")
FLOOR: Final = "SQLAlchemy, select 1"
APPLICATION: Final = (
    "import os, psycopg, sqlalchemy\n"
    "url = os.environ['DATABASE_URL']\n"
    "engine = sqlalchemy.create_engine('postgresql+psycopg://', creator=lambda: psycopg.connect(url))\n"
    "with engine.connect() as connection:\n"
    "    connection.execute(sqlalchemy.text('select 1')).scalar()\n"
)

# The name of a row, and the arguments of the interpreter.
PROCESSES: Final = {
    "python -c pass": ["-c", "pass"],
    "psycopg, select 1": ["-c", CONNECT],
    FLOOR: ["-c", APPLICATION],
    "seedframe apply": ["-m", "seedframe", "apply"],
    "seedframe verify": ["-m", "seedframe", "verify"],
    "seedframe list": ["-m", "seedframe", "list"],
    "seedframe env": ["-m", "seedframe", "env"],
}


def main(runs: int) -> int:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name, server() as target:
        folder = Path(name)
        for part in EXAMPLE:
            source = ROOT / part
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / part)
        env = {"DATABASE_URL": target.url(), "SEED_ADMIN_PASSWORD": "correct horse battery staple"}

        def process(arguments: list[str]) -> Callable[[], Measured]:
            return lambda: measure([sys.executable, *arguments], cwd=folder, env=env)

        process(["-m", "alembic", "upgrade", "head"])()
        process(["-m", "seedframe", "apply"])()
        found = in_turn({row: process(arguments) for row, arguments in PROCESSES.items()}, runs)
        sql(target, "checkpoint")
        before = wal_bytes(target)
        process(["-m", "seedframe", "apply"])()
        wal = wal_bytes(target) - before
        head = environment(target)
    floor, cpu_floor = median(found[FLOOR]), cpu(found[FLOOR])
    print(f"{head}, {runs} runs of each")
    print(
        f"{'':22}{'median':>10}{'fastest':>10}{'slowest':>10}{'of floor':>10}{'CPU':>10}{'of floor':>10}{'memory':>10}"
    )
    for row, measured in found.items():
        seconds = [run.seconds for run in measured]
        print(
            f"{row:22}{median(measured) * 1000:>7.0f} ms{min(seconds) * 1000:>7.0f} ms{max(seconds) * 1000:>7.0f} ms"
            f"{median(measured) / floor:>9.2f}×{cpu(measured) * 1000:>7.0f} ms{cpu(measured) / cpu_floor:>9.2f}×"
            f"{peak(measured):>7.0f} MB"
        )
    print(f"WAL of an apply with nothing to do, right after a checkpoint: {wal / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
    except (RuntimeError, subprocess.SubprocessError) as error:
        sys.exit(str(error))
