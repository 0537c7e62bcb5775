"""Digests of the code that seeds are made of: a seed's own module or package, helpers beside it, installed plugins."""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from inspect import getsource
from pathlib import Path
from types import ModuleType

from seedframe.seed import Seed


def code_digest(seed: Seed) -> str:
    """SHA-256 of a seed's source: of its module, or of every Python file of its package. Data files are not in it."""
    plugin = seed.plugin
    folders = [Path(folder) for folder in getattr(plugin, "__path__", ())]
    file = getattr(plugin, "__file__", None)
    if folders and all(folder.is_dir() for folder in folders):
        return _digest((path.relative_to(folder).as_posix(), path) for folder in folders for path in _python(folder))
    if isinstance(file, str) and Path(file).is_file():
        return _digest([("", Path(file))])
    try:
        return sha256(getsource(plugin if isinstance(plugin, ModuleType) else type(plugin)).encode()).hexdigest()
    except (OSError, TypeError):
        return sha256(b"").hexdigest()  # without a source, in an archive say: its distribution's digest stands for it


def helper_digests(seeds_dir: Path, root: Path) -> dict[str, str]:
    """SHA-256 of each helper (`_*.py`, `_*/`) in the seeds folder, by its path from the project's folder."""
    found: dict[str, str] = {}
    for entry in sorted(seeds_dir.iterdir()) if seeds_dir.is_dir() else ():
        if entry.name.startswith("_") and entry.name != "__pycache__":
            for path in _python(entry) if entry.is_dir() else [entry] if entry.suffix == ".py" else []:
                shown = path.relative_to(root) if path.is_relative_to(root) else path
                found[shown.as_posix()] = _digest([("", path)])
    return found


def distribution_digest(name: str) -> str | None:
    """SHA-256 of what pip recorded of an installed distribution's files; None where it recorded nothing."""
    try:
        record = distribution(name).read_text("RECORD")
    except PackageNotFoundError:
        return None
    if record is None:
        return None
    lines = sorted(line for line in record.splitlines() if "__pycache__" not in line)
    return sha256("\n".join(lines).encode()).hexdigest()


def _python(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.py")) if path.is_file())


def _digest(files: Iterable[tuple[str, Path]]) -> str:
    total = sha256()
    for name, path in files:
        total.update(f"{name}\0{sha256(path.read_bytes()).hexdigest()}\0".encode())
    return total.hexdigest()
