"""A module that stands in for a seed that cannot be imported: its hooks' signatures and its written-out constants."""

import ast
from types import ModuleType
from typing import Any

from seedframe.linting.python_source import PythonSource
from seedframe.loading.contract import CONSTANTS


def stand_in(source: PythonSource) -> ModuleType | None:
    """The functions of a file, with nothing in them, and those constants whose values are written out.

    None of the file's own code is run. None where its syntax is wrong.
    """
    if source.tree is None:
        return None
    module = ModuleType(f"stand_in_{source.path.stem}")
    module.__file__ = str(source.path)
    body: list[ast.stmt] = []
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            body.append(_empty(node))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                _assign(module, target, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            _assign(module, node.target, node.value)
    exec(compile(ast.Module(body, []), str(source.path), "exec", dont_inherit=True), vars(module))  # noqa: S102 - empty functions
    return module


def _empty(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.stmt:
    given = node.args
    nothing = ast.Constant(None)
    arguments = ast.arguments(
        posonlyargs=[ast.arg(each.arg) for each in given.posonlyargs],
        args=[ast.arg(each.arg) for each in given.args],
        vararg=ast.arg(given.vararg.arg) if given.vararg else None,
        kwonlyargs=[ast.arg(each.arg) for each in given.kwonlyargs],
        kw_defaults=[None if each is None else nothing for each in given.kw_defaults],
        kwarg=ast.arg(given.kwarg.arg) if given.kwarg else None,
        defaults=[nothing for _ in given.defaults],
    )
    kind = type(node)
    made: Any = kind(
        name=node.name, args=arguments, body=[ast.Pass()], decorator_list=[], returns=None, type_comment=None
    )
    if hasattr(ast, "TypeVar"):  # Python 3.12
        made.type_params = []
    stated: ast.stmt = ast.fix_missing_locations(ast.copy_location(made, node))
    return stated


def _assign(module: ModuleType, target: ast.expr, value: ast.expr) -> None:
    if not isinstance(target, ast.Name):
        return
    try:
        setattr(module, target.id, ast.literal_eval(value))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        if target.id not in CONSTANTS:  # what is known of those is their values, or nothing
            setattr(module, target.id, module)
