"""Removing rows, generated: what sync, prune and removed() leave behind, for any rows there and any rows declared."""

import json
import os
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Connect, Folder, ProjectFactory
from tests.running import apply, counts, dry_run, verify

EXAMPLES = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "60"))

CONDITIONS = [
    None,
    "a > 1",
    "b = 'x'",
    "a = 2 or b is null",
    "coalesce(c, 0) < 2",
    "exists (select 1 where a <> 3)",
    "false",
]

SEED = """
import json
from pathlib import Path
from seedframe import Rows, removed

CASE = json.loads(Path(__file__).with_name("case.json").read_text())

def resources():
    yield Rows(
        "things", key=["a", "b"], max_delete="100%", rows=CASE["declared"],
        transitions=[removed(key) for key in CASE["removed"]], **CASE["arguments"]
    )
"""


@dataclass(frozen=True)
class Case:
    """Rows that are there, rows that are declared, and how: rows are (a, b, c), the key is a and b."""

    there: dict[tuple[int, str], int | None]
    declared: dict[tuple[int, str], int | None]
    removed: tuple[tuple[int, str], ...]
    where: str | None


KEYS = st.tuples(st.integers(0, 4), st.sampled_from("xyz"))
ROWS = st.dictionaries(KEYS, st.none() | st.integers(0, 3), max_size=9)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    declared = draw(ROWS)
    removed = draw(st.lists(KEYS.filter(lambda key: key not in declared), max_size=2, unique=True))
    return Case(draw(ROWS), declared, tuple(removed), draw(st.sampled_from(CONDITIONS)))


@pytest.fixture
def folder(project: ProjectFactory) -> Folder:
    return project({"seeds/10_things.py": SEED})


@pytest.fixture
def connection(connect: Connect) -> psycopg.Connection[Any]:
    return connect()


def make(connection: psycopg.Connection[Any], case: Case) -> None:
    connection.execute(
        "drop schema if exists seedframe cascade; drop table if exists things;"
        " create table things (a int, b text, c int, primary key (a, b))"
    )
    for (a, b), c in case.there.items():
        connection.execute("insert into things values (%s, %s, %s)", [a, b, c])


def write(folder: Folder, case: Case, **arguments: object) -> None:
    document = {
        "declared": [{"a": a, "b": b, "c": c} for (a, b), c in case.declared.items()],
        "removed": [{"a": a, "b": b} for a, b in case.removed],
        "arguments": arguments,
    }
    (folder.path / "seeds/case.json").write_text(json.dumps(document), encoding="utf-8")


def there(connection: psycopg.Connection[Any], where: str = "true") -> dict[tuple[int, str], tuple[int | None, str]]:
    rows = connection.execute(f"select a, b, c, xmin::text from things where {where}".encode()).fetchall()
    return {(a, b): (c, xmin) for a, b, c, xmin in rows}


GENERATED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@GENERATED
@given(case=cases())
def test_after_sync_the_part_holds_exactly_what_is_declared(
    case: Case, folder: Folder, connection: psycopg.Connection[Any]
) -> None:
    make(connection, case)
    arguments = {"mode": "sync"} if case.where is None else {"mode": "sync", "where": case.where}
    write(folder, case, **arguments)
    condition = f"({case.where or 'true'}) is true"
    before, outside = there(connection), there(connection, f"not ({condition})")
    planned, done = dry_run(folder), apply(folder)
    assert (planned.exit_code, counts(planned)) == (done.exit_code, counts(done)), (planned.as_dict(), done.as_dict())
    after = there(connection)
    if done.exit_code:
        # A declared row is outside of the part: nothing was done at all.
        assert after == before
        assert done.seeds[0].error is not None
        assert "outside of the part" in done.seeds[0].error.message
        return
    assert {key: c for key, (c, _) in there(connection, condition).items()} == case.declared
    untouched = {key: row for key, row in outside.items() if key not in case.declared and key not in case.removed}
    assert {key: row for key, row in after.items() if key in untouched} == untouched
    unchanged = {key: row for key, row in before.items() if key in case.declared and row[0] == case.declared[key]}
    assert {key: row for key, row in after.items() if key in unchanged} == unchanged
    assert not set(case.removed) & set(after)
    assert counts(done)[2] == len(set(before) - set(after))
    again = apply(folder)
    assert again.summary.changed == 0, again.as_dict()
    assert there(connection) == after
    assert verify(folder).exit_code == 0


@GENERATED
@given(first=cases(), second=ROWS, third=ROWS, theirs=ROWS)
def test_prune_deletes_what_it_made_and_nobody_else_s(
    first: Case,
    second: dict[tuple[int, str], int | None],
    third: dict[tuple[int, str], int | None],
    theirs: dict[tuple[int, str], int | None],
    folder: Folder,
    connection: psycopg.Connection[Any],
) -> None:
    make(connection, first)
    owned: set[tuple[int, str]] = set()
    for number, declared in enumerate((first.declared, second, third)):
        if number == 2:
            # Somebody deletes all there is, and makes rows of their own, some of them with keys that were ours.
            connection.execute("delete from things")
            owned -= set(theirs) - owned
            for (a, b), c in theirs.items():
                connection.execute("insert into things values (%s, %s, %s)", [a, b, c])
            owned &= set(theirs)
        before = there(connection)
        write(folder, Case({}, declared, (), None), prune=True)
        planned, done = dry_run(folder), apply(folder)
        assert (planned.exit_code, counts(planned)) == (0, counts(done)), (planned.as_dict(), done.as_dict())
        after = there(connection)
        gone = owned - set(declared)
        assert set(before) - set(after) == gone
        assert set(after) == (set(before) - gone) | set(declared)
        owned = (owned - gone) | (set(declared) - set(before))
        kept = connection.execute("select (key ->> 'a')::int, key ->> 'b' from seedframe.owned_row").fetchall()
        assert set(kept) == owned
        assert apply(folder).summary.changed == 0
