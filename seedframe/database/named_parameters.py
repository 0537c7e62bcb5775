"""`:name` parameters of a seed's own statements, as psycopg takes them."""

import re
from collections.abc import Collection
from typing import Final

# `::type` is a cast, `\:name` stands for itself without its backslash, and a % is a sign for psycopg.
_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(?P<name>\w+)(?![:\w])|\\(?P<plain>:\w*)(?![:\w])|%")


def with_named_parameters(sql: str, given: Collection[str]) -> str:
    """The statement with `%(name)s` where it has `:name`.

    Args:
        given: the names that have a value; more than the statement has are fine.

    Errors: KeyError with the first name that the statement has and nobody gave a value.
    """

    def written(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return match["plain"] or "%%"
        if name not in given:
            raise KeyError(name)
        return f"%({name})s"

    return _PARAMETER.sub(written, sql)
