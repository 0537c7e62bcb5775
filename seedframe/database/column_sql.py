"""SQL over the values of one column: its type, a value as text and back, and equality as the column has it."""

from psycopg import sql

from seedframe.database.table import Equality, TableColumn


def typed(column: TableColumn) -> sql.Composable:
    """The column's type and, where it is not the type's own, collation; both are the server's own text."""
    named = sql.SQL(column.type)  # format_type's text, quoted by the server
    if column.collation is None:
        return named
    return sql.SQL("{} COLLATE {}").format(named, sql.SQL(column.collation))  # quote_ident's


def written(column: TableColumn, value: sql.Composable) -> sql.Composable:
    """The text of a value, which reads as the same again. A cast of char to text would drop its blanks."""
    if column.base_type == "bpchar" and column.length is None:
        return sql.SQL("pg_catalog.textin(pg_catalog.bpcharout({}))").format(value)
    return sql.SQL("{}::text").format(value)


def read_as(column: TableColumn, text: sql.Composable) -> sql.Composable:
    """A text read as the column's type, by the rules of COPY and of assignment.

    An explicit cast has rules of its own for some types: it cuts the elements of a varchar(3)[] and the bits of a
    bit(3), takes 5 for five seconds where an interval day takes it for days, and knows a regclass by name only. What
    reads JSON goes through the type's input, as COPY does; it takes longer, so it is for those types only.
    """
    if column.casts_alike:
        return sql.SQL("{}::{}").format(text, typed(column))
    return sql.SQL(
        "(SELECT i.v FROM pg_catalog.json_to_record(pg_catalog.json_build_object('v', {})) AS i (v {}))"
    ).format(text, typed(column))


def equals(column: TableColumn, left: sql.Composable, right: sql.Composable) -> sql.Composable:
    """Equality as the column's own type has it (citext, collations, numeric scale).

    The operator is named with its schema: an extension's is not in every search path, and without it `=` would quietly
    be that of text. Its operands are of its own type, as its schema may be one where others put operators for a domain
    over that type, say.
    """
    return equals_by(column.equality, left, right)


def equals_by(equality: Equality | None, left: sql.Composable, right: sql.Composable) -> sql.Composable:
    """The same with the type's `=`; None for one that is built in."""
    if equality is None:
        return sql.SQL("{} OPERATOR(pg_catalog.=) {}").format(left, right)
    return sql.SQL("CAST({left} AS {type}) OPERATOR({schema}.=) CAST({right} AS {type})").format(
        left=left,
        right=right,
        schema=sql.Identifier(equality.schema),
        type=sql.SQL(equality.type),  # format_type's text, quoted by the server
    )


def server_text(text: str) -> sql.Composable:
    """SQL as the server itself writes it, from its catalog."""
    return sql.SQL(f"({text})")
