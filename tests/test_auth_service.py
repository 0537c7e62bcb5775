"""AuthService against the contract replay, through the official client: found, made once, kept in step."""

import json
import subprocess
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bcrypt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedframe.accounts import auth_wire
from seedframe.accounts.auth_service import AuthService, AuthUser, account_id
from seedframe.errors import AuthRefused, BadData
from seedframe.secrets import Secret
from tests.auth_server import AuthServer, Request

ADMIN = "admin@example.com"
PASSWORD = "correct horse battery canary-7731"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(auth_wire, "_FIRST_PAUSE_S", 0.01)


@pytest.fixture
def service(auth_server: AuthServer) -> Iterator[AuthService]:
    with AuthService(url=auth_server.url, key=Secret(auth_server.key)) as service:
        yield service


def make(service: AuthService, email: str = ADMIN, **app_metadata: Any) -> tuple[AuthUser, bool]:
    return service.create(email=email, password_hash=HASH, user_metadata={"first_name": "A"}, app_metadata=app_metadata)


def asked(server: AuthServer, method: str) -> list[Request]:
    return [request for request in server.requests if request.method == method]


# -------------------------------------------------------------------------
# Making
# -------------------------------------------------------------------------


def test_an_account_is_made_once(service: AuthService, auth_server: AuthServer) -> None:
    assert service.find(ADMIN) is None
    user, made = make(service, role="admin")
    assert made
    assert user.id == account_id(ADMIN)
    assert (user.email, user.confirmed, user.banned) == (ADMIN, True, False)
    assert user.user_metadata == {"first_name": "A"}
    assert user.app_metadata == {"provider": "email", "providers": ["email"], "role": "admin"}
    assert service.find(ADMIN) == user
    assert make(service, role="other") == (user, False)
    assert len(auth_server.users()) == 1


def test_what_is_sent(service: AuthService, auth_server: AuthServer) -> None:
    make(service, role="admin", nothing=None)
    post = asked(auth_server, "POST")[0]
    assert post.json == {
        "id": account_id(ADMIN),
        "email": ADMIN,
        "email_confirm": True,
        "user_metadata": {"first_name": "A"},
        "app_metadata": {"role": "admin"},
        "password_hash": HASH,
    }
    for request in auth_server.requests:
        assert request.headers["apikey"] == auth_server.key
        assert request.headers["authorization"] == f"Bearer {auth_server.key}"
        assert request.headers["x-supabase-api-version"] == "2024-01-01"
        assert PASSWORD.encode() not in request.body
    # The role is the application's: the one that PostgreSQL would switch to stays the service's default.
    assert auth_server.users()[0]["role"] == "authenticated"
    assert auth_server.users()[0]["encrypted_password"] == HASH


@pytest.mark.parametrize("bare", [False, True])
def test_with_a_gateway_and_without(auth_server: AuthServer, bare: bool) -> None:
    url = auth_server.bare_url if bare else auth_server.url
    with AuthService(url=url, key=Secret(auth_server.key)) as service:
        assert make(service)[1]
    assert {request.path.startswith("/auth/v1/admin/") for request in auth_server.requests} == {not bare}


def test_a_secret_key_at_a_gateway(auth_server: AuthServer) -> None:
    with AuthService(url=auth_server.url, key=Secret(auth_server.secret_key)) as service:
        assert make(service)[1]


def test_a_hash_that_is_none(service: AuthService, auth_server: AuthServer) -> None:
    with pytest.raises(ValueError, match="no bcrypt hash") as caught:
        service.create(email=ADMIN, password_hash=PASSWORD, user_metadata={}, app_metadata={})
    assert PASSWORD not in str(caught.value)
    assert not auth_server.requests


@pytest.mark.parametrize("value", ["\0", "\ud800", float("nan"), object(), {"deep": ["\0"]}, {1: {2: b""}}])
def test_metadata_that_cannot_be_kept(service: AuthService, auth_server: AuthServer, value: object) -> None:
    with pytest.raises(BadData, match="creating admin@") as caught:
        service.create(email=ADMIN, password_hash=HASH, user_metadata={"x": value}, app_metadata={})
    assert caught.value.__context__ is None
    with pytest.raises(BadData):
        service.update(account_id(ADMIN), app_metadata={"x": value})
    assert not auth_server.requests


def test_a_backslash_before_u0000_is_text(service: AuthService) -> None:
    user, _ = service.create(email=ADMIN, password_hash=HASH, user_metadata={"x": "\\u0000"}, app_metadata={})
    assert user.user_metadata == {"x": "\\u0000"}


# -------------------------------------------------------------------------
# Adopting
# -------------------------------------------------------------------------


@pytest.mark.parametrize("spelled", [ADMIN, "Admin@Example.COM", " admin@example.com "])
def test_an_account_that_somebody_else_made(service: AuthService, auth_server: AuthServer, spelled: str) -> None:
    there = auth_server.add(spelled, encrypted_password=HASH, raw_user_meta_data='{"first_name": "Hers"}')
    found = service.find("ADMIN@example.com")
    assert found is not None
    assert (found.id, found.email) == (there, ADMIN)
    assert make(service) == (found, False)
    assert not asked(auth_server, "POST")
    assert auth_server.users()[0]["raw_user_meta_data"] == {"first_name": "Hers"}


def test_the_domain_in_its_other_spelling(service: AuthService, auth_server: AuthServer) -> None:
    there = auth_server.add("me@münchen.example")
    found = service.find("me@xn--mnchen-3ya.example")
    assert found is not None
    assert found.id == there


def test_composed_and_decomposed_are_one_address(service: AuthService, auth_server: AuthServer) -> None:
    composed = "zo\u00eb@example.com"
    there = auth_server.add(unicodedata.normalize("NFD", composed))
    found = service.find(composed)
    assert found is not None
    assert found.id == there
    assert account_id(composed) == account_id(unicodedata.normalize("NFD", composed).upper())


def test_an_account_that_is_nearly_it(service: AuthService, auth_server: AuthServer) -> None:
    # The service's filter is a LIKE without an escape: for it, all of these hold the address.
    for near in ("adminX1@example.com", "xadmin_1@example.com", "admin_1@example.com.org"):
        auth_server.add(near)
    assert service.find("admin_1@example.com") is None
    assert service.find("%@example.com") is None
    user, made = make(service, "admin_1@example.com")
    assert made
    assert service.find("admin_1@example.com") == user


def test_accounts_of_single_sign_on_are_others(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.add(ADMIN, is_sso_user=True, raw_app_meta_data='{"provider": "sso:5d3b"}')
    assert service.find(ADMIN) is None
    assert make(service)[1]
    assert len(auth_server.users()) == 2


def test_a_deleted_account_is_none(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.add("Yk3RrYw", id=account_id(ADMIN), deleted_at=datetime.now(UTC))
    assert service.find(ADMIN) is None
    user, made = make(service)
    assert made
    assert user.id != account_id(ADMIN)
    assert make(service) == (user, False)


def test_an_account_that_has_taken_another_address(service: AuthService, auth_server: AuthServer) -> None:
    first, _ = make(service)
    auth_server.sql("update {schema}.users set email = 'new@example.com'")
    assert service.find(ADMIN) is None
    second, made = make(service)
    assert made
    assert second.id != first.id
    assert [row["email"] for row in auth_server.users()] == ["new@example.com", ADMIN]


def test_the_spelling_by_the_letter_comes_first(service: AuthService, auth_server: AuthServer) -> None:
    there = auth_server.add(ADMIN)
    auth_server.add("ADMIN@example.com")
    found = service.find(ADMIN)
    assert found is not None
    assert found.id == there


def test_a_ban_is_judged_by_the_clock_of_the_service(service: AuthService, auth_server: AuthServer) -> None:
    make(service)
    now = datetime.now(UTC)
    auth_server.sql("update {schema}.users set banned_until = %s", now + timedelta(hours=1))
    found = service.find(ADMIN)
    assert found is not None
    assert found.banned
    auth_server.sql("update {schema}.users set banned_until = %s", now - timedelta(hours=1))
    found = service.find(ADMIN)
    assert found is not None
    assert not found.banned
    # A service whose clock is a day behind: for it, the ban is in force.
    row = auth_server.answer(auth_server.requests[-1]).document
    late = (now - timedelta(days=1)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    auth_server.fail(status=200, headers={"Date": late}, body=row)
    found = service.find(ADMIN)
    assert found is not None
    assert found.banned


def test_a_user_without_metadata_disturbs_nobody(service: AuthService, auth_server: AuthServer) -> None:
    # The service shows null for metadata that was never given; its client's models refuse that.
    auth_server.add("import@example.com", raw_user_meta_data=None, raw_app_meta_data=None)
    auth_server.add(None, is_anonymous=True)
    found = service.find("import@example.com")
    assert found is not None
    assert found.user_metadata == {}
    assert service.find(ADMIN) is None
    assert make(service)[1]


# -------------------------------------------------------------------------
# Pages
# -------------------------------------------------------------------------


@pytest.mark.parametrize("most_per_page", [None, 50, 30])
def test_an_account_among_hundreds(service: AuthService, auth_server: AuthServer, most_per_page: int | None) -> None:
    oldest = auth_server.add("Oldest@Example.com", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    auth_server.add_many(350)
    auth_server.most_per_page = most_per_page
    found = service.find("oldest@example.com")
    assert found is not None
    assert found.id == oldest
    assert service.find(ADMIN) is None


def test_without_the_total(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.show_total = False
    auth_server.most_per_page = 100
    oldest = auth_server.add("Oldest@Example.com", created_at=datetime(2020, 1, 1, tzinfo=UTC))
    auth_server.add_many(350)
    found = service.find("oldest@example.com")
    assert found is not None
    assert found.id == oldest
    assert service.find(ADMIN) is None


def test_somebody_is_deleted_while_the_pages_are_read(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.most_per_page = 10
    made = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [auth_server.add(f"u{n}@x.org", created_at=made - timedelta(days=n)) for n in range(20)]
    # First on the second page, until one of the first page goes.
    auth_server.sql("update {schema}.users set email = 'ADMIN@example.com' where id = %s", rows[10])
    pages: list[int] = []

    def delete_one(page: int) -> None:
        pages.append(page)
        if len(pages) == 2:  # the first is of the list that is filtered
            auth_server.sql("delete from {schema}.users where id = %s", rows[3])

    auth_server.between_pages = delete_one
    found = service.find(ADMIN)
    assert found is not None
    assert found.id == rows[10]
    assert pages == [1, 1, 2, 1]


def test_a_list_that_never_stands_still_comes_to_an_end(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.most_per_page = 10
    auth_server.add_many(35)
    auth_server.between_pages = lambda page: auth_server.add(f"{time.monotonic_ns()}@x.org")
    assert service.find(ADMIN) is None


def test_a_service_that_knows_no_pages(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.add("u@x.org")
    auth_server.show_total = False
    listed = auth_server.answer(Request("GET", "/auth/v1/admin/users", {}, headers_of(auth_server), b"")).document
    auth_server.fail(times=50, path="/admin/users", status=200, body=listed, on="GET")
    assert service.find(ADMIN) is None


def headers_of(server: AuthServer) -> dict[str, str]:
    return {"apikey": server.key, "authorization": f"Bearer {server.key}"}


# -------------------------------------------------------------------------
# Answers that are lost, races, crashes
# -------------------------------------------------------------------------


@pytest.fixture
def hasty(auth_server: AuthServer) -> Iterator[AuthService]:
    with AuthService(url=auth_server.url, key=Secret(auth_server.key), timeout_s=2) as service:
        yield service


@pytest.mark.parametrize("how", [{"hold": True}, {"drop": True}, {"status": 502}, {"status": 504, "body": b"<html>"}])
@pytest.mark.parametrize("work", [True, False])
def test_no_answer_to_the_request_that_makes_it(
    hasty: AuthService, auth_server: AuthServer, how: dict[str, Any], work: bool
) -> None:
    auth_server.fail(on="POST", work=work, **how)
    user, made = make(hasty)
    assert made
    assert user.id == account_id(ADMIN)
    assert len(auth_server.users()) == 1
    assert len(asked(auth_server, "POST")) == (1 if work else 2)


def test_somebody_else_makes_it_at_the_same_moment(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.race(lambda: auth_server.add(ADMIN))
    user, made = make(service)
    assert not made
    assert [str(row["id"]) for row in auth_server.users()] == [user.id]


def test_another_run_makes_it_at_the_same_moment(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.race(lambda: auth_server.add(ADMIN, id=account_id(ADMIN)))
    user, made = make(service)
    assert not made
    assert user.id == account_id(ADMIN)


def test_somebody_else_makes_it_between_the_look_and_the_request(service: AuthService, auth_server: AuthServer) -> None:
    auth_server.fail(on="POST", before=lambda: auth_server.add(ADMIN))
    assert make(service)[1] is False


def test_eight_at_once(auth_server: AuthServer) -> None:
    ready = threading.Barrier(8)
    with ExitStack() as stack:
        key = Secret(auth_server.key)
        services = [stack.enter_context(AuthService(url=auth_server.url, key=key)) for _ in range(8)]

        def run(service: AuthService) -> tuple[AuthUser, bool]:
            ready.wait(60)
            return make(service)

        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(run, services))
    assert len(auth_server.users()) == 1
    assert sum(made for _, made in results) == 1
    assert {user.id for user, _ in results} == {account_id(ADMIN)}


CRASH = """
import sys
from seedframe.accounts.auth_service import AuthService
from seedframe.secrets import Secret
url, key, hashed = sys.argv[1:]
with AuthService(url=url, key=Secret(key)) as service:
    service.create(email="admin@example.com", password_hash=hashed, user_metadata={}, app_metadata={})
    print("made", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("answered", [True, False])
def test_killed_after_it_was_made(service: AuthService, auth_server: AuthServer, answered: bool) -> None:
    done = threading.Event()
    if not answered:
        auth_server.fail(on="POST", work=True, hold=True, before=done.set)
    process = subprocess.Popen(
        [sys.executable, "-c", CRASH, auth_server.url, auth_server.key, HASH],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        if answered:
            assert process.stdout
            assert process.stdout.readline() == b"made\n"
        else:
            assert done.wait(60)
            while not auth_server.users():
                time.sleep(0.01)
        process.kill()
    user, made = make(service)
    assert not made
    assert [str(row["id"]) for row in auth_server.users()] == [user.id]


# -------------------------------------------------------------------------
# Keeping in step
# -------------------------------------------------------------------------


def test_metadata_is_merged(service: AuthService) -> None:
    user, _ = make(service, role="admin", team="a")
    after = service.update(
        user.id, user_metadata={"first_name": None, "last_name": "B"}, app_metadata={"role": "owner"}
    )
    assert after.user_metadata == {"last_name": "B"}
    assert after.app_metadata == {"provider": "email", "providers": ["email"], "role": "owner", "team": "a"}
    assert service.find(ADMIN) == after
    assert service.update(user.id) == after


def test_a_ban_is_lifted(service: AuthService, auth_server: AuthServer) -> None:
    user, _ = make(service)
    auth_server.sql("update {schema}.users set banned_until = now() + interval '100 years'")
    assert service.opens(ADMIN, Secret(PASSWORD)) is None
    assert service.update(user.id, unban=True) == user
    assert auth_server.users()[0]["banned_until"] is None
    assert service.opens(ADMIN, Secret(PASSWORD)) is True


def test_an_account_that_is_gone(service: AuthService) -> None:
    for change in (
        lambda: service.update(account_id(ADMIN), unban=True),
        lambda: service.update(account_id(ADMIN)),
        lambda: service.set_password(account_id(ADMIN), Secret(PASSWORD)),
    ):
        with pytest.raises(AuthRefused, match="no such account") as caught:
            change()
        assert caught.value.hint
        assert "apply again" in caught.value.hint


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)
metadata = st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=metadata, updates=st.lists(metadata, max_size=3))
def test_any_metadata_is_merged(
    service: AuthService, auth_server: AuthServer, first: dict[str, Any], updates: list[dict[str, Any]]
) -> None:
    auth_server.sql("delete from {schema}.users")
    user, _ = service.create(email=ADMIN, password_hash=HASH, user_metadata=first, app_metadata=first)
    expected = {name: value for name, value in first.items() if value is not None}
    assert user.user_metadata == expected
    for update in updates:
        user = service.update(user.id, user_metadata=update, app_metadata=update)
        expected = {
            name: value for name, value in (expected | update).items() if value is not None or name not in update
        }
        assert user.user_metadata == expected
        assert user.app_metadata == {"provider": "email", "providers": ["email"], **expected}
    assert service.find(ADMIN) == user


# -------------------------------------------------------------------------
# Passwords
# -------------------------------------------------------------------------


def test_a_password_is_tried_without_leaving_a_session(service: AuthService, auth_server: AuthServer) -> None:
    make(service)
    assert service.opens("ADMIN@example.com", Secret(PASSWORD)) is True
    assert service.opens(ADMIN, Secret(PASSWORD + "x")) is False
    assert service.opens("nobody@example.com", Secret(PASSWORD)) is False
    assert auth_server.sessions() == 0
    paths = [request.path for request in asked(auth_server, "POST")][1:]
    assert paths == ["/auth/v1/token", "/auth/v1/logout", "/auth/v1/token", "/auth/v1/token"]


def test_a_session_of_somebody_else_stays(service: AuthService, auth_server: AuthServer) -> None:
    user, _ = make(service)
    auth_server.sql("insert into {schema}.sessions values (gen_random_uuid(), %s)", user.id)
    assert service.opens(ADMIN, Secret(PASSWORD)) is True
    assert auth_server.sessions() == 1


def test_a_sign_out_that_fails_does_not_hide_the_answer(service: AuthService, auth_server: AuthServer) -> None:
    make(service)
    auth_server.fail(path="/logout", status=500, body={"code": "unexpected_failure", "message": "x"})
    assert service.opens(ADMIN, Secret(PASSWORD)) is True


def test_a_password_that_cannot_be_tried(service: AuthService, auth_server: AuthServer) -> None:
    make(service)
    auth_server.closed_to_email = True
    assert service.opens(ADMIN, Secret(PASSWORD)) is None
    auth_server.closed_to_email = False
    auth_server.sql("update {schema}.users set email_confirmed_at = null")
    assert service.opens(ADMIN, Secret(PASSWORD)) is None


def test_a_password_is_replaced(service: AuthService, auth_server: AuthServer) -> None:
    user, _ = make(service)
    new = Secret("a new password \u00e9")
    service.set_password(user.id, new)
    assert service.opens(ADMIN, new) is True
    assert service.opens(ADMIN, Secret(PASSWORD)) is False
    put = asked(auth_server, "PUT")[0]
    assert json.loads(put.body) == {"password": new.reveal()}


@pytest.mark.parametrize(
    ("password", "reasons"), [("sh0rt", "length"), ("longenoughbutplain", "characters"), ("x", "length, characters")]
)
def test_a_weak_password(service: AuthService, auth_server: AuthServer, password: str, reasons: str) -> None:
    auth_server.shortest_password = 10
    auth_server.required_characters = ["0123456789"]
    user, _ = make(service)
    with pytest.raises(AuthRefused, match=rf"too weak \({reasons}\)") as caught:
        service.set_password(user.id, Secret(password))
    assert caught.value.answer == "weak_password"
    assert service.opens(ADMIN, Secret(PASSWORD)) is True


def test_a_password_that_is_too_long_there(service: AuthService) -> None:
    user, _ = make(service)
    with pytest.raises(AuthRefused, match="400 validation_failed: Password cannot be longer than 72 characters"):
        service.set_password(user.id, Secret("x" * 73))


# -------------------------------------------------------------------------
# Addresses
# -------------------------------------------------------------------------


def test_the_id_of_an_address_never_changes() -> None:
    assert account_id("admin@example.com") == "9185171d-23e4-5ea7-acee-5f97cd9b7cde"


emails = st.builds(
    "{}@{}.example".format,
    st.text("abcxyzéßöñ0189._%+-ΣσİI", min_size=1, max_size=12),
    st.text("abcxyz019", min_size=1, max_size=8),
)


@given(emails, st.sampled_from(["NFC", "NFD"]))
def test_an_id_is_that_of_every_spelling(email: str, form: Any) -> None:
    own = account_id(email)
    for spelled in (f" {email}\t", unicodedata.normalize(form, email)):
        assert account_id(spelled) == own
    if email.isascii():
        assert account_id(email.upper()) == own


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(others=st.lists(emails, max_size=5), email=emails)
def test_only_the_address_itself_is_found(
    service: AuthService, auth_server: AuthServer, others: list[str], email: str
) -> None:
    auth_server.sql("delete from {schema}.users")
    own = account_id(email)
    for other in {account_id(other): other for other in others}.values():
        auth_server.add(other)
    found = service.find(email)
    assert (found is not None) == any(account_id(other) == own for other in others)
    assert found is None or account_id(found.email) == own


def test_an_address_that_the_service_does_not_take(service: AuthService) -> None:
    with pytest.raises(AuthRefused, match="400 validation_failed: Unable to validate email address: invalid format"):
        make(service, "zo\u00eb@example.com")
