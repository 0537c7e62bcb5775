"""A secret is masked in whatever form a text has it, and in whatever way the text leaves the process."""

import json
import logging
import sys
import time
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from io import StringIO
from typing import Final
from urllib.parse import quote, quote_plus

import psycopg
import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st
from loguru import logger

from seedframe.cli import logs
from seedframe.cli.masked_stream import masked_stderr
from seedframe.secrecy.masking import hide, hiding, masked, one_command, tells
from seedframe.secrecy.tracebacks import describe, one_line, render
from seedframe.secrets import MASK, Secret
from tests.canary import forms

_SECRETS: Final = st.text(
    st.sampled_from("aZ9'\"\\%@/ :$?&=+-_é漢\U0001f600") | st.characters(codec="utf-8", exclude_characters="*"),
    min_size=8,
    max_size=40,
).filter(lambda value: len("".join(value.split())) >= 8 and value.isprintable())  # fmt: skip

_ENCODINGS: Final[dict[str, Callable[[str], str]]] = {
    "plain": str,
    "repr": repr,
    "ascii": ascii,
    "bytes": lambda value: repr(value.encode()),
    "in a list": lambda value: str([value, {"password": value}]),
    "json": json.dumps,
    "json text": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps({"body": json.dumps({"password": value})}),
    "repr in json": lambda value: json.dumps(repr([value])),
    "json in repr": lambda value: repr(json.dumps([value])),
    "url": lambda value: "https://app:" + quote(value, safe="") + "@example.com/x",
    "path": lambda value: "/a/" + quote(value) + "/b",
    "form": lambda value: "password=" + quote_plus(value) + "&x=1",
    "sql": lambda value: "'" + value.replace("'", "''") + "'",
    "copy": lambda value: value.replace("\\", "\\\\"),
    "csv": lambda value: '"' + value.replace('"', '""') + '"',
    "hex": lambda value: "\\x" + value.encode().hex(),
    "basic": lambda value: "Basic " + b64encode(b"app:" + value.encode()).decode(),
    "base64": lambda value: b64encode(value.encode() + b"!").decode(),
    "base64 for addresses": lambda value: urlsafe_b64encode(b"xy" + value.encode()).decode(),
    "conninfo": lambda value: psycopg.conninfo.make_conninfo("", password=value),
    "sqlalchemy": lambda value: sqlalchemy.URL.create("postgresql", "a", value, "h").render_as_string(
        hide_password=False
    ),
}


def _raised(raise_it: Callable[[], object]) -> BaseException:
    try:
        raise_it()
    except BaseException as error:  # noqa: BLE001 - whatever it is
        return error
    raise AssertionError("nothing was raised")


def _fail(error: BaseException) -> object:
    raise error


def _chained(text: str) -> None:
    try:
        _fail(ValueError(text))
    except ValueError as error:
        raise RuntimeError("no " + text) from error


_RAISED: Final[dict[str, Callable[[str], object]]] = {
    "message": lambda text: _fail(RuntimeError(text)),
    "arguments": lambda text: _fail(RuntimeError("no", {"password": text})),
    "key": lambda text: {"a": 1}[text],
    "number": lambda text: int("x" + text),
    "group": lambda text: _fail(ExceptionGroup(text, [ValueError(text)])),
    "chained": lambda text: _fail(_raised(lambda: _chained(text))),
    "file": lambda text: _fail(FileNotFoundError(2, "no such file", text)),
    "statement": lambda text: _fail(sqlalchemy.exc.StatementError(text, "select :s", {"s": text}, ValueError(text))),
    "database": lambda text: _fail(psycopg.DataError(f'bad value: "{text}"\nDETAIL: {text}')),
    "unicode": lambda text: (text + "\ud800").encode(),
}


def _everywhere(error: BaseException, text: str) -> str:
    """All that is made of an exception and a text on their way out."""
    stream = StringIO()
    records: list[str] = []
    logger.remove()
    logger.add(lambda message: records.append(masked(logs.text_of(message.record))), format="{message}", diagnose=False)
    logger.add(lambda message: records.append(logs.json_of(message.record)), format="{message}", diagnose=False)
    bound = logger.bind(password=text, deep={"a": [text], text: 1}, traceback=render(error))
    bound.opt(exception=error).error("it is {}", text)
    logger.remove()
    before, sys.stderr = sys.stderr, stream
    try:
        with masked_stderr():
            print(text, [text], file=sys.stderr)  # noqa: T201 - as a seed might
            sys.stderr.writelines([text, "\n"])
            logging.getLogger("of a seed").error("it is %s, %r", text, text)
    finally:
        sys.stderr = before
    return "\n".join([describe(error), render(error), one_line(text), masked(text), *records, stream.getvalue()])


@settings(deadline=None, max_examples=150)
@given(value=_SECRETS, encoding=st.sampled_from(sorted(_ENCODINGS)), place=st.sampled_from(sorted(_RAISED)))
def test_no_form_of_a_secret_leaves_by_any_way(value: str, encoding: str, place: str) -> None:
    text = _ENCODINGS[encoding](value)
    error = _raised(lambda: _RAISED[place](text))
    with hiding([value]):
        left = _everywhere(error, text)
    assert MASK in left
    assert "Traceback" in left
    # A secret may be in our own words by chance; then the words around it are not what it was.
    for name, form in forms(value).items():
        if name.startswith(("its ", "UTF-16", "Latin-1")) or len(form) < 8:
            continue
        assert form not in left.encode(errors="surrogatepass"), (name, left)


@settings(deadline=None, max_examples=300)
@given(
    value=st.text(min_size=4, max_size=30).filter(lambda value: len(value.encode(errors="surrogatepass")) >= 4),
    before=st.binary(max_size=5),
    after=st.binary(max_size=5),
    address=st.booleans(),
)
def test_of_base64_not_even_a_bit_is_left(value: str, before: bytes, after: bytes, address: bool) -> None:
    """What is masked are just the characters that have bits of the secret in them."""
    plain = value.encode(errors="surrogatepass")
    encode = urlsafe_b64encode if address else b64encode
    text = encode(before + plain + after).decode().rstrip("=")
    first, last = 8 * len(before) // 6, -(-8 * len(before + plain) // 6)
    if not value.strip():
        return
    with hiding([value]):
        found = masked(text)
    assert MASK in found
    whole = text[:first] + MASK + text[last:]
    assert found == whole or len(found.replace(MASK, "")) < len(whole.replace(MASK, ""))


@given(value=st.text(min_size=1, max_size=3), text=st.text("ab c.1", min_size=5))
def test_a_short_secret_is_masked_as_a_word_only(value: str, text: str) -> None:
    """Nor does it turn everything into asterisks."""
    with hiding([value]):
        assert masked("xyzzy" * 50) == "xyzzy" * 50
        found = masked(f"it is ({value}) {text}")
    if value.strip():
        assert f"({value})" not in found
    assert found.count(MASK) <= len(text.split()) + 8


def test_what_holds_a_secret_stays_readable() -> None:
    with hiding(["correct horse", "7"]):
        assert masked("seed 10_a: 7 of 17 rows, v7; correct horsemen, correct horse") == (
            f"seed 10_a: {MASK} of 17 rows, v7; {MASK}men, {MASK}"
        )
    with hiding(["-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----\n"]):
        assert masked("line 2: MIIEvQIBADANBgkqhkiG") == f"line 2: {MASK}"
    for blank in ("", " ", "\n\t"):
        with hiding([blank]):
            assert masked("a b\n\tc") == "a b\n\tc"


def test_what_turns_up_later_is_hidden_to_the_end_of_the_run() -> None:
    hide("no run, no mask")
    assert masked("no run, no mask") == "no run, no mask"
    with one_command():
        with hiding([]):
            hide("generated-word")
            assert masked("generated-word") == MASK
        assert masked("generated-word") == MASK
    assert masked("generated-word") == "generated-word"
    with hiding([]):
        hide(*(f"word number {number:04}" for number in range(2_000)))
        assert masked("word number 0999") == MASK
        assert masked("word number 1999") == "word number 1999"
    assert masked("word number 0999") == "word number 0999"


@pytest.mark.parametrize(
    ("secret", "statement", "told"),
    [
        ("s3cret-word", "select * from users where password = 's3cret-word'", True),
        ("s3cret-word", "select 's3cret-word", True),
        ("it's a secret", "select 'it''s a secret'", True),
        ("password", "select password, password_hash from users", False),
        ("password", "select * from users where password = 'password'", True),
        ("password", "select 'password_of' from users", False),
        ("short", "select 'short'", False),
        ("s3cret-word", "select :word", False),
    ],
)
def test_a_statement_with_a_secret_in_it_is_known(secret: str, statement: str, told: bool) -> None:
    with hiding([secret]):
        assert tells(statement) is told
    assert not tells(statement)


def test_a_secret_is_not_written_by_accident() -> None:
    secret = Secret("s3cret-word")
    for shown in (str(secret), repr(secret), f"{secret:>20}", f"{[secret]}", "%s" % secret, format(secret)):  # noqa: UP031
        assert "s3cret" not in shown


def test_bytes_on_standard_error_are_masked(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with hiding(["s3cret-wörd"]), masked_stderr():
        sys.stderr.buffer.write("it is s3cret-wörd\n".encode() + b"\xff\n")
        sys.stderr.flush()
        assert not sys.stderr.isatty()
        with pytest.raises(TypeError):
            sys.stderr.write(b"bytes")  # type: ignore[arg-type]
    assert capfdbinary.readouterr().err == f"it is {MASK}\n".encode() + b"\xff\n"


def test_much_text_is_masked_as_it_goes() -> None:
    """A large report with a few secrets is no matter of minutes, whatever the machine is doing."""
    text = "an ordinary row of a report, with backslashes \\\\ and 'quotes' in it; " * 40_000
    started = time.process_time()
    with hiding([f'sec\'ret \\"number" {number}' for number in range(20)]):
        assert masked(text) == text
        assert masked(text + 'sec\'ret \\"number" 3').endswith(MASK)
    assert time.process_time() - started < 60
