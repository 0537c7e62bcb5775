"""Db: what hooks and resources are given to talk to the database with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from seedframe.account_run import AccountRun
from seedframe.changes import Finding, Severity
from seedframe.configuration.limits import Limits
from seedframe.database.account_versions import keep_password_version, password_version
from seedframe.database.baselines import Baselines, BaselineStore
from seedframe.database.catalog import LEDGER_SCHEMA, Catalog, is_of_ledger
from seedframe.database.declared import Chunk, Removing, Shape
from seedframe.database.keys import Keys
from seedframe.database.named_parameters import with_named_parameters
from seedframe.database.planned import PlannedRows
from seedframe.database.rowids import RowIds
from seedframe.database.rowset import Rowset
from seedframe.database.session import Session
from seedframe.database.statements import forbidden
from seedframe.database.surroundings import Surroundings
from seedframe.database.table import Table
from seedframe.database.validation import Validation
from seedframe.database.views import as_table
from seedframe.errors import DeclarationError, HookFailed, SeedframeError
from seedframe.recorder import Recorder
from seedframe.secrecy.masking import tells
from seedframe.secrets import Secret
from seedframe.sources.files import BUILT_IN
from seedframe.verdicts import Baseline, OnConflict

if TYPE_CHECKING:
    from seedframe.sources.formats import FileFormat


class Db:
    """SQL with `:name` parameters, inside the transaction of the seed. No commit, no raw connection.

    Read-only outside `apply`, enforced by the server. Resources find here, besides, what the comparison of rows needs.

    Errors of the statements: SeedError and its kinds; never with the contents of a row.

    Attributes:
        statements: how many were run, or tried.
    """

    def __init__(
        self,
        session: Session,
        *,
        seed: str,
        baselines: Baselines,
        left: Mapping[str, Baseline],
        planned: PlannedRows,
        files: Traversable | None,
        file_formats: "Mapping[str, FileFormat] | None" = None,
        state_dir: Path,
        accounts: AccountRun,
        sample: int,
        listed: int = 0,
        rehearsal: bool = False,
        on_conflict: OnConflict | None = None,
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
        progress: Callable[[str, int], None] = lambda _resource, _rows: None,
        recorder: Recorder | None = None,
    ) -> None:
        self._session = session
        self._seed = seed
        self._baselines = baselines
        self._left = dict(left)
        self._planned = planned
        self._files = files
        self._file_formats = file_formats
        self._state_dir = state_dir
        self._accounts = accounts
        self._sample = sample
        self._listed = listed
        self._rehearsal = rehearsal
        self._on_conflict = on_conflict
        self._progress = progress
        self._limits = limits
        self._recorder = recorder
        self._doomed: list[RowIds] = []
        self._catalog = Catalog(session)
        self._notes: list[Finding] = []
        self._absent: set[str] = set()
        self._views: dict[int, Table] = {}
        self._first_error: SeedframeError | None = None
        self._at_work = False
        self._may_change: Callable[[], frozenset[int]] | None = None
        self.statements = 0

    # For hooks

    def scalar(self, sql: str, /, **params: Any) -> Any:
        """The first column of the first row; None when there is no row."""
        row = _records(self._run(sql, params)).fetchone()
        return None if row is None else row[0]

    def row(self, sql: str, /, **params: Any) -> Mapping[str, Any] | None:
        """The first row; None when there is none."""
        found = _records(self._run(sql, params))
        row = found.fetchone()
        return None if row is None else dict(zip(_columns(found), row, strict=True))

    def rows(self, sql: str, /, **params: Any) -> list[Mapping[str, Any]]:
        """All rows."""
        found = _records(self._run(sql, params))
        columns = _columns(found)
        return [dict(zip(columns, row, strict=True)) for row in found]

    def execute(self, sql: str, /, **params: Any) -> int:
        """Run a statement; how many rows it touched (-1 where the server does not say)."""
        return self._run(sql, params).rowcount

    def note(self, text: str, severity: Severity = "info") -> None:
        """Add a finding to the seed's outcome: something a person should be told."""
        self._notes.append(Finding(text, severity))

    @property
    def state_dir(self) -> Path:
        """The project's `.seedframe/` folder, for what must outlive a crash and not be committed."""
        return self._state_dir

    @property
    def rehearsal(self) -> bool:
        """True when all that is written will be rolled back: touch nothing outside the database."""
        return self._rehearsal

    @property
    def writable(self) -> bool:
        """True in `apply` and in a rehearsal; False in a dry run and in `verify`."""
        return self._session.writable

    def take_first_error(self) -> SeedframeError | None:
        """The first error of a statement since this was last asked; it names the one that was swallowed."""
        first, self._first_error = self._first_error, None
        return first

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """While a hook or a resource is at work, its statements are as writable as the transaction is.

        At any other time the code of a seed runs in the midst of seedframe's own, as what yields rows does: each of its
        statements is read-only for itself, and what it set is undone.
        """
        before, self._at_work = self._at_work, True
        try:
            yield
        finally:
            self._at_work = before

    # For resources

    @property
    def notes(self) -> tuple[Finding, ...]:
        """What was noted so far."""
        return tuple(self._notes)

    @property
    def file_formats(self) -> "Mapping[str, FileFormat]":
        """The formats that the seed's data files may have, by ending."""
        return BUILT_IN if self._file_formats is None else self._file_formats

    @property
    def files(self) -> Traversable:
        """The folder of the seed's data files. Errors: DeclarationError when it has none."""
        if self._files is None:
            raise DeclarationError("this seed has no folder for data files", hint="give the rows with rows=")
        return self._files

    def shown_file(self, name: str) -> str:
        """A data file of the seed as people find it: relative to the project, or just its name inside a package."""
        files, root = self._files, self._state_dir.parent
        if isinstance(files, Path) and files.is_relative_to(root):
            return (files.relative_to(root) / name).as_posix()
        return name

    @property
    def accounts(self) -> AccountRun:
        """What the run knows of accounts."""
        return self._accounts

    def password_version(self, resource: str) -> int | None:
        """The version of an account's password, as a run last set it; None where the ledger has none."""
        return password_version(self._baselines.ledger, self._seed, resource)

    def keep_password_version(self, resource: str, version: int) -> None:
        """Remember the version of an account's password."""
        keep_password_version(self._baselines.ledger, self._seed, resource, version)

    @property
    def catalog(self) -> Catalog:
        """The tables, as the server has them."""
        return self._catalog

    def table(self, name: str) -> Table:
        """A table by name. Errors: MissingTable with a did-you-mean, DeclarationError, PermissionDenied."""
        found = self._catalog.table(name)
        if found.kind != "v":
            return found
        if found.oid not in self._views:
            self._views[found.oid] = as_table(self._session, self._catalog, found)
        return self._views[found.oid]

    def written(self, name: str) -> int | None:
        """The oid of the table that rows of this name are written to: of the one below, for a view; None without."""
        found = self._catalog.find(name)
        if found is None:
            return None
        return self._views.get(found.oid, found).rows_oid

    def is_of_ledger(self, name: str) -> bool:
        """True where this name stands for one of seedframe's own tables, or for a view of one."""
        try:
            found = self._catalog.find(name)
            if found is None:
                self._catalog.forget(name)  # the seed may make it
                return False
            return LEDGER_SCHEMA in (found.schema, (self.table(name) if found.kind == "v" else found).rows_schema)
        except SeedframeError:  # it stands for no one table
            return is_of_ledger(name)

    def writable_oids(self, names: Sequence[str]) -> tuple[frozenset[int], tuple[str, ...]]:
        """The oids of what these names stand for, of a view's table too, and the names that stand for nothing."""
        oids: set[int] = set()
        unknown: list[str] = []
        for name in dict.fromkeys(names):
            if self._catalog.find(name) is None:
                self._catalog.forget(name)  # the seed may have made it since
            found = self._catalog.find(name)
            if found is None or found.schema.startswith("pg_temp"):  # which is the session's, and names nothing
                unknown.append(name)
                continue
            oids.add(found.oid)
            if found.kind == "v":
                try:
                    oids.add(self.table(name).rows_oid)
                except SeedframeError:  # it stands for no one table
                    continue
        return frozenset(oids), tuple(unknown)

    def confine(self, may_change: Callable[[], frozenset[int]]) -> None:
        """What rows change besides, by foreign keys, is of these tables, by oid, or refused."""
        self._may_change = may_change

    def below_view(self, name: str) -> Table | None:
        """The table below a view as it is now, whatever was found before; None for one that stands for no one table."""
        catalog = Catalog(self._session)
        found = catalog.find(name)
        if found is None or found.kind != "v":
            return None
        try:
            return as_table(self._session, catalog, found).shows
        except SeedframeError:
            return None

    def mark_absent(self, name: str) -> None:
        """Note that an optional table is not there: resources that need it are skipped."""
        self._absent.add(name)

    def is_absent(self, name: str) -> bool:
        """True for a table that is optional and not there."""
        return name in self._absent

    def was_applied(self, resource: str) -> bool:
        """True when the ledger has a baseline of this resource of the seed."""
        return resource in self._left

    def store(self, resource: str) -> BaselineStore:
        """The baseline of one resource of the seed."""
        return self._baselines.store(self._seed, resource, self._left)

    def keys(self, table: Table, key: Sequence[str], *, index: str | None, where: str) -> Keys:
        """What a declared key means. Errors: DeclarationError."""
        return Keys(self._session, table, key, index=index, where=where)

    def rowset(
        self,
        resource: str,
        shape: Shape,
        chunks: Iterator[Chunk],
        place: Callable[[int], str],
        *,
        validate: Mapping[str, str] | None = None,
        removing: Removing = Removing(),  # noqa: B008 - it is frozen
        limits: Limits = Limits(),  # noqa: B008 - it is frozen
    ) -> Rowset:
        """Declared rows to compare with a table, by the one comparison."""
        around = Surroundings(
            place=place,
            store=self.store(resource),
            planned=self._planned,
            sample=self._sample,
            resource=resource,
            on_conflict=self._on_conflict,
            note=self.note,
            progress=lambda rows: self._progress(resource, rows),
            limits=limits.over(self._limits),
            doomed=self._doomed,
            record=self._recorder.start(self._seed, resource) if self._recorder is not None else None,
            may_change=self._may_change,
            listed=self._listed,
        )
        validation = Validation(self._session, shape, validate, resource) if validate else None
        return Rowset(self._session, shape, chunks, around, removing, validation)

    def _run(self, sql: str, params: Mapping[str, Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        self.statements += 1
        refused = forbidden(sql)
        if refused is not None:
            hint = "one statement a call; the transaction is the runner's to control"
            if refused == "SET CONSTRAINTS ALL":
                hint = "name the constraints: SET CONSTRAINTS a, b IMMEDIATE"
            elif refused.startswith("COPY "):
                hint = "declare what is in a file with Rows(…, file=…), and read with db.rows"
            raise HookFailed(f"{refused}: not for seeds", hint=hint)
        if tells(sql):  # the server would log it, and quote it in its errors
            raise HookFailed("the text of a statement has a secret in it", hint="pass it as a parameter: write :name")
        try:
            statement = with_named_parameters(sql, params)
        except KeyError as missing:
            raise HookFailed(
                f"the statement cannot be run: no value for :{missing.args[0]}", hint="pass every :name"
            ) from None
        try:
            with nullcontext() if self._at_work else self._session.savepoint(read_only=True):
                values = {name: each.reveal() if isinstance(each, Secret) else each for name, each in params.items()}
                return self._session.run(statement, values)
        except psycopg.Error as error:
            explained = self._session.explained(error)
            if self._first_error is None:
                self._first_error = explained
            raise explained from error


def _records(cursor: psycopg.Cursor[tuple[Any, ...]]) -> psycopg.Cursor[tuple[Any, ...]]:
    """The cursor of a statement that returned rows, be it none. Errors: HookFailed."""
    if cursor.description is None:
        raise HookFailed("the statement returns no rows", hint="db.execute runs what returns none")
    return cursor


def _columns(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[str]:
    return [column.name for column in cursor.description or ()]
