# ruff: noqa: E501 - each case is one line, as the error it expects is
"""Bad input: one clear line that names the place, in a dry run as in apply, and nothing written."""

import gc
import gzip
import os
from pathlib import Path

import pytest

from tests.conftest import ProjectFactory, Sql
from tests.running import apply, dry_run, error

TABLE = """
create type color as enum ('red', 'green');
create domain positive as int check (value > 0);
create table items (sku text primary key, name text not null, price numeric(4,2), made date, n int, c color,
                    p positive, v varchar(3), f char(2), b bit(2), j jsonb, u uuid, flag boolean)
"""


def seed(arguments: str) -> str:
    return f"from seedframe import Rows, ref, sql, column\n\ndef resources():\n    yield Rows({arguments})\n"


CSV = 'table="items", key="sku", file="data/items.csv"'

FILES = {
    "empty file": ("", "data/items.csv: the file is empty"),
    "wrong delimiter": ("sku;name\na;b\n", "data/items.csv:1: the header has one column, 'sku;name'"),
    "too many fields": ("sku,name\na,b,c\n", "data/items.csv:2, after column name: 3 fields, but the header has 2"),
    "too few fields": ("sku,name,price\na,b\n", "data/items.csv:2, after column name: 2 fields"),
    "unknown column": (
        "sku,nam\na,b\n",
        "data/items.csv:1: table public.items has no column 'nam' (did you mean 'name'",
    ),
    "repeated header": ("sku,name,sku\na,b,c\n", "data/items.csv:1: column 'sku' stands twice"),
    "unnamed column": ("sku,,name\na,b,c\n", "data/items.csv:1: column 2 has no name"),
    "stray quote": ('sku,name\na,"b"c\n', "data/items.csv:2: this is no CSV"),
    "open quote": ('sku,name\na,"b\n\n', "data/items.csv:2: this is no CSV"),
    "repeated key": (
        "sku,name\na,b\nc,d\na,e\n",
        "data/items.csv:4: the key (sku) of this row is also that of seeds/data/items.csv:2",
    ),
    "missing key": ("sku,name\na,b\n,d\n", "data/items.csv:3: key column sku has no value"),
    "key not in the header": ("name,price\na,1\n", "key= names 'sku', which the rows do not have"),
    "no number": (
        "sku,name,price\na,b,1\nc,d,x1\n",
        "data/items.csv:3: column price: invalid input syntax for type numeric",
    ),
    "number out of range": (
        "sku,name,n\na,b,99999999999\n",
        'data/items.csv:2: column n: value "99999999999" is out of range',
    ),
    "numeric overflow": ("sku,name,price\na,b,123.4\n", "data/items.csv:2: column price: numeric field overflow"),
    "invalid date": (
        "sku,name,made\na,b,2024-02-30\n",
        "data/items.csv:2: column made: date/time field value out of range",
    ),
    "unknown label": (
        "sku,name,c\na,b,blue\n",
        'data/items.csv:2: column c: invalid input value for enum color: "blue"',
    ),
    "domain": ("sku,name,p\na,b,1\nc,d,-1\n", "data/items.csv:3: column p: value for domain positive violates check"),
    "too long": (
        "sku,name,v\na,b,abcd\n",
        "data/items.csv:2: column v: 4 characters are too long for character varying(3)",
    ),
    "too long for char": (
        "sku,name,f\na,b,abc\n",
        "data/items.csv:2: column f: 3 characters are too long for character(2)",
    ),
    "wrong bits": ("sku,name,b\na,b,1\n", "data/items.csv:2: column b: bit string length 1 does not match type bit(2)"),
    "invalid json": ("sku,name,j\na,b,{x\n", "data/items.csv:2: column j: invalid input syntax for type json"),
    "after a long field": (
        'sku,name,n\na,"one\ntwo\nthree",1\nb,c,x\n',
        'data/items.csv:5: column n: invalid input syntax for type integer: "x"',
    ),
}


@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
@pytest.mark.parametrize("case", FILES)
def test_each_bad_file_names_its_place(case: str, run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    text, expected = FILES[case]
    folder = project({"seeds/10_items.py": seed(CSV), "seeds/data/items.csv": text})
    report = run(folder)  # type: ignore[operator]
    assert report.exit_code == 1
    assert expected in error(report)
    assert "\n" not in error(report)
    assert sql("select count(*) from items") == [(0,)]


BYTES = {
    "wrong encoding": ("sku,name\na,é\n".encode("latin-1"), "data/items.csv:2:3: the line is no UTF-8"),
    "another encoding": ("sku,name\na,b\n".encode("utf-16"), "data/items.csv:1:1: the file is UTF-16"),
    "NUL": (b"sku,name\na,b\nc,\x00\n", "data/items.csv:3:3: a NUL character"),
}


@pytest.mark.parametrize("case", BYTES)
def test_bad_bytes(case: str, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    content, expected = BYTES[case]
    folder = project({"seeds/10_items.py": seed(CSV), "seeds/data/items.csv": ""})
    (folder.path / "seeds/data/items.csv").write_bytes(content)
    assert expected in error(apply(folder))


def test_a_byte_order_mark_and_a_field_of_a_megabyte_are_fine(project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    folder = project({"seeds/10_items.py": seed(CSV), "seeds/data/items.csv": ""})
    field = "x" * 1_133_205
    (folder.path / "seeds/data/items.csv").write_text(f"\ufeffsku,name\na,{field}\n", encoding="utf-8")
    assert apply(folder).exit_code == 0
    assert sql("select length(name) from items") == [(1_133_205,)]


INLINE = {
    "missing field": ('[{"sku": "a", "name": "b"}, {"sku": "c"}]', "rows:items row 2: field 'name' is missing"),
    "other field": ('[{"sku": "a", "name": "b"}, {"sku": "c", "nam": "d"}]', "field 'nam' is not in the first row"),
    "no record": ('[("a", "b")]', "rows:items row 1: a row is tuple"),
    "no text": ('[{"sku": "a", "name": object()}]', "rows:items row 1: column name: a object, which cannot be written"),
    "a dict for a text": ('[{"sku": "a", "name": {}}]', "rows:items row 1: column name: a dict, but the column is text"),
    "NUL": ('[{"sku": "a", "name": "\\0"}]', "rows:items row 1: column name: a NUL character"),
    "volatile": ('[{"sku": "a", "made": sql("now()")}]', "column 'made' is an sql() expression, but not initial"),
    "no number": ('[{"sku": "a", "name": "b", "n": "x"}]', "rows:items row 1: column n: invalid input syntax"),
    "no foreign key": ('[{"sku": "a", "name": ref("items", sku="b")}]', "column 'name' of public.items has no foreign key"),
    "NULL where a value must be": ('[{"sku": "a", "name": "b"}, {"sku": "c", "name": None}]', "rows:items row 2 (sku=c): column 'name' must have a value"),
}  # fmt: skip


@pytest.mark.parametrize("case", INLINE)
def test_each_bad_row_names_its_place(case: str, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    rows, expected = INLINE[case]
    folder = project({"seeds/10_items.py": seed(f'"items", key="sku", rows={rows}')})
    report = apply(folder)
    assert report.exit_code == 1
    assert expected in error(report)
    assert sql("select count(*) from items") == [(0,)]


DECLARATIONS = {
    "no unique index": ('"items", key="name", rows=[{"name": "a"}]', "no unique index of public.items covers exactly the key (name)"),
    "a view": ('"looks", key="sku", rows=[{"sku": "a"}]', "view public.looks cannot be inserted into and updated"),
    "no table": ('"itms", key="sku", rows=[{"sku": "a"}]', "table public.itms does not exist (did you mean 'items'? Else run migrations first: seedframe db init;"),
    "generated": ('"made", key="id", rows=[{"id": 1, "twice": 2}]', "column 'twice' of public.made is generated"),
    "unknown mode": ('"items", key="sku", mode="upset", rows=[]', "mode='upset' is not known (did you mean 'upsert'?)"),
    "no source": ('"items", key="sku"', "give rows= or file=, one of the two"),
    "missing file": ('"items", key="sku", file="data/item.csv"', "file 'data/item.csv' does not exist"),
    "outside": ('"items", key="sku", file="../x.csv"', "file '../x.csv' is not below the seed's folder"),
    "absolute": ('"items", key="sku", file="/etc/passwd.csv"', "is not below the seed's folder"),
    "a link out": ('"items", key="sku", file="out.csv"', "file 'out.csv' is a link out of the seed's folder"),
    "a folder": ('"items", key="sku", file="folder.csv"', "'folder.csv' is no regular file"),
    "unknown ending": ('"items", key="sku", file="data/items.xls"', "file 'data/items.xls' has the ending .xls"),
}  # fmt: skip


@pytest.mark.parametrize("case", DECLARATIONS)
def test_each_bad_declaration_says_what_to_do(case: str, project: ProjectFactory, sql: Sql, tmp_path: Path) -> None:
    sql(TABLE)
    sql("create view looks as select sku from items where sku < 'z' order by sku limit 3")
    sql("create table made (id int primary key, twice int generated always as (id * 2) stored)")
    arguments, expected = DECLARATIONS[case]
    folder = project({"seeds/10_items.py": seed(arguments)})
    (tmp_path / "out.csv").write_text("sku,name\na,b\n")
    (folder.path / "seeds/out.csv").symlink_to(tmp_path / "out.csv")
    (folder.path / "seeds/folder.csv").mkdir()
    report = apply(folder)
    assert report.exit_code == 1
    assert expected in error(report)


@pytest.mark.parametrize("position", [0, 1, 4_999, 5_000, 11_999])
@pytest.mark.parametrize("run", [dry_run, apply], ids=["dry_run", "apply"])
def test_one_bad_value_among_many_is_found(position: int, run: object, project: ProjectFactory, sql: Sql) -> None:
    sql(TABLE)
    lines = ["sku,name,n", *(f"s{n},x,{'bad' if n == position else n}" for n in range(12_000))]
    folder = project({"seeds/10_items.py": seed(CSV), "seeds/data/items.csv": "\n".join(lines)})
    report = run(folder)  # type: ignore[operator]
    assert f'data/items.csv:{position + 2}: column n: invalid input syntax for type integer: "bad"' in error(report)


CONSTRAINTS = """
create table owners (id int primary key);
create table things (sku text primary key, name text unique, n int check (n > 0), owner int references owners,
                     period int4range, exclude using gist (period with &&));
insert into things (sku, name) values ('there', 'taken')
"""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('{"name": "taken"}', "the unique constraint things_name_key refused a row"),
        ('{"n": -1}', "the check constraint things_n_check refused a row"),
        ('{"owner": 9}', "the foreign key things_owner_fkey refused a row"),
        ('{"period": "[1,5)"}', "the exclusion constraint things_period_excl refused a row"),
    ],
    ids=["unique", "check", "foreign key", "exclusion"],
)
def test_what_a_constraint_refuses_is_named_without_its_contents(
    row: str, expected: str, project: ProjectFactory, sql: Sql
) -> None:
    sql(CONSTRAINTS)
    sql("insert into things (sku, period) values ('other', '[3,4)')")
    body = (
        '"things", key="sku", rows=[{"sku": f"s{n}", "name": None, "n": None, "owner": None, "period": None,'
        f" **({row} if n == 3 else {{}})}} for n in range(7)]"
    )
    report = apply(project({"seeds/10_things.py": seed(body)}))
    assert f"constraint: rows:things row 4 (sku=s3): {expected}" in error(report)
    assert sql("select count(*) from things") == [(2,)]


def test_an_error_of_a_table_with_a_secret_column_shows_no_value(project: ProjectFactory, sql: Sql) -> None:
    sql("create table keys (name text primary key, value int not null)")
    folder = project(
        {"seeds/10_keys.py": seed('"keys", key="name", secret=["value"], rows=[{"name": "k", "value": "canary-77"}]')}
    )
    for report in (dry_run(folder), apply(folder)):
        assert "rows:keys row 1: column value: the value is no integer" in error(report)
        assert "canary" not in str(report.as_dict())


FORMATS = {
    "items.csv": b"sku,name,price,j\na,A,1.10,\nb,,,\"{\"\"x\"\": [1]}\"\n",
    "items.tsv": b'sku\tname\tprice\tj\na\tA\t1.10\t\nb\t\t\t"{""x"": [1]}"\n',
    "items.json": b'[{"sku": "a", "name": "A", "price": 1.10, "j": null},'
    b' {"sku": "b", "name": null, "price": null, "j": {"x": [1]}}]',
    "items.jsonl": b'{"sku": "a", "name": "A", "price": 1.10, "j": null}\n\n'
    b'{"name": null, "sku": "b", "price": null, "j": {"x": [1]}}\n',
}  # fmt: skip


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_means_the_same(name: str, packed: bool, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text, price numeric(10,2), j jsonb)")
    ending = ".gz" if packed else ""
    folder = project({"seeds/10_items.py": seed(f'"items", key="sku", file="{name}{ending}"')})
    content = FORMATS[name]
    (folder.path / f"seeds/{name}{ending}").write_bytes(gzip.compress(content) if packed else content)
    report = apply(folder)
    assert report.exit_code == 0, report.as_dict()
    assert sql("select sku, name, price::text, j::text from items order by sku") == [
        ("a", "A", "1.10", None),
        ("b", None, None, '{"x": [1]}'),
    ]


def test_toml(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, price numeric, made date, tags text[])")
    folder = project(
        {
            "seeds/10_items.py": seed('"items", key="sku", file="items.toml"'),
            "seeds/items.toml": '[[items]]\nsku = "a"\nprice = 1.10\nmade = 2024-02-29\ntags = ["x", "y,z"]\n',
        }
    )
    assert apply(folder).exit_code == 0
    assert sql("select sku, price::text, made::text, tags from items") == [("a", "1.10", "2024-02-29", ["x", "y,z"])]


JSON = {
    "an object": ('{"sku": "a"}', "items.json:1: the file is no JSON array"),
    "a number in it": ('[\n{"sku": "a"},\n3]', "items.json:3: a row is a number"),
    "cut off": ('[\n{"sku": "a"},\n{"sku"', "items.json:3:7: this is no JSON"),
    "no comma": ('[\n{"sku": "a"}\n{"sku": "b"}]', "items.json:3:1: this is no JSON: a comma or ] is missing"),
    "something after": ('[{"sku": "a"}]\nx', "items.json:2:1: this is no JSON: something follows the array"),
    "a missing key": ('[{"sku": "a", "n": 1},\n{"sku": "b"}]', "items.json:2: field 'n' is missing"),
}


@pytest.mark.parametrize("case", JSON)
def test_bad_json_names_its_line(case: str, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, n int)")
    text, expected = JSON[case]
    folder = project({"seeds/10_items.py": seed('"items", key="sku", file="items.json"'), "seeds/items.json": text})
    assert expected in error(apply(folder))
    assert sql("select count(*) from items") == [(0,)]


def test_the_file_is_closed_when_a_value_in_it_is_bad(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, price numeric)")
    lines = "".join(f"S-{number},{'x' if number == 7 else number}\n" for number in range(12_000))
    folder = project({"seeds/data/items.csv": f"sku,price\n{lines}", "seeds/10_items.py": ITEMS_OF_A_FILE})
    gc.disable()  # so that what is closed by chance is still open
    try:
        assert dry_run(folder).exit_code == 1
        opened = [os.path.realpath(entry) for entry in Path("/dev/fd").iterdir()]
    finally:
        gc.enable()
    assert str(folder.path / "seeds/data/items.csv") not in opened


ITEMS_OF_A_FILE = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", file="data/items.csv")
"""
