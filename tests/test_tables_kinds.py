# ruff: noqa: E501 - seeds stand in one line where they are one thing
"""Kinds of tables: partitioned, inherited, unlogged, temporary, foreign, wide, with row security, triggers, rules and constraints."""

from collections.abc import Callable, Iterator

import pytest

from seedframe.changes import Verdict
from seedframe.report import Report
from tests.conftest import Connect, Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify
from tests.servers import Server

Run = Callable[[Folder], Report]
RUNS = pytest.mark.parametrize("run", [dry_run, apply, verify], ids=["dry_run", "apply", "verify"])
SIZES = pytest.mark.parametrize("number", [4, 6_000], ids=["parameters", "staged"])


def seed(*resources: str) -> str:
    body = "\n    ".join(f"yield {resource}" for resource in resources)
    return f"from seedframe import Rows, ref, sql\n\ndef resources():\n    {body}\n"


def things(number: int = 4, *, columns: str = "", arguments: str = "", key: str = "id") -> str:
    return seed(
        f'Rows("things", key="{key}"{arguments}, rows=({{"id": n, "name": f"n{{n}}"{columns}}} for n in range(1, {number + 1})))'
    )


# Partitions and inheritance

PARTITIONED = {
    "list": "partition by list (part); create table p0 partition of things for values in (0, 1); create table p1 partition of things for values in (2); create table p2 partition of things for values in (3)",
    "range": "partition by range (part); create table p0 partition of things for values from (0) to (2); create table p1 partition of things default",
    "hash": "partition by hash (part); create table p0 partition of things for values with (modulus 2, remainder 0); create table p1 partition of things for values with (modulus 2, remainder 1)",
    "list, then range": "partition by list (part); create table p0 partition of things default partition by range (id); create table p1 partition of p0 for values from (0) to (3); create table p01 partition of p0 default",
}


@SIZES
@pytest.mark.parametrize("kind", PARTITIONED)
@pytest.mark.trap("partitioned tables", "one table; the key includes the partition key")
def test_partitioned_tables(kind: str, number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create table things (id int, part int, name text, primary key (part, id)) {PARTITIONED[kind]}")
    rows = f'Rows("things", key=["id", "part"], rows=({{"id": n, "name": f"n{{n}}", "part": n % 4}} for n in range({number})))'
    folder = project({"seeds/10_x.py": seed(rows)})
    assert counts(dry_run(folder)) == (number, 0, 0, 0)
    assert counts(applied(folder)) == (number, 0, 0, 0)
    sql("update p0 set name = 'x' where id = 0; delete from p1 where id = 2")
    report = verify(folder)
    assert (report.exit_code, counts(report)[0] + counts(report)[1] > 0) == (2, True)
    applied(folder)
    assert sql("select count(*), count(distinct name) from things") == [(number, number)]


@pytest.mark.trap("a row that no partition takes", "an error that names the row")
def test_no_partition_for_a_row(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table things (id int primary key, name text) partition by range (id); create table p0 partition of things for values from (0) to (3)"
    )
    told = error(apply(project({"seeds/10_x.py": things(4)})))
    assert told.startswith("constraint: rows:things row 3 (id=3): no partition of public.things takes this row")
    assert "CREATE TABLE … PARTITION OF" in told
    assert sql("select count(*) from things") == [(0,)]


@pytest.mark.trap("a key without the partition key", "refused: no unique index of a partitioned table covers it")
def test_a_key_without_the_partition_key(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table things (id int, name text) partition by list (name); create table p0 partition of things default;"
        " create unique index on things (id, name); create unique index on p0 (id)"
    )
    told = error(apply(project({"seeds/10_x.py": things(1)})))
    assert "no unique index of public.things covers exactly the key (id)" in told


@pytest.mark.trap("a partition declared by its own name", "a table like others; what belongs elsewhere is refused")
def test_a_partition_declared_by_its_own_name(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table all_things (id int, name text) partition by list (name); create table things partition of all_things for values in ('n1', 'n2', 'n3', 'n4') ; create unique index on things (id)"
    )
    folder = project({"seeds/10_x.py": things(4)})
    applied(folder)
    folder.write({"seeds/10_x.py": things(5)})
    assert error(apply(folder)) == (
        "constraint: rows:things row 5 (id=5): public.things is a partition, and this row belongs to another"
        " (declare the partitioned table)"
    )


@SIZES
@pytest.mark.trap("tables that others inherit from", "read and written with ONLY; rows of the children are others'")
def test_inheritance(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql("create table things (id int primary key, name text); create table child (extra text) inherits (things)")
    sql("insert into child values (1, 'of the child', 'x'), (2, 'n2', 'y')")
    folder = project({"seeds/10_x.py": things(number)})
    assert counts(dry_run(folder)) == (number, 0, 0, 0)
    assert counts(applied(folder)) == (number, 0, 0, 0)
    sql("update only things set name = 'x' where id = 1")
    assert counts(applied(folder)) == (0, 1, 0, number - 1)
    assert sql("select * from child order by id") == [(1, "of the child", "x"), (2, "n2", "y")]


def test_a_reference_to_a_parent_table_finds_its_own_rows_only(project: ProjectFactory, sql: Sql) -> None:
    sql("create table things (id serial primary key, name text unique); create table child () inherits (things)")
    sql("create table others (id int primary key, thing_id int references things)")
    sql("insert into child values (77, 'n1'); insert into things values (5, 'n1')")
    folder = project(
        {"seeds/10_x.py": seed('Rows("others", key="id", rows=[{"id": 1, "thing_id": ref("things", name="n1")}])')}
    )
    applied(folder)
    assert sql("select thing_id from others") == [(5,)]


# Unlogged, temporary, foreign, views


def test_unlogged_tables(project: ProjectFactory, sql: Sql) -> None:
    sql("create unlogged table things (id int primary key, name text)")
    applied(project({"seeds/10_x.py": things()}))


@RUNS
@pytest.mark.parametrize(
    ("made", "told"),
    [
        ("create materialized view things as select 1 as id, 'x' as name", "is a materialized view"),
        (
            "create foreign data wrapper w; create server s foreign data wrapper w; create foreign table things (id int, name text) server s",
            "is a foreign table",
        ),
        ("create sequence things", "is a sequence"),
    ],
)
@pytest.mark.trap("foreign tables and materialized views", "refused: nothing proves there what was written")
def test_what_is_no_table_is_refused(run: Run, made: str, told: str, project: ProjectFactory, sql: Sql) -> None:
    sql(made)
    assert f"declaration: public.things {told} (declare the table whose rows are meant)" in error(
        run(project({"seeds/10_x.py": things()}))
    ).replace("seeds/10_x.py: ", "")


def test_a_temporary_table_of_another_session_is_not_there(project: ProjectFactory, connect: Connect) -> None:
    connect().execute("create temporary table things (id int primary key, name text)")
    folder = project({"seeds/10_x.py": things()})
    assert "missing_table" in error(apply(folder))
    folder.write({"seeds/10_x.py": things().replace('"things"', '"pg_temp.things"')})
    assert "missing_table" in error(apply(folder))


# Names

HOSTILE = [
    'we"ird', "do.t", "sp ace", "UPPER", "select", "Ünïcode €", "x" * 63, "100%", "%s %(a)s", ":name", "a'b", "a\\b", "$1", "{0}", "t", "d",
    "line", "missing", "level", "value", "matches", "c0", "r0_0", "ctid_", "ta\tb", "new\nline", "-- x", "/*", "user",
]  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@SIZES
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.trap("hostile names of schemas, tables and columns", "quoted wherever they stand, in errors too")
def test_hostile_names(name: str, number: int, project: ProjectFactory, sql: Sql) -> None:
    q = quoted(name)
    # As bytes, since these statements have no parameters: a % is a %.
    sql(
        f"create schema {q}; create table {q}.{q} (id serial, {q} text primary key, {quoted(name[:62] + '2')} int references {q}.{q} (id), note text, unique (id))"
    )
    table = f"{q}.{q}"
    column, other = name, name[:62] + "2"
    rows = f"Rows({table!r}, key={column!r}, rows=({{{column!r}: f'k{{n}}', {other!r}: ref({table!r}, **{{{column!r}: f'k{{n // 2}}'}}) if n else None, 'note': 'a'}} for n in range({number})))"
    folder = project({"seeds/10_x.py": seed(rows)})
    assert counts(dry_run(folder)) == (number, 0, 0, 0)
    assert counts(applied(folder)) == (number, 0, 0, 0)
    sql(f"update {q}.{q} set note = 'b' where {q} = 'k1'")
    assert counts(applied(folder)) == (0, 1, 0, number - 1)
    sql(f"alter table {q}.{q} add check (note <> 'c')")
    folder.write({"seeds/10_x.py": seed(rows.replace("'note': 'a'", "'note': 'a' if n else 'c'"))})
    told = error(apply(folder))
    assert "refused a row" in told


# Row-level security


@pytest.fixture
def role(database: str, sql: Sql) -> Iterator[str]:
    name = f"guest_{database.rpartition('/')[2].partition('?')[0]}"
    sql(
        f"create role {name} login; grant create on database {name[6:]} to {name}; grant create on schema public to {name}"
    )
    yield name
    sql(f"drop owned by {name} cascade; drop role {name}")


def as_role(role: str, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setenv("DATABASE_URL", folder.env["DATABASE_URL"].replace("://postgres@", f"://{role}@"))
    return folder


SECURED = "create table things (id int primary key, name text); alter table things enable row level security; insert into things values (1, 'n1');"


@RUNS
@pytest.mark.parametrize("policy", ["", "create policy all_of_it on things using (true) with check (true)"])
@pytest.mark.trap("row-level security", "an error, never “missing”: exit code 3 in verify")
def test_row_security_is_an_error(
    run: Run, policy: str, role: str, project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(SECURED + policy)
    sql(f"grant all on things to {role}")
    folder = as_role(role, project({"seeds/10_x.py": things()}), monkeypatch)
    report = run(folder)
    assert report.exit_code == (3 if run is verify else 1)
    assert error(report).endswith(
        f"row-level security of table public.things may hide rows from the role {role}"
        f' (ALTER ROLE "{role}" BYPASSRLS, or connect as the table\'s owner)'
    )
    assert error(report).startswith("permission: ")


@pytest.mark.trap("row-level security, for an owner and for BYPASSRLS", "no obstacle, as it does not apply to them")
def test_row_security_of_owners_and_those_who_bypass_it(
    role: str, project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(SECURED + f"grant all on things to {role}")
    folder = as_role(role, project({"seeds/10_x.py": things()}), monkeypatch)
    sql(f"alter role {role} bypassrls")
    assert counts(applied(folder)) == (3, 0, 0, 1)
    sql(f"alter role {role} nobypassrls; alter table things owner to {role}")
    assert verify(folder).exit_code == 0
    sql("alter table things force row level security")
    assert error(verify(folder)).endswith(
        f'(ALTER ROLE "{role}" BYPASSRLS, or ALTER TABLE "public"."things" NO FORCE ROW LEVEL SECURITY)'
    )
    sql("alter table things no force row level security")
    assert verify(folder).exit_code == 0


@RUNS
@pytest.mark.trap("row-level security of a table that is referred to", "an error, never “no row has this key”")
def test_row_security_of_a_parent(
    run: Run, role: str, project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    sql(
        SECURED
        + f"create table children (id int primary key, thing_id int references things); grant all on things, children to {role}"
    )
    rows = 'Rows("children", key="id", rows=[{"id": 1, "thing_id": ref("things", name="n1")}])'
    report = run(as_role(role, project({"seeds/10_x.py": seed(rows)}), monkeypatch))
    assert "row-level security of table public.things may hide rows" in error(report)
    assert report.exit_code == (3 if run is verify else 1)


# Triggers and rules that rewrite

TRIGGER = "create function f() returns trigger language plpgsql as $$ begin {} end $$; create trigger f {} on things for each row execute function f();"
REWRITERS = {
    "before, normalises": (
        TRIGGER.format("new.name := upper(new.name); return new;", "before insert or update"),
        "for id=1, column name still differs",
        True,
    ),
    "before, swallows": (
        TRIGGER.format("return null;", "before insert or update"),
        "for id=1, it is still to be created",
        True,
    ),
    "after, reverts": (
        TRIGGER.format(
            "if pg_trigger_depth() = 1 then update things set name = 'kept' where id = new.id; end if; return null;",
            "after insert or update",
        ),
        "for id=1, column name still differs",
        True,
    ),
    "rule, instead nothing": (
        "create rule r as on insert to things do instead nothing;",
        "for id=1, it is still to be created",
        True,
    ),
    "rule, instead elsewhere": (
        "create table elsewhere (id int, name text); create rule r as on insert to things do instead insert into elsewhere values (new.id, new.name);",
        "for id=1, it is still to be created",
        True,
    ),
}


@SIZES
@pytest.mark.parametrize("kind", REWRITERS)
@pytest.mark.trap(
    "triggers and rules that rewrite or swallow what is written",
    "reported as not converging, with resource, row and columns; all is rolled back",
)
def test_what_is_rewritten_does_not_converge(kind: str, number: int, project: ProjectFactory, sql: Sql) -> None:
    made, told, _ = REWRITERS[kind]
    sql("create table things (id int primary key, name text);" + made)
    report = apply(project({"seeds/10_x.py": things(number)}))
    assert report.exit_code == 1
    assert f"rows:things does not converge: after apply, {told}" in error(report)
    assert sql("select count(*) from things") == [(0,)]


def test_what_is_rewritten_may_be_initial(project: ProjectFactory, sql: Sql) -> None:
    sql("create table things (id int primary key, name text);" + REWRITERS["before, normalises"][0])
    applied(project({"seeds/10_x.py": things(arguments=', initial=["name"]')}))


@pytest.mark.trap("updated_at triggers", "not fired by a no-op")
@SIZES
def test_a_no_op_fires_no_trigger(number: int, project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table things (id int primary key, name text, updated_at timestamptz);"
        + TRIGGER.format("new.updated_at := clock_timestamp(); return new;", "before insert or update")
    )
    folder = project({"seeds/10_x.py": things(number)})
    applied(folder)
    before = sql("select id, xmin::text, updated_at from things order by id")
    assert counts(apply(folder)) == (0, 0, 0, number)
    assert sql("select id, xmin::text, updated_at from things order by id") == before


def test_statement_triggers_do_not_fire_either(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table things (id int primary key, name text); create table fired (what text);"
        " create function f() returns trigger language plpgsql as $$ begin insert into fired values (tg_op); return null; end $$;"
        " create trigger f after insert or update or delete on things for each statement execute function f()"
    )
    folder = project({"seeds/10_x.py": things()})
    applied(folder)
    assert sql("select distinct what from fired") == [("INSERT",)]
    sql("truncate fired")
    apply(folder)
    assert sql("select * from fired") == []


# Columns that make their own values


def test_generated_columns_and_defaults(project: ProjectFactory, sql: Sql) -> None:
    sql(
        "create table things (id int generated always as identity, name text primary key, twice text generated always as (name || name) stored, n int default 7, at timestamptz not null default now(), s int default nextval('things_id_seq'))"
    )
    rows = 'Rows("things", key="name", rows=[{"name": "a"}, {"name": "b"}])'
    folder = project({"seeds/10_x.py": seed(rows)})
    assert counts(applied(folder)) == (2, 0, 0, 0)
    assert sql("select name, twice, n from things order by 1") == [("a", "aa", 7), ("b", "bb", 7)]
    sql("update things set n = 8")
    assert verify(folder).exit_code == 0
    folder.write({"seeds/10_x.py": seed(rows.replace('"a"', '"a", "n": None').replace('"b"', '"b", "n": 9'))})
    assert counts(applied(folder)) == (0, 2, 0, 0)
    folder.write(
        {"seeds/10_x.py": seed(rows.replace('"a"', '"a", "twice": "aa"').replace('"b"', '"b", "twice": "bb"'))}
    )
    assert "column 'twice' of public.things is generated (leave it out)" in error(dry_run(folder))


@pytest.mark.trap("virtual generated columns (PostgreSQL 18)", "never compared or written; declaring one is an error")
def test_virtual_generated_columns(project: ProjectFactory, sql: Sql, server: Server) -> None:
    if server.major < 18:
        pytest.skip("virtual generated columns are of PostgreSQL 18")
    sql("create table things (id int primary key, name text, twice text generated always as (name || name) virtual)")
    applied(project({"seeds/10_x.py": things()}))


@pytest.mark.trap("a NOT NULL column without a default that is left out", "an error that names the column and the row")
def test_not_null_is_named(project: ProjectFactory, sql: Sql) -> None:
    sql("create table things (id int primary key, name text, must int not null)")
    told = error(apply(project({"seeds/10_x.py": things()})))
    assert (
        told
        == "constraint: rows:things row 1 (id=1): column 'must' must have a value (declare the column in every row, or give it a default)"
    )
    folder = project({"seeds/10_x.py": things(columns=', "must": None if n == 3 else n')})
    assert "constraint: rows:things row 3 (id=3): column 'must' must have a value" in error(apply(folder))


# Constraints

CONSTRAINED = {
    "check": ("alter table things add constraint c check (name <> 'n3')", "the check constraint c refused a row"),
    "exclusion": (
        "alter table things add constraint c exclude using btree ((lower(name)) with =); insert into things values (100000, 'N3')",
        "the exclusion constraint c refused a row",
    ),
    "unique": (
        "alter table things add constraint c unique (name); insert into things values (100000, 'n3')",
        (
            "the unique constraint c refused a row: the row id=100000 of public.things has its value"
            " (give one of the two another value, or delete that row)"
        ),
    ),
    "foreign key": (
        "create table p (name text primary key); insert into p select 'n' || g from generate_series(1, 7000) g where g <> 3; alter table things add constraint c foreign key (name) references p",
        "the foreign key c refused a row",
    ),
    "expression index": (
        "create unique index c on things (upper(name)); insert into things values (100000, 'N3')",
        "the unique constraint c refused a row",
    ),
}


@SIZES
@pytest.mark.parametrize("kind", CONSTRAINED)
@pytest.mark.trap(
    "constraints that refuse a row: check, exclusion, unique, foreign key", "the error names constraint, row and key"
)
def test_the_row_that_a_constraint_refuses_is_named(kind: str, number: int, project: ProjectFactory, sql: Sql) -> None:
    made, told = CONSTRAINED[kind]
    sql(f"create table things (id int primary key, name text); {made}")
    count = sql("select count(*) from things")
    assert error(apply(project({"seeds/10_x.py": things(number)}))) == f"constraint: rows:things row 3 (id=3): {told}"
    assert sql("select count(*) from things") == count


DEFERRED_TRIGGER = """create function f() returns trigger language plpgsql as
$$ begin raise exception 'not today' using errcode = '23514', constraint = 'c'; end $$;
create constraint trigger c after insert on things deferrable initially deferred for each row execute function f()"""


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (
            "alter table things add constraint c unique (name) deferrable initially deferred; insert into things values (100000, 'n3')",
            "the unique constraint c refused a row",
        ),
        (
            "create table p (name text primary key); alter table things add constraint c foreign key (name) references p deferrable initially deferred",
            "the foreign key c refused a row",
        ),
        (
            DEFERRED_TRIGGER,
            "the check constraint c refused a row",
        ),
    ],
    ids=["unique", "foreign key", "trigger"],
)
@pytest.mark.trap(
    "deferred constraints and constraint triggers", "made immediate before the second check, in a rehearsal too"
)
def test_deferred_constraints_speak_before_commit(made: str, told: str, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create table things (id int primary key, name text); {made}")
    folder = project({"seeds/10_x.py": things()})
    for rehearse in (False, True):
        report = apply(folder, rehearse=rehearse)
        assert (report.exit_code, told in error(report)) == (1, True), error(report)


# Wide tables


def wide(columns: int) -> tuple[str, list[str]]:
    names = [f"c{n}" for n in range(columns - 1)]
    return f"create table things (id int primary key, {', '.join(f'{name} smallint' for name in names)})", names


@pytest.mark.parametrize("columns", [749, 750, 900, 1_590])
@pytest.mark.trap("hundreds of declared columns", "compared and written like few, up to PostgreSQL's 1,600")
def test_wide_tables(columns: int, project: ProjectFactory, sql: Sql) -> None:
    table, names = wide(columns)
    sql(table)
    cells = f"**{{f'c{{k}}': (n + k) % 7 for k in range({columns - 1})}}"
    rows = f'Rows("things", key="id", rows=[{{"id": n, {cells}}} for n in range(3)])'
    folder = project({"seeds/10_x.py": seed(rows)})
    assert counts(dry_run(folder)) == (3, 0, 0, 0)
    assert counts(applied(folder)) == (3, 0, 0, 0)
    sql(f"update things set {names[-1]} = 99, {names[0]} = null where id = 1")
    report = verify(folder)
    (change,) = only(report).resources[0].changes.sample
    assert (report.exit_code, change.key) == (2, {"id": "1"})
    assert (change.before, change.verdict) == ({names[0]: None, names[-1]: "99"}, Verdict.DRIFT)
    assert counts(applied(folder)) == (0, 1, 0, 2)


def test_a_wide_table_that_is_staged(project: ProjectFactory, sql: Sql) -> None:
    table, names = wide(800)
    sql(table)
    lines = [",".join(["id", *names]), *(f"{n}" + ",1" * 799 for n in range(5_001))]
    folder = project(
        {"seeds/10_x.py": seed('Rows("things", key="id", file="t.csv")'), "seeds/t.csv": "\n".join([*lines, ""])}
    )
    assert counts(apply(folder)) == (5_001, 0, 0, 0)
    sql(f"update things set {names[-1]} = 99 where id = 5")
    report = apply(folder)
    (change,) = only(report).resources[0].changes.sample
    assert (counts(report), change.before) == ((0, 1, 0, 5_000), {names[-1]: "99"})


@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_more_columns_than_a_table_may_have(run: Run, project: ProjectFactory, sql: Sql) -> None:
    table, _ = wide(1_600)
    sql(table)
    cells = "**{f'c{k}': 1 for k in range(1_599)}"
    told = error(run(project({"seeds/10_x.py": seed(f'Rows("things", key="id", rows=[{{"id": 1, {cells}}}])')})))
    assert "rows:things declares 1,600 columns of public.things, each reference counted with its natural key" in told
    assert "1,596 are possible" in told
