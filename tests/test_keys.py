"""How a declared row finds its row: NULLs in keys, indexes with SQL of their own, the equality of the server."""

from collections.abc import Callable

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify

Run = Callable[[Folder], Report]
RUNS = pytest.mark.parametrize("run", [dry_run, verify, apply])


def seed(body: str, helpers: str = "") -> str:
    return f"from seedframe import Rows, Setting, column, ref, sql\n\n{helpers}\n\ndef resources():\n    {body}\n"


# NULL in a key

PRICES = """
create table prices (id bigserial primary key, sku text not null, region text, channel text, price int,
                     unique {nulls} (sku, region, channel));
"""
PRICE_ROWS = """
def rows(n):
    for i in range(n):
        region, channel = "eu" if i % 2 else None, "web" if i // 2 % 2 else None
        yield {"sku": f"s{i // 4}", "region": region, "channel": channel, "price": i}
"""


@pytest.mark.trap("NULL in a key", "equal to NULL where the unique index is NULLS NOT DISTINCT; else refused")
@pytest.mark.parametrize("number", [8, 11_000], ids=["parameters", "staged"])
def test_null_in_a_key_finds_the_row_with_null(number: int, nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql(PRICES.format(nulls=nulls))
    sql("insert into prices (sku, price) values ('s0', -1), ('theirs', -1)")
    folder = project(
        {
            "seeds/10_prices.py": seed(
                f'yield Rows("prices", key=["sku", "region", "channel"], rows=rows({number}))', PRICE_ROWS
            )
        }
    )
    assert counts(dry_run(folder)) == (number - 1, 1, 0, 0)
    assert counts(applied(folder)) == (number - 1, 1, 0, 0)
    assert sql("select count(*), sum(price) from prices") == [(number + 1, sum(range(number)) - 1)]
    sql("update prices set price = -7 where sku = 's1' and region is null and channel is null")
    sql("delete from prices where sku = 's1' and region = 'eu' and channel is null")
    report = verify(folder)
    assert only(report).verdict is Verdict.DRIFT
    update, create = only(report).resources[0].changes.sample
    assert (update.action, update.key) == ("update", {"sku": "s1", "region": None, "channel": None})
    assert (update.before, update.after) == ({"price": "-7"}, {"price": "4"})
    assert (create.action, create.key) == ("create", {"sku": "s1", "region": "eu", "channel": None})
    assert '"region": null' in str(folder.run("verify", "--format", "json").stdout)
    assert counts(applied(folder)) == (1, 1, 0, number - 2)


@pytest.mark.trap("NULL in every column of a key", "equal to NULL where the unique index is NULLS NOT DISTINCT")
@pytest.mark.parametrize("columns", [["a"], ["a", "b"], ["a", "b", "c", "d", "e"]])
def test_a_key_may_be_null_altogether(columns: list[str], nulls: str, project: ProjectFactory, sql: Sql) -> None:
    listed = ", ".join(columns)
    sql(f"create table t ({', '.join(f'{c} numeric' for c in columns)}, v text, unique {nulls} ({listed}))")
    rows = [{**dict.fromkeys(columns), "v": "none"}, {**dict.fromkeys(columns, "1.50"), "v": "one"}]
    folder = project({"seeds/10_t.py": seed(f'yield Rows("t", key={columns!r}, rows={rows!r})')})
    assert counts(applied(folder)) == (2, 0, 0, 0)
    sql("update t set v = 'theirs'")
    report = verify(folder)
    assert only(report).verdict is Verdict.DRIFT
    assert [change.key["a"] for change in only(report).resources[0].changes.sample] == [None, "1.50"]
    assert counts(applied(folder)) == (0, 2, 0, 0)
    assert sql("select v from t order by v") == [("none",), ("one",)]


@RUNS
@pytest.mark.trap("NULL in a key", "refused with the row's place where the unique index has NULLs distinct")
@pytest.mark.parametrize("number", [4, 11_000], ids=["parameters", "staged"])
def test_null_in_a_key_is_refused_where_each_null_is_another(
    number: int, run: Run, project: ProjectFactory, sql: Sql
) -> None:
    sql(PRICES.format(nulls=""))
    folder = project(
        {
            "seeds/10_prices.py": seed(
                'yield Rows("prices", key=["sku", "region", "channel"], file="prices.csv")', PRICE_ROWS
            ),
            "seeds/prices.csv": "sku,region,channel,price\n"
            + "".join(f"s{i},eu,web,{i}\n" for i in range(number - 1)) + "s,eu,,1\n",
        }
    )  # fmt: skip
    said = error(run(folder))
    assert f"seeds/prices.csv:{number + 1}: key column channel has no value" in said
    assert "NULLS NOT DISTINCT" in said
    assert sql("select count(*) from prices") == [(0,)]


def test_null_in_a_key_column_that_cannot_be_null_is_refused(nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql(PRICES.format(nulls=nulls))
    folder = project(
        {
            "seeds/10_prices.py": seed(
                'yield Rows("prices", key=["sku", "region", "channel"],'
                ' rows=[{"sku": None, "region": None, "channel": None}])'
            )
        }
    )
    assert "rows:prices row 1: key column sku has no value" in error(apply(folder))


@RUNS
@pytest.mark.parametrize("between", [0, 11_000], ids=["near", "far"])
def test_the_same_key_with_null_twice_is_refused(
    between: int, run: Run, nulls: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(PRICES.format(nulls=nulls))
    rows = f"""
def rows():
    yield {{"sku": "a", "region": None, "channel": "web"}}
    yield from ({{"sku": f"b{{n}}", "region": None, "channel": None}} for n in range({between}))
    yield {{"sku": "a", "region": None, "channel": "web"}}
"""
    folder = project(
        {"seeds/10_prices.py": seed('yield Rows("prices", key=["sku", "region", "channel"], rows=rows())', rows)}
    )
    said = error(run(folder))
    assert f"row {between + 2}: the key (sku, region, channel) of this row is also that of rows:prices row 1" in said


def test_an_empty_field_of_a_key_is_null(nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql(PRICES.format(nulls=nulls))
    folder = project(
        {
            "seeds/10_prices.py": seed('yield Rows("prices", key=["sku", "region", "channel"], file="prices.csv")'),
            "seeds/prices.csv": "sku,region,channel,price\na,,,1\na,eu,,2\na,,web,3\n",
        }
    )
    assert counts(applied(folder)) == (3, 0, 0, 0)
    assert sql("select region, channel, price from prices order by price") == [
        (None, None, 1),
        ("eu", None, 2),
        (None, "web", 3),
    ]


FOLDERS = """
create table folders (id bigserial primary key, parent_id bigint references folders, name text not null, note text,
                      unique {nulls} (parent_id, name));
create unique index folders_note on folders (note);
"""


@pytest.mark.trap(
    "a reference in a key, or none", "no reference is a key of its own; one that finds nothing is an error"
)
@pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "staged"])
def test_a_key_with_a_reference_or_none(number: int, nulls: str, project: ProjectFactory, sql: Sql) -> None:
    sql(FOLDERS.format(nulls=nulls))
    # The first row says what a column holds, a reference here.
    helpers = f"""
def rows():
    yield {{"parent_id": ref("folders", note="root"), "name": "home", "note": "nested"}}
    yield {{"parent_id": None, "name": "home", "note": "root"}}
    for n in range({number}):
        yield {{"parent_id": ref("folders", note="root"), "name": f"f{{n}}", "note": str(n)}}
"""
    folder = project(
        {"seeds/10_folders.py": seed('yield Rows("folders", key=["parent_id", "name"], rows=rows())', helpers)}
    )
    assert counts(dry_run(folder)) == (number + 2, 0, 0, 0)
    assert counts(applied(folder)) == (number + 2, 0, 0, 0)
    assert sql("select count(*) from folders where parent_id is null") == [(1,)]
    sql("update folders set note = 'by hand' where name = 'f1'")
    (change,) = only(verify(folder)).resources[0].changes.sample
    assert change.before == {"note": "by hand"}
    assert change.verdict is Verdict.DRIFT


# Indexes named explicitly

USERS = """
create table users (id bigserial primary key, email text not null, name text, deleted_at timestamptz,
                    line int, missing bool, c0 text, staged_c0 text, k0 text, present text);
create unique index users_email on users (lower(email)) where deleted_at is null;
create index users_name on users (name);
"""
INDEXED = 'yield Rows("users", key="email", index="users_email", rows=users())'


def users(number: int, name: str = "n", extra: str = "") -> str:
    return f"""
def users():
    yield from ({{"email": f"User{{n}}@Example.org", "name": {name!r}{extra}}} for n in range({number}))
"""


@pytest.mark.trap("unique index over an expression", "named by index=: its expressions are the key")
@pytest.mark.trap("soft-deleted rows", "index= with a predicate leaves them alone, and makes another row")
@pytest.mark.parametrize("number", [3, 6_000], ids=["parameters", "staged"])
def test_the_expressions_of_a_named_index_are_the_key(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(USERS)
    sql("insert into users (email, name, deleted_at) values ('user0@example.org', 'gone', now())")
    sql("insert into users (email, name) values ('USER1@example.org', 'theirs')")
    folder = project({"seeds/10_users.py": seed(INDEXED, users(number))})
    assert counts(dry_run(folder)) == (number - 1, 1, 0, 0)
    assert counts(applied(folder)) == (number - 1, 1, 0, 0)
    assert sql("select email, name, deleted_at is null from users where lower(email) ~ '^user[01]@' order by 1, 2") == [
        ("USER1@example.org", "n", True),
        ("User0@Example.org", "n", True),
        ("user0@example.org", "gone", False),
    ]
    # The same key in another spelling: found in the table and in the baseline.
    sql("update users set name = 'by hand' where email = 'User0@Example.org'")
    folder.write({"seeds/10_users.py": seed(INDEXED, users(number).replace("User", "uSER"))})
    (change,) = only(verify(folder)).resources[0].changes.sample
    assert (change.key, change.verdict) == ({"email": "uSER0@Example.org"}, Verdict.DRIFT)
    assert counts(applied(folder)) == (0, 1, 0, number - 1)
    # Soft-deleted by an operator: another row is made, and the old one stays.
    sql("update users set deleted_at = now() where name = 'n' and email ilike 'user0@%'")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    assert counts(applied(folder)) == (1, 0, 0, number - 1)


@RUNS
@pytest.mark.parametrize("between", [0, 6_000], ids=["near", "far"])
def test_keys_that_the_index_has_equal_are_refused_twice(
    between: int, run: Run, project: ProjectFactory, sql: Sql
) -> None:
    sql(USERS)
    helpers = f"""
def users():
    yield {{"email": "A@x.org"}}
    yield from ({{"email": f"u{{n}}"}} for n in range({between}))
    yield {{"email": "a@X.org"}}
"""
    said = error(run(project({"seeds/10_users.py": seed(INDEXED, helpers)})))
    assert f"row {between + 2}: the key (email) of this row is also that of rows:users row 1" in said


@RUNS
@pytest.mark.parametrize("number", [2, 6_000], ids=["parameters", "staged"])
def test_a_declared_row_that_the_predicate_is_not_true_of_is_refused(
    number: int, run: Run, project: ProjectFactory, sql: Sql
) -> None:
    sql(USERS)
    extra = f', "deleted_at": "2020-01-01" if n == {number - 1} else None'
    folder = project({"seeds/10_users.py": seed(INDEXED, users(number, extra=extra))})
    said = error(run(folder))
    assert f"rows:users row {number}: the row is not one of those WHERE (deleted_at IS NULL)" in said
    assert sql("select count(*) from users") == [(0,)]


@pytest.mark.trap("coalesce() in a unique index", "index= names it, and NULL is a value of such a key column")
@pytest.mark.parametrize("number", [4, 6_000], ids=["parameters", "staged"])
def test_null_is_fine_where_the_index_makes_a_value_of_it(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (a int not null, b text, v int)")
    sql("create unique index t_ab on t (a, coalesce(b, ''))")
    rows = f'[{{"a": i // 2, "b": "x" if i % 2 else None, "v": i}} for i in range({number})]'
    folder = project({"seeds/10_t.py": seed(f'yield Rows("t", key=["a", "b"], index="t_ab", rows={rows})')})
    assert counts(applied(folder)) == (number, 0, 0, 0)
    sql("update t set v = -1 where a = 1 and b is null")
    (change,) = only(verify(folder)).resources[0].changes.sample
    assert (change.key, change.before) == ({"a": "1", "b": None}, {"v": "-1"})


@RUNS
def test_an_expression_that_is_null_is_no_key(run: Run, project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (a text, v int); create unique index t_a on t (lower(a))")
    folder = project({"seeds/10_t.py": seed('yield Rows("t", key="a", index="t_a", rows=[{"a": "x"}, {"a": None}])')})
    assert "rows:t row 2: the key has no value" in error(run(folder))


def test_an_expression_over_what_is_looked_up(project: ProjectFactory, sql: Sql) -> None:
    sql("create table folders (id bigserial primary key, parent_id bigint references folders, name text, code text)")
    sql("create unique index folders_code on folders (code)")
    sql("create unique index by_name on folders (coalesce(parent_id, 0), lower(name))")
    body = (
        'yield Rows("folders", key=["parent_id", "name"], index="by_name", rows=['
        '{"parent_id": ref("folders", code="r"), "name": "A", "code": "ra"},'
        '{"parent_id": ref("folders", code="ra"), "name": "A", "code": "raa"},'
        '{"parent_id": None, "name": "a", "code": "r"}])'
    )
    folder = project({"seeds/10_folders.py": seed(body)})
    assert counts(dry_run(folder)) == (3, 0, 0, 0)
    assert counts(applied(folder)) == (3, 0, 0, 0)
    folder.write(
        {
            "seeds/10_folders.py": seed(
                body.replace('"code": "r"}]', '"code": "r"}, {"parent_id": None, "name": "A", "code": "x"}]')
            )
        }
    )
    assert "row 4: the key (parent_id, name) of this row is also that of rows:folders row 3" in error(apply(folder))


def test_a_sequence_beside_an_index_with_sql_of_its_own(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (id serial, a text, v int); create unique index t_a on t (lower(a))")
    rows = '[{"a": f"A{i}", "id": i + 10, "v": i} for i in range(3)]'
    folder = project({"seeds/10_t.py": seed(f'yield Rows("t", key="a", index="t_a", rows={rows})')})
    applied(folder)
    assert sql("insert into t (a) values ('b') returning id") == [(13,)]


def test_an_index_may_have_names_and_columns_of_any_kind(project: ProjectFactory, sql: Sql) -> None:
    sql('create table "T" ("staged_c0" text, "we ""ird" text, "line" int, v int)')
    sql("""create unique index "I x" on "T" (lower("we ""ird"), "line") where "staged_c0" = 'a%b'""")
    rows = [{'we "ird': "A", "line": 1, "staged_c0": "a%b", "v": 1}]
    body = f"""yield Rows("T", key=['we "ird', "line"], index="I x", rows={rows!r})"""
    folder = project({"seeds/10_t.py": seed(body)})
    assert counts(applied(folder)) == (1, 0, 0, 0)
    sql('update "T" set v = 2')
    assert counts(applied(folder)) == (0, 1, 0, 0)


@pytest.mark.parametrize(
    ("index", "key", "expected"),
    [
        ("users_emial", "email", "public.users has no index 'users_emial' (did you mean 'users_email'?)"),
        ("users_name", "name", "index users_name of public.users is not unique (its unique indexes are users_email, users_pkey"),  # noqa: E501
        ("users_email", "name", "index users_email of public.users is over email, the key is name (key=\"email\""),
        ("users_row", "email", "index users_row of public.users is over the row as a whole"),
        (None, "email", 'unique index users_email of public.users covers the key (email), but has a predicate (index="users_email"'),  # noqa: E501
        (None, "name", "no unique index of public.users covers exactly the key (name)"),
    ],
)  # fmt: skip
def test_an_index_that_cannot_be_the_key_s(
    index: str | None, key: str, expected: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(USERS)
    sql("create function whole(users) returns text language sql immutable as $$ select $1.email $$")
    sql("create unique index users_row on users (whole(users.*)) where name = 'x'; ")
    if "users_row" not in (index or ""):
        sql("drop index users_row")
    body = f'yield Rows("users", key="{key}", index={index!r}, rows=[{{"email": "a", "name": "b"}}])'
    assert expected in error(apply(project({"seeds/10_users.py": seed(body)})))


@pytest.mark.trap(
    "an index with another collation than its column", "named by index=: its collation says what is equal"
)
def test_an_index_with_a_collation_of_its_own(case_blind: str, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create table t (a text, v int); create unique index t_a on t (a collate {case_blind})")
    rows = '[{"a": "X", "v": 1}]'
    folder = project({"seeds/10_t.py": seed(f'yield Rows("t", key="a", rows={rows})')})
    assert 'index="t_a"' in error(apply(folder))
    sql("insert into t values ('x', 0)")
    folder.write({"seeds/10_t.py": seed(f'yield Rows("t", key="a", index="t_a", rows={rows})')})
    assert counts(applied(folder)) == (0, 1, 0, 0)
    assert sql("select a, v from t") == [("x", 1)]


def test_an_index_that_failed_to_be_built_is_refused(project: ProjectFactory, sql: Sql) -> None:
    sql("create table t (a text, v int); insert into t values ('x'), ('x')")
    with pytest.raises(Exception, match="could not create unique index"):
        sql("create unique index concurrently t_a on t (a)")
    folder = project({"seeds/10_t.py": seed('yield Rows("t", key="a", index="t_a", rows=[{"a": "x"}])')})
    assert "index t_a of public.t is not valid" in error(apply(folder))


@pytest.mark.trap("soft-deleted rows", "full unique index, deleted_at declared None: the row is resurrected")
def test_a_soft_deleted_row_is_resurrected_or_respected_as_declared(project: ProjectFactory, sql: Sql) -> None:
    sql("create table users (email text primary key, name text, deleted_at timestamptz)")
    sql("insert into users values ('a', 'gone', now())")
    respect = 'yield Rows("users", key="email", mode="insert", rows=[{"email": "a", "name": "A"}])'
    folder = project({"seeds/10_users.py": seed(respect)})
    assert counts(applied(folder)) == (0, 0, 0, 1)
    assert sql("select name, deleted_at is null from users") == [("gone", False)]
    resurrect = 'yield Rows("users", key="email", rows=[{"email": "a", "name": "A", "deleted_at": None}])'
    folder.write({"seeds/10_users.py": seed(resurrect)})
    assert counts(applied(folder)) == (0, 1, 0, 0)
    assert sql("select name, deleted_at is null from users") == [("A", True)]


# Equality is the server's

EQUAL = [
    ("text", "A", "A", True),
    ("text", "A", "a", False),
    ("text collate blind", "A", "a", True),
    ("text", "\u00e9", "e\u0301", False),
    ("text collate accents", "\u00e9", "e\u0301", True),
    ("citext", "A", "a", True),
    ("char(4)", "a", "a  ", True),
    ("varchar(4)", "a", "a ", False),
    ("numeric", "1.5", "1.500", True),
    ("numeric(4,1)", "1.5", "1.50", True),
    ("float8", "0", "-0", True),
    ("float8", "NaN", "nan", True),
    ("interval", "1 mon", "30 days", True),
    ("timestamptz", "2020-01-01 12:00+00", "2020-01-01 13:00+01", True),
    ("timetz", "12:00+00", "13:00+01", False),
    ("inet", "10.0.0.1", "10.0.0.1/32", True),
    ("macaddr", "08:00:2b:01:02:03", "08-00-2b-01-02-03", True),
    ("uuid", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "{A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11}", True),
    ("bytea", "\\x41", "A", True),
    ("bool", "t", "yes", True),
    ("jsonb", '{"a": 1, "b": 2}', '{"b": 2, "a": 1.0}', True),
    ("mood", "sad", "sad", True),
    ("mood[]", "{sad,ok}", '{"sad", "ok"}', True),
    ("numeric[]", "{1.5,NULL}", "{1.50,NULL}", True),
    ("int4range", "[1,3]", "[1,4)", True),
    ("numrange", "[1.5,2]", "[1.50,2.0]", True),
    ("nummultirange", "{[1.5,2]}", "{[1.50,2.0]}", True),
    ("pair", "(1.5,x)", '("1.50","x")', True),
    ("price", "1.5", "1.50", True),
    ("prices", "{1.5}", "{1.50}", True),
    ("bit(3)", "101", "101", True),
    ("varbit", "101", "1010", False),
    ("money", "1.5", "$1.50", True),
    ("tsvector", "a:1 b:2", "b:2 a:1", True),
    ("pg_lsn", "0/16AE7F8", "0/016AE7F8", True),
    ("regclass", "pg_class", "pg_catalog.pg_class", True),
]
EQUAL_TYPES = """
create extension citext;
create type mood as enum ('sad', 'ok');
create type pair as (n numeric, t text);
create domain price as numeric check (value > 0);
create domain prices as numeric[];
"""


@pytest.mark.trap("equality of keys", "the server's: by the type, its collation and its own `=`")
@pytest.mark.parametrize(("type_", "first", "second", "equal"), EQUAL)
def test_keys_are_equal_when_the_server_says_so(
    type_: str, first: str, second: str, equal: bool, project: ProjectFactory, sql: Sql, request: pytest.FixtureRequest
) -> None:
    if "collate" in type_:
        request.getfixturevalue("case_blind")
        sql("create collation accents (provider = icu, locale = 'und', deterministic = false)")

    sql(EQUAL_TYPES)
    sql(f"create table t (id serial, k {type_} primary key, v int)")
    body = 'yield Rows("t", key="k", rows=[{{"k": {}, "v": {}}}])'
    folder = project({"seeds/10_t.py": seed(body.format(repr(first), 1))})
    applied(folder)
    (stored,) = sql("select k::text from t")
    folder.write({"seeds/10_t.py": seed(body.format(repr(second), 1))})
    assert counts(applied(folder)) == ((0, 0, 0, 1) if equal else (1, 0, 0, 0))
    if not equal:
        return
    # The spelling stays as it was first written, and the baseline is found by the other.
    assert sql("select k::text from t") == [stored]
    sql("update t set v = 2")
    assert only(verify(folder)).verdict is Verdict.DRIFT
    folder.write({"seeds/10_t.py": seed(body.format(repr(first), 1))})
    assert only(verify(folder)).verdict is Verdict.DRIFT
    twice = f'yield Rows("t", key="k", rows=[{{"k": {first!r}}}, {{"k": {second!r}}}])'
    folder.write({"seeds/10_t.py": seed(twice)})
    assert "row 2: the key (k) of this row is also that of rows:t row 1" in error(verify(folder))
