"""docs/accounts.md says what the code does."""

import re
from pathlib import Path

from seedframe.accounts.auth_address import read_address
from seedframe.errors import AuthRefused, AuthUnreachable, ConfigError

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "accounts.md").read_text(encoding="utf-8")
_URL = re.compile(r"^\| `((?:gotrue\+)?https?://[^`]+)` \| `([^`]+)` \|$", re.MULTILINE)


def test_the_urls_of_supabase_auth() -> None:
    rows = _URL.findall(PAGE)
    assert len(rows) == 4
    for url, asked in rows:
        assert read_address(url.replace("PROJECT", "project")).base == asked.replace("PROJECT", "project")


def test_the_errors_of_supabase_auth() -> None:
    section = PAGE[PAGE.index("## Supabase Auth") :].split("\n## ")[0]
    codes = re.findall(r"^\| `([a-z_]+)` \|", section, re.MULTILINE)
    assert codes == [AuthUnreachable.code, AuthRefused.code, ConfigError.code]
