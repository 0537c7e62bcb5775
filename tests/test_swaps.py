# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""Unique values that move from row to row: chains work in any order, exchanges where the constraint can wait."""

import json
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error

SEED = """
import json
from seedframe import Rows

def resources(seed):
    yield Rows("things", key="id", rows=json.loads((seed.files / "rows.json").read_text()))
"""


def declare(folder: Folder, codes: dict[int, str | None]) -> Folder:
    rows = [{"id": number, "code": code} for number, code in codes.items()]
    folder.write({"seeds/10_x.py": SEED, "seeds/rows.json": json.dumps(rows)})
    return folder


KINDS = {
    "constraint": "create table things (id int primary key, code text unique)",
    "nulls not distinct": "create table things (id int primary key, code text unique nulls not distinct)",
    "expression": "create table things (id int primary key, code text); create unique index on things (lower(code))",
    "partial": "create table things (id int primary key, code text); create unique index on things (code) where code <> ''",
    "composite": "create table things (id int primary key, code text, other int default 1, unique (other, code))",
    "exclusion": "create table things (id int primary key, code text, exclude using btree (code with =))",
    "partitioned": "create table things (id int primary key, code text) partition by range (id); create table p partition of things (unique (code)) for values from (0) to (100000)",
}


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    """One of KINDS that this server has."""
    if request.param == "nulls not distinct":
        request.getfixturevalue("nulls")
    return str(request.param)


@pytest.mark.parametrize("kind", KINDS, indirect=True)
@pytest.mark.trap(
    "a unique value that moves from one row to the next, and so on", "written in an order in which it is free"
)
def test_chains(kind: str, project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS[kind])
    folder = declare(project(), {n: f"c{n}" for n in range(20)})
    applied(folder)
    for step in (1, -1, 7):
        declare(folder, {n: f"c{n + step}" for n in range(20)})
        assert counts(dry_run(folder)) == (0, 20, 0, 0)
        assert counts(applied(folder)) == (0, 20, 0, 0)
        declare(folder, {n: f"c{n}" for n in range(20)})
        applied(folder)


@pytest.mark.parametrize("number", [300, 6_000], ids=["parameters", "staged"])
def test_a_long_chain_in_no_order(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS["constraint"])
    places = list(range(number))
    random.Random(4).shuffle(places)
    moved = 200
    folder = declare(project(), {n: f"c{place}" for n, place in enumerate(places)})
    applied(folder)
    declare(folder, {n: f"c{place + 1 if place >= number - moved else place}" for n, place in enumerate(places)})
    assert counts(applied(folder)) == (0, moved, 0, number - moved)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "composite"], indirect=True)
@pytest.mark.trap(
    "rows that exchange unique values, checked row by row", "refused: the constraint is to be made DEFERRABLE"
)
def test_an_exchange_is_refused(kind: str, project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS[kind])
    folder = declare(project(), {1: "a", 2: "b", 3: "c"})
    applied(folder)
    declare(folder, {1: "b", 2: "a", 3: "d"})
    told = error(apply(folder))
    assert told.startswith("constraint: rows:things row 1 (id=1): ")
    assert "\n" not in told
    assert "DEFERRABLE" in told
    if kind == "constraint":
        assert "takes a value over from rows:things row 2 (id=2)" in told
    assert sql("select id, code from things order by id") == [(1, "a"), (2, "b"), (3, "c")]


@pytest.mark.parametrize("when", ["immediate", "deferred"])
@pytest.mark.trap(
    "rows that exchange unique values of a deferrable constraint", "written; it is checked before the seed ends"
)
def test_an_exchange_under_a_deferrable_constraint(when: str, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create table things (id int primary key, code text unique deferrable initially {when})")
    folder = declare(project(), {1: "a", 2: "b", 3: "c"})
    applied(folder)
    declare(folder, {1: "b", 2: "a", 3: "d", 4: "c"})
    assert counts(applied(folder)) == (1, 3, 0, 0)


def test_a_value_that_another_row_keeps_is_refused_by_the_row_that_takes_it(project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS["constraint"] + "; insert into things values (99, 'z')")
    folder = declare(project(), {1: "a", 2: "b", 3: "c"})
    applied(folder)
    declare(folder, {1: "b", 2: "c", 3: "z"})
    assert error(apply(folder)).startswith(
        "constraint: rows:things row 3 (id=3): the unique constraint things_code_key refused a row"
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=st.lists(st.sampled_from("abcdefgh"), min_size=5, max_size=5, unique=True),
    after=st.lists(st.sampled_from("abcdefgh"), min_size=5, max_size=5, unique=True),
    kind=st.sampled_from(["constraint", "expression"]),
)
def test_whatever_moves_is_written_or_exchanged(
    before: list[str], after: list[str], kind: str, project: ProjectFactory, sql: Sql
) -> None:
    sql("drop schema if exists seedframe cascade; drop table if exists things;" + KINDS[kind])
    folder = declare(project(), dict(enumerate(before)))
    applied(folder)
    declare(folder, dict(enumerate(after)))
    report = apply(folder)
    target = {was: now for was, now in zip(before, after, strict=True) if was != now}

    def in_a_circle(code: str) -> bool:
        seen, at = set(), code
        while at in target and at not in seen:
            seen.add(at)
            at = target[at]
        return at == code

    assert (report.exit_code == 1) == any(in_a_circle(code) for code in target)
