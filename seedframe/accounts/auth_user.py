"""AuthUser: an account at Supabase Auth, and how it is read from what the service answers."""

import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from seedframe.emails import normalise_email
from seedframe.errors import DeclarationError

ACCOUNTS: Final = uuid.UUID("3f6d1b0e-7d0a-5c53-9c0e-9d5f1a1c7b42")
"""The namespace of the accounts' ids. It must never change: ids that are in use come from it."""

_SSO: Final = "sso:"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthUser:
    """An account, as the service has it.

    Attributes:
        id: a UUID; `account_id(email)` for those made here, anything for those that were there before.
        email: in the form of `normalise_email`, where it is an address.
        banned: the ban is in force, by the service's clock.
        confirmed: the e-mail address is, without which nobody can sign in.
        user_metadata: what the user may edit.
        app_metadata: what only administrators may, the role among it.
    """

    id: str
    email: str
    banned: bool
    confirmed: bool
    user_metadata: Mapping[str, Any] = field(repr=False)
    app_metadata: Mapping[str, Any] = field(repr=False)


def account_id(email: str) -> str:
    """The id that the account of an e-mail address gets: the same whoever makes it, and whenever (uuid5)."""
    return str(uuid.uuid5(ACCOUNTS, folded(email)))


def folded(email: str) -> str:
    """The one form in which addresses are compared; what the service has need not be one that is taken here."""
    try:
        return normalise_email(email)
    except DeclarationError:
        return unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).lower())


def is_of(user: Mapping[str, Any], email: str) -> bool:
    """Whether a record is the account of a folded address: neither one of single sign-on nor a deleted one."""
    address = user.get("email")
    metadata = user.get("app_metadata")
    provider = metadata.get("provider") if isinstance(metadata, dict) else None
    return (
        isinstance(address, str)
        and (address == email or folded(address) == email)
        and user.get("deleted_at") is None
        and not (isinstance(provider, str) and provider.startswith(_SSO))
    )


def is_spelled_otherwise(user: Mapping[str, Any]) -> bool:
    """For sorting: the address by the letter comes first."""
    return bool(user["email"] != folded(user["email"]))


def record_of(body: Any) -> dict[str, Any] | None:
    """The user in an answer, which may stand by itself or under `user`."""
    found = body.get("user", body) if isinstance(body, dict) else None
    return found if isinstance(found, dict) and isinstance(found.get("id"), str) else None


def user_of(found: Mapping[str, Any], now: datetime) -> AuthUser | None:
    """The account in a record; None where it is none of the service's."""
    banned_until = _time(found.get("banned_until"))
    email = found.get("email") or ""
    metadata = [found.get(name) or {} for name in ("user_metadata", "app_metadata")]
    if banned_until is None or not isinstance(email, str) or not all(isinstance(each, dict) for each in metadata):
        return None
    try:
        own = str(uuid.UUID(found["id"]))
    except ValueError:
        return None
    return AuthUser(
        id=own,
        email=folded(email),
        banned=banned_until > now,
        confirmed=found.get("email_confirmed_at") is not None,
        user_metadata=metadata[0],
        app_metadata=metadata[1],
    )


def _time(text: object) -> datetime | None:
    """A time as the service writes it (RFC 3339); long ago where there is none, None where it is none."""
    if text is None:
        return _NEVER
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
