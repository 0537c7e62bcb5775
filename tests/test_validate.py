"""`validate=`: conditions on columns that operators own; looked at by verify and apply, never mended."""

import json
from typing import Any

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, counts, dry_run, error, only, verify

ITEMS = (
    "create table items (sku text primary key, name text, price numeric(10, 2), line int default 1, c0 int default 1,"
    " doubled int generated always as (line * 2) stored)"
)


def seed(validate: dict[str, Any], more: str = "", rows: str | None = None) -> dict[str, str]:
    rows = rows or '[{"sku": s, "name": s, "price": 1} for s in ("a", "b", "c", "d", "e")]'
    return {
        "seeds/10_a.py": "from seedframe import Rows\n\ndef resources():\n"
        f'    yield Rows("items", key="sku", initial=["price"], validate={validate!r}, rows={rows}{more})\n'
    }


def told(report: Report) -> list[tuple[str, str]]:
    return [(finding.severity, finding.text) for finding in only(report).findings]


@pytest.fixture
def items(sql: Sql) -> None:
    sql(ITEMS)


@pytest.mark.trap("An operator sets what nobody may set", "`validate=`: verify fails, apply warns, neither mends it")
def test_verify_fails_and_apply_warns(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed({"price": "price > 0"}))
    assert apply(folder).exit_code == 0
    assert (verify(folder).exit_code, told(verify(folder))) == (0, [])
    sql("update items set price = 0 where sku in ('b', 'd'); update items set price = null where sku = 'c'")
    said = "rows:items: validate= of price, `price > 0` is not true in 3 rows: sku=b, sku=c, sku=d"
    report = verify(folder)
    assert (report.exit_code, only(report).status.value, told(report)) == (2, "failed", [("error", said)])
    assert (counts(report), only(report).verdict.value) == ((0, 0, 0, 5), "in_sync")
    for report in (apply(folder), apply(folder, rehearse=True)):
        assert (report.exit_code, told(report)) == (0, [("warning", said)])
    assert (dry_run(folder).exit_code, told(dry_run(folder))) == (0, [])
    assert sql("select count(*) from items where price > 0") == [(2,)]


def test_rows_that_are_not_declared_or_not_there_are_not_looked_at(
    project: ProjectFactory, sql: Sql, items: None
) -> None:
    folder = project(seed({"price": "1 / price > 0"}))
    assert apply(folder).exit_code == 0
    sql("delete from items where sku = 'a'; insert into items values ('z', 'z', 0)")
    assert told(verify(folder)) == []


@pytest.mark.parametrize(
    "condition",
    [
        "items.price > 0",
        "price > 0 -- always",
        "price /* ; */ > 0 and name <> ';'",
        "line = 1 and c0 = 1 and doubled = 2",
        "(select count(*) from items) > 0",
        "price in (1, 2)\n  and not (name = 'x')",
        "name ~ '^[a-z]%?$' and name not like '%x%'",
    ],
)
def test_any_condition_over_the_row(condition: str, project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed({"doubled": condition}))
    assert (apply(folder).exit_code, told(verify(folder))) == (0, [])
    sql("update items set price = -1, name = 'x', line = 2 where sku = 'a'")
    report = verify(folder)
    assert report.exit_code == 2
    if "select" not in condition:
        assert [text.rpartition(" is not true in ")[2] for severity, text in told(report) if severity == "error"] == [
            "1 row: sku=a"
        ]


@pytest.mark.parametrize(
    ("column", "condition", "said"),
    [
        ("price", "prise > 0", 'validate= of price, `prise > 0`: column "prise" does not exist'),
        ("price", "price", "argument of IS TRUE must be type boolean, not type numeric"),
        ("price", "price > 0; drop table items", "several statements at once"),
        ("price", "price > ", "syntax error"),
        ("price", "price > 0 /*", "unterminated /* comment"),
        ("price", "d.line > 0", 'missing FROM-clause entry for table "d"'),
        ("price", "seedframe_line > 0", 'column "seedframe_line" does not exist'),
        ("price", "max(price) > 0", "aggregate functions are not allowed in WHERE"),
        ("price", "price > $1", "there is no parameter $1"),
        ("prize", "true", "table public.items has no column 'prize' (did you mean 'price'?)"),
        ("price", " ", "validate['price'] is no condition"),
        ("price", 1, "validate['price'] is no condition"),
    ],
)
def test_what_is_no_condition_is_refused_in_one_line(
    column: str, condition: Any, said: str, project: ProjectFactory, items: None
) -> None:
    folder = project(seed({"sku": "true", column: condition}))
    for report in (dry_run(folder), apply(folder), verify(folder)):
        text = error(report)
        assert text.startswith("declaration: ")
        assert said in text
        assert "\n" not in text
        assert "rows:items" in text


def test_what_cannot_be_evaluated_is_told_and_the_others_still_are(
    project: ProjectFactory, sql: Sql, items: None
) -> None:
    folder = project(seed({"price": "1 / price > 0", "name": "name <> 'b'", "sku": "name::int > 0"}))
    assert apply(folder).exit_code == 0
    sql("update items set price = 0 where sku = 'c'")
    number = "invalid input syntax for type integer"
    said = [
        "rows:items: validate= of price, `1 / price > 0` cannot be evaluated for sku=c: division by zero",
        "rows:items: validate= of name, `name <> 'b'` is not true in 1 row: sku=b",
        f"rows:items: validate= of sku, `name::int > 0` cannot be evaluated for sku=a: {number}",
    ]
    assert told(apply(folder)) == [("warning", text) for text in said]
    report = verify(folder)
    assert (report.exit_code, told(report)) == (2, [("error", text) for text in said])


def test_a_condition_cannot_write(project: ProjectFactory, sql: Sql, items: None) -> None:
    sql("create table seen (n int)")
    sql(
        "create function peek() returns boolean language plpgsql as"
        " $$ begin insert into seen values (1); return true; end $$"
    )
    folder = project(seed({"price": "peek()"}))
    for report in (apply(folder), verify(folder)):
        assert "cannot be evaluated" in told(report)[0][1]
        assert "read-only transaction" in told(report)[0][1]
    assert sql("select count(*) from seen") == [(0,)]
    assert sql("select count(*) from items") == [(5,)]


def test_managed_ignored_and_undeclared_columns(project: ProjectFactory, sql: Sql, items: None) -> None:
    files = seed({"name": "name <> 'b'", "price": "price > 0", "line": "line = 1"}, ', ignore=["price"]')
    folder = project({name: text.replace('initial=["price"], ', "") for name, text in files.items()})
    report = apply(folder)
    assert [text.partition("validate= of ")[2] for _, text in told(report)] == [
        "name, `name <> 'b'` is not true in 1 row: sku=b",
        "price, `price > 0` is not true in 5 rows: sku=a, sku=b, sku=c …",
    ]


MANY = '({"sku": f"s{i:05}", "name": "n", "price": i + 1} for i in range(12000))'


def test_many_rows_are_streamed_and_staged(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed({"price": "price < 12000", "name": "name = 'n'"}, rows=MANY))
    said = "rows:items: validate= of price, `price < 12000` is not true in 1 row: sku=s11999"
    assert told(apply(folder)) == [("warning", said)]
    assert told(verify(folder)) == [("error", said)]
    sql("update items set price = null where sku in ('s00000', 's05000', 's07000', 's10000')")
    said = "rows:items: validate= of price, `price < 12000` is not true in 5 rows: sku=s00000, sku=s05000, sku=s07000 …"
    assert told(verify(folder)) == [("error", said)]
    assert told(apply(folder)) == [("warning", said)]
    assert told(dry_run(folder)) == []


def test_secret_keys_are_not_told(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed({"price": "price > 1"}, ', secret=["sku"]'))
    report = apply(folder)
    assert told(report) == [("warning", "rows:items: validate= of price, `price > 1` is not true in 5 rows")]


def test_hostile_names_references_and_inheritance(project: ProjectFactory, sql: Sql) -> None:
    sql('create schema "s%s"; create table "s%s"."p d" (id int primary key, code text unique)')
    sql("""insert into "s%s"."p d" values (1, 'x'), (2, 'y')""")
    sql(
        """create table "s%s"."T ""d" ("K :k" text, "d" int references "s%s"."p d", "p%" int, unique ("K :k", "d"));
        create table "s%s".heir () inherits ("s%s"."T ""d"); insert into "s%s".heir values ('k', 1, -1)"""
    )
    body = """
from seedframe import Rows, ref

def resources():
    rows = [{"K :k": "k", "d": ref("s%s.p d", code=code), "p%": 1} for code in ("x", "y")]
    yield Rows('s%s."T ""d"', key=["K :k", "d"], initial=["p%"], validate={"p%": '"T ""d"."p%" > "d" - 1'}, rows=rows)
"""
    folder = project({"seeds/10_a.py": body})
    report = apply(folder)
    assert (counts(report), [text.rpartition(" is not")[2] for _, text in told(report)]) == (
        (2, 0, 0, 0),
        [" true in 1 row: K :k=k d=2"],
    )


def test_only_the_columns_that_are_used_need_be_readable(project: ProjectFactory, sql: Sql, items: None) -> None:
    sql("alter table items add hidden text")
    folder = project(seed({"price": "price > 1"}))
    assert apply(folder).exit_code == 0
    sql("drop role if exists narrow; create role narrow login; grant usage on schema seedframe to narrow")
    sql("grant select on all tables in schema seedframe to narrow; grant select (sku, name, price) on items to narrow")
    reading = {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "narrow@")}
    result = folder.run("verify", "--format", "json", env=reading)
    (finding,) = json.loads(result.stdout)["seeds"][0]["findings"]
    assert (result.returncode, finding["severity"]) == (2, "error")
    assert finding["text"].endswith("is not true in 5 rows: sku=a, sku=b, sku=c …")
    sql("drop owned by narrow; drop role narrow")


def test_the_command_line(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder: Folder = project(seed({"price": "price > 0"}))
    assert folder.run("apply").returncode == 0
    sql("update items set price = -5 where sku = 'a'")
    checked = folder.run("verify")
    assert checked.returncode == 2
    assert "error: rows:items: validate= of price, `price > 0` is not true in 1 row: sku=a" in checked.stdout
    again = folder.run("apply")
    assert again.returncode == 0
    assert "warning: rows:items: validate= of price, `price > 0` is not true in 1 row: sku=a" in again.stdout
