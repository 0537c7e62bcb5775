"""What tests of many rounds did, in figures: how many rounds there are to be, and one line for each at the end."""

from collections.abc import Callable
from typing import Final

import pytest

_KEY: Final = "figures"
_LIMIT_S: Final = 1800.0

Figures = Callable[[str], None]


def add_options(parser: pytest.Parser) -> None:
    """The option `--torture N`."""
    parser.addoption(
        "--torture",
        type=float,
        default=1.0,
        metavar="N",
        help="N times as many kills, cuts and rounds as usual (0.1: a tenth, at least one)",
    )


def rounds(config: pytest.Config, usual: int) -> int:
    """How many rounds a test makes that usually makes `usual`."""
    factor: float = config.getoption("--torture")
    return max(1, round(usual * factor))


def give_time(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of many rounds may take longer than others, and the longer the more rounds there are."""
    limit_s = _LIMIT_S * max(1.0, config.getoption("--torture"))
    for item in items:
        if "rounds" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(limit_s))


def lines(reports: "list[pytest.TestReport]") -> list[str]:
    """The figures of all tests; under pytest-xdist they have travelled with the reports."""
    return [f"{report.nodeid}: {text}" for report in reports for key, text in report.user_properties if key == _KEY]


def recorder(node: pytest.Item) -> Figures:
    """What a test gives its figures to: "100 kills, 0 violations"."""
    return lambda text: node.user_properties.append((_KEY, text))
