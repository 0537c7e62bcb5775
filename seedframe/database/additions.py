"""Rows that somebody added where only declared ones are to be: deleted, left there by choice, or a reason to stop."""

from collections.abc import Iterator, Sequence

from seedframe.changes import Finding, Verdict, rows_text
from seedframe.database.declared import Shape
from seedframe.database.rowids import FoundRows
from seedframe.database.surroundings import Surroundings
from seedframe.errors import ChangedInDatabase
from seedframe.verdicts import CONTESTED


class Additions:
    """Such rows of one resource, by the hashes of their keys."""

    def __init__(self, shape: Shape, around: Surroundings) -> None:
        self._shape = shape
        self._around = around
        self._known: frozenset[int] = frozenset()
        self._seen: set[int] = set()
        self._newly: set[int] = set()
        self._added = 0

    def load(self) -> None:
        """Read from the ledger which were left there by an earlier apply."""
        self._known = self._around.store.extras()

    def stays(self, hashed: int) -> bool:
        """Whether a row is left there, by its key's hash."""
        if hashed not in self._known and hashed not in self._newly:
            return False
        self._seen.add(hashed)
        return True

    def contend(self, found: FoundRows, verdicts: Sequence[Verdict]) -> tuple[FoundRows, Sequence[Verdict]]:
        """Take out of the rows to go those that are to be left there.

        Errors: ChangedInDatabase where they are a reason to stop, or no key of them may be kept.
        """
        self._added = sum(verdict in CONTESTED for verdict in verdicts)
        rule = self._around.on_conflict
        if not self._added or rule in (None, "seed"):
            return found, verdicts
        secret = any(field.secret for field in self._shape.key)
        if rule == "fail" or secret:
            count = self._added
            why = "" if rule == "fail" else ", and no hash of a secret key is kept to leave them there"
            instead = "" if secret else ", --on-conflict=database leaves them"
            raise ChangedInDatabase(
                f"{rows_text(count)} that {_is(count)} not to be there {_was(count)} added in the database"
                f" since the last apply{why}",
                hint=f"see seedframe verify; --on-conflict=seed deletes them{instead}",
                where=self._around.resource,
            )
        left = FoundRows()
        for (table, place, hashed, why), verdict in zip(found, verdicts, strict=True):
            if verdict in CONTESTED:
                self._newly.add(hashed)
            else:
                left.add(table, place, hashed, why)
        return left, [verdict for verdict in verdicts if verdict not in CONTESTED]

    def findings(self) -> Iterator[Finding]:
        """What a person should be told."""
        name = self._around.resource
        if self._added and self._around.on_conflict == "seed":
            yield Finding(
                f"{name}: {rows_text(self._added)} added in the database {_is(self._added)} deleted;"
                " --on-conflict=database leaves what is there",
                "warning",
            )
        if self._newly:
            count = len(self._newly)
            yield Finding(f"{name}: {rows_text(count)} added in the database {_is(count)} left there", "info")
        earlier = len(self._seen - self._newly)
        if earlier:
            yield Finding(
                f"{name}: {rows_text(earlier)} added in the database {_is(earlier)} left there by an earlier"
                " --on-conflict=database",
                "info",
            )

    def record(self) -> None:
        """Keep in the ledger which are left there, once the baseline is there."""
        staying = self._seen | self._newly
        if staying != self._known:
            self._around.store.save_extras(staying)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _was(count: int) -> str:
    return "was" if count == 1 else "were"
