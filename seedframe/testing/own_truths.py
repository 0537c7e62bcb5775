"""Whether the `verify` of a seed's own finds anything, once there is something to be found."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from psycopg import Error as ServerError

from seedframe.errors import UsageError
from seedframe.report import Report
from seedframe.seed import Seed
from seedframe.seeding.hooks import has_hook
from seedframe.testing import sql
from seedframe.testing.outcome import TRUTHS, ConvergenceError, LeftOut
from seedframe.testing.runner import ProjectRunner


class Truths:
    """Listens to what the `verify` of each seed finds in what is disturbed, and disturbs some more."""

    def __init__(self, runner: ProjectRunner, names: Sequence[str], seeds: Iterable[Seed]) -> None:
        self._runner = runner
        self._names = names
        self._labels = frozenset(seed.label for seed in seeds if has_hook(seed, "verify"))
        self._silent = dict.fromkeys(sorted(self._labels))

    def heard(self, report: Report) -> None:
        """Listen to a run of `verify` over something that was disturbed. To fail is to find something, too."""
        for seed in report.seeds:
            if seed.findings or seed.error is not None:
                self._silent.pop(seed.seed, None)

    def try_without_rows(self, since: int) -> None:
        """Where one has found nothing yet: empty all tables that were written since a transaction, in a copy."""
        database = self._runner.database
        tables = sql.written_tables(database.connection, since) if self._silent else []
        if not tables:
            return
        database.close()
        with database.server.database(template=database.name) as copy:
            try:
                sql.empty(copy.connection, tables)
            except ServerError:
                return  # a rule of the database's own keeps them, from operators as well
            self.heard(replace(self._runner, database=copy).verify(*self._names))

    def try_broken(self, statements: Sequence[str]) -> None:
        """Each of them, in a copy of its own, has to be found by the `verify` of one of the seeds.

        Errors: ConvergenceError; UsageError for one that cannot be run.
        """
        __tracebackhide__ = True
        for statement in statements:
            database = self._runner.database
            database.close()
            with database.server.database(template=database.name) as copy:
                try:
                    copy.execute(statement)
                except ServerError as error:
                    said = error.diag.message_primary or str(error)
                    raise UsageError(f"cannot be run: {said}", where=f"breaking={statement!r}") from None
                report = replace(self._runner, database=copy).verify(*self._names)
            self.heard(report)
            if not any(seed.findings for seed in report.seeds if seed.seed in self._labels):
                raise ConvergenceError(TRUTHS, f"after {statement!r}, no seed's own verify finds anything", report)

    @property
    def left_out(self) -> list[LeftOut]:
        """The seeds whose `verify` found nothing in all of that."""
        reason = "its own verify found nothing, whatever was changed; breaking= can say after which SQL it has to"
        return [LeftOut(label, "", None, reason) for label in self._silent]
