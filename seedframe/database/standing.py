"""How a resource stands to its last apply: whether it is declared as it was then, and whether its table is as left."""

from seedframe.changes import Verdict
from seedframe.database.declared import DeclaredDigest, Shape
from seedframe.database.surroundings import Surroundings
from seedframe.verdicts import resource_verdict


class Standing:
    """The declared rows of one resource beside its baseline. To be asked for verdicts once all rows were read."""

    def __init__(self, shape: Shape, digest: DeclaredDigest, around: Surroundings) -> None:
        self._shape = shape
        self._digest = digest
        self._around = around
        self._whole: Verdict | None = None

    @property
    def by_row(self) -> bool:
        """Whether verdicts can be told row by row: there are hashes of what was left, which those of now are like."""
        return self._around.store.by_row

    @property
    def as_declared(self) -> bool:
        """Whether there was a last apply, and the same was declared then."""
        baseline = self._around.store.baseline
        return baseline is not None and baseline.digest == self._digest.hexdigest()

    @property
    def whole(self) -> Verdict:
        """The verdict on the resource as a whole, where there are no row hashes to go by."""
        if self._whole is None:
            self._whole = self._judged()
        return self._whole

    def _judged(self) -> Verdict:
        store = self._around.store
        if store.unreadable:
            return Verdict.DRIFT
        as_left: bool | None = None
        baseline = store.baseline
        if baseline is not None and not self.as_declared and baseline.comparable:
            as_left = store.table_fingerprint(self._shape, baseline.columns) == baseline.fingerprint
            if not as_left and baseline.fingerprint is not None and self._shape.mode != "sync":
                self._around.note(
                    f"{self._around.resource}: rows of others count too above [ledger] baseline_rows, so that conflict"
                    " may be only pending",
                    "info",
                )
        return resource_verdict(baseline, self._digest.hexdigest(), as_left=as_left)

    @property
    def why_whole(self) -> str:
        """Why there are no row hashes to go by."""
        store = self._around.store
        if store.unreadable:
            return "for all that is known: the ledger cannot be read"
        if any(declared.secret for declared in self._shape.key):
            return "and no hash of a secret key is kept"
        if store.baseline is not None and not store.baseline.comparable:
            return "and the server hashes differently since then"
        return "and has more rows than [ledger] baseline_rows"
