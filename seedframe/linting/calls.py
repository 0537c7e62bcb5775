"""The declarations that are written out in a seed: calls such as `Rows(…)`, and what their arguments say."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from seedframe.errors import SeedframeError
from seedframe.linting.found import Place
from seedframe.linting.python_source import PythonSource
from seedframe.resources.values import column, ref, sql

_FUNCTIONS: Final = {"ref": ref, "column": column, "sql": sql}


class NotWritten(Exception):
    """A value that is not written out."""


@dataclass(frozen=True)
class Call:
    """One call of a class, such as `Rows(…)`."""

    source: PythonSource
    node: ast.Call
    name: str

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.source.at(self.node)

    def argument(self, name: str) -> ast.expr | None:
        """What is given by this name; by "table", what comes first."""
        if name == "table" and self.node.args:
            return self.node.args[0]
        return next((keyword.value for keyword in self.node.keywords if keyword.arg == name), None)

    def of_argument(self, name: str, text: str | None = None) -> Place:
        """Where an argument stands, or a text in it; the call where there is no such argument."""
        given = self._resolved(self.argument(name))
        if given is None:
            return self.place
        return self.source.text_within(given, text) or self.source.at(given) if text else self.source.at(given)

    def of_text(self, text: str) -> Place:
        """Where a text stands in the arguments, except in the rows; the call where it does not."""
        for keyword in self.node.keywords:
            found = self.source.text_within(keyword.value, text) if keyword.arg != "rows" else None
            if found is not None:
                return found
        return self.place

    def of_row(self, number: int) -> Place | None:
        """Where a row stands, counted from 1; None where the rows are not written out in a list."""
        node = self.row(number)
        return None if node is None else self.source.at(node)

    def row(self, number: int) -> ast.expr | None:
        """The expression of a row."""
        rows = self._resolved(self.argument("rows"))
        if not isinstance(rows, ast.List | ast.Tuple) or any(isinstance(each, ast.Starred) for each in rows.elts):
            return None
        return rows.elts[number - 1] if 0 < number <= len(rows.elts) else None

    def _resolved(self, node: ast.expr | None) -> ast.expr | None:
        """What a name of the module stands for."""
        if isinstance(node, ast.Name):
            return self.source.value_of(node.id) or node
        return node

    def says(self, name: str) -> Any:
        """The value of an argument; None where it is not given. Errors: NotWritten."""
        return written(self.source, self.argument(name))


def written(source: PythonSource, node: ast.expr | None) -> Any:
    """The value of an expression that is written out; None for none. Errors: NotWritten."""
    if node is None:
        return None
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        value = source.value_of(node.id)
        if value is None or isinstance(value, ast.Name):
            raise NotWritten
        return written(source, value)
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [written(source, each) for each in node.elts]
    if isinstance(node, ast.Dict):
        return {written(source, key): written(source, value) for key, value in _pairs(node)}
    if isinstance(node, ast.Call):
        function = _FUNCTIONS.get(called(node))
        if function is None or any(keyword.arg is None for keyword in node.keywords):
            raise NotWritten
        try:
            return function(  # type: ignore[operator]
                *[written(source, each) for each in node.args],
                **{str(keyword.arg): written(source, keyword.value) for keyword in node.keywords},
            )
        except (TypeError, SeedframeError):
            raise NotWritten from None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        raise NotWritten from None


def _pairs(node: ast.Dict) -> Iterator[tuple[ast.expr, ast.expr]]:
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:
            raise NotWritten
        yield key, value


def called(node: ast.Call) -> str:
    """The last part of what is called: "Rows" of `seedframe.Rows(…)`."""
    function = node.func
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def calls_in(source: PythonSource) -> list[Call]:
    """The calls of classes in a file, in order of their places."""
    found = [Call(source, node, called(node)) for node in source.nodes if isinstance(node, ast.Call)]
    return sorted((call for call in found if call.name[:1].isupper()), key=lambda call: call.place)


def call_of(calls: Iterable[Call], kind: str, says: Mapping[str, object]) -> Call | None:
    """The first of the calls of `kind` that fit best what a resource says of itself; None where none fits."""
    best: tuple[int, Call] | None = None
    for call in calls:
        fit = _fit(call, says) if call.name == kind else None
        if fit is not None and (best is None or fit > best[0]):
            best = fit, call
    return None if best is None else best[1]


def _fit(call: Call, says: Mapping[str, object]) -> int | None:
    """How many of the arguments are written out alike; None where one is written out otherwise."""
    fit = 0
    for name, value in says.items():
        try:
            found = call.says(name)
        except NotWritten:
            continue
        if isinstance(value, tuple) and isinstance(found, list):
            found = tuple(found)
        if isinstance(value, tuple) and isinstance(found, str):
            found = (found,)
        if found != value:
            return None
        fit += 1
    return fit
