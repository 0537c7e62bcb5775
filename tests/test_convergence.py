"""Apply, then check, is empty: generated rows of many types, in front of generated rows that are there already."""

import json
import os
import string
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql as compose

from seedframe.changes import Verdict
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import apply, counts, dry_run, only, verify

EXAMPLES = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "60"))

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SEPARATED = st.text(st.sampled_from("a\x1f\x1e\x1d\t\n\r\\'\",{}% "), max_size=6)

# Type, and texts that PostgreSQL reads as values of it, several of them equal in some sense and different in another.
COLUMNS: dict[str, st.SearchStrategy[str]] = {
    "text": TEXTS | SEPARATED,
    "varchar(5)": TEXTS.map(lambda text: text[:5]),
    "char(4)": st.text(string.ascii_letters + " ", max_size=4),
    "integer": st.integers(-(2**31), 2**31 - 1).map(str),
    "bigint": st.integers(-(2**63), 2**63 - 1).map(str),
    "numeric": st.sampled_from(["1.5", "1.50", "NaN", "1e3", "1000", "0", "-0.0"])
    | st.decimals(allow_nan=False, allow_infinity=False).map(str),
    "numeric(6,2)": st.decimals(-9999, 9999, allow_nan=False).map(str),
    "double precision": st.sampled_from(["NaN", "-0", "0", "Infinity"]) | st.floats(allow_nan=False).map(repr),
    "real": st.sampled_from(["0.1", "1e-40", "NaN", "-0"]),
    "boolean": st.sampled_from(["t", "false", "yes", "0"]),
    "date": st.dates().map(str) | st.just("infinity"),
    "timestamptz": st.sampled_from(["2024-03-31 02:30+02", "2024-03-31 00:30Z", "epoch", "infinity", "0044-03-15 BC"]),
    "timestamp(0)": st.datetimes().map(str),
    "interval": st.sampled_from(["1 mon", "30 days", "720:00", "1 day -00:00:01", "-1 year", "PT5M"]),
    "time": st.times().map(str),
    "uuid": st.uuids().map(str),
    "bytea": st.binary(max_size=6).map(lambda data: "\\x" + data.hex()),
    "jsonb": st.sampled_from(['{"a": 1, "b": 2}', '{"b": 2, "a": 1}', "1.0", "1.00", '"x"', "null", "[]"]),
    "json": st.sampled_from(['{"a": 1}', '{"a":1}', "null", '{"a": 1, "a": 2}']),
    "money": st.sampled_from(["1.5", "$1.50", "-2"]),
    "bit(3)": st.text("01", min_size=3, max_size=3),
    "varbit": st.text("01", max_size=5),
    "inet": st.sampled_from(["10.0.0.1", "10.0.0.1/32", "10.0.0.1/8", "::1"]),
    "macaddr": st.sampled_from(["08:00:2b:01:02:03", "08002b-010203"]),
    "point": st.sampled_from(["(1,2)", "(-0,0)", "(1e300,NaN)"]),
    "box": st.sampled_from(["(1,2),(3,4)", "(3,4),(1,2)"]),
    "path": st.sampled_from(["[(1,2),(3,4)]", "((1,2),(3,4))"]),
    "xml": st.sampled_from(["<a/>", "<a></a>", "text"]),
    "tsvector": st.sampled_from(["a:1 b:2", "b:2 a:1", "'a'"]),
    "int4range": st.sampled_from(["[1,5)", "(0,4]", "empty", "(,)"]),
    "int[]": st.sampled_from(["{1,2}", "{}", "{NULL}", "[2:3]={1,2}", "{{1},{2}}"]),
    "text[]": st.sampled_from(['{"a,b",NULL,"NULL"}', "{}", '{"\\\\"}', '{""}']),
    "numeric[]": st.sampled_from(["{1.5}", "{1.50}"]),
    "mood": st.sampled_from(["sad", "ok", "glad"]),
    "positive": st.integers(1, 9).map(str),
    "pair": st.sampled_from(['(1,a)', '(1,"a,b")', "(,)"]),
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A table's columns, what is declared, and what is there before."""

    types: tuple[str, ...]
    declared: tuple[dict[str, str | None], ...]
    existing: tuple[dict[str, str | None], ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    types = tuple(draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4)))

    def row(key: int) -> st.SearchStrategy[dict[str, str | None]]:
        cells: dict[str, Any] = {f"c{n}": st.none() | COLUMNS[kind] for n, kind in enumerate(types)}
        return st.fixed_dictionaries({"id": st.just(str(key)), **cells})

    declared = draw(st.lists(st.integers(1, 8), unique=True, min_size=1))
    existing = draw(st.lists(st.integers(1, 10), unique=True))
    return Case(types, tuple(draw(row(key)) for key in declared), tuple(draw(row(key)) for key in existing))


SEED = """
import json
from seedframe import Rows

def resources(seed):
    rows = json.loads((seed.files / "rows.json").read_text())
    yield Rows("things", key="id", rows=rows)
"""


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql(
        "create type mood as enum ('sad', 'ok', 'glad'); create domain positive as int check (value > 0);"
        " create type pair as (a int, b text)"
    )
    return project({"seeds/10_things.py": SEED})


@pytest.fixture
def connection(connect: Connect) -> psycopg.Connection[Any]:
    return connect()


def make(connection: psycopg.Connection[Any], case: Case) -> None:
    columns = "".join(f", c{n} {kind}" for n, kind in enumerate(case.types))
    connection.execute("drop schema if exists seedframe cascade; drop table if exists things")
    connection.execute(f"create table things (id int primary key{columns})".encode())
    for row in case.existing:
        names = compose.SQL(", ").join([compose.Identifier(name) for name in row])
        values = compose.SQL(", ").join([compose.Literal(value) for value in row.values()])
        connection.execute(compose.SQL("insert into things ({}) values ({})").format(names, values))


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=cases())
def test_apply_then_check_is_empty(case: Case, folder: Folder, connection: psycopg.Connection[Any]) -> None:
    make(connection, case)
    (folder.path / "seeds/rows.json").write_text(json.dumps(case.declared), encoding="utf-8")
    others = {str(row["id"]) for row in case.existing} - {str(row["id"]) for row in case.declared}
    undeclared = connection.execute(
        "select t::text, xmin::text from things t where id = any (%s)", [[int(key) for key in others]]
    ).fetchall()

    planned = dry_run(folder)
    report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    assert counts(report) == counts(planned)

    after = connection.execute("select t::text, xmin::text, ctid::text from things t order by id").fetchall()
    again = apply(folder)
    assert counts(again) == (0, 0, 0, len(case.declared)), again.as_dict()
    assert verify(folder).exit_code == 0
    assert connection.execute("select t::text, xmin::text, ctid::text from things t order by id").fetchall() == after
    assert (
        undeclared
        == connection.execute(
            "select t::text, xmin::text from things t where id = any (%s)", [[int(key) for key in others]]
        ).fetchall()
    )

    # Each cell of one declared row, changed by hand, is found with its verdict, key and column.
    key = case.declared[0]["id"]
    for number in range(len(case.types)):
        column = f"c{number}"
        connection.execute(f"create table was as select {column} as v from things where id = {key}".encode())
        changed = connection.execute(
            f"update things set {column} = case when {column} is null then o.v end"
            f" from (select (select {column} from things where {column} is not null limit 1) as v) o"
            f" where id = {key} and ({column} is not null or o.v is not null)".encode()
        ).rowcount
        found = only(verify(folder)).resources[0].changes
        if changed:
            assert [(change.key, list(change.before or {}), change.verdict) for change in found.sample] == [
                ({"id": key}, [column], Verdict.DRIFT)
            ]
        else:
            assert not found
        connection.execute(
            f"update things set {column} = (select v from was) where id = {key}; drop table was".encode()
        )
    assert verify(folder).exit_code == 0
