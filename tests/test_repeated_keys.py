"""Keys that stand twice in one source, as the server compares them: near and far apart, in every kind of run."""

from collections.abc import Callable

import pytest

from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

SEED = """
from seedframe import Rows


def keys():
    yield {FIRST!r}
    yield from (f"{{n:05}}" for n in range({BETWEEN}))
    yield {SECOND!r}


def resources():
    yield Rows("items", key="sku", rows=({{"sku": sku, "n": "1"}} for sku in keys()))
"""

Run = Callable[[Folder], Report]


@pytest.mark.parametrize("run", [dry_run, verify, apply])
@pytest.mark.parametrize("between", [3, 11_000], ids=["near", "far"])
@pytest.mark.parametrize(
    ("type_", "first", "second"),
    [
        ("text", "A", "A"),
        ("varchar(5)", "A", "A"),
        ("varchar(5)", "abcde", "abcde   "),
        ("char(6)", "A", "A  "),
        ("text collate {case_blind}", "A", "a"),
        ("numeric", "0.5", "0.50"),
    ],
)
@pytest.mark.trap("two spellings of one key", "refused as the same key by the server's own equality, naming both rows")
def test_the_same_key_twice_is_refused(
    run: Run,
    between: int,
    type_: str,
    first: str,
    second: str,
    project: ProjectFactory,
    sql: Sql,
    request: pytest.FixtureRequest,
) -> None:
    if "case_blind" in type_:
        type_ = type_.format(case_blind=request.getfixturevalue("case_blind"))
    sql(f"create table items (sku {type_} primary key, n int)")
    folder = project({"seeds/10_items.py": SEED.format(FIRST=first, SECOND=second, BETWEEN=between)})
    expected = f"row {between + 2}: the key (sku) of this row is also that of rows:items row 1"
    assert expected in error(run(folder))
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize("run", [dry_run, verify, apply])
@pytest.mark.parametrize("between", [3, 11_000], ids=["near", "far"])
@pytest.mark.parametrize(
    ("type_", "first", "second"), [("text", "A", "a"), ("text", "A", "A "), ("varchar(5)", "abcde", "abcd")]
)
def test_keys_that_only_look_alike_are_two(
    run: Run, between: int, type_: str, first: str, second: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(f"create table items (sku {type_} primary key, n int)")
    report = run(project({"seeds/10_items.py": SEED.format(FIRST=first, SECOND=second, BETWEEN=between)}))
    assert report.error is None
    assert report.summary.create == between + 2
