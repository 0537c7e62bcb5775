"""Roles: which ones an account may have, and which are the database's own."""

import unicodedata
from typing import Final

from seedframe.errors import DeclarationError

# The roles that Supabase's PostgreSQL and its API know: whoever had one as an account's role would pass, wherever the
# two are mistaken for each other, for the server itself.
_RESERVED: Final = frozenset(
    {
        "anon",
        "authenticated",
        "authenticator",
        "cli_login_postgres",
        "dashboard_user",
        "pgbouncer",
        "postgres",
        "public",
        "service_role",
        "servicerole",
        "superuser",
    }
)
# And whole families of them: PostgreSQL keeps `pg_` for itself.
_RESERVED_PREFIXES: Final = ("supabase_", "pg_", "pgsodium_", "pgtle_")


def check_role(role: str) -> str:
    """Make sure that an account may have this role; it is returned as it is.

    Raises:
        DeclarationError: it is empty, has characters in it that cannot be seen, or is a role of PostgreSQL, of
            Supabase or of its API, however it is written.
    """
    if not role or role != role.strip() or not role.isprintable():
        raise DeclarationError(
            "a role is empty, or has blanks around it or characters in it that cannot be seen", hint="name the role"
        )
    folded = "_".join(unicodedata.normalize("NFKC", role).casefold().replace("-", "_").split())
    if folded in _RESERVED or folded.startswith(_RESERVED_PREFIXES):
        raise DeclarationError(
            f"{role!r} is never the role of an account: it is the database's, or its API's, own",
            hint="name a role of the application",
        )
    return role
