"""How long a table of many rows takes, against `psql \\copy` of the same file into the same empty table.

    python -m benchmarks.rows [--rows N] [--rounds N]

Each measurement is a whole process. Of seedframe's, the start-up (a process that imports psycopg, connects, and
selects 1) is subtracted before it is divided by the floor, so that the ratios are about the rows.
"""

import argparse
import csv
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks._measure import CONNECT, Measured, environment, measure, median, peak, server, sql, wal_bytes
from tests.servers import Server

TABLE: Final = """
create table codes (
    code text primary key,
    description text not null,
    chapter text,
    billable boolean not null,
    price numeric(10, 2),
    updated_on date,
    attrs jsonb
)
"""
COLUMNS: Final = ("code", "description", "chapter", "billable", "price", "updated_on", "attrs")

SEED: Final = '''"""Codes."""

from seedframe import Rows


def resources():
    yield Rows("codes", key="code", file="data/codes.csv")
'''

WORDS: Final = (
    "acute", "chronic", "fracture", "unspecified", "left", "right", "initial", "encounter", "disorder", "benign",
    "neoplasm", "of", "with", "without", "upper", "lower", "pain", "injury", "skin", "bone",
)  # fmt: skip

START: Final = "connect, select 1"
FLOOR: Final = "psql \\copy"
FIRST: Final = "first apply"
AGAIN: Final = "apply again"
VERIFY: Final = "verify"
DRIFTED: Final = "verify, 10 rows drifted"
CHANGED: Final = "apply, 1 % changed"
AT_MOST: Final = {FIRST: 1.25, AGAIN: 0.25, VERIFY: 0.25, DRIFTED: 0.7, CHANGED: 0.7}


def records(count: int) -> Iterator[list[str]]:
    """Rows of about 90 bytes, in the order of their keys, the same in every run; some fields are NULL."""
    chance = random.Random(7)
    for number in range(count):
        yield [
            f"{chr(65 + number * 26 // count)}{number:08}",
            " ".join(chance.choices(WORDS, k=6)),
            f"{number * 22 // count:02}" if number % 10 else "",
            "true" if chance.random() < 0.8 else "false",
            f"{chance.randrange(1, 1_000_000) / 100:.2f}" if number % 5 else "",
            f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}",
            f'{{"weight": {chance.randrange(100)}, "group": "g{chance.randrange(40)}"}}' if number % 3 else "",
        ]


def write_csv(path: Path, count: int, *, changed: bool) -> None:
    """The file; with `changed`, every hundredth row has another description, and a thousandth as many are new."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, row in enumerate(records(count)):
            if changed and number % 100 == 7:
                row[1] += " changed"
            writer.writerow(row)
            if changed and number % 1000 == 500:
                writer.writerow([f"{row[0]}N", *row[1:]])


@dataclass(frozen=True, slots=True)
class Bench:
    """A project with one seed, and the server it is for."""

    target: Server
    folder: Path

    def seedframe(self, *arguments: str, code: int = 0) -> Measured:
        """Run a command."""
        return measure(
            [sys.executable, "-m", "seedframe", *arguments],
            cwd=self.folder,
            env={"DATABASE_URL": self.target.url()},
            codes=(code,),
        )

    def use(self, name: str) -> None:
        """Have the seed read this file."""
        link = self.folder / "seeds" / "data" / "codes.csv"
        link.unlink(missing_ok=True)
        link.hardlink_to(self.folder / name)

    def start(self) -> Measured:
        """The start-up."""
        return measure([sys.executable, "-c", CONNECT], cwd=self.folder, env={"DATABASE_URL": self.target.url()})

    def floor(self) -> Measured:
        """`psql \\copy` of the file into the empty table."""
        sql(self.target, "drop table if exists codes", "drop schema if exists seedframe cascade", TABLE, "checkpoint")
        copy = f"\\copy codes from '{self.folder / 'before.csv'}' with (format csv, header)"
        return measure([self.target.bindir / "psql", "-X", "-q", "-d", self.target.url(), "-c", copy], cwd=self.folder)

    def first(self) -> Measured:
        """The first apply: everything is to be created, the ledger too."""
        self.use("before.csv")
        sql(self.target, "drop table codes", TABLE, "checkpoint")
        found = self.seedframe("apply")
        # What autovacuum would do some time later is done now, so that it does not fall on one measurement by chance.
        sql(self.target, "vacuum analyze codes", "checkpoint")
        return found

    def drifted(self) -> Measured:
        """Verify while ten rows, all over the table, are not as declared."""
        where = "where code in (select code from (select code, ntile(10) over (order by code) as part,"
        where += " row_number() over (order by code) as n from codes) as parts where n % (select count(*) / 10 from"
        where += " codes) = 5)"
        sql(self.target, "create table kept as select * from codes " + where)
        sql(self.target, "update codes set price = coalesce(price, 0) + 1 " + where)
        try:
            return self.seedframe("verify", code=2)
        finally:
            sql(
                self.target,
                "update codes set price = kept.price from kept where kept.code = codes.code",
                "drop table kept",
            )

    def changed(self) -> Measured:
        """Apply a file in which every hundredth row is changed."""
        self.use("after.csv")
        return self.seedframe("apply")


def main(count: int, rounds: int) -> int:
    """Measure and print a table."""
    with tempfile.TemporaryDirectory() as name, server() as target:
        bench = Bench(target, Path(name))
        (bench.folder / "seedframe.toml").write_text('[project]\nname = "bench"\n')
        (bench.folder / "seeds" / "data").mkdir(parents=True)
        (bench.folder / "seeds" / "10_codes.py").write_text(SEED)
        write_csv(bench.folder / "before.csv", count, changed=False)
        write_csv(bench.folder / "after.csv", count, changed=True)
        steps: dict[str, Callable[[], Measured]] = {
            START: bench.start,
            FLOOR: bench.floor,
            FIRST: bench.first,
            AGAIN: lambda: bench.seedframe("apply"),
            VERIFY: lambda: bench.seedframe("verify"),
            DRIFTED: bench.drifted,
            CHANGED: bench.changed,
        }
        found: dict[str, list[Measured]] = {step: [] for step in steps}
        wal: list[int] = []
        for _ in range(rounds):
            for step, run in steps.items():
                before = wal_bytes(target)
                found[step].append(run())
                if step == AGAIN:
                    wal.append(wal_bytes(target) - before)
        head = environment(target)
        size = (bench.folder / "before.csv").stat().st_size / count
    start, floor = median(found[START]), median(found[FLOOR])
    print(f"{head}, {count:,} rows of {size:.0f} bytes, {rounds} rounds")
    print(f"{'':26}{'median':>10}{'of floor':>10}{'wanted':>10}{'memory':>10}")
    for step, measured in found.items():
        own = median(measured) - (start if step in AT_MOST else 0)
        ratio = f"{own / floor:9.2f}×" if step != START else ""
        wanted = f"{AT_MOST[step]:9.2f}×" if step in AT_MOST else ""
        print(f"{step:26}{median(measured):>8.2f} s{ratio:>10}{wanted:>10}{peak(measured):>7.0f} MB")
    print(f"WAL of an apply with nothing to do: {statistics.median(wal) / 1024:.0f} KB")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Many rows of one table, against psql's \\copy.")
    parser.add_argument("--rows", type=int, default=100_000, help="how many (100,000; the targets are for 1,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured")
    options = parser.parse_args()
    try:
        sys.exit(main(options.rows, options.rounds))
    except RuntimeError as error:
        sys.exit(str(error))
