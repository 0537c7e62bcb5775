"""The page about testing: its samples pass, all in one run of pytest, with two workers and warnings as errors."""

import os
import re
from pathlib import Path

from seedframe import testing
from tests.installing import Site
from tests.plain_pytest import python

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")

PLUGIN = '''"""Countries."""

from seedframe import Rows

WRITES = ["countries"]


def resources():
    yield Rows("countries", key="code", rows=[{"code": "DE", "name": "Germany"}, {"code": "FR", "name": "France"}])
'''

APPLICATION = {
    "seedframe.toml": '[project]\nname = "shop"\n\n[migrations]\ncommand = "python migrate.py"\n',
    "migrate.py": (
        "import os\nimport psycopg\n\n"
        "with psycopg.connect(os.environ['DATABASE_URL']) as connection:\n"
        "    connection.execute('create table plans (slug text primary key, price int)')\n"
    ),
    "seeds/10_plans.py": (
        "from seedframe import Rows\n\n\ndef resources():\n"
        "    yield Rows('plans', key='slug', rows=[{'slug': 'basic', 'price': 10}])\n"
    ),
    "pytest.ini": "[pytest]\naddopts = -p no:cacheprovider\nfilterwarnings = error\nseedframe_env = testing\n",
}


def test_the_samples_pass(tmp_path: Path) -> None:
    samples = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(samples) == 5
    site, application = tmp_path / "site", tmp_path / "application"
    Site(site).install(
        "seedframe-countries",
        points={"10_countries": "seedframe_countries.seed"},
        files={"seedframe_countries/__init__.py": "", "seedframe_countries/seed.py": PLUGIN},
    )
    write(application, APPLICATION)
    write(application, {f"test_{number}.py": sample for number, sample in enumerate(samples)})
    done = python(
        *("-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", application),
        cwd=application,
        PYTHONPATH=f"{site}{os.pathsep}{ROOT}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "9 passed" in done.stdout


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_every_fixture_and_every_name_is_documented() -> None:
    fixtures = {name for name in vars(testing) if name.startswith("seedframe_")}
    assert len(fixtures) == 7
    for name in fixtures:
        assert f"| `{name}` |" in PAGE, name
    for name in testing.__all__:
        assert name in PAGE, name
    for option in ("seedframe_env", "seedframe_config"):
        assert f"`{option}`" in PAGE, option
