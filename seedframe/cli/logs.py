"""Logging of the command line: text for people on stderr, JSON lines for machines; never a local variable in either."""

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

import click

from seedframe.errors import Problem, UsageError
from seedframe.json_text import json_text
from seedframe.log import NAMESPACE, logger
from seedframe.observer import Observer
from seedframe.report import ResourceOutcome, SeedOutcome, Status
from seedframe.reporting.cells import visible
from seedframe.secrecy.masking import masked, masked_document
from seedframe.secrecy.tracebacks import describe
from seedframe.seed import Seed

if TYPE_CHECKING:
    from loguru import Message, Record

# Records that say what the report says too carry an event's name. On stderr they would say it twice.
EVENT: Final = "event"
TRACEBACK: Final = "traceback"
_ERROR: Final = "error"

_DEEPEST: Final = 20
_LARGEST: Final = 2**63

_COLORS: Final = {"DEBUG": "cyan", "INFO": "blue", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}


def configure(verbosity: int, *, color: bool, log_file: Path | None) -> None:
    """Replace every sink of loguru: text on stderr by -v and -q, JSON lines in `--log-file`.

    Levels: WARNING on stderr, with -v INFO, with -vv DEBUG, with -q ERROR. The file has INFO, with -v DEBUG.

    Errors: UsageError when the file cannot be written.
    """
    logger.remove()
    logger.enable(NAMESPACE)
    level = {-1: "ERROR", 0: "WARNING", 1: "INFO", 2: "DEBUG"}[max(-1, min(2, verbosity))]
    logger.add(
        _text_sink(sys.stderr, color=color),
        level=level,
        format="{message}",
        filter=_is_no_error if verbosity > 0 else _is_no_event,
        backtrace=False,
        diagnose=False,
    )
    if log_file is not None:
        logger.add(
            _JsonLines(_opened(log_file)),
            level="DEBUG" if verbosity > 0 else "INFO",
            format="{message}",
            backtrace=False,
            diagnose=False,
        )


def close() -> None:
    """Take the sinks away again, and write out what is left."""
    logger.remove()
    logger.disable(NAMESPACE)


def log_problems(problems: Iterable[Problem]) -> None:
    """Why the command could not go on, for those who read the log only: stderr has it already."""
    for problem in problems:
        details = {"code": problem.code, "where": problem.where, "hint": problem.hint}
        logger.bind(event=_ERROR, **{key: value for key, value in details.items() if value}).error(problem.message)


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a", encoding="utf-8", buffering=1)
    except OSError as error:
        raise UsageError(f"cannot write the log file: {error.strerror}", where=str(path)) from error


def _is_no_event(record: "Record") -> bool:
    return EVENT not in record["extra"]


def _is_no_error(record: "Record") -> bool:
    """What could not run is on stderr already, with -v too."""
    return record["extra"].get(EVENT) != _ERROR


# -------------------------------------------------------------------------
# Formats
# -------------------------------------------------------------------------


def _text_sink(stream: TextIO, *, color: bool) -> "Callable[[Message], None]":
    def write(message: "Message") -> None:
        click.echo(masked(text_of(message.record, color=color)), file=stream, color=color)

    return write


def text_of(record: "Record", *, color: bool = False) -> str:
    """A record as a line for people, control characters as escapes; a traceback's lines follow it."""
    level = record["level"].name
    shown = click.style(f"{level.lower():8}", fg=_COLORS.get(level, "white")) if color else f"{level.lower():8}"
    # Secrets are taken out before anything is escaped: escaped, they would not be found.
    line = f"{record['time']:%H:%M:%S} {shown} {visible(masked(record['message']))}"
    details = _details(record)
    trace = details.pop(TRACEBACK, None)
    shown_details = (f"{visible(masked(key))}={_text_value(value)}" for key, value in details.items() if key != EVENT)
    lines = [" ".join([line, *shown_details])]
    if trace is not None:
        lines += [f"  {visible(part)}" for part in masked(_plain_text(trace)).splitlines()]
    return "\n".join(lines)


def _details(record: "Record") -> dict[str, Any]:
    """What was bound to the record; of an exception that a seed logged, its type and message."""
    details = dict(record["extra"])
    error = record["exception"].value if record["exception"] is not None else None
    return details if error is None else details | {"exception": describe(error)}


def _text_value(value: object) -> str:
    text = visible(masked(_plain_text(value)))
    return json.dumps(text, ensure_ascii=False) if " " in text or not text else text


def _plain_text(value: object) -> str:
    """What a seed bound to a record may be anything, also what has no text: a log line is no reason to fail."""
    try:
        return str(value)
    except Exception as broken:  # noqa: BLE001 - whatever a foreign __str__ raises
        return f"({type(value).__name__} without a text: its __str__ raised {type(broken).__name__})"


class _JsonLines:
    """A sink that loguru closes when it is removed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, message: "Message") -> None:
        self._stream.write(json_of(message.record) + "\n")

    def stop(self) -> None:
        self._stream.close()


def json_of(record: "Record") -> str:
    """A record as one line of JSON: time (UTC), level, logger, message, and what was bound to it."""
    document: dict[str, Any] = {
        "time": record["time"].astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record["level"].name.lower(),
        "logger": record["name"],
        "message": record["message"],
    }
    document |= {key: value for key, value in _details(record).items() if key not in document}
    return json_text(masked_document(_json_value(document)))


def _json_value(value: object, depth: int = 0) -> object:
    """The value as JSON has it, its text where it has none for it, and where it is nested without an end."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < _LARGEST:  # neither nan nor an infinity
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if depth < _DEEPEST:
        if isinstance(value, Mapping):
            return {_plain_text(key): _json_value(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [_json_value(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(map(_plain_text, value))
    return _plain_text(value)


# -------------------------------------------------------------------------
# What a run does
# -------------------------------------------------------------------------


class LoggingObserver(Observer):
    """Logs runs, seeds and resources, with counts and times; never a row's values."""

    def run_started(self, seeds: tuple[Seed, ...], mode: str) -> None:
        self._log("INFO", "run_started", "run started", mode=mode, seeds=[seed.label for seed in seeds])

    def waiting(self, what: str) -> None:
        self._log("INFO", "waiting", f"waiting: {what}")

    def seed_started(self, seed: Seed) -> None:
        self._log("INFO", "seed_started", "seed started", seed=seed.label, origin=seed.origin)

    def rows_read(self, seed: Seed, resource: str, rows: int) -> None:
        self._log("DEBUG", "rows_read", "rows read", seed=seed.label, resource=resource, rows=rows)

    def resource_planned(self, seed: Seed, outcome: ResourceOutcome) -> None:
        counts = outcome.changes.counts
        self._log(
            "DEBUG",
            "resource_planned",
            "resource compared",
            seed=seed.label,
            resource=outcome.resource,
            create=counts.create,
            update=counts.update,
            delete=counts.delete,
            unchanged=counts.unchanged,
            **({} if outcome.verdict is None else {"verdict": outcome.verdict.value}),
            **({} if outcome.changes.skipped_reason is None else {"skipped": outcome.changes.skipped_reason}),
        )

    def seed_finished(self, seed: Seed, outcome: SeedOutcome) -> None:
        counts = outcome.counts
        failed = outcome.status is Status.FAILED
        level = "INFO" if not failed else "ERROR" if outcome.critical else "WARNING"
        self._log(
            level,
            "seed_finished",
            "seed failed" if failed else "seed finished",
            seed=seed.label,
            status=outcome.status.value,
            create=counts.create,
            update=counts.update,
            delete=counts.delete,
            unchanged=counts.unchanged,
            duration_s=round(outcome.duration_s, 3),
            **({} if outcome.error is None else {"code": outcome.error.code, "error": str(outcome.error)}),
        )

    @staticmethod
    def _log(level: str, event: str, message: str, **details: Any) -> None:
        logger.bind(event=event, **details).log(level, message)
