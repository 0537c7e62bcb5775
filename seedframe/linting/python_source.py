"""The Python files of a project, read without being run: their syntax tree, and where in it things stand."""

import ast
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

from seedframe.linting.found import Place

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef

_NOQA: Final = re.compile(r"#\s*noqa(?::\s*(?P<codes>[A-Z]+[0-9]+(?:[,\s]+[A-Z]+[0-9]+)*))?", re.IGNORECASE)
_CODE: Final = re.compile(r"[A-Z]+[0-9]+")
_ALL: Final = frozenset({"*"})


@dataclass(frozen=True)
class PythonSource:
    """One file.

    Attributes:
        text: empty where it cannot be read.
        tree: None where its syntax is wrong.
        error: what is wrong with it, and where.
    """

    path: Path
    text: str
    tree: ast.Module | None
    error: tuple[Place, str] | None = None

    @classmethod
    def read(cls, path: Path) -> "PythonSource":
        """Read and parse a file."""
        try:
            content = path.read_bytes()
        except OSError as error:
            return cls(path, "", None, (Place(path), f"cannot be read: {error.strerror}"))
        text = _decoded(content)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(content, str(path))
                compile(content, str(path), "exec", dont_inherit=True)
        except SyntaxError as error:
            return cls(path, text, None, (Place(path, error.lineno or 1, max(error.offset or 1, 1)), error.msg))
        except (ValueError, RecursionError, MemoryError) as error:
            line = content[: max(content.find(b"\0"), 0)].count(b"\n") + 1
            return cls(path, text, None, (Place(path, line), str(error) or "it is nested too deeply"))
        return cls(path, text, tree)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines, as Python counts them."""
        return re.split(r"\r\n|\r|\n", self.text)

    @cached_property
    def _silenced(self) -> dict[int, frozenset[str]]:
        found: dict[int, frozenset[str]] = {}
        try:
            for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
                match = _NOQA.search(token.string) if token.type == tokenize.COMMENT else None
                if match is not None:
                    codes = match["codes"]
                    found[token.start[0]] = frozenset(_CODE.findall(codes.upper())) if codes else _ALL
        except (tokenize.TokenError, SyntaxError):
            pass  # what comes before the mistake counts
        return found

    def silences(self, code: str, line: int) -> bool:
        """True where the line, or the end of the statement that begins in it, says `# noqa` of this rule."""
        codes = self._silenced.get(line, frozenset())
        return codes is _ALL or code in codes

    # Where things stand

    def at(self, node: ast.expr | ast.stmt | ast.arg | ast.alias | ast.keyword) -> Place:
        """The place of a node."""
        line = node.lineno
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Place(self.path, line, len(text.encode()[: node.col_offset].decode(errors="replace")) + 1)

    def begin(self, line: int) -> Place:
        """Where a line begins, behind its blanks."""
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return Place(self.path, line, len(text) - len(text.lstrip()) + 1)

    def of_name(self, name: str) -> Place:
        """Where a name of the module is bound; its beginning where that is not to be seen."""
        return next((self._name_of(node, name) for node in self._bindings(name)), Place(self.path))

    def _bindings(self, name: str) -> Iterator[ast.stmt]:
        for node in self._statements():
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign):
                names = [each.id for target in node.targets for each in ast.walk(target) if isinstance(each, ast.Name)]
            elif isinstance(node, ast.AnnAssign):
                names = [node.target.id] if isinstance(node.target, ast.Name) else []
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            else:
                continue
            if name in names:
                yield node

    def _name_of(self, node: ast.stmt, name: str) -> Place:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return self._after_keyword(node)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self.at(next(alias for alias in node.names if name in (alias.asname, alias.name.partition(".")[0])))
        return self.at(node)

    def _after_keyword(self, node: Function | ast.ClassDef) -> Place:
        text = self.lines[node.lineno - 1] if node.lineno <= len(self.lines) else ""
        match = re.search(rf"\b(?:def|class)\s+({re.escape(node.name)})\b", text)
        return Place(self.path, node.lineno, match.start(1) + 1) if match else self.at(node)

    def _statements(self) -> Iterator[ast.stmt]:
        """The statements that are run when the module is imported, those within `if` and `try` too."""
        pending: list[ast.AST] = [self.tree] if self.tree is not None else []
        while pending:
            node = pending.pop(0)
            if isinstance(node, ast.stmt):
                yield node
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                pending[:0] = [
                    child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt | ast.excepthandler)
                ]

    def of_function(self, line: int, argument: str | None = None) -> Place:
        """Where a function stands whose code begins in a line, or one of its arguments."""
        for node in self.functions:
            if line == min([node.lineno, *(each.lineno for each in node.decorator_list)]):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                arguments += [each for each in (node.args.vararg, node.args.kwarg) if each is not None]
                asked = next((each for each in arguments if each.arg == argument), None)
                return self._after_keyword(node) if asked is None else self.at(asked)
        return Place(self.path, line)

    @cached_property
    def functions(self) -> list[Function]:
        """All functions, in the order of the tree."""
        return [node for node in self.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree."""
        return [] if self.tree is None else list(ast.walk(self.tree))

    @cached_property
    def texts(self) -> frozenset[str]:
        """All texts that are written out in it."""
        return frozenset(
            node.value for node in self.nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )

    def value_of(self, name: str) -> ast.expr | None:
        """What a name of the module is assigned."""
        for node in self._bindings(name):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                return node.value
        return None

    def text_within(self, node: ast.AST | None, text: str) -> Place | None:
        """Where a text is written out within a node."""
        for each in ast.walk(node) if node is not None else ():
            if isinstance(each, ast.Constant) and each.value == text:
                return self.at(each)
        return None


def _decoded(content: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        return content.decode("utf-8", errors="replace")


class PythonSources:
    """The Python files that were looked at, each read once."""

    def __init__(self) -> None:
        self._read: dict[Path, PythonSource] = {}

    def of(self, path: Path) -> PythonSource:
        """The file at a path."""
        if path not in self._read:
            self._read[path] = PythonSource.read(path)
        return self._read[path]

    def below(self, folder: Path) -> list[PythonSource]:
        """Every file of a folder and the folders in it, except hidden ones and what Python keeps for itself."""
        found = [
            path
            for path in sorted(folder.rglob("*.py"))
            if not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
            and path.is_file()
        ]
        return [self.of(path) for path in found]

    def silence(self, code: str, place: Place) -> bool:
        """True where the line of a Python file says `# noqa` of this rule."""
        return place.path.suffix == ".py" and place.path.is_file() and self.of(place.path).silences(code, place.line)
