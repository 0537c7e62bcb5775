"""Whether the code of a seed goes through sets, whose order is another in each process."""

import ast
import sys
from collections.abc import Iterable, Iterator
from inspect import getsource
from types import ModuleType
from typing import Final

from seedframe.seed import Seed

_MAKERS: Final = frozenset({"set", "frozenset", "hash"})
_METHODS: Final = frozenset({"union", "intersection", "difference", "symmetric_difference"})
_OPERATORS: Final = (ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)
_VIEWS: Final = frozenset({"keys", "items"})


def uses_sets(seeds: Iterable[Seed]) -> bool:
    """Whether the modules of these seeds, or others of their packages, make sets; True where no source tells."""
    packages = {
        seed.plugin.__name__.partition(".")[0] if isinstance(seed.plugin, ModuleType) else type(seed.plugin).__module__
        for seed in seeds
    }
    return any(_makes_sets(text) for text in _sources(packages))


def _sources(packages: Iterable[str]) -> Iterator[str]:
    for package in packages:
        for name, module in list(sys.modules.items()):
            if (name == package or name.startswith(f"{package}.")) and getattr(module, "__file__", None) is not None:
                try:
                    yield getsource(module)
                except (OSError, TypeError):
                    yield "set()"


def _makes_sets(text: str) -> bool:
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return True
    return any(_is_of_sets(node) for node in ast.walk(tree))


def _is_of_sets(node: ast.AST) -> bool:
    match node:
        case ast.Set() | ast.SetComp():
            return True
        case ast.Name(id=name):
            return name in _MAKERS
        case ast.Attribute(attr=name):
            return name in _METHODS
        case ast.BinOp(left=left, op=operator, right=right):
            return isinstance(operator, _OPERATORS) and (_is_view(left) or _is_view(right))
    return False


def _is_view(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _VIEWS
