"""The telehealth example as it is in the repository: migrated, seeded, applied again, edited by hand, restored."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import bcrypt
import psycopg
import pytest

from tests.conftest import Cli, Folder, Result, Sql

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ("seeds", "migrations", "alembic.ini", "seedframe.toml", ".env.example")
SEEDED = ("users", "consultation_settings", "medications", "pharmacies", "treatment_plans")
PASSWORD = {"SEED_ADMIN_PASSWORD": "correct horse battery staple"}

Example: TypeAlias = Callable[[], Folder]


def alembic(folder: Path, *arguments: str, url: str) -> str:
    """Run Alembic in the example's folder; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture(scope="session")
def schema() -> str:
    """The migrations as one script."""
    return alembic(ROOT, "upgrade", "head", "--sql", url="")


@pytest.fixture
def example(tmp_path: Path, database: str, cli: Cli) -> Folder:
    """A copy of the example, outside the checkout; its database is empty."""
    target = tmp_path / "telehealth"
    target.mkdir()
    for name in EXAMPLE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return Folder(target, cli, {"DATABASE_URL": database, **PASSWORD})


@pytest.fixture
def migrated(example: Folder, schema: str, sql: Sql) -> Folder:
    """The example, with its tables made and nothing seeded."""
    sql(schema)
    return example


@pytest.fixture
def seeded(migrated: Folder) -> Folder:
    """The example, applied once."""
    succeed(migrated.run("apply"))
    return migrated


def succeed(result: Result) -> Result:
    """The result of a command that must have worked."""
    assert result.returncode == 0, str(result)
    return result


def report(folder: Folder, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> Any:
    """The JSON report of a command with this exit code."""
    result = folder.run(*arguments, "--format", "json", env=env)
    assert result.returncode == code, str(result)
    document = json.loads(result.stdout)
    assert document["exit_code"] == code
    return document


def resources(document: Any) -> dict[str, Any]:
    """The resources of all seeds of a report, by name."""
    return {part["resource"]: part for seed in document["seeds"] for part in seed["resources"]}


def counts(sql: Sql) -> dict[str, int]:
    """How many rows each seeded table has."""
    return {table: sql(f"select count(*) from {table}")[0][0] for table in SEEDED}


def test_from_an_empty_database_to_a_seeded_and_verified_one(example: Folder, sql: Sql) -> None:
    succeed(example.run("db", "init"))
    assert counts(sql) == {
        "users": 1,
        "consultation_settings": 4,
        "medications": 16,
        "pharmacies": 2,
        "treatment_plans": 3,
    }
    again = succeed(example.run("db", "init"))
    assert "0 created, 0 updated, 0 deleted" in again.stdout
    succeed(example.run("verify"))


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "keywords"])
def test_migrations_take_every_spelling_of_the_database(example: Folder, database: str, sql: Sql, scheme: str) -> None:
    rest = database.removeprefix("postgresql")
    url = scheme + rest
    if scheme == "keywords":
        info = psycopg.conninfo.conninfo_to_dict(database)
        url = psycopg.conninfo.make_conninfo("", **info)
    alembic(example.path, "upgrade", "head", url=url)
    assert sql("select version_num from alembic_version") == [("0001",)]
    alembic(example.path, "downgrade", "base", url=url)
    assert sql("select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'") == [
        ("alembic_version",)
    ]
    assert sql("select typname from pg_type where typnamespace = 'public'::regnamespace and typtype = 'e'") == []


def test_a_failing_migration_leaves_nothing(example: Folder, database: str, sql: Sql) -> None:
    sql("create function touch_updated_at() returns trigger language plpgsql as 'begin return new; end'")
    result = example.run("db", "init")
    assert result.returncode == 3, str(result)
    assert "Traceback" not in result.stderr.split("touch_updated_at")[0]
    assert sql("select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'") == [(0,)]


def test_without_its_tables_the_hint_says_how_to_make_them(example: Folder) -> None:
    for command, code in (("apply", 1), ("verify", 2)):
        result = example.run(command)
        assert result.returncode == code, str(result)
        assert "run migrations first: seedframe db init" in result.stdout + result.stderr


def test_a_dry_run_shows_every_row_and_writes_nothing(migrated: Folder, sql: Sql) -> None:
    document = report(migrated, "apply", "--dry-run")
    assert document["mode"] == "dry_run"
    assert document["status"] == "changed"
    assert counts(sql) == dict.fromkeys(SEEDED, 0)
    assert sql("select count(*) from pg_namespace where nspname = 'seedframe'") == [(0,)]
    plans = resources(document)["rows:treatment_plans"]["changes"]
    assert [change["key"]["slug"] for change in plans] == ["weight-loss-starter", "hair-loss-essential", "ed-essential"]
    assert all(change["after"]["medication_id"] == {"known_after_apply": True} for change in plans)
    assert report(migrated, "apply", "--dry-run", "--detailed-exitcode", code=2)["summary"] == document["summary"]
    done = report(migrated, "apply")
    assert done["summary"] == document["summary"]


def test_the_seeded_rows_are_what_the_platform_needs(seeded: Folder, sql: Sql) -> None:
    assert sql(
        "select consultation_type::text, price, card_on_file_required from consultation_settings order by price desc"
    ) == [
        ("initial", Decimal("79.00"), True),
        ("follow_up", Decimal("49.00"), True),
        ("asynchronous", Decimal("25.00"), True),
        ("lab_review", Decimal("0.00"), False),
    ]
    assert sql("select distinct name, category::text from medications order by name") == [
        ("Finasteride", "hair_loss"),
        ("Metformin", "longevity"),
        ("Minoxidil", "hair_loss"),
        ("Semaglutide", "weight_loss"),
        ("Sildenafil", "erectile_dysfunction"),
    ]
    assert sql("select name, tier::text from pharmacies order by tier") == [
        ("TeleHealth Pharmacy Partners", "primary"),
        ("National Compounding Pharmacy", "secondary"),
    ]
    assert sql(
        "select p.name, m.name, p.price from treatment_plans p join medications m on m.id = p.medication_id order by 1"
    ) == [
        ("ED Essential", "Sildenafil", Decimal("65.00")),
        ("Hair Loss Essential", "Finasteride", Decimal("75.00")),
        ("Weight Loss Starter", "Semaglutide", Decimal("299.00")),
    ]
    [(email, made, first, last, role, active)] = sql(
        "select email, password_hash, first_name, last_name, role::text, is_active from users"
    )
    assert (email, first, last, role, active) == ("admin@example.com", "Platform", "Administrator", "admin", True)
    assert bcrypt.checkpw(PASSWORD["SEED_ADMIN_PASSWORD"].encode(), made.encode())
    assert made.startswith("$2b$12$")


def test_types_arrive_as_what_they_are(seeded: Folder, sql: Sql) -> None:
    assert sql(
        "select strength, quantity, requires_cold_chain, required_labs, requirements -> 'min_bmi', active"
        " from medications where sku = 'SEMA-025'"
    ) == [("0.25 mg", 4, True, ["HbA1c", "lipid panel", "creatinine"], 30, True)]
    assert sql("select brand_reference, required_labs from medications where sku = 'MINO-T25'") == [
        (None, ["creatinine"])
    ]
    assert sql("select license_states[1], capabilities #>> '{sterile,usp_797}' from pharmacies where state = 'OH'") == [
        ("FL", "true")
    ]
    assert sql("select address_line2 from pharmacies order by state") == [(None,), ("Suite 200",)]


def test_a_second_apply_changes_nothing_at_all(seeded: Folder, sql: Sql) -> None:
    rows = " union all ".join(f"select '{table}', id::text, xmin::text from {table}" for table in SEEDED)
    sequences = "select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1"
    before = sql(f"{rows} order by 1, 2"), sql(sequences)
    start = sql("select pg_current_wal_insert_lsn()")[0][0]

    document = report(seeded, "apply")

    written = sql("select pg_current_wal_insert_lsn() - %s::pg_lsn", [start])[0][0]
    assert document["summary"].pop("unchanged") >= sum(counts(sql).values())
    assert document["summary"] == {"create": 0, "update": 0, "delete": 0}
    assert document["status"] == "in_sync"
    assert (sql(f"{rows} order by 1, 2"), sql(sequences)) == before
    assert written < 64 * 1024


def test_verify_writes_nothing(seeded: Folder, sql: Sql) -> None:
    start, xid = sql("select pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot())::text")[0]
    succeed(seeded.run("verify"))
    succeed(seeded.run("apply", "--dry-run"))
    assert sql("select pg_snapshot_xmax(pg_current_snapshot())::text") == [(xid,)]
    assert sql("select pg_current_wal_insert_lsn() - %s::pg_lsn < 1024", [start]) == [(True,)]


@pytest.mark.parametrize(
    ("edit", "resource", "key", "column", "is_", "declared"),
    [
        (
            "update medications set price = 1 where sku = 'SEMA-025'",
            "rows:medications",
            {"sku": "SEMA-025"},
            "price",
            "1.00",
            "299.00",
        ),
        (
            "update pharmacies set capabilities = capabilities || '{\"cold_chain\": false}' where tier = 'secondary'",
            "rows:pharmacies",
            {"code": "national-compounding-pharmacy"},
            "capabilities",
            None,
            None,
        ),
        (
            "update treatment_plans set medication_id = medication_id + 1 where slug = 'ed-essential'",
            "rows:treatment_plans",
            {"slug": "ed-essential"},
            "medication_id",
            None,
            None,
        ),
        (
            "update consultation_settings set no_show_fee = 0, card_on_file_required = false where price = 79",
            "rows:consultation_settings",
            {"consultation_type": "initial"},
            "card_on_file_required",
            None,
            None,
        ),
        (
            "update users set role = 'support'",
            "account:admin@example.com",
            {"email": "admin@example.com"},
            "role",
            "support",
            "admin",
        ),
    ],
)
def test_an_edit_by_hand_is_found_shown_and_undone(
    seeded: Folder,
    sql: Sql,
    edit: str,
    resource: str,
    key: dict[str, str],
    column: str,
    is_: str | None,
    declared: str | None,
) -> None:
    sql(edit)
    found = resources(report(seeded, "verify", code=2))
    wrong = {name: part["verdict"] for name, part in found.items() if part["verdict"] not in {"in_sync", None}}
    assert wrong == {resource: "drift"}
    [change] = found[resource]["changes"]
    assert change["key"] == key
    assert list(change["before"]) == list(change["after"]) == [column]
    if declared is not None:
        assert (change["before"][column], change["after"][column]) == (is_, declared)
    shown = seeded.run("verify").stdout
    assert all(value in shown for value in (*key.values(), column))

    assert report(seeded, "apply")["summary"]["update"] == 1
    succeed(seeded.run("verify"))


def test_prices_that_operators_own_are_theirs(seeded: Folder, sql: Sql) -> None:
    sql("update consultation_settings set price = price + 10 where card_on_file_required")
    sql("update treatment_plans set price = price + 10")
    succeed(seeded.run("verify"))
    assert report(seeded, "apply")["status"] == "in_sync"
    assert sql("select sum(price) from treatment_plans") == [(Decimal("469.00"),)]


def test_a_row_that_is_gone_comes_back_and_others_are_nobodys_business(seeded: Folder, sql: Sql) -> None:
    sql("delete from medications where sku = 'METF-500'")
    sql(
        "insert into medications (sku, name, category, form, strength, quantity, quantity_unit, days_supply,"
        " dosage_instructions, price) values ('OWN-1', 'Own', 'longevity', 'tablet', '1 mg', 1, 'tablet', 1, 'Take', 1)"
    )
    [change] = resources(report(seeded, "verify", code=2))["rows:medications"]["changes"]
    assert (change["action"], change["key"]) == ("create", {"sku": "METF-500"})
    assert report(seeded, "apply")["summary"]["create"] == 1
    assert sql("select count(*) from medications") == [(17,)]


def test_treatment_plans_are_skipped_where_their_table_is_missing(migrated: Folder, sql: Sql) -> None:
    sql("drop table treatment_plans")
    document = report(migrated, "apply")
    plans = resources(document)["rows:treatment_plans"]
    assert "treatment_plans" in plans["skipped_reason"]
    assert plans["changes"] == []
    assert sql("select count(*) from medications") == [(16,)]
    assert "skipped" in succeed(migrated.run("verify")).stdout
    assert "optional table treatment_plans does not exist" in succeed(migrated.run("verify", "-v")).stdout


def test_seeds_are_applied_one_at_a_time(migrated: Folder, sql: Sql) -> None:
    refused = migrated.run("apply", "admin")
    assert refused.returncode == 3, str(refused)
    assert "core" in refused.stderr
    seen = []
    for name in ("core", "admin", "reference"):
        document = report(migrated, "apply", name)
        seen.append([seed["seed"] for seed in document["seeds"]])
        rows = counts(sql)
        assert bool(rows["consultation_settings"])
        assert bool(rows["users"]) == (name in {"admin", "reference"})
        assert bool(rows["medications"]) == bool(rows["treatment_plans"]) == (name == "reference")
    assert seen == [["00_core"], ["10_admin"], ["20_reference"]]
    succeed(migrated.run("verify"))


def test_the_administrators_password_is_not_touched_by_later_runs(seeded: Folder, sql: Sql) -> None:
    before = sql("select password_hash, updated_at, xmin::text from users")
    report(seeded, "apply", env={"SEED_ADMIN_PASSWORD": "another one"})
    report(seeded, "verify", env={"SEED_ADMIN_PASSWORD": "another one"})
    assert sql("select password_hash, updated_at, xmin::text from users") == before


def test_a_price_without_a_card_on_file_is_a_finding(seeded: Folder, sql: Sql) -> None:
    sql("update consultation_settings set price = 10 where consultation_type = 'lab_review'")
    document = report(seeded, "verify", code=2)
    [finding] = [finding for seed in document["seeds"] for finding in seed["findings"] if finding["severity"] != "info"]
    assert finding == {"severity": "error", "text": "lab_review costs 10.00 but requires no card on file"}


def test_a_catalogue_that_cannot_be_prescribed_from_is_a_finding(seeded: Folder, sql: Sql) -> None:
    sql("update medications set active = false where name = 'Metformin'")
    sql("update pharmacies set active = false where tier = 'primary'")
    document = report(seeded, "verify", code=2)
    assert [
        finding["text"] for seed in document["seeds"] for finding in seed["findings"] if finding["severity"] != "info"
    ] == [
        "Metformin cannot be prescribed: none of its products is active",
        "no active primary pharmacy: orders have nowhere to go",
    ]


def test_optional_extensions_are_there_or_the_report_says_why_not(seeded: Folder, sql: Sql) -> None:
    document = report(seeded, "verify")
    available = {name for (name,) in sql("select name from pg_available_extensions")}
    installed = {name for (name,) in sql("select extname from pg_extension")}
    for name in ("pgcrypto", "uuid-ossp"):
        reason = resources(document)[f"extension:{name}"]["skipped_reason"]
        assert (name in installed) == (name in available) == (reason is None)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into users (email, password_hash, first_name, last_name) values ('ADMIN@example.com', 'x', 'A', 'B')",
        "update users set email = 'nobody'",
        "update pharmacies set tier = 'primary'",
        "update pharmacies set license_states = '{Texas}'",
        "update pharmacies set license_states = '{}'",
        "update pharmacies set license_states = '{TX,NULL}'",
        "update medications set price = 0",
        "update medications set sku = 'no spaces'",
        "update medications set requirements = '[]'",
        "delete from medications",
        "update treatment_plans set duration_weeks = 0",
        "update consultation_settings set no_show_fee = 5 where not card_on_file_required",
        "insert into consultation_settings (consultation_type, title, price) values ('initial', 'x', 1)",
    ],
)
def test_the_schema_refuses_what_the_platform_could_not_work_with(seeded: Folder, sql: Sql, statement: str) -> None:
    with pytest.raises(psycopg.errors.IntegrityError):
        sql(statement)


def test_updated_at_follows_changes_and_nothing_else(seeded: Folder, sql: Sql) -> None:
    for table in SEEDED:
        sql(f"update {table} set created_at = created_at")
        assert sql(f"select count(*) from {table} where updated_at > created_at") == [(0,)], table
        sql(f"update {table} set created_at = created_at - interval '1 day'")
        assert sql(f"select count(*) from {table} where updated_at <= created_at + interval '1 day'") == [(0,)], table


def test_the_example_environment_has_what_env_writes(example: Folder) -> None:
    written = succeed(example.run("env", "--example")).stdout
    assert "SEED_ADMIN_PASSWORD" in written
    assert (example.path / ".env.example").read_text(encoding="utf-8") == written


def test_contact_data_is_fictitious() -> None:
    pharmacies = json.loads((ROOT / "seeds" / "data" / "pharmacies.json").read_text())
    for pharmacy in pharmacies:
        assert pharmacy["email"].endswith(".example.com")
        assert re.fullmatch(r"\+1-\d{3}-555-01\d\d", pharmacy["phone"])
        assert re.fullmatch(r"\+1-\d{3}-555-01\d\d", pharmacy["fax"])
