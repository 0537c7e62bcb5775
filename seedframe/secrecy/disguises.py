"""How a text may write a value: as it is, quoted for some language, encoded for an address, in base64, in hexadecimal.

What is derived in other ways (a part of it, its reverse, its length, a hash) is not known here.
"""

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final
from unicodedata import normalize
from urllib.parse import quote, quote_plus

_SHORT: Final = 4
# A line of a value that has several, such as a private key, is told apart from an ordinary word by its length.
_LONG_LINE: Final = 12
# The server cuts names there.
_NAME_BYTES: Final = 63
_PARTS: Final = re.compile(r"[A-Za-z0-9]+|\\+|[\s\S]")
_SHORT_ESCAPES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}
_COMMON: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_ALPHABETS: Final = (_COMMON + "+/", _COMMON + "-_")


@dataclass(frozen=True, slots=True)
class Disguise:
    """One way of writing a value.

    Attributes:
        literal: what every text has in it that writes the value so; empty where that is next to nothing.
        pattern: a regular expression for all of it.
    """

    literal: str
    pattern: str


@lru_cache(maxsize=4096)
def disguises(value: str) -> frozenset[Disguise]:
    """Every way in which a text may write this value; none for a value of nothing but space."""
    found = {_plain(form) for form in _quoted(value) if form.strip()}
    run = max(re.findall("[A-Za-z0-9]+", value), key=len, default="")
    if len(value.strip()) >= _SHORT and run != value:
        found.add(Disguise(run if len(run) >= _SHORT else "", _loose(value)))
    encoded = value.encode(errors="surrogatepass")
    if len(encoded) >= _SHORT and value.strip():
        found |= {_plain(encoded.hex()), _plain(encoded.hex().upper())}
        found |= {_in_base64(encoded, before, signs) for before in range(3) for signs in _ALPHABETS}
    return frozenset(found)


def _plain(form: str) -> Disguise:
    found = re.escape(form)
    return Disguise(form, found if len(form) >= _SHORT else rf"(?<!\w){found}(?!\w)")


def _loose(value: str) -> str:
    """A pattern for a value that was escaped or quoted, and that again, as often as you like."""
    parts = _PARTS.findall(value)
    return "".join(_escaped(part, before.startswith("\\")) for before, part in pairwise(["", *parts]))


def _escaped(part: str, behind_backslash: bool) -> str:
    if part.isascii() and part.isalnum():
        return part
    if part.startswith("\\"):
        return r"\\++"  # with those of what comes behind it
    if part in "'\"":
        return rf"(?:\\*+{part})++"
    first = "" if behind_backslash else r"\\++"
    found = [re.escape(way) for way in (part, normalize("NFC", part), normalize("NFD", part))]
    if not part.isascii() or not part.isprintable():
        units = part.encode("utf-16-be", "surrogatepass").hex()
        octets = part.encode(errors="surrogatepass").hex()
        codes = [_SHORT_ESCAPES.get(part, f"x{ord(part):02x}"), f"x{ord(part):02x}", f"U{ord(part):08x}"]
        codes.append(r"\\++".join(f"u{units[at : at + 4]}" for at in range(0, len(units), 4)))
        codes.append(r"\\++".join(f"x{octets[at : at + 2]}" for at in range(0, len(octets), 2)))
        found += [first + code for code in codes]
    return rf"(?:\\*+{found[0]}|{'|'.join(dict.fromkeys(found[1:]))})"


def _quoted(value: str) -> set[str]:
    """The value in quotes, in an address, and without what a name or a line cannot hold."""
    forms = {value, value.strip(), *(normalize(form, value) for form in ("NFC", "NFD"))}
    forms |= {repr(value)[1:-1], repr(value + "'\"")[1:-4], ascii(value)[1:-1], ascii(value + "'\"")[1:-4]}
    forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    forms |= {" ".join(value.split()), *(line.strip() for line in value.splitlines() if len(line) >= _LONG_LINE)}
    forms |= {value.replace("'", "''"), value.replace('"', '""')}
    markup = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    forms |= {
        markup,
        *(markup.replace('"', "&quot;").replace("'", each) for each in ("'", "&#x27;", "&#39;", "&apos;")),
    }
    backslashes = value.replace("\\", "\\\\")
    forms |= {backslashes, *(backslashes.replace(*each) for each in (("'", "\\'"), ("'", "''"), ('"', '""')))}
    forms |= {shlex.quote(value).removeprefix("'").removesuffix("'")}
    encoded = value.encode(errors="surrogatepass")
    forms |= {repr(encoded)[2:-1], repr(encoded + b"'\"")[2:-4]}
    for safe in ("", "/", " +", "!*'()/", ":/"):
        address = quote(encoded, safe=safe)
        forms |= {address, re.sub("%..", lambda match: match[0].lower(), address)}
    forms |= {quote_plus(encoded), re.sub("%..", lambda match: match[0].lower(), quote_plus(encoded))}
    if len(encoded) > _NAME_BYTES:
        forms.add(encoded[:_NAME_BYTES].decode(errors="ignore"))
    return forms


def _in_base64(encoded: bytes, before: int, signs: str) -> Disguise:
    """The value in base64 behind so many other bytes (modulo 3), whatever comes before and after it.

    Of a character that has bits of a neighbour, too, only some are possible, so that nothing else is taken for one.
    """
    whole = b64encode(bytes(before) + encoded).decode().rstrip("=").translate(str.maketrans(_ALPHABETS[0], signs))
    first = last = ""
    if before:
        own = 8 - 2 * (before + 1)  # bits that the first byte has in the character it shares
        first = _any_of(signs[theirs << own | encoded[0] >> (8 - own)] for theirs in range(1 << (6 - own)))
    core = whole[before + 1 if before else 0 :]
    own = 8 * (before + len(encoded)) % 6
    if own:
        begins = signs.index(whole[-1])  # what comes after is 0 here, and anything elsewhere
        last = _any_of(signs[begins : begins + (1 << (6 - own))]) + "={0,2}"
        core = core[:-1]
    return Disguise(core, first + re.escape(core) + last)


def _any_of(characters: Iterable[str]) -> str:
    return f"[{re.escape(''.join(characters))}]"
