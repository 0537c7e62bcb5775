"""A network that says nothing: a server that does not answer, and one that is gone without a word."""

import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from seedframe.database.address import parse_address
from tests.conftest import Folder, ProjectFactory, Sql, clean_variables
from tests.machines import Machine, machine, no_network_apart
from tests.proxy import Break, Proxy, proxied_tcp
from tests.running import verify
from tests.servers import Server

SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a"}])
"""


@pytest.fixture
def tcp(server: Server) -> Iterator[tuple[Proxy, int]]:
    with proxied_tcp(server.socket_dir) as relay:
        yield relay


@pytest.fixture
def folder(
    project: ProjectFactory, sql: Sql, tcp: tuple[Proxy, int], database: str, monkeypatch: pytest.MonkeyPatch
) -> Folder:
    """A project whose database is reached over TCP."""
    sql("create table items (sku text primary key)")
    url = f"postgresql://postgres@127.0.0.1:{tcp[1]}/{database.split('/')[3].split('?')[0]}"
    monkeypatch.setenv("DATABASE_URL", url)
    made = project({"seeds/10_a.py": SEED}, config='[project]\nname = "shop"\n[database]\nconnect_timeout = "2s"\n')
    made.env["DATABASE_URL"] = url
    return made


@pytest.mark.promise("a server that takes the connection and says nothing", "connect_timeout ends the wait; exit 3")
@pytest.mark.parametrize("answers", [0, 2])
def test_a_server_that_does_not_answer(answers: int, folder: Folder, tcp: tuple[Proxy, int]) -> None:
    tcp[0].break_at(Break("to client", answers, "after", "stall") if answers else Break("to server", 1, how="stall"))
    result = folder.run("verify")
    assert result.returncode == 3, result
    assert re.fullmatch(r"error: 127\.0\.0\.1:\d+ did not answer in time\n hint: .*\n", result.stderr), result


@pytest.mark.promise("a server that is older than those seedframe is made for", "one line with its version; exit 3")
def test_a_server_that_is_too_old(folder: Folder, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verify(folder).error is None
    monkeypatch.setattr("seedframe.database.supported.OLDEST_MAJOR", 99)
    report = verify(folder)
    assert (report.exit_code, report.error is not None) == (3, True)
    told = rf"on 127\.0\.0\.1:\d+ as postgres is PostgreSQL {server.major}\.\d+, and seedframe needs 99 or later"
    assert re.search(told, str(report.error)), report.error


@pytest.mark.promise(
    "the server, or the client, is gone without a word",
    "TCP's keepalives are set on both sides, so that it is noticed after a minute rather than hours",
)
def test_keepalives_of_the_client(tcp: tuple[Proxy, int], server: Server) -> None:
    def options(more: str = "") -> list[int]:
        address = parse_address(f"postgresql://postgres@127.0.0.1:{tcp[1]}/postgres{more}")
        with psycopg.connect(**address.connect_args()) as connection, socket.socket(fileno=connection.fileno()) as end:
            names = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            found = [end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)]
            found += [end.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names]
            end.detach()
        return found

    assert options() == [1, 30, 10, 3, 60_000]
    chosen = "?keepalives_idle=7&keepalives_interval=2&keepalives_count=5&tcp_user_timeout=9000"
    assert options(chosen) == [1, 7, 2, 5, 9_000]
    assert options("?keepalives=0")[0] == 0


# A network of its own, which can be taken away


@pytest.fixture(scope="module")
def apart() -> Iterator[Machine]:
    refused = no_network_apart()
    if refused is not None:
        pytest.skip(refused)
    with machine(tcp=True) as started:
        yield started


_WAITS = """
import time
from pathlib import Path

def verify(db):
    Path("reached").touch()
    while not Path("go").exists():
        time.sleep(0.01)
    settings = ("tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout")
    yield Finding(" ".join(db.scalar(f"select current_setting('{name}')") for name in settings), "info")
"""


@pytest.mark.promise("the network is gone without a word, and comes back", "a read notices, and starts again")
def test_a_network_that_is_gone_without_a_word(apart: Machine, project: ProjectFactory, tmp_path: Path) -> None:
    folder = project({"seeds/10_a.py": "from seedframe import Finding\n" + _WAITS})
    url = "postgresql://postgres@127.0.0.1/postgres?tcp_user_timeout=1000&keepalives_idle=1&keepalives_interval=1"
    verify = subprocess.Popen(
        [*apart.beside(), sys.executable, "-P", "-m", "seedframe", "verify"],
        cwd=folder.path,
        env={**clean_variables(tmp_path), "DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert verify.stderr is not None
    with verify:
        while not (folder.path / "reached").exists():
            assert verify.poll() is None, verify.communicate()
            time.sleep(0.01)
        apart.network("down")
        (folder.path / "go").touch()
        noticed = verify.stderr.readline()
        apart.network("up")
        stdout, stderr = verify.communicate(timeout=120)
    assert re.match("waiting: the connection to the server was lost: .*; reading it all again", noticed), stderr
    assert (verify.returncode, stderr) == (0, ""), stdout
    assert "info: 30 10 3 60000" in stdout  # what the server was told to do about us
