"""Where the embedded PostgreSQL of a project lives, and as which account of the machine it runs.

A server refuses to run as root, keeps its files in a folder that its account owns, and listens on a socket whose path
may have some hundred bytes at most. So the folder `.seedframe/` of the project has locks and pointers, always; the data
too, if the account can reach it there; and the socket is in a short folder of its own.

    <project>/.seedframe/embedded/   lock, users, alive: see `embedded`; pinned, location, sockets: notes of one line
    <project>/.seedframe/postgres/   data/ and server.log; or elsewhere, as `location` says
    /tmp/seedframe-XXXXXXXX/         the socket, which only the account (and root) can come near
"""

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seedframe.errors import ConnectionFailed

DATA_VARIABLE: Final = "SEEDFRAME_DATA_DIR"
STATE_NAME: Final = ".seedframe"
SOCKET_NAME: Final = ".s.PGSQL.5432"

_PATH_LIMIT: Final = 103  # bytes of a socket's path: 107 on Linux, 103 on macOS
_SERVICE_ACCOUNTS: Final = ("nobody", "_postgres", "postgres", "daemon")
_DATA_HOMES: Final = {
    "linux": Path("/var/lib/seedframe"),
    "darwin": Path("/Library/Application Support/seedframe"),
}


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the machine that the server runs as, because we are root."""

    name: str
    uid: int
    gid: int

    @classmethod
    def of(cls, entry: pwd.struct_passwd) -> "Account":
        """From the system's list of accounts."""
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


@dataclass(frozen=True, slots=True)
class Home:
    """Where one project's embedded PostgreSQL lives. `account` is None when it runs as ourselves."""

    control: Path
    area: Path
    sockets: Path
    account: Account | None

    @property
    def data(self) -> Path:
        """The data directory; there once initdb has finished."""
        return self.area / "data"

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.area / "server.log"

    @property
    def owner(self) -> int:
        """The uid that the server runs as."""
        return os.geteuid() if self.account is None else self.account.uid


def as_account(account: Account | None) -> dict[str, Any]:
    """What `subprocess` needs to start a program as that account."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def may(account: Account | None, test: str, path: Path) -> bool:
    """Ask the system whether an account may do something: `test` is an option of the program test, e.g. "-x"."""
    program = shutil.which("test", path="/usr/bin:/bin") or "test"
    done = subprocess.run([program, test, path], cwd="/", check=False, **as_account(account))
    return done.returncode == 0


def state_folder(root: Path) -> Path:
    """The project's `.seedframe/`, made where it is missing, with a note that keeps it out of git.

    Raises:
        ConnectionFailed: it cannot be written.
    """
    folder = root / STATE_NAME
    try:
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            _hand_over(folder, _owner_account(root))
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
            _hand_over(ignore, _owner_account(root))
    except OSError as error:
        raise unusable(folder, error) from error
    return folder


def control_folder(root: Path) -> Path:
    """The folder with locks and pointers, made where it is missing. Raises: ConnectionFailed."""
    folder = state_folder(root) / "embedded"
    try:
        folder.mkdir(exist_ok=True)
        _hand_over(folder, _owner_account(root))
    except OSError as error:
        raise unusable(folder, error) from error
    return folder


def is_known(root: Path) -> bool:
    """True when the project has had an embedded PostgreSQL before."""
    return (root / STATE_NAME / "embedded").is_dir()


def unusable(folder: Path, error: OSError) -> ConnectionFailed:
    """The error for a folder of the embedded PostgreSQL that cannot be used; names whose it is."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    whose = f" (it belongs to {account_name(nearest.stat().st_uid)})" if isinstance(error, PermissionError) else ""
    return ConnectionFailed(
        f"the embedded PostgreSQL needs {folder}, which cannot be used: {error.strerror or error}{whose}",
        hint="run as the project's owner, or set DATABASE_URL to a database of your own",
    )


def account_name(uid: int) -> str:
    """The name of an account; its number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def find_home(root: Path, environ: Mapping[str, str]) -> Home:
    """The home of the project's embedded PostgreSQL; chosen and made on first use, the same ever after.

    Call it with the project's lock held. The socket's folder is made anew where it is gone.

    Args:
        root: the project's folder.
        environ: the environment variables; SEEDFRAME_DATA_DIR names the folder for data that the project's own
            folder cannot hold.

    Raises:
        ConnectionFailed: it belongs to someone else, no folder can hold it, or no account can run it.
    """
    control = control_folder(root)
    try:
        area = _known_area(root, control)
        if area is None:
            account = _choose_account(root)
            area = _make_area(root, control, account, environ)
        else:
            account = _account_of(area)
        return Home(control, area, _socket_folder(control, account), account)
    except OSError as error:
        raise unusable(Path(error.filename or control), error) from error


def discard(root: Path) -> None:
    """Remove what the project's embedded PostgreSQL, which does not run any more, keeps outside of the project."""
    for name in ("location", "sockets"):
        folder = read_note(root / STATE_NAME / "embedded" / name)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def read_note(path: Path) -> str | None:
    """The one line of a pointer file; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n") or None
    except FileNotFoundError:
        return None


def write_note(path: Path, text: str) -> None:
    """Write a pointer file whole or not at all, with the owner of its folder."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_text(f"{text}\n", encoding="utf-8")
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(unfinished, folder.st_uid, folder.st_gid)
    unfinished.replace(path)


def data_home(environ: Mapping[str, str]) -> Path:
    """The folder for what a project's own folder cannot hold, made where it is missing. Raises: OSError."""
    chosen = environ.get(DATA_VARIABLE)
    if chosen:
        folder = Path(chosen).expanduser().absolute()
    elif os.geteuid() == 0:
        folder = _DATA_HOMES.get(sys.platform, Path("/var/lib/seedframe"))
    else:
        folder = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "seedframe"
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            folder.chmod(0o755)  # whatever the umask: the server's account passes through it
    return folder


def _owner_account(path: Path) -> Account | None:
    """Who owns a path, when we are root and it is someone else with an account here."""
    uid = path.stat().st_uid
    if os.geteuid() != 0 or uid == 0:
        return None
    try:
        return Account.of(pwd.getpwuid(uid))
    except KeyError:
        return None


def _hand_over(path: Path, account: Account | None) -> None:
    # What root makes in a person's project stays usable to that person.
    if account is not None and path.stat().st_uid != account.uid:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _known_area(root: Path, control: Path) -> Path | None:
    noted = read_note(control / "location")
    area = Path(noted) if noted else root / STATE_NAME / "postgres"
    return area if area.is_dir() else None


def _account_of(area: Path) -> Account | None:
    uid = area.stat().st_uid
    if uid == os.geteuid():
        if uid == 0:
            raise ConnectionFailed(
                f"{area} belongs to root, as whom no PostgreSQL runs",
                hint=f"remove {area}, or give it to another account",
            )
        return None
    if os.geteuid() != 0:
        raise ConnectionFailed(
            f"this project's embedded PostgreSQL ({area}) belongs to {account_name(uid)}",
            hint=f"run as {account_name(uid)} or root, or set DATABASE_URL to a database of your own",
        )
    try:
        return Account.of(pwd.getpwuid(uid))
    except KeyError:
        raise ConnectionFailed(
            f"{area} belongs to uid {uid}, which is no account of this machine",
            hint="give it to one that is (chown -R), or remove it",
        ) from None


def _choose_account(root: Path) -> Account | None:
    if os.geteuid() != 0:
        return None
    account = _owner_account(root) or _service_account()
    try:
        may(account, "-d", Path("/"))
    except OSError as error:
        raise ConnectionFailed(
            f"PostgreSQL does not run as root, and root may not start it as {account.name} here: {error.strerror}",
            hint="run seedframe as another user, grant the capabilities SETUID, SETGID and CHOWN, or set DATABASE_URL",
        ) from error
    return account


def _service_account() -> Account:
    for name in _SERVICE_ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            if entry.pw_uid != 0:
                return Account.of(entry)
    raise ConnectionFailed(
        f"PostgreSQL does not run as root, and this machine has none of the accounts {', '.join(_SERVICE_ACCOUNTS)}",
        hint="run seedframe as another user, or set DATABASE_URL to a database of your own",
    )


def _make_area(root: Path, control: Path, account: Account | None, environ: Mapping[str, str]) -> Path:
    inside = root / STATE_NAME / "postgres"
    inside.mkdir(mode=0o700)
    if _make_private(inside, account):
        return inside
    home = data_home(environ)
    outside = Path(tempfile.mkdtemp(prefix="project-", dir=home))
    write_note(outside / "project", str(root))
    if not _make_private(outside, account):
        name = account.name if account is not None else "you"
        raise ConnectionFailed(
            f"neither {inside.parent} nor {home} can hold a folder that only {name} can enter, as PostgreSQL requires",
            hint=f"set {DATA_VARIABLE} to a folder on a local disk that {name} can reach",
        )
    write_note(control / "location", str(outside))
    return outside


def _make_private(folder: Path, account: Account | None) -> bool:
    """Give a fresh folder to the account alone (0700); False, and no folder, where its place does not allow that."""
    try:
        folder.chmod(0o700)
        if account is not None:
            os.chown(folder, account.uid, account.gid)
    except PermissionError:
        pass  # some shared and virtual file systems know no owners; what counts is what came of it
    owner = os.geteuid() if account is None else account.uid
    if _is_private(folder, owner) and may(account, "-x", folder):
        return True
    shutil.rmtree(folder)
    return False


def _socket_folder(control: Path, account: Account | None) -> Path:
    noted = read_note(control / "sockets")
    if noted is not None and _have_private(Path(noted), account):
        return Path(noted)
    for base in _socket_bases():
        folder = Path(tempfile.mkdtemp(prefix="seedframe-", dir=base))
        if _make_private(folder, account):
            write_note(control / "sockets", str(folder))
            return folder
    raise ConnectionFailed(
        "the embedded PostgreSQL found no folder with a path short enough for its socket",
        hint="make /tmp writable, or set TMPDIR to a folder with a short path",
    )


def _have_private(folder: Path, account: Account | None) -> bool:
    """True when the folder of earlier times is there or could be made again, and is the account's alone."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        return _is_private(folder, os.geteuid() if account is None else account.uid)
    except OSError:
        return False
    return _make_private(folder, account)


def _socket_bases() -> Iterator[Path]:
    # /tmp first: TMPDIR often is a folder of one session only, and a server may outlive it.
    bases = (Path("/tmp"), Path(tempfile.gettempdir()), Path("/var/tmp"))  # noqa: S108 - see _make_private
    for base in dict.fromkeys(bases):
        short = len(os.fsencode(base / "seedframe-xxxxxxxx" / SOCKET_NAME)) <= _PATH_LIMIT
        if short and base.is_dir() and os.access(base, os.W_OK | os.X_OK):
            yield base


def _is_private(folder: Path, owner: int) -> bool:
    """True for a real folder (no link planted in its place) that only its owner can enter."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and stat.S_IMODE(found.st_mode) == 0o700
