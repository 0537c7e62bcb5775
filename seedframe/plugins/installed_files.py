"""The files of an installed distribution, held against what its installer recorded, and against a lock."""

import csv
import json
import os
import stat
from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from hashlib import new, sha256
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath
from shlex import quote
from typing import Any, Final
from urllib.parse import unquote

from packaging.utils import canonicalize_name

from seedframe.errors import DiscoveryError, Problem

# What differs from one machine to the next although the same wheel was installed, by whatever installer.
_OF_THE_INSTALLER: Final = frozenset(
    {
        "INSTALLER", "RECORD", "RECORD.jws", "RECORD.p7s", "REQUESTED", "direct_url.json", "provenance_url.json",
        "uv_build.json", "uv_cache.json",
    }
)  # fmt: skip
_SCRIPTS: Final = ("bin", "Scripts")
_HASHES: Final = ("sha256", "sha384", "sha512")


@dataclass(frozen=True, slots=True)
class Recorded:
    """One line of RECORD: a path from the folder that the distribution is in, and `sha256=…`, where that is there."""

    path: str
    digest: str


class NoRecordError(Exception):
    """Nothing tells what a distribution consists of; the message says why, as the end of a sentence."""


def recorded(dist: Distribution) -> tuple[Recorded, ...]:
    """What the installer recorded, less what it made itself: bytecode, scripts, notes on the installation.

    Format of RECORD: https://packaging.python.org/en/latest/specifications/recording-installed-packages/

    Errors: NoRecordError for what is editable, was installed without RECORD, or is inside an archive.
    """
    if _is_editable(dist):
        raise NoRecordError("is installed in editable mode, so that its files are meant to change")
    if not isinstance(dist.locate_file(""), Path):
        raise NoRecordError("is inside an archive")
    try:
        text = dist.read_text("RECORD")
        rows = [row for row in csv.reader((text or "").splitlines()) if len(row) == 3]
    except (UnicodeDecodeError, csv.Error):
        raise NoRecordError("has a list of its files (RECORD) that cannot be read") from None
    if text is None:
        raise NoRecordError("was installed without a list of its files (RECORD)")
    return tuple(Recorded(path, digest) for path, digest, _size in rows if _is_kept(PurePosixPath(path)))


def record_digest(dist: Distribution) -> str:
    """SHA-256 of what the installer recorded: that of the same wheel is the same everywhere. Errors: NoRecordError."""
    lines = sorted(f"{entry.path}\0{entry.digest}\n" for entry in recorded(dist))
    return sha256("".join(lines).encode()).hexdigest()


def folder_of(dist: Distribution) -> Path:
    """The folder that it is installed in, which paths start from."""
    return Path(str(dist.locate_file("")))


def as_a_copy(dist: Distribution) -> str:
    """How to install it so that it can be locked."""
    return f"install it {'without -e' if _is_editable(dist) else 'from a wheel'}: {_pip_install(dist)}"


def _pip_install(dist: Distribution) -> str:
    """The command that installs this version over what is there, from where it came from."""
    url = _direct_url(dist).get("url")
    # An index may not have what came from a folder. Other addresses may have a password in them, and are not shown.
    if isinstance(url, str) and url.startswith("file:///"):
        source = quote(unquote(url.removeprefix("file://")))
    else:
        source = f"'{dist.name}=={dist.version}'"
    return f"`pip install --force-reinstall --no-deps {source}`"


def _is_editable(dist: Distribution) -> bool:
    info = _direct_url(dist).get("dir_info")
    return isinstance(info, dict) and info.get("editable") is True


def _direct_url(dist: Distribution) -> dict[str, Any]:
    """Where it came from, when that was no index; empty otherwise.

    Format: https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        told = json.loads(dist.read_text("direct_url.json") or "{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _is_kept(path: PurePosixPath) -> bool:
    if path.parent.suffix == ".dist-info" and path.name in _OF_THE_INSTALLER:
        return False
    if path.parent.name == "__pycache__" and path.suffix == ".pyc":
        return False
    return not (path.parts[:1] == ("..",) and path.parent.name in _SCRIPTS)


# -------------------------------------------------------------------------
# Locking
# -------------------------------------------------------------------------


def as_installed(dist: Distribution) -> dict[str, str]:
    """The SHA-256 of each file, in hexadecimal, by path: of files that are as they were installed.

    Errors: NoRecordError; DiscoveryError with every file that was changed, is missing or was added since.
    """
    root, again = folder_of(dist), f"install it again: {_pip_install(dist)}"
    digests: dict[str, str] = {}
    problems: list[Problem] = []

    def wrong(path: str, what: str, hint: str = again) -> None:
        problems.append(Problem(DiscoveryError.code, f"plugin {dist.name}: {path} {what}", hint))

    entries = recorded(dist)
    for entry in entries:
        if entry.path.endswith(".pyc"):
            wrong(entry.path, "is bytecode, which nobody can read", "ask its author for a wheel with sources")
            continue
        data = _read(root / entry.path)
        if isinstance(data, str):
            wrong(entry.path, data)
        elif not _is_as_recorded(data, entry.digest):
            told = "was changed since it was installed" if entry.digest else "was recorded without a digest"
            wrong(entry.path, told)
        else:
            digests[entry.path] = sha256(data).hexdigest()
    for path, owner in _added(dist, {entry.path for entry in entries}):
        if owner is None:
            wrong(path, "was added since it was installed", f"remove it, or {again}")
        else:
            wrong(
                path, f"was added by {owner}", f"uninstall {owner}: no other may have files where the plugin has some"
            )
    if problems:
        raise DiscoveryError.of(problems)
    return digests


def _is_as_recorded(data: bytes, digest: str) -> bool:
    name, _, value = digest.partition("=")
    if name not in _HASHES:
        return False
    return urlsafe_b64encode(new(name, data).digest()).rstrip(b"=").decode() == value


def _read(path: Path) -> bytes | str:
    """A file's contents, or what is wrong with it."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # whoever opens a pipe waits for the other end
            return "is no file"
        return path.read_bytes()
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError:
        return "has no name that a file can have"


# -------------------------------------------------------------------------
# Checking
# -------------------------------------------------------------------------


def file_differences(dist: Distribution, files: Mapping[str, str]) -> Iterator[str]:
    """Where the files are not those of a lock, each with the file's path: `seedframe_iso/seed.py was changed since it
    was locked`."""
    root = folder_of(dist)
    for path, digest in files.items():
        data = _read(root / path)
        if isinstance(data, str):
            yield f"{path} {data}"
        elif sha256(data).hexdigest() != digest:
            yield f"{path} was changed since it was locked"
    for path, owner in _added(dist, files):
        yield f"{path} was added {'since it was locked' if owner is None else f'by {owner}'}"


def top_level(files: Collection[str]) -> frozenset[str]:
    """The names that these files are imported by, less what comes after the first dot."""
    return frozenset(
        path.partition("/")[0] if "/" in path else path.partition(".")[0]
        for path in files
        if _is_code(path) and path.partition("/")[0].partition(".")[0].isidentifier()
    )


def module_file(module: str, files: Collection[str]) -> str | None:
    """The one of these files that a module is imported from; None where none is, or only a folder."""
    base = module.replace(".", "/")
    endings = (*EXTENSION_SUFFIXES, ".py")
    names = (f"{base}/__init__{ending}" for ending in endings), (f"{base}{ending}" for ending in endings)
    return next((path for several in names for path in several if path in files), None)


def own_folders(files: Collection[str]) -> frozenset[str]:
    """The folders that these files lie in directly, less what is beside the packages. They, and all below them, are
    nobody else's; a folder above, without `__init__.py`, is a namespace that others may have packages in."""
    tops = top_level([path for path in files if "/" in path])
    return frozenset(path.rpartition("/")[0] for path in files if path.partition("/")[0] in tops and "/" in path)


def is_below(path: str, folders: Collection[str]) -> bool:
    """True for what lies in one of these folders, however deep."""
    return any(parent.as_posix() in folders for parent in PurePosixPath(path).parents)


def _is_code(path: str) -> bool:
    return path.endswith((".py", ".pyc", *EXTENSION_SUFFIXES))


def _added(dist: Distribution, known: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """What is in the packages of these files and none of them: a seed may read whatever lies in a folder of data. With
    each the other distribution that has it, where one does.

    Modules that stand alone have no folder to look in. In a namespace what is another distribution's is left alone.
    """
    root, tops = folder_of(dist), sorted(top_level([path for path in known if "/" in path]))
    found = [path for top in tops for path in _files_below(root, top) if path not in known]
    if found:
        own, owners = own_folders(known), _owners(root, dist.name)
        yield from ((path, owners.get(path)) for path in found if is_below(path, own) or path not in owners)


def _files_below(root: Path, package: str) -> Iterator[str]:
    for folder, folders, names in os.walk(root / package):
        at = Path(folder).relative_to(root)
        yield from ((at / name).as_posix() for name in folders if (Path(folder) / name).is_symlink())
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(names):
            # Beside its source, Python does not look at bytecode that is not in __pycache__.
            if not (name.endswith(".pyc") and f"{name[:-4]}.py" in names):
                yield (at / name).as_posix()


def _owners(root: Path, without: str) -> dict[str, str]:
    """The files that the distributions of this folder have, but for one, each with the distribution's name."""
    others = ((each, str(each.name)) for each in distributions(path=[str(root)]))
    return {
        file.as_posix(): name
        for each, name in others
        if canonicalize_name(name) != canonicalize_name(without)
        for file in each.files or ()
    }
