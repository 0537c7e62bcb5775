"""Server errors as seedframe's: what was refused, by which rule, where; never a row's contents."""

import re
from typing import Final

import psycopg
from psycopg import errors as pg

from seedframe.errors import (
    BadData,
    ConnectionFailed,
    ConnectionLost,
    ConstraintViolated,
    DeclarationError,
    LockTimeout,
    Misbehaved,
    MissingTable,
    OutcomeUnknown,
    PermissionDenied,
    SeedError,
    SeedframeError,
)

# Of the connection, the transaction, the server's resources, another session or an operator: never of one row.
_NOT_OF_A_ROW: Final = frozenset({"08", "25", "26", "28", "2D", "3B", "40", "53", "55", "57", "58", "F0"})

_FUNCTION: Final = re.compile(r"function (?P<name>[^\s(]+)\(")

_CONSTRAINT_WORDS: Final = {
    "23502": "NULL in a column that must have a value",
    "23503": "foreign key",
    "23505": "unique constraint",
    "23514": "check constraint",
    "23P01": "exclusion constraint",
}


def is_connection_lost(error: psycopg.Error) -> bool:
    """True when the server or the network ended the connection, rather than refused a statement."""
    if error.diag.severity_nonlocalized in ("FATAL", "PANIC"):
        return True
    state = error.sqlstate or ""
    return isinstance(error, psycopg.OperationalError) and (
        state == "" or state.startswith("08") or state in ("57P01", "57P02", "57P03")
    )


def is_recovery_conflict(error: psycopg.Error) -> bool:
    """True when a standby cut a query off, or its connection, to go on replaying what the primary did.

    Source: postgres.c, where the server looks for interrupts, has no other errors of class 40. The words are in the
    server's language, and a standby gives serialization failures for no other reason.
    """
    return (error.sqlstate or "").startswith("40") and error.diag.source_file == "postgres.c"


def standby() -> ConnectionFailed:
    """The error of a run that is to write where nothing can be written."""
    return ConnectionFailed(
        "the server is a standby: it can be verified, but not written to",
        hint="connect to the primary; target_session_attrs=read-write finds it",
    )


def may_be_of_a_row(error: SeedframeError) -> bool:
    """Whether the server's refusal of a statement may be that of one of its rows: a trigger may raise any code."""
    cause = error.__cause__
    state = cause.sqlstate if isinstance(cause, psycopg.Error) else None
    return state is not None and state[:2] not in _NOT_OF_A_ROW


def is_of_rules(error: SeedframeError) -> bool:
    """Whether it is the refusal of a NULL, a check or a unique index: what can be told without writing, too."""
    cause = error.__cause__
    return isinstance(cause, psycopg.Error) and cause.sqlstate in ("23502", "23505", "23514")


def swallowed(first: SeedframeError | None = None) -> Misbehaved:
    """The error of a hook that went on after an SQL error, in a transaction that is void since then.

    Args:
        first: that error, where it is known.
    """
    what = f": {first.message}" if first is not None else ""
    return Misbehaved(
        f"went on after an SQL error that it swallowed{what}", hint="let the error of the first failed statement out"
    )


def explain(
    error: psycopg.Error, *, role: str = "the role", lost: bool = False, committing: bool = False
) -> SeedframeError:
    """The error a user sees for a server's. DETAIL and CONTEXT, which carry row contents, are left out.

    Args:
        lost: True when the connection is of no use any more, whatever the error says: between a pooler's last words and
            the server's, psycopg finds two answers to one command.
        committing: the statement was COMMIT: when the connection was lost meanwhile, nobody here knows its outcome.

    Source of the codes: PostgreSQL's appendix "Error Codes".
    """
    diag = error.diag
    state = error.sqlstate or ""
    primary = _one_line(diag.message_primary or str(error).partition("\n")[0])
    table = ".".join(part for part in (diag.schema_name, diag.table_name) if part) or None
    if is_recovery_conflict(error):
        return ConnectionFailed(
            f"the standby broke off what was being read, for the sake of its replay: {primary}",
            hint="run it again, raise max_standby_streaming_delay there, or turn on hot_standby_feedback",
            retryable=True,
        )
    if lost or is_connection_lost(error):
        if committing:
            return OutcomeUnknown(
                f"the connection to the server was lost during COMMIT, so that its outcome is not known: {primary}",
                hint="run the command again: it looks at what is there, and does what is left",
            )
        again = "make room on the server's disk" if state == "53100" else "run the command again"
        return ConnectionLost(
            f"the connection to the server was lost: {primary}", hint=f"what was at work is rolled back; {again}"
        )
    if state == "42501":
        return PermissionDenied(
            f"{role} may not do this: {primary}", hint="grant the privilege, or connect as a role that has it"
        )
    if state == "55P03":
        return LockTimeout(f"another session holds a lock: {primary}", hint="wait for it to end, or raise lock_timeout")
    if state in ("40001", "40P01"):
        return SeedError(
            f"another session was in the way: {primary} [{state}]", hint="run it again when that one is done"
        )
    if state == "57014":
        return SeedError(
            f"the server ended the statement: {primary}", hint="raise statement_timeout if it is too short"
        )
    if state == "25006":
        return Misbehaved(
            f"wrote where it may only read: {primary}",
            hint="only `apply` may write; declare rows as resources, or make the change in `apply`",
        )
    if state == "25P02":
        return swallowed()
    if state in ("42P01", "3F000"):
        return MissingTable(primary, hint="correct the name, or run migrations first: seedframe db init")
    if state == "44000":
        return ConstraintViolated(f"the check option of a view refused a row: {primary}", where=table)
    if state.startswith("23"):
        return _constraint(state, diag, table, primary)
    if state.startswith("22"):
        place = f" (column {diag.column_name})" if diag.column_name else ""
        return BadData(f"a value does not fit its column: {quiet(primary)}{place}", where=table)
    if state == "53100":
        return SeedError(f"the server's disk is full: {primary}", hint="nothing of it is kept; make room and run again")
    if isinstance(error, pg.SyntaxErrorOrAccessRuleViolation):
        return DeclarationError(f"the server refused the SQL: {primary} [{state}]")
    return SeedError(f"the server refused: {primary} [{state}]")


def _constraint(state: str, diag: psycopg.errors.Diagnostic, table: str | None, primary: str) -> ConstraintViolated:
    word = _CONSTRAINT_WORDS.get(state, "constraint")
    if state == "23502" and diag.column_name:
        return null_refused(diag.column_name, table)
    if state == "23514" and diag.source_function == "ExecFindPartition":
        return ConstraintViolated(
            f"no partition of {table} takes this row",
            hint="CREATE TABLE … PARTITION OF it FOR VALUES that include the row's, or a DEFAULT one",
            where=table,
        )
    if state == "23514" and diag.source_function == "ExecPartitionCheckEmitError":
        return ConstraintViolated(
            f"{table} is a partition, and this row belongs to another",
            hint="declare the partitioned table",
            where=table,
        )
    if diag.constraint_name:
        return refused_by(word, diag.constraint_name, table)
    return ConstraintViolated(f"the {word}: {quiet(primary)} refused a row", where=table)


def null_refused(column: str, table: str | None) -> ConstraintViolated:
    """The error of a row without a value that it must have."""
    return ConstraintViolated(
        f"column {column!r} must have a value",
        hint="declare the column in every row, or give it a default",
        where=table,
    )


def refused_by(word: str, name: str, table: str | None) -> ConstraintViolated:
    """The error of a row that a constraint refuses: "check constraint", and its name."""
    return ConstraintViolated(f"the {word} {name} refused a row", where=table)


def held(error: ConstraintViolated, holder: str, hint: str = "give one of the two another value") -> ConstraintViolated:
    """The same refusal, naming the row that has what the refused one would take."""
    told = ConstraintViolated(f"{error.message}: {holder} has its value", hint=hint, where=error.where)
    told.__cause__ = error.__cause__
    return told


def _one_line(text: str) -> str:
    return re.sub(r"\s*[\r\n]+\s*", " ", text).strip()


def quiet(message: str) -> str:
    """The message without the quoted value at its end: `invalid input syntax for type numeric: "…"`."""
    return re.sub(r': ".*"$', "", message)


def refused_by_function(error: SeedframeError) -> SeedframeError:
    """The same error, told as that of the function which raised it; as it is where none did, or not for a row."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error) or cause.diag.source_function != "exec_stmt_raise":
        return error
    if not may_be_of_a_row(error):
        return error
    # The first line of the context is the function's own place; those after it may quote values.
    found = _FUNCTION.search((cause.diag.context or "").partition("\n")[0])
    told = ConstraintViolated(
        f"function {found['name'] if found else '?'} refused a row: {_one_line(cause.diag.message_primary or '')}"
        f" [{cause.sqlstate}]",
        hint="look at the table's triggers",
        where=error.where,
    )
    told.__cause__ = cause
    return told


def withheld(error: SeedframeError, where: str) -> SeedframeError:
    """The same error without the words of a trigger or function, which may tell of secrets in the row it was given."""
    cause = error.__cause__
    if not isinstance(cause, psycopg.Error) or not cause.diag.context:
        return error
    quieted = type(error)(
        f"a trigger or function refused a row [{cause.sqlstate}]; what it said is withheld, as the rows hold secrets",
        hint="look at the table's triggers; the server's own log may have its words",
    )
    quieted.where = error.where or where
    quieted.sqlstate = cause.sqlstate
    return quieted
