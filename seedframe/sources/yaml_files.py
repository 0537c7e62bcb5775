"""YAML: a list of mappings, read event by event, each value as it is written."""

import re
from collections.abc import Iterator, Mapping
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from seedframe.errors import BadData
from seedframe.sources.records import JsonLiteral, Records, Report, keyed_records, refuse
from seedframe.sources.texts import TextFile

if TYPE_CHECKING:
    from yaml.error import Mark
    from yaml.events import Event, MappingStartEvent, ScalarEvent, SequenceStartEvent

_DEEPEST: Final = 100
_ROW_FORM: Final = "begin each row with a dash: - name: value"

# A tag says which type a value has. These three say no more than the writing does.
_TEXT_TAG: Final = "tag:yaml.org,2002:str"
_LIST_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:seq"})
_MAPPING_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:map"})

_NULLS: Final = frozenset({"", "~", "null"})
_BOOLEANS: Final = frozenset({"true", "false"})
# What libraries read as null, true or false, and nobody can tell from a text: to be written otherwise.
_SPELT_OTHERWISE: Final = {
    "Null": "null", "NULL": "null", "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
}  # fmt: skip
# JSON's numbers (RFC 8259, section 6): those that every version of YAML reads alike.
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")

# What may not stand in a YAML stream as it is (YAML 1.1, section 4.1), and the line breaks that YAML 1.1 knows
# besides those of other texts: it would make a blank of the first.
_UNREADABLE: Final = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def yaml_records(file: TextFile, report: Report = refuse) -> Records:
    """The mappings of the file's one list, which may be the value of its one field.

    A plain scalar is the text that is written, for its column's type to read; `~`, `null` and nothing at all are NULL.
    In json and jsonb, what JSON has as a number, true or false is that, and all else a string.
    Aliases, merge keys, tags, several documents, and fields twice are refused.

    Errors: BadData, naming file, line and column.
    """
    return keyed_records(_rows(file), file.place, json=True, report=report)


def _rows(file: TextFile) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with file.open(newline=None) as text:
        reader = _Reader(text, file)
        reader.take("StreamStart")
        if reader.peek("StreamEnd"):
            hint = "write [] to declare no rows at all"
            raise BadData("the file is empty", hint=hint, where=file.shown, kind="empty-file")
        reader.take("DocumentStart")
        named = reader.peek("MappingStart")
        if named:
            reader.begin_mapping()
            if not reader.peek("MappingEnd"):
                reader.key()
        if not reader.peek("SequenceStart"):
            raise reader.wrong("the file is no list of rows", _ROW_FORM)
        reader.begin_list()
        while not reader.peek("SequenceEnd"):
            yield reader.row()
        reader.take("SequenceEnd")
        if named and not reader.peek("MappingEnd"):
            raise reader.wrong("the file does not hold exactly one list of rows", _ROW_FORM)
        if named:
            reader.take("MappingEnd")
        reader.take("DocumentEnd")
        if not reader.peek("StreamEnd"):
            raise reader.wrong("a second document begins", "write one list of rows")


class _Parser(Protocol):
    """What of a loader of PyYAML is used: no more than its events."""

    def peek_event(self) -> "Event": ...

    def get_event(self) -> "Event": ...


class _Reader:
    """The events of a file, one after the other, and what they stand for."""

    def __init__(self, text: IO[str], file: TextFile) -> None:
        try:
            import yaml  # here, as it is an extra, and most projects have no such files
        except ImportError as error:
            raise BadData(
                "YAML files need PyYAML, which is not installed",
                hint='install it: pip install "seedframe[yaml]"',
                where=file.shown,
                kind="file-format",
            ) from error
        self._file = file
        self._events = yaml.events
        self._error = yaml.YAMLError
        # Both come to the same; the one in C, where PyYAML was built with it, is ten times as fast.
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self._parser: _Parser = loader(_Readable(text, file))

    # Events

    def peek(self, kind: str) -> bool:
        """Whether the next event is of this kind."""
        return isinstance(self._next(), getattr(self._events, f"{kind}Event"))

    def take(self, kind: str) -> None:
        """Go past an event that is of this kind by the grammar of YAML."""
        assert self.peek(kind)  # noqa: S101
        self._parser.get_event()

    def _next(self) -> "Event":
        try:
            return self._parser.peek_event()
        except self._error as error:
            raise self._no_yaml(error) from error
        except (ValueError, OverflowError) as error:  # of an escape for a character that there is not
            if isinstance(error, UnicodeDecodeError):
                raise
            raise BadData(
                "this is no YAML: an escape stands for no character", hint="correct the file", where=self._file.shown
            ) from error

    # Nodes

    def row(self) -> tuple[int, Mapping[str, Any]]:
        """The next mapping of the list, and its line."""
        event = self._next()
        if not isinstance(event, self._events.MappingStartEvent):
            raise self.wrong(f"a row is {self._kind(event)}", _ROW_FORM)
        mark: Mark = event.start_mark  # type: ignore[assignment]
        return mark.line + 1, self._mapping(2)

    def begin_list(self) -> None:
        """Go past the beginning of a list."""
        self._begin(_LIST_TAGS)

    def begin_mapping(self) -> None:
        """Go past the beginning of a mapping."""
        self._begin(_MAPPING_TAGS)

    def key(self) -> str:
        """Go past the key of a mapping's next entry, which must be a text."""
        event = self._next()
        if not isinstance(event, self._events.ScalarEvent):
            raise self.wrong(f"the name of a field is {self._kind(event)}", "write a text as its name")
        if event.value == "<<" and self._is_plain(event):
            raise self.wrong("a merge key, <<", "write the fields out in each row that has them")
        value = self._scalar(event)
        if value is None or isinstance(value, JsonLiteral):
            shown = self._kind(event) if value is None else f"{self._kind(event)}, {value[:40]}"
            raise self.wrong(f"the name of a field is {shown}", "put it in quotes")
        self._parser.get_event()
        return value

    def _value(self, depth: int) -> Any:
        event = self._next()
        if depth > _DEEPEST:
            raise self.wrong(f"it is nested more than {_DEEPEST} levels deep", "write less deeply nested values")
        if isinstance(event, self._events.MappingStartEvent):
            return self._mapping(depth)
        if isinstance(event, self._events.SequenceStartEvent):
            self.begin_list()
            values = []
            while not self.peek("SequenceEnd"):
                values.append(self._value(depth + 1))
            self.take("SequenceEnd")
            return values
        if isinstance(event, self._events.ScalarEvent):
            value = self._scalar(event)
            self._parser.get_event()
            return value
        raise self.wrong("an alias", "write the value out in each place that has it")

    def _mapping(self, depth: int) -> dict[str, Any]:
        self.begin_mapping()
        found: dict[str, Any] = {}
        while not self.peek("MappingEnd"):
            event = self._next()
            name = self.key()
            if name in found:
                raise self._wrong(event, f"field {name!r} stands twice in a mapping", "remove one")
            found[name] = self._value(depth + 1)
        self.take("MappingEnd")
        return found

    def _begin(self, tags: frozenset[str | None]) -> None:
        event: MappingStartEvent | SequenceStartEvent = self._next()  # type: ignore[assignment]
        if event.tag not in tags:
            raise self._tagged(event)
        self._parser.get_event()

    def _scalar(self, event: "ScalarEvent") -> str | None:
        value: str = event.value
        if event.tag in (_TEXT_TAG, "!"):
            return value
        if event.tag is not None:
            raise self._tagged(event)
        if not self._is_plain(event):
            return value
        if value in _NULLS:
            return None
        if value in _SPELT_OTHERWISE:
            meant = _SPELT_OTHERWISE[value]
            raise self._wrong(event, f"{value} may mean {meant} or a text", f"write {meant}, or the text in quotes")
        return JsonLiteral(value) if value in _BOOLEANS or _NUMBER.fullmatch(value) else value

    def _is_plain(self, event: "ScalarEvent") -> bool:
        return event.tag is None and bool(event.implicit[0])

    def _kind(self, event: "Event") -> str:
        if isinstance(event, self._events.MappingStartEvent):
            return "a mapping"
        if isinstance(event, self._events.SequenceStartEvent):
            return "a list"
        if not isinstance(event, self._events.ScalarEvent):
            return "an alias"
        value = self._scalar(event)
        if value is None:
            return "null"
        if not isinstance(value, JsonLiteral):
            return "a text"
        return "true or false" if value in _BOOLEANS else "a number"

    # What is wrong

    def wrong(self, message: str, hint: str) -> BadData:
        """An error at the next event."""
        return self._wrong(self._next(), message, hint)

    def _wrong(self, event: "Event", message: str, hint: str) -> BadData:
        return BadData(message, hint=hint, where=self._place(event.start_mark))

    def _tagged(self, event: "MappingStartEvent | SequenceStartEvent | ScalarEvent") -> BadData:
        tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
        return self._wrong(event, f"the tag {tag[:60]!r}", "leave it out: the column's type says what a value is")

    def _no_yaml(self, error: Any) -> BadData:
        mark = getattr(error, "problem_mark", None)
        problem = " ".join(str(getattr(error, "problem", None) or "it cannot be read").split())
        if "end of stream" in problem and getattr(error, "context_mark", None) is not None:
            mark = error.context_mark  # where what is not ended begins
        tab = "tab character" in problem or "\\t" in problem
        return BadData(
            f"this is no YAML: {problem}",
            hint="indent with blanks, not with tabs" if tab else "correct the file",
            where=self._file.shown if mark is None else self._place(mark),
        )

    def _place(self, mark: Any) -> str:
        return f"{self._file.place(mark.line + 1)}:{mark.column + 1}"


class _Readable:
    """A text, every character of which YAML reads as it is."""

    def __init__(self, text: IO[str], file: TextFile) -> None:
        self._text = text
        self._file = file
        self._line = 1
        self._column = 1

    def read(self, size: int = -1) -> str:
        """At most so many characters more. Errors: BadData."""
        block = self._text.read(size)
        found = _UNREADABLE.search(block)
        before = block if found is None else block[: found.start()]
        ends = before.count("\n")
        self._line += ends
        self._column = len(before) - before.rindex("\n") if ends else self._column + len(before)
        if found is None:
            return block
        point = ord(found[0])
        raise BadData(
            "a NUL character" if not point else f"the character U+{point:04X}, which YAML does not read as it is",
            hint="is this a text file in UTF-8?"
            if not point
            else f'write it within double quotes, as "\\u{point:04x}"',
            where=f"{self._file.place(self._line)}:{self._column}",
        )
