"""Settings in a run: nothing is touched before all of them fit, and what they are parsed from is masked and planned."""

import json
import socket
from pathlib import Path

import pytest

from tests.conftest import Cli, Folder, ProjectFactory, Sql

CANARY = "canary-7f3a:word-zk"
SEED = """
from seedframe import Rows, Secret, Setting, parse_accounts

SETTINGS = [
    Setting("SEED_ROLE", choices=["admin", "support"], default="admin"),
    Setting("SEED_OTHERS", default="", parse=lambda text: parse_accounts(text, roles=["admin", "support"])),
    Setting("SEED_TOKEN", Secret, default=None, parse=lambda secret: secret.reveal().split(":")),
]


def resources(settings):
    role = settings["SEED_ROLE"]
    yield Rows("people", key="email", rows=[
        {"email": "admin@example.com", "role": role},
        *({"email": grant.email, "role": grant.role} for grant in settings["SEED_OTHERS"]),
    ])


def verify(settings):
    if settings["SEED_TOKEN"]:
        yield "it is " + ":".join(settings["SEED_TOKEN"])
"""
MIGRATIONS = """
[project]
name = "shop"
[migrations]
command = "touch migrated"
"""
COMMANDS = (
    ["apply"],
    ["apply", "--dry-run"],
    ["apply", "--rehearse"],
    ["apply", "--dry-run", "--out", "plan.json"],
    ["verify"],
    ["db", "init"],
)
WRONG = {
    "SEED_ROLE": ("suport", "environment: SEED_ROLE is none of admin, support\n hint: did you mean 'support'?\n"),
    "SEED_OTHERS": (
        "a@example.com:root",
        (
            "environment: SEED_OTHERS: the role of entry 1 (a@example.com) is not one of admin, support\n"
            " hint: a role is written exactly as it is listed\n"
        ),
    ),
    "SEED_TOKEN_FILE": ("gone", "SEED_TOKEN_FILE="),
}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("name", WRONG)
def test_nothing_is_touched_before_every_variable_fits(tmp_path: Path, cli: Cli, command: list[str], name: str) -> None:
    folder = Folder(tmp_path, cli)
    folder.write({"seedframe.toml": MIGRATIONS, "seeds/10_people.py": SEED})
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        value, line = WRONG[name]
        url = f"postgresql://someone@127.0.0.1:{server.getsockname()[1]}/shop?sslmode=disable&gssencmode=disable"
        done = folder.run(*command, env={"DATABASE_URL": url, name: value})
        with pytest.raises(BlockingIOError):
            server.accept()
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {line}")
    left = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*") if "__pycache__" not in path.parts}
    assert left == {"seedframe.toml", "seeds"}


@pytest.fixture
def people(project: ProjectFactory, sql: Sql) -> Folder:
    """A table, and the seed that fills it from variables."""
    sql("create table people (email text primary key, role text not null)")
    return project({"seeds/10_people.py": SEED})


def test_what_is_parsed_reaches_the_rows(people: Folder, sql: Sql) -> None:
    env = {"SEED_ROLE": " support", "SEED_OTHERS": "B@Example.com:support , c@example.com:admin"}
    done = people.run("apply", env=env)
    assert done.returncode == 0, str(done)
    assert sql("select email, role from people order by email") == [
        ("admin@example.com", "support"),
        ("b@example.com", "support"),
        ("c@example.com", "admin"),
    ]
    assert people.run("verify", env=env).returncode == 0


def test_a_secret_is_masked_although_only_what_it_was_parsed_to_is_used(people: Folder) -> None:
    done = people.run("apply", env={"SEED_TOKEN": CANARY})
    assert done.returncode == 1, str(done)
    assert "it is ********" in done.stdout + done.stderr
    assert CANARY not in done.stdout + done.stderr


def test_a_plan_is_bound_to_the_text_of_what_is_parsed_and_holds_no_secret(people: Folder) -> None:
    env = {"SEED_OTHERS": "b@example.com:support"}
    done = people.run("apply", "--dry-run", "--out", "plan.json", env={**env, "SEED_TOKEN": ""})
    assert done.returncode == 0, str(done)
    moved = people.run("apply", "--plan", "plan.json", env={"SEED_OTHERS": "b@example.com:admin"})
    assert moved.returncode == 3
    assert "setting SEED_OTHERS of seed 10_people changed since the plan was made" in moved.stderr
    assert people.run("apply", "--plan", "plan.json", env=env).returncode == 0
    assert "SEED_OTHERS" in json.dumps(json.loads((people.path / "plan.json").read_text()))
