"""A project that declares something of every kind and in every mode, small and large, and its tables."""

from collections.abc import Callable, Mapping
from typing import Final

LARGE: Final = 6_000
"""More rows than travel as parameters of one query."""

SCHEMA: Final = """
create type colour as enum ('red', 'green');
create table added (code text primary key, note text, n int);
create table kept (id int generated always as identity primary key, code text unique not null, note text, price numeric,
    stamp timestamptz default now(), token text, shade colour);
create table exact (code text primary key, note text);
create table part (code text primary key, note text, region text not null);
create table pruned (code text primary key, note text);
create table many (id bigserial primary key, code text unique not null, n int, kept_id int references kept (id));
create table many_exact (code text primary key, n int);
create table many_pruned (code text primary key, n int);
create table knots (code text primary key, next text references knots (code) deferrable);
create table users (id serial primary key, email text unique not null, password_hash text not null, first_name text,
    last_name text, role text, is_active boolean not null default true);
create table tickets (id serial primary key, code text unique not null);
create view shown as select code, note from kept;
"""

TABLES: Final = (
    "added", "kept", "exact", "part", "pruned", "many", "many_exact", "many_pruned", "knots", "users", "tickets"
)  # fmt: skip

_KINDS: Final = '''
"""Every kind of resource, and every mode of rows, with few rows."""
import os
from seedframe import (
    Account, Change, Changes, Extension, Finding, LocalAccounts, Rows, Secret, Setting, Tables, moved, ref, removed, sql
)

SETTINGS = [Setting("SEED_FEWER", bool, default=False)]


class Ticket:
    """A kind of resource of the project's own."""

    name = "ticket:T1"
    tables = ("tickets",)

    def describe(self):
        return "ticket T1"

    def diff(self, db):
        if db.scalar("select count(*) from tickets where code = 'T1'"):
            return Changes()
        return Changes.of([Change("create", {"code": "T1"}, None, {"code": "T1"})])

    def delete(self, db, changes):
        pass

    def write(self, db, changes):
        db.execute("insert into tickets (code) values ('T1')")


def resources(settings, db):
    codes = ["a", "b", "c"][: 2 if settings["SEED_FEWER"] else 3]
    db.scalar("select count(*) from added")
    yield Tables("added", "kept")
    yield Tables("not_there", required=False)
    yield Extension("pgcrypto", required=False)
    yield Rows("added", key="code", mode="insert", rows=[{"code": c, "note": "n", "n": 1} for c in codes])
    yield Rows(
        "kept", key="code", initial={"price": "9.50", "stamp": sql("now()")}, ignore=["aside"], secret=["token"],
        validate={"price": "price > 0"}, max_update="100%",
        rows=[{"code": c, "note": "n", "token": "t-" + c, "shade": "red", "aside": 1} for c in codes],
    )
    yield Rows("exact", key="code", mode="sync", file="data/exact.csv")
    yield Rows("part", key="code", mode="sync", where="region = 'eu'",
               rows=[{"code": c, "note": "n", "region": "eu"} for c in codes])
    yield Rows("pruned", key="code", prune=True, rows=[{"code": c, "note": "n"} for c in codes])
    yield Rows("pruned", key="code", name="moved", rows=[{"code": "new", "note": "n"}],
               transitions=[moved("old", "new"), removed("gone")])
    yield Rows("knots", key="code", rows=[{"code": "x", "next": ref("knots", code="y")},
                                          {"code": "y", "next": ref("knots", code="x")}])
    yield Account(LocalAccounts("users"), email="admin@example.com", password=Secret("correct horse battery staple"),
                  first_name="Ann", role="admin")
    yield Ticket()


def check(db):
    if not db.scalar("select count(*) from tickets where code = 'OWN'"):
        yield Change("create", {"code": "OWN"})


def apply(db, plan):
    db.execute("insert into tickets (code) values ('OWN')")


def verify(db):
    if db.scalar("select count(*) from tickets") < 1:
        yield "no ticket"
    yield Finding("looked", "info")
'''

_MANY: Final = f'''
"""More rows than travel as parameters of one query, in every mode, streamed."""
from seedframe import Rows, Setting, column, ref

SETTINGS = [Setting("SEED_FEWER", bool, default=False)]


def resources(settings):
    size = {LARGE} - (500 if settings["SEED_FEWER"] else 0)
    yield Rows("many", key="code", refs={{"kept_id": ref("kept", code=column("kept"))}},
               rows=({{"code": f"m{{n}}", "n": n, "kept": "a"}} for n in range(size)))
    yield Rows("added", key="code", mode="insert", name="many_added",
               rows=lambda: ({{"code": f"m{{n}}"}} for n in range(size)))
    yield Rows("many_exact", key="code", mode="sync", rows=({{"code": f"m{{n}}", "n": n}} for n in range(size)))
    yield Rows("many_pruned", key="code", prune=True, rows=({{"code": f"m{{n}}", "n": n}} for n in range(size)))
'''

FILES: Final[Mapping[str, str]] = {
    "seeds/10_kinds.py": _KINDS,
    "seeds/20_many.py": _MANY,
    "seeds/data/exact.csv": "code,note\na,n\nb,n\nc,n\n",
}

FEWER: Final[Mapping[str, str]] = {"SEED_FEWER": "true"}
"""With this variable the seeds declare less than before: some rows are to be deleted."""

DISTURBANCE: Final = f"""
update added set note = 'x', n = 7;
update kept set note = 'x', token = 'y' where code = 'a';
delete from kept where code = 'c';
insert into exact values ('extra', 'x');
insert into part values ('extra', 'x', 'eu'), ('theirs', 'x', 'us');
update pruned set note = 'x' where code = 'a';
delete from pruned where code = 'new';
insert into pruned values ('old', 'n'), ('gone', 'n');
update many set n = -1 where n % 100 = 0;
delete from many where n % 100 = 1;
insert into many_exact values ('extra', 1);
update many_exact set n = -1 where n > {LARGE - 100};
delete from many_pruned where n % 10 = 0;
update users set role = 'other', is_active = false;
delete from tickets;
"""
"""What others do to the database between two runs."""


def snapshot(query: Callable[[str], list[tuple[object, ...]]]) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, by what is in them."""
    return {name: query(f"select t::text from {name} t order by 1") for name in TABLES}
