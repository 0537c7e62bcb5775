"""Recorded runs as people and programs read them: a table of runs, one run with its seeds, and both as documents."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast, get_args

from seedframe.changes import Counts
from seedframe.history import RunRecord, SeedRecord
from seedframe.report import SCHEMA_VERSION, Mode, Status, counts_dict, problem_dict, utc_text
from seedframe.reporting.cells import pad, text_width, visible
from seedframe.reporting.page import Line, Page, Span, Style
from seedframe.reporting.signs import signs_for
from seedframe.reporting.text import problem_lines
from seedframe.reporting.words import counts_text, duration, plural

_TITLES: Final = ("run", "when (UTC)", "env", "mode", "status", "took", "who", "changes")
_RIGHT: Final = frozenset({"run", "took"})
_STATUS: Final = _TITLES.index("status")
_STATUS_STYLES: Final[dict[str, Style]] = {
    Status.IN_SYNC.value: "good",
    Status.CHANGED.value: "good",
    Status.SKIPPED.value: "dim",
    Status.FAILED.value: "bad",
}


def run_lines(records: Sequence[RunRecord], page: Page) -> Iterator[Line]:
    """A table of runs, in the order given."""
    if not records:
        yield [("No run is recorded yet: ", "plain"), ("seedframe apply", "strong"), (" makes the first.", "plain")]
        return
    rows = [_row(record, page) for record in records]
    widths = [max(map(text_width, column)) for column in zip(_TITLES, *rows, strict=True)]
    yield [(text, "dim") for text in _columns(_TITLES, widths)]
    for record, row in zip(records, rows, strict=True):
        styles: list[Style] = ["plain"] * len(row)
        styles[0], styles[_STATUS] = "strong", _style(record.status)
        yield list(zip(_columns(row, widths), styles, strict=True))


def _row(record: RunRecord, page: Page) -> tuple[str, ...]:
    cells = (
        str(record.id),
        _moment(record.started_at),
        record.env,
        record.mode.replace("_", " "),
        _status_words(record.status),
        _took(record),
        f"{record.who}@{record.host}",
        _counts_words(record.counts, record.mode),
    )
    return tuple(_shown(cell, page) for cell in cells)


def _columns(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    last = len(row) - 1
    return [
        (text.rjust(width) if title in _RIGHT else pad(text, width)) + ("" if at == last else "  ")
        for at, (title, text, width) in enumerate(zip(_TITLES, row, widths, strict=True))
    ]


def record_lines(record: RunRecord, page: Page) -> Iterator[Line]:
    """One run in detail: what is known of it, then its seeds."""
    status: Span = (_shown(_status_words(record.status), page), _style(record.status))
    yield [(f"run {record.id}", "strong"), ("  ", "plain"), status]
    ended = _moment(record.finished_at) if record.finished_at is not None else "never: the run was cut off"
    facts = (
        ("command", record.command if record.mode == record.command else f"{record.command} ({record.mode})"),
        ("env", record.env),
        ("who", f"{record.who}@{record.host}"),
        ("version", f"seedframe {record.version}"),
        ("started", f"{_moment(record.started_at)} UTC"),
        ("finished", f"{ended} UTC ({_took(record)})" if record.finished_at is not None else ended),
    )
    for title, fact in facts:
        yield [(f"  {pad(title, 8)}  ", "dim"), (_shown(fact, page), "plain")]
    yield []
    labels = [_shown(seed.seed, page) for seed in record.seeds]
    label_columns = max(map(text_width, labels), default=0)
    status_columns = max((len(_status_words(seed.status)) for seed in record.seeds), default=0)
    for seed, label in zip(record.seeds, labels, strict=True):
        yield [
            (f"{_mark(seed, page)} ", _style(seed.status)),
            (pad(label, label_columns), "strong"),
            (f"  {pad(_shown(_status_words(seed.status), page), status_columns)}", _style(seed.status)),
            (f"  {duration(seed.duration_s):>6}", "dim"),
            (f"  {_seed_words(seed, record)}", "plain"),
        ]
        if seed.error is not None:
            yield from problem_lines(seed.error, page, indent="    ")
    if record.seeds:
        yield []
    yield [(f"{plural(len(record.seeds), 'seed')}: {_counts_words(record.counts, record.mode)}", "plain")]


def runs_document(records: Sequence[RunRecord]) -> dict[str, Any]:
    """The JSON document of a list of runs."""
    return {"schema": SCHEMA_VERSION, "command": "history", "runs": [_record_dict(record) for record in records]}


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
        "duration_s": round(record.duration_s, 6),
        "summary": counts_dict(record.counts),
    }


def _seed_dict(seed: SeedRecord) -> dict[str, Any]:
    return {
        "seed": seed.seed,
        "status": seed.status,
        "counts": counts_dict(seed.counts),
        "duration_s": round(seed.duration_s, 6),
        "error": problem_dict(seed.error) if seed.error is not None else None,
    }


def _mark(seed: SeedRecord, page: Page) -> str:
    signs = signs_for(page)
    good = seed.status in {Status.IN_SYNC.value, Status.CHANGED.value}
    return signs.good if good else signs.skipped if seed.status == Status.SKIPPED.value else signs.bad


def _style(status: str) -> Style:
    return _STATUS_STYLES.get(status, "warn")


def _status_words(status: str) -> str:
    return status.replace("_", " ")


def _seed_words(seed: SeedRecord, record: RunRecord) -> str:
    if seed.status == Status.SKIPPED.value:
        return ""
    return "rolled back" if seed.status == Status.FAILED.value else _counts_words(seed.counts, record.mode)


def _counts_words(counts: Counts, mode: str) -> str:
    known = cast(Mode, mode) if mode in get_args(Mode) else "apply"
    return counts_text(counts, known) or "nothing"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def _took(record: RunRecord) -> str:
    return duration(record.duration_s) if record.finished_at is not None else "?"


def _shown(text: str, page: Page) -> str:
    return visible(text, ascii_only=not page.unicode)
