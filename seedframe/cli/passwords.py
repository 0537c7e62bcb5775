"""Shows generated passwords once, on a terminal, after the report; elsewhere they stay in their files."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

import click

from seedframe.emails import normalise_email
from seedframe.errors import DeclarationError
from seedframe.observer import Observer
from seedframe.reporting.cells import visible
from seedframe.secrecy.handover import Handed


class PasswordScreen(Observer):
    """Takes the passwords of accounts that were made, and shows them at its end.

    Use it in `with`, around the run and its report. Where the block ends with an error nothing is shown: the files
    stay, and are named.
    """

    def __init__(self, stream: TextIO, *, shows: bool) -> None:
        """Where to show them, and whether anybody looks there."""
        self._stream = stream
        self.shows_passwords = shows
        self._taken: list[Handed] = []

    def password_generated(self, handed: Handed) -> bool:
        if handed.file is None:
            self._show(handed)  # its account is not made before somebody has it
            return True
        self._taken.append(handed)
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handed in self._taken:
            if error is None:
                try:
                    self._show(handed)
                except (OSError, ValueError):
                    self._name(handed)
                else:
                    with suppress(OSError):
                        handed.file.unlink()  # type: ignore[union-attr]
            else:
                self._name(handed)
        self._taken.clear()

    def _show(self, handed: Handed) -> None:
        self._stream.write(f"\npassword of {visible(handed.email)}, shown this once: {handed.password.reveal()}\n")
        self._stream.flush()

    def _name(self, handed: Handed) -> None:
        with suppress(OSError, ValueError):
            click.echo(f"the password generated for {visible(handed.email)} is in {handed.file}", err=True)


def addresses(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> frozenset[str]:
    """E-mail addresses given on the command line, normalised."""
    try:
        return frozenset(map(normalise_email, value))
    except DeclarationError as error:
        raise click.BadParameter(error.message, ctx, param) from None


def somebody_looks(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """True on a terminal, unless it is that of a CI job, which keeps what it is shown."""
    return stream.isatty() and environ.get("CI", "").lower() in ("", "0", "false")


def password_screen(*, for_people: bool) -> PasswordScreen:
    """The one for a command whose report goes to standard output; `for_people`: as text."""
    return PasswordScreen(sys.stdout, shows=for_people and somebody_looks(sys.stdout, os.environ))
