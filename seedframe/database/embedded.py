"""The embedded PostgreSQL of a project: started by whoever needs it first, stopped by whoever leaves last.

Three locks in `.seedframe/embedded/`, all released by the kernel when a process dies:
`lock` is held for the moments in which a server is looked for, started or stopped; `users` is shared by all who use the
server; `alive` is inherited by the server itself. The note `pinned` names the start of the server that is to stay.
"""

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from seedframe.database import cluster
from seedframe.database.binaries import Installation, find_installation
from seedframe.database.filelock import FileLock
from seedframe.database.placement import (
    SOCKET_NAME,
    Home,
    control_folder,
    find_home,
    is_known,
    read_note,
    unusable,
    write_note,
)
from seedframe.errors import ConnectionFailed

PORT: Final = "5432"
_LOCK_S: Final = cluster.START_S + cluster.STOP_S
_DYING_S: Final = 10.0
_RESERVED: Final = frozenset({"postgres", "template0", "template1"})


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """How to reach the embedded database of a project. There is no password: the socket's folder is private."""

    sockets: Path
    dbname: str
    log: Path

    @property
    def conninfo(self) -> dict[str, str]:
        """libpq's keywords: host (the socket's folder), port, dbname, user."""
        return {"host": str(self.sockets), "port": PORT, "dbname": self.dbname, "user": cluster.SUPERUSER}

    @property
    def url(self) -> str:
        """The same as a URL that psql and SQLAlchemy both read."""
        host = quote(str(self.sockets), safe="/")
        return f"postgresql://{cluster.SUPERUSER}@/{quote(self.dbname, safe='')}?host={host}&port={PORT}"


class Stopped(Enum):
    """What came of stopping the server."""

    STOPPED = "stopped"
    NOT_RUNNING = "not running"
    IN_USE = "in use"


@contextmanager
def lease(root: Path, project: str, environ: Mapping[str, str] | None = None) -> Iterator[EmbeddedServer]:
    """Use the project's embedded PostgreSQL: start it or join it; on leaving, stop it if nobody else uses it.

    Args:
        root: the project's folder.
        project: its name; the database is called after it, and made when it is missing.
        environ: the environment variables; default: those of this process.

    Raises:
        ConnectionFailed: there are no programs to run, or it does not start.
    """
    environ = os.environ if environ is None else environ
    with contextlib.ExitStack() as files:
        locks = files.enter_context(_Locks(root))
        with locks.alone():
            home = find_home(root, environ)
            server = EmbeddedServer(home.sockets, database_name(project), home.log)
            try:
                process = _ensure_usable(server, home, locks, environ)
            except BaseException:
                with contextlib.suppress(OSError):
                    if locks.alive.free():
                        _tidy(home)
                raise
            if not locks.users.try_shared():
                raise ConnectionFailed(f"something else than seedframe has locked {locks.folder / 'users'}")
        try:
            yield server
        except BaseException:
            # The first error is the one to hear of.
            with contextlib.suppress(ConnectionFailed, OSError), locks.alone():
                _leave(home, locks, process)
            raise
        with locks.alone():
            _leave(home, locks, process)


def start(root: Path, project: str, environ: Mapping[str, str] | None = None) -> tuple[EmbeddedServer, bool]:
    """Start the server, or join it, and have it stay until `stop`; False when it was to stay already.

    Raises:
        ConnectionFailed: as `lease`.
    """
    environ = os.environ if environ is None else environ
    with lease(root, project, environ) as server, _Locks(root) as locks, locks.alone():
        home = find_home(root, environ)
        fresh = not _is_pinned(home)
        if fresh:
            write_note(_pin(home), cluster.identity(home) or "")
        return server, fresh


def stop(root: Path, *, now: bool = False, environ: Mapping[str, str] | None = None) -> Stopped:
    """Stop the server; while other commands use it, have the last of them do so.

    Args:
        root: the project's folder.
        now: stop it although others use it; their transactions are rolled back.
        environ: the environment variables; default: those of this process.

    Raises:
        ConnectionFailed: it does not stop, or belongs to someone else.
    """
    environ = os.environ if environ is None else environ
    if not is_known(root):
        return Stopped.NOT_RUNNING
    with _Locks(root) as locks, locks.alone():
        home = find_home(root, environ)
        _pin(home).unlink(missing_ok=True)
        if locks.alive.free():
            _tidy(home)
            return Stopped.NOT_RUNNING
        if not now and not locks.users.free():
            return Stopped.IN_USE
        _stop(home, locks)
        return Stopped.STOPPED


def describe(root: Path, project: str, environ: Mapping[str, str] | None = None) -> tuple[EmbeddedServer, bool]:
    """How the embedded database is, or will be, reached; and whether its server runs now. Starts nothing.

    Raises:
        ConnectionFailed: it belongs to someone else, or no folder can hold it.
    """
    environ = os.environ if environ is None else environ
    with _Locks(root) as locks, locks.alone():
        home = find_home(root, environ)
        running = not locks.alive.free()
        if not running:
            _tidy(home)
        return EmbeddedServer(home.sockets, database_name(project), home.log), running


def database_name(project: str) -> str:
    """A project's name as a database name that needs quoting nowhere: `Tele-Health 2` is `tele_health_2`."""
    name = re.sub(r"[^a-z0-9]+", "_", project.lower()).strip("_")[:63].rstrip("_") or "seedframe"
    if name[0].isdigit():
        name = f"db_{name}"[:63]
    return f"{name}_db" if name in _RESERVED else name


class _Locks:
    """The three lock files of a project, open."""

    def __init__(self, root: Path) -> None:
        self.folder = control_folder(root)
        with contextlib.ExitStack() as opened:
            try:
                self._lock, self.users, self.alive = (
                    opened.enter_context(FileLock(self.folder / name)) for name in ("lock", "users", "alive")
                )
                if os.geteuid() == 0:
                    # The folder may be a person's, who must be able to use the locks without us.
                    owner = self.folder.stat()
                    for lock in (self._lock, self.users, self.alive):
                        os.fchown(lock.descriptor, owner.st_uid, owner.st_gid)
            except OSError as error:
                raise unusable(self.folder, error) from error
            self._opened = opened.pop_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold `lock`: nobody else looks for, starts or stops the server meanwhile."""
        if not self._lock.exclusive(_LOCK_S):
            raise ConnectionFailed(
                f"another seedframe command has been starting or stopping the embedded PostgreSQL for {_LOCK_S:.0f} s",
                hint=f"look for who holds {self.folder / 'lock'}, e.g. with lsof",
            )
        try:
            yield
        finally:
            self._lock.release()

    def __enter__(self) -> "_Locks":
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()


def _ensure_usable(
    server: EmbeddedServer, home: Home, locks: _Locks, environ: Mapping[str, str]
) -> cluster.Process | None:
    """Join the server or start it, and have the database; the process when it is our child."""
    deadline = time.monotonic() + _DYING_S
    while True:
        process = _ensure_running(home, locks, environ)
        try:
            _ensure_database(server)
        except BaseException as error:
            # One that was killed a moment ago looks alive until its last process has noticed.
            if isinstance(error, ConnectionFailed) and process is None and time.monotonic() < deadline:
                time.sleep(cluster.POLL_S)
                continue
            with contextlib.suppress(ConnectionFailed, OSError):
                _leave(home, locks, process)
            raise
        else:
            return process


def _ensure_running(home: Home, locks: _Locks, environ: Mapping[str, str]) -> cluster.Process | None:
    """Join the server or start it; the process when it is our child."""
    deadline = time.monotonic() + cluster.START_S
    while not locks.alive.try_exclusive():
        if cluster.running_pid(home) is not None and cluster.is_ready(home):
            if cluster.is_reachable(home):
                return None
            if locks.users.free():
                cluster.stop(home, locks.alive)
                break
        # Another's server that starts or ends, or what is left of one that was killed.
        if time.monotonic() > deadline:
            raise ConnectionFailed(
                "processes of this project's embedded PostgreSQL exist, and it cannot be reached",
                hint=f"end them; does it run in another container? Its log is {home.log}",
            )
        time.sleep(cluster.POLL_S)
    try:
        _pin(home).unlink(missing_ok=True)  # it named a server that is gone
        return cluster.start(home, locks.alive, _installation(home, environ), environ)
    except OSError as error:
        raise unusable(Path(error.filename or home.area), error) from error
    finally:
        locks.alive.hand_over()


def _installation(home: Home, environ: Mapping[str, str]) -> Installation:
    made_by = read_note(home.data / "PG_VERSION")
    return find_installation(environ, major=int(made_by) if made_by else None)


def _leave(home: Home, locks: _Locks, process: cluster.Process | None) -> None:
    """Stop using the server, with `lock` held; stop it if nobody else uses it and it is not to stay."""
    locks.users.release()
    if locks.users.free() and not _is_pinned(home):
        _stop(home, locks)
    if process is not None and process.poll() is None:
        # Others use it: it is theirs to stop, and no longer ours to wait for.
        process.returncode = 0


def _stop(home: Home, locks: _Locks) -> None:
    cluster.stop(home, locks.alive)
    locks.alive.release()
    _tidy(home)


def _tidy(home: Home) -> None:
    # No server runs, so what one that was killed left is of no use: no folder of ours stays in /tmp.
    with contextlib.suppress(OSError):
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (home.sockets / name).unlink(missing_ok=True)
        home.sockets.rmdir()


def _pin(home: Home) -> Path:
    return home.control / "pinned"


def _is_pinned(home: Home) -> bool:
    noted = read_note(_pin(home))
    return noted is not None and noted == cluster.identity(home)


def _ensure_database(server: EmbeddedServer) -> None:
    import psycopg  # here, so that those who only ask for the address do not wait for a driver
    from psycopg import sql

    maintenance = replace(server, dbname="postgres").url
    try:
        with psycopg.connect(maintenance, autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [server.dbname]).fetchone()
            if known is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(server.dbname)))
    except psycopg.Error as error:
        raise ConnectionFailed(
            f"the embedded PostgreSQL runs, and the database {server.dbname} cannot be made: {error}",
            hint=f"see its log, {server.log}",
        ) from error
