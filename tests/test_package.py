"""What is built and installed: the wheel's and the sdist's contents, their metadata, and the public names."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_string
from email.message import Message
from importlib import import_module
from pathlib import Path

import pytest

import seedframe

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a wheel and an sdist, built from this checkout with the build backend that is installed."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(folder)]
    done = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> zipfile.ZipFile:
    """The wheel, open."""
    [path] = dist.glob("*.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="session")
def sdist(dist: Path) -> set[str]:
    """The names of the sdist's files, below its folder."""
    [path] = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.fixture(scope="session")
def metadata(wheel: zipfile.ZipFile) -> Message:
    """The wheel's METADATA."""
    [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    return message_from_string(wheel.read(name).decode("utf-8"))


def tracked(folder: str, suffix: str = "") -> set[str]:
    """The source files below a folder of this checkout."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob(f"*{suffix}")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_is_the_package_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert inside == tracked("seedframe")
    assert "seedframe/py.typed" in inside


def test_the_wheel_starts_the_command_and_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    [entry_points] = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "seedframe = seedframe.cli.main:program" in wheel.read(entry_points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in wheel.namelist())


def test_the_sdist_has_what_the_readme_needs(sdist: set[str]) -> None:
    wanted = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "alembic.ini"}
    wanted |= {"seedframe.toml", ".env.example", ".ci/run", "PKG-INFO"}
    for folder in ("seedframe", "seeds", "migrations", "tests"):
        wanted |= tracked(folder)
    assert wanted <= sdist
    assert not [name for name in sdist if name.startswith((".git/", ".seedframe/", ".venv/")) or name == ".env"]


def test_the_version_is_said_in_one_place(metadata: Message) -> None:
    assert metadata["Version"] == seedframe.__version__
    assert PROJECT["dynamic"] == ["version"]
    assert f"## {seedframe.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_extras_are_those_the_readme_and_errors_name(metadata: Message) -> None:
    assert set(metadata.get_all("Provides-Extra", [])) == {
        "demo",
        "embedded",
        "supabase",
        "test",
        "yaml",
    }
    assert metadata["Requires-Python"] == ">=3.11"


def test_no_extra_is_needed_for_the_main_job(metadata: Message) -> None:
    always = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    needed = {re.split(r"[^\w-]", line, maxsplit=1)[0] for line in always}
    assert needed == {"bcrypt", "click", "loguru", "packaging", "pluggy", "psycopg", "rich", "sqlalchemy", "tomli-w"}


PUBLIC = {
    "Account",
    "AccountGrant",
    "Accounts",
    "Change",
    "Changes",
    "CommandContext",
    "Db",
    "Extension",
    "Finding",
    "LocalAccounts",
    "Option",
    "FileFormat",
    "Page",
    "Report",
    "Reporter",
    "Plan",
    "Project",
    "Resource",
    "Rows",
    "Secret",
    "Seed",
    "SeedframeError",
    "Setting",
    "SupabaseAccounts",
    "Tables",
    "Verdict",
    "__version__",
    "column",
    "hookimpl",
    "moved",
    "normalise_email",
    "parse_accounts",
    "removed",
    "ref",
    "sql",
}


def test_the_public_names_are_these() -> None:
    assert set(seedframe.__all__) == PUBLIC
    assert set(dir(seedframe)) == PUBLIC
    for name in PUBLIC:
        assert getattr(seedframe, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Row'"):
        seedframe.Row  # type: ignore[attr-defined]  # noqa: B018 - and a type checker knows that, too


def test_every_public_name_says_what_it_is() -> None:
    for name in PUBLIC - {"__version__", "hookimpl"}:
        assert getattr(seedframe, name).__doc__, name


@pytest.mark.parametrize("path", sorted((ROOT / "seedframe").rglob("*.py")), ids=lambda path: path.name)
def test_every_module_says_in_one_sentence_what_it_is_for(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    if module.endswith("__main__"):
        return
    doc = import_module(module).__doc__
    assert doc, module
    assert doc.splitlines()[0].rstrip().endswith("."), module


# From the bottom to the top: a package or module imports only from its own line and from those above it.
LAYERS = (
    {"errors"},
    {"secrets"},
    {"configuration", "changes", "report"},
    {"seed"},
    {"secrecy"},
    {"sources", "reporting"},
    {"database"},
    {"resources"},
    {"accounts"},
    {"loading"},
    {"plugins"},
    {"discovery", "seeding"},
    {"running", "operations"},
    {"project"},
    {"linting", "scaffold"},
    {"cli"},
    {"testing"},
)


def imported(path: Path) -> Iterator[str]:
    """The parts of seedframe that a file imports, by the name below `seedframe`."""
    for line in path.read_text(encoding="utf-8").splitlines():
        words = line.split()
        if words[:1] == ["from"] and words[1].startswith("seedframe."):
            yield words[1].split(".")[1]


@pytest.mark.parametrize("number", range(len(LAYERS)), ids=lambda number: "+".join(sorted(LAYERS[number])))
def test_no_layer_imports_from_one_above(number: int) -> None:
    above = set().union(*LAYERS[number + 1 :])
    for part in LAYERS[number]:
        home = ROOT / "seedframe" / part
        files = list(home.rglob("*.py")) if home.is_dir() else [home.with_suffix(".py")]
        assert files
        for path in files:
            assert not above & set(imported(path)), path
