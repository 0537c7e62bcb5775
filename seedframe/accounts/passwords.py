"""Passwords: which ones may be set, how they are hashed, what a hash opens, and how one is generated."""

import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Final

from seedframe.configuration.account_options import MAX_ROUNDS, ROUNDS
from seedframe.errors import BadData, DeclarationError
from seedframe.secrecy.masking import hide
from seedframe.secrets import Secret

MAX_BYTES: Final = 72
"""What bcrypt looks at; a longer password would be cut, and two passwords that begin alike would be one."""

LEAST_CHARACTERS: Final = 8
"""The shortest password that may be set (NIST SP 800-63B, 5.1.1.2), in characters."""

DEFAULT_PASSWORDS: Final = ("password", "password123", "changeme", "admin", "admin123", "12345678")
"""What tutorials and installers ship. Short, since each of them is tried against a hash, at some 0.3 s."""

HASH_PATTERN: Final = r"\$2[aby]\$([0-9]{2})\$[./A-Za-z0-9]{53}"
"""A whole bcrypt hash, its cost in the only group: for Python's `fullmatch` and, anchored, for PostgreSQL's `~`."""

PLACEHOLDER_HASH: Final = f"$2b${ROUNDS}${'.' * 53}"
"""What a rehearsal inserts: well-formed, so that everything else can be tried, and rolled back with all the rest."""

_HASH: Final = re.compile(HASH_PATTERN)
_MOST_TRIED_ROUNDS: Final = 15
_GENERATED_BYTES: Final = 24  # 192 bits, 32 characters


def check_password(password: Secret, owner: str) -> None:
    """Make sure that a password may be set: that bcrypt takes it whole, and that it is not among the first tried.

    Args:
        password: looked at, never altered: not stripped, not normalised.
        owner: whose it is, for the message.

    Errors: BadData, without any part of the password.
    """
    _checked(password, owner)


def hash_password(password: Secret, owner: str, rounds: int = ROUNDS) -> str:
    """The bcrypt hash of a password. Takes some 0.3 s with 12 rounds, and twice that with each further one.

    Args:
        password, owner: as for `check_password`.
        rounds: the cost, 12 to 20: 2 ** rounds iterations.

    Errors: BadData as `check_password`; DeclarationError for another number of rounds.
    """
    import bcrypt  # not at the top: runs that create no account need not load it

    if not ROUNDS <= rounds <= MAX_ROUNDS:
        raise DeclarationError(
            f"bcrypt with {rounds} rounds is not allowed",
            hint=f"{ROUNDS} to {MAX_ROUNDS} are",
        )
    hashed = bcrypt.hashpw(_checked(password, owner), bcrypt.gensalt(rounds)).decode("ascii")
    hide(hashed)
    return hashed


def cost(password_hash: str) -> int | None:
    """The rounds a bcrypt hash was made with; None for what is no whole bcrypt hash."""
    found = _HASH.fullmatch(password_hash)
    return int(found[1]) if found else None


def opens(password: Secret, password_hash: str) -> bool:
    """Whether a password is the one a bcrypt hash was made of. Takes as long as hashing it with the hash's rounds.

    False, and never an error, for what is no whole bcrypt hash and for a password that bcrypt would not take whole.
    """
    if cost(password_hash) is None:
        return False
    try:
        encoded = _encoded(password, "")
    except BadData:
        return False
    import bcrypt

    try:
        return bcrypt.checkpw(encoded, password_hash.encode("ascii"))
    except ValueError:  # well-formed, and yet no hash that bcrypt can have made
        return False


def is_default(password: Secret) -> bool:
    """Whether it is one of `DEFAULT_PASSWORDS`, in upper or lower case."""
    return password.reveal().casefold() in DEFAULT_PASSWORDS


def opened_by_default(password_hash: str) -> bool:
    """Whether one of `DEFAULT_PASSWORDS` opens a hash; it takes up to a second or two, once for each hash.

    A hash with more than 15 rounds is not tried, which would take minutes: no installer makes one.
    """
    rounds = cost(password_hash)
    return rounds is not None and rounds <= _MOST_TRIED_ROUNDS and _opened_by_default(password_hash)


@lru_cache(maxsize=4096)
def _opened_by_default(password_hash: str) -> bool:
    # bcrypt lets other threads run meanwhile.
    with ThreadPoolExecutor(len(DEFAULT_PASSWORDS)) as pool:
        return any(pool.map(lambda text: opens(Secret(text), password_hash), DEFAULT_PASSWORDS))


def generate_password() -> Secret:
    """A new password of 192 random bits, in letters, digits, `-` and `_`."""
    password = secrets.token_urlsafe(_GENERATED_BYTES)
    hide(password)
    return Secret(password)


def _checked(password: Secret, owner: str) -> bytes:
    encoded = _encoded(password, owner)
    if is_default(password):
        raise BadData(
            f"the password of {owner} is one that is tried first", hint="choose another one, or have one generated"
        )
    if len(password.reveal()) < LEAST_CHARACTERS:
        raise BadData(
            f"the password of {owner} has fewer than {LEAST_CHARACTERS} characters",
            hint="choose a longer one, or have one generated",
        )
    return encoded


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
