"""The file that a plan is saved in: how it is written, who may write to it, and what is no plan."""

import json
import os
import shlex
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from seedframe.errors import PlanRefused, SeedframeError, UsageError
from seedframe.options import ApplyOptions, Selection
from seedframe.saved_plan import SavedPlan, SavedResource, SavedSeed, check_out, read_plan, write_plan
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply

PLAN = SavedPlan(
    id="0123456789abcdef0123456789abcdef",
    created_at="2026-01-02T03:04:05Z",
    selection=Selection(names=("items",), tags=("é",), skip=("x",)),
    on_conflict="fail",
    binding={"version": "0.1.0"},
    seeds=(
        SavedSeed(
            name="items",
            label="10_items",
            resources=(SavedResource(name="rows:items", declared="d", digest="c", shown={"counts": {}}),),
        ),
    ),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a plan is saved."""
    file = tmp_path / "plan.json"
    write_plan(file, PLAN)
    return file


def why(action: Callable[[], object]) -> str:
    with pytest.raises(SeedframeError) as caught:
        action()
    assert isinstance(caught.value, PlanRefused | UsageError)
    [problem] = caught.value.problems
    return problem.message


# Writing


def test_a_plan_is_read_as_it_was_written(path: Path) -> None:
    assert read_plan(path) == PLAN
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["seedframe_plan"] == 1
    assert list(document) == sorted(document)


def test_only_the_owner_may_read_it_whatever_the_umask(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    before = os.umask(0)
    try:
        write_plan(file, PLAN)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["plan.json"]


def test_another_plan_is_replaced_as_a_whole(path: Path) -> None:
    path.chmod(0o644)
    with path.open() as reader:
        write_plan(path, PLAN)
        assert json.load(reader)["id"] == PLAN.id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_no_plan_is_not_replaced(tmp_path: Path) -> None:
    for text in ("", "precious", '{"seedframe": 1}'):
        file = tmp_path / "notes.json"
        file.write_text(text)
        assert why(lambda file=file: write_plan(file, PLAN)) == "the file is there, and is no plan"  # type: ignore[misc]
        assert file.read_text() == text


def test_links_and_folders_are_not_written_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    for target in (path, tmp_path / "nothing"):
        link.symlink_to(target)
        assert why(lambda: write_plan(link, PLAN)) == "it is a symbolic link"
        link.unlink()
    assert why(lambda: check_out(tmp_path)) == "it is no file"
    assert why(lambda: check_out(tmp_path / "none" / "plan.json")) == f"there is no folder {tmp_path / 'none'}"
    os.mkfifo(link)
    assert why(lambda: check_out(link)) == "it is no file"
    assert why(lambda: read_plan(link)) == "it is no file"


# Reading


def _edited(text: str) -> str:
    return text.replace("10_items", "20_items")


def _newer(text: str) -> str:
    return text.replace('"seedframe_plan": 1', '"seedframe_plan": 2')


def _without(key: str) -> Callable[[str], str]:
    """The file with a key taken out, and a checksum that fits."""

    def changed(text: str) -> str:
        document = json.loads(text)
        del document["checksum"], document[key]
        plain = json.dumps(document, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
        return json.dumps({**document, "checksum": sha256(plain.encode()).hexdigest()})

    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_edited, "it is damaged, or was changed after it was made"),
        (
            lambda text: text.replace('"checksum": "', '"checksum": "0'),
            "it is damaged, or was changed after it was made",
        ),
        (_without("seeds"), "it is damaged: something in it is missing"),
        (_without("on_conflict"), "it is damaged: something in it is missing"),
        (_newer, "it is a plan of form 2, this seedframe knows form 1"),
        (lambda text: "\ufeff" + text, "it begins with a byte order mark: an editor has saved it anew"),
        (lambda text: text[: len(text) // 2], "it is no plan, or is damaged: not JSON, line 12"),
        (lambda _text: "", "it is no plan, or is damaged: not JSON, line 1"),
        (lambda _text: "[" * 100_000, "it is no plan, or is damaged: not JSON"),
        (lambda _text: '{"targets": []}', "it is no plan of seedframe"),
        (lambda _text: "[]", "it is no plan of seedframe"),
    ],
)
def test_what_is_damaged_changed_or_no_plan_is_told_in_a_line(
    path: Path, change: Callable[[str], str], said: str
) -> None:
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    assert why(lambda: read_plan(path)) == said


def test_what_is_not_utf8_is_no_plan(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xe9"))
    assert why(lambda: read_plan(path)) == "it is no plan, or is damaged: not UTF-8"


@pytest.mark.parametrize("cut", [1, 2, 7, 40, 200])
def test_a_plan_that_lacks_its_end_is_none(path: Path, cut: int) -> None:
    text = path.read_text(encoding="utf-8").rstrip()
    path.write_text(text[:-cut], encoding="utf-8")
    assert "damaged" in why(lambda: read_plan(path))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_plan_that_others_may_write_to_is_refused(path: Path, mode: int) -> None:
    path.chmod(mode)
    assert why(lambda: read_plan(path)).startswith("others than its owner may write to it")
    path.chmod(mode & ~0o022)
    assert read_plan(path) == PLAN


def test_no_file_is_told_in_a_line(tmp_path: Path) -> None:
    assert why(lambda: read_plan(tmp_path / "plan.json")) == "there is no such file"
    assert why(lambda: read_plan(tmp_path)) == "it is no file"


# Options


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--out", "p.json"), "--out saves the plan of a dry run"),
        (("--rehearse", "--out", "p.json"), "--out saves the plan of a dry run"),
        (("--plan", "p.json", "--dry-run"), "--plan leaves no room for --dry-run"),
        (("--plan", "p.json", "--dry-run", "--out", "q.json"), "--plan leaves no room for --dry-run"),
        (("--plan", "p.json", "--rehearse"), "--plan leaves no room for --rehearse"),
        (("--plan", "p.json", "--keep-going"), "--plan leaves no room for --keep-going"),
        (("--plan", "p.json", "--transaction", "seed"), "--plan leaves no room for --transaction"),
        (("--plan", "p.json", "--on-conflict", "seed"), "--plan leaves no room for --on-conflict"),
        (("--plan", "p.json", "items"), "--plan leaves no room for seed names"),
        (("--plan", "p.json", "--tag", "x"), "--plan leaves no room for --tag"),
        (("--plan", "p.json", "--skip", "items"), "--plan leaves no room for --skip"),
        (("--plan", "p.json", "--detailed-exitcode"), "--detailed-exitcode tells what a dry run found"),
        (("--dry-run", "--out", "p.json", "--output", "./p.json"), "--out and --output name one file"),
        (("--plan", "p.json"), "p.json: there is no such file"),
        (("--dry-run", "--out", "no/p.json"), "--out no/p.json: there is no folder no"),
    ],
)
def test_options_that_do_not_go_together(project: ProjectFactory, options: tuple[str, ...], said: str) -> None:
    folder = project({"seeds/10_items.py": "def resources():\n    return []\n"})
    done = folder.run("apply", *options)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {said}"), done
    assert "Traceback" not in done.stderr


def test_the_library_refuses_them_too() -> None:
    for options in (
        ApplyOptions(out=Path("p")),
        ApplyOptions(plan=Path("p"), transaction="run"),
        ApplyOptions(plan=Path("p"), on_conflict="fail"),
        ApplyOptions(plan=Path("p"), selection=Selection(names=("a",))),
    ):
        with pytest.raises(UsageError):
            options.require_sensible()


# Dry runs without a plan

FAILS = """
from seedframe import Rows

def resources():
    yield Rows("missing", key="sku", rows=[{"sku": "a"}])
"""
FINE = """
from seedframe import Rows

def resources():
    yield Rows("items", key="sku", rows=[{"sku": "a"}])
"""


@pytest.fixture
def items(sql: Sql) -> None:
    sql("create table items (sku text primary key)")


def test_a_dry_run_with_a_failed_seed_saves_no_plan(project: ProjectFactory, items: None) -> None:
    folder = project({"seeds/10_fine.py": FINE, "seeds/20_fails.py": FAILS})
    done = folder.run("apply", "--dry-run", "--out", "plan.json")
    assert done.returncode == 1
    assert "no plan was saved, as this seed failed" in done.stdout
    assert not (folder.path / "plan.json").exists()


def test_nor_with_one_that_is_not_critical(project: ProjectFactory, items: None) -> None:
    folder = project({"seeds/10_fine.py": FINE, "seeds/20_fails.py": "CRITICAL = False\n" + FAILS})
    done = folder.run("apply", "--dry-run", "--out", "plan.json")
    assert done.returncode == 3
    assert "no plan was saved, as seed 20_fails failed" in done.stdout + done.stderr
    assert not (folder.path / "plan.json").exists()
    report = apply(folder, dry_run=True, out=folder.path / "plan.json")
    assert (report.plan, report.error and report.error.code) == (None, "plan")


def test_the_command_that_makes_a_plan_is_told_whole(project: ProjectFactory, items: None) -> None:
    folder = project({"seeds/10_fine.py": FINE})
    told = folder.run("apply", "--env", "production", "-p", "no:other", "--dry-run", "--out", "a plan.json")
    line = "seedframe apply --env production -p no:other --plan 'a plan.json'"
    assert f"plan saved: {line} makes exactly this, once" in told.stderr, told
    assert folder.run(*shlex.split(line)[1:]).returncode == 0


def test_nor_without_a_database(project: ProjectFactory) -> None:
    folder: Folder = project({"seeds/10_fine.py": FINE})
    nobody = {"DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    done = folder.run("apply", "--dry-run", "--out", "plan.json", env=nobody)
    assert done.returncode == 3
    assert not (folder.path / "plan.json").exists()
