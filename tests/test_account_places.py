"""Account, wherever it is kept: in a table, at Supabase Auth (a contract replay), and there with a row in a table."""

import json
import os
import pty
import re
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from seedframe import Project
from seedframe.configuration.account_options import PasswordOptions
from seedframe.configuration.config import load_config
from seedframe.options import ApplyOptions, VerifyOptions
from tests.auth_server import AuthServer
from tests.conftest import Folder, ProjectFactory, Result, Sql

EMAIL = "ada@example.com"
FIRST, SECOND = "the first of her passwords", "quite another of them"
TABLES = """
create type user_role as enum ('patient', 'support', 'admin', 'super_admin');
create table users (
    id uuid primary key default gen_random_uuid(),
    email text not null,
    password_hash text,
    first_name text not null,
    last_name text not null,
    role user_role not null default 'patient',
    is_active boolean not null default true
);
create unique index users_email_key on users (lower(email));
create table notes (id int primary key);
"""
SEED = """
from seedframe import Account, LocalAccounts, Secret, Setting, SupabaseAccounts

SETTINGS = [
    Setting("SEED_EMAIL", str, default="ada@example.com"),
    Setting("SEED_PASSWORD", Secret, default=None),
    Setting("SEED_ROLE", str, default="admin"),
    Setting("SEED_NAME", str, default="Ada"),
    Setting("SEED_VERSION", int, default=1),
]


def resources(settings):
    yield Account(
        BACKEND,
        email=settings["SEED_EMAIL"],
        password=settings["SEED_PASSWORD"],
        password_version=settings["SEED_VERSION"],
        first_name=settings["SEED_NAME"],
        last_name="Lovelace",
        role=settings["SEED_ROLE"],
    )
"""
BACKENDS = {
    "local": 'LocalAccounts("users")',
    "supabase": "SupabaseAccounts()",
    "both": 'SupabaseAccounts(profile=LocalAccounts("users"))',
}
GIVEN = {"SEED_PASSWORD": FIRST}


class Kept:
    """A project with one account, and a look at where that is kept."""

    def __init__(self, kind: str, folder: Folder, sql: Sql, auth: AuthServer) -> None:
        self.kind = kind
        self.folder = folder
        self.sql = sql
        self.auth = auth

    @property
    def at_auth(self) -> bool:
        return self.kind != "local"

    @property
    def in_table(self) -> bool:
        return self.kind != "supabase"

    def run(self, *arguments: str, **env: str) -> Result:
        return self.folder.run(*arguments, env=env)

    def applied(self, *arguments: str, **env: str) -> dict[str, Any]:
        """The report of an apply that must succeed, in this process."""
        report = self.applying(*arguments, **env)
        assert report["exit_code"] == 0, report
        return report

    def applying(self, *arguments: str, **env: str) -> dict[str, Any]:
        """The report of an apply."""
        rotate = [arguments[at + 1].lower() for at, word in enumerate(arguments) if word == "--rotate-password"]
        options = ApplyOptions(
            dry_run="--dry-run" in arguments,
            rehearse="--rehearse" in arguments,
            passwords=PasswordOptions(rotate=frozenset(rotate)),
        )
        return self._project(env).apply(options).as_dict()

    def verified(self, *arguments: str, **env: str) -> dict[str, Any]:
        """The report of a verify."""
        options = VerifyOptions(passwords=PasswordOptions(check="--check-passwords" in arguments))
        return self._project(env).verify(options).as_dict()

    def _project(self, env: Mapping[str, str]) -> Project:
        return Project.of(load_config(self.folder.path, environ={**self.folder.env, **env}))

    def accounts(self) -> list[tuple[str, str, str, bool]]:
        """E-mail address, first name, role and whether it is enabled, of each account; alike in both places."""
        rows: list[list[tuple[str, str, str, bool]]] = []
        if self.in_table:
            rows.append(self.sql("select email, first_name, role::text, is_active from users order by email"))
        if self.at_auth:
            rows.append(
                self.sql(
                    "select email, raw_user_meta_data->>'first_name', raw_app_meta_data->>'role', banned_until is null"
                    " from auth_replay.users where email = any(%s) order by email",
                    [[EMAIL, "grace@example.com"]],
                )
            )
        assert all(found == rows[0] for found in rows)
        return rows[0]

    def hash(self) -> str:
        """Of the password that opens the account."""
        query = "select password_hash from users where email = %s"
        if self.at_auth:
            query = "select encrypted_password from auth_replay.users where email = %s"
        [(found,)] = self.sql(query, [EMAIL])
        return str(found)

    def opens(self, password: str) -> bool:
        return bcrypt.checkpw(password.encode(), self.hash().encode())

    def edit(self, *, first_name: str, role: str, enabled: bool) -> None:
        """What operators do, wherever the account is."""
        if self.in_table:
            self.sql("update users set first_name = %s, role = %s, is_active = %s", [first_name, role, enabled])
        if self.at_auth:
            self.sql(
                "update auth_replay.users set raw_user_meta_data = raw_user_meta_data || %s::jsonb,"
                " raw_app_meta_data = raw_app_meta_data || %s::jsonb, banned_until = %s::timestamptz",
                [
                    json.dumps({"first_name": first_name}),
                    json.dumps({"role": role}),
                    None if enabled else "2999-01-01",
                ],
            )

    def passwords(self) -> list[Path]:
        return sorted((self.folder.path / ".seedframe" / "passwords").glob("*"), key=lambda file: file.stat().st_mtime)

    def generated(self) -> str:
        """The newest generated password."""
        found = re.search(r"^password: (.+)$", self.passwords()[-1].read_text(encoding="utf-8"), re.MULTILINE)
        assert found is not None
        return found[1]

    def writes(self) -> int:
        """How many requests so far were to change something."""
        return sum(request.method != "GET" for request in self.auth.requests)


Keep = Callable[..., Kept]


@pytest.fixture
def keep(project: ProjectFactory, sql: Sql, auth_server: AuthServer) -> Keep:
    """`keep("both")`: a project whose account is kept so; nothing is applied yet."""

    def keep(kind: str, seed: str = SEED, **files: str) -> Kept:
        sql(TABLES)
        folder = project({"seeds/10_admin.py": seed.replace("BACKEND", BACKENDS.get(kind, kind)), **files})
        folder.env.update(SUPABASE_URL=auth_server.url, SUPABASE_SERVICE_ROLE_KEY=auth_server.key)
        return Kept(kind, folder, sql, auth_server)

    return keep


@pytest.fixture(params=list(BACKENDS))
def kept(request: pytest.FixtureRequest, keep: Keep) -> Kept:
    """The account in each of the ways to keep it."""
    return keep(request.param)


def changes(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [change for seed in report["seeds"] for resource in seed["resources"] for change in resource["changes"]]


def findings(report: dict[str, Any], severity: str) -> list[str]:
    return [each["text"] for seed in report["seeds"] for each in seed["findings"] if each["severity"] == severity]


def error(report: dict[str, Any]) -> str:
    problem = next(seed["error"] for seed in report["seeds"] if seed["error"] is not None)
    return f"{problem['code']}: {problem['message']}"


# Created once, kept in step


def test_the_account_is_made_as_declared_and_then_left_alone(kept: Kept) -> None:
    report = kept.applied(**GIVEN)
    assert [change["action"] for change in changes(report)] == ["create"] * (2 if kept.kind == "both" else 1)
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]
    assert kept.hash().startswith("$2b$12$")
    assert kept.opens(FIRST)
    before, requests = kept.hash(), kept.writes()
    for later in (GIVEN, {}, {"SEED_PASSWORD": SECOND}):
        report = kept.applied(**later)
        assert report["summary"] == {"create": 0, "update": 0, "delete": 0, "unchanged": 1}
        assert kept.verified(**later)["exit_code"] == 0
    assert kept.hash() == before
    assert kept.writes() == requests
    assert kept.passwords() == []


def test_no_password_goes_to_the_service_but_its_hash(keep: Keep) -> None:
    kept = keep("both")
    kept.applied(**GIVEN)
    bodies = [request.body for request in kept.auth.requests]
    assert any(kept.hash().encode() in body for body in bodies)
    assert not any(FIRST.encode() in body for body in bodies)
    [made] = [request.json for request in kept.auth.requests if request.method == "POST"]
    assert made["app_metadata"] == {"role": "admin"}
    assert made["user_metadata"] == {"first_name": "Ada", "last_name": "Lovelace"}
    assert "role" not in made
    assert "password" not in made


def test_a_generated_password_opens_the_account_and_is_in_one_file(kept: Kept) -> None:
    report = kept.applied()
    [file] = kept.passwords()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [text for text in findings(report, "info") if str(file) in text]
    assert kept.opens(kept.generated())
    kept.applied()
    assert kept.passwords() == [file]


def test_what_is_enforced_is_restored_and_what_is_initial_is_left(kept: Kept) -> None:
    kept.applied(**GIVEN)
    kept.edit(first_name="Augusta", role="patient", enabled=False)
    report = kept.verified()
    assert report["exit_code"] == 2
    for change in changes(report):
        assert change["before"] == {"role": "patient", "is_active": "false"}
        assert change["after"] == {"role": "admin", "is_active": "true"}
        assert change["verdict"] == "drift"
    kept.applied()
    assert kept.accounts() == [(EMAIL, "Augusta", "admin", True)]
    assert kept.verified()["exit_code"] == 0
    assert kept.opens(FIRST)


def test_a_role_that_the_declaration_changed_is_pending(kept: Kept) -> None:
    kept.applied(**GIVEN)
    assert kept.verified(SEED_ROLE="super_admin")["exit_code"] == 1
    kept.applied(SEED_ROLE="super_admin")
    assert kept.accounts() == [(EMAIL, "Ada", "super_admin", True)]


@pytest.mark.parametrize("mode", ["--dry-run", "--rehearse"])
def test_trying_it_out_makes_nothing_anywhere(kept: Kept, mode: str) -> None:
    report = kept.applied(mode)
    assert report["summary"]["create"] == (2 if kept.kind == "both" else 1)
    assert kept.accounts() == []
    assert kept.passwords() == []
    assert kept.writes() == 0


# Passwords that are changed


def test_a_password_is_rotated_on_request_and_only_then(kept: Kept) -> None:
    kept.applied(**GIVEN)
    planned = kept.applied("--dry-run", "--rotate-password", EMAIL.upper())
    [change] = [change for change in changes(planned) if "password" in change["after"]]
    assert change["before"] == change["after"] == {"password": {"secret": True}}
    assert kept.opens(FIRST)
    report = kept.applied("--rotate-password", EMAIL.upper())
    assert report["summary"]["update"] == 1
    second = kept.generated()
    assert kept.opens(second)
    assert not kept.opens(FIRST)
    kept.applied()
    assert kept.opens(second)
    kept.applied("--rotate-password", EMAIL, SEED_PASSWORD=SECOND)
    assert kept.opens(SECOND)
    assert kept.verified()["exit_code"] == 0


def test_a_password_is_not_rotated_to_itself(kept: Kept) -> None:
    kept.applied(**GIVEN)
    report = kept.applying("--rotate-password", EMAIL, **GIVEN)
    assert report["exit_code"] == 1
    assert "is the one it has" in error(report)
    assert kept.opens(FIRST)


def test_an_address_that_nobody_declares_is_told(kept: Kept) -> None:
    kept.applied(**GIVEN)
    result = kept.run("apply", "--rotate-password", "somebody@example.com")
    assert result.returncode == 3, str(result)
    assert "no seed of this run declares an account somebody@example.com" in result.stdout + result.stderr
    assert kept.opens(FIRST)


def test_a_raised_version_changes_the_password_once(kept: Kept) -> None:
    kept.applied(**GIVEN)
    assert kept.verified(SEED_VERSION="2")["exit_code"] == 1
    kept.applied(SEED_VERSION="2")
    second = kept.generated()
    assert kept.opens(second)
    for version in ("2", "1", "2"):
        kept.applied(SEED_VERSION=version)
        assert kept.opens(second)
    kept.applied(SEED_VERSION="3", SEED_PASSWORD=SECOND)
    assert kept.opens(SECOND)
    for version in ("2", "3"):
        kept.applied(SEED_VERSION=version, SEED_PASSWORD=FIRST)
        assert kept.opens(SECOND)
    assert kept.verified(SEED_VERSION="3")["exit_code"] == 0


def test_the_password_of_an_account_that_was_there_before_is_not_ours_to_change(kept: Kept) -> None:
    kept.applied(**GIVEN)
    kept.sql("drop schema seedframe cascade")
    for _ in range(2):
        kept.applied(SEED_VERSION="2", SEED_PASSWORD=SECOND)
        assert kept.opens(FIRST)
    kept.applied(SEED_VERSION="3", SEED_PASSWORD=SECOND)
    assert kept.opens(SECOND)


# Verifying


def test_whether_a_password_opens_is_found_out_on_request(kept: Kept) -> None:
    kept.applied(**GIVEN)
    assert kept.verified("--check-passwords", **GIVEN)["exit_code"] == 0
    wrong = kept.verified("--check-passwords", SEED_PASSWORD=SECOND)
    assert wrong["exit_code"] == 2
    assert findings(wrong, "error") == [f"the password given for {EMAIL} does not open it"]
    none = kept.verified("--check-passwords")
    assert none["exit_code"] == 0
    assert [text for text in findings(none, "info") if "was not checked" in text]
    assert kept.verified(SEED_PASSWORD=SECOND)["exit_code"] == 0


def test_a_missing_account_is_drift_and_made_again(kept: Kept) -> None:
    kept.applied(**GIVEN)
    if kept.in_table:
        kept.sql("delete from users")
    if kept.at_auth:
        kept.sql("delete from auth_replay.users")
    assert kept.verified(**GIVEN)["exit_code"] == 2
    kept.applied(**GIVEN)
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]


def test_an_enabled_administrator_must_remain(keep: Keep, kept: Kept) -> None:
    kept.folder.write({"seedframe.toml": (kept.folder.path / "seedframe.toml").read_text() + ADMINISTRATORS})
    report = kept.applying(**GIVEN, SEED_ROLE="support")
    assert report["exit_code"] == 1
    assert [text for text in findings(report, "error") if text.startswith("no enabled account")]
    if kept.in_table:
        assert kept.sql("select count(*) from users") == [(0,)]
    kept.applied(**GIVEN)
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]


def test_the_last_administrator_is_not_demoted_by_the_declaration(keep: Keep, kept: Kept) -> None:
    kept.applied(**GIVEN)
    report = kept.applying(**GIVEN, SEED_ROLE="support")
    assert report["exit_code"] == 1
    assert [text for text in findings(report, "error") if text.startswith("no enabled account")]
    if kept.in_table:
        assert kept.sql("select role::text from users") == [("admin",)]


ADMINISTRATORS = '\n[accounts]\nadministrators = ["admin", "super_admin"]\n'
LOCKS_OUT = 'def apply(db, plan):\n    db.execute("update users set is_active = false")\n'
CHECKED = (
    'from seedframe import Change\nWRITES = ["users"]\n\ndef check(db):\n'
    '    if db.scalar("select exists (select from users where is_active)"):\n'
    '        return [Change("other", {"all": "users"})]\n\n'
)


def test_a_later_seed_may_not_take_the_last_administrator(keep: Keep) -> None:
    kept = keep("local", **{"seeds/20_lock.py": CHECKED + LOCKS_OUT})
    report = kept.applying(**GIVEN)
    assert report["exit_code"] == 1
    assert "no enabled account in users has the role admin" in findings(report, "error")[0]
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]


def test_to_see_that_one_remains_the_service_is_not_searched_where_one_is_declared(keep: Keep) -> None:
    kept = keep("supabase")
    kept.auth.add_many(30)
    kept.applied(**GIVEN)
    before = len(kept.auth.requests)
    assert kept.verified()["exit_code"] == 0
    assert [request.path for request in kept.auth.requests[before:] if request.path.endswith("/users")] == []


# Crashes


DEADLY = "\n\ndef verify(db):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.mark.promise(
    "killed between the answer of Supabase Auth and COMMIT", "the next run ends with one account, in both places"
)
def test_killed_before_commit_the_next_run_ends_with_one_account(kept: Kept) -> None:
    seed = kept.folder.path / "seeds" / "10_admin.py"
    text = seed.read_text(encoding="utf-8")
    seed.write_text(text + DEADLY, encoding="utf-8")
    assert kept.run("apply").returncode == -signal.SIGKILL
    assert len(kept.passwords()) == 1
    seed.write_text(text, encoding="utf-8")
    kept.applied()
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]
    assert kept.opens(kept.generated())
    assert len(kept.passwords()) == (1 if kept.at_auth else 2)
    assert kept.verified()["exit_code"] == 0


def test_what_is_rolled_back_takes_its_password_along_unless_the_account_stays(kept: Kept) -> None:
    seed = kept.folder.path / "seeds" / "10_admin.py"
    text = seed.read_text(encoding="utf-8")
    seed.write_text(text + "\n\ndef verify(db):\n    yield 'not good'\n", encoding="utf-8")
    report = kept.applying()
    assert report["exit_code"] == 1
    assert len(kept.passwords()) == (1 if kept.at_auth else 0)
    named = [text for text in findings(report, "info") if "a password was generated" in text]
    assert len(named) == len(kept.passwords())
    seed.write_text(text, encoding="utf-8")
    kept.applied()
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]
    assert kept.opens(kept.generated())
    assert len(kept.passwords()) == 1


# In both places


def ids(kept: Kept) -> tuple[str, str]:
    [(there,)], [(here,)] = kept.sql("select id::text from auth_replay.users"), kept.sql("select id::text from users")
    return there, here


def test_an_account_has_one_id_in_both_places(keep: Keep) -> None:
    kept = keep("both")
    kept.applied(**GIVEN)
    there, here = ids(kept)
    assert there == here
    kept.sql("delete from users")
    assert kept.verified()["exit_code"] == 2
    kept.applied()
    assert ids(kept) == (there, there)
    kept.sql("delete from auth_replay.users; update users set id = gen_random_uuid()")
    [(here,)] = kept.sql("select id::text from users")
    kept.applied(**GIVEN)
    assert ids(kept) == (here, here)
    assert kept.sql("select password_hash from users") == [(None,)]
    kept.sql("update users set id = gen_random_uuid()")
    report = kept.verified()
    assert report["exit_code"] == 3
    assert "has two ids" in error(report)


def test_a_trigger_on_the_accounts_may_make_the_row(keep: Keep) -> None:
    kept = keep("both")
    kept.sql(
        "create function made() returns trigger language plpgsql as $$ begin insert into public.users"
        " (id, email, first_name, last_name) values (new.id, new.email, '', ''); return new; end $$;"
        "create trigger made after insert on auth_replay.users for each row execute function made()"
    )
    kept.applied(**GIVEN)
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]
    assert ids(kept)[0] == ids(kept)[1]


def test_a_table_whose_passwords_must_have_a_value_cannot_be_beside_the_service(keep: Keep) -> None:
    kept = keep("both")
    kept.sql("alter table users alter password_hash set not null")
    for mode in (["--dry-run"], []):
        report = kept.applying(*mode, **GIVEN)
        assert report["exit_code"] == 1
        assert "column password_hash of users must have a value" in error(report)
    assert kept.writes() == 0


def test_hundreds_of_others_are_not_in_the_way(keep: Keep) -> None:
    kept = keep("both")
    kept.auth.most_per_page = 50
    kept.auth.add_many(420)
    kept.auth.add(EMAIL.title(), raw_app_meta_data='{"role": "patient"}')
    kept.auth.add_many(0)
    kept.applied(**GIVEN)
    [(there,)] = kept.sql("select id::text from auth_replay.users where lower(email) = %s", [EMAIL])
    assert kept.sql("select id::text, role::text from users") == [(there, "admin")]


# Where


def test_the_configuration_decides_and_the_report_says_so(keep: Keep) -> None:
    kept = keep('Accounts(LocalAccounts("users"))', SEED.replace("import Account,", "import Account, Accounts,"))
    nowhere = {"SUPABASE_URL": "", "SUPABASE_SERVICE_ROLE_KEY": ""}
    report = kept.applied("--dry-run", **nowhere)
    assert findings(report, "info") == ["accounts are kept in table users: Supabase is not configured"]
    report = kept.applied("--dry-run", SUPABASE_SERVICE_ROLE_KEY="")
    assert findings(report, "warning") == ["accounts are kept in table users: SUPABASE_SERVICE_ROLE_KEY is not set"]
    report = kept.applied("--dry-run")
    assert findings(report, "info") == [
        "accounts are kept in Supabase Auth with table users: SUPABASE_URL names 127.0.0.1"
    ]
    assert len(changes(report)) == 2
    config = (kept.folder.path / "seedframe.toml").read_text()
    kept.folder.write({"seedframe.toml": config + '\n[accounts]\nbackend = "local"\n'})
    report = kept.applied("--dry-run")
    assert findings(report, "info") == ['accounts are kept in table users: [accounts] backend = "local"']
    kept.folder.write({"seedframe.toml": config + '\n[accounts]\nbackend = "supabase"\n'})
    report = kept.applying("--dry-run", **nowhere)
    assert report["exit_code"] == 3
    assert "SUPABASE_URL is not set, and accounts are kept at Supabase Auth" in error(report)


def test_a_service_that_does_not_answer_is_an_error_unless_the_table_may_stand_in(keep: Keep) -> None:
    kept = keep('Accounts(LocalAccounts("users"))', SEED.replace("import Account,", "import Account, Accounts,"))
    dead = {"SUPABASE_URL": "http://127.0.0.1:1", **GIVEN}
    config = (kept.folder.path / "seedframe.toml").read_text()
    kept.folder.write({"seedframe.toml": config + '\n[accounts]\ntimeout = "2s"\n'})
    report = kept.applying(**dead)
    assert report["exit_code"] == 1
    assert "auth_unreachable" in error(report)
    assert kept.verified(**dead)["exit_code"] == 3
    assert kept.sql("select count(*) from users") == [(0,)]
    kept.folder.write({"seedframe.toml": config + '\n[accounts]\ntimeout = "2s"\nfallback = true\n'})
    report = kept.applied(**dead)
    [told] = findings(report, "warning")
    assert told.startswith("accounts are kept in table users: fallback, since ")
    assert kept.sql("select email from users") == [(EMAIL,)]


@pytest.mark.parametrize("spelled", ["ada@münchen.de", "Ada@xn--mnchen-3ya.de"])
def test_a_domain_outside_ascii_is_one_in_both_spellings(keep: Keep, spelled: str) -> None:
    kept = keep("local")
    kept.sql("insert into users (email, first_name, last_name) values (%s, 'A', 'L')", [spelled])
    kept.applied(SEED_EMAIL="ada@münchen.de")
    assert kept.sql("select email, role::text from users") == [(spelled, "admin")]


# Cost


def test_a_cheap_hash_is_told_and_raised_where_the_password_is_known(keep: Keep) -> None:
    kept = keep("local")
    kept.applied(**GIVEN)
    cheap = bcrypt.hashpw(FIRST.encode(), bcrypt.gensalt(8)).decode()
    kept.sql("update users set password_hash = %s", [cheap])
    report = kept.verified(**GIVEN)
    assert report["exit_code"] == 1
    assert "has cost 8, less than 12" in findings(report, "warning")[0]
    for env in ({}, {"SEED_PASSWORD": SECOND}):
        assert kept.applied(**env)["summary"]["update"] == 0
        assert kept.hash() == cheap
    assert kept.applied("--dry-run", **GIVEN)["summary"]["update"] == 1
    assert kept.applied(**GIVEN)["summary"]["update"] == 1
    assert kept.hash().startswith("$2b$12$")
    assert kept.opens(FIRST)
    kept.folder.write(
        {"seedframe.toml": (kept.folder.path / "seedframe.toml").read_text() + "\n[accounts]\nrounds = 13\n"}
    )
    kept.applied(**GIVEN)
    assert kept.hash().startswith("$2b$13$")


@pytest.mark.parametrize("password", ["changeme", "admin"])
def test_a_password_that_everybody_knows_fails_verify(keep: Keep, password: str) -> None:
    kept = keep("local")
    kept.applied(**GIVEN)
    kept.sql("update users set password_hash = %s", [bcrypt.hashpw(password.encode(), bcrypt.gensalt(12)).decode()])
    report = kept.verified()
    assert report["exit_code"] == 2
    assert findings(report, "error") == [f"{EMAIL} has a password that everybody knows: change it"]
    kept.applied()  # it is its owner's
    assert kept.applying(SEED_EMAIL="grace@example.com", SEED_PASSWORD=password)["exit_code"] == 1


# On a terminal


@pytest.fixture
def on_a_terminal() -> Callable[..., tuple[int, str]]:
    """`on_a_terminal(kept, "apply")`: the exit code and what the terminal showed."""

    def run(kept: Kept, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(kept.folder.path)
            os.execve(
                sys.executable,
                [sys.executable, "-P", "-m", "seedframe", *arguments],
                {
                    "PATH": os.environ["PATH"],
                    "HOME": str(kept.folder.path),
                    "LANG": "C.UTF-8",
                    "TERM": "xterm",
                    **kept.folder.env,
                    **(env or {}),
                },
            )
        shown = b""
        with suppress(OSError):
            while chunk := os.read(terminal, 65536):
                shown += chunk
        _, status = os.waitpid(child, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), shown.decode()

    return run


def test_on_a_terminal_a_generated_password_is_shown_once_and_in_no_file(
    kept: Kept, on_a_terminal: Callable[..., tuple[int, str]]
) -> None:
    code, shown = on_a_terminal(kept, "apply")
    assert code == 0, shown
    [password] = re.findall(rf"password of {EMAIL}, shown this once: (\S+)", shown)
    assert kept.opens(password)
    assert shown.count(password) == 1
    assert kept.passwords() == []


def test_where_no_file_can_be_kept_a_terminal_will_do(
    keep: Keep, on_a_terminal: Callable[..., tuple[int, str]]
) -> None:
    kept = keep("local")
    (kept.folder.path / ".seedframe").mkdir()
    (kept.folder.path / ".seedframe" / "passwords").write_text("in the way")
    code, shown = on_a_terminal(kept, "apply")
    assert code == 0, shown
    [password] = re.findall(rf"password of {EMAIL}, shown this once: (\S+)", shown)
    assert kept.opens(password)


@pytest.mark.parametrize("arguments", [["--format", "json"], []])
def test_in_ci_a_terminal_is_a_log(
    keep: Keep, on_a_terminal: Callable[..., tuple[int, str]], arguments: list[str]
) -> None:
    kept = keep("local")
    code, shown = on_a_terminal(kept, "apply", *arguments, env={} if arguments else {"CI": "true"})
    assert code == 0, shown
    assert kept.opens(kept.generated())
    assert kept.generated() not in shown


def test_a_password_is_kept_in_its_file_until_it_was_shown(
    keep: Keep, on_a_terminal: Callable[..., tuple[int, str]]
) -> None:
    stopped = "\n\ndef resources(db):\n    import os, signal\n    os.kill(os.getpid(), signal.SIGINT)\n    return []\n"
    kept = keep("local", **{"seeds/20_later.py": stopped})
    code, shown = on_a_terminal(kept, "apply")
    assert code == 130, shown
    assert kept.accounts() == [(EMAIL, "Ada", "admin", True)]
    [file] = kept.passwords()
    assert file.name in shown.replace("\r\n", "")
    assert kept.opens(kept.generated())
    assert kept.generated() not in shown
