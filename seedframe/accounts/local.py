"""LocalAccounts: accounts in a table of the application's own, with bcrypt hashes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from psycopg import sql

from seedframe.accounts.handover import keep_password
from seedframe.accounts.passwords import (
    HASH_PATTERN,
    PLACEHOLDER_HASH,
    ROUNDS,
    check_password,
    generate_password,
    hash_password,
)
from seedframe.database.catalog import Table
from seedframe.database.db import Db
from seedframe.errors import BadData, DeclarationError, SeedError, did_you_mean
from seedframe.resources.account import FIELDS, FoundAccount, Identity
from seedframe.secrets import Secret

Value: TypeAlias = str | int | bool | None

_COLUMNS: Final[dict[str, str]] = {name: name for name in ("email", "password_hash", *FIELDS)}

_LABELS: Final = """
select cast(e.enumlabel as text) as label from pg_enum e
 where e.enumtypid = to_regtype(cast(:type as text)) order by e.enumsortorder
"""


@dataclass(frozen=True, slots=True)
class _Column:
    """One column: its name, quoted for SQL, and its type, as the server writes it."""

    identifier: sql.SQL
    type: str

    def cast(self, parameter: str) -> sql.Composed:
        """A parameter, given as text, in the column's own type."""
        return sql.SQL("cast(cast({} as text) as {})").format(sql.SQL(f":{parameter}"), _escaped(sql.SQL(self.type)))


@dataclass(frozen=True, slots=True)
class _Users:
    """The table as the catalog has it: every identifier and type that is put into SQL comes from here."""

    table: sql.SQL
    columns: Mapping[str, _Column]
    initial: Mapping[str, _Column]

    @property
    def match(self) -> sql.Composed:
        """The account of `:email`, in a form that an index on lower(email) serves."""
        return sql.SQL("lower({}) = lower(cast(:email as text))").format(self.columns["email"].identifier)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields the table has a column for."""
        return tuple(field for field in FIELDS if field in self.columns)


class LocalAccounts:
    """The accounts in one table of the target."""

    def __init__(
        self,
        table: str = "users",
        *,
        columns: Mapping[str, str | None] | None = None,
        initial: Mapping[str, Value] | None = None,
    ) -> None:
        """Name the table and what its columns are called.

        Args:
            table: `table` or `schema.table`.
            columns: where a column has a name other than `email`, `password_hash`, `first_name`, `last_name`, `role`
                or `is_active`; None where the table has no such column (not for the first two).
            initial: values for further columns of a new account, as `{"email_verified": True}`.

        Errors: DeclarationError for unknown fields or a column that is named twice.
        """
        mapping: dict[str, str | None] = {**_COLUMNS, **(columns or {})}
        for field in mapping:
            if field not in _COLUMNS:
                raise DeclarationError(
                    f"an account has no field {field!r}",
                    hint=did_you_mean(field, _COLUMNS) or f"its fields are {', '.join(_COLUMNS)}",
                )
        for field in ("email", "password_hash"):
            if mapping[field] is None:
                raise DeclarationError(f"accounts in a table need a column for {field}")
        self._table = table
        self._columns = {field: name for field, name in mapping.items() if name is not None}
        self._initial = dict(initial or {})
        named = [*self._columns.values(), *self._initial]
        twice = next((name for name in named if named.count(name) > 1), None)
        if twice is not None:
            raise DeclarationError(f"column {twice!r} of {table} is named twice", hint="name it once")

    @property
    def tables(self) -> tuple[str, ...]:
        """The one table."""
        return (self._table,)

    def describe(self) -> str:
        """`table users`."""
        return f"table {self._table}"

    def vet(self, email: str, password: Secret) -> None:
        """Errors: BadData for a password that bcrypt does not take whole."""
        check_password(password, email)

    def find(self, db: Db, identity: Identity) -> FoundAccount | None:
        """The account with this e-mail address, compared by the server, each field in its column's own type.

        Errors: MissingTable, DeclarationError, BadData.
        """
        users = self._look_up(db)
        fields = [field for field in users.fields if field in identity.fields]
        if "role" in fields:
            _check_role(db, users.columns["role"], identity.fields["role"])
        rows = db.rows(
            sql.SQL("select {} from {} where {} limit 2")
            .format(_list([_cost(users), *(_compared(users, field) for field in fields)]), users.table, users.match)
            .as_string(),
            email=identity.email,
            pattern=f"^{HASH_PATTERN}$",
            **{field: identity.fields[field] for field in fields},
        )
        if len(rows) > 1:
            raise DeclarationError(
                f"several accounts in {self._table} have the e-mail address {identity.email}, in upper or lower case",
                hint="leave one of them, and add a unique index on lower(email)",
            )
        if not rows:
            return None
        row = rows[0]
        differs = {field: (row[f"{field}_is"], row[f"{field}_wanted"]) for field in fields if row[f"{field}_differs"]}
        return FoundAccount(differs, _remarks(identity.email, row["hash_cost"]))

    def create(self, db: Db, identity: Identity, password: Secret | None) -> None:
        """Insert the account; a generated password is in its file before this returns. Errors: SeedError."""
        users = self._look_up(db)
        generated = generate_password() if password is None and not db.rehearsal else None
        values: dict[str, str | None] = {
            "email": identity.email,
            "password_hash": _hash(db, generated if password is None else password, identity.email),
            **{field: identity.fields[field] for field in users.fields if field in identity.fields},
        }
        targets = {name: users.columns[name] for name in values}
        for number, (name, value) in enumerate(self._initial.items()):
            targets[f"initial_{number}"] = users.initial[name]
            values[f"initial_{number}"] = _as_text(value)
        db.execute(
            sql.SQL("insert into {} ({}) values ({})")
            .format(
                users.table,
                _list([column.identifier for column in targets.values()]),
                _list([column.cast(name) for name, column in targets.items()]),
            )
            .as_string(),
            **values,
        )
        if generated is not None:
            _hand_over(db, identity.email, generated)

    def update(self, db: Db, identity: Identity, fields: Collection[str]) -> None:
        """Set these fields to what is declared. Errors: SeedError where the account is gone."""
        users = self._look_up(db)
        updated = db.execute(
            sql.SQL("update {} set {} where {}")
            .format(users.table, _list([_assigned(users.columns[field], field) for field in fields]), users.match)
            .as_string(),
            email=identity.email,
            **{field: identity.fields[field] for field in fields},
        )
        if updated != 1:
            raise SeedError(f"{identity.email} in {self._table} changed meanwhile", hint="apply again")

    def _look_up(self, db: Db) -> _Users:
        table = db.table(self._table)
        if table.kind == "v":
            raise DeclarationError(f"{table.label} is a view", hint="declare the table that keeps the accounts")
        return _Users(
            _escaped(table.identifier),
            {field: _column(table, name) for field, name in self._columns.items()},
            {name: _column(table, name) for name in self._initial},
        )


def _column(table: Table, name: str) -> _Column:
    column = table.column(name)
    return _Column(_escaped(sql.Identifier(column.name)), column.type)


def _escaped(part: sql.Composable) -> sql.SQL:
    """A name or type from the catalog, any colon in it marked as not the beginning of a parameter."""
    return sql.SQL(part.as_string().replace(":", "\\:"))


def _list(parts: Collection[sql.Composable]) -> sql.Composed:
    return sql.SQL(", ").join(parts)


def _cost(users: _Users) -> sql.Composed:
    # The hash is judged where it is; only its cost leaves the server.
    return sql.SQL("cast(substring({} from cast(:pattern as text)) as integer) as hash_cost").format(
        users.columns["password_hash"].identifier
    )


def _compared(users: _Users, field: str) -> sql.Composed:
    column = users.columns[field]
    return sql.SQL(
        "cast({is_} as text) as {name_is}, cast({wanted} as text) as {name_wanted}, "
        "record_image_ne(row({is_}), row({wanted})) as {name_differs}"
    ).format(
        is_=column.identifier,
        wanted=column.cast(field),
        name_is=sql.Identifier(f"{field}_is"),
        name_wanted=sql.Identifier(f"{field}_wanted"),
        name_differs=sql.Identifier(f"{field}_differs"),
    )


def _assigned(column: _Column, field: str) -> sql.Composed:
    return sql.SQL("{} = {}").format(column.identifier, column.cast(field))


def _check_role(db: Db, column: _Column, role: str) -> None:
    """Errors: BadData where roles are an enum that lacks this one."""
    labels = [row["label"] for row in db.rows(_LABELS, type=column.type)]
    if labels and role not in labels:
        raise BadData(
            f"{role!r} is no role: type {column.type} does not have it",
            hint=did_you_mean(role, labels) or f"it has {', '.join(labels)}",
        )


def _remarks(email: str, cost: int | None) -> tuple[str, ...]:
    if cost is None:
        return (f"the password hash of {email} is no bcrypt hash: reset its password, unless another scheme is meant",)
    if cost < ROUNDS:
        return (f"the password hash of {email} has cost {cost}, less than {ROUNDS}: change its password",)
    return ()


def _hash(db: Db, password: Secret | None, owner: str) -> str:
    # A rehearsal is rolled back: it needs a hash that passes for one, not the time that a real one takes.
    if password is None or db.rehearsal:
        return PLACEHOLDER_HASH
    return hash_password(password, owner)


def _hand_over(db: Db, email: str, password: Secret) -> None:
    where: Any = db.row(
        "select current_database() as database,"
        " to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD\"T\"HH24MISS\"Z\"') as stamp"
    )
    path = keep_password(db.state_dir, email, password, database=where["database"], stamp=where["stamp"])
    db.note(f"a password was generated for {email}: it is in {path}; sign in, change it, delete the file")


def _as_text(value: Value) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)
