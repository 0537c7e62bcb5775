"""What a seed may not say in SQL, beside what ends its transaction: COPY from and to the client."""

import pytest

from seedframe.database.statements import forbidden
from tests.conftest import ProjectFactory, Sql
from tests.running import apply, error

HOOK = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a"}])

def verify(db):
    db.rows("copy items to stdout")
"""


def test_copy_to_the_client_is_refused_by_name(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key)")
    report = apply(project({"seeds/10_items.py": HOOK}))
    assert report.exit_code == 1
    assert "COPY TO STDOUT: not for seeds" in error(report)
    assert "connection" not in error(report)
    assert "\n" not in error(report)
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("copy items to stdout", "COPY TO STDOUT"),
        ("copy items from stdin", "COPY FROM STDIN"),
        ("COPY public.items (sku, name) /* in */ FROM -- here\n STDIN WITH (FORMAT csv)", "COPY FROM STDIN"),
        ("copy (select 1 from items) to stdout", "COPY TO STDOUT"),
        ('copy "to" to stdout', "COPY TO STDOUT"),
        ("copy items to stdin", "COPY TO STDIN"),  # PostgreSQL takes either name for either direction
        ("copy items from stdout", "COPY FROM STDOUT"),
        ("copy items from '/srv/items.csv'", None),
        ("copy (select a from stdin) to '/srv/a.csv'", None),
        ("select 'copy items to stdout'", None),
        ("insert into stdout select * from stdin", None),
    ],
)
def test_which_copy_is_refused(statement: str, refused: str | None) -> None:
    assert forbidden(statement) == refused
