"""Makes, starts and stops the server of one data directory, whatever state a crash left it in.

Whether a server runs is known from a lock that it inherits and that the kernel releases with its last process, not from
its pid file: pids are used again after a crash or in the next container, and one that nobody reaps seems alive.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from seedframe.database.binaries import Installation, copy_installation
from seedframe.database.filelock import FileLock
from seedframe.database.placement import SOCKET_NAME, Home, as_account, data_home, may
from seedframe.errors import ConnectionFailed

SUPERUSER: Final = "postgres"
START_S: Final = 120.0  # crash recovery replays the log first
STOP_S: Final = 60.0
POLL_S: Final = 0.005

_LOG_LIMIT: Final = 10_000_000  # bytes; a longer log is set aside at the next start

# The server's environment has nothing of ours: it would be readable from SQL.
_PASSED_ON: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZDIR")

_OPTIONS: Final = {
    "listen_addresses": "",
    "port": "5432",  # names the socket; nothing listens on a network
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_destination": "stderr",
    # Rows and statements may hold secrets: messages stay, what quotes data goes.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}

Process: TypeAlias = subprocess.Popen[bytes]


def start(home: Home, alive: FileLock, installation: Installation, environ: Mapping[str, str]) -> Process:
    """Start the server, after initdb where there is no data directory; return when it takes connections.

    Args:
        home: where it lives.
        alive: held alone by the caller; the server inherits it.
        installation: programs of the data directory's major version.
        environ: the environment variables.

    Raises:
        ConnectionFailed: initdb or the server failed; names the log and its last meaningful line.
        OSError: a program or folder cannot be used.
    """
    installation = _reachable(installation, home, environ)
    _set_long_log_aside(home.log)
    if not home.data.exists():
        _initialise(home, alive, installation)
    _remove_stale_pid_files(home)
    said = home.log.stat().st_size if home.log.exists() else 0
    options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
    process = _spawn(
        [installation.bindir / "postgres", "-D", home.data, "-k", home.sockets, *options], home, alive, installation
    )
    try:
        _await_ready(home, process, said)
    except BaseException:
        # SIGQUIT stops it at once, whatever it is doing; nobody can have written anything yet.
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        raise
    return process


def running_pid(home: Home) -> int | None:
    """The pid of the server of this data directory, if that process exists and really is it."""
    pid = _pid_in(home.data / "postmaster.pid")
    return pid if pid is not None and _is_ours(pid, home) else None


def is_ready(home: Home) -> bool:
    """True when the server says that it takes connections."""
    lines = _pid_file(home)
    return len(lines) >= 8 and lines[7].strip() == "ready"


def is_reachable(home: Home) -> bool:
    """True when its socket is where we look for it; tools that tidy /tmp may have removed it."""
    return (home.sockets / SOCKET_NAME).exists()


def identity(home: Home) -> str | None:
    """What tells this start of the server from every other: its pid and starting time; None when it has none."""
    lines = _pid_file(home)
    return f"{lines[0]} {lines[2]}" if len(lines) >= 3 else None


def stop(home: Home, alive: FileLock) -> None:
    """Stop the server and wait until its last process is gone; `alive` is held alone afterwards.

    Its clients are disconnected and their transactions rolled back.

    Raises:
        ConnectionFailed: processes are left that do not end.
    """
    for how, patience_s in ((signal.SIGINT, STOP_S), (signal.SIGQUIT, STOP_S / 4)):
        pid = running_pid(home)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        if alive.exclusive(patience_s):
            return
    raise ConnectionFailed(f"the embedded PostgreSQL does not stop (its log: {home.log})", hint="try again in a minute")


def _reachable(installation: Installation, home: Home, environ: Mapping[str, str]) -> Installation:
    """The same programs where the server's account can run them: copied, if they are in a private folder."""
    if home.account is None or may(home.account, "-x", installation.bindir / "postgres"):
        return installation
    copied = copy_installation(installation, data_home(environ))
    if not may(home.account, "-x", copied.bindir / "postgres"):
        raise ConnectionFailed(
            f"{home.account.name} can run neither {installation.bindir}/postgres nor a copy in {copied.bindir}",
            hint="set SEEDFRAME_DATA_DIR to a folder that this account can reach",
        )
    return copied


def _initialise(home: Home, alive: FileLock, installation: Installation) -> None:
    # Made beside its place and renamed: a data directory is either whole or not there.
    unfinished = home.area / "data.unfinished"
    said = home.log.stat().st_size if home.log.exists() else 0
    for locale in _locales(installation.major):
        shutil.rmtree(unfinished, ignore_errors=True)
        process = _spawn(
            [
                *(installation.bindir / "initdb", "-D", unfinished),
                *("--username", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-instructions"),
                *locale,
            ],
            home,
            alive,
            installation,
        )
        try:
            process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
        if process.returncode == 0:
            unfinished.rename(home.data)
            return
        if "locale" not in _log_since(home.log, said):
            break
    raise ConnectionFailed(_failure("initdb failed", home.log, said), hint=f"the whole log is {home.log}")


def _locales(major: int) -> tuple[tuple[str, ...], ...]:
    """Sorting by code point, letters of all languages: the same everywhere; plain C where the system has no more."""
    if major >= 17:
        return (("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),)
    return (("--locale=C", "--lc-ctype=C.UTF-8"), ("--locale=C",))


def _spawn(command: list[str | Path], home: Home, alive: FileLock, installation: Installation) -> Process:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment |= {"LC_ALL": "C", "TZ": "UTC"}  # initdb takes the server's time zone from TZ
    icu = installation.bindir.parent / "share" / "icu"
    if icu.is_dir():
        environment["ICU_DATA"] = str(icu)  # builds for musl read it from a file
    log = os.open(home.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if home.account is not None:
            os.fchown(log, home.account.uid, home.account.gid)
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=environment,
            pass_fds=(alive.descriptor,),
            # Its own session: Ctrl-C and a closing terminal are for us, who roll back before the server goes.
            start_new_session=True,
            **as_account(home.account),
        )
    except OSError as error:
        who = f" as {home.account.name}" if home.account is not None else ""
        raise ConnectionFailed(
            f"cannot run {command[0]}{who}: {error.strerror or error}",
            hint="run seedframe as another user, or set DATABASE_URL to a database of your own",
        ) from error
    finally:
        os.close(log)


def _await_ready(home: Home, process: Process, said: int) -> None:
    deadline = time.monotonic() + START_S
    while not (is_ready(home) and running_pid(home) == process.pid):
        if process.poll() is not None:
            raise ConnectionFailed(
                _failure("the embedded PostgreSQL did not start", home.log, said),
                hint=f"the whole log is {home.log}",
            )
        if time.monotonic() > deadline:
            raise ConnectionFailed(
                _failure(f"the embedded PostgreSQL was not ready after {START_S:.0f} s", home.log, said),
                hint=f"the whole log is {home.log}",
            )
        time.sleep(POLL_S)


def _remove_stale_pid_files(home: Home) -> None:
    # The caller holds `alive`, so no server runs here; PostgreSQL would still refuse to start if some process (the dead
    # server, not yet reaped, or a stranger) has the pid in one of the files. In all other cases it knows best; so it
    # does of a process that really is our server, as on a file system whose locks cannot be inherited.
    for file in (home.data / "postmaster.pid", home.sockets / f"{SOCKET_NAME}.lock"):
        pid = _pid_in(file)
        if pid is not None and _exists(pid) and not _is_ours(pid, home):
            file.unlink(missing_ok=True)


def _pid_in(file: Path) -> int | None:
    try:
        pid = int(_lines(file)[0])
    except (IndexError, ValueError):
        return None
    return pid if pid > 0 else None


def _pid_file(home: Home) -> list[str]:
    """The lines of postmaster.pid: pid, data directory, starting time, port, socket folder, address, key, status."""
    return _lines(home.data / "postmaster.pid")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _is_ours(pid: int, home: Home) -> bool:
    """True when the process was started with our folders: the socket's stays when the project is moved."""
    ours = {os.fsencode(home.sockets), os.fsencode(home.data)}
    if Path("/proc/self/cmdline").exists():
        try:
            return not ours.isdisjoint(Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"))
        except OSError:
            return False
    done = subprocess.run(["/bin/ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
    return any(folder in done.stdout for folder in ours)


def _set_long_log_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_name(f"{log.name}.old"))


def _log_since(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _failure(what: str, log: Path, offset: int) -> str:
    reason = last_meaningful_line(_log_since(log, offset))
    return f"{what}: {reason}" if reason else what


def last_meaningful_line(text: str) -> str:
    """The last line that says what went wrong, without its time stamp; else the last line; "" when there is none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        for severity in ("PANIC: ", "FATAL: ", "ERROR: ", "error: "):
            _, found, reason = line.partition(severity)
            if found:
                return reason.strip()
    return lines[-1] if lines else ""
