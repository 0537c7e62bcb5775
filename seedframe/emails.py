"""E-mail addresses: what one is, and the one form in which seedframe keeps and compares it."""

import re
import unicodedata
from typing import Final

from seedframe.errors import DeclarationError

MAX_BYTES: Final = 254
"""The longest address that can be written to: a path of RFC 5321, 4.5.3.1.3, less its angle brackets."""

MAX_LOCAL_BYTES: Final = 64
"""The most that may stand before the `@` (RFC 5321, 4.5.3.1.1)."""

_MAX_LABEL: Final = 63
_ACE: Final = "xn--"
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
# A dot-atom (RFC 5322, 3.2.3), in lower case; what is not ASCII in it is looked at apart (RFC 6531).
_ATOM: Final = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+")
# Letters and marks that show nothing: among Unicode's Default_Ignorable_Code_Point, those no category tells apart.
_INVISIBLE: Final = frozenset(
    chr(point)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0F),
        (0xFFA0, 0xFFA0),
        (0xE0100, 0xE01EF),
    )
    for point in range(first, last + 1)
)


def normalise_email(text: str) -> str:
    """An e-mail address in the form that is one account's: no other spelling of it is another account.

    Surrounding blanks go, upper case becomes lower, composed characters are used (NFC), and a domain outside ASCII
    is written as mail servers and browsers send it (`münchen.de` as `xn--mnchen-3ya.de`). Everything else that could
    be mistaken for another address is refused, not altered: characters that show nothing or look like others (full
    width, ligatures), quoted names and comments, several `@`.

    Raises:
        DeclarationError: it is no such address. The message has no part of it: what was given may be a password that
            was mistaken for an address.
    """
    # Each character on its own, as the server's lower() does: str.lower() writes a sigma by what follows it.
    lowered = "".join(map(str.lower, unicodedata.normalize("NFC", text.strip())))
    address = unicodedata.normalize("NFC", lowered)
    local, at, domain = address.rpartition("@")
    if not at:
        raise _no_address("it has no @")
    if "@" in local:
        raise _no_address("it has more than one @")
    _check_local(local)
    address = f"{local}@{_domain_in_ascii(domain)}"
    if len(address.encode()) > MAX_BYTES:
        raise _no_address(f"it is longer than {MAX_BYTES} bytes")
    return address


def as_read(email: str) -> str:
    """A normalised address with its domain as people read it (`xn--mnchen-3ya.de` as `münchen.de`)."""
    local, _, domain = email.rpartition("@")
    labels = [_decoded(label) if label.startswith(_ACE) else label for label in domain.split(".")]
    return f"{local}@{'.'.join(labels)}"


def _no_address(reason: str) -> DeclarationError:
    return DeclarationError(f"this is no e-mail address: {reason}", hint="an address has the form name@domain")


def _check_local(local: str) -> None:
    if not local:
        raise _no_address("nothing stands before its @")
    _check_characters(local)
    if len(local.encode()) > MAX_LOCAL_BYTES:
        raise _no_address(f"more than {MAX_LOCAL_BYTES} bytes stand before its @")
    if not all(local.split(".")):
        raise _no_address("a dot stands at the beginning or the end of its name, or beside another one")
    plain = "".join(character for character in local if character.isascii() and character != ".")
    if plain and not _ATOM.fullmatch(plain):
        raise _no_address("its name has a character in it that has a meaning of its own in mail, as quotes do")


def _check_characters(part: str) -> None:
    """Each character is to be seen, and to be told from others."""
    for character in part:
        if character.isspace():
            raise _no_address("it has a blank in it")
        if not character.isprintable() or character in _INVISIBLE:
            raise _no_address("it has a character in it that cannot be seen")
        if not character.isascii() and unicodedata.category(character)[0] not in "LMN":
            raise _no_address("it has a character in it that is no letter, mark or digit, nor ASCII")
    if unicodedata.category(part[0])[0] == "M":
        raise _no_address("it has a mark in it that stands on no letter")
    if unicodedata.normalize("NFKC", part) != part:
        raise _no_address("it has a character in it that stands for others, as full-width letters do")


def _domain_in_ascii(domain: str) -> str:
    """Errors: DeclarationError where it is no domain's name."""
    if not domain:
        raise _no_address("nothing stands after its @")
    labels = [_label_in_ascii(label) for label in domain.split(".")]
    if labels[-1].isdigit():
        raise _no_address("a number stands after its @, where a domain's name should")
    return ".".join(labels)


def _label_in_ascii(label: str) -> str:
    """One part of a domain's name, as it stands in the DNS."""
    if not label:
        raise _no_address("its domain has a dot too many")
    if label.startswith(_ACE):
        label = _decoded(label)
    _check_characters(label)
    written = label if label.isascii() else _ACE + label.encode("punycode").decode("ascii")
    if not _LABEL.fullmatch(written) or label.startswith("-"):
        raise _no_address("its domain has a character in it that no domain has")
    if len(written) > _MAX_LABEL:
        raise _no_address(f"a part of its domain is longer than {_MAX_LABEL} bytes")
    return written


def _decoded(label: str) -> str:
    """What `xn--…` stands for; it has to be the one way to write that."""
    try:
        text = label.removeprefix(_ACE).encode("ascii").decode("punycode")
    except ValueError:
        text = ""
    again = unicodedata.normalize("NFC", "".join(map(str.lower, text)))
    if not text or text.isascii() or again != text or _ACE + text.encode("punycode").decode("ascii") != label:
        raise _no_address(f"a part of its domain begins with {_ACE} and is not what that stands for")
    return text
