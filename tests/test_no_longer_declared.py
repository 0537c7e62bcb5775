"""Rows that leave a declaration which deletes nothing: once, somebody is told that they stay."""

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, dry_run, only, verify

_ITEMS = "create table items (sku text primary key, name text); create table others (sku text primary key, name text)"


def _declare(folder: Folder, skus: list[str], more: str = "", table: str = "items") -> None:
    rows = [{"sku": sku, "name": "n"} for sku in skus]
    folder.write(
        {
            "seeds/10_items.py": "from seedframe import Rows, moved, removed\n\n"
            f"def resources():\n    yield Rows({table!r}, name='items', key='sku', rows={rows!r}{more})\n"
        }
    )


def _told(report: Report) -> list[str]:
    found = [finding for finding in only(report).findings if "declared no more" in finding.text]
    assert {finding.severity for finding in found} <= {"info"}
    return [finding.text for finding in found]


def _text(count: int, why: str = 'prune=True or mode="sync" is for such rows') -> str:
    was, are, stay = ("row that was", "is", "stays") if count == 1 else ("rows that were", "are", "stay")
    return (
        f"rows:items: {count:,} {was} declared at the last apply {are} declared no more and {stay} as in the"
        f" database; {why}"
    )


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    sql(_ITEMS)
    made = project({}, config='[project]\nname = "shop"\n')
    _declare(made, ["a", "b", "c"])
    assert _told(applied(made)) == []
    return made


def test_rows_that_leave_stay_and_are_told_of_once(folder: Folder, sql: Sql) -> None:
    assert _told(verify(folder)) == []
    _declare(folder, ["a"])
    for report in (dry_run(folder), verify(folder)):
        assert (_told(report), report.exit_code) == ([_text(2)], 0)
    assert _told(applied(folder)) == [_text(2)]
    assert _told(verify(folder)) == _told(applied(folder)) == []
    assert sql("select sku from items order by 1") == [("a",), ("b",), ("c",)]


def test_a_row_with_another_key_leaves_the_old_one(folder: Folder) -> None:
    """There are as many rows as before."""
    _declare(folder, ["a", "b", "d"])
    assert _told(dry_run(folder)) == [_text(1)]
    assert _told(applied(folder)) == [_text(1)]


def test_all_rows_leave(folder: Folder) -> None:
    _declare(folder, [])
    assert _told(dry_run(folder)) == [_text(3)]


def test_what_is_moved_removed_or_swept_does_not_stay(folder: Folder) -> None:
    _declare(folder, ["a", "b", "d"], ", transitions=[moved('c', 'd')]")
    assert _told(dry_run(folder)) == []
    _declare(folder, ["a", "b"], ", transitions=[removed('c')]")
    assert _told(dry_run(folder)) == []
    _declare(folder, ["a"], ", transitions=[removed('c')]")
    assert _told(dry_run(folder)) == [_text(1)]
    _declare(folder, ["a"], ", mode='sync'")
    assert _told(dry_run(folder)) == []


def test_prune_leaves_what_was_made_without_it(folder: Folder) -> None:
    why = "prune deletes only what this seed made while prune was on"
    _declare(folder, ["a", "d"], ", prune=True")
    assert _told(applied(folder)) == [_text(2, why)]
    _declare(folder, ["a"], ", prune=True")
    report = dry_run(folder)
    assert (_told(report), only(report).counts.delete) == ([], 1)


def test_another_table_or_key_is_another_matter(folder: Folder) -> None:
    _declare(folder, ["a"], table="others")
    assert _told(dry_run(folder)) == []


def test_a_row_that_stays_and_is_in_the_way_of_its_successor(folder: Folder, sql: Sql) -> None:
    sql("alter table items add number text unique")

    def declare(rows: str, more: str = "") -> None:
        folder.write(
            {
                "seeds/10_items.py": "from seedframe import Rows, moved, removed\n\n"
                f"def resources():\n    yield Rows('items', name='items', key='sku', rows={rows}{more})\n"
            }
        )

    def told() -> str:
        error = only(apply(folder)).error
        assert error is not None
        return str(error)

    old, new = "[{'sku': 'ANG', 'number': '532'}]", "[{'sku': 'XCG', 'number': '532'}]"
    declare(old)
    applied(folder)
    declare(new)
    for _ in range(2):
        said = told()
        assert "the row sku=ANG of public.items has its value" in said
        assert "rows:items declared that row and does so no more, which leaves it where it is: delete it, or" in said
        assert "with moved() or removed()" in said
    declare(new, ", transitions=[moved('ANG', 'XCG')]")
    applied(folder)
    declare(old)
    sql("insert into items (sku, number) values ('HAND', '533')")
    assert "does so no more" in told()
    declare(new.replace("]", ", {'sku': 'A', 'number': '533'}]"))
    assert "has its value (give one of the two another value, or delete that row)" in told()
    declare(old, ", transitions=[removed('XCG')]")
    applied(folder)


def test_rows_that_somebody_deleted_as_well_are_as_in_the_database(folder: Folder, sql: Sql) -> None:
    sql("delete from items where sku = 'c'")
    _declare(folder, ["a", "b"])
    assert _told(applied(folder)) == [_text(1)]
    assert sql("select count(*) from items") == [(2,)]


@pytest.mark.parametrize(
    ("rows", "baseline_rows"), [(5_200, 20_000), (20, 10)], ids=["read in two parts", "more than are known one by one"]
)
def test_many_rows_are_told_of_by_how_many_fewer_they_are(folder: Folder, rows: int, baseline_rows: int) -> None:
    folder.write({"seedframe.toml": f'[project]\nname = "shop"\n\n[ledger]\nbaseline_rows = {baseline_rows}\n'})
    skus = [f"n{number}" for number in range(rows)]
    _declare(folder, ["a", "b", "c", *skus])
    applied(folder)
    _declare(folder, ["a", *skus])
    assert _told(dry_run(folder)) == [_text(2)]
    assert _told(applied(folder)) == [_text(2)]
    assert _told(verify(folder)) == []
