"""Rows that the table cannot take: named by file, line, resource, key and rule, never by what is in them."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from seedframe.errors import BadData
from seedframe.sources.files import open_file
from tests.conftest import ProjectFactory, Sql
from tests.refusals import Refusals, of_file, one_line, refused, seed
from tests.running import apply, dry_run, error, verify

__all__ = ["refused"]

TABLE: Final = """
create type color as enum ('red', 'green');
create domain positive as int check (value > 0);
create table owners (id int primary key);
create table items (sku text primary key, name text not null, price numeric(4,2), made date, n int, c color,
                    p positive, v varchar(3), j jsonb, a int[], owner int references owners, u text unique,
                    k int constraint k_over_0 check (k > 0), per int4range, twice int generated always as (2) stored,
                    constraint apart exclude using gist (per with &&))
"""

GOOD: Final[Mapping[str, Any]] = {
    "sku": "", "name": "x", "price": "1.5", "made": "2024-02-29", "n": 1, "c": "red", "p": 1, "v": "ab", "j": "{}",
    "a": "{1}", "owner": None, "u": None, "k": 1, "per": None,
}  # fmt: skip

SMALL: Final = 4
STAGED: Final = 6_001  # more than one chunk: in apply they go through a staging table
SIZES = pytest.mark.parametrize("size", [SMALL, STAGED], ids=["parameters", "staged"])
ENDINGS = pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "toml", "py"])


@pytest.fixture(autouse=True)
def items(sql: Sql) -> None:
    """The table that all of these are about."""
    sql(TABLE)


def rows(size: int, bad: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Good rows with the columns of `bad`, and `bad` in the last but one."""
    columns = ["sku", "name", *(name for name in bad if name not in ("sku", "name"))]
    made = [{**{name: GOOD[name] for name in columns}, "sku": f"s{number}"} for number in range(size)]
    made[-2].update(bad)
    return made


def written(ending: str, declared: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a file's text."""
    if ending in ("csv", "tsv"):
        text = io.StringIO()
        writer = csv.writer(text, delimiter="," if ending == "csv" else "\t", lineterminator="\n")
        writer.writerow(declared[0])
        writer.writerows(["" if value is None else value for value in row.values()] for row in declared)
        return text.getvalue()
    if ending == "json":
        return "[\n" + ",\n".join(json.dumps(row) for row in declared) + "\n]\n"
    if ending == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in declared)
    return "".join(
        "[[r]]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in row.items()) for row in declared
    )


def place(ending: str, size: int, columns: int) -> str:
    """Where the last row but one stands."""
    number = size - 1
    if ending == "py":
        return f"rows:items row {number}"
    line = {"csv": number + 1, "tsv": number + 1, "json": number + 1, "jsonl": number}.get(ending, 0)
    return f"seeds/items.{ending}:{line or (number - 1) * (columns + 1) + 1}"


def refuse(
    refused: Refusals, ending: str, size: int, bad: Mapping[str, Any], expected: str, *, key: bool = False
) -> str:
    """Every command refuses the last row but one, and says `expected` of it."""
    declared = rows(size, bad)
    where = place(ending, size, len(declared[0]))
    if key:
        name = "" if ending == "py" else "rows:items, "
        where += f" ({name}sku={declared[-2]['sku']})"
    if ending == "py":
        read = "rows=__import__('json').loads((__import__('pathlib').Path(__file__).parent / 'items.txt').read_text())"
        folder = refused.folder(seed(f'"items", key="sku", {read}'), {"items.txt": json.dumps(declared)})
    else:
        folder = refused.folder(of_file(f"items.{ending}"), {f"items.{ending}": written(ending, declared)})
    return refused.everywhere(folder, f": {where}: {expected}")


# Values that do not fit their column's type


@pytest.mark.promise("a number out of range", "line and column, the same in every format and command")
@SIZES
@ENDINGS
def test_out_of_range(ending: str, size: int, refused: Refusals) -> None:
    refuse(refused, ending, size, {"n": 99999999999}, 'column n: value "99999999999" is out of range for type integer')


@pytest.mark.promise("an invalid date", "line and column")
@SIZES
def test_invalid_date(size: int, refused: Refusals) -> None:
    refuse(refused, "csv", size, {"made": "2024-02-30"}, "column made: date/time field value out of range")


@pytest.mark.promise("a value that is too long", "line and column, and how long it is; nothing is cut in silence")
@SIZES
@ENDINGS
def test_too_long(ending: str, size: int, refused: Refusals) -> None:
    refuse(refused, ending, size, {"v": "abcd"}, "column v: 4 characters are too long for character varying(3)")


@pytest.mark.promise("an unknown label of an enum", "line and column")
@SIZES
def test_unknown_label(size: int, refused: Refusals) -> None:
    refuse(refused, "csv", size, {"c": "blue"}, 'column c: invalid input value for enum color: "blue"')


@pytest.mark.promise("a value that its domain's check refuses", "line and column, and the check's name")
@SIZES
def test_domain(size: int, refused: Refusals) -> None:
    refuse(
        refused,
        "csv",
        size,
        {"p": -1},
        "column p: value for domain positive violates check",
    )


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ({"price": "123.4"}, "column price: numeric field overflow"),
        ({"j": "{x"}, "column j: invalid input syntax for type json"),
        ({"j": '{"x": "\\u0000"}'}, "column j: unsupported Unicode escape sequence"),
        ({"a": "{1"}, 'column a: malformed array literal: "{1"'),
        ({"a": "{1,x}"}, 'column a: invalid input syntax for type integer: "x"'),
    ],
)
@SIZES
def test_other_values(bad: Mapping[str, Any], expected: str, size: int, refused: Refusals) -> None:
    refuse(refused, "csv", size, bad, expected)


# Keys


@pytest.mark.promise("a row whose key has no value", "line and column")
@SIZES
def test_key_missing(size: int, refused: Refusals) -> None:
    refuse(refused, "csv", size, {"sku": None}, "key column sku has no value")


@pytest.mark.promise("a key twice", "both lines")
@SIZES
@ENDINGS
def test_key_twice(ending: str, size: int, refused: Refusals) -> None:
    first = "rows:items row 1" if ending == "py" else f"seeds/items.{ending}:{1 if ending in ('jsonl', 'toml') else 2}"
    refuse(refused, ending, size, {"sku": "s0"}, f"the key (sku) of this row is also that of {first}")


# What the table's rules refuse


@pytest.mark.promise("NULL in a NOT NULL column", "file, line and key of the first such row, in a dry run too")
@SIZES
@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "py"])
def test_null(ending: str, size: int, refused: Refusals) -> None:
    refuse(refused, ending, size, {"name": None}, "column 'name' must have a value", key=True)


def test_null_in_a_row_that_is_there(refused: Refusals, sql: Sql) -> None:
    sql("insert into items (sku, name) values ('s2', 'x')")
    refuse(refused, "csv", SMALL, {"name": None}, "column 'name' must have a value", key=True)


def test_a_required_column_that_is_not_declared(refused: Refusals) -> None:
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,n\na,1\n"})
    refused.everywhere(
        folder, "seeds/items.csv:2 (rows:items, sku=a): column 'name' must have a value (declare the column"
    )


def test_nothing_is_required_of_a_row_that_is_there(project: ProjectFactory, sql: Sql) -> None:
    sql("insert into items (sku, name) values ('a', 'x')")
    folder = project({"seeds/10_items.py": seed('"items", key="sku", rows=[{"sku": "a", "n": 1}]')})
    assert [run(folder).exit_code for run in (dry_run, apply, verify)] == [0, 0, 0]


@pytest.mark.promise("a row that a check constraint refuses", "line, key and the constraint's name, in a dry run too")
@SIZES
def test_check(size: int, refused: Refusals) -> None:
    told = refuse(refused, "csv", size, {"k": -77}, "the check constraint k_over_0 refused a row", key=True)
    assert "-77" not in told


def test_a_check_over_columns_that_are_not_declared(refused: Refusals, sql: Sql) -> None:
    sql("alter table items add constraint k_needs_n check (k is null or n is not null)")
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,name,k\na,b,\nc,d,3\n"})
    refused.everywhere(folder, "seeds/items.csv:3 (rows:items, sku=c): the check constraint k_needs_n refused a row")
    sql("alter table items alter n set default 5")
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,name,k\na,b,3\n"})
    assert [run(folder).exit_code for run in (dry_run, apply, verify)] == [0, 0, 0]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_a_check_is_of_what_would_be_written(mode: str, refused: Refusals, sql: Sql) -> None:
    sql("alter table items drop constraint k_over_0; insert into items (sku, name, k) values ('a', 'b', -5)")
    sql("alter table items add constraint k_over_0 check (k > 0 or name = 'b') not valid")
    text = '"items", key="sku", initial=["k"], rows=[{"sku": "a", "name": "c", "k": 1}]' + f', mode="{mode}"'
    folder = refused.folder(seed(text), {})
    if mode == "insert":
        assert [run(folder).exit_code for run in (dry_run, apply, verify)] == [0, 0, 0]
    else:
        refused.everywhere(folder, "rows:items row 1 (sku=a): the check constraint k_over_0 refused a row")


def test_a_check_that_cannot_be_evaluated_is_told_when_it_is_written(refused: Refusals, sql: Sql) -> None:
    sql("alter table items add constraint ratio check (10 / (k - 1) > 1)")
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,name,k\na,b,1\n"})
    assert dry_run(folder).exit_code == 0
    refused.apply(folder, "seeds/items.csv:2 (rows:items, sku=a): a value does not fit its column: division by zero")


@pytest.mark.promise("a unique value twice in the source", "both rows by line and key, in a dry run too")
def test_unique_within_the_source(refused: Refusals) -> None:
    declared = "sku,name,u\na,x,one\nb,x,\nc,x,two\nd,x,\ne,x,one\n"
    folder = refused.folder(of_file("items.csv"), {"items.csv": declared})
    refused.everywhere(
        folder,
        "seeds/items.csv:6 (rows:items, sku=e): the unique constraint items_u_key refused a row:"
        " seeds/items.csv:2 (rows:items, sku=a) has its value",
    )


@pytest.mark.promise("a unique value that another row of the table has", "the key of that row, unless it is secret")
@SIZES
def test_unique_in_the_table(size: int, refused: Refusals, sql: Sql) -> None:
    sql("insert into items (sku, name, u) values ('there', 'x', 'taken')")
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"u": "taken"}))})
    told = refused.apply(
        folder,
        f"seeds/items.csv:{size} (rows:items, sku=s{size - 2}): the unique constraint items_u_key refused a row:"
        " the row sku=there of public.items has its value",
    )
    assert "taken" not in told


def test_unique_values_of_secret_keys_are_not_shown(refused: Refusals, sql: Sql) -> None:
    sql("insert into items (sku, name, u) values ('canary-1', 'x', 'canary-2')")
    text = '"items", key="sku", secret=["sku", "u"], rows=[{"sku": "canary-3", "name": "x", "u": "canary-2"}]'
    told = refused.apply(
        refused.folder(seed(text), {}), "rows:items row 1: the unique constraint items_u_key", "another row"
    )
    assert "canary" not in told


@pytest.mark.promise(
    "a row that an exclusion constraint refuses", "line, key, the constraint, and the key of the other"
)
@SIZES
def test_exclusion(size: int, refused: Refusals, sql: Sql) -> None:
    sql("insert into items (sku, name, per) values ('there', 'x', '[10,20)')")
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"per": "[15,16)"}))})
    refused.apply(
        folder,
        f"seeds/items.csv:{size} (rows:items, sku=s{size - 2}): the exclusion constraint apart refused a row:"
        " the row sku=there of public.items has its value",
    )


@pytest.mark.promise("a row that a foreign key refuses", "line, key and the constraint's name")
@SIZES
def test_foreign_key(size: int, refused: Refusals) -> None:
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"owner": 123456}))})
    told = refused.apply(
        folder, f"seeds/items.csv:{size} (rows:items, sku=s{size - 2}): the foreign key items_owner_fkey refused a row"
    )
    assert "123456" not in told


@pytest.mark.promise(
    "a foreign key whose row is neither there nor planned", "a dry run and verify warn, with line and key"
)
@SIZES
def test_foreign_key_ahead(size: int, refused: Refusals) -> None:
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"owner": 123456}))})
    for run, code in ((dry_run, 0), (verify, 1)):
        report = run(folder)
        assert report.exit_code == code
        (told,) = [finding for outcome in report.seeds for finding in outcome.findings if finding.severity == "warning"]
        where = f"seeds/items.csv:{size} (rows:items, sku=s{size - 2})"
        assert told.text.startswith(f"{where}: the foreign key items_owner_fkey will refuse this row, unless something")
        assert "123456" not in told.text


def test_a_foreign_key_whose_row_is_planned_is_no_warning(project: ProjectFactory, sql: Sql) -> None:
    text = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a", "name": "b", "owner": 7}, {"sku": "c", "name": "d", "owner": 8}])
    yield Rows("owners", key="id", rows=[{"id": 7}])
"""
    sql("alter table items alter constraint items_owner_fkey deferrable; insert into owners values (8)")
    report = dry_run(project({"seeds/10_items.py": text}))
    assert report.exit_code == 0
    assert [finding.text for outcome in report.seeds for finding in outcome.findings] == []


@pytest.mark.promise(
    "a deferred constraint refuses a row at the end", "line, key and the constraint's name, all the same"
)
@SIZES
@pytest.mark.parametrize(
    ("made", "bad", "expected"),
    [
        (
            "alter constraint items_owner_fkey deferrable initially deferred",
            {"owner": 5},
            "the foreign key items_owner_fkey",
        ),
        ("add constraint once unique (n) deferrable initially deferred", {"n": 5}, "the unique constraint once"),
    ],
)
def test_deferred(made: str, bad: Mapping[str, Any], expected: str, size: int, refused: Refusals, sql: Sql) -> None:
    sql(f"alter table items {made}")
    sql("insert into items (sku, name, n) values ('there', 'x', 5)")
    declared = [{**row, **{name: row[name] if row[name] == value else None for name, value in bad.items()}}
                for row in rows(size, bad)]  # fmt: skip
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", declared)})
    refused.apply(folder, f"seeds/items.csv:{size} (rows:items, sku=s{size - 2}): {expected} refused a row")


# Triggers, rules, policies

REFUSE: Final = """
create function refuse() returns trigger language plpgsql as $$
begin
  if new.k = 77 then raise exception 'no such thing' using detail = 'canary', errcode = '{code}'; end if;
  return new;
end $$;
create trigger t {when} on items for each row execute function refuse()
"""


@pytest.mark.promise(
    "a trigger raises", "line, key, the function and what it says; DETAIL, which may hold rows, is not shown"
)
@pytest.mark.parametrize(
    ("size", "code", "when"),
    [
        (SMALL, "P0001", "before insert"),
        (SMALL, "22023", "after insert"),
        (SMALL, "MY001", "before insert or update"),
        (STAGED, "P0001", "before insert"),
    ],
)
def test_trigger_raises(size: int, code: str, when: str, refused: Refusals, sql: Sql) -> None:
    sql(REFUSE.format(code=code, when=when))
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"k": 77}))})
    told = refused.apply(
        folder,
        f"seeds/items.csv:{size} (rows:items, sku=s{size - 2}): function refuse refused a row: no such thing [{code}]",
    )
    assert "canary" not in told


def test_a_trigger_on_update_raises(refused: Refusals, sql: Sql) -> None:
    sql("insert into items (sku, name, k) values ('s2', 'x', 1)")
    sql(REFUSE.format(code="P0001", when="before update"))
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(SMALL, {"k": 77}))})
    refused.apply(
        folder, "seeds/items.csv:4 (rows:items, sku=s2): function refuse refused a row: no such thing [P0001]"
    )


def test_what_a_trigger_says_of_secrets_is_withheld_and_its_row_still_named(refused: Refusals, sql: Sql) -> None:
    sql(REFUSE.format(code="P0001", when="before insert").replace("'no such thing'", "'no %', new.name"))
    text = '"items", key="sku", secret=["name"], rows=[{"sku": "a", "name": "canary-9", "k": 77}]'
    told = refused.apply(
        refused.folder(seed(text), {}), "rows:items row 1 (sku=a): a trigger or function refused a row [P0001]"
    )
    assert "canary" not in told


@pytest.mark.promise(
    "a trigger or a rule swallows a row", "after apply it is still missing: line and key, and rolled back"
)
@pytest.mark.parametrize(
    "made",
    [
        """
        create function swallow() returns trigger language plpgsql as $$
        begin return case when new.k = 78 then null else new end; end $$;
        create trigger t before insert on items for each row execute function swallow()
        """,
        "create rule r as on insert to items where new.k = 78 do instead nothing",
    ],
    ids=["trigger", "rule"],
)
@SIZES
def test_swallowed(size: int, made: str, refused: Refusals, sql: Sql) -> None:
    sql(made)
    folder = refused.folder(of_file("items.csv"), {"items.csv": written("csv", rows(size, {"k": 78}))})
    refused.apply(
        folder,
        f"seeds/items.csv:{size}: rows:items does not converge: after apply, for sku=s{size - 2}, it is still to be",
    )


@pytest.mark.promise(
    "row-level security that may hide or refuse rows", "refused before anything is compared, with a way out"
)
def test_row_security(refused: Refusals, sql: Sql, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    sql("drop role if exists limited; create role limited login; alter table items enable row level security")
    sql("create policy p on items with check (k < 5); grant select, insert, update on items to limited")
    sql("grant create on database " + database.partition("@/")[2].partition("?")[0] + " to limited")
    monkeypatch.setenv("DATABASE_URL", database.replace("postgres@", "limited@"))
    try:
        folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,name,k\na,b,9\n"})
        refused.everywhere(folder, "row-level security of table public.items may hide rows from the role limited")
    finally:
        sql("drop owned by limited; drop role limited")


@pytest.mark.promise("no privilege on the table", "which one, on what, and the GRANT that gives it")
def test_no_permission(refused: Refusals, sql: Sql, monkeypatch: pytest.MonkeyPatch, database: str) -> None:
    sql("drop role if exists limited; create role limited login")
    sql("grant create on database " + database.partition("@/")[2].partition("?")[0] + " to limited")
    monkeypatch.setenv("DATABASE_URL", database.replace("postgres@", "limited@"))
    try:
        folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,name\na,b\n"})
        refused.everywhere(folder, "the role has no SELECT on table public.items (GRANT SELECT ON")
        sql("grant select on items to limited; drop schema seedframe cascade")
        refused.apply(folder, "the role limited has no INSERT on table public.items (GRANT INSERT ON")
    finally:
        sql("drop owned by limited; drop role limited")


# Declarations


@pytest.mark.promise("a table that does not exist", "the name, and the nearest one that does")
def test_no_table(refused: Refusals) -> None:
    folder = refused.folder(seed('"itms", key="sku", rows=[{"sku": "a"}]'), {})
    refused.everywhere(
        folder, "table public.itms does not exist (did you mean 'items'? Else run migrations first", verified=2
    )


@pytest.mark.promise("no unique index on the key", "said so, before anything is compared")
def test_no_unique_index(refused: Refusals) -> None:
    folder = refused.folder(seed('"items", key="name", rows=[{"name": "a"}]'), {})
    refused.everywhere(folder, "no unique index of public.items covers exactly the key (name)")


@pytest.mark.promise("a view that cannot be written to", "said so; one that can is fine")
def test_view(refused: Refusals, sql: Sql) -> None:
    sql("create view looks as select sku from items order by sku limit 3")
    folder = refused.folder(seed('"looks", key="sku", rows=[{"sku": "a"}]'), {})
    refused.everywhere(folder, "view public.looks cannot be inserted into and updated")


@pytest.mark.promise(
    "a value for a generated column", "refused at the header; one GENERATED ALWAYS AS IDENTITY is written"
)
def test_generated(refused: Refusals, project: ProjectFactory, sql: Sql) -> None:
    refused.file(
        "items.csv", "sku,name,twice\na,b,2\n", "seeds/items.csv:1: column 'twice' of public.items is generated"
    )
    sql("create table made (id int generated always as identity primary key)")
    folder = project({"seeds/10_made.py": seed('"made", key="id", rows=[{"id": 7}]')})
    assert apply(folder).exit_code == 0
    assert sql("select id from made") == [(7,)]


# Whatever the bytes

YAML = (
    "- ", "sku", ": ", "\n", "  ", "a", "1", "~", "'", '"', "&x ", "*x", "<<", "!!str ", "!x ", "| ", "> ", "? ",
    "---\n", "...\n", "%YAML 1.1\n", "%TAG ! x", "\t", "[", "]", "{", "}", ",", "#", "\u2028", "\\UFFFFFFFF",
)  # fmt: skip
BYTES = st.one_of(
    st.binary(max_size=200),
    st.text(alphabet='ab,;"\n\r\t\x00\ufeffé{}[]:=0.1e-\\u', max_size=120).map(lambda text: text.encode()),
    st.lists(st.sampled_from([b"sku", b"name", b"n", b",", b"\n", b'"', b"x", b"1", b"\xff", b"\r", b"\t"])).map(
        b"".join
    ),
    st.lists(
        st.sampled_from(
            ["[", "]", "{", "}", ",", ":", '"sku"', '"a"', "1", "null", "NaN", "\n", " ", "[[r]]\n", "sku=1\n"]
        )
    ).map(lambda parts: "".join(parts).encode()),
    st.lists(st.sampled_from(YAML)).map(lambda parts: "".join(parts).encode()),
)


@pytest.mark.promise("any bytes at all as a data file", "rows, or one line that names the file; never a traceback")
@pytest.mark.parametrize("ending", ["csv", "tsv", "json", "jsonl", "toml", "yaml", "csv.gz", "json.bz2", "yml.xz"])
@given(content=BYTES)
@example(content=b'"\n"\t\x01\n\x01')
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes(ending: str, content: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    (folder / f"any.{ending}").write_bytes(content)
    said = f"seeds/any.{ending}"
    try:
        records = open_file(folder, f"any.{ending}", shown=f"seeds/any.{ending}")
        for block in records.blocks:
            assert len(block.columns) == len(records.fields)
            assert all(len(column) == len(block.lines) for column in block.columns)
            assert records.place(block.lines[0]).startswith(f"seeds/any.{ending}")
    except BadData as refusal:
        said = str(refusal)
    assert said.startswith(f"seeds/any.{ending}")
    assert "\n" not in said


@pytest.mark.promise("rows of any text at all", "all of them, or none and one line")
@given(
    declared=st.lists(
        st.tuples(
            st.text(max_size=5), st.text(max_size=8), st.sampled_from(["1", "", "-3", "x", "99999999999", "\x00"])
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_rows(declared: list[tuple[str, str, str]], project: ProjectFactory, sql: Sql) -> None:
    sql("delete from items; drop schema if exists seedframe cascade")
    folder = project({"seeds/10_items.py": of_file("items.csv")})
    text = written("csv", [dict(zip(("sku", "name", "k"), row, strict=True)) for row in declared])
    (folder.path / "seeds/items.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    reports = [run(folder) for run in (dry_run, verify, apply)]
    count = sql("select count(*) from items")[0][0]
    if reports[2].exit_code == 0:
        assert count == len(declared)
        assert [report.exit_code for report in reports] == [0, 1, 0]
    else:
        assert count == 0
        assert [report.exit_code for report in reports] == [1, 3, 1]
        assert len({one_line(report) for report in reports}) == 1
        assert "seeds/items.csv" in error(reports[0])
