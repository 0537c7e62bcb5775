"""Servers that a test may treat badly: crashed, restarted, out of disk, copied to a standby; each in a keeper process.

The keeper (this file, run as a script) starts PostgreSQL, does what it is told line by line, and ends the server when
whoever asked is gone. A small disk is a tmpfs that only the keeper and its server see, in a mount namespace of theirs;
so it goes with them, however they end.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from tests.servers import (
    SETTINGS,
    NoServer,
    Server,
    environment,
    exact_version,
    find_bindir,
    initialise,
    launch,
    reachable,
    unprivileged,
)

_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class Machine:
    """A server of a test's own."""

    def __init__(self, keeper: "subprocess.Popen[str]", bindir: Path) -> None:
        self._keeper = keeper
        self._bindir = bindir
        self._asking = threading.Lock()
        self.restarts = 0
        self.server = self._started(self._answer())

    def url(self, dbname: str = "postgres", user: str = "postgres") -> str:
        """The address of one of its databases, through its unix socket."""
        return self.server.url(dbname, user)

    def crash(self) -> None:
        """End it as `pg_ctl stop -m immediate` does: no checkpoint, no good-bye."""
        self._ask("crash")

    def start(self) -> None:
        """Start it again; it recovers from its log first. Errors: NoServer, when it cannot."""
        self.server = self._started(self._ask("start"))

    def restart(self) -> None:
        """What `pg_ctl restart -m immediate` does."""
        self.crash()
        self.start()
        self.restarts += 1

    def fill_disk(self, leave_kb: int) -> None:
        """Put so much onto the small disk that this is left."""
        self._ask("fill", leave_kb)

    def make_room(self) -> None:
        """Take that away again."""
        self._ask("clear")

    def free_kb(self) -> int:
        """What is left on the small disk."""
        return int(self._ask("free")["kb"])

    def network(self, state: Literal["up", "down"]) -> None:
        """Take the network away, without a word to either side, or bring it back."""
        self._ask("link", state)

    def beside(self) -> list[str]:
        """The beginning of a command that is to run in the same network."""
        alone = ["-U", "--preserve-credentials"] if os.geteuid() != 0 else []
        return ["nsenter", "-t", str(self._keeper.pid), *alone, "-n", "--"]

    def _ask(self, *command: str | int) -> dict[str, Any]:
        assert self._keeper.stdin is not None
        with self._asking:
            self._keeper.stdin.write(json.dumps(command) + "\n")
            self._keeper.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._keeper.stdout is not None
        answer: dict[str, Any] = json.loads(
            self._keeper.stdout.readline() or '{"error": "the keeper of a server died"}'
        )
        if "error" in answer:
            raise NoServer(answer["error"])
        return answer

    def _started(self, answer: Mapping[str, Any]) -> Server:
        return Server(
            bindir=self._bindir,
            version_num=answer["version_num"],
            socket_dir=Path(answer["socket_dir"]),
            log=Path(answer["log"]),
            pid=answer["pid"],
        )


def no_small_disk() -> str | None:
    """Why this machine cannot give a test a small disk; None when it can."""
    return _refusal("mount", "-t", "tmpfs", "none", "/mnt")


def no_network_apart() -> str | None:
    """Why this machine cannot give a test a network of its own; None when it can."""
    return _refusal("ip", "link", "set", "lo", "up") or _refusal("nsenter", "--version")


def _refusal(*command: str) -> str | None:
    missing = [program for program in ("unshare", command[0]) if shutil.which(program, path=_PATH) is None]
    if missing:
        return f"no {' and no '.join(missing)} here"
    tried = subprocess.run([*_apart(), *command], env={"PATH": _PATH}, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"`{' '.join(command)}` is not allowed here: {tried.stderr.strip()}"


def _apart() -> list[str]:
    """The beginning of a command with mounts and a network of its own; who is not root becomes it, in a namespace."""
    return ["unshare", "-mn"] if os.geteuid() == 0 else ["unshare", "-rmn"]


@contextlib.contextmanager
def machine(
    *,
    disk_mb: int = 0,
    disk_of: Literal["tables", "log"] = "tables",
    tcp: bool = False,
    standby_of: Machine | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Machine]:
    """A fresh server; it and its files are gone afterwards.

    Args:
        disk_mb: the size of a file system for a part of it; 0 for no such limit.
        disk_of: what is on that: its data, or its write-ahead log. The other has room.
        tcp: it also listens on 127.0.0.1, port 5432, of a network of its own; see `Machine.beside`.
        standby_of: make it a hot standby of that one.
        settings: on top of those of the other test servers.

    Errors: NoServer.
    """
    apart = disk_mb > 0 or tcp
    wanted = {
        "bindir": str(find_bindir()),
        "disk_mb": disk_mb,
        "primary": str(standby_of.server.socket_dir) if standby_of is not None else "",
        "settings": {**SETTINGS, **({"listen_addresses": "127.0.0.1"} if tcp else {}), **(settings or {})},
        "namespace": apart and os.geteuid() != 0,
        "tcp": tcp,
        "disk_of": disk_of,
    }
    keeper = subprocess.Popen(
        [*(_apart() if apart else []), sys.executable, "-m", "tests.machines"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[1],
        start_new_session=True,  # the terminal's Ctrl-C is for the tests; the server ends after them
    )
    with keeper:
        assert keeper.stdin is not None
        keeper.stdin.write(json.dumps(wanted) + "\n")
        keeper.stdin.flush()
        yield Machine(keeper, find_bindir())


class _Keeper:
    """The other end."""

    def __init__(self, home: Path, wanted: Mapping[str, Any]) -> None:
        self._home = home
        self._log = home / "server.log"
        self._settings: dict[str, str] = wanted["settings"]
        self._who = unprivileged()
        self._before: list[str] = []
        if self._who and not wanted["namespace"]:
            os.chown(home, self._who["user"], self._who["group"])
        if wanted["namespace"]:
            # Root of this namespace is what mounts; PostgreSQL refuses to be root, so it becomes somebody once more.
            self._who, self._before = {}, ["unshare", "-U", "--map-user=1000", "--map-group=1000"]
        self._bindir = reachable(Path(wanted["bindir"]), home) if self._who else Path(wanted["bindir"])
        self._disk = home / "disk"
        roomy = home / "roomy"
        self._data = (roomy if wanted["disk_of"] == "log" else self._disk) / "data"
        self._ballast = self._disk / "ballast"
        self._disk.mkdir()
        roomy.mkdir()
        self._mounted = wanted["disk_mb"] > 0
        if self._mounted:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={wanted['disk_mb']}m", "none", self._disk], check=True)
        for folder in (self._disk, roomy) if self._who else ():
            os.chown(folder, self._who["user"], self._who["group"])
        if wanted["tcp"]:
            self._link("up")
        if wanted["primary"]:
            self._copy(wanted["primary"])
        else:
            waldir = (self._disk if wanted["disk_of"] == "log" else roomy) / "wal"
            initialise(self._bindir, self._data, self._who, self._before, waldir=waldir)
        self.process = self._launch()

    def _copy(self, primary: str) -> None:
        done = subprocess.run(
            [
                *self._before, self._bindir / "pg_basebackup", "-h", primary, "-U", "postgres", "-D", self._data, "-R",
                "-X", "stream", "-c", "fast", "--no-sync", "--no-manifest",
            ],
            capture_output=True, text=True, cwd="/", env=environment(), check=False, **self._who,
        )  # fmt: skip
        if done.returncode:
            raise NoServer(f"pg_basebackup failed: {done.stderr.strip()}")

    def _launch(self) -> "subprocess.Popen[bytes]":
        return launch(self._bindir, self._data, self._home, self._log, self._settings, self._who, self._before)

    def _link(self, state: str) -> None:
        subprocess.run(["ip", "link", "set", "lo", state], env={"PATH": _PATH}, check=True)

    def started(self) -> dict[str, Any]:
        return {
            "version_num": exact_version(self._bindir),
            "socket_dir": str(self._home),
            "log": str(self._log),
            "pid": self.process.pid,
        }

    def obey(self, command: str, *arguments: Any) -> dict[str, Any]:
        match command:
            case "crash":
                self.end()
            case "start":
                self.end()
                self.process = self._launch()
                return self.started()
            case "fill":
                left = self._free() - arguments[0] * 1024
                with self._ballast.open("ab") as file:
                    os.posix_fallocate(file.fileno(), file.tell(), max(1, left))
            case "clear":
                self._ballast.unlink()
            case "link":
                self._link(arguments[0])
            case "free":
                return {"kb": self._free() // 1024}
        return {}

    def _free(self) -> int:
        found = os.statvfs(self._disk)
        return found.f_bavail * found.f_frsize

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
        self.process.wait()

    def unmount(self) -> None:
        if self._mounted:
            subprocess.run(["umount", "-l", self._disk], check=False)


def _keep() -> None:
    home = Path(tempfile.mkdtemp(prefix="sf-machine-", dir="/tmp"))  # sockets need a short path
    try:
        keeper = None
        try:
            keeper = _Keeper(home, json.loads(sys.stdin.readline()))
            _tell(keeper.started())
            for line in sys.stdin:
                try:
                    _tell(keeper.obey(*json.loads(line)))
                except (NoServer, OSError) as error:
                    _tell({"error": str(error)})
        except NoServer as error:
            _tell({"error": str(error)})
        finally:
            if keeper is not None:
                keeper.end()
                keeper.unmount()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _tell(answer: Mapping[str, Any]) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


if __name__ == "__main__":
    _keep()
