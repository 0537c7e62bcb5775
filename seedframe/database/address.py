"""Where the database is, as libpq's connection parameters."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from seedframe.configuration.config import DatabaseConfig
from seedframe.database.tls import verified
from seedframe.errors import ConfigError, did_you_mean
from seedframe.secrets import Secret

_SCHEMES: Final = ("postgresql", "postgres", "postgresql+psycopg")
_ACCEPTED: Final = "postgresql://user:password@host:5432/name, or keywords: host=… dbname=… user=…"
_ENCODE: Final = "in a URL, write @ as %40, / as %2F, ? as %3F, % as %25 and a space as %20 in user, password and name"

# A server that is gone without a word (its host lost power, a firewall forgot the connection) is noticed after a minute
# rather than two hours. Seconds; for what was sent and not acknowledged, milliseconds. Only TCP has these.
_KEEPALIVE: Final[Mapping[str, str]] = MappingProxyType(
    {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3", "tcp_user_timeout": "60000"}
)

# What stands between @ and / in a URL as it is; all else (socket folders, several hosts) goes behind the ?.
_PLAIN_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


@dataclass(frozen=True, slots=True)
class Address:
    """One database, as libpq finds it. What is left out, libpq takes from PGHOST, PGSERVICE, .pgpass and its defaults.

    Attributes:
        parameters: libpq's keywords; they may hold a password, so they are not shown.
        source: where it was configured, for messages: "DATABASE_URL", "seedframe.toml [database] url" …
    """

    parameters: Mapping[str, str] = field(repr=False)
    source: str = "DATABASE_URL"

    @property
    def host(self) -> str:
        """Host name, address or socket folder; several are separated by commas."""
        return self._known("host") or self._known("hostaddr") or "the local socket"

    @property
    def port(self) -> str:
        """The port, or several separated by commas."""
        return self._known("port") or "5432"

    @property
    def user(self) -> str:
        """The role it logs in as; empty when only libpq knows."""
        return self._known("user")

    @property
    def dbname(self) -> str:
        """The database; as for libpq, the user's name when none is given."""
        return self._known("dbname") or self.user

    @property
    def service(self) -> str:
        """The entry of pg_service.conf that it is; empty for none."""
        return self._known("service")

    @property
    def display(self) -> str:
        """Database, host, port and user for messages: `database "shop" on db.example.com:5432 as app`."""
        if self._by_service:
            name = (
                f'database "{printable(self.parameters["dbname"])}"' if "dbname" in self.parameters else "the database"
            )
            return f'{name} of service "{printable(self.service)}"'
        role = f" as {printable(self.user)}" if self.user else ""
        return f'database "{printable(self.dbname)}" on {self.server}{role}'

    @property
    def server(self) -> str:
        """Host and port for messages: `db.example.com:5432`, `[::1]:5432`, `/run/postgresql (port 5432)`."""
        return (
            f'the server of service "{printable(self.service)}"'
            if self._by_service
            else server_text(self.host, self.port)
        )

    @property
    def _by_service(self) -> bool:
        """True when only libpq knows the host: a service that is named here is looked up when it connects."""
        return "service" in self.parameters and not {"host", "hostaddr"} & self.parameters.keys()

    def connect_args(self, connect_timeout_s: float = 0.0) -> dict[str, Any]:
        """Keyword arguments for psycopg.connect; client_encoding is left to the caller, who alone depends on it.

        TCP's keepalives are set unless the address says otherwise, or is a service, which would not be asked.

        Args:
            connect_timeout_s: seconds to wait for an answer, unless the address says otherwise; 0 for no limit.
        """
        # libpq knows whole seconds only, and takes 1 for 2.
        timeout = {"connect_timeout": str(max(2, math.ceil(connect_timeout_s)))} if connect_timeout_s else {}
        given = {key: value for key, value in self.parameters.items() if key != "client_encoding"}
        keepalive = {} if self.service else _KEEPALIVE
        return {"fallback_application_name": "seedframe", **keepalive, **timeout, **given}

    def url(self, driver: str = "postgresql") -> Secret:
        """The same address as a URL, for other programs.

        Args:
            driver: the scheme, e.g. "postgresql+psycopg" for SQLAlchemy.
        """
        rest = dict(self.parameters)
        user, password, name = (rest.pop(key, None) for key in ("user", "password", "dbname"))
        if user is None and password is not None:
            rest["password"], password = password, None
        login = "" if user is None else quote(user, safe="")
        login += "" if password is None else f":{quote(password, safe='')}"
        host, port = rest.get("host", ""), rest.get("port", "")
        place = ""
        if _PLAIN_HOST.fullmatch(host):
            del rest["host"]
            rest.pop("port", None)
            place = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
        elif host.count(",") and port and "," not in port:
            rest["port"] = ",".join([port] * (host.count(",") + 1))  # SQLAlchemy wants one for each host
        query = "&".join(f"{key}={quote(value, safe='')}" for key, value in rest.items())
        path = "" if name is None and not query else "/" + quote(name or "", safe="")
        return Secret(f"{driver}://{login}{'@' if login else ''}{place}{path}{'?' if query else ''}{query}")

    def _known(self, keyword: str) -> str:
        """What is given, else what libpq would take from the environment or its defaults."""
        given = self.parameters.get(keyword)
        if given:
            return given
        defaults = {option.keyword.decode(): option.val for option in pq.Conninfo.get_defaults()}
        return (defaults.get(keyword) or b"").decode(errors="replace")


def configured_address(database: DatabaseConfig) -> Address:
    """The address that a project's configuration gives.

    Raises:
        ConfigError: it is malformed, does not verify the server where that is required, or is the embedded
            PostgreSQL, whose address is known once it runs.
    """
    url = None if database.url is None else database.url.reveal()
    address = parse_address(url, defaults=database.libpq, source=database.source)
    if database.tls == "optional":
        return address
    by_variable = "sslmode" in database.libpq and "sslmode" not in parse_address(url).parameters
    parameters = verified(address.parameters, source="PGSSLMODE in .env" if by_variable else database.source)
    return replace(address, parameters=MappingProxyType(parameters))


def configured_url(database: DatabaseConfig, address: Address) -> Secret:
    """The configured address for another program: as it was written, for it may be meant for that very program, with
    what makes it verify the server where that is required and not said; what is only known here, as a URL.

    Args:
        address: what `configured_address` made of it.
    """
    if database.url is None or database.embedded:
        return address.url()
    written = database.url.reveal()
    plain = parse_address(written, defaults=database.libpq).parameters
    added = {keyword: value for keyword, value in address.parameters.items() if keyword not in plain}
    if not added:
        return database.url
    if not re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]*://", written):
        return Secret(f"{written} {make_conninfo(**added)}")
    query = "&".join(f"{keyword}={quote(value, safe='')}" for keyword, value in added.items())
    return Secret(f"{written}{'&' if '?' in written else '?'}{query}")


def parse_address(
    url: str | None, *, defaults: Mapping[str, Secret] | None = None, source: str = "DATABASE_URL"
) -> Address:
    """Read `postgresql://`, `postgres://`, `postgresql+psycopg://` or libpq keywords; None leaves all to libpq.

    Messages never hold any part of `url` that could belong to a password. So that none can slip into the host or the
    name of the database (and from there into messages), a URL with more than one @, or with an @ after the first / or
    ?, is refused, although libpq would make something of it.

    Args:
        url: the address.
        defaults: keywords for what `url` leaves out.
        source: where it was configured, for messages.

    Raises:
        ConfigError: it is malformed; the message says how to write it.
    """
    fallback = {keyword: secret.reveal() for keyword, secret in (defaults or {}).items()}
    try:
        parameters = {**fallback, **(_parse(url.strip()) if url is not None else {})}
        _check_values(parameters)
    except _Malformed as mistake:
        raise ConfigError(mistake.message, hint=mistake.hint, where=source) from None
    return Address(MappingProxyType(parameters), source)


class _Malformed(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _parse(text: str) -> dict[str, str]:
    scheme, separator, rest = text.partition("://")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return _parse_url(scheme.lower(), rest)
    return _parse_keywords(text)


def _parse_url(scheme: str, rest: str) -> dict[str, str]:
    if scheme not in _SCHEMES:
        kind = "driver" if scheme.startswith(("postgresql+", "postgres+")) else "scheme"
        accepted = ", ".join(f"{known}://" for known in _SCHEMES)
        raise _Malformed(f'the {kind} of "{scheme}://" is not supported', f"accepted: {accepted}")
    if any(character < " " or character == "\x7f" for character in rest):
        raise _Malformed("the URL has a line break, a tab or another control character in it", "take it out")
    if any(character.isspace() for character in rest):
        raise _Malformed("the URL has a space in it", _ENCODE)
    before_path = re.split(r"[/?]", rest, maxsplit=1)[0]
    if rest.count("@") > 1 or (rest.count("@") == 1 and "@" not in before_path):
        raise _Malformed("the URL has an @, / or ? too many, so that user, password and host cannot be told", _ENCODE)
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest):
        raise _Malformed("the URL has a % that two hexadecimal digits do not follow", _ENCODE)
    if "%00" in rest:
        raise _Malformed("the URL has %00 in it, and PostgreSQL knows no NUL", "remove it")
    given = _by_libpq(f"postgresql://{rest}")
    if given is not None:
        return given
    query = rest.partition("?")[2]
    unknown = [name for pair in query.split("&") if (name := pair.partition("=")[0]) not in _keywords()]
    if query and unknown:
        raise _Malformed("the URL has an unknown parameter after its ?", _near_keyword(unknown))
    raise _Malformed("the URL is malformed", f"expected {_ACCEPTED}; {_ENCODE}")


def _parse_keywords(text: str) -> dict[str, str]:
    if "=" not in text:
        raise _Malformed("it is neither a URL nor libpq keywords", f"expected {_ACCEPTED}")
    if "\0" in text:
        raise _Malformed("it has a NUL character in it", "take it out")
    given = _by_libpq(text)
    if given is not None:
        return given
    advice = "a value with spaces stands in quotes: password='two words'; inside them write \\' and \\\\"
    unknown = [name for name in re.findall(r"(?:\A|\s)(\w+)\s*=", text) if name not in _keywords()]
    if unknown:
        raise _Malformed("it has a keyword that libpq does not know", _near_keyword(unknown, advice))
    raise _Malformed("the libpq keywords are malformed", advice)


def _by_libpq(text: str) -> dict[str, str] | None:
    """What libpq reads; None when it cannot. Its message, which quotes parts of the password, ends here."""
    try:
        parameters = conninfo_to_dict(text)
    except (psycopg.Error, UnicodeError):
        return None
    return {keyword: str(value) for keyword, value in parameters.items() if value is not None and value != ""}


def _check_values(given: Mapping[str, str]) -> None:
    ports = given.get("port", "").split(",")
    if not all(port == "" or (port.isascii() and port.isdigit() and 0 < int(port[:6]) < 65536) for port in ports):
        raise _Malformed("the port is not a number from 1 to 65535", _ENCODE)
    if not re.fullmatch(r"[0-9]{0,9}", given.get("connect_timeout", ""), re.ASCII):
        raise _Malformed("connect_timeout is not a whole number of seconds", "for example connect_timeout=10")


def _keywords() -> tuple[str, ...]:
    return tuple(option.keyword.decode() for option in pq.Conninfo.get_defaults())


def _near_keyword(unknown: Sequence[str], otherwise: str = "see libpq's parameter key words") -> str:
    """A known keyword near the first unknown one, which itself is not shown: it may be part of a password."""
    return did_you_mean(unknown[0], _keywords()) or otherwise


def server_text(host: str, port: str) -> str:
    """`host:port`, or what says the same of a socket and of several hosts."""
    shown = printable(host)
    if host.startswith(("/", "@")) or " " in host or "," in host or "," in port:
        return f"{shown} (port {printable(port)})"
    return f"[{shown}]:{port}" if ":" in host else f"{shown}:{port}"


def printable(text: str) -> str:
    """One line without control characters, whatever a name holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)
