"""Saved plans of generated projects: what did not move is made as planned, and whatever moved is noticed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, verify
from tests.test_saved_plans import make, plan, refused

Row = dict[str, str | None]
Mode = Literal["insert", "upsert", "sync"]

TABLES = """
create table things (id int generated always as identity (start with 50) primary key, k text unique not null, v text,
    free text);
create table users (k text primary key, v text, thing int references things)
"""

SEEDS = {
    "seeds/10_things.py": """
from seedframe import Rows

def resources(config):
    yield Rows("things", key="k", mode=config["mode"], file="data/things.json", initial=["free"])
""",
    "seeds/20_users.py": """
from seedframe import Rows, Setting, column, ref

SETTINGS = [Setting("SEED_V", str, default="x")]

def resources(config, settings):
    yield Rows("users", key="k", mode=config["mode"], file="data/users.json", initial={"v": settings["SEED_V"]},
               refs={"thing": ref("things", k=column("t"))})
""",
}

_TEXTS = st.sampled_from(["", "a", "b", "é'\"\\", "{NULL}", "1\n2"])
_CELLS = st.none() | _TEXTS
_KEYS = st.sampled_from(["k1", "k2", "k3", "k4", "K1"])
_MODES: st.SearchStrategy[Mode] = st.sampled_from(["insert", "upsert", "sync"])


@dataclass(frozen=True, slots=True)
class Case:
    """Declared things and users, by key, and the things that are there."""

    modes: tuple[Mode, Mode]
    things: dict[str, tuple[str | None, str | None]]
    users: dict[str, str]
    there: dict[str, str | None]
    applied: bool


@st.composite
def cases(draw: st.DrawFn) -> Case:
    things = draw(st.dictionaries(_KEYS, st.tuples(_CELLS, _CELLS), min_size=1, max_size=4))
    users = draw(st.dictionaries(_KEYS, st.sampled_from(sorted(things)), min_size=1, max_size=3))
    return Case(
        (draw(_MODES), draw(_MODES)),
        things,
        users,
        draw(st.dictionaries(_KEYS, _CELLS, max_size=4)),
        draw(st.booleans()),
    )


def lay_out(case: Case, folder: Folder, sql: Sql) -> None:
    sql("drop schema if exists seedframe cascade; drop table if exists users, things")
    sql(TABLES)
    tables = "".join(
        f'[seeds.{name}]\nmode = "{mode}"\n' for name, mode in zip(("things", "users"), case.modes, strict=True)
    )
    folder.write(
        {
            "seedframe.toml": f'[project]\nname = "shop"\n{tables}',
            **SEEDS,
            "seeds/data/things.json": json.dumps([{"k": k, "v": v, "free": f} for k, (v, f) in case.things.items()]),
            "seeds/data/users.json": json.dumps([{"k": k, "t": t} for k, t in case.users.items()]),
        }
    )
    if case.applied:
        assert apply(folder).exit_code == 0
    for key, value in case.there.items():
        sql("insert into things (k, v) values (%s, %s) on conflict (k) do update set v = excluded.v", [key, value])


def state(sql: Sql) -> list[tuple[Any, ...]]:
    return sql("select k, v, free, null from things union all select u.k, u.v, null, t.k from users u"
               " left join things t on t.id = thing order by 1, 2, 3, 4")  # fmt: skip


FEW = settings(
    max_examples=8, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def folder(project: ProjectFactory) -> Folder:
    return project()


@FEW
@given(case=cases())
def test_what_did_not_move_is_made_as_planned(folder: Folder, sql: Sql, case: Case) -> None:
    lay_out(case, folder, sql)
    planned = json.loads(plan(folder).read_text(encoding="utf-8"))["seeds"]
    report = make(folder)
    assert report.exit_code == 0, report.as_dict()
    assert [each["shown"]["counts"] for seed in planned for each in seed["resources"]] == [
        each["counts"] for seed in report.as_dict()["seeds"] for each in seed["resources"]
    ]
    assert verify(folder).exit_code == 0
    assert "was applied by run" in refused(folder)[0]


def _edit(name: str, change: Callable[[list[Row]], object]) -> Callable[[Folder, Sql, Case], object]:
    def edit(folder: Folder, _sql: Sql, _case: Case) -> None:
        path = folder.path / "seeds/data" / name
        rows = json.loads(path.read_text(encoding="utf-8"))
        change(rows)
        path.write_text(json.dumps(rows), encoding="utf-8")

    return edit


def _managed_cell(_folder: Folder, sql: Sql, case: Case) -> None:
    key = min(case.things)
    if case.modes[0] != "insert":
        sql("insert into things (k, v) values (%s, 'moved') on conflict (k) do update set v = 'moved'", [key])
    elif sql("select from things where k = %s", [key]):  # which rows are there is all that matters then
        sql("update users set thing = null")
        sql("delete from things where k = %s", [key])
    else:
        sql("insert into things (k) values (%s)", [key])


def _gone_or_there(_folder: Folder, sql: Sql, case: Case) -> None:
    key = min(case.users)
    if sql("select from users where k = %s", [key]):
        sql("delete from users where k = %s", [key])
    else:
        sql("insert into users (k, thing) select %s, null", [key])


MOVES: dict[str, Callable[[Folder, Sql, Case], object]] = {
    "a managed cell, or a row": _managed_cell,
    "a declared row that was there or not": _gone_or_there,
    "a managed cell of a file": _edit("things.json", lambda rows: rows[-1].update(v="moved")),
    "an initial cell of a file": _edit("things.json", lambda rows: rows[0].update(free="moved")),
    "a row of a file": _edit("things.json", lambda rows: rows.append({"k": "k9", "v": None, "free": None})),
    "a reference of a file": _edit("users.json", lambda rows: rows.append({"k": "k9", "t": rows[0]["t"]})),
    "the code": lambda folder, _sql, _case: folder.write({"seeds/20_users.py": SEEDS["seeds/20_users.py"] + "\n"}),
}


@FEW
@given(case=cases(), what=st.sampled_from(sorted(MOVES)))
def test_whatever_moved_is_noticed_and_nothing_is_written(folder: Folder, sql: Sql, case: Case, what: str) -> None:
    lay_out(case, folder, sql)
    plan(folder)
    MOVES[what](folder, sql, case)
    before = state(sql)
    assert refused(folder)
    assert state(sql) == before


@settings(FEW, max_examples=3)
@given(case=cases(), value=_TEXTS)
def test_a_setting_that_moved_is_noticed(
    folder: Folder, sql: Sql, case: Case, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(case, folder, sql)
    plan(folder)
    with monkeypatch.context() as patch:
        patch.setenv("SEED_V", "moved" + value)
        assert refused(folder) == ["setting SEED_V of seed 20_users changed since the plan was made (make a new plan)"]
    assert make(folder).exit_code == 0
