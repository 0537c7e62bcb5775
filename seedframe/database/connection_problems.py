"""What to say of a database that cannot be reached, or refuses the login: one clear line for each cause."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import psycopg

from seedframe.database.address import Address, printable, server_text
from seedframe.errors import ConnectionFailed


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a connection failed. `message` and `hint` are templates over what `_facts` gives."""

    message: str
    hint: str
    retryable: bool = False


_START_OR_CHOOSE: Final = "start it, or {choose}"
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
    return printable(line)


def _choose(source: str) -> str:
    """How another server is chosen, by where this one was."""
    if source.endswith("] url"):
        return 'set DATABASE_URL, or write url = "embedded" there'
    if source.startswith("DATABASE_URL"):
        return "correct DATABASE_URL; without it, the configuration's url counts, and without that an embedded server"
    return f"correct {source}"


def _facts(error: psycopg.Error, address: Address, said: str) -> dict[str, str]:
    pgconn = error.pgconn

    def actual(value: bytes | None, otherwise: str) -> str:
        return value.decode(errors="replace") if value else otherwise

    host, port, user, dbname = address.host, address.port, address.user, address.dbname
    if pgconn is not None:
        host, port = actual(pgconn.host, host), actual(pgconn.port, port)
        user, dbname = actual(pgconn.user, user), actual(pgconn.db, dbname)
    unresolved = re.search(r"failed to resolve host '(.*?)':", said)  # the one of several
    login = f" -h {shlex.quote(printable(host))} -p {port}"
    said = re.sub(r"^(connection failed|connection is bad): (connection to server .*? failed: )?", "", said)
    return {
        "server": server_text(host, port),
        "host": printable(unresolved[1] if unresolved else host),
        "service": f'"{printable(address.service)}"',
        "user": f'"{printable(user)}"',
        "dbname": f'"{printable(dbname)}"',
        "display": address.display,
        "source": address.source,
        "choose": _choose(address.source),
        "said": said,
        "createdb": f"createdb{login} {shlex.quote(printable(dbname))}",
        "createuser": f"createuser{login} {shlex.quote(printable(user))}",
    }
