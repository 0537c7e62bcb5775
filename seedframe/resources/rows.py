"""Rows: rows of one table that must be there, from the seed itself or from a file next to it."""

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib.resources.abc import Traversable
from typing import Any, get_args

from seedframe.changes import Changes, Finding, Severity, rows_text
from seedframe.configuration.durations import Misfit
from seedframe.configuration.limits import Limit, Limits, parse_limit
from seedframe.database.catalog import is_of_ledger, written_name
from seedframe.database.db import Db
from seedframe.database.declared import Mode, Shape
from seedframe.database.rowset import Rowset
from seedframe.database.statements import unfit_expression, unreadable_sql
from seedframe.errors import DeclarationError, MissingTable, did_you_mean
from seedframe.resources.binding import Binding, without_rows
from seedframe.resources.environments import environments_of, only_in
from seedframe.resources.rows_spec import RowsSpec
from seedframe.resources.values import Column, Moved, Ref, Removed
from seedframe.sources.files import BUILT_IN, open_file
from seedframe.sources.formats import FileFormat
from seedframe.sources.one_shot import was_read
from seedframe.sources.records import Records, Report, records_of, refuse


class Rows:
    """Rows of one table, found by a natural key.

    Args:
        table: `name`, `schema.name`, a SQLAlchemy `Table` or a mapped class.
        key: the column or columns that identify a row; a unique index must cover them.
        rows: dicts, dataclasses or named tuples, all with the same fields; or a callable that returns them.
            An iterator is streamed, once: a second attempt or run needs a callable or a list.
        file: a CSV, TSV, JSON, JSON Lines, TOML or YAML file below the seed's folder, plain, .gz, .bz2 or .xz.
        mode: "upsert" adds and updates; "insert" adds what is missing and never touches what is there; "sync" holds the
            table, or the part of it that `where` selects, to exactly these rows.
        where: an SQL condition over the table's columns, for "sync" only.
        prune: with "upsert", delete the rows that this seed made while prune was on and that it no longer declares.
        transitions: what became of keys: `moved("old", "new")`, `removed("old")`.
        validate: column and an SQL condition that must be true of it, for columns that operators own: verified, never
            fixed.
        index: the name of the unique index that the key means, where it is over expressions or has a predicate.
        max_delete: refuse to delete more rows than this: a number, or a share such as "10%".
        max_update: likewise for updates.
        initial: columns written on insert, then the operators'; as a mapping, with the value (or `sql()`) to write.
        ignore: fields that are neither written nor compared.
        secret: columns that are masked everywhere, and of which no hash is kept.
        refs: for files, columns that are looked up: `{"medication_id": ref("medications", sku=column("med_sku"))}`.
        null: for CSV and TSV, the token that means NULL; by default an empty field does.
        name: tells apart two `Rows` of one table in one seed.
        environments: the environments that they are limited to: anywhere else they are skipped, and nothing of them is
            read, compared or removed.

    Errors: DeclarationError for arguments that do not fit each other.
    """

    def __init__(
        self,
        table: Any,
        *,
        key: str | Sequence[str],
        rows: Iterable[Any] | Callable[[], Iterable[Any]] | None = None,
        file: str | None = None,
        mode: Mode = "upsert",
        initial: Sequence[str] | Mapping[str, Any] = (),
        ignore: Sequence[str] = (),
        secret: Sequence[str] = (),
        refs: Mapping[str, Ref] | None = None,
        null: str | None = None,
        name: str | None = None,
        where: str | None = None,
        prune: bool = False,
        transitions: Sequence[Moved | Removed] = (),
        validate: Mapping[str, str] | None = None,
        index: str | None = None,
        max_delete: int | str | None = None,
        max_update: int | str | None = None,
        environments: Collection[str] | None = None,
    ) -> None:
        self.table = _table_name(table)
        self._rows = rows
        self._null = null
        self._spec = RowsSpec(
            name=f"rows:{name or self.table}",
            key=_names(key, "key", self.table),
            mode=mode,
            file=file,
            initial=_names(initial, "initial", self.table),
            given=initial if isinstance(initial, Mapping) else {},
            ignore=_names(ignore, "ignore", self.table),
            secret=_names(secret, "secret", self.table),
            refs=dict(refs or {}),
            where=where,
            prune=prune,
            transitions=tuple(transitions),
            validate=dict(validate or {}),
            index=index,
            max_delete=max_delete,
            max_update=max_update,
        )
        self._rowset: Rowset | None = None
        self._db: Db | None = None
        self.environments = environments_of(environments, where=self.name)
        self._check()
        self._limits = Limits(_limit(max_delete, "max_delete", self.name), _limit(max_update, "max_update", self.name))

    def _check(self) -> None:
        where = self.name
        if (self._rows is None) == (self._spec.file is None):
            raise DeclarationError("give rows= or file=, one of the two", where=where)
        file: object = self._spec.file
        if file is not None and not isinstance(file, str):
            raise DeclarationError(
                f"file= is a {type(file).__name__}", hint='give its name as a text: "data/rows.csv"', where=where
            )
        if is_of_ledger(self.table):
            raise DeclarationError(
                f"{self.table} is one of seedframe's own tables", hint="they are seedframe's to write", where=where
            )
        if not self._spec.key:
            raise DeclarationError("key= names no column", hint="name the columns that identify a row", where=where)
        if self._spec.mode not in get_args(Mode):
            raise DeclarationError(
                f"mode={self._spec.mode!r} is not known",
                hint=did_you_mean(str(self._spec.mode), get_args(Mode)) or 'use "upsert", "insert" or "sync"',
                where=where,
            )
        if self._spec.where is not None and self._spec.mode != "sync":
            raise DeclarationError(
                f'where= in mode "{self._spec.mode}"', hint='where= says what mode="sync" may delete', where=where
            )
        if self._spec.prune and self._spec.mode != "upsert":
            raise DeclarationError(
                f'prune=True in mode "{self._spec.mode}"', hint='prune=True goes with mode="upsert"', where=where
            )
        unfit = unfit_expression(self._spec.where) if self._spec.where is not None else None
        if unfit is not None:
            raise DeclarationError(
                f"where= {unfit}", hint="write one condition over the table's own columns", where=where
            )
        if self._spec.prune and (hidden := sorted(set(self._spec.key) & set(self._spec.secret))):
            raise DeclarationError(
                f"prune=True, but key column {hidden[0]!r} is secret",
                hint="the ledger would have to keep the keys of what was made; use another key, or no prune",
                where=where,
            )
        for transition in self._spec.transitions:
            if not isinstance(transition, Moved | Removed):
                raise DeclarationError(
                    f"transitions= holds {type(transition).__name__}", hint="write moved(…) or removed(…)", where=where
                )
        for column in self._spec.key:
            if column in self._spec.initial or column in self._spec.ignore:
                raise DeclarationError(f"key column {column!r} is also initial or ignored", where=where)
        both = sorted(set(self._spec.initial) & set(self._spec.ignore))
        if both:
            raise DeclarationError(f"column {both[0]!r} is both initial and ignored", where=where)
        conditions: Mapping[str, object] = self._spec.validate
        for column, condition in conditions.items():
            if not (isinstance(condition, str) and condition.strip()):
                raise DeclarationError(
                    f"validate[{column!r}] is no condition",
                    hint=f'write SQL, such as validate={{"{column}": "{column} > 0"}}',
                    where=where,
                )
            if (unreadable := unreadable_sql(condition)) is not None:
                raise DeclarationError(f"validate[{column!r}] {unreadable}", hint="correct it", where=where)
        for column, looked_up in self._spec.refs.items():
            if not isinstance(looked_up, Ref):
                raise DeclarationError(f"refs[{column!r}] is no ref()", hint='write ref("table", …)', where=where)

    @property
    def name(self) -> str:
        """`rows:` and the table, or the given name."""
        return self._spec.name

    @property
    def tables(self) -> tuple[str, ...]:
        """The table it writes."""
        return (self.table,)

    @property
    def mode(self) -> str:
        """ "insert", "upsert" or "sync"."""
        return self._spec.mode

    @property
    def holds_secrets(self) -> bool:
        """True when a column is secret."""
        return bool(self._spec.secret)

    @property
    def file(self) -> str | None:
        """The file its rows come from."""
        return self._spec.file

    @property
    def spec(self) -> RowsSpec:
        """What it was told, less the rows."""
        return self._spec

    def describe(self) -> str:
        """ "data/medications.csv into medications by sku"."""
        if self._spec.file is not None:
            what = self._spec.file
        elif isinstance(self._rows, Sequence):
            what = rows_text(len(self._rows))
        else:
            what = "rows"
        mode = {"insert": ", insert only", "sync": ", sync", "upsert": ", prune" if self._spec.prune else ""}
        where = f" where {self._spec.where}" if self._spec.where is not None else ""
        only = f", {only_in(self.environments)}" if self.environments is not None else ""
        return f"{what} into {self.table} by {', '.join(self._spec.key)}{mode[self._spec.mode]}{where}{only}"

    def columns_in(
        self, columns: Collection[str], files: Traversable | None, formats: Mapping[str, FileFormat]
    ) -> frozenset[str]:
        """The columns that it writes beside those of its key, by the head of its source, which is read.

        Args:
            columns: what the table has.
            files: the folder of the seed's data files.
            formats: of files, by ending.

        Errors: BadData, DeclarationError for a source that cannot be read, or only once.
        """
        if isinstance(self._rows, Iterator):
            raise DeclarationError("rows= is an iterator, and is read once", where=self.name)
        records = self.records(files, shown=self._spec.file or "", formats=formats)
        if isinstance(records.blocks, Generator):
            records.blocks.close()
        if not records.fields:
            return frozenset()
        spec = self._spec
        taken = {part.name for look in spec.refs.values() for part in look.key.values() if isinstance(part, Column)}
        fields = {name for name in records.fields if name in columns or name not in taken}
        return frozenset((fields | {*spec.refs, *spec.given}) - {*spec.key, *spec.ignore})

    # The protocol

    def diff(self, db: Db) -> Changes:
        """What differs; a second call compares the same rows again, without reading the source again."""
        if self._rowset is not None and self._db is db:
            return self._rowset.compare_again()
        # Another db is another attempt, or another run: what was kept of the last one went with its transaction.
        self._db, self._rowset = db, None
        # Whatever goes wrong, the source's file is closed here, and not when its reader is collected some time.
        with ExitStack() as reading:
            try:
                self._rowset = self._bind(db, reading)
            except MissingTable as missing:
                if missing.table is None or not db.is_absent(missing.table) or db.was_applied(self.name):
                    raise
                return Changes(skipped_reason=f"optional table {missing.table} does not exist")
            return self._rowset.compare() if self._rowset is not None else Changes()

    def _bind(self, db: Db, reading: ExitStack) -> "Rowset | None":
        table = db.table(self.table)
        records = self._open(db)
        blocks = iter(records.blocks)
        if isinstance(blocks, Generator):
            reading.callback(blocks.close)
        first = next(blocks, None)
        spec = self._spec
        if first is None:
            if not spec.removes and not db.was_applied(self.name):
                return None
            spec, records, first = without_rows(spec, records)
        binding = Binding(spec, db, table, records, first)
        return db.rowset(
            self.name,
            binding.shape,
            binding.chunks(first, blocks) if first.lines else iter(()),
            records.place,
            validate=spec.validate,
            removing=binding.removing(),
            limits=self._limits,
        )

    def weigh(self, db: Db, *, going: bool) -> None:
        """Note what a person should be told of the plan; `going` says whether it is, or would be, done.

        Errors: TooManyChanges, ConstraintViolated.
        """
        if self._rowset is not None:
            for told in self._rowset.weigh(going=going):
                db.note(told.text, told.severity)

    def delete(self, db: Db, changes: Changes) -> None:  # noqa: ARG002 - the protocol's
        """Delete what is not to be there."""
        if self._rowset is not None:
            self._rowset.delete()

    def write(self, db: Db, changes: Changes) -> None:  # noqa: ARG002 - the protocol's
        """Insert what is missing and update what differs."""
        if self._rowset is not None:
            self._rowset.write()

    @property
    def is_supplied_by_code(self) -> bool:
        """True when a function or an iterator of the seed supplies the rows."""
        return callable(self._rows) or isinstance(self._rows, Iterator)

    @property
    def shape(self) -> Shape | None:
        """How its fields meet the table's columns; None before `diff`, and where nothing is compared."""
        return self._rowset.declared_shape if self._rowset is not None else None

    @property
    def ignored(self) -> tuple[str, ...]:
        """The fields and columns that are neither written nor compared."""
        return self._spec.ignore

    @property
    def conditions(self) -> Mapping[str, str]:
        """What `validate=` demands: column to condition."""
        return self._spec.validate

    @property
    def rowset(self) -> "Rowset | None":
        """The declared rows on their way through this attempt; None before `diff`, and where nothing is compared."""
        return self._rowset

    def validate(self, severity: Severity) -> list[Finding]:
        """What of the rows is not as `validate=` says."""
        return self._rowset.validate(severity) if self._rowset is not None else []

    def record(self, run: int) -> tuple[Finding, ...]:
        """Keep the baseline in the ledger; a warning where another resource declares the same cells."""
        shared = self._rowset.record(run) if self._rowset is not None else []
        if not shared:
            return ()
        text = f"{self.name} declares rows that {', '.join(shared)} declares too: each apply may undo the other's"
        return (Finding(text, "warning"),)

    def _open(self, db: Db) -> Records:
        file = self._spec.file
        if file is None:
            return self._from_code(refuse)
        return self.records(db.files, shown=db.shown_file(file), formats=db.file_formats)

    def records(
        self,
        files: Traversable | None,
        *,
        shown: str,
        report: Report = refuse,
        formats: Mapping[str, FileFormat] = BUILT_IN,
    ) -> Records:
        """The rows as they are declared, read from their source; an iterator has them once.

        Args:
            files: for rows of a file, the folder that it is in.
            shown: that file for messages.
            report: is told of rows that are wrong; by default the first one is raised.
            formats: the formats of files that there are.

        Errors: BadData, DeclarationError.
        """
        if self._spec.file is not None and files is not None:
            return open_file(files, self._spec.file, shown=shown, null=self._null, report=report, formats=formats)
        return self._from_code(report)

    def _from_code(self, report: Report) -> Records:
        rows = (self._rows() if callable(self._rows) else self._rows) or ()
        if isinstance(rows, Iterator) and was_read(rows):
            raise DeclarationError(
                "rows= is an iterator, which was read already, by an earlier attempt or declaration, and has no"
                " beginning any more",
                hint="give rows= a function or a list, so that it can be read again",
                where=self.name,
            )
        return records_of(rows, lambda number: f"{self.name} row {number}", report)


def rowsets_of(resources: Iterable[Any]) -> list[Rowset]:
    """The rowsets of those resources that are `Rows`, as far as they were compared."""
    found = [resource.rowset for resource in resources if isinstance(resource, Rows)]
    return [rowset for rowset in found if rowset is not None]


def _limit(value: int | str | None, name: str, where: str) -> Limit | None:
    try:
        return parse_limit(value) if value is not None else None
    except Misfit as error:
        raise DeclarationError(f"{name}={value!r}: {error}", where=where) from None


def _names(given: str | Iterable[str], what: str, table: str) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    for name in names:
        if not isinstance(name, str):
            raise DeclarationError(f"{what}= of {table} holds {type(name).__name__}, not names of columns")
    return names


def _table_name(table: Any) -> str:
    if isinstance(table, str):
        return table
    described = getattr(table, "__table__", table)
    name, schema = getattr(described, "name", None), getattr(described, "schema", None)
    if not isinstance(name, str):
        raise DeclarationError(
            f"Rows of a {type(table).__name__}", hint="give a table's name, a SQLAlchemy Table or a mapped class"
        )
    return written_name(schema, name)
