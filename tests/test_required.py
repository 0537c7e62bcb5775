"""What a machine lacks is skipped with its reason, and fails where it was asked for."""

import pytest

from tests.required import VARIABLE, missing


@pytest.mark.parametrize("asked", ["", "pgbouncers", "unshare"])
def test_what_nobody_asked_for_is_skipped(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    with pytest.raises(pytest.skip.Exception, match="apt-get install it"):
        missing("pgbouncer", "apt-get install it")


@pytest.mark.parametrize("asked", ["pgbouncer", "unshare,pgbouncer"])
def test_what_was_asked_for_must_be_there(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    with pytest.raises(pytest.fail.Exception, match=f"apt-get install it .*{VARIABLE}"):
        missing("pgbouncer", "apt-get install it")
