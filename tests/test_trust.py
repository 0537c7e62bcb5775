"""Trust in plugins: what is not allowed, or not as it was locked, is never imported."""

import importlib
import importlib.util
import marshal
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.version import Version

from seedframe import Project
from seedframe.cli.main import main
from seedframe.cli.plugins import plugin_lines
from seedframe.configuration.config import load_config
from seedframe.errors import ConfigError, SeedImportFailed
from seedframe.plugins.installed import judge
from seedframe.plugins.lockfile import LOCK_NAME, Lock, LockedDependency, LockedPlugin, read_lock
from seedframe.reporting.page import Page, line_text
from seedframe.secrecy.tracebacks import describe
from seedframe.seeding.hooks import call
from tests.installing import Site, on_path

POINT = {"40_acme": "acme.seed"}
SEED = "from acme.words import WORD\nWRITES = []\ndef verify(): yield WORD\n"
FILES = {"acme/__init__.py": "", "acme/seed.py": SEED, "acme/words.py": "WORD = 'good'\n", "acme/data/x.csv": "a\n1\n"}
ALLOW = '[project]\nname = "shop"\n[plugins]\nallow = ["seedframe-acme>=1,<2"]\n'
LOCAL = "def verify(): pass\n"

Write = Callable[..., Path]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A folder on the path, with `seedframe-acme` in it."""
    made = Site(tmp_path / "site")
    made.install("seedframe-acme", points=POINT, files=FILES)
    with on_path(made.path, monkeypatch):
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project that allows `seedframe-acme`."""
    folder = tmp_path / "project"
    (folder / "seeds").mkdir(parents=True)
    (folder / "seeds" / "00_core.py").write_text(LOCAL)
    (folder / "seedframe.toml").write_text(ALLOW)
    return folder


@pytest.fixture
def run(root: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("plugins", "lock")` in this process: exit code, output, errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, "--config", str(root)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def word(root: Path) -> str:
    """What the plugin's seed says, imported anew."""
    project = Project.load(root)
    assert project.problems == ()
    seed = next(seed for seed in project.seeds if seed.name == "acme")
    assert seed.broken is None, seed.broken
    (found,) = call(seed, project.plugins, "verify", db=None, env="", settings={})
    return str(found.text)


def state(root: Path, name: str = "seedframe-acme") -> tuple[str, str]:
    (dist,) = (dist for dist in Project.load(root).distributions if dist.name == name)
    return dist.state, dist.reason


def forget_imports() -> None:
    for name in [name for name in sys.modules if name.startswith("acme")]:
        del sys.modules[name]
    importlib.invalidate_caches()


# -------------------------------------------------------------------------
# Locking
# -------------------------------------------------------------------------


def test_a_lock_has_every_file_and_is_the_same_twice(root: Path, site: Site, run: Run) -> None:
    code, out, err = run("plugins", "lock")
    assert (code, err) == (0, "")
    assert out == "added seedframe-acme 1.2.0: 6 files\nseedframe.lock is written: commit it\n"
    text = (root / LOCK_NAME).read_text()
    assert text.startswith("# Written by `seedframe plugins lock`")
    locked = tomllib.loads(text)
    assert locked["version"] == 1
    plugin = locked["plugins"]["seedframe-acme"]
    assert plugin["version"] == "1.2.0"
    info = "seedframe_acme-1.2.0.dist-info"
    assert sorted(plugin["files"]) == sorted([*FILES, f"{info}/METADATA", f"{info}/entry_points.txt"])
    assert not any(name.startswith("acme") for name in sys.modules)
    assert run("plugins", "lock")[0] == 0
    assert (root / LOCK_NAME).read_text() == text
    assert run("plugins", "lock", "--check") == (0, "seedframe.lock is what is installed\n", "")
    assert word(root) == "good"
    assert "seedframe-acme 1.2.0  allowed, locked: " in run("plugins")[1]


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("acme/words.py", "WORD = 'evil'\n", "acme/words.py was changed"),
        ("acme/data/x.csv", "a\n2\n", "acme/data/x.csv was changed"),
        ("acme/words.py", None, "acme/words.py is missing"),
        ("acme/more.py", "", "acme/more.py was added"),
        ("acme/sub/deep/more.py", "", "acme/sub/deep/more.py was added"),
        ("acme/more.pyc", "", "acme/more.pyc was added"),
        ("acme/more.abi3.so", "", "acme/more.abi3.so was added"),
        ("seedframe_acme-1.2.0.dist-info/METADATA", "Name: seedframe-acme\nVersion: 1.2.0\n", "METADATA was changed"),
    ],
)
def test_what_is_not_as_it_was_is_refused_before_it_is_imported_and_not_locked(
    root: Path, site: Site, run: Run, path: str, text: str | None, told: str
) -> None:
    assert run("plugins", "lock")[0] == 0
    before = (root / LOCK_NAME).read_text()
    if text is None:
        (site.path / path).unlink()
    else:
        (site.path / path).parent.mkdir(parents=True, exist_ok=True)
        (site.path / path).write_text(text)
    found, reason = state(root)
    assert found == "blocked"
    assert told in reason
    assert not any(name.startswith("acme") for name in sys.modules)
    code, _, err = run("apply", "--dry-run")
    assert code == 3
    assert told in err
    assert "nstall it again: `pip install --force-reinstall --no-deps 'seedframe-acme==1.2.0'`\n" in err
    assert "plugins lock" not in err  # which refuses it, too
    assert run("plugins")[0] == 3
    code, out, _ = run("plugins", "lock", "--check")
    assert code == 1
    assert told in out
    code, _, err = run("plugins", "lock")
    assert code == 3
    assert told in err
    assert (root / LOCK_NAME).read_text() == before


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda path: path.mkdir(), "acme/words.py is no file"),
        (os.mkfifo, "acme/words.py is no file"),
        (lambda path: path.symlink_to("nowhere"), "acme/words.py is missing"),
        (lambda path: path.symlink_to("words.py"), "acme/words.py cannot be read: Too many levels of symbolic links"),
        (lambda path: path.symlink_to("../elsewhere.py"), "acme/words.py was changed since it was locked"),
    ],
)
def test_what_stands_in_place_of_a_file(
    root: Path, site: Site, run: Run, make: Callable[[Path], None], told: str
) -> None:
    assert run("plugins", "lock")[0] == 0
    (site.path / "elsewhere.py").write_text("WORD = 'evil'\n")
    (site.path / "acme" / "words.py").unlink()
    make(site.path / "acme" / "words.py")
    assert state(root) == ("blocked", told)
    assert run("plugins", "lock")[0] == 3


def test_a_record_that_cannot_be_read(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    lock = (root / LOCK_NAME).read_text()
    (root / LOCK_NAME).write_text(lock.replace('"acme/words.py"', '"acme/\\u0000.py"'))
    assert state(root) == (
        "blocked",
        "acme/\0.py has no name that a file can have; acme/words.py was added since it was locked",
    )
    assert "has no name that a file can have" in run("plugins")[1]
    (site.path / "seedframe_acme-1.2.0.dist-info" / "RECORD").write_bytes(b"\xff\xfe")
    assert state(root) == ("blocked", "has a list of its files (RECORD) that cannot be read, and is locked")
    assert run("plugins", "lock")[0] == 3


def test_bytecode_and_what_lies_beside_the_source_are_no_change(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    (site.path / "acme" / "__pycache__").mkdir()
    (site.path / "acme" / "__pycache__" / "gone.cpython-311.pyc").write_text("")
    (site.path / "acme" / "words.pyc").write_text("")
    assert run("plugins", "lock", "--check")[0] == 0
    assert word(root) == "good"


def test_another_version_is_refused_until_it_is_locked(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.3.0", POINT, {**FILES, "acme/words.py": "WORD = 'better'\n"})
    assert state(root) == ("blocked", "1.2.0 is locked, and 1.3.0 is installed")
    code, out, _ = run("plugins")
    assert code == 3
    assert "    `seedframe plugins lock` once you trust this version, or install 1.2.0 again\n" in out
    assert run("plugins", "lock", "--check")[:2] == (1, "seedframe-acme: 1.2.0 is locked, and 1.3.0 is installed\n")
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "better"


def test_other_files_that_were_installed_are_refused_until_they_are_locked(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", POINT, {**FILES, "acme/words.py": "WORD = 'better'\n"})
    assert "hint: `seedframe plugins lock` once you trust the change, or install again" in run("verify")[2]
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "better"


def test_an_allowed_plugin_that_is_not_in_the_lock_is_refused(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    site.install("acme-other", points={"50_other": "acme_other"}, files={"acme_other.py": "1 / 0\n"})
    (root / "seedframe.toml").write_text(ALLOW.replace('<2"]', '<2", "acme-other"]'))
    assert state(root, "acme-other") == ("blocked", "is not in seedframe.lock")
    assert run("apply", "--dry-run")[2] == (
        "error: plugin acme-other: is not in seedframe.lock\n hint: `seedframe plugins lock` once you trust it\n"
    )
    assert "acme_other" not in sys.modules
    assert run("plugins", "lock", "--check")[:2] == (1, "acme-other: is not in seedframe.lock\n")
    assert run("plugins", "lock")[0] == 0
    (root / "seedframe.toml").write_text(ALLOW)
    assert run("plugins", "lock", "--check")[:2] == (1, "acme-other: 1.2.0 is locked, and is not allowed\n")
    (root / "seedframe.toml").write_text(ALLOW.replace("seedframe-acme>=1,<2", "acme-other"))
    site.uninstall("acme-other")
    code, out, _ = run("plugins", "lock", "--check")
    assert code == 1
    assert "acme-other: 1.2.0 is locked, and is not installed\n" in out


@pytest.mark.parametrize(
    ("direct_url", "record", "told", "hint"),
    [
        (
            '{"url": "file:///my%20code/acme", "dir_info": {"editable": true}}',
            True,
            "in editable mode",
            "install it without -e: `pip install --force-reinstall --no-deps '/my code/acme'`",
        ),
        (
            '{"url": "https://token@example.com/acme.git", "vcs_info": {"vcs": "git"}}',
            False,
            "was installed without a list of its files (RECORD)",
            "install it from a wheel: `pip install --force-reinstall --no-deps 'seedframe-acme==1.2.0'`",
        ),
        (
            "[]",
            False,
            "was installed without a list of its files (RECORD)",
            "install it from a wheel: `pip install --force-reinstall --no-deps 'seedframe-acme==1.2.0'`",
        ),
    ],
)
def test_what_tells_not_what_it_consists_of_cannot_be_locked(
    root: Path, site: Site, run: Run, direct_url: str, record: bool, told: str, hint: str
) -> None:
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", POINT, FILES, more={"direct_url.json": direct_url}, record=record)
    code, _, err = run("plugins", "lock")
    assert code == 3
    assert told in err
    assert f"hint: {hint}\n" in err
    assert not (root / LOCK_NAME).exists()
    assert word(root) == "good"


def test_nothing_to_lock_is_an_error(root: Path, site: Site, run: Run) -> None:
    (root / "seedframe.toml").write_text('[project]\nname = "shop"\n')
    assert run("plugins", "lock")[0] == 3
    assert run("plugins", "lock", "--check")[:2] == (
        1,
        "there is no seedframe.lock: seedframe plugins lock writes it\n",
    )
    assert not (root / LOCK_NAME).exists()


TWO_LISTS = """\
[project]
name = "shop"
[plugins]
allow = ["acme-other"]
[env.staging.plugins]
allow = ["seedframe-acme>=1,<2", "acme-other>=9"]
[env.testing.limits]
max_delete = 5
"""


def test_one_lock_is_of_all_that_any_environment_allows(root: Path, site: Site, run: Run) -> None:
    (root / "seedframe.toml").write_text(TWO_LISTS)
    files = {"acme_other.py": "WRITES = []\ndef verify(): pass\n"}
    site.install("acme-other", "1.0", {"50_other": "acme_other"}, files)
    assert run("plugins", "lock")[:2] == (
        0,
        "added acme-other 1.0: 3 files\nadded seedframe-acme 1.2.0: 6 files\nseedframe.lock is written: commit it\n",
    )
    text = (root / LOCK_NAME).read_text()
    for env in ("development", "testing", "other"):
        assert run("plugins", "lock", "--check", "--env", env) == (0, "seedframe.lock is what is installed\n", "")
        assert [seed.label for seed in Project.load(root, env=env).seeds] == ["00_core", "50_other"]
    (acme,) = [dist for dist in Project.load(root, env="staging").distributions if dist.name == "seedframe-acme"]
    assert (acme.state, acme.locked) == ("allowed", True)
    # Each environment sees to its own.
    (site.path / "acme" / "words.py").write_text("WORD = 'evil'\n")
    assert run("plugins", "lock", "--check")[0] == 0
    (root / "seedframe.toml").write_text(TWO_LISTS.replace(', "acme-other>=9"', ""))
    code, out, _ = run("plugins", "lock", "--check", "--env", "staging")
    assert (code, out) == (1, "seedframe-acme: acme/words.py was changed since it was locked\n")
    site.uninstall("seedframe-acme")
    code, out, err = run("plugins", "lock")
    assert (code, out.splitlines()[-1]) == (0, "seedframe.lock is as it was")
    assert err == (
        "seedframe-acme, which another environment allows, is not installed: what was locked of 1.2.0 stays\n"
    )
    assert (root / LOCK_NAME).read_text() == text
    assert run("plugins", "lock", "--check")[0] == 0
    assert run("plugins", "lock", "--check", "--env", "staging")[:2] == (
        1,
        "seedframe-acme: 1.2.0 is locked, and is not installed\n",
    )
    (root / "seedframe.toml").write_text(TWO_LISTS.replace("env.staging.plugins", "env.staging.seeds.acme"))
    assert run("plugins", "lock", "--check")[1] == "seedframe-acme: 1.2.0 is locked, and is not allowed\n"


def test_a_mistake_in_the_list_of_another_environment_is_told_before_it_is_locked(
    root: Path, site: Site, run: Run
) -> None:
    (root / "seedframe.toml").write_text(ALLOW + '[env.staging.plugins]\nallow = ["no requirement!"]\n')
    code, _, err = run("plugins", "lock")
    assert code == 3
    assert "is not a requirement" in err
    assert not (root / LOCK_NAME).exists()
    assert run("list")[0] == 0


def test_what_is_left_out_of_a_run_is_locked_all_the_same(
    root: Path, site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD", "1")
    assert run("plugins", "lock", "-p", "no:acme")[0] == 0
    lock = read_lock(root)
    assert lock is not None
    assert set(lock.plugins) == {"seedframe-acme"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("version = 2\n", "seedframe.lock: has version 2"),
        ("", "does not say which version it has"),
        ("version = 1\n", "is not a lock that"),
        ("version = 1\n[plugins.a]\nversion = '1'\n", "is not a lock that"),
        ("version = 1\n[plugins.a]\nversion = '1'\nfiles = {x = 'y'}\ndependencies = {}\n", "is not a lock that"),
        ("version = [\n", "is not valid TOML"),
        ("<<<<<<< HEAD\n", "is not valid TOML"),
        ("\udcff", "is not UTF-8"),
    ],
)
def test_a_lock_that_cannot_be_read_is_exit_code_3(root: Path, site: Site, run: Run, text: str, told: str) -> None:
    (root / LOCK_NAME).write_text(text, errors="surrogateescape")
    for command in (["list"], ["plugins"], ["apply", "--dry-run"], ["verify"], ["plugins", "lock", "--check"]):
        code, _, err = run(*command)
        assert code == 3, command
        assert told in err
        assert len(err.splitlines()) == 2  # the error, and what to do
    assert not any(name.startswith("acme") for name in sys.modules)
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "good"


def test_a_lock_that_is_a_folder_or_a_dead_link_is_none(root: Path, site: Site, run: Run) -> None:
    (root / LOCK_NAME).symlink_to("nowhere")
    assert run("list")[0] == 3
    (root / LOCK_NAME).unlink()
    (root / LOCK_NAME).mkdir()
    assert run("list")[0] == 3
    (root / LOCK_NAME).rmdir()
    os.mkfifo(root / LOCK_NAME)
    for command in (["list"], ["apply", "--dry-run"], ["plugins", "lock", "--check"], ["plugins", "lock"]):
        code, _, err = run(*command)
        assert code == 3
        assert "seedframe.lock: is no regular file\n hint: remove it" in err


_names = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z]", fullmatch=True)
_digests = st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
_versions = st.text(min_size=1, max_size=8)
_paths = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(
    st.dictionaries(
        _names,
        st.builds(
            LockedPlugin,
            name=st.just(""),
            version=_versions,
            files=st.dictionaries(_paths, _digests, max_size=4),
            dependencies=st.dictionaries(_names, st.builds(LockedDependency, _versions, _digests), max_size=2),
        ),
        max_size=3,
    )
)
def test_a_lock_reads_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, plugins: dict[str, LockedPlugin]
) -> None:
    lock = Lock({name: replace(plugin, name=name) for name, plugin in plugins.items()})
    folder = tmp_path_factory.mktemp("lock")
    (folder / LOCK_NAME).write_text(lock.text(), encoding="utf-8")
    assert read_lock(folder) == lock
    reordered = Lock(dict(reversed(list(lock.plugins.items()))))
    assert reordered.text() == lock.text()


# -------------------------------------------------------------------------
# Importing
# -------------------------------------------------------------------------


def forge_bytecode(source: Path, code: str) -> Path:
    """Bytecode of other code, that Python takes for that of `source`: its size and time stand in it."""
    seen = source.stat()
    cached = Path(importlib.util.cache_from_source(str(source)))
    cached.parent.mkdir(exist_ok=True)
    header = importlib.util.MAGIC_NUMBER + (0).to_bytes(4, "little")
    header += int(seen.st_mtime).to_bytes(4, "little") + (seen.st_size & 0xFFFFFFFF).to_bytes(4, "little")
    cached.write_bytes(header + marshal.dumps(compile(code, str(source), "exec")))
    return cached


def test_forged_bytecode_has_no_effect_on_what_is_locked(root: Path, site: Site, run: Run) -> None:
    cached = forge_bytecode(site.path / "acme" / "words.py", "WORD = 'evil'\n")
    bytecode = cached.read_bytes()
    assert word(root) == "evil"  # nothing is locked: Python believes it, so that it is a forgery indeed
    forget_imports()
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "good"
    assert cached.read_bytes() == bytecode


def test_what_was_imported_before_is_imported_again_from_what_is_locked(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    forge_bytecode(site.path / "acme" / "words.py", "WORD = 'evil'\n")
    (root / LOCK_NAME).rename(root / "aside")
    assert word(root) == "evil"
    (root / "aside").rename(root / LOCK_NAME)
    assert word(root) == "good"
    module = sys.modules["acme.words"]
    assert word(root) == "good"
    assert sys.modules["acme.words"] is module  # what is as it is locked is imported once
    (root / LOCK_NAME).unlink()
    forget_imports()
    assert word(root) == "evil"


def test_a_module_of_the_same_name_elsewhere_comes_not_first(
    root: Path, site: Site, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("plugins", "lock")[0] == 0
    other = tmp_path / "other"
    (other / "acme").mkdir(parents=True)
    for name in ("__init__", "seed", "words"):
        (other / "acme" / f"{name}.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(str(other))
    assert word(root) == "good"


def test_a_file_that_changes_after_the_check_is_not_run(root: Path, site: Site, run: Run) -> None:
    site.uninstall("seedframe-acme")
    lazy = "WRITES = []\ndef verify():\n    from acme.words import WORD\n    yield WORD\n"
    site.install("seedframe-acme", "1.2.0", POINT, {**FILES, "acme/seed.py": lazy})
    assert run("plugins", "lock")[0] == 0
    project = Project.load(root)
    (site.path / "acme" / "words.py").write_text("WORD = 'evil'\n")
    seed = next(seed for seed in project.seeds if seed.name == "acme")
    with pytest.raises(Exception, match="failed") as caught:
        call(seed, project.plugins, "verify", db=None, env="", settings={})
    assert "acme/words.py was changed since it was locked" in describe(caught.value.__cause__)  # type: ignore[arg-type]
    (site.path / "acme" / "later.py").write_text("WORD = 'evil'\n")
    with pytest.raises(ImportError, match=r"acme\.later is not in the lock of seedframe-acme"):
        importlib.import_module("acme.later")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("acme.nowhere")
    assert importlib.util.find_spec("acme.nowhere") is None


def test_another_plugin_does_not_import_what_is_refused(root: Path, site: Site, run: Run) -> None:
    text = "from acme.words import WORD\nWRITES = []\ndef verify(): yield WORD\n"
    site.install("acme-other", points={"50_other": "acme_other"}, files={"acme_other.py": text})
    (root / "seedframe.toml").write_text(ALLOW.replace('<2"]', '<2", "acme-other"]'))
    assert run("plugins", "lock")[0] == 0
    (site.path / "acme" / "words.py").write_text("WORD = 'evil'\n")
    assert state(root)[0] == "blocked"
    for disabled in ([], ["seedframe-acme"]):
        (_, other) = Project.load(root, disabled=disabled).seeds
        assert other.name == "other"
        assert isinstance(other.broken, SeedImportFailed)
        assert "acme/words.py was changed since it was locked" in other.broken.message
    assert "acme.words" not in sys.modules


def test_what_a_locked_plugin_has_is_found_as_ever(root: Path, site: Site, run: Run) -> None:
    files = {
        "acme/__init__.py": "",
        "acme/seed.py": "from importlib.resources import files\nimport acme, inspect, pkgutil\nfrom acme import words\n"
        "WRITES = []\ndef verify():\n    yield files('acme').joinpath('data/x.csv').read_text()\n"
        "    yield inspect.getsource(words)\n    yield pkgutil.get_data('acme', 'data/x.csv').decode()\n"
        "    yield ' '.join(found.name for found in pkgutil.iter_modules(acme.__path__))\n",
        "acme/words.py": "WORD = 'good'\n",
        "acme/data/x.csv": "a\n1\n",
    }
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", POINT, files)
    assert run("plugins", "lock")[0] == 0
    project = Project.load(root)
    seed = next(seed for seed in project.seeds if seed.name == "acme")
    assert seed.broken is None
    assert seed.files is not None
    assert (seed.files / "data" / "x.csv").read_text() == "a\n1\n"
    found = call(seed, project.plugins, "verify", db=None, env="", settings={})
    assert [finding.text.split() for finding in found] == [
        ["a", "1"],
        ["WORD", "=", "'good'"],
        ["a", "1"],
        ["seed", "words"],
    ]


def test_folders_that_several_distributions_share(root: Path, site: Site, run: Run) -> None:
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", {"40_acme": "acmes.one.seed"},
                 {"acmes/one/__init__.py": "", "acmes/one/seed.py": "from acmes.two import WORD\nWRITES = []\n"
                  "def verify(): yield WORD\n"})  # fmt: skip
    site.install("needed", "1.0", files={"acmes/two.py": "WORD = 'of the other'\n"})
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "of the other"
    (site.path / "acmes" / "__init__.py").write_text("1 / 0\n")
    assert state(root) == ("blocked", "acmes/__init__.py was added since it was locked")


SHARED = {
    "acmes/one/__init__.py": "",
    "acmes/one/seed.py": "try:\n    from acmes.one import more\nexcept ImportError:\n    more = None\n"
    "WRITES = []\ndef verify(): yield 'foreign' if more else 'own'\n",
    "acmes/one/data/x.csv": "a\n1\n",
}


@pytest.mark.parametrize("package", [True, False])
@pytest.mark.parametrize("path", ["acmes/one/more.py", "acmes/one/more/__init__.py", "acmes/one/data/y.csv"])
def test_what_another_distribution_adds_among_a_plugins_files_is_refused(
    root: Path, site: Site, run: Run, package: bool, path: str
) -> None:
    site.uninstall("seedframe-acme")
    files = {name: text for name, text in SHARED.items() if package or not name.endswith("__init__.py")}
    site.install("seedframe-acme", "1.2.0", {"40_acme": "acmes.one.seed"}, files)
    site.install("acme-beside", "1.0", files={"acmes/two/__init__.py": ""})
    assert run("plugins", "lock")[0] == 0
    assert word(root) == "own"
    forget_imports()
    site.install("acme-other", "1.0", files={path: "a\n2\n" if path.endswith("csv") else ""})
    assert state(root) == ("blocked", f"{path} was added by acme-other")
    assert not any(name.startswith("acme") for name in sys.modules)
    assert run("plugins", "lock", "--check")[:2] == (1, f"seedframe-acme: {path} was added by acme-other\n")
    code, _, err = run("plugins", "lock")
    assert code == 3
    assert f"{path} was added by acme-other\n hint: uninstall acme-other" in err


@pytest.mark.parametrize("package", [True, False])
def test_what_comes_among_a_plugins_files_after_the_check_is_not_imported(
    root: Path, site: Site, run: Run, package: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.uninstall("seedframe-acme")
    files = {name: text for name, text in SHARED.items() if package or not name.endswith("__init__.py")}
    files["acmes/one/seed.py"] = "WRITES = []\ndef verify():\n    from acmes.one import more\n    yield ''\n"
    site.install("seedframe-acme", "1.2.0", {"40_acme": "acmes.one.seed"}, files)
    assert run("plugins", "lock")[0] == 0
    for folder in (site.path, tmp_path / "elsewhere"):
        project = Project.load(root)
        (folder / "acmes" / "one").mkdir(parents=True, exist_ok=True)
        (folder / "acmes" / "one" / "more.py").write_text("1 / 0\n")
        monkeypatch.syspath_prepend(str(folder))
        seed = next(seed for seed in project.seeds if seed.name == "acme")
        with pytest.raises(Exception, match="failed") as caught:
            call(seed, project.plugins, "verify", db=None, env="", settings={})
        told = describe(caught.value.__cause__)  # type: ignore[arg-type]
        # Of a folder elsewhere, Python asks for nothing.
        assert "acmes.one.more is not in the lock" in told or (folder != site.path and "cannot import name" in told)
        assert "acmes.one.more" not in sys.modules
        (folder / "acmes" / "one" / "more.py").unlink()


def test_what_was_imported_before_it_was_locked_out_is_imported_no_more(root: Path, site: Site, run: Run) -> None:
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", {"40_acme": "acmes.one.seed"}, SHARED)
    assert run("plugins", "lock")[0] == 0
    (root / LOCK_NAME).rename(root / "aside")
    (site.path / "acmes" / "one" / "more.py").write_text("")
    assert word(root) == "foreign"
    (site.path / "acmes" / "one" / "more.py").unlink()
    (root / "aside").rename(root / LOCK_NAME)
    assert word(root) == "own"


def test_single_modules_and_objects(root: Path, site: Site, run: Run) -> None:
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", {"40_acme": "acme_lone"},
                 {"acme_lone.py": "WRITES = []\ndef verify(): yield 'alone'\n"})  # fmt: skip
    assert run("plugins", "lock")[0] == 0
    forge_bytecode(site.path / "acme_lone.py", "WRITES = []\ndef verify(): yield 'evil'\n")
    assert word(root) == "alone"
    (site.path / "acme_lone").mkdir()
    (site.path / "acme_lone" / "__init__.py").write_text("1 / 0\n")
    forget_imports()
    assert word(root) == "alone"  # Python itself would take the folder


def test_an_archive_works_unlocked_and_is_refused_locked(
    root: Path, site: Site, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / LOCK_NAME).write_text("version = 1\nplugins = {}\n")
    archive = tmp_path / "acme.whl"
    site.zipped(archive)
    with on_path(archive, monkeypatch):
        assert state(root) == ("blocked", "is not in seedframe.lock")
        (root / LOCK_NAME).unlink()
        project = Project.load(root)
        seed = next(seed for seed in project.seeds if seed.name == "acme")
        assert seed.broken is None
        assert seed.files is not None
        assert seed.files.joinpath("data", "x.csv").read_text() == "a\n1\n"
        assert word(root) == "good"
        code, _, err = run("plugins", "lock")
        assert code == 3
        assert "plugin seedframe-acme is inside an archive: it cannot be locked" in err


# -------------------------------------------------------------------------
# What it requires
# -------------------------------------------------------------------------


def needing(site: Site, *lines: str) -> None:
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.2.0", POINT, FILES, requires=lines)


def test_what_a_plugin_requires_is_locked_with_what_that_requires(root: Path, site: Site, run: Run) -> None:
    needing(site, "Needed[more]>=1", "never; python_version < '3'", "seedframe>=0", "click", "only; extra == 'x'")
    requires = ["needed-deep; extra == 'more'", "needed-not; extra == 'less'", "seedframe-acme"]
    site.install("needed", "2.0", files={"needed.py": ""}, requires=requires)
    site.install("needed-deep", "3.0", files={"needed_deep.py": ""})
    code, out, err = run("plugins", "lock")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "added seedframe-acme 1.2.0: 6 files, and needed 2.0, needed-deep 3.0"
    assert word(root) == "good"

    site.uninstall("needed-deep")
    assert state(root) == ("blocked", "needed-deep, which it requires, is not installed")
    assert run("plugins", "lock")[0] == 3
    site.install("needed-deep", "3.1", files={"needed_deep.py": ""})
    assert state(root) == ("blocked", "needed-deep 3.1, which it requires, is not 3.0")
    site.uninstall("needed-deep")
    site.install("needed-deep", "3.0", files={"needed_deep.py": "changed = 1\n"})
    assert state(root) == ("blocked", "needed-deep 3.0, which it requires, was installed anew, with other files")
    site.uninstall("needed-deep")
    site.install("needed-deep", "3.0", files={"needed_deep.py": ""})
    assert word(root) == "good"


def test_what_is_required_cannot_be_locked_without_a_record(root: Path, site: Site, run: Run) -> None:
    needing(site, "needed", "needed-gone")
    site.install("needed", "2.0", files={"needed.py": ""}, record=False)
    code, _, err = run("plugins", "lock")
    assert code == 3
    assert "requires needed, which was installed without a list of its files" in err
    assert "requires needed-gone, which is not installed" in err


# -------------------------------------------------------------------------
# Allowing
# -------------------------------------------------------------------------

EVIL = "from pathlib import Path\nPath({path!r}).write_text('')\n"


@pytest.mark.parametrize("table", [None, "allow = []", 'allow = ["other>=1"]', 'allow = ["seedframe-acme>=9"]'])
@pytest.mark.parametrize("locked", [False, True])
def test_the_import_of_what_is_not_allowed_leaves_no_trace(
    root: Path, site: Site, run: Run, tmp_path: Path, table: str | None, locked: bool, database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trace = tmp_path / "trace"
    site.uninstall("seedframe-acme")
    evil = EVIL.format(path=str(trace))
    site.install(
        "seedframe-acme", points={**POINT, "acme": "acme"}, files={name: evil for name in FILES if name[-1] == "y"}
    )
    monkeypatch.setenv("DATABASE_URL", database)
    (root / "seedframe.toml").write_text(
        '[project]\nname = "shop"\n' + (f"[plugins]\n{table}\n" if table is not None else "")
    )
    if locked:
        (root / LOCK_NAME).write_text("version = 1\nplugins = {}\n")
    for command in (
        ["list"], ["plugins"], ["plugins", "--format", "json"], ["plugins", "lock"], ["plugins", "lock", "--check"],
        ["apply", "--dry-run"], ["apply"], ["verify"], ["env"], ["lint"], ["history"], ["nonsense"], ["--help"],
    ):  # fmt: skip
        run(*command)
        assert not trace.exists(), command
    (root / LOCK_NAME).unlink(missing_ok=True)
    (root / "seedframe.toml").write_text(ALLOW)
    run("list")
    assert trace.exists()  # so that it would have been seen


def test_without_the_table_there_is_something_to_paste(root: Path, site: Site, run: Run) -> None:
    site.install("acme-other", "0.3+local", {"50_other": "acme_other"}, {"acme_other.py": ""})
    (root / "seedframe.toml").write_text('[project]\nname = "shop"\n')
    code, out, err = run("plugins")
    assert (code, err) == (0, "")
    told, _, paste = out.partition("to allow them, add to seedframe.toml:\n\n")
    assert told == (
        "acme-other 0.3+local  not allowed yet\n    - seed 50_other (acme_other)\n"
        "seedframe-acme 1.2.0  not allowed yet\n    - seed 40_acme (acme.seed)\n\n"
    )
    note = "note: 2 installed plugins are not allowed yet: acme-other, seedframe-acme (see seedframe plugins)\n"
    assert run("list")[1].endswith(note)
    with (root / "seedframe.toml").open("a") as file:
        file.write(paste)
    assert state(root)[0] == state(root, "acme-other")[0] == "allowed"
    assert "not allowed yet" not in run("list")[1]


def test_with_the_table_there_is_an_entry_to_add(root: Path, site: Site, run: Run) -> None:
    (root / "seedframe.toml").write_text('[project]\nname = "shop"\n[plugins]\nallow = []\n')
    assert run("plugins")[1] == (
        "seedframe-acme 1.2.0  blocked: [plugins] allow does not name it\n"
        '    to allow it, add "seedframe-acme>=1.2.0,<2" to [plugins] allow\n'
        "    - seed 40_acme (acme.seed)\n"
    )
    assert "not allowed" not in run("list")[1]


def test_of_pyproject_the_table_is_another(root: Path, site: Site, run: Run) -> None:
    (root / "seedframe.toml").unlink()
    (root / "pyproject.toml").write_text('[project]\nname = "shop"\n[tool.seedframe]\n')
    assert '[tool.seedframe.plugins]\nallow = ["seedframe-acme>=1.2.0,<2"]' in run("plugins")[1]


@given(
    st.from_regex(
        r"(1!)?[0-9]{1,3}(\.[0-9]{1,3}){0,3}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?(\+[a-z0-9]{1,3})?",
        fullmatch=True,
    )
)
def test_the_entry_to_add_allows_just_that(version: str) -> None:
    hint = judge("seedframe-iso", version, {}, ())[2]
    assert hint is not None
    line = hint.partition('"')[2].partition('"')[0]
    assert judge("seedframe-iso", version, {"seedframe-iso": Requirement(line)}, ())[0] == "allowed"
    parsed = Version(version)
    after = f"{parsed.epoch}!{parsed.major + 1}.0"
    assert judge("seedframe-iso", after, {"seedframe-iso": Requirement(line)}, ())[0] == "blocked"


# -------------------------------------------------------------------------
# Loading
# -------------------------------------------------------------------------


def seeds(root: Path, **options: list[str]) -> tuple[list[str], list[str]]:
    project = Project.load(root, **options)  # type: ignore[arg-type]
    return [seed.label for seed in project.seeds], [str(error) for error in project.problems]


@pytest.fixture
def two(root: Path, site: Site) -> Site:
    """Two plugins that are allowed: one with two seeds and an extension."""
    site.uninstall("seedframe-acme")
    files = {
        **FILES,
        "acme/second.py": "WRITES = []\ndef verify(): pass\n",
        "acme/extension.py": "def seedframe_configure(): pass\n",
    }
    points = {**POINT, "45_second": "acme.second", "acmext": "acme.extension"}
    site.install("seedframe-acme", "1.2.0", points, files)
    site.install(
        "acme-other", "1.0", {"50_other": "acme_other"}, {"acme_other.py": "WRITES = []\ndef verify(): pass\n"}
    )
    (root / "seedframe.toml").write_text(ALLOW.replace('<2"]', '<2", "acme-other"]'))
    return site


@pytest.mark.parametrize(
    ("word", "left"),
    [
        ("seedframe-acme", ["00_core", "50_other"]),
        ("Seedframe.Acme", ["00_core", "50_other"]),
        ("40_acme", ["00_core", "45_second", "50_other"]),
        ("acme", ["00_core", "45_second", "50_other"]),
        ("acmext", ["00_core", "40_acme", "45_second", "50_other"]),
        ("acme-other", ["00_core", "40_acme", "45_second"]),
        ("unheard", ["00_core", "40_acme", "45_second", "50_other"]),
    ],
)
def test_leaving_out_a_distribution_or_an_entry_point(root: Path, two: Site, word: str, left: list[str]) -> None:
    with (root / "seedframe.toml").open("a") as file:
        file.write("[seeds.acme]\nregion = 'EU'\n")  # of a seed that is left out, which is no mistake
    assert seeds(root, disabled=[word]) == (left, [])
    assert ("extension:acmext" in Project.load(root, disabled=[word]).plugins.extensions) == (
        word not in ("seedframe-acme", "Seedframe.Acme", "acmext")
    )


@pytest.mark.parametrize(
    ("word", "reason"), [("seedframe-acme", "-p no:seedframe-acme"), ("40_acme", "-p leaves it out")]
)
def test_a_seed_that_needs_what_is_left_out_is_told_so(root: Path, two: Site, word: str, reason: str) -> None:
    (root / "seeds" / "60_needs.py").write_text(f"REQUIRES = ['acme', 'nobody']\n{LOCAL}")
    broken = Project.load(root, disabled=[word]).seeds[-1].broken
    assert broken is not None
    hints = [problem.hint for problem in broken.problems]
    assert hints[0] == f"it is a seed of seedframe-acme 1.2.0, which takes no part: {reason}"
    assert "takes no part" not in (hints[1] or "")


@pytest.mark.parametrize(
    "line", ["seedframe-acme @ https://bob:hunter2@h/x.whl", "https://bob:hunter2@h/x.whl", "bob:hunter2@h"]
)
def test_an_address_in_the_list_is_not_shown(root: Path, site: Site, run: Run, line: str) -> None:
    (root / "seedframe.toml").write_text(f'[project]\nname = "shop"\n[plugins]\nallow = ["{line}"]\n')
    for command in (["list"], ["plugins"], ["plugins", "--format", "json"], ["plugins", "lock"], ["lint"]):
        code, out, err = run(*command)
        assert code == (1 if command == ["lint"] else 3)
        assert "hunter2" not in out + err
        assert "an entry with an address" in out + err


@pytest.mark.parametrize("lines", ['"seedframe-acme==99", "Seedframe_ACME"', '"seedframe-acme", "seedframe.acme>=1"'])
def test_what_is_named_twice_is_not_imported(root: Path, site: Site, run: Run, lines: str) -> None:
    (root / "seedframe.toml").write_text(f'[project]\nname = "shop"\n[plugins]\nallow = [{lines}]\n')
    for command in (["list"], ["apply", "--dry-run"], ["plugins", "lock"], ["verify"]):
        code, _, err = run(*command)
        assert code == 3
        assert "plugin seedframe-acme: [plugins] allow names it twice\n hint: keep one of the lines" in err
    assert "seedframe-acme 1.2.0  blocked: [plugins] allow names it twice\n" in run("plugins")[1]
    assert not any(name.startswith("acme") for name in sys.modules)


@pytest.mark.parametrize(("point", "word"), [("acmext", "ACMEXT"), ("AcmeX", "acmex"), ("40_ICD", "icd")])
def test_a_name_in_another_case_is_a_slip(root: Path, site: Site, run: Run, point: str, word: str) -> None:
    site.uninstall("seedframe-acme")
    files = {
        "acme_x.py": "WRITES = []\ndef verify(): pass\n" if point[0] == "4" else "def seedframe_configure(): 1/0\n"
    }
    site.install("seedframe-acme", "1.2.0", {point: "acme_x"}, files)
    for argument in (f"no:{word}", word):
        code, _, err = run("list", "-p", argument)
        assert code == 3
        assert f"error: -p {argument}: no plugin is called '{word}'\n hint: did you mean '{point}'?" in err


@pytest.mark.parametrize("value", ["1", "true", "yes", " 1 "])
def test_no_plugin_is_loaded_by_itself(
    root: Path, two: Site, run: Run, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD", value)
    assert seeds(root) == (["00_core"], [])
    assert not any(name.startswith("acme") for name in sys.modules)
    assert state(root) == ("disabled", "SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD")
    assert "seedframe-acme 1.2.0  disabled: SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD\n" in run("plugins")[1]
    assert seeds(root, named=["seedframe-acme"])[0] == ["00_core", "40_acme", "45_second"]
    assert seeds(root, named=["40_acme", "other"])[0] == ["00_core", "40_acme", "50_other"]
    assert seeds(root, named=["acme-other"], disabled=["acme-other"])[0] == ["00_core"]
    assert "40_acme" in run("list", "-p", "acme")[1]
    assert "45_second" not in run("list", "-p", "acme")[1]
    two.uninstall("acme-other")
    assert seeds(root) == (["00_core"], [])  # nor is one missed


def test_the_variable_is_told_of_where_there_are_plugins(root: Path, run: Run) -> None:
    assert "SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD" in run("env")[1]
    (root / "seedframe.toml").write_text('[project]\nname = "shop"\n')
    assert "SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD" not in run("env")[1]


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_the_variable_may_say_no(root: Path, two: Site, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("SEEDFRAME_DISABLE_PLUGIN_AUTOLOAD", value)
    assert seeds(root)[0] == ["00_core", "40_acme", "45_second", "50_other"]


def test_naming_a_plugin_that_is_loaded_anyway_is_harmless(root: Path, two: Site) -> None:
    assert seeds(root, named=["acme"]) == (["00_core", "40_acme", "45_second", "50_other"], [])


@pytest.mark.parametrize("command", ["list", "plugins", "verify"])
def test_naming_a_plugin_that_nobody_knows_is_an_error(root: Path, two: Site, run: Run, command: str) -> None:
    code, _, err = run(command, "-p", "seedframe-acne")
    assert code == 3
    assert (
        "error: -p seedframe-acne: no plugin is called 'seedframe-acne'\n hint: did you mean 'seedframe-acme'?" in err
    )


@pytest.mark.parametrize("table", ["", "[plugins]\nallow = []\n"])
def test_naming_a_plugin_does_not_allow_it(root: Path, two: Site, run: Run, table: str) -> None:
    (root / "seedframe.toml").write_text('[project]\nname = "shop"\n' + table)
    code, _, err = run("verify", "-p", "seedframe-acme")
    assert code == 3
    assert "error: plugin seedframe-acme: " in err
    assert not any(name.startswith("acme") for name in sys.modules)


def test_a_new_lock_says_what_is_not_as_before(root: Path, site: Site, run: Run) -> None:
    def locked() -> list[str]:
        code, out, err = run("plugins", "lock")
        assert (code, err) == (0, "")
        return out.splitlines()

    written = "seedframe.lock is written: commit it"
    config = ALLOW.replace('<2"', '<2", "acme-other"')
    (root / "seedframe.toml").write_text(config)
    site.install("acme-other", points={"50_other": "other"}, files={"other.py": LOCAL})
    assert locked() == ["added acme-other 1.2.0: 3 files", "added seedframe-acme 1.2.0: 6 files", written]
    assert locked() == ["unchanged: acme-other 1.2.0, seedframe-acme 1.2.0", "seedframe.lock is as it was"]
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.3.0", POINT, FILES)
    assert locked() == ["updated seedframe-acme 1.2.0 to 1.3.0: 6 files", "unchanged: acme-other 1.2.0", written]
    site.uninstall("seedframe-acme")
    site.install("seedframe-acme", "1.3.0", POINT, {**FILES, "acme/words.py": "WORD = 'new'\n", "acme/more.py": ""})
    changed, *_ = locked()
    assert changed.startswith("changed seedframe-acme 1.3.0: acme/more.py is new; acme/words.py is another")
    (root / "seedframe.toml").write_text(ALLOW)
    assert locked() == ["removed acme-other 1.2.0", "unchanged: seedframe-acme 1.3.0", written]
    (root / LOCK_NAME).write_text("version = 7\n")
    assert locked() == ["added seedframe-acme 1.3.0: 7 files", written]


@pytest.mark.parametrize("word", ["seedframe-acmee", "acme", "seedframe-akme", "Seedframe.Acmé"])
def test_a_name_near_an_installed_plugins_is_not_to_be_installed(root: Path, site: Site, run: Run, word: str) -> None:
    """Whoever waits for such a slip has put something there."""
    (root / "seedframe.toml").write_text(ALLOW.replace("seedframe-acme>=1,<2", word))
    code, out, err = run("plugins")
    assert code == 3
    assert "pip install" not in out + err
    if word.isascii():  # else it is no name at all
        assert "did you mean 'seedframe-acme', which is installed?" in out


def test_a_name_near_one_that_is_named_too_is_no_slip(root: Path, site: Site, run: Run) -> None:
    (root / "seedframe.toml").write_text(ALLOW.replace('"seedframe-acme', '"seedframe-acme2>=1", "seedframe-acme'))
    out = run("plugins")[1]
    assert "pip install 'seedframe-acme2>=1'" in out
    assert "did you mean" not in out


def test_a_table_for_a_plugins_seed_that_takes_no_part_is_no_mistake(root: Path, site: Site, run: Run) -> None:
    table = "[seeds.acme]\nregion = 'EU'\n"
    for allow in ("", "[plugins]\nallow = []\n", '[plugins]\nallow = ["seedframe-acme>=7"]\n'):
        (root / "seedframe.toml").write_text(f"{allow}{table}")
        line = allow.count("\n") + 1
        assert f"seedframe.toml:{line} [seeds.acme] has no effect meanwhile" in run("plugins")[1]
        if "acme" not in allow:
            assert run("list")[::2] == (0, "")
            assert run("lint")[0] == 0
    (root / "seedframe.toml").write_text(table.replace("acme", "acmee"))
    assert "hint: did you mean 'acme'?" in run("list")[2]
    site.uninstall("seedframe-acme")
    (root / "seedframe.toml").write_text(table)
    code, _, err = run("list")
    assert code == 3
    assert err.splitlines() == [
        "error: seedframe.toml:1 [seeds.acme]: no seed is called 'acme'",
        " hint: the seeds are core; if a plugin had it, install that again, or take this table out",
    ]


# -------------------------------------------------------------------------
# Telling
# -------------------------------------------------------------------------


def test_the_list_of_plugins_fits_a_terminal() -> None:
    document = {
        "name": "seedframe-icd10",
        "version": "1.2.0",
        "state": "blocked",
        "reason": "seedframe_icd10/data/chapters.csv was changed since it was locked; and more",
        "hint": "look at what changed; `seedframe plugins lock` once you trust the change",
        "locked": False,
        "entry_points": [
            {
                "name": "40_icd10",
                "kind": "seed",
                "module": "seedframe_icd10.seed",
                "disabled": False,
                "hooks": ["resources", "check", "apply", "verify"],
                "writes": ["icd10_chapters", "icd10_blocks", "icd10_codes", "audit.log", "another_table"],
                "errors": [],
            }
        ],
    }
    lines = [line_text(line) for line in plugin_lines(document, Page(width=80))]
    assert max(map(len, lines)) <= 80
    whole = [line_text(line) for line in plugin_lines(document, Page())]
    assert " ".join(lines).split() == " ".join(whole).split()
    assert "      writes icd10_chapters, icd10_blocks, icd10_codes, audit.log, another_table" in lines


def test_the_pages_sample_is_a_configuration(root: Path, site: Site) -> None:
    page = (Path(__file__).parent.parent / "docs" / "trust.md").read_text()
    (sample,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (root / "seedframe.toml").write_text(sample + 'shared = ["settings"]\n')
    config = load_config(root)
    assert config.plugins_allow == ("seedframe-iso>=1,<2",)
    assert config.plugins_shared == ("settings",)


def test_help_loads_nothing_of_this(root: Path) -> None:
    code = (
        "import sys; from seedframe.cli.main import main; main(['--help'])\n"
        "heavy = {'seedframe.plugins.installed', 'seedframe.plugins.lockfile', 'importlib.metadata', 'tomli_w'}\n"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=os.environ)


def test_the_errors_of_a_lock_name_the_file(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).write_text("version = 'one'\n")
    with pytest.raises(ConfigError) as caught:
        read_lock(tmp_path)
    assert caught.value.where == str(tmp_path / LOCK_NAME)
    assert caught.value.hint is not None


def test_an_import_that_is_refused_is_the_seeds_own_failure(root: Path, site: Site, run: Run) -> None:
    assert run("plugins", "lock")[0] == 0
    with pytest.MonkeyPatch.context() as patched:
        # Between the check and the import.
        patched.setattr("seedframe.plugins.installed.why_not", lambda *_: None)
        (site.path / "acme" / "seed.py").write_text("1 / 0\n")
        (seed,) = (seed for seed in Project.load(root).seeds if seed.name == "acme")
    assert isinstance(seed.broken, SeedImportFailed)
    assert "acme/seed.py was changed since it was locked" in seed.broken.message
