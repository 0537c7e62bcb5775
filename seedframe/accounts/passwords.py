"""Passwords: which ones bcrypt takes unaltered, how they are hashed, and how one is generated."""

import secrets
from typing import Final

from seedframe.errors import BadData
from seedframe.secrets import Secret

ROUNDS: Final = 12
"""The cost of a hash made here, and the least that goes without a remark: 2 ** 12 iterations, some 0.3 s."""

MAX_BYTES: Final = 72
"""What bcrypt looks at; a longer password would be cut, and two passwords that begin alike would be one."""

HASH_PATTERN: Final = r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}"
"""A whole bcrypt hash, its cost in the only group: for Python's `fullmatch` and, anchored, for PostgreSQL's `~`."""

PLACEHOLDER_HASH: Final = f"$2b${ROUNDS}${'.' * 53}"
"""What a rehearsal inserts: well-formed, so that everything else can be tried, and rolled back with all the rest."""

_GENERATED_BYTES: Final = 24  # 192 bits, 32 characters


def check_password(password: Secret, owner: str) -> None:
    """Make sure that bcrypt takes a password whole, byte for byte.

    Args:
        password: looked at, never altered: not stripped, not normalised.
        owner: whose it is, for the message.

    Errors: BadData, without any part of the password.
    """
    _encoded(password, owner)


def hash_password(password: Secret, owner: str) -> str:
    """The bcrypt hash of a password, with `ROUNDS`. Takes some 0.3 s. Errors: BadData as `check_password`."""
    import bcrypt  # not at the top: runs that create no account need not load it

    return bcrypt.hashpw(_encoded(password, owner), bcrypt.gensalt(ROUNDS)).decode("ascii")


def generate_password() -> Secret:
    """A new password of 192 random bits, in letters, digits, `-` and `_`."""
    return Secret(secrets.token_urlsafe(_GENERATED_BYTES))


def _encoded(password: Secret, owner: str) -> bytes:
    try:
        encoded = password.reveal().encode("utf-8")
    except UnicodeEncodeError:
        # `from None`, and nothing of the error in the message: it carries the text itself.
        raise BadData(f"the password of {owner} is not valid UTF-8", hint="choose another one") from None
    if not encoded:
        raise BadData(f"the password of {owner} is empty", hint="set one, or leave it unset to have one generated")
    if b"\0" in encoded:
        raise BadData(f"the password of {owner} contains a NUL character", hint="choose another one")
    if len(encoded) > MAX_BYTES:
        raise BadData(
            f"the password of {owner} is longer than {MAX_BYTES} bytes in UTF-8, which is all that bcrypt looks at",
            hint="choose a shorter one; characters outside ASCII take two to four bytes",
        )
    return encoded
