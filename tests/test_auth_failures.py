"""What can go wrong with Supabase Auth: each is one line that says what to do, and none of them shows a secret."""

import gzip
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path
from traceback import TracebackException
from typing import Any

import bcrypt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from seedframe.accounts import auth_wire
from seedframe.accounts.auth_answers import Answer, answer_of
from seedframe.accounts.auth_service import AuthService, account_id
from seedframe.errors import AuthRefused, AuthUnreachable, ConfigError, SeedframeError
from seedframe.log import logger
from seedframe.secrecy.masking import masked, one_command
from seedframe.secrets import Secret
from tests.auth_server import AuthServer, shown, signed

ADMIN = "admin@example.com"
PASSWORD = "Canary-password-4411"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
GATEWAY = {"status": 503, "body": b"<html>upstream</html>"}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pauses; no proxy of the machine."""
    monkeypatch.setattr(auth_wire, "_FIRST_PAUSE_S", 0.01)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was paused, in seconds; nobody waits for it."""
    found: list[float] = []
    monkeypatch.setattr(auth_wire, "_sleep", found.append)
    return found


def opened(server: AuthServer, **options: Any) -> AuthService:
    return AuthService(**{"url": server.url, "key": Secret(server.key), **options})


@pytest.fixture
def service(auth_server: AuthServer) -> Iterator[AuthService]:
    with opened(auth_server) as service:
        yield service


def make(service: AuthService) -> object:
    return service.create(email=ADMIN, password_hash=HASH, user_metadata={}, app_metadata={"role": "admin"})


def refusal(call: Callable[[], object], expected: str, kind: type[SeedframeError] = AuthRefused) -> SeedframeError:
    """The error, which is one line, says what to do, and came from nothing."""
    with pytest.raises(kind, match=expected) as caught:
        call()
    error = caught.value
    assert type(error) is kind
    assert "\n" not in str(error)
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


# -------------------------------------------------------------------------
# The key
# -------------------------------------------------------------------------


def test_a_key_that_another_server_signed(auth_server: AuthServer) -> None:
    key = Secret(signed({"role": "service_role"}, "another-secret"))
    with opened(auth_server, url=auth_server.bare_url, key=key) as service:
        error = refusal(lambda: service.find(ADMIN), r"403 bad_jwt\): another secret signed it")
        assert "of this project" in str(error)
    with opened(auth_server, key=key) as service:
        refusal(lambda: service.find(ADMIN), r"does not take the key \(401\)")


def test_a_secret_key_at_a_bare_server(auth_server: AuthServer) -> None:
    with opened(auth_server, url=auth_server.bare_url, key=Secret(auth_server.secret_key)) as service:
        error = refusal(lambda: service.find(ADMIN), r"takes no sb_secret_… key \(403 bad_jwt\)")
    assert "takes JWTs only" in str(error)


def test_a_key_whose_time_is_over(auth_server: AuthServer) -> None:
    key = Secret(auth_server.token("service_role", exp=1_700_000_000))
    with opened(auth_server, url=auth_server.bare_url, key=key) as service:
        refusal(lambda: service.find(ADMIN), "it ended on 2023-11-14")


def test_a_key_of_somebody_who_is_no_administrator(auth_server: AuthServer) -> None:
    with opened(auth_server, url=auth_server.bare_url, key=Secret(auth_server.token("teacher"))) as service:
        refusal(lambda: service.find(ADMIN), "does not let this key administer accounts")


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_a_public_key_is_told_before_anything_is_sent(auth_server: AuthServer, role: str) -> None:
    with pytest.raises(ConfigError, match=f"the role {role}"):
        opened(auth_server, key=Secret(auth_server.token(role)))
    assert not auth_server.requests


def test_a_proxy_that_keeps_the_header(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(status=401, body={"code": "no_authorization", "message": "This endpoint requires a valid Bearer"})
    error = refusal(lambda: service.find(ADMIN), "401 no_authorization")
    assert "a proxy must pass on Authorization" in str(error)


# -------------------------------------------------------------------------
# Answers
# -------------------------------------------------------------------------


def test_a_path_without_the_service_is_no_absent_account(auth_server: AuthServer) -> None:
    with opened(auth_server, url=auth_server.bare_url + "/elsewhere") as service:
        error = refusal(lambda: service.find(ADMIN), "has nothing at http://.*/elsewhere/admin/users")
    assert "gotrue+" in str(error)


@pytest.mark.parametrize(
    "body", [b"<html>not found</html>", {"message": "no Route matched with those values"}, {"code": 404}, b"", [404]]
)
def test_only_the_service_itself_says_that_there_is_no_account(
    auth_server: AuthServer, service: AuthService, body: Any
) -> None:
    auth_server.fail(status=404, body=body)
    refusal(lambda: service.find(ADMIN), "has nothing at")


@pytest.mark.parametrize(
    "body",
    [
        {"code": 404, "error_code": "user_not_found", "msg": "User not found"},
        {"code": 404, "msg": "User not found"},
    ],
)
def test_older_forms_of_no_account(auth_server: AuthServer, service: AuthService, body: Any) -> None:
    auth_server.fail(status=404, body=body)
    assert service.find(ADMIN) is None


def test_the_older_form_of_every_error(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(on="POST", status=422, body={"code": 422, "error_code": "email_exists", "msg": "taken"})
    error = refusal(lambda: make(service), "says that the e-mail address is taken")
    assert isinstance(error, AuthRefused)
    assert (error.status, error.answer) == (422, "email_exists")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"code": "validation_failed", "message": "Bad Sort\nParameters"},
            "refuses .* validation_failed: Bad Sort",
        ),
        (403, b"<html>Attention required</html>", r"refuses looking for admin@example.com \(403\)"),
        (405, b"", r"refuses .* \(405\)"),
        (418, {"message": "tea"}, r"refuses .* \(418: tea\)"),
        (500, {"code": "unexpected_failure", "message": "x"}, r"fails \(500 unexpected_failure\) at looking for"),
        (500, b"oops", r"fails \(500\) at"),
        (501, {"message": ["x"]}, r"refuses .* \(501\)"),
        (404, {"code": "x" * 100}, "has nothing at"),
    ],
)
def test_any_other_refusal_is_told_and_not_tried_again(
    auth_server: AuthServer, service: AuthService, status: int, body: Any, expected: str
) -> None:
    auth_server.fail(times=9, status=status, body=body)
    error = refusal(lambda: service.find(ADMIN), expected)
    assert isinstance(error, AuthRefused)
    assert error.status == status
    assert len(auth_server.requests) == 1


def test_a_service_that_cannot_make_accounts(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(times=9, on="POST", status=500, body={"code": "unexpected_failure", "message": "x"})
    error = refusal(lambda: make(service), r"fails \(500 unexpected_failure\) at creating admin@example.com")
    assert "its log says why" in str(error)
    assert [request.method for request in auth_server.requests].count("POST") == 3


USER = {"id": account_id(ADMIN), "email": ADMIN, "user_metadata": {}, "app_metadata": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><title>Welcome to the Wi-Fi of this hotel</title>",
        b"",
        b"null",
        b"[]",
        b'"text"',
        b'{"users": []}',
        b"[" * 100_000,
        b'{"id": "' + account_id(ADMIN).encode() + b'", "email": "adm',
        {**USER, "id": 7},
        {**USER, "id": "seven"},
        {**USER, "banned_until": "soon"},
        {**USER, "user_metadata": ["x"]},
        {"user": {"id": None}},
    ],
    ids=lambda body: repr(body)[:30],
)
def test_an_answer_that_is_no_account(auth_server: AuthServer, service: AuthService, body: Any) -> None:
    auth_server.fail(status=200, body=body)
    error = refusal(lambda: service.find(ADMIN), "gives an answer for looking for .* none of Supabase Auth's")
    assert "check the URL" in str(error)
    assert len(auth_server.requests) == 1


@pytest.mark.parametrize("body", [b"<html>", {"users": None}, {"users": [1]}, [], {}, {"users": {"id": 1}}])
def test_an_answer_that_is_no_list(auth_server: AuthServer, service: AuthService, body: Any) -> None:
    auth_server.fail(path="/admin/users", status=200, body=body)
    refusal(lambda: service.find(ADMIN), "none of Supabase Auth's")


def test_an_account_may_stand_under_a_name(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(status=200, body={"user": USER})
    found = service.find(ADMIN)
    assert found is not None
    assert found.id == account_id(ADMIN)


def test_a_sign_in_without_a_session(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(path="/token", status=200, body=USER)
    refusal(lambda: service.opens(ADMIN, Secret(PASSWORD)), "none of Supabase Auth's")


def test_an_answer_without_an_end(
    auth_server: AuthServer, service: AuthService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_wire, "_MOST_BYTES", 1024 * 1024)
    auth_server.fail(status=200, body=b" " * 2 * 1024 * 1024)
    refusal(lambda: service.find(ADMIN), "more than 1 MB")


def test_an_answer_that_grows_when_it_is_unpacked(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(status=200, body=gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})
    refusal(lambda: service.find(ADMIN), "compresses its answers unasked")
    assert auth_server.requests[0].headers["accept-encoding"] == "identity"


def test_an_answer_that_is_cut_off(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(times=9, status=200, body=b'{"id"', headers={"Content-Length": "100", "Connection": "close"})
    refusal(lambda: service.find(ADMIN), "breaks off the connection", AuthUnreachable)


# -------------------------------------------------------------------------
# Redirects
# -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(
    auth_server: AuthServer, database: str, service: AuthService, status: int
) -> None:
    with AuthServer(database, schema="elsewhere") as other:
        target = other.origin.replace("//", "//me:canary@") + "/auth/v1/admin/users?apikey=canary#canary"
        for call in (
            lambda: service.find(ADMIN),
            lambda: service.update(account_id(ADMIN), unban=True),
            lambda: service.set_password(account_id(ADMIN), Secret(PASSWORD)),
            lambda: service.opens(ADMIN, Secret(PASSWORD)),
        ):
            auth_server.fail(status=status, headers={"Location": target})
            error = refusal(call, f"redirects to {other.origin}, which is not followed")
            assert "canary" not in str(error)
        auth_server.fail(on="POST", status=status, headers={"Location": target})
        refusal(lambda: make(service), f"redirects to {other.origin}")
        assert not other.requests
        assert other.users() == []


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/login", "another path"),
        ("", "another path"),
        ("http://[", "another address"),
        ("//x.example", "another path"),
    ],
)
def test_where_a_redirect_points(auth_server: AuthServer, service: AuthService, location: str, expected: str) -> None:
    auth_server.fail(status=302, headers={"Location": location})
    refusal(lambda: service.find(ADMIN), f"redirects to {expected}")


# -------------------------------------------------------------------------
# Trying again
# -------------------------------------------------------------------------


def test_too_many_requests(auth_server: AuthServer, service: AuthService, paused: list[float]) -> None:
    auth_server.fail(times=2, status=429, headers={"Retry-After": "7"})
    assert service.find(ADMIN) is None
    assert len(paused) == 2
    assert all(7 <= seconds < 8 for seconds in paused)


def test_too_many_requests_until_a_time(auth_server: AuthServer, service: AuthService, paused: list[float]) -> None:
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
    until = now + timedelta(seconds=9)
    clock = {"Date": format_datetime(now, usegmt=True), "Retry-After": format_datetime(until, usegmt=True)}
    auth_server.fail(status=429, headers=clock)
    assert service.find(ADMIN) is None
    assert len(paused) == 1
    assert 9 <= paused[0] < 10


def test_a_request_that_was_not_carried_out_is_made_again(
    auth_server: AuthServer, service: AuthService, paused: list[float]
) -> None:
    auth_server.fail(on="POST", times=2, status=429, headers={"Retry-After": "1"})
    make(service)
    assert len(paused) == 2
    assert len(auth_server.users()) == 1


def test_a_wait_that_is_too_long(auth_server: AuthServer, service: AuthService, paused: list[float]) -> None:
    auth_server.fail(times=9, status=429, headers={"Retry-After": "3600"})
    error = refusal(lambda: service.find(ADMIN), r"too many requests \(429\), and asks to wait 3600 s")
    assert "apply again later" in str(error)
    assert not paused


def test_waiting_has_a_limit(auth_server: AuthServer, paused: list[float]) -> None:
    auth_server.fail(times=99, status=429, headers={"Retry-After": "12"})
    with opened(auth_server, patience_s=30) as service:
        refusal(lambda: service.find(ADMIN), "429")
    assert len(paused) == 2
    assert sum(paused) <= 30


def test_too_many_requests_without_a_word(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(times=99, status=429, body=b"slow down")
    error = refusal(lambda: service.find(ADMIN), r"gets too many requests \(429\), for looking for")
    assert isinstance(error, AuthRefused)
    assert error.status == 429
    assert len(auth_server.requests) == 4


@pytest.mark.parametrize("status", [502, 503, 504, 520, 522, 530])
@pytest.mark.parametrize("body", [b"<html>", {"message": "upstream"}, b""])
def test_a_gateway_without_its_service(auth_server: AuthServer, service: AuthService, status: int, body: Any) -> None:
    auth_server.fail(times=2, status=status, body=body)
    assert service.find(ADMIN) is None
    auth_server.requests.clear()
    auth_server.fail(times=4, status=status, body=body)
    refusal(lambda: service.find(ADMIN), rf"is not there \({status} from the gateway\)", AuthUnreachable)
    assert len(auth_server.requests) == 4


@given(st.text() | st.integers().map(str) | st.datetimes().map(lambda at: format_datetime(at.replace(tzinfo=UTC))))
def test_whatever_retry_after_says(text: str) -> None:
    seconds = Answer(429, None, {"retry-after": text, "date": text}).retry_after_s
    assert seconds is None or 0 <= seconds <= 1e12


@given(st.integers(200, 599), st.binary(max_size=50) | st.just(b'{"code": 1}') | st.just(b'{"code": "X Y"}'))
def test_whatever_is_answered(status: int, content: bytes) -> None:
    answer = answer_of(status, content, {})
    assert answer.code is None
    assert answer.total is None


# -------------------------------------------------------------------------
# The network
# -------------------------------------------------------------------------


def unused_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def test_no_server(auth_server: AuthServer) -> None:
    with opened(auth_server, url=f"http://127.0.0.1:{unused_port()}") as service:
        error = refusal(lambda: service.find(ADMIN), "refuses connections, at looking for", AuthUnreachable)
        refusal(lambda: make(service), "refuses connections", AuthUnreachable)
    assert "check the URL and the network" in str(error)


def test_no_such_host(auth_server: AuthServer) -> None:
    with opened(auth_server, url="https://no-such-host.invalid") as service:
        refusal(lambda: service.find(ADMIN), "cannot be found", AuthUnreachable)


@pytest.mark.parametrize("on", ["GET", "POST", "PUT"])
def test_no_answer_in_time(auth_server: AuthServer, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_wire, "_ATTEMPTS", 2)
    with opened(auth_server, timeout_s=1) as service:
        auth_server.fail(times=99, on=on, hold=True)
        call = {
            "GET": lambda: service.find(ADMIN),
            "POST": lambda: make(service),
            "PUT": lambda: service.update(account_id(ADMIN), unban=True),
        }[on]
        refusal(call, "does not answer within 1 s", AuthUnreachable)


def test_a_connection_that_breaks(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.fail(times=2, drop=True)
    assert service.find(ADMIN) is None
    auth_server.fail(times=4, drop=True)
    refusal(lambda: service.find(ADMIN), "breaks off the connection", AuthUnreachable)


@contextmanager
def listening(talk: Callable[[socket.socket], object]) -> Iterator[int]:
    """A port where each that connects is talked to, one after another."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        talk(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)
    thread.join(60)


def test_an_answer_that_drips(auth_server: AuthServer) -> None:
    enough = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while not enough.wait(0.05):
            connection.sendall(b" ")

    with listening(drip) as port, opened(auth_server, url=f"http://127.0.0.1:{port}", timeout_s=1) as service:
        refusal(lambda: service.find(ADMIN), "does not answer within 1 s", AuthUnreachable)
        enough.set()


def test_something_that_is_no_http(auth_server: AuthServer) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

    with listening(talk) as port, opened(auth_server, url=f"http://127.0.0.1:{port}") as service:
        refusal(lambda: service.find(ADMIN), "breaks off the connection", AuthUnreachable)


# -------------------------------------------------------------------------
# TLS and proxies
# -------------------------------------------------------------------------


def certificate(folder: Path, host: str, *, ended: bool = False) -> Path:
    """A certificate that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    try:
        subject: x509.GeneralName = x509.IPAddress(ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=20))
        .not_valid_after(now + timedelta(days=-10 if ended else 10))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@contextmanager
def serving_tls(database: str, pem: Path) -> Iterator[AuthServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with AuthServer(database, schema="tls", tls=context) as server:
        yield server


def test_an_authority_of_ones_own(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with serving_tls(database, pem) as server, opened(server) as service:
        make(service)
        assert len(server.users()) == 1


@pytest.mark.parametrize(
    ("host", "ended", "trusted"),
    [("127.0.0.1", False, False), ("other.example", False, True), ("127.0.0.1", True, True)],
)
def test_a_certificate_that_proves_nothing(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, ended: bool, trusted: bool
) -> None:
    pem = certificate(tmp_path, host, ended=ended)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with serving_tls(database, pem) as server, opened(server) as service:
        # Refused, not unreachable: nobody is to fall back to another place since somebody is in between.
        refusal(lambda: service.find(ADMIN), "has a certificate that does not prove who it is")
        assert not server.requests


def test_a_server_without_tls(auth_server: AuthServer) -> None:
    with opened(auth_server, url=auth_server.url.replace("http:", "https:")) as service:
        refusal(lambda: service.find(ADMIN), "does not speak TLS as it should")
    assert not auth_server.requests


def test_the_key_goes_through_no_proxy_to_this_machine(
    auth_server: AuthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{unused_port()}")
    with opened(auth_server) as service:
        make(service)


def test_a_proxy_sees_a_tunnel_only(auth_server: AuthServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with listening(talk) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:canary-8823@127.0.0.1:{port}")
        with opened(auth_server, url="https://no-such-host.invalid") as service:
            error = refusal(
                lambda: service.find(ADMIN), "through the proxy that the environment names", AuthUnreachable
            )
    assert "canary" not in str(error)
    assert seen
    assert all(request.startswith(b"CONNECT no-such-host.invalid:443 ") for request in seen)
    assert not any(auth_server.key.encode() in request for request in seen)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "ht!tp://me:canary@x"),
        ("HTTPS_PROXY", "gopher://me:canary@x"),
        ("ALL_PROXY", "http://me:canary@x:port"),
        ("SSL_CERT_FILE", "/canary/missing.pem"),
    ],
)
def test_an_environment_that_does_not_fit(
    auth_server: AuthServer, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    error = refusal(lambda: opened(auth_server, url="https://no-such-host.invalid"), name, ConfigError)
    assert "canary" not in str(error)


# -------------------------------------------------------------------------
# The extra
# -------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["supabase_auth"] = None
from seedframe.accounts.auth_service import AuthService
from seedframe.errors import ConfigError
from seedframe.secrets import Secret
assert "httpx" not in sys.modules and "pydantic" not in sys.modules
try:
    AuthService(url="https://x.example", key=Secret("sb_secret_x"))
except ConfigError as error:
    print(error)
"""


def test_without_the_extra() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == (
        "accounts at Supabase Auth need a package that is not installed: supabase_auth"
        ' (pip install "seedframe[supabase]")\n'
    )
    assert done.stderr == ""


# -------------------------------------------------------------------------
# No secret anywhere
# -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 400, "body": "echo"},
        {"status": 500, "body": "echo"},
        {"status": 403, "body": {"code": "bad_jwt", "message": "x"}},
        {"status": 200, "body": b"<html>"},
        {"status": 302, "headers": {"Location": "https://x.example"}},
        GATEWAY,
        {"drop": True},
    ],
    ids=["400", "500", "403", "html", "redirect", "gateway", "drop"],
)
def test_no_error_and_no_log_has_a_secret(
    auth_server: AuthServer, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    key = auth_server.key
    secrets = [key, HASH, PASSWORD, key.rpartition(".")[2]]
    caplog.set_level(logging.DEBUG)
    logged: list[str] = []
    sink = logger.add(lambda message: logged.append(str(message)), level="TRACE", backtrace=True, diagnose=False)
    logger.enable("seedframe")
    texts: list[str] = []
    try:
        with one_command(), opened(auth_server) as service:
            make(service)
            other = {"email": "b@example.com", "user_metadata": {}, "app_metadata": {}}
            calls: list[tuple[str, str, Callable[[], object]]] = [
                ("GET", key, lambda: service.find(ADMIN)),
                ("POST", HASH, lambda: service.create(password_hash=HASH, **other)),  # type: ignore[arg-type]
                ("PUT", key, lambda: service.update(account_id(ADMIN), unban=True)),
                ("PUT", PASSWORD, lambda: service.set_password(account_id(ADMIN), Secret(PASSWORD))),
                ("POST", PASSWORD, lambda: service.opens(ADMIN, Secret(PASSWORD))),
            ]
            for method, sent, call in calls:
                said = {"code": "validation_failed", "message": f"what came was {sent}, Bearer {key}"}
                echoed = {**fault, "body": said} if fault.get("body") == "echo" else fault
                auth_server.fail(times=99, on=method, **echoed)
                with pytest.raises((AuthRefused, AuthUnreachable)) as caught:
                    call()
                auth_server.forgive()
                logger.opt(exception=caught.value).error("failed")
                texts += [str(caught.value), repr(caught.value), repr(service), told(caught.value)]
    finally:
        logger.remove(sink)
        logger.disable("seedframe")
    for text in [*texts, *logged, caplog.text]:
        for secret in secrets:
            assert secret not in text
    assert "httpx" not in caplog.text
    assert masked(key) == key  # no longer masked, since it is forgotten


def told(error: BaseException) -> str:
    """The traceback with the variables of every frame of seedframe's own."""
    assert error.__traceback__ is not None
    trace = error.__traceback__
    while trace.tb_next is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return "".join(TracebackException(type(error), error, trace, capture_locals=True).format())


def test_the_url_of_requests_is_in_no_log(
    auth_server: AuthServer, service: AuthService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make(service)
    logging.getLogger("httpx").info("of the application")
    assert ADMIN not in caplog.text
    assert "of the application" in caplog.text


def test_a_sign_in_leaves_nothing_in_a_log(
    auth_server: AuthServer, service: AuthService, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    make(service)
    auth_server.fail(path="/logout", status=500)
    assert service.opens(ADMIN, Secret(PASSWORD)) is True
    assert PASSWORD not in caplog.text
    assert "eyJ" not in caplog.text


def test_metadata_is_not_shown(auth_server: AuthServer, service: AuthService) -> None:
    auth_server.add(ADMIN, raw_user_meta_data=json.dumps({"note": "canary"}))
    found = service.find(ADMIN)
    assert found is not None
    assert found.user_metadata == {"note": "canary"}
    assert "canary" not in repr(found)
    assert "canary" in repr(shown(auth_server.users()[0]))
