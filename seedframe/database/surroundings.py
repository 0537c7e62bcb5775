"""What the comparison of one resource's rows is told of the run that it is in: data, and where to tell what."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from seedframe.changes import Finding, Severity
from seedframe.configuration.limits import Limits
from seedframe.database.baselines import BaselineStore
from seedframe.database.planned import PlannedRows
from seedframe.database.rowids import RowIds
from seedframe.recorder import ResourceDigests
from seedframe.verdicts import OnConflict


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rowset, and each of its parts, is told of the run.

    Attributes:
        place: where a line of the source is, for messages: "data/medications.csv:12".
        store: the baselines of this resource.
        planned: rows that earlier resources will make.
        sample: how many changes to carry in full.
        resource: the resource's name, for messages.
        on_conflict: what becomes of what was changed in the database; None in verify.
        note: tells a person something in the report.
        progress: called with the number of rows read so far.
        limits: how many rows may be deleted and updated.
        doomed: the rows that the resources which delete before this one delete; it adds its own.
        record: what a saved plan is bound to; None where none is made or applied.
        may_change: the oids of the tables that a plugin's seed says it writes; None for a seed of the project's own.
        listed: the ledger lists the changed rows, unless there are more than this.
    """

    place: Callable[[int], str]
    store: BaselineStore
    planned: PlannedRows
    sample: int
    resource: str
    on_conflict: OnConflict | None
    note: Callable[[str, Severity], None]
    progress: Callable[[int], None]
    limits: Limits
    doomed: list[RowIds]
    record: ResourceDigests | None = None
    may_change: Callable[[], frozenset[int]] | None = None
    listed: int = 0

    @property
    def verifying(self) -> bool:
        """True in verify, which is all about what is there."""
        return self.on_conflict is None

    @property
    def recorded(self) -> ResourceDigests | None:
        """The record that takes each change in full, where one does."""
        return self.record if self.record is not None and self.record.wants_changes else None

    def tell(self, findings: Iterable[Finding]) -> None:
        """Tell a person all of these."""
        for finding in findings:
            self.note(finding.text, finding.severity)
