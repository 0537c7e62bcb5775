"""The versions of PostgreSQL that seedframe works with."""

from typing import Final

from seedframe.database.address import Address
from seedframe.errors import ConnectionFailed

OLDEST_MAJOR: Final = 14


def require_supported(server_version: int, address: Address) -> None:
    """Errors: ConnectionFailed for a server that is too old.

    Args:
        server_version: as libpq has it: 150018.
        address: what was connected to, for the message.
    """
    major, minor = divmod(server_version, 10_000)
    if major < OLDEST_MAJOR:
        raise ConnectionFailed(
            f"{address.display} is PostgreSQL {major}.{minor}, and seedframe needs {OLDEST_MAJOR} or later",
            hint=f"upgrade the server, or choose another one in {address.source}",
        )
