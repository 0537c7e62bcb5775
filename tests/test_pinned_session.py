# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""The session is pinned: what a role's or a database's own settings say changes nothing of what is found and written."""

from collections.abc import Iterator
from typing import Any

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

TABLES = """
create table kinds (
    id int primary key, at timestamptz, day date, span interval, price money, ratio double precision, raw bytea,
    doc xml, list text[], note text, tags text[], parent int references kinds
);
create table sources (id int primary key);
"""
SEED = r"""
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from seedframe import Rows, ref

def resources():
    yield Rows("kinds", key="id", rows=[
        {"id": 1, "at": "2024-03-31 02:30:00", "day": "2024-02-01", "span": "-1 day 02:03:04", "price": "1234.50",
         "ratio": 0.1 + 0.2, "raw": b"\x00\\x", "doc": "<a/>text", "list": ["NULL", None, "a\\b"], "note": "a\\'b", "tags": "{NULL,x}",
         "parent": ref("kinds", id=2)},
        {"id": 2, "at": datetime(2024, 1, 1, tzinfo=timezone.utc), "day": date(2024, 2, 1), "span": timedelta(days=-1, hours=5),
         "price": Decimal("-0.5"), "ratio": 1e-300, "raw": None, "doc": None, "list": [], "note": "\N{GREEK SMALL LETTER OMEGA}", "tags": None, "parent": None},
    ])

def check(db):
    assert db.scalar("select count(*) from sources where id = any (array[1, 2])") == 0
    return []

def apply(db):
    pass

def verify(db):
    if db.scalar("select '10'::int + 1") != 11 or db.scalar("select lower('A') || length('abc')") != "a3":
        yield "shadowed"
"""
HOSTILE = """
create schema hostile;
create table hostile.kinds (id int primary key);
create table hostile.sources (id int); insert into hostile.sources values (1), (2);
create function hostile.lower(text) returns text language sql as $$ select 'shadow' $$;
create function hostile.length(text) returns int language sql as $$ select -1 $$;
create function hostile.shadow(int, int) returns int language sql as $$ select 0 $$;
create operator hostile.+ (leftarg = int, rightarg = int, function = hostile.shadow);
create function hostile.never(int, int) returns boolean language sql as $$ select false $$;
create operator hostile.= (leftarg = int, rightarg = int, function = hostile.never);
"""

SETTINGS = {
    "TimeZone": "'America/New_York'",
    "DateStyle": "'SQL, DMY'",
    "IntervalStyle": "'sql_standard'",
    "search_path": "hostile, pg_catalog, public",
    "extra_float_digits": "-3",
    "bytea_output": "'escape'",
    "lc_monetary": "'C.UTF-8'",
    "xmloption": "'document'",
    "standard_conforming_strings": "off",
    "transform_null_equals": "on",
    "row_security": "on",
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "'serializable'",
    "default_transaction_deferrable": "on",
    "lock_timeout": "'1ms'",
    "client_encoding": "'LATIN1'",
    "array_nulls": "off",
    "session_replication_role": "'replica'",
    "quote_all_identifiers": "on",
    "escape_string_warning": "off",
    "lc_messages": "'C'",
    "client_min_messages": "'error'",
    "constraint_exclusion": "on",
    "enable_seqscan": "off",
    "jit": "off",
}


@pytest.fixture
def login(database: str, sql: Sql) -> Iterator[str]:
    """A superuser of this database's own."""
    name = f"pinned_{database.rpartition('/')[2].partition('?')[0]}"
    sql(f"create role {name} superuser login")
    yield name
    sql(f"reassign owned by {name} to postgres; drop owned by {name}; drop role {name}")


def seen(report: Report) -> dict[str, Any]:
    document = report.as_dict()
    for name in ("run", "started_at", "duration_s"):
        del document[name]
    for outcome in document["seeds"]:
        del outcome["duration_s"]
    return document


def story(folder: Folder, sql: Sql) -> list[Any]:
    """What a project's life looks like, from an empty database on."""
    sql("drop schema if exists seedframe cascade; drop table if exists public.kinds, public.sources")
    sql(TABLES)
    told = [seen(dry_run(folder)), seen(apply(folder)), seen(apply(folder)), seen(verify(folder))]
    sql(
        "set timezone to 'UTC'; update public.kinds set ratio = 2, span = null, at = now() - interval '1 year' where id = 1"
    )
    sql("update public.kinds set at = '2020-01-01Z' where id = 1")
    told += [seen(verify(folder)), seen(dry_run(folder)), seen(apply(folder)), seen(verify(folder))]
    assert [report["exit_code"] for report in told] == [0, 0, 0, 0, 2, 0, 0, 0], told
    return [*told, sql("select k::text from public.kinds k order by id")]


@pytest.fixture
def folder(project: ProjectFactory, login: str, monkeypatch: pytest.MonkeyPatch) -> Folder:
    folder = project({"seeds/10_kinds.py": SEED})
    monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"].replace("://postgres@", f"://{login}@"))
    return folder


@pytest.mark.parametrize("where", ["role", "database"])
@pytest.mark.trap("settings of a role or a database", "pinned for each transaction: they change nothing of any report")
def test_all_settings_at_once(where: str, folder: Folder, sql: Sql, login: str) -> None:
    expected = story(folder, sql)
    sql(HOSTILE)
    (name,) = sql("select current_database()")[0]
    for setting, value in SETTINGS.items():
        whose = f"role {login}" if where == "role" else f"database {name}"
        sql(f"alter {whose} set {setting} to {value}")
    assert story(folder, sql) == expected


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting(setting: str, folder: Folder, sql: Sql, login: str) -> None:
    expected = story(folder, sql)
    sql(HOSTILE)
    sql(f"alter role {login} set {setting} to {SETTINGS[setting]}")
    assert story(folder, sql) == expected


def test_a_statement_may_take_as_long_as_the_configuration_says(
    project: ProjectFactory, sql: Sql, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(f"alter role {login} set statement_timeout to '1s'")
    body = "def verify(db):\n    db.scalar('select pg_sleep(1.5)')\n    return []\n"
    folder = project({"seeds/10_slow.py": body})
    monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"].replace("://postgres@", f"://{login}@"))
    assert verify(folder).exit_code == 0


@pytest.mark.trap(
    "a role that acts as another from its start", "that role's privileges count, and its name is in hints"
)
def test_a_login_that_acts_as_another_role(
    project: ProjectFactory, sql: Sql, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(TABLES)
    sql(
        f"create role {login}_acts nologin; alter role {login} set role to '{login}_acts'; grant usage on schema public to {login}_acts"
    )
    try:
        folder = project({"seeds/10_kinds.py": SEED})
        monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"].replace("://postgres@", f"://{login}@"))
        assert f'GRANT SELECT ON "public"."kinds" TO "{login}_acts"' in error(verify(folder))
    finally:
        sql(f"drop owned by {login}_acts; drop role {login}_acts")


@pytest.mark.trap("a seed that sets things", "what its own code sets ends with its hook")
def test_a_role_that_a_seed_takes_on_ends_with_its_hook(project: ProjectFactory, sql: Sql, login: str) -> None:
    sql("create table t (id int primary key)")
    body = (
        "from seedframe import Change, Rows\n\n"
        "def resources():\n    yield Rows('t', key='id', rows=[{'id': 1}])\n\n"
        "def check(db):\n    return [] if db.scalar('select count(*) from t where id = 2') else [Change('create', {'id': '2'})]\n\n"
        "def apply(db):\n    db.execute('insert into t values (2)')\n    db.execute('set role LOGIN_less')\n"
    )
    sql(f"create role {login}_less")
    try:
        folder = project({"seeds/10_t.py": body.replace("LOGIN", login)})
        assert apply(folder).exit_code == 0
    finally:
        sql(f"drop role {login}_less")
