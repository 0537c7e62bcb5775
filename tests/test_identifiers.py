"""Names: composed, and looked up in the catalog, whatever they are made of; and others' objects of the same names."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql as compose

from seedframe import Project
from seedframe.options import ApplyOptions
from seedframe.report import Report
from tests import shadows
from tests.conftest import Folder, ProjectFactory, Sql
from tests.refusals import Refusals, refused
from tests.running import applied, apply, counts, dry_run, error, verify
from tests.servers import Server

__all__ = ["refused"]


def quoted(*names: str) -> str:
    return compose.Identifier(*names).as_string()


# Names that exist

NAMES = (
    '"; drop table x; --',
    "'; drop table x; --",
    "a.b",
    '"',
    '""',
    "%s",
    "%",
    "%(name)s",
    ":name",
    "::text",
    "$1",
    "$$",
    "{}",
    "{0}",
    "{name!r}",
    "\\",
    "\\'",
    "--",
    "/*",
    " ",
    " a ",
    "a\tb",
    "a\r\nb",
    "\x1b[2J",
    "\x7f",
    "__proto__",
    "select",
    "user",
    "order",
    "ctid2",
    "line",
    "d",
    "t",
    "MixedCase",
    "e\u0301",
    "\u00e9",
    "\u202e",
    "\u200b",
    "İ",
    "🦄",
    "x" * 63,
    "é" * 31,
    "key",
    "rows",
    "null",
    "NULL",
    "true",
    "c0",
    "line0",
)
ANY_NAME = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=63).filter(
    lambda name: len(name.encode()) <= 63
)


def seed_of(*tables: tuple[str, str, str]) -> str:
    """A seed of tables, each with the column of its key and another; all names as they are."""
    return (
        "from seedframe import Rows\n"
        f"TABLES = {tables!r}\n"
        "def resources():\n"
        "    for table, key, column in TABLES:\n"
        "        yield Rows(table, key=key, mode='sync', validate={column: 'true'},\n"
        "                   rows=[{key: 'a', column: 1}, {key: 'b', column: 2}])\n"
    )


def goes_the_whole_way(folder: Folder, sql: Sql, *tables: tuple[str, str]) -> None:
    """From nothing to in sync, to drift, and back; then with a saved plan, and told in full by each command.

    Args:
        tables: each with its other column, as they are in SQL.
    """
    many = len(tables)
    assert counts(dry_run(folder)) == (2 * many, 0, 0, 0)
    applied(folder)
    sql(";".join(f"update {table} set {column} = 9 where {column} = 1" for table, column in tables))
    assert verify(folder).exit_code == 2
    report = apply(folder)
    assert report.exit_code == 0, error(report)
    assert counts(report) == (0, many, 0, many)
    for table, column in tables:
        assert sql(f"select {column} from {table} order by 1") == [(1,), (2,)]
        sql(f"delete from {table} where {column} = 2; update {table} set {column} = 7")
    plan = folder.path / "plan.json"
    plan.unlink(missing_ok=True)
    assert apply(folder, dry_run=True, out=plan).exit_code == 0
    assert Project.load(folder.path).apply(ApplyOptions(plan=plan)).exit_code == 0
    assert verify(folder).exit_code == 0


def clean(sql: Sql) -> None:
    """Nothing in the database but the schema public."""
    rows = sql("select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'")
    for (name,) in rows:
        sql(f"drop schema {quoted(name)} cascade")
    sql("create schema public")


@pytest.mark.promise(
    "names of tables, columns and schemas that are SQL, quotes, reserved, or not ASCII", "handled as names"
)
def test_every_name_that_exists(project: ProjectFactory, sql: Sql) -> None:
    # Each is the name of a table, of its key, and of the other column of the table before.
    names = list(zip(NAMES, NAMES[1:] + NAMES[:1], strict=True))
    for name, other in names:
        sql(f"create table {quoted(name)} ({quoted(name)} text primary key, {quoted(other)} int)")
    folder = project({"seeds/10_items.py": seed_of(*((quoted(name), name, other) for name, other in names))})
    goes_the_whole_way(folder, sql, *((quoted(name), quoted(other)) for name, other in names))


@given(table=ANY_NAME, key=ANY_NAME, column=ANY_NAME, schema=ANY_NAME)
@example(table='"; drop', key="%s", column=":n", schema="{}")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names(table: str, key: str, column: str, schema: str, project: ProjectFactory, sql: Sql) -> None:
    schema = (
        schema
        if not schema.startswith("pg_") and schema not in ("seedframe", "information_schema")
        else f"x{schema[:60]}"
    )
    if key == column:
        return
    clean(sql)
    where = quoted(schema, table)
    sql(f"create schema if not exists {quoted(schema)}")
    sql(f"create table {where} ({quoted(key)} text primary key, {quoted(column)} int)")
    folder = project({"seeds/10_items.py": seed_of((where, key, column))})
    goes_the_whole_way(folder, sql, (where, quoted(column)))


@given(names=st.lists(ANY_NAME, min_size=2, max_size=4, unique=True), ending=st.sampled_from(["csv", "json", "yaml"]))
@example(names=['"; drop table items; --', "%s", ":n"], ending="csv")
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_names_in_a_file(names: list[str], ending: str, project: ProjectFactory, sql: Sql) -> None:
    clean(sql)
    columns = ", ".join(f"{quoted(name)} text" for name in names)
    sql(f"create table items ({columns}, primary key ({quoted(names[0])}))")
    row = {name: f"value {number}" for number, name in enumerate(names)}
    if ending == "csv":
        written = io.StringIO()
        writer = csv.writer(written)
        writer.writerows([names, list(row.values())])
        text = written.getvalue()
    else:
        text = json.dumps([row], ensure_ascii=ending == "json").replace("\x7f", "\\u007f")
        text = (
            "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)
            if ending == "yaml"
            else text
        )
    if ending == "yaml" and any(not c.isprintable() and ord(c) > 0xFFFF for name in names for c in name):
        return  # written here as two escapes, which are JSON's and not YAML's
    folder = project(
        {
            "seeds/10_items.py": f"from seedframe import Rows\ndef resources():\n"
            f"    yield Rows('items', key={names[0]!r}, file='items.{ending}')\n"
        }
    )
    (folder.path / f"seeds/items.{ending}").write_bytes(text.encode())
    applied(folder)
    assert sql("select to_jsonb(i) from items as i") == [(row,)]


@pytest.mark.parametrize("name", ['"; drop table items; --', "%(name)s", "{name!r}", "a\r\nb", "\x1b[2J"], ids=ascii)
def test_names_in_the_declaration(name: str, refused: Refusals, sql: Sql) -> None:
    sql("create table items (sku text primary key, n int)")
    near = ["key={0!r}", "key='sku', initial=[{0!r}]", "key='sku', ignore=[{0!r}]", "key='sku', secret=[{0!r}]",
            "key='sku', index={0!r}", "key='sku', validate={{{0!r}: 'true'}}",
            "key='sku', initial={{{0!r}: 1}}"]  # fmt: skip
    for arguments in near:
        folder = refused.folder(
            "from seedframe import Rows\ndef resources():\n"
            f"    yield Rows('items', {arguments.format(name)}, rows=[{{'sku': 'a', 'n': 1}}])\n",
            {},
        )
        told = error(apply(folder))
        assert told.startswith("declaration: "), told
        assert "\n" not in told
    assert sql("select count(*) from items") == [(0,)]


LONG = {"64 bytes": "x" * 64, "64 bytes of two each": "é" * 32, "NFD for NFC": "e\u0301", "another case": "SKU"}


@pytest.mark.promise("a name in a header that only becomes a column's by cutting, folding or normalising", "refused")
@pytest.mark.parametrize("case", LONG)
def test_a_name_is_never_cut_nor_folded(case: str, refused: Refusals, sql: Sql) -> None:
    sql(f'create table items (sku text primary key, {"x" * 63} text, {"é" * 31} text, "\u00e9" text)')
    refused.file("items.csv", f"{LONG[case]},sku\na,b\n", "items.csv:1: table public.items has no column")


@pytest.mark.parametrize(
    "name", ["it.ems", "", ".", "a.b.c", '"items', "items;", "items; drop table items", "items\0", "ITEMS"]
)
def test_names_of_tables_that_are_none(name: str, refused: Refusals, sql: Sql) -> None:
    sql("create table items (sku text primary key)")
    folder = refused.folder(
        f"from seedframe import Rows\ndef resources():\n    yield Rows({name!r}, key='sku', rows=[{{'sku': 'a'}}])\n",
        {},
    )
    told = error(apply(folder))
    assert "\n" not in told
    assert not told.startswith("hook_failed"), told
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.parametrize("name", ['"; drop schema public; --', "%s", "a.b", "{}:x", " É "])
def test_names_in_the_configuration(name: str, project: ProjectFactory, sql: Sql) -> None:
    sql(f"create schema {quoted(name)}; create table {quoted(name, 'items')} (k text primary key, v int)")
    toml = json.dumps(name)
    config = f"[project]\nname = 'shop'\n[database]\nschema = {toml}\nsearch_path = [{toml}, 'public']\n"
    folder = project({"seedframe.toml": config, "seeds/10_items.py": seed_of(("items", "k", "v"))})
    goes_the_whole_way(folder, sql, (quoted(name, "items"), "v"))


# Others' objects of the same name

SHOP = """
create extension citext;
create domain public.word as citext;
create table words (
    word public.word primary key, same citext references words on delete cascade,
    exclude using btree (word with operator(public.=))
);
create type public.mood as enum ('bad', 'good');
create table items (
    sku varchar(20) primary key, name varchar(40), n int, c char(5), nm name, j jsonb, s smallint, e numeric(5, 2),
    m mood, many varchar(5)[], parent varchar(20) references items on delete cascade, id serial, at timestamptz,
    code varchar(20) unique, span int4range, check (n >= 0 and c <> 'bad'), exclude using gist (span with &&)
);
insert into items (sku, code, span) values ('kept', 'taken', '[1,2)');
create unique index items_name on items (lower(name)) where n is not null;
create table logs (
    id bigint generated always as identity primary key, item varchar(20) references items on delete set null
);
create view shown as select sku, name, n from items;
create table users (
    id serial primary key, email varchar(200) unique, password_hash varchar(100) not null, first_name varchar(20),
    role varchar(20), is_active boolean not null default true
);
"""
SHOP_SEED = """
from seedframe import Account, Extension, LocalAccounts, Rows, Secret, Tables
from seedframe import moved, ref, removed, sql


def rows(name):
    return [
        {"sku": sku, "name": name, "n": 1, "c": "x", "nm": "n", "j": {"a": 1}, "s": 1, "e": e, "m": "good",
         "many": ["a"]}
        for sku, name, e in (("a", name, "1.5"), ("b", "b", "1.50"))
    ]


def resources():
    yield Tables("items", "logs")
    yield Extension("pgcrypto")
    yield Rows("items", key="sku", rows=rows("x"), prune=True, initial={"at": sql("now()")},
               validate={"n": "n is not null"}, transitions=[moved("old", "a"), removed("gone")])
    yield Rows("items", key="sku", name="children", rows=[{"sku": "c", "parent": ref("items", sku="a"), "n": 2}])
    yield Rows("items", key="name", index="items_name", name="by name", mode="insert",
               rows=[{"name": "X", "sku": "z", "n": 1}])
    yield Rows("words", key="word", name="words", mode="sync",
               rows=[{"word": "A", "same": None}, {"word": "B", "same": ref("words", word="a")}])
    yield Rows("shown", key="sku", name="view", rows=[{"sku": "v", "name": "v", "n": 3}])
    yield Rows("items", key="sku", name="many", rows=[{"sku": f"m{i}", "name": f"m{i}", "n": i} for i in range(FEW)])
    yield Account(LocalAccounts("users", columns={"last_name": None}), email="ops@example.com", role="admin",
                  first_name="Ops", password=Secret("correct horse battery 7"))
"""


CODE_SEED = """
from seedframe import Change

WRITES = ["logs"]


def check(db):
    if not db.scalar("select exists (select from logs where item is null)"):
        yield Change("other", {"log": "first"})


def apply(db, plan):
    db.execute("insert into logs default values")


def verify(db):
    db.rows("select id from logs")
"""

# Of each, one line is refused by the server, in a way that has to be told.
REFUSED = (
    "Rows('items', key='sku', rows=[{'sku': 'r', 'c': 'longer than five'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'e': '1e9'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'n': -1}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'parent': ref('items', sku='nobody')}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'parent': 'nobody'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'code': 'taken'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'span': '[1,5)'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r', 'code': 'x'}, {'sku': 's', 'code': 'x'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r'}, {'sku': 'r'}])",
    "Rows('items', key='sku', rows=[{'sku': 'r'}], where='n is not null', mode='sync')",
    "Rows('items', key='sku', rows=[], mode='sync')",
    "Rows('words', key='word', rows=[{'word': 'b'}, {'word': 'B'}])",
    "Rows('words', key='word', rows=[], mode='sync', max_delete=1)",
    "Rows('itens', key='sku', rows=[{'sku': 'r'}])",
    "Rows('locked', key='sku', rows=[{'sku': 'r'}])",
)


@pytest.fixture
def hostile(database: str, sql: Sql) -> Iterator[Callable[[], int]]:
    """Shadows in public, made by a role that may do no more than create there."""

    def make() -> int:
        sql("create role mallory login; grant create, usage on schema public to mallory")
        with psycopg.connect(database, user="mallory", autocommit=True) as connection:
            return shadows.make(connection, "public.mood", "public.word", "public.citext")

    yield make
    sql("drop owned by mallory cascade; drop role mallory")


class Witness:
    """What the server logged of shadows that were called since the last look."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen = log.stat().st_size

    def deceived(self) -> list[str]:
        """The statements, whether anybody was told or not."""
        with self._log.open(encoding="utf-8") as log:
            log.seek(self._seen)
            text = log.read()
        self._seen = self._log.stat().st_size
        return re.findall(r"LOG: +DECEIVED: (.*(?:\n\t.*)*)", text)


@pytest.mark.promise(
    "functions and operators that another role made in the target's schema, to be taken for PostgreSQL's own",
    "no statement of seedframe's calls one",
)
def test_no_statement_is_deceived(
    hostile: Callable[[], int], server: Server, project: ProjectFactory, sql: Sql, database: str
) -> None:
    sql(SHOP)
    sql((Path(__file__).parent / "data/ledger_version_2.sql").read_text())
    assert hostile() > 5_000
    witness = Witness(server.log)
    with psycopg.connect(database, autocommit=True) as outside:
        # Who trusts pg_catalog to be searched first is deceived, and the witness knows, told or not.
        for trusting in ("lower(sku)", "sku = 'x'", "m = 'good'", "many || many", "j || sku"):
            with pytest.raises(psycopg.errors.RaiseException, match="DECEIVED"):
                outside.execute(f"select {trusting} from public.items".encode())
            assert len(witness.deceived()) == 1
        outside.execute("set search_path = pg_catalog")

        config = '[project]\nname = "shop"\n[database]\nlock_timeout = "300ms"\n'
        seeds = {"seeds/10_items.py": SHOP_SEED.replace("FEW", "5"), "seeds/20_code.py": CODE_SEED}
        folder = project({"seedframe.toml": config, **seeds})
        plan = folder.path / "plan.json"

        def untouched(report: Report, *exit_codes: int) -> None:
            assert witness.deceived() == [], report.as_dict()
            assert "DECEIVED" not in str(report.as_dict())
            assert report.exit_code in exit_codes, report.as_dict()

        untouched(dry_run(folder), 0)
        untouched(verify(folder), 2)
        untouched(apply(folder, rehearse=True), 0)
        untouched(apply(folder), 0)  # which upgrades the ledger, too
        untouched(apply(folder), 0)
        outside.execute("update public.items set n = 7, many = '{b}' where sku::text = 'a'::text")
        outside.execute("insert into public.items (sku, n) values ('gone', 1), ('old', 2)")
        outside.execute("insert into public.words (word) values ('c')")
        outside.execute("delete from public.items where sku::text = 'b'::text")
        untouched(apply(folder, on_conflict="fail"), 1)
        untouched(apply(folder, on_conflict="database"), 0, 1)
        untouched(verify(folder), 0, 2)
        untouched(apply(folder, dry_run=True, out=plan), 0)
        loaded = Project.load(folder.path)
        untouched(loaded.apply(ApplyOptions(plan=plan)), 0)
        untouched(apply(folder, transaction="run"), 0)
        # Other names and fewer rows; and so many that they are staged.
        fewer = SHOP_SEED.replace('rows("x")', 'rows("y")[:1]')
        for number in ("3", "6_000"):
            folder.write({"seeds/10_items.py": fewer.replace("FEW", number)})
            for run in (dry_run, apply, verify):
                untouched(run(folder), *((0, 2) if run is verify else (0,)))
        outside.execute("create table public.locked (sku text primary key)")
        with psycopg.connect(database) as other:
            other.execute("set search_path = pg_catalog; lock table public.locked")
            for declared in REFUSED:
                folder.write(
                    {"seeds/10_items.py": f"from seedframe import Rows, ref\ndef resources():\n    yield {declared}\n"}
                )
                untouched(apply(folder, on_conflict="database"), 1, 3)
        (folder.path / "seeds/10_items.py").unlink()
        loaded = Project.load(folder.path)
        newest, *_ = loaded.history()
        loaded.run_record(newest.id, rows=None)
        loaded.history_head()
        assert loaded.check_history().broken is None
        loaded.forget("10_items")
        loaded.mark()
        loaded.mark_as("local")
        assert witness.deceived() == []


# What PostgreSQL's grammar knows by itself, whatever the search path is, and types of a length.
GRAMMAR = {
    "coalesce", "nullif", "greatest", "least", "cast", "row", "exists", "array", "extract", "any", "all", "in", "over",
    "filter", "values", "numeric", "varchar", "char", "json", "text",
}  # fmt: skip
# In words for people, in Python, and as the standard has it, which the grammar knows too.
SPOKEN = {"lower(email)", "{round(", "substring(cast({} as text) from "}


def test_every_function_is_called_with_its_schema(sql: Sql) -> None:
    known = {name for (name,) in sql("select proname from pg_proc where pronamespace = 'pg_catalog'::regnamespace")}
    found = [
        f"{path.name}:{line}: {name}"
        for path in shadows.modules()
        for line, name in shadows.calls(path)
        if name in known - GRAMMAR and not any(said in path.read_text().splitlines()[line - 1] for said in SPOKEN)
    ]
    assert found == []


def test_a_schema_in_front_of_pg_catalog_is_not_to_be_had(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (k text primary key, v int); create table pg_class (oid oid, relname name)")
    sql("create function now() returns timestamptz language sql as 'select ''1999-01-01''::timestamptz'")
    config = "[project]\nname = 'shop'\n[database]\nsearch_path = ['pg_temp', 'pg_catalog']\n"
    folder = project({"seedframe.toml": config, "seeds/10_items.py": seed_of(("items", "k", "v"))})
    goes_the_whole_way(folder, sql, ("items", "v"))
    assert sql("select count(*) from seedframe.run where started_at < '2000-01-01'") == [(0,)]
    assert sql("select count(*) from public.pg_class") == [(0,)]


def test_a_temporary_table_of_a_hook_is_not_taken_for_the_table(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (k text primary key, v int)")
    early = (
        "from seedframe import Change\n"
        "def check(db):\n"
        "    if db.scalar(\"select to_regclass('pg_temp.items') is null\"):\n"
        "        yield Change('other', {'a': 'b'})\n"
        "def apply(db, plan):\n    db.execute('create temp table items (k text primary key, v int) on commit drop')\n"
    )
    late = seed_of(("items", "k", "v")) + "def verify(db):\n    assert db.scalar('select count(*) from items') == 2\n"
    folder = project({"seeds/05_early.py": early, "seeds/10_items.py": late})
    report = apply(folder, transaction="run")
    assert report.exit_code == 0, [outcome.error for outcome in report.seeds]
    assert sql("select count(*) from items") == [(2,)]
