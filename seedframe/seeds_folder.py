"""The seeds folder of a project: which of its files and folders are seeds, each of them imported."""

from collections.abc import Iterable
from pathlib import Path

from seedframe.configuration.config import Config
from seedframe.errors import (
    DiscoveryError,
)
from seedframe.loading.local_modules import import_seed, open_folder
from seedframe.loading.own_files import OwnFiles
from seedframe.loading.seed_loading import loaded
from seedframe.loading.seed_names import SEED_NAME, nearest_seed_name
from seedframe.seed import Seed


def local_seeds(config: Config) -> tuple[list[Seed], list[DiscoveryError]]:
    """The seeds of a project's folder, broken ones included, and what else in it is neither a seed nor a helper."""
    folder = config.seeds_dir
    own = OwnFiles((folder,), config.root)
    try:
        entries = sorted(folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        return [], [DiscoveryError(f"cannot be read: {error.strerror}", where=own.show(str(folder)))]
    package = open_folder(folder)
    seeds: list[Seed] = []
    problems: list[DiscoveryError] = []
    for entry in entries:
        source = _source_of(entry)
        if source is None:
            continue
        match = SEED_NAME.fullmatch(_stem(entry))
        if match is not None and source.is_file():
            seeds.append(_local_seed(package, entry, source, own, int(match["number"]), match["name"]))
        elif not _is_beside_its_module(entry, entries):
            problems.append(_stray(entry, source, own))
    return seeds, problems


def _source_of(entry: Path) -> Path | None:
    """The file a seed would be read from; None for what is plainly no seed: data, helpers, editors' files."""
    if entry.name.startswith((".", "_")):
        return None
    if entry.suffix == ".py" and not entry.is_dir():
        return entry
    if entry.is_dir() and ((entry / "__init__.py").is_file() or _holds_code_of_a_seed(entry)):
        return entry / "__init__.py"
    return None


def _holds_code_of_a_seed(folder: Path) -> bool:
    return SEED_NAME.fullmatch(folder.name) is not None and any(folder.glob("*.py"))


def _is_beside_its_module(entry: Path, entries: Iterable[Path]) -> bool:
    """A folder of the same name as a module, and without `__init__.py`, holds that module's data."""
    return entry.is_dir() and entry.with_name(f"{entry.name}.py") in entries


def _stem(entry: Path) -> str:
    return entry.stem if entry.suffix == ".py" else entry.name


def _stray(entry: Path, source: Path, own: OwnFiles) -> DiscoveryError:
    where = own.show(str(entry))
    broken = next((path for path in (entry, source) if path.is_symlink() and not path.exists()), None)
    if broken is not None:
        return DiscoveryError(
            "a link that leads to no file",
            hint="make it lead to one, or remove it",
            where=own.show(str(broken)),
            kind="stray-file",
        )
    if entry.is_dir() and SEED_NAME.fullmatch(entry.name):
        message, hint = "a seed's folder without __init__.py", "add one with the hooks in it"
        return DiscoveryError(message, hint=hint, where=where, kind="stray-file")
    if SEED_NAME.fullmatch(_stem(entry)):
        return DiscoveryError(
            "called as a seed is, and no file", hint="a seed is a file of Python", where=where, kind="stray-file"
        )
    numbered, rest = nearest_seed_name(_stem(entry))
    ending = ".py" if entry.suffix == ".py" else ""
    return DiscoveryError(
        "neither a seed (NN_name) nor a helper (_name)",
        hint=f"call it {numbered}{ending}, or _{rest}{ending} if it is a helper",
        where=where,
        kind="stray-file",
    )


def _local_seed(package: str, entry: Path, source: Path, own: OwnFiles, number: int, name: str) -> Seed:
    label = _stem(entry)
    found = Seed(
        name=name,
        number=number,
        label=label,
        origin=own.show(str(source)),
        plugin=None,
        files=source.parent,
    )
    return loaded(found, lambda: import_seed(package, label), own)
