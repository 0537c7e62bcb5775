"""What the server writes into its own log while secrets are at work: as little as the role may ask for."""

from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.session import Session

# Bound values are left out of what is logged of statements; an error, whose words may quote a value and whose DETAIL
# and CONTEXT quote the row, is told to us alone. The statements themselves are logged as ever.
_QUIET: Final = {
    "log_parameter_max_length": "0",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

# Anybody may set it, and has to: the others may be refused.
_ON_ERROR: Final = sql.SQL("pg_catalog.set_config('log_parameter_max_length_on_error', '0', true)")

_SINCE_15: Final[LiteralString] = "pg_catalog.has_parameter_privilege({}, 'SET')"
_SUPERUSER: Final[LiteralString] = "pg_catalog.current_setting('is_superuser') = 'on'"


def be_discreet(session: Session) -> bool:
    """Until the transaction ends, keep bound values and the words of errors out of the server's log.

    Returns:
        False where the role may not decide that: it is no superuser, and has no GRANT SET ON PARAMETER (PostgreSQL 15).

    Source of the order of levels: PostgreSQL's documentation, "Message Severity Levels": for the server's log, LOG is
    above ERROR.
    """
    allowed = _SINCE_15 if session.server_version_num >= 150000 else _SUPERUSER
    asked = [
        sql.SQL("CASE WHEN {} THEN pg_catalog.set_config({}, {}, true) IS NOT NULL ELSE false END").format(
            sql.SQL(allowed).format(sql.Literal(name)), sql.Literal(name), sql.Literal(value)
        )
        for name, value in _QUIET.items()
    ]
    row = session.first(sql.SQL("SELECT {}, {}").format(_ON_ERROR, sql.SQL(", ").join(asked)))
    return row is not None and all(row[1:])
