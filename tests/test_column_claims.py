"""Two plugins that write one column of one table: refused before either of them writes it, unless it is shared."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seedframe import Project
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.report import Report, Status
from tests.conftest import Folder, ProjectFactory, Sql
from tests.installing import Site, on_path

ROWS = """
from seedframe import Rows
WRITES = [{table!r}]
def resources({asks}):
    yield Rows({table!r}, key="id", rows=[{row!r}]{more})
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    made = Site(tmp_path / "site")
    with on_path(made.path, monkeypatch):
        yield made


@dataclass(frozen=True, slots=True)
class Plugins:
    """Installs plugins of one seed each: `acme-one` has the seed `10_one`."""

    site: Site

    def __call__(
        self,
        name: str,
        row: dict[str, Any],
        table: str = "products",
        *,
        asks: str = "",
        more: str = "",
        number: int = 10,
    ) -> None:
        """One whose seed writes a row."""
        self.code(name, ROWS.format(table=table, row=row, asks=asks, more=more), number=number)

    def code(self, name: str, text: str, *, number: int = 10) -> None:
        """One whose seed is this text; what was imported of it before is forgotten."""
        sys.modules.pop(f"acme_{name}", None)
        self.site.install(f"acme-{name}", points={f"{number}_{name}": f"acme_{name}"}, files={f"acme_{name}.py": text})


@pytest.fixture
def plugin(site: Site) -> Plugins:
    return Plugins(site)


@pytest.fixture
def shop(project: ProjectFactory, sql: Sql) -> Folder:
    """A project that allows acme-one, acme-two and acme-three, and a table."""
    sql("create table products (id int primary key, name text, price numeric default 1, note text)")
    return project(config=CONFIG)


ALLOW = 'allow = ["acme-one", "acme-two"]'
CONFIG = f'[project]\nname = "shop"\n[plugins]\n{ALLOW}\n'


def run(folder: Folder, mode: str, *names: str) -> Report:
    loaded = Project.load(folder.path)
    assert [str(error) for error in loaded.problems] == []
    chosen = Selection(names=names)
    if mode == "verify":
        return loaded.verify(VerifyOptions(selection=chosen))
    options = {"dry_run": {"dry_run": True}, "rehearse": {"rehearse": True}, "apply": {}}[mode]
    return loaded.apply(ApplyOptions(selection=chosen, **options))  # type: ignore[arg-type]


MODES = ["dry_run", "rehearse", "apply", "verify"]
ONE = {"id": 1, "name": "x"}
MESSAGE = (
    "column name of table products would be written by seed 10_one of plugin acme-one"
    " and by seed 20_two of plugin acme-two"
)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("names", [(), ("one",), ("two",)])
def test_the_same_column_is_an_error_in_every_command_whichever_is_chosen(
    shop: Folder, plugin: Plugins, sql: Sql, mode: str, names: tuple[str, ...]
) -> None:
    plugin("one", ONE)
    plugin("two", {"id": 2, "name": "y", "price": "1"}, number=20)
    report = run(shop, mode, *names)
    assert report.exit_code == (3 if mode == "verify" else 1)
    failed = [outcome for outcome in report.seeds if outcome.error is not None]
    assert failed
    for outcome in failed:
        assert outcome.error is not None
        assert outcome.error.code == "declaration"
        assert outcome.error.message == MESSAGE
        assert outcome.error.hint is not None
        assert '[plugins] shared = ["products"]' in outcome.error.hint
    assert sql("select count(*) from products") == [(0,)]


@pytest.mark.parametrize(
    ("row", "more"),
    [
        ({"id": 1, "price": "2"}, ""),
        ({"id": 1, "name": "x", "price": "2"}, ', ignore=["name"]'),
        ({"id": 1}, ""),
    ],
)
def test_other_columns_of_the_same_rows_are_no_error(
    shop: Folder, plugin: Plugins, row: dict[str, Any], more: str
) -> None:
    plugin("one", ONE)
    plugin("two", row, more=more, number=20)
    assert run(shop, "apply").exit_code == 0
    assert run(shop, "verify").exit_code == 0


@pytest.mark.parametrize("more", [', initial=["name"]', ', mode="insert"', ', secret=["name"]'])
def test_what_is_written_once_is_written(shop: Folder, plugin: Plugins, more: str) -> None:
    plugin("one", ONE)
    plugin("two", {"id": 2, "name": "y"}, more=more, number=20)
    (outcome, *_) = run(shop, "apply").seeds
    assert outcome.error is not None
    assert outcome.error.message == MESSAGE


def test_a_table_may_be_shared(shop: Folder, plugin: Plugins) -> None:
    plugin("one", ONE)
    plugin("two", {"id": 2, "name": "y"}, "public.products", number=20)
    shop.write({"seedframe.toml": f'{CONFIG}shared = ["productos"]\n'})
    (outcome, *_) = run(shop, "apply").seeds
    assert outcome.error is not None
    assert outcome.error.hint is not None
    assert "(shared has productos, which does not exist)" in outcome.error.hint
    shop.write({"seedframe.toml": f'{CONFIG}shared = ["public.products"]\n'})
    assert run(shop, "apply").exit_code == 0
    assert run(shop, "verify").exit_code == 0


@pytest.mark.parametrize("spelling", ["public.products", '"products"', "shown", "parts"])
def test_it_is_the_table_that_counts_and_not_its_name(shop: Folder, plugin: Plugins, sql: Sql, spelling: str) -> None:
    sql(
        "create view shown as select id, name as name, note from products;"
        "create table whole (id int primary key, name text) partition by range (id);"
        "create table parts partition of whole for values from (0) to (100)"
    )
    plugin("one", ONE, "whole" if spelling == "parts" else "products")
    plugin("two", {"id": 2, "name": "y"}, spelling, number=20)
    (first, *_) = run(shop, "apply").seeds
    assert first.error is not None
    assert "column name of table" in first.error.message
    assert "plugin acme-two" in first.error.message


def test_another_schema_has_another_table(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    sql("create schema other; create table other.products (like products including all)")
    plugin("one", ONE)
    plugin("two", {"id": 2, "name": "y"}, "other.products", number=20)
    assert run(shop, "apply").exit_code == 0


def test_seeds_of_one_plugin_and_the_projects_own_are_free(shop: Folder, plugin: Plugins, site: Site) -> None:
    texts = {
        f"acme_{name}.py": ROWS.format(table="products", row={"id": number, "name": "x"}, asks="", more="")
        for number, name in enumerate(("first", "second"))
    }
    site.install("acme-one", points={"10_first": "acme_first", "20_second": "acme_second"}, files=texts)
    shop.write({"seedframe.toml": CONFIG.replace(', "acme-two"', "")})
    shop.write({"seeds/30_local.py": ROWS.format(table="products", row={"id": 9, "name": "z"}, asks="", more="")})
    assert run(shop, "apply").exit_code == 0
    assert run(shop, "verify").exit_code == 0


@pytest.mark.parametrize("asks", ["db", "settings"])
def test_where_resources_cannot_be_asked_the_second_is_refused_and_the_ledger_knows(
    shop: Folder, plugin: Plugins, sql: Sql, asks: str
) -> None:
    plugin("one", ONE, asks=asks)
    plugin("two", {"id": 2, "name": "y"}, asks=asks, number=20)
    report = run(shop, "apply")
    assert [outcome.status for outcome in report.seeds] == [Status.CHANGED, Status.FAILED]
    error = report.seeds[1].error
    assert error is not None
    assert error.message == MESSAGE
    report = run(shop, "apply", "two")  # the ledger has what the first has left
    assert report.seeds[0].error is not None
    assert report.seeds[0].error.message == MESSAGE
    assert sql("select id from products") == [(1,)]
    assert run(shop, "verify", "one").exit_code == 0


def test_a_file_is_asked_by_its_head(shop: Folder, plugin: Plugins, site: Site) -> None:
    text = "from seedframe import Rows\nWRITES = ['products']\ndef resources():\n"
    text += "    yield Rows('products', key='id', file='x.csv')\n"
    site.install(
        "acme-two",
        points={"20_two": "acme_two.seed"},
        files={"acme_two/__init__.py": "", "acme_two/seed.py": text, "acme_two/x.csv": "id,name\n2,y\n"},
    )
    plugin("one", ONE)
    (outcome, *_) = run(shop, "apply").seeds
    assert outcome.error is not None
    assert outcome.error.message == MESSAGE
    (site.path / "acme_two" / "x.csv").write_text("id,note\n2,y\n")
    assert run(shop, "apply").exit_code == 0


@pytest.mark.parametrize(
    "body",
    [
        "    raise OSError('no')\n",
        "    yield Rows('products', key='id', rows=supply)\n",
        "    yield Rows('products', key='id', rows=supply())\n",
    ],
)
def test_a_rival_that_raises_is_its_own_failure(shop: Folder, plugin: Plugins, body: str) -> None:
    plugin("one", ONE)
    supply = "from seedframe import Rows\nWRITES = ['products']\ndef supply():\n    raise OSError('no')\n    yield {}\n"
    plugin.code("two", f"{supply}def resources():\n{body}", number=20)
    report = run(shop, "apply")
    assert [outcome.status for outcome in report.seeds] == [Status.CHANGED, Status.FAILED]
    assert report.seeds[1].error is not None
    assert report.seeds[1].error.code == "hook_failed"


def test_a_seed_that_does_not_run_here_writes_nothing(shop: Folder, plugin: Plugins) -> None:
    plugin("one", ONE)
    plugin("two", {"id": 2, "name": "y"}, number=20)
    with (shop.path / "seedframe.toml").open("a") as file:
        file.write("[seeds.two]\nenabled = false\n")
    assert run(shop, "apply").exit_code == 0


def test_accounts_have_columns_too(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    columns = "password_hash text, role text, is_active boolean, first_name text, last_name text"
    sql(f"create table users (email text primary key, {columns})")
    account = (
        "from seedframe import Account, LocalAccounts\nWRITES = ['users']\ndef resources():\n"
        "    yield Account(LocalAccounts(columns={'role': None}), email='a@example.com')\n"
    )
    plugin.code("one", account)
    text = "from seedframe import Rows\nWRITES = ['users']\ndef resources():\n"
    text += "    yield Rows('users', key='email', rows=[{'email': 'b@example.com', 'is_active': True}])\n"
    plugin.code("two", text, number=20)
    (outcome, *_) = run(shop, "apply").seeds
    assert outcome.error is not None
    assert "column is_active of table users would be written by seed 10_one" in outcome.error.message
    plugin.code("two", text.replace("'is_active': True", "'first_name': 'B'").replace("a@", "b@"), number=20)
    assert run(shop, "apply", "one").exit_code == 0
    assert run(shop, "apply", "two").exit_code == 0


OWN = """
from seedframe import Change
WRITES = ["products"]
def check(db):
    if db.scalar("select count(*) from products where id = {id}") == 0:
        yield Change("create", {{"id": {id}}})
def apply(db):
    db.execute("insert into products values ({id}, '{name}')")
"""
KIND = """
from seedframe import Change, Changes
WRITES = ["products"]
class Thing:
    name, tables = "thing:one", ("products",)
    def describe(self): return "thing"
    def diff(self, db):
        there = db.scalar("select count(*) from products where id = {id}")
        return Changes() if there else Changes.of([Change("create", {{"id": {id}}})])
    def delete(self, db, changes): pass
    def write(self, db, changes): db.execute("insert into products values ({id}, '{name}')")
def resources({asks}):
    yield Thing()
"""
WHOLE = "table products would be written by seed 10_one of plugin acme-one and by seed 20_two of plugin acme-two"


def writer(way: str, number: int, asks: str = "") -> str:
    if way == "rows":
        return ROWS.format(table="products", row={"id": number, "name": "x"}, asks=asks, more="")
    return (OWN if way == "own" else KIND).format(id=number, name="x", asks=asks)


@pytest.mark.parametrize("asks", ["", "db"])
@pytest.mark.parametrize("second", ["rows", "own", "kind"])
@pytest.mark.parametrize("first", ["rows", "own", "kind"])
def test_code_of_its_own_writes_whole_tables(
    shop: Folder, plugin: Plugins, sql: Sql, first: str, second: str, asks: str
) -> None:
    if first == second == "rows":
        return
    plugin.code("one", writer(first, 1, asks))
    plugin.code("two", writer(second, 2, asks), number=20)
    failed = [outcome.error for outcome in run(shop, "apply").seeds if outcome.error is not None]
    assert [error.message for error in failed][:1] == [WHOLE]
    assert failed[0].code == "declaration"
    assert failed[0].hint is not None
    assert failed[0].hint.startswith("which columns a seed's own code writes is not known; leave one of them out")
    shop.write({"seedframe.toml": f'{CONFIG}shared = ["products"]\n'})
    assert run(shop, "apply").exit_code == 0
    assert run(shop, "verify").exit_code == 0


def test_a_seed_with_code_of_its_own_has_the_columns_of_its_rows(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    sql("create table others (id int primary key, name text); create view seen as select * from products")
    rows = ROWS.format(table="products", row={"id": 1, "price": "2"}, asks="", more=', environments=["staging"]')
    own = OWN.format(id=3, name="x").replace("products", "others")
    plugin.code("one", (own + rows).replace("WRITES = ['products']", "WRITES = ['others', 'seen']"))
    plugin("two", {"id": 2, "name": "y"}, number=20)
    assert run(shop, "apply").exit_code == 0
    plugin("two", {"id": 2, "name": "y"}, "others", number=20)
    (error, *_) = [outcome.error for outcome in run(shop, "apply").seeds if outcome.error is not None]
    assert error.message == WHOLE.replace("products", "others")


def test_what_only_writes_names_is_not_claimed_without_code(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    sql("create table others (id int primary key, name text)")
    rows = ROWS.format(table="others", row=ONE, asks="", more="").replace("['others']", "['others', 'products']")
    plugin.code("one", rows)
    plugin.code("two", OWN.format(id=2, name="y"), number=20)
    assert run(shop, "apply").exit_code == 0


MAKES = """
from seedframe import Change
WRITES = ["made"]
def check(db):
    if db.scalar("select to_regclass('made') is null"):
        yield Change("create", {"table": "made"})
def apply(db):
    db.execute("create table made (a int)")
"""


def test_a_table_that_both_make(shop: Folder, plugin: Plugins) -> None:
    plugin.code("one", MAKES)
    plugin.code("two", MAKES, number=20)
    report = run(shop, "apply")
    assert [outcome.status for outcome in report.seeds] == [Status.CHANGED, Status.FAILED]
    assert report.seeds[1].error is not None
    assert report.seeds[1].error.message == WHOLE.replace("products", "made")


DELETING = (
    "rows of table products that seed {} of plugin acme-{} writes may be deleted by seed {} of plugin acme-{}"
    ' (give each of them a part of the table, by mode="sync" and where=, that the other\'s excludes; or leave one out;'
    ' or, if they are meant to share it: [plugins] shared = ["products"])'
)
SYNC = ', mode="sync"'


def test_who_deletes_rows_owns_all_their_columns(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    sql("insert into products values (1, 'x'), (2, 'y')")
    plugin("one", ONE)
    plugin("two", {"id": 2, "price": "2"}, more=SYNC, number=20)
    for mode, names in (*((mode, ()) for mode in MODES), ("apply", ("one",)), ("apply", ("two",))):
        failed = [outcome.error for outcome in run(shop, mode, *names).seeds if outcome.error is not None]
        assert failed
        for error in failed:
            assert str(error).partition(": ")[2] == DELETING.format("10_one", "one", "20_two", "two")
    assert sql("select id from products order by 1") == [(1,), (2,)]
    shop.write({"seedframe.toml": f'{CONFIG}shared = ["products"]\n'})
    assert run(shop, "apply").exit_code == 0


def test_parts_of_a_table(shop: Folder, plugin: Plugins) -> None:
    one, two = ("10_one", "one"), ("20_two", "two")
    cases: list[tuple[str, str, tuple[str, ...] | None]] = [
        (SYNC, "", (*two, *one)),
        (SYNC, SYNC, (*one, *two)),
        ("", ", transitions=[removed(9)]", (*one, *two)),
        (f"{SYNC}, where='id < 2'", "", (*two, *one)),
        (f"{SYNC}, where='id < 2'", f"{SYNC}, where='id > 0'", (*one, *two)),
        # Of a key in removed() nobody knows in which part it is; and not all that is so can be proven.
        (f"{SYNC}, where='id < 2', transitions=[removed(9)]", f"{SYNC}, where='id >= 2'", (*one, *two)),
        (f"{SYNC}, where='id < 2'", f"{SYNC}, where='id + 0 > 1'", (*one, *two)),
        # A row of one can never be one of the other, so that they may even write the same columns.
        (f"{SYNC}, where='id < 2'", f"{SYNC}, where='id >= 2'", None),
        (f"{SYNC}, where='id = 1 -- one'", f"{SYNC}, where='products.id in (2, 3)'", None),
    ]
    for first, second, told in cases:
        for name, more, number in (("one", first, 1), ("two", second, 2)):
            row = {"id": number, "name": "x"} if told is None or name == "one" else {"id": number, "note": "n"}
            text = ROWS.format(table="products", row=row, asks="", more=more)
            plugin.code(name, text.replace("import Rows", "import Rows, removed"), number=10 * number)
        report = run(shop, "dry_run" if told is not None else "apply")
        if told is None:
            assert report.exit_code == 0, (first, second, report.as_dict())
            assert run(shop, "apply").summary.changed == 0
            continue
        error = next((outcome.error for outcome in report.seeds if outcome.error is not None), None)
        assert error is not None, (first, second)
        assert str(error).partition(": ")[2] == DELETING.format(*told)


def test_what_one_made_and_another_completed_is_not_pruned(shop: Folder, plugin: Plugins, sql: Sql) -> None:
    plugin("one", ONE, more=", prune=True")
    plugin("two", {"id": 1, "price": "2"}, number=20)
    assert run(shop, "apply").exit_code == 0
    plugin("one", {"id": 3, "name": "z"}, more=", prune=True")
    for _ in range(2):
        assert run(shop, "apply").exit_code == 0
        assert sql("select id, name, price from products order by 1") == [(1, "x", 2), (3, "z", 1)]
    assert run(shop, "verify").exit_code == 0
