"""Who is to have which role: the grammar of `email:role,…`."""

from collections.abc import Collection
from dataclasses import dataclass

from seedframe.accounts.roles import check_role
from seedframe.emails import normalise_email
from seedframe.errors import DeclarationError, did_you_mean


@dataclass(frozen=True, slots=True)
class AccountGrant:
    """One entry of the list: a normalised e-mail address, and the role that its account is to have."""

    email: str
    role: str


def parse_accounts(text: str, *, roles: Collection[str]) -> tuple[AccountGrant, ...]:
    """The accounts that `email:role,email:role` names; none for an empty text.

    Strict, since a slip here lets someone in: each entry is exactly one address, a colon and one of `roles`, as it is
    written there; blanks may surround each part, and nothing else is skipped.

    Args:
        text: as it stands in a variable: `support@example.com:support,manager@example.com:admin`.
        roles: those that may be given. `service_role` and its like never are.

    Raises:
        DeclarationError: with the number of the entry, and its address where it has one; nothing else of the text is
            shown, for it may be something else, by mistake.
    """
    allowed = _allowed(roles)
    if not text.strip():
        return ()
    grants: list[AccountGrant] = []
    persons: dict[str, int] = {}
    for number, entry in enumerate(text.split(","), 1):
        grant = _grant(entry, number, allowed)
        # Stricter than an address's own form: `strasse` and `straße`, told apart by mail servers, are no two persons.
        earlier = persons.setdefault(grant.email.casefold(), number)
        if earlier != number:
            raise DeclarationError(
                f"entry {number} ({grant.email}) is the address of entry {earlier}",
                hint="give each account one entry, with one role",
            )
        grants.append(grant)
    return tuple(grants)


def _allowed(roles: Collection[str]) -> tuple[str, ...]:
    if isinstance(roles, str) or not all(isinstance(role, str) for role in roles):
        raise DeclarationError("the roles that may be given are not a list of texts", hint='as in roles=["admin"]')
    allowed = tuple(check_role(role) for role in roles)
    for role in allowed:
        if "," in role or ":" in role:
            raise DeclarationError(f"the role {role!r} has a comma or a colon in it", hint="those separate the entries")
    return allowed


def _grant(entry: str, number: int, allowed: tuple[str, ...]) -> AccountGrant:
    if not entry.strip():
        raise DeclarationError(f"entry {number} is empty", hint="take away the comma that is too many")
    address, colon, role = (part.strip() for part in entry.partition(":"))
    try:
        email = normalise_email(address)
    except DeclarationError as error:
        raise DeclarationError(f"entry {number}: {error.message}", hint="an entry has the form email:role") from None
    named = f"entry {number} ({email})"
    if not colon or not role:
        raise DeclarationError(f"{named} has no role", hint=f"write email:role, the role one of {_listed(allowed)}")
    if ":" in role:
        raise DeclarationError(f"{named} has a second colon", hint="commas separate the entries: email:role,email:role")
    if role not in allowed:
        # The role is not shown: who writes email:password here, by mistake, must not find it in a log.
        near = did_you_mean(role, allowed) or did_you_mean(role.lower(), allowed)
        one_of = f"one of {_listed(allowed)}"
        raise DeclarationError(
            f"the role of {named} is not {one_of}", hint=near or "a role is written exactly as it is listed"
        )
    return AccountGrant(email, role)


def _listed(roles: tuple[str, ...]) -> str:
    return ", ".join(roles) or "none at all"
