"""ISO countries, subdivisions, currencies and languages."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from seedframe import Option, Resource, Rows, Tables
from seedframe_iso.choices import columns, country_codes, currency_codes, language_codes
from seedframe_iso.groups import GROUPS, Config, Group, Row

OPTIONS = [
    Option(
        "include",
        list[str],
        default=["countries", "subdivisions", "currencies", "languages"],
        choices=[*GROUPS],
        help="which groups are seeded, each into its table",
    ),
    Option(
        "countries",
        list[str],
        default=None,
        parse=country_codes,
        help='only these, and their subdivisions: ["US", "CA"]',
    ),
    Option("currencies", list[str], default=None, parse=currency_codes, help='only these currencies: ["USD", "EUR"]'),
    Option("languages", list[str], default=None, parse=language_codes, help='only these languages: ["en", "cho"]'),
    Option("two_letter_languages", bool, default=False, help="only languages that ISO 639-1 gives two letters"),
    Option("omit", list[str], default=[], parse=columns, help='columns your tables do not have: ["countries.flag"]'),
    Option("initial", list[str], default=[], parse=columns, help='columns that are written once: ["countries.name"]'),
    Option(
        "prune",
        bool,
        default=False,
        help="delete the rows that this seed made while prune was on and that it no longer declares",
    ),
    *(Option(f"{name}_table", str, default=name, table=True, help=f"the table for {name}") for name in GROUPS),
]

HINT: Final = (
    "`python -m seedframe_iso` shows how the tables are made; [seeds.iso] says which are wanted (include), what they"
    " are called (GROUP_table), and which columns they do not have (omit)"
)


def resources(config: Config) -> Iterator[Resource]:
    """Each group that is included, after a look at whether the tables have its columns."""
    kept = {
        name: tuple(column for column in group.columns if column not in config["omit"][name])
        for name, group in GROUPS.items()
        if name in config["include"]
    }
    tables = {config[f"{name}_table"]: names for name, names in kept.items()}
    if tables:
        yield Tables(*tables, columns=tables, hint=HINT)
    for name, names in kept.items():
        yield Rows(
            config[f"{name}_table"],
            key=GROUPS[name].key,
            rows=partial(_rows, GROUPS[name], names, config),
            initial=[column for column in config["initial"][name] if column in names],
            prune=config["prune"],
            # Without a limit that says otherwise, a source that has become empty deletes nothing.
            max_delete="100%" if GROUPS[name].may_be_empty else None,
        )


def _rows(group: Group, columns: tuple[str, ...], config: Config) -> Iterator[Row]:
    for row in group.rows(config):
        yield {column: row[column] for column in columns}
