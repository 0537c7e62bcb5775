"""A connection that ends at any message of an apply: what is reported is true, and the next run has the rest to do."""

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, get_args

import pytest

from seedframe.report import Report, Status
from tests.conftest import Folder, ProjectFactory, Sql
from tests.figures import Figures
from tests.proxy import Break, Direction, Message, Moment, Proxy, proxied
from tests.running import apply, dry_run, verify
from tests.servers import Server

_DONE: Final = (Status.CHANGED, Status.IN_SYNC)

# The value is new in each round, so that each round has something to do; the log would tell of what was done twice.
SEEDS: Final = {
    "seeds/10_first.py": """
from seedframe import Change, Rows, Setting

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
DIRECTIONS: Final[tuple[Direction, ...]] = get_args(Direction)
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)
LABELS: Final = ("10_first", "20_second")


@pytest.fixture
def proxy(server: Server) -> Iterator[tuple[Proxy, Path]]:
    with proxied(server.socket_dir) as relay:
        yield relay


class Rig:
    """The project, its database behind the proxy, and what is in it."""

    def __init__(self, folder: Folder, sql: Sql, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.fixture
def rig(
    project: ProjectFactory, sql: Sql, proxy: tuple[Proxy, Path], database: str, monkeypatch: pytest.MonkeyPatch
) -> Rig:
    sql("create table items (sku text primary key, n int); create table log (n int)")
    relay, folder = proxy
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@/{database.split('/')[3].split('?')[0]}?host={folder}")
    return Rig(project(SEEDS), sql, relay, monkeypatch)


def undisturbed(rig: Rig, *, empty: bool) -> list[Message]:
    """The messages of an apply that nothing happens to."""
    for _ in range(2):  # the first makes the ledger
        rig.start(empty=empty)
        rig.proxy.break_at(None)
        assert apply(rig.folder).exit_code == 0
    return list(rig.proxy.messages)


def check(rig: Rig, report: Report, before: dict[str, int]) -> None:
    """What the report says is what is there."""
    done = rig.done()
    recorded = {label: count - before[label] for label, count in rig.recorded().items()}
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


def cut(rig: Rig, where: Break, *, empty: bool) -> Report:
    """One round: cut, look, go on without the proxy's doing, look again."""
    rig.start(empty=empty)
    before = dict.fromkeys(LABELS, 0) if empty else rig.recorded()
    rig.proxy.break_at(where)
    report = apply(rig.folder)
    rig.proxy.break_at(None)
    check(rig, report, before)
    again = apply(rig.folder)
    assert again.exit_code == 0, again.as_dict()
    assert all(rig.done().values())
    assert rig.recorded() == {label: count + 1 for label, count in before.items()}, "done twice, or never"
    return report


@pytest.mark.promise(
    "the connection is cut at any message of an apply",
    "what it reports is what is in the database; the next run does what is left, and nothing twice",
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty database", "seeded database"])
def test_a_connection_may_end_at_any_message(
    empty: bool, rig: Rig, rounds: Callable[[int], int], tell: Figures
) -> None:
    messages = undisturbed(rig, empty=empty)
    places: list[Break] = []
    for direction in DIRECTIONS:
        count = sum(message.direction == direction for message in messages)
        places += [Break(direction, number, when) for number in range(1, count + 1) for when in MOMENTS]
    chosen = places if (size := rounds(30)) >= len(places) else random.sample(places, size)
    ends = [cut(rig, where, empty=empty).exit_code for where in chosen]
    tell(f"{len(chosen)} cuts at one of {len(messages)} messages, {ends.count(0)} mended, 0 violations")


@pytest.mark.promise(
    "the connection is cut before or after COMMIT, or its answer", "no seed is lost, and none is applied twice"
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty database", "seeded database"])
def test_a_connection_may_end_round_commit(empty: bool, rig: Rig, tell: Figures) -> None:
    ending = {
        direction: sum(message.direction == direction and message.text == "COMMIT" for message in found)
        for found in [undisturbed(rig, empty=empty)]
        for direction in DIRECTIONS
    }
    assert ending["to server"] == ending["to client"] >= 4  # the run's beginning, two seeds, the run's end
    places = [
        Break(direction, number, when, text="COMMIT")
        for direction, count in ending.items()
        for number in range(1, count + 1)
        for when in MOMENTS
    ]
    ends = [cut(rig, where, empty=empty).exit_code for where in places]
    tell(f"{len(ends)} cuts round COMMIT, {ends.count(0)} mended, 0 violations")


@pytest.mark.promise(
    "the connection is cut while it only reads", "it connects again and reads all of it anew, from one snapshot"
)
@pytest.mark.parametrize("read", [verify, dry_run], ids=["verify", "dry run"])
def test_a_read_survives_a_cut(
    read: Callable[[Folder], Report], rig: Rig, rounds: Callable[[int], int], tell: Figures
) -> None:
    undisturbed(rig, empty=False)
    rig.proxy.break_at(None)
    expected = read(rig.folder)
    messages = list(rig.proxy.messages)
    # Until the run's first own statement it is still connecting, which is tried again only within --wait.
    ready = next(number for number, message in enumerate(messages) if message.text.startswith("BEGIN ISOLATION"))
    greeting = {d: sum(message.direction == d for message in messages[:ready]) for d in DIRECTIONS}
    places = [
        Break(direction, number, when)
        for direction in DIRECTIONS
        for number in range(1, sum(message.direction == direction for message in messages) + 1)
        for when in MOMENTS
    ]
    chosen = places if (size := rounds(10)) >= len(places) else random.sample(places, size)
    for where in chosen:
        rig.proxy.break_at(where)
        report = read(rig.folder)
        if where.number <= greeting[where.direction]:
            assert report.exit_code in (0, 3), where
        else:
            assert (report.exit_code, len(report.seeds)) == (0, 2), (where, report.as_dict())
            assert report.summary == expected.summary
    tell(f"{len(chosen)} cuts at one of {len(messages)} messages, 0 noticed by the user")
