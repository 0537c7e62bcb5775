"""Weighing a plan before any of it is done: whether it is too much, and what it does to rows of other tables."""

from collections.abc import Callable, Iterator, Sequence

from psycopg import sql

from seedframe.changes import Finding, rows_text
from seedframe.configuration.limits import Limit
from seedframe.database.cascades import Effect, effects_of
from seedframe.database.column_sql import equals
from seedframe.database.declared import Shape
from seedframe.database.rowids import RowIds, at_place, joined_parameters, placed
from seedframe.database.session import Session
from seedframe.database.source import Source
from seedframe.database.surroundings import Surroundings
from seedframe.database.table import Table
from seedframe.errors import ConstraintViolated, DeclarationError, TooManyChanges


def effects_on_others(session: Session, table: Table, rows: RowIds, around: Surroundings) -> list[Effect]:
    """What deleting these rows does besides. Errors: ConstraintViolated where rows that stay refer to them."""
    effects = effects_of(session, table.oid, rows, around.doomed)
    for effect in effects:
        if effect.rule == "refused":
            raise ConstraintViolated(
                f"{rows_text(len(rows))} of {table.label} cannot be deleted:"
                f" {rows_text(effect.rows)} of {effect.table} {_refer(effect.rows)} ({effect.constraint})",
                hint="have those rows deleted, or apply first what points them elsewhere, then remove these",
                where=around.resource,
            )
    return effects


def require_said(effects: Sequence[Effect], table: Table, rows: int, around: Surroundings) -> None:
    """What deleting does besides, it does to tables that a plugin's seed says it writes. Errors: DeclarationError."""
    if around.may_change is None or not effects:
        return
    said = around.may_change()
    for effect in effects:
        if effect.rule in ("deleted", "set") and effect.oid not in said:
            which = f"{rows_text(effect.rows)} of {effect.table}"
            done = (
                f"takes {which} along (ON DELETE CASCADE)"
                if effect.rule == "deleted"
                else f"sets a column of {which} to {effect.value} ({effect.constraint})"
            )
            raise DeclarationError(
                f"deleting {rows_text(rows)} of {table.label} {done}, a table that this plugin's seed does not say it"
                " writes",
                hint="have those rows deleted or pointed elsewhere first; or, if it is right to, the plugin's author"
                " adds the table to WRITES",
                where=around.resource,
            )


def told_of(effects: Sequence[Effect], table: Table, rows: int, around: Surroundings) -> Iterator[Finding]:
    """What a person should be told of these effects."""
    what = f"{around.resource}: deleting {rows_text(rows)} of {table.label}"
    for effect in effects:
        which = f"{rows_text(effect.rows)} of {effect.table}"
        if effect.rule == "deleted":
            declarers = around.store.declarers(effect.table)
            theirs = (
                f"; {', '.join(declarers)} declare{'s' if len(declarers) == 1 else ''} rows there" if declarers else ""
            )
            yield Finding(f"{what} takes {which} along (ON DELETE CASCADE){theirs}", "warning")
        elif effect.rule == "set":
            yield Finding(f"{what} sets a column of {which} to {effect.value} ({effect.constraint})", "warning")
        elif effect.rule == "deferred":
            yield Finding(
                f"{what} fails at the end unless {which} {_refer(effect.rows)} no more ({effect.constraint})",
                "warning",
            )
        elif effect.rule == "unseen":
            yield Finding(
                f"{what} may change rows of {effect.table}, which this role may not read ({effect.constraint})",
                "warning",
            )


def along(effects: Sequence[Effect]) -> int:
    """How many rows are deleted along."""
    return sum(effect.rows for effect in effects if effect.rule == "deleted")


def referring(session: Session, shape: Shape, source: Source, doomed: Callable[[int], Sequence[RowIds]]) -> int | None:
    """The line of the first declared row with a reference to a row that is to go; None when there is none."""
    for field, reference in shape.references:
        gone = list(doomed(reference.parent.oid))
        if not gone or (field.role != "key" and field not in shape.managed):
            continue
        statement = sql.SQL("{}SELECT pg_catalog.min(d.line) FROM {} JOIN {} AS t ON {} JOIN {} ON {}").format(
            source.prefix,
            source.relation,
            reference.parent.source,
            equals(reference.value, sql.Identifier("t", reference.value.name), field.desired),
            placed(len(source.parameters) + 1),
            at_place(),
        )
        with session.set_based():
            line = session.scalar(statement, [*source.parameters, *joined_parameters(gone)])
        if line is not None:
            return int(line)
    return None


def require_within(limit: Limit, name: str, rows: int, there: int, what: str, resource: str) -> None:
    """Errors: TooManyChanges when `rows` is more than the limit allows where `there` are there."""
    most = limit.of(there)
    if rows <= most:
        return
    allowed = f"{name}={limit}" if limit.share is None else f"{name}={limit} of {there}, that is {most},"
    raise TooManyChanges(
        f"{rows_text(rows)} {what}, but {allowed} is what is allowed",
        hint=f"if it is meant: Rows(…, {name}={rows}); or {name} under [limits] in seedframe.toml, where Rows has none",
        where=resource,
    )


def _refer(count: int) -> str:
    return "refers to them" if count == 1 else "refer to them"
