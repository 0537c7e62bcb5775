"""What an apply gave to tables beside rows is taken back in a copy, to see who notices, and gives it again."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Final

from psycopg import Error as ServerError

from seedframe.testing import sql
from seedframe.testing.outcome import REPAIRED, ConvergenceError
from seedframe.testing.report_reading import trouble
from seedframe.testing.runner import ProjectRunner

_TRIED: Final = 12
_LISTED: Final = 100_000


@dataclass(slots=True)
class TakenBack:
    """What came of it.

    Attributes:
        noticed: the labels of seeds and the names of resources that noticed something, and gave it again.
        unnoticed: what nobody noticed, by its table.
    """

    noticed: set[tuple[str, str]] = field(default_factory=set)
    unnoticed: dict[sql.TableName, str] = field(default_factory=dict)


def take_back(
    runner: ProjectRunner, names: Collection[str], given: Collection[sql.Given], settle: Callable[[ProjectRunner], None]
) -> TakenBack:
    """Take back some of what was given, one after the other, in a copy of the runner's database.

    Errors: ConvergenceError where it was noticed and is not given again.
    """
    __tracebackhide__ = True
    found = TakenBack()
    if not given:
        return found
    database = runner.database
    database.close()
    with database.server.database(template=database.name) as copy:
        there = replace(runner, database=copy)
        for each in sorted(given, key=lambda one: one.label)[:_TRIED]:
            try:
                copy.execute(each.undo)
            except ServerError:
                continue  # something depends on it
            if each in sql.given(copy.connection):
                continue  # somebody else gave it
            report = there.verify(*names, sample=_LISTED)
            if not report.exit_code:
                found.unnoticed.setdefault(each.table, each.label)
                continue
            applied = there.apply(*names)
            if applied.exit_code:
                raise ConvergenceError(REPAIRED, f"{each.label} was taken back: {trouble(applied)}", applied)
            if each not in sql.given(copy.connection):
                raise ConvergenceError(REPAIRED, f"{each.label} was taken back, and is not there afterwards", applied)
            settle(there)
            found.noticed |= {
                (seed.seed, resource.resource)
                for seed in report.seeds
                for resource in seed.resources
                if resource.changes.counts.changed
            }
    return found
