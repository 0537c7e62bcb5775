"""The text format: a report as a person reads it, on a terminal or in a pipe."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from seedframe.changes import Counts, Finding, Verdict
from seedframe.configuration.config import EMBEDDED
from seedframe.errors import Problem
from seedframe.report import Mode, Report, SeedOutcome, Status
from seedframe.reporting.cells import pad, text_width, visible
from seedframe.reporting.changes import INDENT, change_lines, resource_text
from seedframe.reporting.page import Line, Page, Span, Style, Whole, folded, line_text, line_width
from seedframe.reporting.signs import RICH_STYLES, colored_text, signs_for
from seedframe.reporting.words import counts_text, duration, holdings_text, number, plural

if TYPE_CHECKING:
    from rich.console import Console

# After an apply the changes are history, and the first few tell what kind they were; -v shows the rest.
_SHOWN_AFTER_APPLY: Final = 10
_LABEL_COLUMNS: Final = 32

_TROUBLE: Final = frozenset({Status.FAILED, Status.CONFLICT, Status.DRIFT, Status.ORPHAN, Status.PENDING})
_FINDING_STYLES: Final[dict[str, Style]] = {"info": "dim", "warning": "warn", "error": "bad"}


def render(report: Report, console: "Console", *, verbosity: int = 0, width: int | None = None) -> None:
    """Print a report.

    Args:
        report: all that is shown comes from it.
        console: where to; its colour system decides about colour.
        verbosity: -1, 0 or 1, as `Page` has it.
        width: columns to fit; None asks the console where it is a terminal, else a line is as long as it needs to be.
    """
    if width is None and console.file.isatty():
        width = console.width
    unicode = console.encoding.lower().replace("-", "").startswith("utf")
    print_lines(lines(report, Page(width=width, unicode=unicode, verbosity=verbosity)), console)


def document(report: Report, page: Page) -> str:
    """A report as one text, with escape sequences only where the page wants colour."""
    return text_of(lines(report, page), page)


def text_of(content: Iterable[Line], page: Page) -> str:
    """Lines as one text, with escape sequences only where the page wants colour."""
    return "".join((colored_text(line) if page.color else line_text(line)) + "\n" for line in content)


def print_lines(content: Iterable[Line], console: "Console") -> None:
    """Print lines as they are: nothing in them is read as markup, and none is wrapped."""
    from rich.text import Text

    for line in content:
        text = Text.assemble(*((part, RICH_STYLES[style]) for part, style in line))
        text.rstrip()
        console.print(text, soft_wrap=True, highlight=False, markup=False, emoji=False)


def lines(report: Report, page: Page) -> Iterator[Line]:
    """The whole report as lines of styled spans."""
    if never_began(report):
        yield from closing_lines(report, page)
        return
    if page.verbosity >= 0:
        yield from folded(_header(report, page), page, indent=2)
        yield []
    told = [outcome for outcome in report.seeds if page.verbosity >= 0 or _needs_attention(outcome)]
    columns = _Columns.of(told, report, page)
    for outcome in told:
        yield from _seed_line(outcome, report, columns, page)
        yield from _detail_lines(outcome, report, page)
    if told:
        yield []
    yield from closing_lines(report, page)


def never_began(report: Report) -> bool:
    """True when no seed was reached: there is an error to tell, and nothing else."""
    return all(outcome.status is Status.SKIPPED for outcome in report.seeds) and (
        report.error is not None or not report.seeds
    )


def _header(report: Report, page: Page) -> Line:
    target = report.target
    place = f"{target.database}.{target.schema}" if target.database else ""
    if place and target.host:
        place = f"{place} on {target.host}"
    server = f"PostgreSQL {target.server}" if target.server else ""
    version = f"seedframe {report.version}" if page.verbosity >= 1 else ""
    dot = f" {signs_for(page).dot} "
    parts = [_shown(part, page) for part in (target.project, report.env, place, server, version) if part]
    return [(dot.join(parts), "dim")]


class _Columns:
    """How wide each column of the seeds' lines is."""

    __slots__ = ("label", "status")

    def __init__(self, label: int, status: int) -> None:
        self.label = label
        self.status = status

    @classmethod
    def of(cls, outcomes: Sequence[SeedOutcome], report: Report, page: Page) -> "_Columns":
        labels = (text_width(_shown(outcome.seed, page)) for outcome in outcomes)
        statuses = (len(_status_words(outcome, report.mode)) for outcome in outcomes)
        return cls(max((width for width in labels if width <= _LABEL_COLUMNS), default=0), max(statuses, default=0))


def _seed_line(outcome: SeedOutcome, report: Report, columns: _Columns, page: Page) -> Iterator[Line]:
    mark, style = _mark(outcome, report.mode, page)
    took = "" if outcome.status is Status.SKIPPED else duration(outcome.duration_s)
    line: Line = [
        (f"{mark} ", style),
        (pad(_shown(outcome.seed, page), columns.label), "strong"),
        (f"  {pad(_status_words(outcome, report.mode), columns.status)}", style),
        (f"  {took:>6}  ", "dim"),
    ]
    about = line_width(line)
    line.append((_shown(_about(outcome, report, page), page), "plain"))
    told = outcome.writes is not None and (page.verbosity >= 1 or (report.mode == "dry_run" and page.verbosity == 0))
    if page.verbosity >= 1 and not told:
        line += [("  ", "plain"), (Whole(_shown(outcome.origin, page)), "dim")]
    yield from folded(line, page, indent=about)
    if told:
        # Whoever looks at a plan of somebody else's code is to see what that may touch.
        writes = f"writes {', '.join(outcome.writes)}" if outcome.writes else "writes no table"
        origin: Line = [("    ", "plain"), (Whole(f"{_shown(outcome.origin, page)}:"), "dim")]
        yield from folded([*origin, (f" {_shown(writes, page)}", "dim")], page, indent=6)


def _mark(outcome: SeedOutcome, mode: Mode, page: Page) -> Span:
    signs = signs_for(page)
    match outcome.status:
        case Status.SKIPPED:
            return signs.skipped, "dim"
        case Status.IN_SYNC:
            return ("!", "warn") if _warns(outcome) else (signs.good, "good")
        case Status.CHANGED:
            return (signs.good, "good") if mode == "apply" else ("~", "warn")
        case Status.PENDING:
            return "~", "warn"
        case Status.FAILED if not outcome.critical:
            return "!", "warn"
        case _:
            return signs.bad, "bad"


def _status_words(outcome: SeedOutcome, mode: Mode) -> str:
    match outcome.status:
        case Status.IN_SYNC:
            return "in sync"
        case Status.CHANGED if mode != "apply":
            return "to change"
        case status:
            return status.value


def _about(outcome: SeedOutcome, report: Report, page: Page) -> str:
    """What follows the status: what was found as declared, the counts, or why there are none."""
    match outcome.status:
        case Status.IN_SYNC:
            held = holdings_text(outcome.resources) or _holding_nothing(outcome)
            return held if page.verbosity >= 1 else f"{held}{_left_out(outcome)}"
        case Status.SKIPPED:
            return _why_skipped(outcome)
        case Status.FAILED if report.mode == "apply":
            return "rolled back" if outcome.critical else "rolled back, not critical"
        case _:
            return counts_text(outcome.counts, report.mode)


def _holding_nothing(outcome: SeedOutcome) -> str:
    if any(resource.resource.startswith("rows:") for resource in outcome.resources):
        return "0 rows"
    return "as declared" if outcome.resources else "nothing declared"


def _left_out(outcome: SeedOutcome) -> str:
    """How much was skipped: a seed that is in sync stays one line, and -v has the reasons."""
    skipped = sum(resource.changes.skipped_reason is not None for resource in outcome.resources)
    return f", {number(skipped)} skipped" if skipped else ""


def _why_skipped(outcome: SeedOutcome) -> str:
    """Why it was not run, where one remark says so; anything more stands below the line."""
    findings = outcome.findings
    return findings[0].text if len(findings) == 1 and findings[0].severity == "info" else ""


def _detail_lines(outcome: SeedOutcome, report: Report, page: Page) -> Iterator[Line]:
    """What stands below a seed's line: its changes, what was skipped, its findings and its error."""
    undone = outcome.status is Status.FAILED and report.mode == "apply"
    if not undone or page.verbosity >= 1:
        yield from _resource_lines(outcome, report.mode, page)
    if page.verbosity >= (1 if outcome.status is Status.IN_SYNC else 0):
        yield from _skipped_lines(outcome, page)
    told_above = outcome.status is Status.SKIPPED and _why_skipped(outcome)
    yield from _finding_lines(() if told_above else outcome.findings, page, indent=INDENT)
    if outcome.error is not None:
        yield from problem_lines(outcome.error, page, indent=INDENT)


def _finding_lines(findings: Iterable[Finding], page: Page, *, indent: str = "") -> Iterator[Line]:
    for finding in findings:
        if finding.severity != "info" or page.verbosity >= 0:
            lead: Line = [(indent, "plain"), (f"{finding.severity}: ", _FINDING_STYLES[finding.severity])]
            yield from folded([*lead, (_shown(finding.text, page), "plain")], page, indent=line_width(lead))


def _skipped_lines(outcome: SeedOutcome, page: Page) -> Iterator[Line]:
    for resource in outcome.resources:
        if resource.changes.skipped_reason is not None:
            name = resource_text(resource.resource, ascii_only=not page.unicode)
            reason = _shown(resource.changes.skipped_reason, page)
            line: Line = [(INDENT, "plain"), (f"{signs_for(page).skipped} {name} skipped: {reason}", "dim")]
            yield from folded(line, page, indent=len(INDENT) + 2)


def _resource_lines(outcome: SeedOutcome, mode: Mode, page: Page) -> Iterator[Line]:
    most = _SHOWN_AFTER_APPLY if mode == "apply" and page.verbosity < 1 else None
    yield from change_lines(outcome.resources, mode, page, most=most)
    if page.verbosity < 1:
        return
    for resource in outcome.resources:
        if not resource.changes and resource.verdict is Verdict.IN_SYNC:
            name = resource_text(resource.resource, ascii_only=not page.unicode)
            held = _shown(holdings_text([resource]) or "0 rows", page)
            yield [(f"{INDENT}{signs_for(page).good} ", "good"), (name, "plain"), (f"  {held}", "dim")]


def problem_lines(problem: Problem, page: Page, *, indent: str = "", word: str = "error") -> Iterator[Line]:
    """An error: what happened and where, and below it what to do next."""
    where: Line = [(Whole(f"{_shown(problem.where, page)}:"), "strong"), (" ", "plain")] if problem.where else []
    lead: Line = [(indent, "plain"), (f"{word}: ", "bad")]
    what: Line = [*where, (_shown(problem.message, page), "plain")]
    yield from folded([*lead, *what], page, indent=line_width(lead))
    if problem.hint:
        hint: Line = [(f"{indent} hint: ", "dim"), (_shown(problem.hint, page), "plain")]
        yield from folded(hint, page, indent=len(indent) + len(" hint: "))


def closing_lines(report: Report, page: Page) -> Iterator[Line]:
    """What stands below the seeds: the run's own error, the summary, what to do next."""
    for problem in () if report.error is None else (report.error, *report.more_errors):
        yield from problem_lines(problem, page)
    if never_began(report):
        if report.error is None:
            yield [("no seeds: nothing was checked", "bad")]
        return
    if report.mode == "apply":
        for line in _failures(report, page):
            yield from folded(line, page, indent=2)
    yield from _finding_lines(report.findings, page)
    yield from folded([(_summary(report), _summary_style(report))], page, indent=2)
    if report.marked and report.target.host != EMBEDDED:
        told = f"this database is that of environment {_shown(report.env, page)} from now on"
        yield from folded([("marked: ", "strong"), (f"{told} (seedframe db mark)", "plain")], page, indent=2)
    for line in _next_steps(report):
        yield from folded(line, page, indent=4)


def _summary(report: Report) -> str:
    run = f"run {report.run}, " if report.run is not None else ""
    tail = f"({run}{duration(report.duration_s)})"
    statuses = Counter(outcome.status for outcome in report.seeds)
    seeds = plural(len(report.seeds), "seed")
    if report.mode != "verify":
        counts = counts_text(_carried_out(report), report.mode, zeros=True)
        others = _status_counts(statuses, leave_out={Status.IN_SYNC, Status.CHANGED})
        return f"{seeds}{f' ({others})' if others else ''}: {counts} {tail}"
    if statuses.keys() == {Status.IN_SYNC}:
        held = holdings_text([resource for outcome in report.seeds for resource in outcome.resources])
        return f"{seeds} in sync{f', {held}' if held else ''} {tail}"
    counts = counts_text(report.summary, "verify") or "nothing compared"
    return f"{seeds}: {_status_counts(statuses, leave_out=set())}; {counts} {tail}"


def _status_counts(statuses: Counter[Status], *, leave_out: set[Status]) -> str:
    """`1 failed, 2 skipped`, the worst first."""
    worst_first = [status for status in reversed(Status) if statuses[status] and status not in leave_out]
    return ", ".join(f"{number(statuses[status])} {_status_noun(status)}" for status in worst_first)


def _status_noun(status: Status) -> str:
    return "in sync" if status is Status.IN_SYNC else status.value


def _carried_out(report: Report) -> Counts:
    """The sum of what holds: an apply rolls the changes of a failed seed back."""
    kept = (outcome for outcome in report.seeds if report.mode != "apply" or outcome.status is not Status.FAILED)
    return sum((outcome.counts for outcome in kept), Counts())


def _summary_style(report: Report) -> Style:
    if report.exit_code == 0 or (report.command == "apply" and report.exit_code == 2):
        return "warn" if any(map(_needs_attention, report.seeds)) else "good"
    return "warn" if report.command == "verify" and report.exit_code == 1 else "bad"


def _failures(report: Report, page: Page) -> Iterator[Line]:
    """What became of the seeds that failed, after an apply."""
    for outcome in report.seeds:
        if outcome.status is not Status.FAILED:
            continue
        name = _shown(outcome.seed, page)
        if outcome.critical:
            yield [("failed: ", "bad"), (f"{name} was rolled back", "plain")]
        else:
            yield [("warning: ", "warn"), (f"{name} was rolled back; it is not critical, so the run went on", "plain")]


def _next_steps(report: Report) -> Iterator[Line]:
    """That nothing was written, where that is so, and what to do next."""
    match report.mode:
        case "verify":
            yield from _advice(report)
        case "dry_run":
            more = report.summary.changed and not any(seed.status is Status.FAILED for seed in report.seeds)
            advice = " `seedframe apply` makes these changes." if more else ""
            yield [("Dry run: nothing was written.", "strong"), (advice, "plain")]
        case "rehearse":
            yield [("Rehearsal: everything was rolled back, nothing was kept.", "strong")]


_MEANINGS: Final[dict[Status, tuple[Style, str]]] = {
    Status.CONFLICT: ("bad", "both the seeds and the database have changed since the last apply"),
    Status.DRIFT: ("bad", "the database has changed since the last apply"),
    Status.ORPHAN: ("bad", "the database still has what is no longer declared"),
    Status.PENDING: ("warn", "declared, but not applied yet"),
}
_TO_KEEP: Final = ("seedframe apply --on-conflict=database", "accepts what was changed in rows")
_NEXT_FOR_PENDING: Final = (
    ("seedframe apply --dry-run", "shows what would change"),
    ("seedframe apply", "makes it so"),
)


def _advice(report: Report) -> Iterator[Line]:
    """What each status of a verify that found trouble means, and what to do about it."""
    met = {outcome.status for outcome in report.seeds}
    met |= {
        Status(resource.verdict.value)
        for outcome in report.seeds
        for resource in outcome.resources
        if resource.verdict is not None
    }
    for status, (style, meaning) in _MEANINGS.items():
        if status in met:
            yield [(f"{status}: ", style), (meaning, "plain")]
    gone = [outcome.seed for outcome in report.seeds if outcome.status is Status.ORPHAN and not outcome.counts.changed]
    steps = [(f"seedframe forget {seed}", "if it is gone for good: its rows stay, and are nobody's") for seed in gone]
    if any(outcome.counts.changed for outcome in report.seeds):
        moved = met & {Status.DRIFT, Status.CONFLICT, Status.ORPHAN}
        steps += _next_for_drift(report.summary) if moved else _NEXT_FOR_PENDING
        steps += [_TO_KEEP] if met & {Status.DRIFT, Status.CONFLICT} else []
    columns = max((len(command) for command, _ in steps), default=0)
    for command, does in steps:
        blank = " " * (columns - len(command))
        yield [("  ", "plain"), (Whole(command), "strong"), (f"{blank}  {does}", "plain")]


def _next_for_drift(counts: Counts) -> Iterator[tuple[str, str]]:
    """What an apply would do: whoever trusts these lines is to lose no row that they do not speak of."""
    restored = counts.changed > counts.delete
    if not counts.delete:
        would, does = "restored", "restores what is declared"
    elif restored:
        would, does = "restored and deleted", "restores what is declared, deletes what is not"
    else:
        would, does = "deleted", "deletes what is not declared"
    yield "seedframe apply --dry-run", f"shows what would be {would}"
    yield "seedframe apply", does


def _warns(outcome: SeedOutcome) -> bool:
    return any(finding.severity != "info" for finding in outcome.findings)


def _needs_attention(outcome: SeedOutcome) -> bool:
    return outcome.status in _TROUBLE or _warns(outcome)


def _shown(text: str, page: Page) -> str:
    return visible(text, ascii_only=not page.unicode)
