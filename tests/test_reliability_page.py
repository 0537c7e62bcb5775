"""docs/reliability.md is what the tests say, so that it cannot lie."""

from tests.reliability_page import PAGE, page, promises


def test_the_page_is_what_the_tests_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.reliability_page"


def test_each_promise_is_an_event_and_a_clause() -> None:
    for rows in promises().values():
        for event, kept in rows:
            assert "\n" not in event + kept
            assert len(event) <= 120, event
            assert not event.endswith("."), event
            assert not kept.endswith("."), kept
