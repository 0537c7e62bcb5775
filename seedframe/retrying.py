"""Trying again: after which errors, how often, and how long to pause before. One policy for all that is run again."""

import math
import random
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from seedframe.errors import ConnectionLost, OutcomeUnknown, SeedframeError

ATTEMPTS: Final = 5
"""How often the same work is begun, the first time included."""

RECONNECT_S: Final = 10.0
"""How long a server that was lost is waited for, in seconds, where --wait does not say more."""

# Another session was in the way: a serialization failure, a deadlock, a lock that was not free in time.
_IN_THE_WAY: Final = frozenset({"40001", "40P01", "55P03"})

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0

T = TypeVar("T")


class Pauses:
    """Pauses that double, with jitter, so that those who wait do not all come back at the same moment.

    Args:
        budget_s: seconds from now on, after which nothing is left.
    """

    def __init__(self, budget_s: float = math.inf) -> None:
        self._deadline = time.monotonic() + budget_s
        self._next_s = _FIRST_PAUSE_S

    @property
    def left_s(self) -> float:
        """Seconds that are left of the budget; 0 or less when there are none."""
        return self._deadline - time.monotonic()

    def pause(self) -> None:
        """Sleep, though not longer than what is left."""
        time.sleep(max(0.0, min(self._next_s * random.uniform(0.5, 1.5), self.left_s)))  # noqa: S311 - no secret
        self._next_s = min(self._next_s * 2, _LONGEST_PAUSE_S)


def reconnect_s(wait_s: float) -> float:
    """How long to wait for a server that was lost, given --wait; both in seconds."""
    return max(wait_s, RECONNECT_S)


def may_succeed_again(error: BaseException) -> bool:
    """True when the same transaction, run again from its top, may go through.

    What a seed's own code made of the server's error does not matter, as long as it is told what that came from.
    """
    if any(isinstance(cause, OutcomeUnknown) for cause in _chain(error)):
        return False
    return is_lost(error) or any(getattr(cause, "sqlstate", None) in _IN_THE_WAY for cause in _chain(error))


def is_lost(error: BaseException) -> bool:
    """True when the connection was lost, whatever was made of that."""
    return any(isinstance(cause, ConnectionLost) for cause in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    seen: set[int] = set()
    while cause is not None and id(cause) not in seen:  # `raise error from error` has no end
        yield cause
        seen.add(id(cause))
        cause = cause.__cause__


def run_again(work: Callable[[int], T], *, recover: Callable[[SeedframeError], None]) -> T:
    """Do the work; again from its top after an error that may not come back, a bounded number of times.

    Args:
        work: a whole transaction; given the number of the attempt, from 1 to ATTEMPTS.
        recover: what is to be done between two attempts, after a pause. What it raises ends them.

    Errors: that of the last attempt.
    """
    pauses = Pauses()
    for attempt in range(1, ATTEMPTS):
        try:
            return work(attempt)
        except SeedframeError as error:
            if not may_succeed_again(error):
                raise
            failure = error
        pauses.pause()
        recover(failure)
    return work(ATTEMPTS)
