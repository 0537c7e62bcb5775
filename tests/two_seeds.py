"""A small project of two seeds behind a proxy, and whether what a run said of it is what is in the database."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import pytest

from seedframe.report import Report, Status
from tests.conftest import Folder, ProjectFactory, Sql
from tests.proxy import Break, Message, Proxy, proxied
from tests.running import apply
from tests.servers import Server

Query: TypeAlias = Callable[[str], list[tuple[Any, ...]]]

_DONE: Final = (Status.CHANGED, Status.IN_SYNC)

TABLES: Final = "create table items (sku text primary key, n int); create table log (n int)"

# The value is new in each round, so that each round has something to do; the log would tell of what was done twice.
SEEDS: Final = {
    "seeds/10_first.py": """
from seedframe import Change, Rows, Setting

WRITES = ["log"]
SETTINGS = [Setting("SEED_VALUE", int)]

def resources(settings):
    yield Rows("items", key="sku", rows=[{"sku": "first", "n": settings["SEED_VALUE"]}])

def check(db, settings):
    if not db.scalar("select count(*) from log where n = :n", n=settings["SEED_VALUE"]):
        yield Change("create", {"n": str(settings["SEED_VALUE"])})

def apply(db, settings, plan):
    db.execute("insert into log (n) values (:n)", n=settings["SEED_VALUE"])
""",
    "seeds/20_second.py": """
from seedframe import Rows, Setting

SETTINGS = [Setting("SEED_VALUE", int)]

def resources(settings):
    yield Rows("items", key="sku", rows=[{"sku": "second", "n": settings["SEED_VALUE"]}])
""",
}
LABELS: Final = ("10_first", "20_second")


class Rig:
    """The project, its database behind the proxy, and what is in it."""

    def __init__(
        self, folder: Folder, sql: Callable[[str], list[tuple[Any, ...]]], proxy: Proxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self.sql = sql
        self.proxy = proxy
        self._monkeypatch = monkeypatch
        self._value = 0

    def start(self, *, empty: bool) -> None:
        """Give the seeds something to do: on a database without a ledger, or on one that was seeded before."""
        self._value += 1
        self._monkeypatch.setenv("SEED_VALUE", str(self._value))
        if empty:
            self.sql("drop schema if exists seedframe cascade; truncate items, log")

    def done(self) -> dict[str, bool]:
        """Which seeds are done, by what is in the database once no backend is at work any more."""
        while self.sql(
            "select true from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        ):
            time.sleep(0.005)
        value = self._value
        rows = {sku for (sku,) in self.sql(f"select sku from items where n = {value}")}
        ((logged,),) = self.sql(f"select count(*) from log where n = {value}")
        assert logged == ("first" in rows), "one seed, of which a part was done, or twice"
        return {label: label.partition("_")[2] in rows for label in LABELS}

    def recorded(self) -> dict[str, int]:
        """How often the ledger says that each seed was changed, in runs of the present ledger."""
        if self.sql("select to_regclass('seedframe.outcome')") == [(None,)]:
            return dict.fromkeys(LABELS, 0)
        counted = dict(self.sql("select seed, count(*) from seedframe.outcome where status = 'changed' group by 1"))
        return {label: counted.get(label, 0) for label in LABELS}

    def undisturbed(self, *, empty: bool) -> list[Message]:
        """The messages of an apply that nothing happens to."""
        for _ in range(2):  # the first makes the ledger
            self.start(empty=empty)
            self.proxy.break_at(None)
            assert apply(self.folder).exit_code == 0
        return list(self.proxy.messages)

    def round(
        self, where: Break, *, empty: bool, wait_s: float = 0.0, then: Callable[[], None] = lambda: None
    ) -> Report:
        """One round: apply, with something happening there; look; go on without that; look again.

        Args:
            then: is to be over before one can look.
        """
        self.start(empty=empty)
        before = dict.fromkeys(LABELS, 0) if empty else self.recorded()
        self.proxy.break_at(where)
        report = apply(self.folder, wait_s=wait_s)
        self.proxy.break_at(None)
        then()
        self._check(report, before)
        again = apply(self.folder)
        assert again.exit_code == 0, again.as_dict()
        assert all(self.done().values())
        assert self.recorded() == {label: count + 1 for label, count in before.items()}, "done twice, or never"
        return report

    def _check(self, report: Report, before: dict[str, int]) -> None:
        """What the report says is what is there."""
        done = self.done()
        recorded = {label: count - before[label] for label, count in self.recorded().items()}
        assert recorded == {label: int(there) for label, there in done.items()}, "the ledger and the rows disagree"
        for outcome in report.seeds:
            if outcome.status in _DONE:
                assert done[outcome.seed], f"{outcome.seed} is reported as done, and is not there"
            elif report.error is None or "outcome is not known" not in report.error.message:
                assert not done[outcome.seed], f"{outcome.seed} is reported as {outcome.status}, and is there"
        if report.exit_code == 0:
            assert all(done.values())
        else:
            assert (report.exit_code, report.error is None) == (3, False), report.as_dict()


@contextmanager
def rigged(project: ProjectFactory, sql: Sql, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """The project over a connection that can be cut."""
    sql(TABLES)
    with proxied(server.socket_dir) as (relay, folder):
        ((name,),) = sql("select current_database()")
        monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/{name}?host={folder}")
        yield Rig(project(SEEDS), sql, relay, monkeypatch)
