"""Traps that other tools fell into, one test each, where no other module is about them."""

from collections.abc import Callable
from functools import partial

import pytest
from psycopg import sql as compose

from seedframe import Rows
from seedframe import sql as expression
from seedframe.changes import Verdict
from seedframe.database.catalog import Catalog
from seedframe.database.engine import open_target
from seedframe.database.hashes import row_fingerprint
from seedframe.project import Project
from tests import declaring
from tests.conftest import DEFAULT_CONFIG, Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify
from tests.servers import Server
from tests.types_catalogue import FAMILIES, Kind, available, offered, preparation


@pytest.fixture
def folder(project: ProjectFactory) -> Folder:
    return project({"seeds/10_x.py": declaring.SEED})


def declare(table: Callable[[], Rows]) -> None:
    declaring.declare(lambda: [table()])


@pytest.mark.trap(
    "a deferrable constraint cannot arbitrate a conflict", "it may be the key: rows are read, then written"
)
def test_a_deferrable_constraint_may_be_the_key(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text unique deferrable initially deferred, v int)")
    sql("insert into things values ('a', 1), ('b', 2)")
    rows = [{"code": "a", "v": 1}, {"code": "b", "v": 3}, {"code": "c", "v": 4}]
    declaring.declare(lambda: [Rows("things", key="code", rows=rows)])
    assert counts(applied(folder)) == (1, 1, 0, 1)


@pytest.mark.trap(
    "NOT NULL is checked before the conflict", "a row that is there is updated, whatever is left out of it"
)
def test_a_mandatory_column_may_be_left_out_of_rows_that_are_there(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, v int, must text not null)")
    sql("insert into things values ('a', 1, 'theirs')")
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": "a", "v": 2}])])
    assert counts(applied(folder)) == (0, 1, 0, 0)
    assert sql("select * from things") == [("a", 2, "theirs")]


@pytest.mark.trap("stored generated columns", "never compared or written; declaring one is an error")
def test_generated_columns_are_the_server_s(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, v int, twice int generated always as (v * 2) stored)")
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": "a", "v": 2}])])
    applied(folder)
    assert sql("select twice from things") == [(4,)]
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": "a", "v": 2, "twice": 4}])])
    for run in (dry_run, apply, verify):
        assert "column 'twice' of public.things is generated (leave it out)" in error(run(folder))


@pytest.mark.trap("volatile values", "sql() is for initial columns only; elsewhere it is an error")
def test_what_changes_with_every_run_is_written_once_or_refused(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, made timestamptz)")
    row = {"code": "a", "made": expression("clock_timestamp()")}
    declaring.declare(lambda: [Rows("things", key="code", rows=[row])])
    assert "is an sql() expression, but not initial" in error(apply(folder))
    declaring.declare(lambda: [Rows("things", key="code", initial=["made"], rows=[row])])
    applied(folder)


@pytest.mark.trap(
    "NULL and the empty text", "an empty field is NULL; with null= the token is, and an empty field is empty"
)
def test_null_and_the_empty_text_are_told_apart(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, v text)")
    folder.write({"seeds/rows.csv": 'code,v\na,\nb,""\nc,\\N\n'})
    for null, expected in ((None, [None, None, "\\N"]), ("\\N", ["", "", None])):
        declare(partial(Rows, "things", key="code", file="rows.csv", null=null))
        applied(folder)
        assert [v for (v,) in sql("select v from things order by code")] == expected
    for python in (None, ""):
        rows = [{"code": "a", "v": python}]
        declare(partial(Rows, "things", key="code", rows=rows))
        applied(folder)
        assert sql("select v from things where code = 'a'") == [(python,)]
        sql("update things set v = case when v is null then '' end where code = 'a'")
        assert only(verify(folder)).verdict is Verdict.DRIFT


@pytest.mark.trap("a ledger that lies", "live rows decide: what is gone is made again, whatever was recorded")
def test_the_ledger_is_never_a_reason_not_to_look(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, v int)")
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": "a", "v": 1}])])
    applied(folder)
    sql("truncate things")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    assert counts(apply(folder)) == (1, 0, 0, 0)


@pytest.mark.trap(
    "two spellings of one JSON document", "jsonb is compared as the server stores it, json as it is written"
)
def test_json_is_not_compared_byte_by_byte(folder: Folder, sql: Sql) -> None:
    sql("create table things (code text primary key, b jsonb, t json)")
    sql("""insert into things values ('a', '{"b": 1,   "a": [1, 2]}', '{"b": 1,   "a": [1, 2]}')""")
    text = '{"a":[1,2],"b":1}'
    declaring.declare(lambda: [Rows("things", key="code", rows=[{"code": "a", "b": text, "t": text}])])
    (change,) = only(apply(folder)).resources[0].changes.sample
    assert set(change.before or {}) == {"t"}
    applied(folder)


@pytest.mark.trap(
    "hashes that are coarser than images", "such types are hashed as text, so that fingerprints miss nothing"
)
@pytest.mark.parametrize("family", list(FAMILIES))
def test_a_fingerprint_tells_apart_what_an_image_does(family: str, folder: Folder, sql: Sql, server: Server) -> None:
    kinds: list[Kind] = [kind for kind in FAMILIES[family] if available(kind, offered(sql), server.major)]
    if not kinds:
        pytest.skip("this server offers none of what brings these types")
    for statement in preparation([*(FAMILIES["types of one's own"]), *kinds]):
        sql(statement)
    columns = ", ".join(f"c{n} {kind.type}" for n, kind in enumerate(kinds))
    sql(f"create table things (id int primary key, {columns})")
    for number in range(max(len(kind.values) for kind in kinds)):
        values = [kind.values[number % len(kind.values)] for kind in kinds]
        sql(f"insert into things values ({number}{', %s' * len(kinds)})", values)
    with open_target(Project.load(folder.path).config) as target:
        target.session.begin(write=False)
        table = Catalog(target.session).table("things")
        for number, kind in enumerate(kinds):
            hashes = target.session.query(
                compose.SQL("SELECT {} FROM things AS t WHERE id < $1").format(
                    row_fingerprint([table.column(f"c{number}")])
                ),
                [len(kind.values)],
            )
            assert len(set(hashes)) == len(kind.values), kind.type
        target.session.rollback()


@pytest.mark.trap(
    "above baseline_rows there is no hash for each cell", "the table's fingerprint tells pending from conflict"
)
def test_a_large_resource_is_judged_as_a_whole(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_x.py": declaring.SEED}, config=f"{DEFAULT_CONFIG}\n[ledger]\nbaseline_rows = 0\n")
    sql("create table things (code text primary key, v interval, w int)")

    def rows(w: int) -> None:
        cells = [{"code": code, "v": "1 mon", "w": w} for code in "ab"]
        declaring.declare(lambda: [Rows("things", key="code", rows=cells)])

    rows(1)
    applied(folder)
    rows(2)
    assert only(verify(folder)).verdict is Verdict.PENDING
    sql("update things set v = '30 days' where code = 'a'")
    assert only(verify(folder)).verdict is Verdict.CONFLICT
    rows(1)
    assert only(verify(folder)).verdict is Verdict.DRIFT
