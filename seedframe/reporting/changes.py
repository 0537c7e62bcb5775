"""The changes of one resource as lines: what apply does as `before → after`, what verify finds as `is (declared …)`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from seedframe.changes import MADE_AGAIN, REPLACES, Cell, Change, Marker, Verdict
from seedframe.report import Mode, ResourceOutcome
from seedframe.reporting.cells import cell_pair_texts, cell_text, key_text, pad, text_width, visible
from seedframe.reporting.page import Line, Page, Span, Style, folded, line_width
from seedframe.reporting.signs import signs_for
from seedframe.reporting.words import number, plural

INDENT: Final = "    "
_NAME_COLUMNS: Final = 32
_KEY_COLUMNS: Final = 40
_CELL_COLUMNS: Final = (16, 60)
_SET: Final = "(set by apply)"
_GAP: Final[Span] = ("  ", "plain")
_DEEPER: Final[Span] = (2 * INDENT, "plain")
_COMMA: Final[Span] = (", ", "dim")

_MARKS: Final = {"create": "+", "update": "~", "delete": "-", "other": "~"}
_ACTION_STYLES: Final[dict[str, Style]] = {
    "create": "create",
    "update": "update",
    "delete": "delete",
    "other": "update",
}
VERDICT_STYLES: Final[dict[Verdict, Style]] = {
    Verdict.IN_SYNC: "good",
    Verdict.PENDING: "warn",
    Verdict.ORPHAN: "bad",
    Verdict.DRIFT: "bad",
    Verdict.CONFLICT: "bad",
}
_TOLD_BY_APPLY: Final = frozenset({Verdict.DRIFT, Verdict.CONFLICT, Verdict.ORPHAN})
# A finding says it once for the resource, and the label for the row.
_TOLD_ONCE: Final = frozenset({REPLACES, MADE_AGAIN})
_VERDICT_COLUMNS: Final = max(len(verdict.value) for verdict in VERDICT_STYLES if verdict is not Verdict.IN_SYNC)


@dataclass(frozen=True, slots=True)
class _Row:
    """One change, ready to be laid out: what stands at its left, its key, its cells, its label and its reason."""

    left: Line
    key: str
    cells: list[Line]
    label: Line
    reason: Line
    may_be_cut: bool


def resource_text(name: str, *, ascii_only: bool = False) -> str:
    """A resource as people call it: rows by their table, all else by kind and name."""
    return visible(name.removeprefix("rows:"), ascii_only=ascii_only)


def change_lines(outcomes: Sequence[ResourceOutcome], mode: Mode, page: Page, *, most: int | None) -> Iterator[Line]:
    """The lines for the changes of one seed's resources, in columns.

    Args:
        outcomes: the resources; those without changes are passed over.
        mode: in verify each change carries its verdict; otherwise a sign for what is done.
        page: what is written on.
        most: how many changes to show of each resource; None shows all of its sample.
    """
    changed = [outcome for outcome in outcomes if outcome.changes]
    names = [resource_text(outcome.resource, ascii_only=not page.unicode) for outcome in changed]
    name_columns = _widest(names, _NAME_COLUMNS)
    rows = [
        [_row(outcome, change, mode, page, pad(name, name_columns)) for change in outcome.changes.sample[:most]]
        for outcome, name in zip(changed, names, strict=True)
    ]
    most_key = _KEY_COLUMNS if page.width is None else min(_KEY_COLUMNS, page.width // 3)
    key_columns = _widest((row.key for part in rows for row in part), most_key)
    for outcome, name, part in zip(changed, names, rows, strict=True):
        for row in part:
            yield from _laid_out(row, key_columns, page)
        hidden = outcome.changes.counts.changed - len(part)
        if hidden > 0:
            yield [(f"{INDENT}{signs_for(page).more} and {number(hidden)} more in {name}", "dim")]


def _widest(texts: Iterable[str], most: int) -> int:
    """The widest of the texts, less those that are wider than a column should be."""
    return max((width for width in map(text_width, texts) if width <= most), default=0)


def _row(outcome: ResourceOutcome, change: Change, mode: Mode, page: Page, name: str) -> _Row:
    if mode == "apply":
        change = _after_apply(change)
    ascii_only = not page.unicode
    key = "" if _names_the_resource(change, outcome.resource) else _key(change, page)
    verdict = change.verdict or outcome.verdict
    label: Line = []
    if mode == "verify":
        shown = verdict or Verdict.DRIFT
        left: Line = [(pad(shown.value, _VERDICT_COLUMNS), VERDICT_STYLES[shown]), (f" {name} ", "plain")]
    else:
        style = _ACTION_STYLES[change.action]
        left = [(_MARKS[change.action], style), (f" {name} ", "plain")]
        if verdict in _TOLD_BY_APPLY:
            label.append((f"  ({verdict})", VERDICT_STYLES[verdict]))
    reason: Line = []
    if change.reason is not None and not (label and change.reason in _TOLD_ONCE):
        reason.append((f"{signs_for(page).dash} {visible(change.reason, ascii_only=ascii_only)}", "dim"))
    cells = _verify_cells(change, verdict, page) if mode == "verify" else _apply_cells(change, page)
    may_be_cut = change.action in {"create", "delete"} and page.verbosity < 1
    return _Row(left, key, cells, label, reason, may_be_cut)


def _after_apply(change: Change) -> Change:
    """The change once apply is over: what was to be known then has been set, though the report does not say to what."""
    after = change.after or {}
    if Marker.KNOWN_AFTER_APPLY not in after.values():
        return change
    cells = {name: _SET if cell is Marker.KNOWN_AFTER_APPLY else cell for name, cell in after.items()}
    return replace(change, after=cells)


def _names_the_resource(change: Change, resource: str) -> bool:
    """True for `{"extension": "pgcrypto"}` in `extension:pgcrypto`: the key would say it again."""
    kind, _, rest = resource.partition(":")
    return kind != "rows" and list(change.key.values()) == [rest]


def _key(change: Change, page: Page) -> str:
    limit = None if page.verbosity >= 1 else _KEY_COLUMNS
    return key_text(change.key, limit=limit, ascii_only=not page.unicode)


def _limit(page: Page, share: int, taken: int = 0) -> int | None:
    """The columns one value may take: a share of the terminal's, less what is taken beside it."""
    if page.verbosity >= 1:
        return None
    least, most = _CELL_COLUMNS
    if page.width is None:
        return most
    return max(least, min(most, (page.width - 2 * len(INDENT) - taken) // share))


def _apply_cells(change: Change, page: Page) -> list[Line]:
    if change.action == "create":
        return _listed(change, change.after, "create", page)
    if change.action == "delete":
        return _listed(change, change.before, "delete", page)
    arrow = f" {signs_for(page).arrow} "
    return _paired(change, page, lambda old, new: [(old, "delete"), (arrow, "dim"), (new, "create")])


def _verify_cells(change: Change, verdict: Verdict | None, page: Page) -> list[Line]:
    if change.action == "create":
        declared = _listed(change, change.after, "dim", page) if page.verbosity >= 1 else []
        return [[("missing", "strong")], *declared]
    if change.action == "delete":
        there = _listed(change, change.before, "dim", page) if page.verbosity >= 1 else []
        said = "no longer declared" if verdict is Verdict.ORPHAN else "not declared"
        return [[(said, "strong")], *there]
    return _paired(change, page, lambda old, new: [(old, "strong"), (f" (declared {new})", "plain")])


def _listed(change: Change, cells: Mapping[str, Cell] | None, style: Style, page: Page) -> list[Line]:
    """`name: value` for each cell that the key does not say already."""
    ascii_only = not page.unicode
    listed: list[Line] = []
    for name, cell in (cells or {}).items():
        if name in change.key and change.key[name] == cell:
            continue
        title = visible(str(name), ascii_only=ascii_only)
        limit = _limit(page, 4)
        listed.append([(f"{title}: ", "dim"), (cell_text(cell, limit=limit, ascii_only=ascii_only), style)])
    return listed


def _paired(change: Change, page: Page, notation: Callable[[str, str], Line]) -> list[Line]:
    """`name: ` and both values in the given notation; one value where the other side does not say."""
    before, after = change.before or {}, change.after or {}
    ascii_only = not page.unicode
    paired: list[Line] = []
    for name in dict.fromkeys([*after, *before]):
        title = visible(str(name), ascii_only=ascii_only)
        lead: Span = (f"{title}: ", "dim")
        if name in before and name in after:
            limit = _limit(page, 2, taken=line_width([lead, *notation("", ""), _COMMA]))
            old, new = cell_pair_texts(before[name], after[name], limit=limit, ascii_only=ascii_only)
            paired.append([lead, *notation(old, new)])
            continue
        limit = _limit(page, 1, taken=line_width([lead, _COMMA]))
        only = after[name] if name in after else before[name]
        paired.append([lead, (cell_text(only, limit=limit, ascii_only=ascii_only), "plain")])
    return paired


def _laid_out(row: _Row, key_columns: int, page: Page) -> Iterator[Line]:
    """One line where it fits, or where there is no terminal to fit; else cut, or continued below."""
    head = _head(row, key_columns)
    if page.width is not None and row.cells and line_width([*head, *row.cells[0]]) > page.width:
        head = _head(row, 0)  # better out of column than on a line of its own
    if page.width is None:
        lines = [[*head, *_joined(row.cells), *row.label]]
    elif row.may_be_cut:
        cut = [*head, *_cut(row.cells, page.width - line_width([*head, *row.label]), page), *row.label]
        lines = list(folded(cut, page, indent=2 * len(INDENT)))
    else:
        lines = list(_flowed(head, row, page.width))
    if row.reason:
        last = [*lines[-1], _GAP, *row.reason]
        if page.width is None or line_width(last) <= page.width:
            lines[-1] = last
        else:
            lines += folded([_DEEPER, *row.reason], page, indent=2 * len(INDENT) + 2)
    yield from lines


def _head(row: _Row, key_columns: int) -> Line:
    if not row.cells:
        return [(INDENT, "plain"), *row.left, (row.key, "strong")]
    gap = "  " if row.key else " "
    return [(INDENT, "plain"), *row.left, (pad(row.key, key_columns if row.key else 0) + gap, "strong")]


def _joined(cells: Sequence[Line]) -> Line:
    line: Line = []
    for at, cell in enumerate(cells):
        line += [_COMMA, *cell] if at else cell
    return line


def _cut(cells: Sequence[Line], room: int, page: Page) -> Line:
    """As many cells as fit into `room` columns, and how many do not; none where not even one fits."""
    more = signs_for(page).more
    for kept in range(len(cells), 0, -1):
        line = [*_joined(cells[:kept]), *_and_more(len(cells) - kept, page)]
        if line_width(line) <= room:
            return line
    first: Line = [*_joined(cells[:1]), (f", {more}", "dim")]
    return first if cells and line_width(first) <= room else _and_more(len(cells), page)[1:]


def _and_more(columns: int, page: Page) -> Line:
    return [_COMMA, (f"{signs_for(page).more} +{plural(columns, 'column')}", "dim")] if columns else []


def _flowed(head: Line, row: _Row, width: int) -> Iterator[Line]:
    """Every cell, on as many lines as it takes; what continues stands under the first cell if that leaves room."""
    start = line_width(head)
    below_first = all(start + line_width(cell) < width for cell in row.cells)
    indent: Line = [(" " * start, "plain") if below_first else _DEEPER]
    line = head
    for at, cell in enumerate(row.cells):
        after = [_COMMA] if at < len(row.cells) - 1 else row.label
        # A trailing comma's space may hang over the edge.
        if line != indent and line_width([*line, *cell, *after]) > width + (after == [_COMMA]):
            yield line
            line = indent
        line = [*line, *cell, *after]
    yield line if row.cells else [*line, *row.label]
