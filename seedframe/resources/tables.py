"""Tables: tables that must be there, with their columns, before anything is declared of them."""

from collections.abc import Mapping, Sequence

from seedframe.changes import Changes, Counts
from seedframe.database.db import Db
from seedframe.errors import DeclarationError, MissingTable, did_you_mean


class Tables:
    """Tables that must exist; or, with `required=False`, whose absence skips the resources of the seed that need them.

    Args:
        names: `name` or `schema.name`.
        required: whether absence is an error.
        hint: what to do when one is missing, or one of its columns.
        columns: by table, the columns that one which is there must have.

    Errors: DeclarationError for no names, and for `columns` that do not fit them.
    """

    def __init__(
        self,
        *names: str,
        required: bool = True,
        hint: str | None = None,
        columns: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        if not names:
            raise DeclarationError("Tables() names no table", hint='write Tables("users", …)')
        for name, wanted in (columns or {}).items():
            if name not in names:
                near = did_you_mean(name, names) or f"the tables are {', '.join(names)}"
                raise DeclarationError(f"columns= of {name!r}, which is none of the tables", hint=near)
            if isinstance(wanted, str):
                raise DeclarationError(f"columns= of {name!r} is one text", hint=f'write ["{wanted}"]')
        self.names = names
        # A list of tables leaves nothing behind that could be orphaned or drift.
        self.keeps_baseline = False
        self._required = required
        self._hint = hint
        self._columns = dict(columns or {})

    @property
    def name(self) -> str:
        """`tables:` and the names."""
        return f"tables:{','.join(self.names)}"

    @property
    def tables(self) -> tuple[str, ...]:
        """None: it writes nothing."""
        return ()

    def describe(self) -> str:
        """ "tables users, medications exist"."""
        optional = "" if self._required else " (optional)"
        return f"table{'' if len(self.names) == 1 else 's'} {', '.join(self.names)}{optional}"

    def diff(self, db: Db) -> Changes:
        """Never a change: a table is there, or an error, or (optional) noted as absent.

        Errors: MissingTable; DeclarationError for a column that is not there.
        """
        missing: list[MissingTable] = []
        for name in db.catalog.absent(self.names):
            db.catalog.forget(name)
            if self._required:
                missing.append(db.catalog.missing(name, hint=self._hint))
            else:
                db.mark_absent(name)
        if len(missing) == 1:
            raise missing[0]
        if missing:
            raise MissingTable(
                f"{len(missing)} tables do not exist: {', '.join(error.message.split()[1] for error in missing)}",
                hint=missing[0].hint,
            )
        self._require_columns(db)
        absent = [name for name in self.names if db.is_absent(name)]
        if absent:
            return Changes(
                counts=Counts(unchanged=len(self.names) - len(absent)),
                skipped_reason=f"optional table {', '.join(absent)} does not exist",
            )
        return Changes(counts=Counts(unchanged=len(self.names)))

    def _require_columns(self, db: Db) -> None:
        lacking: list[str] = []
        hints: list[str] = []
        for name, wanted in self._columns.items():
            if db.is_absent(name):
                continue
            table = db.table(name)
            missing = [column for column in wanted if column not in table.columns]
            if missing:
                several = "s" if len(missing) > 1 else ""
                lacking.append(f"table {table.label} has no column{several} {', '.join(map(repr, missing))}")
                near = did_you_mean(missing[0], table.columns)
                hints.append(near or f"its columns are {', '.join(table.columns)}")
        if lacking:
            raise DeclarationError("; ".join(lacking), hint=self._hint or hints[0], where=self.name)

    def delete(self, db: Db, changes: Changes) -> None:
        """Nothing."""

    def write(self, db: Db, changes: Changes) -> None:
        """Nothing: tables are the migrations' work."""
