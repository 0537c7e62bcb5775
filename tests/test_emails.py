"""E-mail addresses: whatever is written, one person has one address, and it can be read."""

import os
import unicodedata
from typing import Final

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from seedframe.emails import MAX_BYTES, normalise_email
from seedframe.errors import DeclarationError

EXAMPLES: Final = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "300"))
MANY: Final = settings(max_examples=EXAMPLES)

# Letters of several scripts, with and without case and composed forms, and what could be mistaken for them.
LETTERS: Final = "abzäéñßœжяέσςاअ한日ıİǅⱥẞ"
MARKS: Final = "\u0308\u0301\u0345\u0327\u0323"
ODD: Final = "\u200b\u202e\u00ad\ufeff\u3164\u034f\u2800\uff41\uff20\ufb01²\u212a\u3002\u0430\ud800\0\x1b\n\t \u00a0"
TEXTS: Final = st.text(st.one_of(st.sampled_from(LETTERS + MARKS + ODD + "aA1.@-_+'\"(),:;<>[]"), st.characters()))
NAMES: Final = st.text(st.sampled_from(LETTERS + MARKS + "1-+_"), min_size=1, max_size=8)
LABELS: Final = st.text(st.sampled_from(LETTERS + MARKS + "1-"), min_size=1, max_size=6)
ADDRESSES: Final = st.builds("{}@{}.{}".format, NAMES, LABELS, st.sampled_from(["com", "org", "ελ", "xn--p1ai"]))


def accepted(text: str) -> str | None:
    """The address, or None where there is none."""
    try:
        return normalise_email(text)
    except DeclarationError as error:
        [line] = str(error).splitlines()
        assert line.startswith("this is no e-mail address: ")
        assert line.isprintable()
        return None


@MANY
@given(st.one_of(TEXTS, st.builds("{}@{}".format, TEXTS, TEXTS), ADDRESSES))
@example("İ@example.com")
@example("a\u0345\u0301@example.com")
@example("ΑΣ@example.com")
def test_an_address_is_one_line_of_what_can_be_seen_and_stays_as_it_is(text: str) -> None:
    address = accepted(text)
    if address is None:
        return
    assert address.isprintable()
    assert not any(character.isspace() for character in address)
    assert not {"Cf", "Cc", "Cs"} & {unicodedata.category(character) for character in address}
    assert address.count("@") == 1
    assert len(address.encode()) <= MAX_BYTES
    assert address.rpartition("@")[2].isascii()
    assert not set(address) & set(',:;<>()[]"\\ ')
    assert normalise_email(address) == address
    assert unicodedata.normalize("NFKC", address) == address


@MANY
@given(ADDRESSES)
def test_composed_or_not_it_is_one_account(text: str) -> None:
    address = accepted(text)
    for form in ("NFC", "NFD"):
        assert accepted(unicodedata.normalize(form, text)) == address


@MANY
@given(ADDRESSES)
def test_in_upper_or_lower_case_it_is_one_account(text: str) -> None:
    # Of letters that have one upper and one lower form: what straße is in upper case is another word.
    assume(all(character.upper().lower() == character.lower() for character in unicodedata.normalize("NFC", text)))
    address = accepted(text.lower())
    for form in (str.upper, str.lower, str.swapcase, str.title):
        changed = "".join(map(form, unicodedata.normalize("NFC", text)))
        assert accepted(changed) == address


@MANY
@given(ADDRESSES)
def test_a_domain_and_what_stands_for_it_are_one_account(text: str) -> None:
    address = accepted(text)
    if address is None:
        return
    local, _, domain = address.partition("@")
    shown = ".".join(
        label[4:].encode().decode("punycode") if label.startswith("xn--") else label for label in domain.split(".")
    )
    assert accepted(f"{local}@{shown}") == address
    assert accepted(f"{local}@{domain.upper()}") == address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("admin@example.com", "admin@example.com"),
        (" Admin@Example.COM\r\n", "admin@example.com"),
        ("a@localhost", "a@localhost"),
        ("o'brien+x=1@example.co.uk", "o'brien+x=1@example.co.uk"),
        ("{a|b}~!#$%&*/?^_`@example.com", "{a|b}~!#$%&*/?^_`@example.com"),
        ("JOSÉ@example.com", "josé@example.com"),
        ("jose\u0301@example.com", "josé@example.com"),
        ("дмитрий@почта.рф", "дмитрий@xn--80a1acny.xn--p1ai"),
        ("a@MÜNCHEN.de", "a@xn--mnchen-3ya.de"),
        ("a@mu\u0308nchen.de", "a@xn--mnchen-3ya.de"),
        ("a@XN--MNCHEN-3YA.de", "a@xn--mnchen-3ya.de"),
        ("a@faß.de", "a@xn--fa-hia.de"),
        ("ΑΣ@example.com", "ασ@example.com"),
        ("x" * 64 + "@example.com", "x" * 64 + "@example.com"),
        ("é" * 32 + "@example.com", "é" * 32 + "@example.com"),
        ("a@" + "b" * 63 + ".com", "a@" + "b" * 63 + ".com"),
        ("x" * 64 + "@" + ("b" * 62 + ".") * 3, None),
        ("x" * 64 + "@" + ("b" * 62 + ".") * 2 + "b" * 63, "x" * 64 + "@" + ("b" * 62 + ".") * 2 + "b" * 63),
    ],
)
def test_what_an_address_is(text: str, address: str | None) -> None:
    assert accepted(text) == address


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it has no @"),
        ("admin", "it has no @"),
        ("a@b@example.com", "it has more than one @"),
        ("@example.com", "nothing stands before its @"),
        ("a@", "nothing stands after its @"),
        ("a b@example.com", "it has a blank in it"),
        ("a@exa\u00a0mple.com", "it has a blank in it"),
        ("a\u200b@example.com", "it has a character in it that cannot be seen"),
        ("a@exam\u00adple.com", "it has a character in it that cannot be seen"),
        ("\u202ea@example.com", "it has a character in it that cannot be seen"),
        ("a\u3164@example.com", "it has a character in it that cannot be seen"),
        ("a\ufe0f@example.com", "it has a character in it that cannot be seen"),
        ("a\0@example.com", "it has a character in it that cannot be seen"),
        ("a\x1b@example.com", "it has a character in it that cannot be seen"),
        ("a\ud800@example.com", "it has a character in it that cannot be seen"),
        ("a\u2800@example.com", "it has a character in it that is no letter, mark or digit, nor ASCII"),
        ("😀@example.com", "it has a character in it that is no letter, mark or digit, nor ASCII"),
        ("\u0301a@example.com", "it has a mark in it that stands on no letter"),
        ("\uff41dmin@example.com", "it has a character in it that stands for others, as full-width letters do"),
        ("\ufb01@example.com", "it has a character in it that stands for others, as full-width letters do"),
        ("a\uff20example.com", "it has no @"),
        ('"a b"@example.com', "it has a blank in it"),
        ('"a"@example.com', "its name has a character in it that has a meaning of its own in mail, as quotes do"),
        ("a(x)@example.com", "its name has a character in it that has a meaning of its own in mail, as quotes do"),
        ("Ada <a@example.com>", "it has a blank in it"),
        ("<a@example.com>", "its name has a character in it that has a meaning of its own in mail, as quotes do"),
        ("a,b@example.com", "its name has a character in it that has a meaning of its own in mail, as quotes do"),
        (".a@example.com", "a dot stands at the beginning or the end of its name, or beside another one"),
        ("a..b@example.com", "a dot stands at the beginning or the end of its name, or beside another one"),
        ("x" * 65 + "@example.com", "more than 64 bytes stand before its @"),
        ("é" * 33 + "@example.com", "more than 64 bytes stand before its @"),
        ("a@example..com", "its domain has a dot too many"),
        ("a@.com", "its domain has a dot too many"),
        ("a@example.com.", "its domain has a dot too many"),
        ("a@-b.com", "its domain has a character in it that no domain has"),
        ("a@b-.com", "its domain has a character in it that no domain has"),
        ("a@-é.com", "its domain has a character in it that no domain has"),
        ("a@é_b.com", "its domain has a character in it that no domain has"),
        ("a@b_c.com", "its domain has a character in it that no domain has"),
        ("a@[127.0.0.1]", "its domain has a character in it that no domain has"),
        ("a@10.0.0.1", "a number stands after its @, where a domain's name should"),
        ("a@b。com", "it has a character in it that is no letter, mark or digit, nor ASCII"),
        ("a@" + "b" * 64 + ".com", "a part of its domain is longer than 63 bytes"),
        ("a@xn--.com", "a part of its domain begins with xn-- and is not what that stands for"),
        ("a@xn--example-.com", "a part of its domain begins with xn-- and is not what that stands for"),
        ("a@xn--99999999999.com", "a part of its domain begins with xn-- and is not what that stands for"),
        ("x" * 64 + "@" + ("b" * 62 + ".") * 3 + "com", "it is longer than 254 bytes"),
    ],
)
def test_what_is_no_address(text: str, reason: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        normalise_email(text)
    assert str(refused.value) == f"this is no e-mail address: {reason} (an address has the form name@domain)"


@MANY
@given(LABELS)
def test_a_part_of_a_domain_in_ascii_has_one_spelling(label: str) -> None:
    written = "xn--" + label.encode("punycode").decode("ascii")
    address = accepted(f"a@{written}.com")
    if address is not None:
        assert address == f"a@{written.lower()}.com"
        assert accepted(f"a@{label}.com") == address


def test_a_password_that_was_given_for_an_address_is_not_shown() -> None:
    for text in ("c4n4ry-pass", "c4n4ry-pass@", "postgresql://a:c4n4ry-pass@b@c/d", "c4n4ry pass@example.com"):
        with pytest.raises(DeclarationError) as refused:
            normalise_email(text)
        seen: BaseException | None = refused.value
        while seen is not None:
            assert "c4n4ry" not in f"{seen}{seen!r}"
            seen = seen.__cause__ or seen.__context__
