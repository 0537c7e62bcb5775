"""What a seed's own SQL may be: one statement at a time that leaves the transaction alone, or one expression."""

import re
from collections.abc import Iterator
from typing import Final

# PostgreSQL's lexical rules, as far as they tell where a statement ends: comments (block comments nest), strings with
# and without backslash escapes, quoted names, dollar quotes, names (which may hold a $), anything else. To the server
# any character beyond ASCII is one of names, also what is a space elsewhere (said here by what is none, which compiles
# in no time). A string that goes on in a later line is read as it began.
_TOKEN: Final = re.compile(
    r"""
      (?P<space>[ \t\n\r\f\v]+|--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*+'
                 (?:(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+'(?:[^'\\]|\\.|'')*+')*+
               | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<parameter>\$[0-9]+)
    | (?P<dollar>\$(?P<tag>[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)
    | (?P<name>[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# Half of a surrogate pair, as escapes in Python may have it, is no character.
_UNREADABLE: Final = re.compile("[\0\ud800-\udfff]")
_LOWER: Final = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
_CONTROL: Final = re.compile(
    r"(begin|start transaction|commit|end|rollback|abort|savepoint|release|prepare transaction"
    r"|set (local )?transaction|set session characteristics|set (session )?authorization"
    r"|set (local |session )?(transaction_read_only|default_transaction_read_only"
    r"|standard_conforming_strings)|reset transaction_read_only|listen|set constraints all)\b"
)
# Either name goes with either direction.
_COPYING: Final = re.compile(r"copy\b.* ((?:to|from) (?:stdin|stdout))\b")


def forbidden(statement: str) -> str | None:
    """Why a seed may not run this SQL: "COMMIT", "several statements" …; None when it may.

    Source of the rules: PostgreSQL's documentation, "Lexical Structure".
    """
    words: list[str] = []
    outer: list[str] = []
    ended = False
    depth = 0
    for match in _tokens(statement):
        if match["end"]:
            ended = bool(words)
            continue
        if ended:
            return "several statements at once"
        words.append(match[0].translate(_LOWER) if match["name"] else "?")
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            outer.append(words[-1])
    control = _CONTROL.match(" ".join(words[:4]))
    if control is not None:
        return control[1].upper()
    copying = _COPYING.match(" ".join(outer))
    return f"COPY {copying[1].upper()}" if copying is not None else None


def unfit_expression(expression: str) -> str | None:
    """Why a text cannot be put in parentheses and be one expression; None when it can. The server judges the rest."""
    if (unreadable := unreadable_sql(expression)) is not None:
        return unreadable
    depth = 0
    words = 0
    for match in _tokens(expression):
        words += 1
        if match["end"]:
            return "has a semicolon"
        if match["parameter"]:
            return f"has {match[0]}, and there are no parameters"
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if depth < 0:
            break
    if depth:
        return "has a parenthesis that is not closed" if depth > 0 else "closes a parenthesis that was not opened"
    return None if words else "is empty"


def unreadable_sql(text: str) -> str | None:
    """Why a text cannot be sent to the server as SQL at all; None when it can."""
    return "has a character that no SQL can have" if _UNREADABLE.search(text) else None


def names_in(expression: str) -> frozenset[str]:
    """The names in an SQL expression, as the server reads them: of columns, and of whatever else has one."""
    return frozenset(
        match[0].translate(_LOWER) if match["name"] else match[0][1:-1].replace('""', '"')
        for match in _tokens(expression)
        if match["name"] or match[0].startswith('"')
    )


def _tokens(statement: str) -> Iterator[re.Match[str]]:
    """What a statement is made of, less space and comments; of a dollar quote only its beginning."""
    position = 0
    while position < len(statement):
        match = _TOKEN.match(statement, position)
        assert match is not None  # noqa: S101 - the last alternative takes any character
        position = match.end()
        if match["space"]:
            continue
        if match["block"]:
            position = _after_block(statement, position)
            continue
        if match["dollar"]:
            closing = statement.find(match["dollar"], position)
            position = len(statement) if closing < 0 else closing + len(match["dollar"])
        yield match


def _after_block(statement: str, position: int) -> int:
    depth = 1
    while depth and position < len(statement):
        if statement.startswith("/*", position):
            depth, position = depth + 1, position + 2
        elif statement.startswith("*/", position):
            depth, position = depth - 1, position + 2
        else:
            position += 1
    return position
