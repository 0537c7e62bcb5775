"""seedframe.lock: what the allowed plugins consisted of when somebody trusted them, as a file to commit."""

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from seedframe.configuration.config_file import shown_path
from seedframe.errors import ConfigError

LOCK_NAME: Final = "seedframe.lock"

_VERSION: Final = 1
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_AGAIN: Final = "take it from version control again, or write a new one: seedframe plugins lock"
_HEADER: Final = """\
# Written by `seedframe plugins lock`: the plugins that this project trusts, with the SHA-256 of each of their files.
# Commit it. Nothing of a plugin that is not as it says is ever imported.
"""


@dataclass(frozen=True, slots=True)
class LockedDependency:
    """Something that a plugin requires: its version, and the digest of the list of its files."""

    version: str
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPlugin:
    """One plugin.

    Attributes:
        name: normalised, as `seedframe-iso`.
        files: the SHA-256 of each file, in hexadecimal, by its path from the folder that it is installed in.
        dependencies: what it requires, and what that requires, by normalised name.
    """

    name: str
    version: str
    files: Mapping[str, str]
    dependencies: Mapping[str, LockedDependency]


@dataclass(frozen=True, slots=True)
class Lock:
    """The plugins of a lock, by normalised name."""

    plugins: Mapping[str, LockedPlugin]

    def text(self) -> str:
        """The file's contents: the same for the same plugins, whatever order they were found in."""
        import tomli_w  # here, as nothing but writing a lock needs it

        return _HEADER + tomli_w.dumps(
            {
                "version": _VERSION,
                "plugins": {
                    name: {
                        "version": plugin.version,
                        "files": dict(sorted(plugin.files.items())),
                        "dependencies": {
                            required: {"version": found.version, "record": found.record}
                            for required, found in sorted(plugin.dependencies.items())
                        },
                    }
                    for name, plugin in sorted(self.plugins.items())
                },
            }
        )


def read_lock(root: Path) -> Lock | None:
    """The lock of the project in this folder; None where it has none.

    Errors: ConfigError where it cannot be read or is of another version. Half a lock is none, and no lock trusts all.
    """
    file = root / LOCK_NAME
    name = shown_path(file)
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # whoever opens a pipe waits for the other end
            raise ConfigError("is no regular file", where=name, hint=f"remove it, and {_AGAIN}")
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not file.is_symlink():
            return None
        raise ConfigError("is a link to a file that is not there", where=name, hint=_AGAIN) from None
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=name, hint=_AGAIN) from None
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8 text", where=name, hint=_AGAIN) from None
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError("is not valid TOML", where=name, hint=_AGAIN) from None
    version = document.get("version")
    if type(version) is not int or version != _VERSION:
        told = f"has version {version}" if type(version) is int else "does not say which version it has"
        hint = f"this seedframe reads version {_VERSION}; {_AGAIN}"
        raise ConfigError(told, where=name, hint=hint)
    try:
        return Lock({key: _plugin(key, entry) for key, entry in _table(document["plugins"]).items()})
    except (KeyError, TypeError, ValueError):
        raise ConfigError("is not a lock that `seedframe plugins lock` wrote", where=name, hint=_AGAIN) from None


def _plugin(name: str, entry: object) -> LockedPlugin:
    table = _table(entry)
    return LockedPlugin(
        name=name,
        version=_text(table["version"]),
        files={_text(path): _digest(digest) for path, digest in _table(table["files"]).items()},
        dependencies={
            required: LockedDependency(_text(_table(found)["version"]), _digest(_table(found)["record"]))
            for required, found in _table(table["dependencies"]).items()
        },
    )


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value


def _digest(value: object) -> str:
    text = _text(value)
    if _DIGEST.fullmatch(text) is None:
        raise ValueError(text)
    return text
