"""The source files that belong to one seed: which frames of a traceback are its author's, and how they are named."""

import inspect
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from seedframe.loading.local_modules import is_local
from seedframe.secrecy.tracebacks import deepest


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The folders (or the one file) that a seed's code stands in; paths are shown relative to `base`."""

    roots: tuple[Path, ...]
    base: Path
    module: ModuleType | None = None

    @classmethod
    def of(cls, plugin: object, base: Path) -> "OwnFiles":
        """Those of a loaded seed: the seeds folder of a local one, the top package of an installed one.

        Args:
            plugin: the module, or an object, whose class's module counts.
            base: the project's folder; an installed seed's files are named from its package instead.
        """
        name = plugin.__name__ if isinstance(plugin, ModuleType) else type(plugin).__module__
        module = plugin if isinstance(plugin, ModuleType) else sys.modules.get(name)
        top = sys.modules.get(name.partition(".")[0])
        folders = tuple(Path(entry) for entry in getattr(top, "__path__", ()))
        file = getattr(module, "__file__", None)
        if not folders:
            return cls((Path(file),) if file else (), Path(file).parent if file else base, module)
        return cls(folders, base if is_local(name) else folders[0].parent, module)

    def owns(self, filename: str) -> bool:
        """True for a file of the seed, symbolic links on the way or not."""
        path = Path(filename)
        return any(path.is_relative_to(root) or path.is_relative_to(root.resolve()) for root in self.roots)

    def show(self, filename: str, line: int | None = None) -> str:
        """`seeds/20_reference.py:12`; what is not below `base` is shown whole."""
        path = Path(filename)
        for base in (self.base, self.base.resolve()):
            if path.is_relative_to(base):
                path = path.relative_to(base)
                break
        return path.as_posix() if line is None else f"{path.as_posix()}:{line}"

    def raised_at(self, error: BaseException) -> str | None:
        """The author's own innermost line that the error passed through."""
        found = deepest(error, self.owns)
        return None if found is None else self.show(*found)

    def place(self, thing: object, argument: str | None = None) -> str | None:  # noqa: ARG002 - as `Place` has it
        """Where a function of the seed stands, or what it calls `thing`; for the module, its file.

        An argument is looked for where its function begins.
        """
        if isinstance(thing, str):
            return self._place_of_name(thing)
        code = getattr(inspect.unwrap(thing), "__code__", None) if callable(thing) else None
        if code is not None and self.owns(code.co_filename):
            return self.show(code.co_filename, code.co_firstlineno)
        return self._file()

    def _file(self) -> str | None:
        file = getattr(self.module, "__file__", None)
        return None if file is None else self.show(file)

    def _place_of_name(self, name: str) -> str | None:
        file = getattr(self.module, "__file__", None)
        if file is None:
            return None
        word = re.compile(rf"{name}\s*[:=]|(?:async\s+)?def\s+{name}\b|.*\bimport\b.*\b{name}\b")
        try:
            lines = Path(file).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return self.show(file)
        return self.show(file, next((number for number, line in enumerate(lines, 1) if word.match(line)), None))
