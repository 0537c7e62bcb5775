"""A database is marked with the name of its environment by the first apply, and every run compares."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seedframe import Project
from seedframe.database.locks import ledger_lock
from seedframe.database.session import Session
from seedframe.errors import ConfigError
from seedframe.options import ApplyOptions
from seedframe.report import Report
from tests.conftest import Connect, Folder, ProjectFactory, Sql, clean_variables
from tests.running import apply, dry_run, verify

ITEMS = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a", "name": "1"}])
"""

CONFIG = '[project]\nname = "shop"\n\n[env.production]\n[env.staging]\n'

_LEDGER_3 = Path(__file__).parent / "data" / "ledger_version_3.sql"


@pytest.fixture
def folder(project: ProjectFactory, sql: Sql) -> Folder:
    """A project with one seed, three environments, and a database that nobody has applied it to."""
    sql("create table items (sku text primary key, name text)")
    return project({"seeds/10_items.py": ITEMS}, config=CONFIG)


def marked(sql: Sql) -> list[tuple[str, str, str]]:
    return [(env, by, project) for env, by, project in sql("select env, marked_by, project from seedframe.environment")]


def written(sql: Sql) -> list[tuple[object, ...]]:
    """All that a run could leave behind: rows, runs, outcomes, the mark."""
    return sql(
        "select (select coalesce(jsonb_agg(i), '[]') from items i), (select count(*) from seedframe.run),"
        " (select count(*) from seedframe.outcome), (select to_jsonb(e) from seedframe.environment e)"
    )


def is_refused(report: Report) -> bool:
    assert report.exit_code == 3, report.as_dict()
    assert report.error is not None
    assert [seed.status.value for seed in report.seeds] == ["skipped"]
    return report.error.code == "environment"


@pytest.mark.promise(
    "the database is that of another environment",
    "the first apply marks it with the environment's name; any run in another one is refused, and writes nothing",
)
@pytest.mark.parametrize(("env", "other"), [("production", "development"), ("development", "production")])
def test_a_marked_database_refuses_every_run_of_another_environment(
    folder: Folder, sql: Sql, env: str, other: str, tmp_path: Path
) -> None:
    assert apply(folder, env=env).exit_code == 0
    assert marked(sql) == [(env, "postgres", "shop")]
    sql("update items set name = 'hand'")
    assert dry_run(folder, env=env, out=tmp_path / "plan.json").exit_code == 0
    before = written(sql)
    for report in (
        apply(folder, env=other),
        apply(folder, env=other, transaction="run"),
        apply(folder, env=other, rehearse=True),
        dry_run(folder, env=other),
        dry_run(folder, env=other, out=tmp_path / "other.json"),
        verify(folder, env=other),
    ):
        assert is_refused(report)
    assert not (tmp_path / "other.json").exists()
    planned = Project.load(folder.path, env=other).apply(ApplyOptions(plan=tmp_path / "plan.json"))
    assert is_refused(planned)
    assert written(sql) == before
    assert verify(folder, env=env).exit_code == 2  # the row that was edited: it is looked at
    assert apply(folder, env=env).exit_code == 0


def test_the_refusal_is_one_line_and_a_hint(folder: Folder) -> None:
    assert folder.run("apply", "--env", "production").returncode == 0
    for command in (["apply"], ["apply", "--dry-run"], ["verify"], ["forget", "gone"]):
        done = folder.run(*command)
        assert done.returncode == 3
        error = next(line for line in (done.stdout + done.stderr).splitlines() if "is marked as" in line)
        assert "this database is marked as that of environment 'production', and this is 'development'" in error
        assert "`seedframe db mark` tells who marked it" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
    report = json.loads(folder.run("verify", "--format", "json").stdout)
    assert (report["exit_code"], report["error"]["code"]) == (3, "environment")


def test_only_an_apply_marks(folder: Folder, sql: Sql) -> None:
    for report in (apply(folder, rehearse=True), dry_run(folder), verify(folder)):
        assert report.error is None
    assert sql("select to_regclass('seedframe.environment')") == [(None,)]
    folder.write({"seeds/10_items.py": "def resources():\n    raise ValueError('no')\n"})
    assert apply(folder, env="staging").exit_code == 1
    assert marked(sql) == [("staging", "postgres", "shop")]  # a run that fails has begun all the same


def test_a_mark_is_of_the_whole_database(folder: Folder, sql: Sql, project: ProjectFactory) -> None:
    assert apply(folder, env="production").exit_code == 0
    sql("create schema tenant; create table tenant.items (sku text primary key, name text)")
    other = project(
        {"seeds/10_items.py": ITEMS},
        config='[project]\nname = "other"\n[database]\nschema = "tenant"\n[env.production]\n',
    )
    assert is_refused(apply(other))
    assert apply(other, env="production").exit_code == 0
    assert marked(sql) == [("production", "postgres", "shop")]


@pytest.mark.parametrize("run", [apply, verify])
def test_comparing_costs_no_round_trip(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, run: Callable[[Folder], Report]
) -> None:
    """The mark comes along with the ledger's version: no statement of its own reads or writes it."""
    apply(folder)
    statements: list[str] = []
    for name in ("query", "execute"):
        original = getattr(Session, name)

        def recorded(
            session: Session, statement: Any, parameters: Any = None, original: Callable[..., Any] = original
        ) -> Any:
            statements.append(str(statement))
            return original(session, statement, parameters)

        monkeypatch.setattr(Session, name, recorded)
    assert run(folder).exit_code == 0
    reading = [statement for statement in statements if "seedframe.environment" in statement]
    assert reading
    assert all("FROM seedframe.ledger" in statement for statement in reading), reading


def test_a_ledger_of_an_earlier_version_is_marked_by_the_next_apply(folder: Folder, sql: Sql) -> None:
    sql("insert into items values ('a', '1'), ('b', '1')")
    sql(_LEDGER_3.read_text())
    for report in (verify(folder, env="staging"), apply(folder, env="production", dry_run=True)):
        assert report.error is None
    assert apply(folder, env="production").error is None
    assert marked(sql) == [("production", "postgres", "shop")]
    assert is_refused(apply(folder))


@pytest.mark.parametrize("loss", ["delete from seedframe.environment", "drop table seedframe.environment"])
def test_a_mark_that_is_gone_is_made_by_the_next_apply(folder: Folder, sql: Sql, loss: str) -> None:
    assert apply(folder).exit_code == 0
    sql(loss)
    assert apply(folder, env="staging").exit_code == 0
    assert marked(sql) == [("staging", "postgres", "shop")]


@pytest.mark.promise(
    "two first runs, of different environments, at the same time", "one marks the database; the other is refused"
)
@pytest.mark.parametrize("ledger", ["none", "unmarked"])
def test_of_two_first_runs_one_wins(folder: Folder, sql: Sql, connect: Connect, ledger: str) -> None:
    if ledger == "unmarked":
        apply(folder)
        sql("delete from seedframe.environment")
    starting = connect(autocommit=False)
    starting.execute("select pg_advisory_xact_lock(%s)", [ledger_lock()])
    processes = {
        env: subprocess.Popen(
            [sys.executable, "-P", "-m", "seedframe", "apply", "--env", env, "--wait", "100"],
            cwd=folder.path,
            env={**clean_variables(folder.path), **folder.env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for env in ("production", "staging")
    }
    try:
        wait_until_both_ask(sql)
        starting.rollback()
        printed = {env: process.communicate(timeout=120)[0] for env, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
            process.wait()
    ((winner, _, _),) = marked(sql)
    (loser,) = processes.keys() - {winner}
    assert {env: process.returncode for env, process in processes.items()} == {winner: 0, loser: 3}, printed
    assert f"is marked as that of environment '{winner}', and this is '{loser}'" in printed[loser]
    runs = sql("select env from seedframe.run where env <> 'development'")
    assert runs == [(winner,)]


def wait_until_both_ask(sql: Sql) -> None:
    """Two runs have looked, found no mark, and are asking for the lock: they ask, begin anew, and ask again."""
    asking: set[int] = set()
    deadline = time.monotonic() + 100
    while len(asking) < 2:
        assert time.monotonic() < deadline
        asking |= {
            pid
            for (pid,) in sql(
                "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                " and (query like '%pg_try_advisory_xact_lock%' or query like '%an unnamed application%')"
            )
        }
        time.sleep(0.001)


# What cannot be read


@pytest.fixture
def reader(folder: Folder, sql: Sql) -> Iterator[dict[str, str]]:
    """A role that may read the items, and what a command runs with to be it."""
    sql("drop role if exists mark_reader; create role mark_reader login; grant select on items to mark_reader")
    yield {"DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "mark_reader@")}
    sql("drop owned by mark_reader; drop role mark_reader")


UNKNOWN = "which environment the database is of is not known"


def test_a_mark_that_cannot_be_read_is_told(folder: Folder, sql: Sql, reader: dict[str, str]) -> None:
    assert apply(folder, env="production").exit_code == 0
    done = folder.run("verify", env=reader)
    assert UNKNOWN in done.stdout
    assert done.returncode == 1  # a warning: it could not be compared
    sql("grant usage on schema seedframe to mark_reader; grant select on seedframe.run to mark_reader")
    assert UNKNOWN in folder.run("verify", env=reader).stdout


def test_a_mark_that_alone_can_be_read_is_compared(folder: Folder, sql: Sql, reader: dict[str, str]) -> None:
    assert apply(folder, env="production").exit_code == 0
    sql("grant usage on schema seedframe to mark_reader; grant select on seedframe.environment to mark_reader")
    done = folder.run("verify", env=reader)
    assert (done.returncode, "is marked as that of environment 'production'" in done.stdout + done.stderr) == (3, True)
    right = folder.run("verify", "--env", "production", env=reader)
    assert (right.returncode, UNKNOWN in right.stdout) == (1, False), right
    assert "pending and drift cannot be told apart" in right.stdout


def test_whoever_may_not_mark_is_told_what_is_lacking(folder: Folder, sql: Sql, reader: dict[str, str]) -> None:
    assert apply(folder).exit_code == 0
    sql("delete from seedframe.environment")
    sql("grant usage on schema seedframe to mark_reader; grant all on items to mark_reader")
    sql("grant select, insert, update, delete on all tables in schema seedframe to mark_reader")
    sql("revoke insert on seedframe.environment from mark_reader")
    runs = sql("select count(*) from seedframe.run")
    done = folder.run("apply", env=reader)
    assert done.returncode == 3
    assert "cannot be marked as that of environment 'development'" in done.stdout + done.stderr
    assert 'GRANT USAGE ON SCHEMA seedframe TO "mark_reader"' in done.stdout + done.stderr
    assert sql("select count(*) from seedframe.run") == runs
    sql("grant insert on seedframe.environment to mark_reader")
    assert folder.run("apply", env=reader).returncode == 0
    assert marked(sql) == [("development", "mark_reader", "shop")]


# seedframe db mark


def test_the_mark_is_shown_and_changed_on_purpose(folder: Folder, sql: Sql) -> None:
    shown = folder.run("db", "mark")
    assert (shown.returncode, "is not marked: the first apply marks it" in shown.stdout) == (0, True), shown
    assert apply(folder, env="production").exit_code == 0
    shown = folder.run("db", "mark")
    assert shown.returncode == 0
    assert re.search(
        r"^database .* is marked as production, by postgres for project shop on \d{4}-\d\d-\d\d .* UTC$", shown.stdout
    )
    before = written(sql)
    refused = folder.run("db", "mark", "development")
    assert refused.returncode == 3
    assert "is marked as production" in refused.stderr
    assert "would be marked as development" in refused.stderr
    assert "--yes" in refused.stderr
    assert len(refused.stderr.splitlines()) == 2
    assert written(sql) == before
    changed = folder.run("db", "mark", "development", "--yes")
    assert changed.returncode == 0, changed
    assert "is marked as development now (before: production)" in changed.stdout
    assert apply(folder).exit_code == 0
    assert is_refused(apply(folder, env="production"))
    again = folder.run("db", "mark", "development", "--yes")
    assert (again.returncode, "before" in again.stdout) == (0, False)
    listed = [line.split("  ")[-1] for line in folder.run("history").stdout.splitlines()]
    assert listed[1] == "marked as development"
    assert "marked as development, before production" in listed
    assert folder.run("history", "--check").returncode == 0


def test_the_first_apply_says_what_it_marks(folder: Folder) -> None:
    told = "marked: this database is that of environment development from now on (seedframe db mark)"
    first = folder.run("apply")
    assert (first.returncode, told in first.stdout) == (0, True), first
    again = folder.run("apply", "--format", "json")
    assert (again.returncode, "marked" in json.loads(again.stdout)) == (0, False), again
    refused = folder.run("verify", "--env", "production")
    assert (refused.returncode, "`seedframe db mark production --yes` marks it anew" in refused.stderr) == (3, True)


def test_a_database_may_be_marked_before_anything_is_applied(folder: Folder, sql: Sql) -> None:
    assert folder.run("db", "mark", "production", "--yes").returncode == 0
    assert marked(sql) == [("production", "postgres", "shop")]
    assert is_refused(apply(folder))
    assert apply(folder, env="production").exit_code == 0


def test_changing_the_mark_upgrades_the_ledger(folder: Folder, sql: Sql) -> None:
    sql(_LEDGER_3.read_text())
    assert folder.run("db", "mark").stdout.count("is not marked") == 1
    assert folder.run("db", "mark", "staging", "--yes").returncode == 0
    assert marked(sql) == [("staging", "postgres", "shop")]
    assert sql("select version from seedframe.ledger") == [(4,)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("prod", "did you mean 'production'"),
        ("stagging", "did you mean 'staging'"),
        ("a b", "not a name"),
        ("", "not a"),
    ],
)
def test_a_mark_is_the_name_of_an_environment(folder: Folder, sql: Sql, name: str, told: str) -> None:
    done = folder.run("db", "mark", name, "--yes")
    assert (done.returncode, told in done.stderr) == (3, True), done
    assert sql("select to_regclass('seedframe.environment')") == [(None,)]


def test_the_library_marks_too(folder: Folder) -> None:
    project = Project.load(folder.path)
    assert project.mark() is None
    assert project.mark_as("staging") is None
    found = project.mark_as("production")
    assert found is not None
    assert found.env == "staging"
    found = Project.load(folder.path, env="staging").mark()
    assert found is not None
    assert (found.env, found.by, found.project) == ("production", "postgres", "shop")
    with pytest.raises(ConfigError, match="did you mean 'production'"):
        project.mark_as("prod")


def test_a_ledger_that_cannot_be_read_has_no_mark_to_show(folder: Folder, reader: dict[str, str]) -> None:
    apply(folder)
    done = folder.run("db", "mark", env=reader)
    assert (done.returncode, "the ledger cannot be read" in done.stderr) == (3, True), done


def test_a_hostile_mark_does_not_steer_the_terminal(folder: Folder, sql: Sql) -> None:
    apply(folder)
    sql("update seedframe.environment set env = E'x\\x1b]8;;evil\\x07\\n', project = E'\\x1b[2J'")
    for command in (["apply"], ["verify"], ["db", "mark"], ["db", "mark", "staging"]):
        done = folder.run(*command)
        assert "\x1b" not in done.stdout + done.stderr
        assert "marked as" in done.stdout + done.stderr


# db init and forget

MIGRATING = CONFIG + '[migrations]\ncommand = "python migrate.py"\n'
MIGRATE = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    connection.execute("create table if not exists migrated (id int)")
"""


def test_init_compares_before_it_migrates(folder: Folder, sql: Sql) -> None:
    folder.write({"seedframe.toml": MIGRATING, "migrate.py": MIGRATE})
    apply(folder, env="production")
    done = folder.run("db", "init")
    assert (done.returncode, "is marked as that of environment 'production'" in done.stderr) == (3, True), done
    assert sql("select to_regclass('migrated')") == [(None,)]
    assert folder.run("db", "init", "--env", "production").returncode == 0
    assert sql("select to_regclass('migrated') is null") == [(False,)]


def test_init_does_not_migrate_where_the_mark_cannot_be_read(folder: Folder, sql: Sql, reader: dict[str, str]) -> None:
    folder.write({"seedframe.toml": MIGRATING, "migrate.py": MIGRATE})
    sql("grant create on schema public to mark_reader")
    apply(folder, env="production")
    done = folder.run("db", "init", env=reader)
    assert (done.returncode, "the ledger cannot be read" in done.stderr) == (3, True), done
    assert sql("select to_regclass('migrated')") == [(None,)]


def test_init_marks_a_database_that_is_new(folder: Folder, sql: Sql) -> None:
    folder.write({"seedframe.toml": MIGRATING, "migrate.py": MIGRATE})
    assert folder.run("db", "init", "--env", "staging").returncode == 0
    assert marked(sql) == [("staging", "postgres", "shop")]


def test_forget_compares(folder: Folder, sql: Sql) -> None:
    folder.write({"seeds/20_gone.py": "def verify():\n    return ()\n"})
    apply(folder, env="production")
    (folder.path / "seeds/20_gone.py").unlink()
    done = folder.run("forget", "gone")
    assert (done.returncode, "is marked as that of environment 'production'" in done.stderr) == (3, True), done
    assert sql("select count(*) from seedframe.applied_seed where seed = 'gone'") == [(1,)]
    assert folder.run("forget", "gone", "--env", "production").returncode == 0
