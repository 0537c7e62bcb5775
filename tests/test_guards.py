"""Guards: hooks that commit, roll back, close, swallow errors, or write what they may not or do not declare."""

from typing import Any

import pytest

from seedframe.database.statements import forbidden
from seedframe.report import Report, Status
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, error, only, verify

TABLES = """
create table items (sku text primary key, name text);
create table others (sku text primary key);
create procedure commits() language plpgsql as $$ begin insert into others values ('p'); commit; end $$;
create function writes() returns int language plpgsql as $$ begin insert into others values ('f'); return 1; end $$;
create sequence numbers;
"""

SEED = """
from seedframe import Change, Rows
from tests.hostile import found, raw

WRITES = ["items"]

def resources():
    yield Rows("items", key="sku", rows=[{{"sku": "{sku}"}}])

def check(db):
    if not db.scalar("select count(*) from items where sku = '{sku}-own'"):
        yield Change("create", {{"sku": "{sku}-own"}})

def apply(db):
    db.execute("insert into items values ('{sku}-own')")
    {body}
"""


def seed(sku: str, body: str = "pass", more: str = "") -> str:
    return more + SEED.format(sku=sku, body=body.replace("\n", "\n    "))


FINE = "from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', rows=[{'sku': 'fine'}])\n"

SWALLOWED = "try:\n    {}\nexcept Exception:\n    pass"

ENDINGS = {
    "commit of psycopg": "raw(db).commit()",
    "commit of psycopg, found by gc": "found(db).commit()",
    "COMMIT as a statement": "raw(db).execute('commit')",
    "COMMIT AND CHAIN": "raw(db).execute('commit and chain')",
    "PREPARE TRANSACTION": "raw(db).execute(\"prepare transaction 'x'\")",
    "by libpq": "raw(db).pgconn.exec_(b'commit')",
    "rollback of psycopg": "raw(db).rollback()",
    "rollback, and a transaction of its own": (
        "raw(db).rollback()\nraw(db).execute(\"insert into others values ('stray')\")\nraw(db).commit()"
    ),
    "autocommit": "raw(db).rollback()\nraw(db).autocommit = True",
    "close of psycopg": "raw(db).close()",
}


@pytest.fixture
def tables(sql: Sql) -> None:
    sql(TABLES)


def kept(sql: Sql) -> list[tuple[Any, ...]]:
    assert sql("select count(*) from seedframe.guard") == [(0,)]
    return sql("select sku from items union all select sku from others order by 1")


@pytest.mark.promise(
    "a hook commits, rolls back or closes the transaction",
    "the server refuses every COMMIT but seedframe's; the hook is named, nothing of the seed stays, later ones run",
)
@pytest.mark.parametrize("swallowed", [False, True], ids=["", "swallowed"])
@pytest.mark.parametrize("way", ENDINGS)
def test_a_hook_that_ends_the_transaction(
    way: str, swallowed: bool, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    body = ENDINGS[way]
    if swallowed:
        body = SWALLOWED.format(body.replace("\n", "\n    "))
    folder = project({"seeds/10_bad.py": seed("bad", body), "seeds/20_fine.py": FINE})
    report = apply(folder, keep_going=True)
    assert [outcome.status for outcome in report.seeds] == [Status.FAILED, Status.CHANGED], report.as_dict()
    assert (report.exit_code, report.error) == (1, None)
    told = error(report)
    what = "closed the connection it ran on" if way.startswith("close") else "ended the transaction it ran in"
    assert f"`apply` of seed 10_bad {what}" in told
    assert kept(sql) == [("fine",)]
    assert sql("select seed, status from seedframe.outcome order by id") == [
        ("10_bad", "failed"),
        ("20_fine", "changed"),
    ]


_OFF = "db.scalar(\"select set_config('standard_conforming_strings', 'off', true)\")\n"
_REST = "{}; insert into others values ('stray'); commit; begin; savepoint x; set transaction read only"
DISGUISES = {
    "a comment that a CR ends": rf'db.execute("select 1 --\r; {_REST}")',
    "a name that hides a quote": rf'db.execute("select 1 as \U00010400$$; {_REST} --$$")',
    "a name that hides a quote, with a space of other scripts": rf'db.execute("select 1 as a\u00a0$$; {_REST} --$$")',
    "a backslash in a string": rf"""{_OFF}db.execute("select '\\'' ; {_REST}; --'")""",
    "a string that goes on": rf"""db.execute("select E'a'\n'\\'' ; {_REST}; --'")""",
    "by psycopg": f'raw(db).execute("select 1; {_REST}")',
    "by psycopg's cursor": f'raw(db).cursor().execute("select 1; {_REST}", ())',
    "nothing before it": f'db.execute(";/*/**/;*/; {_REST}")',
}


@pytest.mark.promise(
    "a hook hides a second statement, such as COMMIT, in a text",
    "the server takes one statement at a time, and says no",
)
@pytest.mark.parametrize("ending", ["commit", "rollback"])
@pytest.mark.parametrize("way", DISGUISES)
def test_no_statement_hides_another(way: str, ending: str, project: ProjectFactory, sql: Sql, tables: None) -> None:
    body = DISGUISES[way].format(f"{ending}; begin")
    hidden = f"from tests.hostile import raw\n\ndef verify(db):\n    {body}\n".replace("\ndb", "\n    db")
    sql("insert into items values ('bad-own')")
    for report in (
        apply(project({"seeds/10_bad.py": hidden})),
        verify(project({"seeds/10_bad.py": hidden})),
        dry_run(project({"seeds/10_bad.py": hidden.replace("def verify", "def check")})),
    ):
        assert report.exit_code != 0
        told = str(report.as_dict())
        assert "several statements at once" in told or "multiple commands" in told, told
    sql("delete from items")
    report = apply(project({"seeds/10_bad.py": seed("bad", body)}))
    assert report.exit_code == 1
    assert kept(sql) == []


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffcommit",
        "\u00a0commit",
        "select 'x'\u2003from t",
        "select 1 --\u2028; commit",
        "select E'a'\n  -- b\n  '\\';'",
    ],
)
def test_what_is_one_statement_is_left_to_the_server(text: str) -> None:
    assert forbidden(text) is None


@pytest.mark.parametrize("text", ["commit", " ;; COMMIT", "/* /* */ */ --x\r commit", "\vcommit", "COMMIT;"])
def test_a_commit_is_seen_whatever_stands_before_it(text: str) -> None:
    assert forbidden(text) == "COMMIT"


@pytest.mark.parametrize("hook", ["resources", "check", "verify"])
@pytest.mark.parametrize("way", ["commit of psycopg", "rollback of psycopg", "close of psycopg"])
def test_any_hook_that_ends_the_transaction(
    hook: str, way: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    body = f"from tests.hostile import raw\n\ndef {hook}(db):\n    {ENDINGS[way]}\n    return []\n"
    folder = project({"seeds/10_bad.py": body, "seeds/20_fine.py": FINE})
    for report in (dry_run(folder, keep_going=True), apply(folder, keep_going=True), verify(folder)):
        if hook == "verify" and report.mode == "dry_run":
            continue
        assert f"`{hook}` of seed 10_bad " in error(report)
        assert report.seeds[0].status is Status.FAILED
        assert report.seeds[1].error is None
    assert kept(sql) == [("fine",)]


@pytest.mark.parametrize("critical", [True, False])
def test_whoever_ends_the_transaction_of_all_undoes_the_run(
    critical: bool, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    files = {
        "seeds/10_fine.py": FINE,
        "seeds/20_bad.py": seed("bad", "raw(db).rollback()", f"CRITICAL = {critical}\n"),
        "seeds/30_a.py": seed("a"),
    }
    report = apply(project(files), transaction="run", keep_going=True)
    assert [outcome.status for outcome in report.seeds] == [Status.SKIPPED, Status.FAILED, Status.SKIPPED]
    assert report.exit_code == 1
    assert kept(sql) == []


def test_constraints_are_named_when_they_are_to_speak(project: ProjectFactory, sql: Sql, tables: None) -> None:
    report = apply(project({"seeds/10_a.py": seed("a", "db.execute('set  constraints all immediate')")}))
    assert "SET CONSTRAINTS ALL: not for seeds (name the constraints" in error(report)


@pytest.mark.parametrize("statement", ["call commits()", "do $$ begin commit; end $$"], ids=["procedure", "block"])
def test_a_commit_on_the_server(statement: str, project: ProjectFactory, sql: Sql, tables: None) -> None:
    report = apply(project({"seeds/10_a.py": seed("a", f'db.execute("{statement}")')}))
    assert "invalid transaction termination" in error(report)
    assert kept(sql) == []


# Swallowed errors


@pytest.mark.promise(
    "a plugin swallows an SQL error", "it is noticed when the hook is left, named with its place, and rolled back"
)
@pytest.mark.parametrize("after", ["pass", "db.execute('select 1')", "raise ValueError('x')"])
@pytest.mark.parametrize("hook", ["resources", "check", "apply", "verify"])
def test_a_swallowed_error_is_named_in_every_hook(
    hook: str, after: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    body = SWALLOWED.format("db.scalar('select 1/0')") + f"\n{after}"
    if hook == "apply":
        text = seed("a", body)
    else:
        text = f"def {hook}(db):\n    " + body.replace("\n", "\n    ") + "\n    return []\n"
    report = apply(project({"seeds/10_a.py": text}))
    line = next(n for n, each in enumerate(text.splitlines(), start=1) if "1/0" in each)
    if after.startswith("raise"):
        assert "ValueError: x" in error(report)
    else:
        assert f"seeds/10_a.py:{line}: `{hook}` of seed 10_a went on after an SQL error that it swallowed:" in error(
            report
        )
        assert "division by zero" in error(report)
    assert sql("select count(*) from items") == [(0,)]


OWN = """
from seedframe import Changes, Change

class Own:
    name, tables = "own:thing", ("items",)
    def describe(self): return "own"
    def diff(self, db):
        {diff}
        there = db.scalar("select count(*) from items where sku = 'own'")
        return Changes() if there else Changes.of([Change("create", {{"sku": "own"}})])
    def delete(self, db, changes): pass
    def write(self, db, changes):
        db.execute("insert into items values ('own')")
        {write}

def resources():
    yield Own()
"""


def own(write: str = "pass", diff: str = "pass") -> str:
    return OWN.format(write=write.replace("\n", "\n        "), diff=diff.replace("\n", "\n        "))


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (SWALLOWED.format("db.scalar('select 1/0')"), "went on after an SQL error that it swallowed: "),
        ("from tests.hostile import raw; raw(db).commit()", "ended the transaction it ran in"),
        ("db.execute(\"insert into others values ('x')\")", "changed tables that the seed does not declare: others"),
        ("db.execute('truncate others')", "changed tables that the seed does not declare: others"),
    ],
    ids=["swallows", "commits", "writes another table", "empties another table"],
)
def test_a_resource_of_a_seed_is_watched_too(
    write: str, expected: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    folder = project({"seeds/10_a.py": own(write)})
    for report in (apply(folder, rehearse=True), apply(folder)):
        assert f"`own:thing: write` of seed 10_a {expected}" in error(report)
        assert report.exit_code == 1
    assert kept(sql) == []
    folder.write({"seeds/10_a.py": own()})
    assert apply(folder).exit_code == 0


# Reading

FORBIDDEN = {
    "a statement": "db.execute(\"insert into others values ('x')\")",
    "a function": "db.scalar('select writes()')",
    "a sequence": "db.scalar(\"select nextval('numbers')\")",
    "a temporary table": "db.execute('create temp table t (a int)')",
    "a setting": "db.scalar(\"select set_config('transaction_read_only', 'off', true)\")",
    "a setting, by psycopg": "raw(db).execute('set transaction read write')",
    "a setting in a savepoint": "raw(db).execute('savepoint mine')\nraw(db).execute('set transaction read write')",
    "COPY": "raw(db).execute(\"copy others from program 'echo x'\")",
    "psycopg": "raw(db).execute(\"insert into others values ('x')\")",
    "DDL": "db.execute('create table made (a int)')",
    "a lock on rows": "db.execute('select * from items for update')",
    "TRUNCATE": "db.execute('truncate items')",
}
UNDONE = {
    "a large object": "db.scalar('select lo_create(0)')",
    "NOTIFY": "db.execute('notify x')",
    "a lock": "db.scalar('select pg_advisory_xact_lock(42)')",
}


def reading(hook: str, body: str) -> str:
    if hook == "diff":
        return "from tests.hostile import raw\n" + own(diff=body)
    inner = body.replace("\n", "\n    ")
    return f"from tests.hostile import raw\n\ndef {hook}(db):\n    {inner}\n    return []\n"


@pytest.mark.promise("a `check` or `verify` hook writes", "the server refuses it, by whatever way; the hook is named")
@pytest.mark.parametrize("way", FORBIDDEN)
@pytest.mark.parametrize("hook", ["resources", "check", "verify", "diff"])
def test_what_reads_cannot_write(hook: str, way: str, project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project({"seeds/10_a.py": reading(hook, FORBIDDEN[way])})
    report = apply(folder)
    name = "own:thing: diff" if hook == "diff" else hook
    assert f"`{name}` of seed 10_a " in error(report), error(report)
    assert report.exit_code == 1
    assert kept(sql) == []
    assert sql("select last_value, is_called from numbers") == [(1, False)]
    assert verify(folder).exit_code == 3


@pytest.mark.parametrize("way", UNDONE)
@pytest.mark.parametrize("hook", ["resources", "check", "verify"])
def test_what_the_server_lets_a_reader_do_is_undone(
    hook: str, way: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    apply(project({"seeds/10_a.py": reading(hook, UNDONE[way])}))
    assert sql("select count(*) from pg_largeobject_metadata") == [(0,)]
    assert sql("select count(*) from pg_locks where locktype = 'advisory'") == [(0,)]


_SNEAKED = 'db.execute("do $$ begin reset transaction_read_only; {}; set transaction_read_only = on; end $$")'
SNEAKED = {
    "a table": (_SNEAKED.format("insert into others values ('x')"), ": others"),
    "a table, its error caught": (
        _SNEAKED.format("begin insert into others values ('x'); perform 1/0; exception when others then null; end"),
        "",
    ),
    "a large object": ("db.scalar('select lo_create(0)')", ""),
    "a transaction id": ("db.scalar('select pg_current_xact_id()')", ""),
}


@pytest.mark.promise(
    "a hook that may only read writes behind a read-only that it turns off and on again",
    "it is undone, and told by name",
)
@pytest.mark.parametrize("way", SNEAKED)
@pytest.mark.parametrize("hook", ["resources", "check", "verify", "diff"])
def test_what_was_written_though_read_only_is_told(
    hook: str, way: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    body, named = SNEAKED[way]
    folder = project({"seeds/10_a.py": reading(hook, body)})
    name = "own:thing: diff" if hook == "diff" else hook
    written = apply(folder)
    reports = [verify(folder)]
    if way != "a transaction id":  # which apply has before
        reports.append(written)
    if hook != "verify":
        reports.append(dry_run(folder))
    for report in reports:
        told = error(report)
        if "cannot be reset" in told:  # as newer servers have it
            continue
        # Newer servers refuse some of it themselves.
        refused = f"`{name}` of seed 10_a wrote where it may only read"
        assert f"`{name}` of seed 10_a wrote to the database{named}" in told or refused in told
        assert report.exit_code != 0
    assert sql("select count(*) from others") == [(0,)]
    assert sql("select count(*) from pg_largeobject_metadata") == [(0,)]


# Code of a seed that is no hook

SUPPLIES = """
from seedframe import Rows
from tests.hostile import raw

def resources(db):
    def rows():
        for n in range({rows}):
            if n == {at}:
                {body}
            yield {{"sku": n, "name": db.scalar("select :n + 1", n=n) if n % 1000 == 0 else 0}}
    yield Rows("items", key="sku", rows={given})
"""


def supplies(body: str, rows: int, given: str = "rows()") -> str:
    return SUPPLIES.format(rows=rows, at=rows - 1, body=body.replace("\n", "\n                "), given=given)


@pytest.mark.parametrize("rows", [10, 12_000], ids=["small", "staged"])
@pytest.mark.parametrize("given", ["rows()", "rows"])
def test_what_supplies_rows_may_ask_the_database(
    given: str, rows: int, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    sql("create table log (t text)")
    sql(
        "create function logs() returns trigger language plpgsql as $$ begin insert into log values ('x');"
        " return null; end $$"
    )
    sql("create trigger t after insert on items execute function logs()")
    body = "db.scalar(\"select set_config('session_replication_role', 'replica', false)\")\n"
    body += "raw(db).execute('set session_replication_role = replica')"
    folder = project({"seeds/10_a.py": supplies(body, rows, given)})
    assert dry_run(folder).seeds[0].counts.create == rows
    assert apply(folder).exit_code == 0
    assert sql("select count(*) from items") == [(rows,)]
    assert sql("select count(*) from log") != [(0,)]


WRITING_SOURCES = ["a statement", "a function", "a sequence", "a temporary table", "DDL", "TRUNCATE"]


@pytest.mark.promise("what yields the rows of `rows=` writes", "the server refuses it, and nothing of the seed stays")
@pytest.mark.parametrize("rows", [10, 12_000], ids=["small", "staged"])
@pytest.mark.parametrize("way", WRITING_SOURCES)
def test_what_supplies_rows_cannot_write(way: str, rows: int, project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project({"seeds/10_a.py": supplies(FORBIDDEN[way], rows)})
    for report in (apply(folder), dry_run(folder)):
        assert "read-only" in error(report)
    assert kept(sql) == []
    assert sql("select last_value, is_called from numbers") == [(1, False)]
    sneaked = supplies(SNEAKED["a table"][0], rows)
    apply(project({"seeds/10_a.py": sneaked}))
    assert sql("select count(*) from others") == [(0,)]


def test_what_ends_the_transaction_while_rows_are_read_is_named(
    project: ProjectFactory, sql: Sql, tables: None
) -> None:
    report = apply(project({"seeds/10_a.py": supplies("raw(db).rollback()", 10)}))
    assert "`rows:items: diff` of seed 10_a ended the transaction it ran in" in error(report)
    assert kept(sql) == []


@pytest.mark.parametrize("what", ["describe", "tables", "name"])
def test_a_resource_that_writes_while_it_is_asked_what_it_is(
    what: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    text = own().replace("class Own:\n", "class Own:\n    def __init__(self, db): self.db = db\n")
    text = text.replace("yield Own()", "yield Own(db)").replace("def resources():", "def resources(db):")
    write = "self.db.execute(\"insert into others values ('x')\")"
    if what == "describe":
        text = text.replace('return "own"', f'{write}; return "own"')
    else:
        values = {"name": '"own:thing"', "tables": '("items",)'}
        other = "tables" if what == "name" else "name"
        text = text.replace(
            'name, tables = "own:thing", ("items",)',
            f"{other} = {values[other]}\n    @property\n    def {what}(self):\n        {write}\n"
            f"        return {values[what]}",
        )
    report = apply(project({"seeds/10_a.py": text}))
    assert "read-only" in error(report)
    assert kept(sql) == []


# Tables that are not declared

TOUCHES = {
    "a table": ("db.execute(\"insert into others values ('x')\")", "others"),
    "a table, by a function": ("db.scalar('select writes()')", "others"),
    "TRUNCATE": ("db.execute('truncate others')", "others"),
    "DROP": ("db.execute('drop table others')", "others"),
    "ALTER": ("db.execute('alter table others add extra int')", "others"),
    "COPY": ("raw(db).execute(\"copy others from program 'echo x'\")", "others"),
    "a new table": ("db.execute('create table made as select 1 as a')", "made"),
    "another schema": ("db.execute('insert into far.away values (1)')", "far.away"),
    "a partition": ("db.execute('insert into parted values (1)')", "parted_1"),
    "rows that go along": ("db.execute('delete from parents')", "children"),
    "a trigger's": ('db.execute("insert into parents values (5)")', "log"),
}
MORE = """
create schema far; create table far.away (a int);
create table parted (a int) partition by list (a); create table parted_1 partition of parted for values in (1);
create table parents (id int primary key); create table children (p int references parents on delete cascade);
insert into parents values (1); insert into children values (1);
create table log (t text);
create function logs() returns trigger language plpgsql as $$ begin insert into log values ('x'); return new; end $$;
create trigger logs after insert on parents for each row execute function logs();
"""


@pytest.mark.promise(
    "a seed writes tables it did not declare",
    "refused, with the tables by name: by cascades, triggers, TRUNCATE and DDL in its own code, too",
)
@pytest.mark.parametrize("way", TOUCHES)
def test_a_table_that_is_not_declared(way: str, project: ProjectFactory, sql: Sql, tables: None) -> None:
    sql(MORE)
    body, name = TOUCHES[way]
    text = seed("a", body)
    if "parents" in body:
        text = text.replace('WRITES = ["items"]', 'WRITES = ["items", "parents"]')
    folder = project({"seeds/10_a.py": text})
    report = apply(folder)
    assert f"`apply` of seed 10_a changed tables that the seed does not declare: {name} (declare" in error(report)
    assert f'WRITES = ["{name}"]' in error(report)
    assert report.exit_code == 1
    assert kept(sql) == []
    assert sql("select count(*) from children") == [(1,)]
    declared = "parted" if name == "parted_1" else name
    folder.write({"seeds/10_a.py": text.replace('WRITES = ["items"', f'WRITES = ["{declared}", "items"')})
    assert apply(folder).exit_code == 0


WAYS_AROUND = {
    "a view of its own": (["create view d1 as select * from others", "insert into d1 values ('x')"], "others"),
    "a view of its own, gone again": (
        ["create view d1 as select * from others", "insert into d1 values ('x')", "drop view d1"],
        "others",
    ),
    "below a table of its own": (
        ["create table d1 (sku text)", "alter table others inherit d1", "insert into others values ('x')"],
        "others",
    ),
    "a partition of its own": (
        [
            "create table d1 (sku text not null) partition by list (sku)",
            "alter table d1 attach partition others default",
        ],
        "others",
    ),
    "renamed": (["alter table others rename to d1"], "others"),
    "renamed and back, with another in its place": (
        ["create table d1 (sku text)", "alter table others rename to d2", "alter table d1 rename to others"],
        "others",
    ),
    "swapped": (
        [
            "create table d1 (sku text)",
            "alter table others rename to d2",
            "alter table d1 rename to others",
            "alter table d2 rename to d1",
        ],
        "others",
    ),
    "moved": (["create schema d", "alter table others set schema d"], "others"),
    "its schema renamed": (["alter schema far rename to d"], "far.away"),
    "renamed, after its columns were": (
        ["alter table others rename sku to x", "alter table others rename to d1"],
        "others",
    ),
    "an empty table": (["create table made (a int)"], "made"),
}


@pytest.mark.parametrize("way", WAYS_AROUND)
def test_a_table_is_not_declared_by_what_the_code_makes_of_it(
    way: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    sql(MORE)
    statements, name = WAYS_AROUND[way]
    text = seed("a", "\n".join(f"db.execute({statement!r})" for statement in statements))
    text = text.replace('["items"]', '["items", "d1", "d2", "d.others", "d.away"]')
    folder = project({"seeds/10_a.py": text})
    assert f"`apply` of seed 10_a changed tables that the seed does not declare: {name} (declare" in error(
        apply(folder)
    )
    assert sql("select count(*) from others union all select count(*) from far.away") == [(0,), (0,)]
    folder.write({"seeds/10_a.py": text.replace('["items"', f'["{name}", "items"')})
    assert apply(folder).exit_code == 0


@pytest.mark.parametrize("view", ["d1", "deeper"])
def test_a_view_is_not_made_to_stand_for_what_is_not_declared(
    view: str, project: ProjectFactory, sql: Sql, tables: None
) -> None:
    if view == "deeper":
        sql("create view deeper as select sku from items; create view d1 as select * from deeper")
    text = seed("a", f"db.execute('create or replace view {view} as select sku from others')")
    text = text.replace('["items"]', '["items", "d1"]')
    folder = project({"seeds/10_a.py": text})
    told = error(apply(folder))
    assert "`apply` of seed 10_a made d1 a view of others, which the seed does not declare" in told
    folder.write({"seeds/10_a.py": text.replace("from others", "from items")})
    assert apply(folder).exit_code == 0


def test_what_the_code_makes_under_a_declared_name_is_its_own(project: ProjectFactory, sql: Sql, tables: None) -> None:
    sql(MORE)
    statements = [
        "create table made (a int) partition by list (a)",
        "create table made_1 partition of made for values in (1)",
        "insert into made values (1)",
        "create table parted_2 partition of parted for values in (2)",
        "insert into parted values (1), (2)",
        "alter table far.away rename to old",
        "create table far.away as select 1 as a",
        "drop table far.old",
        "drop table log",
        "insert into later values (1)",  # which the resource has made
    ]
    text = own("db.execute('create table later (a int)')").replace('("items",)', '("items", "later")')
    text += f"""
WRITES = ["made", "parted", "far.away", "log"]

def check(db):
    if db.scalar("select to_regclass('made') is null"):
        yield Change("create", {{"a": 1}})

def apply(db):
    for statement in {statements!r}:
        db.execute(statement)
"""
    report = apply(project({"seeds/10_a.py": text}))
    assert report.exit_code == 0, report.as_dict()
    assert sql("select count(*) from later union all select count(*) from parted") == [(1,), (2,)]


def test_counting_is_not_turned_off(project: ProjectFactory, sql: Sql, tables: None) -> None:
    text = seed("a", "db.execute('set local track_counts = off')\ndb.execute(\"insert into others values ('x')\")")
    assert "`apply` of seed 10_a turned track_counts off" in error(apply(project({"seeds/10_a.py": text})))
    assert kept(sql) == []


def test_what_built_in_resources_set_off_is_the_database_s_own_doing(project: ProjectFactory, sql: Sql) -> None:
    sql(MORE)
    body = "from seedframe import Rows\n\ndef resources():\n    yield Rows('parents', key='id', rows=[{'id': 7}])\n"
    assert apply(project({"seeds/10_a.py": body})).exit_code == 0
    assert sql("select count(*) from log") == [(1,)]


def test_the_ledger_is_nobody_s_to_write(project: ProjectFactory, sql: Sql, tables: None) -> None:
    text = seed("a", "db.execute('delete from seedframe.guard')")
    report = apply(project({"seeds/10_a.py": text}))
    assert "`apply` of seed 10_a wrote seedframe's own tables" in error(report)
    assert kept(sql) == []


def test_temporary_tables_and_views_of_declared_tables(project: ProjectFactory, sql: Sql, tables: None) -> None:
    sql("create view v as select * from others")
    body = "db.execute('create temp table t as select 1 as a')\ndb.execute(\"insert into v values ('x')\")"
    text = seed("a", body).replace('["items"]', '["items", "v"]')
    report = apply(project({"seeds/10_a.py": text}))
    assert report.exit_code == 0, report.as_dict()


def test_a_name_in_writes_that_does_not_exist_is_told(project: ProjectFactory, sql: Sql, tables: None) -> None:
    text = seed("a", "db.scalar('select writes()')").replace('["items"]', '["items", "othres"]')
    assert "othres in WRITES does not exist" in error(apply(project({"seeds/10_a.py": text})))


def test_a_server_that_does_not_count_is_told_of_once(
    project: ProjectFactory, sql: Sql, tables: None, database: str
) -> None:
    sql(f"alter database {database.rpartition('/')[2].partition('?')[0]} set track_counts = off")
    folder = project({"seeds/10_a.py": seed("a", "db.scalar('select writes()')"), "seeds/20_b.py": seed("b")})
    report = apply(folder)
    assert report.exit_code == 0
    told = [finding.text for outcome in report.seeds for finding in outcome.findings]
    assert told == ["which tables a seed's own code wrote was not checked: track_counts is off"]


# Every place where a seed can fail, in every way to run it

DEFERRED = (
    "alter table others add column parent text, add constraint kin foreign key (parent) references items"
    " deferrable initially deferred; create table later (a text primary key, b text references items (sku)"
    " deferrable initially deferred)"
)

PLACES: dict[str, tuple[str, str]] = {
    "resources": ("def resources():\n    raise ValueError('boom')\n", "boom"),
    "check": ("def check(db):\n    raise ValueError('boom')\n", "boom"),
    "write": (
        FINE.replace("fine", "f1")
        + "    yield Rows('items', key='sku', name='x', rows=[{'sku': 'f2', 'nothing': 1}])\n",
        "nothing",
    ),
    "own write": (own("raise ValueError('boom')"), "boom"),
    "not converging": (own("db.execute('delete from items')"), "does not converge"),
    "verify": (FINE.replace("fine", "f1") + "\ndef verify(db):\n    yield 'boom'\n", "boom"),
    "deferred constraint": (
        FINE.replace(
            "'items', key='sku', rows=[{'sku': 'fine'}]", "'later', key='a', rows=[{'a': 'f', 'b': 'nobody'}]"
        ),
        "later_b_fkey",
    ),
    "deferred constraint of another table": (
        own("db.execute(\"insert into later values ('f1', 'nobody')\")").replace('("items",)', '("items", "later")'),
        "later_b_fkey",
    ),
}


def failing(place: str, critical: bool) -> dict[str, str]:
    return {
        "seeds/10_a.py": FINE.replace("fine", "a"),
        "seeds/20_f.py": f"CRITICAL = {critical}\n" + PLACES[place][0],
        "seeds/30_b.py": FINE.replace("fine", "b"),
        "seeds/40_c.py": 'REQUIRES = ["f"]\nCRITICAL = False\n' + FINE.replace("fine", "c"),
    }


def expected(critical: bool, transaction: str, keep_going: bool) -> tuple[list[Status], list[tuple[str]]]:
    goes_on = keep_going or not critical
    undone = critical and transaction == "run"
    later = (Status.SKIPPED if undone else Status.CHANGED) if goes_on else Status.SKIPPED
    first = Status.SKIPPED if undone else Status.CHANGED
    rows = [] if undone else [("a",), ("b",)] if goes_on else [("a",)]
    return [first, Status.FAILED, later, Status.SKIPPED], rows


def statuses(report: Report) -> list[Status]:
    return [outcome.status for outcome in report.seeds]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("critical", [True, False], ids=["critical", "not critical"])
@pytest.mark.promise(
    "a seed fails, wherever, however the run is told to go on",
    "a rehearsal foretells it; rows, ledger, report and exit code agree, for one transaction a seed and one for all",
)
def test_every_way_to_fail(critical: bool, place: str, project: ProjectFactory, sql: Sql) -> None:
    folder: Folder = project(failing(place, critical))
    for transaction in ("seed", "run"):
        for keep_going in (False, True):
            sql("drop schema if exists seedframe cascade; drop table if exists later, others, items")
            sql("create table items (sku text primary key, name text); create table others (sku text)")
            sql(DEFERRED)
            wanted, rows = expected(critical, transaction, keep_going)
            for rehearse in (True, False):
                report = apply(folder, transaction=transaction, keep_going=keep_going, rehearse=rehearse)
                case = (transaction, keep_going, rehearse, report.as_dict())
                assert statuses(report) == wanted, case
                assert report.exit_code == (1 if critical else 0), case
                failed = report.seeds[1]
                text = str(failed.error) if failed.error is not None else failed.findings[0].text
                assert PLACES[place][1] in text, case
                assert sql("select sku from items order by 1") == ([] if rehearse else rows), case
                assert sql("select count(*) from later") == [(0,)]
                if keep_going or not critical:
                    assert report.seeds[3].findings[0].text == "not tried: 20_f, which it requires, failed"
            assert sql("select distinct seed from seedframe.outcome where status = 'failed'") == [("20_f",)]
            entered = sql("select seed from seedframe.applied_seed order by 1")
            assert entered == rows, case


def test_a_seed_that_cannot_be_imported_keeps_the_run_from_starting(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key)")
    folder = project({"seeds/10_a.py": FINE, "seeds/20_f.py": "CRITICAL = False\n1 / 0\n"})
    for options in ((), ("--keep-going",), ("--transaction", "run"), ("--rehearse",)):
        assert folder.run("apply", *options).returncode == 3
    assert sql("select count(*) from items") == [(0,)]


def test_a_critical_seed_that_could_not_be_tried_is_a_failure(project: ProjectFactory, sql: Sql, tables: None) -> None:
    folder = project(
        {
            "seeds/10_f.py": "CRITICAL = False\ndef check():\n    raise ValueError('boom')\n",
            "seeds/20_a.py": 'REQUIRES = ["f"]\nCRITICAL = False\n' + FINE,
            "seeds/30_b.py": 'REQUIRES = ["a"]\n' + FINE,
        }
    )
    report = apply(folder)
    assert statuses(report) == [Status.FAILED, Status.SKIPPED, Status.SKIPPED]
    assert report.seeds[2].findings[0].text == "not tried: 20_a, which it requires, was not tried"
    assert report.exit_code == 1


def test_constraints_are_deferred_again_for_the_next_seed(project: ProjectFactory, sql: Sql) -> None:
    """In one transaction for all, what is settled for one seed leaves the next as it would be alone."""
    sql("create table items (sku text primary key, name text)")
    sql("create table kin (a text primary key, b text references items deferrable initially deferred)")
    late = own(
        "db.execute(\"insert into kin values ('k', 'late')\")\ndb.execute(\"insert into items values ('late')\")"
    )
    late = late.replace('("items",)', '("items", "kin")')
    first = (
        "from seedframe import Rows\n\ndef resources():\n    yield Rows('kin', key='a', rows=[{'a': 'x', 'b': None}])\n"
    )
    report = apply(project({"seeds/10_k.py": first, "seeds/20_late.py": late}), transaction="run")
    assert report.exit_code == 0, report.as_dict()
    assert only_last(report) is Status.CHANGED


def only_last(report: Report) -> Status:
    return report.seeds[-1].status


def test_the_guard_stands_in_a_rehearsal_on_an_empty_database(project: ProjectFactory, sql: Sql, tables: None) -> None:
    report = apply(project({"seeds/10_a.py": own("from tests.hostile import raw; raw(db).commit()")}), rehearse=True)
    assert "ended the transaction it ran in" in error(report)
    assert only(report).status is Status.FAILED
    assert sql("select to_regnamespace('seedframe'), count(*) from items") == [(None, 0)]
