"""Verdicts on a server: every combination of what was left, declared and is there, row by row, down to the column."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report, ResourceOutcome, Status
from seedframe.verdicts import LeftCell, cell_verdict
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, only, verify

PENDING, DRIFT, CONFLICT, ORPHAN = Verdict.PENDING, Verdict.DRIFT, Verdict.CONFLICT, Verdict.ORPHAN
SIZES = '[project]\nname = "shop"\n[ledger]\nbaseline_rows = %d\n'
TABLE = "create table items (sku text primary key, name text, price numeric(10, 2), note text)"


def seed(rows: Sequence[Mapping[str, Any]], more: str = "", head: str = "") -> dict[str, str]:
    return {
        "seeds/10_a.py": f"from seedframe import *\n{head}\n\ndef resources():\n"
        f'    yield Rows("items", key="sku", rows={list(rows)!r}{more})\n'
    }


def rows_of(outcome: ResourceOutcome) -> dict[str, tuple[Verdict | None, dict[str, Any] | None]]:
    """Each difference by its key: its verdict, and what is there of the cells that differ."""
    return {
        "/".join(map(str, change.key.values())): (
            change.verdict,
            None if change.before is None else dict(change.before),
        )
        for change in outcome.changes.sample
    }


def agreed(folder: Folder) -> Report:
    """What verify finds; a dry run finds the same rows with the same verdicts."""
    checked, planned = verify(folder), dry_run(folder)
    assert counts(checked) == counts(planned)
    for one, other in zip(only(checked).resources, only(planned).resources, strict=False):
        assert (one.resource, one.verdict, rows_of(one)) == (other.resource, other.verdict, rows_of(other))
    return checked


def found(folder: Folder) -> dict[str, tuple[Verdict | None, dict[str, Any] | None]]:
    return rows_of(only(agreed(folder)).resources[0])


def verdict(folder: Folder) -> tuple[int, Verdict]:
    report = agreed(folder)
    return report.exit_code, only(report).verdict


@pytest.fixture
def items(sql: Sql) -> None:
    sql(TABLE)


@pytest.mark.trap("pending, drift and conflict confused", "each cell is judged by what was left, declared and is there")
def test_every_combination_of_a_cell(project: ProjectFactory, sql: Sql, items: None) -> None:
    """Left, declared and there are each one of two values, a third, or NULL: 64 rows, against the rules."""
    values = ("A", "B", "X", None)
    cases = {f"{left}{declared}{there}": (left, declared, there) for left, declared, there in product(values, repeat=3)}
    folder = project(seed([{"sku": sku, "name": left, "note": "same"} for sku, (left, _, _) in cases.items()]))
    applied(folder)
    for sku, (_, _, there) in cases.items():
        sql("update items set name = %s where sku = %s", [there, sku])
    folder.write(seed([{"sku": sku, "name": declared, "note": "same"} for sku, (_, declared, _) in cases.items()]))
    expected = {
        sku: (cell_verdict(LeftCell(left, left), declared, there, differs=True), {"name": there})
        for sku, (left, declared, there) in cases.items()
        if declared != there
    }
    report = agreed(folder)
    assert rows_of(only(report).resources[0]) == expected
    assert (report.exit_code, only(report).verdict, report.summary.update) == (2, CONFLICT, len(expected))
    assert sum(found is DRIFT for found, _ in expected.values()) == 12
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0


def test_rows_that_are_missing_new_or_extra(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": s, "name": "1"} for s in ("kept", "gone", "gone2", "dropped", "dropped2")]))
    applied(folder)
    sql("delete from items where sku in ('gone', 'gone2', 'dropped2'); insert into items values ('there', 'hand')")
    folder.write(
        seed(
            [
                {"sku": "kept", "name": "1"},
                {"sku": "gone", "name": "1"},
                {"sku": "gone2", "name": "2"},
                {"sku": "new", "name": "1"},
                {"sku": "there", "name": "1"},
            ]
        )
    )
    assert found(folder) == {
        "gone": (DRIFT, None),
        "gone2": (CONFLICT, None),
        "new": (PENDING, None),
        "there": (PENDING, {"name": "hand"}),
    }


def test_columns_that_come_and_go(project: ProjectFactory, sql: Sql, items: None) -> None:
    rows = [{"sku": sku, "name": "1", "note": "1"} for sku in "abc"]
    folder = project(seed(rows))
    applied(folder)
    sql("update items set name = 'hand' where sku = 'b'; update items set price = 5; update items set note = 'x'")
    folder.write(seed([{"sku": row["sku"], "name": "1", "price": "1.00"} for row in rows]))
    assert found(folder) == {
        "a": (PENDING, {"price": "5.00"}),
        "b": (DRIFT, {"name": "hand", "price": "5.00"}),
        "c": (PENDING, {"price": "5.00"}),
    }
    changes = {change.key["sku"]: change.reason for change in only(verify(folder)).resources[0].changes.sample}
    assert changes == {"a": None, "b": "changed in the database: name", "c": None}


def test_columns_that_change_hands(project: ProjectFactory, sql: Sql, items: None) -> None:
    rows = [{"sku": "a", "name": "1", "price": "1.00"}]
    folder = project(seed(rows, ', initial=["price"]'))
    applied(folder)
    sql("update items set price = 5")
    assert verdict(folder) == (0, Verdict.IN_SYNC)
    folder.write(seed(rows))
    assert found(folder) == {"a": (PENDING, {"price": "5.00"})}, "the seed has just come to own it"
    applied(folder)
    sql("update items set price = 6, name = 'hand'")
    folder.write(seed(rows, ', ignore=["price"]'))
    assert found(folder) == {"a": (DRIFT, {"name": "hand"})}
    folder.write(seed(rows, ', ignore=["price", "name"]'))
    assert verdict(folder) == (0, Verdict.IN_SYNC)
    folder.write(seed(rows, ', mode="insert"'))
    assert verdict(folder) == (0, Verdict.IN_SYNC)


def test_secret_columns(project: ProjectFactory, sql: Sql, items: None) -> None:
    rows = [{"sku": "a", "name": "s3cret", "price": "1.00"}]
    secret = ', secret=["name"]'
    folder = project(seed(rows, secret))
    applied(folder)
    assert "s3cret" not in str(sql("select * from seedframe.baseline, seedframe.baseline_row"))
    folder.write(seed([{**rows[0], "name": "0ther"}], secret))
    assert verdict(folder) == (2, DRIFT), "nothing is kept that could tell: the louder explanation"
    folder.write(seed([{**rows[0], "name": "0ther", "price": "2.00"}], secret))
    assert verdict(folder) == (1, PENDING), "the rest of the row has an explanation"
    sql("update items set name = '0ther', price = 3")
    assert verdict(folder) == (2, CONFLICT)
    folder.write(seed(rows))
    assert [name for name in ("name", "price") if name in (found(folder)["a"][1] or {})] == ["name", "price"]


def test_renamed_resources(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]))
    applied(folder)
    folder.write(seed([{"sku": "a", "name": "2"}], ', name="things"'))
    report = verify(folder)
    assert (report.exit_code, [(r.resource, r.verdict) for r in only(report).resources]) == (
        2,
        [("rows:things", PENDING), ("rows:items", ORPHAN)],
    )
    applied(folder)


REFERRING = """
from seedframe import Rows, ref

def resources():
    yield Rows("kinds", key="slug", rows=[{"slug": slug, "label": slug} for slug in %r])
    yield Rows("things", key="sku", rows=[{"sku": sku, "kind_id": ref("kinds", slug=kind)} for sku, kind in %r])
"""
KINDS = """
create table kinds (id serial primary key, slug text unique not null, label text);
create table things (sku text primary key, kind_id int references kinds on update cascade on delete set null)
"""


def test_references(project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS)
    things = [("t", "x"), ("u", "y"), ("v", "y")]
    folder = project({"seeds/10_a.py": REFERRING % (["x", "y"], things)})
    applied(folder)
    sql("update kinds set id = id + 100")
    assert verdict(folder) == (0, Verdict.IN_SYNC), "another id of the same row is no difference"
    sql("update things set kind_id = 101 where sku = 'u'")
    folder.write({"seeds/10_a.py": REFERRING % (["x", "y"], [("t", "y"), ("u", "y"), ("v", "x")])})
    children = only(agreed(folder)).resources[1]
    assert {sku: kind for sku, (kind, _) in rows_of(children).items()} == {"t": PENDING, "u": DRIFT, "v": PENDING}
    folder.write({"seeds/10_a.py": REFERRING % (["x", "y"], things)})
    sql("update things set kind_id = 102 where sku = 'u'; delete from kinds where slug = 'x'")
    report = agreed(folder)
    assert [(r.resource, r.verdict) for r in only(report).resources] == [("rows:kinds", DRIFT), ("rows:things", DRIFT)]
    assert rows_of(only(report).resources[1]) == {"t": (DRIFT, {"kind_id": None})}
    folder.write({"seeds/10_a.py": REFERRING % (["x", "y", "z"], [("t", "x"), ("u", "z"), ("v", "y")])})
    children = only(agreed(folder)).resources[1]
    assert {sku: kind for sku, (kind, _) in rows_of(children).items()} == {"t": DRIFT, "u": PENDING}
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0


def test_a_reference_that_finds_another_row_is_the_database_s_doing(project: ProjectFactory, sql: Sql) -> None:
    sql(KINDS)
    head = 'from seedframe import Rows, ref\n\ndef resources():\n    yield Rows("things", key="sku", rows=['
    folder = project({"seeds/10_a.py": head + '{"sku": "t", "kind_id": ref("kinds", slug="x")}])\n'})
    sql("insert into kinds (slug) values ('x')")
    applied(folder)
    sql("update kinds set slug = 'was x'; insert into kinds (slug) values ('x')")
    assert verdict(folder) == (2, DRIFT)


# The ledger


def test_a_server_of_another_major_version(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}, {"sku": "b", "name": "1"}]))
    applied(folder)
    sql("update seedframe.baseline set server_major = 9")
    sql("update items set name = 'hand' where sku = 'a'")
    changed = seed([{"sku": "a", "name": "1"}, {"sku": "b", "name": "2"}])
    folder.write(changed)
    assert found(folder) == {"a": (DRIFT, {"name": "hand"}), "b": (PENDING, {"name": "1"})}, "its hashes are the same"
    sql("update seedframe.baseline set hash_probe = hash_probe + 1")
    assert found(folder) == {"a": (CONFLICT, {"name": "hand"}), "b": (CONFLICT, {"name": "1"})}, "they are not"
    folder.write(seed([{"sku": "a", "name": "1"}, {"sku": "b", "name": "1"}]))
    assert found(folder) == {"a": (DRIFT, {"name": "hand"})}
    assert "the server hashes differently" in str(apply(folder, on_conflict="database").as_dict())
    assert apply(folder).exit_code == 0
    sql("update items set name = 'hand' where sku = 'a'")
    folder.write(changed)
    assert found(folder) == {"a": (DRIFT, {"name": "hand"}), "b": (PENDING, {"name": "1"})}, "the baseline is new"


def test_a_ledger_that_is_lost(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]))
    applied(folder)
    sql("drop schema seedframe cascade")
    assert verdict(folder) == (0, Verdict.IN_SYNC)
    sql("update items set name = 'hand'")
    assert verdict(folder) == (1, PENDING), "nothing tells that it was applied"
    applied(folder)


def test_a_ledger_that_is_broken(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]))
    applied(folder)
    sql("update items set name = 'hand'; drop table seedframe.baseline cascade")
    report = agreed(folder)
    assert (report.exit_code, only(report).verdict) == (2, DRIFT)
    assert "the ledger cannot be read" in only(report).findings[-1].text
    for rule in ("fail", "database"):
        assert "the ledger cannot be read" in str(dry_run(folder, on_conflict=rule).as_dict())
    report = apply(folder)
    assert (report.exit_code, only(report).verdict) == (0, DRIFT)
    assert "parts of the ledger were gone and were made again" in only(report).findings[-1].text
    quiet = applied(folder)
    assert (only(quiet).findings, only(quiet).verdict) == ((), Verdict.IN_SYNC)


def test_a_ledger_that_this_role_cannot_read(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]))
    applied(folder)
    sql("update items set name = 'hand'; drop role if exists stranger; create role stranger login")
    sql("grant select on items to stranger")
    env = {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "stranger@")}
    result = folder.run("verify", env=env)
    assert result.returncode == 2
    assert "drift    items sku=a" in result.stdout
    assert "pending and drift cannot be told apart" in result.stdout
    sql("drop owned by stranger; drop role stranger")


def test_a_backup_that_was_restored(project: ProjectFactory, sql: Sql, items: None) -> None:
    """Rows and ledger travel together: what the seed changed after the backup is pending, what was edited is drift."""
    folder = project(seed([{"sku": sku, "name": "1"} for sku in "abc"]))
    applied(folder)
    sql("update items set name = 'hand' where sku = 'a'")
    tables = ("run", "outcome", "applied_seed", "baseline", "baseline_row", "owned_row", "extra_row", "changed_row")
    sql("create schema backup; create table backup.items as table items")
    for table in tables:
        sql(f"create table backup.{table} as table seedframe.{table}")
    folder.write(seed([{"sku": sku, "name": "2"} for sku in "abcd"]))
    applied(folder)
    sql("truncate items; insert into items table backup.items")
    sql("set session_replication_role = replica; truncate seedframe.run, seedframe.applied_seed cascade; reset all")
    for table in tables:
        sql(f"insert into seedframe.{table} overriding system value table backup.{table}")
    assert {sku: kind for sku, (kind, _) in found(folder).items()} == {
        "a": CONFLICT,
        "b": PENDING,
        "c": PENDING,
        "d": PENDING,
    }
    folder.write(seed([{"sku": sku, "name": "1"} for sku in "abc"]))
    assert found(folder) == {"a": (DRIFT, {"name": "hand"})}


# Sizes


def test_rows_of_others_are_told_of_above_the_size(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]), config=SIZES % 0)
    applied(folder)
    sql("insert into items values ('theirs', 'x')")
    assert verdict(folder) == (0, Verdict.IN_SYNC)
    folder.write(seed([{"sku": "a", "name": "2"}]))
    report = agreed(folder)
    assert (report.exit_code, only(report).verdict) == (2, CONFLICT)
    assert [finding.text for finding in only(report).findings] == [
        "rows:items: rows of others count too above [ledger] baseline_rows, so that conflict may be only pending"
    ]


def test_rows_of_others_say_nothing_below_the_size(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]), config=SIZES % 1)
    applied(folder)
    sql("insert into items values ('theirs', 'x')")
    folder.write(seed([{"sku": "a", "name": "2"}]))
    assert (verdict(folder), only(agreed(folder)).findings) == ((1, PENDING), ())


def test_crossing_the_size(project: ProjectFactory, sql: Sql, items: None) -> None:
    one, two = [{"sku": "a", "name": "1"}], [{"sku": "a", "name": "1"}, {"sku": "b", "name": "1"}]
    folder = project(seed(one), config=SIZES % 1)
    applied(folder)
    sql("update items set name = 'hand'")
    folder.write(seed(two))
    assert found(folder) == {"a": (DRIFT, {"name": "hand"}), "b": (PENDING, None)}, "there are row hashes to go by"
    applied(folder)
    assert sql("select by_row, fingerprint is null from seedframe.baseline") == [(False, False)]
    assert sql("select count(*) from seedframe.baseline_row") == [(0,)]
    sql("update items set name = 'hand' where sku = 'a'")
    assert found(folder) == {"a": (DRIFT, {"name": "hand"})}
    folder.write(seed(one))
    assert found(folder) == {"a": (CONFLICT, {"name": "hand"})}
    applied(folder)
    assert sql("select by_row, fingerprint is null from seedframe.baseline") == [(True, True)]
    sql("update items set name = 'hand' where sku = 'a'")
    folder.write(seed([{"sku": "a", "name": "1"}, {"sku": "b", "name": "1"}]))
    assert found(folder) == {"a": (DRIFT, {"name": "hand"})}, "the row of b is still there, as it is declared again"


# What is no set of rows

OTHERS = """
from seedframe import Change, Extension, Tables, Rows

WRITES = ["items"]

def resources():
    yield Extension("citext")
    yield Tables("items")

def check(db):
    if not db.scalar("select exists (select from items where sku = 'own')"):
        yield Change("create", {"sku": "own"}, None, {"name": "own"})

def apply(db, plan):
    db.execute("insert into items (sku) values ('own')")
"""


def test_resources_that_are_no_rows(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project({"seeds/10_a.py": OTHERS})
    assert verdict(folder) == (1, PENDING)
    applied(folder)
    sql("drop extension citext; delete from items")
    report = agreed(folder)
    assert (report.exit_code, [(r.resource, r.verdict) for r in only(report).resources]) == (
        2,
        [("extension:citext", DRIFT), ("tables:items", Verdict.IN_SYNC), ("hook:check", DRIFT)],
    )
    for failed in (dry_run(folder, on_conflict="fail"), apply(folder, on_conflict="fail")):
        problem = only(failed).error
        assert (failed.exit_code, problem and problem.code) == (1, "changed_in_database")
        assert problem is not None
        assert problem.message == "extension:citext was changed in the database since the last apply (drift)"
    told = [
        "extension:citext is made as declared: only cells of rows can be kept",
        "hook:check is made as declared: only cells of rows can be kept",
    ]
    for report in (dry_run(folder, on_conflict="database"), apply(folder, on_conflict="database")):
        assert (report.exit_code, [finding.text for finding in only(report).findings]) == (0, told)
    assert verify(folder).exit_code == 0
    folder.write({"seeds/10_a.py": OTHERS + "# moved on\n"})
    sql("delete from items")
    assert [r.verdict for r in only(agreed(folder)).resources][-1] is PENDING


def test_a_required_table_that_is_gone_is_critical(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]))
    applied(folder)
    sql("drop table items")
    report = verify(folder)
    assert (report.exit_code, only(report).status) == (2, Status.FAILED)


def test_a_seed_that_is_gone_is_an_orphan(project: ProjectFactory, sql: Sql, items: None) -> None:
    folder = project(seed([{"sku": "a", "name": "1"}]) | {"seeds/20_b.py": "def verify():\n    pass\n"})
    assert apply(folder).exit_code == 0
    (folder.path / "seeds/10_a.py").unlink()
    report = verify(folder)
    assert (report.exit_code, [(seed.seed, seed.status) for seed in report.seeds]) == (
        2,
        [("20_b", Status.IN_SYNC), ("a", Status.ORPHAN)],
    )
    assert report.seeds[1].resources[0].verdict is ORPHAN


@pytest.mark.parametrize(
    ("critical", "by_hand", "declared", "code"),
    [
        (True, "1", "1", 0),
        (True, "1", "2", 1),
        (True, "hand", "1", 2),
        (True, "hand", "2", 2),
        (False, "1", "2", 1),
        (False, "hand", "1", 1),
        (False, "hand", "2", 1),
    ],
)
def test_exit_codes_of_verify_follow(
    critical: bool, by_hand: str, declared: str, code: int, project: ProjectFactory, sql: Sql, items: None
) -> None:
    head = f"CRITICAL = {critical}"
    folder = project(seed([{"sku": "a", "name": "1"}], head=head))
    applied(folder)
    sql("update items set name = %s", [by_hand])
    folder.write(seed([{"sku": "a", "name": declared}], head=head))
    assert verify(folder).exit_code == code
