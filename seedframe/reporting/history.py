"""Recorded runs as people and programs read them: a table of runs, one run with its seeds, and both as documents."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from seedframe.changes import Counts
from seedframe.history import FORGOTTEN, MARKED, ChangedRow, RunRecord, SeedRecord
from seedframe.report import SCHEMA_VERSION, Mode, Status, counts_dict, problem_dict, utc_text
from seedframe.reporting.cells import key_text, pad, text_width, visible
from seedframe.reporting.page import Line, Page, Span, Style, Whole, folded, line_width
from seedframe.reporting.signs import signs_for
from seedframe.reporting.table import Column, table_lines
from seedframe.reporting.text import problem_lines
from seedframe.reporting.words import counts_text, duration, plural

_DISPENSABLE: Final = ("mode", "env", "who")
_ABRIDGED: Final = 12
_ACTIONS: Final[dict[str, tuple[str, Style]]] = {
    "create": ("+", "create"),
    "update": ("~", "update"),
    "delete": ("-", "delete"),
    "other": ("~", "update"),
}
_STATUS_STYLES: Final[dict[str, Style]] = {
    Status.IN_SYNC.value: "good",
    Status.CHANGED.value: "good",
    Status.SKIPPED.value: "dim",
    Status.FAILED.value: "bad",
    FORGOTTEN: "good",
    MARKED: "good",
}


def run_lines(records: Sequence[RunRecord], page: Page) -> Iterator[Line]:
    """A table of runs, in the order given. A terminal that is too narrow for it is shown fewer columns."""
    if not records:
        yield [("No run is recorded yet: ", "plain"), ("seedframe apply", "strong"), (" makes the first.", "plain")]
        return
    columns = _columns(records, page)
    varied = {column.title for column in columns if len({text for text, _ in column.cells}) > 1}
    # What says the same of each run goes first.
    yield from table_lines(columns, page, give_up=sorted(_DISPENSABLE, key=varied.__contains__))


def note_lines(notes: Iterable[str], page: Page) -> Iterator[Line]:
    """What is to be told below the table of runs."""
    for note in notes:
        yield from folded([("warning: ", "warn"), (_shown(note, page), "plain")], page, indent=len("warning: "))


def _columns(records: Sequence[RunRecord], page: Page) -> list[Column]:
    def column(title: str, texts: Iterable[str], **more: Any) -> Column:
        return Column(title=title, cells=[(_shown(text, page), "plain") for text in texts], **more)

    return [
        Column(title="run", cells=[(str(record.id), "strong") for record in records], right=True),
        column("when (UTC)", (_moment(record.started_at) for record in records)),
        column("env", (record.env for record in records), narrow="left out"),
        column("mode", (record.mode.replace("_", " ") for record in records), narrow="left out"),
        Column(
            title="status",
            cells=[(_shown(_status_words(record.status), page), _style(record.status)) for record in records],
        ),
        column("took", map(_took, records), right=True),
        column("who", (f"{record.who}@{record.host}" for record in records), narrow="left out"),
        column("changes", (_changes_words(record) for record in records)),
    ]


def record_lines(record: RunRecord, page: Page) -> Iterator[Line]:
    """One run in detail: what is known of it, then its seeds."""
    status: Span = (_shown(_status_words(record.status), page), _style(record.status))
    yield [(f"run {record.id}", "strong"), ("  ", "plain"), status]
    ended = _moment(record.finished_at) if record.finished_at is not None else "never: the run was cut off"
    facts = [
        ("command", record.command if record.mode == record.command else f"{record.command} ({record.mode})"),
        *_told(record),
        ("env", record.env),
        ("who", f"{record.who}@{record.host}"),
        *_whence(record, page),
        ("version", f"seedframe {record.version}"),
        ("started", f"{_moment(record.started_at)} UTC"),
        ("finished", f"{ended} UTC ({_took(record)})" if record.finished_at is not None else ended),
    ]
    for title, fact in facts:
        lead: Line = [(f"  {pad(title, 8)}  ", "dim")]
        yield from folded([*lead, (_shown(fact, page), "plain")], page, indent=line_width(lead))
    if record.error is not None:
        yield from problem_lines(record.error, page, indent="  ")
    yield []
    labels = [_shown(seed.seed, page) for seed in record.seeds]
    label_columns = max(map(text_width, labels), default=0)
    status_columns = max((len(_status_words(seed.status)) for seed in record.seeds), default=0)
    for seed, label in zip(record.seeds, labels, strict=True):
        line: Line = [
            (f"{_mark(seed, page)} ", _style(seed.status)),
            (pad(label, label_columns), "strong"),
            (f"  {pad(_shown(_status_words(seed.status), page), status_columns)}", _style(seed.status)),
            (f"  {duration(seed.duration_s):>6}", "dim"),
            (f"  {_seed_words(seed, record)}", "plain"),
        ]
        yield from folded(line, page, indent=4)
        if seed.error is not None:
            yield from problem_lines(seed.error, page, indent="    ")
        yield from _audit_lines(seed, record, page)
    if record.seeds:
        yield []
    seeds = "" if record.status in (FORGOTTEN, MARKED) else f"{plural(len(record.seeds), 'seed')}: "
    summary = f"{seeds}{_changes_words(record)}"
    yield from folded([(summary, "plain")], page, indent=2)


def _told(record: RunRecord) -> Iterator[tuple[str, str]]:
    """What the run was told, beyond what it would have done anyway."""
    usual = {"transaction": "seed", "on_conflict": "seed"}
    told = []
    for name, value in record.arguments.items():
        if value and value != usual.get(name):
            words = "" if value is True else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            told.append(f"{name.replace('_', ' ')} {words}".rstrip())
    if told:
        yield "with", "; ".join(told)


def _whence(record: RunRecord, page: Page) -> Iterator[tuple[str, str]]:
    if record.role:
        yield "role", record.role
    if record.address is not None:
        yield "from", record.address
    if record.revision is not None:
        yield "revision", _abridged(record.revision, page)


def _audit_lines(seed: SeedRecord, record: RunRecord, page: Page) -> Iterator[Line]:
    """What the audit trail has of a seed: its entry, and what was changed."""
    if seed.position is None:
        if seed.counts.changed or seed.status in (Status.CHANGED.value, Status.FAILED.value):
            yield [("    not in the audit trail", "warn")]
        return
    digests = [("hash", seed.hash), ("code", seed.code_digest), ("data", seed.data_digest)]
    line: Line = [("    ", "plain"), (Whole(f"entry {seed.position}"), "dim")]
    for name, text in digests:
        if text:
            line += [("  ", "plain"), (Whole(f"{name} {_abridged(text, page)}"), "dim")]
    yield from folded(line, page, indent=4)
    for resource in seed.resources:
        told = _counts_words(resource.counts, record.mode)
        unlisted = f" ({plural(resource.unlisted, 'row')} not listed)" if resource.unlisted else ""
        name = _shown(resource.resource, page)
        yield from folded([(f"    {name}", "plain"), (f"  {told}{unlisted}", "dim")], page, indent=6)
        for row in seed.rows:
            if row.resource == resource.resource:
                yield from folded(_row_line(row, page), page, indent=8)
    if seed.rows_omitted:
        yield [(f"    {signs_for(page).more} {plural(seed.rows_omitted, 'row')} more: -v lists all", "dim")]


def _row_line(row: ChangedRow, page: Page) -> Line:
    sign, style = _ACTIONS.get(row.action, ("?", "plain"))
    ascii_only = not page.unicode
    key = "(secret key)" if row.key is None else key_text(row.key, ascii_only=ascii_only)
    line: Line = [(f"      {sign} ", style), (key, "plain")]
    if row.columns:
        line.append((f"  {_shown(', '.join(row.columns), page)}", "dim"))
    return line


def _abridged(text: str, page: Page) -> str:
    return text if page.verbosity > 0 else _shown(text[:_ABRIDGED], page)


def runs_document(records: Sequence[RunRecord], notes: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON document of a list of runs; `findings` only where there are notes."""
    document: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "command": "history",
        "runs": [_record_dict(record) for record in records],
    }
    if notes:
        document["findings"] = [{"severity": "warning", "text": note} for note in notes]
    return document


def run_document(record: RunRecord) -> dict[str, Any]:
    """The JSON document of one run."""
    seeds = [_seed_dict(seed) for seed in record.seeds]
    return {"schema": SCHEMA_VERSION, "command": "history", "run": {**_record_dict(record), "seeds": seeds}}


def _record_dict(record: RunRecord) -> dict[str, Any]:
    return {
        "run": record.id,
        "started_at": utc_text(record.started_at),
        "finished_at": utc_text(record.finished_at) if record.finished_at is not None else None,
        "command": record.command,
        "mode": record.mode,
        "env": record.env,
        "status": record.status,
        "version": record.version,
        "who": record.who,
        "host": record.host,
        "role": record.role,
        "address": record.address,
        "revision": record.revision,
        "arguments": dict(record.arguments),
        "duration_s": round(record.duration_s, 6),
        "summary": counts_dict(record.counts),
        "error": problem_dict(record.error) if record.error is not None else None,
    }


def _seed_dict(seed: SeedRecord) -> dict[str, Any]:
    return {
        "seed": seed.seed,
        "status": seed.status,
        "counts": counts_dict(seed.counts),
        "duration_s": round(seed.duration_s, 6),
        "error": problem_dict(seed.error) if seed.error is not None else None,
        "origin": seed.origin,
        "recorded_at": utc_text(seed.recorded_at) if seed.recorded_at is not None else None,
        "code_digest": seed.code_digest,
        "data_digest": seed.data_digest,
        "position": seed.position,
        "hash": seed.hash,
        "resources": [
            {"resource": each.resource, "counts": counts_dict(each.counts), "unlisted": each.unlisted}
            for each in seed.resources
        ],
        "rows": [
            {
                "resource": row.resource,
                "action": row.action,
                "key": None if row.key is None else dict(row.key),
                "columns": None if row.columns is None else list(row.columns),
            }
            for row in seed.rows
        ],
        "rows_omitted": seed.rows_omitted,
    }


def _mark(seed: SeedRecord, page: Page) -> str:
    signs = signs_for(page)
    good = seed.status in {Status.IN_SYNC.value, Status.CHANGED.value, FORGOTTEN}
    return signs.good if good else signs.skipped if seed.status == Status.SKIPPED.value else signs.bad


def _style(status: str) -> Style:
    return _STATUS_STYLES.get(status, "warn")


def _status_words(status: str) -> str:
    return status.replace("_", " ")


def _seed_words(seed: SeedRecord, record: RunRecord) -> str:
    if seed.status == Status.SKIPPED.value:
        return ""
    if seed.status == FORGOTTEN:
        return f"{plural(record.arguments.get('baselines', 0), 'baseline')} dropped; its rows stay"
    return "rolled back" if seed.status == Status.FAILED.value else _counts_words(seed.counts, record.mode)


def _changes_words(record: RunRecord) -> str:
    """What a run did, in a few words."""
    if record.status == FORGOTTEN:
        return f"{', '.join(record.arguments.get('seeds', ()))}: no longer known"
    if record.status == MARKED:
        before = record.arguments.get("before")
        return f"marked as {record.env}" + (f", before {before}" if before and before != record.env else "")
    return _counts_words(record.counts, record.mode)


def _counts_words(counts: Counts, mode: str) -> str:
    known = cast(Mode, mode) if mode in get_args(Mode) else "apply"
    return counts_text(counts, known) or "nothing"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _took(record: RunRecord) -> str:
    return duration(record.duration_s) if record.finished_at is not None else "?"


def _shown(text: str, page: Page) -> str:
    return visible(text, ascii_only=not page.unicode)
