"""Views: those that the server itself can insert into and update, as tables with the keys of the table below."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, LiteralString

from seedframe.database.catalog import Catalog
from seedframe.database.session import Session
from seedframe.database.table import Table, TableColumn, UniqueIndex
from seedframe.errors import DeclarationError

_INSERTS_AND_UPDATES: Final = 8 | 4

_VIEW: Final[LiteralString] = """
SELECT pg_catalog.pg_relation_is_updatable($1::oid, false) AS can,
       EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = $1::oid AND t.tgtype::integer & 64 <> 0) AS triggers,
       EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_type <> '1') AS rules,
       (SELECT r.ev_action::text FROM pg_rewrite r WHERE r.ev_class = $1::oid AND r.ev_type = '1') AS query,
       (SELECT pg_catalog.json_object_agg(a.attnum, a.attname) FROM pg_attribute a
         WHERE a.attrelid = $1::oid AND a.attnum > 0) AS names
"""

_PLAIN: Final = re.compile(
    r"\{TARGETENTRY :expr \{VAR [^{}]*\} :resno (?P<number>\d+) :resname (?:[^ \\]|\\.)+ :ressortgroupref \d+"
    r" :resorigtbl (?P<table>\d+) :resorigcol (?P<column>\d+) :resjunk false\}"
)


@dataclass(frozen=True, slots=True)
class _Below:
    """What a view shows: rows of a table, whose columns may have other names there.

    Attributes:
        table: the table, as the catalog has it.
        names: the view's name of each of the table's columns that it shows as it is.
    """

    table: Table
    names: dict[str, str]


def _below(session: Session, catalog: Catalog, view: Table) -> _Below:
    """The table that a view shows rows of, through other views too.

    Errors: DeclarationError for a view that the server cannot write through by itself.
    """
    facts = session.first_dict(_VIEW, [view.oid])
    assert facts is not None  # noqa: S101 - a query without FROM returns one row
    if facts["triggers"] or facts["rules"]:
        raise _refused(view, f"writes through {'INSTEAD OF triggers' if facts['triggers'] else 'rules'} of its own")
    if facts["can"] & _INSERTS_AND_UPDATES != _INSERTS_AND_UPDATES:
        raise _refused(view, "cannot be inserted into and updated by the server itself")
    names = {int(number): name for number, name in facts["names"].items()}
    shown = [
        (int(entry["table"]), int(entry["column"]), names[int(entry["number"])]) for entry in _plain(facts["query"])
    ]
    oid = next(iter({table for table, _, _ in shown}), None)
    if oid is None:
        raise _refused(view, "shows no column of a table as it is")
    table = catalog.read(oid)
    numbers = dict(session.query("SELECT attnum::integer, attname FROM pg_attribute WHERE attrelid = $1::oid", [oid]))
    direct = {numbers[column]: name for _, column, name in shown}
    if table.kind != "v":
        return _Below(table, direct)
    deeper = _below(session, catalog, table)
    return _Below(deeper.table, {name: direct[there] for name, there in deeper.names.items() if there in direct})


def _plain(query: str) -> Iterator[re.Match[str]]:
    """The columns of a stored query that are a column of its table, and not those of queries within it."""
    depth, position = 0, 0
    while position < len(query):
        character = query[position]
        if character == "\\":
            position += 2
            continue
        if character == "{":
            depth += 1
            entry = _PLAIN.match(query, position) if depth == 2 else None
            if entry is not None:
                yield entry
        elif character == "}":
            depth -= 1
        position += 1


def _refused(view: Table, why: str) -> DeclarationError:
    return DeclarationError(f"view {view.label} {why}", hint="declare the table whose rows are meant")


def as_table(session: Session, catalog: Catalog, view: Table) -> Table:
    """The view, with what the table below has for the columns that it shows: keys, foreign keys, NOT NULL, defaults.

    Errors: DeclarationError for a view that the server cannot write through by itself.
    """
    under = _below(session, catalog, view)
    own = {there: under.table.columns[name] for name, there in under.names.items()}
    columns = {name: _column(column, own.get(name)) for name, column in view.columns.items()}
    return replace(
        view,
        columns=columns,
        unique=tuple(_renamed(index, under) for index in under.table.unique if _shows(under, index.columns)),
        foreign_keys=tuple(
            replace(key, columns=tuple(under.names[name] for name in key.columns))
            for key in under.table.foreign_keys
            if _shows(under, key.columns)
        ),
        row_security=under.table.row_security,
        distributed=under.table.distributed,
        shows=under.table,
        shown={there: name for name, there in under.names.items()},
    )


def _shows(under: _Below, columns: tuple[str, ...]) -> bool:
    return all(name in under.names for name in columns)


def _renamed(index: UniqueIndex, under: _Below) -> UniqueIndex:
    return replace(index, columns=tuple(under.names[name] for name in index.columns))


def _column(column: TableColumn, own: TableColumn | None) -> TableColumn:
    if own is None:
        return replace(column, generated=True)
    return replace(
        column,
        not_null=own.not_null,
        has_default=column.has_default or own.has_default,
        generated=own.generated,
        identity=own.identity,
        sequence=own.sequence,
    )
