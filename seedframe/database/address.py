"""Where the database is, as libpq's connection parameters; and what to say when it cannot be reached."""

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from seedframe.config import DatabaseConfig
from seedframe.database.tls import verified
from seedframe.errors import ConfigError, ConnectionFailed, did_you_mean
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
                f'database "{_printable(self.parameters["dbname"])}"' if "dbname" in self.parameters else "the database"
            )
            return f'{name} of service "{_printable(self.service)}"'
        role = f" as {_printable(self.user)}" if self.user else ""
        return f'database "{_printable(self.dbname)}" on {self.server}{role}'

    @property
    def server(self) -> str:
        """Host and port for messages: `db.example.com:5432`, `[::1]:5432`, `/run/postgresql (port 5432)`."""
        return (
            f'the server of service "{_printable(self.service)}"' if self._by_service else _server(self.host, self.port)
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


def _server(host: str, port: str) -> str:
    shown = _printable(host)
    if host.startswith(("/", "@")) or " " in host or "," in host or "," in port:
        return f"{shown} (port {_printable(port)})"
    return f"[{shown}]:{port}" if ":" in host else f"{shown}:{port}"


def _printable(text: str) -> str:
    """One line without control characters, whatever a name holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


# When it cannot be reached


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a connection failed. `message` and `hint` are templates over what `_facts` gives."""

    message: str
    hint: str
    retryable: bool = False


_START_OR_CHOOSE: Final = 'start it, or set DATABASE_URL, or write url = "embedded" under [database]'
_NO_SERVER = _Reason("no PostgreSQL server answers at {server}", _START_OR_CHOOSE, retryable=True)
_NO_SOCKET = _Reason("no PostgreSQL server has its socket in {server}", _START_OR_CHOOSE, retryable=True)
_UNREACHABLE = _Reason("{server} cannot be reached", "check the network, the host and the port in {source}", True)
# A host of a container network has no name until it runs, so waiting may help.
_NO_NAME = _Reason("the host name {host} cannot be resolved", "check the host in {source}", retryable=True)
_TIMEOUT = _Reason(
    "{server} did not answer in time", "check host, port and firewall, or raise connect_timeout under [database]", True
)
_WRONG_PASSWORD = _Reason("wrong password for role {user} on {server}", "check user and password in {source}")
_NO_PASSWORD = _Reason(
    "{server} asks for a password for role {user}, and none was given",
    "put it into {source}, PGPASSWORD or ~/.pgpass",
)
_NO_ROLE = _Reason("role {user} does not exist on {server}", "check the user in {source}, or create it: {createuser}")
_NO_LOGIN = _Reason("{server} does not let role {user} log in", "check user and login method, or choose another role")
_NO_DATABASE = _Reason(
    "database {dbname} does not exist on {server}", "create it with: {createdb} - and then run: seedframe db init"
)
_NO_CONNECT = _Reason(
    "role {user} lacks the privilege CONNECT on database {dbname}", "grant it: GRANT CONNECT ON DATABASE … TO …"
)
_PG_HBA = _Reason(
    "{server} does not accept role {user} from here for database {dbname} (pg_hba.conf)",
    "add a line to the server's pg_hba.conf, or try sslmode=require in {source}",
)
_TOO_MANY = _Reason(
    "{server} has no connection left", "close some, or raise max_connections or the role's limit", retryable=True
)
_STARTING = _Reason("{server} is not ready: it is starting up or shutting down", "try again, or use --wait", True)
_CLOSED = _Reason("{server} closed the connection", "see the server's log for why", retryable=True)
_NOT_POSTGRES = _Reason("what answers at {server} is not PostgreSQL", "check host and port in {source}")
_NO_TLS = _Reason(
    "{server} does not offer TLS, and sslmode asks for it",
    "turn on ssl there, or change sslmode (in production together with tls under [database])",
)
_WRONG_CERTIFICATE = _Reason(
    "the TLS certificate of {server} is for another host name than {host}",
    "name the host in {source} as its certificate does; hostaddr= may say where that is",
)
_NO_HOST_NAME = _Reason(
    "the TLS certificate of {server} cannot be verified without a host name",
    "add host= in {source}, named as the certificate names it, beside hostaddr=",
)
_CERTIFICATE = _Reason(
    "the TLS certificate of {server} cannot be verified",
    "check that it has not expired, and that sslrootcert in {source} has the authority that signed it",
)
_NO_ROOT_CERTIFICATE = _Reason(
    "there is no root certificate to verify {server} with",
    "set sslrootcert to a file with the certificate of its authority",
)
_TLS = _Reason("TLS with {server} failed", "check sslmode and the certificates in {source}")
_NO_SERVICE = _Reason("the service {service} is not defined", "check PGSERVICE and ~/.pg_service.conf")
_NOT_ACCEPTING = _Reason("database {dbname} on {server} accepts no connections", "choose another database")
_UNKNOWN = _Reason("cannot connect to {display}: {said}", "check {source}")

_BY_SQLSTATE: Final[Mapping[str, _Reason]] = MappingProxyType(
    {
        "28P01": _WRONG_PASSWORD,
        "28000": _NO_LOGIN,
        "3D000": _NO_DATABASE,
        "42501": _NO_CONNECT,
        "53300": _TOO_MANY,
        "55000": _NOT_ACCEPTING,
        "57P01": _CLOSED,
        "57P02": _CLOSED,
        "57P03": _STARTING,
        "57P05": _CLOSED,
        "08006": _CLOSED,
        "08001": _UNREACHABLE,
    }
)

# libpq keeps the SQLSTATE of a refused login to itself. What it does give are two facts that no language changes
# (whether a password was asked for, and used), the file name pg_hba.conf, and texts. Its own texts are English as
# long as no one calls setlocale; the server's are in the server's language. So: facts first, then texts in English,
# and what is in neither is shown as the server said it.
_BY_TEXT: Final = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"no pg_hba\.conf entry|pg_hba\.conf rejects", _PG_HBA),
        (r"password authentication failed", _WRONG_PASSWORD),
        (r"no password supplied", _NO_PASSWORD),
        (r'role ".*" does not exist', _NO_ROLE),
        (r"is not permitted to log in|authentication failed for user", _NO_LOGIN),
        (r'database ".*" does not exist', _NO_DATABASE),
        (r"permission denied for database", _NO_CONNECT),
        (r"not currently accepting connections", _NOT_ACCEPTING),
        (r"too many clients|too many connections|remaining connection slots", _TOO_MANY),
        (r"the database system is|not yet accepting connections", _STARTING),
        (r"failed to resolve host|could not translate host name", _NO_NAME),
        (r"timeout expired|timed out|[Tt]imed out", _TIMEOUT),
        (r"on socket .*(No such file or directory|Connection refused)", _NO_SOCKET),
        (r"Connection refused", _NO_SERVER),
        (r"No route to host|[Uu]nreachable|Cannot assign requested address", _UNREACHABLE),
        (r"definition of service .* not found|service file .* not found", _NO_SERVICE),
        (r"server does not support SSL|server does not support encryption", _NO_TLS),
        (r"root certificate file .* does not exist|weak sslmode", _NO_ROOT_CERTIFICATE),
        (r"does not match host name", _WRONG_CERTIFICATE),
        (r"host name must be specified for a verified", _NO_HOST_NAME),
        (r"certificate verify failed|certificate .*(invalid|expired)", _CERTIFICATE),
        (r"invalid response to SSL negotiation|expected authentication request|unsupported frontend", _NOT_POSTGRES),
        (r"SSL error|SSL connection|certificate|private key", _TLS),
        (r"closed the connection unexpectedly|connection reset|Connection reset|Broken pipe", _CLOSED),
    )
)


def connection_problem(error: psycopg.Error, address: Address) -> ConnectionFailed:
    """One clear line for a connection that could not be made, or was lost.

    Args:
        error: what psycopg raised.
        address: what was connected to.

    Returns:
        The error to raise `from None`; its `retryable` says whether waiting may help.
    """
    said = _said(error)
    reason = _reason(error, said, address)
    facts = _facts(error, address, said)
    return ConnectionFailed(
        reason.message.format_map(facts), hint=reason.hint.format_map(facts), retryable=reason.retryable
    )


def _reason(error: psycopg.Error, said: str, address: Address) -> _Reason:
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        return _TIMEOUT
    if error.sqlstate is not None and error.sqlstate in _BY_SQLSTATE:
        return _BY_SQLSTATE[error.sqlstate]
    known = next((reason for pattern, reason in _BY_TEXT if pattern.search(said)), None)
    if known is not None:
        return known
    if "pg_hba.conf" in said:
        return _PG_HBA
    pgconn = error.pgconn
    if pgconn is not None and pgconn.needs_password:
        return _NO_PASSWORD
    names_user, names_database = (_quotes(said, name) for name in (address.user, address.dbname))
    # After a password was sent, a refusal that names the role but not the database is about that password.
    if pgconn is not None and pgconn.used_password and names_user and not names_database:
        return _WRONG_PASSWORD
    # A refusal that names neither may be about the server: it is starting, or full. ("connection failed" is psycopg's
    # own, never translated; what is wrong with the parameters is "connection is bad".)
    refused = str(error).startswith("connection failed: ")
    return replace(_UNKNOWN, retryable=refused and not (names_user or names_database))


def _quotes(said: str, name: str) -> bool:
    """True when `name` stands in some language's quotation marks."""
    return re.search(rf"[^\w\s]{re.escape(name)}[^\w\s]", said) is not None


def _said(error: psycopg.Error) -> str:
    """What libpq or the server said, one line; of several hosts, the last one."""
    text = str(error).partition("\nMultiple connection attempts failed")[0]
    line = " ".join(part.strip() for part in text.splitlines() if part.strip())
    return _printable(line)


def _facts(error: psycopg.Error, address: Address, said: str) -> dict[str, str]:
    pgconn = error.pgconn

    def actual(value: bytes | None, otherwise: str) -> str:
        return value.decode(errors="replace") if value else otherwise

    host, port, user, dbname = address.host, address.port, address.user, address.dbname
    if pgconn is not None:
        host, port = actual(pgconn.host, host), actual(pgconn.port, port)
        user, dbname = actual(pgconn.user, user), actual(pgconn.db, dbname)
    unresolved = re.search(r"failed to resolve host '(.*?)':", said)  # the one of several
    login = f" -h {shlex.quote(_printable(host))} -p {port}"
    said = re.sub(r"^(connection failed|connection is bad): (connection to server .*? failed: )?", "", said)
    return {
        "server": _server(host, port),
        "host": _printable(unresolved[1] if unresolved else host),
        "service": f'"{_printable(address.service)}"',
        "user": f'"{_printable(user)}"',
        "dbname": f'"{_printable(dbname)}"',
        "display": address.display,
        "source": address.source,
        "said": said,
        "createdb": f"createdb{login} {shlex.quote(_printable(dbname))}",
        "createuser": f"createuser{login} {shlex.quote(_printable(user))}",
    }
