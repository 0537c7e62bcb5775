"""The verdict on what is no set of rows, from the ledger, and what becomes of it where the database was changed."""

from dataclasses import replace

from seedframe.changes import Changes, Verdict
from seedframe.database.db import Db
from seedframe.errors import ChangedInDatabase
from seedframe.report import ResourceOutcome
from seedframe.verdicts import CONTESTED, OnConflict, resource_verdict


def judged(name: str, changes: Changes, digest: str, db: Db) -> ResourceOutcome:
    """Give a difference its verdict, where the comparison itself has not.

    Args:
        name: the resource's.
        digest: of what it declares.
    """
    if changes.skipped_reason is not None:
        return ResourceOutcome(name, None, changes)
    if not changes:
        return ResourceOutcome(name, Verdict.IN_SYNC, changes)
    verdict = changes.verdict
    if verdict is None:
        own = [change.verdict for change in changes.sample if change.verdict is not None]
        whole = _whole(name, digest, db)
        undecided = len(own) < changes.counts.changed
        verdict = max([*own, *([whole] if undecided else [])], key=lambda found: found.severity)
        sample = tuple(
            change if change.verdict is not None else replace(change, verdict=whole) for change in changes.sample
        )
        changes = replace(changes, sample=sample, verdict=verdict)
    return ResourceOutcome(name, verdict, changes)


def _whole(name: str, digest: str, db: Db) -> Verdict:
    store = db.store(name)
    if store.unreadable:
        return Verdict.DRIFT
    # What is no set of rows leaves nothing to compare with: a changed declaration explains the difference.
    return resource_verdict(store.baseline, digest, as_left=True)


def contest(outcome: ResourceOutcome, rule: OnConflict | None, db: Db) -> None:
    """What `on_conflict` means for what is no set of rows: nothing of it can be kept.

    Errors: ChangedInDatabase, under "fail".
    """
    if outcome.verdict not in CONTESTED:
        return
    if rule == "fail":
        raise ChangedInDatabase(
            f"{outcome.resource} was changed in the database since the last apply ({outcome.verdict})",
            hint="see seedframe verify; --on-conflict=seed makes it as declared",
        )
    if rule == "database":
        db.note(f"{outcome.resource} is made as declared: only cells of rows can be kept", "warning")
