"""NAME_FILE: whatever it names, the value is read whole or the mistake is told, and nothing is waited for."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from seedframe import Secret, Setting
from seedframe.configuration.settings import resolve
from seedframe.errors import ConfigError
from tests.conftest import Cli, Folder

CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"x", "x"),
        (b"x\n", "x"),
        (b"x\r\n", "x"),
        (b"x\n\n", "x\n"),
        (b"x\r", "x\r"),
        (b" x \n", " x "),
        (b"\xef\xbb\xbfx\n", "x"),
        ("pässword\n".encode(), "pässword"),
        ("pa\u0308ssword\n".encode(), "pa\u0308ssword"),
        (b"a\nb\n", "a\nb"),
    ],
)
def test_a_value_is_the_file_less_one_line_break_and_a_mark_of_its_encoding(
    tmp_path: Path, content: bytes, value: str
) -> None:
    (tmp_path / "file").write_bytes(content)
    assert resolve([Setting("A", Secret)], {"A_FILE": "file"}, root=tmp_path)["A"] == Secret(value)


def pipe(path: Path) -> None:
    """A pipe that nobody writes to."""
    os.mkfifo(path)


def listening(path: Path) -> None:
    """A socket that nobody listens at any more."""
    with socket.socket(socket.AF_UNIX) as made:
        here = Path.cwd()
        os.chdir(path.parent)  # its path may be too long for a socket's
        made.bind(path.name)
        os.chdir(here)


def written(content: bytes) -> Callable[[Path], object]:
    """A file that holds this."""
    return lambda path: path.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, "the file cannot be read: No such file or directory"),
        (Path.mkdir, "the file cannot be read: Is a directory"),
        (lambda path: path.symlink_to(path), "the file cannot be read: Too many levels of symbolic links"),
        (lambda path: path.symlink_to("gone"), "the file cannot be read: No such file or directory"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a pipe or a device, not a file"),
        (pipe, "it is a pipe or a device, not a file"),
        (listening, "the file cannot be read: No such device or address"),
        (written(b""), "the file is empty"),
        (written(b"\n"), "the file is empty"),
        (written(b"\xef\xbb\xbf\r\n"), "the file is empty"),
        (written(CANARY.encode() + b"\0"), "the file has a NUL character in it"),
        (written(CANARY.encode() + b"\xff"), "the file is not UTF-8 text"),
        (written(CANARY.encode("utf-16")), "the file is not UTF-8 text"),
        (written(CANARY.encode() + b"x" * 1_048_576), "the file is larger than 1 MiB"),
    ],
)
def test_what_cannot_be_a_value_is_one_line_that_names_the_variable_and_the_file(
    tmp_path: Path, make: Callable[[Path], object], complaint: str
) -> None:
    file = tmp_path / "file"
    make(file)
    with pytest.raises(ConfigError) as caught:
        resolve([Setting("A", Secret)], {"A_FILE": str(file)})
    [line] = str(caught.value).splitlines()
    assert line.startswith(f"A_FILE={file}: {complaint} (")
    assert CANARY not in f"{line}{caught.value!r}"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(CANARY)
    (tmp_path / "file").chmod(0)
    with pytest.raises(ConfigError, match="the file cannot be read: Permission denied"):
        resolve([Setting("A", Secret)], {"A_FILE": "file"}, root=tmp_path)


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(ConfigError, match="the file cannot be read: "):
        resolve([Setting("A", Secret)], {"A_FILE": "x" * 5000})


def test_a_link_to_a_file_is_followed_as_kubernetes_lays_secrets_out(tmp_path: Path) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "password").write_text(CANARY)
    (tmp_path / "password").symlink_to("..data/password")
    assert resolve([Setting("A", Secret)], {"A_FILE": "password"}, root=tmp_path)["A"] == Secret(CANARY)


def test_the_database_is_not_waited_for_behind_a_pipe_either(tmp_path: Path, cli: Cli) -> None:
    folder = Folder(tmp_path, cli)
    folder.write({"seedframe.toml": '[project]\nname = "shop"\n', "seeds/10_a.py": "def verify():\n    pass\n"})
    os.mkfifo(tmp_path / "url")
    done = folder.run("verify", env={"DATABASE_URL_FILE": "url"})
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: DATABASE_URL_FILE={tmp_path / 'url'}: it is a pipe or a device, not a file")
