"""Limits: how much one run may delete and update, in the configuration and for one `Rows`."""

import re
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.configuration.durations import Misfit
from seedframe.configuration.limits import Limit, Limits, parse_limit
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify


@pytest.mark.parametrize(
    ("written", "limit", "text"),
    [
        (0, Limit(rows=0), "0"),
        (500, Limit(rows=500), "500"),
        ("10%", Limit(share=Fraction(1, 10)), "10%"),
        (" 0.5 % ", Limit(share=Fraction(1, 200)), "0.5%"),
        ("100%", Limit(share=Fraction(1)), "100%"),
        ("0%", Limit(share=Fraction(0)), "0%"),
    ],
)
def test_limits_are_numbers_or_shares(written: object, limit: Limit, text: str) -> None:
    assert (parse_limit(written), str(limit)) == (limit, text)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (-1, "0 or more"),
        (2**63, "0 or more"),
        (True, 'expected a number of rows, or a share such as "10%"'),
        (1.5, "expected a number of rows"),
        (None, "expected a number of rows"),
        ("500", "a number of rows is written without quotes"),
        ("ten%", "expected a number of rows"),
        ("-1%", "expected a number of rows"),
        ("٣%", "expected a number of rows"),
        ("100.1%", "a share of more than 100%"),
    ],
)
def test_what_is_no_limit_says_what_one_looks_like(written: object, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        parse_limit(written)


@given(percent=st.integers(0, 100), there=st.integers(0, 10**12))
def test_a_share_is_exact_and_rounded_down(percent: int, there: int) -> None:
    assert parse_limit(f"{percent}%").of(there) == percent * there // 100


def test_a_share_has_no_error_of_floating_point() -> None:
    assert parse_limit("0.1%").of(3_000) == 3
    assert parse_limit("29%").of(100) == 29


def test_a_resource_s_own_limits_win() -> None:
    general = Limits(Limit(rows=1), Limit(rows=2))
    assert Limits().over(general) == general
    own = Limits(delete=Limit(rows=9)).over(general)
    assert (own.delete, own.update, own.delete_is_own) == (Limit(rows=9), Limit(rows=2), True)


# In runs

ROWS = 'from seedframe import Rows\n\ndef resources():\n    yield Rows("items", key="id", mode="sync", rows=[{}]{})\n'


def declared(numbers: range, name: str = "n") -> str:
    return ", ".join(f'{{"id": {number}, "name": "{name}"}}' for number in numbers)


@pytest.fixture
def items(project: ProjectFactory, sql: Sql) -> Folder:
    """Twenty rows, applied."""
    sql("create table items (id int primary key, name text)")
    folder = project({"seeds/10_items.py": ROWS.format(declared(range(20)), "")})
    applied(folder)
    return folder


def configure(folder: Folder, limits: str) -> None:
    folder.write({"seedframe.toml": f'[project]\nname = "shop"\n{limits}'})


def change(folder: Folder, numbers: range, name: str = "n", more: str = "") -> None:
    folder.write({"seeds/10_items.py": ROWS.format(declared(numbers, name), more)})


RUNS: list[Any] = [
    pytest.param({"dry_run": True}, id="dry_run"),
    pytest.param({"rehearse": True}, id="rehearse"),
    pytest.param({}, id="apply"),
]


@pytest.mark.parametrize("options", RUNS)
def test_too_many_deletes_are_refused_before_anything_is_written(
    options: dict[str, Any], items: Folder, sql: Sql
) -> None:
    change(items, range(17), "m")
    configure(items, "[limits]\nmax_delete = 2\n")
    before = sql("select xmin::text, ctid::text, * from items order by id")
    report = apply(items, **options)
    assert report.exit_code == 1
    assert error(report) == (
        "too_many_changes: rows:items: 3 rows of public.items would be deleted, but max_delete=2 is what is allowed;"
        " to go are id=17, id=18, id=19 (if it is meant: Rows(…, max_delete=3);"
        " or max_delete under [limits] in seedframe.toml, where Rows has none)"
    )
    assert sql("select xmin::text, ctid::text, * from items order by id") == before
    assert counts(verify(items)) == (0, 17, 3, 0)
    configure(items, "[limits]\nmax_delete = 3\n")
    assert counts(apply(items, **options)) == (0, 17, 3, 0)


@pytest.mark.parametrize("options", RUNS)
def test_too_many_updates_are_refused_before_anything_is_written(options: dict[str, Any], items: Folder) -> None:
    change(items, range(30), "m")
    configure(items, '[limits]\nmax_update = "95%"\n')
    said = "20 rows of public.items would be updated, but max_update=95% of 20, that is 19, is what is allowed"
    assert said in error(apply(items, **options))
    change(items, range(30), "m", ', max_update="100%"')
    assert counts(apply(items, **options)) == (10, 20, 0, 0)


def test_a_share_of_deletes_is_of_the_rows_in_scope(items: Folder, sql: Sql) -> None:
    sql("insert into items select g, 'n' from generate_series(100, 179) g")
    change(items, range(18), more=', where="id < 100", max_delete="9%"')
    assert "2 rows of public.items would be deleted, but max_delete=9% of 20, that is 1," in error(dry_run(items))
    change(items, range(18), more=', where="id < 100", max_delete="10%"')
    assert counts(apply(items)) == (0, 0, 2, 18)
    change(items, range(17), more=', max_delete="90%"')
    assert counts(apply(items)) == (0, 0, 81, 17)


def test_an_environment_has_limits_of_its_own(items: Folder, sql: Sql) -> None:
    change(items, range(15))
    configure(items, "[limits]\nmax_delete = 1\n[env.production.limits]\nmax_delete = 5\n")
    assert "max_delete=1" in error(apply(items))
    sql("update seedframe.environment set env = 'production'")
    assert counts(apply(items, env="production")) == (0, 0, 5, 15)


def test_a_limit_in_the_configuration_does_not_allow_an_empty_source(items: Folder) -> None:
    change(items, range(0))
    configure(items, '[limits]\nmax_delete = "100%"\n')
    assert "the source has no rows: all 20 rows in scope" in error(apply(items))


def test_what_was_really_deleted_is_judged_too(items: Folder, sql: Sql) -> None:
    """A trigger deletes more than any foreign key tells of; the seed is rolled back."""
    sql("create table others (id int); insert into others select generate_series(1, 50)")
    sql(
        "create function sweep() returns trigger language plpgsql as"
        " $$ begin delete from others where id <= 5; return null; end $$"
    )
    sql("create trigger sweep after delete on items for each row execute function sweep()")
    change(items, range(19), more=", max_delete=5")
    assert counts(dry_run(items)) == (0, 0, 1, 19)
    assert "6 rows of public.items were to be deleted, but max_delete=5 is what is allowed" in error(apply(items))
    assert sql("select (select count(*) from others), (select count(*) from items)") == [(50, 20)]
    change(items, range(19), more=", max_delete=6")
    assert counts(apply(items)) == (0, 0, 1, 19)


def test_limits_of_other_seeds_do_not_add_up(items: Folder, sql: Sql) -> None:
    sql("create table goods (id int primary key); insert into goods values (1), (2)")
    change(items, range(18))
    items.write({"seeds/20_goods.py": ROWS.format('{"id": 1}', "").replace("items", "goods")})
    configure(items, "[limits]\nmax_delete = 2\n")
    assert [outcome.counts.delete for outcome in apply(items).seeds] == [2, 1]


@pytest.mark.parametrize("argument", ["max_delete", "max_update"])
def test_an_argument_that_is_no_limit_is_refused(argument: str, items: Folder) -> None:
    change(items, range(3), more=f', {argument}="many"')
    assert f"declaration: rows:items: {argument}='many': expected a number of rows, or a share" in error(dry_run(items))


def test_a_key_of_the_configuration_that_is_no_limit_is_refused(items: Folder) -> None:
    configure(items, '[limits]\nmax_delete = "10"\n')
    done = items.run("list")
    assert done.returncode == 3
    assert 'seedframe.toml:4: limits.max_delete: expected a number of rows, or a share such as "10%"' in done.stderr


def test_on_the_command_line(items: Folder) -> None:
    change(items, range(17))
    configure(items, "[limits]\nmax_delete = 2\n")
    for arguments in (["apply"], ["apply", "--dry-run"], ["apply", "--rehearse"]):
        done = items.run(*arguments)
        assert done.returncode == 1
        assert (
            "3 rows of public.items would be deleted, but max_delete=2 is what is allowed" in done.stdout + done.stderr
        )
    done = items.run("verify")
    assert done.returncode == 2
    assert re.search(r"orphan +items id=17 +no longer declared", done.stdout)
    configure(items, "")
    done = items.run("apply", "--dry-run", "--detailed-exitcode")
    assert done.returncode == 2
    assert re.search(r"- items id=17 +name: n", done.stdout)
    assert "rows into items by id, sync" in items.run("list").stdout


def test_notes_are_told_once(items: Folder) -> None:
    assert only(apply(items)).findings == ()
