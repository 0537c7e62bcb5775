"""The runner: transactions, failures, hooks, verdicts, orphans, the ledger and the lock, on a real server."""

import json
import multiprocessing
import re
from multiprocessing.synchronize import Barrier
from pathlib import Path

import psycopg
import pytest

from seedframe import Project
from seedframe.changes import Verdict
from seedframe.report import Status
from tests.conftest import Connect, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify
from tests.servers import Server

ITEMS = "create table items (sku text primary key, name text, n int)"

SEED = """
from seedframe import Rows, Change, Finding

def resources():
    yield Rows("items", key="sku", rows=[{{"sku": "{sku}", "name": "{name}"}}])
"""

FAILS = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "f1"}])
    yield Rows("items", key="sku", name="wrong", rows=[{"sku": "f2", "n": "x"}])
"""


def seed(sku: str, name: str = "N", more: str = "") -> str:
    return SEED.format(sku=sku, name=name) + more


@pytest.fixture
def table(sql: Sql) -> None:
    sql(ITEMS)


# Failures


@pytest.mark.promise(
    "a row of a seed is refused",
    "the whole seed is rolled back, the failure recorded; seeds before it stay, later ones wait",
)
def test_a_failing_seed_is_rolled_back_whole_and_stops_the_run(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_f.py": FAILS, "seeds/30_b.py": seed("b")})
    report = apply(folder)
    assert [outcome.status for outcome in report.seeds] == [Status.CHANGED, Status.FAILED, Status.SKIPPED]
    assert (report.exit_code, report.status) == (1, Status.FAILED)
    assert sql("select sku from items") == [("a",)]
    assert sql("select seed, status, error ->> 'code' from seedframe.outcome order by id") == [
        ("10_a", "changed", None),
        ("20_f", "failed", "bad_data"),
    ]
    assert sql("select seed from seedframe.applied_seed") == [("a",)]


def test_keep_going_runs_the_later_seeds(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/20_f.py": FAILS, "seeds/30_b.py": seed("b")})
    report = apply(folder, keep_going=True)
    assert [outcome.status for outcome in report.seeds] == [Status.FAILED, Status.CHANGED]
    assert report.exit_code == 1
    assert sql("select sku from items") == [("b",)]


def test_a_seed_that_is_not_critical_fails_alone(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/20_f.py": "CRITICAL = False\n" + FAILS, "seeds/30_b.py": seed("b")})
    report = apply(folder)
    assert [outcome.status for outcome in report.seeds] == [Status.FAILED, Status.CHANGED]
    assert report.exit_code == 0
    assert apply(folder, strict=True).exit_code == 1
    assert sql("select sku from items") == [("b",)]


@pytest.mark.parametrize("critical", [True, False])
def test_one_transaction_for_the_run(critical: bool, project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project(
        {
            "seeds/10_a.py": seed("a"),
            "seeds/20_f.py": f"CRITICAL = {critical}\n" + FAILS,
            "seeds/30_b.py": seed("b"),
        }
    )
    report = apply(folder, transaction="run")
    assert sql("select sku from items order by 1") == ([] if critical else [("a",), ("b",)])
    assert [outcome.status for outcome in report.seeds] == (
        [Status.SKIPPED, Status.FAILED, Status.SKIPPED] if critical else [Status.CHANGED, Status.FAILED, Status.CHANGED]
    )
    assert report.exit_code == (1 if critical else 0)


def test_a_rehearsal_meets_constraints_and_keeps_nothing(project: ProjectFactory, sql: Sql, table: None) -> None:
    sql(
        "alter table items add constraint short check (length(name) < 3) , add unique (n) deferrable initially deferred"
    )
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_b.py": seed("b")})
    report = apply(folder, rehearse=True)
    assert (report.mode, report.exit_code, report.run, counts(report)) == ("rehearse", 0, None, (2, 0, 0, 0))
    assert sql("select count(*) from items") == [(0,)]
    assert sql("select to_regnamespace('seedframe')") == [(None,)]
    folder.write({"seeds/20_b.py": seed("b", "too long")})
    assert "check constraint short refused a row" in error(apply(folder, rehearse=True))


@pytest.mark.trap(
    "a dry run that the database does not evaluate",
    "--rehearse does it all, constraints and triggers too, and rolls back",
)
def test_a_rehearsal_has_deferred_constraints_speak(project: ProjectFactory, sql: Sql, table: None) -> None:
    sql("create table others (id int primary key)")
    sql("alter table items add foreign key (n) references others deferrable initially deferred")
    body = seed("a").replace('"name": "N"', '"n": 5')
    folder = project({"seeds/10_a.py": body})
    for report in (apply(folder, rehearse=True), apply(folder)):
        assert "foreign key items_n_fkey refused a row" in error(report)


def test_a_trigger_that_rewrites_is_reported_as_not_converging(project: ProjectFactory, sql: Sql, table: None) -> None:
    sql("create function shout() returns trigger language plpgsql as $$ begin new.name := 'X'; return new; end $$")
    sql("create trigger shout before insert or update on items for each row execute function shout()")
    report = apply(project({"seeds/10_a.py": seed("a")}))
    assert "rows:items does not converge: after apply, for sku=a, column name still differs" in error(report)
    assert sql("select count(*) from items") == [(0,)]


# Hooks

OWN = """
from seedframe import Change, Finding

WRITES = ["items"]

def check(db):
    if db.scalar("select count(*) from items where n = 1") == 0:
        yield Change("create", {"n": "1"}, None, {"name": "own"})

def apply(db, plan, seed, env, config, settings):
    assert seed.name == "own" and env == "development" and config == {} and len(settings) == 0
    for change in plan.own:
        db.execute("insert into items (sku, name, n) values (:sku, :name, 1)", sku="own", name=change.after["name"])

def verify(db):
    if db.scalar("select count(*) from items") > 1:
        yield Finding("many items", "warning")
"""


def test_a_seed_s_own_check_and_apply(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_own.py": OWN})
    planned = only(dry_run(folder))
    assert [resource.resource for resource in planned.resources] == ["hook:check"]
    assert counts(applied(folder)) == (1, 0, 0, 0)
    sql("delete from items")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    sql("insert into items values ('x', null, null), ('y', null, 1)")
    report = verify(folder)
    assert (report.exit_code, only(report).findings[0].text) == (1, "many items")


def test_a_long_check_is_made_whole_and_shown_in_part(project: ProjectFactory, sql: Sql, table: None) -> None:
    body = """
from seedframe import Change

WRITES = ["items"]

def check(db):
    there = {row["sku"] for row in db.rows("select sku from items")}
    return [Change("create", {"sku": str(n)}, None, {"n": "1"}) for n in range(80) if str(n) not in there]

def apply(db, plan):
    for change in plan.own:
        db.execute("insert into items (sku) values (:sku)", sku=change.key["sku"])
"""
    report = applied(project({"seeds/10_own.py": body}))
    changes = only(report).resources[0].changes
    assert (changes.counts.create, len(changes.sample), changes.omitted) == (80, 50, 30)
    assert sql("select count(*) from items") == [(80,)]


def test_an_error_finding_fails_and_rolls_back_the_seed(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a", more="\ndef verify(db):\n    yield 'never right'\n")})
    report = apply(folder)
    assert (report.exit_code, only(report).status) == (1, Status.FAILED)
    assert sql("select count(*) from items") == [(0,)]
    assert sql("select status, error ->> 'message' from seedframe.outcome") == [("failed", "never right")]
    assert verify(folder).exit_code == 2
    assert dry_run(folder).exit_code == 0, "verify is not called in a dry run"


WRITES = "db.execute(\"insert into items values ('stray')\")"


@pytest.mark.parametrize("hook", ["resources", "check", "verify"])
def test_only_apply_may_write(hook: str, project: ProjectFactory, sql: Sql, table: None) -> None:
    body = f"def {hook}(db):\n    {WRITES}\n    return []\n"
    report = apply(project({"seeds/10_a.py": body}))
    assert "hook_failed: " in error(report)
    assert "wrote where it may only read" in error(report)
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize(
    "statement",
    [
        "commit",
        "  ROLLBACK",
        "/* x /* y */ */ begin",
        "-- x\nsavepoint a",
        "set  transaction read write",
        "end",
        "select 1; commit",
        ";commit",
        "select ';', $a$;$a$, E'\\';'; commit; begin",
        "select a$b$ from t; rollback; --$b$",
    ],
)
def test_transaction_control_is_refused(statement: str, project: ProjectFactory, table: None) -> None:
    report = apply(project({"seeds/10_a.py": f"def verify(db):\n    db.execute({statement!r})\n"}))
    assert "not for seeds" in error(report)


def test_a_swallowed_sql_error_is_named(project: ProjectFactory, sql: Sql, table: None) -> None:
    body = "def verify(db):\n    try:\n        db.scalar('select 1/0')\n    except Exception:\n        pass\n"
    report = apply(project({"seeds/10_a.py": seed("a", more=body)}))
    assert "went on after an SQL error that it swallowed" in error(report)
    assert sql("select count(*) from items") == [(0,)]


def test_a_hook_that_raises_is_named_with_its_line(project: ProjectFactory, table: None) -> None:
    report = apply(project({"seeds/10_a.py": "def verify(db):\n    return {}['x']\n"}))
    assert error(report).startswith("hook_failed: seeds/10_a.py:2: `verify` of seed 10_a failed: KeyError: no key 'x'")
    assert verify(project({"seeds/10_a.py": "def verify(db):\n    return {}['x']\n"})).exit_code == 3


# Verdicts


def test_the_four_verdicts(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a", "one")})
    assert only(verify(folder)).verdict is Verdict.PENDING, "never applied"
    applied(folder)
    sql("update items set name = 'hand'")
    assert (verify(folder).exit_code, only(verify(folder)).verdict) == (2, Verdict.DRIFT)
    folder.write({"seeds/10_a.py": seed("a", "two")})
    assert (verify(folder).exit_code, only(verify(folder)).verdict) == (2, Verdict.CONFLICT)
    sql("update items set name = 'one'")
    assert (verify(folder).exit_code, only(verify(folder)).verdict) == (1, Verdict.PENDING)
    sql("update items set name = 'two'")
    assert (verify(folder).exit_code, only(verify(folder)).verdict) == (0, Verdict.IN_SYNC)


def test_verdicts_are_told_row_by_row(project: ProjectFactory, sql: Sql, table: None) -> None:
    rows = 'yield Rows("items", key="sku", rows=[{"sku": s, "name": n} for s, n in %r])'
    body = "from seedframe import Rows\n\ndef resources():\n    " + rows
    folder = project({"seeds/10_a.py": body % ([("a", "1"), ("b", "1"), ("c", "1"), ("d", "1"), ("gone", "1")],)})
    applied(folder)
    folder.write(
        {"seeds/10_a.py": body % ([("a", "1"), ("b", "2"), ("c", "2"), ("d", "1"), ("gone", "1"), ("new", "1")],)}
    )
    sql("update items set name = 'hand' where sku in ('a', 'c')")
    sql("delete from items where sku = 'gone'")
    changes = only(verify(folder)).resources[0].changes
    assert {change.key["sku"]: change.verdict for change in changes.sample} == {
        "a": Verdict.DRIFT,
        "b": Verdict.PENDING,
        "c": Verdict.CONFLICT,
        "gone": Verdict.DRIFT,
        "new": Verdict.PENDING,
    }
    assert changes.verdict is Verdict.CONFLICT


def test_a_new_column_is_pending_not_conflict(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    applied(folder)
    sql("update items set n = 3")
    folder.write({"seeds/10_a.py": seed("a").replace('"name": "N"', '"name": "N", "n": 7')})
    assert only(verify(folder)).verdict is Verdict.PENDING


@pytest.mark.parametrize("kept", [0, 10], ids=["as a whole", "row by row"])
def test_verdicts_of_resources_above_the_configured_size(
    kept: int, project: ProjectFactory, sql: Sql, table: None
) -> None:
    config = f'[project]\nname = "shop"\n[ledger]\nbaseline_rows = {kept}\n'
    folder = project({"seeds/10_a.py": seed("a", "one")}, config=config)
    applied(folder)
    assert sql("select count(*) from seedframe.baseline_row") == [(1 if kept else 0,)]
    folder.write({"seeds/10_a.py": seed("a", "two")})
    assert only(verify(folder)).verdict is Verdict.PENDING
    sql("update items set name = 'hand'")
    assert only(verify(folder)).verdict is Verdict.CONFLICT
    folder.write({"seeds/10_a.py": seed("a", "one")})
    assert only(verify(folder)).verdict is Verdict.DRIFT


def test_a_seed_that_is_gone_is_an_orphan_until_it_is_forgotten(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_b.py": seed("b")})
    applied(folder)
    (folder.path / "seeds/20_b.py").unlink()
    report = verify(folder)
    assert report.exit_code == 2
    assert [(outcome.seed, outcome.status) for outcome in report.seeds] == [
        ("10_a", Status.IN_SYNC),
        ("b", Status.ORPHAN),
    ]
    assert verify(folder, "a").exit_code == 0, "what was not asked for is not reported"
    assert Project.load(folder.path).forget("b") == 1
    assert verify(folder).exit_code == 0
    assert sql("select count(*) from items") == [(2,)]


def test_renumbering_a_seed_changes_nothing(project: ProjectFactory, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    applied(folder)
    (folder.path / "seeds/10_a.py").rename(folder.path / "seeds/70_a.py")
    assert verify(folder).exit_code == 0


def test_a_resource_that_is_gone_is_an_orphan_until_the_next_apply(project: ProjectFactory, table: None) -> None:
    more = '    yield Rows("items", key="sku", name="more", rows=[{"sku": "z"}])\n'
    folder = project({"seeds/10_a.py": seed("a", more=more)})
    applied(folder)
    folder.write({"seeds/10_a.py": seed("a")})
    report = verify(folder)
    assert (report.exit_code, only(report).verdict) == (2, Verdict.ORPHAN)
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0


# Requirements, selection and the ledger


def test_a_requirement_must_be_chosen_or_applied(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_b.py": 'REQUIRES = ["a"]\n' + seed("b")})
    result = folder.run("apply", "b")
    assert result.returncode == 3
    assert "seed 20_b requires 'a', which is neither chosen nor applied yet" in result.stderr
    assert apply(folder, "a").exit_code == 0
    assert apply(folder, "20_b").exit_code == 0
    assert sql("select count(*) from items") == [(2,)]


def test_history_tells_of_runs(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    loaded = Project.load(folder.path)
    assert loaded.history() == []
    applied(folder)
    folder.write({"seeds/10_a.py": FAILS})
    apply(folder)
    runs = Project.load(folder.path).history()
    assert [(run.id, run.status, run.counts.create) for run in runs] == [
        (3, "failed", 0),
        (2, "in_sync", 0),
        (1, "changed", 1),
    ]
    assert all(run.finished_at is not None and run.env == "development" for run in runs)
    failed = Project.load(folder.path).run_record(3).seeds[0]
    assert failed.error is not None
    assert (failed.seed, failed.status, failed.error.code) == ("10_a", "failed", "bad_data")


def test_a_ledger_of_a_newer_seedframe_is_refused(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    applied(folder)
    sql("update seedframe.ledger set version = 99")
    for report in (apply(folder), verify(folder)):
        assert report.exit_code == 3
        assert report.error is not None
        assert "version 99" in report.error.message


def test_a_ledger_from_before_the_first_release_is_refused(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    applied(folder)
    sql("update seedframe.ledger set version = 1; alter table seedframe.baseline drop key_columns")
    for report in (apply(folder), dry_run(folder), verify(folder)):
        assert report.exit_code == 3
        assert report.error is not None
        assert report.error.hint is not None
        assert "from before the first release" in report.error.message
        assert "DROP SCHEMA seedframe CASCADE" in report.error.hint
    sql("drop schema seedframe cascade")
    assert counts(apply(folder))[:3] == (0, 0, 0)


def test_two_schemas_of_one_database_are_two_targets(project: ProjectFactory, sql: Sql) -> None:
    for schema in ("one", "two"):
        sql(f"create schema {schema}; create table {schema}.items (sku text primary key, name text)")
        config = f'[project]\nname = "shop"\n[database]\nschema = "{schema}"\n'
        folder = project({"seeds/10_a.py": seed("a", schema)}, config=config)
        applied(folder)
    assert sql("select name from one.items union all select name from two.items") == [("one",), ("two",)]


def test_a_schema_that_does_not_exist(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": seed("a")}, config='[project]\nname = "x"\n[database]\nschema = "nope"\n')
    result = folder.run("verify")
    assert result.returncode == 3
    assert "schema 'nope' does not exist" in result.stderr


# The role's own settings change nothing


@pytest.mark.promise(
    "the role or the database has settings of its own", "pinned in each transaction, so that they change nothing"
)
def test_the_session_is_pinned(project: ProjectFactory, sql: Sql, database: str) -> None:
    sql("create table t (id int primary key, at timestamptz, d date, i interval, f float8, b bytea, m money)")
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    body = (
        "from seedframe import Rows\n\ndef resources():\n    yield Rows('t', key='id', rows=[{'id': 1, "
        "'at': '2024-03-04 05:06', 'd': '2024-03-04', 'i': '1 day 2:03', 'f': 0.1, 'b': b'ab', 'm': '1.50'}])\n"
    )
    folder = project({"seeds/10_t.py": body})
    applied(folder)
    for setting in (
        "timezone = 'Asia/Tokyo'", "datestyle = 'German'", "intervalstyle = 'sql_standard'", "extra_float_digits = -5",
        "bytea_output = 'escape'", "search_path = 'pg_catalog'", "default_transaction_read_only = on",
        "standard_conforming_strings = off", "default_transaction_isolation = 'serializable'",
    ):  # fmt: skip
        sql(f'alter database "{name}" set {setting}')
    assert verify(folder).exit_code == 0
    assert counts(apply(folder)) == (0, 0, 0, 1)


def test_row_level_security_is_an_error_not_missing_rows(project: ProjectFactory, sql: Sql, table: None) -> None:
    sql("drop role if exists app_rls; create role app_rls login; grant all on items to app_rls")
    sql("grant create on database " + _database(sql) + " to app_rls")
    sql("alter table items enable row level security")
    folder = project({"seeds/10_a.py": seed("a")})
    env = {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "app_rls@")}
    result = folder.run("apply", env=env)
    assert result.returncode == 1
    assert "row-level security" in result.stdout
    sql("drop owned by app_rls; drop role app_rls")


def _database(sql: Sql) -> str:
    return f'"{sql("select current_database()")[0][0]}"'


# Reading really only reads


@pytest.mark.trap("a monitor that needs to write", "dry run and verify work with a role that may only read")
def test_dry_run_and_verify_work_with_a_role_that_may_only_read(
    project: ProjectFactory, sql: Sql, table: None, connect: Connect
) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_own.py": OWN})
    apply(folder, "a")
    sql("drop role if exists reader; create role reader login; grant select on items to reader")
    reading = {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "reader@")}
    unreadable = folder.run("verify", "a", env=reading)
    assert unreadable.returncode == 1, unreadable
    assert "the ledger cannot be read" in unreadable.stdout
    sql("grant usage on schema seedframe to reader; grant select on all tables in schema seedframe to reader")
    assert folder.run("verify", "a", env=reading).returncode == 0
    assert folder.run("apply", "--dry-run", env=reading).returncode == 0
    refused = folder.run("apply", env=reading)
    assert refused.returncode == 3 or "permission" in refused.stdout, refused
    sql("drop owned by reader; drop role reader")


@pytest.mark.trap(
    "a dry run that writes", "dry run and verify are READ ONLY transactions: no temporary table, no transaction id"
)
def test_dry_run_and_verify_write_nothing(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_own.py": OWN})
    position = "select pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())"
    sql("checkpoint")
    for look in (dry_run, verify):
        # The server's own background writes a record now and then; what we wrote would be there each time.
        for _ in range(5):
            before = sql(position)
            assert counts(look(folder)) == (2, 0, 0, 0)
            after = sql(position)
            assert after[0][1] == before[0][1], "a transaction id was assigned"
            if after == before:
                break
        assert after == before, "WAL was written"
    assert sql("select to_regnamespace('seedframe')") == [(None,)]


def _images(sql: Sql, start: str, end: str, major: int) -> int:
    """How many bytes of the WAL between two places are images of whole pages."""
    if major < 15:
        return 0  # nothing tells there; but without checksums, full_page_writes = off has none written
    sql("create extension if not exists pg_walinspect")
    ((images,),) = sql("select coalesce(sum(fpi_length), 0)::bigint from pg_get_wal_records_info(%s, %s)", [start, end])
    return int(images)


@pytest.mark.trap("a no-op apply that floods the WAL", "less than 64 KB, whatever the number of rows")
@pytest.mark.parametrize(("seeds", "rows"), [(5, 3_000), (2, 12_000)], ids=["small sources", "staged ones"])
def test_a_second_apply_writes_little(
    seeds: int, rows: int, project: ProjectFactory, server: Server, sql: Sql, table: None
) -> None:
    declared = f"({{'sku': f's{{n}}', 'name': 'x'}} for n in range({rows}))"
    body = f"from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', rows={declared})\n"
    folder = project({f"seeds/{n}0_s{n}.py": body for n in range(1, seeds + 1)})
    applied(folder)
    sql("checkpoint")
    ((start,),) = sql("select pg_current_wal_flush_lsn()")
    assert counts(apply(folder)) == (0, 0, 0, seeds * rows)
    ((end, written),) = sql("select now, pg_wal_lsn_diff(now, %s)::bigint from pg_current_wal_flush_lsn() now", [start])
    assert 0 < written - _images(sql, start, end, server.major) < 64 * 1024, "a no-op apply, less full-page images"


# Several at once


def _apply_at(barrier: Barrier, folder: Path, rounds: int) -> None:
    for _ in range(rounds):
        barrier.wait(60)
        report = Project.load(folder).apply()
        if report.exit_code != 0:
            raise SystemExit(str(report.as_dict()))


def test_many_at_once_apply_each_seed_once(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a"), "seeds/20_b.py": seed("b")})
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(6)
    workers = [context.Process(target=_apply_at, args=(barrier, folder.path, 3)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0] * 6
    assert sql("select sum(created), count(*) from seedframe.outcome") == [(2, 36)]
    assert sql("select count(*), count(distinct seed) from seedframe.outcome where status = 'changed'") == [(2, 2)]
    assert sql("select count(*) from seedframe.ledger") == [(1,)]


def test_a_run_that_waits_in_vain_names_the_holder(project: ProjectFactory, table: None, connect: Connect) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    from seedframe.database.locks import run_lock

    holder = connect(autocommit=False)
    holder.execute("set application_name = 'the other one'")
    holder.execute("select pg_advisory_xact_lock(%s)", [run_lock("shop", "public")])
    pid = holder.info.backend_pid
    result = folder.run("apply", "--wait", "0.3")
    assert result.returncode == 3
    assert re.search(rf"process {pid} \(the other one\) holds the lock", result.stdout + result.stderr), result


def test_a_lost_connection_is_an_error_of_the_run(project: ProjectFactory, sql: Sql, table: None) -> None:
    body = (
        "from seedframe import Rows\n\ndef resources(db):\n"
        "    db.execute('select pg_terminate_backend(pg_backend_pid())')\n    return []\n"
    )
    folder = project({"seeds/10_a.py": body, "seeds/20_b.py": seed("b")})
    for report in (apply(folder), verify(folder)):
        assert report.exit_code == 3
        assert report.error is not None
        assert report.error.code == "connection"
        assert report.seeds[-1].status is Status.SKIPPED


# What was found by trying to break it


def test_a_trigger_that_rewrites_is_named_in_later_applies_too(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a", "one")})
    applied(folder)
    sql("create function shout() returns trigger language plpgsql as $$ begin new.name := 'X'; return new; end $$")
    sql("create trigger shout before insert or update on items for each row execute function shout()")
    folder.write({"seeds/10_a.py": seed("a", "two")})
    assert error(apply(folder)).startswith("does_not_converge")


RAISES = """
from seedframe import Changes, Rows

class Own:
    name, tables = "own:thing", ()
    def describe(self): return "own"
    def diff(self, db): {diff}
    def delete(self, db, changes): pass
    def write(self, db, changes): raise ValueError("boom")

def rows():
    yield {{"sku": "a"}}
    raise ValueError("boom")

def resources():
    yield {declared}
"""


@pytest.mark.parametrize(
    ("diff", "declared", "expected"),
    [
        ("return 1 / 0", "Own()", "ZeroDivisionError"),
        ("return None", "Own()", "`diff` of own:thing returned NoneType"),
        ("from seedframe import Change; return Changes.of([Change('create', {'a': 'b'})])", "Own()", "boom"),
        ("db.execute(\"insert into items values ('w')\"); return Changes()", "Own()", "may only read"),
        ("", "Rows('items', key='sku', rows=rows)", "ValueError: boom"),
    ],
    ids=["diff raises", "diff returns nothing", "write raises", "diff writes", "rows raise"],
)
def test_what_a_resource_raises_is_the_seed_s_failure(
    diff: str, declared: str, expected: str, project: ProjectFactory, sql: Sql, table: None
) -> None:
    text = RAISES.format(diff=diff or "pass", declared=declared)
    folder = project({"seeds/10_a.py": seed("first"), "seeds/20_own.py": text})
    report = apply(folder)
    assert [outcome.status for outcome in report.seeds] == [Status.CHANGED, Status.FAILED]
    assert (report.exit_code, expected in error(report), "seeds/20_own.py" in error(report)) == (1, True, True)
    assert sql("select sku from items") == [("first",)]


@pytest.mark.parametrize("hook", ["check", "verify", "resources"])
def test_what_a_hook_sets_ends_with_it(hook: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table moments (id int primary key, at timestamptz)")
    body = (
        "from seedframe import Rows\n\n{}def resources({}):\n    {}\n"
        '    return [Rows("moments", key="id", rows=[{{"id": 1, "at": "2024-01-01 00:00"}}])]\n'
    )
    sets = "db.execute(\"set local timezone = 'Asia/Tokyo'\"); db.execute('set local search_path = pg_catalog')"
    if hook == "resources":
        text = body.format("", "db", sets)
    else:
        text = body.format(f"def {hook}(db):\n    {sets}\n    return []\n\n", "", "pass")
    applied(project({"seeds/10_m.py": text}))
    assert sql("select at = '2024-01-01 00:00Z' from moments") == [(True,)]


def test_pending_above_the_configured_size_beside_rows_of_others(
    project: ProjectFactory, sql: Sql, table: None
) -> None:
    config = '[project]\nname = "shop"\n[ledger]\nbaseline_rows = 0\n'
    folder = project({"seeds/10_a.py": seed("a", "one")}, config=config)
    sql("insert into items values ('theirs')")
    applied(folder)
    folder.write({"seeds/10_a.py": seed("a", "two")})
    assert only(verify(folder)).verdict is Verdict.PENDING
    folder.write({"seeds/10_a.py": seed("a", "two").replace('"name"', '"n": 3, "name"')})
    assert only(verify(folder)).verdict is Verdict.PENDING, "a new column is no conflict"


def test_a_dry_run_does_not_plan_on_a_seed_that_fails(project: ProjectFactory, sql: Sql) -> None:
    sql("create table p (id serial primary key, code text unique)")
    sql("create table c (code text primary key, p_id int references p)")
    first = (
        "from seedframe import Rows\n\nCRITICAL = False\n\ndef resources():\n"
        '    yield Rows("p", key="code", rows=[{"code": "x"}])\n    yield Rows("no_such", key="a", rows=[{"a": 1}])\n'
    )
    second = (
        "from seedframe import Rows, ref\n\ndef resources():\n"
        '    yield Rows("c", key="code", rows=[{"code": "c", "p_id": ref("p", code="x")}])\n'
    )
    folder = project({"seeds/10_p.py": first, "seeds/20_c.py": second})
    for report in (dry_run(folder), apply(folder)):
        assert [outcome.status for outcome in report.seeds] == [Status.FAILED, Status.FAILED]


def test_a_partly_dropped_ledger_is_said_and_made_again(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a")})
    applied(folder)
    sql("drop table seedframe.outcome cascade")
    report = verify(folder)
    assert "some of its tables are gone" in only(report).findings[0].text
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0


def test_the_check_of_a_seed_whose_code_moved_on_is_pending(project: ProjectFactory, table: None) -> None:
    folder = project({"seeds/10_own.py": OWN})
    applied(folder)
    folder.write({"seeds/10_own.py": OWN.replace("n = 1", "n = 2").replace(":name, 1)", ":name, 2)")})
    assert (verify(folder).exit_code, only(verify(folder)).verdict) == (1, Verdict.PENDING)


def test_a_forgotten_yield_is_an_error(project: ProjectFactory, table: None) -> None:
    body = "from seedframe import Rows\n\ndef resources():\n    Rows('items', key='sku', rows=[{'sku': 'a'}])\n"
    assert "`resources` of seed 10_a returned None" in error(apply(project({"seeds/10_a.py": body})))


def test_an_environment_misspelt_does_not_leave_seeds_out(project: ProjectFactory, table: None) -> None:
    folder = project({"seeds/10_a.py": 'ENVIRONMENTS = {"production"}\n' + seed("a"), "seeds/20_b.py": seed("b")})
    result = folder.run("verify", "--env", "prduction")
    assert result.returncode == 3
    assert "did you mean 'production'?" in result.stderr


def test_what_a_seed_prints_is_kept_off_standard_output(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": "print('imported')\n" + seed("a", more="\ndef verify(db):\n    print('ran')\n")})
    result = folder.run("apply", "--format", "json")
    assert json.loads(result.stdout)["exit_code"] == 0
    assert "imported" in result.stderr
    assert "ran" in result.stderr


def test_a_seed_with_another_name(project: ProjectFactory, sql: Sql, table: None) -> None:
    """verify asks whether it was renamed; nobody undoes what the seed declares that is gone."""
    folder = project({"seeds/10_a.py": seed("a"), "seeds/30_tax.py": seed("t")})
    assert apply(folder).exit_code == 0
    (folder.path / "seeds/30_tax.py").rename(folder.path / "seeds/30_taxes.py")
    told = (
        "seed tax was applied from seeds/30_tax.py and is gone: was it renamed to taxes? Then `seedframe forget tax`;"
        " its rows stay. Else put it back"
    )
    assert told in str(verify(folder).as_dict())
    report = apply(folder)
    assert [finding.text for outcome in report.seeds for finding in outcome.findings] == []
    assert folder.run("forget", "tax").returncode == 0
    assert verify(folder).exit_code == 0


def test_two_seeds_that_declare_the_same_cells_are_told_of(project: ProjectFactory, sql: Sql, table: None) -> None:
    folder = project({"seeds/10_a.py": seed("a", "one"), "seeds/20_b.py": seed("a", "two"), "seeds/30_c.py": seed("c")})
    report = apply(folder)
    assert [[finding.text for finding in outcome.findings] for outcome in report.seeds] == [
        [],
        ["rows:items declares rows that rows:items of seed a declares too: each apply may undo the other's"],
        [],
    ]
    folder.write({"seeds/20_b.py": seed("a").replace('"name": "N"', '"n": 3')})
    apply(folder)
    assert [outcome.findings for outcome in apply(folder).seeds] == [(), (), ()], "other columns are nobody's quarrel"


def test_a_rehearsal_does_not_look_at_what_it_did_not_make(project: ProjectFactory, sql: Sql, table: None) -> None:
    own = (
        'from seedframe import Change\nWRITES = ["items"]\n'
        "def check(db):\n    if not db.scalar('select count(*) from items'): yield Change('create', {'sku': 'own'})\n"
        "def apply(db):\n    db.execute(\"insert into items values ('own')\")\n"
        "def verify(db):\n    if not db.scalar('select count(*) from items'): yield 'no items'\n"
    )
    folder = project({"seeds/10_own.py": own})
    report = apply(folder, rehearse=True)
    (finding,) = only(report).findings
    assert (report.exit_code, finding.severity) == (0, "info")
    assert "its `apply`, and so its `verify`, is not called in a rehearsal" in finding.text
    applied(folder)
    assert sql("select sku from items") == [("own",)]
    # Where it has nothing to make, what it looks at is there.
    folder.write(
        {"seeds/10_own.py": own.replace("if not db.scalar('select count(*) from items'): yield 'no", "yield 'no")}
    )
    assert "no items" in [finding.text for finding in only(apply(folder, rehearse=True)).findings]


def test_a_rehearsal_does_not_count_on_a_seed_that_failed(project: ProjectFactory, sql: Sql) -> None:
    sql("create table p (id serial primary key, code text unique); create table c (code text, p_id int references p)")
    sql("create unique index on c (code)")
    first = (
        "from seedframe import Rows\n\nCRITICAL = False\n\ndef resources():\n"
        '    yield Rows("p", key="code", rows=({"code": f"x{n}"} for n in range(6000)))\n'
        '    yield Rows("no_such", key="a", rows=[{"a": 1}])\n'
    )
    second = (
        "from seedframe import Rows, ref\n\ndef resources():\n"
        '    yield Rows("c", key="code", rows=[{"code": "c", "p_id": ref("p", code="x1")}])\n'
    )
    report = apply(project({"seeds/10_p.py": first, "seeds/20_c.py": second}), rehearse=True)
    assert [outcome.error.code for outcome in report.seeds if outcome.error] == ["missing_table", "ref"]


def test_a_package_whose_other_module_changed_has_moved_on(project: ProjectFactory) -> None:
    wants = "def missing(db):\n    return db.scalar('select {}')\n"
    own = (
        "from seedframe import Change\nfrom .more import missing\n\n"
        "def check(db):\n    if missing(db):\n        yield Change('create', {'id': '1'})\n\n"
        "def apply(db):\n    pass\n"
    )
    folder = project({"seeds/10_x/__init__.py": own, "seeds/10_x/more.py": wants.format("false")})
    assert folder.run("apply").returncode == 0
    folder.write({"seeds/10_x/more.py": wants.format("true")})
    assert folder.run("verify").returncode == 1  # pending: the seed moved on, the database did not


def test_the_repr_of_a_report_says_what_went_wrong(project: ProjectFactory, sql: Sql) -> None:
    """It is what a test that failed shows of it."""
    sql("create table t (id int primary key)")
    folder = project(
        {
            "seeds/10_a.py": "from seedframe import Tables\ndef resources(): yield Tables('t')\n",
            "seeds/20_b.py": "def verify(): yield 'too few'\n",
        }
    )
    assert repr(apply(folder)) == "<Report apply failed, exit code 1: 20_b: too few>"
    assert repr(apply(folder, "a")) == "<Report apply in_sync, exit code 0: create 0, update 0, delete 0>"
