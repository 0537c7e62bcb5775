"""kill -9 at any moment of an apply: each seed is there whole or not at all, no lock stays, the next run goes on."""

import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Final

import pytest

from seedframe import Project
from seedframe.options import ApplyOptions, Transaction
from tests.conftest import Folder, ProjectFactory, Sql
from tests.crowd import Task, Victim, victim
from tests.figures import Figures
from tests.running import applied, apply

_PATIENCE_S: Final = 120.0
_APPLICATION: Final = "victim"
_FEW, _STAGED = 20, 5_001  # one more than travels as parameters

_TABLES: Final = """
create table makers (name text primary key, round int not null);
create table parts (code int primary key, maker text not null references makers, round int not null);
create table notes (text text primary key, round int not null);
create table prices (part int primary key references parts, round int not null);
"""

_SEEDS: Final = {
    "seeds/10_makers.py": """
from seedframe import Rows

def resources():
    yield Rows("makers", key="name", rows=[{{"name": name, "round": {number}}} for name in ("Acme", "Bolt", "Cog")])
""",
    "seeds/20_parts.py": """
from seedframe import Rows, ref

REQUIRES = ["makers"]

def resources():
    maker = ref("makers", name="Acme")
    yield Rows("parts", key="code", rows=({{"code": n, "maker": maker, "round": {number}}} for n in range({parts})))
""",
    "seeds/30_notes.py": """
from seedframe import Change

WRITES = ["notes"]

def check(db):
    if db.scalar("select count(*) from notes where round = {number}") < 3:
        yield Change("other", {{"notes": "all"}})

def apply(db):
    for text in ("one", "two", "three"):
        db.execute("insert into notes values (:text, {number})"
                   " on conflict (text) do update set round = excluded.round", text=text)
""",
    "seeds/40_prices.py": """
from seedframe import Rows, ref

REQUIRES = ["parts"]

def resources():
    yield Rows("prices", key="part", rows=[{{"part": n, "round": {number}}} for n in range(20)])
""",
}

_ROWS: Final = {"makers": 3, "parts": _FEW, "notes": 3, "prices": 20}

# What can be seen of a run from outside, and the time to kill it at: what its connection does, or did last.
_PHASES: Final = {
    "it waits for the ledger's lock or makes it": "query ~ 'seedframe' and xact_start is not null",
    "it holds the lock of the run": "exists (select from pg_locks l where l.pid = a.pid and locktype = 'advisory')",
    "it has written": "backend_xid is not null",
    "it stages rows": "query ~ '^(CREATE TEMP|COPY)'",
    "it writes rows": "query ~ '^(INSERT|UPDATE|WITH|MERGE)' and query !~ 'seedframe[.]'",
    "it writes to the ledger": "query ~ '(INSERT INTO|UPDATE) seedframe[.]' and backend_xid is not null",
    "it commits": "query = 'COMMIT'",
}

_SEEN: Final = f"exists (select from pg_stat_activity a where application_name = '{_APPLICATION}')"

State = dict[str, tuple[int, int, int, int, int]]


def _state(sql: Sql, number: int) -> State:
    """For each seed, all from one moment: how many rows are as the seeds say now, how many are not, and what the ledger
    knows (times it was changed, whether it was applied, baselines).
    """
    known = sql("select to_regclass('seedframe.baseline') is not null") == [(True,)]
    ledger = (
        "(select count(*) from seedframe.outcome where status = 'changed' and seed like '%%\\_{0}'),"
        " (select count(*) from seedframe.applied_seed where seed = '{0}'),"
        " (select count(*) from seedframe.baseline where seed = '{0}')"
        if known
        else "0, 0, 0"
    )
    rows = "select '{0}', count(*) filter (where round = {1}), count(*) filter (where round <> {1}), {2} from {0}"
    selects = (rows.format(seed, number, ledger.format(seed)) for seed in _ROWS)
    return {seed: (now, then, *rest) for seed, now, then, *rest in sql(" union all ".join(selects), {})}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of run: how many parts are declared, whether the database is empty, what shares a transaction."""

    parts: int
    empty: bool
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Killing:
    """A project whose runs are killed, round by round."""

    folder: Folder
    sql: Sql
    url: str
    met: Counter[str]

    def prepare(self, number: int, kind: Kind) -> State:
        """Seeds that have moved on, or a database without rows and ledger; what is there."""
        if kind.empty:
            self.sql("drop schema if exists seedframe cascade; truncate makers, parts, notes, prices")
        self.folder.write({name: text.format(number=number, parts=kind.parts) for name, text in _SEEDS.items()})
        return _state(self.sql, number)

    def undisturbed_s(self, kind: Kind) -> float:
        """How long a run takes that nobody kills."""
        taken = []
        for number in range(3):
            self.prepare(number, kind)
            with victim(self._task(kind)) as process:
                started = time.monotonic()
                assert process.report()["exit_code"] == 0
                taken.append(time.monotonic() - started)
        return median(taken)

    def kill(self, number: int, kind: Kind, moment: Callable[[Victim], object]) -> None:
        """Kill a run at a moment; then each seed is there whole or not at all, and the next run converges."""
        before = self.prepare(number, kind)
        with victim(self._task(kind)) as process:
            moment(process)
            process.kill()
        _await(self.sql, f"not {_SEEN}")
        left = _state(self.sql, number)
        all_rows = {**_ROWS, "parts": kind.parts}
        whole = {seed: (rows, 0, before[seed][2] + 1, 1, 1) for seed, rows in all_rows.items()}
        done = [seed for seed in _ROWS if left[seed] == whole[seed]]
        assert left == {**before, **{seed: whole[seed] for seed in done}}
        assert done == list(_ROWS)[: len(done)], "a later seed without an earlier one"
        assert kind.transaction == "seed" or len(done) in (0, len(_ROWS)), "a part of what is one transaction"
        assert self.sql("select pid from pg_locks where locktype = 'advisory'") == []
        self.met[
            "before the first seed" if not done else "after the last" if len(done) == len(_ROWS) else "between"
        ] += 1
        self._converge()
        assert _state(self.sql, number) == whole

    def _converge(self) -> None:
        report = apply(self.folder)
        assert report.exit_code == 0, report.as_dict()
        report = apply(self.folder)
        assert (report.exit_code, report.summary.changed) == (0, 0), report.as_dict()

    def when_seen(self, phase: str, number: int, kind: Kind) -> Callable[[Victim], object]:
        """The moment at which a run's connection is seen in a phase, of any of its seeds; the end of the run, if it
        never is.
        """
        before = random.choice([None, *list(_ROWS)[:-1]]) if kind.transaction == "seed" else None
        there = f" and exists (select from {before} where round = {number})" if before is not None else ""
        return lambda process: _await(self.sql, f"{_SEEN[:-1]} and ({phase}){there})", unless=process.ended)

    def _task(self, kind: Kind) -> Task:
        return Task(self.folder.path, self.url, ApplyOptions(transaction=kind.transaction), _APPLICATION)


def _await(sql: Sql, condition: str, *, unless: Callable[[], bool] = lambda: False) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while sql(f"select {condition}") != [(True,)] and not unless():
        assert time.monotonic() < deadline, condition


def _after(seconds: float) -> Callable[[Victim], object]:
    return lambda _process: time.sleep(seconds)


@pytest.mark.promise(
    "kill -9 at any moment of an apply",
    "each seed is there whole or not at all, rows, ledger and audit trail alike; no lock stays, the next run goes on",
)
def test_a_run_killed_at_any_moment_leaves_each_seed_whole_or_not_at_all(
    project: ProjectFactory, sql: Sql, database: str, rounds: Callable[[int], int], tell: Figures
) -> None:
    sql(_TABLES)
    killing = Killing(project(), sql, database, Counter())
    kinds = [
        Kind(parts, empty, "run" if number == 2 else "seed")
        for number, parts in enumerate((_STAGED, _FEW, _FEW))
        for empty in (True, False)
    ]
    takes_s = {kind: killing.undisturbed_s(kind) for kind in kinds}
    phases = list(_PHASES.values())
    kills = rounds(100)
    for number in range(kills):
        kind = kinds[number % len(kinds)]
        seen = number % 3 == number // 6 % 3  # a third of them, of each kind
        phase = phases[number // 3 % len(phases)]
        after_s = random.uniform(0, takes_s[kind])
        moment = killing.when_seen(phase, number, kind) if seen else _after(after_s)
        killing.kill(number, kind, moment)
        assert Project.load(killing.folder.path).check_history().broken is None
    met = ", ".join(f"{count} {when}" for when, count in sorted(killing.met.items()))
    tell(f"{kills} kills ({met}), 0 violations")


_SLEEPS: Final = """
from seedframe import Change

WRITES = ["notes"]

def check(db):
    if db.scalar("select count(*) from notes") == 0:
        yield Change("other", {"notes": "all"})

def apply(db):
    db.execute("insert into notes values ('slow', 1)")
    db.execute("select pg_sleep(:seconds)", seconds=SECONDS)
"""


# A constraint that takes its time when the transaction is to end: those of the seed's own tables speak before COMMIT.
_SLOW_COMMIT: Final = """
create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep({seconds}); return null; end $$;
create constraint trigger slow after insert on seedframe.applied_seed deferrable initially deferred
    for each row execute function slow();
"""


@pytest.mark.promise(
    "kill -9 while the server is busy with a long statement of the run, or with COMMIT",
    "the server looks for its client each half second (PostgreSQL 14 or later): rolled back, and the lock is free soon",
)
@pytest.mark.parametrize("through", ["database", "pooled"])
@pytest.mark.parametrize("statement", ["SELECT", "COMMIT"])
def test_a_run_killed_in_a_long_statement_gives_its_lock_back(
    statement: str, through: str, project: ProjectFactory, sql: Sql, request: pytest.FixtureRequest
) -> None:
    sql(_TABLES)
    url = request.getfixturevalue(through)
    seconds = 10 * _PATIENCE_S
    slow = seconds if statement == "SELECT" else 0
    folder = project({"seeds/10_slow.py": f"SECONDS = {slow}\n{_SLEEPS}"})
    if statement == "COMMIT":
        applied(folder)
        sql("delete from notes; delete from seedframe.applied_seed")
        sql(_SLOW_COMMIT.format(seconds=seconds))
    with victim(Task(folder.path, url)) as process:
        _await(
            sql,
            f"exists (select from pg_stat_activity where query ~* '^{statement}'"
            " and wait_event = 'PgSleep' and datname = current_database())",
        )
        assert sql("select count(*) from pg_locks where locktype = 'advisory'") == [(1,)]
        process.kill()
    _await(sql, "not exists (select from pg_locks where locktype = 'advisory')")
    assert sql("select * from notes") == []
    assert sql("select * from seedframe.applied_seed") == []
    sql("drop trigger if exists slow on seedframe.applied_seed")
    folder.write({"seeds/10_slow.py": f"SECONDS = 0\n{_SLEEPS}"})
    assert applied(folder).exit_code == 0
    assert sql("select * from notes") == [("slow", 1)]
