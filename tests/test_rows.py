# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""Rows: what is inserted, updated, left alone, looked up and shown, on a real server."""

import pytest

from seedframe import Project
from seedframe.changes import Marker, Verdict
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

ITEMS = "create table items (id bigserial primary key, sku text unique not null, name text, price numeric(10,2))"


def seed(body: str) -> str:
    return f"from seedframe import Rows, Tables, Extension, ref, sql, column\n\ndef resources():\n    {body}\n"


@pytest.fixture
def items(project: ProjectFactory, sql: Sql) -> Folder:
    sql(ITEMS)
    return project(
        {
            "seeds/10_items.py": seed(
                'yield Rows("items", key="sku", rows=[{"sku": "a", "name": "A", "price": "1.5"},'
                ' {"sku": "b", "name": None, "price": 2}])'
            )
        }
    )


def test_rows_are_created_and_the_second_apply_writes_nothing(items: Folder, sql: Sql) -> None:
    report = applied(items)
    assert counts(report) == (2, 0, 0, 0)
    assert sql("select sku, name, price::text from items order by sku") == [("a", "A", "1.50"), ("b", None, "2.00")]


@pytest.mark.trap(
    "updates that change nothing", "not made: no xmin, trigger, lock or sequence value is spent on a row that is right"
)
def test_an_unchanged_row_is_not_written_and_no_sequence_moves(items: Folder, sql: Sql) -> None:
    applied(items)
    before = sql("select xmin::text, ctid::text, * from items order by sku")
    sequence = sql("select last_value from items_id_seq")
    sql("update items set price = 9 where sku = 'b'")
    report = apply(items)
    assert counts(report) == (0, 1, 0, 1)
    assert sql("select xmin::text, ctid::text, * from items where sku = 'a'") == before[:1]
    assert sql("select last_value from items_id_seq") == sequence


def test_only_the_columns_that_differ_are_shown_and_set(items: Folder, sql: Sql) -> None:
    applied(items)
    sql("create table touched (what text)")
    sql(
        "create function note() returns trigger language plpgsql as"
        " $$ begin insert into touched values ('name'); return new; end $$"
    )
    sql("create trigger note before update of name on items for each row execute function note()")
    sql("update items set price = 9 where sku = 'b'")
    (resource,) = only(apply(items)).resources
    (change,) = resource.changes.sample
    assert (change.key, change.before, change.after) == ({"sku": "b"}, {"price": "9.00"}, {"price": "2.00"})
    assert change.verdict is Verdict.DRIFT
    assert sql("select * from touched") == []


def test_rows_that_were_not_declared_are_left_alone(items: Folder, sql: Sql) -> None:
    sql("insert into items (sku, name) values ('z', 'theirs')")
    applied(items)
    assert sql("select name from items where sku = 'z'") == [("theirs",)]


def test_insert_mode_adds_what_is_missing_and_touches_nothing(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    sql("insert into items (sku, name) values ('a', 'theirs')")
    folder = project(
        {
            "seeds/10_items.py": seed(
                'yield Rows("items", key="sku", mode="insert", rows=[{"sku": s, "name": "ours"} for s in "ab"])'
            )
        }
    )
    assert counts(applied(folder)) == (1, 0, 0, 1)
    assert sql("select sku, name from items order by sku") == [("a", "theirs"), ("b", "ours")]
    sql("delete from items where sku = 'b'")
    assert only(verify(folder)).verdict is Verdict.DRIFT


def test_initial_columns_are_written_once_and_ignored_ones_never(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS.replace("price numeric(10,2)", "price numeric(10,2), note text default 'default', made timestamptz"))
    folder = project(
        {
            "seeds/10_items.py": seed(
                'yield Rows("items", key="sku", initial={"price": "3.00", "made": sql("now()")}, ignore=["note"],'
                ' rows=[{"sku": "a", "name": "A", "note": "never"}])'
            )
        }
    )
    applied(folder)
    assert sql("select price::text, note, made is not null from items") == [("3.00", "default", True)]
    sql("update items set price = 7, note = 'operator', made = 'epoch'")
    assert counts(applied(folder)) == (0, 0, 0, 1)
    assert sql("select price::text, note from items") == [("7.00", "operator")]


def test_secret_columns_are_masked_and_leave_no_hash(project: ProjectFactory, sql: Sql) -> None:
    sql("create table keys (name text primary key, value text not null)")
    folder = project(
        {
            "seeds/10_keys.py": seed(
                'yield Rows("keys", key="name", secret=["value"], rows=[{"name": "k", "value": "canary-1234"}])'
            )
        }
    )
    first = applied(folder)
    assert "canary" not in str(first.as_dict())
    (change,) = only(first).resources[0].changes.sample
    assert change.after == {"value": Marker.SECRET}
    assert sql("select columns from seedframe.baseline") == [([],)]
    assert sql("select cell_hashes from seedframe.baseline_row") == [([],)]
    sql("update keys set value = 'changed'")
    report = verify(folder)
    (change,) = only(report).resources[0].changes.sample
    assert (change.before, change.after) == ({"value": Marker.SECRET}, {"value": Marker.SECRET})
    assert only(report).verdict is Verdict.DRIFT
    assert counts(apply(folder)) == (0, 1, 0, 0)
    assert sql("select value from keys") == [("canary-1234",)]


REFS = """
create table parents (id uuid primary key default gen_random_uuid(), code text unique not null, name text);
create table children (id bigint generated always as identity primary key, slug text unique not null,
                       parent_id uuid references parents, note text);
"""

PARENTS = 'yield Rows("parents", key="code", rows=[{"code": c, "name": c.upper()} for c in "xy"])'
CHILDREN = (
    'yield Rows("children", key="slug", rows=['
    '{"slug": "one", "parent_id": ref("parents", code="x")}, {"slug": "two", "parent_id": None}])'
)


def test_references_are_looked_up_by_natural_key(project: ProjectFactory, sql: Sql) -> None:
    sql(REFS)
    folder = project({"seeds/10_family.py": seed(f"{PARENTS}\n    {CHILDREN}")})
    planned = dry_run(folder)
    change = only(planned).resources[1].changes.sample[0]
    assert change.after == {"parent_id": Marker.KNOWN_AFTER_APPLY}
    assert counts(applied(folder)) == (4, 0, 0, 0)
    assert sql("select c.slug, p.code from children c left join parents p on p.id = c.parent_id order by 1") == [
        ("one", "x"),
        ("two", None),
    ]


@pytest.mark.trap("a reference to a row that is planned only", "known after apply")
def test_a_reference_to_a_row_that_an_earlier_seed_will_make_is_known_after_apply(
    project: ProjectFactory, sql: Sql
) -> None:
    sql(REFS)
    folder = project({"seeds/10_parents.py": seed(PARENTS), "seeds/20_children.py": seed(CHILDREN)})
    report = dry_run(folder)
    assert report.exit_code == 0, report.as_dict()
    assert report.seeds[1].resources[0].changes.sample[0].after == {"parent_id": Marker.KNOWN_AFTER_APPLY}
    applied(folder)


@pytest.mark.trap("a reference that finds nothing", "an error that names the key, in a dry run too")
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_a_reference_that_finds_nothing_names_its_key(run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(REFS)
    wrong = CHILDREN.replace('code="x"', 'code="nope"')
    folder = project({"seeds/10_family.py": seed(f"{PARENTS}\n    {wrong}")})
    report = run(folder)  # type: ignore[operator]
    assert report.exit_code == 1
    assert "ref: rows:children row 1: no row of parents has code='nope'" in error(report)
    assert sql("select count(*) from parents") == [(0,)]


@pytest.mark.trap("a reference that finds several rows", "an error, in a dry run too")
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_a_reference_that_finds_several_is_an_error(run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(REFS)
    sql("insert into parents (code, name) values ('1', 'same'), ('2', 'same')")
    folder = project({"seeds/10_family.py": seed(CHILDREN.replace('code="x"', 'name="same"'))})
    report = run(folder)  # type: ignore[operator]
    assert "ref to parents(name) matches several rows" in error(report)


def test_a_file_refers_by_its_own_columns(project: ProjectFactory, sql: Sql) -> None:
    sql(REFS)
    body = (
        f"{PARENTS}\n    yield Rows('children', key='slug', file='data/children.csv',"
        " refs={'parent_id': ref('parents', code=column('parent_code'))})"
    )
    folder = project(
        {"seeds/10_family.py": seed(body), "seeds/data/children.csv": "slug,parent_code,note\none,x,\ntwo,,hi\n"}
    )
    applied(folder)
    assert sql("select slug, parent_id is not null, note from children order by 1") == [
        ("one", True, None),
        ("two", False, "hi"),
    ]


TREE = "create table tree (id serial primary key, code text unique not null, parent_id int references tree)"


def test_rows_refer_to_rows_of_the_same_table_in_any_order(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE)
    family = [("leaf", "twig"), ("twig", "branch"), ("root", None), ("branch", "root")]
    parents = {parent: f"ref('tree', code='{parent}')" if parent else None for _, parent in family}
    rows = ", ".join(f'{{"code": "{code}", "parent_id": {parents[parent]}}}' for code, parent in family)
    folder = project({"seeds/10_tree.py": seed(f'yield Rows("tree", key="code", rows=[{rows}])')})
    assert counts(dry_run(folder)) == (4, 0, 0, 0)
    assert counts(applied(folder)) == (4, 0, 0, 0)
    assert sql("select c.code, p.code from tree c join tree p on p.id = c.parent_id order by 1") == [
        ("branch", "root"),
        ("leaf", "twig"),
        ("twig", "branch"),
    ]


LARGE = 'yield Rows("items", key="sku", rows=({"sku": f"s{n:06}", "name": f"N{n}"} for n in range(12_000)))'


def test_a_large_source_is_staged_in_apply_and_streamed_elsewhere(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    folder = project({"seeds/10_items.py": seed(LARGE)})
    planned = dry_run(folder)
    assert counts(planned) == (12_000, 0, 0, 0)
    resource = only(planned).resources[0].changes
    assert len(resource.sample) + resource.omitted == 12_000
    assert counts(applied(folder)) == (12_000, 0, 0, 0)
    assert sql("select count(*), min(name), max(sku) from items") == [(12_000, "N0", "s011999")]
    sql("update items set name = 'x' where sku = 's011000'")
    report = verify(folder)
    assert (report.exit_code, counts(report)) == (2, (0, 1, 0, 11_999))
    assert only(report).resources[0].changes.sample[0].key == {"sku": "s011000"}
    assert counts(apply(folder)) == (0, 1, 0, 11_999)


@pytest.mark.trap("a key that stands twice in the source", "refused, naming both rows, however far apart")
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_a_key_repeated_far_apart_names_both_rows(run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    body = LARGE.replace("range(12_000)", "[*range(11_000), 7]")
    report = run(project({"seeds/10_items.py": seed(body)}))  # type: ignore[operator]
    assert "rows:items row 11001: the key (sku) of this row is also that of rows:items row 8" in error(report)


def test_large_self_references_are_staged_too(project: ProjectFactory, sql: Sql) -> None:
    sql(TREE)
    body = (
        'yield Rows("tree", key="code", rows=({"code": f"c{n}", "parent_id": ref("tree", code=f"c{n + 1}")'
        " if n % 4 else None} for n in range(8_000)))"
    )
    folder = project({"seeds/10_tree.py": seed(body.replace("n + 1", "n - 1"))})
    assert counts(dry_run(folder)) == (8_000, 0, 0, 0)
    applied(folder)
    assert sql("select count(*) from tree c join tree p on p.id = c.parent_id") == [(6_000,)]


@pytest.mark.trap("GENERATED ALWAYS identity", "explicit values are written with OVERRIDING SYSTEM VALUE")
def test_explicit_ids_and_generated_always(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (id int generated always as identity primary key, name text)")
    folder = project({"seeds/10_t.py": seed('yield Rows("t", key="id", rows=[{"id": 5, "name": "five"}])')})
    applied(folder)
    assert sql("select id, name from t") == [(5, "five")]


def test_hostile_names(project: ProjectFactory, sql: Sql) -> None:
    sql("""create schema "we""ird %s";
        create table "we""ird %s"."ta.ble:x" ("k%s" text primary key, "select" text, "a:b" int, "Ünï code ;--" text)""")
    table = '"we""ird %s"."ta.ble:x"'
    body = (
        f"yield Rows({table!r}, key='k%s', rows=[{{'k%s': '1', 'select': 'x', 'a:b': 3,"
        " 'Ünï code ;--': 'y\\x1f\\t\\\\n'}])"
    )
    folder = project({"seeds/10_t.py": seed(body)})
    applied(folder)
    assert sql('select * from "we""ird %s"."ta.ble:x"') == [("1", "x", 3, "y\x1f\t\\n")]


def test_two_rows_of_one_table_need_a_name(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    one = 'yield Rows("items", key="sku", rows=[{"sku": "%s"}]%s)'
    folder = project({"seeds/10_items.py": seed(one % ("a", "") + "\n    " + one % ("b", ""))})
    assert "resource rows:items is declared twice" in error(apply(folder))
    folder.write({"seeds/10_items.py": seed(one % ("a", "") + "\n    " + one % ("b", ', name="more"'))})
    assert [resource.resource for resource in only(applied(folder)).resources] == ["rows:items", "rows:more"]


def test_optional_tables_skip_what_needs_them(project: ProjectFactory, sql: Sql) -> None:
    sql("create table parents (id serial primary key, code text unique)")
    parents = PARENTS.replace(', "name": c.upper()', "")
    body = f'yield Tables("children", required=False)\n    {parents}\n    {CHILDREN}'
    folder = project({"seeds/10_family.py": seed(body)})
    report = applied(folder)
    reasons = [resource.changes.skipped_reason for resource in only(report).resources]
    assert reasons == ["optional table children does not exist", None, "optional table children does not exist"]


def test_a_table_that_was_seeded_and_is_gone_is_never_skipped(project: ProjectFactory, sql: Sql) -> None:
    sql(REFS)
    folder = project(
        {"seeds/10_family.py": seed(f'yield Tables("children", required=False)\n    {PARENTS}\n    {CHILDREN}')}
    )
    applied(folder)
    sql("drop table children")
    report = verify(folder)
    assert (report.exit_code, error(report).split(":")[0]) == (2, "missing_table")


def test_extensions(project: ProjectFactory, sql: Sql) -> None:
    if not sql("select 1 from pg_available_extensions where name = 'pgcrypto'"):
        pytest.skip("this server has no pgcrypto")
    folder = project(
        {"seeds/10_x.py": seed('yield Extension("pgcrypto")\n    yield Extension("no-such-thing", required=False)')}
    )
    applied(folder)
    assert sql("select count(*) from pg_extension where extname = 'pgcrypto'") == [(1,)]
    sql("drop extension pgcrypto")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    folder.write({"seeds/10_x.py": seed('yield Extension("pgcrypt")')})
    assert "did you mean 'pgcrypto'?" in error(apply(folder))


# What was found by trying to break it


SWAP = "create table p (id int primary key, code text not null unique deferrable, pos int unique);"


@pytest.mark.parametrize("number", [3, 6000], ids=["parameters", "staged"])
def test_references_follow_rows_that_the_same_run_moves(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(SWAP + "create table c (code text primary key, p_id int references p)")
    body = (
        'yield Rows("p", key="id", rows=[{{"id": 1, "code": "{0}"}}, {{"id": 2, "code": "{1}"}}])\n'
        '    yield Rows("c", key="code", rows=[{{"code": str(n), "p_id": ref("p", code="a")}} for n in range({2})])'
    )
    folder = project({"seeds/10_x.py": seed(body.format("a", "b", number))})
    applied(folder)
    folder.write({"seeds/10_x.py": seed(body.format("b", "a", number))})
    applied(folder)
    assert sql("select distinct p_id from c") == [(2,)]


@pytest.mark.trap("a unique value that one row gives up and another takes", "updates go before inserts")
def test_a_unique_value_moves_from_one_row_to_a_new_one(project: ProjectFactory, sql: Sql) -> None:
    sql(SWAP)
    rows = 'yield Rows("p", key="id", rows=[{"id": 1, "code": "a", "pos": %d}%s])'
    folder = project({"seeds/10_x.py": seed(rows % (1, ""))})
    applied(folder)
    folder.write({"seeds/10_x.py": seed(rows % (2, ', {"id": 2, "code": "b", "pos": 1}'))})
    assert counts(applied(folder)) == (1, 1, 0, 0)


@pytest.mark.parametrize("number", [3, 6000], ids=["parameters", "staged"])
@pytest.mark.parametrize(("own", "referred"), [("bigint", "int"), ("text", "varchar(10)")])
def test_a_foreign_key_may_have_another_type_than_what_it_refers_to(
    own: str, referred: str, number: int, project: ProjectFactory, sql: Sql
) -> None:
    sql(f"create table p (id {referred} primary key, code text unique); insert into p values ('7', 'x')")
    sql(f"create table c (code text primary key, p_id {own} references p)")
    body = (
        f'yield Rows("c", key="code", rows=[{{"code": str(n), "p_id": ref("p", code="x")}} for n in range({number})])'
    )
    folder = project({"seeds/10_x.py": seed(body)})
    assert dry_run(folder).exit_code == 0
    applied(folder)


def test_equality_is_the_type_s_own_wherever_its_extension_is(project: ProjectFactory, sql: Sql) -> None:
    sql("create schema extensions; create extension citext schema extensions; create schema tenant")
    sql("create table tenant.p (id serial primary key, name extensions.citext unique)")
    sql("create table tenant.c (code text primary key, p_id int references tenant.p)")
    sql("insert into tenant.p (name) values ('Hello')")
    body = (
        'yield Rows("p", key="name", rows=[{"name": "hello"}])\n'
        '    yield Rows("c", key="code", rows=[{"code": "c", "p_id": ref("p", name="HELLO")}])'
    )
    folder = project({"seeds/10_x.py": seed(body)}, config='[project]\nname = "x"\n[database]\nschema = "tenant"\n')
    assert counts(applied(folder)) == (1, 0, 0, 1)


@pytest.mark.parametrize("arguments", ['initial=["p_id"]', 'mode="insert"'])
@pytest.mark.parametrize("number", [2, 6000], ids=["parameters", "staged"])
def test_what_is_written_once_is_looked_up_once(number: int, arguments: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table p (id int primary key, code text unique); insert into p values (1, 'x'), (2, 'y')")
    sql("create table c (code text primary key, p_id int references p, n int)")
    body = (
        f'yield Rows("c", key="code", {arguments},'
        f' rows=[{{"code": str(n), "p_id": ref("p", code="x"), "n": 1}} for n in range({number})])'
    )
    folder = project({"seeds/10_x.py": seed(body)})
    applied(folder)
    sql("update c set p_id = 2; delete from p where code = 'x'")
    assert verify(folder).exit_code == 0
    assert counts(apply(folder)) == (0, 0, 0, number)
    sql("delete from c where code = '1'")
    for report in (verify(folder), apply(folder)):
        assert "rows:c row 2: no row of p has code='x'" in error(report)


def test_a_secret_key_leaves_no_hash(project: ProjectFactory, sql: Sql) -> None:
    sql("create table pins (pin text primary key, name text)")
    body = 'yield Rows("pins", key="pin", secret=["pin"], rows=[{"pin": "1234", "name": "x"}])'
    folder = project({"seeds/10_x.py": seed(body)})
    applied(folder)
    assert sql("select count(*) from seedframe.baseline_row") == [(0,)]
    sql("update pins set name = 'y'")
    report = verify(folder)
    assert (only(report).verdict, "1234" in str(report.as_dict())) == (Verdict.DRIFT, False)


def test_arrays_from_python_and_json(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (id int primary key, n numeric[], t text[], j jsonb[], d date[], i int[][])")
    row = (
        '{"id": 1, "n": [1, Decimal("2.50"), None], "t": ["a,b", "", None, "NULL", "q\\"\\\\"], "j": [{"a": [1]}],'
        ' "d": [date(2024, 2, 29)], "i": [[1, 2], [3, 4]]}'
    )
    body = f'yield Rows("t", key="id", rows=[{row}])'
    folder = project({"seeds/10_t.py": "from datetime import date\nfrom decimal import Decimal\n" + seed(body)})
    applied(folder)
    assert sql("select n::text, t, j[1]::text, d::text, i from t") == [
        ("{1,2.50,NULL}", ["a,b", "", None, "NULL", 'q"\\'], '{"a": [1]}', "{2024-02-29}", [[1, 2], [3, 4]])
    ]


def test_rows_declared_once_for_all_attempts(project: ProjectFactory, sql: Sql) -> None:
    sql(ITEMS)
    body = 'from seedframe import Rows\n\nITEMS = Rows("items", key="sku", rows=[{"sku": "a"}])\n\ndef resources():\n    return [ITEMS]\n'
    folder = project({"seeds/10_items.py": body})
    loaded = Project.load(folder.path)
    assert [loaded.apply().exit_code, loaded.apply().exit_code, loaded.verify().exit_code] == [0, 0, 0]


@pytest.mark.parametrize(
    "body",
    [
        'yield Tables("p", required=False)\n    yield Rows("c", key="code", initial={"p_id": ref("p", code="x")}, rows=[{"code": "a"}])',
        'yield Tables("p", required=False)\n    yield Rows("c", key="code", rows=iter([{"code": "a", "p_id": None}, {"code": "b", "p_id": ref("p", code="x")}]))',
    ],
    ids=["initial", "iterator"],
)
def test_whatever_needs_an_optional_table_is_skipped(body: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table c (code text primary key, p_id int)")
    report = applied(project({"seeds/10_x.py": seed(body)}))
    assert only(report).resources[1].changes.skipped_reason == "optional table p does not exist"


def test_what_is_too_long_for_an_array_s_element_is_never_cut_to_fit(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (id int primary key, a varchar(3)[]); insert into t values (1, '{abc}')")
    folder = project({"seeds/10_t.py": seed('yield Rows("t", key="id", rows=[{"id": 1, "a": ["abcdef"]}])')})
    assert "row 1: column a: value too long for type character varying(3)" in error(verify(folder))
    assert error(apply(folder)) == error(verify(folder))
    assert sql("select a from t") == [(["abc"],)]


@pytest.mark.parametrize("event", ["insert", "update", "delete"])
def test_what_a_trigger_says_of_a_secret_is_withheld(event: str, project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table keys (name text primary key, token text not null); insert into keys values ('old', 'canary-0');"
        " create function talks() returns trigger language plpgsql as $$"
        " begin raise exception 'no good: %', coalesce(new.token, old.token); end $$;"
        f" create trigger talks before {event} on keys for each row execute function talks()"
    )
    declared = {
        "insert": "rows=[{'name': 'new', 'token': 'canary-1'}]",
        "update": "rows=[{'name': 'old', 'token': 'canary-1'}]",
        "delete": "rows=[{'name': 'new', 'token': 'canary-1'}], transitions=[removed('old')]",
    }[event]
    folder = project(
        {
            "seeds/10_keys.py": "from seedframe import Rows, removed\n"
            f"def resources():\n    yield Rows('keys', key='name', secret=['token'], {declared})\n"
        }
    )
    done = folder.run("apply", "-v")
    assert done.returncode == 1
    assert "what it said is withheld" in done.stderr
    assert "canary" not in f"{done}{sql('select error from seedframe.outcome')}"
