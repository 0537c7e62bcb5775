"""`assert_converges` finds what does not converge, and says which promise was broken and where."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from seedframe.database.session import Session
from seedframe.errors import UsageError
from seedframe.resources.rows import Rows
from seedframe.testing import ConvergenceError, Database, SeedRunner, assert_converges
from seedframe.testing.fresh_process import trouble_elsewhere
from seedframe.testing.outcome import PROMISES
from seedframe.testing.proof import _Proof
from seedframe.testing.sets import _makes_sets, uses_sets
from seedframe.testing.sql import TriggerCode
from seedframe.testing.trigger_code import may_write

ITEMS = "create table items (sku text primary key, name text not null, price int not null default 5)"

SEED = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", initial=["price"], rows=[
        {"sku": "a", "name": "A", "price": 1}, {"sku": "b", "name": "B", "price": 2},
    ])
"""

FALSE_ALARM = (
    SEED
    + """
def verify(db):
    from seedframe import Finding
    yield Finding("not quite", "warning")
"""
)

NEVER_DONE = (
    SEED
    + """
from seedframe import Change

def check():
    yield Change("other", {"what": "ever"})

def apply(db, plan):
    pass
"""
)

# Writes on a connection of its own, whenever it is looked at.
ON_THE_SIDE = '''
import psycopg
from seedframe import Rows, Setting

SETTINGS = [Setting("SIDE", str)]

def resources(settings):
    with psycopg.connect(settings["SIDE"], autocommit=True) as connection:
        connection.execute("""{statement}""")
    yield Rows("items", key="sku", rows=[{{"sku": "a", "name": "A"}}])
'''

# Looks whether there are any, and no closer.
CARELESS = """
from seedframe import Change, Changes

class Items:
    name = "items"
    tables = ("items",)

    def describe(self):
        return "items"

    def diff(self, db):
        if db.scalar("select count(*) from items"):
            return Changes()
        return Changes.of([Change("create", {"sku": sku}, after={"name": sku}) for sku in "ab"])

    def delete(self, db, changes):
        pass

    def write(self, db, changes):
        for change in changes.sample:
            db.execute("insert into items (sku, name) values (:sku, :sku)", sku=change.key["sku"])

def resources():
    yield Items()
"""


SILENT = "its own verify found nothing, whatever was changed; breaking= can say after which SQL it has to"


@pytest.fixture
def items(seedframe_project: SeedRunner) -> SeedRunner:
    seedframe_project.database.execute(ITEMS)
    seedframe_project.variables["SIDE"] = seedframe_project.database.url
    return seedframe_project


def broken(runner: SeedRunner, seed: str) -> ConvergenceError:
    """What is said of a seed that does not converge."""
    runner.write({"seeds/10_items.py": seed})
    with pytest.raises(ConvergenceError) as caught:
        runner.assert_converges("items")
    assert caught.value.promise in PROMISES
    assert str(caught.value).startswith(f"{caught.value.promise}: ")
    return caught.value


def test_a_table_that_is_not_there(items: SeedRunner) -> None:
    items.database.execute("drop table items")
    error = broken(items, SEED)
    assert error.promise == "a dry run plans it"
    assert "table public.items does not exist" in str(error)
    assert "10_items" in str(error)
    assert error.report is not None


def test_a_dry_run_that_writes_a_row(items: SeedRunner) -> None:
    items.database.execute("create table log (n int)")
    error = broken(items, ON_THE_SIDE.format(statement="insert into log values (1)"))
    assert str(error).startswith("a dry run writes nothing: it changed log\n")


def test_a_dry_run_that_moves_a_sequence(items: SeedRunner) -> None:
    items.database.execute("create sequence numbers")
    error = broken(items, ON_THE_SIDE.format(statement="select nextval('numbers')"))
    assert str(error).startswith("a dry run writes nothing: it changed sequence numbers\n")


def test_a_dry_run_that_takes_a_transaction_id(items: SeedRunner) -> None:
    error = broken(items, ON_THE_SIDE.format(statement="select pg_current_xact_id()"))
    assert str(error).startswith("a dry run writes nothing: transaction ids")
    assert "on a server that is quiet" in str(error)


ONCE = "create table if not exists side (n int primary key); insert into side values (1) on conflict do nothing"


def test_a_dry_run_that_writes_only_once(items: SeedRunner) -> None:
    error = broken(items, ON_THE_SIDE.format(statement=ONCE))
    assert str(error).startswith("a dry run writes nothing: it changed (catalog), side\n")


def test_a_dry_run_that_changes_but_the_catalog(items: SeedRunner) -> None:
    error = broken(items, ON_THE_SIDE.format(statement="comment on table items is 'x'"))
    assert str(error).startswith("a dry run writes nothing: it changed (catalog)\n")


def test_a_verify_that_writes_only_once(items: SeedRunner) -> None:
    """It is called in each apply as well."""
    seed = ON_THE_SIDE.format(statement=ONCE).replace("resources(settings)", "verify(settings)")
    error = broken(items, seed.replace("    yield Rows", "\ndef resources():\n    yield Rows"))
    assert str(error).startswith("a dry run writes nothing: it changed (catalog), side\n")


def test_a_seed_that_writes_once_its_rows_are_there(items: SeedRunner) -> None:
    """Until the first apply nothing is to be seen of it."""
    seed = ON_THE_SIDE.format(statement=ONCE).replace("resources(settings):", "resources(db, settings):")
    seed = seed.replace("connection.execute(", "db.scalar('select count(*) from items') and connection.execute(")
    error = broken(items, seed)
    assert str(error).startswith("a dry run writes nothing: it or verify, after apply, changed (catalog)")


def test_a_module_that_writes_when_it_is_loaded(items: SeedRunner) -> None:
    seed = f"import psycopg\nwith psycopg.connect({items.database.url!r}) as side:\n    side.execute({ONCE!r})\n{SEED}"
    error = broken(items, seed)
    assert str(error).startswith("a dry run writes nothing: that it was loaded changed (catalog), side")


def test_rows_that_hang_on_the_order_of_a_set(items: SeedRunner) -> None:
    """It is another in each process, and the same in all that one process does."""
    names = {f"name {number}" for number in range(20)}
    rows = f"rows=[{{'sku': str(n), 'name': name}} for n, name in enumerate({names!r})]"
    error = broken(
        items, f"from seedframe import Rows\n\ndef resources():\n    yield Rows('items', key='sku', {rows})\n"
    )
    assert str(error).startswith("after apply, the plan is empty: in a process of its own (PYTHONHASHSEED=")
    assert "to update" in str(error)


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("str(Path.cwd())", "in another working directory"),
        ("next(name for name in os.environ if name in ('PATH', 'KIT_LAST'))", "the environment's variables in another"),
        ("str(datetime(2024, 1, 1).timestamp())", "TZ="),
    ],
)
def test_what_hangs_on_where_a_process_runs(
    items: SeedRunner, monkeypatch: pytest.MonkeyPatch, value: str, place: str
) -> None:
    monkeypatch.setenv("KIT_LAST", "x")
    head = "import os\nfrom datetime import datetime\nfrom pathlib import Path\nfrom seedframe import Rows\n\n"
    rows = f"rows=[{{'sku': 'a', 'name': {value}}}]"
    items.write({"seeds/10_items.py": f"{head}def resources():\n    yield Rows('items', key='sku', {rows})\n"})
    items.apply()
    told = trouble_elsewhere(items, ("items",), sets=False)
    assert told is not None
    assert (told.exit_code, told.changed) == (0, 1)
    # Alone: the others are not to blame.
    assert str(told.place).partition(", ")[2].startswith(place)
    assert str(told.place).count(", ") == 1


def test_a_set_of_two_is_found_however_this_process_has_it(items: SeedRunner) -> None:
    """Half of all processes have one order, half the other: so there are eight. Here, both are tried."""
    for wanted in ("min", "max"):
        choice = f"{wanted}(names) if os.getpid() == {os.getpid()} else list(names)[0]"
        body = f"    names = {{'x one', 'y two'}}\n    name = {choice}\n"
        rows = "    yield Rows('items', key='sku', rows=[{'sku': 'a', 'name': name}])\n"
        items.write({"seeds/10_items.py": f"import os\nfrom seedframe import Rows\n\ndef resources():\n{body}{rows}"})
        items.apply()
        assert uses_sets(items.load().seeds)
        assert trouble_elsewhere(items, ("items",), sets=True) is not None


@pytest.mark.parametrize(
    ("code", "sets"),
    [
        ("NAMES = {'a', 'b'}", True),
        ("NAMES = {name for name in 'ab'}", True),
        ("NAMES = list(frozenset('ab'))", True),
        ("NAMES = {'a': 1}.keys() - {'b': 1}.keys()", True),
        ("NAMES = [str(hash('a'))]", True),
        ("NAMES = {'a': 1}; OTHERS = [3 - 1, {**NAMES}]", False),
    ],
)
def test_code_that_goes_through_sets_is_known(code: str, sets: bool) -> None:
    assert _makes_sets(code) is sets


def test_what_an_installed_module_computes_when_it_is_imported(
    seedframe_database: Database, install: Callable[..., object]
) -> None:
    """It is imported once in a process, however often it is applied there."""
    seed = "from uuid import uuid4\nfrom seedframe import Rows\nWRITES = ['items']\nTOKEN = str(uuid4())\n\n"
    rows = "rows=[{'sku': 'a', 'name': TOKEN}]"
    seed += f"def resources():\n    print('{{')\n    yield Rows('items', key='sku', {rows})\n"
    install(
        "kit-token", "1.0", {"40_token": "kit_token.seed"}, {"kit_token/__init__.py": "", "kit_token/seed.py": seed}
    )
    with pytest.raises(
        ConvergenceError, match=r"in a process of its own .*: seed 40_token, rows:items: 0 to create, 1 to"
    ):
        assert_converges("token", database=seedframe_database, tables=ITEMS)


def test_a_seed_that_works_only_where_it_is_tested(items: SeedRunner) -> None:
    seed = SEED.replace("def resources():", "import os\n\ndef resources():\n    HERE")
    error = broken(items, seed.replace("HERE", f"if os.getpid() != {os.getpid()}: raise ValueError('elsewhere')"))
    assert "in a process of its own" in str(error)
    assert "ValueError: elsewhere" in str(error)
    error = broken(items, seed.replace("HERE", f"if os.getpid() != {os.getpid()}: os._exit(7)"))
    assert "it ended with exit code 7" in str(error)


def test_a_seed_that_is_never_done(items: SeedRunner) -> None:
    error = broken(items, NEVER_DONE)
    assert error.promise == "apply does what was planned"


def test_a_seed_that_is_never_content(items: SeedRunner) -> None:
    error = broken(items, FALSE_ALARM)
    assert error.promise == "after apply, verify is in sync"
    assert "not quite" in str(error)


def test_a_row_that_nobody_misses(items: SeedRunner) -> None:
    error = broken(items, CARELESS)
    assert error.promise == "a row that is gone is found"
    assert "seed 10_items, items, row sku=" in str(error)


def test_the_columns_that_a_kind_says_it_manages(items: SeedRunner) -> None:
    """It does not look at them, either."""
    seed = CARELESS.replace('tables = ("items",)', 'tables = ("items",)\n    managed_columns = ("name",)')
    error = broken(items, seed)
    assert error.promise == "a value changed by hand is found"
    assert "column name" in str(error)


def test_two_that_do_not_wait_for_each_other(items: SeedRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(session: Session, *_: object, **__: object) -> None:
        session.begin(write=True)

    monkeypatch.setattr("seedframe.running.transactions.begin_locked", begin)
    assert broken(items, SEED).promise == "two applies at once are safe"


@pytest.mark.parametrize(
    ("managed", "kept", "promise", "column"),
    [
        (("name", "price"), (), "a value changed by hand is found", "price"),
        ((), ("name", "price"), "initial and ignored columns are left alone", "name"),
    ],
)
def test_columns_that_are_not_what_they_are_said_to_be(
    items: SeedRunner,
    monkeypatch: pytest.MonkeyPatch,
    managed: tuple[str, ...],
    kept: tuple[str, ...],
    promise: str,
    column: str,
) -> None:
    """The proof is told that an initial column is managed, and the other way round."""
    real = _Proof._of_rows

    def of_rows(self: _Proof, seed: str, resource: Rows, outcome: object) -> object:
        declared = real(self, seed, resource, outcome)  # type: ignore[arg-type]
        assert declared is not None
        declared.managed, declared.kept = managed, kept
        return declared

    monkeypatch.setattr(_Proof, "_of_rows", of_rows)
    error = broken(items, SEED)
    assert error.promise == promise
    assert column in str(error)


def test_what_could_not_be_tried_is_said(items: SeedRunner) -> None:
    items.database.execute(
        "create table fixed (k text primary key, one int not null check (one = 1), put text,"
        " made int generated always as (one + 1) stored);"
        "create function back() returns trigger language plpgsql as"
        " 'begin new.put := ''put''; return new; end';"
        "create trigger back before update on fixed for each row execute function back()"
    )
    items.write(
        {
            "seeds/10_fixed.py": "from seedframe import Rows\n\n\ndef resources():\n"
            "    yield Rows('fixed', key='k', rows=[{'k': 'a', 'one': 1, 'put': 'put'}])\n"
            "    yield Rows('items', key='sku', rows=[])\n"
        }
    )
    done = items.assert_converges("fixed")
    assert [str(each).replace("violates check constraint", "…") for each in done.left_out] == [
        "seed 10_fixed, rows:items: it declares no rows",
        'seed 10_fixed, rows:fixed.one: new row for relation "fixed" … "fixed_one_check"',
        "seed 10_fixed, rows:fixed.put: a trigger puts it back",
    ]
    assert done.deleted == ("rows:fixed",)
    with pytest.raises(
        AssertionError,
        match=r"not everything could be tried:\n  seed 10_fixed, rows:items: .*\n  .*, rows:fixed\.one: ",
    ):
        done.require_complete()


def left_out(runner: SeedRunner, seed: str) -> list[str]:
    """What could not be tried of a seed, of which all else is proven."""
    runner.write({"seeds/10_items.py": seed})
    done = runner.assert_converges("items")
    with pytest.raises(AssertionError, match="not everything could be tried"):
        done.require_complete()
    return [str(each) for each in done.left_out]


@pytest.mark.parametrize("code", ["return []", "if False:\n        yield", "yield from []"])
def test_a_seed_that_declares_nothing(items: SeedRunner, code: str) -> None:
    said = left_out(items, f"def resources():\n    {code}\n")
    assert said == ["seed 10_items: nothing of it was tried: it declared no rows here"]


def test_a_seed_that_only_verifies_or_wants_tables(items: SeedRunner) -> None:
    seed = (
        "from seedframe import Tables\n\ndef resources():\n    yield Tables('items')\n\ndef verify():\n    return []\n"
    )
    nothing = "seed 10_items: nothing of it was tried: it declared no rows here"
    assert left_out(items, seed) == [nothing, f"seed 10_items: {SILENT}"]


def test_rows_for_other_environments_and_none_at_all(items: SeedRunner) -> None:
    rows = "yield Rows('items', key='sku', rows=[{}])\n"
    here = "from seedframe import Rows\n\ndef resources():\n    " + rows.format("")
    assert left_out(items, here) == ["seed 10_items, rows:items: it declares no rows"]
    elsewhere = here.replace("rows=[]", "rows=[{'sku': 'a', 'name': 'A'}], environments=['production']")
    (said,) = left_out(items, elsewhere)
    assert said.startswith("seed 10_items, rows:items: not tried: ")
    assert "production" in said


# Of two tables, whose rows belong together.
PAIRS = """
from seedframe import Change, Changes

class Pairs:
    name = "pairs"
    tables = ("items", "notes")

    def describe(self):
        return "pairs"

    def diff(self, db):
        there = [row["sku"] for row in db.rows(
            "select sku from items join notes using (sku) where name = sku and note = 'N'"
        )]
        return Changes.of([Change("create", {"sku": sku}, after={"name": sku}) for sku in "ab" if sku not in there])

    def delete(self, db, changes):
        pass

    def write(self, db, changes):
        for change in changes.sample:
            db.execute(
                "insert into items (sku, name) values (:sku, :sku) on conflict (sku) do update set name = :sku",
                sku=change.key["sku"],
            )
            db.execute(
                "insert into notes values (:sku, 'N') on conflict (sku) do update set note = 'N'",
                sku=change.key["sku"],
            )

def resources():
    yield Pairs()
"""


@pytest.fixture
def notes(items: SeedRunner) -> SeedRunner:
    items.database.execute("create table notes (sku text primary key references items, note text)")
    return items


def test_a_kind_of_two_tables(notes: SeedRunner) -> None:
    """Its changes are of neither table alone; what it was seen to write is changed, in both."""
    notes.write({"seeds/10_items.py": PAIRS})
    done = notes.assert_converges("items")
    done.require_complete()
    assert {(each.resource, each.column) for each in done.mutated} == {("pairs", "name"), ("pairs", "note")}
    assert done.deleted == ("pairs",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (" and note = 'N'", "", "notes.note: the resource wrote it, and nobody notices when it is changed"),
        ("join notes", "left join notes", "notes: the resource wrote a row of it, and nobody notices when that is"),
        ('"notes")', '"notes", "more")', ": it wrote nothing into more, so nothing there could be tried"),
    ],
)
def test_what_a_kind_does_not_look_at(notes: SeedRunner, old: str, new: str, said: str) -> None:
    notes.database.execute("create table more (n int primary key)")
    seed = PAIRS.replace(old, new)
    if "left join" in new:
        seed = seed.replace("and note = 'N'", "and coalesce(note, 'N') = 'N'")
    (one,) = left_out(notes, seed)
    assert one.startswith(f"seed 10_items, pairs{'' if said.startswith(':') else '.'}{said}")


def test_a_table_that_several_write_to(notes: SeedRunner) -> None:
    seed = PAIRS + "    yield Rows('items', key='sku', rows=[{'sku': 'c', 'name': 'C'}])\n"
    said = left_out(notes, "from seedframe import Rows\n" + seed)
    reason = "others write into items as well, so which rows are its own is not known"
    assert said == [f"seed 10_items, pairs: {reason}"]


def test_a_kind_whose_changes_name_no_row(items: SeedRunner) -> None:
    """What it was seen to write is changed all the same."""
    seed = CARELESS.replace("select count(*)", "select count(*) = 2")
    seed = seed.replace("(:sku, :sku)", "(:sku, :sku) on conflict do nothing")
    seed = seed.replace('{"sku": sku}', '{"number": sku}').replace('change.key["sku"]', 'change.key["number"]')
    unseen = "items.items.name: the resource wrote it, and nobody notices when it is changed"
    assert left_out(items, seed) == [f"seed 10_items, {unseen}"]


def test_a_kind_that_only_updates(items: SeedRunner) -> None:
    items.database.execute("insert into items values ('a', 'old'), ('b', 'old')")
    seed = CARELESS.replace("from items", "from items where name <> 'old'").replace('"create"', '"update"')
    seed = seed.replace("insert into items (sku, name) values (:sku, :sku)", "update items set name=sku where sku=:sku")
    unseen = "items.items.name: the resource wrote it, and nobody notices when it is changed"
    assert left_out(items, seed) == [f"seed 10_items, {unseen}"]


def test_an_extension(items: SeedRunner) -> None:
    seed = "from seedframe import Extension\n\n\ndef resources():\n    yield Extension('citext')\n"
    items.write({"seeds/10_items.py": seed, "seeds/20_mail.py": seed.replace("citext", "hstore")})
    items.database.execute("create extension hstore; create table mail (n int primary key, h hstore)")
    done = items.assert_converges("items")
    done.require_complete()
    assert done.deleted == ("extension:citext",)
    assert [str(each) for each in items.assert_converges("mail").left_out] == [
        "seed 20_mail, extension:hstore: it was there before, and what depends on it would not be made again with it"
    ]


def test_a_kind_that_finds_nothing_to_do(items: SeedRunner) -> None:
    items.database.execute("insert into items values ('a', 'old')")
    assert left_out(items, CARELESS) == ["seed 10_items, items: it had nothing to do"]


OWN = """
from seedframe import Change

WRITES = ["items"]

def check(db):
    name = db.scalar("select name from items where sku = 'a'")
    if name is None:
        yield Change("create", {"sku": "a"}, after={"name": "A"})
    elif name != "A":
        yield Change("update", {"sku": "a"}, {"name": name}, {"name": "A"})

def apply(db):
    db.execute("insert into items (sku, name) values ('a', 'A') on conflict (sku) do update set name = 'A'")
"""


def test_a_check_that_notices_all(items: SeedRunner) -> None:
    items.write({"seeds/10_items.py": OWN})
    done = items.assert_converges("items")
    assert [(each.resource, each.column) for each in done.mutated] == [("hook:check", "name")]
    assert done.deleted == ("hook:check",)
    done.require_complete()


def test_a_check_that_only_asks_whether_the_row_is_there(items: SeedRunner) -> None:
    unseen = "its own code wrote it, and nobody notices when it is changed"
    assert left_out(items, OWN.replace('name != "A"', "False")) == [f"seed 10_items, hook:check.items.name: {unseen}"]


def test_a_check_that_does_not_miss_what_it_said_it_makes(items: SeedRunner) -> None:
    items.database.execute("create table done (n int)")
    seed = OWN.replace("if name is None", "if not db.scalar('select count(*) from done')").replace(
        "elif", "elif name and"
    )
    seed = seed.replace('["items"]', '["items", "done"]')
    error = broken(items, seed + "    db.execute('insert into done values (1)')\n")
    assert error.promise == "a row that is gone is found"
    assert "seed 10_items, hook:check, items, row sku=a" in str(error)


def test_rows_that_a_check_does_not_name(items: SeedRunner) -> None:
    """It is seen which rows were written, and that nobody misses the second of them."""
    seed = OWN.replace("values ('a', 'A')", "values ('a', 'A'), ('b', 'B')").replace(
        '{"sku": "a"}', '{"what": "items"}'
    )
    unknown = "what its own code manages cannot be changed by the kit: what=items: no row of one table that it wrote"
    said = left_out(items, seed)
    assert said == [
        f"seed 10_items, hook:check: {unknown}",
        "seed 10_items, hook:check.items.name: its own code wrote it, and nobody notices when it is changed",
        "seed 10_items, hook:check.items: its own code wrote a row of it, and nobody notices when that is deleted",
    ]


EACH = """
from seedframe import Change

WRITES = ["items"]

def check(db):
    for number in range(100, 120):
        row = db.row("select name from items where sku = :sku", sku=str(number))
        if row is None:
            yield Change("create", {"sku": str(number)}, after={"name": "A"})
        elif row["name"] != "A":
            yield Change("update", {"sku": str(number)}, {"name": row["name"]}, {"name": "A"})

def apply(db, plan):
    for change in plan.own:
        db.execute("insert into items values (:sku, 'A') on conflict (sku) do update set name = 'A'", **change.key)
"""


def test_a_check_that_does_not_look_at_rows_in_the_middle(items: SeedRunner) -> None:
    seed = EACH.replace('!= "A"', '!= "A" and number not in (109, 110)')
    unseen = "its own code wrote it, and nobody notices when it is changed"
    assert left_out(items, seed) == [f"seed 10_items, hook:check.items.name: {unseen}"]
    items.write({"seeds/10_items.py": EACH})
    items.database.execute("truncate items; drop schema seedframe cascade")
    done = items.assert_converges("items")
    done.require_complete()
    assert len(done.mutated) == 12


ALL_AGAIN = (
    EACH.partition("def apply")[0]
    + """
def apply(db):
    db.execute(
        "insert into items (sku, name) select n::text, 'A' from generate_series(100, 119) n"
        " on conflict (sku) do update set name = excluded.name"
    )
"""
)


def test_an_apply_that_writes_again_what_is_right(items: SeedRunner) -> None:
    error = broken(items, ALL_AGAIN)
    assert error.promise == "a repair writes no row that was right"
    first = "seed 10_items, hook:check, items, row sku=100, column name: "
    told = "8 rows of items were right, and are written again as they were; one of them is sku=101"
    assert str(error).partition("\n")[0].endswith(f"right: {first}{told}")


NOTE_THE_TIME = (
    "alter table items add seen timestamptz not null default now();"
    "create function seen() returns trigger language plpgsql as"
    " $$begin if tg_op = 'UPDATE' then new.seen := clock_timestamp(); end if; return new; end$$;"
    "create trigger seen before insert or update on items for each row execute function seen()"
)


def test_an_apply_that_writes_again_where_a_trigger_notes_the_time(items: SeedRunner) -> None:
    """The time alone is no reason, whoever writes it."""
    items.database.execute(NOTE_THE_TIME)
    error = broken(items, ALL_AGAIN)
    assert "8 rows of items were right, and are written again as they were, but for seen; one of" in str(error)


def test_an_apply_that_empties_the_table_and_fills_it(items: SeedRunner) -> None:
    """The rows have other numbers then, and are the same all the same."""
    items.database.execute("alter table items add id int generated always as identity, drop constraint items_pkey")
    items.database.execute("alter table items add primary key (id), add unique (sku)")
    error = broken(items, ALL_AGAIN.replace("def apply(db):", "def apply(db):\n    db.execute('delete from items')"))
    assert "8 rows of items were right, and are written again as they were; one of them is id=" in str(error)


def test_what_is_written_through_a_view_of_partitions(items: SeedRunner) -> None:
    """A view has no rows of its own; what is beneath it was seen to be written."""
    items.database.execute(
        "drop table items; create table all_items (sku text primary key, name text) partition by hash (sku);"
        "create table part partition of all_items for values with (modulus 1, remainder 0);"
        "create view items as select sku, name from all_items"
    )
    error = broken(items, ALL_AGAIN.replace('["items"]', '["items", "all_items"]'))
    assert " rows of part were right, and are written again as they were; one of them is sku=1" in str(error)


def test_of_few_rows_one_is_changed_alone(items: SeedRunner) -> None:
    """All of them are tried at once, so that none is left that was right."""
    error = broken(items, ALL_AGAIN.replace("119)", "102)").replace(", 120)", ", 103)"))
    assert "2 rows of items were right, and are written again as they were; one of them is sku=101" in str(error)


def test_a_kind_that_writes_again_what_is_right(items: SeedRunner) -> None:
    seed = CARELESS.replace(
        'if db.scalar("select count(*) from items")', "if db.scalar('select count(*) = 2 from items')"
    )
    seed = seed.replace("(:sku, :sku)", "(:sku, :sku) on conflict (sku) do update set name = excluded.name")
    seed = seed.replace('for sku in "ab"]', 'for sku in "ab" if not db.row("select 1 from items where sku=:s", s=sku)]')
    seed = seed.replace("for change in changes.sample:", "for sku in 'ab':").replace('sku=change.key["sku"]', "sku=sku")
    error = broken(items, seed)
    assert error.promise == "a repair writes no row that was right"
    assert " of items was right, and is written again as it was" in str(error)


# It writes rows that are right already, beside those that it is fired for.
COUNT_THEM = (
    "alter table items add others int not null default 0;"
    "create function count_them() returns trigger language plpgsql as"
    " $$begin update items set others = 0; return null; end$$;"
    "create trigger count_them after insert or update on items for each statement"
    " when (pg_trigger_depth() = 0) execute function count_them()"
)


def test_what_triggers_write_is_nobodys_fault(items: SeedRunner) -> None:
    items.database.execute(COUNT_THEM)
    items.write({"seeds/10_items.py": EACH})
    items.assert_converges("items")


def test_a_row_that_notes_when_something_was_done_last(items: SeedRunner) -> None:
    """It is of the same table, and written each time, with a time."""
    items.database.execute(NOTE_THE_TIME)
    note = "insert into items values ('last', 'L', 1, now()) on conflict (sku) do update set seen = excluded.seen"
    items.write({"seeds/10_items.py": f"{EACH}    db.execute({note!r})\n"})
    items.assert_converges("items")


@pytest.mark.parametrize(
    ("code", "may"),
    [
        ("begin new.seen := now(); return new; end", False),
        ("begin if tg_op = 'UPDATE items' then return new; end if; -- update items\nreturn new; end", False),
        ("begin insert into public.log values (1) on conflict (n) do update set n = 1; return new; end", False),
        ("begin perform from log for update; return new; end", False),
        ("begin new.slug := slug(new.name); return new; end", False),
        ('begin update only public."items" set n = 1; return new; end', True),
        ("begin update shown set n = 1; return new; end", True),
        ("begin execute 'update items set n = 1'; return new; end", True),
        ("begin perform touch (new.sku); return new; end", True),
        ("begin with x as (delete from items) insert into log values (1); end", True),
        ("begin merge into log using items on true when matched then delete; end", True),
        ("begin perform $x$it's$x$; update items set n = 1; perform ''; end", True),
    ],
)
def test_which_triggers_may_write(code: str, may: bool) -> None:
    there = TriggerCode((("own", "plpgsql", code),), False, frozenset({"touch"}), frozenset({"items", "log"}))
    assert may_write(there, "items") is may


def test_triggers_whose_code_tells_nothing() -> None:
    def there(name: str, rules: bool = False) -> TriggerCode:
        return TriggerCode(((name, "c", name),), rules, frozenset(), frozenset({"items"}))

    assert [may_write(there("moddatetime"), "items"), may_write(there("other"), "items")] == [False, True]
    assert may_write(there("moddatetime", rules=True), "items")


TRUTH = SEED + "\ndef verify(db):\n    if db.scalar('select max(price) from items') > 9:\n        yield 'too dear'\n"


def test_a_verify_that_finds_nothing_whatever_happens(items: SeedRunner) -> None:
    items.write({"seeds/10_items.py": TRUTH.replace("max(price)", "count(*)")})
    with pytest.raises(ConvergenceError) as caught:
        items.assert_converges("items", breaking=["update items set price = 10"])
    assert caught.value.promise == "a seed's own verify finds what breaks its truths"
    assert ": after 'update items set price = 10', no seed's own verify finds anything\n" in str(caught.value)
    assert [str(each) for each in items.assert_converges("items").left_out] == [f"seed 10_items: {SILENT}"]


def test_a_verify_that_finds_what_it_is_about(items: SeedRunner) -> None:
    """Of what the kit does by itself, nothing makes anything dear."""
    items.write({"seeds/10_items.py": TRUTH.replace("max(price)", "coalesce(max(price), 0)")})
    items.assert_converges("items", breaking=["update items set price = 10"]).require_complete()
    with pytest.raises(UsageError, match="breaking='nonsense': cannot be run: syntax error"):
        items.assert_converges("items", breaking="nonsense")


def test_a_verify_that_finds_that_all_is_gone(items: SeedRunner) -> None:
    verify = "def verify(db):\n    if not db.scalar('select count(*) from items'):\n        yield 'nothing to sell'\n"
    items.write({"seeds/10_items.py": f"{SEED}\n{verify}"})
    items.assert_converges("items").require_complete()


def test_an_apply_that_makes_more_than_is_missing(items: SeedRunner) -> None:
    items.database.execute("create table log (n int)")
    seed = (
        EACH.replace("items", "log").replace("sku = :sku", "n = cast(:sku as int)").replace("select name", "select n")
    )
    seed = seed.replace('elif row["name"] != "A"', "elif False").replace('{"sku":', '{"n":').replace(", 120", ", 102")
    seed = seed.partition("    for change")[0] + "    db.execute('insert into log values (100), (101)')\n"
    error = broken(items, seed)
    assert error.promise == "apply repairs what was changed"
    assert "seed 10_items, hook:check, log, row n=100: afterwards log has 3 rows, and it had 2 before" in str(error)


def test_what_is_no_row_cannot_be_tried(items: SeedRunner) -> None:
    seed = OWN.partition("def check")[0] + (
        "def check(db):\n    if not db.scalar(\"select to_regclass('one')\"):\n"
        "        yield Change('create', {'table': 'one'})\n\n"
        "def apply(db):\n    db.execute('create table one (n int)')\n"
    )
    (said,) = left_out(items, seed.replace('"items"', '"one"'))
    assert said.startswith(
        "seed 10_items, hook:check: what its own code manages cannot be changed by the kit: table=one"
    )


def test_a_check_that_finds_nothing_to_do(items: SeedRunner) -> None:
    seed = SEED + "\ndef check():\n    return []\n\ndef apply():\n    pass\n"
    said = "it found nothing to do, so nothing that it keeps could be tried"
    assert left_out(items, seed) == [f"seed 10_items, hook:check: {said}"]


def test_a_column_that_a_check_keeps_of_declared_rows(items: SeedRunner) -> None:
    """It said what the column is to be, and looks only whether there is anything."""
    items.database.execute("alter table items add note text")
    seed = SEED.replace('{"sku": "b", "name": "B", "price": 2},', "") + (
        "\nfrom seedframe import Change\n\ndef check(db):\n"
        "    if db.scalar('select true from items where note is {absent}') or not db.scalar('select 1 from items'):\n"
        "        yield Change('update', {{'sku': 'a'}}, {{'note': None}}, {{'note': 'N'}})\n\n"
        "def apply(db):\n    db.execute(\"update items set note = 'N'\")\n"
    ).replace("{{", "{").replace("}}", "}")
    error = broken(items, seed.replace("is {absent}", "is null"))
    assert error.promise == "a value changed by hand is found"
    assert "column items.note ('N' to " in str(error)
    items.database.execute("truncate items; drop schema seedframe cascade")
    items.write({"seeds/10_items.py": seed.replace("is {absent}", "is distinct from ''N''").replace("''N''", "$$N$$")})
    items.assert_converges("items").require_complete()


def test_a_column_that_is_declared_only_until_it_is_there(items: SeedRunner) -> None:
    seed = SEED.replace("def resources():", "def resources(db):").replace(', initial=["price"]', "")
    seed = seed.replace('"price": 1}', '**({} if db.scalar("select count(*) from items") else {"price": 1})}')
    seed = seed.replace('{"sku": "b", "name": "B", "price": 2},', "")
    reason = "the first apply managed it, and once it is applied the seed does not declare it so"
    assert left_out(items, seed) == [f"seed 10_items, rows:items.price: {reason}"]


def test_a_server_that_others_write_to_tells_nothing_of_wal(items: SeedRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the server's position writes, and so it moves while nobody else does."""
    position = type(items.database).position

    def busy(database: object) -> tuple[str, str]:
        with psycopg.connect(items.database.url) as connection:
            connection.execute("select pg_current_xact_id()")
        return position(items.database)

    monkeypatch.setattr(type(items.database), "position", busy)
    items.write({"seeds/10_items.py": SEED})
    (unproven,) = items.assert_converges("items").unproven
    assert unproven.startswith("a dry run writes nothing: others write to the server")


def test_requirements_come_first(items: SeedRunner) -> None:
    items.database.execute("create table parts (item text primary key references items, n int)")
    items.write(
        {
            "seeds/10_items.py": SEED,
            "seeds/20_parts.py": "from seedframe import Rows\n\nREQUIRES = ['items']\n\n\ndef resources():\n"
            "    yield Rows('parts', key='item', rows=[{'item': 'a', 'n': 1}])\n",
        }
    )
    done = items.assert_converges("20_parts")
    assert [seed.seed for seed in done.report.seeds] == ["20_parts"]
    assert [each.column for each in done.mutated] == ["n"]
    # Without names, all of them; here of a database that is seeded already.
    assert [each.seed for each in items.assert_converges().mutated] == ["10_items", "20_parts"]


ACCOUNT = """
from seedframe import Account, LocalAccounts

def resources():
    columns = {"email": "login", "role": "kind", "first_name": None, "last_name": None}
    yield Account(LocalAccounts("people", columns=columns), email="a@b.example", role="admin")
"""


def test_an_account_whose_columns_have_other_names(items: SeedRunner) -> None:
    items.database.execute(
        "create table people (id bigint generated always as identity primary key, login text not null unique,"
        " password_hash text not null, kind text not null, is_active boolean not null)"
    )
    items.write({"seeds/10_items.py": ACCOUNT})
    done = items.assert_converges("items")
    done.require_complete()
    assert [(each.column, each.key) for each in done.mutated] == [
        ("kind", {"login": "a@b.example"}),
        ("is_active", {"login": "a@b.example"}),
    ]
    assert done.deleted == ("account:a@b.example",)


PLUGINS = (Path(__file__).resolve().parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
(COMMENT,) = (
    sample.partition("def seedframe_resource_kinds")[0]
    for sample in re.findall(r"^```python\n(.*?)^```$", PLUGINS, re.MULTILINE | re.DOTALL)
    if "class Comment" in sample
)
GRANT = """
from seedframe import Change, Changes


class Reader:
    name, tables = "reader:items", ("items",)

    def describe(self):
        return "who reads"

    def diff(self, db):
        granted = "select true from information_schema.role_table_grants where table_name = 'items'"
        found = db.scalar(f"{granted} and grantee = 'PUBLIC'")
        return Changes.of([] if found else [Change("create", {"grantee": "public"}, None, {"select": "true"})])

    def delete(self, db, changes):
        pass

    def write(self, db, changes):
        db.execute("grant select on items to public")
"""


def test_kinds_that_write_no_rows(items: SeedRunner) -> None:
    """A comment of the page about plugins, and a privilege on a table that the same seed fills."""
    items.write(
        {
            "seeds/10_items.py": f"{COMMENT}{GRANT}{SEED}    yield Comment('items', 'it''s all')\n    yield Reader()\n",
        }
    )
    done = items.assert_converges("items")
    done.require_complete()
    assert done.deleted == ("rows:items", "comment:items", "reader:items")


def test_a_kind_that_writes_no_rows_and_does_not_look(items: SeedRunner) -> None:
    index = '        db.execute("create index if not exists named on items (price)")\n        comment ='
    seed = COMMENT.replace("        comment =", index) + "\n\ndef resources():\n    yield Comment('items', 'all')\n"
    (said,) = left_out(items, seed)
    assert said.startswith(
        "seed 10_items, comment:items: the first apply made index named of items, and nobody notices"
    )
