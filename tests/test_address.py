"""Database addresses: what is accepted, that no password leaks, and what is said when a connection fails."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import psycopg
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import make_url

from seedframe.configuration.config import DatabaseConfig
from seedframe.database.address import Address, configured_address, parse_address
from seedframe.database.connection_problems import connection_problem
from seedframe.errors import ConfigError, ConnectionFailed
from seedframe.secrets import Secret
from tests.servers import Server, find_bindir, major_version, running

CANARY = "cAnArY"
ENCODE = "in a URL, write @ as %40, / as %2F, ? as %3F, % as %25 and a space as %20 in user, password and name"
ACCEPTED = "postgresql://user:password@host:5432/name, or keywords: host=… dbname=… user=…"


def without_password(address: Address) -> dict[str, str]:
    return {key: value for key, value in address.parameters.items() if key != "password"}


# What is accepted


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "PostgreSQL"])
def test_schemes(scheme: str) -> None:
    address = parse_address(f"{scheme}://app:pw@db.example.com:5433/shop?sslmode=require")
    assert dict(address.parameters) == {
        "user": "app",
        "password": "pw",
        "host": "db.example.com",
        "port": "5433",
        "dbname": "shop",
        "sslmode": "require",
    }


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        ("postgresql://", {}),
        (" postgresql:///shop\n", {"dbname": "shop"}),
        ("postgresql://[::1]:5433", {"host": "::1", "port": "5433"}),
        ("postgresql://h1,h2:2/d", {"host": "h1,h2", "port": ",2", "dbname": "d"}),
        ("postgresql:///d?host=/run/pg&port=1", {"host": "/run/pg", "port": "1", "dbname": "d"}),
        ("postgresql://%2Frun%2Fpg/d", {"host": "/run/pg", "dbname": "d"}),
        ("postgresql://u:p:q#r@h", {"user": "u", "password": "p:q#r", "host": "h"}),
        ("host=h dbname='my db' user=u", {"host": "h", "dbname": "my db", "user": "u"}),
        (r"host = h password='it\'s \\'", {"host": "h", "password": "it's \\"}),
        ("service=shop", {"service": "shop"}),
    ],
)
def test_forms(url: str, parameters: dict[str, str]) -> None:
    assert dict(parse_address(url).parameters) == parameters


def test_none_leaves_everything_to_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    address = parse_address(None)
    assert (dict(address.parameters), address.url().reveal()) == ({}, "postgresql://")
    monkeypatch.setenv("PGHOST", "db.example.com")
    monkeypatch.setenv("PGPORT", "5433")
    monkeypatch.setenv("PGUSER", "app")
    monkeypatch.setenv("PGDATABASE", "shop")
    assert address.display == 'database "shop" on db.example.com:5433 as app'


def test_a_service_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text("[shop]\nhost=svc.example.com\ndbname=shop\nuser=app\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    assert parse_address("service=shop").display == 'the database of service "shop"'
    assert parse_address("postgresql:///d?service=shop").display == 'database "d" of service "shop"'
    monkeypatch.setenv("PGSERVICE", "shop")
    assert parse_address(None).display == 'database "shop" on svc.example.com:5432 as app'


def test_defaults_fill_what_is_left_out() -> None:
    defaults = {"host": Secret("h"), "password": Secret("dotenv")}
    assert dict(parse_address("user=u password=own", defaults=defaults).parameters) == {
        "host": "h",
        "user": "u",
        "password": "own",
    }
    assert dict(parse_address(None, defaults=defaults).parameters) == {"host": "h", "password": "dotenv"}


def test_the_address_of_a_configuration() -> None:
    database = DatabaseConfig(url=Secret("postgresql:///d"), source="here", libpq={"host": Secret("h")})
    address = configured_address(database)
    assert (dict(address.parameters), address.source) == ({"dbname": "d", "host": "h"}, "here")
    assert dict(configured_address(DatabaseConfig(url=None, source="x")).parameters) == {}
    with pytest.raises(ConfigError, match="neither a URL nor libpq keywords"):
        configured_address(DatabaseConfig(url=Secret("embedded"), source="default"))


@pytest.mark.parametrize(
    ("url", "display"),
    [
        ("postgresql://app:pw@db.example.com/shop", 'database "shop" on db.example.com:5432 as app'),
        ("postgresql://app@[::1]:5433", 'database "app" on [::1]:5433 as app'),
        ("host=/run/pg user=app dbname=shop", 'database "shop" on /run/pg (port 5432) as app'),
        ("host=h1,h2 port=1,2 user=app dbname=shop", 'database "shop" on h1,h2 (port 1,2) as app'),
        ("hostaddr=10.0.0.1 user=app dbname=shop", 'database "shop" on 10.0.0.1:5432 as app'),
        ("user=app dbname='a\nb\x1b[31m' host=h", r'database "a\nb\x1b[31m" on h:5432 as app'),
    ],
)
def test_display(url: str, display: str) -> None:
    assert parse_address(url).display == display


def test_what_psycopg_is_given() -> None:
    address = parse_address("host=h")
    given = {name: value for name, value in address.connect_args().items() if "keepalive" not in name}
    assert given == {"fallback_application_name": "seedframe", "tcp_user_timeout": "60000", "host": "h"}
    assert address.connect_args(2.2)["connect_timeout"] == "3"
    assert address.connect_args(0.1)["connect_timeout"] == "2"
    assert parse_address("host=h connect_timeout=7").connect_args(2)["connect_timeout"] == "7"
    assert "client_encoding" not in parse_address("postgresql://h/d?client_encoding=latin1").connect_args()


# Passwords

WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1)


@given(WORDS, WORDS, WORDS, st.sampled_from(["postgres", "postgresql", "postgresql+psycopg"]))
@example("app", "p@ss/w:o?r d#%", "my db", "postgresql")
def test_an_encoded_url_is_read_as_it_was_written(user: str, password: str, name: str, scheme: str) -> None:
    address = parse_address(f"{scheme}://{quote(user, '')}:{quote(password, '')}@h:5432/{quote(name, '')}")
    assert dict(address.parameters) == {"user": user, "password": password, "dbname": name, "host": "h", "port": "5432"}


HOSTS = st.sampled_from(["h", "db-1.example.com", "::1", "10.0.0.1", "/run/pg", "/run/my pg", "@abstract", "h1,h2,h3"])
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        "user": WORDS,
        "password": WORDS,
        "dbname": WORDS,
        "host": HOSTS,
        "port": st.integers(1, 65535).map(str),
        "sslmode": st.sampled_from(["require", "verify-full"]),
        "options": WORDS,
        "hostaddr": st.just("10.0.0.2"),
    },
)


@given(PARAMETERS)
@example({"host": "/run/pg", "user": "u", "password": "a%@/: "})
@example({"password": "no user"})
def test_an_address_survives_as_keywords_and_as_a_url(parameters: dict[str, str]) -> None:
    conninfo = make_conninfo("", **parameters)
    assume(conninfo)
    address = parse_address(conninfo)
    assert dict(address.parameters) == parameters
    several = {**parameters}
    if "," in parameters.get("host", "") and "port" in parameters:
        several["port"] = ",".join([parameters["port"]] * 3)
    url = address.url().reveal()
    assert conninfo_to_dict(url) == several
    assert dict(parse_address(url).parameters) == several


@given(PARAMETERS)
def test_sqlalchemy_reads_the_url_alike(parameters: dict[str, str]) -> None:
    conninfo = make_conninfo("", **parameters)
    assume(conninfo)
    url = parse_address(conninfo).url("postgresql+psycopg").reveal()
    dialect = make_url(url).get_dialect()
    _, given_to_psycopg = dialect().create_connect_args(make_url(url))
    found = {key: str(value) for key, value in given_to_psycopg.items() if value != ",,"}  # three times no port
    if "," in parameters.get("host", "") and "port" in parameters:
        parameters = {**parameters, "port": ",".join([parameters["port"]] * 3)}
    assert found == parameters


PIECES = st.lists(
    st.sampled_from([CANARY, *"@:/?#%&=[]+,; \\'\"\t\n", "%4", "%40", "%00", "://", "host=", "?user=", "?x=1", "é"]),
    max_size=6,
).map("".join)


@given(PIECES, PIECES)
@example("@", "/")
@example("/", "?user=")
@example("1/", "?port=1")
@example("/", "")
@example("", "%4")
@example("", " ")
def test_a_raw_password_is_read_whole_or_refused_without_any_part_of_it(before: str, after: str) -> None:
    password = before + CANARY + after
    try:
        address = parse_address(f"postgresql://app:{password}@db.example.com:5432/shop")
    except ConfigError as error:
        assert_hidden(error)
        return
    assert without_password(address) == {"user": "app", "host": "db.example.com", "port": "5432", "dbname": "shop"}
    assert address.parameters["password"] == unquote(password)
    assert CANARY not in f"{address!r} {address.display} {address.server} {address.url()!r}"


@given(PIECES)
@example(f"password={CANARY} {CANARY}")
@example(f"{CANARY}=x")
@example(f"password='{CANARY}")
def test_raw_keywords_are_read_or_refused_without_any_part_of_them(text: str) -> None:
    try:
        parse_address(f"host=h {text}")
    except ConfigError as error:
        assert_hidden(error)


def assert_hidden(error: BaseException) -> None:
    """Nor in what the error was raised from, where a log might look."""
    link: BaseException | None = error
    while link is not None:
        assert CANARY not in f"{link} {link!r}"
        link = link.__cause__ or link.__context__


@pytest.mark.parametrize(
    ("url", "line"),
    [
        (
            f"postgresql+asyncpg://u:{CANARY}@h/d",
            (
                'the driver of "postgresql+asyncpg://" is not supported '
                "(accepted: postgresql://, postgres://, postgresql+psycopg://)"
            ),
        ),
        (
            f"mysql://u:{CANARY}@h/d",
            'the scheme of "mysql://" is not supported (accepted: postgresql://, postgres://, postgresql+psycopg://)',
        ),
        (f"postgresql://u:{CANARY} x@h/d", f"the URL has a space in it ({ENCODE})"),
        (
            f"postgresql://u:{CANARY}\n@h/d",
            "the URL has a line break, a tab or another control character in it (take it out)",
        ),
        *(
            (
                url,
                f"the URL has an @, / or ? too many, so that user, password and host cannot be told ({ENCODE})",
            )
            for url in (
                f"postgresql://u:{CANARY}@x@h/d",
                f"postgresql://u:{CANARY}/x@h/d",
                f"postgresql://u:{CANARY}?x@h/d",
                f"postgresql://h/d?user={CANARY}@h",
            )
        ),
        (
            f"postgresql://u:{CANARY}%@h/d",
            f"the URL has a % that two hexadecimal digits do not follow ({ENCODE})",
        ),
        (f"postgresql://u:{CANARY}%00@h/d", "the URL has %00 in it, and PostgreSQL knows no NUL (remove it)"),
        (f"postgresql://u:{CANARY}@[::1/d", f"the URL is malformed (expected {ACCEPTED}; {ENCODE})"),
        (f"postgresql://u:{CANARY}%ff@h/d", f"the URL is malformed (expected {ACCEPTED}; {ENCODE})"),
        (f"postgresql://u:{CANARY}", f"the port is not a number from 1 to 65535 ({ENCODE})"),
        ("postgresql://h:0", f"the port is not a number from 1 to 65535 ({ENCODE})"),
        ("postgresql://h:65536", f"the port is not a number from 1 to 65535 ({ENCODE})"),
        ("postgresql://h:٣", f"the port is not a number from 1 to 65535 ({ENCODE})"),
        (
            "postgresql://h/d?sslmod=require",
            "the URL has an unknown parameter after its ? (did you mean 'sslmode'?)",
        ),
        (
            f"postgresql://h/d?{CANARY}=require",
            "the URL has an unknown parameter after its ? (see libpq's parameter key words)",
        ),
        (
            "postgresql://h/d?connect_timeout=soon",
            "connect_timeout is not a whole number of seconds (for example connect_timeout=10)",
        ),
        (CANARY, f"it is neither a URL nor libpq keywords (expected {ACCEPTED})"),
        ("", f"it is neither a URL nor libpq keywords (expected {ACCEPTED})"),
        (f"host=h passwd={CANARY}", "it has a keyword that libpq does not know (did you mean 'password'?)"),
        (
            f"host=h password=x {CANARY}=y",
            (
                "it has a keyword that libpq does not know "
                r"(a value with spaces stands in quotes: password='two words'; inside them write \' and \\)"
            ),
        ),
        (
            f"host=h password=x {CANARY}",
            (
                "the libpq keywords are malformed "
                r"(a value with spaces stands in quotes: password='two words'; inside them write \' and \\)"
            ),
        ),
        (f"host=h password={CANARY}\0", "it has a NUL character in it (take it out)"),
    ],
)
def test_each_mistake_has_its_line(url: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_address(url, source="[database] url")
    assert str(caught.value) == f"[database] url: {line}"
    assert_hidden(caught.value)


def test_defaults_are_checked_too() -> None:
    with pytest.raises(ConfigError, match="the port is not a number"):
        parse_address(None, defaults={"port": Secret("http")})


# Connections that fail


@dataclass(frozen=True, slots=True)
class Guarded:
    """A server on a socket and on a TCP port, with logins of several kinds."""

    server: Server
    port: int

    def address(self, **parameters: str) -> Address:
        """As superuser by its socket, unless told otherwise."""
        given = {"host": str(self.server.socket_dir), "port": str(self.port), "dbname": "postgres", "user": "postgres"}
        return parse_address(make_conninfo("", **{**given, **parameters}))

    @property
    def by_socket(self) -> str:
        return f"{self.server.socket_dir} (port {self.port})"


HBA = """
local all postgres trust
local all nobody_here trust
local all no_login trust
local all peer_only peer
local all cramped trust
local rejected all reject
local all all scram-sha-256
hostssl all all 127.0.0.1/32 trust
host all postgres 127.0.0.1/32 trust
"""
OBJECTS = """
create role app login password 'right';
create role no_login;
create role peer_only login;
create role cramped login connection limit 0;
create database crowded connection limit 0;
create database shut allow_connections false;
create database private;
revoke connect on database private from public;
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def guarded_server(bindir: Path, **settings: str) -> Iterator[Guarded]:
    port = free_port()
    with running(bindir, listen_addresses="127.0.0.1", port=str(port), **settings) as server:
        guarded = Guarded(server, port)
        with psycopg.connect(**guarded.address().connect_args(), autocommit=True) as connection:
            for statement in OBJECTS.strip().split("\n"):
                connection.execute(statement.encode())
            (server.socket_dir / "data" / "pg_hba.conf").write_text(HBA)
            connection.execute("select pg_reload_conf()")
        yield guarded


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with guarded_server(find_bindir()) as server:
        yield server


def failure(address: Address, timeout_s: float = 0.0) -> ConnectionFailed:
    """Why a connection cannot be made."""
    with pytest.raises(psycopg.Error) as caught:
        psycopg.connect(**address.connect_args(timeout_s)).close()
    problem = connection_problem(caught.value, address)
    assert "\n" not in str(problem)
    return problem


START = (
    "start it, or correct DATABASE_URL; without it, the configuration's url counts, and without that an embedded server"
)


def test_no_server() -> None:
    port = free_port()
    problem = failure(parse_address(f"postgresql://app:{CANARY}@127.0.0.1:{port}/shop"))
    assert str(problem) == f"no PostgreSQL server answers at 127.0.0.1:{port} ({START})"
    assert problem.retryable


def test_no_socket(tmp_path: Path) -> None:
    problem = failure(parse_address(f"host={tmp_path}"))
    assert str(problem) == f"no PostgreSQL server has its socket in {tmp_path} (port 5432) ({START})"
    assert problem.retryable


def test_no_server_at_any_of_several_hosts(tmp_path: Path) -> None:
    port = free_port()
    problem = failure(parse_address(f"host={tmp_path},127.0.0.1 port={port}"))
    assert str(problem) == f"no PostgreSQL server answers at 127.0.0.1:{port} ({START})"


@pytest.mark.parametrize("host", ["nowhere.invalid", "nowhere.invalid,elsewhere.invalid"])
def test_no_such_name(host: str) -> None:
    problem = failure(parse_address(f"host={host}"))
    last = host.rpartition(",")[2]
    assert str(problem) == f"the host name {last} cannot be resolved (check the host in DATABASE_URL)"
    assert problem.retryable


def test_no_such_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "services").write_text("[other]\nhost=h\n")
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    problem = failure(parse_address("service=shop"))
    assert str(problem) == 'the service "shop" is not defined (check PGSERVICE and ~/.pg_service.conf)'
    assert not problem.retryable


@contextmanager
def answering(respond: Callable[[socket.socket], Any] | None) -> Iterator[int]:
    """A port where something else than PostgreSQL listens; None never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1024)
                    if respond is not None:
                        respond(connection)

        thread = threading.Thread(target=serve, daemon=True)
        if respond is not None:
            thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    if respond is not None:
        thread.join()


def test_a_server_that_does_not_answer() -> None:
    with answering(None) as port:
        problem = failure(parse_address(f"host=127.0.0.1 port={port}"), timeout_s=1)
    assert str(problem) == (
        f"127.0.0.1:{port} did not answer in time "
        "(check host, port and firewall, or raise connect_timeout under [database])"
    )
    assert problem.retryable


def test_a_server_that_is_no_postgresql() -> None:
    with answering(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        problem = failure(parse_address(f"host=127.0.0.1 port={port}"))
    assert str(problem) == (f"what answers at 127.0.0.1:{port} is not PostgreSQL (check host and port in DATABASE_URL)")
    assert not problem.retryable


def test_a_server_that_hangs_up() -> None:
    with answering(lambda connection: connection.shutdown(socket.SHUT_RDWR)) as port:
        problem = failure(parse_address(f"host=127.0.0.1 port={port} sslmode=disable gssencmode=disable"))
    assert str(problem) == f"127.0.0.1:{port} closed the connection (see the server's log for why)"
    assert problem.retryable


NO_LOGIN = "(check user and login method, or choose another role)"


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        (
            {"user": "app", "password": CANARY},
            'wrong password for role "app" on {server} (check user and password in DATABASE_URL)',
        ),
        (
            {"user": "app"},
            (
                '{server} asks for a password for role "app", and none was given '
                "(put it into DATABASE_URL, PGPASSWORD or ~/.pgpass)"
            ),
        ),
        (
            {"user": "nobody_here"},
            (
                'role "nobody_here" does not exist on {server} (check the user in DATABASE_URL, '
                "or create it: createuser -h {host} -p {port} nobody_here)"
            ),
        ),
        ({"user": "no_login"}, '{server} does not let role "no_login" log in ' + NO_LOGIN),
        ({"user": "peer_only"}, '{server} does not let role "peer_only" log in ' + NO_LOGIN),
        (
            {"dbname": "my shop"},
            (
                'database "my shop" does not exist on {server} (create it with: '
                "createdb -h {host} -p {port} 'my shop' - and then run: seedframe db init)"
            ),
        ),
        (
            {"dbname": "rejected", "user": "app"},
            (
                '{server} does not accept role "app" from here for database "rejected" (pg_hba.conf) '
                "(add a line to the server's pg_hba.conf, or try sslmode=require in DATABASE_URL)"
            ),
        ),
        (
            {"dbname": "private", "user": "app", "password": "right"},
            'role "app" lacks the privilege CONNECT on database "private" (grant it: GRANT CONNECT ON DATABASE … TO …)',
        ),
        (
            {"dbname": "shut"},
            'database "shut" on {server} accepts no connections (choose another database)',
        ),
        (
            {"sslmode": "verify-fully"},
            (
                'cannot connect to database "postgres" on {server} as postgres: '
                'invalid sslmode value: "verify-fully" (check DATABASE_URL)'
            ),
        ),
    ],
)
def test_a_login_that_is_refused(guarded: Guarded, parameters: dict[str, str], line: str) -> None:
    problem = failure(guarded.address(**parameters))
    assert str(problem) == line.format(server=guarded.by_socket, host=guarded.server.socket_dir, port=guarded.port)
    assert not problem.retryable
    assert_hidden(problem)


@pytest.mark.parametrize("parameters", [{"user": "cramped"}, {"user": "app", "password": "right", "dbname": "crowded"}])
def test_too_many_connections(guarded: Guarded, parameters: dict[str, str]) -> None:
    problem = failure(guarded.address(**parameters))
    assert str(problem) == (
        f"{guarded.by_socket} has no connection left (close some, or raise max_connections or the role's limit)"
    )
    assert problem.retryable


def test_no_line_in_pg_hba(guarded: Guarded) -> None:
    problem = failure(guarded.address(host="127.0.0.1", user="app", sslmode="disable"))
    assert problem.message == (
        f'127.0.0.1:{guarded.port} does not accept role "app" from here for database "postgres" (pg_hba.conf)'
    )


def test_names_that_steer_a_terminal(guarded: Guarded) -> None:
    problem = failure(guarded.address(dbname="a\nb\x1b[31m"))
    assert problem.message.startswith(r'database "a\nb\x1b[31m" does not exist on ')


def test_a_connection_that_is_lost(guarded: Guarded) -> None:
    address = guarded.address()
    with (
        psycopg.connect(**address.connect_args()) as connection,
        pytest.raises(psycopg.OperationalError) as caught,
    ):
        connection.execute("select pg_terminate_backend(pg_backend_pid())")
    assert caught.value.sqlstate == "57P01"
    problem = connection_problem(caught.value, address)
    assert str(problem) == f"{guarded.by_socket} closed the connection (see the server's log for why)"
    assert problem.retryable


# TLS


def test_no_tls(guarded: Guarded) -> None:
    problem = failure(guarded.address(host="127.0.0.1", sslmode="require"))
    assert str(problem) == (
        f"127.0.0.1:{guarded.port} does not offer TLS, and sslmode asks for it"
        " (turn on ssl there, or change sslmode (in production together with tls under [database]))"
    )
    assert not problem.retryable


OTHER_HOST = "other.example.com"


@pytest.fixture(scope="module")
def with_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Guarded, Path]]:
    """A server with a certificate of its own making for another host, and that certificate."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    request = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={OTHER_HOST}"]
    request += ["-addext", f"subjectAltName=DNS:{OTHER_HOST}"]
    subprocess.run(
        [*request, "-keyout", folder / "key", "-out", folder / "certificate"], check=True, capture_output=True
    )
    with guarded_server(find_bindir()) as guarded:
        data = guarded.server.socket_dir / "data"
        owner = data.stat()
        for name, target in (("key", "server.key"), ("certificate", "server.crt")):
            shutil.copy(folder / name, data / target)
            os.chown(data / target, owner.st_uid, owner.st_gid)
            (data / target).chmod(0o600)
        with psycopg.connect(**guarded.address().connect_args(), autocommit=True) as connection:
            connection.execute("alter system set ssl = on")
            connection.execute("select pg_reload_conf()")
        yield guarded, folder / "certificate"


def test_certificates(with_tls: tuple[Guarded, Path], tmp_path: Path) -> None:
    guarded, certificate = with_tls
    server = f"127.0.0.1:{guarded.port}"
    cannot = (
        f"the TLS certificate of {server} cannot be verified"
        " (check that it has not expired, and that sslrootcert in DATABASE_URL has the authority that signed it)"
    )

    def line(**parameters: str) -> str:
        return str(failure(guarded.address(host="127.0.0.1", **parameters)))

    assert line(sslmode="verify-full", sslrootcert=str(certificate)) == (
        f"the TLS certificate of {server} is for another host name than 127.0.0.1"
        " (name the host in DATABASE_URL as its certificate does; hostaddr= may say where that is)"
    )
    assert line(sslmode="verify-full", sslrootcert="system") == cannot
    assert line(sslmode="verify-ca", sslrootcert=str(tmp_path / "none")) == (
        f"there is no root certificate to verify {server} with"
        " (set sslrootcert to a file with the certificate of its authority)"
    )
    (tmp_path / "broken").write_text("broken")
    assert line(sslmode="verify-ca", sslrootcert=str(tmp_path / "broken")) == (
        f"TLS with {server} failed (check sslmode and the certificates in DATABASE_URL)"
    )


# Servers that speak another language


@pytest.fixture(scope="module")
def german(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """A server whose messages are German."""
    bindir = find_bindir()
    catalog = Path(f"/usr/share/locale/de/LC_MESSAGES/postgres-{major_version(bindir)}.mo")
    if not bindir.is_relative_to("/usr/lib/postgresql") or not catalog.exists():
        pytest.skip("needs Debian's PostgreSQL and its German messages")
    wrapper = tmp_path_factory.mktemp("german") / "bin"
    wrapper.mkdir()
    (wrapper / "initdb").symlink_to(bindir / "initdb")
    (wrapper / "postgres").write_text(f'#!/bin/sh\nLANGUAGE=de exec {bindir}/postgres "$@"\n')
    (wrapper / "postgres").chmod(0o755)
    with guarded_server(wrapper, lc_messages="C.UTF-8") as server:
        with (
            psycopg.connect(**server.address().connect_args()) as connection,
            pytest.raises(psycopg.errors.DivisionByZero, match="Division durch Null"),
        ):
            connection.execute("select 1/0")
        yield server


def test_in_any_language_the_facts_decide(german: Guarded) -> None:
    problem = failure(german.address(user="app", password=CANARY))
    assert problem.message == f'wrong password for role "app" on {german.by_socket}'
    assert problem.hint == "check user and password in DATABASE_URL"
    assert not problem.retryable
    problem = failure(german.address(user="app"))
    assert problem.message == f'{german.by_socket} asks for a password for role "app", and none was given'
    problem = failure(german.address(user="app", dbname="rejected"))
    assert problem.message.endswith('does not accept role "app" from here for database "rejected" (pg_hba.conf)')


def test_in_any_language_what_is_not_known_is_shown(german: Guarded) -> None:
    problem = failure(german.address(dbname="nowhere"))
    assert problem.message.startswith(f'cannot connect to database "nowhere" on {german.by_socket} as postgres: ')
    assert problem.message.endswith("existiert nicht")
    assert not problem.retryable
    problem = failure(german.address(user="app", password="right", dbname="private"))
    assert "CONNECT-Privileg" in problem.message
    assert not problem.retryable


def test_a_server_that_shuts_down_is_worth_waiting_for_in_any_language(german: Guarded) -> None:
    shutting_down(german, "cannot connect to database")


def test_a_server_that_shuts_down() -> None:
    with guarded_server(find_bindir()) as guarded:
        shutting_down(guarded, f"{guarded.by_socket} is not ready: it is starting up or shutting down")


def shutting_down(guarded: Guarded, message: str) -> None:
    address = guarded.address()
    with psycopg.connect(**address.connect_args()):  # a smart shutdown waits for it
        subprocess.run(["kill", "-TERM", str(guarded.server.pid)], check=True)
        while True:
            try:
                psycopg.connect(**address.connect_args()).close()
            except psycopg.OperationalError as error:
                problem = connection_problem(error, address)
                break
    assert problem.message.startswith(message)
    assert problem.retryable
