"""Requests to Supabase Auth through its official client: bounded in time and size, tried again, never redirected.

Imported where it is needed only, since the client is an extra (`seedframe[supabase]`).
"""

import logging
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx
from supabase_auth import SyncGoTrueAdminAPI, SyncGoTrueClient

from seedframe.accounts.auth_address import AuthAddress
from seedframe.accounts.auth_answers import Answer, answer_of, meaning
from seedframe.errors import AuthRefused, AuthUnreachable, ConfigError, SeedError
from seedframe.secrets import Secret

API_VERSION: Final = "2024-01-01"
"""With which errors are `{"code": …, "message": …}`."""

_ATTEMPTS: Final = 4
_FIRST_PAUSE_S: Final = 0.25
# A page of 1,000 users with a lot of metadata each; more than that is no list of users.
_MOST_BYTES: Final = 64 * 1024 * 1024
_LOGGERS: Final = (
    "httpx",
    *(f"httpcore.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")),
)


class _Stop(Exception):
    """Ends a request from within; carries what is to be told."""

    def __init__(self, problem: SeedError) -> None:
        super().__init__()
        self.problem = problem


class Failure:
    """Why one attempt came to nothing.

    Attributes:
        error: what to tell if nobody tries again.
        again: the same request may go through.
        unclear: the service may have carried it out all the same.
        after_s: how many seconds the service asks to wait.
    """

    __slots__ = ("after_s", "again", "error", "unclear")

    def __init__(
        self, error: SeedError, *, again: bool = False, unclear: bool = False, after_s: float | None = None
    ) -> None:
        self.error = error
        self.again = again
        self.unclear = unclear
        self.after_s = after_s


class Wire:
    """One connection to the service: the official client over an HTTP client of our own.

    Environment variables for proxies count off loopback only, so that the key reaches no proxy in plain text.
    """

    def __init__(self, address: AuthAddress, key: Secret, *, timeout_s: float, patience_s: float) -> None:
        """Opens nothing yet. Errors: ConfigError where a variable for proxies or certificates does not fit."""
        self._address = address
        self._key = key
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._answered: list[httpx.Response] = []
        self._http = _client(address, timeout_s, self._judge)
        headers = {
            "apikey": key.reveal(),
            "Authorization": f"Bearer {key.reveal()}",
            "X-Supabase-Api-Version": API_VERSION,
        }
        self.admin = SyncGoTrueAdminAPI(url=address.base, headers=headers, http_client=self._http)  # type: ignore[arg-type, unused-ignore]
        self._headers = headers

    def __repr__(self) -> str:
        return f"Wire({self._address.origin!r})"

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def visitor(self) -> SyncGoTrueClient:
        """The official client for signing in; it keeps no session and refreshes none."""
        return SyncGoTrueClient(
            url=self._address.base,
            headers=dict(self._headers),
            auto_refresh_token=False,
            persist_session=False,
            http_client=self._http,  # type: ignore[arg-type, unused-ignore]
        )

    @contextmanager
    def filtered(self, text: str) -> Iterator[None]:
        """Lists are of users whose e-mail address has this text in it; the client has no argument for that."""
        self._http.params = httpx.QueryParams(filter=text)
        try:
            yield
        finally:
            self._http.params = httpx.QueryParams()

    def ask(self, doing: str, call: Callable[[], object], *accepted: str) -> Answer:
        """Make a request that may be repeated, until there is an answer, or no sense in going on.

        Args:
            doing: what it is for, for messages.
            call: of the official client.
            accepted: the service's codes for what is wrong that are answers too.

        Errors: AuthUnreachable, AuthRefused. Neither carries the request.
        """
        outcome = self.attempt(doing, call, *accepted, repeat_unclear=True)
        if isinstance(outcome, Failure):
            raise outcome.error
        return outcome

    def attempt(
        self, doing: str, call: Callable[[], object], *accepted: str, repeat_unclear: bool = False
    ) -> Answer | Failure:
        """As `ask`; an attempt that may have been carried out is repeated only if that is asked for."""
        left_s = self._patience_s
        pause_s = _FIRST_PAUSE_S
        for number in range(1, _ATTEMPTS + 1):
            outcome = self._once(doing, call, accepted)
            if isinstance(outcome, Answer) or not outcome.again or (outcome.unclear and not repeat_unclear):
                return outcome
            # Never sooner than asked, and not all at the same moment.
            wait_s = max(outcome.after_s or 0.0, pause_s) + random.uniform(0, pause_s)  # noqa: S311 - no secret
            if number == _ATTEMPTS or wait_s > left_s:
                break
            _sleep(wait_s)
            left_s -= wait_s
            pause_s *= 2
        return outcome

    def unfit(self, answer: Answer, doing: str) -> SeedError:
        """The error for an answer whose body is not what was asked for."""
        return meaning(answer, doing, self._address, self._key)

    def _once(self, doing: str, call: Callable[[], object], accepted: tuple[str, ...]) -> Answer | Failure:
        # Nothing is raised within the `except` blocks: the client's errors carry the request with the key in it, and
        # would go along as the context.
        self._answered.clear()
        network: httpx.RequestError | None = None
        raised = ""
        try:
            with _quiet():
                call()
        except _Stop as stop:
            return Failure(stop.problem)
        except Exception as error:  # noqa: BLE001 - what came over the wire is judged here, not what the client makes of it
            raised = type(error).__name__
            network = next((cause for cause in _causes(error) if isinstance(cause, httpx.RequestError)), None)
        if network is not None:
            return self._silence(network, doing)
        response = self._answered[-1] if self._answered else None
        if response is None or not response.is_closed:
            return Failure(AuthRefused(f"the client of Supabase Auth fails at {doing}: {raised or 'nothing sent'}"))
        answer = answer_of(response.status_code, response.content, _lower(response.headers))
        if response.is_success or (answer.code is not None and answer.code in accepted):
            return answer
        refusal = meaning(answer, doing, self._address, self._key)
        return Failure(
            refusal,
            again=answer.overloaded or answer.absent,
            unclear=answer.absent or answer.status >= 500,
            after_s=answer.retry_after_s,
        )

    def _judge(self, response: httpx.Response) -> None:
        """Called by the HTTP client when the headers are there, before the body is read."""
        where = f"Supabase Auth at {self._address.origin}"
        if 300 <= response.status_code < 400:
            target = _origin(response.headers.get("location", ""))
            raise _Stop(
                _refused(
                    f"{where} redirects to {target}, which is not followed: the key would go along",
                    "give the URL that it has moved to, if that is right",
                    response.status_code,
                )
            )
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _Stop(
                _refused(f"{where} compresses its answers unasked", "look at the gateway", response.status_code)
            )
        too_long = _refused(
            f"{where} gives an answer of more than {_MOST_BYTES // 1024**2} MB",
            "look at what answers there",
            response.status_code,
        )
        if not isinstance(response.stream, httpx.SyncByteStream):
            raise TypeError("a stream of another kind")
        response.stream = _Bounded(response.stream, time.monotonic() + self._timeout_s, _Stop(too_long))
        self._answered.append(response)

    def _silence(self, error: httpx.RequestError, doing: str) -> Failure:
        """There is no answer, or half of one: why, and whether it can be hoped for."""
        where = f"Supabase Auth at {self._address.origin}"
        root = next((cause for cause in _causes(error) if isinstance(cause, OSError)), None)
        sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError)
        hint = "check the URL and the network, or apply again when it runs"
        if isinstance(root, ssl.SSLCertVerificationError):
            return Failure(
                AuthRefused(
                    f"{where} has a certificate that does not prove who it is ({root.verify_message})",
                    hint="have it mended; for an authority of your own, name its file in SSL_CERT_FILE",
                )
            )
        if isinstance(root, ssl.SSLError):
            reason = (root.reason or "no reason given").lower().replace("_", " ")
            if not sent:
                return Failure(AuthRefused(f"{where} does not speak TLS as it should ({reason})", hint=hint))
            why = "breaks off the connection"
        elif isinstance(error, httpx.TimeoutException):
            why = f"does not answer within {self._timeout_s:g} s"
        elif isinstance(root, socket.gaierror):
            why = "cannot be found: its host's name is not known"
        elif isinstance(error, httpx.ProxyError):
            why = "cannot be reached through the proxy that the environment names"
        elif isinstance(root, ConnectionRefusedError):
            why = "refuses connections"
        elif not sent:
            why = f"cannot be reached ({os.strerror(root.errno)})" if root and root.errno else "cannot be reached"
        else:
            why = "breaks off the connection"
        return Failure(AuthUnreachable(f"{where} {why}, at {doing}", hint=hint), again=True, unclear=sent)


class _Bounded(httpx.SyncByteStream):
    """A body that ends in an error when it is too long, or when it drips for too long."""

    def __init__(self, stream: httpx.SyncByteStream, deadline: float, too_long: _Stop) -> None:
        self._stream = stream
        self._deadline = deadline
        self._too_long = too_long

    def __iter__(self) -> Iterator[bytes]:
        read = 0
        for chunk in self._stream:
            read += len(chunk)
            if read > _MOST_BYTES:
                raise self._too_long
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer takes too long")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _client(address: AuthAddress, timeout_s: float, judge: Callable[[httpx.Response], None]) -> httpx.Client:
    problem: ConfigError
    try:
        return httpx.Client(
            timeout=timeout_s,
            follow_redirects=False,
            trust_env=not address.loopback,
            verify=httpx.create_ssl_context(),
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [judge]},
        )
    except OSError:  # ssl.SSLError is one
        problem = ConfigError(
            "SSL_CERT_FILE or SSL_CERT_DIR names no certificates", hint="unset it, or name a PEM file"
        )
    except (ImportError, ValueError, httpx.InvalidURL):
        # Not told why: the address of a proxy may carry a password.
        problem = ConfigError(
            "HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names no proxy that can be used for Supabase Auth",
            hint="give http://HOST:PORT, or unset it",
        )
    raise problem


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _refused(message: str, hint: str, status: int) -> AuthRefused:
    error = AuthRefused(message, hint=hint)
    error.status = status
    return error


def _origin(location: str) -> str:
    """Scheme, host and port of where a redirect points; nothing else of it, which may be a secret."""
    try:
        parts = urlsplit(location)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "another address"
    if not parts.scheme or not host or not host.isascii():
        return "another path"
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")


def _lower(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the HTTP client logs in this thread out of every log: addresses of requests name people."""
    thread = threading.get_ident()

    def elsewhere(record: logging.LogRecord) -> bool:
        return record.thread != thread

    for name in _LOGGERS:
        logging.getLogger(name).addFilter(elsewhere)
    try:
        yield
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(elsewhere)
