"""`Tables(…, columns=…)`: the columns that a seed counts on, asked for before anything is declared of them."""

from collections.abc import Callable

import pytest

from seedframe import Tables
from seedframe.errors import DeclarationError
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

SEED = """
from seedframe import Rows, Tables

def resources():
    yield Tables({arguments})
    yield Rows("teas", key="code", rows=[{{"code": "EG", "name": "Earl Grey"}}])
"""


def seed(arguments: str) -> dict[str, str]:
    return {"seeds/10_teas.py": SEED.format(arguments=arguments)}


@pytest.mark.parametrize("run", [dry_run, apply, verify], ids=["dry_run", "apply", "verify"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            '"teas", columns={"teas": ["code", "nme"]}',
            "table public.teas has no column 'nme' (did you mean 'name'?)",
        ),
        (
            '"teas", columns={"teas": ["origin"]}',
            "table public.teas has no column 'origin' (its columns are code, name)",
        ),
        (
            '"teas", columns={"teas": ["code", "origin", "grams"]}, hint="see tables.sql"',
            "table public.teas has no columns 'origin', 'grams' (see tables.sql)",
        ),
        (
            '"teas", "shops", columns={"teas": ["origin"], "shops": ["code", "town"]}, hint="see tables.sql"',
            "table public.teas has no column 'origin'; table public.shops has no column 'town' (see tables.sql)",
        ),
    ],
)
def test_what_a_table_lacks_is_told_at_once(
    project: ProjectFactory, sql: Sql, run: Callable[[Folder], Report], arguments: str, said: str
) -> None:
    sql("create table teas (code text primary key, name text); create table shops (code text)")
    report = run(project(seed(arguments)))
    tables = "teas,shops" if "shops" in arguments else "teas"
    assert error(report) == f"declaration: tables:{tables}: {said}"
    assert sql("select count(*) from teas") == [(0,)]


def test_what_is_there_is_no_news_and_a_missing_table_is_told_as_such(project: ProjectFactory, sql: Sql) -> None:
    folder = project(seed('"teas", columns={"teas": ["code", "name"]}, hint="see tables.sql"'))
    assert error(apply(folder)).startswith("missing_table: ")
    sql("create table teas (code text primary key, name text)")
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0


def test_an_optional_table_that_is_not_there_lacks_no_column(project: ProjectFactory, sql: Sql) -> None:
    sql("create table shops (code text)")
    folder = project(seed('"teas", "shops", required=False, columns={"teas": ["code"], "shops": ["code"]}'))
    assert apply(folder).exit_code == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"tea": ["code"]}, "columns= of 'tea', which is none of the tables"),
        ({"teas": "code"}, "columns= of 'teas' is one text"),
    ],
)
def test_a_slip_in_the_declaration(columns: dict[str, list[str]], said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        Tables("teas", columns=columns)
