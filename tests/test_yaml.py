"""YAML as a source of rows: each value as it is written, in the same way in every version of YAML, and nothing else."""

import gzip
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from seedframe.errors import BadData
from seedframe.sources.files import open_file
from tests.conftest import ProjectFactory, Sql
from tests.refusals import Refusals, of_file, refused
from tests.running import applied, apply, counts, dry_run, error, verify

__all__ = ["refused"]


@pytest.fixture(autouse=True)
def items(sql: Sql) -> None:
    """The table that all of these are about."""
    sql("create table items (sku text primary key, name text, n int, b boolean, t time, d date, j jsonb, a text[])")


@pytest.fixture(params=["in C", "in Python"])
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """PyYAML as it was built, and without libyaml."""
    if request.param == "in Python":
        monkeypatch.delattr(yaml, "CSafeLoader")
    return str(request.param)


def values(tmp_path: Path, text: str, name: str = "any.yaml") -> list[dict[str, Any]]:
    """The rows of a file."""
    (tmp_path / name).write_bytes(text.encode())
    records = open_file(tmp_path, name, shown=name)
    rows = []
    for block in records.blocks:
        rows += [dict(zip(records.fields, row, strict=True)) for row in zip(*block.columns, strict=True)]
    return rows


# As it is written

# What is written: the text of a text column, and the document of a jsonb one.
PLAIN = {
    "plain": ("plain", '"plain"'),
    "two words": ("two words", '"two words"'),
    "no": ("no", '"no"'),
    "Yes": ("Yes", '"Yes"'),
    "on": ("on", '"on"'),
    "y": ("y", '"y"'),
    "true": ("true", "true"),
    "false": ("false", "false"),
    "12": ("12", "12"),
    "-12": ("-12", "-12"),
    "012": ("012", '"012"'),
    "0o14": ("0o14", '"0o14"'),
    "0x1F": ("0x1F", '"0x1F"'),
    "1_000": ("1_000", '"1_000"'),
    "+1": ("+1", '"+1"'),
    "1:30": ("1:30", '"1:30"'),
    "190:20:30": ("190:20:30", '"190:20:30"'),
    "1.50": ("1.50", "1.50"),
    "1e3": ("1e3", "1000"),
    ".5": (".5", '".5"'),
    "1.": ("1.", '"1."'),
    ".inf": (".inf", '".inf"'),
    ".NaN": (".NaN", '".NaN"'),
    "123456789012345678901234567890": ("123456789012345678901234567890", "123456789012345678901234567890"),
    "2024-02-30": ("2024-02-30", '"2024-02-30"'),
    "2024-01-01 12:00:00": ("2024-01-01 12:00:00", '"2024-01-01 12:00:00"'),
    "=": ("=", '"="'),
    "'12'": ("12", '"12"'),
    '"true"': ("true", '"true"'),
    "'null'": ("null", '"null"'),
    "'~'": ("~", '"~"'),
    "''": ("", '""'),
    "!!str 12": ("12", '"12"'),
    "! 12": ("12", '"12"'),
    "&unused 12": ("12", "12"),
    "x # a comment": ("x", '"x"'),
    '"\\u00e9\\x1b\\L"': ("é\x1b\u2028", '"é\\u001b\u2028"'),
    "|\n    two\n    lines\n": ("two\nlines\n", '"two\\nlines\\n"'),
    ">-\n    folded\n    line\n": ("folded line", '"folded line"'),
    "over\n    lines": ("over lines", '"over lines"'),
    "~": (None, None),
    "null": (None, None),
    "": (None, None),
    "[1, 012, no, true, ~, '1', 1.50]": ("error", '[1, "012", "no", true, null, "1", 1.50]'),
    "{a: 1, b: {c: [~]}}": ("error", '{"a": 1, "b": {"c": [null]}}'),
    "[]": ("error", "[]"),
    "{}": ("error", "{}"),
}


@pytest.mark.promise("what versions of YAML read differently: no, 012, 1:30, dates", "the text as it is written")
def test_a_plain_value_is_the_text_that_is_written(loader: str, project: ProjectFactory, sql: Sql) -> None:
    fitting = {name: given for name, given in PLAIN.items() if given[0] != "error"}
    text = "".join(f"- sku: s{number}\n  name: {given}\n" for number, given in enumerate(fitting))
    folder = project({"seeds/10_items.py": of_file("items.yaml"), "seeds/items.yaml": text})
    applied(folder)
    found = sql("select name from items order by substr(sku, 2)::int")
    assert dict(zip(fitting, [name for (name,) in found], strict=True)) == {
        given: name for given, (name, _) in fitting.items()
    }


def test_json_has_numbers_and_booleans_where_json_itself_would(loader: str, project: ProjectFactory, sql: Sql) -> None:
    text = "".join(f"- sku: s{number}\n  j: {given}\n" for number, given in enumerate(PLAIN))
    folder = project({"seeds/10_items.py": of_file("items.yml"), "seeds/items.yml": text})
    applied(folder)
    found = [document for (document,) in sql("select j::text from items order by substr(sku, 2)::int")]
    same = [
        sql("select %s::jsonb is not distinct from %s::jsonb", [one, other])[0][0]
        for one, (_, other) in zip(found, PLAIN.values(), strict=True)
    ]
    assert [given for given, alike in zip(PLAIN, same, strict=True) if not alike] == []
    assert found[list(PLAIN).index("1.50")] == "1.50"


def test_the_type_of_the_column_reads_it(loader: str, project: ProjectFactory, sql: Sql) -> None:
    row = "- sku: 007\n  n: 012\n  b: no\n  t: 1:30\n  d: 2024-02-29\n  a: [1, no, ~, 1e3, 'NULL']\n"
    folder = project({"seeds/10_items.py": of_file("items.yaml"), "seeds/items.yaml": row})
    applied(folder)
    assert sql("select sku, n, b, t::text, d::text, a from items") == [
        ("007", 12, False, "01:30:00", "2024-02-29", ["1", "no", None, "1e3", "NULL"])
    ]


@pytest.mark.parametrize("text", ["- sku: a\n- sku: b\n", "rows:\n- sku: a\n- sku: b\n", "{rows: [{sku: a}, sku: b]}"])
def test_a_list_of_rows_or_one_that_has_a_name(text: str, loader: str, tmp_path: Path) -> None:
    assert values(tmp_path, text) == [{"sku": "a"}, {"sku": "b"}]


@pytest.mark.parametrize("text", ["[]", "rows: []\n", "--- []\n...\n", "%YAML 1.2\n---\nrows: []\n"])
def test_no_rows_at_all(text: str, loader: str, tmp_path: Path) -> None:
    assert values(tmp_path, text) == []


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"], ids=["LF", "CR LF", "CR"])
def test_every_end_of_line_is_read(ends: str, loader: str, tmp_path: Path) -> None:
    text = "- sku: a\n  name: |\n    x\n    y\n- sku: b\n  name: c\n"
    assert values(tmp_path, text.replace("\n", ends)) == [{"sku": "a", "name": "x\ny\n"}, {"sku": "b", "name": "c"}]


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "sku": st.text(st.characters(codec="utf-8")),
                "name": st.one_of(st.none(), st.text(st.characters(codec="utf-8"))),
                "j": st.recursive(
                    st.one_of(st.none(), st.text(st.characters(codec="utf-8"))),
                    lambda inner: st.one_of(
                        st.lists(inner), st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
                    ),
                    max_leaves=6,
                ),
            }
        ),
        max_size=5,
    ),
    flow=st.booleans(),
)
@settings(max_examples=100, deadline=None)
def test_what_a_library_writes_comes_back(
    rows: list[dict[str, Any]], flow: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = yaml.dump(rows, Dumper=_PlainDumper, default_flow_style=flow, allow_unicode=False)
    assert values(tmp_path_factory.getbasetemp(), text) == rows


class _PlainDumper(yaml.SafeDumper):
    """No aliases: one value twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


# In every command

MANY = "".join(
    f"- sku: s{number}\n  name: n{number}\n  n: {number}\n  j: {{of: [{number}]}}\n" for number in range(12_000)
)


@pytest.mark.parametrize("ending", [".yaml", ".yml", ".yaml.gz"])
def test_many_rows_in_every_command(ending: str, project: ProjectFactory, sql: Sql) -> None:
    content = MANY.encode()
    folder = project({"seeds/10_items.py": of_file(f"items{ending}")})
    file = folder.path / f"seeds/items{ending}"
    file.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    assert counts(dry_run(folder)) == (12_000, 0, 0, 0)
    assert verify(folder).exit_code == 1
    assert counts(applied(folder)) == (12_000, 0, 0, 0)
    assert sql("select count(*), sum(n), sum((j #>> '{of,0}')::int) from items") == [(12_000, 71_994_000, 71_994_000)]
    sql("update items set n = -1 where sku = 's11999'")
    assert verify(folder).exit_code == 2
    assert counts(apply(folder)) == (0, 1, 0, 11_999)


def test_a_large_file_is_never_held_whole(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("w") as file:
        for number in range(40_000):
            file.write(f"- sku: s{number}\n  name: {'x' * 400}\n")
    tracemalloc.start()
    try:
        records = open_file(tmp_path, "large.yaml", shown="large.yaml")
        assert sum(len(block.lines) for block in records.blocks) == 40_000
        assert tracemalloc.get_traced_memory()[1] < 12_000_000  # of 17,000,000 characters
    finally:
        tracemalloc.stop()


# What is refused

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{after}: &{after} [*{name}, *{name}]\n" for name, after in zip("abcdefgh", "bcdefghi", strict=True)
)

REFUSED = {
    "a python object": ("- sku: !!python/object/apply:os.system [id]\n", "1:8: the tag '!!python/object/apply:os.sys"),
    "a python name": ("- sku: !!python/name:os.system\n", "1:8: the tag '!!python/name:os.system' (leave it out"),
    "a python tag written out": ("- sku: !<tag:yaml.org,2002:python/name:os.system> x\n", "1:8: the tag '!!python/"),
    "a tag by another name": (
        "%TAG !p! tag:yaml.org,2002:python/\n---\n- sku: !p!name:os.system\n", "3:8: the tag '!!python/name:os.system'"
    ),
    "an unknown tag": ("- sku: !env PASSWORD\n", "1:8: the tag '!env' (leave it out: the column's type"),
    "a tag of the list": ("!include x\n", "1:1: the file is no list of rows"),
    "a tag of a row": ("- sku: a\n- !row {sku: b}\n", "2:3: the tag '!row'"),
    "a set": ("- sku: a\n  j: !!set {x, y}\n", "2:6: the tag '!!set'"),
    "binary": ("- sku: !!binary eA==\n", "1:8: the tag '!!binary'"),
    "an int": ("- sku: !!int '1'\n", "1:8: the tag '!!int'"),
    "escapes in a tag": ("- sku: !%1b%5b2Jx y\n", r"1:8: the tag '!\x1b[2Jx'"),
    "billion laughs": ("- sku: a\n  j:\n" + "".join(f"    {line}\n" for line in LAUGHS.splitlines()), "4:12: an alias"),
    "an alias": ("- &x {sku: a}\n- *x\n", "2:3: a row is an alias"),
    "an alias to itself": ("- sku: a\n  j: &x [*x]\n", "2:10: an alias (write the value out in each place"),
    "an alias as a name": ("- sku: &x a\n  *x : b\n", "2:3: the name of a field is an alias"),
    "an alias to nothing": ("- sku: *x\n", "1:8: an alias"),
    "a merge key": ("- sku: a\n  <<: {n: 1}\n", "2:3: a merge key, << (write the fields out in each row"),
    "deep": ("- sku: a\n  j: " + "[" * 100_000, "2:104: it is nested more than 100 levels deep"),
    "deep mappings": ("- sku: a\n  j: " + "{x: " * 100_000, "2:398: it is nested more than 100 levels deep"),
    "deep dashes": ("- sku: a\n  j:\n    " + "- " * 100_000, "3:201: it is nested more than 100 levels deep"),
    "deep question marks": ("? " * 100_000, "1:3: the name of a field is a mapping"),
    "twice": ("- sku: a\n  n: 1\n  n: 2\n", "3:3: field 'n' stands twice in a mapping"),
    "twice, in quotes": ("- sku: a\n  n: 1\n  'n': 2\n", "3:3: field 'n' stands twice in a mapping"),
    "twice, within": ("- sku: a\n  j: {x: [{y: 1, y: 2}]}\n", "2:18: field 'y' stands twice in a mapping"),
    "a number as a name": ("- sku: a\n  1: b\n", "2:3: the name of a field is a number, 1 (put it in quotes)"),
    "true as a name": ("- sku: a\n  true: b\n", "2:3: the name of a field is true or false, true (put it in quotes)"),
    "null as a name": ("- sku: a\n  ~: b\n", "2:3: the name of a field is null (put it in quotes)"),
    "nothing as a name": ("- sku: a\n  : b\n", "2:3: this is no YAML: did not find expected key"),
    "a list as a name": ("- sku: a\n  [x, y]: b\n", "2:3: the name of a field is a list"),
    "a mapping as a name": ("- {{sku: x}: a}\n", "1:4: the name of a field is a mapping"),
    "NULL": ("- sku: a\n  name: NULL\n", "2:9: NULL may mean null or a text (write null, or the text in quotes)"),
    "Null": ("- sku: a\n  j: [Null]\n", "2:7: Null may mean null or a text"),
    "True": ("- sku: a\n  b: True\n", "2:6: True may mean true or a text (write true, or the text in quotes)"),
    "FALSE as a name": ("- sku: a\n  FALSE: True\n", "2:3: FALSE may mean false or a text"),
    "two documents": ("- sku: a\n---\n- sku: b\n", "2:1: a second document begins (write one list of rows)"),
    "a document after the end": ("- sku: a\n...\n---\n- sku: b\n", "3:1: a second document begins"),
    "two lists": ("a:\n- sku: a\nb:\n- sku: b\n", "3:1: the file does not hold exactly one list of rows"),
    "a mapping": ("sku: a\n", "1:6: the file is no list of rows (begin each row with a dash: - name: value)"),
    "a text": ("sku\n", "1:1: the file is no list of rows"),
    "only a mark": ("---\n", "2:1: the file is no list of rows"),
    "only a name": ("rows:\n", "1:6: the file is no list of rows"),
    "an empty mapping": ("{}\n", "1:2: the file is no list of rows"),
    "only comments": ("# nothing\n\n", " the file is empty (write [] to declare no rows at all)"),
    "a row that is a text": ("- sku: a\n- b\n", "2:3: a row is a text"),
    "a row that is null": ("- sku: a\n-\n", "2:2: a row is null"),
    "a row that is a list": ("- sku: a\n- [b]\n", "2:3: a row is a list"),
    "a tab": ("- sku: a\n\tname: b\n", "2:1: this is no YAML: found ", "(indent with blanks, not with tabs)"),
    "a quote": ("- sku: a\n- sku: 'b\n- sku: c\n", "2:8: this is no YAML: found unexpected end of stream"),
    "a bracket": ("- sku: a\n  j: [1, 2\n- sku: b\n", "3:6: this is no YAML: did not find expected ',' or ']'"),
    "indented otherwise": ("- sku: a\n   name: b\n", "2:8: this is no YAML: mapping values are not allowed"),
    "two colons": ("- sku: a: b\n", "1:9: this is no YAML: mapping values are not allowed"),
    "a directive": ("%YAML 9.9\n---\n- sku: a\n", "1:1: this is no YAML: found incompatible YAML document"),
    "an escape of no character": ('- sku: "\\UFFFFFFFF"\n', "1:11: this is no YAML: found invalid Unicode char"),
    "ESC": ("- sku: a\n- sku: \x1b[2J\n", "2:8: the character U+001B, which YAML does not read as it is (write it"),
    "NEL": ("- sku: a\x85b\n", '1:9: the character U+0085', 'within double quotes, as "\\u0085")'),
    "a line separator": ("- sku: a\u2028b\n", "1:9: the character U+2028"),
    "DEL": ("- sku: \x7f\n", "1:8: the character U+007F"),
    "NUL": ("- sku: a\n- sku: b\0\n", "2:9: a NUL character"),
    "a NUL that is escaped": ('- sku: a\n- sku: "\\0"\n', "2: column sku: a NUL character"),
    "a value": ("- sku: a\n  n: 1\n\n- sku: b\n  n: 9999999999\n", '4: column n: value "9999999999" is out of range'),
    "a mapping for a text": ("- sku: a\n  name: {x: 1}\n", "1: column name: a dict, but the column is text"),
}  # fmt: skip


@pytest.mark.promise(
    "YAML that is invalid, or that stands for more than is written", "line and column; none of it used"
)
@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_every_command(case: str, refused: Refusals) -> None:
    text, *expected = REFUSED[case]
    told = refused.file("items.yaml", text, f"seeds/items.yaml:{expected[0]}", *expected[1:])
    assert told.isprintable()


@pytest.mark.parametrize("case", [case for case in REFUSED if "column " not in REFUSED[case][1]])
def test_refused_without_libyaml(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(yaml, "CSafeLoader")
    with pytest.raises(BadData) as caught:
        values(tmp_path, REFUSED[case][0])
    place = REFUSED[case][1].partition(": ")[0].partition(" the ")[0]
    assert str(caught.value).startswith("any.yaml: this" if "escape of no" in case else f"any.yaml:{place}")


def test_no_module_is_imported_and_nothing_is_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for tag in (f"!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{mark}']]",
                "!!python/module:this", "!!python/name:antigravity.fly"):  # fmt: skip
        with pytest.raises(BadData, match="the tag"):
            values(tmp_path, f"- sku: {tag}\n")
    assert not mark.exists()
    assert not {"this", "antigravity"} & set(sys.modules)


@pytest.mark.promise("a YAML file where PyYAML is not installed", "one line that names the extra")
def test_without_the_extra(refused: Refusals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    refused.file(
        "items.yaml",
        "- sku: a\n",
        'seeds/items.yaml: YAML files need PyYAML, which is not installed (install it: pip install "seedframe[yaml]")',
    )


def test_a_late_mistake_writes_nothing(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file("items.yaml"), "seeds/items.yaml": MANY + "- sku: x\n  name: [\n"})
    assert "seeds/items.yaml:48003:1: this is no YAML" in error(apply(folder))
    assert sql("select count(*) from items") == [(0,)]
