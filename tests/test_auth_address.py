"""The URL of Supabase Auth and the key to it: what is taken, and that no mistake repeats either of them."""

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe.accounts.auth_address import check_key, expiry, is_secret_key, read_address
from seedframe.errors import ConfigError
from seedframe.secrets import Secret
from tests.auth_server import signed

CANARY = "canary9917"


def jwt(**claims: Any) -> Secret:
    return Secret(signed(claims, CANARY))


@pytest.mark.parametrize(
    ("url", "base", "origin", "loopback"),
    [
        ("https://xyz.supabase.co", "https://xyz.supabase.co/auth/v1", "https://xyz.supabase.co", False),
        ("https://xyz.supabase.co/", "https://xyz.supabase.co/auth/v1", "https://xyz.supabase.co", False),
        ("https://XYZ.supabase.co/auth/v1/", "https://xyz.supabase.co/auth/v1", "https://xyz.supabase.co", False),
        ("https://id.example.com/sb", "https://id.example.com/sb/auth/v1", "https://id.example.com", False),
        ("http://127.0.0.1:54321", "http://127.0.0.1:54321/auth/v1", "http://127.0.0.1:54321", True),
        ("http://localhost:54321", "http://localhost:54321/auth/v1", "http://localhost:54321", True),
        ("http://[::1]:54321", "http://[::1]:54321/auth/v1", "http://[::1]:54321", True),
        ("gotrue+http://127.0.0.1:9999", "http://127.0.0.1:9999", "http://127.0.0.1:9999", True),
        ("gotrue+https://a.example:8443/b/", "https://a.example:8443/b", "https://a.example:8443", False),
    ],
)  # fmt: skip
def test_an_address(url: str, base: str, origin: str, loopback: bool) -> None:
    found = read_address(url)
    assert (found.base, found.origin, found.loopback) == (base, origin, loopback)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "has no https:// and host"),
        (CANARY, "has no https:// and host"),
        ("xyz.supabase.co", "has no https:// and host"),
        (f"postgresql://postgres:{CANARY}@db.xyz.supabase.co:5432/postgres", "has no https:// and host"),
        ("https:///auth/v1", "has no https:// and host"),
        ("https://xyz.supabase.co:port", "has no https:// and host"),
        ("https://xyz.supabase.co:99999", "has no https:// and host"),
        ("https://[::1", "has no https:// and host"),
        ("ftp://127.0.0.1", "has no https:// and host"),
        ("gotrue+gotrue+http://127.0.0.1", "has no https:// and host"),
        ("http://xyz.supabase.co", "begins with http://"),
        ("http://10.0.0.1", "begins with http://"),
        ("http://127.0.0.1.example.com", "begins with http://"),
        ("http://localhost.example.com", "begins with http://"),
        ("gotrue+http://auth.example.com", "begins with http://"),
        (f"https://me:{CANARY}@xyz.supabase.co", "a user or a password"),
        (f"https://{CANARY}@xyz.supabase.co", "a user or a password"),
        (f"https://xyz.supabase.co?apikey={CANARY}", "a query or a fragment"),
        (f"https://xyz.supabase.co/#{CANARY}", "a query or a fragment"),
        ("https://xyz.supabase.co/#", "a query or a fragment"),
        ("https://xyz.supabase.co/rest/v1", "something else"),
        ("https://supabase.com/dashboard/project/xyz", "something else"),
        (f"https://xyz.supabase.co\n{CANARY}", "characters that no URL has"),
        (" https://xyz.supabase.co", "characters that no URL has"),
        ("https://münchen.example", "characters that no URL has"),
    ],
)
def test_no_address(url: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        read_address(url)
    assert caught.value.hint
    assert CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_a_mistake(text: str) -> None:
    for url in (text, f"https://{text}", f"http://{text}"):
        try:
            found = read_address(url)
        except ConfigError:
            continue
        assert found.base.startswith(found.origin)
        assert found.loopback or found.base.startswith("https://")


@pytest.mark.parametrize("key", [jwt(role="service_role"), jwt(role="supabase_admin"), jwt(), Secret("sb_secret_a1")])
def test_a_key(key: Secret) -> None:
    check_key(key)
    assert is_secret_key(key) == key.reveal().startswith("sb_secret_")


def broken(*parts: str) -> str:
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("", "is empty"),
        (jwt(role="anon").reveal(), "the role anon"),
        (jwt(role="authenticated").reveal(), "the role authenticated"),
        (f"sb_publishable_{CANARY}", "publishable"),
        (f"{CANARY}-super-secret-jwt-token-with-at-least-32-characters", "neither a JWT nor"),
        (f"a.{CANARY}.c", "neither a JWT nor"),
        (f"..{CANARY}", "neither a JWT nor"),
        (f"{CANARY}.e30", "neither a JWT nor"),
        (broken("{}", json.dumps([CANARY]), "x"), "neither a JWT nor"),
        (broken("{}", "[" * 5000, "x"), "neither a JWT nor"),
        (jwt(role="service_role").reveal() + "\n", "line breaks"),
        (f"sb_secret_{CANARY}\nX-Other: 1", "line breaks"),
        (f"Bearer {CANARY}", "spaces"),
        (f"sb_secret_{CANARY}\u00e9", "characters that no key has"),
        (f"sb_secret_{CANARY}\ud800", "characters that no key has"),
    ],
)
def test_no_key(key: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        check_key(Secret(key))
    assert CANARY not in str(caught.value)
    assert caught.value.hint
    assert caught.value.__context__ is None


@given(st.text())
def test_any_text_is_a_key_or_a_mistake_that_does_not_repeat_it(text: str) -> None:
    key = text * 20
    said = ""
    try:
        check_key(Secret(key))
    except ConfigError as error:
        said = str(error)
    assert not text or key not in said


def test_when_a_key_ends() -> None:
    now = int(time.time())
    found = expiry(jwt(role="service_role", exp=now))
    assert found is not None
    assert int(found.timestamp()) == now
    for key in (jwt(role="service_role"), jwt(exp="soon"), jwt(exp=1e30), Secret("sb_secret_a")):
        assert expiry(key) is None
