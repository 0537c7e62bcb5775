"""What the benchmarks share: processes measured in turn, a server of their own, and a table of results."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg

from tests.servers import Server, find_bindir, running

# As a server in production has it where it matters to what is measured: every commit is on disk.
SETTINGS: Final = {
    "fsync": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
}

CONNECT: Final = (
    "import os, psycopg\n"
    "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
    "    connection.execute('select 1').fetchone()\n"
)
"""What no run can do without: a process that imports psycopg, connects, and selects 1."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One process, from its start to its end: seconds, those that it had a processor, and its peak memory in MB (10⁶
    bytes).

    Linux counts what the measuring process itself holds, too, so less than that (some 40 MB) is never shown.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float


def measure(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    codes: Collection[int] = (0,),
) -> Measured:
    """Run a process. Errors: RuntimeError with its output when it ends with another exit code than one of `codes`."""
    # Whatever is set here, a user's Python keeps the bytecode that it compiled the first time.
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments, cwd=cwd, env={**usual, **(env or {})}, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            output.seek(0)
            said = output.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {process.returncode}:\n{said}")
    return Measured(
        seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    )


def in_turn(steps: Mapping[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Each step once unmeasured, so that bytecode is compiled and files are in memory, then round by round.

    In turn, so that what else the machine does falls on all of them alike.
    """
    for step in steps.values():
        step()
    found: dict[str, list[Measured]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            found[name].append(step())
    return found


def median(runs: Sequence[Measured]) -> float:
    """The median of the seconds."""
    return statistics.median(run.seconds for run in runs)


def cpu(runs: Sequence[Measured]) -> float:
    """The median of the seconds that the process had a processor: what else the machine does matters little to it."""
    return statistics.median(run.cpu_seconds for run in runs)


def peak(runs: Sequence[Measured]) -> float:
    """The highest peak memory, in MB."""
    return max(run.peak_mb for run in runs)


@contextmanager
def server() -> Iterator[Server]:
    """A server of this benchmark's own, which is gone afterwards."""
    with running(find_bindir(), **SETTINGS) as started:
        yield started


def sql(target: Server, *statements: str) -> Any:
    """Run statements, each in its own transaction; the first value of the last one, if it has any."""
    value = None
    with psycopg.connect(target.url(), autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description is not None else None
            value = row[0] if row is not None else None
    return value


def wal_bytes(target: Server) -> int:
    """How much WAL the server has written so far."""
    return int(sql(target, "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))


def environment(target: Server | None = None) -> str:
    """What this was measured on, for the head of a table."""
    database = f", PostgreSQL {target.version_num // 10000}.{target.version_num % 10000}" if target is not None else ""
    return f"Python {sys.version.split()[0]}{database}, {os.cpu_count()} processors"
