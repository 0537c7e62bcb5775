"""Commands on a pseudo-terminal of a width: what a person would see."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping

from tests.conftest import Folder, clean_variables


class Terminal:
    """The far end of a pseudo-terminal: what was written to it, and its size."""

    def __init__(self, columns: int) -> None:
        self._far, self.near = pty.openpty()
        fcntl.ioctl(self.near, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        self._read = bytearray()
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        while True:
            try:
                block = os.read(self._far, 65536)
            except OSError:  # the near end was closed everywhere
                return
            if not block:
                return
            self._read += block

    def text(self) -> str:
        """All that was written; closes this process's near end."""
        os.close(self.near)
        self._reader.join()
        os.close(self._far)
        return self._read.decode().replace("\r\n", "\n")


def run_on_a_terminal(
    folder: Folder, *arguments: str, columns: int = 80, env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """A command with a terminal as its stdin, stdout and stderr: exit code and all that was shown."""
    terminal = Terminal(columns)
    variables = {**clean_variables(folder.path), **folder.env, "TERM": "xterm-256color", **(env or {})}
    del variables["COLUMNS"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "seedframe", *arguments],
        cwd=folder.path,
        env=variables,
        stdin=terminal.near,
        stdout=terminal.near,
        stderr=terminal.near,
        check=False,
    )
    return done.returncode, terminal.text()
