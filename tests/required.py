"""What some tests need and not every machine has: a stranger's run skips them and says why, the checks insist."""

import os
from typing import Final, NoReturn

import pytest

VARIABLE: Final = "SEEDFRAME_TEST_REQUIRE"


def missing(what: str, reason: str) -> NoReturn:
    """Skip the test for want of something; fail it where SEEDFRAME_TEST_REQUIRE, a list with commas, names that.

    Args:
        what: one word, e.g. "pgbouncer".
        reason: what is missing, and how to get it.
    """
    if what in os.environ.get(VARIABLE, "").split(","):
        pytest.fail(f"{reason} ({VARIABLE} has {what})", pytrace=False)
    pytest.skip(reason)
