"""A throwaway PgBouncer in transaction mode before the tests' server.

Like the server it is the child of a keeper (this file, run as a script), which ends it when its standard input closes:
with the test session, even when that is killed.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tests.servers import SUPERUSER, Server, unprivileged

_PORT: Final = 6432  # names the socket in a folder of its own; nothing listens on TCP

# Fewer connections to the server than there are clients, so that a client's next transaction is on another one.
_SETTINGS: Final = """\
[databases]
* = host={server} user={user}

[pgbouncer]
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 200
auth_type = any
admin_users = {user}
listen_addr =
listen_port = {port}
unix_socket_dir = {home}
"""


class NoPooler(Exception):
    """The tests cannot have a PgBouncer; the message says why."""


@dataclass(frozen=True, slots=True)
class Pooler:
    """A running PgBouncer; `pid` is its own."""

    home: Path
    pid: int

    def url(self, dbname: str) -> str:
        """A database of the server, through the pooler."""
        return f"postgresql://{SUPERUSER}@/{quote(dbname, safe='')}?host={quote(str(self.home), safe='')}&port={_PORT}"


def program() -> str | None:
    """Where PgBouncer is; Debian puts it where only root's PATH looks."""
    return shutil.which("pgbouncer", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


@contextlib.contextmanager
def pooling(binary: str, server: Server, *, pool_size: int) -> Iterator[Pooler]:
    """A PgBouncer before this server; it and its files are gone afterwards. Errors: NoPooler.

    Args:
        pool_size: how many connections to the server it opens for each database.
    """
    keeper = subprocess.Popen(
        [sys.executable, "-m", "tests.pgbouncer", binary, server.socket_dir, str(pool_size)],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's Ctrl-C is for the tests; the pooler ends after them
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper:
        answer = json.loads(keeper.stdout.readline() or '{"error": "the keeper of PgBouncer died"}')
        if "error" in answer:
            raise NoPooler(answer["error"])
        yield Pooler(Path(answer["home"]), answer["pid"])


def _keep(binary: str, server: str, pool_size: str) -> None:
    """The keeper: start, say where, wait for the end of standard input, stop, clean up."""
    home = Path(tempfile.mkdtemp(prefix="sf-pool-", dir="/tmp"))  # sockets need a short path
    try:
        who = unprivileged()
        if who:
            os.chown(home, who["user"], who["group"])
        settings = home / "pgbouncer.ini"
        settings.write_text(
            _SETTINGS.format(server=server, user=SUPERUSER, pool_size=pool_size, port=_PORT, home=home),
            encoding="utf-8",
        )
        settings.chmod(0o644)
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [binary, "--quiet", settings], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, **who
            )
        try:
            print(json.dumps(_answer(process, home)), flush=True)  # noqa: T201
            sys.stdin.read()
        finally:
            process.kill()
            process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _answer(process: subprocess.Popen[bytes], home: Path) -> dict[str, Any]:
    """Where it is, once it is there; or why it is not."""
    while not (home / f".s.PGSQL.{_PORT}").exists():
        if process.poll() is not None:
            log = (home / "log").read_text(errors="replace").strip()
            return {"error": f"PgBouncer did not start: {log}"}
        time.sleep(0.01)
    return {"home": str(home), "pid": process.pid}


if __name__ == "__main__":
    _keep(*sys.argv[1:])
