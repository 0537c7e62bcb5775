"""An exception as text for people: its message and frames, never local variables or rows of the database."""

import re
from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from traceback import FrameSummary, extract_tb, format_list
from types import TracebackType
from typing import Final

import seedframe
from seedframe.errors import did_you_mean
from seedframe.secrecy.masking import masked

# Their messages carry rows: DETAIL and CONTEXT lines, and the parameters of the statement.
_DATABASE_MODULES: Final = ("psycopg", "sqlalchemy")
_QUOTED_VALUE: Final = re.compile(r': "[^\n]*"$')
_MESSAGE_LIMIT: Final = 500
_UNEXPECTED: Final = re.compile(
    r"(?P<name>\w+)(\.__init__)?\(\) got an unexpected keyword argument '(?P<argument>\w+)'"
)
_UNKNOWN_NAME: Final = re.compile(r"cannot import name '(?P<name>\w+)' from 'seedframe'")


def one_line(text: str) -> str:
    """The text with line breaks and runs of space made one space, cut after 500 characters."""
    flat = " ".join(masked(text).split())  # before it is cut, so that no part of a secret is left
    return flat if len(flat) <= _MESSAGE_LIMIT else flat[: _MESSAGE_LIMIT - 1] + "…"


def describe(error: BaseException) -> str:
    """`Type: message` in one line; of a database's error the SQLSTATE and the primary message only."""
    name = one_line(type(error).__name__)
    if type(error).__module__.split(".")[0] in _DATABASE_MODULES:
        return _describe_database_error(error)
    if isinstance(error, SystemExit):
        return "called sys.exit()"
    if isinstance(error, SyntaxError):
        return f"{name}: {one_line(error.msg)}"
    if isinstance(error, KeyError):
        return f"{name}: no key {one_line(str(error))}"
    message = one_line(_text(error))
    if isinstance(error, TypeError):
        message += _near_argument(message)
    elif isinstance(error, ImportError):
        message += _near_name(message)
    return f"{name}: {message}" if message else name


def _near_argument(message: str) -> str:
    """For an argument that one of seedframe's own names does not take: the nearest that it does."""
    match = _UNEXPECTED.search(message)
    called = getattr(seedframe, match["name"], None) if match and match["name"] in seedframe.__all__ else None
    if match is None or called is None:
        return ""
    near = did_you_mean(match["argument"], signature(called).parameters)
    return f" ({near})" if near else ""


def _near_name(message: str) -> str:
    """For a name that seedframe does not have: the nearest that it has."""
    match = _UNKNOWN_NAME.search(message)
    near = did_you_mean(match["name"], seedframe.__all__) if match else None
    return f" ({near})" if near else ""


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException as broken:  # noqa: BLE001 - whatever a foreign __str__ raises, there must be a message
        return f"(no message: its __str__ raised {type(broken).__name__})"


def _describe_database_error(error: BaseException) -> str:
    original = getattr(error, "orig", None)
    served = original if isinstance(original, BaseException) else error
    diag = getattr(served, "diag", None)
    state = getattr(served, "sqlstate", None)
    primary = getattr(diag, "message_primary", None) or _text(served).partition("\n")[0]
    quiet = _QUOTED_VALUE.sub("", one_line(primary))
    return f"{one_line(type(served).__name__)}: {quiet}" + (f" [{state}]" if state else "")


def deepest(error: BaseException, wanted: Callable[[str], bool]) -> tuple[str, int] | None:
    """File and line of the innermost frame whose file is `wanted`; of a SyntaxError the place it names."""
    if isinstance(error, SyntaxError) and error.filename and wanted(error.filename):
        return error.filename, error.lineno or 1
    found = None
    for frame, line in _frames(error.__traceback__):
        if wanted(frame):
            found = (frame, line)
    return found


def _frames(trace: TracebackType | None) -> Iterator[tuple[str, int]]:
    while trace is not None:
        yield trace.tb_frame.f_code.co_filename, trace.tb_lineno
        trace = trace.tb_next


def render(error: BaseException, since: Callable[[str], bool] = lambda _: True) -> str:
    """A traceback like Python's own, causes first, with messages as `describe` gives them and no local variables.

    Frames before the first whose file is wanted by `since` are left out; all are shown where none is.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = "".join(format_list(_from_first(extract_tb(current.__traceback__), since)))
        parts.append(f"Traceback (most recent call last):\n{frames}{describe(current)}\n")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nwhich led to:\n\n".join(reversed(parts))


def _from_first(frames: Sequence[FrameSummary], since: Callable[[str], bool]) -> list[FrameSummary]:
    start = next((at for at, frame in enumerate(frames) if since(frame.filename)), 0)
    return list(frames[start:])
