"""The mistakes everybody makes: each is one clear line with what to do next, and the exit code of the contract."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Folder, ProjectFactory, Result, Sql
from tests.servers import Server, running

SEED = 'from seedframe import Rows\n\ndef resources():\n    yield Rows("items", key="sku", rows=[{"sku": "a"}])\n'
CSV = 'from seedframe import Rows\n\ndef resources():\n    yield Rows("items", key="sku", file="items.csv")\n'


@pytest.fixture
def items(project: ProjectFactory) -> Folder:
    return project({"seeds/10_items.py": SEED})


def said(result: Result, code: int, *expected: str) -> None:
    """The exit code, and all that is expected on one line of what was printed, with the line of advice after it."""
    assert result.returncode == code, result
    lines = (result.stderr + result.stdout).splitlines()
    assert "Traceback" not in result.stderr + result.stdout
    at = next((number for number, line in enumerate(lines) if expected[0] in line), None)
    assert at is not None, result
    together = " ".join(lines[at : at + 3])
    for text in expected:
        assert text in together, result


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_no_server(command: str, items: Folder) -> None:
    url = {"DATABASE_URL": "postgresql://me@127.0.0.1:9/shop"}
    said(items.run(command, env=url), 3, "127.0.0.1:9", "hint")


@pytest.fixture
def strict_server(server: Server) -> Iterator[Server]:
    """A server that asks for passwords."""
    with tempfile.TemporaryDirectory(prefix="sf-hba-") as folder:
        Path(folder).chmod(0o755)
        rules = Path(folder, "pg_hba.conf")
        rules.write_text("local all all scram-sha-256\n")
        with running(server.bindir, hba_file=str(rules)) as started:
            yield started


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_wrong_password(command: str, items: Folder, strict_server: Server) -> None:
    result = items.run(command, env={"DATABASE_URL": strict_server.url("postgres", password="canary-5521")})
    said(result, 3, 'wrong password for role "postgres"', "check user and password in DATABASE_URL")
    assert "canary" not in str(result)


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_database_missing(command: str, items: Folder) -> None:
    url = {"DATABASE_URL": items.env["DATABASE_URL"].replace("/t", "/no_such_", 1)}
    said(items.run(command, env=url), 3, "does not exist", "hint")


@pytest.mark.parametrize(("command", "code"), [("apply", 1), ("verify", 2)])
def test_table_missing(command: str, code: int, items: Folder) -> None:
    said(items.run(command), code, "table public.items does not exist", "run migrations first: seedframe db init")


@pytest.mark.parametrize(
    ("granted", "expected"),
    [
        ("select (sku)", "INSERT on table public.items"),
        ("", "SELECT on table public.items"),
    ],
    ids=["no INSERT", "no SELECT"],
)
def test_permission_denied_names_the_privilege_and_the_object(
    granted: str, expected: str, items: Folder, sql: Sql
) -> None:
    sql("create table items (sku text primary key)")
    sql("drop role if exists clerk; create role clerk login")
    sql("create schema seedframe authorization clerk")
    if granted:
        sql(f"grant {granted} on items to clerk")
    env = {"DATABASE_URL": items.env["DATABASE_URL"].replace("postgres@", "clerk@")}
    try:
        said(items.run("apply", env=env), 1, expected, "GRANT")
    finally:
        sql("drop owned by clerk cascade; drop role clerk")


def test_no_privilege_to_make_the_ledger(items: Folder, sql: Sql) -> None:
    sql("create table items (sku text primary key); drop role if exists clerk2; create role clerk2 login")
    sql("grant all on items to clerk2")
    env = {"DATABASE_URL": items.env["DATABASE_URL"].replace("postgres@", "clerk2@")}
    try:
        said(items.run("apply", env=env), 3, "the ledger cannot be made", "CREATE SCHEMA seedframe AUTHORIZATION")
    finally:
        sql("drop owned by clerk2 cascade; drop role clerk2")


@pytest.mark.parametrize("command", ["apply", "verify", "list"])
def test_no_config(command: str, cli: Cli, tmp_path: Path) -> None:
    said(cli(command, cwd=tmp_path), 3, "seedframe.toml", "hint")


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_bad_config(command: str, items: Folder) -> None:
    items.write({"seedframe.toml": '[database]\nschem = "x"\nlock_timeout = "soon"\n'})
    result = items.run(command)
    said(result, 3, "schem", "did you mean")
    said(result, 3, "lock_timeout")


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_unknown_seed(command: str, items: Folder) -> None:
    said(items.run(command, "itms"), 3, "itms", "items")


def test_bad_csv(items: Folder, sql: Sql) -> None:
    sql("create table items (sku text primary key, n int)")
    items.write({"seeds/10_items.py": CSV, "seeds/items.csv": "sku,n\na,1\nb,x\n"})
    for arguments in (["apply"], ["apply", "--dry-run"]):
        said(items.run(*arguments), 1, "items.csv:3: column n: invalid input syntax for type integer")
    said(items.run("verify"), 3, "items.csv:3: column n")


@pytest.mark.parametrize("command", ["apply", "verify"])
def test_no_seeds(command: str, items: Folder) -> None:
    (items.path / "seeds/10_items.py").unlink()
    said(items.run(command), 3, "no seeds", "seeds/")
