"""Views: written through where the server itself can, found by the keys of the table below; else refused."""

from collections.abc import Callable

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

Run = Callable[[Folder], Report]
RUNS = pytest.mark.parametrize("run", [dry_run, verify, apply])
SIZES = pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "staged"])

TABLES = """
create schema store;
create table store.items (id bigint generated always as identity primary key, "Sku" text unique not null,
                          name text, price int not null default 5, active bool not null default true,
                          twice int generated always as (price * 2) stored);
create view products as select "Sku" as sku, name, price, active, twice, name || '!' as loud from store.items where active;
create view cheap as select sku, price as cost, name from products where price < 100 with check option;
"""  # noqa: E501


def seed(view: str, rows: str, *, key: str = '"sku"', more: str = "") -> str:
    return f"""
from seedframe import Rows, moved, ref, removed
def resources():
    yield Rows({view!r}, key={key}, rows={rows}{more})
"""


def many(number: int) -> str:
    return f'[{{"sku": f"s{{n}}", "name": "n"}} for n in range({number})]'


@pytest.mark.trap("updatable views", "written through, by the unique keys of the table below")
@pytest.mark.parametrize("view", ["products", "cheap"])
@SIZES
def test_rows_are_written_through_a_view(number: int, view: str, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLES)
    sql("""insert into store.items ("Sku", name) values ('s0', 'theirs'), ('other', 'theirs')""")
    folder = project({"seeds/10_items.py": seed(view, many(number))})
    assert counts(dry_run(folder)) == (number - 1, 1, 0, 0)
    assert counts(applied(folder)) == (number - 1, 1, 0, 0)
    assert sql("""select count(*), min(price), max(price) from store.items where "Sku" <> 'other'""") == [
        (number, 5, 5)
    ]
    before = sql("select xmin::text, ctid::text from store.items order by id")
    sql("update store.items set name = 'by hand' where id = 1")
    (change,) = only(verify(folder)).resources[0].changes.sample
    assert (change.key, change.before, change.verdict) == ({"sku": "s0"}, {"name": "by hand"}, Verdict.DRIFT)
    assert counts(applied(folder)) == (0, 1, 0, number - 1)
    assert sql("select xmin::text, ctid::text from store.items order by id")[1:] != []
    assert sql("select xmin::text, ctid::text from store.items where id > 1 order by id") == before[1:]


@pytest.mark.trap("a view with a check option", "its refusal names the row")
@SIZES
def test_a_check_option_names_the_row(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLES)
    rows = f'[{{"sku": f"s{{n}}", "cost": 500 if n == {number - 1} else 1}} for n in range({number})]'
    folder = project({"seeds/10_items.py": seed("cheap", rows)})
    said = error(apply(folder))
    assert f"rows:cheap row {number} (sku=s{number - 1}): the check option of a view refused a row" in said
    assert sql("select count(*) from store.items") == [(0,)]


@pytest.mark.trap("a row that the view hides", "the unique constraint speaks, and names the row")
def test_a_row_that_the_view_hides_is_in_the_way(project: ProjectFactory, sql: Sql) -> None:
    sql(TABLES)
    sql("""insert into store.items ("Sku", active) values ('s1', false)""")
    folder = project({"seeds/10_items.py": seed("products", many(3))})
    assert "rows:products row 2 (sku=s1): the unique constraint items_Sku_key refused a row" in error(apply(folder))


@RUNS
@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("select a.k, b.v from a join b using (k)", "cannot be inserted into and updated by the server itself"),
        ("select k, max(v) as v from a group by k", "cannot be inserted into and updated by the server itself"),
        ("select lower(k) as k, v from a", "column 'k' of public.x is generated"),
        ("select v as k, k as v from a", "no unique index of public.a, whose rows view public.x shows, covers exactly the key (k)"),  # noqa: E501
        ("select k, (select max(k) from b) as v from a", "column 'v' of public.x is generated"),
    ],
)  # fmt: skip
def test_views_that_cannot_be_written_are_refused(
    view: str, expected: str, run: Run, project: ProjectFactory, sql: Sql
) -> None:
    sql("create table a (k text primary key, v text); create table b (k text primary key, v text)")
    sql(f"create view x as {view}")
    folder = project({"seeds/10_x.py": seed("x", '[{"k": "a", "v": "b"}]', key='"k"')})
    assert expected in error(run(folder))


@RUNS
@pytest.mark.trap("views with INSTEAD OF triggers or rules", "refused: what they write is theirs to know")
@pytest.mark.parametrize("how", ["trigger", "rule"])
def test_views_that_write_in_a_way_of_their_own_are_refused(
    how: str, run: Run, project: ProjectFactory, sql: Sql
) -> None:
    sql("create table a (k text primary key, v text); create view x as select * from a")
    if how == "trigger":
        sql("create function nothing() returns trigger language plpgsql as $$ begin return null; end $$")
        sql("create trigger away instead of insert on x for each row execute function nothing()")
    else:
        sql("create rule away as on insert to x do instead nothing")
    said = error(run(project({"seeds/10_x.py": seed("x", '[{"k": "a", "v": "b"}]', key='"k"')})))
    own = "INSTEAD OF triggers" if how == "trigger" else "rules"
    assert f"view public.x writes through {own} of its own (declare the table whose rows are meant)" in said


@pytest.mark.parametrize("kind", ["materialized view", "foreign table"])
def test_what_is_no_table_stays_refused(kind: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table a (k text primary key)")
    if kind == "materialized view":
        sql("create materialized view x as select * from a; create unique index on x (k)")
    else:
        sql("create foreign data wrapper w; create server s foreign data wrapper w")
        sql("create foreign table x (k text) server s")
    said = error(apply(project({"seeds/10_x.py": seed("x", '[{"k": "a"}]', key='"k"')})))
    assert f"public.x is a {kind}" in said


@RUNS
@pytest.mark.parametrize("more", [', mode="sync"', ", prune=True", ', transitions=[removed("x")]'])
def test_nothing_is_deleted_through_a_view(more: str, run: Run, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLES)
    sql("""insert into store.items ("Sku") values ('x')""")
    folder = project({"seeds/10_items.py": seed("products", many(1), more=more)})
    assert "public.products is a view, through which seedframe deletes no rows" in error(run(folder))
    assert sql("select count(*) from store.items") == [(1,)]


def test_null_keys_expressions_moves_and_references_work_through_views(
    nulls: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(
        f"create table t (id bigserial primary key, a text, b text, up bigint references t, unique {nulls} (a, b));"
        "create unique index by_lower on t (lower(b)) where a = 'x';"
        "create view v as select a, b, up from t; create view w as select a as aa, b as bb, up as above from t;"
    )
    sql("insert into t (a, b) values ('x', 'OLD'), (null, 'n')")
    folder = project(
        {
            "seeds/10_v.py": seed(
                "v", '[{"b": "new", "a": "x"}]', key='"b"', more=', index="by_lower", transitions=[moved("old", "new")]'
            ),
            "seeds/20_w.py": seed(
                "w",
                '[{"aa": None, "bb": None, "above": ref("t", a="x", b="new")},'
                ' {"aa": None, "bb": "n", "above": ref("t", a="y", b="z")}]',
                key='["aa", "bb"]',
            ),
            "seeds/15_again.py": seed("v", '[{"a": "y", "b": "z"}]', key='["a", "b"]'),
        }
    )
    assert counts(dry_run(folder)) == (2, 2, 0, 0)
    assert counts(applied(folder)) == (2, 2, 0, 0)
    assert sql("select t.a, t.b, u.b from t left join t u on u.id = t.up order by t.id") == [
        ("x", "new", None), (None, "n", "z"), ("y", "z", None), (None, None, "new"),
    ]  # fmt: skip
    folder.write({"seeds/20_w.py": seed("w", '[{"aa": "x", "bb": "b"}]', key='"bb"', more=', index="by_lower"')})
    assert "index by_lower of public.w is over columns that it does not show under their names" in error(
        apply(folder, "w")
    )


def test_a_view_may_be_of_a_table_that_the_role_cannot_reach(
    project: ProjectFactory, sql: Sql, connect: Connect, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(TABLES)
    sql("drop role if exists shopkeeper; create role shopkeeper login")
    sql("grant usage, create on schema public to shopkeeper; grant select, insert, update on products to shopkeeper")
    sql(f"grant create on database {database.rpartition('/')[2].partition('?')[0]} to shopkeeper")
    folder = project({"seeds/10_items.py": seed("products", many(3))})
    monkeypatch.setenv("DATABASE_URL", database.replace("postgres@", "shopkeeper@"))
    assert counts(applied(folder)) == (3, 0, 0, 0)
    monkeypatch.setenv("DATABASE_URL", database)
    sql("drop owned by shopkeeper cascade; drop role shopkeeper")


def test_deferred_constraints_of_the_table_below_speak_in_apply(project: ProjectFactory, sql: Sql) -> None:
    sql("create table parents (id int primary key)")
    sql(
        "create table t (k text primary key, p int references parents deferrable initially deferred);"
        "create view v as select * from t"
    )
    folder = project({"seeds/10_v.py": seed("v", '[{"k": "a", "p": 1}]', key='"k"')})
    assert "t_p_fkey" in error(apply(folder, rehearse=True))


def test_values_are_exchanged_through_a_view_of_a_table_elsewhere(project: ProjectFactory, sql: Sql) -> None:
    sql("create schema store")
    sql("create table store.t (k text primary key, n int unique deferrable)")
    sql("create view v as select k, n as nn from store.t")
    sql("insert into store.t values ('a', 1), ('b', 2)")
    folder = project({"seeds/10_v.py": seed("v", '[{"k": "a", "nn": 2}, {"k": "b", "nn": 1}]', key='"k"')})
    assert counts(applied(folder)) == (0, 2, 0, 0)
    assert sql("select k, n from store.t order by k") == [("a", 2), ("b", 1)]
