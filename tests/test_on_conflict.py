"""`apply --on-conflict`: what becomes of what was changed in the database since the last apply."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

ITEMS = "create table items (sku text primary key, name text, price numeric(10, 2), n int)"
ROWS = [{"sku": sku, "name": f"{sku}1", "price": "1.00"} for sku in "abc"]


def seed(rows: Sequence[Mapping[str, Any]] = ROWS, more: str = "") -> dict[str, str]:
    return {
        "seeds/10_a.py": f"from seedframe import Rows, ref\n\ndef resources():\n"
        f'    yield Rows("items", key="sku", rows={list(rows)!r}{more})\n'
    }


def with_cell(sku: str, **cells: Any) -> list[dict[str, Any]]:
    return [{**row, **(cells if row["sku"] == sku else {})} for row in ROWS]


def found(report: Report) -> dict[str, Any]:
    """Each difference of the only resource: its verdict, before and after."""
    changes = only(report).resources[0].changes
    return {str(change.key["sku"]): (change.verdict, change.before, change.after) for change in changes.sample}


def texts(report: Report) -> list[str]:
    return [f"{finding.severity}: {finding.text}" for finding in only(report).findings]


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    """Three rows, applied; then a price and a row of them were changed by hand."""
    sql(ITEMS)
    made = project(seed())
    applied(made)
    return made


def quiet(folder: Folder) -> None:
    """In sync for every command, whatever --on-conflict says, and nothing is written."""
    assert verify(folder).exit_code == 0, verify(folder).as_dict()
    for rule in ("seed", "database", "fail"):
        for report in (dry_run(folder, on_conflict=rule), apply(folder, on_conflict=rule)):
            assert (report.exit_code, report.summary.changed) == (0, 0), report.as_dict()
            assert only(report).status.value == "in_sync"


# seed


@pytest.mark.trap("Seeds overwrite what operators edited", "the plan says so, and how to keep it")
def test_seed_replaces_and_says_so(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'; delete from items where sku = 'b'")
    for report in (dry_run(folder), apply(folder, rehearse=True), apply(folder)):
        assert (report.exit_code, counts(report)) == (0, (1, 1, 0, 1))
        changes = {change.key["sku"]: change for change in only(report).resources[0].changes.sample}
        assert (changes["a"].verdict, changes["a"].reason) == (
            Verdict.DRIFT,
            "replaces what was changed in the database",
        )
        assert (changes["b"].verdict, changes["b"].reason) == (
            Verdict.DRIFT,
            "was deleted in the database, is made again",
        )
        (told,) = texts(report)
        assert told == (
            "warning: rows:items: 1 row changed in the database is replaced, 1 row deleted in the database is made"
            " again; --on-conflict=database keeps what is there"
        )
    assert sql("select sku, price from items order by 1") == [("a", 1), ("b", 1), ("c", 1)]
    quiet(folder)


def test_seed_makes_a_deleted_row_again_and_says_so(folder: Folder, sql: Sql) -> None:
    sql("delete from items where sku <> 'a'")
    assert texts(dry_run(folder)) == [
        "warning: rows:items: 2 rows deleted in the database are made again; --on-conflict=database keeps it so"
    ]


def test_seed_says_nothing_of_what_the_seed_changed(folder: Folder) -> None:
    folder.write(seed(with_cell("a", price="2.00")))
    report = dry_run(folder)
    assert texts(report) == []
    assert only(report).resources[0].changes.sample[0].reason is None


def test_a_row_of_which_cells_differ_for_different_reasons(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'")
    folder.write(seed(with_cell("a", name="a2")))
    checked = only(verify(folder)).resources[0].changes.sample[0]
    assert (checked.verdict, checked.reason) == (Verdict.DRIFT, "changed in the database: price")
    assert checked.before == {"name": "a1", "price": "5.00"}
    planned = only(dry_run(folder)).resources[0].changes.sample[0]
    assert planned.reason == "replaces price, changed in the database"
    document = json.loads(folder.run("verify", "--format", "json").stdout)
    (change,) = document["seeds"][0]["resources"][0]["changes"]
    assert change["reason"] == "changed in the database: price"


# database


@pytest.mark.trap("Operators' edits are lost, or reported for ever", "--on-conflict=database keeps and accepts them")
def test_database_keeps_cells_and_absent_rows(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'; delete from items where sku = 'b'")
    sql("alter table items add touched int default 0")
    sql("create function touch() returns trigger language plpgsql as $$ begin new.touched := 1; return new; end $$")
    sql("create trigger touch before insert or update on items for each row execute function touch()")
    assert verify(folder).exit_code == 2
    said = (
        "info: rows:items: 1 cell in 2 rows is kept as in the database: sku=a, column price; sku=b, deleted;"
        " in sync until the seed or the database moves"
    )
    for report in (dry_run(folder, on_conflict="database"), apply(folder, rehearse=True, on_conflict="database")):
        assert (report.exit_code, counts(report), texts(report)) == (0, (0, 0, 0, 3), [said])
    assert verify(folder).exit_code == 2, "neither of them kept anything"
    report = apply(folder, on_conflict="database")
    assert (report.exit_code, counts(report), texts(report)) == (0, (0, 0, 0, 3), [said])
    assert sql("select sku, price, touched from items order by 1") == [("a", 5, 0), ("c", 1, 0)]
    (told,) = texts(verify(folder))
    assert told == (
        "info: rows:items: 1 cell in 2 rows is kept as in the database by an earlier --on-conflict=database:"
        " sku=a, column price; sku=b, deleted; until the declared value, or that in the database, is another"
    )
    quiet(folder)
    assert sql("select sku, price, touched from items order by 1") == [("a", 5, 0), ("c", 1, 0)]


def keep_a_price(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'")
    assert apply(folder, on_conflict="database").exit_code == 0
    quiet(folder)


def test_what_was_kept_drifts_when_the_database_moves(folder: Folder, sql: Sql) -> None:
    keep_a_price(folder, sql)
    sql("update items set price = 6 where sku = 'a'")
    assert found(verify(folder)) == {"a": (Verdict.DRIFT, {"price": "6.00"}, {"price": "1.00"})}
    assert apply(folder, on_conflict="database").exit_code == 0
    quiet(folder)
    sql("update items set price = null where sku = 'a'")
    assert found(verify(folder)) == {"a": (Verdict.DRIFT, {"price": None}, {"price": "1.00"})}
    assert apply(folder, on_conflict="database").exit_code == 0
    quiet(folder)
    assert sql("select price from items where sku = 'a'") == [(None,)]


def test_what_was_kept_conflicts_when_the_seed_moves(folder: Folder, sql: Sql) -> None:
    keep_a_price(folder, sql)
    folder.write(seed(with_cell("a", price="2.00")))
    assert found(verify(folder)) == {"a": (Verdict.CONFLICT, {"price": "5.00"}, {"price": "2.00"})}
    assert apply(folder, on_conflict="database").exit_code == 0
    quiet(folder)
    folder.write(seed(with_cell("a", price="3.00")))
    assert apply(folder).exit_code == 0
    assert sql("select price from items where sku = 'a'") == [(3,)]
    quiet(folder)


def test_what_was_kept_is_forgotten_once_both_agree(folder: Folder, sql: Sql) -> None:
    keep_a_price(folder, sql)
    sql("update items set price = 1 where sku = 'a'")
    quiet(folder)
    sql("update items set price = 5 where sku = 'a'")
    assert found(verify(folder))["a"][0] is Verdict.DRIFT


def test_a_seed_that_comes_to_agree_with_what_was_kept(folder: Folder, sql: Sql) -> None:
    keep_a_price(folder, sql)
    folder.write(seed(with_cell("a", price="5.00")))
    quiet(folder)
    sql("update items set price = 1 where sku = 'a'")
    assert found(verify(folder))["a"][0] is Verdict.DRIFT


def test_a_row_that_was_kept_absent_and_is_there_again(folder: Folder, sql: Sql) -> None:
    sql("delete from items where sku = 'b'")
    assert apply(folder, on_conflict="database").exit_code == 0
    quiet(folder)
    sql("insert into items values ('b', 'other', 1)")
    assert found(verify(folder)) == {"b": (Verdict.DRIFT, {"name": "other"}, {"name": "b1"})}
    sql("delete from items where sku = 'b'")
    quiet(folder)
    folder.write(seed(with_cell("b", price="9.00")))
    assert found(verify(folder))["b"][0] is Verdict.CONFLICT


def test_pending_cells_of_the_same_row_are_written(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'")
    folder.write(
        seed([{**row, "name": row["name"] + "!"} for row in ROWS] + [{"sku": "d", "name": "d", "price": None}])
    )
    planned = dry_run(folder, on_conflict="database")
    assert counts(planned) == (1, 3, 0, 0)
    assert found(planned)["a"] == (Verdict.PENDING, {"name": "a1"}, {"name": "a1!"})
    report = apply(folder, on_conflict="database")
    assert counts(report) == (1, 3, 0, 0)
    assert sql("select sku, name, price from items order by 1") == [
        ("a", "a1!", 5),
        ("b", "b1!", 1),
        ("c", "c1!", 1),
        ("d", "d", None),
    ]
    quiet(folder)


def test_what_was_kept_stays_kept_when_other_cells_are_written(folder: Folder, sql: Sql) -> None:
    keep_a_price(folder, sql)
    folder.write(seed(with_cell("a", name="a2")))
    assert found(verify(folder)) == {"a": (Verdict.PENDING, {"name": "a1"}, {"name": "a2"})}
    assert counts(apply(folder)) == (0, 1, 0, 2)
    assert sql("select name, price from items where sku = 'a'") == [("a2", 5)]
    quiet(folder)


def test_never_applied_is_pending_and_written(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS + "; insert into items values ('a', 'hand', 7)")
    made = project(seed())
    report = apply(made, on_conflict="database")
    assert (counts(report), texts(report)) == ((2, 1, 0, 0), [])
    assert sql("select name from items where sku = 'a'") == [("a1",)]


LARGE = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": f"s{i:05}", "name": f"n{i % 7}", "price": i} for i in range(6000)])
    yield Rows("items", key="sku", name="few", rows=[{"sku": "few", "name": "few"}])
"""


def test_staged_rows_are_kept_too(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project({"seeds/10_a.py": LARGE})
    applied(made)
    sql("update items set price = -1 where sku in ('s00001', 's05999'); delete from items where sku = 's00002'")
    made.write({"seeds/10_a.py": LARGE.replace("i % 7", "i % 7 + (i == 1)")})
    assert found(verify(made))["s00001"] == (
        Verdict.DRIFT,
        {"name": "n1", "price": "-1.00"},
        {"name": "n2", "price": "1.00"},
    )
    for report in (dry_run(made, on_conflict="database"), apply(made, on_conflict="database")):
        assert counts(report) == (0, 1, 0, 6000)
        assert found(report) == {"s00001": (Verdict.PENDING, {"name": "n1"}, {"name": "n2"})}
    assert sql("select sku, name, price from items where price < 0 or sku = 's00002' order by 1") == [
        ("s00001", "n2", -1),
        ("s05999", "n0", -1),
    ]
    quiet(made)
    for report in (dry_run(made, on_conflict="fail"), apply(made, on_conflict="fail")):
        assert report.exit_code == 0


REFS = """
from seedframe import Rows, ref

def resources():
    yield Rows("kinds", key="slug", rows=[{"slug": "x"}, {"slug": "y"}])
    yield Rows("things", key="code", rows=[{"code": "t", "kind_id": %s, "note": %r}])
"""


def test_references_are_kept(project: ProjectFactory, sql: Sql) -> None:
    sql("create table kinds (id serial primary key, slug text unique not null)")
    sql("create table things (code text primary key, kind_id int references kinds, note text)")
    x = 'ref("kinds", slug="x")'
    made = project({"seeds/10_a.py": REFS % (x, "one")})
    applied(made)
    sql("update things set kind_id = null")
    assert apply(made, on_conflict="database").exit_code == 0
    quiet(made)
    made.write({"seeds/10_a.py": REFS % (x, "two")})
    assert counts(apply(made)) == (0, 1, 0, 2)
    assert sql("select kind_id, note from things") == [(None, "two")]
    quiet(made)
    sql("update things set kind_id = (select id from kinds where slug = 'y')")
    assert only(verify(made)).verdict is Verdict.DRIFT
    made.write({"seeds/10_a.py": REFS % ('ref("kinds", slug="y")', "two")})
    quiet(made)


def test_a_reference_whose_row_was_deleted_is_drift_and_can_be_kept(project: ProjectFactory, sql: Sql) -> None:
    sql("create table kinds (id serial primary key, slug text unique not null)")
    sql("create table things (code text primary key, kind_id int references kinds on delete set null, note text)")
    made = project({"seeds/10_a.py": REFS % ('ref("kinds", slug="x")', "one")})
    applied(made)
    sql("delete from kinds where slug = 'x'")
    assert [outcome.verdict for outcome in only(verify(made)).resources] == [Verdict.DRIFT, Verdict.DRIFT]
    assert counts(apply(made, on_conflict="database")) == (0, 0, 0, 3)
    assert sql("select count(*) from kinds") == [(1,)]
    quiet(made)
    sql("insert into kinds (slug) values ('x')")
    quiet(made)
    assert sql("select kind_id from things") == [(None,)], "kept until one of its own sides moves"


def test_a_reference_to_a_row_that_stays_absent_is_refused(project: ProjectFactory, sql: Sql) -> None:
    sql("create table kinds (id serial primary key, slug text unique not null)")
    sql("create table things (code text primary key, kind_id int references kinds, note text)")
    made = project({"seeds/10_a.py": REFS % ('ref("kinds", slug="y")', "one")})
    applied(made)
    sql("delete from kinds where slug = 'x'")
    made.write({"seeds/10_a.py": REFS % ('ref("kinds", slug="x")', "one")})
    for report in (dry_run(made, on_conflict="database"), apply(made, on_conflict="database")):
        assert "no row of kinds has slug='x'" in error(report)
    assert apply(made).exit_code == 0


def test_secret_cells_cannot_be_kept(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(more=", secret=['name']"))
    applied(made)
    sql("update items set name = 'hand' where sku in ('a', 'b'); update items set price = 5 where sku = 'b'")
    report = apply(made, on_conflict="database")
    assert counts(report) == (0, 2, 0, 1)
    assert sql("select sku, name, price from items order by 1") == [("a", "a1", 1), ("b", "b1", 5), ("c", "c1", 1)]
    kept, written = texts(report)
    assert kept == (
        "info: rows:items: 1 cell in 1 row is kept as in the database: sku=b, column price;"
        " in sync until the seed or the database moves"
    )
    assert written == (
        "warning: rows:items: secret columns differ in 2 rows and are written:"
        " no hash of them is kept, so they cannot be kept as in the database"
    )
    assert "hand" not in json.dumps(report.as_dict())
    quiet(made)


SMALL = '[project]\nname = "shop"\n[ledger]\nbaseline_rows = %d\n'


def test_large_resources_refuse_to_keep(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(), config=SMALL % 2)
    applied(made)
    made.write(seed(with_cell("a", price="2.00")))
    assert counts(apply(made, on_conflict="database")) == (0, 1, 0, 2), "pending is written"
    sql("update items set price = 5 where sku = 'b'")
    refused = (
        "changed_in_database: seeds/10_a.py: rows:items: the table was changed in the database since the last apply"
    )
    for rule, what in (("database", "which cells to keep cannot be told"), ("fail", "1 row differs")):
        for report in (dry_run(made, on_conflict=rule), apply(made, on_conflict=rule)):
            assert report.exit_code == 1
            assert error(report).startswith(refused)
            assert what in error(report)
            assert "baseline_rows" in error(report)
    report = apply(made)
    assert (counts(report), sql("select price from items where sku = 'b'")) == ((0, 1, 0, 2), [(1,)])
    (told,) = texts(report)
    assert told == (
        "warning: rows:items: the table was changed in the database since the last apply; what differs (1 row)"
        " is replaced"
    )


def test_what_was_kept_survives_growing_beyond_the_size(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(), config=SMALL % 3)
    applied(made)
    keep_a_price(made, sql)
    made.write(seed([*ROWS, {"sku": "d", "name": "d1", "price": None}]))
    assert counts(apply(made)) == (1, 0, 0, 3)
    assert sql("select price from items where sku = 'a'") == [(5,)]
    quiet(made)


# fail


def test_fail_fails_before_anything_is_written(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5, name = 'hand' where sku = 'b'; delete from items where sku = 'c'")
    folder.write(seed([{**row, "price": "2.00"} for row in ROWS]))
    said = (
        "changed_in_database: rows:items row 2: rows:items: 2 rows were changed in the database since the last apply"
        " (2 conflict): sku=b, columns name, price; sku=c, deleted"
        " (see seedframe verify; --on-conflict=seed writes what is declared, --on-conflict=database keeps it)"
    )
    for report in (
        dry_run(folder, on_conflict="fail"),
        apply(folder, rehearse=True, on_conflict="fail"),
        apply(folder, on_conflict="fail"),
    ):
        assert (report.exit_code, error(report)) == (1, said)
    assert sql("select sku, price from items order by 1") == [("a", 1), ("b", 5)]
    assert apply(folder, on_conflict="seed").exit_code == 0
    quiet(folder)


def test_fail_lets_pending_pass(folder: Folder) -> None:
    folder.write(seed(with_cell("a", price="2.00")))
    assert counts(apply(folder, on_conflict="fail")) == (0, 1, 0, 2)


def test_a_secret_key_is_not_told(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(more=", secret=['sku']"))
    applied(made)
    sql("update items set price = 5 where sku = 'b'")
    report = apply(made, on_conflict="fail")
    assert "no hash of a secret key is kept" in error(report)
    assert "sku=" not in error(report)


def test_the_command_line(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5 where sku = 'a'")
    planned = folder.run("apply", "--dry-run")
    assert "~ items sku=a  price: 5.00 → 1.00  (drift)\n" in planned.stdout
    assert "1 row changed in the database is replaced; --on-conflict=database keeps what is there" in planned.stdout
    failed = folder.run("apply", "--on-conflict", "fail")
    assert failed.returncode == 1
    assert "sku=a, column price" in failed.stdout
    kept = folder.run("apply", "--on-conflict=database")
    assert kept.returncode == 0, kept
    assert "1 cell in 1 row is kept as in the database: sku=a, column price" in kept.stdout
    assert folder.run("verify").returncode == 0
    assert sql("select arguments ->> 'on_conflict' from seedframe.run order by id desc limit 1") == [("database",)]
    assert folder.run("apply", "--on-conflict=nobody").returncode == 3


# Beside other features


def test_one_of_two_kept_cells_of_a_row_is_forgotten(folder: Folder, sql: Sql) -> None:
    sql("update items set price = 5, name = 'hand' where sku = 'a'")
    assert apply(folder, on_conflict="database").exit_code == 0
    sql("update items set price = 1 where sku = 'a'")
    quiet(folder)
    sql("update items set price = 5 where sku = 'a'")
    assert found(verify(folder)) == {"a": (Verdict.DRIFT, {"price": "5.00"}, {"price": "1.00"})}


TREE = """
from seedframe import Rows, ref

def resources():
    rows = [{"slug": slug, "parent_id": ref("nodes", slug=parent) if parent else None} for slug, parent in %r]
    yield Rows("nodes", key="slug", rows=rows)
"""


def test_rows_that_refer_to_each_other(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table nodes (id serial primary key, slug text unique, parent_id int references nodes on delete cascade)"
    )
    made = project({"seeds/10_a.py": TREE % [("a", "b"), ("b", None), ("c", "b"), ("d", "c")]})
    applied(made)
    sql("update nodes set parent_id = id where slug = 'a'; delete from nodes where slug = 'c'")
    made.write({"seeds/10_a.py": TREE % [("a", "b"), ("b", "e"), ("c", "b"), ("d", "c"), ("e", "f"), ("f", "e")]})
    for report in (dry_run(made, on_conflict="database"), apply(made, on_conflict="database")):
        assert counts(report) == (2, 1, 0, 3), report.as_dict()
    assert sql("select n.slug, p.slug from nodes n left join nodes p on p.id = n.parent_id order by 1") == [
        ("a", "a"),
        ("b", "e"),
        ("e", "f"),
        ("f", "e"),
    ]
    quiet(made)


def test_keys_with_nulls_and_hostile_names(nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql('create schema "s %s"; create table "s %s"."t ""x" ("k 1" text, "k:2" int, "v%" text, "line" text)')
    sql(f'create unique index on "s %s"."t ""x" ("k 1", "k:2") {nulls}')
    body = """
from seedframe import Rows

def resources():
    rows = [{"k 1": "a", "k:2": n, "v%": "v", "line": "l"} for n in (None, 1, 2)]
    yield Rows('s %s."t ""x"', key=["k 1", "k:2"], rows=rows)
"""
    made = project({"seeds/10_a.py": body})
    applied(made)
    sql("""update "s %s"."t ""x" set "v%" = 'hand' where "k:2" is null; delete from "s %s"."t ""x" where "k:2" = 2""")
    report = apply(made, on_conflict="database")
    assert counts(report) == (0, 0, 0, 3)
    quiet(made)
    made.write({"seeds/10_a.py": body.replace('"line": "l"', '"line": "m"')})
    assert counts(apply(made, on_conflict="database")) == (0, 2, 0, 1)
    assert sql('select "k:2", "v%", "line" from "s %s"."t ""x" order by 1') == [(1, "v", "m"), (None, "hand", "m")]
    quiet(made)


def test_two_resources_of_one_table(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    body = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a", "name": "a1"}])
    yield Rows("items", key="sku", name="prices", rows=[{"sku": "a", "price": 1}])
"""
    made = project({"seeds/10_a.py": body})
    applied(made)
    sql("update items set name = 'hand', price = 5")
    assert counts(apply(made, on_conflict="database")) == (0, 0, 0, 2)
    quiet(made)
    made.write({"seeds/10_a.py": body.replace('"price": 1', '"price": 2')})
    assert [resource.verdict for resource in only(verify(made)).resources] == [Verdict.IN_SYNC, Verdict.CONFLICT]
    sql("delete from items")
    assert counts(apply(made, on_conflict="database")) == (0, 0, 0, 2)
    assert sql("select * from items") == []
    quiet(made)


def test_one_transaction_for_the_run(project: ProjectFactory, sql: Sql) -> None:
    """What was kept is entered with the rest of the run, or not at all."""
    sql(ITEMS)
    made = project(seed() | {"seeds/20_b.py": 'def verify():\n    yield "never"\n'})
    assert apply(made, "a").exit_code == 0
    sql("update items set price = 5 where sku = 'a'")
    assert apply(made, transaction="run", on_conflict="database").exit_code == 1
    assert verify(made, "a").exit_code == 2
    (made.path / "seeds/20_b.py").unlink()
    assert apply(made, transaction="run", on_conflict="database").exit_code == 0
    quiet(made)


def test_insert_mode_keeps_absent_rows(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(more=', mode="insert"'))
    applied(made)
    sql("delete from items where sku = 'a'; update items set name = 'hand'")
    assert counts(apply(made, on_conflict="database")) == (0, 0, 0, 3)
    quiet(made)


def test_a_trigger_that_undoes_an_update_of_a_kept_row_is_still_found(folder: Folder, sql: Sql) -> None:
    sql("create function shout() returns trigger language plpgsql as $$ begin new.name := 'X'; return new; end $$")
    sql("update items set price = 5 where sku = 'a'")
    sql("create trigger shout before update on items for each row execute function shout()")
    folder.write(seed(with_cell("a", name="a2")))
    assert "does not converge: after apply, for sku=a, column name still differs" in error(
        apply(folder, on_conflict="database")
    )


def test_added_changed_and_deleted_rows_under_sync(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    made = project(seed(more=', mode="sync"'))
    applied(made)
    sql("insert into items values ('x', 'added'); update items set name = 'hand' where sku = 'a'")
    sql("delete from items where sku = 'b'")
    assert apply(made, on_conflict="fail").exit_code == 1
    for report in (dry_run(made, on_conflict="database"), apply(made, on_conflict="database")):
        assert counts(report) == (0, 0, 0, 3), report.as_dict()
    assert sql("select sku, name from items order by 1") == [("a", "hand"), ("c", "c1"), ("x", "added")]
    quiet(made)
    sql("insert into items values ('y', 'added')")
    made.write(seed(with_cell("c", name="c2"), more=', mode="sync"'))
    assert counts(apply(made)) == (0, 1, 1, 2)
    assert sql("select sku, name from items order by 1") == [("a", "hand"), ("c", "c2"), ("x", "added")]
    quiet(made)
