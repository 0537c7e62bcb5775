"""What installed distributions say of themselves, broken or forged: nothing of that is believed, or stops a command."""

import json
from pathlib import Path

import pytest

from seedframe import Project
from seedframe.plugins.offered import offers
from tests.conftest import Cli
from tests.installing import Site

CONFIG = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-good"]\n'
SEED = "WRITES = []\ndef verify(): pass\n"
POINT = "[seedframe]\n77_other = sf_other\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.path))
    site.install("seedframe-good", "1.0", {"30_good": "sf_good"}, {"sf_good.py": SEED})
    (site.path / "sf_other.py").write_text("raise RuntimeError('imported')\n")
    return site


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "seedframe.toml").write_text(CONFIG)
    return root


def info(site: Site, folder: str, metadata: bytes | None, points: bytes = POINT.encode()) -> None:
    (site.path / folder).mkdir()
    (site.path / folder / "entry_points.txt").write_bytes(points)
    if metadata is not None:
        (site.path / folder / "METADATA").write_bytes(metadata)


def names(root: Path) -> list[str]:
    return [seed.label for seed in Project.load(root).seeds]


BROKEN = [
    ("zz-1.0.dist-info", None, POINT.encode(), "has metadata without a name or a version"),
    ("zz-1.0.dist-info", b"Metadata-Version: 2.1\nVersion: 1\n", POINT.encode(), "without a name or a version"),
    ("zz-1.0.dist-info", b"Metadata-Version: 2.1\nName: zz\n", POINT.encode(), "without a name or a version"),
    ("zz-1.0.dist-info", b"Metadata-Version: 2.1\nName: zz\xff\nVersion: 1\n", POINT.encode(), ""),
    ("zz-1.0.dist-info", b"Name: zz\x1b[2J\nVersion: 1\n", POINT.encode(), "without a name or a version"),
    ("~eedframe_old-1.0.dist-info", None, POINT.encode(), "without a name or a version"),
    ("zz-1.0.dist-info", b"Name: zz\nVersion: 1\n", b"[seedframe]\n77_\xff = a.b\n", None),
    ("zz-1.0.dist-info", b"Name: zz\nVersion: 1\n", b"seedframe\n[seedframe\n = \nfoo\n[seedframe]\nbar\n=x\n", ""),
    ("zz-1.0.dist-info", b"Name: zz\nVersion: abc def\n", POINT.encode(), "[plugins] allow does not name it"),
]


@pytest.mark.parametrize(("folder", "metadata", "points", "reason"), BROKEN)
def test_a_broken_distribution_stops_nothing(
    root: Path, site: Site, cli: Cli, folder: str, metadata: bytes | None, points: bytes, reason: str | None
) -> None:
    info(site, folder, metadata, points)
    assert names(root) == ["30_good"]
    assert Project.load(root).problems == ()
    done = cli("plugins", "--format", "json", cwd=root, env={"PYTHONPATH": str(site.path)})
    assert done.returncode == 0, done
    others = [each for each in json.loads(done.stdout)["plugins"] if each["name"] != "seedframe-good"]
    assert [each["state"] for each in others] == ([] if reason is None else ["blocked"])
    assert reason is None or reason in others[0]["reason"]


def test_nobody_takes_the_name_of_what_is_allowed(root: Path, site: Site) -> None:
    info(site, "zzz-0.1.dist-info", b"Metadata-Version: 2.1\nName: Seedframe.Good\nVersion: 9.9\n")
    assert names(root) == ["30_good"]
    (forged,) = [offer for offer in offers() if offer.wrong is not None and offer.name == "zzz"]
    assert forged.wrong == "calls itself Seedframe.Good 9.9, and its folder is zzz-0.1.dist-info"


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("innocent-1.0.egg-info", "PKG-INFO"),
        ("innocent.egg-info", "PKG-INFO"),
        ("innocent-1.0.DIST-INFO", "METADATA"),
        ("innocent-1.0-py3.egg/EGG-INFO", "PKG-INFO"),
    ],
)
def test_nobody_takes_the_name_of_what_is_not_installed(
    root: Path, site: Site, monkeypatch: pytest.MonkeyPatch, folder: str, file: str
) -> None:
    site.uninstall("seedframe-good")
    (site.path / folder).mkdir(parents=True)
    (site.path / folder / "entry_points.txt").write_text(POINT)
    (site.path / folder / file).write_text("Metadata-Version: 2.1\nName: seedframe-good\nVersion: 9.9\n")
    if ".egg/" in folder:
        monkeypatch.syspath_prepend(str((site.path / folder).parent))
    assert names(root) == []
    (forged,) = [offer for offer in offers() if offer.name == "innocent"]
    assert forged.wrong == f"calls itself seedframe-good 9.9, and its folder is {folder.removesuffix('/EGG-INFO')}"


@pytest.mark.parametrize("folder", ["seedframe_good-1.0.egg-info", "Seedframe_Good.egg-info"])
def test_an_old_way_of_installing_is_believed(root: Path, site: Site, folder: str) -> None:
    site.uninstall("seedframe-good")
    (site.path / folder).mkdir()
    (site.path / folder / "entry_points.txt").write_text("[seedframe]\n30_good = sf_good\n")
    (site.path / folder / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: seedframe-good\nVersion: 1.0\n")
    (site.path / "sf_good.py").write_text(SEED)
    assert names(root) == ["30_good"]


def test_one_name_twice_in_one_folder_is_neither(root: Path, site: Site) -> None:
    info(site, "seedframe_good-9.9.dist-info", b"Metadata-Version: 2.1\nName: seedframe-good\nVersion: 9.9\n")
    project = Project.load(root)
    assert [seed.label for seed in project.seeds] == []
    assert [problem.message for problem in project.problems] == [
        "plugin seedframe-good: it is installed twice: seedframe_good-1.0.dist-info and seedframe_good-9.9.dist-info"
    ]


def test_one_name_in_two_folders_is_the_first(
    root: Path, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Site(tmp_path / "first")
    first.install("seedframe-good", "2.0", {"30_good": "sf_newer"}, {"sf_newer.py": SEED})
    monkeypatch.syspath_prepend(str(first.path))
    (seed,) = Project.load(root).seeds
    assert seed.origin == "seedframe-good 2.0"


def test_a_seed_of_another_distribution_cannot_be_locked(root: Path, site: Site, cli: Cli) -> None:
    site.install("other-lib", "1.0", {}, {"otherlib.py": SEED})
    site.install("seedframe-point", "1.0", {"40_point": "otherlib"}, {"sf_point.py": ""})
    (root / "seedframe.toml").write_text(CONFIG.replace('"]', '", "seedframe-point"]'))
    done = cli("plugins", "lock", cwd=root, env={"PYTHONPATH": str(site.path)})
    assert (done.returncode, done.stderr) == (
        3,
        (
            "error: plugin seedframe-point: 40_point names otherlib, which is in none of its files: it cannot be"
            " locked\n"
            " hint: its author moves the module into the distribution\n"
        ),
    )
    assert not (root / "seedframe.lock").exists()


def test_a_seed_of_another_distribution_in_a_namespace_cannot_be_locked(root: Path, site: Site, cli: Cli) -> None:
    site.install("other-lib", "1.0", {}, {"sf_ns/b/__init__.py": "", "sf_ns/b/seed.py": SEED})
    site.install("seedframe-point", "1.0", {"40_point": "sf_ns.b.seed"}, {"sf_ns/a/__init__.py": ""})
    (root / "seedframe.toml").write_text(CONFIG.replace('"]', '", "seedframe-point"]'))
    done = cli("plugins", "lock", cwd=root, env={"PYTHONPATH": str(site.path)})
    assert done.returncode == 3
    assert "plugin seedframe-point: 40_point names sf_ns.b.seed, which is in none of its files" in done.stderr
    assert not (root / "seedframe.lock").exists()


@pytest.mark.parametrize(
    ("point", "value"), [("40_point", "not a value!"), ("point", ""), ("40_point", "sf_point:"), ("point", ".sf_point")]
)
def test_an_entry_point_that_names_no_module_says_so(root: Path, site: Site, cli: Cli, value: str, point: str) -> None:
    site.install("seedframe-point", "1.0", {point: value}, {"sf_point.py": SEED})
    (root / "seedframe.toml").write_text(CONFIG.replace('"]', '", "seedframe-point"]'))
    environment = {"PYTHONPATH": str(site.path)}
    told = f"entry point {point} has {value!r}, which is no module, and no module:object"
    (root / "seeds").mkdir()
    done = cli("plugins", cwd=root, env=environment)
    assert done.returncode == 3
    assert told in done.stdout + done.stderr
    assert "AttributeError" not in done.stdout + done.stderr
    done = cli("plugins", "lock", cwd=root, env=environment)
    assert (done.returncode, done.stderr.count(told)) == (3, 1)


def test_a_data_file_that_is_added_is_refused(root: Path, site: Site, cli: Cli) -> None:
    files = {"sf_data/__init__.py": SEED, "sf_data/data/a.csv": "code\n"}
    site.install("seedframe-data", "1.0", {"40_data": "sf_data"}, files)
    (root / "seedframe.toml").write_text(CONFIG.replace('"]', '", "seedframe-data"]'))
    environment = {"PYTHONPATH": str(site.path)}
    assert cli("plugins", "lock", cwd=root, env=environment).returncode == 0
    (site.path / "sf_data/data/b.csv").write_text("code\nX\n")
    checked = cli("plugins", "lock", "--check", cwd=root, env=environment)
    assert checked.returncode == 1
    assert "sf_data/data/b.csv was added since it was locked" in checked.stdout + checked.stderr
    assert "sf_data/data/b.csv was added" in cli("list", cwd=root, env=environment).stderr


def test_a_path_in_the_lock_that_is_none_is_a_difference(root: Path, site: Site, cli: Cli) -> None:
    environment = {"PYTHONPATH": str(site.path)}
    assert cli("plugins", "lock", cwd=root, env=environment).returncode == 0
    lock = root / "seedframe.lock"
    lock.write_text(lock.read_text().replace('"sf_good.py"', '"sf_good\\u0000.py"'))
    done = cli("plugins", "lock", "--check", cwd=root, env=environment)
    assert done.returncode == 1
    assert "has no name that a file can have" in done.stdout + done.stderr
