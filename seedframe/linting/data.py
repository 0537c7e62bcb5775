"""The rows of a `Rows`, from a file or from its list: read as a run would read them, each mistake reported."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from seedframe.errors import SeedframeError
from seedframe.linting.declared import Declared, shown_file
from seedframe.linting.found import MOST, Collector, Place
from seedframe.linting.modules import kind_of, place_of
from seedframe.linting.secrets import HINTS, PASSWORD, form_of, is_placeholder, names_secret
from seedframe.linting.texts import field_column, hidden_in, may_hide
from seedframe.repeats import Repeats
from seedframe.resources.names import absent_fields, misnamed
from seedframe.resources.values import Column, Ref, Sql
from seedframe.secrecy.tracebacks import describe

if TYPE_CHECKING:
    from seedframe.resources.rows_spec import RowsSpec
    from seedframe.sources.formats import FileFormat
    from seedframe.sources.records import Block, Records, Report

_BOM: Final = b"\xef\xbb\xbf"
_REST: Final = re.compile(r"(?::(?P<line>\d+))?(?::(?P<column>\d+))?(?:, .*)?", re.DOTALL)
_HINT_TEXT: Final = "write the text anew, in UTF-8"


def key_text(value: object) -> str:
    """A value of a key as a text that two values share only if they are one for the database, too."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Ref):
        return f"ref\0{value.table}\0" + "\0".join(f"{name}\0{key_text(part)}" for name, part in value.key.items())
    return f"{value}"


class Keeper(Protocol):
    """Is shown every block of some rows."""

    def take(self, fields: Sequence[str], block: "Block") -> None:
        """Look at one."""
        ...


class RowsCheck:
    """One declaration of rows.

    Args:
        declared: where and by whom.
        bases: what paths in errors are relative to.
        formats: of files, by ending.
    """

    def __init__(
        self,
        declared: Declared,
        bases: Sequence[Path],
        collector: Collector,
        formats: "Mapping[str, FileFormat]",
    ) -> None:
        self._declared = declared
        self._formats = formats
        self._bases = bases
        self._collector = collector
        self._spec: RowsSpec = declared.rows.spec
        file = declared.rows.file
        self._path = shown_file(declared.seed, file) if isinstance(file, str) else None
        self._records: Records | None = None
        self._seen: set[tuple[str, str]] = set()
        self._headed = False

    @property
    def path(self) -> Path | None:
        """The data file; None where the rows are in the seed, or in an archive."""
        return self._path

    @property
    def readable(self) -> bool:
        """False for rows that code supplies: a function may ask whom it likes, and an iterator is read once."""
        return not self._declared.rows.is_supplied_by_code

    def run(self, keep: Iterable[Keeper] = ()) -> None:
        """Read all rows, and report what is wrong with them; `keep` is shown each block."""
        if not self.readable:
            return
        if self._path is not None:
            self._check_mark(self._path)
        try:
            with self._opened(self._bad) as records:
                self._check_header(records.fields)
                self._check_rows(records, tuple(keep))
        except KeyboardInterrupt:
            raise
        except SeedframeError as error:
            self._bad(error)
        except Exception as error:  # noqa: BLE001 - rows may be objects of the seed's own
            self._report("resources-failed", self._declared.place, f"the rows cannot be read: {describe(error)}")

    def rows(self) -> "Iterator[tuple[Records, Block]]":
        """The blocks once more, as far as they can be read; nothing is reported."""
        with suppress(Exception), self._opened(lambda _: None) as records:
            for block in records.blocks:
                yield records, block

    @contextmanager
    def _opened(self, report: "Report") -> "Iterator[Records]":
        seed, rows = self._declared.seed, self._declared.rows
        shown = str(self._path) if self._path is not None else str(rows.file)
        records = rows.records(seed.files, shown=shown, report=report, formats=self._formats)
        self._records = records
        try:
            yield records
        finally:
            close = getattr(records.blocks, "close", None)
            if close is not None:
                close()

    # Places

    def _report(self, kind: str, place: Place, message: str, hint: str | None = None) -> None:
        self._collector.report(
            kind, place, message, hint, seed=self._declared.seed.label, declared=self._declared.place
        )

    def _bad(self, error: SeedframeError) -> None:
        for problem in error.problems:
            place = self._named_place(problem.where, self._in_code(problem.kind, problem.where))
            if problem.kind == "header" and problem.about is not None and self._path is not None:
                place = self._of_name(problem.about)
            wide = problem.kind == "field-count" and self._collector.has_room("field-count", place.path)
            if wide and self._records is not None and self._delimiter is not None:
                line = _line(place.path, place.line)
                extra = field_column(line, len(self._records.fields), self._delimiter)
                place = Place(place.path, place.line, extra if extra > 1 else max(len(line), 1))
            self._report(kind_of(problem, "malformed-file"), place, problem.message, problem.hint)

    def _named_place(self, where: str | None, otherwise: Place) -> Place:
        """The place that an error names; first of all in the data file, whatever that is called."""
        path = self._path
        if where is None or path is None or not where.startswith(str(path)):
            return place_of(where, self._bases, otherwise)
        match = _REST.fullmatch(where.removeprefix(str(path)))
        return otherwise if match is None else Place(path, int(match["line"] or 1), int(match["column"] or 1))

    def _in_code(self, kind: str | None, where: str | None) -> Place:
        """The place in the seed of what no file is the place of."""
        call = self._declared.call
        if call is None:
            return self._declared.place
        if self._declared.rows.file is None:
            number = (where or "").rpartition(" row ")[2]
            return (call.of_row(int(number)) if number.isdecimal() else None) or call.place
        return call.of_argument("file") if kind is not None else call.place

    def place(self, number: int, name: str | None = None, kind: str | None = None) -> Place:
        """The place of a row, by the number that its source gives it, or of one of its fields.

        Of a `kind` of which enough is told, it is the row's.
        """
        if self._records is None:
            return self._declared.place
        where = self._records.place(number)
        place = self._named_place(where, self._in_code("row", where))
        call = self._declared.call
        if name is not None and self._path is None and call is not None and (node := call.row(number)) is not None:
            return call.source.text_within(node, name) or place
        if name is None or place.path != self._path or self._delimiter is None:
            return place
        if kind is not None and not self._collector.has_room(kind, place.path):
            return place
        position = self._records.fields.index(name)
        return Place(place.path, place.line, field_column(_line(place.path, place.line), position, self._delimiter))

    @property
    def _delimiter(self) -> str | None:
        if self._path is None:
            return None
        return {".csv": ",", ".tsv": "\t"}.get(self._path.suffix.lower())

    def _of_name(self, name: str) -> Place:
        """The last place of a column's name in the header, or of a field's name in a file of another format."""
        path = self._path
        if path is None:
            return self.place(1, name)
        if self._delimiter is None:
            return Place(path)
        line = _line(path, 1).removeprefix("\ufeff")
        names = next(csv.reader([line], delimiter=self._delimiter), [])
        positions = [at for at, each in enumerate(names) if each == name]
        return Place(path, 1, field_column(line, positions[-1], self._delimiter) if positions else 1)

    # The header

    def _check_mark(self, path: Path) -> None:
        try:
            if not path.is_file():  # whoever opens a pipe waits for the other end
                return
            with path.open("rb") as file:
                marked = file.read(len(_BOM)) == _BOM
        except (OSError, ValueError):
            return  # as above, what is wrong with it is told when the rows are read
        if marked:
            self._report(
                "byte-order-mark", Place(path), "the file begins with a byte order mark", "save it without one"
            )

    def _check_header(self, fields: Sequence[str]) -> None:
        if self._headed or not fields:
            return
        self._headed = True
        call = self._declared.call
        for error in [*misnamed(self._spec, fields), *absent_fields(self._spec, fields)]:
            place = call.of_text(str(error.about)) if call is not None else self._declared.place
            self._report(str(error.kind), place, error.message, error.hint)
        for name in fields:
            wrong = "has blanks around it" if name.strip() != name else hidden_in(name)
            if wrong is None and not name.isprintable():
                wrong = "holds what cannot be seen"
            if wrong is not None and name:
                self._report("header-blanks", self._of_name(name), f"column {name!r} {wrong}", "write just the name")

    # The rows

    def _check_rows(self, records: "Records", keep: tuple[Keeper, ...]) -> None:
        positions = self._key_positions(records.fields)
        named = [at for at, name in enumerate(records.fields) if names_secret(name)]
        repeats = Repeats()
        try:
            for block in records.blocks:
                self._check_keys(records, block, positions, repeats)
                for at, name in enumerate(records.fields):
                    self._check_texts(block, at, name, named=at in named)
                for keeper in keep:
                    keeper.take(records.fields, block)
        finally:
            self._report_repeats(records, repeats, positions)

    def _key_positions(self, fields: Sequence[str]) -> tuple[int, ...] | None:
        """The fields that make up the key; None where that is not to be seen here."""
        positions: list[int] = []
        for name in self._spec.key:
            if name in fields:
                positions.append(fields.index(name))
            elif name in self._spec.refs:
                parts = [part for part in self._spec.refs[name].key.values() if isinstance(part, Column)]
                if any(part.name not in fields for part in parts):
                    return None
                positions += [fields.index(part.name) for part in parts]
            elif name not in self._spec.given:
                return None
        return tuple(positions) or None

    def _check_keys(
        self, records: "Records", block: "Block", positions: tuple[int, ...] | None, repeats: Repeats
    ) -> None:
        if positions is None:
            return
        columns = [block.columns[position] for position in positions]
        if all(type(value) is str and value for column in columns for value in column):
            hashes = map(hash, columns[0]) if len(columns) == 1 else map(hash, zip(*columns, strict=True))
            repeats.add(hashes, block.lines)
            return
        hashes_found: list[int] = []
        lines: list[int] = []
        for line, *values in zip(block.lines, *columns, strict=True):
            empty = next(
                (at for at, value in zip(positions, values, strict=True) if value is None or value == ""), None
            )
            if empty is not None:
                self._report_empty(line, records.fields[empty])
            if any(value is None or isinstance(value, Sql) for value in values):
                continue
            texts = tuple(map(key_text, values))
            hashes_found.append(hash(texts[0] if len(texts) == 1 else texts))
            lines.append(line)
        repeats.add(hashes_found, lines)

    def _report_empty(self, line: int, name: str) -> None:
        hint = "give the row its key, or take it out"
        self._report("empty-key", self.place(line, name, "empty-key"), f"key column {name!r} has no value", hint)

    def _report_repeats(self, records: "Records", repeats: Repeats, positions: tuple[int, ...] | None) -> None:
        found = list(repeats.repeated())
        if not found or positions is None:
            return
        name = records.fields[positions[0]]
        keys = self._keys_at({line for pair in islice(found, MOST) for line in pair}, positions)
        for first, line in found:
            again = [key for key in keys.get(line, ()) if key in keys.get(first, ())]
            message = f"{again[0] if again else 'the key'} stands here and in line {self.place(first).line}"
            place = self.place(line, name, "duplicate-key")
            self._report("duplicate-key", place, message, "keep one of the two rows")

    def _keys_at(self, lines: set[int], positions: tuple[int, ...]) -> Mapping[int, list[str]]:
        """The keys of rows, for messages: read once more, rather than kept for all of them."""
        found: dict[int, list[str]] = {}
        for records, block in self.rows():
            for line, *values in zip(block.lines, *[block.columns[at] for at in positions], strict=True):
                if line in lines:
                    parts = zip([records.fields[at] for at in positions], values, strict=True)
                    shown = " ".join(
                        name if name in self._spec.secret else f"{name}={_shown(value)}" for name, value in parts
                    )
                    found.setdefault(line, []).append(shown)
            if block.lines[-1] > max(lines):
                break
        return found

    def _check_texts(self, block: "Block", at: int, name: str, *, named: bool) -> None:
        column = block.columns[at]
        texts = [value for value in column if isinstance(value, str)]
        if named:
            self._check_named(block, at, name)
        joined = "".join(texts)
        if (
            "$" in joined
            or "-----BEGIN" in joined
            or "://" in joined
            or "_" in joined
            or "AKIA" in joined
            or "xox" in joined
        ):
            self._check_forms(block, at, name)
        if self._path is None or not may_hide(texts):
            return
        for line, value in zip(block.lines, column, strict=True):
            wrong = hidden_in(value) if isinstance(value, str) else None
            if wrong is not None:
                message = f"column {name!r} {wrong}"
                self._report("suspicious-text", self.place(line, name, "suspicious-text"), message, _HINT_TEXT)

    def _check_named(self, block: "Block", at: int, name: str) -> None:
        for line, value in zip(block.lines, block.columns[at], strict=True):
            if isinstance(value, str) and not is_placeholder(value) and form_of(value) is None:
                self._once(PASSWORD, line, name, f"column {name!r} holds what its name says is secret")
                return

    def _check_forms(self, block: "Block", at: int, name: str) -> None:
        for line, value in zip(block.lines, block.columns[at], strict=True):
            rule = form_of(value) if isinstance(value, str) else None
            if rule is not None:
                what = "a key, or an address with a password" if rule == PASSWORD else "a hash or a private key"
                self._once(rule, line, name, f"column {name!r} holds {what}")
                return

    def _once(self, rule: str, line: int, name: str, message: str) -> None:
        """Of a column, the first row is enough; what a seed has in its code was found there."""
        if self._path is not None and (rule, name) not in self._seen:
            self._seen.add((rule, name))
            self._report(rule, self.place(line, name), message, HINTS[rule])


def _shown(value: object) -> str:
    text = f"{value}" if not isinstance(value, Ref) else str(value)
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _line(path: Path, number: int) -> str:
    """One line of a text file; empty where there is none, or it is compressed."""
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            return next(islice(file, number - 1, None), "").rstrip("\r\n")
    except (OSError, ValueError):
        return ""
