"""Account and LocalAccounts: created once, kept in step, and never a password where it does not belong."""

import base64
import json
import os
import re
import stat
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import bcrypt
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.accounts.passwords import (
    DEFAULT_PASSWORDS,
    HASH_PATTERN,
    PLACEHOLDER_HASH,
    check_password,
    generate_password,
    hash_password,
)
from seedframe.emails import normalise_email
from seedframe.errors import BadData, DeclarationError, SeedError
from seedframe.secrecy.handover import keep_password
from seedframe.secrets import Secret
from tests.conftest import Folder, ProjectFactory, Result, Sql
from tests.servers import find_bindir, running

CANARY = "c4n4ry/pässword+1"
USERS = """
create type user_role as enum ('patient', 'admin', 'super_admin');
create table users (
    id bigint generated always as identity primary key,
    email text not null,
    password_hash text not null,
    first_name text not null,
    last_name text not null,
    role user_role not null default 'patient',
    is_active boolean not null default true,
    email_verified boolean not null default false
);
create unique index users_email_key on users (lower(email));
"""
SEED = """
from seedframe import Account, LocalAccounts, Secret, Setting

SETTINGS = [
    Setting("SEED_ADMIN_EMAIL", str, default="admin@example.com"),
    Setting("SEED_ADMIN_PASSWORD", Secret, default=None),
    Setting("SEED_ADMIN_ROLE", str, default="admin"),
    Setting("SEED_ADMIN_NAME", str, default="Ada"),
]


def resources(settings):
    yield Account(
        LocalAccounts("users", initial={"email_verified": True}),
        email=settings["SEED_ADMIN_EMAIL"],
        password=settings["SEED_ADMIN_PASSWORD"],
        first_name=settings["SEED_ADMIN_NAME"],
        last_name="Lovelace",
        role=settings["SEED_ADMIN_ROLE"],
    )
"""
ADMIN_SEED = {"seeds/10_admin.py": SEED}
GIVEN = {"SEED_ADMIN_PASSWORD": CANARY}


@pytest.fixture
def admin(project: ProjectFactory, sql: Sql) -> Folder:
    """A project with a users table and the seed of one administrator; nothing applied yet."""
    sql(USERS)
    return project(ADMIN_SEED)


def applied(folder: Folder, **env: str) -> Result:
    """A successful `apply` with these variables."""
    result = folder.run("apply", env=env)
    assert result.returncode == 0, str(result)
    return result


def forms(text: str) -> Iterator[str]:
    """A text as it is, and as it might slip through in disguise."""
    yield text
    yield quote(text)
    yield quote(text, safe="")
    yield base64.b64encode(text.encode()).decode().rstrip("=")[:-1]
    yield json.dumps(text)[1:-1]
    yield text.encode().hex()


def kept_files(folder: Folder) -> list[Path]:
    """The files with generated passwords."""
    return sorted((folder.path / ".seedframe" / "passwords").glob("*"))


def kept_password(file: Path) -> str:
    """The password in such a file."""
    found = re.search(r"^password: (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert found is not None
    return found[1]


# Passwords


@given(st.text())
def test_a_password_is_taken_exactly_when_it_is_long_enough_and_bcrypt_takes_it_whole(text: str) -> None:
    encoded = text.encode("utf-8")
    if len(text) >= 8 and len(encoded) <= 72 and b"\0" not in encoded and text.casefold() not in DEFAULT_PASSWORDS:
        check_password(Secret(text), "a@example.com")
    else:
        with pytest.raises(BadData):
            check_password(Secret(text), "a@example.com")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "is empty"),
        ("a\0b", "NUL"),
        ("é" * 37, "72 bytes"),
        ("x" * 73, "72 bytes"),
        ("\udcff" * 3, "not valid UTF-8"),
        ("ChangeMe", "tried first"),
        ("Password123", "tried first"),
        ("1234567", "fewer than 8 characters"),
        ("ééééééé", "fewer than 8 characters"),
    ],
)
def test_a_refused_password_is_named_by_its_owner_and_not_shown(text: str, complaint: str) -> None:
    with pytest.raises(BadData, match=complaint) as refused:
        check_password(Secret(text), "a@example.com")
    assert "a@example.com" in str(refused.value)
    assert not text or text not in repr(refused.value.__dict__)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None


@pytest.mark.parametrize("text", ["é" * 36, unicodedata.normalize("NFD", "pässword"), " spaces kept "])
def test_a_hash_is_of_the_password_as_it_is(text: str) -> None:
    made = hash_password(Secret(text), "a@example.com")
    found = re.fullmatch(HASH_PATTERN, made)
    assert found is not None
    assert found[1] == "12"
    assert bcrypt.checkpw(text.encode(), made.encode())


def test_composed_and_decomposed_are_two_passwords() -> None:
    made = hash_password(Secret(unicodedata.normalize("NFD", "pässword")), "a@example.com")
    assert not bcrypt.checkpw(unicodedata.normalize("NFC", "pässword").encode(), made.encode())


def test_generated_passwords_have_192_bits_and_differ() -> None:
    made = [generate_password().reveal() for _ in range(50)]
    assert len(set(made)) == 50
    for text in made:
        assert len(base64.urlsafe_b64decode(text)) == 24
        check_password(Secret(text), "a@example.com")


def test_python_and_the_server_agree_on_what_a_hash_is(sql: Sql) -> None:
    real = bcrypt.hashpw(b"x", bcrypt.gensalt(4)).decode()
    candidates = {
        real: "04",
        PLACEHOLDER_HASH: "12",
        real.replace("$2b$", "$2y$"): "04",
        real.replace("$2b$", "$2x$"): None,
        real[:-1]: None,
        real + "\n": None,
        "\n" + real: None,
        real + "a": None,
        "": None,
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA": None,
    }
    for text, cost in candidates.items():
        found = re.fullmatch(HASH_PATTERN, text)
        assert (found[1] if found else None) == cost, text
        assert sql("select substring(%s::text from %s::text)", [text, f"^{HASH_PATTERN}$"]) == [(cost,)], text


# The file a generated password is kept in


def keep(folder: Path, email: str = "a@example.com") -> Path:
    """Keep a canary."""
    return keep_password(folder, email, Secret(CANARY), database="shop", stamp="20260101T000000Z")


def test_a_kept_password_is_for_its_owner_only_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = keep(tmp_path / ".seedframe")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert kept_password(file) == CANARY


def test_no_kept_password_is_ever_overwritten(tmp_path: Path) -> None:
    files = {keep(tmp_path) for _ in range(20)}
    assert len(files) == 20
    assert all(kept_password(file) == CANARY for file in files)


@pytest.mark.parametrize(
    "email", ["../../etc/x@example.com", ".hidden@example.com", "a/b@example.com", "é@example.com"]
)
def test_no_e_mail_address_leads_out_of_the_folder(tmp_path: Path, email: str) -> None:
    file = keep(tmp_path, email)
    assert file.resolve().parent == tmp_path / "passwords"
    assert file.exists()


def test_no_password_is_kept_behind_a_symbolic_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "passwords").symlink_to(elsewhere)
    with pytest.raises(SeedError, match="cannot be kept"):
        keep(tmp_path)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_no_password_is_kept_where_others_may_write(tmp_path: Path, mode: int) -> None:
    (tmp_path / "passwords").mkdir()
    (tmp_path / "passwords").chmod(mode)
    with pytest.raises(SeedError, match="others may write"):
        keep(tmp_path)
    assert list((tmp_path / "passwords").iterdir()) == []


def test_where_no_file_can_be_made_the_error_says_what_to_do_and_not_the_password(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file, not a folder")
    with pytest.raises(SeedError, match="cannot be kept") as refused:
        keep(tmp_path / "state")
    assert refused.value.hint is not None
    assert CANARY not in str(refused.value)


# E-mail addresses


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        (" Admin@Example.COM ", "admin@example.com"),
        ("ÄDMIN@example.com", "ädmin@example.com"),
        (unicodedata.normalize("NFD", "ädmin@example.com"), "ädmin@example.com"),
    ],
)
def test_an_e_mail_address_is_normalised(text: str, normalised: str) -> None:
    assert normalise_email(text) == normalised


@pytest.mark.parametrize(
    "text", ["", "admin", "@example.com", "admin@", "a@b@c", "a b@example.com", "a@b\n", "a@b\x1b"]
)
def test_what_cannot_be_one_address_is_refused(text: str) -> None:
    if text == "a@b\n":
        assert normalise_email(text) == "a@b"
        return
    with pytest.raises(DeclarationError, match="no e-mail address"):
        normalise_email(text)


# Through the command line


def test_the_account_is_made_as_declared(admin: Folder, sql: Sql) -> None:
    applied(admin, **GIVEN, SEED_ADMIN_EMAIL=" Admin@Example.com")
    [(email, first, last, role, active, verified, made)] = sql(
        "select email, first_name, last_name, role::text, is_active, email_verified, password_hash from users"
    )
    assert (email, first, last, role, active, verified) == ("admin@example.com", "Ada", "Lovelace", "admin", True, True)
    assert bcrypt.checkpw(CANARY.encode(), made.encode())
    assert made.startswith("$2b$12$")
    assert kept_files(admin) == []


@pytest.mark.trap("passwords that are reset by every run", "hashed once, when the account is made, and left alone")
def test_later_runs_leave_the_password_alone_and_do_not_even_look_at_the_variable(admin: Folder, sql: Sql) -> None:
    applied(admin, **GIVEN)
    before = sql("select xmin::text, password_hash from users")
    for later in ({}, GIVEN, {"SEED_ADMIN_PASSWORD": "another one"}, {"SEED_ADMIN_PASSWORD": "x" * 100}):
        report = json.loads(admin.run("apply", "--format", "json", env=later).stdout)
        assert report["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}
        assert report["exit_code"] == 0
        assert admin.run("verify", env=later).returncode == 0
    assert sql("select xmin::text, password_hash from users") == before
    assert kept_files(admin) == []


def test_no_run_that_creates_no_account_loads_bcrypt(admin: Folder) -> None:
    applied(admin, **GIVEN)
    assert (
        admin.run("verify", env={"HOME": str(admin.path)}).returncode == 0
    )  # tries the passwords everybody knows, once
    program = (
        "import sys\nfrom seedframe.cli.main import main\n"
        "try:\n    code = main()\nexcept SystemExit as done:\n    code = done.code\n"
        "assert not code, code\nassert 'bcrypt' not in sys.modules"
    )
    for command in ("apply", "verify"):
        done = run_python(admin, program, command)
        assert done.returncode == 0, str(done)


def run_python(folder: Folder, program: str, *arguments: str) -> Result:
    """Run a Python program in the project's folder, as the command line runs."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *arguments],
        cwd=folder.path,
        env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(folder.path), **folder.env},
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def test_a_generated_password_is_in_a_private_file_that_the_run_names_and_nowhere_else(admin: Folder, sql: Sql) -> None:
    result = admin.run("apply", "-v", "--format", "json", "--log-file", "run.log")
    assert result.returncode == 0, str(result)
    [file] = kept_files(admin)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    findings = [finding for seed in json.loads(result.stdout)["seeds"] for finding in seed["findings"]]
    assert [finding["severity"] for finding in findings] == ["info"]
    assert str(file) in findings[0]["text"]
    password = kept_password(file)
    [(made,)] = sql("select password_hash from users")
    assert bcrypt.checkpw(password.encode(), made.encode())
    ledger = sql("select table_name from information_schema.tables where table_schema = 'seedframe'")
    kept = "".join(str(sql(f'select * from seedframe."{name}"')) for (name,) in ledger)
    for place in (result.stdout, result.stderr, (admin.path / "run.log").read_text(), kept):
        for form in (*forms(password), made):
            assert form not in place


def test_in_text_the_run_names_the_file_too(admin: Folder) -> None:
    result = applied(admin)
    [file] = kept_files(admin)
    assert file.name in result.stdout + result.stderr
    assert kept_password(file) not in result.stdout + result.stderr


@pytest.mark.parametrize("mode", ["--dry-run", "--rehearse"])
@pytest.mark.parametrize("env", [{}, GIVEN])
def test_trying_it_out_leaves_nothing_behind(admin: Folder, sql: Sql, mode: str, env: dict[str, str]) -> None:
    result = admin.run("apply", mode, "--format", "json", env=env)
    assert result.returncode == 0, str(result)
    report = json.loads(result.stdout)
    assert report["summary"]["create"] == 1
    [change] = report["seeds"][0]["resources"][0]["changes"]
    assert change["key"] == {"email": "admin@example.com"}
    assert change["after"]["password"] == {"secret": True}
    assert kept_files(admin) == []
    assert sql("select count(*) from users") == [(0,)]


def test_neither_password_nor_hash_reaches_output_or_log_and_only_the_hash_the_server(
    project: ProjectFactory, tmp_path: Path
) -> None:
    with running(find_bindir(), log_statement="all", log_min_duration_statement="0") as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute(USERS)
        folder = project(ADMIN_SEED)
        env = {**GIVEN, "DATABASE_URL": server.url()}
        results = [folder.run(*command, env=env) for command in (["apply", "--dry-run"], ["apply", "-v"], ["verify"])]
        with psycopg.connect(server.url()) as connection:
            row = connection.execute("select password_hash from users").fetchone()
        assert row is not None
        log = server.log.read_text(errors="replace")
    assert "insert into" in log, "the statements were not logged, so this test shows nothing"
    for form in (*forms(CANARY), row[0]):
        assert form not in log
    for result in results:
        assert result.returncode == 0, str(result)
        for form in (*forms(CANARY), row[0]):
            assert form not in result.stdout + result.stderr


def test_a_refused_password_is_one_clear_line(admin: Folder, sql: Sql) -> None:
    for mode in (["--dry-run"], []):
        result = admin.run("apply", *mode, env={"SEED_ADMIN_PASSWORD": "é" * 37})
        assert result.returncode == 1, str(result)
        assert "72 bytes" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        assert "éé" not in result.stdout + result.stderr
    assert sql("select count(*) from users") == [(0,)]


def test_a_violated_constraint_shows_no_row(admin: Folder, sql: Sql) -> None:
    sql("alter table users add constraint no_ada check (first_name <> 'Ada')")
    result = admin.run("apply", "-v", env=GIVEN)
    assert result.returncode == 1, str(result)
    everything = result.stdout + result.stderr
    assert "no_ada" in everything
    assert "$2b$" not in everything
    assert CANARY not in everything


def test_what_is_enforced_is_restored_and_what_is_initial_is_left(admin: Folder, sql: Sql) -> None:
    applied(admin, **GIVEN)
    sql("update users set role = 'patient', is_active = false, first_name = 'Augusta'")

    report = json.loads(admin.run("verify", "--format", "json").stdout)
    assert report["exit_code"] == 2
    [resource] = report["seeds"][0]["resources"]
    assert resource["verdict"] == "drift"
    [change] = resource["changes"]
    assert change["key"] == {"email": "admin@example.com"}
    assert change["before"] == {"role": "patient", "is_active": "false"}
    assert change["after"] == {"role": "admin", "is_active": "true"}

    applied(admin)
    assert sql("select role::text, is_active, first_name from users") == [("admin", True, "Augusta")]
    assert admin.run("verify").returncode == 0


def test_a_role_that_the_declaration_changed_is_pending(admin: Folder, sql: Sql) -> None:
    applied(admin, **GIVEN)
    changed = {"SEED_ADMIN_ROLE": "super_admin"}
    assert admin.run("verify", env=changed).returncode == 1
    applied(admin, **changed)
    assert sql("select role::text from users") == [("super_admin",)]
    assert admin.run("verify", env=changed).returncode == 0


def test_a_deleted_account_is_missed_and_made_again(admin: Folder, sql: Sql) -> None:
    applied(admin, **GIVEN)
    sql("delete from users")
    assert admin.run("verify", env=GIVEN).returncode == 2
    applied(admin, **GIVEN)
    assert sql("select email from users") == [("admin@example.com",)]


def test_an_account_that_is_spelled_differently_is_the_same(admin: Folder, sql: Sql) -> None:
    made = bcrypt.hashpw(b"theirs", bcrypt.gensalt(12)).decode()
    sql(
        "insert into users (email, password_hash, first_name, last_name) values ('ADMIN@Example.com', %s, 'A', 'B')",
        [made],
    )
    applied(admin, **GIVEN)
    assert sql("select email, password_hash, role::text from users") == [("ADMIN@Example.com", made, "admin")]


def test_two_accounts_that_differ_in_case_only_are_an_error(admin: Folder, sql: Sql) -> None:
    sql("drop index users_email_key")
    sql(
        "insert into users (email, password_hash, first_name, last_name)"
        " values ('ADMIN@example.com', 'x', 'A', 'B'), ('admin@example.com', 'x', 'A', 'B')"
    )
    result = admin.run("apply", env=GIVEN)
    assert result.returncode == 1, str(result)
    assert "several accounts" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("stored", "remark", "severity"),
    [
        ("$2b$10$" + "a" * 53, "cost 10, less than 12", "warning"),
        ("not a hash", "no bcrypt hash", "error"),
        ("", "has no password", "error"),
    ],
)
def test_a_weak_or_malformed_hash_is_told_and_none_of_it_shown(
    admin: Folder, sql: Sql, stored: str, remark: str, severity: str
) -> None:
    applied(admin, **GIVEN)
    sql("update users set password_hash = %s", [stored])
    verified = admin.run("verify", "--format", "json")
    assert verified.returncode == {"warning": 1, "error": 2}[severity], str(verified)
    [finding] = json.loads(verified.stdout)["seeds"][0]["findings"]
    assert finding["severity"] == severity
    assert remark in finding["text"]
    assert not stored or stored not in verified.stdout
    applied(admin)
    assert sql("select password_hash from users") == [(stored,)]


@pytest.mark.promise(
    "killed between making an account and COMMIT", "there is no account; the next run makes it, with one password"
)
def test_killed_before_commit_the_next_run_makes_the_account_and_its_password_works(admin: Folder, sql: Sql) -> None:
    deadly = SEED + "\n\ndef verify(db):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    admin.write({"seeds/10_admin.py": deadly})
    assert admin.run("apply").returncode == -9
    [first] = kept_files(admin)
    assert sql("select count(*) from users") == [(0,)]
    admin.write(ADMIN_SEED)
    result = applied(admin)
    [second] = set(kept_files(admin)) - {first}
    assert second.name in result.stdout + result.stderr
    [(made,)] = sql("select password_hash from users")
    assert bcrypt.checkpw(kept_password(second).encode(), made.encode())


def test_where_the_password_cannot_be_kept_no_account_is_made(admin: Folder, sql: Sql) -> None:
    (admin.path / ".seedframe").mkdir(exist_ok=True)
    (admin.path / ".seedframe" / "passwords").write_text("in the way")
    result = admin.run("apply")
    assert result.returncode == 1, str(result)
    assert "cannot be kept" in result.stdout + result.stderr
    assert sql("select count(*) from users") == [(0,)]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('role=settings["SEED_ADMIN_ROLE"]|role="adnim"', "did you mean 'admin'?"),
        ('LocalAccounts("users"|LocalAccounts("user"', "does not exist"),
        ('{"email_verified": True}|{"mail_verified": True}', "did you mean 'email_verified'?"),
        ('{"email_verified": True}|{"email": "x"}', "named twice"),
        ('password=settings["SEED_ADMIN_PASSWORD"]|password="plain-canary"', "must be a Secret"),
        ('email=settings["SEED_ADMIN_EMAIL"]|email="nobody"', "no e-mail address"),
        ('first_name=settings["SEED_ADMIN_NAME"]|initial=["rol"]', "did you mean 'role'?"),
        ('initial={"email_verified": True}|columns={"fist_name": "x"}', "did you mean 'first_name'?"),
        ('initial={"email_verified": True}|columns={"email": None}', "need a column for email"),
    ],
)
def test_a_mistake_in_the_declaration_is_one_clear_line(admin: Folder, sql: Sql, change: str, complaint: str) -> None:
    before, _, after = change.partition("|")
    assert before in SEED
    admin.write({"seeds/10_admin.py": SEED.replace(before, after)})
    result = admin.run("apply", env=GIVEN)
    assert result.returncode == 1, str(result)
    assert complaint in result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "plain-canary" not in result.stdout + result.stderr
    assert sql("select count(*) from users") == [(0,)]


def test_hostile_names_of_table_and_columns_are_only_names(project: ProjectFactory, sql: Sql) -> None:
    table, mail, hashed, role, flag = 'us"ers; drop table x', "e:mail %s", 'h"ash)', "r" * 63, "{0} :email"
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in (table, mail, hashed, role, flag)}
    sql(
        f"create schema odd; create table odd.{quoted[table]} ({quoted[mail]} varchar(100) unique not null,"
        f" {quoted[hashed]} char(60) not null, {quoted[role]} varchar(5) not null, {quoted[flag]} int not null)"
    )
    columns = {
        "email": mail,
        "password_hash": hashed,
        "role": role,
        "first_name": None,
        "last_name": None,
        "is_active": None,
    }
    seed = f"""
from seedframe import Account, LocalAccounts, Secret

def resources():
    backend = LocalAccounts({"odd." + quoted[table]!r}, columns={columns!r}, initial={{{flag!r}: 7}})
    yield Account(backend, email="a@example.com", password=Secret("long enough"), role="admin", last_name="unused")
"""
    folder = project({"seeds/10_admin.py": seed})
    applied(folder)
    assert sql(f"select {quoted[mail]}, {quoted[role]}, {quoted[flag]} from odd.{quoted[table]}") == [
        ("a@example.com", "admin", 7)
    ]
    sql(f"update odd.{quoted[table]} set {quoted[role]} = 'none'")
    assert folder.run("verify").returncode == 2
    applied(folder)
    assert folder.run("verify").returncode == 0


def test_a_view_of_accounts_is_refused(project: ProjectFactory, sql: Sql) -> None:
    sql(USERS)
    sql("alter table users rename to people; create view users as select * from people")
    result = project(ADMIN_SEED).run("apply", env=GIVEN)
    assert result.returncode == 1, str(result)
    assert "users is a view" in result.stdout + result.stderr


def test_an_account_that_is_declared_twice_is_told_what_to_do(project: ProjectFactory, sql: Sql) -> None:
    sql(USERS)
    again = '    yield Account(LocalAccounts("users"), email="ADMIN@example.com", role="patient")\n'
    result = project({"seeds/10_admin.py": SEED + again}).run("apply", env=GIVEN)
    assert result.returncode == 1, str(result)
    assert "resource account:admin@example.com is declared twice in seed 10_admin" in result.stdout
    assert "hint: an account has one declaration: give each its own e-mail address" in result.stdout
    assert sql("select * from users") == []


@pytest.mark.parametrize("mode", ["apply", "apply --dry-run"])
@pytest.mark.parametrize(
    ("column", "type_", "what"),
    [
        ("password_hash", "varchar(50)", "password hash"),
        ("password_hash", "bytea", "password hash"),
        ("email", "char(10)", "e-mail address"),
        ("first_name", "varchar(2)", "first name"),
        ("role", "varchar(5)", "role"),
        ("role", "short", "role"),
    ],
)
def test_a_column_that_would_keep_a_part_of_a_value_is_refused(
    project: ProjectFactory, sql: Sql, column: str, type_: str, what: str, mode: str
) -> None:
    sql(USERS + "create domain short as varchar(5); alter table users alter role drop default;")
    sql(f"alter table users alter {column} type {type_} using null")
    # A role that begins with one that may do more: cut, it would be that one.
    role = {"SEED_ADMIN_ROLE": "admin_of_nothing"} if column == "role" else {}
    result = project(ADMIN_SEED).run(*mode.split(), env={**GIVEN, **role})
    assert result.returncode == 1, str(result)
    assert f"column {column} of public.users does not take the whole {what}" in result.stdout, str(result)
    assert CANARY not in str(result)
    assert sql("select * from users") == []


def test_a_column_with_room_for_its_values_is_as_good_as_any(project: ProjectFactory, sql: Sql) -> None:
    sql(USERS)
    sql(
        "alter table users alter password_hash type char(80), alter email type char(40), alter role drop default,"
        " alter first_name type varchar(3), alter role type varchar(5) using role::text"
    )
    folder = project(ADMIN_SEED)
    applied(folder, **GIVEN)
    assert "0 created, 0 updated" in applied(folder, **GIVEN).stdout
    result = folder.run("verify", "--check-passwords", env=GIVEN)
    assert result.returncode == 0, str(result)


def test_without_an_optional_table_of_users_the_account_is_skipped_unless_it_was_there(admin: Folder, sql: Sql) -> None:
    optional = SEED.replace("import Account", "import Tables, Account").replace(
        "def resources(settings):\n", 'def resources(settings):\n    yield Tables("users", required=False)\n'
    )
    admin.write({"seeds/10_admin.py": optional})
    sql("alter table users rename to hidden")
    report = json.loads(admin.run("apply", "--format", "json", env=GIVEN).stdout)
    assert report["exit_code"] == 0
    account = report["seeds"][0]["resources"][1]
    assert account["skipped_reason"] == "optional table users does not exist"
    sql("alter table hidden rename to users")
    applied(admin, **GIVEN)
    sql("alter table users rename to hidden")
    gone = admin.run("verify")
    assert gone.returncode == 2, str(gone)
    assert "does not exist" in gone.stdout + gone.stderr
