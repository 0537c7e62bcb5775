"""Binding declared rows to a table: which field goes to which column, and its values as text."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from psycopg.adapt import Transformer

from seedframe.database.db import Db
from seedframe.database.declared import Chunk, Field, Input, Reference, Removing, Role, Shape
from seedframe.database.locate import bad_value, check_length
from seedframe.database.table import Table, TableColumn
from seedframe.errors import BadData, DeclarationError, did_you_mean
from seedframe.resources.encode import Unsuitable, encode, plain_texts
from seedframe.resources.names import misnamed, no_field
from seedframe.resources.rows_spec import RowsSpec
from seedframe.resources.transitions import moves_of
from seedframe.resources.values import Column, Moved, Ref, Removed, Sql
from seedframe.sources.records import Block, Records


def without_rows(spec: RowsSpec, records: Records) -> tuple[RowsSpec, Records, Block]:
    """What to bind where the source has no rows: its header if it has one, else the key alone."""
    if not records.fields:
        keys = tuple(name for name in spec.key if name not in spec.refs)
        records = replace(records, fields=keys)
        spec = replace(
            spec,
            initial=(),
            given={},
            ignore=(),
            secret=tuple(name for name in spec.secret if name in spec.key),
            refs={name: looked_up for name, looked_up in spec.refs.items() if name in spec.key},
            validate={},
        )
    return spec, records, Block([], [[] for _ in records.fields])


class Binding:
    """Declared rows, bound to their table and to the fields of their source.

    Errors: DeclarationError, BadData, MissingTable, for a declaration or a value that does not fit the table.
    """

    def __init__(self, spec: RowsSpec, db: Db, table: Table, records: Records, first: Block) -> None:
        self._spec = spec
        self._db = db
        self._table = table
        self._records = records
        self._first = first
        self._where = records.place(1) if spec.file is not None else spec.name
        self._inputs: list[Input] = []
        self._takes: list[_Take] = []
        self._transformer = Transformer()
        self.shape = self._shape()

    def _shape(self) -> Shape:
        spec = self._spec
        self._check_header()
        self._check_names()
        self._keys = self._db.keys(self._table, spec.key, index=spec.index, where=spec.name)
        fields: list[Field] = []
        taken = {part.name for look in spec.refs.values() for part in look.key.values() if isinstance(part, Column)}
        for position, name in enumerate(self._records.fields):
            if name in spec.ignore or (name in taken and name not in self._table.columns):
                continue
            fields.append(self._field(name, position, len(fields)))
        for name, looked_up in spec.refs.items():
            fields.append(self._looked_up(self._column(name), looked_up, len(fields), position=None))
        for name, value in spec.given.items():
            fields.append(self._given(self._column(name), value, len(fields)))
        shape = Shape(
            table=self._table,
            fields=tuple(fields),
            inputs=tuple(self._inputs),
            mode=spec.mode,
            identity=self._keys.identity(fields),
        )
        moved = [transition for transition in spec.transitions if isinstance(transition, Moved)]
        return replace(shape, moves=moves_of(moved, shape, spec.name, self._transformer)) if moved else shape

    def _check_header(self) -> None:
        """A field that is no column is the mistake to hear of, before all that follows from it."""
        spec = self._spec
        taken = {
            part.name for looked_up in spec.refs.values() for part in looked_up.key.values() if isinstance(part, Column)
        }
        for name in self._records.fields:
            if name not in spec.ignore and name not in taken:
                self._column(name)

    def _check_names(self) -> None:
        for error in misnamed(self._spec, self._records.fields, self._table.columns):
            raise error

    def _column(self, name: str) -> TableColumn:
        column = self._table.column(name, where=self._where)
        if column.generated:
            raise DeclarationError(
                f"column {name!r} of {self._table.label} is generated", hint="leave it out", where=self._where
            )
        return column

    def _role(self, name: str) -> Role:
        if name in self._spec.key:
            return "key"
        return "initial" if name in self._spec.initial else "managed"

    def _field(self, name: str, position: int, number: int) -> Field:
        column = self._column(name)
        example = None
        if not self._records.textual:
            values = self._first.columns[position]
            example = next((value for value in values if isinstance(value, Ref | Sql)), None)
        if isinstance(example, Ref):
            return self._looked_up(column, example, number, position=position)
        if isinstance(example, Sql):
            return self._expression(column, example, number, position)
        staged = f"{self._keys.prefix}c{number}"
        self._add(staged, column, name, _Take(position=position))
        return Field(column, self._role(name), staged, name in self._spec.secret)

    def _given(self, column: TableColumn, value: Any, number: int) -> Field:
        if isinstance(value, Ref):
            return self._looked_up(column, value, number, position=None)
        if isinstance(value, Sql):
            return self._expression(column, value, number, None)
        staged = f"{self._keys.prefix}c{number}"
        self._add(staged, column, column.name, _Take(constant=value))
        return Field(column, self._role(column.name), staged, column.name in self._spec.secret)

    def _expression(self, column: TableColumn, value: Sql, number: int, position: int | None) -> Field:
        if self._role(column.name) != "initial":
            raise DeclarationError(
                f"column {column.name!r} is an sql() expression, but not initial",
                hint=f'add initial=["{column.name}"]: what changes with every run would never be in sync',
                where=self._where,
            )
        if position is not None:
            for line, found in zip(self._first.lines, self._first.columns[position], strict=True):
                if found != value:
                    raise BadData(
                        f"column {column.name}: not the sql() expression of the first row",
                        hint="give every row the same expression",
                        where=self._records.place(line),
                    )
        return Field(
            column,
            "initial",
            f"{self._keys.prefix}c{number}",
            column.name in self._spec.secret,
            expression=value.expression,
        )

    def _looked_up(self, column: TableColumn, looked_up: Ref, number: int, *, position: int | None) -> Field:
        parent = self._db.table(looked_up.table)
        foreign_key = self._table.foreign_key_of(column.name, parent.oid)
        if foreign_key is None:
            raise DeclarationError(
                f"column {column.name!r} of {self._table.label} has no foreign key to {parent.label}",
                hint="ref() follows a foreign key: add one, or give the value itself",
                where=self._where,
            )
        value = parent.column(foreign_key.referred[foreign_key.columns.index(column.name)])
        keys: list[TableColumn] = []
        staged: list[str] = []
        for part, (name, given) in enumerate(looked_up.key.items()):
            if isinstance(given, Ref):
                raise DeclarationError(
                    f"{looked_up} has a ref() within its natural key",
                    hint="name columns of the parent that hold plain values",
                    where=self._where,
                )
            key_column = parent.column(name, where=self._where)
            keys.append(key_column)
            staged.append(f"{self._keys.prefix}r{number}_{part}")
            self._add(staged[-1], key_column, column.name, self._take(given, name, looked_up, position))
        names = {entry.name for entry in keys}
        unique = any(set(index.columns) <= names and not index.partial for index in parent.unique)
        return Field(
            column,
            self._role(column.name),
            f"{self._keys.prefix}c{number}",
            column.name in self._spec.secret,
            reference=Reference(parent, value, tuple(keys), tuple(staged), unique),
        )

    def _take(self, given: Any, name: str, looked_up: Ref, position: int | None) -> "_Take":
        if position is not None:
            return _Take(position=position, part=name, like=looked_up)
        if not isinstance(given, Column):
            return _Take(constant=given)
        if given.name not in self._records.fields:
            raise no_field(given.name, self._records.fields, self._where)
        return _Take(position=self._records.fields.index(given.name))

    def _add(self, staged: str, column: TableColumn, field: str, take: "_Take") -> None:
        secret = field in self._spec.secret
        self._inputs.append(Input(staged, column, secret, digested=self._role(field) != "initial"))
        self._takes.append(take)

    # What is to be deleted

    def removing(self) -> Removing:
        """Which rows are to go. Errors: DeclarationError for a removed key that is none of the table."""
        spec = self._spec
        return Removing(
            sync=spec.mode == "sync",
            where=spec.where,
            prune=spec.prune,
            keys=self._removed_keys(spec.removed) if spec.removed else None,
        )

    def _removed_keys(self, removed: tuple[Removed, ...]) -> Chunk:
        shape = self.shape
        columns: list[list[str | None]] = []
        given = [self._by_column(transition.key, number) for number, transition in enumerate(removed, start=1)]
        for entry in shape.keyed.inputs:
            owner = next(field for field in shape.key if entry.staged in field.input_names)
            values = []
            for number, key in enumerate(given, start=1):
                values.append(self._removed_text(entry, owner, key[owner.name], number))
            columns.append(values)
        return Chunk(list(range(1, len(removed) + 1)), tuple(columns))

    def _by_column(self, key: Any, number: int) -> Mapping[str, Any]:
        names = [field.name for field in self.shape.key]
        if not isinstance(key, Mapping):
            if len(names) == 1:
                return {names[0]: key}
            raise self._bad_removal(number, f"the key has {len(names)} columns", "name each: removed(column=value, …)")
        for name in key:
            if name not in names:
                raise self._bad_removal(
                    number,
                    f"{name!r} is no column of the key",
                    did_you_mean(name, names) or f"it is {', '.join(names)}",
                )
        for name in names:
            if name not in key:
                raise self._bad_removal(number, f"column {name!r} of the key is missing", "give the whole key")
        return key

    def _removed_text(self, entry: Input, field: Field, value: Any, number: int) -> str | None:
        where = f"{self._spec.name} removed() {number}"
        if field.reference is not None:
            names = [column.name for column in field.reference.key]
            like = isinstance(value, Ref) and self._db.table(value.table).oid == field.reference.parent.oid
            if not like or sorted(value.key) != sorted(names):
                raise self._bad_removal(
                    number,
                    f"column {field.name!r} is no ref() to {field.reference.label}",
                    "give it as the rows do",
                )
            value = value.key[names[field.reference.staged.index(entry.staged)]]
        nullable = field.name in self.shape.identity.nullable
        if (value is None and not nullable) or isinstance(value, Ref | Sql | Column):
            what = "no value" if value is None else f"{type(value).__name__.lower()}(), and the rows have plain values"
            raise self._bad_removal(number, f"column {field.name!r} has {what}", "give the key as the rows do")
        try:
            text = encode(value, entry.column, self._transformer) if value is not None else None
        except Unsuitable as error:
            raise bad_value(where, entry.column.name, str(error)) from error
        wrong = check_length(entry, text) if text is not None else None
        if wrong is not None:
            raise bad_value(where, entry.column.name, wrong)
        return text

    def _bad_removal(self, number: int, message: str, hint: str) -> DeclarationError:
        return DeclarationError(message, hint=hint, where=f"{self._spec.name} removed() {number}")

    # Values

    def chunks(self, first: Block, rest: Iterator[Block]) -> Iterator[Chunk]:
        """The source's blocks as texts for the shape's inputs."""
        yield self._chunk(first)
        for block in rest:
            yield self._chunk(block)

    def _chunk(self, block: Block) -> Chunk:
        columns = [self._texts(entry, take, block) for entry, take in zip(self._inputs, self._takes, strict=True)]
        return Chunk(block.lines, tuple(columns))

    def _texts(self, entry: Input, take: "_Take", block: Block) -> list[str | None]:
        if take.position is None:
            return [self._text(entry, take.constant, block.lines[0])] * len(block.lines)
        values = block.columns[take.position]
        if take.like is not None:
            values = [self._part(take, value, line) for value, line in zip(values, block.lines, strict=True)]
        textual = self._records.textual and take.like is None
        texts = values if textual else plain_texts(values, entry.column)
        if texts is None:
            json = self._records.json
            return [self._text(entry, value, line, json=json) for value, line in zip(values, block.lines, strict=True)]
        if _may_misfit(entry.column, texts):
            for text, line in zip(texts, block.lines, strict=True):
                self._check_length(entry, text, line)
        return texts

    def _part(self, take: "_Take", value: Any, line: int) -> Any:
        if value is None:
            return None
        like, part = take.like, take.part
        assert like is not None and part is not None  # noqa: S101, PT018 - made together by _take
        if not isinstance(value, Ref) or value.table != like.table or list(value.key) != list(like.key):
            raise BadData(
                f"expected {like} here as in the other rows",
                hint="give every row of a column the same kind of ref(), or None",
                where=self._records.place(line),
            )
        return value.key[part]

    def _text(self, entry: Input, value: Any, line: int, *, json: bool = False) -> str | None:
        if isinstance(value, Ref | Sql | Column):
            raise BadData(
                f"column {entry.column.name}: {type(value).__name__.lower()}() where the first rows have plain values",
                hint="put a row that has it first, or use refs= or initial=",
                where=self._records.place(line),
            )
        try:
            text = encode(value, entry.column, self._transformer, json_source=not json)
        except Unsuitable as error:
            raise bad_value(self._records.place(line), entry.column.name, str(error)) from error
        self._check_length(entry, text, line)
        return text

    def _check_length(self, entry: Input, text: str | None, line: int) -> None:
        wrong = check_length(entry, text) if text is not None else None
        if wrong is not None:
            raise bad_value(self._records.place(line), entry.column.name, wrong)


def _may_misfit(column: TableColumn, values: list[str | None]) -> bool:
    """False when no text can be too long for the column: most are, and looking at each takes longer."""
    return column.length is not None and max(map(len, filter(None, values)), default=0) > column.length


class _Take:
    """Where an input's values come from: a position in the record (of a ref there, one part), or a constant."""

    __slots__ = ("constant", "like", "part", "position")

    def __init__(
        self, *, position: int | None = None, constant: Any = None, part: str | None = None, like: Ref | None = None
    ) -> None:
        self.position = position
        self.constant = constant
        self.part = part
        self.like = like
