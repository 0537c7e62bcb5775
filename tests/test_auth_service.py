"""AuthService against the contract replay, through the official client: found, made once, kept in step."""

from collections.abc import Iterator

import bcrypt
import pytest

from seedframe.accounts.auth_service import AuthService, account_id
from seedframe.secrets import Secret
from tests.auth_server import AuthServer

ADMIN = "admin@example.com"
PASSWORD = "correct horse battery canary-7731"
HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()


@pytest.fixture
def service(auth_server: AuthServer) -> Iterator[AuthService]:
    with AuthService(url=auth_server.url, key=Secret(auth_server.key)) as service:
        yield service


def test_make_and_find(service: AuthService, auth_server: AuthServer) -> None:
    assert service.find(ADMIN) is None
    user, made = service.create(
        email=ADMIN, password_hash=HASH, user_metadata={"first_name": "A"}, app_metadata={"role": "admin"}
    )
    assert made and user.id == account_id(ADMIN) and user.confirmed and not user.banned
    assert service.find(ADMIN) == user
    assert service.create(email=ADMIN, password_hash=HASH, user_metadata={}, app_metadata={}) == (user, False)
    assert service.opens(ADMIN, Secret(PASSWORD)) is True
    assert service.opens(ADMIN, Secret("x")) is False
    assert auth_server.sessions() == 0
    after = service.update(
        user.id, user_metadata={"first_name": None, "b": 1}, app_metadata={"role": "owner"}, unban=True
    )
    service.set_password(user.id, Secret("another one"))
    assert service.opens(ADMIN, Secret("another one")) is True
