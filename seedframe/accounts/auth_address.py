"""Where Supabase Auth is and the key to it, checked before anything is sent; no message repeats either of them."""

import base64
import binascii
import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from seedframe.errors import ConfigError
from seedframe.secrets import Secret

AUTH_PATH: Final = "/auth/v1"
"""Where the gateway of a Supabase project has Supabase Auth."""

BARE: Final = "gotrue+"
"""Before the scheme of a URL: the server itself, without a gateway, so that no path is added."""

_SECRET_KEY: Final = "sb_secret_"  # noqa: S105 - what such a key begins with
_PUBLISHABLE_KEY: Final = "sb_publishable_"
# What everybody who loads the application's pages has.
_PUBLIC_ROLES: Final = frozenset({"anon", "authenticated"})
_OTHER_SERVICES: Final = re.compile(r"/(rest|storage|realtime|functions|graphql)/v1(/|$)|^/dashboard(/|$)")

_KEY_HINT: Final = "give the project's service_role key, or its secret key (sb_secret_…)"
_URL_HINT: Final = "give the project's URL, as https://PROJECT.supabase.co"


@dataclass(frozen=True, slots=True)
class AuthAddress:
    """A server that accounts are kept at.

    Attributes:
        base: what every path is appended to, without a slash at its end.
        origin: scheme, host and port: what messages name it by.
        loopback: on this machine, so that nothing of it crosses a network.
    """

    base: str
    origin: str
    loopback: bool


def read_address(url: str) -> AuthAddress:
    """The address that a setting names.

    `https://PROJECT.supabase.co` is a Supabase project, whose gateway has the service at /auth/v1: that is appended
    unless it is there. `gotrue+http://127.0.0.1:9999` is the server itself; it is taken as it is. Off loopback only
    https will do: the key goes along with every request.

    Errors: ConfigError, without the URL, which may carry a password.
    """
    text = url.removeprefix(BARE)
    bare = text != url
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError("the URL of Supabase Auth has characters that no URL has", hint=_URL_HINT)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError("the URL of Supabase Auth is none: it has no https:// and host that fit", hint=_URL_HINT)
    if "@" in parts.netloc:
        raise ConfigError(
            f"the URL of Supabase Auth at {host} has a user or a password in it", hint="the key is given by itself"
        )
    if "?" in text or "#" in text:
        raise ConfigError(f"the URL of Supabase Auth at {host} has a query or a fragment", hint=_URL_HINT)
    loopback = _is_loopback(host)
    if parts.scheme == "http" and not loopback:
        raise ConfigError(
            f"the URL of Supabase Auth at {host} begins with http://, which would show the key to everybody in between",
            hint="use https://; http:// is for a server on this machine",
        )
    path = parts.path.rstrip("/")
    if not bare and (_OTHER_SERVICES.search(path) or host == "supabase.com"):
        raise ConfigError(f"the URL of Supabase Auth at {host} is that of something else", hint=_URL_HINT)
    shown = f"[{host}]" if ":" in host else host
    origin = f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")
    whole = path if bare or path.endswith(AUTH_PATH) else path + AUTH_PATH
    return AuthAddress(origin + whole, origin, loopback)


def check_key(key: Secret) -> None:
    """Make sure that this is a key that may administer accounts, as far as can be seen without asking.

    The role of a JWT is read without looking at its signature: only the server can judge that.

    Errors: ConfigError, without any part of the key.
    """
    text = key.reveal()
    if not text:
        raise ConfigError("the key of Supabase Auth is empty", hint=_KEY_HINT)
    if not text.isascii() or not text.isprintable() or " " in text:
        raise ConfigError(
            "the key of Supabase Auth has spaces, line breaks or characters that no key has",
            hint="copy it again, whole and on one line",
        )
    if text.startswith(_PUBLISHABLE_KEY):
        raise ConfigError(
            "the key of Supabase Auth is a publishable one (sb_publishable_…), which may not administer accounts",
            hint=_KEY_HINT,
        )
    if is_secret_key(key):
        return
    payload = _payload(text)
    if payload is None:
        raise ConfigError("the key of Supabase Auth is neither a JWT nor an sb_secret_… key", hint=_KEY_HINT)
    role = payload.get("role")
    if role in _PUBLIC_ROLES:
        raise ConfigError(
            f"the key of Supabase Auth has the role {role}, which may not administer accounts", hint=_KEY_HINT
        )


def is_secret_key(key: Secret) -> bool:
    """True for `sb_secret_…`: no JWT, so that only the gateway of a hosted project can make something of it."""
    return key.reveal().startswith(_SECRET_KEY)


def expiry(key: Secret) -> datetime | None:
    """When a JWT ends, as it says itself; None where it does not say, or is none."""
    payload = _payload(key.reveal())
    ends = payload.get("exp") if payload is not None else None
    if not isinstance(ends, int | float):
        return None
    try:
        return datetime.fromtimestamp(ends, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _payload(token: str) -> dict[str, Any] | None:
    parts = token.split(".")
    if len(parts) != 3 or not all(parts):
        return None
    try:
        payload = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return None
    return payload if isinstance(payload, dict) else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
