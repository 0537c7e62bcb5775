"""Two plugins that write one column of one table would undo each other's work: found before either of them writes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from seedframe.accounts.account import Account
from seedframe.database.apart import are_apart
from seedframe.database.baselines import Baselines
from seedframe.database.catalog import as_text
from seedframe.database.claimed import Claimed, claimed, left_by
from seedframe.database.db import Db
from seedframe.database.session import Session
from seedframe.database.table import Table
from seedframe.errors import DeclarationError, SeedframeError
from seedframe.plugins.manager import SeedManager
from seedframe.resources.built_in import is_built_in
from seedframe.resources.environments import skipped_in
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed
from seedframe.seeding import hooks

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class _Writes:
    """What one seed writes.

    Attributes:
        columns: by its `Rows` and accounts.
        whole: the tables, by name, that code of its own writes, so that nobody knows which columns: looked up when they
            are compared, as it may have made them meanwhile.
        covered: the tables, by name, whose columns are known, in whatever environment.
    """

    columns: tuple[Claimed, ...]
    whole: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()


class ColumnClaims:
    """The columns that the seeds of plugins write, in one run; the project's own seeds may write what they like.

    What a seed writes is known when it is compared. Of one that was not yet, or is not chosen, it is known where its
    `resources` asks for neither `db` nor `settings`; else the ledger has what it wrote last. A seed with an `apply`, or
    with resources of a kind that is not built in, writes all of each table of its WRITES that no resource has. What
    may delete rows of a table writes all of them: it is alone with it, unless both hold parts that are apart.
    """

    def __init__(self, seeds: Iterable[Seed], plugins: SeedManager, env: str, shared: Sequence[str]) -> None:
        self._plugins = plugins
        self._env = env
        self._shared = shared
        self._seeds = tuple(
            seed for seed in seeds if seed.distribution is not None and seed.plugin is not None and seed.runs_in(env)
        )
        self._known: dict[str, _Writes] = {}

    def start_over(self) -> None:
        """All seeds are begun again."""
        self._known.clear()

    def require_alone(
        self, seed: Seed, resources: Iterable[Resource], db: Db, session: Session, baselines: Baselines
    ) -> None:
        """No seed of another plugin writes what this one does.

        Args:
            resources: all that it declares, as they were compared.

        Errors: DeclarationError, which names both seeds, both plugins, the table and the columns.
        """
        rivals = [other for other in self._seeds if other.distribution != seed.distribution]
        if seed.distribution is None or not rivals:
            return
        declared = tuple(resources)
        columns = tuple(self._compared(declared, db, session))
        self._known[seed.name] = writes = _Writes(columns, *_unknown_columns(seed, declared))
        own = [*columns, *_whole(writes, db, session)]
        shared, unknown = db.writable_oids(self._shared)
        contested = [claim for claim in own if claim.above.isdisjoint(shared)]
        for other in rivals:
            if not self._may_meet(other, contested, db, session):
                continue
            known = self._written(other, db, session, baselines)
            for theirs in (*known.columns, *_whole(known, db, session)):
                for claim in contested if theirs.above.isdisjoint(shared) else ():
                    if not claim.meets(theirs) or _are_apart(claim, theirs, db, session):
                        continue
                    common = claim.common(theirs)
                    if common is not None and (claim.deletes or theirs.deletes):
                        raise _deleting((seed, claim), (other, theirs), unknown)
                    if common is None or common:
                        listed = None if common is None else sorted(common)
                        raise _refused(seed, other, claim.name, listed, unknown)

    def _may_meet(self, other: Seed, own: Sequence[Claimed], db: Db, session: Session) -> bool:
        """True when a table that the other says it writes is one of these; it writes no others."""
        oids, _ = db.writable_oids(other.writes)
        return any(not claim.above.isdisjoint(oids) for claim in own) or any(
            not claimed(session, db.catalog.read(oid), ()).above.isdisjoint({claim.oid for claim in own})
            for oid in oids
        )

    def _written(self, other: Seed, db: Db, session: Session, baselines: Baselines) -> _Writes:
        if other.name in self._known:
            return self._known[other.name]
        if not hooks.asks_for(other, "resources") & {"db", "settings"}:
            try:
                declared = hooks.call(other, self._plugins, "resources", db=None, settings=None, env=self._env)
                with hooks.guarded(other, self._plugins, "resources"):
                    columns = tuple(self._declared(other, declared, db, session))
                    found = _Writes(columns, *_unknown_columns(other, declared))
            except SeedframeError:
                pass  # which is that seed's own failure
            else:
                self._known[other.name] = found
                return found
        left = left_by(baselines.ledger, other.name)
        tables = ((db.catalog.find(name), columns) for name, columns in left)
        return _Writes(tuple(claimed(session, table, columns) for table, columns in tables if table is not None))

    def _compared(self, resources: Iterable[Resource], db: Db, session: Session) -> Iterator[Claimed]:
        for resource in resources:
            if isinstance(resource, Rows) and resource.rowset is not None:
                table, columns = resource.rowset.written
                yield _of_rows(resource, table, columns, session)
            elif isinstance(resource, Account) and skipped_in(resource, self._env) is None:
                yield from _of_account(resource, db, session)

    def _declared(self, other: Seed, resources: Iterable[Resource], db: Db, session: Session) -> Iterator[Claimed]:
        for resource in resources:
            if skipped_in(resource, self._env) is not None:
                continue
            if isinstance(resource, Rows) and db.catalog.find(resource.table) is not None:
                table = db.table(resource.table)
                columns = resource.columns_in(table.columns, other.files, db.file_formats)
                yield _of_rows(resource, table, columns, session)
            elif isinstance(resource, Account):
                yield from _of_account(resource, db, session)


def _unknown_columns(seed: Seed, resources: Sequence[Resource]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tables that the seed's own code may write, and those whose columns its resources tell, by name."""
    if not hooks.has_hook(seed, "apply") and all(map(is_built_in, resources)):
        return (), ()
    known = [resource for resource in resources if isinstance(resource, Rows | Account)]
    own = [resource for resource in resources if not isinstance(resource, Rows | Account)]
    whole = dict.fromkeys([*seed.writes, *(name for resource in own for name in resource.tables)])
    return tuple(whole), tuple(name for resource in known for name in resource.tables)


def _whole(writes: _Writes, db: Db, session: Session) -> Iterator[Claimed]:
    covered, _ = db.writable_oids(writes.covered)
    for name in writes.whole:
        for oid in sorted(db.writable_oids([name])[0]):
            claim = claimed(session, db.catalog.read(oid), None)
            if claim.above.isdisjoint(covered):
                yield claim


def _of_rows(resource: Rows, table: Table, columns: Iterable[str], session: Session) -> Claimed:
    spec = resource.spec
    # What `prune` deletes, this seed has made, and by the ledger nobody else declares.
    deletes = spec.mode == "sync" or bool(spec.removed)
    return claimed(session, table, columns, deletes=deletes, part=None if spec.removed else spec.where)


def _are_apart(claim: Claimed, theirs: Claimed, db: Db, session: Session) -> bool:
    """True when each has a part of the table, and no row can be in both."""
    if claim.oid != theirs.oid or claim.part is None or theirs.part is None:
        return False
    return are_apart(session, db.catalog.read(claim.oid), claim.part, theirs.part)


def _of_account(account: Account, db: Db, session: Session) -> Iterator[Claimed]:
    for name, columns in account.columns.items():
        table = db.catalog.find(name)
        if table is not None:
            yield claimed(session, table, columns)


def _deleting(one: tuple[Seed, Claimed], two: tuple[Seed, Claimed], unknown: Sequence[str]) -> DeclarationError:
    (writer, _), (deleter, claim) = sorted((one, two), key=lambda each: (each[1].deletes, each[0].number, each[0].name))
    return DeclarationError(
        f"rows of table {claim.name} that seed {writer.label} of plugin {writer.distribution} writes may be deleted by"
        f" seed {deleter.label} of plugin {deleter.distribution}",
        hint='give each of them a part of the table, by mode="sync" and where=, that the other\'s excludes; or leave'
        f" one out; or, if they are meant to share it: {_shared(claim.name, unknown)}",
        where=one[0].origin,
    )


def _shared(table: str, unknown: Sequence[str]) -> str:
    missing = f" (shared has {', '.join(unknown)}, which does not exist)" if unknown else ""
    return f"[plugins] shared = [{as_text(table)}]{missing}"


def _refused(
    seed: Seed, other: Seed, table: str, columns: Sequence[str] | None, unknown: Sequence[str]
) -> DeclarationError:
    first, second = sorted((seed, other), key=lambda each: (each.number, each.name))
    if columns is None:
        what = f"table {table}"
    else:
        listed = ", ".join(columns[:_SHOWN]) + (" …" if len(columns) > _SHOWN else "")
        what = f"column{'' if len(columns) == 1 else 's'} {listed} of table {table}"
    return DeclarationError(
        f"{what} would be written by seed {first.label} of plugin {first.distribution} and by seed"
        f" {second.label} of plugin {second.distribution}",
        hint=("which columns a seed's own code writes is not known; " if columns is None else "")
        + f"leave one of them out, or, if they are meant to share it: {_shared(table, unknown)}",
        where=seed.origin,
    )
