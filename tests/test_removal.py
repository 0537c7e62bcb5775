# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""Removing rows: what `sync`, `prune` and `removed()` delete, what they never touch, and what they say before."""

import threading
from typing import Any

import pytest

from seedframe.changes import Marker, Verdict
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

ITEMS = (
    "create table items (id bigserial primary key, country text not null, sku text not null, name text,"
    " unique (country, sku))"
)


def seed(body: str) -> str:
    return f"from seedframe import Rows, Tables, moved, ref, removed, sql, column\n\ndef resources():\n    {body}\n"


def items(*keys: str, more: str = "", name: str = "n") -> str:
    """`Rows` of items: "de/a" is country and sku."""
    rows = ", ".join(
        f'{{"country": "{country}", "sku": "{sku}", "name": "{name}"}}'
        for country, _, sku in (key.partition("/") for key in keys)
    )
    return f'yield Rows("items", key=["country", "sku"], rows=[{rows}]{more})'


def keys(sql: Sql) -> list[str]:
    return [row[0] for row in sql("select country || '/' || sku from items order by 1")]


def made(project: ProjectFactory, body: str) -> Folder:
    return project({"seeds/10_items.py": seed(body)})


def rewrite(folder: Folder, body: str) -> None:
    folder.write({"seeds/10_items.py": seed(body)})


SYNC = ', mode="sync"'


def test_sync_holds_exactly_the_declared_rows(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku, name) values ('de', 'a', 'n'), ('de', 'x', 'old'), ('at', 'y', 'older')")
    folder = made(project, items("de/a", "de/b", more=SYNC))
    before = sql("select xmin::text, ctid::text from items where sku = 'a'")
    planned = dry_run(folder)
    assert counts(planned) == (1, 0, 2, 1)
    assert len(sql("select from items")) == 3
    report = applied(folder)
    assert counts(report) == (1, 0, 2, 1)
    assert only(report).resources[0].changes.sample == only(planned).resources[0].changes.sample
    deletes = [change for change in only(report).resources[0].changes.sample if change.action == "delete"]
    assert [(change.key, change.before, change.after, change.verdict) for change in deletes] == [
        ({"country": "at", "sku": "y"}, {"name": "older"}, None, Verdict.PENDING),
        ({"country": "de", "sku": "x"}, {"name": "old"}, None, Verdict.PENDING),
    ]
    assert keys(sql) == ["de/a", "de/b"]
    assert sql("select xmin::text, ctid::text from items where sku = 'a'") == before


def test_a_sync_that_finds_nothing_writes_nothing(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", more=SYNC))
    applied(folder)
    before = sql("select xmin::text, ctid::text, * from items")
    wal = sql("select pg_current_wal_insert_lsn()")[0][0]
    assert counts(apply(folder)) == (0, 0, 0, 1)
    assert sql("select xmin::text, ctid::text, * from items") == before
    assert sql("select pg_current_wal_insert_lsn() - %s < 65536", [wal]) == [(True,)]


def test_verify_tells_a_row_that_left_the_seed_from_one_that_somebody_added(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=SYNC))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'z')")
    sql("update items set name = 'edited' where sku = 'b'")
    rewrite(folder, items("de/a", more=SYNC))
    report = verify(folder)
    assert report.exit_code == 2
    assert [(change.key["sku"], change.verdict) for change in only(report).resources[0].changes.sample] == [
        ("b", Verdict.ORPHAN),
        ("z", Verdict.DRIFT),
    ]
    assert only(report).verdict is Verdict.DRIFT
    assert counts(applied(folder)) == (0, 0, 2, 1)


def test_a_resource_too_large_for_row_hashes_is_judged_as_a_whole(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    config = '[project]\nname = "shop"\n[ledger]\nbaseline_rows = 1\n'
    folder = project({"seeds/10_items.py": seed(items("de/a", "de/b", more=SYNC))}, config=config)
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'z')")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    sql("delete from items where sku = 'z'")
    rewrite(folder, items("de/a", more=SYNC))
    assert only(verify(folder)).verdict is Verdict.ORPHAN
    sql("update items set name = 'x' where sku = 'a'")
    assert only(verify(folder)).verdict is Verdict.CONFLICT


# Where


WHERE = ', mode="sync", where="country = \'de\'"'


def test_where_limits_what_is_deleted(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku, name) values ('de', 'x', 'n'), ('at', 'y', 'n')")
    folder = made(project, items("de/a", more=WHERE))
    outside = sql("select xmin::text, ctid::text from items where sku = 'y'")
    assert counts(dry_run(folder)) == (1, 0, 1, 0)
    assert counts(applied(folder)) == (1, 0, 1, 0)
    assert keys(sql) == ["at/y", "de/a"]
    assert sql("select xmin::text, ctid::text from items where sku = 'y'") == outside


@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
@pytest.mark.parametrize("there", [False, True], ids=["missing", "there"])
def test_a_declared_row_outside_of_where_is_refused(
    there: bool, run: object, project: ProjectFactory, sql: Sql
) -> None:
    sql(ITEMS)
    if there:
        sql("insert into items (country, sku, name) values ('at', 'b', 'n')")
    report = run(made(project, items("de/a", "at/b", more=WHERE)))  # type: ignore[operator]
    assert "bad_data: rows:items row 2: this row is outside of the part of the table that where= selects" in error(
        report
    )
    assert keys(sql) == (["at/b"] if there else [])


def test_a_row_that_was_moved_out_of_where_is_brought_back(project: ProjectFactory, sql: Sql) -> None:
    sql("create table flags (name text primary key, area text, on_ boolean default true)")
    body = (
        'yield Rows("flags", key="name", mode="sync", where="area = \'x\' and on_", rows=[{"name": "a", "area": "x"}])'
    )
    folder = made(project, body)
    applied(folder)
    sql("update flags set area = 'y'")
    assert counts(dry_run(folder)) == (0, 1, 0, 0)
    assert counts(applied(folder)) == (0, 1, 0, 0)
    sql("update flags set on_ = false")
    for report in (dry_run(folder), apply(folder)):
        assert "rows:flags row 1: this row is outside" in error(report)
    sql("delete from flags; alter table flags alter on_ set default false")
    assert counts(dry_run(folder)) == (1, 0, 0, 0)  # a default is known only once the row is made
    assert "rows:flags row 1: this row is outside" in error(apply(folder))
    assert sql("select count(*) from flags") == [(0,)]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("true; drop table items", "where= has a semicolon"),
        ("true) or (true", "where= closes a parenthesis that was not opened"),
        ("(true", "where= has a parenthesis that is not closed"),
        ("sku = $1", "where= has $1, and there are no parameters"),
        (" -- nothing", "where= is empty"),
        ("name", "where= cannot be used: the server refused: argument of WHERE must be type boolean"),
        ("nmae = 'x'", 'where= cannot be used: the server refused: column "nmae" does not exist'),
        ("count(*) > 1", "where= cannot be used: the server refused: aggregate functions are not allowed"),
        ("d.line = 1", 'where= cannot be used: missing FROM-clause entry for table "d"'),
    ],
)
def test_where_is_one_condition_over_the_table(where: str, said: str, project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", more=f', mode="sync", where={where!r}'))
    for report in (dry_run(folder), verify(folder), apply(folder)):
        assert said in error(report)


def test_where_with_hostile_names(project: ProjectFactory, sql: Sql) -> None:
    sql("""create schema "we""ird %s"; create table "we""ird %s"."d" ("t" text, line int primary key, "a b;{}$1" text, "%s" bool);
        insert into "we""ird %s"."d" values ('x', 7, 'y)', true), ('x', 8, 'z', true)""")
    where = """ "d"."t" = 'x' /* ; ) */ and "a b;{}$1" = 'y)' and "%s" -- ; )"""
    body = (
        """yield Rows('"we""ird %s".d', key="line", mode="sync", where="""
        + repr(where)
        + """, rows=[{"line": 1, "t": "x", "a b;{}$1": "y)", "%s": True}])"""
    )
    folder = made(project, body)
    assert counts(dry_run(folder)) == (1, 0, 1, 0)
    assert counts(applied(folder)) == (1, 0, 1, 0)
    assert sql("""select line from "we""ird %s".d order by 1""") == [(1,), (8,)]


def test_where_goes_with_sync_only(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    assert "where= in mode" in error(apply(made(project, items("de/a", more=', where="true"'))))


# Large sources


LARGE = (
    'yield Rows("items", key=["country", "sku"], rows=({{"country": "de", "sku": f"s{{n:06}}", "name": "n"}}'
    " for n in range({0}, {1})){2})"
)


@pytest.mark.parametrize("more", [SYNC, WHERE], ids=["sync", "where"])
def test_a_large_sync_is_streamed_in_a_dry_run_and_staged_in_apply(
    more: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(ITEMS)
    folder = made(project, LARGE.format(0, 11_000, more))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'zz'), ('at', 'zz')")
    rewrite(folder, LARGE.format(500, 11_000, more))
    deleted = 502 if more == SYNC else 501
    planned = dry_run(folder)
    assert counts(planned) == (0, 0, deleted, 10_500)
    assert counts(verify(folder)) == (0, 0, deleted, 10_500)
    report = apply(folder)
    assert counts(report) == (0, 0, deleted, 10_500)
    shown = [only(run).resources[0].changes for run in (planned, report)]
    assert [(change.key, change.verdict) for change in shown[0].sample] == [
        (change.key, change.verdict) for change in shown[1].sample
    ]
    assert len(shown[0].sample) + shown[0].omitted == deleted
    assert counts(applied(folder)) == (0, 0, 0, 10_500)


KINDS = {
    "int": ("n", "n"),
    "numeric": ("f'{n}.0'", "n"),
    "jsonb": ("f'{{\"a\": {n}.0}}'", """('{"a": ' || n || '}')::jsonb"""),
    "text": ("f't{n}'", "'t' || n"),
    "varchar(8)": ("f't{n}'", "'t' || n"),
    "char(9)": ("f't{n}'", "'t' || n"),
    "numrange": ("f'[{n}.0,{n}.5)'", "numrange(n, n + 0.5)"),
    "numeric[]": ("[str(n), '1.0']", "array[n, 1]"),
    "interval": ("f'{n} days'", "(n * 24) * interval '1 hour'"),
}


@pytest.mark.trap("keys that are equal and look different", "a declared row is never taken for one to delete")
@pytest.mark.parametrize("kind", KINDS)
def test_equal_keys_are_never_taken_for_others(kind: str, project: ProjectFactory, sql: Sql) -> None:
    """The key's own equality decides in a streamed comparison too, whatever its texts look like."""
    python, there = KINDS[kind]
    sql(f"create table items (k {kind} primary key); insert into items select {there} from generate_series(0, 6000) n")
    folder = made(project, f'yield Rows("items", key="k", mode="sync", rows=({{"k": {python}}} for n in range(6_000)))')
    assert counts(dry_run(folder)) == (0, 0, 1, 6_000)
    assert counts(applied(folder)) == (0, 0, 1, 6_000)


@pytest.mark.trap("keys equal by a collation, not by their bytes", "a declared row is never taken for one to delete")
def test_keys_that_a_collation_takes_for_equal(project: ProjectFactory, sql: Sql, case_blind: str) -> None:
    sql(f"create table items (k text collate {case_blind} primary key)")
    sql("insert into items select 'K' || n from generate_series(0, 6000) n")
    folder = made(project, 'yield Rows("items", key="k", mode="sync", rows=({"k": f"k{n}"} for n in range(6_000)))')
    assert counts(dry_run(folder)) == (0, 0, 1, 6_000)
    assert counts(applied(folder)) == (0, 0, 1, 6_000)


# An empty source


@pytest.mark.trap("a source that became empty", "refused, unless max_delete says that it is meant")
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_an_empty_source_deletes_all_only_when_told_to(run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items(more=SYNC))
    assert counts(applied(folder)) == (0, 0, 0, 0)
    sql("insert into items (country, sku) values ('de', 'x'), ('at', 'y')")
    report = run(folder)  # type: ignore[operator]
    said = (
        "too_many_changes: rows:items: the source has no rows: all 2 rows in scope of public.items would be deleted;"
        " to go are (country=at, sku=y), (country=de, sku=x) (if that is meant, say so: Rows(…, max_delete=2))"
    )
    assert (report.exit_code, error(report)) == (1, said)
    assert counts(verify(folder)) == (0, 0, 2, 0)
    assert len(keys(sql)) == 2
    rewrite(folder, items(more=SYNC + ', max_delete="100%"'))
    assert counts(dry_run(folder)) == (0, 0, 2, 0)
    assert counts(applied(folder)) == (0, 0, 2, 0)


def test_a_file_without_rows_is_an_empty_source_too(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku, name) values ('de', 'x', 'secret-name'), ('at', 'y', 'n')")
    body = (
        'yield Rows("items", key=["country", "sku"], file="i.csv", secret=["name"], mode="sync", where="country = \'de\'",'
        " max_delete=1)"
    )
    folder = project({"seeds/10_items.py": seed(body), "seeds/i.csv": "country,sku,name\n"})
    report = applied(folder)
    (change,) = only(report).resources[0].changes.sample
    assert change.before == {"name": Marker.SECRET}
    assert keys(sql) == ["at/y"]


# References in keys, and what refers to the rows that go


FAMILY = """
create table parents (id serial primary key, code text unique not null);
create table children (id serial primary key, parent_id int references parents on delete {0}, slug text, note text,
                       unique (parent_id, slug));
insert into parents (code) values ('x'), ('y'), ('old');
insert into children (parent_id, slug) select id, 's' from parents;
"""
PARENTS = 'yield Rows("parents", key="code", mode="sync", rows=[{"code": c} for c in "%s"])'
CHILDREN = (
    'yield Rows("children", key=["parent_id", "slug"], mode="sync"%s,'
    ' rows=[{"parent_id": ref("parents", code=c), "slug": "s"} for c in "%s"])'
)


def test_references_in_keys(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("no action"))
    folder = made(project, CHILDREN % ("", "xy"))
    assert counts(dry_run(folder)) == (0, 0, 1, 2)
    assert counts(applied(folder)) == (0, 0, 1, 2)
    many = (
        'yield Rows("children", key=["parent_id", "slug"], mode="sync",'
        ' rows=[{"parent_id": ref("parents", code="x"), "slug": f"s{n}"} for n in range(6_000)])'
    )
    rewrite(folder, many)
    assert counts(dry_run(folder)) == (6_000, 0, 2, 0)
    assert counts(applied(folder)) == (6_000, 0, 2, 0)


@pytest.mark.trap("children and parents deleted together", "deleted in reverse order, and shown so before")
def test_children_go_before_their_parents(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("restrict"))
    folder = made(project, f"{PARENTS % 'xy'}\n    {CHILDREN % ('', 'xy')}")
    assert counts(dry_run(folder)) == (0, 0, 2, 4)
    assert counts(applied(folder)) == (0, 0, 2, 4)
    assert only(apply(folder)).findings == ()


@pytest.mark.trap("rows that others refer to", "an error that names the table and how many, in a dry run too")
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
@pytest.mark.parametrize("rule", ["no action", "restrict"])
def test_rows_that_are_referred_to_are_not_deleted(rule: str, run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format(rule))
    report = run(made(project, PARENTS % "x"))  # type: ignore[operator]
    assert report.exit_code == 1
    assert error(report).startswith(
        "constraint: rows:parents: 2 rows of public.parents cannot be deleted:"
        " 2 rows of public.children refer to them (children_parent_id_fkey)"
    )
    assert sql("select count(*) from parents") == [(3,)]


@pytest.mark.trap(
    "ON DELETE CASCADE and SET NULL", "what they take along is counted, table by table, before it happens"
)
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_cascades_are_counted_before_they_happen(run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("cascade"))
    sql("create table toys (id serial, child_id int references children on delete cascade)")
    sql("insert into toys (child_id) select id from children, generate_series(1, 3)")
    sql("create table marks (id serial, toy int, child_id int references children on delete set null)")
    sql("insert into marks (child_id) select id from children")
    folder = made(project, PARENTS % "x")
    report = run(folder)  # type: ignore[operator]
    assert counts(report) == (0, 0, 2, 1)
    what = "rows:parents: deleting 2 rows of public.parents"
    assert [finding.text for finding in only(report).findings] == [
        f"{what} takes 2 rows of public.children along (ON DELETE CASCADE)",
        f"{what} takes 6 rows of public.toys along (ON DELETE CASCADE)",
        f"{what} sets a column of 2 rows of public.marks to NULL (marks_child_id_fkey)",
    ]
    if run is apply:
        assert sql("select (select count(*) from toys), (select count(child_id) from marks)") == [(3, 1)]


def test_cascades_count_towards_the_limit(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("cascade"))
    folder = made(project, (PARENTS % "x").replace('key="code"', 'key="code", max_delete=3'))
    for report in (dry_run(folder), apply(folder)):
        assert (
            "4 rows of public.parents would be deleted, 2 of them along with others (ON DELETE CASCADE), but"
            " max_delete=3 is what is allowed; to go are code="
        ) in error(report)
    rewrite(folder, (PARENTS % "x").replace('key="code"', 'key="code", max_delete=4'))
    assert counts(apply(folder)) == (0, 0, 2, 1)


def test_a_circle_of_cascades_ends(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id int primary key, up int references items on delete cascade)")
    sql("insert into items values (1, null), (2, 1), (3, 2), (4, 4), (5, null); update items set up = 3 where id = 1")
    folder = made(project, 'yield Rows("items", key="id", mode="sync", where="id in (1, 4, 5)", rows=[{"id": 5}])')
    for run in (dry_run, apply):
        report = run(folder)
        assert counts(report) == (0, 0, 2, 1)
        assert [finding.text for finding in only(report).findings] == [
            "rows:items: deleting 2 rows of public.items takes 2 rows of public.items along (ON DELETE CASCADE)"
        ]
    assert sql("select id from items") == [(5,)]


def test_rows_that_go_may_refer_to_each_other(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id int primary key, up int references items)")
    sql("insert into items values (1, null), (2, 1), (3, 2)")
    folder = made(project, 'yield Rows("items", key="id", mode="sync", rows=[{"id": 5}])')
    assert counts(dry_run(folder)) == (1, 0, 3, 0)
    assert counts(applied(folder)) == (1, 0, 3, 0)


def test_a_foreign_key_that_speaks_at_the_end(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("no action deferrable initially deferred"))
    body = f"{PARENTS % 'xy'}\n    " + CHILDREN.replace('mode="sync"', 'mode="upsert"') % ("", "xy")
    folder = made(project, body)
    report = dry_run(folder)
    assert "fails at the end unless 1 row of public.children refers to them no more" in only(report).findings[0].text
    assert error(apply(folder)).startswith("constraint: public.children: the foreign key children_parent_id_fkey")
    rewrite(folder, f"{PARENTS % 'xy'}\n    {CHILDREN % ('', 'xy')}")
    assert counts(applied(folder)) == (0, 0, 2, 4)


@pytest.mark.parametrize("number", [1, 6_000], ids=["parameters", "staged"])
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_what_is_declared_cannot_refer_to_a_row_that_goes(
    run: object, number: int, project: ProjectFactory, sql: Sql
) -> None:
    sql(FAMILY.format("cascade"))
    children = f'yield Rows("children", key="id", rows=[{{"id": n, "parent_id": ref("parents", code="old")}} for n in range({number})])'
    report = run(made(project, f"{PARENTS % 'xy'}\n    {children}"))  # type: ignore[operator]
    assert "ref: rows:children row 1: this row refers to a row that is to be deleted" in error(report)


def test_a_declared_row_that_a_cascade_takes_along_is_made_again(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("cascade"))
    children = 'yield Rows("children", key="id", rows=[{"id": 3, "parent_id": ref("parents", code="x"), "slug": "t"}])'
    folder = made(project, f"{PARENTS % 'xy'}\n    {children}")
    assert counts(dry_run(folder)) == (0, 1, 1, 2)
    assert counts(applied(folder)) == (0, 1, 1, 2)
    assert sql("select p.code from children c join parents p on p.id = c.parent_id where c.id = 3") == [("x",)]


@pytest.mark.trap("deletes in partitioned tables", "found and deleted in whichever partition they lie")
def test_partitioned_tables(project: ProjectFactory, sql: Sql) -> None:
    sql("""create table items (country text, sku text, primary key (country, sku)) partition by list (country);
        create table items_de partition of items for values in ('de');
        create table items_rest partition of items default;
        create table notes (country text, sku text, foreign key (country, sku) references items on delete cascade)
          partition by list (country);
        create table notes_all partition of notes default;
        insert into items values ('de', 'a'), ('de', 'b'), ('at', 'a'), ('fr', 'c');
        insert into notes select * from items""")
    folder = made(
        project, 'yield Rows("items", key=["country", "sku"], mode="sync", rows=[{"country": "de", "sku": "a"}])'
    )
    for run in (dry_run, apply):
        report = run(folder)
        assert counts(report) == (0, 0, 3, 1)
        assert [finding.text for finding in only(report).findings] == [
            "rows:items: deleting 3 rows of public.items takes 3 rows of public.notes along (ON DELETE CASCADE)"
        ]
    assert sql("select * from items union all select * from notes") == [("de", "a"), ("de", "a")]


@pytest.mark.trap("rows of tables that inherit", "never deleted: only the declared table's own are meant")
def test_tables_that_inherit_keep_their_rows(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS + "; create table more () inherits (items); insert into more (id, country, sku) values (1, 'de', 'x')")
    folder = made(project, items("de/a", more=SYNC))
    assert counts(applied(folder)) == (1, 0, 0, 0)
    assert keys(sql) == ["de/a", "de/x"]


@pytest.mark.trap("a trigger that keeps a row from being deleted", "does not converge, said by key")
def test_a_trigger_that_keeps_a_row_is_told_of(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku) values ('de', 'x')")
    sql("create function keep() returns trigger language plpgsql as $$ begin return null; end $$")
    sql("create trigger keep before delete on items for each row execute function keep()")
    report = apply(made(project, items("de/a", more=SYNC)))
    assert "does_not_converge" in error(report)
    assert "after apply, for country=de, sku=x, it is still to be deleted" in error(report)
    assert keys(sql) == ["de/x"]


def test_rows_that_an_earlier_delete_moved_are_found_again(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table a (id int primary key); create table b (id int primary key, a int references a on delete set null)"
    )
    sql("insert into a values (1), (2); insert into b values (1, 1), (2, 2), (3, null)")
    body = 'yield Rows("b", key="id", mode="sync", rows=[{"id": 3}])\n    yield Rows("a", key="id", mode="sync", rows=[{"id": 2}])'
    folder = made(project, body)
    assert counts(dry_run(folder)) == (0, 0, 3, 2)
    assert counts(applied(folder)) == (0, 0, 3, 2)


def test_rows_without_a_key_value_are_not_declared_and_go(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id serial, sku text unique, country text)")
    sql("insert into items (sku, country) values (null, 'de'), (null, 'de'), (null, 'at'), ('a', 'de')")
    folder = made(
        project,
        'yield Rows("items", key="sku", mode="sync", where="country = \'de\'", rows=[{"sku": "a", "country": "de"}])',
    )
    assert counts(dry_run(folder)) == (0, 0, 2, 1)
    assert counts(applied(folder)) == (0, 0, 2, 1)
    assert sql("select sku, country from items order by 1") == [("a", "de"), (None, "at")]


# Keys that must not be there


def test_removed_keys_go_whoever_made_them(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku, name) values ('de', 'x', 'theirs'), ('de', 'y', 'theirs')")
    gone = ', transitions=[removed(country="de", sku="x"), removed({"sku": "nope", "country": "de"})]'
    folder = made(project, items("de/a", more=gone))
    planned = dry_run(folder)
    assert counts(planned) == (1, 0, 1, 0)
    report = applied(folder)
    assert counts(report) == (1, 0, 1, 0)
    assert only(report).resources[0].changes.sample[-1].verdict is Verdict.PENDING
    assert keys(sql) == ["de/a", "de/y"]
    sql("insert into items (country, sku, name) values ('de', 'x', 'again')")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    rewrite(folder, items("de/a", more=gone.replace("nope", "y")))
    assert only(verify(folder)).verdict is Verdict.PENDING
    assert counts(applied(folder)) == (0, 0, 2, 1)


@pytest.mark.parametrize("mode", ["insert", "upsert", "sync"])
def test_removed_keys_in_every_mode_and_large_sources(mode: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id int primary key, name text); insert into items values (-1, 'x'), (0, 'n')")
    body = (
        f'yield Rows("items", key="id", mode="{mode}", transitions=[removed("-1"), removed(-1), removed(-7)],'
        ' rows=({"id": n, "name": "n"} for n in range(%d)))'
    )
    for number in (3, 6_000):
        folder = made(project, body % number)
        rest = 1 if number == 3 else 3
        assert counts(dry_run(folder)) == (number - rest, 0, 1, rest)
        assert counts(applied(folder)) == (number - rest, 0, 1, rest)
        sql("insert into items values (-1, 'x')")


@pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "large"])
@pytest.mark.parametrize("run", [dry_run, apply, verify], ids=["dry_run", "apply", "verify"])
def test_a_key_is_declared_or_removed_not_both(run: object, number: int, project: ProjectFactory, sql: Sql) -> None:
    sql("create extension citext; create table items (sku citext primary key)")
    body = f'yield Rows("items", key="sku", transitions=[removed("S2")], rows=({{"sku": f"s{{n}}"}} for n in range({number})))'
    report = run(made(project, body))  # type: ignore[operator]
    assert "bad_data: rows:items row 3: this row is declared, and its key (sku) is also in removed()" in error(report)


@pytest.mark.parametrize(
    ("removal", "said"),
    [
        ('removed("x")', "declaration: rows:items removed() 1: the key has 2 columns (name each"),
        ('removed(country="x", sk="y")', "rows:items removed() 1: 'sk' is no column of the key (did you mean 'sku'?)"),
        ('removed(country="x")', "rows:items removed() 1: column 'sku' of the key is missing"),
        ('removed(country="x", sku=None)', "rows:items removed() 1: column 'sku' has no value"),
        ('removed(country="x", sku=ref("items", sku="x"))', "column 'sku' has ref(), and the rows have plain values"),
    ],
)
def test_removed_keys_that_are_none(removal: str, said: str, project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    for report in (dry_run(folder := made(project, items("de/a", more=f", transitions=[{removal}]"))), apply(folder)):
        assert said in error(report)


def test_a_removed_key_is_cast_by_the_server(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id int primary key)")
    folder = made(project, 'yield Rows("items", key="id", transitions=[removed(1), removed("x")], rows=[{"id": 2}])')
    assert error(dry_run(folder)) == (
        'bad_data: rows:items removed() 2: column id: invalid input syntax for type integer: "x" (correct the value in the source)'
    )


def test_removed_keys_may_be_references(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("cascade"))
    body = (
        'yield Rows("children", key=["parent_id", "slug"], rows=[{"parent_id": ref("parents", code="x"), "slug": "s"}],'
        ' transitions=[removed(parent_id=ref("parents", code="old"), slug="s"), removed(parent_id=ref("parents", code="no"), slug="s"), %s])'
    )
    folder = made(project, body % "")
    assert counts(dry_run(folder)) == (0, 0, 1, 1)
    assert counts(applied(folder)) == (0, 0, 1, 1)
    rewrite(folder, body % "removed(parent_id=1, slug='s')")
    assert "removed() 3: column 'parent_id' is no ref() to parents(code)" in error(apply(folder))
    rewrite(folder, body % "removed(parent_id=ref('parents', code='x'), slug='s')")
    assert "rows:children row 1: this row is declared, and its key" in error(dry_run(folder))


def test_removed_keys_that_are_secret_leave_no_trace(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table pins (pin text primary key, name text); insert into pins values ('canary-1', 'x'), ('canary-3', 'y')"
    )
    body = 'yield Rows("pins", key="pin", secret=["pin"], rows=[{"pin": "canary-2", "name": "n"}]%s)'
    folder = made(project, body % ', transitions=[removed("canary-1")]')
    texts = [str(dry_run(folder).as_dict()), str(applied(folder).as_dict())]
    assert sql("select pin from pins order by 1") == [("canary-2",), ("canary-3",)]
    rewrite(folder, body % ', mode="sync"')
    texts += [str(dry_run(folder).as_dict()), str(verify(folder).as_dict()), str(applied(folder).as_dict())]
    assert sql("select pin from pins") == [("canary-2",)]
    assert "canary" not in "".join(texts)
    assert sql("select count(*) from seedframe.owned_row") == [(0,)]
    rewrite(folder, body % ", prune=True")
    assert "prune=True, but key column 'pin' is secret" in error(dry_run(folder))


# Prune


PRUNE = ", prune=True"


@pytest.mark.trap(
    "rows of others beside those of a seed", "prune deletes only what the ledger knows the seed to have made"
)
def test_prune_deletes_what_this_seed_made_and_nothing_else(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (country, sku, name) values ('de', 'theirs', 'n'), ('de', 'adopted', 'n')")
    folder = made(project, items("de/a", "de/b", "de/adopted", more=PRUNE))
    assert counts(applied(folder)) == (2, 0, 0, 1)
    assert sql("select key from seedframe.owned_row order by 1") == [
        ({"sku": "a", "country": "de"},),
        ({"sku": "b", "country": "de"},),
    ]
    rewrite(folder, items("de/a", more=PRUNE))
    assert only(verify(folder)).verdict is Verdict.ORPHAN
    assert counts(dry_run(folder)) == (0, 0, 1, 1)
    report = applied(folder)
    assert counts(report) == (0, 0, 1, 1)
    assert only(report).resources[0].changes.sample[0].key == {"country": "de", "sku": "b"}
    assert keys(sql) == ["de/a", "de/adopted", "de/theirs"]
    assert sql("select key ->> 'sku' from seedframe.owned_row") == [("a",)]


@pytest.mark.trap("a row that comes back after it was pruned", "whoever made it last owns it")
def test_a_pruned_row_that_somebody_makes_again_is_theirs(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    rewrite(folder, items("de/a", more=PRUNE))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'b')")
    assert counts(applied(folder)) == (0, 0, 0, 1)
    rewrite(folder, items("de/a", "de/b", name="n", more=PRUNE))
    applied(folder)
    rewrite(folder, items("de/a", more=PRUNE))
    assert counts(applied(folder)) == (0, 0, 0, 1)
    assert keys(sql) == ["de/a", "de/b"]


def test_a_row_that_somebody_deleted_is_not_ours_when_it_comes_back(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    sql("delete from items where sku = 'b'")
    rewrite(folder, items("de/a", more=PRUNE))
    applied(folder)
    assert sql("select key ->> 'sku' from seedframe.owned_row") == [("a",)]
    sql("insert into items (country, sku) values ('de', 'b')")
    assert counts(applied(folder)) == (0, 0, 0, 1)


def test_a_pruned_row_is_ours_again_once_we_made_it_again(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    for expected in ((0, 0, 1, 1), (1, 0, 0, 1), (0, 0, 1, 1)):
        rewrite(folder, items("de/a", *(["de/b"] if expected[0] else []), more=PRUNE))
        assert counts(dry_run(folder)) == expected
        assert counts(applied(folder)) == expected


def test_prune_without_a_ledger_deletes_nothing(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    rewrite(folder, items("de/a", more=PRUNE))
    sql("drop schema seedframe cascade")
    assert counts(applied(folder)) == (0, 0, 0, 1)
    assert keys(sql) == ["de/a", "de/b"]


def test_prune_with_a_ledger_that_cannot_be_read_says_so(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    rewrite(folder, items("de/a", more=PRUNE))
    sql("drop table seedframe.owned_row")
    for report in (dry_run(folder), verify(folder)):
        assert counts(report) == (0, 0, 0, 1)
        assert "rows:items: prune deletes nothing, as the ledger cannot be read" in str(only(report).findings)


def test_another_seed_with_another_name_owns_nothing(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    (folder.path / "seeds/10_items.py").rename(folder.path / "seeds/10_goods.py")
    folder.write({"seeds/10_goods.py": seed(items("de/a", more=PRUNE))})
    assert counts(apply(folder)) == (0, 0, 0, 1)
    assert keys(sql) == ["de/a", "de/b"]


def test_a_row_that_another_seed_declares_stays(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = project(
        {
            "seeds/10_items.py": seed(items("de/a", "de/b", more=PRUNE)),
            "seeds/20_b.py": seed(items("de/b", more=', initial=["name"]')),
        }
    )
    assert apply(folder).exit_code == 0
    rewrite(folder, items("de/a", more=PRUNE))
    assert counts(applied(folder)) == (0, 0, 0, 2)
    assert keys(sql) == ["de/a", "de/b"]


def test_keys_of_other_columns_or_another_table_are_never_mistaken(project: ProjectFactory, sql: Sql) -> None:
    for table in ("items", "goods"):
        sql(f"create table {table} (id int unique, sku text unique)")
    body = 'yield Rows("{}", key="{}", name="x", prune=True, rows=[{{"id": 1, "sku": "2"}}{}])'
    more = ', {"id": 2, "sku": "1"}'
    folder = made(project, body.format("items", "id", more))
    applied(folder)
    sql("insert into goods values (2, 'theirs')")
    rewrite(folder, body.format("items", "sku", ""))
    assert counts(applied(folder)) == (0, 0, 0, 1)
    rewrite(folder, body.format("goods", "id", ""))
    assert counts(applied(folder)) == (1, 0, 0, 0)
    assert sql("select sku from goods order by 1") == [("2",), ("theirs",)]
    assert sql("select count(*) from items") == [(2,)]


def test_what_was_made_while_prune_was_off_is_nobody_s(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    rewrite(folder, items("de/a"))
    applied(folder)
    assert sql("select count(*) from seedframe.owned_row") == [(0,)]
    rewrite(folder, items("de/a", more=PRUNE))
    assert counts(applied(folder)) == (0, 0, 0, 1)


def test_prune_of_keys_whose_type_changed(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (k text primary key)")
    body = 'yield Rows("items", key="k", prune=True, rows=[{"k": k} for k in %s])'
    folder = made(project, body % "['1', 'x']")
    applied(folder)
    sql(
        "delete from items where k = 'x'; alter table items alter k type int using k::int; insert into items values (2)"
    )
    rewrite(folder, body % "[2]")
    for report in (dry_run(folder), apply(folder)):
        assert report.exit_code == 0
        assert "no longer fit the columns' types" in str(only(report).findings)
    assert sql("select k from items order by 1") == [(1,), (2,)]


def test_prune_of_references_and_large_sources(project: ProjectFactory, sql: Sql) -> None:
    sql(FAMILY.format("cascade") + "delete from children")
    body = (
        'yield Rows("children", key=["parent_id", "slug"], prune=True,'
        ' rows=[{"parent_id": ref("parents", code="xy"[n %% 2]), "slug": f"s{n}"} for n in range(%d, 11_000)])'
    )
    folder = made(project, body % 0)
    assert counts(applied(folder)) == (11_000, 0, 0, 0)
    sql("insert into children (parent_id, slug) values (3, 's1')")
    rewrite(folder, body % 500)
    assert counts(dry_run(folder)) == (0, 0, 500, 10_500)
    assert counts(applied(folder)) == (0, 0, 500, 10_500)
    rewrite(folder, body % 10_990)
    assert counts(dry_run(folder)) == (0, 0, 10_490, 10)
    assert counts(applied(folder)) == (0, 0, 10_490, 10)
    assert sql("select count(*) from children") == [(11,)]


def test_prune_with_an_empty_source(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'theirs')")
    rewrite(folder, items(more=PRUNE))
    assert "the source has no rows: all 2 rows that this seed made of public.items would be deleted" in error(
        apply(folder)
    )
    rewrite(folder, items(more=PRUNE + ", max_delete=2"))
    assert counts(dry_run(folder)) == (0, 0, 2, 0)
    assert counts(applied(folder)) == (0, 0, 2, 0)
    assert keys(sql) == ["de/theirs"]


# Runs of all kinds


def test_a_rehearsal_leaves_nothing(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    for more in (PRUNE, SYNC):
        rewrite(folder, items("de/a", more=more))
        before = sql("select xmin::text, ctid::text, * from items"), sql("select * from seedframe.owned_row")
        assert counts(apply(folder, rehearse=True)) == (0, 0, 1, 1)
        assert (sql("select xmin::text, ctid::text, * from items"), sql("select * from seedframe.owned_row")) == before


def test_one_transaction_for_the_run(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    assert counts(applied(folder, transaction="run")) == (2, 0, 0, 0)
    rewrite(folder, items("de/a", more=PRUNE))
    folder.write({"seeds/20_bad.py": seed('yield Rows("nope", key="x", rows=[{"x": 1}])')})
    assert apply(folder, transaction="run").exit_code == 1
    assert keys(sql) == ["de/a", "de/b"]
    (folder.path / "seeds/20_bad.py").unlink()
    assert counts(applied(folder, transaction="run")) == (0, 0, 1, 1)


@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "streamed"])
def test_a_role_that_may_only_read_sees_what_would_go(
    number: int, project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    sql(FAMILY.format("cascade"))
    sql("drop role if exists looker; create role looker login; grant select on parents to looker")
    body = f'yield Rows("parents", key="code", mode="sync", where="code <> \'y\'", rows=[{{"code": str(n)}} for n in range({number})])'
    folder = made(project, body)
    monkeypatch.setenv("DATABASE_URL", database.replace("postgres@", "looker@"))
    try:
        xid = sql("select pg_current_xact_id()::text::bigint")[0][0]
        report = dry_run(folder)
        assert (report.exit_code, counts(report)) == (0, (number, 0, 2, 0)), report.as_dict()
        assert "may change rows of public.children, which this role may not read" in str(only(report).findings)
        assert verify(folder).exit_code == 1
        assert sql("select pg_current_xact_id()::text::bigint")[0][0] == xid + 1
    finally:
        sql("drop owned by looker; drop role looker")


def test_a_role_that_may_not_delete_is_told_so(
    project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch, database: str
) -> None:
    sql(ITEMS + "; insert into items (country, sku) values ('de', 'x')")
    sql("drop role if exists clerk; create role clerk login; grant select, insert, update on items to clerk")
    sql(
        "grant usage on all sequences in schema public to clerk; do $$ begin execute format('grant create on database %I to clerk', current_database()); end $$"
    )
    folder = made(project, items("de/a", more=SYNC))
    monkeypatch.setenv("DATABASE_URL", database.replace("postgres@", "clerk@"))
    try:
        assert "the role clerk has no DELETE on table public.items" in error(apply(folder))
        sql("grant delete on items to clerk; revoke update on items from clerk")
        assert "the role clerk has no UPDATE on table public.items" in error(apply(folder))
        sql("grant update on items to clerk")
        assert counts(apply(folder)) == (1, 0, 1, 0)
    finally:
        sql("drop owned by clerk cascade; drop role clerk")


# With other features of Rows


def test_a_row_that_is_renamed_does_not_go(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    before = sql("select id from items where sku = 'a'")
    for more in (PRUNE, SYNC):
        new = "n" if more == PRUNE else "m"
        old = "a" if more == PRUNE else "n"
        moved = f', transitions=[moved({{"country": "de", "sku": "{old}"}}, {{"country": "de", "sku": "{new}"}})]'
        rewrite(folder, items(f"de/{new}", "de/b", more=more + moved))
        assert counts(dry_run(folder)) == (0, 1, 0, 1)
        assert counts(applied(folder)) == (0, 1, 0, 1)
        assert sql(f"select id from items where sku = '{new}'") == before


def test_a_renamed_row_is_still_ours(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    applied(folder)
    moved = ', transitions=[moved({"country": "de", "sku": "a"}, {"country": "de", "sku": "n"})]'
    rewrite(folder, items("de/n", "de/b", more=PRUNE + moved))
    applied(folder)
    assert sql("select key ->> 'sku' from seedframe.owned_row order by 1") == [("b",), ("n",)]
    rewrite(folder, items("de/b", more=PRUNE))
    assert counts(applied(folder)) == (0, 0, 1, 1)
    assert keys(sql) == ["de/b"]


def test_a_key_is_renamed_or_removed_not_both(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (k text primary key); insert into t values ('a')")
    body = 'yield Rows("t", key="k", rows=[{"k": "b"}], transitions=[moved("a", "b"), removed("%s")])'
    for key in ("a", "b"):
        assert "rows:t row 1: this row is declared" in error(dry_run(made(project, body % key)))


def test_a_large_source_with_a_renamed_row(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, LARGE.format(0, 6_000, SYNC))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'zz')")
    moved = SYNC + ', transitions=[moved({"country": "de", "sku": "s000000"}, {"country": "de", "sku": "s006000"})]'
    rewrite(folder, LARGE.format(1, 6_001, moved))
    assert counts(dry_run(folder)) == (0, 1, 1, 5_999)
    assert counts(applied(folder)) == (0, 1, 1, 5_999)


@pytest.mark.trap("soft-deleted rows under sync", "left alone: the key's index does not speak of them")
@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "large"])
def test_rows_that_an_index_with_a_predicate_does_not_speak_of_stay(
    number: int, project: ProjectFactory, sql: Sql
) -> None:
    """Rows that were deleted softly, say, are neither declared nor in the way."""
    sql("create table users (id serial primary key, email text not null, gone timestamptz, name text)")
    sql("create unique index users_live on users (lower(email)) where gone is null")
    sql(
        "insert into users (email, gone) values ('A0', null), ('a0', now()), ('a0', now()), ('zz', null), ('zz', now())"
    )
    body = (
        'yield Rows("users", key="email", index="users_live", %s'
        f' rows=({{"email": f"a{{n}}", "name": "x"}} for n in range({number})))'
    )
    folder = made(project, body % 'mode="sync",')
    assert counts(dry_run(folder)) == (number - 1, 1, 1, 0)
    assert counts(applied(folder)) == (number - 1, 1, 1, 0)
    assert sql("select count(*) from users where gone is not null") == [(3,)]
    rewrite(folder, body % 'prune=True, transitions=[removed("ZZ")],')
    sql("insert into users (email) values ('Zz')")
    assert counts(dry_run(folder)) == (0, 0, 1, number)
    assert counts(applied(folder)) == (0, 0, 1, number)
    rewrite(folder, (body % "prune=True,").replace(f"range({number})", f"range({number - 1})"))
    sql("update users set gone = now() where email = 'a1'")
    assert counts(applied(folder))[2] == 0


def test_keys_that_may_be_null(nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create table t (a int, b text, n int, unique {nulls} (a, b))")
    sql("insert into t values (null, 'x'), (null, null), (1, null), (2, null)")
    body = 'yield Rows("t", key=["a", "b"], %s rows=[{"a": None, "b": "x"}, {"a": 1, "b": None}, {"a": 7, "b": None}])'
    folder = made(project, body % 'transitions=[removed({"a": None, "b": None})],')
    assert counts(dry_run(folder)) == (1, 0, 1, 2)
    assert counts(applied(folder)) == (1, 0, 1, 2)
    rewrite(folder, body % 'mode="sync", where="a is null or a < 7",')
    assert "rows:t row 3: this row is outside" in error(dry_run(folder))
    rewrite(folder, body % 'mode="sync",')
    assert counts(dry_run(folder)) == (0, 0, 1, 3)
    assert counts(applied(folder)) == (0, 0, 1, 3)
    rewrite(folder, body % "prune=True,")
    sql("delete from t where a = 7")
    assert counts(applied(folder)) == (1, 0, 0, 2)
    rewrite(folder, (body % "prune=True,").replace(', {"a": 7, "b": None}', ""))
    assert counts(dry_run(folder)) == (0, 0, 1, 2)
    assert counts(applied(folder)) == (0, 0, 1, 2)


# What somebody added


def test_fail_stops_at_a_row_that_somebody_added(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=SYNC))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'z')")
    rewrite(folder, items("de/a", more=SYNC))
    for report in (dry_run(folder, on_conflict="fail"), apply(folder, on_conflict="fail")):
        assert "changed_in_database: rows:items: 1 row that is not to be there was added" in error(report)
    sql("delete from items where sku = 'z'")
    assert counts(apply(folder, on_conflict="fail")) == (0, 0, 1, 1)


def test_rows_that_somebody_added_may_be_left_there(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=SYNC))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'y'), ('de', 'z')")
    rewrite(folder, items("de/a", more=SYNC))
    planned = dry_run(folder, on_conflict="database")
    assert counts(planned) == (0, 0, 1, 1)
    assert "rows:items: 2 rows added in the database are left there" in str(only(planned).findings)
    assert counts(apply(folder, on_conflict="database")) == (0, 0, 1, 1)
    assert keys(sql) == ["de/a", "de/y", "de/z"]
    held = verify(folder)
    assert held.exit_code == 0
    assert "2 rows added in the database are left there by an earlier --on-conflict=database" in str(
        only(held).findings
    )
    assert counts(applied(folder)) == (0, 0, 0, 1)
    sql("delete from items where sku = 'y'")
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'y')")
    assert counts(verify(folder)) == (0, 0, 1, 1)
    report = applied(folder)
    assert counts(report) == (0, 0, 1, 1)
    assert "rows:items: 1 row added in the database is deleted; --on-conflict=database leaves" in str(
        only(report).findings
    )
    assert keys(sql) == ["de/a", "de/z"]


def test_rows_with_a_secret_key_cannot_be_left_there(project: ProjectFactory, sql: Sql) -> None:
    sql("create table pins (pin text primary key)")
    folder = made(project, 'yield Rows("pins", key="pin", secret=["pin"], mode="sync", rows=[{"pin": "1"}])')
    applied(folder)
    sql("insert into pins values ('2')")
    assert "no hash of a secret key is kept to leave them there" in error(apply(folder, on_conflict="database"))
    assert len(sql("select from pins")) == 2


# Other sessions


def test_a_row_that_another_session_holds_is_waited_for(project: ProjectFactory, sql: Sql, connect: Connect) -> None:
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=SYNC))
    applied(folder)
    rewrite(folder, items("de/a", more=SYNC))
    other = connect(autocommit=False)
    other.execute("update items set name = 'edited meanwhile' where sku = 'b'")
    threading.Timer(0.5, other.commit).start()
    assert counts(applied(folder)) == (0, 0, 1, 1)
    assert keys(sql) == ["de/a"]


def test_a_row_that_another_session_holds_for_long_is_tried_again_and_told(
    project: ProjectFactory, sql: Sql, connect: Connect
) -> None:
    sql(ITEMS)
    config = '[project]\nname = "shop"\n[database]\nlock_timeout = "50ms"\n'
    folder = project({"seeds/10_items.py": seed(items("de/a", "de/b", more=SYNC))}, config=config)
    applied(folder)
    rewrite(folder, items("de/a", more=SYNC))
    other = connect(autocommit=False)
    other.execute("select from items where sku = 'b' for update")
    assert error(apply(folder)).startswith("lock: ")
    other.rollback()
    assert counts(applied(folder)) == (0, 0, 1, 1)


def test_a_row_that_another_session_moves_out_of_the_part_stays(
    project: ProjectFactory, sql: Sql, connect: Connect
) -> None:
    """What is deleted is judged as it is once it is locked, not as it was when it was first seen."""
    sql(ITEMS)
    folder = made(project, items("de/a", more=WHERE))
    applied(folder)
    sql("insert into items (country, sku) values ('de', 'x')")
    other = connect(autocommit=False)
    other.execute("update items set country = 'at' where sku = 'x'")
    threading.Timer(0.5, other.commit).start()
    assert counts(apply(folder)) == (0, 0, 0, 1)
    assert keys(sql) == ["at/x", "de/a"]


def test_rows_made_by_another_session_meanwhile_are_not_ours(
    project: ProjectFactory, sql: Sql, connect: Connect
) -> None:
    """The INSERT finds the row made already: it is not the seed's, and prune leaves it alone later."""
    sql(ITEMS)
    folder = made(project, items("de/a", "de/b", more=PRUNE))
    other = connect(autocommit=False)
    other.execute("insert into items (country, sku, name) values ('de', 'b', 'n')")
    threading.Timer(0.5, other.commit).start()
    assert apply(folder).exit_code == 0
    assert sql("select key ->> 'sku' from seedframe.owned_row") == [("a",)]
    rewrite(folder, items("de/a", more=PRUNE))
    assert counts(applied(folder)) == (0, 0, 0, 1)


def test_names_of_columns_that_the_comparison_uses_itself(project: ProjectFactory, sql: Sql) -> None:
    """Columns called as the aliases and CTEs of the SQL, the ledger's columns included, mean the table's."""
    names = [
        "key",
        "key_hash",
        "line",
        "place",
        "row",
        "n",
        "d",
        "t",
        "f",
        "o",
        "table_name",
        "yes",
        "c0",
        "baseline_id",
    ]
    columns = ", ".join(f'"{name}" text' for name in names)
    sql(f'create table declared ({columns}, unique ("key", "line"))')
    sql("insert into declared (\"key\", \"line\", \"yes\") values ('x', 'y', '1'), ('z', 'y', '2')")
    row = ", ".join(f'"{name}": "1"' for name in names)
    body = f'yield Rows("declared", key=["key", "line"], %s rows=[{{{row}}}])'
    folder = made(project, body % "prune=True,")
    applied(folder)
    conditions = " and ".join(f'"{name}" is not distinct from "{name}"' for name in names)
    rewrite(folder, body % f"mode='sync', where='''{conditions} and yes = '1' ''',")
    assert counts(dry_run(folder)) == (0, 0, 1, 1)
    assert counts(applied(folder)) == (0, 0, 1, 1)
    rewrite(folder, body % "prune=True,")
    applied(folder)
    sql("delete from declared")
    applied(folder)
    rewrite(folder, (body % "prune=True, max_delete=1,").replace(f"[{{{row}}}]", "[]"))
    assert counts(dry_run(folder)) == (0, 0, 1, 0)
    assert counts(applied(folder)) == (0, 0, 1, 0)


def test_keys_longer_than_an_index_takes(project: ProjectFactory, sql: Sql) -> None:
    """A key that fits the table's own index, compressed, is kept in the ledger too."""
    sql("create table items (k text primary key)")
    body = 'yield Rows("items", key="k", prune=True, rows=[{"k": c * 20_000} for c in %r])'
    folder = made(project, body % "ab")
    applied(folder)
    rewrite(folder, body % "a")
    assert counts(applied(folder)) == (0, 0, 1, 1)


def test_generated_columns_in_where(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (k text primary key, up text generated always as (upper(k)) stored)")
    sql("insert into items values ('a'), ('b'), ('c')")
    body = 'yield Rows("items", key="k", mode="sync", where="up < \'C\'", rows=[{"k": k} for k in %r])'
    folder = made(project, body % "a")
    assert counts(dry_run(folder)) == (0, 0, 1, 1)
    assert counts(applied(folder)) == (0, 0, 1, 1)
    rewrite(folder, body % "ad")
    assert "rows:items row 2: this row is outside" in error(apply(folder))
    assert sql("select k from items order by 1") == [("a",), ("c",)]


@pytest.mark.parametrize(
    ("config", "other"),
    [
        ("", 'Rows("items", key="id", name="ids", rows=[{"id": 2, "sku": "b"}])'),
        (
            "[ledger]\nbaseline_rows = 1\n",
            'Rows("items", key="sku", name="more", rows=[{"sku": "b"}, {"sku": "c"}])',
        ),
    ],
    ids=["another key", "too many to tell"],
)
def test_prune_spares_all_where_another_resource_may_declare_them(
    config: str, other: str, project: ProjectFactory, sql: Sql
) -> None:
    sql("create table items (id int unique, sku text primary key)")
    body = 'from seedframe import Rows\ndef resources():\n    yield Rows("items", key="sku", prune=True, rows=%s)\n'
    two, one = '[{"id": 1, "sku": "a"}, {"id": 2, "sku": "b"}]', '[{"id": 1, "sku": "a"}]'
    folder = project(
        {
            "seeds/10_items.py": body % two,
            "seeds/20_more.py": f"from seedframe import Rows\ndef resources():\n    yield {other}\n",
        },
        config='[project]\nname = "shop"\n' + config,
    )
    assert apply(folder).exit_code == 0
    rows = sql("select sku, xmin::text from items order by 1")
    folder.write({"seeds/10_items.py": body % one})
    for run in (dry_run, apply):
        report = run(folder)
        assert report.summary.changed == 0, report.as_dict()
        assert "prune deletes nothing, as rows:" in str(report.seeds[0].findings)
    assert sql("select sku, xmin::text from items order by 1") == rows


@pytest.mark.parametrize("run", [dry_run, apply, verify])
def test_a_where_that_fails_on_a_row_is_what_is_named(run: Any, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, note text); insert into items values ('old', 'canary')")
    folder = project(
        {
            "seeds/10_items.py": "from seedframe import Rows\ndef resources():\n    yield Rows('items', key='sku',"
            " mode='sync', where='note::int > 0', rows=[{'sku': 'a', 'note': '1'}])\n"
        }
    )
    told = error(run(folder))
    assert told.startswith("declaration: rows:items: where= cannot be evaluated for some row of the table"), told
    assert "canary" not in told


@pytest.mark.parametrize("arguments", ["mode='sync'", "transitions=[removed('b')]"])
def test_a_warning_names_the_resource_whose_rows_are_to_go(arguments: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key)")
    body = "from seedframe import Rows, removed\ndef resources():\n    yield Rows('items', key='sku', rows=[{'sku': '%s'}], %s)\n"
    folder = project({"seeds/10_one.py": body % ("a", arguments), "seeds/20_more.py": body % ("b", "name='more'")})
    first = apply(folder)
    assert (first.exit_code, first.seeds[0].findings) == (0, ())
    for report in (verify(folder), dry_run(folder), apply(folder)):
        assert "is to delete rows that rows:more of seed more declared when last applied" in str(
            report.seeds[0].findings
        ), report.as_dict()


def test_a_warning_names_who_declares_rows_of_a_table_that_a_cascade_reaches(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table parents (slug text primary key);"
        " create table children (id int primary key, parent text references parents on delete cascade);"
        " insert into parents values ('x'); insert into children values (1, 'x')"
    )
    folder = project(
        {
            "seeds/10_children.py": "from seedframe import Rows\ndef resources():\n"
            "    yield Rows('children', key='id', rows=[{'id': 1}])\n",
            "seeds/20_parents.py": "from seedframe import Rows\ndef resources():\n"
            "    yield Rows('parents', key='slug', mode='sync', rows=[{'slug': 'a'}])\n",
        }
    )
    assert apply(folder, "children").exit_code == 0
    report = dry_run(folder)
    assert (
        "takes 1 row of public.children along (ON DELETE CASCADE); rows:children of seed children declares rows there"
        in str(report.seeds[1].findings)
    )


def test_a_refusal_names_the_first_rows_and_no_secret(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table items (pin text primary key); insert into items select 'canary' || n from generate_series(1, 5) n"
    )
    body = (
        "from seedframe import Rows\ndef resources():\n    yield Rows('items', key='pin', mode='sync', max_delete=1,"
        " rows=[{'pin': 'a'}]%s)\n"
    )
    folder = project({"seeds/10_items.py": body % ""})
    assert "; to go are pin=canary1, pin=canary2, pin=canary3 and 2 more (if" in error(dry_run(folder))
    folder.write({"seeds/10_items.py": body % ", secret=['pin']"})
    assert "canary" not in error(dry_run(folder))
