"""docs/accounts.md says what the code does."""

import inspect
import re
from pathlib import Path

from seedframe import Account
from seedframe.accounts.auth_address import read_address
from seedframe.errors import AuthRefused, AuthUnreachable, ConfigError
from tests.conftest import ProjectFactory, Sql

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


def test_every_argument_of_an_account_is_on_the_page() -> None:
    told = {name for row in re.findall(r"^\| (`[^|]+) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert set(inspect.signature(Account.__init__).parameters) - {"self", "backend", "name"} <= told


def test_the_seed_of_the_page_makes_its_account(project: ProjectFactory, sql: Sql) -> None:
    [seed] = re.findall(r"^```python\n# seeds/10_admin.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    sql(
        "create table users (id bigint generated always as identity primary key, email text unique, password_hash text,"
        " first_name text, last_name text, role text, is_active boolean)"
    )
    folder = project({"seeds/10_admin.py": seed})
    env = {"SEED_ADMIN_EMAIL": "ada@example.com"}
    for command in (["apply"], ["verify"], ["apply", "admin", "--rotate-password", "ada@example.com"]):
        result = folder.run(*command, env=env)
        assert result.returncode == 0, str(result)
    assert sql("select email, first_name, role, is_active from users") == [
        ("ada@example.com", "Platform", "admin", True)
    ]
