"""moved(): a row whose key was changed in the source is renamed, and keeps its id and all that refers to it."""

from collections.abc import Callable

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

Run = Callable[[Folder], Report]
RUNS = pytest.mark.parametrize("run", [dry_run, verify, apply])
SIZES = pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "staged"])

ITEMS = """
create table items (id bigserial primary key, sku text unique not null, name text, price int);
create table lines (id serial, item_id bigint not null references items);
"""


def seed(skus: str, moves: str = "", *, name: str = "n", more: str = "", number: int = 0) -> str:
    """A seed of items: these SKUs, and `number` others."""
    return f"""
from seedframe import Rows, moved, removed, ref

def rows():
    yield from ({{"sku": sku, "name": {name!r}, "price": 1}} for sku in {skus.split()!r})
    yield from ({{"sku": f"x{{n}}", "name": "x", "price": n}} for n in range({number}))

def resources():
    yield Rows("items", key="sku", rows=rows(), transitions=[{moves}]{more})
"""


@pytest.fixture
def items(project: ProjectFactory, sql: Sql) -> Folder:
    sql(ITEMS)
    return project()


def declare(folder: Folder, text: str) -> None:
    folder.write({"seeds/10_items.py": text})


@pytest.mark.trap("a changed key", "moved() renames the row, which keeps its id and all that refers to it")
@SIZES
def test_a_moved_row_is_renamed_and_keeps_what_refers_to_it(number: int, items: Folder, sql: Sql) -> None:
    declare(items, seed("old other", number=number))
    applied(items)
    sql("insert into lines (item_id) select id from items where sku = 'old'")
    (before,) = sql("select id from items where sku = 'old'")
    declare(items, seed("new other", 'moved("old", "new")', number=number))
    for report in (dry_run(items), verify(items), applied(items)):
        assert counts(report) == (0, 1, 0, number + 1)
        (change,) = only(report).resources[0].changes.sample
        assert (change.action, change.key, change.verdict) == ("update", {"sku": "new"}, Verdict.PENDING)
        assert (change.before, change.after) == ({"sku": "old"}, {"sku": "new"})
        assert change.reason == "moved from sku=old"
    assert sql("select id from items where sku = 'new'") == [before]
    assert sql("select sku from lines join items on items.id = item_id") == [("new",)]
    assert sql("select count(*) from items") == [(number + 2,)]


@SIZES
def test_the_other_differences_of_a_moved_row_are_part_of_its_change(number: int, items: Folder, sql: Sql) -> None:
    sql("create table updates (n int)")
    sql(
        "create function note() returns trigger language plpgsql as"
        " $$ begin insert into updates values (1); return new; end $$;"
        "create trigger note before update on items for each row execute function note()"
    )
    declare(items, seed("old", number=number))
    applied(items)
    declare(items, seed("new", 'moved("old", "new")', name="changed", number=number))
    (change,) = only(dry_run(items)).resources[0].changes.sample
    assert (change.before, change.after) == ({"sku": "old", "name": "n"}, {"sku": "new", "name": "changed"})
    applied(items)
    assert sql("select sku, name from items where sku !~ 'x'") == [("new", "changed")]
    assert sql("select count(*) from updates") == [(1,)]


@pytest.mark.parametrize(
    ("there", "expected", "left"),
    [
        ("", (1, 0, 0, 0), [("new",)]),
        ("old", (0, 1, 0, 0), [("new",)]),
        ("new", (0, 0, 0, 1), [("new",)]),
        ("old new", (0, 0, 0, 1), [("new",), ("old",)]),
    ],
)
def test_what_is_there_decides(
    there: str, expected: tuple[int, ...], left: list[tuple[str]], items: Folder, sql: Sql
) -> None:
    for sku in there.split():
        sql("insert into items (sku, name, price) values (%s, 'n', 1)", [sku])
    declare(items, seed("new", 'moved("old", "new")'))
    assert counts(dry_run(items)) == expected
    report = apply(items)
    assert (report.exit_code, counts(report)) == (0, expected)
    told = [finding.text for finding in only(report).findings if "moved" in finding.text]
    if there == "old new":
        (text,) = told
        assert text == (
            "rows:items: sku=old was declared moved, but it is there beside sku=new: nothing is renamed;"
            " removed('old') in its place deletes it"
        )
        assert verify(items).exit_code == 1
    else:
        assert told == []
        assert verify(items).exit_code == 0
    assert counts(apply(items)) == (0, 0, 0, 1)
    assert sql("select sku from items order by sku") == left


@pytest.mark.trap("a key that was changed twice", "moved() of each step; the row is found by whichever key it has")
@pytest.mark.parametrize("there", ["a", "b", "c"])
@pytest.mark.parametrize("order", ['moved("a", "b"), moved("b", "c")', 'moved("b", "c"), moved("a", "b")'])
def test_a_chain_of_moves_is_one(there: str, order: str, items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values (%s, 'n', 1)", [there])
    declare(items, seed("c", order))
    assert counts(applied(items)) == (0, int(there != "c"), 0, int(there == "c"))
    assert sql("select id, sku from items") == [(1, "c")]


def test_of_several_in_a_chain_the_last_is_renamed_and_the_others_are_told_of(items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values ('a', 'n', 1), ('b', 'n', 1)")
    declare(items, seed("c", 'moved("a", "b"), moved("b", "c")'))
    report = apply(items)
    assert counts(report) == (0, 1, 0, 0)
    assert [f.text[:44] for f in only(report).findings] == ["rows:items: sku=a was declared moved, but it"]
    assert sql("select id, sku from items order by id") == [(1, "a"), (2, "c")]


@RUNS
@pytest.mark.parametrize(
    ("skus", "moves", "expected"),
    [
        ("other", 'moved("a", "b")', "rows:items moved() 1: its new key sku=b is not declared"),
        ("a b", 'moved("a", "b")', "row 1: this row is declared, and moved() 1 says that it is sku=b now"),
        ("b", 'moved("a", "b"), moved("a", "c")', "moved() 2: its old key is also that of moved() 1"),
        ("c", 'moved("a", "c"), moved("b", "c")', "moved() 2: its new key is also that of moved() 1"),
        ("a b", 'moved("a", "b"), moved("b", "a")', "moved() 1: its keys go round in a circle"),
        ("a", 'moved("a", "a")', "moved() 1: sku=a and the new key are one for the server"),
        ("a", 'moved({"sk": "b"}, "a")', "moved() 1: the old key names 'sk', which is no column of the key (did you mean 'sku'?)"),  # noqa: E501
        ("a", 'moved("b", {})', "moved() 1: the new key has no 'sku'"),
        ("a", 'moved(None, "a")', "moved() 1: key column 'sku' has no value"),
        ("a", 'moved(ref("items", sku="b"), "a")', "moved() 1: column 'sku' has ref()"),
    ],
)  # fmt: skip
def test_moves_that_cannot_be(run: Run, skus: str, moves: str, expected: str, items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values ('other', 'n', 1)")
    declare(items, seed(skus, moves))
    assert expected in error(run(items))
    assert sql("select sku from items") == [("other",)]


@RUNS
def test_moves_that_cannot_be_are_found_in_large_sources_too(run: Run, items: Folder) -> None:
    declare(items, seed("b", 'moved("x5500", "b")', number=6_000))
    assert "row 5502: this row is declared, and moved() 1 says that it is sku=b now" in error(run(items))
    declare(items, seed("b", 'moved("a", "c")', number=6_000))
    assert "moved() 1: its new key sku=c is not declared" in error(run(items))


def test_a_value_that_does_not_fit_names_the_move(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (n int primary key)")
    text = """
from seedframe import Rows, moved
def resources():
    yield Rows("t", key="n", rows=[{"n": 2}], transitions=[moved(1, 2), moved(3, "four")])
"""
    assert "rows:t moved() 2: column n: invalid input syntax" in error(apply(project({"seeds/10_t.py": text})))


@pytest.mark.trap("a renamed row in the baseline", "keeps its history: pending, or conflict where it was edited too")
@SIZES
def test_the_verdict_of_a_moved_row(number: int, items: Folder, sql: Sql) -> None:
    declare(items, seed("old", number=number))
    applied(items)
    declare(items, seed("new", 'moved("old", "new")', name="changed", number=number))
    assert only(verify(items)).verdict is Verdict.PENDING
    sql("update items set price = 7 where sku = 'old'")
    (change,) = only(verify(items)).resources[0].changes.sample
    assert (change.verdict, change.before) == (
        Verdict.CONFLICT,
        {"sku": "old", "name": "n", "price": "7"},
    )
    kept = apply(items, on_conflict="database")
    assert counts(kept) == (0, 1, 0, number)
    assert sql("select sku, name, price from items where sku !~ 'x'") == [("new", "changed", 7)]
    assert verify(items).exit_code == 0
    declare(items, seed("old2", 'moved("new", "old2")', name="changed", number=number))
    applied(items)
    assert sql("select sku, name, price from items where sku !~ 'x'") == [("old2", "changed", 7)]  # still kept


def test_a_row_that_was_renamed_back_by_hand_has_drifted(items: Folder, sql: Sql) -> None:
    declare(items, seed("old"))
    applied(items)
    declare(items, seed("new", 'moved("old", "new")'))
    applied(items)
    sql("update items set sku = 'old'")
    (change,) = only(verify(items)).resources[0].changes.sample
    assert (change.verdict, change.reason) == (Verdict.DRIFT, "moved from sku=old; renamed in the database")
    assert "changed in the database" in error(apply(items, on_conflict="fail"))
    assert counts(apply(items, on_conflict="database")) == (0, 0, 0, 1)
    assert sql("select sku from items") == [("old",)]
    assert verify(items).exit_code == 0
    declare(items, seed("new", 'moved("old", "new")', name="changed"))
    assert counts(applied(items)) == (0, 1, 0, 0)
    assert sql("select id, sku, name from items") == [(1, "new", "changed")]


def test_insert_mode_renames_and_touches_nothing_else(items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values ('old', 'theirs', 9)")
    declare(items, seed("new", 'moved("old", "new")', more=', mode="insert"'))
    assert counts(applied(items)) == (0, 1, 0, 0)
    assert sql("select id, sku, name, price from items") == [(1, "new", "theirs", 9)]


PLACES = "create table places (id serial, country text {}, code text {}, name text, unique {} (country, code))"
PLACES_SEED = """
from seedframe import Rows, moved
def resources():
    yield Rows("places", key=["country", "code"], rows=[{{"country": "xx", "code": {!r}, "name": "n"}}],
               transitions=[moved({{"country": "xx", "code": {!r}}}, {{"code": {!r}, "country": "xx"}})])
"""


def test_a_key_of_several_columns_moves(project: ProjectFactory, sql: Sql) -> None:
    sql(PLACES.format("not null", "not null", ""))
    sql("insert into places (country, code, name) values ('xx', 'old', 'n'), ('yy', 'old', 'n')")
    folder = project({"seeds/10_places.py": PLACES_SEED.format("new", "old", "new")})
    (change,) = only(applied(folder)).resources[0].changes.sample
    assert (change.key, change.before) == ({"country": "xx", "code": "new"}, {"code": "old"})
    assert change.reason == "moved from country=xx, code=old"
    assert sql("select id, country, code from places order by 1") == [(1, "xx", "new"), (2, "yy", "old")]
    folder.write(
        {
            "seeds/10_places.py": PLACES_SEED.format("new", "old", "new").replace(
                '{"country": "xx", "code": \'old\'}', '"old"'
            )
        }
    )
    assert "moved() 1: the old key is one value, and the key has 2 columns" in error(apply(folder))


@pytest.mark.parametrize(("old", "new"), [(None, "new"), ("old", None)])
def test_a_key_moves_to_and_from_null(
    old: str | None, new: str | None, nulls: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(PLACES.format("", "", nulls))
    sql("insert into places (country, code, name) values ('xx', %s, 'n')", [old])
    folder = project({"seeds/10_places.py": PLACES_SEED.format(new, old, new)})
    assert counts(applied(folder)) == (0, 1, 0, 0)
    assert sql("select id, code from places") == [(1, new)]


@SIZES
def test_a_key_that_is_an_expression_moves(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql("create table users (id serial, email text, name text, gone bool not null default false)")
    sql("create unique index by_email on users (lower(email)) where not gone")
    sql("insert into users (email, name) values ('OLD@x', 'n'), ('older@x', 'n')")
    sql("insert into users (email, name, gone) values ('new@x', 'n', true)")
    text = f"""
from seedframe import Rows, moved
def rows():
    yield {{"email": "New@x", "name": "changed"}}
    yield from ({{"email": f"U{{n}}", "name": "u"}} for n in range({number}))
def resources():
    yield Rows("users", key="email", index="by_email", rows=rows(), transitions=[moved("old@X", "NEW@x")])
"""
    folder = project({"seeds/10_users.py": text})
    assert counts(dry_run(folder)) == (number, 1, 0, 0)
    assert counts(applied(folder)) == (number, 1, 0, 0)
    assert sql("select id, email, name from users where id < 4 order by 1") == [
        (1, "New@x", "changed"),
        (2, "older@x", "n"),
        (3, "new@x", "n"),
    ]
    folder.write({"seeds/10_users.py": text.replace('"old@X", "NEW@x"', '"new@X", "NEW@x"')})
    assert "moved() 1: email=new@X and the new key are one for the server" in error(apply(folder))


TREE = """
create table nodes (id bigserial primary key, code text unique not null, parent_id bigint references nodes, n int);
"""


@pytest.mark.parametrize("number", [1, 6_000], ids=["parameters", "staged"])
def test_a_moved_row_is_referred_to_by_its_new_key(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TREE)
    sql("insert into nodes (code, n) values ('old', 1)")
    text = f"""
from seedframe import Rows, moved, ref
def rows():
    yield {{"code": "child", "parent_id": ref("nodes", code="new"), "n": 1}}
    yield {{"code": "new", "parent_id": ref("nodes", code="root"), "n": 2}}
    yield {{"code": "root", "parent_id": None, "n": 1}}
    yield from ({{"code": f"c{{n}}", "parent_id": ref("nodes", code="new"), "n": 1}} for n in range({number}))
def resources():
    yield Rows("nodes", key="code", rows=rows(), transitions=[moved("old", "new")])
"""
    folder = project({"seeds/10_nodes.py": text})
    assert counts(dry_run(folder)) == (number + 2, 1, 0, 0)
    assert counts(applied(folder)) == (number + 2, 1, 0, 0)
    assert sql(
        "select c.code, p.code, g.code from nodes c join nodes p on p.id = c.parent_id"
        " join nodes g on g.id = p.parent_id where c.code = 'child' and p.id = 1"
    ) == [("child", "new", "root")]


def test_what_cannot_move_says_so(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE + "create unique index on nodes (parent_id)")
    text = """
from seedframe import Rows, moved, ref
def resources():
    yield Rows("nodes", key="parent_id", rows=[{"parent_id": ref("nodes", code="x")}], transitions=[moved(1, 2)])
"""
    folder = project({"seeds/10_nodes.py": text})
    assert "rows:nodes: moved(), but key column 'parent_id' is looked up by ref()" in error(apply(folder))
    folder.write(
        {
            "seeds/10_nodes.py": text.replace(
                '[{"parent_id": ref("nodes", code="x")}]', '[{"parent_id": 1}], secret=["parent_id"]'
            )
        }
    )
    assert "moved(), but key column 'parent_id' is secret" in error(apply(folder))


def test_the_report_of_the_command_line_tells_of_it(items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values ('old', 'n', 1)")
    declare(items, seed("new", 'moved("old", "new")'))
    shown = items.run("apply", "--dry-run")
    assert shown.returncode == 0, shown
    assert "moved from sku=old" in shown.stdout
    assert items.run("apply", "--rehearse").returncode == 0
    assert sql("select sku from items") == [("old",)]
    assert items.run("apply").returncode == 0
    assert sql("select sku from items") == [("new",)]


@pytest.mark.trap(
    "ownership of a renamed row", "follows the row: pruned under its new key, once that is declared no more"
)
@SIZES
def test_prune_follows_a_renamed_row(number: int, items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name, price) values ('theirs', 'n', 1)")
    declare(items, seed("old theirs", more=", prune=True", number=number))
    applied(items)
    renames = 'moved("old", "new"), moved("theirs", "still theirs")'
    both = seed("new", renames, more=", prune=True", number=number).replace("['new']", "['new', 'still theirs']")
    declare(items, both)
    assert counts(applied(items)) == (0, 2, 0, number)
    declare(items, seed("", more=", prune=True", number=number))
    assert counts(applied(items)) == (0, 0, 1, number)
    assert sql("select sku from items where sku !~ '^x'") == [("still theirs",)]
