"""Where TLS with a verified server is required, and what libpq has to be told for it."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Final

from psycopg import pq

from seedframe.errors import ConfigError

_VERIFIED: Final = "verify-full"
# All that libpq knows; another word is not shown, as it may be part of a password that was written unquoted.
_WEAKER: Final = ("disable", "allow", "prefer", "require", "verify-ca")
_KNOWS_SYSTEM: Final = 160000
_ROOT_CERTIFICATE: Final = Path("~/.postgresql/root.crt")


def verified(parameters: Mapping[str, str], *, source: str) -> dict[str, str]:
    """libpq's keywords with those of a connection whose server is verified, unless it stays on this machine.

    `sslmode` alone verifies against `~/.postgresql/root.crt` only. Where there is none, and nothing else is named, the
    authorities that this system trusts are: by the name of their file, as `sslrootcert=system` is unknown before
    libpq 16, and looks into a folder that is not there where libpq comes with psycopg (the package psycopg-binary).

    Args:
        parameters: as in `Address`.
        source: where `sslmode` among them was configured, for messages.

    Raises:
        ConfigError: a weaker `sslmode` is asked for.
    """
    found = _resolved(parameters)
    if all(map(_is_local, found.places)):
        return dict(parameters)
    if found.sslmode not in (None, _VERIFIED):
        elsewhere = "PGSSLMODE, or the service" if found.service else "PGSSLMODE"
        shown = f"sslmode={found.sslmode}" if found.sslmode in _WEAKER else "sslmode"
        raise ConfigError(
            f"{shown} does not verify the server, and this environment requires that off this machine",
            hint=f'write sslmode={_VERIFIED}; or, where the network is trusted, tls = "optional" under [database]',
            where=source if "sslmode" in parameters else elsewhere,
        )
    added = {"sslmode": _VERIFIED}
    if found.sslrootcert is None and not _ROOT_CERTIFICATE.expanduser().exists():
        authorities = _system_authorities()
        if authorities is not None:
            added["sslrootcert"] = authorities
    return {**parameters, **added}


@dataclass(frozen=True, slots=True)
class _Resolved:
    """What libpq will connect with, as far as it matters here.

    Attributes:
        places: for each host, where the bytes go: an address, else a name, else a folder of sockets ("" by default).
        sslmode: what is asked for; None where nothing says.
        sslrootcert: likewise.
        service: an entry of pg_service.conf has a part in it.
    """

    places: tuple[str, ...]
    sslmode: str | None
    sslrootcert: str | None
    service: bool


def _resolved(parameters: Mapping[str, str]) -> _Resolved:
    service = parameters.get("service") or os.environ.get("PGSERVICE")
    # libpq alone knows where services are looked up. What one of them says comes before the variables; so a variable
    # that says what is wanted is what is left when nothing says otherwise.
    with _variables({"PGSERVICE": service, "PGSSLMODE": os.environ.get("PGSSLMODE") or _VERIFIED} if service else {}):
        defaults = {option.keyword.decode(): (option.val or b"").decode() for option in pq.Conninfo.get_defaults()}
    if not service and not os.environ.get("PGSSLMODE"):
        defaults["sslmode"] = ""

    def taken(keyword: str) -> str:
        return parameters.get(keyword) or defaults.get(keyword) or ""

    names, addresses = taken("host").split(","), taken("hostaddr").split(",")
    count = max(len(names), len(addresses))
    names += [""] * (count - len(names))
    addresses += [""] * (count - len(addresses))
    return _Resolved(
        places=tuple(address or name for name, address in zip(names, addresses, strict=True)),
        sslmode=taken("sslmode") or None,
        sslrootcert=taken("sslrootcert") or None,
        service=bool(service),
    )


@contextmanager
def _variables(values: Mapping[str, str | None]) -> Iterator[None]:
    """Have libpq see these variables of the environment, for as long as it takes to ask it."""
    before = {name: os.environ.get(name) for name in values}
    try:
        _set(values)
        yield
    finally:
        _set(before)


def _set(values: Mapping[str, str | None]) -> None:
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _is_local(place: str) -> bool:
    """True for what never leaves this machine: a socket's folder, an abstract socket, localhost, 127.0.0.0/8 and ::1.

    Another name is not looked up: what it resolves to now may not be what it resolves to when libpq connects.
    """
    if not place or place.startswith(("/", "@")) or place.lower() == "localhost":
        return True
    try:
        address = ip_address(place)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _system_authorities() -> str | None:
    """The file of the authorities that this system trusts, as Python's own OpenSSL knows it; SSL_CERT_FILE wins."""
    file = ssl.get_default_verify_paths().cafile  # None where there is no such file
    return file or ("system" if pq.version() >= _KNOWS_SYSTEM else None)
