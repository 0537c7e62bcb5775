"""A table of accounts: the SQL that finds, makes and changes them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from psycopg import sql

from seedframe.database.db import Db
from seedframe.database.table import Table
from seedframe.emails import as_read
from seedframe.errors import BadData, DeclarationError, SeedError, did_you_mean

Value: TypeAlias = str | int | bool | None

# Types that take a text whole, or not at all. A cast to others may leave a part: to `varchar(5)`, a domain over that.
_WHOLE: Final = frozenset({"text", "character varying", "citext", "boolean", "uuid"})

_SAID: Final = {
    "email": "e-mail address",
    "password_hash": "password hash",
    "first_name": "first name",
    "last_name": "last name",
    "role": "role",
}

_LABELS: Final = """
select cast(e.enumlabel as text) as label from pg_catalog.pg_enum e
 where e.enumtypid = cast(pg_catalog.to_regtype(cast(:type as text)) as oid) order by e.enumsortorder
"""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its name, quoted for SQL, its type, as the server writes it, and whether it must have a value."""

    name: str
    identifier: sql.SQL
    type: str
    not_null: bool

    def cast(self, parameter: str) -> sql.Composed:
        """A parameter, given as text, in the column's own type."""
        return sql.SQL("cast(cast({} as text) as {})").format(sql.SQL(f":{parameter}"), _escaped(sql.SQL(self.type)))


@dataclass(frozen=True, slots=True)
class UserRow:
    """The row of one account.

    Attributes:
        id: its id as text; None where that was not asked for.
        cost: of its bcrypt hash; None where the hash is no such hash, or not asked for.
        hashed: it has something where the hash belongs.
        differs: the fields whose value is not the declared one: what is there, as text, and what is declared.
    """

    id: str | None
    cost: int | None
    hashed: bool
    differs: Mapping[str, tuple[str | None, str | None]]


class UsersTable:
    """The table as the catalog has it: every identifier and type that is put into SQL comes from there."""

    def __init__(
        self, db: Db, name: str, columns: Mapping[str, str], initial: Mapping[str, Value], *, pattern: str
    ) -> None:
        """Look it up.

        Args:
            name: `table` or `schema.table`.
            columns: the columns' names, by what they are of an account: `email` and whatever else there is.
            initial: values for further columns of a new row.
            pattern: what a whole hash looks like, its cost in the only group.

        Errors: MissingTable, DeclarationError.
        """
        table = db.table(name)
        if table.kind == "v":
            raise DeclarationError(f"{table.label} is a view", hint="declare the table that keeps the accounts")
        self._db = db
        self._label = table.label
        self._table = _escaped(table.identifier)
        self._columns = {field: _column(table, column) for field, column in columns.items()}
        self._initial = {name: _column(table, name) for name in initial}
        self._initial_values = dict(initial)
        self._pattern = f"^{pattern}$"

    def has(self, field: str) -> bool:
        """True when it has a column for this."""
        return field in self._columns

    def requires(self, field: str) -> bool:
        """True when the column for this must have a value."""
        return self.has(field) and self._columns[field].not_null

    def find(self, email: str, wanted: Mapping[str, str]) -> UserRow | None:
        """The row with this e-mail address, each field compared by the server in its column's own type.

        Errors: DeclarationError where several rows have it; BadData where roles are an enum that lacks the wanted one.
        """
        fields = [field for field in wanted if self.has(field)]
        if "role" in fields:
            self._require_role(wanted["role"])
        self.require_room({"email": email, **{field: wanted[field] for field in fields}})
        parts: list[sql.Composable] = [self._id(), *self._hash(), *(self._compared(field) for field in fields)]
        rows = self._db.rows(
            sql.SQL("select {} from {} where {} limit 2").format(_list(parts), self._table, self._match).as_string(),
            **_spellings(email),
            **({"pattern": self._pattern} if self.has("password_hash") else {}),
            **{field: wanted[field] for field in fields},
        )
        if len(rows) > 1:
            raise DeclarationError(
                f"several accounts in {self._label} have the e-mail address {email}, in upper or lower case",
                hint="leave one of them, and add a unique index on lower(email)",
            )
        if not rows:
            return None
        row = rows[0]
        differs = {field: (row[f"{field}_is"], row[f"{field}_wanted"]) for field in fields if row[f"{field}_differs"]}
        return UserRow(row["id"], row.get("hash_cost"), bool(row.get("hashed")), differs)

    def insert(self, values: Mapping[str, str | None]) -> None:
        """Add a row; `values` by what they are of an account. Errors: SeedError and its kinds."""
        self.require_room(values)
        targets = {name: self._columns[name] for name in values}
        parameters: dict[str, str | None] = dict(values)
        for number, (name, value) in enumerate(self._initial_values.items()):
            targets[f"initial_{number}"] = self._initial[name]
            parameters[f"initial_{number}"] = _as_text(value)
        # Other types may well write a value otherwise: 1.50 as 1.5.
        more = {name: column for name, column in targets.items() if name not in values}
        texts = {name: column for name, column in more.items() if column.type.startswith("character")}
        self._require_room({name: (column, parameters[name]) for name, column in texts.items()})
        self._db.execute(
            sql.SQL("insert into {} ({}) values ({})")
            .format(
                self._table,
                _list([column.identifier for column in targets.values()]),
                _list([column.cast(name) for name, column in targets.items()]),
            )
            .as_string(),
            **parameters,
        )

    def update(self, email: str, values: Mapping[str, str]) -> None:
        """Set what `values` names, and nothing else. Errors: SeedError where the row is gone; BadData."""
        self.require_room(values)
        updated = self._db.execute(
            sql.SQL("update {} set {} where {}")
            .format(self._table, _list([self._assigned(field) for field in values]), self._match)
            .as_string(),
            **_spellings(email),
            **values,
        )
        if updated != 1:
            raise SeedError(f"{email} in {self._label} changed meanwhile", hint="apply again")

    def require_room(self, values: Mapping[str, str | None]) -> None:
        """Make sure that columns keep their values whole; `values` by what they are of an account. Errors: BadData."""
        self._require_room({name: (self._columns[name], value) for name, value in values.items() if self.has(name)})

    def password_hash(self, email: str) -> str | None:
        """The hash, for `checkpw` alone: it is to be kept in no other place."""
        found: str | None = self._db.scalar(
            sql.SQL("select cast({} as text) from {} where {}")
            .format(self._columns["password_hash"].identifier, self._table, self._match)
            .as_string(),
            **_spellings(email),
        )
        return found

    def has_one_of(self, roles: Collection[str]) -> bool:
        """True when an account that is enabled has one of these roles."""
        role = self._columns["role"].identifier
        enabled = [self._columns["is_active"].identifier] if self.has("is_active") else []
        found = self._db.scalar(
            sql.SQL("select exists (select from {} where {})")
            .format(
                self._table,
                sql.SQL(" and ").join([sql.SQL("cast({} as text) = any(:roles)").format(role), *enabled]),
            )
            .as_string(),
            roles=list(roles),
        )
        return bool(found)

    @property
    def _match(self) -> sql.Composed:
        """The account of `:email`, its domain in ASCII or not, in a form that an index on lower(email) serves."""
        return sql.SQL(
            "pg_catalog.lower({}) in (pg_catalog.lower(cast(:email as text)), pg_catalog.lower(cast(:as_read as text)))"
        ).format(self._columns["email"].identifier)

    def _id(self) -> sql.Composed:
        if not self.has("id"):
            return sql.SQL("cast(null as text) as {}").format(sql.Identifier("id"))
        return sql.SQL("cast({} as text) as {}").format(self._columns["id"].identifier, sql.Identifier("id"))

    def _hash(self) -> list[sql.Composed]:
        # The hash is judged where it is; only its cost leaves the server.
        if not self.has("password_hash"):
            return []
        column = self._columns["password_hash"].identifier
        return [
            sql.SQL("cast(substring(cast({} as text) from cast(:pattern as text)) as integer) as hash_cost").format(
                column
            ),
            sql.SQL("coalesce(cast({} as text), '') <> '' as hashed").format(column),
        ]

    def _compared(self, field: str) -> sql.Composed:
        column = self._columns[field]
        return sql.SQL(
            "cast({is_} as text) as {name_is}, cast({wanted} as text) as {name_wanted}, "
            "pg_catalog.record_image_ne(row({is_}), row({wanted})) as {name_differs}"
        ).format(
            is_=column.identifier,
            wanted=column.cast(field),
            name_is=sql.Identifier(f"{field}_is"),
            name_wanted=sql.Identifier(f"{field}_wanted"),
            name_differs=sql.Identifier(f"{field}_differs"),
        )

    def _assigned(self, field: str) -> sql.Composed:
        column = self._columns[field]
        return sql.SQL("{} = {}").format(column.identifier, column.cast(field))

    def _require_room(self, values: Mapping[str, tuple[_Column, str | None]]) -> None:
        # SQL's own cast cuts what is too long for its type without a word: half a hash, or another role.
        asked = {name: value for name, (column, value) in values.items() if column.type not in _WHOLE and value}
        if not asked:
            return
        parts = [
            sql.SQL("pg_catalog.rtrim(cast({} as text)) as {}").format(values[name][0].cast(name), sql.Identifier(name))
            for name in asked
        ]
        kept = self._db.row(sql.SQL("select {}").format(_list(parts)).as_string(), **asked)
        for name, value in asked.items():
            column = values[name][0]
            there = "" if kept is None else kept[name] or ""
            if there != value.rstrip(" ") and (value.startswith(there) or name == "password_hash"):
                raise BadData(
                    f"column {column.name} of {self._label} does not take the whole {_SAID.get(name, 'value')} of an"
                    f" account: it is of type {column.type}",
                    hint="let the column be of type text, in a migration",
                )

    def _require_role(self, role: str) -> None:
        column = self._columns["role"]
        labels = [row["label"] for row in self._db.rows(_LABELS, type=column.type)]
        if labels and role not in labels:
            raise BadData(
                f"{role!r} is no role: type {column.type} does not have it",
                hint=did_you_mean(role, labels) or f"it has {', '.join(labels)}",
            )


def _spellings(email: str) -> dict[str, str]:
    """The parameters of `_match`."""
    return {"email": email, "as_read": as_read(email)}


def database_and_time(db: Db) -> tuple[str, str]:
    """The database's name, and the time by its clock, in characters that fit a file's name."""
    where = db.row(
        "select current_database() as database,"
        " pg_catalog.to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD\"T\"HH24MISS\"Z\"') as stamp"
    )
    assert where is not None  # noqa: S101 - one row, whatever there is
    return where["database"], where["stamp"]


def _column(table: Table, name: str) -> _Column:
    column = table.column(name)
    return _Column(column.name, _escaped(sql.Identifier(column.name)), column.type, column.not_null)


def _escaped(part: sql.Composable) -> sql.SQL:
    """A name or type from the catalog, any colon in it marked as not the beginning of a parameter."""
    return sql.SQL(part.as_string().replace(":", "\\:"))


def _list(parts: Collection[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _as_text(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
