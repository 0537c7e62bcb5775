"""A table as the server has it, with its columns, unique indexes and foreign keys: data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from psycopg import sql

from seedframe.errors import DeclarationError, did_you_mean


@dataclass(frozen=True, slots=True)
class ColumnSequence:
    """The sequence that a column takes its default from, or that belongs to it.

    Attributes:
        readable: the role may see where it stands.
        usable: the role may draw from it.
    """

    oid: int
    schema: str
    name: str
    increment: int
    minimum: int
    maximum: int
    cycles: bool
    readable: bool
    usable: bool

    @property
    def identifier(self) -> sql.Composable:
        """The schema-qualified, quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def label(self) -> str:
        """For messages: schema and name."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Equality:
    """The `=` of a type that is not built in: where it is, and the type of its operands, as the server writes it."""

    schema: str
    type: str


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column.

    Attributes:
        type: the server's own text of it, length and precision included, safe to put into SQL.
        length: of varchar and char, where one is declared.
        equality: the type's `=`, unless it is built in.
        casts_alike: an explicit cast from text gives what the type's own input gives, which is what COPY goes through.
        composite: it is of a row type.
        sequence: what numbers it, where it is a number and anything does.
    """

    name: str
    type: str
    base_type: str
    element_type: str | None
    length: int | None
    collation: str | None
    not_null: bool
    has_default: bool
    generated: bool
    identity: str
    hashes_as_is: bool
    equality: Equality | None
    casts_alike: bool = True
    composite: bool = False
    sequence: ColumnSequence | None = None

    @property
    def is_json(self) -> bool:
        """True for json and jsonb, where a list is a JSON array."""
        return self.base_type in ("json", "jsonb")


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A unique index over columns. A partial one has a predicate; a deferrable one cannot arbitrate a conflict."""

    name: str
    columns: tuple[str, ...]
    partial: bool
    deferrable: bool
    nulls_not_distinct: bool


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A foreign key: `columns` of this table refer to `referred` of the table with the oid `table`."""

    name: str
    columns: tuple[str, ...]
    table: int
    referred: tuple[str, ...]
    deferrable: bool


@dataclass(frozen=True, slots=True)
class Table:
    """One table, as the catalog has it.

    Attributes:
        row_security: policies would hide rows from this role, or refuse them.
        owned: the role is its owner, or may act as it.
        shows: for a view, the table whose rows it shows; `shown` has that table's name of each of its columns.
    """

    oid: int
    schema: str
    name: str
    kind: str
    columns: dict[str, TableColumn]
    unique: tuple[UniqueIndex, ...]
    foreign_keys: tuple[ForeignKey, ...]
    row_security: bool
    owned: bool
    distributed: bool
    can_select: bool
    has_children: bool
    has_rules: bool
    shows: "Table | None" = None
    shown: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows_oid(self) -> int:
        """The oid of the table that its rows are in: of the one below, for a view."""
        return self.oid if self.shows is None else self.shows.oid

    @property
    def rows_schema(self) -> str:
        """The schema of that table, and so of its constraints."""
        return self.schema if self.shows is None else self.shows.schema

    def name_below(self, column: str) -> str:
        """What the table that its rows are in calls a column."""
        return self.shown.get(column, column)

    @property
    def identifier(self) -> sql.Composable:
        """The schema-qualified, quoted name."""
        return sql.Identifier(self.schema, self.name)

    @property
    def source(self) -> sql.Composable:
        """What to read rows of this table, and of no table that inherits from it, from."""
        return sql.SQL("ONLY {}").format(self.identifier) if self.has_children else self.identifier

    @property
    def label(self) -> str:
        """For messages: schema and name."""
        return f"{self.schema}.{self.name}"

    def column(self, name: str, *, where: str | None = None) -> TableColumn:
        """The column of this name. Errors: DeclarationError with a did-you-mean."""
        found = self.columns.get(name)
        if found is None:
            raise DeclarationError(
                f"table {self.label} has no column {name!r}",
                hint=did_you_mean(name, self.columns) or f"its columns are {', '.join(self.columns)}",
                where=where,
            )
        return found

    def unique_on(self, columns: Iterable[str]) -> tuple[UniqueIndex, ...]:
        """The unique indexes over exactly these columns, whole tables only."""
        wanted = set(columns)
        return tuple(index for index in self.unique if set(index.columns) == wanted and not index.partial)

    def foreign_key_of(self, column: str, table: int) -> ForeignKey | None:
        """The foreign key of this column to that table."""
        return next((key for key in self.foreign_keys if column in key.columns and key.table == table), None)
