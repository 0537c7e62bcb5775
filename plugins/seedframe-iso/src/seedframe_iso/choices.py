"""What `[seeds.iso]` may say, checked: codes that exist, columns that there are."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from seedframe_iso.groups import GROUPS


def country_codes(given: Sequence[str]) -> tuple[str, ...]:
    """Alpha-2 codes of countries. Errors: ValueError, with the code that is meant where a name or another code is."""
    from pycountry import countries

    return tuple(_code(countries, code, "alpha_2", "country") for code in _some(given))


def currency_codes(given: Sequence[str]) -> tuple[str, ...]:
    """Alpha-3 codes of currencies. Errors: ValueError."""
    from pycountry import currencies

    return tuple(_code(currencies, code, "alpha_3", "currency") for code in _some(given))


def language_codes(given: Sequence[str]) -> tuple[str, ...]:
    """Alpha-3 codes of languages, of which those with two letters may be named by these. Errors: ValueError."""
    from pycountry import languages

    found = []
    for code in _some(given):
        language = languages.get(alpha_2=code) if len(code) == 2 else None
        alpha_2 = getattr(language, "alpha_2", None)
        found.append(
            language.alpha_3 if language and alpha_2 == code else _code(languages, code, "alpha_3", "language")
        )
    return tuple(found)


def columns(given: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`["countries.flag"]` as columns by group; a key is none that could be chosen. Errors: ValueError."""
    for text in given:
        name, _, column = text.partition(".")
        if name not in GROUPS:
            raise ValueError(f"{text!r} is not a group and its column, such as 'countries.flag'")
        group = GROUPS[name]
        if column == group.key:
            raise ValueError(f"{text!r} identifies the rows, which need it")
        if column not in group.columns:
            others = [other for other in group.columns if other != group.key]
            near = get_close_matches(column, others, n=1)
            told = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(others)}"
            raise ValueError(f"{name} have no {column!r}: {told}")
    return {
        name: tuple(column for column in group.columns if f"{name}.{column}" in given) for name, group in GROUPS.items()
    }


def _some(given: Sequence[str]) -> Sequence[str]:
    if not given:
        raise ValueError("it names none; leave the key out for all")
    return given


def _code(database: Any, code: str, kind: str, what: str) -> str:
    """The code itself, if there is such; pycountry takes other cases, names and codes for it, which are told."""
    try:
        meant = getattr(database.lookup(code), kind)
    except LookupError:
        raise ValueError(f"{code!r} is no code of a {what}") from None
    if meant != code:
        raise ValueError(f"{code!r} is not the code of a {what} that is meant here: write {meant!r}")
    return code
