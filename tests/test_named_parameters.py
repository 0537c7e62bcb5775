"""`:name` in the statements of a seed: written as SQLAlchemy's `text()` would, and what comes of them."""

import subprocess
import sys

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from seedframe.database.named_parameters import with_named_parameters
from tests.conftest import ProjectFactory, Sql
from tests.running import apply, error, verify

DIALECT = sqlalchemy.make_url("postgresql+psycopg://").get_dialect()()

SEED = """
def verify(db):
    found = {}
    if repr(found) != {!r}:
        yield f"{{found!r}}"
"""


@given(st.text(st.sampled_from(":\\%ab_1é' ${}(\n"), max_size=20))
def test_as_sqlalchemy_writes_them(text: str) -> None:
    clause = sqlalchemy.text(text)
    expected = str(clause.compile(dialect=DIALECT))
    assert with_named_parameters(text, dict(clause._bindparams)) == expected


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("db.scalar('select :a + :b', a=1, b=2)", 3),
        ("db.scalar('select :a::text', a=1)", None),
        ("db.scalar(r'select $$\\:a %s %%$$')", ":a %s %%"),
        ("db.scalar('select :a ', a=[1, None])", [1, None]),
        ("db.scalar('select 1 where false')", None),
        ("db.row('select 1 as a, :b as b', b='x', c='more')", {"a": 1, "b": "x"}),
        ("db.row('select 1 where false')", None),
        ("db.row('select')", {}),
        (
            "db.rows('select n, null as x from generate_series(1, :n) as n', n=2)",
            [{"n": 1, "x": None}, {"n": 2, "x": None}],
        ),
        ("db.rows('select 1 as a, 2 as a')", [{"a": 2}]),
        ("db.rows('select 1 where false')", []),
        ("db.execute('select from generate_series(1, 3)')", 3),
        ("db.execute('set local work_mem = 100')", -1),
    ],
)
def test_what_comes_of_them(call: str, result: object, project: ProjectFactory) -> None:
    report = verify(project({"seeds/10_a.py": SEED.format(call, repr(result))}))
    if "::" in call:  # a name before a cast is none: write cast(:a as text)
        assert "syntax error" in error(report)
    else:
        assert (report.exit_code, report.seeds[0].findings) == (0, ())


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("db.scalar('select :a', b=1)", "the statement cannot be run: no value for :a (pass every :name)"),
        ("db.rows('set local work_mem = 100')", "the statement returns no rows"),
        ("db.scalar('')", "the statement returns no rows"),
        ("db.row('select :a', a=object())", "cannot adapt type 'object'"),
    ],
)
def test_what_cannot_be_run(call: str, told: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (n int)")
    report = apply(project({"seeds/10_a.py": SEED.format(call, "")}))
    assert report.exit_code == 1
    assert told in error(report)
    assert "seeds/10_a.py:3" in error(report)


def test_a_run_loads_no_sqlalchemy(project: ProjectFactory) -> None:
    """It takes longer to load than all else that a run with nothing to do needs."""
    folder = project({"seeds/10_a.py": SEED.format("db.rows('select 1 as a')", "[{'a': 1}]")})
    assert folder.run("apply").returncode == 0
    code = (
        "import sys; from seedframe.cli.main import main; code = main(['verify'])\n"
        "assert 'psycopg' in sys.modules; sys.exit(code or 'sqlalchemy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder.path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done


def test_a_secret_is_a_value_as_any_other(project: ProjectFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "seventeen letters")
    code = "from seedframe import Secret, Setting\nSETTINGS = [Setting('TOKEN', Secret)]\n"
    code += "def verify(db, settings):\n    if db.scalar('select length(:token)', token=settings['TOKEN']) != 17:\n"
    report = verify(project({"seeds/10_a.py": code + "        yield 'another'\n"}))
    assert (report.exit_code, report.seeds[0].findings) == (0, ())
