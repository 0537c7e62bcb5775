"""What a seed's code gave and does not fit: that seed's error in every command, and no other seed's."""

import json
from typing import Any, Final

from tests.conftest import Folder, ProjectFactory, Sql

RESOURCE: Final = """\
import sys; from seedframe.changes import Counts
from seedframe import Change, Changes, Finding, Rows
CRITICAL = False
class K:
    name = "k:x"
    tables = ()
    def describe(self): return "x"
    def diff(self, db): return Changes()
    def delete(self, db, changes): pass
    def write(self, db, changes): pass
class Seen(K):
    {}
def resources():
    yield {}
"""
LINE: Final = 13  # of `resources`
CLASS_LINE: Final = 12  # of what stands in the class
FINE: Final = "def resources():\n    return []\n"

VALUES: Final = {
    "name = None": "`name` of Seen is None, not a text, in seed",
    "name = 5": "`name` of Seen is an int, not a text, in seed",
    "name = ''": "`name` of Seen is empty, in seed",
    "name = 'hook:check'": "`name` of Seen is 'hook:check', under which the seed's own `check` is reported, in seed",
    "name = 'k:\\udc80'": "`name` of Seen has half of a surrogate pair, which is no character, in it, in seed",
    "tables = None": "`tables` of k:x is None, not a list of texts, in seed",
    "tables = [1]": "`tables` of k:x has an int in it, in seed",
    "tables = ['\\udc80']": "`tables` of k:x has a text in it that has half of a surrogate pair",
    "tables = ['a\\0']": "`tables` of k:x has a text in it that has a NUL character",
    "tables = 'local'": "`tables` of k:x is a str, not a list of texts, in seed",
    "environments = 'production'": "`environments` of k:x is a str, in seed",
    "environments = 5": "`environments` of k:x is an int, in seed",
    "environments = frozenset()": "`environments` of k:x is empty: it would be nowhere, in seed",
    "environments = frozenset({1})": "`environments` of k:x has an int in it, in seed",
    "describe = 'x'": "`describe` of k:x is a str, in seed",
    "diff = None": "`diff` of k:x is None, in seed",
    "def describe(self): pass": "what `describe` of k:x returned is None, not a text, in seed",
    "def describe(self): return '\\udc80'": "what `describe` of k:x returned has half of a surrogate pair",
    "def describe(self): return '\\0'": "what `describe` of k:x returned has a NUL character",
}
RAISED: Final = {
    "def describe(self): return 1 / 0": "`k:x: describe` of seed {} failed: ZeroDivisionError: division by zero",
    "def describe(self): sys.exit(0)": "`k:x: describe` of seed {} failed: called sys.exit()",
    "name = property(lambda self: 1 / 0)": "`Seen: name` of seed {} failed: ZeroDivisionError: division by zero",
    "name = property(lambda self: sys.exit(0))": "`Seen: name` of seed {} failed: called sys.exit()",
    "tables = property(lambda self: self.no)": "`Seen: tables` of seed {} failed: AttributeError: 'Seen' object has no",
    "environments = property(lambda self: 1 / 0)": "`Seen: environments` of seed {} failed: ZeroDivisionError",
    "diff = property(lambda self: sys.exit(0))": "`Seen: diff` of seed {} failed: called sys.exit()",
}
DIFFS: Final = {
    "Changes.of([Change('create', None)])": "its `key` is None",
    "Changes.of([Change('create', {}, after='x')])": "its `after` is a str",
    "Changes.of([Change('create', {}, verdict='drift')])": "its `verdict` is a str",
    "Changes.of([Change('create', {}, reason=5)])": "its `reason` is an int",
    "Changes.of(['create']) if False else Changes(sample=('create',))": "its `sample` has a str in it",
    "Changes(sample=None)": "its `sample` is None",
    "Changes(counts=None)": "its `counts` is None",
    "Changes(counts=Counts(create='1'))": "its `create` is a str",
    "Changes(counts=Counts(create=-1))": "its `create` is less than 0",
    "Changes(omitted=None)": "its `omitted` is None",
    "Changes(skipped_reason=5)": "its `skipped_reason` is an int",
}
HOOKS: Final = {
    "def check(): yield Change('creat', {})": "a Change that does not fit: its `action` is none of create, update",
    "def check(): yield Change('create', None)": "a Change that does not fit: its `key` is None",
    "def verify(): yield Finding(5)": "a Finding that does not fit: its `text` is an int",
    "def verify(): yield Finding('x', 'warn')": "a Finding that does not fit: its `severity` is none of info, warning",
}


def _seeds(bodies: list[str]) -> dict[str, str]:
    """One seed for each, and one that is fine behind them."""
    files = {f"seeds/{number}_s{number}.py": body for number, body in enumerate(bodies, 10)}
    return {**files, "seeds/99_fine.py": FINE}


def _json(folder: Folder, *arguments: str, codes: set[int]) -> dict[str, Any]:
    done = folder.run(*arguments, "--format", "json")
    assert done.returncode in codes, (arguments, done)
    assert "a bug in seedframe" not in done.stdout + done.stderr, (arguments, done)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def _run_errors(folder: Folder, *arguments: str) -> dict[str, dict[str, str]]:
    document = _json(folder, *arguments, codes={0, 3})
    seeds = document["seeds"]
    assert seeds, document
    assert (seeds[-1]["seed"], seeds[-1]["error"]) == ("99_fine", None), arguments
    return {seed["seed"]: seed["error"] for seed in seeds[:-1]}


def _listed_errors(folder: Folder) -> dict[str, dict[str, str]]:
    seeds = _json(folder, "list", codes={3})["seeds"]
    assert (seeds[-1]["seed"], seeds[-1]["errors"]) == ("99_fine", [])
    return {seed["seed"]: seed["errors"][0] for seed in seeds[:-1]}


RUNS: Final = (("apply", "--dry-run"), ("apply",), ("verify",))

# What is in the seed, what is told of it, at which line, and the rule of lint: none where only a run can tell.
CASES: Final = [
    *((RESOURCE.format(member, "Seen()"), told, LINE, "SF402") for member, told in VALUES.items()),
    *((RESOURCE.format(member, "Seen()"), told, CLASS_LINE, "SF401") for member, told in RAISED.items()),
    *(
        (RESOURCE.format("pass", name), f"returned the class {name}, not a resource made of it", LINE, "SF401")
        for name in ("Rows", "Seen")
    ),
]
DIFFERING: Final = [
    *((f"return {found}", f"`diff` of k:x returned Changes that do not fit: {told}") for found, told in DIFFS.items()),
    ("return Changes(counts=Counts(create=2), omitted=2)", "k:x does not converge: after apply, 2 rows still differ"),
]


def test_a_resource_of_no_fit_shape_is_its_seeds_error_in_every_command(project: ProjectFactory) -> None:
    folder = project(_seeds([body for body, *_ in CASES]))
    asked = {arguments: _run_errors(folder, *arguments) for arguments in RUNS}
    asked["list",] = _listed_errors(folder)
    for arguments, errors in asked.items():
        for (label, error), (_, told, line, _) in zip(errors.items(), CASES, strict=True):
            assert told.format(label) in error["message"], (arguments, error)
            assert error["where"] == f"seeds/{label}.py:{line}", (arguments, error)
    found = _json(folder, "lint", codes={1})["findings"]
    for each, (_, told, line, code) in zip(found, CASES, strict=True):
        assert told.format(each["seed"]) in each["message"], each
        assert (each["code"], each["line"]) == (code, line), each


def test_what_diff_returns_and_cannot_be_reported(project: ProjectFactory) -> None:
    bodies = [RESOURCE.format(f"def diff(self, db): {body}", "Seen()") for body, _ in DIFFERING]
    errors = _run_errors(project(_seeds(bodies)), "apply")
    assert [error["message"] for error in errors.values()] == [told for _, told in DIFFERING]


def test_what_other_hooks_return_and_cannot_be_reported(project: ProjectFactory) -> None:
    head = "from seedframe import Change, Finding\nCRITICAL = False\n"
    folder = project(_seeds([f"{head}{hook}\n" for hook in HOOKS]))
    for error, message in zip(_run_errors(folder, "verify").values(), HOOKS.values(), strict=True):
        assert message in error["message"]
        assert error["where"].endswith(".py:3")


def test_any_list_of_tables_will_do(project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (id int primary key)")
    written = ("()", "('items',)", "['items']", "frozenset({'items'})")
    members = [f"tables = {tables}; environments = None" for tables in written]
    done = project(_seeds([RESOURCE.format(member, "Seen()") for member in members])).run("apply")
    assert (done.returncode, done.stderr) == (0, ""), done
