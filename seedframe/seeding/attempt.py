"""One seed, once: declare, compare, write, compare again, verify. Always inside a transaction that others end."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from seedframe.accounts.account import Account
from seedframe.changes import CHECK_RESOURCE, Changes, Finding, Severity, Verdict
from seedframe.configuration.settings import Settings
from seedframe.database.db import Db
from seedframe.database.discretion import be_discreet
from seedframe.database.planned import PlannedRows
from seedframe.errors import RefError
from seedframe.report import ResourceOutcome
from seedframe.resources.environments import skipped_in
from seedframe.resources.protocol import Resource
from seedframe.resources.repeated import declared_twice
from seedframe.resources.rows import Rows, rowsets_of
from seedframe.secrecy.masked_report import masked_resource
from seedframe.seed import Seed
from seedframe.seeding import hooks
from seedframe.seeding.declared_digests import check_digest, resource_digest
from seedframe.seeding.elsewhere import note_limits, where_it_may_be
from seedframe.seeding.plain_verdicts import contest, judged
from seedframe.seeding.scene import Scene
from seedframe.seeding.seed_calls import SeedCalls
from seedframe.seeding.seed_observer import SeedObserver

if TYPE_CHECKING:
    from seedframe.database.run_log import Audited


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
        self, scene: Scene, seed: Seed, settings: Settings, planned: PlannedRows, observer: SeedObserver
    ) -> None:
        self._scene = scene
        self._seed = seed
        self._settings = settings
        self._observer = observer
        self._left = scene.baselines.of(seed.name)
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
            progress=observer.rows_read,
            recorder=scene.recorder,
        )
        self._calls = SeedCalls(scene, seed, self._db, settings, observer.step)
        self._resources: tuple[Resource, ...] = ()
        self._here: tuple[Resource, ...] = ()  # without those that are limited to other environments
        self._outcomes: tuple[ResourceOutcome, ...] = ()
        self._discreet = False

    def run(self) -> Attempted:
        """Compare; where the run writes, write, compare again and verify. Errors: SeedError and its kinds."""
        self._guard_secrets(bool(self._settings.secrets))
        self._resources = self._declare()
        self._here = tuple(each for each in self._resources if skipped_in(each, self._scene.env) is None)
        self._guard_secrets(any(getattr(resource, "holds_secrets", False) for resource in self._resources))
        self._calls.allow(self._resources)
        compared = [(resource, self._compare(resource)) for resource in self._resources]
        self._scene.claims.require_alone(
            self._seed, self._resources, self._db, self._scene.session, self._scene.baselines
        )
        self._require_met()
        own = self._check()
        outcomes = [outcome for _, outcome in compared] + ([own] if own is not None else [])
        self._weigh()
        if self._scene.writes:
            from seedframe.seeding.applying import Applying  # here and below, as what only reads needs none of it

            applying = Applying(self._scene, self._seed, self._db, self._calls, compared, own)
            applying.apply()
            outcomes = [applying.as_written(outcome) for outcome in outcomes]
        else:
            for rowset in rowsets_of(self._here):
                rowset.refuse_foreseen()
        self._outcomes = tuple(outcomes)
        for outcome in outcomes:
            self._observer.resource_finished(outcome)
        unmade = self._scene.mode == "rehearse" and own is not None and bool(own.changes)
        findings = self._findings(changed=any(outcome.changes for outcome in outcomes), unmade=unmade)
        if self._scene.mode == "verify":
            outcomes += [ResourceOutcome(name, Verdict.ORPHAN, Changes()) for name in self._undeclared()]
        return Attempted(tuple(self._bounded(outcome) for outcome in outcomes), findings)

    def _guard_secrets(self, has_some: bool) -> None:
        """Keep them out of the server's log as far as the role may, from now to the end of the transaction."""
        if has_some and not self._discreet:
            self._discreet = True
            be_discreet(self._scene.session)

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables that its resources write, as far as it came to declare them."""
        return tuple(dict.fromkeys(name for resource in self._resources for name in resource.tables))

    def _bounded(self, outcome: ResourceOutcome) -> ResourceOutcome:
        """The outcome for the report, which carries no more changes than asked for; what is written is the whole."""
        changes, room = outcome.changes, self._scene.sample
        if len(changes.sample) <= room:
            return outcome
        cut = replace(changes, sample=changes.sample[:room], omitted=changes.counts.changed - room)
        return replace(outcome, changes=cut)

    # Declaring and comparing

    def _declare(self) -> tuple[Resource, ...]:
        declared: tuple[Resource, ...] = tuple(self._calls.hook("resources"))
        for _, error in declared_twice(declared, self._seed.label, self._seed.origin):
            raise error
        for resource in declared:
            note_limits(resource, self._seed, self._scene)
        return declared

    def _compare(self, resource: Resource) -> ResourceOutcome:
        self._observer.resource_started(resource.name)
        skipped = skipped_in(resource, self._scene.env)
        changes = self._calls.diff(resource) if skipped is None else Changes(skipped_reason=skipped)
        outcome = judged(resource.name, changes, resource_digest(resource), self._db)
        if not isinstance(resource, Rows):
            contest(outcome, self._scene.on_conflict, self._db)
        self._told(outcome, resource.describe(), listed=not isinstance(resource, Rows))
        return outcome

    def _check(self) -> ResourceOutcome | None:
        if not hooks.has_hook(self._seed, "check"):
            return None
        changes = Changes.of(self._calls.hook("check"))
        outcome = judged(CHECK_RESOURCE, changes, check_digest(self._seed), self._db)
        contest(outcome, self._scene.on_conflict, self._db)
        self._told(outcome, "", listed=True)
        return outcome

    def _told(self, outcome: ResourceOutcome, description: str, *, listed: bool) -> None:
        """Tell of a resource that was compared."""
        recorder = self._scene.recorder
        if recorder is not None:
            changes = masked_resource(outcome).changes if listed else outcome.changes
            recorder.finish(self._seed.name, outcome.resource, changes, description=description, listed=listed)
        self._observer.resource_planned(outcome)

    def _require_met(self) -> None:
        """Every reference finds its row. Errors: RefError, which says so where that row is in other environments, or
        may be another seed's."""
        try:
            for rowset in rowsets_of(self._here):
                rowset.require_met()
        except RefError as error:
            if error.table is not None:
                error.hint = where_it_may_be(error.table, self._seed, self._scene, self._db) or error.hint
            raise

    def _weigh(self) -> None:
        """Look at the whole plan before any of it is done, in the order in which resources delete."""
        for resource in reversed(self._here):
            if isinstance(resource, Rows):
                resource.weigh(self._db, going=self._scene.mode != "verify")

    # Verifying

    def _findings(self, *, changed: bool, unmade: bool) -> tuple[Finding, ...]:
        """What a person should be told; the seed's own `verify` is called, but not in a dry run, and not where what it
        would look at was not made."""
        findings: list[Finding] = []
        if self._scene.mode != "dry_run":
            findings += [*self._validate(), *self._guarded_places(changed=changed)]
            findings += self._calls.hook("verify") if not unmade else ()
        if self._calls.uncounted and "track_counts" not in self._scene.told:
            self._scene.told.add("track_counts")
            self._db.note("which tables a seed's own code wrote was not checked: track_counts is off")
        return (*findings, *self._orphaned(), *dict.fromkeys(self._db.notes))

    def _validate(self) -> list[Finding]:
        # Apply cannot mend what operators own, and rolling back what it did mend would help nobody.
        severity: Severity = "error" if self._scene.mode == "verify" else "warning"
        found: list[Finding] = []
        for resource in self._here:
            if isinstance(resource, Rows):
                with self._calls.guarded(f"{resource.name}: validate"):
                    found += resource.validate(severity)
            elif isinstance(resource, Account):
                with self._calls.guarded(f"{resource.name}: verify"):
                    found += resource.verify(self._db)
        return found

    def _guarded_places(self, *, changed: bool) -> list[Finding]:
        """An administrator remains wherever this seed, or one before it, has accounts: this one may have written it."""
        guards = self._scene.accounts.guards
        before = set(guards)
        for resource in self._here:
            if isinstance(resource, Account):
                resource.register(self._db)
        writes = self._scene.writes and (changed or hooks.has_hook(self._seed, "apply"))
        found = [guard(self._db) for place, guard in guards.items() if writes or place not in before]
        return [finding for finding in found if finding is not None]

    def _undeclared(self) -> list[str]:
        """Resources that the last apply had, and that are no longer declared."""
        declared = {resource.name for resource in self._resources}
        if hooks.has_hook(self._seed, "check"):
            declared.add(CHECK_RESOURCE)
        return [name for name in self._left if name not in declared]

    def _orphaned(self) -> list[Finding]:
        if self._scene.mode == "verify":
            advice = "its rows stay; `seedframe apply` accepts that"
        elif self._scene.mode == "dry_run":
            advice = "its rows stay; apply will forget it"
        else:
            advice = "its rows stay, and are nobody's from now on"
        return [Finding(f"{name} is no longer declared: {advice}", "info") for name in self._undeclared()]

    # What goes into the ledger

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
                self._db.store(resource.name).save_plain(resource_digest(resource), run=run)
        if hooks.has_hook(seed, "check"):
            self._db.store(CHECK_RESOURCE).save_plain(check_digest(seed), run=run)
        for name in self._undeclared():
            baselines.drop(seed.name, name)
        return tuple(told)

    def audited(self) -> "Audited":
        """What the ledger's entry tells beside counts: digests, and what was changed, row by row where it is listed."""
        from seedframe.seeding.audited import audited

        return audited(self._seed, self._resources, self._outcomes, listed=self._scene.listed)


def _keeps_baseline(resource: Resource) -> bool:
    return bool(getattr(resource, "keeps_baseline", True))
