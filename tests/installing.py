"""Distributions in a folder on Python's path, as pip leaves them: metadata, entry points, RECORD with digests."""

import csv
import io
import shutil
import sys
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest


def recorded(data: bytes) -> str:
    """A digest as RECORD has it."""
    return f"sha256={urlsafe_b64encode(sha256(data).digest()).rstrip(b'=').decode()}"


class Site:
    """A folder of installed distributions."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(exist_ok=True)

    def install(
        self,
        name: str,
        version: str = "1.2.0",
        points: Mapping[str, str] | None = None,
        files: Mapping[str, str] | None = None,
        *,
        requires: Sequence[str] = (),
        record: bool = True,
        more: Mapping[str, str] | None = None,
    ) -> None:
        """Install a distribution, `more` being further files of its dist-info folder."""
        info = f"{name.replace('-', '_')}-{version}.dist-info"
        needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
        lines = "".join(f"{point} = {value}\n" for point, value in (points or {}).items())
        texts = {
            **(files or {}),
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}",
            f"{info}/entry_points.txt": f"[seedframe]\n{lines}" if lines else "",
            f"{info}/INSTALLER": "pip\n",
            **{f"{info}/{file}": text for file, text in (more or {}).items()},
        }
        rows = io.StringIO()
        writer = csv.writer(rows, lineterminator="\n")
        for file, text in texts.items():
            (self.path / file).parent.mkdir(parents=True, exist_ok=True)
            (self.path / file).write_text(text)
            writer.writerow([file, recorded(text.encode()), len(text.encode())])
        writer.writerow([f"{info}/RECORD", "", ""])
        if record:
            (self.path / info / "RECORD").write_text(rows.getvalue())

    def uninstall(self, name: str) -> None:
        """As pip: its files, and what is left of its folders."""
        (info,) = self.path.glob(f"{name.replace('-', '_')}-*.dist-info")
        for row in csv.reader((info / "RECORD").read_text().splitlines()):
            (self.path / row[0]).unlink(missing_ok=True)
        shutil.rmtree(info)

    def zipped(self, archive: Path) -> None:
        """Move everything into an archive."""
        with ZipFile(archive, "w") as made:
            for file in sorted(self.path.rglob("*")):
                made.write(file, file.relative_to(self.path).as_posix())
        shutil.rmtree(self.path)


@contextmanager
def on_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put a folder or an archive on Python's path, and forget afterwards what was imported meanwhile."""
    monkeypatch.syspath_prepend(str(path))
    before = set(sys.modules)
    yield
    for module in set(sys.modules) - before:
        if module.startswith(("acme", "needed")):
            del sys.modules[module]
