"""Saved plans of every kind of resource: that what was planned is made, and what a plan does not hold."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from seedframe.report import Status
from tests import everything
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import apply, counts, verify
from tests.test_saved_plans import make, plan, refused

# Everything that can be declared


@pytest.mark.parametrize("disturbed", [False, True])
def test_a_plan_of_everything_is_made(
    project: ProjectFactory, sql: Sql, disturbed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(everything.SCHEMA)
    folder = project(everything.FILES)
    if disturbed:
        assert apply(folder).exit_code == 0
        sql(everything.DISTURBANCE)
        for name, value in everything.FEWER.items():
            monkeypatch.setenv(name, value)
    path = plan(folder)
    planned = json.loads(path.read_text(encoding="utf-8"))["seeds"]
    report = make(folder)
    assert (report.exit_code, report.status) == (0, Status.CHANGED), report.as_dict()
    made = report.as_dict()["seeds"]
    assert [each["shown"]["counts"] for seed in planned for each in seed["resources"]] == [
        each["counts"] for seed in made for each in seed["resources"]
    ]
    assert apply(folder).summary.changed == 0


def test_a_plan_stays_small_however_much_it_changes(project: ProjectFactory, sql: Sql) -> None:
    sql(everything.SCHEMA)
    path = plan(project(everything.FILES))
    assert path.stat().st_size < 200_000


def test_a_change_beyond_the_sample_is_noticed(project: ProjectFactory, sql: Sql) -> None:
    sql(everything.SCHEMA)
    folder = project(everything.FILES)
    assert apply(folder).exit_code == 0
    sql("update many set n = -1")
    sql("insert into many_exact select 'z' || n, n from generate_series(1, 200) n")
    plan(folder)
    sql("update many set n = -2 where code = 'm5500'")
    sql("update many_exact set n = 0 where code = 'z99'")
    unseen = "moved in the database since the plan was made: in a change that the plan has no room to show"
    assert refused(folder) == [
        f"seed 20_many: rows:many {unseen} (make a new plan)",
        f"seed 20_many: rows:many_exact {unseen} (make a new plan)",
    ]


# What one seed does to the next

CHAIN = {
    "seeds/10_first.py": """
from seedframe import Rows

def resources():
    yield Rows("first", key="k", rows=[{"k": "a"}, {"k": "b"}])
""",
    "seeds/20_second.py": """
from seedframe import Change, Rows, ref

WRITES = ["log"]

def resources():
    yield Rows("second", key=["first", "n"], rows=[{"first": ref("first", k="a"), "n": 1}])
    yield Rows("second", key=["first", "n"], name="noted", rows=[{"first": ref("first", k="b"), "n": 2, "note": "x"}])

def check(db):
    missing = 3 - db.scalar("select count(*) from log")
    if missing:
        yield Change("other", {"log": "entries"}, {"missing": str(missing)}, {"missing": "0"})

def apply(db, plan):
    while db.scalar("select count(*) from log") < 3:
        db.execute("insert into log (what) values ('own')")
""",
}


def test_what_an_earlier_seed_does_to_a_later_one_is_no_move(project: ProjectFactory, sql: Sql) -> None:
    sql("""
        create table first (id int generated always as identity (start with 100) primary key, k text unique not null);
        create table second (first int references first, n int, note text, primary key (first, n));
        create table log (what text);
        create function tell() returns trigger language plpgsql as
            $$ begin
                insert into log values ('first');
                insert into second values (new.id, 2, 'made by a trigger') on conflict do nothing;
                return new;
            end $$;
        create trigger tell after insert on first for each row execute function tell()
    """)
    folder = project(CHAIN)
    plan(folder)
    report = make(folder)
    assert report.exit_code == 0, report.as_dict()
    assert sql("select k, n, note from second join first on first = id order by 1, 2") == [
        ("a", 1, None),
        ("a", 2, "made by a trigger"),
        ("b", 2, "x"),
    ]
    assert sql("select what from log order by 1") == [("first",), ("first",), ("own",)]


def test_own_checks_are_part_of_the_plan(project: ProjectFactory, sql: Sql) -> None:
    sql("create table log (what text)")
    source = CHAIN["seeds/20_second.py"].replace("def resources", "def unused")
    folder = project({"seeds/20_second.py": source})
    plan(folder)
    sql("insert into log values ('theirs')")
    assert refused(folder) == [
        (
            "seed 20_second: hook:check moved in the database since the plan was made: log=entries, column missing"
            " (make a new plan)"
        )
    ]


# Sources that are not the same each time


RESTLESS = """
import random
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=lambda: [{"sku": "a", "name": str(random.random())}], initial=INITIAL)
"""


@pytest.mark.parametrize("initial", [(), ("name",)])
def test_a_source_that_is_not_the_same_each_time_fits_no_plan(
    project: ProjectFactory, sql: Sql, initial: tuple[str, ...]
) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_items.py": RESTLESS.replace("INITIAL", repr(initial))})
    plan(folder)
    [said] = refused(folder)
    assert said.startswith("seed 10_items: rows:items declares other than when the plan was made")
    assert sql("select count(*) from items") == [(0,)]


THIRD = """
from seedframe import Rows
times = 0

def resources():
    yield Rows("items", key="sku", rows=rows, initial=["name"])

def rows():
    global times
    times += 1
    yield {"sku": "a", "name": "same" if times <= LAST else "other"}
"""


def test_nor_one_that_changes_between_looking_and_writing(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_items.py": THIRD.replace("LAST", "1")})
    plan(folder)  # reads it for the first time, and in another module than the one that is loaded below
    [said] = refused(folder)
    assert said.startswith("seed 10_items: rows:items declares other than when the plan was made")
    assert sql("select count(*) from items") == [(0,)]


# Settings and secrets

SETTINGS = """
from seedframe import Account, LocalAccounts, Rows, Secret, Setting

SETTINGS = [
    Setting("SEED_NAME", str, default="Ay"),
    Setting("SEED_UNUSED", int, default=1),
    Setting("SEED_TOKEN", Secret, default=None),
]

def resources(settings):
    token = settings["SEED_TOKEN"].reveal() if settings["SEED_TOKEN"] else None
    yield Rows("items", key="sku", secret=["token"], rows=[{"sku": "a", "name": settings["SEED_NAME"], "token": token}])
    if token:
        yield Account(LocalAccounts("users"), email="admin@example.com", password=settings["SEED_TOKEN"],
                      first_name="Ann", role="admin")
"""
TOKEN = "tr0ub4dor and three"


@pytest.fixture
def given(project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A seed with settings, of which the secret one is given, and a secret in the database that is to be replaced."""
    sql("create table items (sku text primary key, name text, token text)")
    sql("insert into items values ('a', 'old', 'the old token')")
    sql(everything.SCHEMA[everything.SCHEMA.index("create table users") : everything.SCHEMA.index("create table tick")])
    monkeypatch.setenv("SEED_TOKEN", TOKEN)
    return project({"seeds/10_items.py": SETTINGS})


def test_no_secret_and_no_digest_of_one_is_in_a_plan(given: Folder, database: str) -> None:
    text = plan(given).read_text(encoding="utf-8")
    assert '"token": {\n' in text
    for secret in (TOKEN, "the old token", database):
        for form in (secret, repr(secret), json.dumps(secret), f'["{secret}"]'):
            assert form not in text
            assert sha256(form.encode()).hexdigest() not in text
    assert make(given).exit_code == 0


def test_two_plans_with_other_secrets_are_the_same(given: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_id() -> dict[str, Any]:
        document: dict[str, Any] = json.loads(plan(given).read_text(encoding="utf-8"))
        return {key: value for key, value in document.items() if key not in ("id", "created_at", "checksum")}

    first = without_id()
    monkeypatch.setenv("SEED_TOKEN", "another one altogether")
    assert without_id() == first


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SEED_NAME", "Bee", ["setting SEED_NAME of seed 10_items changed since the plan was made (make a new plan)"]),
        (
            "SEED_UNUSED",
            "2",
            ["setting SEED_UNUSED of seed 10_items changed since the plan was made (make a new plan)"],
        ),
        ("SEED_TOKEN", None, ["setting SEED_TOKEN of seed 10_items changed since the plan was made (make a new plan)"]),
    ],
)
def test_settings_that_changed_are_named(
    given: Folder, monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, said: list[str]
) -> None:
    plan(given)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    assert refused(given) == said


# Plugins


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed distributions, for `installed`."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def install(site: Path, version: str, record: str) -> None:
    for there in site.glob("*.dist-info"):
        for file in there.iterdir():
            file.unlink()
        there.rmdir()
    info = site / f"seedframe_planned-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: seedframe-planned\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[seedframe]\n40_planned = seedframe_planned\n")
    (info / "RECORD").write_text(record)
    (site / "seedframe_planned.py").write_text("WRITES = []\ndef resources():\n    return []\n")


@pytest.mark.parametrize(
    ("version", "record", "said"),
    [
        ("1.3.0", "x,sha256=1,2\n", "plugin seedframe-planned was 1.2.0 when the plan was made, and is 1.3.0"),
        ("1.2.0", "x,sha256=2,2\n", "plugin seedframe-planned 1.2.0 was installed anew, with other contents,"),
    ],
)
def test_a_plugin_that_changed_is_named(
    project: ProjectFactory, site: Path, version: str, record: str, said: str
) -> None:
    install(site, "1.2.0", "x,sha256=1,2\n")
    folder = project(config='[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-planned"]\n')
    path = plan(folder)
    install(site, version, record)
    assert refused(folder)[0].startswith(said)
    folder.write({"seedframe.toml": '[project]\nname = "shop"\n', "seeds/10_x.py": "def resources():\n    return []\n"})
    assert "plugin seedframe-planned 1.2.0 takes no part any more (make a new plan)" in refused(folder)
    assert path.exists()


# Other targets, other roles


def test_a_plan_for_another_database(project: ProjectFactory, sql: Sql, server: Any) -> None:
    folder = project({"seeds/10_none.py": "def resources():\n    return []\n"})
    plan(folder)
    [[here]] = sql("select current_database()")
    done = folder.run("apply", "--plan", "plan.json", env={"DATABASE_URL": server.url("postgres")})
    assert done.returncode == 3
    assert done.stderr.splitlines()[0] == f"error: the plan is for database '{here}', this is 'postgres'"
    with psycopg.connect(server.url("postgres"), autocommit=True) as admin:
        admin.execute(f'drop database "{here}" with (force)'.encode())
        admin.execute(f'create database "{here}"'.encode())
    assert refused(folder)[0].startswith(f"database '{here}' was made anew since the plan was made")


def test_a_reader_makes_the_plan_and_another_role_applies_it(
    project: ProjectFactory, sql: Sql, connect: Connect, database: str
) -> None:
    sql("create table items (sku text primary key, name text)")
    folder = project({"seeds/10_items.py": RESTLESS.replace("str(random.random())", "'Ay'").replace("INITIAL", "()")})
    assert apply(folder).exit_code == 0
    sql("update items set name = 'theirs'")
    sql("drop role if exists plan_reader; create role plan_reader login; grant select on items to plan_reader")
    try:
        reader = {"DATABASE_URL": database.replace("postgres@", "plan_reader@")}
        done = folder.run("apply", "--dry-run", "--out", "plan.json", env=reader)
        assert (done.returncode, (folder.path / "plan.json").exists()) == (3, False)
        assert "no plan can be made, as the ledger cannot be read" in done.stderr
        sql("grant usage on schema seedframe to plan_reader")
        sql("grant select on all tables in schema seedframe to plan_reader")
        done = folder.run("apply", "--dry-run", "--out", "plan.json", env=reader)
        assert done.returncode == 0, done
        assert counts(make(folder)) == (0, 1, 0, 0)
        assert verify(folder).exit_code == 0
    finally:
        sql("drop owned by plan_reader; drop role plan_reader")


def test_a_plan_is_applied_through_a_pooler(project: ProjectFactory, sql: Sql, pooled: str) -> None:
    sql(everything.SCHEMA)
    folder = project(everything.FILES)
    through = {"DATABASE_URL": pooled}
    assert folder.run("apply", "--dry-run", "--out", "plan.json", env=through).returncode == 0
    done = folder.run("apply", "--plan", "plan.json", env=through)
    assert done.returncode == 0, done
    assert folder.run("apply", "--plan", "plan.json", env=through).returncode == 3
