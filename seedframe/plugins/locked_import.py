"""Imports the packages of locked plugins from the very bytes that the lock has a digest of.

Bytecode is neither read nor written: a file in `__pycache__` is run by Python without a look at the source, so long as
it names the source's size and time. What is not in the lock is not imported, and nothing elsewhere on the path of the
same name comes before what is.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.abc import Loader
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from importlib.readers import MultiplexedPath
from importlib.resources.abc import Traversable, TraversableResources
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final, TypeAlias

from seedframe.plugins.installed_files import is_below, module_file, own_folders, top_level


@dataclass(frozen=True, slots=True)
class LockedFiles:
    """The files of one plugin.

    Attributes:
        root: the folder they are installed in.
        digests: the SHA-256 of each by its path from there.
        tops: the names of its modules and packages, less what comes after the first dot.
        own: the folders in which, and below which, nobody else has anything.
    """

    name: str
    root: Path
    digests: Mapping[str, str]
    tops: frozenset[str]
    own: frozenset[str]

    @classmethod
    def of(cls, name: str, root: Path, digests: Mapping[str, str]) -> "LockedFiles":
        """These files, and the names that they are imported by."""
        return cls(name, root.absolute(), digests, top_level(digests), own_folders(digests))

    def file_of(self, module: str) -> str | None:
        """The file that a module is imported from; None where the plugin has no such module, or only a folder."""
        return module_file(module, self.digests)

    def has_folder(self, module: str) -> bool:
        """True when files of it are in a folder of this name."""
        return any(path.startswith(f"{module.replace('.', '/')}/") for path in self.digests)

    def owns(self, module: str) -> bool:
        """True when nothing but these files may be imported by this name."""
        return is_below(module.replace(".", "/"), self.own)

    def owns_folder(self, module: str) -> bool:
        """True when nobody else has anything in the folder of this name."""
        return is_below(f"{module.replace('.', '/')}/__init__.py", self.own)

    def require(self, path: str, data: bytes) -> None:
        """These bytes are those that are locked, where the file is. Errors: ImportError."""
        name = _below(self.root, path)
        if name is not None and name in self.digests and sha256(data).hexdigest() != self.digests[name]:
            raise ImportError(f"{name} was changed since it was locked", path=path)


def _below(root: Path, path: str) -> str | None:
    try:
        return Path(path).relative_to(root).as_posix()
    except ValueError:
        return None


class _SourceLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, files: LockedFiles, digest: str) -> None:
        super().__init__(fullname, path)
        self.files = files
        self.digest = digest

    def get_data(self, path: str) -> bytes:
        data = super().get_data(path)
        self.files.require(path, data)
        return data

    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _ExtensionLoader(ExtensionFileLoader):
    """The system's linker reads the file once more, right after."""

    def __init__(self, fullname: str, path: str, files: LockedFiles, digest: str) -> None:
        super().__init__(fullname, path)
        self.files = files
        self.digest = digest

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        self.files.require(self.path, Path(self.path).read_bytes())
        return super().create_module(spec)


class _FolderLoader(Loader):
    """Loads nothing: of a folder without `__init__.py`, and gives its data files."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def create_module(self, spec: ModuleSpec) -> None:
        """As Python has it."""

    def exec_module(self, module: ModuleType) -> None:
        """There is no code."""

    def get_resource_reader(self, fullname: str) -> "_FolderReader":  # noqa: ARG002 - Python's signature
        return _FolderReader(self._folders)


class _FolderReader(TraversableResources):
    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def files(self) -> Traversable:
        return MultiplexedPath(*map(Path, self._folders))


_Loader: TypeAlias = _SourceLoader | _ExtensionLoader

_served: Final[dict[str, LockedFiles]] = {}


class _Finder:
    """Finds what is in the packages of locked plugins, and nothing else."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        top = fullname.partition(".")[0]
        several = [files for files in _served.values() if top in files.tops]
        for files in several:
            found = files.file_of(fullname)
            if found is not None:
                return _spec(fullname, files, found)
        folders = [files for files in several if files.has_folder(fullname)]
        if folders:
            return _folder_spec(fullname, path, folders)
        owner = next((files for files in several if files.owns(fullname)), None)
        if owner is not None and PathFinder.find_spec(fullname, path, target) is not None:
            raise ImportError(f"{fullname} is not in the lock of {owner.name}", name=fullname)
        return None


def _spec(fullname: str, files: LockedFiles, found: str) -> ModuleSpec | None:
    path = str(files.root / found)
    kind = _SourceLoader if found.endswith(".py") else _ExtensionLoader
    is_package = found.rpartition("/")[2].startswith("__init__.")
    return spec_from_file_location(
        fullname,
        path,
        loader=kind(fullname, path, files, files.digests[found]),
        submodule_search_locations=[str(Path(path).parent)] if is_package else None,
    )


def _folder_spec(fullname: str, path: Sequence[str] | None, several: Sequence[LockedFiles]) -> ModuleSpec:
    """A folder without `__init__.py`. Where the plugin has nothing but folders in it, others may have modules in it,
    too: theirs are found as ever."""
    owners = [files for files in several if files.owns_folder(fullname)]
    elsewhere = PathFinder.find_spec(fullname, path) if not owners else None
    others = elsewhere.submodule_search_locations if elsewhere is not None and elsewhere.loader is None else None
    own = [str(files.root / fullname.replace(".", "/")) for files in owners or several]
    folders = list(dict.fromkeys([*own, *(others or ())]))
    spec = ModuleSpec(fullname, _FolderLoader(folders), is_package=True)
    spec.submodule_search_locations = folders
    return spec


def serve_from(files: LockedFiles) -> None:
    """Import the packages of a plugin from these files from now on; what was imported otherwise is imported again."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    _served[files.name] = files
    for top in files.tops:
        names = [name for name in sys.modules if name == top or name.startswith(f"{top}.")]
        own = [
            name
            for name in names
            if files.file_of(name) is not None or (files.owns(name) and getattr(sys.modules[name], "__file__", None))
        ]
        if not all(_is_from(sys.modules[name], files) for name in own):
            for name in own:
                del sys.modules[name]


def release(name: str) -> None:
    """Import the packages of a plugin as all others are, from now on."""
    _served.pop(name, None)


def _is_from(module: ModuleType, files: LockedFiles) -> bool:
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return isinstance(loader, _Loader) and files.digests.get(_below(files.root, loader.path) or "") == loader.digest
