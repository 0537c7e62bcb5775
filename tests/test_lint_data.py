"""What `seedframe lint` finds in data files of every format, from the first row to the last."""

import gzip
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from seedframe.linting.found import MOST
from seedframe.linting.texts import field_column, hidden_in
from tests.linted import found, lint_files, write

ROWS = "from seedframe import Rows, column, ref\n\n\ndef resources():\n"


def rows_of(file: str, more: str = "") -> dict[str, str]:
    return {"seeds/10_shop.py": f'{ROWS}    yield Rows("p", key="k", file="{file}"{more})\n'}


FILES: dict[str, tuple[str, list[str]]] = {
    "p.csv": (
        (
            'k,n,n,,"a,b "\n1,a,b,c,d\n1,a,b,c,d\n,a,b,c,d\n2\n3,"x\ny",b,c,d\n'
            '1,"a ""q"", z",\u202eb,c,d,e\n4,a,\u202eb,c,d\n'
        ),
        [
            "1:5 SF508 column 'n' stands twice in the header",
            "1:7 SF508 column 4 has no name",
            "1:8 SF509 column 'a,b ' has blanks around it",
            "3:1 SF514 k='1' stands here and in line 2",
            "4:1 SF513 key column 'k' has no value",
            "5:1 SF511 1 field, but the header has 5",
            "8:23 SF511 6 fields, but the header has 5",
            "9:3 SF515 column 'n' holds U+202E, which cannot be seen",
        ],
    ),
    "p.tsv": ("k\tn\nA\tx\nA\ty\nB\n", ["3:1 SF514 k='A' stands here and in line 2", "4:1 SF511 1 field, but"]),
    "p.json": (
        '[\n  {"k": 1},\n  3,\n  {"k": "1"}, {"k": null},\n  {"kk": 2},\n  {"k": ""}\n]\n',
        [
            "3:1 SF506 a row is a number",
            "4:1 SF513 key column 'k' has no value",
            "4:1 SF514 k='1' stands here and in line 2",
            "5:1 SF512 field 'kk' is not in the first row",
            "6:1 SF513 key column 'k' has no value",
        ],
    ),
    "p.jsonl": (
        '{"k": -1}\n{"k": -2}\n{"k": NaN}\n{"k": 1,}\n[]\n{"k": -1}\n',
        [
            "3:1 SF506 NaN is no JSON number",
            # Python 3.13 points at the comma, and those before at what follows it.
            f"4:{8 if sys.version_info >= (3, 13) else 9} SF506 this is no JSON: ",
            "5:1 SF506 a row is an array",
            "6:1 SF514 k='-1' stands here and in line 1",
        ],
    ),
    "p.toml": (
        "[[rows]]\nk = 1\n\n[[rows]]\nk = 1\n\n[[rows]]\nx = 1\n",
        ["4:1 SF514 k='1' stands here and in line 1", "7:1 SF512 field 'k' is missing"],
    ),
    "p.yaml": (
        "- k: 1\n- k: 1\n- x: 1\n- k: &a 2\n- k: *a\n",
        [
            "2:1 SF514 k='1' stands here and in line 1",
            "3:1 SF512 field 'k' is missing",
            "5:6 SF506 an alias",
        ],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_every_mistake_of_a_file_is_found(tmp_path: Path, name: str) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    text, expected = FILES[name]
    lines = lint_files(tmp_path, {**rows_of(name), f"seeds/{name}": text})
    assert len(lines) == len(expected), lines
    for line, start in zip(lines, expected, strict=True):
        assert line.startswith(f"seeds/{name}:{start}"), lines


def test_a_compressed_file_is_read_as_well(tmp_path: Path) -> None:
    write(tmp_path, {**rows_of("p.csv.gz"), "seeds/p.csv.gz": gzip.compress(b"k,n\nA,1\nA,2\n\xff,3\n")})
    assert [line.split()[:2] for line in found(tmp_path)] == [["seeds/p.csv.gz:4:1", "SF505"]]
    (tmp_path / "seeds/p.csv.gz").write_bytes(gzip.compress(b"k,n\nA,1\nA,2\nB\n"))
    assert [line.split()[:2] for line in found(tmp_path)] == [
        ["seeds/p.csv.gz:3:1", "SF514"],
        ["seeds/p.csv.gz:4:1", "SF511"],
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (', initial=["price"], secret=["k"]', ["5:53 initial= names 'price', which the rows do not have"]),
        (', ignore=["id", "nn", "m"]', ["5:58 ignore= names 'nn', which the rows do not have"]),
        (', refs={"n": ref("q", code=column("c"))}', ["5:50 column 'n' is declared twice", "5:76 column('c') is no"]),
        (', initial={"n": 3}', ["5:53 column 'n' is declared twice"]),
    ],
)
def test_columns_that_the_rows_do_not_have(tmp_path: Path, more: str, expected: list[str]) -> None:
    lines = lint_files(tmp_path, {**rows_of("p.csv", more), "seeds/p.csv": "k,n,o\n1,a,b\n"})
    assert [line.split()[1] for line in lines] == ["SF404"] * len(expected), lines
    for line, start in zip(lines, expected, strict=True):
        place, message = start.split(" ", 1)
        assert line.startswith(f"seeds/10_shop.py:{place} SF404 {message}"), lines


def test_a_null_token_leaves_empty_texts(tmp_path: Path) -> None:
    lines = lint_files(tmp_path, {**rows_of("p.csv", ', null="-"'), "seeds/p.csv": "k\n-\n-\nA\n"})
    assert [line.split()[:2] for line in lines] == [["seeds/p.csv:2:1", "SF513"], ["seeds/p.csv:3:1", "SF513"]]


def test_keys_of_several_columns(tmp_path: Path) -> None:
    seed = ROWS + '    yield Rows("p", key=["a", "b"], file="p.csv", secret=["b"])\n'
    lines = lint_files(tmp_path, {"seeds/10_shop.py": seed, "seeds/p.csv": "a,b\nx,yz\nxy,z\nx,yz\n"})
    assert lines == ["seeds/p.csv:4:1 SF514 a='x' b stands here and in line 2"]


def test_what_is_written_in_a_hook_that_needs_the_database_is_looked_at(tmp_path: Path) -> None:
    seed = (
        "from seedframe import Rows\n\nKEY = ['k']\n\n\nclass Sheet:\n    def __init__(self, **given): pass\n\n\n"
        "def resources(db):\n    if db.scalar('select 1'):\n        yield Rows('p', key=KEY, file='p.csv')\n"
        "    yield Rows('q', key=db.key, file='q.csv')\n    yield Rows('r', key='k', mode='x', rows=[])\n"
        "    yield Sheet(file='sheet.csv')\n    yield open(file='not/data.csv')\n"
    )
    lines = lint_files(tmp_path, {"seeds/10_shop.py": seed, "seeds/p.csv": "k\nA\nA\n"})
    assert lines == [
        "seeds/10_shop.py:13:38 SF501 file 'q.csv' does not exist",
        "seeds/10_shop.py:14:11 SF402 mode='x' is not known",
        "seeds/10_shop.py:15:22 SF501 file 'sheet.csv' does not exist",
        "seeds/p.csv:3:1 SF514 k='A' stands here and in line 2",
    ]


def test_rows_that_code_supplies_are_not_asked_for(tmp_path: Path) -> None:
    seed = ROWS + (
        "    yield Rows('p', key='k', rows=lambda: 1 / 0)\n"
        "    yield Rows('q', key='k', rows=iter([{'x': 1}]))\n"
        "    yield Rows('r', key='k', rows=[])\n"
    )
    assert lint_files(tmp_path, {"seeds/10_shop.py": seed}) == []


def test_many_rows_are_read_in_bounded_memory_and_told_of_briefly(tmp_path: Path) -> None:
    count = 60_000
    write(tmp_path, rows_of("p.csv"))
    with (tmp_path / "seeds/p.csv").open("w") as file:
        file.write("k,n\n")
        file.writelines(f"key-{number % (count - 50)},some text that takes room\n" for number in range(count))
        file.writelines("short\n" for _ in range(1_000))
    tracemalloc.start()
    lines = found(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000  # sixteen bytes a row, and a block
    assert [line.split()[1] for line in lines] == ["SF514"] * (MOST + 1) + ["SF511"] * (MOST + 1)
    assert lines[0] == "seeds/p.csv:59952:1 SF514 k='key-0' stands here and in line 2"
    assert lines[MOST].endswith("SF514 30 more mistakes of this kind up to here")
    assert lines[-1].endswith("SF511 980 more mistakes of this kind up to here")


@pytest.mark.parametrize(
    "text", ["café", "SÃO PAULO", "Łódź", "«naïve»", "Â", "क्‍ष", "👩‍👩‍👧", "100 €", "a\tb\nc", "Ñandú"]
)
def test_texts_that_are_what_they_look_like(text: str) -> None:
    assert hidden_in(text) is None


@pytest.mark.parametrize("text", ["cafÃ©", "â‚¬", "ZÃ¼rich", "a\u200bb", "\ufeffa", "a\x07", "caf\ufffd", "a\u2066b"])
def test_texts_that_are_not(text: str) -> None:
    assert hidden_in(text) is not None


@pytest.mark.parametrize(
    ("line", "position", "expected"),
    [("a,b", 0, 1), ("a,b", 1, 3), ('"a,b",c', 1, 7), ('"a""x,",c', 1, 9), ("a", 3, 1)],
)
def test_fields_are_found_in_their_line(line: str, position: int, expected: int) -> None:
    assert field_column(line, position, ",") == expected


def test_a_pipe_as_a_data_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    write(tmp_path, rows_of("x.csv"))
    os.mkfifo(tmp_path / "seeds" / "x.csv")
    os.mkfifo(tmp_path / "seeds" / "y.csv")
    os.mkfifo(tmp_path / "seeds" / "_helper.py")
    assert [line.partition(" ")[2] for line in found(tmp_path)] == ["SF504 'x.csv' is no regular file"]
