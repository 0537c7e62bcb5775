""".env: a small and strict reader of NAME=value lines."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from seedframe.errors import ConfigError, Problem

_ASSIGNMENT: Final = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_COMMENT: Final = re.compile(r"[ \t]+#.*")
_AFTER_QUOTE: Final = re.compile(r"[ \t]*(?:[ \t]#[^\n]*)?(?:\n|\Z)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "$": "$"}


@dataclass(frozen=True, slots=True)
class Dotenv:
    """What a .env file says, and the mistakes in it."""

    values: dict[str, str]
    problems: tuple[Problem, ...] = ()


def read_dotenv(file: Path, shown: str | None = None) -> Dotenv:
    """Read a .env file; one that is not there, or is a folder (some keep a virtual environment there), is empty.

    Args:
        file: the file.
        shown: how messages name it; default: its path.
    """
    name = shown or str(file)
    if not file.exists() or file.is_dir():
        return Dotenv({})
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        return Dotenv({}, (Problem(ConfigError.code, f"cannot be read: {error.strerror}", where=name),))
    except UnicodeDecodeError:
        return Dotenv({}, (Problem(ConfigError.code, "is not UTF-8 text", "save it as UTF-8", name),))
    return parse_dotenv(text, name)


def parse_dotenv(text: str, file: str = ".env") -> Dotenv:
    """The variables of a .env text.

    A line is empty, a `# comment`, or `NAME=value`, with or without `export`. A value is bare (it ends at ` #` or at
    the end of the line), in single quotes (taken as it stands) or in double quotes (with the escapes
    \\n \\r \\t \\\\ \\" \\$); a quoted value may span lines. Nothing is interpolated. Messages never show a value.
    """
    values: dict[str, str] = {}
    first_line: dict[str, int] = {}
    problems: list[Problem] = []
    text = text.replace("\r\n", "\n")
    position = 0
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        end_of_line = _end_of_line(text, position)
        stripped = text[position:end_of_line].strip()
        if not stripped or stripped.startswith("#"):
            position = end_of_line + 1
            continue
        start = position + len(text[position:end_of_line]) - len(text[position:end_of_line].lstrip())
        try:
            name, value, position = _assignment(text, start, end_of_line)
        except _Mistake as mistake:
            problems.append(Problem(ConfigError.code, mistake.message, mistake.hint, f"{file}:{line}"))
            position = end_of_line + 1
            continue
        if name in values:
            message = f"{name} was set before, on line {first_line[name]}"
            problems.append(Problem(ConfigError.code, message, "keep one of the two", f"{file}:{line}"))
            continue
        values[name] = value
        first_line[name] = line
    return Dotenv(values, tuple(problems))


class _Mistake(Exception):
    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _assignment(text: str, start: int, end_of_line: int) -> tuple[str, str, int]:
    """Name, value, and where the next line starts."""
    match = _ASSIGNMENT.match(text, start, end_of_line)
    if match is None:
        raise _Mistake("expected NAME=value", "a name has letters, digits and _; comments start with #")
    quote = text[match.end() : match.end() + 1]
    if quote and quote in "'\"" and match.end() < end_of_line:
        value, position = _quoted(text, match.end() + 1, quote)
    else:
        bare = text[match.end() : end_of_line]
        value = "" if bare.startswith("#") else _COMMENT.sub("", bare, count=1).rstrip()
        position = end_of_line + 1
    if "\0" in value:
        raise _Mistake(f"{match[1]} has a NUL character in it", "remove it")
    return match[1], value, position


def _quoted(text: str, start: int, quote: str) -> tuple[str, int]:
    value: list[str] = []
    position = start
    while position < len(text):
        character = text[position]
        if character == quote:
            rest = _AFTER_QUOTE.match(text, position + 1)
            if rest is None:
                raise _Mistake("there is text after the closing quote", _quote_advice(quote))
            return "".join(value), rest.end()
        if character == "\\" and quote == '"':
            position += 1
            escape = text[position : position + 1]
            if escape not in _ESCAPES:
                raise _Mistake("unknown escape in double quotes", 'these are known: \\n \\r \\t \\\\ \\" \\$')
            character = _ESCAPES[escape]
        value.append(character)
        position += 1
    raise _Mistake("a quote is opened and never closed", _quote_advice(quote))


def _quote_advice(quote: str) -> str:
    return 'write \\" for a quote inside double quotes' if quote == '"' else "use double quotes around a single one"


_BARE: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]*", re.ASCII)


def dotenv_value(text: str) -> str:
    """`text` as a value on one line of a .env file: bare where that is clear, else in double quotes."""
    if _BARE.fullmatch(text):
        return text
    named = {character: f"\\{letter}" for letter, character in _ESCAPES.items()}
    return '"' + "".join(named.get(character, character) for character in text) + '"'
