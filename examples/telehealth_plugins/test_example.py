"""The example as its README has it: migrated, seeded, verified, and asked which plan is for what."""

import re
import shutil
from pathlib import Path

import pytest

from seedframe.testing import SeedRunner

HERE = Path(__file__).resolve().parent
README = (HERE / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def example(seedframe_project: SeedRunner) -> SeedRunner:
    """A copy of the example, on an empty database."""
    left_out = shutil.ignore_patterns("__pycache__", ".seedframe")
    shutil.copytree(HERE, seedframe_project.path, dirs_exist_ok=True, ignore=left_out)
    return seedframe_project


def shown(command: str) -> str:
    """What the README shows below a command."""
    found = re.search(rf"^\$ {re.escape(command)}\n(.*?)^(?:\$ |```)", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


def test_it_is_made_from_nothing_and_then_holds(example: SeedRunner) -> None:
    first = example.run("db", "init")
    assert first.exit_code == 0, str(first)
    again = example.run("db", "init")
    assert again.exit_code == 0, str(again)
    assert "0 created, 0 updated, 0 deleted" in again.stdout
    assert [seed.name for seed in example.load().seeds] == ["icd10", "iso", "reference"]
    assert example.database.rows(
        "select p.code, c.alpha_2, s.code from pharmacies p join countries c on c.id = p.country_id"
        " join subdivisions s on s.id = p.state_id order by 1"
    ) == [("national-compounding-pharmacy", "US", "US-OH"), ("telehealth-pharmacy-partners", "US", "US-TX")]

    example.database.execute("delete from indications where treatment_plan = 'ed-essential'")
    changed = example.verify()
    assert changed.exit_code == 2
    assert example.apply().summary.create == 1


def test_the_readme_shows_what_is_there(example: SeedRunner) -> None:
    assert example.run("plugins").stdout == shown("seedframe plugins")
    assert example.apply().exit_code == 1  # no tables yet
    (query,) = re.findall(r'^\$ seedframe db shell -- -c "(.*)"$', README, re.MULTILINE)
    assert example.run("db", "init").exit_code == 0
    table = shown(f'seedframe db shell -- -c "{query}"').splitlines()
    rows = [tuple(cell.strip() for cell in line.split("|")) for line in table[2:] if "|" in line]
    assert example.database.rows(query) == rows
