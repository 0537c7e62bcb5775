"""A secret that a seed's own code puts into a text is masked wherever that text goes."""

from pathlib import Path

import pytest

from seedframe.secrecy.masking import hiding, masked
from tests.conftest import Folder, ProjectFactory, Sql

_CANARY = "canary-zq'xw"

_SEED = """
CRITICAL = False
from seedframe import Change, Secret, Setting

SETTINGS = [Setting("MYPW", Secret)]
"""
_LEAKS = {
    "an exception": 'def verify(settings):\n    raise RuntimeError("cannot " + settings["MYPW"].reveal())\n',
    "a key that is missing": 'def verify(settings):\n    return {}[settings["MYPW"].reveal()]\n',
    "its cause": """
def verify(settings):
    try:
        int(settings["MYPW"].reveal())
    except ValueError as error:
        raise RuntimeError("no number") from error
""",
    "a finding": 'def verify(settings):\n    yield "bad " + settings["MYPW"].reveal()\n',
    "a long finding": 'def verify(settings):\n    yield "x" * 492 + settings["MYPW"].reveal()\n',
    "a note": 'def verify(db, settings):\n    db.note("look: " + settings["MYPW"].reveal())\n',
    "a change": """
def check(db, settings):
    pw = settings["MYPW"].reveal()
    if not db.scalar("select count(*) from items"):
        yield Change("create", {"sku": pw, pw: "x"}, None, {"name": "is " + pw}, reason="for " + pw)

def apply(db):
    db.execute("insert into items values ('a', 'x')")
""",
    "an SQL error": (
        "def verify(db, settings):\n"
        '    db.execute("select * from \\"" + settings["MYPW"].reveal() + "\\"")\n'
    ),
    "a log record": """
from loguru import logger

def verify(settings):
    logger.bind(pw=settings["MYPW"].reveal()).warning("it is {}", settings["MYPW"].reveal())
    return ()
""",
    "the database's password": """
import os

def verify(settings):
    yield "bad " + os.environ["DATABASE_URL"]
""",
}  # fmt: skip


def everything(folder: Folder, sql: Sql, *ways: str) -> str:
    """What seedframe left anywhere: its output, the log file, a plan, and all text of the ledger."""
    left = ""
    for arguments in ways:
        done = folder.run(*arguments.split(), "--log-file", "seedframe.log", env=_environment(folder))
        left += str(done)
    tables = [name for (name,) in sql("select tablename from pg_tables where schemaname = 'seedframe'")]
    left += "".join(str(sql(f"select t::text from seedframe.{name} t")) for name in tables)
    files = [folder.path / name for name in ("seedframe.log", "plan.json", "report.json")]
    return left + "".join(file.read_text() for file in files if file.exists())


def _environment(folder: Folder) -> dict[str, str]:
    return {
        "MYPW": _CANARY,
        "DATABASE_URL": folder.env["DATABASE_URL"].replace("postgres@", "postgres:word-zk%2Fv%40@"),
    }


@pytest.mark.promise(
    "a seed's own code puts a secret setting, or the database's password, into an error, finding, note, key or log",
    "masked in the report, the log, the plan and the ledger",
)
def test_a_secret_in_a_text_is_masked(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (sku text primary key, name text)")
    codes = {f"seeds/{n}_s.py".replace("_s", f"_s{n}"): _SEED + code for n, code in enumerate(_LEAKS.values(), 10)}
    folder = project(codes)
    left = everything(
        folder, sql,
        "apply --dry-run --out plan.json -vv", "verify --format json", "apply --rehearse -v", "apply --keep-going -vv",
        "apply --keep-going --transaction run --output report.json --format json", "history 1 -v",
    )  # fmt: skip
    for part in ("canary", "zq'", "'xw", "xw", "word-zk"):
        assert part not in left, left[left.index(part) - 300 : left.index(part) + 100]
    for number in range(10, 10 + len(_LEAKS)):
        assert f"{number}_s{number}" in left
    assert left.count("********") > 5 * len(_LEAKS)


def test_what_is_masked() -> None:
    with hiding(["s3cr et", "abc", "a\nb'c", "", 'q"uo\\te', "x" * 100]):
        assert masked("s3cr et, S3CR ET; xs3cr etx") == "********, S3CR ET; x********x"
        assert masked("abc abcd _abc (abc)") == "******** abcd _abc (********)"
        assert masked(repr("a\nb'c")) == '"********"'
        assert masked(repr('q"uo\\te')) == "'********'"
        assert masked('column "' + "x" * 63 + '"') == 'column "********"'
        with hiding(["s3cr"]):
            assert masked("s3cr et s3cr") == "******** ********"
        assert masked("s3cr") == "s3cr"
    assert masked("s3cr et") == "s3cr et"


def test_nothing_is_masked_in_what_has_no_secret(project: ProjectFactory, tmp_path: Path) -> None:
    folder = project({"seeds/10_a.py": "def verify():\n    yield 'bad canary'\n"})
    assert "bad canary" in folder.run("apply").stdout
