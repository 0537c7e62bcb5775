"""Durations as people write them: "500ms", "5s", "2min", or a number of seconds."""

import re
from decimal import Decimal
from typing import Final

_UNITS: Final = {"ms": Decimal("0.001"), "s": Decimal(1), "min": Decimal(60), "h": Decimal(3600), "d": Decimal(86400)}
_DURATION: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?([A-Za-z]+)", re.ASCII)
# The server keeps timeouts as milliseconds in an int4.
LONGEST_S: Final = 2_147_483.647
SHORTEST_S: Final = 0.001
# An age is taken off the server's clock, which does not go back further than 4713 BC.
OLDEST_S: Final = 365_000 * 86_400.0


class Misfit(ValueError):
    """A value that does not fit; the message says what was expected, without showing the value."""


def parse_duration(value: object) -> float:
    """Seconds; 0 means no limit.

    Raises:
        Misfit: with a message that says what was expected.
    """
    expected = 'expected a duration such as "5s", "500ms" or "2min", or a number of seconds'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Misfit(expected)
    seconds = _parse_text(value.strip(), expected) if isinstance(value, str) else value
    if not seconds >= 0:  # so that NaN fails too
        raise Misfit(f"{expected}, 0 or more")
    if 0 < seconds < SHORTEST_S:
        raise Misfit("shorter than 1ms, which the server would take for no limit at all")
    if seconds > LONGEST_S:
        raise Misfit("longer than the 24 days that PostgreSQL can wait; 0 means no limit")
    return float(seconds)


def parse_age(value: object) -> float | None:
    """Seconds, 0 included; None for "forever".

    Raises:
        Misfit: with a message that says what was expected.
    """
    expected = 'expected an age such as "90d", a number of seconds, or "forever"'
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Misfit(expected)
    if isinstance(value, str) and value.strip() == "forever":
        return None
    seconds = _parse_text(value.strip(), expected) if isinstance(value, str) else value
    if not 0 <= seconds <= OLDEST_S:  # so that NaN fails too
        raise Misfit(f'{expected}, up to 1000 years ("365000d")')
    return float(seconds)


def _parse_text(text: str, expected: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Misfit(f"{expected} (a text needs a unit: {', '.join(_UNITS)})")
    if match[2] not in _UNITS:
        raise Misfit(f"unknown unit {match[2]!r} (known: {', '.join(_UNITS)})")
    return float(Decimal(match[1]) * _UNITS[match[2]])
