"""A connection that ends at any message of an apply: what is reported is true, and the next run has the rest to do."""

from collections.abc import Callable, Iterator

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.figures import Figures
from tests.proxy import DIRECTIONS, Direction, Message, places
from tests.running import dry_run, verify
from tests.servers import Server
from tests.two_seeds import Rig, rigged


@pytest.fixture
def rig(project: ProjectFactory, sql: Sql, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with rigged(project, sql, server, monkeypatch) as made:
        yield made


def greetings(messages: list[Message]) -> dict[Direction, int]:
    """How many messages go each way until the run's first own statement.

    Until then it is still connecting, which is tried again only within --wait.
    """
    ready = next(number for number, message in enumerate(messages) if message.text.startswith("BEGIN ISOLATION"))
    return {d: sum(message.direction == d for message in messages[:ready]) for d in DIRECTIONS}


@pytest.mark.promise(
    "the connection is cut at any message of an apply",
    "it connects again, asks what became of a COMMIT, and does what is left: all is applied, and nothing twice",
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty database", "seeded database"])
def test_a_connection_may_end_at_any_message(
    empty: bool, rig: Rig, rounds: Callable[[int], int], tell: Figures
) -> None:
    messages = rig.undisturbed(empty=empty)
    chosen = places(messages, rounds(20))
    greeting = greetings(messages)
    ends = []
    for where in chosen:
        ends.append(rig.round(where, empty=empty).exit_code)
        assert ends[-1] == 0 or where.number <= greeting[where.direction], where
    tell(f"{len(chosen)} cuts at one of {len(messages)} messages, {ends.count(0)} mended, 0 violations")


@pytest.mark.promise(
    "the connection is cut before or after COMMIT, or its answer", "no seed is lost, and none is applied twice"
)
@pytest.mark.parametrize("empty", [True, False], ids=["empty database", "seeded database"])
def test_a_connection_may_end_round_commit(empty: bool, rig: Rig, tell: Figures) -> None:
    messages = rig.undisturbed(empty=empty)
    chosen = places(messages, len(messages), text="COMMIT")
    assert len(chosen) >= 16  # before and after each COMMIT and its answer: the run's beginning and end, two seeds
    ends = [rig.round(where, empty=empty).exit_code for where in chosen]
    assert set(ends) == {0}
    tell(f"{len(ends)} cuts round COMMIT, {ends.count(0)} mended, 0 violations")


@pytest.mark.promise(
    "the connection is cut while it only reads", "it connects again and reads all of it anew, from one snapshot"
)
@pytest.mark.parametrize("read", [verify, dry_run], ids=["verify", "dry run"])
def test_a_read_survives_a_cut(
    read: Callable[[Folder], Report], rig: Rig, rounds: Callable[[int], int], tell: Figures
) -> None:
    rig.undisturbed(empty=False)
    rig.proxy.break_at(None)
    expected = read(rig.folder)
    messages = list(rig.proxy.messages)
    greeting = greetings(messages)
    chosen = places(messages, rounds(6))
    for where in chosen:
        rig.proxy.break_at(where)
        report = read(rig.folder)
        if where.number <= greeting[where.direction]:
            assert report.exit_code in (0, 3), where
        else:
            assert (report.exit_code, len(report.seeds)) == (0, 2), (where, report.as_dict())
            assert report.summary == expected.summary
    tell(f"{len(chosen)} cuts at one of {len(messages)} messages, 0 noticed by the user")
