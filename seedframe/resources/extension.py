"""Extension: an extension of PostgreSQL that must be created in the database."""

from typing import Final, LiteralString

from psycopg import sql

from seedframe.changes import Change, Changes, Counts
from seedframe.database.db import Db
from seedframe.errors import DeclarationError, PermissionDenied, SeedError, did_you_mean

_STATE: Final[LiteralString] = """
SELECT e.extversion AS installed, a.name IS NOT NULL AS available,
       coalesce(r.rolsuper, false)
       OR (coalesce(v.trusted, false) AND pg_catalog.has_database_privilege(current_database(), 'CREATE'))
       OR (NOT coalesce(v.superuser, true) AND pg_catalog.has_database_privilege(current_database(), 'CREATE'))
           AS permitted
  FROM (SELECT CAST(:name AS name) AS name) AS wanted
  LEFT JOIN pg_extension e ON e.extname = wanted.name
  LEFT JOIN pg_available_extensions a ON a.name = wanted.name
  LEFT JOIN pg_available_extension_versions v ON v.name = a.name AND v.version = a.default_version
  LEFT JOIN pg_roles r ON r.rolname = current_user
"""


class Extension:
    """An extension, created when the server offers it.

    Args:
        name: as in `CREATE EXTENSION`: "pgcrypto".
        required: whether it is an error when the server does not offer it, or the role may not create it; else it is
            skipped with a reason.
        schema: the schema its objects go to; the target's by default.
    """

    def __init__(self, name: str, *, required: bool = True, schema: str | None = None) -> None:
        self._extension = name
        self._required = required
        self._schema = schema

    @property
    def name(self) -> str:
        """`extension:` and its name."""
        return f"extension:{self._extension}"

    @property
    def tables(self) -> tuple[str, ...]:
        """None."""
        return ()

    def describe(self) -> str:
        """ "extension pgcrypto"."""
        return f"extension {self._extension}{'' if self._required else ' (optional)'}"

    def diff(self, db: Db) -> Changes:
        """One create, or nothing. Errors: DeclarationError (not offered), PermissionDenied."""
        state = db.row(_STATE, name=self._extension)
        if state is None:
            raise SeedError("the server does not list its extensions")
        if state["installed"] is not None:
            return Changes(counts=Counts(unchanged=1))
        if not state["available"]:
            if not self._required:
                return Changes(skipped_reason=f"this server does not offer the extension {self._extension}")
            offered = [row["name"] for row in db.rows("SELECT name FROM pg_available_extensions")]
            raise DeclarationError(
                f"this server does not offer the extension {self._extension!r}",
                hint=did_you_mean(self._extension, offered)
                or "install the package that has it, e.g. postgresql-contrib",
            )
        if not state["permitted"]:
            if not self._required:
                return Changes(skipped_reason=f"this role may not create the extension {self._extension}")
            raise PermissionDenied(
                f"the role may not create the extension {self._extension}",
                hint="have a superuser create it, or GRANT CREATE ON DATABASE where it is a trusted one",
            )
        after = {"schema": self._schema} if self._schema is not None else {}
        return Changes.of([Change("create", {"extension": self._extension}, None, after)])

    def delete(self, db: Db, changes: Changes) -> None:
        """Nothing: an extension is never dropped."""

    def write(self, db: Db, changes: Changes) -> None:  # noqa: ARG002 - the protocol's
        """Create it."""
        statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(self._extension))
        if self._schema is not None:
            statement += sql.SQL(" SCHEMA {}").format(sql.Identifier(self._schema))
        # text() takes a colon for a parameter; a quoted name may hold one.
        db.execute(statement.as_string().replace(":", "\\:"))
