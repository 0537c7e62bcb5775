"""One seed, once: declare, compare, write, compare again, verify. Always inside a transaction that others end."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from seedframe import hooks
from seedframe.account_run import AccountRun
from seedframe.accounts.account import Account
from seedframe.chain import canonical
from seedframe.changes import (
    CHECK_RESOURCE,
    Change,
    Changes,
    Finding,
    Marker,
    Plan,
    PlannedResource,
    Severity,
    Verdict,
    key_text,
)
from seedframe.code_digest import code_digest
from seedframe.database.baselines import Baselines
from seedframe.database.circles import finish_circles
from seedframe.database.db import Db
from seedframe.database.discretion import be_discreet
from seedframe.database.planned import PlannedRows
from seedframe.database.rowset import Rowset
from seedframe.database.run_log import Audited, storable
from seedframe.database.session import Session
from seedframe.errors import (
    ChangedInDatabase,
    ConstraintViolated,
    DeclarationError,
    DoesNotConverge,
    HookFailed,
    Problem,
    RefError,
)
from seedframe.history import ChangedRow, ResourceRecord
from seedframe.limits import Limits
from seedframe.masked_report import masked_resource
from seedframe.ordering import not_required
from seedframe.own_code import OwnCode, is_built_in
from seedframe.plugins.column_claims import ColumnClaims
from seedframe.plugins.manager import SeedManager
from seedframe.recorder import Recorder
from seedframe.report import Mode, ResourceOutcome, as_cell
from seedframe.resources.environments import limited_to, skipped_in
from seedframe.resources.protocol import Resource
from seedframe.resources.repeated import declared_twice
from seedframe.resources.rows import Rows
from seedframe.seed import Seed
from seedframe.settings import Settings
from seedframe.verdicts import CONTESTED, OnConflict, resource_verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What every attempt of a run shares.

    Attributes:
        all_seeds: every seed of the project, in order.
        on_conflict: None in verify.
        told: what was said already, of what is said once a run.
        misnamed: what is wrong with the name of an environment, given the name and where it stands; None for nothing.
        claims: the columns that the seeds of plugins write.
        elsewhere: resources of the run that are limited to other environments, and why, each with its tables.
        listed: the ledger lists the changed rows of a resource, unless there are more than this.
    """

    session: Session
    baselines: Baselines
    plugins: SeedManager
    all_seeds: Sequence[Seed]
    env: str
    mode: Mode
    on_conflict: OnConflict | None
    state_dir: Path
    sample: int
    limits: Limits
    accounts: AccountRun
    misnamed: Callable[[str, str], Problem | None]
    elsewhere: list[tuple[str, tuple[str, ...]]]
    claims: ColumnClaims
    recorder: Recorder | None = None
    listed: int = 0
    told: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Attempted:
    """What an attempt found and did."""

    resources: tuple[ResourceOutcome, ...]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """True when the seed's own `verify` found an error."""
        return any(finding.severity == "error" for finding in self.findings)


class Attempt:
    """One seed on its way through one transaction. A retry is a new attempt: resources are declared afresh."""

    def __init__(
        self,
        scene: Scene,
        seed: Seed,
        settings: Settings,
        planned: PlannedRows,
        *,
        on_rows: Callable[[str, int], None],
        on_planned: Callable[[ResourceOutcome], None],
        on_started: Callable[[str], None],
        on_finished: Callable[[ResourceOutcome], None],
        on_step: Callable[[], None],
    ) -> None:
        self._scene = scene
        self._seed = seed
        self._settings = settings
        self._on_planned = on_planned
        self._on_started = on_started
        self._on_finished = on_finished
        self._on_step = on_step
        self._left = scene.baselines.of(seed.name)
        self._writes = scene.mode in ("apply", "rehearse")
        self._executes_elsewhere = scene.mode == "apply"
        self._db = Db(
            scene.session,
            seed=seed.name,
            baselines=scene.baselines,
            left=self._left,
            planned=planned,
            files=seed.files,
            file_formats=scene.plugins.contributions.file_formats,
            state_dir=scene.state_dir,
            accounts=scene.accounts,
            sample=scene.sample,
            listed=scene.listed,
            rehearsal=scene.mode == "rehearse",
            on_conflict=scene.on_conflict,
            limits=scene.limits,
            progress=on_rows,
            recorder=scene.recorder,
        )
        self._resources: tuple[Resource, ...] = ()
        self._here: tuple[Resource, ...] = ()  # without those that are limited to other environments
        self._outcomes: tuple[ResourceOutcome, ...] = ()
        self._discreet = False
        self._own = OwnCode(scene.session, seed, scene.plugins, self._db)

    def run(self) -> Attempted:
        """Compare; where the run writes, write, compare again and verify. Errors: SeedError and its kinds."""
        self._guard_secrets(bool(self._settings.secrets))
        self._resources = self._declare()
        self._here = tuple(each for each in self._resources if skipped_in(each, self._scene.env) is None)
        self._guard_secrets(any(getattr(resource, "holds_secrets", False) for resource in self._resources))
        self._own.declare(self._resources)
        compared = [(resource, self._compare(resource)) for resource in self._resources]
        self._scene.claims.require_alone(
            self._seed, self._resources, self._db, self._scene.session, self._scene.baselines
        )
        self._require_met()
        own = self._check()
        outcomes = [outcome for _, outcome in compared] + ([own] if own is not None else [])
        self._weigh()
        if not self._writes:
            for rowset in self._rowsets():
                rowset.refuse_foreseen()
        else:
            self._write(compared, own, outcomes)
            outcomes = [self._as_written(outcome) for outcome in outcomes]
        self._outcomes = tuple(outcomes)
        for outcome in outcomes:
            self._on_finished(outcome)
        findings: list[Finding] = []
        if self._scene.mode != "dry_run":
            findings += [*self._validate(), *self._guarded_places(changed=any(o.changes for o in outcomes))]
            findings += self._verify()
        if self._own.uncounted and "track_counts" not in self._scene.told:
            self._scene.told.add("track_counts")
            self._db.note("which tables a seed's own code wrote was not checked: track_counts is off")
        findings += [*self._orphaned(), *dict.fromkeys(self._db.notes)]
        if self._scene.mode == "verify":
            outcomes += self._orphans()
        return Attempted(tuple(self._bounded(outcome) for outcome in outcomes), tuple(findings))

    def _guard_secrets(self, has_some: bool) -> None:
        """Keep them out of the server's log as far as the role may, from now to the end of the transaction."""
        if has_some and not self._discreet:
            self._discreet = True
            be_discreet(self._scene.session)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that its resources write, as far as it came to declare them."""
        return tuple(dict.fromkeys(name for resource in self._resources for name in resource.tables))

    def _as_written(self, outcome: ResourceOutcome) -> ResourceOutcome:
        """The outcome with the rows that were written though the plan had found them as declared."""
        more = sum(
            resource.rowset.beyond_plan
            for resource in self._here
            if isinstance(resource, Rows) and resource.name == outcome.resource and resource.rowset is not None
        )
        if not more:
            return outcome
        changes = outcome.changes
        counts = replace(changes.counts, update=changes.counts.update + more, unchanged=changes.counts.unchanged - more)
        verdict = max(Verdict.PENDING, outcome.verdict or Verdict.PENDING, key=lambda found: found.severity)
        changes = replace(changes, counts=counts, omitted=changes.omitted + more, verdict=verdict)
        return replace(outcome, changes=changes, verdict=verdict)

    def _weigh(self) -> None:
        """Look at the whole plan before any of it is done, in the order in which resources delete."""
        for resource in reversed(self._here):
            if isinstance(resource, Rows):
                resource.weigh(self._db, going=self._scene.mode != "verify")

    def _bounded(self, outcome: ResourceOutcome) -> ResourceOutcome:
        """The outcome for the report, which carries no more changes than asked for; what is written is the whole."""
        changes, room = outcome.changes, self._scene.sample
        if len(changes.sample) <= room:
            return outcome
        cut = replace(changes, sample=changes.sample[:room], omitted=changes.counts.changed - room)
        return replace(outcome, changes=cut)

    def record(self, run: int) -> tuple[Finding, ...]:
        """Keep the baselines in the ledger; those of resources that are no longer declared are dropped.

        Returns: what a person should be told of them.
        """
        told: list[Finding] = []
        baselines, seed = self._scene.baselines, self._seed
        baselines.ledger.mark_applied(seed.name, origin=seed.origin, run=run)
        for resource in self._here:
            if isinstance(resource, Account):
                resource.record(self._db)
            if isinstance(resource, Rows):
                told += resource.record(run)
            elif _keeps_baseline(resource):
                self._db.store(resource.name).save_plain(_digest(resource), run=run)
        if hooks.has_hook(seed, "check"):
            self._db.store(CHECK_RESOURCE).save_plain(_check_digest(seed), run=run)
        for name in self._undeclared():
            baselines.drop(seed.name, name)
        return tuple(told)

    def audited(self) -> Audited:
        """What the ledger's entry tells beside counts: digests, and what was changed, row by row where it is listed."""
        declared = {resource.name: _digest(resource) for resource in self._resources}
        declared |= {resource.name: _declared_digest(resource) for resource in self._here}
        resources: list[ResourceRecord] = []
        rows: list[ChangedRow] = []
        for outcome in self._outcomes:
            counts = outcome.changes.counts
            if counts.changed:
                listed = self._changed_rows(outcome) if counts.changed <= self._scene.listed else []
                rows += listed
                resources.append(ResourceRecord(outcome.resource, counts, max(0, counts.changed - len(listed))))
        return Audited(
            code=code_digest(self._seed),
            data=sha256(canonical(declared).encode()).hexdigest(),
            resources=tuple(resources),
            rows=tuple(rows),
        )

    def _changed_rows(self, outcome: ResourceOutcome) -> list[ChangedRow]:
        """The changed rows of one resource; what is no row is named as in the report."""
        named = [resource for resource in self._resources if resource.name == outcome.resource]
        rowset = next((resource.rowset for resource in named if isinstance(resource, Rows)), None)
        rows = rowset.changed_rows() if rowset is not None else []
        return rows + [
            ChangedRow(outcome.resource, change.action, _key_cells(change), _columns(change))
            for change in outcome.changes.sample
            if rowset is None or change.action == "other"
        ]

    # Declaring and comparing

    def _call(self, hook: str, *, plan: Plan | None = None) -> list[Any]:
        """Call a hook, in a savepoint where it is given `db`; only `apply` may write in it."""
        if not hooks.has_hook(self._seed, hook):
            return []
        if not hooks.is_given_db(self._seed, self._scene.plugins, hook):
            watched = self._own.without_db(hook)
        else:
            watched = self._own.writes(hook) if hook == "apply" else self._own.reads(hook)
        with watched:
            try:
                return hooks.call(
                    self._seed,
                    self._scene.plugins,
                    hook,
                    db=self._db,
                    env=self._scene.env,
                    settings=self._settings,
                    **({"plan": plan} if hook == "apply" else {}),
                )
            finally:
                self._on_step()

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Run code of the seed that is no hook."""
        try:
            with hooks.guarded(self._seed, self._scene.plugins, what):
                yield
        finally:
            self._on_step()

    def _declare(self) -> tuple[Resource, ...]:
        declared: tuple[Resource, ...] = tuple(self._call("resources"))
        for _, error in declared_twice(declared, self._seed.label, self._seed.origin):
            raise error
        for resource in declared:
            self._require_environments(resource)
        return declared

    def _require_environments(self, resource: Resource) -> None:
        """The environments that it is limited to could be chosen; and if none of them is, that is remembered.

        Errors: DeclarationError.
        """
        for env in sorted(limited_to(resource) or ()):
            problem = self._scene.misnamed(env, f"{self._seed.origin}: environments= of {resource.name}")
            if problem is not None:
                raise DeclarationError(problem.message, hint=problem.hint, where=problem.where)
        skipped = skipped_in(resource, self._scene.env)
        if skipped is not None:
            self._scene.elsewhere.append((f"{resource.name} is {skipped}", resource.tables))

    def _compare(self, resource: Resource) -> ResourceOutcome:
        self._on_started(resource.name)
        skipped = skipped_in(resource, self._scene.env)
        changes = self._diff(resource) if skipped is None else Changes(skipped_reason=skipped)
        outcome = self._judged(resource.name, changes, _digest(resource))
        if not isinstance(resource, Rows):
            self._contest(outcome)
        self._told(outcome, resource.describe(), listed=not isinstance(resource, Rows))
        return outcome

    def _told(self, outcome: ResourceOutcome, description: str, *, listed: bool) -> None:
        """Tell of a resource that was compared."""
        recorder = self._scene.recorder
        if recorder is not None:
            changes = masked_resource(outcome).changes if listed else outcome.changes
            recorder.finish(self._seed.name, outcome.resource, changes, description=description, listed=listed)
        self._on_planned(outcome)

    def _diff(self, resource: Resource) -> Changes:
        """Compare one resource. Only a seed's own are held to reading: `Rows` may stage rows in a temporary table."""
        what = f"{resource.name}: diff"
        if isinstance(resource, Rows):
            with self._own.supplies(what, by_code=resource.is_supplied_by_code), self._guarded(what):
                return resource.diff(self._db)
        with self._db.at_work() if is_built_in(resource) else self._own.reads(what):
            with self._guarded(what):
                found = resource.diff(self._db)
            if not isinstance(found, Changes):
                raise HookFailed(
                    f"`diff` of {resource.name} returned {type(found).__name__}",
                    hint="return Changes(…)",
                    where=self._seed.origin,
                )
            return found

    def _require_met(self) -> None:
        """Every reference finds its row. Errors: RefError, which says so where that row is in other environments, or
        may be another seed's."""
        try:
            for rowset in self._rowsets():
                rowset.require_met()
        except RefError as error:
            if error.table is not None:
                error.hint = self._where_it_may_be(error.table) or error.hint
            raise

    def _where_it_may_be(self, table: int) -> str | None:
        """What to do where other resources of the run, or other seeds, are to have the table's rows."""
        for why, tables in self._scene.elsewhere:
            if any(self._db.written(name) == table for name in tables):
                return f"{why}: limit these rows likewise, or declare that row where they are"
        for other in not_required(self._seed, self._scene.all_seeds):
            written = next((name for name in other.writes if self._db.written(name) == table), None)
            if written is not None and other.runs_in(self._scene.env):
                return f'seed {other.name} writes {written}: add "{other.name}" to REQUIRES, or correct the reference'
        return None

    def _check(self) -> ResourceOutcome | None:
        if not hooks.has_hook(self._seed, "check"):
            return None
        outcome = self._judged(CHECK_RESOURCE, Changes.of(self._call("check")), _check_digest(self._seed))
        self._contest(outcome)
        self._told(outcome, "", listed=True)
        return outcome

    def _judged(self, name: str, changes: Changes, digest: str) -> ResourceOutcome:
        """Give a difference its verdict, from the ledger where the comparison itself has not."""
        if changes.skipped_reason is not None:
            return ResourceOutcome(name, None, changes)
        if not changes:
            return ResourceOutcome(name, Verdict.IN_SYNC, changes)
        verdict = changes.verdict
        if verdict is None:
            own = [change.verdict for change in changes.sample if change.verdict is not None]
            whole = self._whole_verdict(name, digest)
            undecided = len(own) < changes.counts.changed
            verdict = max([*own, *([whole] if undecided else [])], key=lambda found: found.severity)
            sample = tuple(
                change if change.verdict is not None else replace(change, verdict=whole) for change in changes.sample
            )
            changes = replace(changes, sample=sample, verdict=verdict)
        return ResourceOutcome(name, verdict, changes)

    def _whole_verdict(self, name: str, digest: str) -> Verdict:
        if self._db.store(name).unreadable:
            return Verdict.DRIFT
        # What is no set of rows leaves nothing to compare with: a changed declaration explains the difference.
        return resource_verdict(self._left.get(name), digest, as_left=True)

    def _contest(self, outcome: ResourceOutcome) -> None:
        """What `on_conflict` means for what is no set of rows: nothing of it can be kept.

        Errors: ChangedInDatabase, under "fail".
        """
        if outcome.verdict not in CONTESTED:
            return
        if self._scene.on_conflict == "fail":
            raise ChangedInDatabase(
                f"{outcome.resource} was changed in the database since the last apply ({outcome.verdict})",
                hint="see seedframe verify; --on-conflict=seed makes it as declared",
            )
        if self._scene.on_conflict == "database":
            self._db.note(f"{outcome.resource} is made as declared: only cells of rows can be kept", "warning")

    # Writing

    def _write(
        self,
        compared: Sequence[tuple[Resource, ResourceOutcome]],
        own: ResourceOutcome | None,
        outcomes: Sequence[ResourceOutcome],
    ) -> None:
        plan = Plan(self._seed.name, tuple(PlannedResource(o.resource, o.changes) for o in outcomes))
        if not plan:
            return
        for resource, outcome in reversed(compared):
            if outcome.changes.counts.delete:
                with self._writing(resource, "delete"):
                    resource.delete(self._db, outcome.changes)
        for resource, outcome in compared:
            if outcome.changes.counts.create or outcome.changes.counts.update:
                self._write_one(resource, outcome.changes)
        finish_circles(self._rowsets())
        if own is not None and own.changes and self._executes_elsewhere:
            if not hooks.has_hook(self._seed, "apply"):
                raise HookFailed(
                    f"`check` of seed {self._seed.label} found changes, but there is no `apply` to make them",
                    hint="write `apply`, or report what is wrong from `verify`",
                    where=self._seed.origin,
                )
            self._call("apply", plan=plan)
        elif own is not None and own.changes:
            self._db.note("its `apply` is not called in a rehearsal: whether that works is not known")
        self._settle()
        self._require_converged(compared, own)

    def _rowsets(self) -> list[Rowset]:
        found = [resource.rowset for resource in self._here if isinstance(resource, Rows)]
        return [rowset for rowset in found if rowset is not None]

    def _write_one(self, resource: Resource, changes: Changes) -> None:
        with self._writing(resource, "write"):
            resource.write(self._db, changes)

    @contextmanager
    def _writing(self, resource: Resource, what: str) -> Iterator[None]:
        """What built-in resources write, and triggers and cascades with them, is declared; a seed's own are watched."""
        what = f"{resource.name}: {what}"
        with ExitStack() as stack:
            if not is_built_in(resource):
                stack.enter_context(self._own.writes(what))
            elif not isinstance(resource, Rows):
                stack.enter_context(self._db.at_work())
            stack.enter_context(self._guarded(what))
            yield

    def _settle(self) -> None:
        """Have deferred constraints speak while it is known whose rows they are of, and which seed's."""
        try:
            with self._scene.session.savepoint():
                self._scene.session.settle_constraints()
        except ConstraintViolated as error:
            told = (rowset.locate(error) for rowset in self._rowsets())
            raise next((located for located in told if located is not None), error) from error.__cause__

    def _require_converged(
        self, compared: Sequence[tuple[Resource, ResourceOutcome]], own: ResourceOutcome | None
    ) -> None:
        again = False
        for resource, outcome in compared:
            if outcome.changes.skipped_reason is None:
                left = self._diff(resource)
                if left and isinstance(resource, Rows):
                    # What another resource wrote may have moved what this one refers to; a second time is its last.
                    self._write_one(resource, left)
                    again = True
                    left = self._diff(resource)
                if left:
                    raise _not_converged(resource.name, left, resource.rowset if isinstance(resource, Rows) else None)
        if own is not None and self._executes_elsewhere:
            left = Changes.of(self._call("check"))
            if left:
                raise _not_converged(CHECK_RESOURCE, left)
        if again:
            self._settle()

    # Verifying

    def _validate(self) -> list[Finding]:
        # Apply cannot mend what operators own, and rolling back what it did mend would help nobody.
        severity: Severity = "error" if self._scene.mode == "verify" else "warning"
        found: list[Finding] = []
        for resource in self._here:
            if isinstance(resource, Rows):
                with self._guarded(f"{resource.name}: validate"):
                    found += resource.validate(severity)
            elif isinstance(resource, Account):
                with self._guarded(f"{resource.name}: verify"):
                    found += resource.verify(self._db)
        return found

    def _guarded_places(self, *, changed: bool) -> list[Finding]:
        """An administrator remains wherever this seed, or one before it, has accounts: this one may have written it."""
        guards = self._scene.accounts.guards
        before = set(guards)
        for resource in self._here:
            if isinstance(resource, Account):
                resource.register(self._db)
        writes = self._writes and (changed or hooks.has_hook(self._seed, "apply"))
        found = [guard(self._db) for place, guard in guards.items() if writes or place not in before]
        return [finding for finding in found if finding is not None]

    def _verify(self) -> list[Finding]:
        return list(self._call("verify"))

    def _undeclared(self) -> list[str]:
        declared = {resource.name for resource in self._resources}
        if hooks.has_hook(self._seed, "check"):
            declared.add(CHECK_RESOURCE)
        return [name for name in self._left if name not in declared]

    def _orphans(self) -> list[ResourceOutcome]:
        return [ResourceOutcome(name, Verdict.ORPHAN, Changes()) for name in self._undeclared()]

    def _orphaned(self) -> list[Finding]:
        if self._scene.mode == "verify":
            advice = "its rows stay; `seedframe apply` accepts that"
        elif self._scene.mode == "dry_run":
            advice = "its rows stay; apply will forget it"
        else:
            advice = "its rows stay, and are nobody's from now on"
        return [Finding(f"{name} is no longer declared: {advice}", "info") for name in self._undeclared()]


_SHOWN_COLUMNS: Final = 5


def _not_converged(resource: str, left: Changes, rowset: Rowset | None = None) -> DoesNotConverge:
    change: Change = left.sample[0]
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


def _declared_digest(resource: Resource) -> str:
    rowset = resource.rowset if isinstance(resource, Rows) else None
    return rowset.digest if rowset is not None else _digest(resource)


def _key_cells(change: Change) -> dict[str, str | None] | None:
    cells = {storable(str(name)): as_cell(cell) for name, cell in change.key.items()}
    if any(isinstance(cell, Marker) for cell in cells.values()):
        return None
    return {name: None if cell is None else storable(cell) for name, cell in cells.items()}


def _columns(change: Change) -> tuple[str, ...] | None:
    if change.action not in ("update", "other") or change.after is None:
        return None
    return tuple(storable(str(name)) for name in change.after)


def _digest(resource: Resource) -> str:
    return sha256(resource.describe().encode()).hexdigest()


def _check_digest(seed: Seed) -> str:
    """What a seed's own `check` declares is its code and its configuration: when they move, the seed has moved on."""
    return sha256((code_digest(seed) + repr(sorted(seed.config.items()))).encode()).hexdigest()


def _keeps_baseline(resource: Resource) -> bool:
    return bool(getattr(resource, "keeps_baseline", True))
