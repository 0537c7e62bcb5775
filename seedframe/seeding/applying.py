"""Applying: one seed's plan is carried out, and all of it compared again, which must find nothing."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from seedframe.changes import CHECK_RESOURCE, Changes, Plan, PlannedResource, Verdict, key_text, rows_text
from seedframe.database.circles import finish_circles
from seedframe.database.db import Db
from seedframe.database.rowset import Rowset
from seedframe.errors import ConstraintViolated, DoesNotConverge, HookFailed
from seedframe.report import ResourceOutcome
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows, rowsets_of
from seedframe.seed import Seed
from seedframe.seeding import hooks
from seedframe.seeding.scene import Scene
from seedframe.seeding.seed_calls import SeedCalls

_SHOWN_COLUMNS: Final = 5


class Applying:
    """Carries out what one attempt has found.

    Args:
        compared: the seed's resources, each with what its comparison found.
        own: what the seed's own `check` found, where it has one.
    """

    def __init__(
        self,
        scene: Scene,
        seed: Seed,
        db: Db,
        calls: SeedCalls,
        compared: Sequence[tuple[Resource, ResourceOutcome]],
        own: ResourceOutcome | None,
    ) -> None:
        self._scene = scene
        self._seed = seed
        self._db = db
        self._calls = calls
        self._compared = compared
        self._own = own
        self._rowsets = rowsets_of(resource for resource, _ in compared)

    def apply(self) -> None:
        """Delete, write, have the seed's own `apply` do its part, and compare again.

        Errors: DoesNotConverge; SeedError and its kinds.
        """
        outcomes = [outcome for _, outcome in self._compared] + ([self._own] if self._own is not None else [])
        plan = Plan(self._seed.name, tuple(PlannedResource(o.resource, o.changes) for o in outcomes))
        if not plan:
            return
        for resource, outcome in reversed(self._compared):
            if outcome.changes.counts.delete:
                self._calls.delete(resource, outcome.changes)
        for resource, outcome in self._compared:
            if outcome.changes.counts.create or outcome.changes.counts.update:
                self._calls.write(resource, outcome.changes)
        finish_circles(self._rowsets)
        if self._own is not None and self._own.changes:
            self._apply_own(plan)
        self._settle()
        self._require_converged()

    def _apply_own(self, plan: Plan) -> None:
        if not self._scene.writes_elsewhere:
            self._db.note(
                "its `apply`, and so its `verify`, is not called in a rehearsal: whether they work is not known"
            )
            return
        if not hooks.has_hook(self._seed, "apply"):
            raise HookFailed(
                f"`check` of seed {self._seed.label} found changes, but there is no `apply` to make them",
                hint="write `apply`, or report what is wrong from `verify`",
                where=self._seed.origin,
            )
        self._calls.hook("apply", plan=plan)

    def _settle(self) -> None:
        """Have deferred constraints speak while it is known whose rows they are of, and which seed's."""
        try:
            with self._scene.session.savepoint(), self._calls.settles():
                self._scene.session.settle_constraints()
        except ConstraintViolated as error:
            told = (rowset.locate(error) for rowset in self._rowsets)
            raise next((located for located in told if located is not None), error) from error.__cause__

    def _require_converged(self) -> None:
        again = False
        for resource, outcome in self._compared:
            if outcome.changes.skipped_reason is None:
                left = self._calls.diff(resource)
                if left and isinstance(resource, Rows):
                    # What another resource wrote may have moved what this one refers to; a second time is its last.
                    self._calls.write(resource, left)
                    again = True
                    left = self._calls.diff(resource)
                if left:
                    raise _not_converged(resource.name, left, resource.rowset if isinstance(resource, Rows) else None)
        if self._own is not None and self._scene.writes_elsewhere:
            left = Changes.of(self._calls.hook("check"))
            if left:
                raise _not_converged(CHECK_RESOURCE, left)
        if again:
            self._settle()

    def as_written(self, outcome: ResourceOutcome) -> ResourceOutcome:
        """The outcome with the rows that were written though the plan had found them as declared."""
        more = sum(
            resource.rowset.beyond_plan
            for resource, _ in self._compared
            if isinstance(resource, Rows) and resource.name == outcome.resource and resource.rowset is not None
        )
        if not more:
            return outcome
        changes = outcome.changes
        counts = replace(changes.counts, update=changes.counts.update + more, unchanged=changes.counts.unchanged - more)
        verdict = max(Verdict.PENDING, outcome.verdict or Verdict.PENDING, key=lambda found: found.severity)
        changes = replace(changes, counts=counts, omitted=changes.omitted + more, verdict=verdict)
        return replace(outcome, changes=changes, verdict=verdict)


def _not_converged(resource: str, left: Changes, rowset: Rowset | None = None) -> DoesNotConverge:
    if not left.sample:  # a resource of the seed's own may count more than it shows
        what = f"{rows_text(left.counts.changed)} still differ{'s' if left.counts.changed == 1 else ''}"
        hint = "its `write` and `delete` did not make that, or its `diff` does not see it"
        return DoesNotConverge(f"{resource} does not converge: after apply, {what}", hint=hint)
    change = left.sample[0]
    key = key_text(change.key)
    if change.action == "update" and change.after:
        names = list(change.after)
        columns = ", ".join(names[:_SHOWN_COLUMNS]) + (" …" if len(names) > _SHOWN_COLUMNS else "")
        what = f"column{'' if len(names) == 1 else 's'} {columns} still differ{'s' if len(names) == 1 else ''}"
        hint = "a trigger, a rule or another session rewrites it; if that is meant, declare it `initial` or `ignore`"
    else:
        what = "it is still to be " + {"create": "created", "delete": "deleted"}.get(change.action, "changed")
        hint = (
            "`apply` did not make it, or `check` does not see it"
            if resource == CHECK_RESOURCE
            else "look for a trigger or a rule that undoes the change, or another resource of the seed that does"
        )
    where = rowset.left_at if rowset is not None else None
    return DoesNotConverge(f"{resource} does not converge: after apply, for {key}, {what}", hint=hint, where=where)
