"""The markers of all tests, read from their source so that nothing has to run, and what pages made of them share."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parent
DOCS: Final = TESTS.parent / "docs"


@dataclass(frozen=True, slots=True)
class Marked:
    """One marker with two texts. `test` is the function it stands at; empty where it is for the whole file."""

    texts: tuple[str, str]
    file: str
    test: str


def marked(name: str, meaning: str) -> Iterator[Marked]:
    """The markers of this name, by file and line. Errors: ValueError, with the meaning, for one without two texts."""
    for path in sorted(TESTS.glob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tests = {
            id(node): function.name
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef)
            for decorator in function.decorator_list
            for node in ast.walk(decorator)
        }
        calls = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == name
        ]
        for node in sorted(calls, key=lambda call: call.lineno):
            if len(node.args) != 2 or node.keywords:
                raise ValueError(f"{path.name}:{node.lineno}: {meaning}")
            first, second = (ast.literal_eval(argument) for argument in node.args)
            yield Marked((first, second), path.name, tests.get(id(node), ""))


def cell(text: str) -> str:
    """A text as a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def link(file: str, text: str = "") -> str:
    """A test's file, for a page in docs/."""
    return f"[{text or file}](../tests/{file})"
