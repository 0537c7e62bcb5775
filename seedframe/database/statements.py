"""What a seed's own SQL may be: one statement at a time, and none that ends or changes the transaction."""

import re
from typing import Final

# PostgreSQL's lexical rules, as far as they tell where a statement ends: comments (block comments nest), strings with
# and without backslash escapes, quoted names, dollar quotes, names (which may hold a $), anything else.
_TOKEN: Final = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*)
    | (?P<block>/\*)
    | (?P<string>[eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*")
    | (?P<dollar>\$(?P<tag>[A-Za-z_\x80-\uffff][A-Za-z0-9_\x80-\uffff]*)?\$)
    | (?P<name>[A-Za-z_\x80-\uffff][\w$\x80-\uffff]*)
    | (?P<end>;)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_CONTROL: Final = re.compile(
    r"(begin|start transaction|commit|end|rollback|abort|savepoint|release|prepare transaction"
    r"|set (local )?transaction|set session characteristics|set (session )?authorization"
    r"|set (local |session )?(transaction_read_only|default_transaction_read_only))\b"
)


def forbidden(statement: str) -> str | None:
    """Why a seed may not run this SQL: "COMMIT", "several statements" …; None when it may.

    Source of the rules: PostgreSQL's documentation, "Lexical Structure".
    """
    words: list[str] = []
    ended = False
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
        if match["end"]:
            ended = bool(words)
            continue
        if ended:
            return "several statements at once"
        if match["dollar"]:
            closing = statement.find(match["dollar"], position)
            position = len(statement) if closing < 0 else closing + len(match["dollar"])
        words.append(match[0].lower() if match["name"] else "?")
    control = _CONTROL.match(" ".join(words[:4]))
    return control[1].upper() if control is not None else None


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
