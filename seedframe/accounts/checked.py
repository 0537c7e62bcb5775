"""Remembers which hashes were found not to be of a password that everybody knows: to find out takes a second or two."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from seedframe.accounts.passwords import opened_by_default

_FILE: Final = "checked-hashes.json"
_MOST: Final = 1_000


def is_known_default(password_hash: str, variables: Mapping[str, str]) -> bool:
    """Whether a hash is of one of the passwords that everybody knows.

    The answer "no" is kept in the user's cache folder, under a digest of the hash, which its salt makes as good as
    random; where nothing can be kept there, it is found out again every time.

    Args:
        variables: the environment's; XDG_CACHE_HOME names the folder, else it is `~/.cache`.
    """
    digest = _digest(password_hash)
    folder = _folder(variables)
    known = _read(folder / _FILE) if folder is not None else []
    if digest in known:
        return False
    if opened_by_default(password_hash):
        return True
    if folder is not None:
        _write(folder, [*known, digest][-_MOST:])
    return False


def remember_good(password_hash: str, variables: Mapping[str, str]) -> None:
    """Keep the answer "no" for a hash of a password that was looked at before it was set."""
    folder = _folder(variables)
    if folder is not None:
        _write(folder, [*_read(folder / _FILE), _digest(password_hash)][-_MOST:])


def _digest(password_hash: str) -> str:
    return sha256(password_hash.encode()).hexdigest()


def _folder(variables: Mapping[str, str]) -> Path | None:
    """By the XDG Base Directory Specification; None for a user who has no home."""
    chosen = variables.get("XDG_CACHE_HOME")
    if chosen and Path(chosen).is_absolute():
        return Path(chosen) / "seedframe"
    with suppress(RuntimeError):
        return Path.home() / ".cache" / "seedframe"
    return None


def _read(file: Path) -> list[str]:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, list):
            return [entry for entry in found if isinstance(entry, str)]
    return []


def _write(folder: Path, digests: list[str]) -> None:
    temporary = folder / f"{_FILE}.{os.getpid()}"
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(digests, stream)
        temporary.replace(folder / _FILE)
