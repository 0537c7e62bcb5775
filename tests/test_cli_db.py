"""`seedframe db`: from nothing to a migrated, seeded and verified database, again and again, and two at once."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import psycopg
import pytest

from seedframe.cli.db import masked_url
from seedframe.cli.db_shell import psql_command
from seedframe.database import embedded
from seedframe.database.address import parse_address
from seedframe.database.migrating import Outline, difference
from seedframe.errors import MigrationFailed
from seedframe.operations.migrations import run_migrations
from seedframe.secrets import Secret
from tests.conftest import Cli, Folder, OrdinaryUser, ProjectFactory, Result, Sql, clean_variables
from tests.servers import find_bindir

CANARY = "hunter2-canary"

# What a migration tool does: looks what is there, makes what is not. Two of them at once would both make it.
MIGRATE = """
import os, sys, time
import psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    if connection.execute("select to_regclass('public.plan')").fetchone()[0] is None:
        time.sleep(0.5)
        connection.execute("create table plan (slug text primary key, price numeric not null)")
        print("made the table plan")
"""

PLANS = """
from seedframe import Rows

def resources():
    yield Rows("plan", key="slug", rows=[{"slug": "basic", "price": "9.00"}, {"slug": "pro", "price": "29.00"}])
"""

CONFIG = """
[project]
name = "shop"

[migrations]
command = "python migrate.py"
"""

FILES = MappingProxyType({"migrate.py": MIGRATE, "seeds/10_plans.py": PLANS})


@pytest.fixture
def folder(cli: Cli) -> Iterator[Folder]:
    """A project with an embedded database, in a folder that every account can pass through."""
    root = Path(tempfile.mkdtemp(prefix="sf-db-", dir="/tmp"))
    root.chmod(0o755)
    folder = Folder(root, cli, {"SEEDFRAME_PG_BINDIR": str(find_bindir())})
    folder.write({"seedframe.toml": CONFIG, **FILES})
    yield folder
    note = root / ".seedframe" / "embedded" / "sockets"
    sockets = Path(note.read_text().strip()) if note.exists() else None
    assert embedded.stop(root, now=True) is embedded.Stopped.NOT_RUNNING
    assert sockets is None or not sockets.exists()
    shutil.rmtree(root)


def test_init_migrates_applies_and_verifies_and_then_nothing_changes(folder: Folder) -> None:
    first = folder.run("db", "init")
    assert (first.returncode, first.stderr) == (0, ""), first
    assert "✓ migrate   python migrate.py: 1 table made" in first.stdout
    assert "✓ 10_plans  changed" in first.stdout
    assert "1 seed: 2 created, 0 updated, 0 deleted" in first.stdout
    assert "✓ verified  1 seed in sync, 2 rows" in first.stdout
    second = folder.run("db", "init")
    assert (second.returncode, second.stderr) == (0, ""), second
    assert "✓ migrate   python migrate.py: schema unchanged" in second.stdout
    assert "1 seed: 0 created, 0 updated, 0 deleted, 2 unchanged" in second.stdout
    assert "✓ verified  1 seed in sync, 2 rows" in second.stdout


def test_init_on_a_database_of_ones_own(project: ProjectFactory, sql: Sql) -> None:
    done = project(FILES, config=CONFIG).run("db", "init")
    assert done.returncode == 0, done
    assert sql("select slug from plan order by slug") == [("basic",), ("pro",)]


def test_init_shows_what_the_migrations_printed_when_asked(folder: Folder) -> None:
    assert "made the table plan" in folder.run("db", "init", "-v").stdout
    assert "made the table plan" not in folder.run("db", "init").stdout


def test_init_is_quiet_when_asked(folder: Folder) -> None:
    done = folder.run("db", "init", "-q")
    assert done.returncode == 0, done
    assert "migrate" not in done.stdout


def test_init_without_migrations_says_so(folder: Folder) -> None:
    folder.write(
        {
            "seedframe.toml": '[project]\nname = "shop"\n',
            "seeds/10_plans.py": "def resources():\n    return []\n",
        }
    )
    done = folder.run("db", "init")
    assert done.returncode == 0, done
    assert "○ migrate   no command under [migrations]" in done.stdout


def test_two_inits_at_once_do_not_migrate_at_once(folder: Folder) -> None:
    command = [sys.executable, "-P", "-m", "seedframe", "db", "init"]
    env = {**clean_variables(folder.path), **folder.env}
    both = [subprocess.Popen(command, cwd=folder.path, env=env, stdout=-1, stderr=-1, text=True) for _ in range(2)]
    outputs = [one.communicate() for one in both]
    assert [one.returncode for one in both] == [0, 0], outputs
    assert sorted("1 table made" in output for output, _ in outputs) == [False, True]


def test_a_migration_that_fails_is_one_line_and_its_last_output(project: ProjectFactory, sql: Sql) -> None:
    failing = "import sys\nprint('looked at 3 things')\nsys.exit('the third is broken')\n"
    done = project({**FILES, "migrate.py": failing}, config=CONFIG).run("db", "init")
    assert done.returncode == 3
    assert "✗ migrate   python migrate.py" in done.stdout
    assert "    looked at 3 things\n    the third is broken\n" in done.stdout
    assert done.stderr == (
        "error: the migration command 'python migrate.py' failed with exit code 1: the third is broken\n"
        " hint: the database is as the migrations left it; put it right and run seedframe db init again\n"
    )
    assert sql("select to_regclass('seedframe.run')") == [(None,)]


SYNTAX = 'syntax error at or near "tabel"'
TRACEBACK = 'Traceback (most recent call last):\n  File "m.py", line 1\n    x()\n'
BACKGROUND = "[SQL: create tabel x]\n(Background on this error at: https://sqlalche.me/e/20/f405)\n"
STATEMENT = "LINE 1: create tabel x\n               ^\n"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (
            f"psql:schema.sql:3: ERROR:  {SYNTAX}\n{STATEMENT}",
            f"psql:schema.sql:3: ERROR: {SYNTAX} (LINE 1: create tabel x)",
        ),
        (
            f"{TRACEBACK}psycopg.errors.SyntaxError: {SYNTAX}\n{STATEMENT}",
            f"psycopg.errors.SyntaxError: {SYNTAX} (LINE 1: create tabel x)",
        ),
        (
            f"sqlalchemy.exc.ProgrammingError: (psycopg.errors.SyntaxError) {SYNTAX}\n{STATEMENT}{BACKGROUND}",
            f"sqlalchemy.exc.ProgrammingError: (psycopg.errors.SyntaxError) {SYNTAX} (LINE 1: create tabel x)",
        ),
        (
            'ERROR:  relation "x" already exists\nDETAIL:  Key (a)=(1).\nHINT:  drop it\n',
            'ERROR: relation "x" already exists',
        ),
        ("ERROR: told before\nthe third is broken\n", "the third is broken"),
        ("something\n   ^\n", "something"),
        ("   ^\n", "^"),
    ],
)
def test_the_telling_line_of_a_migration_is_told(tmp_path: Path, output: str, told: str) -> None:
    command = [sys.executable, "-c", "import sys; sys.exit(sys.argv[1])", output]
    with pytest.raises(MigrationFailed) as caught:
        run_migrations(command, root=tmp_path, url=Secret("postgresql://localhost/x"), variables={})
    assert caught.value.message.endswith(f" failed with exit code 1: {told}")


def test_what_a_migration_prints_of_the_password_is_masked(
    project: ProjectFactory, database: str, connect: Callable[..., psycopg.Connection[object]]
) -> None:
    leaking = "import os, sys\nsys.exit(os.environ['DATABASE_URL'])\n"
    url = database.replace("postgres@", f"postgres:{CANARY}@", 1)
    done = project({**FILES, "migrate.py": leaking}, config=CONFIG).run("db", "init", env={"DATABASE_URL": url})
    assert done.returncode == 3
    assert CANARY not in done.stdout + done.stderr
    assert "********" in done.stderr


def test_a_migration_program_that_is_not_there_says_where_to_install_it(project: ProjectFactory) -> None:
    config = CONFIG.replace("python migrate.py", "no-such-tool upgrade")
    done = project(FILES, config=config).run("db", "init")
    assert done.returncode == 3
    assert "error: the migration command 'no-such-tool upgrade' cannot be run: there is no program" in done.stderr
    assert f"install it where seedframe is installed ({sys.prefix})" in done.stderr


def test_a_migration_program_may_be_a_file_of_the_project(project: ProjectFactory, sql: Sql) -> None:
    folder = project(FILES, config=CONFIG.replace("python migrate.py", "./migrate now"))
    folder.write({"migrate": f"#!{sys.executable}\n{MIGRATE}"})
    (folder.path / "migrate").chmod(0o755)
    done = folder.run("db", "init")
    assert done.returncode == 0, done
    assert "./migrate now: 1 table made" in done.stdout


def test_a_migration_has_no_shell(project: ProjectFactory) -> None:
    folder = project(FILES, config=CONFIG.replace("python migrate.py", "python migrate.py; touch here $(touch there)"))
    folder.run("db", "init")
    assert not (folder.path / "here").exists()
    assert not (folder.path / "there").exists()


def test_a_broken_seed_is_said_before_anything_is_migrated(project: ProjectFactory, sql: Sql) -> None:
    done = project({**FILES, "seeds/20_broken.py": "1 / 0\n"}, config=CONFIG).run("db", "init")
    assert done.returncode == 3
    assert "seeds/20_broken.py" in done.stderr
    assert sql("select to_regclass('plan')") == [(None,)]


def test_a_critical_seed_that_fails_ends_it_with_1(project: ProjectFactory, sql: Sql) -> None:
    failing = PLANS + "\ndef verify(db):\n    yield 'never good enough'\n"
    done = project({**FILES, "seeds/10_plans.py": failing}, config=CONFIG).run("db", "init")
    assert done.returncode == 1, done
    assert "never good enough" in done.stdout
    assert "verified" not in done.stdout
    assert sql("select count(*) from plan") == [(0,)]


def test_what_only_verify_minds_is_its_exit_code(project: ProjectFactory) -> None:
    warning = "from seedframe import Finding\n" + PLANS
    warning += "\ndef verify(db):\n    yield Finding('rather few plans', 'warning')\n"
    done = project({**FILES, "seeds/10_plans.py": warning}, config=CONFIG).run("db", "init")
    assert done.returncode == 1, done
    assert done.stdout.count("rather few plans") == 2


def test_init_without_a_server_is_a_clear_error(project: ProjectFactory) -> None:
    done = project(FILES, config=CONFIG).run("db", "init", env={"DATABASE_URL": "postgresql://u@localhost:1/d"})
    assert done.returncode == 3
    assert "✗ database" in done.stdout
    assert "error: no PostgreSQL server answers at localhost:1" in done.stderr


def test_the_example_needs_no_activated_environment(folder: Folder) -> None:
    source = Path(__file__).parents[1]
    shutil.rmtree(folder.path / "seeds")
    for name in ("seeds", "migrations"):
        shutil.copytree(source / name, folder.path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("seedframe.toml", "alembic.ini"):
        shutil.copy(source / name, folder.path)
    done = folder.run("db", "init", env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done
    assert "alembic upgrade head: 6 tables made" in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="everything else runs as an ordinary user already")
def test_an_ordinary_user_needs_nothing_more(folder: Folder, ordinary_user: OrdinaryUser) -> None:
    ordinary_user.owns(folder.path)
    for path in folder.path.rglob("*"):
        ordinary_user.owns(path)
    done = ordinary_user.python_run("-m", "seedframe", "db", "init", cwd=folder.path, env=folder.env)
    assert done.returncode == 0, done
    assert "✓ verified  1 seed in sync, 2 rows" in done.stdout


# start, stop, url


def test_start_keeps_it_until_stop(folder: Folder) -> None:
    started = folder.run("db", "start")
    assert started.returncode == 0, started
    url = started.stdout.strip()
    try:
        with psycopg.connect(url) as connection:
            assert connection.execute("select current_database()").fetchone() == ("shop",)
        assert folder.run("db", "init").returncode == 0
        assert folder.run("db", "url") == Result(0, f"{url}\n", "")
        assert "was to stay already" in folder.run("db", "start").stderr
        with psycopg.connect(url) as connection:
            assert connection.execute("select count(*) from plan").fetchone() == (2,)
    finally:
        stopped = folder.run("db", "stop")
    assert stopped == Result(0, "", "The embedded PostgreSQL of shop has stopped.\n")
    assert folder.run("db", "stop") == Result(0, "", "The embedded PostgreSQL of shop was not running.\n")


def test_stop_makes_nothing(folder: Folder) -> None:
    assert folder.run("db", "stop").returncode == 0
    assert not (folder.path / ".seedframe").exists()


def test_url_starts_nothing_and_is_what_it_will_be(folder: Folder) -> None:
    shown = folder.run("db", "url")
    assert shown.returncode == 0
    assert shown.stdout.startswith("postgresql://postgres@/shop?host=/")
    assert "does not run" in shown.stderr
    assert not (folder.path / ".seedframe" / "postgres" / "data").exists()
    assert folder.run("db", "start").stdout == shown.stdout
    assert folder.run("db", "stop").returncode == 0


@pytest.mark.parametrize("command", ["start", "stop"])
def test_only_the_embedded_database_can_be_started_and_stopped(folder: Folder, command: str) -> None:
    done = folder.run("db", command, env={"DATABASE_URL": f"postgresql://u:{CANARY}@localhost/d"})
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith(
        "error: the database of shop is not the embedded one: DATABASE_URL says where it is\n"
    )


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        (f"postgresql://u:{CANARY}@db.example.com:5433/d", "postgresql://u:********@db.example.com:5433/d"),
        (f"postgresql+psycopg://u:{CANARY}@h/d", "postgresql://u:********@h/d"),
        (f"host=h dbname=d password={CANARY}", "postgresql://h/d?password=********"),
        ("postgresql://u@h/d", "postgresql://u@h/d"),
    ],
)
def test_url_shows_no_password_unless_asked(folder: Folder, url: str, masked: str) -> None:
    assert folder.run("db", "url", env={"DATABASE_URL": url}) == Result(0, f"{masked}\n", "")
    assert masked_url(parse_address(url)) == masked
    shown = folder.run("db", "url", "--show-password", env={"DATABASE_URL": url})
    assert shown.stdout == masked.replace("********", CANARY) + "\n"


# shell


def test_shell_starts_what_it_needs_and_passes_arguments_on(folder: Folder) -> None:
    done = folder.run("db", "shell", "--", "-XAt", "-c", "select current_database(), 6 * 7")
    assert done == Result(0, "shop|42\n", "")


def test_shell_reads_a_script_and_has_psqls_exit_code(folder: Folder) -> None:
    done = folder.run("db", "shell", "--", "-X", "-v", "ON_ERROR_STOP=1", stdin="select 1/0;\n")
    assert done.returncode == 3
    assert "division by zero" in done.stderr


def test_shell_on_a_database_of_ones_own(project: ProjectFactory, database: str, sql: Sql) -> None:
    [(name,)] = sql("select current_database()")
    done = project().run("db", "shell", "--", "-XAt", "-c", "select current_database()")
    assert done == Result(0, f"{name}\n", "")


def test_shell_leaves_an_interrupt_to_psql_and_passes_an_end_on(folder: Folder) -> None:
    assert folder.run("db", "url").returncode == 0
    command = [sys.executable, "-P", "-m", "seedframe", "db", "shell", "--", "-XAt"]
    env = {**clean_variables(folder.path), **folder.env}
    with subprocess.Popen(
        command, cwd=folder.path, env=env, stdin=-1, stdout=-1, stderr=-1, text=True, start_new_session=True
    ) as shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write("select 'ready';\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "ready\n"
        shell.send_signal(signal.SIGINT)
        shell.stdin.write("select 'still there';\n")
        shell.stdin.flush()
        assert shell.stdout.readline() == "still there\n"
        shell.send_signal(signal.SIGTERM)
        shell.wait()
        assert shell.returncode == 128 + signal.SIGTERM


def test_psql_is_given_no_password_that_others_could_see() -> None:
    address = parse_address(f"postgresql://u:{CANARY}@h/d?sslmode=require")
    command, environ = psql_command(address, ["-c", "select 1"], {"PATH": os.environ["PATH"]}, bindir=find_bindir())
    assert command[1:] == ["--dbname=user=u dbname=d host=h sslmode=require", "-c", "select 1"]
    assert environ["PGPASSWORD"] == CANARY


# The rest


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Outline(frozenset(), "a"), Outline(frozenset(), "a"), "schema unchanged"),
        (Outline(frozenset({"t"}), "a"), Outline(frozenset({"t"}), "b"), "schema changed"),
        (Outline(frozenset(), "a"), Outline(frozenset({"t"}), "b"), "1 table made"),
        (Outline(frozenset({"t"}), "a"), Outline(frozenset({"u", "v"}), "b"), "2 tables made, 1 table dropped"),
    ],
)
def test_a_change_of_schema_in_a_few_words(before: Outline, after: Outline, expected: str) -> None:
    assert difference(before, after) == expected


@pytest.mark.parametrize(
    "statement",
    [
        "alter table t add note text",
        "alter table t alter n set default 3",
        "create index on t (n)",
        "alter table t add check (n > 0)",
        "create view v as select n from t",
        "create function f() returns int language sql as 'select 1'",
        "alter type mood add value 'glad'",
        "create trigger g before update on t for each row execute function suppress_redundant_updates_trigger()",
        "create extension if not exists pgcrypto",
    ],
)
def test_every_kind_of_change_of_a_schema_is_noticed(
    statement: str, sql: Sql, connect: Callable[..., psycopg.Connection[object]]
) -> None:
    from seedframe.database.migrating import read_outline

    sql("create type mood as enum ('sad')")
    sql("create table t (n int)")
    connection = connect()
    before = read_outline(connection)
    sql("insert into t values (1)")
    assert read_outline(connection) == before
    sql(statement)
    assert difference(before, read_outline(connection)) == "schema changed"


def test_help_loads_no_driver() -> None:
    script = (
        "import sys; from seedframe.cli.main import main; main(['db', '--help'])\n"
        "print({'psycopg', 'sqlalchemy'} & sys.modules.keys())"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
