"""Tables: tables that must be there before anything is declared of them."""

from seedframe.changes import Changes, Counts
from seedframe.database.db import Db
from seedframe.errors import DeclarationError, MissingTable


class Tables:
    """Tables that must exist; or, with `required=False`, whose absence skips the resources of the seed that need them.

    Args:
        names: `name` or `schema.name`.
        required: whether absence is an error.
        hint: what to do when one is missing.
    """

    def __init__(self, *names: str, required: bool = True, hint: str | None = None) -> None:
        if not names:
            raise DeclarationError("Tables() names no table", hint='write Tables("users", …)')
        self.names = names
        # A list of tables leaves nothing behind that could be orphaned or drift.
        self.keeps_baseline = False
        self._required = required
        self._hint = hint

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
        """Never a change: a table is there, or an error, or (optional) noted as absent. Errors: MissingTable."""
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
        absent = [name for name in self.names if db.is_absent(name)]
        if absent:
            return Changes(
                counts=Counts(unchanged=len(self.names) - len(absent)),
                skipped_reason=f"optional table {', '.join(absent)} does not exist",
            )
        return Changes(counts=Counts(unchanged=len(self.names)))

    def delete(self, db: Db, changes: Changes) -> None:
        """Nothing."""

    def write(self, db: Db, changes: Changes) -> None:
        """Nothing: tables are the migrations' work."""
