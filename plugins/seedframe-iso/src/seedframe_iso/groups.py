"""What there is to seed: for each group its key, its columns, and its rows out of pycountry's database.

pycountry is imported when rows are wanted, not before: `seedframe list` and `--help` do without it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from seedframe import ref

Row: TypeAlias = dict[str, Any]
Config: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """One table's worth of a standard.

    Attributes:
        key: the column that identifies a row.
        columns: all that a row has, the key first.
        rows: the rows, given `[seeds.iso]`.
        may_be_empty: there may be none, though something was chosen: some countries have no subdivisions.
    """

    key: str
    columns: tuple[str, ...]
    rows: Callable[[Config], Iterator[Row]]
    may_be_empty: bool = False


def _countries(config: Config) -> Iterator[Row]:
    """ISO 3166-1."""
    from pycountry import countries

    for country in countries:
        if _wanted(config["countries"], country.alpha_2):
            yield {
                "alpha_2": country.alpha_2,
                "alpha_3": country.alpha_3,
                "numeric_code": country.numeric,
                "name": country.name,
                "common_name": getattr(country, "common_name", None),
                "official_name": getattr(country, "official_name", None),
                "flag": country.flag,
            }


def _subdivisions(config: Config) -> Iterator[Row]:
    """ISO 3166-2, in pycountry's order: some parents come after their children."""
    from pycountry import subdivisions

    countries, own = config["countries_table"], config["subdivisions_table"]
    for part in subdivisions:
        if _wanted(config["countries"], part.country_code):
            yield {
                "code": part.code,
                "name": part.name,
                "type": part.type,
                "country_id": ref(countries, alpha_2=part.country_code),
                "parent_id": ref(own, code=part.parent_code) if part.parent_code else None,
            }


def _currencies(config: Config) -> Iterator[Row]:
    """ISO 4217."""
    from pycountry import currencies

    for currency in currencies:
        if _wanted(config["currencies"], currency.alpha_3):
            yield {"alpha_3": currency.alpha_3, "numeric_code": currency.numeric, "name": currency.name}


def _languages(config: Config) -> Iterator[Row]:
    """ISO 639-3, with the two letters of ISO 639-1 where a language has them."""
    from pycountry import languages

    for language in languages:
        alpha_2 = getattr(language, "alpha_2", None)
        if config["two_letter_languages"] and alpha_2 is None:
            continue
        if _wanted(config["languages"], language.alpha_3):
            yield {
                "alpha_3": language.alpha_3,
                "alpha_2": alpha_2,
                "bibliographic": getattr(language, "bibliographic", None),
                "name": language.name,
                "common_name": getattr(language, "common_name", None),
                "inverted_name": getattr(language, "inverted_name", None),
                "scope": language.scope,
                "type": language.type,
            }


def _historic_countries(config: Config) -> Iterator[Row]:  # noqa: ARG001 - what is gone is not limited
    """ISO 3166-3. Their letters may be another country's today, so they have a table, and a key, of their own."""
    from pycountry import historic_countries

    for country in historic_countries:
        yield {
            "alpha_4": country.alpha_4,
            "alpha_2": country.alpha_2,
            "alpha_3": country.alpha_3,
            "numeric_code": getattr(country, "numeric", None),
            "name": country.name,
            "withdrawal_date": country.withdrawal_date,
            "comment": getattr(country, "comment", None),
        }


def _wanted(codes: tuple[str, ...] | None, code: str) -> bool:
    return codes is None or code in codes


GROUPS: Final[Mapping[str, Group]] = {
    "countries": Group(
        "alpha_2",
        ("alpha_2", "alpha_3", "numeric_code", "name", "common_name", "official_name", "flag"),
        _countries,
    ),
    "subdivisions": Group(
        "code", ("code", "name", "type", "country_id", "parent_id"), _subdivisions, may_be_empty=True
    ),
    "currencies": Group("alpha_3", ("alpha_3", "numeric_code", "name"), _currencies),
    "languages": Group(
        "alpha_3",
        ("alpha_3", "alpha_2", "bibliographic", "name", "common_name", "inverted_name", "scope", "type"),
        _languages,
    ),
    "historic_countries": Group(
        "alpha_4",
        ("alpha_4", "alpha_2", "alpha_3", "numeric_code", "name", "withdrawal_date", "comment"),
        _historic_countries,
    ),
}
"""By name, what is referred to first."""
