"""What a role that may create in a schema can put in the way of everybody else's SQL: its own functions and operators.

PostgreSQL looks for a function and an operator in all schemas of the search path, and takes the one whose arguments
fit best, also from a schema behind pg_catalog. So each shadow here is made for argument types that no function of
pg_catalog has exactly. All of them raise an error that begins with "DECEIVED".
"""

import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import Any, Final

import psycopg

from seedframe import __file__ as _package

PLACES: Final = ("database", "accounts", "resources")
_CALL: Final = re.compile(r"(?<![.\w:'%`])(?P<name>[a-z_][a-z0-9_]*)\((?!\))")
_BEGINS: Final = re.compile(r"[a-zA-Z]*(?:\"\"\"|'|\")")

_NEAR: Final = {
    "text": ("varchar", "name", "bpchar", '"char"'),
    "oid": ("regclass", "int4", "int8", "regtype", "regnamespace"),
    "regclass": ("oid",),
    "int8": ("int4", "int2"),
    "int4": ("int2",),
    "name": ("text", "varchar"),
}
_ANY: Final = ("text", "varchar", "name", "int4", "int8", "oid", "bool", "jsonb", "uuid")
_ANY_ARRAY: Final = ("text[]", "varchar[]", "name[]", "int2[]", "int4[]", "int8[]", "oid[]", "bool[]")

_OPERATORS: Final = (
    "=", "<>", "<", ">", "<=", ">=", "||", "~", "~*", "!~", "!~*", "~~", "~~*", "!~~", "->", "->>", "#>", "#>>",
    "+", "-", "*", "/", "%", "&&", "&", "|", "<<", "@>", "<@", "?", "?|", "?&",
)  # fmt: skip
# As it is written here, for what `format_type` makes of it.
_SHORT: Final = {
    "character varying": "varchar", "character": "bpchar", "bigint": "int8", "integer": "int4", "smallint": "int2",
    "boolean": "bool", "double precision": "float8", "timestamp with time zone": "timestamptz",
    "timestamp without time zone": "timestamp",
    "character varying[]": "varchar[]", "bigint[]": "int8[]", "integer[]": "int4[]", "smallint[]": "int2[]",
}  # fmt: skip
_STRINGS: Final = ("text", "varchar", "bpchar", "name", '"char"')
# What PostgreSQL converts into each other without being asked, so that an operator of one takes another.
_FAMILIES: Final = (
    _STRINGS,
    ("int2", "int4", "int8", "numeric", "float8", "oid", "regclass", "regtype", "regnamespace"),
    ("timestamptz", "timestamp", "date", "interval", "int4", "numeric", "float8"),
    ("jsonb", "json", *_STRINGS, "text[]", "varchar[]", "name[]", "int4"),
    ("text[]", "varchar[]", "name[]"),
    ("int2[]", "int4[]", "int8[]", "oid[]", "int2vector", "oidvector"),
    ("tid",),
    ("uuid",),
    ("bool",),
)

_MAKE: Final = """
do $do$
declare statement text;
begin
    for statement in select unnest from pg_catalog.unnest(array[{}]::text[]) loop
        begin
            execute statement;
        exception when others then null;  -- no function may have such arguments
        end;
    end loop;
end $do$
"""
# Nobody's session keeps LOG out of the server's log, and an error may be caught.
_BODY: Final = """language plpgsql as $f$ begin
    raise log 'DECEIVED: %: %', $s$%s$s$, current_query();
    raise exception 'DECEIVED: %', $s$%s$s$;
end $f$"""


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module that are no docstrings, with their lines."""
    before = tokenize.NEWLINE
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.STRING and not (
                '"""' in token.string[:5]
                and before in (tokenize.NEWLINE, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
            ):
                begins = _BEGINS.match(token.string)
                yield token.start[0], token.string[begins.end() if begins is not None else 0 :]
            if token.type != tokenize.COMMENT:
                before = token.type


def modules() -> list[Path]:
    """The modules that SQL is in."""
    return [path for place in PLACES for path in sorted((Path(_package).parent / place).rglob("*.py"))]


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """What is called within the strings of a module without its schema, and where.

    `unnest` of several arrays is left out: so called, it is known to the grammar, and PostgreSQL looks for no other.
    """
    for line, text in strings(path):
        for match in _CALL.finditer(text):
            if not (match["name"] == "unnest" and _has_several(text[match.end() :])):
                yield line + text.count("\n", 0, match.start()), match["name"]


def _has_several(arguments: str) -> bool:
    """The text, which begins behind a parenthesis, has a comma before that is closed; or a placeholder for a list."""
    depth = 1
    for position, character in enumerate(arguments):
        depth += (character in "([") - (character in ")]")
        if depth == 0:
            return arguments[:position] == "{arrays}"
        if depth == 1 and character == ",":
            return True
    return False


def called() -> set[str]:
    """The names of all functions that any SQL of seedframe may call."""
    return {
        name for path in modules() for _, text in strings(path) for name in re.findall(r"([a-z_][a-z0-9_]*)\(", text)
    }


def make(connection: psycopg.Connection[Any], *types: str, schema: str = "public") -> int:
    """Put shadows of all that seedframe may use into a schema; how many. The connection's own SQL must not see them.

    Args:
        types: of the database's own, with their schemas, for which PostgreSQL's operators are polymorphic.
    """
    connection.execute("set search_path = pg_catalog")
    statements = [*_functions(connection, schema), *_operators(connection, schema, types)]
    for begin in range(0, len(statements), 2_000):
        batch = ", ".join(_literal(statement) for statement in statements[begin : begin + 2_000])
        connection.execute(_MAKE.format(batch).encode())
    made = connection.execute(
        "select (select count(*) from pg_proc where pronamespace = n.oid)"
        " + (select count(*) from pg_operator where oprnamespace = n.oid) from pg_namespace n where nspname = %s",
        [schema],
    ).fetchone()
    assert made is not None
    return int(made[0])


def _functions(connection: psycopg.Connection[Any], schema: str) -> Iterator[str]:
    rows = connection.execute(
        "select p.proname, array(select format_type(t, null) from unnest(p.proargtypes::oid[]) as t)"
        " from pg_proc p where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = any (%s)",
        [sorted(called())],
    ).fetchall()
    known = [(name, tuple(_SHORT.get(kind, kind) for kind in kinds)) for name, kinds in rows]
    made = set(known)
    for name, kinds in known:
        if len(kinds) > 4:
            continue
        for arguments in islice(product(*(_near(kind) for kind in kinds)), 60):
            if (name, arguments) not in made:
                made.add((name, arguments))
                signature = f"{name}({', '.join(arguments)})"
                yield f'create function {schema}."{name}"({", ".join(arguments)}) returns text {_body(signature)}'


def _near(kind: str) -> Iterable[str]:
    if kind in ("anyelement", "any", '"any"', "anynonarray", "anycompatible"):
        return _ANY
    if kind in ("anyarray", "anycompatiblearray"):
        return _ANY_ARRAY
    return (kind, *_NEAR.get(kind, ()))


def _operators(connection: psycopg.Connection[Any], schema: str, types: Sequence[str]) -> Iterator[str]:
    there = {
        (operator, _SHORT.get(left, left), _SHORT.get(right, right))
        for operator, left, right in connection.execute(
            "select oprname, format_type(oprleft, null), format_type(oprright, null) from pg_operator"
            " where oprnamespace = 'pg_catalog'::regnamespace and oprname = any (%s)",
            [list(_OPERATORS)],
        )
    }
    everything = tuple(dict.fromkeys(kind for family in _FAMILIES for kind in family))
    families = [*_FAMILIES, *((kind, "text", "varchar") for kind in types), *((f"{kind}[]",) for kind in types)]
    pairs = dict.fromkeys(pair for family in families for pair in product(family, family))
    # Anything can be joined to a text.
    texts = dict.fromkeys([*product(everything, _STRINGS), *product(_STRINGS, everything)])
    for number, (left, right) in enumerate(pairs | texts):
        function = f"{schema}.shadow_{number}"
        yield f"create function {function}({left}, {right}) returns boolean {_body(f'{left} and {right}')}"
        for operator in _OPERATORS if (left, right) in pairs else ("||",):
            if (operator, left, right) not in there:
                arguments = f"leftarg = {left}, rightarg = {right}, function = {function}"
                yield f"create operator {schema}.{operator} ({arguments})"


def _body(signature: str) -> str:
    return _BODY.replace("%s", signature)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
