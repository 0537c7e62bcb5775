"""Data files: below the seed's own folder, however they are named, linked, or swapped while they are opened."""

import os
import shutil
import socket
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedframe.errors import BadData
from seedframe.sources.below import LeadsOut, Replaced, open_below
from seedframe.sources.files import open_file
from tests.conftest import Folder, ProjectFactory, Sql
from tests.refusals import Refusals, of_file, refused, seed
from tests.running import applied, apply, dry_run, error

__all__ = ["refused"]

OUTSIDE = "sku,name\noutside,canary-7f3a\n"


@pytest.fixture(autouse=True)
def items(sql: Sql) -> None:
    """The table that all of these are about."""
    sql("create table items (sku text primary key, name text)")


def outside(folder: Folder) -> Path:
    """A folder beside the project, with a file that no seed may read."""
    beside = folder.path.parent / f"{folder.path.name}-outside"
    beside.mkdir()
    (beside / "items.csv").write_text(OUTSIDE)
    return beside


# Names

NOT_BELOW = "is not below the seed's folder"
NAMES = {
    "/etc/passwd": NOT_BELOW,
    "/etc/passwd.csv": NOT_BELOW,
    "//server/share/items.csv": NOT_BELOW,
    "../items.csv": NOT_BELOW,
    "data/../items.csv": NOT_BELOW,
    "data/../../items.csv": NOT_BELOW,
    "..": NOT_BELOW,
    ".": NOT_BELOW,
    "": NOT_BELOW,
    "..\\items.csv": NOT_BELOW,
    "data\\items.csv": NOT_BELOW,
    "C:\\items.csv": NOT_BELOW,
    "C:/items.csv": "does not exist",
    "~/items.csv": "does not exist",
    "$HOME/items.csv": "does not exist",
    "*.csv": "does not exist",
    "%2e%2e/items.csv": "does not exist",
    "file:///etc/items.csv": "does not exist",
    "items.csv/": "",
    "items.csv.": "has the ending",
    "items.csv ": "has the ending",
    "items.csv/x.csv": "does not exist",
    ".csv": "has the ending",
    "items": "has the ending none",
    "10_items.py": "has the ending .py",
    "items.csv\0.txt": "has the ending",
    "items\0.csv": "no name that a file can have",
    "items\x1b[2J\r\n.csv": r"'items\x1b[2J\r\n.csv' does not exist",
    "items\u202e.csv": r"'items\u202e.csv' does not exist",
    "items\ud800.csv": "no name that a file can have",
    "x" * 300 + ".csv": "cannot be read: File name too long",
    "x/" * 3000 + "items.csv": "cannot be read: File name too long",
}


@pytest.mark.promise("a data file named by an absolute path, .., a backslash, NUL or what is no name", "refused, named")
@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:40])
def test_names(name: str, refused: Refusals) -> None:
    folder = refused.folder(
        seed(f'"items", key="sku", file={name!r}'), {"items.csv": "sku\na\n", "data/a.csv": "sku\n"}
    )
    outside(folder)
    if not NAMES[name]:
        assert apply(folder).exit_code == 0
        return
    told = refused.everywhere(folder, "seeds/10_items.py: ", NAMES[name])
    assert told.isprintable()


@pytest.mark.parametrize("name", ["items.csv", "./items.csv", ".//items.csv", "ITEMS.CSV", "data/./a b.csv", "…/é.Csv"])
def test_names_that_are_fine(name: str, project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file(name), f"seeds/{name}": "sku\na\n"})
    applied(folder)
    assert sql("select sku from items") == [("a",)]


@pytest.mark.parametrize("given", ["Path('items.csv')", "b'items.csv'", "5", "['items.csv']"])
def test_what_is_no_name(given: str, refused: Refusals) -> None:
    declared = "from pathlib import Path\n" + seed(f'"items", key="sku", file={given}')
    refused.everywhere(
        refused.folder(declared, {"items.csv": "sku\na\n"}), "rows:items: file= is a", "give its name as a text"
    )


PARTS = st.lists(
    st.one_of(
        st.sampled_from(["..", ".", "", "data", "items.csv", "in", "out", "\\", "/", "~", "\0", "a b"]),
        st.text(st.characters(), max_size=4),
    ),
    max_size=6,
)


@pytest.mark.promise("any name at all of a data file", "a file below the seed's folder, or one line")
@given(parts=PARTS)
@settings(max_examples=300, deadline=None)
def test_any_name_stays_below(parts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.getbasetemp() / "any-name"
    seeds = root / "seeds"
    if not root.exists():
        (seeds / "data").mkdir(parents=True)
        for file in (seeds / "items.csv", seeds / "data/items.csv"):
            file.write_text("sku\ninside\n")
        (root / "items.csv").write_text(OUTSIDE)
        (seeds / "out").symlink_to(root)
        (seeds / "in").symlink_to("data")
    name = "/".join(parts)
    try:
        records = open_file(seeds, name, shown="shown")
        read = [block.columns for block in records.blocks]
    except BadData as refusal:
        read = [[[str(refusal)]]]
    assert read == [[["inside"]]] or "canary" not in str(read)


# Links, and what is no file


def _link_out(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to(beside / "items.csv")


def _link_out_relative(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to(f"../../{beside.name}/items.csv")


def _chain_out(seeds: Path, beside: Path) -> None:
    (seeds / "b.csv").symlink_to(beside / "items.csv")
    (seeds / "items.csv").symlink_to("b.csv")


def _folder_out(seeds: Path, beside: Path) -> None:
    (seeds / "data").symlink_to(beside)


def _folder_within_out(seeds: Path, beside: Path) -> None:
    (seeds / "data").mkdir()
    (seeds / "data/in").symlink_to(beside)


def _prefix(seeds: Path, beside: Path) -> None:
    other = seeds.parent / "seeds-other"
    other.mkdir()
    (other / "items.csv").write_text(OUTSIDE)
    (seeds / "items.csv").symlink_to("../seeds-other/items.csv")


def _of_the_process(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to("/proc/self/environ")


def _descriptor(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to("/proc/self/fd/0")


def _device(seeds: Path, beside: Path) -> None:
    os.mknod(seeds / "items.csv", 0o20666, os.makedev(1, 5))  # /dev/zero, by its number


def _fifo(seeds: Path, beside: Path) -> None:
    os.mkfifo(seeds / "items.csv")


def _link_to_fifo(seeds: Path, beside: Path) -> None:
    os.mkfifo(seeds / "pipe")
    (seeds / "items.csv").symlink_to("pipe")


def _socket(seeds: Path, beside: Path) -> None:
    here = Path.cwd()
    os.chdir(seeds)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("items.csv")
    finally:
        os.chdir(here)


def _folder(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").mkdir()


def _link_to_its_folder(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to(".")


def _loop(seeds: Path, beside: Path) -> None:
    (seeds / "data").symlink_to("data")


def _dangling(seeds: Path, beside: Path) -> None:
    (seeds / "items.csv").symlink_to("nothing.csv")


OUT = "is a link out of the seed's folder (copy the file next to the seed)"
IRREGULAR = "is no regular file (name a file, not a folder or a device)"
ODD: dict[Callable[[Path, Path], None], tuple[str, str]] = {
    _link_out: ("items.csv", OUT),
    _link_out_relative: ("items.csv", OUT),
    _chain_out: ("items.csv", OUT),
    _folder_out: ("data/items.csv", OUT),
    _folder_within_out: ("data/in/items.csv", OUT),
    _prefix: ("items.csv", OUT),
    _of_the_process: ("items.csv", OUT),
    _descriptor: ("items.csv", OUT),
    _device: ("items.csv", IRREGULAR),
    _fifo: ("items.csv", IRREGULAR),
    _link_to_fifo: ("items.csv", IRREGULAR),
    _socket: ("items.csv", IRREGULAR),
    _folder: ("items.csv", IRREGULAR),
    _link_to_its_folder: ("items.csv", IRREGULAR),
    _loop: ("data/items.csv", "cannot be read: Too many levels of symbolic links"),
    _dangling: ("items.csv", "is a link that leads nowhere"),
}


@pytest.mark.promise("a link out of the folder, in any part of a data file's path", "refused unopened")
@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__.strip("_"))
def test_no_regular_file_below(make: Callable[[Path, Path], None], refused: Refusals) -> None:
    name, expected = ODD[make]
    folder = refused.folder(of_file(name), {})
    try:
        make(folder.path / "seeds", outside(folder))
    except PermissionError:
        pytest.skip("no device can be made here")
    told = refused.everywhere(folder, f"seeds/10_items.py: {'file ' * (expected != IRREGULAR)}{name!r} {expected}")
    assert "canary" not in told


def test_links_that_stay_below_are_followed(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file("data/items.csv"), "seeds/..2024/real.csv": "sku\na\n"})
    seeds = folder.path / "seeds"
    (seeds / "..data").symlink_to("..2024")
    (seeds / "data").mkdir()
    (seeds / "data/items.csv").symlink_to("../..data/real.csv")
    applied(folder)
    assert sql("select sku from items") == [("a",)]


def test_a_seeds_folder_that_is_itself_a_link(project: ProjectFactory, sql: Sql) -> None:
    folder = project({"seeds/10_items.py": of_file("data/items.csv"), "seeds/data/items.csv": "sku\na\n"})
    moved = folder.path.parent / f"{folder.path.name}-seeds"
    shutil.move(folder.path / "seeds", moved)
    (folder.path / "seeds").symlink_to(moved)
    applied(folder)
    assert sql("select sku from items") == [("a",)]


def test_a_folder_that_may_be_passed_and_not_listed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/items.csv").write_text("sku\na\n")
    (tmp_path / "data").chmod(0o311)
    with open_below(tmp_path, PurePosixPath("data/items.csv")) as file:
        assert file.read() == b"sku\na\n"


# Swapped between the look at it and the opening


def _swap_file(seeds: Path, beside: Path) -> None:
    (seeds / "data/items.csv").unlink()
    (seeds / "data/items.csv").symlink_to(beside / "items.csv")


def _swap_folder(seeds: Path, beside: Path) -> None:
    (seeds / "data").rename(seeds / "was")
    (seeds / "data").symlink_to(beside)


def _swap_fifo(seeds: Path, beside: Path) -> None:
    (seeds / "data/items.csv").unlink()
    os.mkfifo(seeds / "data/items.csv")


def _swap_nothing(seeds: Path, beside: Path) -> None:
    (seeds / "data/items.csv").unlink()


SWAPS: dict[Callable[[Path, Path], None], str] = {
    _swap_file: "file 'data/items.csv' was replaced while it was opened (run again once it is whole)",
    _swap_folder: "file 'data/items.csv' was replaced while it was opened (run again once it is whole)",
    _swap_fifo: "'data/items.csv' is no regular file",
    _swap_nothing: "file 'data/items.csv' was replaced while it was opened",
}


@pytest.mark.promise("a data file that a link, or a FIFO, replaces between the look at it and its opening", "refused")
@pytest.mark.parametrize("swap", SWAPS, ids=lambda swap: swap.__name__.strip("_"))
def test_swapped_while_opened(
    swap: Callable[[Path, Path], None], project: ProjectFactory, sql: Sql, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project({"seeds/10_items.py": of_file("data/items.csv"), "seeds/data/items.csv": "sku,name\na,b\n"})
    beside = outside(folder)
    really = os.open
    done: list[object] = []

    def swapping(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        # The first to be opened is the seed's folder: by then it is known where the name leads.
        if Path(os.fsdecode(path)) == (folder.path / "seeds").resolve() and not done:
            done.append(path)
            swap(folder.path / "seeds", beside)
        return really(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", swapping)
    assert SWAPS[swap] in error(dry_run(folder))
    assert done
    assert sql("select count(*) from items") == [(0,)]


@pytest.mark.promise("a data file that becomes a link and a file again, all the time", "never read from outside")
def test_swapped_all_the_time(tmp_path: Path) -> None:
    seeds, beside = tmp_path / "seeds", tmp_path / "outside"
    (seeds / "data").mkdir(parents=True)
    beside.mkdir()
    (beside / "items.csv").write_text("canary")
    (seeds / "data/items.csv").write_text("inside")
    (seeds / "link").symlink_to(beside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            (seeds / "data").rename(seeds / "was")
            (seeds / "link").rename(seeds / "data")
            (seeds / "data").rename(seeds / "link")
            (seeds / "was").rename(seeds / "data")

    thread = threading.Thread(target=swap)
    thread.start()
    outcomes: set[object] = set()
    try:
        for _ in range(3_000):
            try:
                with open_below(seeds, PurePosixPath("data/items.csv")) as file:
                    outcomes.add(file.read())
            except (LeadsOut, Replaced) as refusal:
                outcomes.add(type(refusal))
    finally:
        stop.set()
        thread.join()
    assert b"canary" not in outcomes
    assert b"inside" in outcomes


# Within a package


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that modules are imported from; what was imported is forgotten."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if name.startswith("sf_"):
            del sys.modules[name]


def test_a_package_in_an_archive(importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = importable / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("sf_packed/__init__.py", "")
        packed.writestr("sf_packed/data/items.csv", "sku\ninside\n")
        packed.writestr("outside.csv", OUTSIDE)
        packed.writestr("../outside.csv", OUTSIDE)
        link = zipfile.ZipInfo("sf_packed/link.csv")
        link.external_attr = 0o120777 << 16
        packed.writestr(link, "../outside.csv")
    monkeypatch.syspath_prepend(str(archive))
    folder = files("sf_packed")
    records = open_file(folder, "data/items.csv", shown="data/items.csv")
    assert [block.columns for block in records.blocks] == [[["inside"]]]
    # What is a link elsewhere is here a file with a name in it.
    assert open_file(folder, "link.csv", shown="link.csv").fields == ("../outside.csv",)
    for name in ("../outside.csv", "data/../../outside.csv", "data", "nothing.csv", "data/items.csv/x.csv", "\0.csv"):
        with pytest.raises(BadData) as refusal:
            open_file(folder, name, shown=name)
        assert "canary" not in str(refusal.value)


def test_an_archive_that_is_damaged(importable: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = importable / "packed.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("sf_damaged/__init__.py", "")
        packed.writestr("sf_damaged/items.csv", "sku\n" + "inside\n" * 1000)
    monkeypatch.syspath_prepend(str(archive))
    folder = files("sf_damaged")
    archive.write_bytes(archive.read_bytes().replace(b"inside\ninside", b"inside\noutsid", 1))
    with pytest.raises(BadData, match=r"^items\.csv: the archive that the file is in is damaged"):
        list(open_file(folder, "items.csv", shown="items.csv").blocks)


def test_a_package_in_several_folders(importable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    for site in (importable, other):
        (site / "sf_spread").mkdir(parents=True)
    (importable / "sf_spread/items.csv").write_text("sku\ninside\n")
    (tmp_path / "outside.csv").write_text(OUTSIDE)
    (other / "sf_spread/out.csv").symlink_to(tmp_path / "outside.csv")
    (other / "sf_spread/back.csv").symlink_to(importable / "sf_spread/items.csv")
    monkeypatch.syspath_prepend(str(other))
    folder = files("sf_spread")
    assert open_file(folder, "items.csv", shown="items.csv").fields == ("sku",)
    for name in ("out.csv", "back.csv"):
        with pytest.raises(BadData, match="is a link out of the seed's folder"):
            open_file(folder, name, shown=name)
