"""The first administrator, who lets everybody else in."""

from collections.abc import Iterator, Mapping
from typing import Any

from seedframe import Account, LocalAccounts, Resource, Secret, Setting

REQUIRES = ["core"]

SETTINGS = [
    Setting("SEED_ADMIN_EMAIL", str, default="admin@example.com", help="the administrator's e-mail address"),
    Setting("SEED_ADMIN_PASSWORD", Secret, default=None, help="the first password; generated when not set"),
    Setting("SEED_ADMIN_FIRST_NAME", str, default="Platform", help="the administrator's first name"),
    Setting("SEED_ADMIN_LAST_NAME", str, default="Administrator", help="the administrator's last name"),
    Setting("SEED_ADMIN_ROLE", str, default="admin", help="a label of user_role that may administrate"),
]


def resources(settings: Mapping[str, Any]) -> Iterator[Resource]:
    yield Account(
        LocalAccounts("users", initial={"email_verified": True}),
        email=settings["SEED_ADMIN_EMAIL"],
        password=settings["SEED_ADMIN_PASSWORD"],
        first_name=settings["SEED_ADMIN_FIRST_NAME"],
        last_name=settings["SEED_ADMIN_LAST_NAME"],
        role=settings["SEED_ADMIN_ROLE"],
    )
