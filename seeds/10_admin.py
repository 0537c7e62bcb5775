"""The first administrators, who let everybody else in; and, on request, a provider to try things out with."""

from collections.abc import Iterator, Mapping
from typing import Any

from seedframe import Account, Accounts, LocalAccounts, Resource, Secret, Setting, normalise_email, parse_accounts

REQUIRES = ["core"]

ADMINISTRATORS = ("admin", "super_admin")
STAFF = ("support", "pharmacist", *ADMINISTRATORS)

SETTINGS = [
    Setting(
        "SEED_ADMIN_EMAIL",
        str,
        default="admin@example.com",
        parse=normalise_email,
        help="the administrator's e-mail address",
    ),
    Setting("SEED_ADMIN_PASSWORD", Secret, default=None, help="the first password; generated when not set"),
    Setting("SEED_ADMIN_FIRST_NAME", str, default="Platform", help="the administrator's first name"),
    Setting("SEED_ADMIN_LAST_NAME", str, default="Administrator", help="the administrator's last name"),
    Setting("SEED_ADMIN_ROLE", str, default="admin", choices=ADMINISTRATORS, help="what the administrator may do"),
    Setting(
        "SEED_ADDITIONAL_ADMINS",
        str,
        default="",
        parse=lambda text: parse_accounts(text, roles=STAFF),
        help=f"more accounts, as email:role,email:role; the roles are {', '.join(STAFF)}",
    ),
    Setting("SEED_CREATE_PROVIDER_STUB", bool, default=False, help="make a provider to try things out with"),
    Setting(
        "SEED_PROVIDER_EMAIL",
        str,
        default="provider@example.com",
        parse=normalise_email,
        help="that provider's e-mail address",
    ),
]

# At Supabase Auth, where it is configured, with a row in `users`; else in `users` alone.
ACCOUNTS = Accounts(LocalAccounts("users", initial={"email_verified": True}))


def resources(settings: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[Resource]:
    yield Account(
        ACCOUNTS,
        email=settings["SEED_ADMIN_EMAIL"],
        password=settings["SEED_ADMIN_PASSWORD"],
        first_name=settings["SEED_ADMIN_FIRST_NAME"],
        last_name=settings["SEED_ADMIN_LAST_NAME"],
        role=settings["SEED_ADMIN_ROLE"],
    )
    for grant in settings["SEED_ADDITIONAL_ADMINS"]:
        yield Account(
            ACCOUNTS,
            email=grant.email,
            first_name=grant.email.partition("@")[0].title(),
            last_name=grant.role.replace("_", " ").title(),
            role=grant.role,
        )
    if settings["SEED_CREATE_PROVIDER_STUB"]:
        yield Account(
            ACCOUNTS,
            email=settings["SEED_PROVIDER_EMAIL"],
            first_name="Test",
            last_name="Provider",
            role="provider",
            in_production=bool(config.get("provider_stub_in_production", False)),
        )
