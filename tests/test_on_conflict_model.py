"""Verdicts and `--on-conflict` against a model: every history of three rounds of edits and applies, a row for each."""

from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

import pytest

from seedframe import Project
from seedframe.changes import Verdict
from seedframe.options import VerifyOptions
from seedframe.report import Report
from seedframe.verdicts import CONTESTED, OnConflict
from tests.conftest import Folder, ProjectFactory, Sql
from tests.running import apply, dry_run, only

COLUMNS: Final = ("p", "q")
MISSING: Final = "missing"
SAME: Final = "same"

Row = dict[str, str | None]
Verdicts = dict[tuple[str, str | None], Verdict]

# What is declared of `p`, and what becomes of the row, in each round; what the first apply left is A.
ROUNDS: Final = (
    (("A",), ("A", "X", None, MISSING)),
    (("A", "B", "X"), (SAME, "A", "X", "Y", MISSING)),
    ((SAME, "A", None), (SAME, "Y", MISSING)),
)
HISTORIES: Final = {
    f"r{number:03}": history
    for number, history in enumerate(product(*(product(declared, there) for declared, there in ROUNDS)))
}


@dataclass
class Left:
    """A row as the last apply left it: what was there and what was declared, by column, and what was kept."""

    there: Row
    declared: Row
    kept: set[str] = field(default_factory=set)
    absent: bool = False


@dataclass
class Model:
    """What was left, is declared and is there."""

    left: dict[str, Left] = field(default_factory=dict)
    declared: dict[str, Row] = field(default_factory=lambda: {key: dict.fromkeys(COLUMNS, "A") for key in HISTORIES})
    there: dict[str, Row] = field(default_factory=dict)

    def cell(self, key: str, column: str) -> Verdict:
        declared, there = self.declared[key][column], self.there[key][column]
        left = self.left.get(key)
        if declared == there:
            return Verdict.IN_SYNC
        if left is None:
            return Verdict.PENDING
        seed_moved, database_moved = declared != left.declared[column], there != left.there[column]
        if column in left.kept:
            if seed_moved:
                return Verdict.CONFLICT
            return Verdict.DRIFT if database_moved else Verdict.IN_SYNC
        if seed_moved:
            return Verdict.CONFLICT if database_moved else Verdict.PENDING
        return Verdict.DRIFT

    def verdicts(self) -> Verdicts:
        """By row and column; a missing row as a whole."""
        found: Verdicts = {}
        for key in HISTORIES:
            if key in self.there:
                found |= {(key, column): self.cell(key, column) for column in COLUMNS}
            elif (left := self.left.get(key)) is None:
                found[key, None] = Verdict.PENDING
            elif self.declared[key] != left.declared:
                found[key, None] = Verdict.CONFLICT
            else:
                found[key, None] = Verdict.IN_SYNC if left.absent else Verdict.DRIFT
        return {place: verdict for place, verdict in found.items() if verdict is not Verdict.IN_SYNC}

    def apply(self, rule: OnConflict) -> Verdicts:
        """What is written, with why."""
        written = {
            place: verdict
            for place, verdict in self.verdicts().items()
            if rule != "database" or verdict not in CONTESTED
        }
        for key, column in written:
            if column is None:
                self.there[key] = dict(self.declared[key])
            else:
                self.there[key][column] = self.declared[key][column]
        for key in HISTORIES:
            declared = self.declared[key]
            there = self.there.get(key, declared)
            kept = {column for column in COLUMNS if there[column] != declared[column]}
            self.left[key] = Left(dict(there), dict(declared), kept, key not in self.there)
        return written


def found(report: Report) -> Verdicts:
    """Each row that differs and the columns in which it does, with the row's verdict."""
    differing: Verdicts = {}
    for change in only(report).resources[0].changes.sample:
        assert change.verdict is not None
        columns = [None] if change.before is None else list(change.before)
        differing |= {(str(change.key["key"]), column): change.verdict for column in columns}
    return differing


def by_row(verdicts: Verdicts) -> Verdicts:
    """The same, each with the worst verdict of its row."""
    worst: dict[str, Verdict] = {}
    for (key, _), verdict in verdicts.items():
        worst[key] = max(worst.get(key, verdict), verdict, key=lambda one: one.severity)
    return {(key, column): worst[key] for key, column in verdicts}


def write_seed(folder: Folder, model: Model) -> None:
    rows = [{"key": key, **model.declared[key]} for key in HISTORIES]
    folder.write(
        {
            "seeds/10_a.py": "from seedframe import Rows\n\ndef resources():\n"
            f'    yield Rows("items", key="key", rows={rows!r})\n'
        }
    )


def edit(model: Model, sql: Sql, key: str, there: str | None) -> None:
    if there == MISSING:
        model.there.pop(key, None)
        sql("delete from items where key = %s", [key])
    elif there != SAME:
        q = model.there[key]["q"] if key in model.there else None
        model.there[key] = {"p": there, "q": q}
        sql("insert into items values (%s, %s) on conflict (key) do update set p = excluded.p", [key, there])


def look(folder: Folder) -> Report:
    return Project.load(folder.path).verify(VerifyOptions(sample=10_000))


@pytest.mark.parametrize("busy", [False, True], ids=["one column", "another column changes in the seed"])
@pytest.mark.parametrize("second", ["seed", "database"])
@pytest.mark.trap(
    "What was kept is lost, asked again, or forgotten", "in sync until either side moves, then told again"
)
def test_every_history(second: OnConflict, busy: bool, project: ProjectFactory, sql: Sql) -> None:
    sql("create table items (key text primary key, p text, q text)")
    folder, model = project(), Model()
    wide: dict[str, Any] = {"sample": 10_000}
    write_seed(folder, model)
    assert apply(folder).exit_code == 0
    model.apply("seed")
    rules: tuple[OnConflict, ...] = ("database", second, "database")
    for number, rule in enumerate(rules):
        for key, history in HISTORIES.items():
            declared, there = history[number]
            if declared != SAME:
                model.declared[key]["p"] = declared
            if busy:
                model.declared[key]["q"] = f"round {number}"
            edit(model, sql, key, there)
        write_seed(folder, model)
        assert found(look(folder)) == by_row(model.verdicts())
        assert dry_run(folder, on_conflict="fail").exit_code == 1
        planned, report = dry_run(folder, on_conflict=rule, **wide), apply(folder, on_conflict=rule, **wide)
        assert (planned.exit_code, report.exit_code) == (0, 0)
        assert found(planned) == found(report) == by_row(model.apply(rule))
        rows = sql("select key, p, q from items")
        assert {key: {"p": p, "q": q} for key, p, q in rows} == model.there
        for again in ("fail", "seed", "database"):
            assert apply(folder, on_conflict=again).summary.changed == 0
        assert look(folder).exit_code == 0
