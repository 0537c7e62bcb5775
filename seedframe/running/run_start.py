"""What is known of a run when it begins: who begins it, where, with which version, from which commit."""

import getpass
import socket
from collections.abc import Mapping
from typing import Any

from seedframe import __version__
from seedframe.configuration.config import Config
from seedframe.database.run_log import RunStart
from seedframe.running.revision import revision_of


def run_start(
    config: Config, *, command: str, mode: str, arguments: Mapping[str, Any], env: str | None = None
) -> RunStart:
    """The beginning of a run by this process.

    Args:
        arguments: what it was told, without secrets; as it is to be in JSON.
        env: the environment that it is entered with; None: the configured one.
    """
    return RunStart(
        env=env or config.env,
        command=command,
        mode=mode,
        version=__version__,
        os_user=_os_user(),
        host=socket.gethostname(),
        revision=revision_of(config.root),
        arguments=dict(arguments),
    )


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
