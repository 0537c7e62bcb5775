"""No secret in what plugins write: their reporters, their commands, and the names that they give to things."""

from pathlib import Path
from typing import Final

import pytest

from tests.canary import Search, canary, files_below
from tests.conftest import Folder, ProjectFactory, Result, Sql
from tests.figures import Figures
from tests.installing import Site

CONFIG: Final = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-loud"]\n'

EXTENSION: Final = """
import os, sys
import click
from seedframe import Reporter

def told(report=None, page=None):
    return "{} {} {!r}\\n".format(os.environ["DATABASE_URL"], os.environ["TOKEN"], os.environ["TOKEN"])

def half(report, page):
    return "a" + chr(0xd800)

@click.group("tell")
def tell():
    print(told())

@tell.command("all")
@click.option("--how", callback=lambda ctx, option, value: click.echo(told()))
@click.pass_obj
def all_(context, how):
    context.project()
    click.echo(told())
    print(os.environ["TOKEN"], os.environ["DATABASE_URL"], sep=";")
    sys.stdout.write(told())
    sys.stdout.buffer.write(told().encode())
    click.echo(told().encode())
    print(told(), file=sys.stderr)
    sys.exit(told())

def seedframe_reporters():
    return [Reporter("told", told), Reporter("people", told, for_people=True), Reporter("half", half)]

def seedframe_commands():
    return [tell, click.Command(os.environ["TOKEN"])]
"""

SEED: Final = """
import os
from seedframe import Rows, Secret, Setting

SETTINGS = [Setting("TOKEN", Secret)]
TAGS = [os.environ["TOKEN"]]
REQUIRES = []
WRITES = ["t", os.environ["TOKEN"]]

def resources():
    yield Rows("t", key="id", name="rows of " + os.environ["TOKEN"], rows=[{"id": 1}])
"""

COMMANDS: Final = (
    "apply --format told",
    "apply --dry-run --format people",
    "verify --format told --output told.txt",
    "apply --format json -v",
    "verify --format half",
    "verify --output report.txt",
    "history 1",
    "tell all",
    "list",
    "list --format json",
    "plugins",
    "plugins --format json",
)


@pytest.fixture
def shop(project: ProjectFactory, tmp_path: Path, sql: Sql) -> Folder:
    sql("create table t (id int primary key)")
    site = Site(tmp_path / "site")
    files = {"sf_loud_seed.py": SEED, "sf_loud.py": EXTENSION}
    site.install("seedframe-loud", "1.0", {"30_loud": "sf_loud_seed", "loud": "sf_loud"}, files)
    folder = project({}, config=CONFIG)
    folder.env["PYTHONPATH"] = str(site.path)
    return folder


@pytest.mark.timeout(600)
def test_what_plugins_write_is_masked(shop: Folder, tell: Figures) -> None:
    token, password = canary("TOKEN", middle="é'-"), canary("the database's password", middle="_")
    url = shop.env["DATABASE_URL"]
    shop.env.update(
        {"TOKEN": token.value, "DATABASE_URL": f"{url}{'&' if '?' in url else '?'}password={password.value}"}
    )
    results: dict[str, Result] = {}
    for line in COMMANDS:
        results[line] = done = shop.run(*line.split())
        assert "this is a bug" not in done.stderr, done
    for line in ("apply --format told", "tell all", "list", "plugins --format json"):
        assert "********" in results[line].stdout, results[line]
    assert results["tell all"].returncode == 1
    assert results["tell all"].stdout.count("password=********") == 7
    places = {
        f"{stream} of {line}": text.encode()
        for line, done in results.items()
        for stream, text in (("stdout", done.stdout), ("stderr", done.stderr))
    }
    search = Search([token, password])
    search.require_none({**places, **files_below(shop.path)})
    assert "********" in (shop.path / "told.txt").read_text()
    tell(f"{len(COMMANDS)} commands: {search.told}, 0 found")


def test_a_reporter_whose_text_is_none_says_that_the_run_was_done(shop: Folder, sql: Sql) -> None:
    done = shop.run("apply", "--format", "half", env={"TOKEN": "x"})
    assert done.returncode == 3
    assert done.stderr == (
        "error: the report could not be written: plugin seedframe-loud 1.0, extension 'loud': reporter 'half' returned"
        " half of a surrogate pair, at character 2: not a text that UTF-8 has\n"
        " hint: the run itself was done: exit code 0 otherwise; see seedframe history\n"
    )
    assert sql("select count(*) from t") == [(1,)]
