"""Conversion: the text of a variable as a value of a setting's type, one of its choices, and what that is parsed to."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from seedframe.errors import SeedframeError, did_you_mean
from seedframe.secrets import MASK, Secret

EXPECTED: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Secret: "a secret",
}
"""The types a setting can have, and what a message calls a value of each."""

_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,1000}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_LONGEST_REASON: Final = 300
_SHORT: Final = 4


class Unfit(Exception):
    """A value does not fit; the message is what its variable's name is followed by, without the value.

    Attributes:
        message: " is not a whole number", ": the role of entry 1 …".
        hint: what to do next, where it is known.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def convert(kind: type, text: str) -> Any:
    """The text as a value of one of the types in `EXPECTED`. Errors: Unfit."""
    if kind is str:
        return text
    if kind is Secret:
        return Secret(text)
    word = text.strip()
    if kind is bool:
        if word.lower() not in _TRUE | _FALSE:
            raise _misfit(kind, "true, yes, on, 1 or false, no, off, 0")
        return word.lower() in _TRUE
    if not (_INTEGER if kind is int else _NUMBER).fullmatch(word):
        raise _misfit(kind)
    value = kind(word)
    if kind is float and not math.isfinite(value):
        raise _misfit(kind)
    return value


def as_text(value: object) -> str:
    """A value that is no secret, as it would be written into .env."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def choose(choices: Sequence[Any], value: Any) -> Any:
    """The choice that a converted value is; blanks around a text do not matter. Errors: Unfit, naming the choices."""
    wanted = value.strip() if isinstance(value, str) else value
    if wanted in choices:
        return wanted
    listed = [as_text(choice) for choice in choices]
    text = as_text(wanted)
    near = did_you_mean(text, listed) or did_you_mean(text.lower(), listed)
    raise Unfit(f" is none of {', '.join(listed)}", near)


def parse_value(parse: Callable[[Any], Any], value: Any) -> Any:
    """What a seed's own function makes of a value.

    What it raises must not carry the value along: of a secret only the fact is told; from another message the value
    is taken out, and it is cut to one line.

    Errors: Unfit.
    """
    try:
        return parse(value)
    except SeedframeError as error:
        problem = error.problems[0]
        unfit = Unfit(f": {problem.message}", problem.hint)
    except ValueError as error:
        unfit = Unfit(f": {_reason(error, value)}")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it may hold the value
        unfit = Unfit(
            f" cannot be read: its parse function raised {type(error).__name__}",
            "it is to raise ValueError for what does not fit",
        )
    # Raised here, where the other exception, which may hold the value, is no part of it.
    raise Unfit(" does not fit") if isinstance(value, Secret) else unfit


def _misfit(kind: type, hint: str | None = None) -> Unfit:
    return Unfit(f" is not {EXPECTED[kind]}", hint)


def _reason(error: ValueError, value: object) -> str:
    reason = " ".join(str(error).split())
    text = as_text(value)
    for form in sorted({text, text.strip(), repr(text)[1:-1]} - {""}, key=len, reverse=True):
        if len(form) >= _SHORT:
            reason = reason.replace(form, MASK)
        else:
            reason = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", MASK, reason)
    return reason[:_LONGEST_REASON] or "it does not fit"
