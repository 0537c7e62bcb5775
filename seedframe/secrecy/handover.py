"""Hands generated passwords over to people: kept in a private file before the COMMIT, shown once after it."""

import os
import re
import secrets
import stat
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from seedframe.errors import SeedError
from seedframe.secrecy.masking import hiding
from seedframe.secrets import Secret

FOLDER: Final = "passwords"

_INSTEAD: Final = "give the account a password of your own, or make the folder yours and writable"


@dataclass(frozen=True, slots=True)
class Handed:
    """A generated password.

    Attributes:
        email: whose it is.
        file: where it is kept; None where it is shown only.
        lasting: it holds whatever becomes of the transaction: the account is made outside the database.
        told: what a person is told of it.
    """

    email: str
    password: Secret
    file: Path | None
    lasting: bool = False
    told: str = ""


Show: TypeAlias = Callable[[Handed], bool]
"""Shows a person a password, and says whether that was done; who has shown it takes its file away."""


class Handover:
    """The generated passwords of one run, from before their transaction's COMMIT until somebody has them.

    A password is in its file, durably, before anything refers to it. After the COMMIT it is shown where there is
    somebody to show it to, who takes the file away; else the file stays, and the report names it.

    Attributes:
        taken_back: what was told of passwords that went with what was rolled back.
    """

    def __init__(self, state_dir: Path, show: Show | None = None) -> None:
        """Nothing is made yet.

        Args:
            state_dir: the project's `.seedframe/` folder.
            show: shows a password to a person at once; None where nobody is looking.
        """
        self._folder = state_dir / FOLDER
        self._show = show
        self._handed: list[Handed] = []
        self.taken_back: set[str] = set()
        self._hidden = ExitStack()

    @property
    def shows(self) -> bool:
        """True when passwords are shown to somebody."""
        return self._show is not None

    def require_way(self, email: str) -> None:
        """Make sure, before anything is written, that a password could be handed over. Errors: SeedError."""
        if self._show is not None:
            return
        try:
            _make(self._folder)
            directory = _open_private(self._folder)
            try:
                if not os.access(directory if os.access in os.supports_fd else self._folder, os.W_OK | os.X_OK):
                    raise PermissionError(0, "the folder cannot be written to")
            finally:
                os.close(directory)
        except OSError as error:
            raise self._impossible(email, error) from None

    def keep(self, email: str, password: Secret, *, database: str, stamp: str, lasting: bool = False) -> str:
        """Take a generated password, before anything refers to it; in all texts of the run it is masked from now on.

        Args:
            email: whose it is.
            password: what was generated.
            database: the database's name, for the reader of the file.
            stamp: when, by the database's clock, in characters that fit a file's name.
            lasting: as in `Handed`.

        Returns: what a person is to be told of it.

        Errors: SeedError where it can neither be kept nor shown.
        """
        self._hidden.enter_context(hiding([password.reveal()]))
        try:
            file = keep_password(self._folder.parent, email, password, database=database, stamp=stamp, lasting=lasting)
        except SeedError:
            # Nothing keeps it over a crash, so that it must be seen before the COMMIT.
            if self._show is None or not self._show(Handed(email, password, None, lasting)):
                raise
            return f"a password was generated for {email}: it was shown once; sign in, change it"
        where = f"it is in {file}; sign in, change it, delete the file"
        if self._show is not None:
            where = "it is shown below, once; sign in, change it"
        told = f"a password was generated for {email}: {where}"
        self._handed.append(Handed(email, password, file, lasting, told))
        return told

    def __len__(self) -> int:
        return len(self._handed)

    def undo(self, kept: int = 0) -> None:
        """The transaction was rolled back for certain: take away what it left after the first `kept` passwords."""
        for handed in self._handed[kept:]:
            if handed.file is not None and not handed.lasting:
                self.taken_back.add(handed.told)
                with suppress(OSError):
                    handed.file.unlink()
        # What lasts holds, whatever became of the rest.
        self._handed[kept:] = [handed for handed in self._handed[kept:] if handed.lasting]

    def deliver(self) -> None:
        """The transaction was committed: show what there is to show."""
        handed, self._handed = self._handed, []
        if self._show is not None:
            for each in handed:
                self._show(each)

    def close(self) -> None:
        """Let go of what is masked: what is said of the run was said."""
        self._hidden.close()

    def _impossible(self, email: str, error: OSError) -> SeedError:
        return _cannot_keep(email, self._folder, error)


def keep_password(
    state_dir: Path, email: str, password: Secret, *, database: str, stamp: str, lasting: bool = False
) -> Path:
    """Write a generated password to a new file below `state_dir`, durably, and return its path.

    It is called before COMMIT, so that no crash can leave an account whose password nobody knows. The file of a run
    that never committed opens nothing.

    Args:
        state_dir: the project's `.seedframe/` folder; made where it is missing.
        email: whose password it is.
        password: what was generated.
        database: the database's name, for the reader.
        stamp: when, by the database's clock, in characters that fit a file's name.
        lasting: it holds whatever becomes of the run.

    Errors: SeedError where the file cannot be made safely.
    """
    folder = state_dir / FOLDER
    slug = re.sub(r"[^a-z0-9@.+-]", "_", email)[:64].lstrip(".")
    path = folder / f"{slug}-{stamp}-{secrets.token_hex(4)}.txt"
    holds = "unless the account was there before" if lasting else "if the run that named this file succeeded"
    text = (
        f"# A password of {email}, generated by seedframe for the database {database}.\n"
        f"# It holds {holds}. Sign in, change it, delete this file.\n"
        f"email: {email}\n"
        f"password: {password.reveal()}\n"
    )
    try:
        _make(folder)
        _write_private(folder, path.name, text)
    except OSError as error:
        raise _cannot_keep(email, folder, error) from None
    return path


def _cannot_keep(email: str, folder: Path, error: OSError) -> SeedError:
    return SeedError(
        f"the password generated for {email} cannot be kept in {folder}: {error.strerror or error}", hint=_INSTEAD
    )


def _make(folder: Path) -> None:
    """The folder, in a `.seedframe/` that no version control takes."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError), (folder.parent / ".gitignore").open("x", encoding="ascii") as stream:
        stream.write("*\n")


def _open_private(folder: Path) -> int:
    """A folder that nobody else can write to, and that is no symbolic link."""
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    found = os.fstat(directory)
    if found.st_uid != os.geteuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        os.close(directory)
        raise PermissionError(0, "the folder is another user's, or others may write to it")
    return directory


def _write_private(folder: Path, name: str, text: str) -> None:
    """A new file, 0600, in a folder that nobody else can write to; neither may be a symbolic link."""
    directory = _open_private(folder)
    try:
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            os.fchmod(stream.fileno(), 0o600)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.fsync(directory)
    finally:
        os.close(directory)
