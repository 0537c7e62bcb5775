"""The samples of docs/resources.md are one project that applies once, holds, and is the same for a machine."""

import inspect
import re
from pathlib import Path

from seedframe import Rows
from seedframe.resources.protocol import Resource
from tests.conftest import Folder, ProjectFactory, Sql

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/resources.md").read_text(encoding="utf-8")
_DATA = re.compile(r"`([\w./]+\.csv)`:\n\n```csv\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?:# (?P<file>[\w./]+)\n)?(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
TOKEN = {"WAREHOUSE_TOKEN": "canary-90210"}


def sample_project(project: ProjectFactory, sql: Sql) -> Folder:
    blocks = list(_BLOCK.finditer(PAGE))
    (tables,) = [block["text"] for block in blocks if block["language"] == "sql"]
    sql(tables)
    return project({block["file"]: block["text"] for block in blocks if block["file"]} | dict(_DATA.findall(PAGE)))


def test_the_samples_apply_once_and_then_hold(project: ProjectFactory, sql: Sql) -> None:
    folder = sample_project(project, sql)
    outputs = [folder.run("apply", "--dry-run", env=TOKEN), folder.run("apply", env=TOKEN)]
    assert [result.returncode for result in outputs] == [0, 0], outputs
    assert sql(
        "select p.sku, p.price::text, c.slug, p.attributes, p.search_boost from products p"
        " join categories c on c.id = p.category_id order by 1"
    ) == [
        ("BOOT-1", "129.00", "shoes", {"colors": ["black", "brown"]}, 1.0),
        ("COAT-1", "249.50", "clothing", None, 1.0),
    ]
    assert sql("select name, enabled from flags order by 1") == [
        ("checkout", True),
        ("debug", True),
        ("search", True),
    ]
    assert sql("select code, country, opens::text, closed_on, contact from stores order by 1") == [
        ("007", "no", "08:30:00", ["sunday"], {"phone": "030 123456", "desks": 2, "name": None}),
        ("012", "de", None, [], None),
    ]
    sql("update products set search_boost = 5, created_at = 'epoch'; update api_clients set rate_limit = 7")
    again = folder.run("apply", "--dry-run", "--detailed-exitcode", env=TOKEN)
    assert again.returncode == 0, again
    held = folder.run("verify", env=TOKEN)
    assert held.returncode == 0, held
    sql("update flags set enabled = false where name = 'search'")
    assert folder.run("verify", env=TOKEN).returncode == 2
    assert "canary" not in "".join(str(result) for result in (*outputs, again, held))


def test_every_argument_of_rows_and_member_of_the_protocol_is_on_the_page() -> None:
    rows = set(re.findall(r"^\| `(\w+)[^|]*` \|", PAGE, re.MULTILINE))
    arguments = set(inspect.signature(Rows.__init__).parameters) - {"self"}
    members = {name for name in vars(Resource) if not name.startswith("_")}
    assert rows == arguments | members


def test_what_prune_does_is_said_alike_everywhere() -> None:
    sentence = "the rows that this seed made while prune was on and that it no longer declares"
    for file in (
        *("docs/resources.md", "seedframe/resources/rows.py", "seedframe/scaffold/templates/plugin/README.md.txt"),
        *("seedframe/scaffold/templates/plugin/seed.py.txt", "plugins/seedframe-iso/README.md"),
        *("plugins/seedframe-icd10/README.md",),
    ):
        assert sentence in (ROOT / file).read_text(encoding="utf-8"), file


def test_the_readme_links_every_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert f"docs/{page.name}" in readme, page.name
