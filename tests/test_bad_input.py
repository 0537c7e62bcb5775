"""Files that cannot be read as rows: one clear line with file, line and column, in every command, nothing written."""

import bz2
import gzip
import lzma
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from seedframe.errors import BadData
from seedframe.sources.files import BUILT_IN, open_file
from tests.conftest import Folder, OrdinaryUser, ProjectFactory, Sql
from tests.refusals import Refusals, of_file, refused, seed
from tests.running import apply

__all__ = ["refused"]


@pytest.fixture(autouse=True)
def items(sql: Sql) -> None:
    """The table that all of these are about."""
    sql("create table items (sku text primary key, name text, n int, price numeric, j jsonb)")


# Text


@pytest.mark.promise("a data file that does not exist", "named, with the nearest name that does")
def test_missing_file(refused: Refusals) -> None:
    folder = refused.folder(of_file("itmes.csv"), {"items.csv": "sku\na\n"})
    refused.everywhere(folder, "seeds/10_items.py: file 'itmes.csv' does not exist (did you mean 'items.csv'?)")


@pytest.mark.promise("an empty data file", "refused, whatever the format: it may be one that was cut short")
@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf"], ids=["empty", "byte order mark"])
@pytest.mark.parametrize("ending", BUILT_IN)
def test_empty_file(ending: str, content: bytes, refused: Refusals) -> None:
    refused.file(f"items{ending}", content, f"seeds/items{ending}: the file is empty")


def test_a_first_line_that_is_empty(refused: Refusals) -> None:
    refused.file("items.csv", "\n\n", "seeds/items.csv:1: the first line is empty")


@pytest.mark.promise("a wrong delimiter", "line 1, the delimiter that it seems to be, and the one that is read")
@pytest.mark.parametrize(
    ("name", "delimiter"), [("items.csv", ";"), ("items.csv", "\t"), ("items.csv", "|"), ("items.tsv", ",")]
)
def test_wrong_delimiter(name: str, delimiter: str, refused: Refusals) -> None:
    text = f"sku{delimiter}name\na{delimiter}b\n"
    refused.file(name, text, f"seeds/{name}:1: the header has one column", f"the delimiter seems to be {delimiter!r}")


RAGGED = {
    "short": ("a,b,1\nc\n", "3, after column sku: 1 field, but the header has 3 (fill in the missing fields)"),
    "long": ("a,b,1\nc,d,e,f\n", "3, after column n: 4 fields, but the header has 3 (quote a field that holds"),
    "trailing delimiter": ("a,b,1,\n", "2, after column n: 4 fields, but the header has 3 (take the delimiter from"),
    "after a field of lines": ('a,"1\n2\n3",1\nb\n', "5, after column sku: 1 field"),
    "blanks": ("a,b,1\n  \n", "3, after column sku: 1 field"),
    "CR alone": ("a,b,1\rc,d\r", "3, after column name: 2 fields"),
    "line ends mixed": ("a,b,1\r\nc,d,2\re,f\n", "4, after column name: 2 fields"),
}


@pytest.mark.promise("ragged rows", "the line, the column after which it goes wrong, and how many fields there are")
@pytest.mark.parametrize("case", RAGGED)
def test_ragged_rows(case: str, refused: Refusals) -> None:
    rows, expected = RAGGED[case]
    refused.file("items.csv", f"sku,name,n\n{rows}", f"seeds/items.csv:{expected}")


def test_ragged_rows_late_in_a_large_file(refused: Refusals) -> None:
    rows = "".join(f"s{number},x,{number}\n" for number in range(6_000))
    refused.file("items.csv", f"sku,name,n\n{rows}s6000,x\n", "seeds/items.csv:6002, after column name: 2 fields")


def test_a_delimiter_at_the_end_of_every_line(refused: Refusals) -> None:
    refused.file("items.csv", "sku,name,\na,b,\n", "seeds/items.csv:1: column 3 has no name", "from the end of each")


@pytest.mark.parametrize("ends", ["\r", "\r\n", "\n"], ids=["CR", "CR LF", "LF"])
def test_every_end_of_line_is_read(ends: str, project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file("items.csv")})
    (folder.path / "seeds/items.csv").write_bytes(f"sku,name{ends}a,b{ends}c,d{ends}".encode())
    assert apply(folder).exit_code == 0
    assert sql("select sku, name from items order by 1") == [("a", "b"), ("c", "d")]


QUOTES = {
    "never closed": ('a,b,1\nc,"d,2\ne,f,3\n', "3: this is no CSV: the quote that opens column name is never closed"),
    "never closed, after a field of lines": (
        '"a\nb",b,1\n"c\nd\ne","f,2\ng,h,3\n',
        "6: this is no CSV: the quote that opens column name is never closed",
    ),
    "text after it": ('a,"b"c,1\n', '2: this is no CSV: column name goes on after its closing quote'),
    "text after it, lines later": (
        'a,"b\nc",1\n"d\ne"f,g,2\n',
        "5: this is no CSV: column sku goes on after its closing quote",
    ),
}  # fmt: skip


@pytest.mark.promise("a quote that is not closed, or not where the field ends", "the line of the quote, and the column")
@pytest.mark.parametrize("case", QUOTES)
def test_quotes(case: str, refused: Refusals) -> None:
    rows, expected = QUOTES[case]
    refused.file("items.csv", f"sku,name,n\n{rows}", f"seeds/items.csv:{expected}")


def test_a_quote_in_the_header(refused: Refusals) -> None:
    refused.file("items.csv", 'sku,"name\na,b\n', "seeds/items.csv:1: this is no CSV: the quote that opens column 2 is")


@pytest.mark.promise("a field that is no column", "the line of the header, and the nearest column")
def test_unknown_column(refused: Refusals) -> None:
    refused.file("items.csv", "sku,nmae\na,b\n", "items.csv:1: table public.items has no column 'nmae'", "'name'")
    refused.file("items.json", '[\n{"sku": "a",\n"nmae": "b"}]', "items.json:", "no column 'nmae' (did you mean 'name'")


@pytest.mark.promise("a field twice in the header, or twice in an object", "the line, and the field")
def test_repeated_field(refused: Refusals) -> None:
    refused.file("items.csv", "sku,name,sku\na,b,c\n", "seeds/items.csv:1: column 'sku' stands twice in the header")
    twice = '{"sku": "a", "name": 1}\n{"sku": "b", "name": "c", "name": "d"}\n'
    refused.file("items.jsonl", twice, "seeds/items.jsonl:2: field 'name' stands twice in an object")
    refused.file("items.toml", '[[r]]\nsku="a"\n[[r]]\nsku="b"\nsku="c"\n', "seeds/items.toml:5:8: this is no TOML")
    refused.file("items.yaml", "- sku: a\n- sku: b\n  'sku': c\n", "items.yaml:3:3: field 'sku' stands twice in a map")
    within = '[{"sku": "a", "j": {}},\n{"sku": "b", "j": {"x": [{"y": 1, "y": 2}]}}]'
    refused.file("items.json", within, "seeds/items.json:2: field 'y' stands twice in an object")


HOSTILE = {
    "SQL": ('"sku""; drop table items; --"', """'sku"; drop table items; --'"""),
    "escapes": ("sku\x1b[2J\x07", r"'sku\x1b[2J\x07'"),
    "over 63 bytes": ("sku" + "é" * 80, "'sku" + "é" * 80 + "'"),
    "a line": ('"sk\nu"', r"'sk\nu'"),
    "no ASCII": ("ѕku", "'ѕku'"),
    "blanks": (" sku", "' sku'"),
}


@pytest.mark.promise("hostile names in a header", "names are compared with the catalog's, and shown with escapes")
@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_header(case: str, refused: Refusals, sql: Sql) -> None:
    name, shown = HOSTILE[case]
    told = refused.file(
        "items.csv", f"{name},name\na,b\n", f"seeds/items.csv:1: table public.items has no column {shown}"
    )
    assert "\x1b" not in told
    assert sql("select count(*) from items") == [(0,)]


UNDECODABLE = {
    "Latin-1": ("sku,name\na,b\nc,né\n".encode("latin-1"), "3:4: the line is no UTF-8 (save the file as UTF-8)"),
    "Latin-1 after a mark": (b"\xef\xbb\xbfsku,n\xe9\n", "1:6: the line is no UTF-8"),
    "Latin-1, lines that end with CR": ("sku,name\ra,b\rc,né\r".encode("latin-1"), "3:4: the line is no UTF-8"),
    "UTF-16": ("sku,name\na,b\n".encode("utf-16"), "1:1: the file is UTF-16 (save the file as UTF-8)"),
    "a surrogate": (b"sku,name\na,\xed\xa0\x80\n", "2:3: the line is no UTF-8"),
    "cut within a character": (b"sku,name\na,\xc3", "2:3: the line is no UTF-8"),
}


@pytest.mark.promise("a file that is no UTF-8", "line and character of the first byte; UTF-16 is called so")
@pytest.mark.parametrize("case", UNDECODABLE)
def test_wrong_encoding(case: str, refused: Refusals) -> None:
    content, expected = UNDECODABLE[case]
    refused.file("items.csv", content, f"seeds/items.csv:{expected}")


@pytest.mark.parametrize("ending", [".json", ".jsonl", ".toml", ".yaml"])
def test_wrong_encoding_of_other_formats(ending: str, refused: Refusals) -> None:
    refused.file(
        f"items{ending}", '[{"sku":\n"é"}]'.encode("latin-1"), f"seeds/items{ending}:2:2: the line is no UTF-8"
    )


def test_wrong_encoding_within_a_compressed_file(refused: Refusals) -> None:
    refused.file("items.csv.gz", gzip.compress(b"sku\na\n\xff\n"), "seeds/items.csv.gz:3:1: the line is no UTF-8")


@pytest.mark.promise("a byte order mark", "read past")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv", "sku\na\n"), ("items.tsv", "sku\tname\na\tb\n"), ("items.json", '[{"sku": "a"}]'),
        ("items.jsonl", '{"sku": "a"}\n'), ("items.toml", '[[rows]]\nsku = "a"\n'),
        ("items.yaml", "- sku: a\n"),
    ],
)  # fmt: skip
def test_byte_order_mark(name: str, text: str, project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file(name), f"seeds/{name}": f"\ufeff{text}"})
    assert apply(folder).exit_code == 0
    assert sql("select sku from items") == [("a",)]


@pytest.mark.promise("a NUL character", "line and column; PostgreSQL has no text with it")
def test_nul(refused: Refusals) -> None:
    refused.file("items.csv", b"sku,name\na,b\nc,x\0\n", "seeds/items.csv:3:4: a NUL character")
    refused.file("items.csv", b"sk\0u\na\n", "seeds/items.csv:1:3: a NUL character")
    refused.file(
        "items.json", b'[\n{"sku": "\0"}]', "seeds/items.json:2:10: this is no JSON: Invalid control character"
    )
    refused.file("items.json", '[\n{"sku": "\\u0000"}]', "seeds/items.json:2: column sku: a NUL character")
    refused.file("items.toml", '[[r]]\nsku="\\u0000"\n', "seeds/items.toml:1: column sku: a NUL character")
    refused.file("items.yaml", b"- sku: a\n- sku: b\0\n", "seeds/items.yaml:2:9: a NUL character")
    refused.file("items.yaml", '- sku: a\n- sku: "\\0"\n', "seeds/items.yaml:2: column sku: a NUL character")
    refused.rows('[{"sku": "a"}, {"sku": "b\\0"}]', "rows:items row 2: column sku: a NUL character")


@pytest.mark.promise("a field of a megabyte", "loaded, from every format")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv", 'sku,name\na,"{}"\n'), ("items.tsv", "sku\tname\na\t{}\n"),
        ("items.json", '[{{"sku": "a", "name": "{}"}}]'), ("items.jsonl", '{{"sku": "a", "name": "{}"}}\n'),
        ("items.toml", '[[rows]]\nsku = "a"\nname = "{}"\n'), ("items.yaml", "- sku: a\n  name: {}\n"),
    ],
)  # fmt: skip
def test_a_megabyte(name: str, text: str, project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file(name), f"seeds/{name}": text.format("x" * 1_133_205)})
    assert apply(folder).exit_code == 0
    assert sql("select length(name) from items") == [(1_133_205,)]


# JSON and TOML

JSON = {
    "bad escape": ('[\n{"sku": "\\x"}]', "2:10: this is no JSON: Invalid \\escape"),
    "half a pair": ('[\n{"sku": "\\ud800"}]', "2: column sku: half of a surrogate pair"),
    "no value": ('[{"sku": "a"},\n  {"sku": }]', "2:11: this is no JSON: Expecting value"),
    "after a comma": ('[{"sku": "a"},\n]', "2:1: this is no JSON: a row is missing after the comma"),
    "cut short": ('[{"sku": "a"},\n{"sku": "b', "2:9: this is no JSON: Unterminated string"),
    "no comma": ('[{"sku": "a"}\n {"sku": "b"}]', "2:2: this is no JSON: a comma or ] is missing"),
    "two arrays": ('[{"sku": "a"}][{"sku": "b"}]', "1:15: this is no JSON: something follows the array"),
    "an object": ('{"sku": "a"}', "1: the file is no JSON array"),
    "NaN": ('[\n{"sku": NaN}]', "2: NaN is no JSON number"),
    "null": ("[\nnull]", "2: a row is null (write each row as an object)"),
    "lines that end with CR": ('[\r{"sku": "a"},\r{"sku": }]', "3:9: this is no JSON: Expecting value"),
    "deep": ("[\n" + "[" * 100_000, "2: this is no JSON: it is nested too deeply"),
    "a long integer": ('[\n{"n": ' + "9" * 5_000 + "}]", "2: this is no JSON: it is nested too deeply, or has an int"),
}  # fmt: skip


@pytest.mark.promise("invalid JSON", "line and column, as the file has them")
@pytest.mark.parametrize("case", JSON)
def test_invalid_json(case: str, refused: Refusals) -> None:
    text, expected = JSON[case]
    refused.file("items.json", text, f"seeds/items.json:{expected}")


LINES = {
    "no value": ('{"sku": "a"}\n\n{"sku": }\n', "3:9: this is no JSON: Expecting value"),
    "over lines": ('{"sku":\n"a"}\n', "1:8: this is no JSON: Expecting value"),
    "two in a line": ('{"sku": "a"} {"sku": "b"}\n', "1:14: this is no JSON: Extra data"),
    "an array": ('[{"sku": "a"}]\n', "1: a row is an array"),
}


@pytest.mark.parametrize("case", LINES)
def test_invalid_json_lines(case: str, refused: Refusals) -> None:
    text, expected = LINES[case]
    refused.file("items.jsonl", text, f"seeds/items.jsonl:{expected}")


TOML = {
    "no value": ("[[rows]]\nsku =\n", "2:6: this is no TOML: Invalid value"),
    "cut short": ('[[rows]]\nsku = "a"\nname = """b\n', "3: this is no TOML"),
    "no such day": ('[[rows]]\nsku = "a"\nname = 2024-02-30\n', "3:8: this is no TOML"),
    "CR alone": ('[[rows]]\rsku = "a"\r', "1:9: this is no TOML"),
    "two arrays": ("[[a]]\nx=1\n[[b]]\nx=1\n", " the file does not hold exactly one array of tables"),
    "no tables": ("rows = [1]\n", "1: a row is no table"),
    "deep": ("a = " + "[" * 100_000, " this is no TOML: it is nested too deeply"),
    "a missing field": ('[[rows]]\nsku = "a"\nn = 1\n\n# b\n[[rows]]\nsku = "b"\n', "6: field 'n' is missing"),
    "a value": ('[[r]]\nsku = "a"\nn = 1\n\n[[r]]\nsku = "b"\nn = 9999999999\n', '5: column n: value "9999999999" is'),
    "a row within a line": ('rows = [{sku = "a"},\n{skuu = "b"}]\n', "1, row 2: field 'skuu' is not in the first row"),
}  # fmt: skip


@pytest.mark.promise("invalid TOML", "line and column; for a value, the line where its row begins")
@pytest.mark.parametrize("case", TOML)
def test_invalid_toml(case: str, refused: Refusals) -> None:
    text, expected = TOML[case]
    refused.file("items.toml", text, f"seeds/items.toml:{expected}")


@pytest.mark.promise("a field that one row lacks", "its line, or its number, and the field")
def test_missing_field(refused: Refusals) -> None:
    refused.file("items.json", '[{"sku": "a", "n": 1},\n{"sku": "b"}]', "items.json:2: field 'n' is missing")
    refused.file("items.jsonl", '{"sku": "a"}\n{"sku": "b", "n": 2}\n', "items.jsonl:2: field 'n' is not in the first")
    refused.file("items.yaml", "- sku: a\n  n: 1\n- sku: b\n", "seeds/items.yaml:3: field 'n' is missing")
    refused.rows('[{"sku": "a", "n": 1}, {"sku": "b"}]', "rows:items row 2: field 'n' is missing")
    refused.rows('({"sku": f"s{i}", **({} if i == 7000 else {"n": i})} for i in range(8000))', "row 7001: field 'n' is")


@pytest.mark.promise("numbers with more digits than a float has", "every digit arrives")
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.json", '[{{"sku": "a", "price": {}}}]'), ("items.jsonl", '{{"sku": "a", "price": {}}}'),
        ("items.toml", '[[rows]]\nsku = "a"\nprice = {}\n'), ("items.csv", "sku,price\na,{}\n"),
        ("items.yaml", "- sku: a\n  price: {}\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "number", ["0.1000000000000000055511151231257827", "12345678901234567890.5", "123456789012345678901"]
)
def test_digits(number: str, name: str, text: str, project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file(name), f"seeds/{name}": text.format(number)})
    assert apply(folder).exit_code == 0
    assert sql("select price::text from items") == [(number,)]


# The file itself

PACKED: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}
MANY = b"sku,name\n" + b"".join(b"s%d,%d\n" % (number, number * 7919 % 1_000_003) for number in range(20_000))


@pytest.mark.promise(
    "a compressed file that is cut short, damaged, or not compressed at all", "named, and none of it used"
)
@pytest.mark.parametrize("ending", PACKED)
def test_compressed(ending: str, refused: Refusals) -> None:
    whole, name = PACKED[ending](MANY), f"items.csv{ending}"
    refused.file(name, whole[:-3_000], f"seeds/{name}: the ")
    refused.file(name, whole[: len(whole) // 2] + b"\xff" * 20 + whole[len(whole) // 2 + 20 :], f"seeds/{name}: the ")
    refused.file(name, b"sku\na\n", f"seeds/{name}: the file cannot be decompressed (compress it again)")


def _folder(path: Path) -> None:
    path.mkdir()


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _link_out(path: Path) -> None:
    outside = path.parents[2] / "outside.csv"
    outside.write_text("sku\na\n")
    path.symlink_to(outside)


def _link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


ODD = {
    "a folder": (_folder, "'items.csv' is no regular file"),
    "a FIFO": (_fifo, "'items.csv' is no regular file"),
    "a device": (_device, "file 'items.csv' is a link out of the seed's folder"),
    "a link out of the folder": (_link_out, "file 'items.csv' is a link out of the seed's folder"),
    "a link to itself": (_link_to_itself, "file 'items.csv' is a link that leads nowhere"),
}


@pytest.mark.promise("a data file that is a folder, a FIFO, a device, or a link out of the folder", "refused unopened")
@pytest.mark.parametrize("case", ODD)
def test_no_regular_file(case: str, refused: Refusals) -> None:
    make, expected = ODD[case]
    folder = refused.folder(of_file("items.csv"), {})
    make(folder.path / "seeds/items.csv")
    refused.everywhere(folder, f"seeds/10_items.py: {expected}")


@pytest.mark.parametrize(
    "name", ["a\\0.csv", "a\\ud800.csv", "x" * 300 + ".csv", "../items.csv", "/etc/passwd.csv", ""]
)
def test_names_that_no_file_has(name: str, refused: Refusals) -> None:
    folder = refused.folder(seed(f'"items", key="sku", file="{name}"'), {})
    refused.everywhere(folder, "seeds/10_items.py: ")


@pytest.fixture
def theirs(ordinary_user: OrdinaryUser, database: str) -> Iterator[Folder]:
    """A project of an ordinary user, who cannot reach pytest's own folders."""
    with tempfile.TemporaryDirectory(prefix="sf-theirs-", dir="/tmp") as name:
        folder = Folder(Path(name), no_cli, {"DATABASE_URL": database})
        folder.write(
            {
                "seedframe.toml": '[project]\nname = "shop"\n',
                "seeds/10_items.py": of_file("data/in/items.csv"),
                "seeds/data/in/items.csv": "sku\na\n",
            }
        )
        for path in (folder.path, *folder.path.rglob("*")):
            ordinary_user.owns(path)
        yield folder


def no_cli(*arguments: str, **options: object) -> NoReturn:
    """It runs as an ordinary user only."""
    raise NotImplementedError


@pytest.mark.promise("a data file that the account may not read", "says so, and names it; exit code 1")
@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ("seeds/data/in/items.csv", "seeds/data/in/items.csv: the file cannot be read: Permission denied"),
        ("seeds/data/in", "file 'data/in/items.csv' cannot be read: Permission denied"),
    ],
)
def test_unreadable(closed: str, expected: str, theirs: Folder, ordinary_user: OrdinaryUser) -> None:
    (theirs.path / closed).chmod(0)
    done = ordinary_user.python_run("-m", "seedframe", "apply", "--dry-run", cwd=theirs.path, env=theirs.env)
    assert done.returncode == 1, done
    assert expected in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.promise("a data file that changes while it is read", "noticed at its end, or at the first error in it")
@pytest.mark.parametrize("wrong", [False, True], ids=["whole", "cut"])
def test_changed_while_read(wrong: bool, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_bytes(MANY)
    records = open_file(tmp_path, "items.csv", shown="seeds/items.csv")
    next(records.blocks)
    with path.open("ab") as more:
        more.write(b"z,\n" if not wrong else b"z\n")
    with pytest.raises(BadData) as caught:
        list(records.blocks)
    assert str(caught.value) == "seeds/items.csv: the file changed while it was read (run again once it is whole)"


def test_a_file_that_is_replaced_is_read_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_bytes(MANY)
    records = open_file(tmp_path, "items.csv", shown="seeds/items.csv")
    first = next(records.blocks)
    (tmp_path / "new.csv").write_bytes(b"sku,name\n")
    (tmp_path / "new.csv").replace(tmp_path / "items.csv")
    assert len(first.lines) + sum(len(block.lines) for block in records.blocks) == 20_000


@pytest.mark.promise("terminal escapes in a value that is refused", "shown as escapes")
def test_escapes_in_values(refused: Refusals) -> None:
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,n\na,\x1b]8;;http://x\x07\x1b[2Jhidden\n"})
    done = folder.run("apply", "--dry-run")
    assert done.returncode == 1, done
    assert r"\x1b]8;;http://x\x07\x1b[2Jhidden" in done.stdout + done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_bad_file_is_named_on_the_command_line(refused: Refusals) -> None:
    folder = refused.folder(of_file("items.csv"), {"items.csv": "sku,n\na,1\nb\n"})
    for arguments, code in ((["apply", "--dry-run"], 1), (["verify"], 3), (["apply"], 1)):
        done = folder.run(*arguments)
        assert done.returncode == code, done
        assert "seeds/items.csv:3, after column sku: 1 field, but the header has 2" in done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
