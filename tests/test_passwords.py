"""Passwords: which are taken, what opens what, and that a Secret shows itself nowhere."""

import base64
import copy
import io
import json
import os
import pickle
import string
import sys
import traceback
import unicodedata
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import bcrypt
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from loguru import logger

from seedframe import Secret
from seedframe.accounts.passwords import (
    DEFAULT_PASSWORDS,
    LEAST_CHARACTERS,
    MAX_BYTES,
    PLACEHOLDER_HASH,
    check_password,
    cost,
    generate_password,
    hash_password,
    is_default,
    opened_by_default,
    opens,
)
from seedframe.errors import BadData, DeclarationError

EXAMPLES: Final = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "300"))
# Each costs a hash with the fewest rounds that bcrypt has, some milliseconds.
FEW: Final = settings(max_examples=max(20, EXAMPLES // 10), deadline=None)
MANY: Final = settings(max_examples=EXAMPLES)

TEXTS: Final = st.one_of(
    st.text(st.characters()),
    st.text(st.sampled_from("aé漢😀\u0308"), min_size=6, max_size=80),
    st.text(st.sampled_from("ab\0\udcff"), min_size=6, max_size=12),
    st.sampled_from([*DEFAULT_PASSWORDS, *map(str.upper, DEFAULT_PASSWORDS)]),
)


def quickly_hashed(text: str) -> str:
    """A hash with the fewest rounds, made by bcrypt alone."""
    return bcrypt.hashpw(text.encode(), bcrypt.gensalt(4)).decode()


def whole(text: str) -> bool:
    """Whether bcrypt takes a text as it is."""
    encoded = text.encode(errors="surrogatepass")
    return 0 < len(encoded) <= MAX_BYTES and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


@MANY
@given(TEXTS)
@example("é" * 36)
@example("é" * 37)
@example("a" * 72)
@example("a" * 73)
@example("\ud83d\ude00" * 4)
def test_a_password_is_taken_whole_or_refused_without_showing_it(text: str) -> None:
    if whole(text) and len(text) >= LEAST_CHARACTERS and text.casefold() not in DEFAULT_PASSWORDS:
        check_password(Secret(text), "a@example.com")
        return
    with pytest.raises(BadData) as refused:
        check_password(Secret(text), "a@example.com")
    error = refused.value
    [line] = str(error).splitlines()
    assert line.isprintable()
    assert len(text) < 4 or text == "password" or text not in f"{line}{error.args}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("owner", ["a@example.com", "nobody"])
def test_a_refusal_names_whose_password_it_is(owner: str) -> None:
    for text in ("", "short", "a\0" * 8, "x" * 73, "\udcff" * 8, "changeme"):
        with pytest.raises(BadData, match=owner):
            check_password(Secret(text), owner)
        with pytest.raises(BadData, match=owner):
            hash_password(Secret(text), owner)


@FEW
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=18))
@example("\u0301pa\u0308ssword")
@example(" a ")
def test_a_password_opens_its_own_hash_and_no_form_of_it_does(text: str) -> None:
    made = quickly_hashed(text)
    assert opens(Secret(text), made)
    forms = {text.strip(), text + " ", text.upper(), text.lower(), text[:-1], text + "\n"}
    forms |= {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    for form in forms - {text}:
        assert not opens(Secret(form), made)


def test_composed_and_decomposed_are_two_passwords_that_each_open_their_own_hash() -> None:
    composed, decomposed = (unicodedata.normalize(form, "pässwörter") for form in ("NFC", "NFD"))
    made = {text: hash_password(Secret(text), "a@example.com") for text in (composed, decomposed)}
    for text, password_hash in made.items():
        assert [opens(Secret(other), password_hash) for other in made] == [other == text for other in made]


@FEW
@given(st.integers(1, 80), st.sampled_from("aé漢😀"))
def test_two_passwords_that_begin_alike_are_two(length: int, letter: str) -> None:
    text = letter * length
    assume(whole(text))
    longer = text + "x"
    assert not opens(Secret(longer), quickly_hashed(text))
    # bcrypt itself would take what it is cut to for the whole.
    cut = (text.encode() + b"x" * 80)[:MAX_BYTES]
    assert not opens(Secret((text.encode() + b"x" * 80).decode()), bcrypt.hashpw(cut, bcrypt.gensalt(4)).decode())


KNOWN: Final = quickly_hashed("correct horse")


@MANY
@given(
    st.one_of(
        st.text(st.characters()),
        st.builds(
            lambda place, character: KNOWN[:place] + character + KNOWN[place + 1 :],
            st.integers(0, 59),
            st.sampled_from([*string.ascii_letters[:4], "$", ".", "/", "0", "9", " ", "\n", "\0", "é", ""]),
        ),
        st.sampled_from([KNOWN + "\n", KNOWN[:-1], " " + KNOWN, KNOWN + "a", KNOWN.replace("$2b$", "$2x$")]),
    )
)
@example("$2b$04$" + "z" * 53)
@example("$2b$00$" + "." * 53)
@example(PLACEHOLDER_HASH.replace("12", "04"))
def test_nothing_that_is_stored_as_a_hash_raises_or_opens_by_accident(stored: str) -> None:
    rounds = cost(stored)
    assert rounds is None or 0 <= rounds <= 99
    assume(rounds is None or rounds < 6)
    assert opens(Secret("correct horse"), stored) in ({True, False} if rounds is not None else {False})
    assert not opens(Secret("another one"), stored)


def test_a_hash_made_by_php_is_opened_like_any_other() -> None:
    assert opens(Secret("correct horse"), KNOWN.replace("$2b$", "$2y$"))
    assert opens(Secret("correct horse"), KNOWN.replace("$2b$", "$2a$"))
    assert not opens(Secret("correct horse"), KNOWN.replace("$2b$", "$2x$"))


@pytest.mark.parametrize("text", ["", "a\0b", "x" * 73, "é" * 37, "\udcff"])
def test_what_bcrypt_does_not_take_whole_opens_nothing(text: str) -> None:
    assert not opens(Secret(text), KNOWN)


def test_costs() -> None:
    assert cost(KNOWN) == 4
    assert cost(PLACEHOLDER_HASH) == 12
    assert cost(hash_password(Secret("correct horse"), "a@example.com", 13)) == 13
    for stored in ("", "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA", KNOWN + "\n", KNOWN[1:]):
        assert cost(stored) is None


@pytest.mark.parametrize("rounds", [-1, 0, 4, 11, 32, 100])
def test_only_costs_that_are_safe_and_that_bcrypt_has_may_be_asked_for(rounds: int) -> None:
    with pytest.raises(DeclarationError, match=f"bcrypt with {rounds} rounds is not allowed"):
        hash_password(Secret("correct horse"), "a@example.com", rounds)


# Known default passwords


def test_known_defaults_are_found_in_any_case() -> None:
    for text in DEFAULT_PASSWORDS:
        for written in (text, text.upper(), text.title()):
            assert is_default(Secret(written))
            with pytest.raises(BadData):
                check_password(Secret(written), "a@example.com")
    for text in ("", "password1!", "correct horse", " changeme"):
        assert not is_default(Secret(text))


def test_a_hash_that_a_default_opens_is_found_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in DEFAULT_PASSWORDS:
        assert opened_by_default(quickly_hashed(text))
    other = quickly_hashed("correct horse")
    assert not opened_by_default(other)
    tried: list[bytes] = []
    checkpw = bcrypt.checkpw

    def trying(password: bytes, password_hash: bytes) -> bool:
        tried.append(password)
        return checkpw(password, password_hash)

    monkeypatch.setattr(bcrypt, "checkpw", trying)
    assert not opened_by_default(other)
    assert tried == []
    assert not opened_by_default(quickly_hashed("another one"))
    assert sorted(tried) == sorted(text.encode() for text in DEFAULT_PASSWORDS)


@pytest.mark.parametrize("stored", ["", "changeme", "$2b$04$" + "z" * 53, PLACEHOLDER_HASH.replace("12", "31")])
def test_what_is_no_hash_or_would_take_hours_is_not_tried(stored: str) -> None:
    assert not opened_by_default(stored)


# A Secret shows itself nowhere

CANARIES: Final = st.text(st.sampled_from("c4n4ry'\"\\ /+é漢%{}"), min_size=8, max_size=20).filter(
    lambda text: len(set(text)) > 3
)


@dataclass
class Login:
    """What a seed might keep a password in."""

    name: str
    password: Secret


def shown(secret: Secret) -> str:
    """Everything that Python makes of a Secret without being asked for the text."""
    parts = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>40}",
        f"{secret:>20}",
        format(secret, ""),
        "%s %r" % (secret, secret),  # noqa: UP031 - a seed's author may write so
        "{} {!r} {!s:10}".format(secret, secret, secret),  # noqa: UP032 - likewise
        string.Template("$a").substitute(a=secret),
        str([secret]),
        str({"password": secret, secret: 1}),
        repr(Login("a", secret)),
        str(BadData(f"no {secret}")),
        repr(ValueError(secret)),
        str(hash(secret) % 2),
        str(secret.__doc__),
        str(dir(secret)),
        json.dumps({"password": secret}, default=str),
    ]
    for attempt in (
        lambda: json.dumps(secret),
        lambda: json.dumps({secret: 1}),
        lambda: pickle.dumps(secret),
        lambda: pickle.dumps([secret], protocol=0),
        lambda: copy.copy(secret),
        lambda: copy.deepcopy(Login("a", secret)),
        lambda: vars(secret),
        lambda: secret + "x",  # type: ignore[operator]
        lambda: "x" + secret,  # type: ignore[operator]
        lambda: secret.value,  # type: ignore[attr-defined]
        lambda: list(secret),  # type: ignore[call-overload]
        lambda: int(secret),  # type: ignore[call-overload]
        lambda: secret.encode(),  # type: ignore[attr-defined]
        lambda: f"{secret:x}",
    ):
        try:
            attempt()
        except (TypeError, AttributeError, ValueError) as error:
            parts.append("".join(traceback.format_exception(error)))
        else:
            pytest.fail("a Secret was copied or encoded")
    return "\n".join(parts)


def logged(secret: Secret) -> str:
    """What loguru makes of it, as text and as JSON; without `diagnose`, as seedframe logs."""
    out = io.StringIO()
    handlers: list[Any] = [
        {"sink": out, "serialize": serialize, "diagnose": False, "format": "{message} {extra} {exception}"}
        for serialize in (False, True)
    ]
    numbers = [logger.add(**handler) for handler in handlers]
    try:
        logger.bind(password=secret, login=Login("a", secret)).info("it is {}, {!r}, {p}", secret, secret, p=secret)
        try:
            raise ValueError(secret)  # noqa: TRY301 - to be logged
        except ValueError:
            logger.opt(exception=True).error("failed")
    finally:
        for number in numbers:
            logger.remove(number)
    assert out.getvalue().count("it is ") >= 2
    return out.getvalue()


def forms(text: str) -> set[str]:
    """A text, and how it might slip through in disguise."""
    encoded = text.encode()
    return {
        text,
        quote(text),
        quote(text, safe=""),
        json.dumps(text)[1:-1],
        repr(text)[1:-1],
        base64.b64encode(encoded).decode(),
        encoded.hex(),
    }


@settings(max_examples=max(50, EXAMPLES // 3), deadline=None)
@given(CANARIES)
def test_a_secret_shows_itself_nowhere(text: str) -> None:
    secret = Secret(text)
    everything = shown(secret) + logged(secret)
    for form in forms(text):
        assert form not in everything
    assert secret.reveal() == text
    assert secret == Secret(text)
    assert secret != text


def test_a_generated_password_has_192_bits_and_opens_its_own_hash() -> None:
    made = generate_password()
    assert len(base64.urlsafe_b64decode(made.reveal())) * 8 == 192
    check_password(made, "a@example.com")
    assert opens(made, quickly_hashed(made.reveal()))
    assert made.reveal() not in repr(made) + str(sys.getrefcount(made))
