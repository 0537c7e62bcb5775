"""The samples of docs/seeds.md: one project that is listed, applied and verified as the page says."""

import re
from pathlib import Path

from seedframe.loading.contract import ARGUMENTS, CONSTANTS, hook_functions
from tests.conftest import Folder, ProjectFactory, Sql

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "seeds.md").read_text(encoding="utf-8")
_DATA = re.compile(r"`([\w./]+\.csv)`:\n\n```csv\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?:# (?P<file>[\w./]+)\n)?(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def sample_project(project: ProjectFactory, sql: Sql) -> Folder:
    """The project that the page's blocks with a file's name make up, with the page's tables."""
    blocks = list(_BLOCK.finditer(PAGE))
    (tables,) = [block["text"] for block in blocks if block["language"] == "sql"]
    sql(tables)
    return project({block["file"]: block["text"] for block in blocks if block["file"]} | dict(_DATA.findall(PAGE)))


def test_the_samples_are_listed_as_shown(project: ProjectFactory, sql: Sql) -> None:
    (shown,) = re.findall(r"^```console\n\$ seedframe list\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    done = sample_project(project, sql).run("list")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == shown


def test_the_samples_apply_once_and_then_hold(project: ProjectFactory, sql: Sql) -> None:
    folder = sample_project(project, sql)
    first = folder.run("apply")
    assert first.returncode == 0, first
    assert sql("select slug, country, phone from shops order by slug") == [
        ("berlin", "DE", "+49 30 1"),
        ("demo-shop", "JP", None),
        ("test", "FR", "+33 1 1"),
    ]
    assert sql("select * from feature_flags order by name") == [("gift_cards", False), ("pickup", False)]
    again = folder.run("apply", "--dry-run", "--detailed-exitcode")
    assert again.returncode == 0, again
    held = folder.run("verify")
    assert held.returncode == 0, held


def test_the_samples_in_production(project: ProjectFactory, sql: Sql) -> None:
    folder = sample_project(project, sql)
    assert folder.run("apply", "--env", "production").returncode == 0
    assert sql("select slug from shops") == [("berlin",)]
    verified = folder.run("verify", "--env", "production")
    assert verified.returncode == 0, verified
    assert "no shop in Japan yet" in verified.stdout


def test_the_sample_of_an_object_runs() -> None:
    text = next(block["text"] for block in _BLOCK.finditer(PAGE) if "class Icd10" in block["text"])
    namespace: dict[str, object] = {}
    exec(compile(text, "docs/seeds.md", "exec"), namespace)
    assert list(hook_functions(namespace["seed"])) == ["resources"]


def test_the_sample_of_options_runs(project: ProjectFactory, sql: Sql) -> None:
    text = next(block["text"] for block in _BLOCK.finditer(PAGE) if "OPTIONS = [" in block["text"])
    sql("CREATE TABLE shirts (size int PRIMARY KEY, currency text)")
    folder = project({"seeds/10_shirts.py": text})
    assert folder.run("apply").returncode == 0
    assert sql("SELECT * FROM shirts") == [(38, "EUR"), (40, "EUR")]
    folder.write({"seedframe.toml": '[seeds.shirts]\ncurrency = "EURO"\n'})
    assert "did you mean 'EUR'?" in folder.run("apply").stderr


def test_every_hook_argument_and_constant_is_on_the_page() -> None:
    rows = dict(re.findall(r"^\| `(\w+)[^|]*` \|(.*)\|$", PAGE, re.MULTILINE))
    assert rows.keys() == {*ARGUMENTS, *CONSTANTS, *(name for names in ARGUMENTS.values() for name in names)}
    for argument in {name for names in ARGUMENTS.values() for name in names}:
        hooks = [hook for hook, names in ARGUMENTS.items() if argument in names]
        said = rows[argument].rpartition("|")[2]
        assert said.strip() == ("all" if len(hooks) == len(ARGUMENTS) else ", ".join(f"`{hook}`" for hook in hooks))
