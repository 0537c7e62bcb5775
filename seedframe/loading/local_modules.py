"""Imports the modules of a seeds folder under a package name of their own, so that projects do not collide.

Nothing is added to sys.path. Bytecode is neither read nor written: Python trusts a cached file when size and second of
the last change agree, and a seed that was edited from 249.00 to 299.00 within a second must not run as it was before.
"""

import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib import import_module
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    ModuleSpec,
    SourceFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import Final

PREFIX: Final = "seedframe_seeds_"


class _SourceOnlyLoader(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class _Finder:
    """Finds what is imported below a package of `open_folder`, and nothing else."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG004 - the import system's signature
        if not fullname.startswith(PREFIX):
            return None
        for folder in path or ():
            loaders = (ExtensionFileLoader, EXTENSION_SUFFIXES), (_SourceOnlyLoader, SOURCE_SUFFIXES)
            spec = FileFinder(folder, *loaders).find_spec(fullname)
            if spec is not None:
                return spec
        return None


def open_folder(folder: Path) -> str:
    """Make `folder` a package, and forget what was imported from it before; returns the package's name."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
    package = PREFIX + sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    module = ModuleType(package, f"The seeds of {folder}.")
    module.__path__ = [str(folder)]
    module.__spec__ = ModuleSpec(package, None, is_package=True)
    module.__spec__.submodule_search_locations = module.__path__
    sys.modules[package] = module
    return package


def import_seed(package: str, stem: str) -> ModuleType:
    """Import `stem` (a file's or a package's name, a number first) from a package of `open_folder`.

    Raises whatever the module raises.
    """
    return import_module(f"{package}.{stem}")


def is_local(module: str) -> bool:
    """True for the name of a module imported here."""
    return module.startswith(PREFIX)
