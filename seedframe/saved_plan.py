"""A saved plan: what a dry run found, and what it is bound to, as a file that `apply --plan` takes."""

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, get_args

from seedframe.errors import PlanRefused
from seedframe.json_text import json_text
from seedframe.options import Selection
from seedframe.verdicts import OnConflict

FORM: Final = 1
"""The form of the file, which has it under `seedframe_plan`."""

_MARK: Final = "seedframe_plan"
_MOST_BYTES: Final = 256 * 1024 * 1024
_MAKE: Final = "make it with: seedframe apply --dry-run --out FILE"
_ANEW: Final = "make a new one with: seedframe apply --dry-run --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedResource:
    """One resource of a plan.

    Attributes:
        name: "rows:medications".
        declared: the digest of what is declared; see `ResourceRecord`.
        digest: that of all changes.
        shown: what the report has of it: counts, and a sample of the changes.
    """

    name: str
    declared: str
    digest: str
    shown: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSeed:
    """One seed of a plan, with its resources in the order in which they were compared."""

    name: str
    label: str
    resources: tuple[SavedResource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan as it is saved.

    Attributes:
        id: 128 random bits in hexadecimal; the ledger keeps it once the plan was applied.
        created_at: the database's clock when it was made: "2026-01-02T03:04:05Z".
        selection: which seeds were asked for.
        on_conflict: as in `ApplyOptions`.
        binding: all else that must not have moved when it is applied; see `plan_binding`.
        seeds: in run order.
    """

    id: str
    created_at: str
    selection: Selection
    on_conflict: OnConflict
    binding: Mapping[str, Any]
    seeds: tuple[SavedSeed, ...]

    def text(self) -> str:
        """The file: JSON with sorted keys, and a checksum against accidents."""
        document = {
            _MARK: FORM,
            "id": self.id,
            "created_at": self.created_at,
            "selection": {
                "names": list(self.selection.names),
                "tags": list(self.selection.tags),
                "skip": list(self.selection.skip),
            },
            "on_conflict": self.on_conflict,
            "binding": self.binding,
            "seeds": [
                {
                    "name": seed.name,
                    "seed": seed.label,
                    "resources": [
                        {
                            "resource": resource.name,
                            "declared": resource.declared,
                            "digest": resource.digest,
                            "shown": resource.shown,
                        }
                        for resource in seed.resources
                    ],
                }
                for seed in self.seeds
            ],
        }
        whole = {**document, "checksum": _checksum(document)}
        return json_text(whole, indent=1, sort_keys=True) + "\n"


def read_plan(path: Path) -> SavedPlan:
    """The plan in a file.

    Raises:
        PlanRefused: there is none, it is damaged or was changed, is of another form, or others may write to it.
    """
    where = str(path)
    data = _contents(path, where)
    if data.startswith(b"\xef\xbb\xbf"):
        raise PlanRefused("it begins with a byte order mark: an editor has saved it anew", hint=_ANEW, where=where)
    try:
        document = json.loads(data)
    except UnicodeDecodeError:
        raise PlanRefused("it is no plan, or is damaged: not UTF-8", hint=_ANEW, where=where) from None
    except (json.JSONDecodeError, RecursionError) as error:
        place = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise PlanRefused(f"it is no plan, or is damaged: not JSON{place}", hint=_ANEW, where=where) from None
    if not isinstance(document, dict) or _MARK not in document:
        raise PlanRefused("it is no plan of seedframe", hint=_MAKE, where=where)
    form = document[_MARK]
    if form != FORM:
        raise PlanRefused(
            f"it is a plan of form {form!r}, this seedframe knows form {FORM}",
            hint="apply it with the seedframe that made it, or make a new one",
            where=where,
        )
    checksum = document.pop("checksum", None)
    if checksum != _checksum(document):
        raise PlanRefused("it is damaged, or was changed after it was made", hint=_ANEW, where=where)
    try:
        return _plan(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise PlanRefused("it is damaged: something in it is missing", hint=_ANEW, where=where) from None


def check_out(path: Path) -> None:
    """Refuse a place that no plan can be written to, before anything else is done. Errors: PlanRefused."""
    where = f"--out {path}"
    try:
        there = path.lstat()
    except FileNotFoundError:
        there = None
    except OSError as error:
        raise PlanRefused(f"cannot be written: {error.strerror}", where=where) from None
    if there is not None:
        if not stat.S_ISREG(there.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(there.st_mode) else "no file"
            raise PlanRefused(f"it is {kind}", hint="name a file of its own", where=where)
        if not _is_plan(path):
            raise PlanRefused(
                "the file is there, and is no plan", hint="name another file, or remove it first", where=where
            )
    folder = path.parent
    if not folder.is_dir():
        raise PlanRefused(f"there is no folder {folder}", hint="make the folder first", where=where)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PlanRefused("no permission to write there", where=where)


def write_plan(path: Path, plan: SavedPlan) -> None:
    """Write the file, whole or not at all, readable and writable by its owner only. Another plan there is replaced.

    Errors: PlanRefused, as `check_out`.
    """
    check_out(path)
    try:
        # In the same folder, made with O_EXCL and mode 0600: nobody's link is followed, and a rename replaces a name.
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise PlanRefused(f"cannot be written: {error.strerror}", where=f"--out {path}") from None
    try:
        with open(descriptor, "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123 - a descriptor
            file.write(plan.text())
            file.flush()
            os.fsync(descriptor)
        if path.exists():
            Path(name).replace(path)
        else:
            os.link(name, path)  # unlike a rename, it replaces nothing that has come there meanwhile
            Path(name).unlink()
    except BaseException as error:
        with suppress(OSError):
            Path(name).unlink()
        if isinstance(error, OSError):
            raise PlanRefused(f"cannot be written: {error.strerror}", where=f"--out {path}") from None
        raise


def _contents(path: Path, where: str) -> bytes:
    try:
        # Of a pipe that nobody writes to, an open would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise PlanRefused("it is no file", hint=_MAKE, where=where)
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PlanRefused(
                    "others than its owner may write to it, so it may not be what was reviewed",
                    hint=f"look at it again, then: chmod go-w {path}",
                    where=where,
                )
            if found.st_size > _MOST_BYTES:
                raise PlanRefused("it is larger than any plan", hint=_MAKE, where=where)
            return file.read()
    except FileNotFoundError:
        raise PlanRefused("there is no such file", hint=_MAKE, where=where) from None
    except IsADirectoryError:
        raise PlanRefused("it is no file", hint=_MAKE, where=where) from None
    except OSError as error:
        raise PlanRefused(f"cannot be read: {error.strerror}", where=where) from None


def _is_plan(path: Path) -> bool:
    """Whether the file is a plan, of this form or another, or what is left of one."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return False
    return data.startswith(b"{") and f'\n "{_MARK}": '.encode() in data


def _checksum(document: Mapping[str, Any]) -> str:
    text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _plan(document: Mapping[str, Any]) -> SavedPlan:
    chosen, on_conflict = document["selection"], document["on_conflict"]
    if on_conflict not in get_args(OnConflict):
        raise ValueError(on_conflict)
    return SavedPlan(
        id=_text(document["id"]),
        created_at=_text(document["created_at"]),
        selection=Selection(names=tuple(chosen["names"]), tags=tuple(chosen["tags"]), skip=tuple(chosen["skip"])),
        on_conflict=on_conflict,
        binding=dict(document["binding"]),
        seeds=tuple(
            SavedSeed(
                name=_text(seed["name"]),
                label=_text(seed["seed"]),
                resources=tuple(
                    SavedResource(
                        name=_text(resource["resource"]),
                        declared=_text(resource["declared"]),
                        digest=_text(resource["digest"]),
                        shown=dict(resource["shown"]),
                    )
                    for resource in seed["resources"]
                ),
            )
            for seed in document["seeds"]
        ),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value
