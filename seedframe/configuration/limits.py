"""Limits on how much one run may delete or update: a number of rows, or a share of those that are there."""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from seedframe.configuration.durations import Misfit

_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%", re.ASCII)
_MOST_ROWS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many rows: `rows` of them, or a `share`, between 0 and 1. One of the two is given."""

    rows: int | None = None
    share: Fraction | None = None

    def of(self, there: int) -> int:
        """How many rows it allows where `there` are there; a share is rounded down."""
        if self.share is None:
            assert self.rows is not None  # noqa: S101 - made by parse_limit
            return self.rows
        return int(self.share * there)

    def __str__(self) -> str:
        """As it was written: "500", "2.5%"."""
        return str(self.rows) if self.share is None else f"{float(self.share * 100):g}%"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may do to the rows of one resource; None means no limit."""

    delete: Limit | None = None
    update: Limit | None = None
    delete_is_own: bool = field(default=False, kw_only=True)
    """Whether the resource itself was given the limit on deletes, rather than the configuration."""

    def over(self, under: "Limits") -> "Limits":
        """These, and where one is not given, those of `under`."""
        return Limits(
            self.delete if self.delete is not None else under.delete,
            self.update if self.update is not None else under.update,
            delete_is_own=self.delete is not None,
        )


def parse_limit(value: object) -> Limit:
    """A whole number of rows, or a share such as "10%" or "0.5%".

    Raises:
        Misfit: with a message that says what was expected.
    """
    expected = 'expected a number of rows, or a share such as "10%"'
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Misfit(expected)
    if isinstance(value, int):
        if not 0 <= value <= _MOST_ROWS:
            raise Misfit(f"{expected}, 0 or more")
        return Limit(rows=value)
    match = _SHARE.fullmatch(value.strip())
    if match is None:
        raise Misfit(f"{expected} (a number of rows is written without quotes)")
    share = Fraction(match[1]) / 100
    if share > 1:
        raise Misfit("a share of more than 100%")
    return Limit(share=share)
