"""WHO ICD-10: chapters, blocks, categories and subcategories."""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from seedframe import Option, Resource, Rows, Tables, ref
from seedframe_icd10.codes import chosen_chapters, codes

COLUMNS: Final = ("code", "kind", "title", "parent_id", "is_leaf")
_OPTIONAL: Final = tuple(column for column in COLUMNS if column != "code")

OPTIONS = [
    Option("chapters", list[str], default=None, parse=chosen_chapters, help='only these chapters: ["I", "V"]'),
    Option("table", str, default="icd10_codes", table=True, help="the table"),
    Option("omit", list[str], default=[], choices=_OPTIONAL, help='columns your table does not have: ["is_leaf"]'),
    Option("initial", list[str], default=[], choices=_OPTIONAL, help='columns that are written once: ["title"]'),
    Option(
        "prune",
        bool,
        default=False,
        help="delete the rows that this seed made while prune was on and that it no longer declares",
    ),
]

HINT: Final = (
    "`python -m seedframe_icd10` shows how the table is made; [seeds.icd10] says what it is called (table), and which"
    " columns it does not have (omit)"
)


def resources(config: Mapping[str, Any]) -> Iterator[Resource]:
    """The codes, after a look at whether the table has their columns."""
    table, kept = config["table"], tuple(column for column in COLUMNS if column not in config["omit"])
    yield Tables(table, columns={table: kept}, hint=HINT)
    yield Rows(
        table,
        key="code",
        rows=partial(_rows, table, kept, config["chapters"]),
        initial=[column for column in config["initial"] if column in kept],
        prune=config["prune"],
    )


def _rows(table: str, columns: tuple[str, ...], chapters: tuple[str, ...] | None) -> Iterator[dict[str, Any]]:
    for code in codes(chapters):
        row = {
            "code": code.code,
            "kind": code.kind,
            "title": code.title,
            "parent_id": ref(table, code=code.parent) if code.parent is not None else None,
            "is_leaf": code.is_leaf,
        }
        yield {column: row[column] for column in columns}
