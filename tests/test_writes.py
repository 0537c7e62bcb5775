"""What a seed may write: never seedframe's own tables; of a plugin's, its `Rows` too are held to what it says."""

import ast
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedframe import Project
from seedframe.database.catalog import as_text, split_name, written_name
from seedframe.report import Report
from tests.conftest import Folder, Install, ProjectFactory, Sql
from tests.running import apply, dry_run, error, verify

CONFIG = '[project]\nname = "shop"\n[plugins]\nallow = ["acme-one"]\n'


@dataclass(frozen=True, slots=True)
class Plugin:
    """A project that allows acme-one, whose one seed is `10_one`."""

    folder: Folder
    install: Install

    def __call__(self, text: str) -> Folder:
        """The project, with this as the plugin's seed."""
        self.install("acme-one", "1.0", {"10_one": "acme_one"}, {"acme_one/__init__.py": text})
        return self.folder


@pytest.fixture
def plugin(project: ProjectFactory, install: Install) -> Plugin:
    return Plugin(project(config=CONFIG), install)


def run(folder: Folder, mode: str) -> Report:
    if mode == "verify":
        return verify(folder)
    return apply(folder, dry_run=mode == "dry_run", rehearse=mode == "rehearse")


MODES = ["dry_run", "rehearse", "apply", "verify"]

# seedframe's own tables

MARK = {"single": "t", "env": "production", "project": "shop", "marked_at": "2020-01-01", "marked_by": "x"}
ROWS = "from seedframe import Rows\ndef resources():\n    yield Rows({table!r}, key='single', rows=[{row!r}])\n"
TOLD = "is one of seedframe's own tables (they are seedframe's to write)"


def of_ledger(table: str, row: dict[str, Any] = MARK) -> str:
    return f"WRITES = [{table!r}]\n" + ROWS.format(table=table, row=row)


def test_seedframe_s_own_tables_are_no_seed_s(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/20_a.py": "def verify(): pass\n"})
    assert apply(folder).exit_code == 0
    sql("create view mark as select * from seedframe.environment")
    for table in ("seedframe.environment", '"seedframe"."environment"', "mark"):
        folder.write({"seeds/10_b.py": ROWS.format(table=table, row=MARK)})
        for mode in MODES:
            told = error(run(folder, mode))
            assert told.startswith("declaration: ")
            assert "one of seedframe's own tables (they are seedframe's to write)" in told
    assert sql("select env from seedframe.environment") == [("development",)]


BY_OPTION = f"""
from seedframe import Option, Rows
OPTIONS = [Option("table", str, default="seedframe.environment", table=True)]
def resources(config): yield Rows(config["table"], key="single", rows=[{MARK!r}])
"""


@pytest.mark.parametrize("text", [of_ledger("seedframe.environment"), BY_OPTION])
def test_nor_a_plugin_s(plugin: Plugin, text: str) -> None:
    folder = plugin(text)
    for mode in MODES:
        assert TOLD in error(run(folder, mode))


def test_nor_in_writes(project: ProjectFactory) -> None:
    folder = project({"seeds/20_a.py": "def verify(): pass\n"})
    assert apply(folder).exit_code == 0
    folder.write({"seeds/10_b.py": "WRITES = ['seedframe.run']\ndef verify(): pass\n"})
    told = "WRITES of seed 10_b names seedframe.run, one of seedframe's own tables (they are seedframe's to write)"
    for mode in MODES:
        assert told in error(run(folder, mode))


def test_nor_where_the_ledger_s_schema_is_that_of_the_target(project: ProjectFactory, sql: Sql) -> None:
    config = '[project]\nname = "shop"\n'
    folder = project({"seeds/20_a.py": "def verify(): pass\n"}, config=config)
    assert apply(folder).exit_code == 0
    folder = project(
        {"seeds/10_b.py": ROWS.format(table="environment", row=MARK)},
        config=config + "[database]\nschema = 'seedframe'\n",
    )
    assert "rows:environment of seed 10_b names environment, one of seedframe's own tables" in error(apply(folder))


def test_list_and_lint_tell_it_without_a_database(project: ProjectFactory) -> None:
    folder = project({"seeds/10_a.py": ROWS.format(table="seedframe.environment", row=MARK)})
    for command in ("list", "lint"):
        assert "one of seedframe's own tables" in (done := folder.run(command)).stdout + done.stderr
    assert Project.load(folder.path).seeds


# What a plugin's seed writes besides

SHOP = """
create table mine (code text primary key, name text, at text, grp text);
create table other (id int primary key, n text);
insert into other values (1, 'a');
create function writes() returns text language plpgsql as $$ begin update other set n = n || '!'; return 'x'; end $$;
create function trigger_writes() returns trigger language plpgsql as $$ begin perform writes(); return null; end $$;
"""
UNTOUCHED = [("a",)]


@pytest.fixture
def shop(sql: Sql) -> None:
    sql(SHOP)


OWN = """
from seedframe import Change
WRITES = ["mine"]
def check(db):
    if db.scalar("select count(*) from mine") == 0:
        yield Change("create", {"code": "a"})
def apply(db):
    db.execute("insert into mine values ('a')")
"""


def test_triggers_that_wait_are_waited_for(plugin: Plugin, sql: Sql, shop: None) -> None:
    sql(
        "create constraint trigger late after insert on mine deferrable initially deferred"
        " for each row execute function trigger_writes()"
    )
    assert "`apply` of seed 10_one changed tables that the seed does not declare: other (" in error(apply(plugin(OWN)))
    assert sql("select n from other") == UNTOUCHED
    assert sql("select * from mine") == []


WAITING = """
from seedframe import Change, Changes, Rows
WRITES = ["mine", "parents"]
class Kind:
    name, tables = "kind:mine", ("mine",)
    def describe(self): return "mine"
    def diff(self, db):
        there = db.scalar("select count(*) from mine")
        return Changes() if there else Changes.of([Change("create", {"code": "a"})])
    def delete(self, db, changes): pass
    def write(self, db, changes): db.execute("insert into mine values ('a', 'p')")
def resources():
    yield Kind()
    yield Rows("parents", key="name", rows=[{"name": "p"}])
"""


def test_what_waits_for_rows_of_a_later_resource_goes_on_waiting(plugin: Plugin, sql: Sql, shop: None) -> None:
    sql(
        "create table parents (name text primary key);"
        "alter table mine add foreign key (name) references parents deferrable initially deferred"
    )
    folder = plugin(WAITING)
    assert apply(folder).exit_code == 0
    assert verify(folder).exit_code == 0
    sql(
        "delete from mine; delete from parents;"
        "create constraint trigger late after insert on mine deferrable initially deferred"
        " for each row execute function trigger_writes()"
    )
    told = error(apply(folder))
    assert "`kind:mine: write` of seed 10_one changed tables that the seed does not declare: other (" in told
    assert sql("select n from other") == UNTOUCHED


def test_triggers_that_wait_since_rows_were_written_are_the_database_s_own(
    plugin: Plugin, sql: Sql, shop: None
) -> None:
    sql(
        "create table rows (id int primary key);"
        "create constraint trigger late after insert on rows deferrable initially deferred"
        " for each row execute function trigger_writes()"
    )
    text = OWN.replace('["mine"]', '["mine", "rows"]')
    text += "from seedframe import Rows\ndef resources(): yield Rows('rows', key='id', rows=[{'id': 1}])\n"
    assert apply(plugin(text)).exit_code == 0
    assert sql("select n from other") == [("a!",)]


INITIAL = "from seedframe import Rows, sql\nWRITES = {writes!r}\ndef resources():\n    yield Rows({rows})\n"
CALLS = "'mine', key='code', initial=['at'], rows=[{'code': 'a', 'at': sql('writes()')}]"


def test_sql_of_a_plugin_writes_what_the_seed_says(plugin: Plugin, sql: Sql, shop: None) -> None:
    folder = plugin(INITIAL.format(writes=["mine"], rows=CALLS))
    for mode in ("rehearse", "apply"):
        told = error(run(folder, mode))
        assert "`sql() in rows:mine` of seed 10_one changed tables that the seed does not declare: other (" in told
    assert sql("select n from other") == UNTOUCHED
    assert sql("select * from mine") == []


def test_it_may_write_what_it_says(plugin: Plugin, sql: Sql, shop: None) -> None:
    assert apply(plugin(INITIAL.format(writes=["mine", "other"], rows=CALLS))).exit_code == 0
    assert sql("select n from other") == [("a!",)]


def test_what_triggers_and_defaults_write_is_the_database_s_own(plugin: Plugin, sql: Sql, shop: None) -> None:
    sql(
        "alter table mine alter grp set default writes();"
        "create trigger now after insert on mine for each row execute function trigger_writes();"
        "create sequence numbers"
    )
    rows = CALLS.replace("writes()", "nextval(''numbers'')::text || now()").replace("''", "\\'")
    assert apply(plugin(INITIAL.format(writes=["mine"], rows=rows))).exit_code == 0
    assert sql("select n from other") == [("a!!",)]


@pytest.mark.parametrize("where", ["grp = writes()", "writes() = 'x'"])
def test_a_condition_writes_nothing(plugin: Plugin, sql: Sql, shop: None, where: str) -> None:
    sql("insert into mine values ('b', 'b', null, 'x')")
    rows = f"'mine', key='code', mode='sync', where={where!r}, rows=[{{'code': 'a', 'grp': 'x'}}]"
    folder = plugin(INITIAL.format(writes=["mine", "other"], rows=rows))
    for mode in MODES:
        assert error(run(folder, mode)) == (
            "declaration: rows:mine: where= writes to the database (a condition may only read: see which functions it"
            " calls)"
        )
    assert sql("select n from other") == UNTOUCHED


DELETES = """
from seedframe import Rows
WRITES = {writes!r}
def resources():
    yield Rows("parents", key="code", mode="sync", rows=[{{"code": "a"}}])
"""


@pytest.mark.parametrize(
    ("action", "done"),
    [
        ("cascade", "takes 2 rows of public.children along (ON DELETE CASCADE)"),
        ("set null", "sets a column of 2 rows of public.children to NULL (children_parent_fkey)"),
    ],
)
def test_rows_of_other_tables_go_along_where_the_seed_says_so(
    plugin: Plugin, sql: Sql, project: ProjectFactory, action: str, done: str
) -> None:
    sql(
        "create table parents (code text primary key); insert into parents values ('a'), ('b'), ('c');"
        f"create table children (id int primary key, parent text references parents on delete {action})"
        " partition by range (id); create table low partition of children for values from (0) to (9);"
        "insert into children values (1, 'b'), (2, 'b'), (3, 'a')"
    )
    folder = plugin(DELETES.format(writes=["parents"]))
    assert verify(folder).exit_code == 1
    for mode in ("dry_run", "rehearse", "apply"):
        assert error(run(folder, mode)) == (
            f"declaration: rows:parents: deleting 2 rows of public.parents {done}, a table that this plugin's seed does"
            " not say it writes; to go are code=b, code=c (have those rows deleted or pointed elsewhere first; or, if"
            " it is right to, the plugin's author adds the table to WRITES)"
        )
    assert sql("select count(*) from parents") == [(3,)]
    local = project({"seeds/10_a.py": DELETES.format(writes=["parents"])})
    assert dry_run(local).exit_code == 0


def test_what_writes_names_may_go_along(plugin: Plugin, sql: Sql) -> None:
    sql(
        "create table parents (code text primary key); insert into parents values ('a'), ('b');"
        "create table children (id int primary key, parent text references parents on delete cascade)"
        " partition by range (id); create table low partition of children for values from (0) to (9);"
        "insert into children values (1, 'b'), (2, 'a')"
    )
    report = apply(plugin(DELETES.format(writes=["parents", "children"])))
    assert report.exit_code == 0
    assert "takes 1 row of public.children along" in report.seeds[0].findings[0].text
    assert sql("select id from children") == [(2,)]


def test_the_hint_can_be_used_whatever_the_name(plugin: Plugin, sql: Sql, shop: None) -> None:
    sql("""create schema far; create table far."Qu.oted" (a int); create table "Upper" (a int)""")
    written = (
        """    db.execute('insert into far."Qu.oted" values (1)')\n    db.execute('insert into "Upper" values (1)')\n"""
    )
    told = error(apply(plugin(OWN + written)))
    hint = """WRITES = ['far."Qu.oted"', "Upper"]"""
    assert hint in told
    plugin.folder.write({"seeds/20_own.py": (OWN + written).replace('WRITES = ["mine"]', f"{hint} + ['mine']")})
    assert apply(plugin.folder, "own").exit_code == 0
    assert sql('select a from far."Qu.oted" union all select a from "Upper"') == [(1,), (1,)]


@given(st.text(min_size=1).filter(lambda text: "\0" not in text), st.none() | st.just("a.b") | st.just("far"))
def test_a_name_as_it_is_written_is_read_again(name: str, schema: str | None) -> None:
    written = written_name(schema, name)
    assert split_name(written) == (schema, name)
    assert ast.literal_eval(as_text(written)) == written
