"""What a proof of convergence found: what was proven, what could not be tried, or the promise that was broken."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from seedframe.report import Report
from seedframe.secrecy.masking import masked
from seedframe.testing.report_reading import report_text

PLANNED: Final = "a dry run plans it"
WROTE_NOTHING: Final = "a dry run writes nothing"
APPLIED: Final = "apply does what was planned"
EMPTY: Final = "after apply, the plan is empty"
UNCHANGED: Final = "a second apply writes none of its rows"
IN_SYNC: Final = "after apply, verify is in sync"
AT_ONCE: Final = "two applies at once are safe"
DETECTED: Final = "a value changed by hand is found"
REPAIRED: Final = "apply repairs what was changed"
NO_MORE: Final = "a repair writes no row that was right"
LEFT_ALONE: Final = "initial and ignored columns are left alone"
MISSED: Final = "a row that is gone is found"
TRUTHS: Final = "a seed's own verify finds what breaks its truths"
PROMISES: Final = (
    PLANNED,
    WROTE_NOTHING,
    APPLIED,
    EMPTY,
    UNCHANGED,
    IN_SYNC,
    AT_ONCE,
    DETECTED,
    REPAIRED,
    NO_MORE,
    LEFT_ALONE,
    MISSED,
    TRUTHS,
)


class ConvergenceError(AssertionError):
    """A seed does not keep a promise. Its message names the promise, the place and what the report says.

    Attributes:
        promise: the promise that was broken, as docs/testing.md lists them.
        report: the report that shows it; None where no run came to its end.
    """

    def __init__(self, promise: str, what: str, report: Report | None = None) -> None:
        self.promise = promise
        self.report = report
        text = f"{promise}: {what}"
        super().__init__(masked(text if report is None else f"{text}\n\n{report_text(report)}"))


@dataclass(frozen=True, slots=True)
class Mutation:
    """A value that was changed by hand. Its text has no values: they may be secret.

    Attributes:
        seed: the seed's label: "20_reference".
        resource: the resource's name: "rows:medications".
        column: the column.
        key: the row.
        before: what was declared, as PostgreSQL's text.
        after: what it was changed to.
    """

    seed: str
    resource: str
    column: str
    key: Mapping[str, str | None]
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What could not be tried, and why. `column` is None where it is the whole resource, or its row, and `resource` is
    empty where it is the whole seed.
    """

    seed: str
    resource: str
    column: str | None
    reason: str

    def __str__(self) -> str:
        place = self.resource if self.column is None else f"{self.resource}.{self.column}"
        return f"seed {self.seed}{', ' if place else ''}{place}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Convergence:
    """What was proven.

    Attributes:
        report: of the first apply.
        mutated: managed values that were changed by hand, found by `verify` and repaired by `apply`.
        kept: values of `initial` and `ignore` columns that were changed by hand, and left as they were.
        deleted: resources of which a row was deleted, or a comment, a privilege or the like taken back, missed by
            `verify` and made again by `apply`.
        left_out: what could not be tried.
        unproven: promises that could not be looked into here.
    """

    report: Report
    mutated: tuple[Mutation, ...] = ()
    kept: tuple[Mutation, ...] = ()
    deleted: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    unproven: tuple[str, ...] = ()

    def require_complete(self) -> None:
        """Have nothing left out. Errors: AssertionError, with all that was."""
        __tracebackhide__ = True
        missing = [*map(str, self.left_out), *self.unproven]
        if missing:
            raise AssertionError("not everything could be tried:\n  " + "\n  ".join(missing))
