"""Whether triggers may write rows of a table beside those that they are fired for."""

import re
from collections.abc import Set as AbstractSet
from typing import Final

from seedframe.testing.sql import TriggerCode

# Of the server and of extensions that come with it: they write into no other row.
_HARMLESS: Final = frozenset(
    (
        *("autoinc", "insert_username", "moddatetime", "suppress_redundant_updates_trigger"),
        *("tsvector_update_trigger", "tsvector_update_trigger_column"),
    )
)
_NO_CODE: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_NO_STATEMENT: Final = re.compile(r"\b(?:do|for(?:\s+no\s+key)?)\s+update\b", re.IGNORECASE)
_WRITES: Final = re.compile(r"\b(?:insert|update|delete|merge|truncate|copy|execute|call)\b", re.IGNORECASE)
_TARGET: Final = re.compile(
    r"\b(?:insert\s+into|update(?:\s+only)?|delete\s+from(?:\s+only)?)\s+(?:\"?\w+\"?\s*\.\s*)?\"?(\w+)\"?",
    re.IGNORECASE,
)
_CALL: Final = re.compile(r"(\w+)\"?\s*\(")


def may_write(there: TriggerCode, table: str) -> bool:
    """Whether a trigger or a rule may write into a table of this name: False only where their code tells that it does
    not. A trigger that changes but the row that it is fired for, as many do to note the time, writes into none.
    """
    others = there.tables - {table.lower()}
    return there.rules or any(
        name not in _HARMLESS and (language != "plpgsql" or _code_may(source, there.functions, others))
        for name, language, source in there.triggers
    )


def _code_may(source: str, functions: AbstractSet[str], others: AbstractSet[str]) -> bool:
    """Whether PL/pgSQL may write into another table than these others, or calls what may."""
    code = _NO_STATEMENT.sub(" ", _NO_CODE.sub(" ", source))
    if "$" in code or any(name.lower() in functions for name in _CALL.findall(code)):
        return True
    targets = _TARGET.findall(code)
    return len(targets) != len(_WRITES.findall(code)) or any(name.lower() not in others for name in targets)
