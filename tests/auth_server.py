"""A contract replay of Supabase Auth on loopback; what passes against it was not tested on Supabase.

It answers as supabase/auth 2.196 does by its source (`internal/api/admin.go`, `token.go`, `pagination.go`,
`errors.go`), keeps its users in a real table of the test's database, and fails when it is told to. Below `/auth/v1`
it is a hosted project, whose gateway looks at the apikey and takes `sb_secret_…`; at `/` it is the server itself.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import bcrypt
import psycopg
from psycopg.rows import dict_row

_TABLES = """
create schema if not exists {schema};
create table if not exists {schema}.users (
    id uuid primary key, aud text not null default 'authenticated', role text not null default 'authenticated',
    email text, encrypted_password text, email_confirmed_at timestamptz, is_sso_user boolean not null default false,
    raw_app_meta_data jsonb, raw_user_meta_data jsonb, created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(), last_sign_in_at timestamptz, banned_until timestamptz,
    deleted_at timestamptz, is_anonymous boolean not null default false
);
create unique index if not exists users_email_partial_key on {schema}.users (email) where not is_sso_user;
create table if not exists {schema}.sessions (
    id uuid primary key, user_id uuid not null references {schema}.users on delete cascade
);
"""
_HOSTED = "/auth/v1"
_GIVEN_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Its body."""
        return json.loads(self.body)


@dataclass(slots=True)
class Fault:
    """What is to go wrong with the next requests that it is for; see `AuthServer.fail`."""

    on: str | None
    path: str | None
    left: int
    status: int | None
    headers: Mapping[str, str]
    body: bytes
    work: bool
    hold: bool
    drop: bool
    before: Callable[[], object] | None

    def is_for(self, request: Request) -> bool:
        return self.left > 0 and self.on in (None, request.method) and request.path.endswith(self.path or "")


class _Refusal(Exception):
    """An error of the service."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.more = more


class AuthServer:
    """Listens on loopback until it is closed.

    Attributes:
        requests: all that came, in their order.
        cost: of bcrypt, for passwords that come as they are; the real one's is 10, which takes its time.
        most_per_page: the most users that a page has, whatever is asked for.
        shortest_password, required_characters: what is weak when it is changed, and at signing in.
        closed_to_email: signing in by e-mail address and password is switched off.
        between_pages: called after each page of a list was read, with its number.
    """

    def __init__(
        self,
        database: str,
        *,
        schema: str = "auth_replay",
        secret: str = "replay-secret-of-32-characters!!",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Make the tables where they are missing, and listen."""
        self.requests: list[Request] = []
        self.cost = 4
        self.most_per_page: int | None = None
        self.shortest_password = 6
        self.required_characters: Sequence[str] = ()
        self.closed_to_email = False
        self.between_pages: Callable[[int], object] | None = None
        self.show_total = True
        self.secret = secret
        self.secret_key = "sb_secret_" + hashlib.sha256(secret.encode()).hexdigest()[:32]
        self._database = database
        self._schema = schema
        self.connections: set[socket.socket] = set()
        self._faults: list[Fault] = []
        self._races: list[Callable[[], object]] = []
        self._lock = threading.Lock()
        self.sql(_TABLES)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = False  # so that server_close() waits for what they have open
        self._scheme = "http" if tls is None else "https"
        if tls is not None:
            self._http.socket = tls.wrap_socket(self._http.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def __enter__(self) -> "AuthServer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        with self._lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()
        self._thread.join()

    # ---------------------------------------------------------------------
    # For tests
    # ---------------------------------------------------------------------

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self._scheme}://127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        """The project's URL, as its owner knows it."""
        return self.origin

    @property
    def bare_url(self) -> str:
        """The URL of the server itself, without a gateway, as seedframe is given it."""
        return f"gotrue+{self.origin}"

    @property
    def key(self) -> str:
        """The service_role key."""
        return self.token("service_role")

    def token(self, role: str, **claims: Any) -> str:
        """A JWT with a role, signed by this server's secret."""
        return signed({"iss": "supabase", "role": role, **claims}, self.secret)

    def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """SQL in the test's database; `{schema}` is this server's."""
        with psycopg.connect(self._database, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(query.replace("{schema}", self._schema).encode(), values or None)
            return cursor.fetchall() if cursor.description is not None else []

    def users(self) -> list[dict[str, Any]]:
        """The rows of all users, oldest first."""
        return self.sql("select * from {schema}.users order by created_at, id")

    def sessions(self) -> int:
        """How many are signed in."""
        return int(self.sql("select count(*) as n from {schema}.sessions")[0]["n"])

    def add(self, email: str | None, **columns: Any) -> str:
        """Put a user into the table, past the service; its id."""
        row: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "email": email,
            "raw_app_meta_data": '{"provider": "email", "providers": ["email"]}',
            "raw_user_meta_data": "{}",
            "email_confirmed_at": datetime.now(UTC),
            **columns,
        }
        names = ", ".join(row)
        self.sql(f"insert into {{schema}}.users ({names}) values ({', '.join(['%s'] * len(row))})", *row.values())
        return str(row["id"])

    def add_many(self, number: int) -> None:
        """Put this many other users into the table, all made at the same moment."""
        self.sql(
            "insert into {schema}.users (id, email, raw_app_meta_data, raw_user_meta_data, created_at)"
            " select gen_random_uuid(), 'user' || n || '@example.org', '{}', '{}', now() from generate_series(1, %s) n",
            number,
        )

    def fail(
        self,
        *,
        times: int = 1,
        on: str | None = None,
        path: str | None = None,
        status: int | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | Mapping[str, Any] | None = None,
        work: bool = False,
        hold: bool = False,
        drop: bool = False,
        before: Callable[[], object] | None = None,
    ) -> None:
        """Let the next requests fail.

        Args:
            times: how many.
            on: their method; None for any.
            path: what their path ends with.
            status, headers, body: the answer instead of the service's; JSON where the body is a mapping.
            work: do what is asked for all the same, before the answer fails.
            hold: give no answer until the client hangs up; what is asked for is done (with `work`) before that.
            drop: hang up instead of answering.
            before: called first, as in a race; without anything else the request is answered as always.
        """
        raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        shape = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
        fault = Fault(on, path, times, status, {**shape, **(headers or {})}, raw, work, hold, drop, before)
        with self._lock:
            self._faults.append(fault)

    def forgive(self) -> None:
        """No more failures."""
        with self._lock:
            self._faults.clear()

    def race(self, before: Callable[[], object]) -> None:
        """Call this within the next POST, after its look at who is there, and before it inserts."""
        self._races.append(before)

    # ---------------------------------------------------------------------
    # The service
    # ---------------------------------------------------------------------

    def fault_for(self, request: Request) -> Fault | None:
        """The first that is for it, used up by one."""
        with self._lock:
            self.requests.append(request)
            fault = next((fault for fault in self._faults if fault.is_for(request)), None)
            if fault is not None:
                fault.left -= 1
            return fault

    def answer(self, request: Request) -> "Reply":
        """What the service answers, in the form of errors that the request asks for."""
        newer = request.headers.get("x-supabase-api-version", "") >= "2024-01-01"
        version = {"X-Supabase-Api-Version": "2024-01-01"} if newer else {}
        try:
            return self._route(request)
        except _Refusal as refusal:
            if newer:
                body = {"code": refusal.code, "message": refusal.message, **refusal.more}
            else:
                body = {"code": refusal.status, "error_code": refusal.code, "msg": refusal.message, **refusal.more}
            return Reply(refusal.status, body, {**version, "x-sb-error-code": refusal.code})

    def _route(self, request: Request) -> "Reply":
        hosted = request.path.startswith(_HOSTED + "/")
        path = request.path.removeprefix(_HOSTED) if hosted else request.path
        if hosted and request.headers.get("apikey") not in (self.key, self.secret_key):
            return Reply(401, {"message": "Invalid API key"})
        known = {"/token": self._token, "/logout": self._log_out, "/admin/users": self._users}
        if path.startswith("/admin/users/"):
            self._authorize(request, hosted=hosted)
            return self._one_user(request, path.removeprefix("/admin/users/"))
        if path not in known:
            return Reply(404, None, body=b"404 page not found\n")
        if path == "/admin/users":
            self._authorize(request, hosted=hosted)
        return known[path](request)

    def _authorize(self, request: Request, *, hosted: bool) -> None:
        claims = self._claims(request, hosted=hosted)
        if claims.get("role") not in ("service_role", "supabase_admin"):
            raise _Refusal(403, "not_admin", "User not allowed")

    def _claims(self, request: Request, *, hosted: bool) -> dict[str, Any]:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _Refusal(401, "no_authorization", "This endpoint requires a valid Bearer token")
        if hosted and token == self.secret_key:
            return {"role": "service_role"}
        claims = verified(token, self.secret)
        if claims is None:
            raise _Refusal(
                403, "bad_jwt", f"invalid JWT: unable to parse or verify signature, token {token} is invalid"
            )
        return claims

    def _users(self, request: Request) -> "Reply":
        return self._list(request) if request.method == "GET" else self._create(request)

    def _list(self, request: Request) -> "Reply":
        try:
            page, per_page = int(request.query.get("page", "1")), int(request.query.get("per_page", "50"))
        except ValueError as error:
            raise _Refusal(400, "validation_failed", f"Bad Pagination Parameters: {error}") from error
        size = min(per_page, self.most_per_page or per_page)
        like = f"%{request.query['filter']}%" if request.query.get("filter") else "%"
        where = "aud = 'authenticated' and (coalesce(email, '') like %s or raw_user_meta_data->>'full_name' ilike %s)"
        total = int(self.sql(f"select count(*) as n from {{schema}}.users where {where}", like, like)[0]["n"])
        rows = self.sql(
            f"select * from {{schema}}.users where {where} order by created_at desc, id limit %s offset %s",
            like,
            like,
            size,
            (page - 1) * size,
        )
        last = -(-total // size)
        links = [(page + 1, "next")] if last > page else []
        link = ", ".join(
            f'<{request.path}?{urlencode({**request.query, "page": number})}>; rel="{rel}"'
            for number, rel in [*links, (last, "last")]
        )
        headers = {"Link": link} | ({"X-Total-Count": str(total)} if self.show_total else {})
        if self.between_pages is not None:
            self.between_pages(page)
        return Reply(200, {"users": [shown(row) for row in rows], "aud": "authenticated"}, headers)

    def _create(self, request: Request) -> "Reply":
        params = _params(request)
        email = params.get("email") or ""
        if not email:
            raise _Refusal(400, "validation_failed", "Cannot create a user without either an email or phone")
        email = _valid_email(email)
        if self.sql("select 1 from {schema}.users where lower(email) = %s and not is_sso_user", email):
            raise _Refusal(422, "email_exists", "A user with this email address has already been registered")
        password, hashed = params.get("password"), params.get("password_hash") or ""
        if password is not None and hashed:
            raise _Refusal(400, "validation_failed", "Only a password or a password hash should be provided")
        if not hashed:
            hashed = self._hash(password or uuid.uuid4().hex)
        elif not hashed.startswith("$2") or len(hashed) != 60:
            raise _Refusal(500, "unexpected_failure", "Error creating user")
        try:
            own = uuid.UUID(params["id"]) if params.get("id") else uuid.uuid4()
        except ValueError as error:
            raise _Refusal(400, "validation_failed", "ID must conform to the uuid v4 format") from error
        app = _merged({"provider": "email", "providers": ["email"]}, params.get("app_metadata"))
        user = params.get("user_metadata")
        values = {
            "id": own,
            "email": email,
            "role": params.get("role") or "authenticated",
            "encrypted_password": hashed,
            "raw_app_meta_data": json.dumps(app),
            "raw_user_meta_data": json.dumps(user),
            "email_confirmed_at": datetime.now(UTC) if params.get("email_confirm") else None,
            "banned_until": _ban(params.get("ban_duration")),
        }
        if self._races:
            self._races.pop(0)()
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        try:
            row = self.sql(f"insert into {{schema}}.users ({names}) values ({marks}) returning *", *values.values())[0]
        except psycopg.Error as error:
            raise _Refusal(500, "unexpected_failure", "Database error creating new user") from error
        return Reply(200, shown(row))

    def _one_user(self, request: Request, name: str) -> "Reply":
        try:
            own = uuid.UUID(name)
        except ValueError as error:
            raise _Refusal(404, "validation_failed", "user_id must be an UUID") from error
        rows = self.sql("select * from {schema}.users where id = %s", own)
        if not rows:
            raise _Refusal(404, "user_not_found", "User not found")
        if request.method == "GET":
            return Reply(200, shown(rows[0]))
        if request.method == "PUT":
            return Reply(200, shown(self._update(rows[0], _params(request))))
        return Reply(405, None)

    def _update(self, row: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        if params.get("email"):
            values["email"] = _valid_email(params["email"])
        if params.get("password") is not None:
            self._check_strength(params["password"])
            values["encrypted_password"] = self._hash(params["password"]) if params["password"] else None
        if params.get("role"):
            values["role"] = params["role"].strip()
        if params.get("email_confirm"):
            values["email_confirmed_at"] = datetime.now(UTC)
        for name, column in (("app_metadata", "raw_app_meta_data"), ("user_metadata", "raw_user_meta_data")):
            if params.get(name) is not None:
                values[column] = json.dumps(_merged(row[column], params[name]))
        if params.get("ban_duration"):
            values["banned_until"] = _ban(params["ban_duration"])
        if not values:
            return row
        changes = ", ".join(f"{name} = %s" for name in values)
        try:
            return self.sql(
                f"update {{schema}}.users set {changes}, updated_at = clock_timestamp() where id = %s returning *",
                *values.values(),
                row["id"],
            )[0]
        except psycopg.Error as error:
            raise _Refusal(500, "unexpected_failure", "Error updating user") from error

    def _token(self, request: Request) -> "Reply":
        if request.query.get("grant_type") != "password":
            raise _Refusal(400, "invalid_credentials", "unsupported_grant_type")
        if self.closed_to_email:
            raise _Refusal(422, "email_provider_disabled", "Email logins are disabled")
        params = _params(request)
        wrong = _Refusal(400, "invalid_credentials", "Invalid login credentials")
        rows = self.sql(
            "select * from {schema}.users where lower(email) = lower(%s) and not is_sso_user", params.get("email")
        )
        if not rows or not rows[0]["encrypted_password"]:
            raise wrong
        row = rows[0]
        if row["banned_until"] is not None and row["banned_until"] > datetime.now(UTC):
            raise _Refusal(400, "user_banned", "User is banned")
        given = params.get("password", "").encode()
        if len(given) > 72 or not bcrypt.checkpw(given, row["encrypted_password"].encode()):
            raise wrong
        if row["email_confirmed_at"] is None:
            raise _Refusal(400, "email_not_confirmed", "Email not confirmed")
        session = uuid.uuid4()
        self.sql("insert into {schema}.sessions values (%s, %s)", session, row["id"])
        self.sql("update {schema}.users set last_sign_in_at = clock_timestamp() where id = %s", row["id"])
        claims = {"sub": str(row["id"]), "session_id": str(session), "exp": int(time.time()) + 3600}
        body = {
            "access_token": self.token("authenticated", **claims),
            "token_type": "bearer",
            "expires_in": 3600,
            "expires_at": int(time.time()) + 3600,
            "refresh_token": uuid.uuid4().hex[:12],
            "user": shown(row),
        }
        return Reply(200, body)

    def _log_out(self, request: Request) -> "Reply":
        claims = self._claims(request, hosted=False)
        if "sub" not in claims:
            raise _Refusal(403, "bad_jwt", "invalid claim: missing sub claim")
        one = request.query.get("scope") == "local"
        self.sql(
            f"delete from {{schema}}.sessions where {'id' if one else 'user_id'} = %s",
            claims["session_id"] if one else claims["sub"],
        )
        return Reply(204, None, body=b"")

    def _hash(self, password: str) -> str:
        encoded = password.encode()
        if len(encoded) > 72:
            raise _Refusal(500, "unexpected_failure", "Internal Server Error")
        return bcrypt.hashpw(encoded, bcrypt.gensalt(self.cost)).decode()

    def _check_strength(self, password: str) -> None:
        if len(password.encode()) > 72:
            raise _Refusal(400, "validation_failed", "Password cannot be longer than 72 characters")
        reasons = ["length"] if len(password.encode()) < self.shortest_password else []
        if any(not set(kind) & set(password) for kind in self.required_characters):
            reasons.append("characters")
        if reasons:
            raise _Refusal(422, "weak_password", "Password is too weak.", weak_password={"reasons": reasons})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; its body is JSON unless `body` is given."""

    status: int
    document: Any
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def signed(claims: Mapping[str, Any], secret: str) -> str:
    """A JWT, by HS256."""
    parts = [_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, dict(claims))]
    text = ".".join(parts)
    return f"{text}.{_base64(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def verified(token: str, secret: str) -> dict[str, Any] | None:
    """The claims of a JWT; None where another secret signed it, or its time is over."""
    head, _, signature = token.rpartition(".")
    expected = _base64(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())
    if not hmac.compare_digest(expected, signature):
        return None
    payload = head.partition(".")[2]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return None if claims.get("exp", float("inf")) <= time.time() else claims


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A user as the service shows it: times that are not set are left out."""
    times = ("email_confirmed_at", "last_sign_in_at", "banned_until", "deleted_at")
    return {
        "id": str(row["id"]),
        "aud": row["aud"],
        "role": row["role"],
        "email": row["email"] or "",
        "phone": "",
        **{name: _rfc3339(row[name]) for name in times if row[name] is not None},
        **({"confirmed_at": _rfc3339(row["email_confirmed_at"])} if row["email_confirmed_at"] else {}),
        "app_metadata": row["raw_app_meta_data"],
        "user_metadata": row["raw_user_meta_data"],
        "identities": [],
        "created_at": _rfc3339(row["created_at"]),
        "updated_at": _rfc3339(row["updated_at"]),
        "is_anonymous": row["is_anonymous"],
    }


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _merged(there: Mapping[str, Any] | None, updates: Mapping[str, Any] | None) -> dict[str, Any]:
    if there is None:
        return dict(updates or {})
    both = {**there, **(updates or {})}
    return {name: value for name, value in both.items() if value is not None or name not in (updates or {})}


def _params(request: Request) -> dict[str, Any]:
    try:
        params = json.loads(request.body)
    except ValueError as error:
        raise _Refusal(400, "bad_json", f"Could not parse request body as JSON: {error}") from error
    if not isinstance(params, dict):
        raise _Refusal(400, "bad_json", "Could not parse request body as JSON")
    return params


def _valid_email(email: str) -> str:
    if len(email.encode()) > 255:
        raise _Refusal(400, "validation_failed", "An email address is too long")
    name, _, domain = email.rpartition("@")
    if not name or not domain or not email.isascii():
        raise _Refusal(400, "validation_failed", "Unable to validate email address: invalid format")
    return email.lower()


def _ban(duration: str | None) -> datetime | None:
    if not duration or duration == "none":
        return None
    if not duration.endswith("h") or not duration[:-1].isdigit():
        raise _Refusal(400, "validation_failed", "invalid format for ban duration")
    return datetime.now(UTC) + timedelta(hours=int(duration[:-1]))


def _handler(server: AuthServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = _GIVEN_UP_S

        def setup(self) -> None:
            super().setup()
            server.connections.add(self.connection)

        def finish(self) -> None:
            server.connections.discard(self.connection)
            with contextlib.suppress(OSError):
                super().finish()

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def do_DELETE(self) -> None:
            self._serve()

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(self.command, parts.path, query, headers, body)
            fault = server.fault_for(request)
            if fault is None:
                self._reply(server.answer(request))
                return
            if fault.before is not None:
                fault.before()
            reply = None
            if fault.work or (fault.status is None and not fault.hold and not fault.drop):
                reply = server.answer(request)
            if fault.hold or fault.drop:
                if fault.hold:
                    self._until_the_client_hangs_up()
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
            elif fault.status is not None:
                self._reply(Reply(fault.status, None, fault.headers, fault.body))
            elif reply is not None:
                self._reply(reply)

        def _until_the_client_hangs_up(self) -> None:
            with contextlib.suppress(OSError):
                self.connection.recv(1)

        def _reply(self, reply: Reply) -> None:
            raw = json.dumps(reply.document).encode() if reply.body is None else reply.body
            shape = {"Content-Type": "application/json"} if reply.body is None else {}
            headers = {**shape, **reply.headers}
            with contextlib.suppress(OSError):
                self.send_response_only(reply.status)
                if "Date" not in headers:
                    self.send_header("Date", self.date_time_string())
                for name, value in headers.items():
                    self.send_header(name, value)
                if reply.status != 204 and "Transfer-Encoding" not in headers and "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

        def log_message(self, *args: Any) -> None:
            """Nothing: no request is told to anybody."""

    return Handler


@contextlib.contextmanager
def serving(database: str, **options: Any) -> Iterator[AuthServer]:
    """A server with its users in this database, closed at the end."""
    with AuthServer(database, **options) as server:
        yield server
