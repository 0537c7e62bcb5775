"""A connection that ends while a saved plan is applied: all of the plan is made, once, or nothing of it."""

from collections.abc import Callable, Iterator

import pytest

from seedframe.errors import PlanRefused
from tests.conftest import ProjectFactory, Sql
from tests.figures import Figures
from tests.proxy import places
from tests.servers import Server
from tests.test_saved_plans import make, plan
from tests.two_seeds import Rig, rigged


@pytest.fixture
def rig(project: ProjectFactory, sql: Sql, server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with rigged(project, sql, server, monkeypatch) as made:
        yield made


def fresh_plan(rig: Rig) -> None:
    rig.start(empty=False)
    rig.proxy.break_at(None)
    plan(rig.folder)
    rig.proxy.break_at(None)


@pytest.mark.promise(
    "the connection is cut while a saved plan is applied",
    "all of it is made, once, or nothing of it; the plan says which",
)
def test_a_plan_is_made_once_or_not_at_all_wherever_the_connection_ends(
    rig: Rig, rounds: Callable[[int], int], tell: Figures
) -> None:
    for _ in range(2):  # the first makes the ledger
        fresh_plan(rig)
        assert make(rig.folder).exit_code == 0
    messages = list(rig.proxy.messages)
    chosen = [*places(messages, rounds(10)), *places(messages, rounds(6), text="COMMIT")]
    mended = 0
    for where in chosen:
        fresh_plan(rig)
        rig.proxy.break_at(where)
        code = make(rig.folder).exit_code
        rig.proxy.break_at(None)
        done = set(rig.done().values())
        assert len(done) == 1, "a part of a plan was made"
        assert code == 3 or done == {True}, where
        mended += code == 0
        if done == {True}:
            with pytest.raises(PlanRefused, match="was applied by run"):
                make(rig.folder)
        else:
            assert make(rig.folder).exit_code == 0
    ((plans, entries),) = rig.sql(
        "select (select count(*) from seedframe.applied_plan),"
        " (select count(*) from seedframe.outcome where status = 'changed')"
    )
    assert (plans, entries) == (len(chosen) + 2, 2 * (len(chosen) + 2)), "made twice, or not recorded"
    tell(f"{len(chosen)} cuts while a plan is applied, {mended} mended, 0 violations")
