"""Two plugins that write one column of one table would undo each other's work: found before either of them writes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from seedframe import hooks
from seedframe.accounts.account import Account
from seedframe.database.baselines import Baselines
from seedframe.database.claimed import Claimed, claimed, left_by
from seedframe.database.db import Db
from seedframe.database.session import Session
from seedframe.errors import DeclarationError, SeedframeError
from seedframe.plugins.manager import SeedManager
from seedframe.resources.environments import skipped_in
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed

_SHOWN: Final = 5


class ColumnClaims:
    """The columns that the seeds of plugins write, in one run; the project's own seeds may write what they like.

    What a seed writes is known when it is compared. Of one that was not yet, or is not chosen, it is known where its
    `resources` asks for neither `db` nor `settings`; else the ledger has what it wrote last.
    """

    def __init__(self, seeds: Iterable[Seed], plugins: SeedManager, env: str, shared: Sequence[str]) -> None:
        self._plugins = plugins
        self._env = env
        self._shared = shared
        self._seeds = tuple(
            seed for seed in seeds if seed.distribution is not None and seed.plugin is not None and seed.runs_in(env)
        )
        self._known: dict[str, tuple[Claimed, ...]] = {}

    def start_over(self) -> None:
        """All seeds are begun again."""
        self._known.clear()

    def require_alone(
        self, seed: Seed, resources: Iterable[Resource], db: Db, session: Session, baselines: Baselines
    ) -> None:
        """No seed of another plugin writes what this one does.

        Args:
            resources: as they were compared.

        Errors: DeclarationError, which names both seeds, both plugins, the table and the columns.
        """
        rivals = [other for other in self._seeds if other.distribution != seed.distribution]
        if seed.distribution is None or not rivals:
            return
        own = self._known[seed.name] = tuple(_compared(resources, db, session))
        shared, unknown = db.writable_oids(self._shared)
        contested = [claim for claim in own if claim.above.isdisjoint(shared)]
        for other in rivals:
            if not self._may_meet(other, contested, db, session):
                continue
            for theirs in self._claims(other, db, session, baselines):
                for claim in contested:
                    common = claim.common(theirs) if theirs.above.isdisjoint(shared) else None
                    if common:
                        raise _refused(seed, other, claim.name, sorted(common), unknown)

    def _may_meet(self, other: Seed, own: Sequence[Claimed], db: Db, session: Session) -> bool:
        """True when a table that the other says it writes is one of these; it writes no others."""
        oids, _ = db.writable_oids(other.writes)
        return any(not claim.above.isdisjoint(oids) for claim in own) or any(
            not claimed(session, db.catalog.read(oid), ()).above.isdisjoint({claim.oid for claim in own})
            for oid in oids
        )

    def _claims(self, other: Seed, db: Db, session: Session, baselines: Baselines) -> Iterable[Claimed]:
        if other.name in self._known:
            return self._known[other.name]
        if not hooks.asks_for(other, "resources") & {"db", "settings"}:
            try:
                declared = hooks.call(other, self._plugins, "resources", db=None, settings=None, env=self._env)
                with hooks.guarded(other, self._plugins, "resources"):
                    found = tuple(self._declared(other, declared, db, session))
            except SeedframeError:
                pass  # which is that seed's own failure
            else:
                self._known[other.name] = found
                return found
        return [
            claimed(session, table, columns)
            for name, columns in left_by(baselines.ledger, other.name)
            if (table := db.catalog.find(name)) is not None
        ]

    def _declared(self, other: Seed, resources: Iterable[Resource], db: Db, session: Session) -> Iterator[Claimed]:
        for resource in resources:
            if skipped_in(resource, self._env) is not None:
                continue
            if isinstance(resource, Rows) and db.catalog.find(resource.table) is not None:
                table = db.table(resource.table)
                yield claimed(session, table, resource.columns_in(table.columns, other.files, db.file_formats))
            elif isinstance(resource, Account):
                yield from _of_account(resource, db, session)


def _compared(resources: Iterable[Resource], db: Db, session: Session) -> Iterator[Claimed]:
    for resource in resources:
        if isinstance(resource, Rows) and resource.rowset is not None:
            table, columns = resource.rowset.written
            yield claimed(session, table, columns)
        elif isinstance(resource, Account):
            yield from _of_account(resource, db, session)


def _of_account(account: Account, db: Db, session: Session) -> Iterator[Claimed]:
    for name, columns in account.columns.items():
        table = db.catalog.find(name)
        if table is not None:
            yield claimed(session, table, columns)


def _refused(seed: Seed, other: Seed, table: str, columns: Sequence[str], unknown: Sequence[str]) -> DeclarationError:
    first, second = sorted((seed, other), key=lambda each: (each.number, each.name))
    listed = ", ".join(columns[:_SHOWN]) + (" …" if len(columns) > _SHOWN else "")
    what = f"column {listed}" if len(columns) == 1 else f"columns {listed}"
    missing = f" (shared has {', '.join(unknown)}, which does not exist)" if unknown else ""
    return DeclarationError(
        f"{what} of table {table} would be written by seed {first.label} of plugin {first.distribution} and by seed"
        f" {second.label} of plugin {second.distribution}",
        hint=f'leave one of them out, or, if they are meant to share it: [plugins] shared = ["{table}"]{missing}',
        where=seed.origin,
    )
