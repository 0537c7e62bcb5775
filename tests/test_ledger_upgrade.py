"""The ledger of an earlier seedframe: read as it is, and upgraded by apply, whole, once, and by whoever may."""

import json
from pathlib import Path

import psycopg
import pytest

from seedframe import Project
from seedframe.changes import Verdict
from tests.conftest import Folder, ProjectFactory, Sql
from tests.crowd import Task, crowd
from tests.running import applied, apply, counts, dry_run, only, verify

_DATA = Path(__file__).parent / "data"
_NEWEST = 4

_SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", prune=True, rows=[{rows}])
"""


def seed(**rows: str) -> dict[str, str]:
    return {
        "seeds/10_a.py": _SEED.format(rows=", ".join(f'{{"sku": "{sku}", "name": "{n}"}}' for sku, n in rows.items()))
    }


@pytest.fixture(params=[2, 3])
def earlier(request: pytest.FixtureRequest) -> int:
    """The version of the ledger that is there."""
    return int(request.param)


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql, earlier: int) -> Folder:
    """A project whose seed made a and b, by a seedframe that left a ledger of an earlier version."""
    sql("create table items (sku text primary key, name text); insert into items values ('a', '1'), ('b', '1')")
    sql((_DATA / f"ledger_version_{earlier}.sql").read_text())
    return project(seed(a="1", b="1"))


def version(sql: Sql) -> int:
    ((found,),) = sql("select version from seedframe.ledger")
    return int(found)


_SHAPE = """
select 'column', table_name::text, column_name::text, data_type::text, column_default::text, is_nullable::text
  from information_schema.columns where table_schema = 'seedframe'
union all select 'constraint', conrelid::regclass::text, conname::text, pg_get_constraintdef(oid), null, null
  from pg_constraint where connamespace = 'seedframe'::regnamespace
union all select 'index', tablename::text, indexname::text, indexdef, null, null
  from pg_indexes where schemaname = 'seedframe'
union all select 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid), null, null
  from pg_trigger where not tgisinternal
union all select 'function', proname::text, prosrc, null, null, null
  from pg_proc where pronamespace = 'seedframe'::regnamespace
order by 1, 2, 3, 4
"""


@pytest.mark.promise(
    "the ledger is of an earlier seedframe",
    "apply upgrades it in one transaction, under the ledger's lock; what it knows stays. verify and a dry run read it",
)
def test_apply_upgrades_and_loses_nothing(folder: Folder, sql: Sql) -> None:
    tables = ("run", "outcome", "applied_seed", "baseline", "baseline_row", "owned_row")
    before = {table: sql(f"select to_jsonb(t) from seedframe.{table} t order by 1") for table in tables}
    folder.write(seed(a="2"))
    assert counts(apply(folder)) == (0, 1, 1, 0)  # b is known to be the seed's own, and goes
    assert sql("select * from items") == [("a", "2")]
    assert version(sql) == _NEWEST
    for table in ("run", "outcome"):
        for (row,) in before[table]:
            kept = sql(f"select to_jsonb(t) from seedframe.{table} t where t.id = %s", [row["id"]])
            assert kept == [({**kept[0][0], **row},)]
    assert [run.id for run in Project.load(folder.path).history()] == [3, 2, 1]
    assert folder.run("history", "--check").returncode == 0
    applied(folder)


def test_an_upgraded_ledger_is_like_a_new_one(folder: Folder, sql: Sql) -> None:
    apply(folder)
    upgraded = sql(_SHAPE)
    sql("drop schema seedframe cascade")
    apply(folder)
    assert upgraded == sql(_SHAPE)


def test_reading_needs_no_upgrade_and_makes_none(folder: Folder, sql: Sql, earlier: int) -> None:
    sql("update items set name = 'hand' where sku = 'a'")
    before = sql(_SHAPE)
    assert only(verify(folder)).verdict is Verdict.DRIFT
    assert only(dry_run(folder)).verdict is Verdict.DRIFT
    assert apply(folder, rehearse=True).summary.update == 1
    listed = folder.run("history", "--format", "json")
    assert [run["run"] for run in json.loads(listed.stdout)["runs"]] == [2, 1], listed
    shown = folder.run("history", "1")
    assert (shown.returncode, "ValueError: no" in shown.stdout) == (0, True), shown
    assert sql(_SHAPE) == before
    assert version(sql) == earlier


@pytest.mark.usefixtures("earlier")
def test_forget_upgrades_as_it_is_entered(folder: Folder, sql: Sql) -> None:
    (folder.path / "seeds/10_a.py").unlink()
    folder.write({"seeds/20_b.py": "def verify():\n    return ()\n"})
    assert folder.run("forget", "a").returncode == 0
    assert sql("select count(*) from seedframe.applied_seed") == [(0,)]
    assert version(sql) == _NEWEST
    assert sql("select seed from seedframe.outcome where status = 'forgotten' and position is not null") == [("a",)]
    assert folder.run("history", "--check").returncode == 0


def test_several_upgrade_at_once(folder: Folder, sql: Sql, database: str) -> None:
    folder.write(seed(a="2", b="1"))
    with crowd(8) as processes:
        reports = processes.apply(Task(folder.path, database))
    assert [report["exit_code"] for report in reports] == [0] * 8, reports
    assert sorted(report["status"] for report in reports) == ["changed"] + ["in_sync"] * 7
    assert version(sql) == _NEWEST


def test_an_upgrade_that_fails_leaves_the_ledger_as_it_was(folder: Folder, sql: Sql, earlier: int) -> None:
    before = sql(_SHAPE)
    # In the midst of the steps, whichever they are: the last thing that is made.
    sql(
        "create function refuse() returns event_trigger language plpgsql as $$ begin"
        " if to_regclass('seedframe.account') is not null then raise 'no accounts here'; end if; end $$"
    )
    sql("create event trigger refuse on ddl_command_end when tag in ('CREATE TABLE') execute function refuse()")
    report = apply(folder)
    assert (report.exit_code, report.error is not None and "no accounts here" in report.error.message) == (3, True)
    assert (sql(_SHAPE), version(sql)) == (before, earlier)
    assert sql("select count(*) from seedframe.run") == [(2,)]


def test_a_role_that_may_not_alter_is_told_who_may(folder: Folder, sql: Sql, earlier: int) -> None:
    sql("drop role if exists upgrader; create role upgrader login")
    sql("grant usage on schema seedframe to upgrader; grant all on items to upgrader")
    sql("grant select, insert, update, delete on all tables in schema seedframe to upgrader")
    user = {"PGUSER": "upgrader", "DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "upgrader@")}
    done = folder.run("apply", env=user)
    assert done.returncode == 3, done
    assert f"has version {earlier} and cannot be upgraded to {_NEWEST}" in done.stderr
    assert "run `seedframe apply` once as postgres" in done.stderr
    assert folder.run("verify", env=user).returncode == 0
    applied(folder)
    sql("grant select, insert, update, delete on all tables in schema seedframe to upgrader")
    assert folder.run("apply", env=user).returncode == 0
    sql("drop owned by upgrader; drop role upgrader")


@pytest.mark.parametrize("table", ["changed_row", "outcome", "ledger", "environment", "account"])
def test_parts_that_are_gone_are_made_again(folder: Folder, sql: Sql, table: str) -> None:
    apply(folder)
    upgraded = sql(_SHAPE)
    sql(f"drop table seedframe.{table} cascade")
    assert any("some of its tables are gone" in finding.text for finding in only(verify(folder)).findings)
    applied(folder)
    assert sorted(sql(_SHAPE), key=str) == sorted(upgraded, key=str)
    assert version(sql) == _NEWEST


@pytest.mark.promise("the ledger is of a later seedframe", "refused, with its version, by whatever would use it")
def test_a_later_version_is_refused_even_where_tables_are_gone(folder: Folder, sql: Sql) -> None:
    sql(f"update seedframe.ledger set version = {_NEWEST + 1}; drop table seedframe.extra_row")
    for report in (apply(folder), dry_run(folder), verify(folder)):
        assert report.error is not None
        assert f"has version {_NEWEST + 1}, this seedframe knows {_NEWEST}" in report.error.message
    assert sql("select to_regclass('seedframe.extra_row')") == [(None,)]


def test_forget_drops_what_is_known_of_a_seeds_accounts(folder: Folder, sql: Sql) -> None:
    apply(folder)
    sql(
        "insert into seedframe.account (project, target_schema, seed, resource, password_version)"
        " values ('shop', 'public', 'a', 'account:x', 1), ('shop', 'public', 'other', 'account:x', 1),"
        " ('shop', 'elsewhere', 'a', 'account:x', 1), ('other', 'public', 'a', 'account:x', 1)"
    )
    (folder.path / "seeds/10_a.py").unlink()
    folder.write({"seeds/20_b.py": "def verify():\n    return ()\n"})
    assert folder.run("forget", "a").returncode == 0
    assert sql("select project, target_schema, seed from seedframe.account order by 1, 2, 3") == [
        ("other", "public", "a"),
        ("shop", "elsewhere", "a"),
        ("shop", "public", "other"),
    ]


def test_a_database_has_one_environment(folder: Folder, sql: Sql) -> None:
    apply(folder)
    sql("delete from seedframe.environment; insert into seedframe.environment (env, project) values ('a', 'shop')")
    for second in ("(true, 'b', 'shop')", "(false, 'b', 'shop')", "(null, 'b', 'shop')"):
        with pytest.raises(psycopg.errors.IntegrityError):
            sql(f"insert into seedframe.environment (single, env, project) values {second}")
