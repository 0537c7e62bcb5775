"""Every type: from each kind of source to one value, applied once, verified, and each change of it found."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import psycopg
import pytest
import tomli_w

from seedframe import Rows, Secret
from seedframe.changes import Verdict
from seedframe.sources import records
from tests import declaring
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import applied, apply, counts, dry_run, error, only, verify
from tests.servers import Server
from tests.types_catalogue import (
    FAMILIES,
    IMPOSSIBLE,
    Kind,
    array_of,
    available,
    composite_of,
    domain_over,
    offered,
    preparation,
)

BASE = tuple(kind for family in FAMILIES.values() for kind in family)
FAMILY = {
    **FAMILIES,
    "arrays": tuple(array_of(kind) for kind in BASE if not kind.type.endswith("[]")),
    "domains": tuple(domain_over(kind, f"domain_{n}") for n, kind in enumerate(BASE)),
    "composites": tuple(composite_of(kind, f"composite_{n}") for n, kind in enumerate(BASE)),
}


@pytest.fixture(params=["as parameters", "in chunks, staged"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Either way that declared rows reach the server; a chunk of three stands for one of five thousand."""
    if request.param != "as parameters":
        monkeypatch.setattr(records, "BLOCK_ROWS", 3)
    return str(request.param)


@pytest.fixture
def folder(project: ProjectFactory) -> Folder:
    return project({"seeds/10_types.py": declaring.SEED})


@pytest.fixture
def kinds_of(sql: Sql, server: Server) -> Callable[[Sequence[Kind]], list[Kind]]:
    """Make what the kinds need in the database; those that this server has."""

    def kinds_of(kinds: Sequence[Kind]) -> list[Kind]:
        there = offered(sql)
        usable = [kind for kind in kinds if available(kind, there, server.major)]
        if not usable:
            pytest.skip("this server offers none of what brings these types")
        for statement in preparation([*(kind for kind in BASE if available(kind, there, server.major)), *usable]):
            sql(statement)
        return usable

    return kinds_of


def make_table(sql: Sql, kinds: Sequence[Kind], name: str = "things") -> None:
    columns = ", ".join(f"c{n} {kind.type}" for n, kind in enumerate(kinds))
    sql(f"drop table if exists {name}; create table {name} (id integer primary key, {columns})")


def row(kinds: Sequence[Kind], number: int, values: Iterable[Any]) -> dict[str, Any]:
    return {"id": number, **{f"c{n}": value for n, value in enumerate(values)}}


def sources(folder: Folder, kinds: Sequence[Kind], table: str = "things") -> Callable[[], Iterator[Rows]]:
    """The first value of each kind from each kind of source: rows 1 to 5, and 100, from files, the rest from Python."""
    texts = [kind.values[0] for kind in kinds]
    typed = [json.loads(kind.values[0]) if kind.is_json else kind.values[0] for kind in kinds]
    for number, (ending, delimiter) in enumerate({"csv": ",", "tsv": "\t"}.items(), start=1):
        written = io.StringIO()
        writer = csv.DictWriter(written, ["id", *(f"c{n}" for n in range(len(kinds)))], delimiter=delimiter)
        writer.writeheader()
        writer.writerow(row(kinds, number, texts))
        (folder.path / f"seeds/rows.{ending}").write_text(written.getvalue(), encoding="utf-8", newline="")
    # A file of JSON has the numbers of a document as it was read: what prints 1.50 again is text.
    folder.write(
        {
            "seeds/rows.json": _with_numbers(json.dumps([row(kinds, 3, typed)])),
            "seeds/rows.jsonl": _with_numbers(json.dumps(row(kinds, 4, typed)) + "\n"),
            "seeds/rows.toml": tomli_w.dumps({"rows": [row(kinds, 5, texts)]}),
            # What is JSON is YAML too, as long as it is one document of it.
            "seeds/rows.yaml": _with_numbers(json.dumps([row(kinds, 100, typed)], ensure_ascii=False)),
        }
    )
    forms = [[kind.values[0], *kind.same] for kind in kinds]
    python = [
        row(kinds, 6 + number, [form[number % len(form)] for form in forms])
        for number in range(max(len(form) for form in forms))
    ]

    def declared() -> Iterator[Rows]:
        for ending in ("csv", "tsv", "json", "jsonl", "toml", "yaml"):
            null = "\\N " if ending in ("csv", "tsv") else None
            yield Rows(table, key="id", file=f"rows.{ending}", null=null, name=ending)
        yield Rows(table, key="id", rows=python, name="python")

    return declared


def _with_numbers(text: str) -> str:
    return text.replace('"number": 1.5,', '"number": 1.50,')


def images(sql: Sql, kinds: Sequence[Kind]) -> list[str]:
    """The types whose values are not of one image in all rows."""
    different = ", ".join(f"bool_or(record_image_ne(row(a.c{n}), row(b.c{n})))" for n in range(len(kinds)))
    (flags,) = sql(f"select {different} from things a, things b where b.id = 1")
    return [kind.type for kind, flag in zip(kinds, flags, strict=True) if flag]


@pytest.mark.parametrize("family", list(FAMILY))
def test_every_source_ends_as_the_same_value_and_every_other_value_is_drift(
    family: str, way: str, folder: Folder, sql: Sql, kinds_of: Callable[[Sequence[Kind]], list[Kind]]
) -> None:
    kinds = kinds_of(FAMILY[family])
    make_table(sql, kinds)
    declaring.declare(sources(folder, kinds))
    planned = dry_run(folder)
    assert planned.exit_code == 0, error(planned)
    assert counts(applied(folder)) == counts(planned)
    assert images(sql, kinds) == []
    written = sql("select id, xmin::text, ctid::text from things order by id")

    # Each other value, by hand: found, and told from the first though the type's own = may say they are equal.
    for alternative in range(1, max(len(kind.values) for kind in kinds)):
        changed = {n: kind.values[alternative] for n, kind in enumerate(kinds) if len(kind.values) > alternative}
        sql(
            "update things set " + ", ".join(f"c{n} = %s" for n in changed) + " where id = 6",
            list(changed.values()),
        )
        report = verify(folder)
        (change,) = [change for resource in only(report).resources for change in resource.changes.sample]
        assert change.key == {"id": "6"}
        assert change.verdict is Verdict.DRIFT
        assert [kinds[n].type for n in changed if f"c{n}" not in (change.before or {})] == []
        assert set(change.before or {}) == {f"c{n}" for n in changed}
        assert counts(apply(folder))[:3] == (0, 1, 0)
    assert images(sql, kinds) == []
    assert [found for found in sql("select id, xmin::text, ctid::text from things order by id") if found[0] != 6] == [
        found for found in written if found[0] != 6
    ]


@pytest.mark.parametrize("family", list(FAMILY))
def test_every_value_comes_back_as_it_is(
    family: str, way: str, folder: Folder, sql: Sql, kinds_of: Callable[[Sequence[Kind]], list[Kind]]
) -> None:
    kinds = kinds_of(FAMILY[family])
    make_table(sql, kinds)
    rows = [
        row(kinds, number, [kind.values[number % len(kind.values)] for kind in kinds])
        for number in range(max(4, *(len(kind.values) for kind in kinds)))
    ]
    nothing = row(kinds, 99, [None if kind.null else kind.values[0] for kind in kinds])
    declaring.declare(lambda: [Rows("things", key="id", rows=[*rows, nothing])])
    planned = dry_run(folder)
    assert planned.exit_code == 0, error(planned)
    applied(folder)
    assert sql("select count(*) from things") == [(len(rows) + 1,)]
    # What the server prints is read as the same again.
    texts = ", ".join(f"case when c{n}::text is not null then format('%s', c{n}) end" for n in range(len(kinds)))
    printed = sql(f"select id::text, {texts} from things")
    names = ["id", *(f"c{n}" for n in range(len(kinds)))]
    again = [dict(zip(names, values, strict=True)) for values in printed]
    declaring.declare(lambda: [Rows("things", key="id", rows=again)])
    found = only(verify(folder)).resources[0].changes
    different = {name: (change.before or {})[name] for change in found.sample for name in change.before or {}}
    assert {kinds[int(name[1:])].type: text for name, text in different.items()} == {}
    assert counts(apply(folder)) == (0, 0, 0, len(rows) + 1)


def _things(rows: list[dict[str, Any]]) -> list[Rows]:
    return [Rows("things", key="id", rows=rows)]


@pytest.mark.parametrize("family", list(FAMILIES))
def test_what_is_no_value_of_the_type_is_refused_everywhere_alike(
    family: str,
    folder: Folder,
    sql: Sql,
    kinds_of: Callable[[Sequence[Kind]], list[Kind]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kinds = kinds_of(FAMILIES[family])
    make_table(sql, kinds)
    for number, kind in enumerate(kinds):
        for bad in kind.bad:
            rows = [{"id": key, f"c{number}": kind.values[0] if key != 2 else bad} for key in range(1, 5)]
            declaring.declare(partial(_things, rows))
            said = {}
            for size in (5_000, 3):
                monkeypatch.setattr(records, "BLOCK_ROWS", size)
                for run in (dry_run, apply, verify):
                    report = run(folder)
                    assert report.exit_code != 0, (kind.type, bad, size, run.__name__)
                    said[size, run.__name__] = error(report)
            assert len(set(said.values())) == 1, (kind.type, bad, said)
            (text,) = set(said.values())
            assert text.startswith(f"bad_data: rows:things row 2: column c{number}: "), (kind.type, bad, text)
    assert sql("select count(*) from things") == [(0,)]


HOSTILE = {
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "iso_8601",
    "timezone_abbreviations": "India",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "xmloption": "document",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "search_path": "elsewhere",
    "client_encoding": "LATIN1",
}


@pytest.mark.trap("a role's own settings", "pinned in every transaction: they change nothing")
def test_the_settings_of_a_role_change_nothing(
    folder: Folder, sql: Sql, kinds_of: Callable[[Sequence[Kind]], list[Kind]], database: str
) -> None:
    kinds = kinds_of([*BASE, Kind("timestamptz", ("2024-01-01 00:00 IST",))])
    make_table(sql, kinds)
    declaring.declare(sources(folder, kinds))
    sql("create schema elsewhere; create table elsewhere.things (id int)")
    try:
        sql("; ".join(f"alter role postgres set {name} = '{value}'" for name, value in HOSTILE.items()))
        applied(folder)
        sql("alter role postgres reset all")
        assert images(sql, kinds) == []
        assert counts(apply(folder))[:3] == (0, 0, 0)
        assert verify(folder).exit_code == 0
    finally:
        sql("alter role postgres reset all")


def test_no_type_of_the_server_is_forgotten(
    sql: Sql, server: Server, kinds_of: Callable[[Sequence[Kind]], list[Kind]]
) -> None:
    kinds = kinds_of(BASE)
    make_table(sql, kinds)
    known = {
        name
        for (name,) in sql(
            "select format_type(atttypid, null) from pg_attribute where attrelid = 'things'::regclass and attnum > 0"
        )
    }
    there = {
        name
        for (name,) in sql(
            "select format_type(oid, null) from pg_type where typtype in ('b', 'r', 'm', 'e', 'd')"
            " and typcategory <> 'A' and typnamespace not in ('information_schema'::regnamespace)"
        )
    }
    elsewhere = {kind.type for kind in BASE if kind not in kinds}
    assert there - known - elsewhere - set(IMPOSSIBLE) == set()


def test_what_is_named_as_impossible_is_so(sql: Sql) -> None:
    refused = 0
    for name in IMPOSSIBLE:
        if sql("select to_regtype(%s) is null", [name]) == [(False,)]:
            with pytest.raises(psycopg.errors.FeatureNotSupported):
                sql(f"select ''::{name}")
            refused += 1
    assert refused


PYTHON_REFUSED: dict[str, tuple[str, Any]] = {
    "a set has no order": ("integer[]", {1, 2}),
    "bytes are no text": ("text", b"x"),
    "a list is no text": ("text", ["x"]),
    "a tuple is no text": ("text", ("x",)),
    "a dict is no number": ("integer", {"a": 1}),
    "a dict is no composite value": ("pair", {"number": 1}),
    "bytes are no JSON": ("jsonb", b"{}"),
    "no number that JSON has": ("jsonb", float("nan")),
    "a secret is no part of JSON": ("jsonb", {"a": Secret("canary")}),
}


@pytest.mark.parametrize("name", list(PYTHON_REFUSED))
def test_python_values_without_a_text_are_refused_in_one_line(name: str, folder: Folder, sql: Sql) -> None:
    kind, value = PYTHON_REFUSED[name]
    sql("create type pair as (number int, t text)")
    sql(f"create table things (id int primary key, v {kind})")
    declaring.declare(lambda: [Rows("things", key="id", rows=[{"id": 1, "v": value}])])
    for run in (dry_run, apply):
        text = error(run(folder))
        assert text.startswith("bad_data: rows:things row 1: column v: a "), text
        assert "\n" not in text
        assert "canary" not in text


@pytest.mark.trap("a text for json", "in JSON, JSON Lines and YAML a JSON string; in CSV, TSV, TOML and Python, JSON")
def test_a_text_in_a_json_file_is_a_json_string_and_elsewhere_it_is_json(folder: Folder, sql: Sql) -> None:
    sql("create table things (id int primary key, v jsonb, many jsonb[], plain json)")
    text = '{"a": 1}'
    folder.write(
        {
            "seeds/rows.json": json.dumps([{"id": 1, "v": text, "many": [text, 1], "plain": "x"}]),
            "seeds/rows.jsonl": json.dumps({"id": 2, "v": text, "many": [text, 1], "plain": "x"}),
            "seeds/rows.toml": tomli_w.dumps({"rows": [{"id": 3, "v": text, "many": [text, 1], "plain": '"x"'}]}),
            "seeds/rows.yaml": f"- id: 6\n  v: '{text}'\n  many: ['{text}', 1]\n  plain: x\n",
            "seeds/rows.csv": 'id,v,many,plain\n4,"{""a"": 1}","{""{\\""a\\"": 1}"",1}","""x"""\n',
        }
    )
    python = {"id": 5, "v": text, "many": [text, 1], "plain": '"x"'}
    declaring.declare(
        lambda: [
            *(
                Rows("things", key="id", file=f"rows.{end}", name=end)
                for end in ("json", "jsonl", "toml", "csv", "yaml")
            ),
            Rows("things", key="id", rows=[python], initial={}),
        ]
    )
    applied(folder)
    found = sql("select v::text, many::text, plain::text from things order by id")
    as_value = ('"{\\"a\\": 1}"', '{"\\"{\\\\\\"a\\\\\\": 1}\\"",1}', '"x"')
    as_source = ('{"a": 1}', '{"{\\"a\\": 1}",1}', '"x"')
    assert found == [as_value, as_value, as_source, as_source, as_source, as_value]


FAR_APART = {
    "bigint": ["1", "4294967296", "-4294967297"],
    "numeric": ["1.5", "-1.5", "100", "10000"],
    "jsonb": ["1", "-1"],
    "timestamptz": ["2000-01-01 00:00:00.000001Z", "2000-01-01 01:11:34.967296Z"],
    "time": ["00:00:00.000001", "01:11:34.967296"],
    "numeric[]": ["{1}", "{-1}"],
    "integer[]": ["{1,2}", "{{1},{2}}", "[0:1]={1,2}"],
}


@pytest.mark.trap("hashes of keys that are coarser than the keys", "bigint, numeric and times are not hashed as such")
@pytest.mark.parametrize("kind", list(FAR_APART))
def test_different_keys_of_one_hash_are_no_repetition(
    kind: str, folder: Folder, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "BLOCK_ROWS", 1)
    sql(f"create table things (k {kind} primary key, v text)")
    keys = FAR_APART[kind]
    declaring.declare(lambda: [Rows("things", key="k", rows=[{"k": key, "v": "x"} for key in keys])])
    assert counts(dry_run(folder)) == (len(keys), 0, 0, 0)
    applied(folder)
    # Each has a baseline of its own.
    sql("update things set v = 'y'")
    assert [change.verdict for change in only(verify(folder)).resources[0].changes.sample] == [Verdict.DRIFT] * len(
        keys
    )


@pytest.mark.parametrize(("kind", "first", "second"), [("numeric", "1.5", "1.50"), ("citext", "A", "a")])
def test_a_key_written_in_two_ways_is_repeated_however_far_apart(
    kind: str, first: str, second: str, folder: Folder, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "BLOCK_ROWS", 1)
    if kind == "citext":
        if not sql("select 1 from pg_available_extensions where name = 'citext'"):
            pytest.skip("this server has no citext")
        sql("create extension citext")
    sql(f"create table things (k {kind} primary key)")
    keys = [first, "3" if kind == "numeric" else "c", second]
    declaring.declare(lambda: [Rows("things", key="k", rows=[{"k": key} for key in keys])])
    for run in (dry_run, apply):
        assert "rows:things row 3: the key (k) of this row is also that of rows:things row 1" in error(run(folder))


def test_the_own_values_of_toml_and_json_are_values_of_the_columns(folder: Folder, sql: Sql) -> None:
    sql(
        "create table things (id int primary key, ts timestamptz, plain timestamp, d date, t time, f float8, n numeric,"
        " flag boolean, ints int[], many text[], doc jsonb, big numeric, word text)"
    )
    toml = """
[[rows]]
id = 1
ts = 2024-01-01T02:00:00.5+02:00
plain = 2024-01-01T02:00:00
d = 2024-01-01
t = 12:30:00
f = -0.0
n = 1.50
flag = true
ints = [1, 2]
many = ["a,b", ""]
doc = {a = [1, 1.50, "x"], b = 2024-01-01}
big = 123456789012345678901234567890
word = "é"
"""
    json_row = (
        '{"id": 2, "ts": "2024-01-01T02:00:00.5+02:00", "plain": "2024-01-01T02:00:00", "d": "2024-01-01",'
        ' "t": "12:30:00", "f": -0.0, "n": 1.50, "flag": true, "ints": [1, 2], "many": ["a,b", ""],'
        ' "doc": {"a": [1, 1.50, "x"], "b": "2024-01-01"}, "big": 123456789012345678901234567890, "word": "\\u00e9"}'
    )
    special = "\n".join(
        f"[[rows]]\nid = {n}\nf = {text}\nn = {text}\n" for n, text in ((4, "nan"), (5, "inf"), (6, "-inf"))
    )
    folder.write(
        {"seeds/a.toml": toml, "seeds/b.json": f"[{json_row}]", "seeds/c.jsonl": json_row.replace("2", "3", 1)}
    )
    folder.write({"seeds/d.toml": special})
    names = ("a.toml", "b.json", "c.jsonl", "d.toml")
    declaring.declare(lambda: [Rows("things", key="id", file=name, name=name) for name in names])
    applied(folder)
    columns = "ts, plain, d, t, f, n, flag, ints, many, doc, big, word"
    assert sql(
        f"with v as (select id, row({columns}) as r from things)"
        " select count(*) from v a, v b where a.id = 1 and b.id in (2, 3) and a.r *= b.r"
    ) == [(2,)]
    assert sql("select ts::text, f::text, n::text, doc::text, big::text from things where id = 1") == [
        (
            "2024-01-01 00:00:00.5+00",
            "-0",
            "1.50",
            '{"a": [1, 1.50, "x"], "b": "2024-01-01"}',
            "123456789012345678901234567890",
        )
    ]
    assert sql("select f::text, n::text from things where id > 3 order by id") == [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ]
