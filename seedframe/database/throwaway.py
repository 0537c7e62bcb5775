"""A throw-away PostgreSQL for tests: an embedded server in a temporary folder, gone when its user is.

The server is kept by a process of its own (this module, run as a script) that waits for its standard input to close,
so that it ends with the tests even when they are killed.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from seedframe.database import embedded
from seedframe.database.placement import discard
from seedframe.errors import ConnectionFailed, SeedframeError

# Nothing of it outlives the tests: it need not survive a crash, and rests between statements, so that a test can tell
# what wrote. `reload` is enough for all of these.
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "timezone": "UTC",
}

_ENDING: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def throwaway(environ: Mapping[str, str] | None = None) -> Iterator[str]:
    """Start a server; it and its files are gone afterwards.

    Args:
        environ: the environment variables; SEEDFRAME_PG_BINDIR may name the programs to run.

    Returns:
        The URL of its database `tests`, as its superuser.

    Raises:
        ConnectionFailed: there are no programs to run, or it does not start.
    """
    variables = dict(os.environ if environ is None else environ)
    # Where Python found us, the keeper does: pytest may have been told of folders that nothing else knows of.
    variables["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=variables,
        start_new_session=True,  # the terminal's Ctrl-C is for the tests; the server ends after them
    ) as keeper:
        assert keeper.stdout is not None  # noqa: S101 - as asked for above
        try:
            answer = json.loads(keeper.stdout.readline() or '{"error": "the keeper of the throw-away server died"}')
        except ValueError:
            answer = {"error": "the keeper of the throw-away server said something else than where it is"}
        if "error" in answer:
            raise ConnectionFailed(answer["error"], hint=answer.get("hint"))
        yield answer["url"]


def _keep() -> None:
    """Start, say where, wait for the end of standard input or of ourselves, stop, clean up."""
    for number in _ENDING:
        signal.signal(number, _end)
    root = Path(tempfile.mkdtemp(prefix="seedframe-test-"))
    if os.geteuid() == 0:
        root.chmod(0o755)  # the account that the server runs as passes through it
    os.umask(0o022)
    try:
        try:
            with embedded.lease(root, "tests") as server:
                url = server.url
                _settle(url)
                print(json.dumps({"url": url}), flush=True)  # noqa: T201
                sys.stdin.read()
        except SeedframeError as error:
            print(json.dumps({"error": error.message, "hint": error.hint}), flush=True)  # noqa: T201
        finally:
            discard(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _end(*_: object) -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)  # we are ending, and have to come to the end of that
    sys.exit()


def _settle(url: str) -> None:
    import psycopg  # here, so that a keeper whose server does not start says so sooner
    from psycopg import sql

    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in _SETTINGS.items():
            connection.execute(sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        connection.execute("SELECT pg_reload_conf()")


if __name__ == "__main__":
    _keep()
