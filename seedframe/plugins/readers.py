"""Readers of file formats that extensions bring: what one raises, or yields in a wrong shape, names file and plugin."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from seedframe.errors import BadData, SeedframeError
from seedframe.log import logger
from seedframe.secrecy.tracebacks import describe, one_line, render
from seedframe.sources.formats import FileFormat, HowToRead, Read, Row
from seedframe.sources.records import Records
from seedframe.sources.texts import TextFile

if TYPE_CHECKING:
    from seedframe.plugins.extension_manager import ExtensionManager

_END: Final = object()
_SHAPE: Final = 'yield the number of the line and the fields by name: yield 7, {"code": "A"}'


def blamed(entry: FileFormat, plugins: "ExtensionManager", key: str) -> FileFormat:
    """The format of an extension, read so that each mistake is a BadData with the file, the line and whose it is.

    Args:
        entry: as the extension has it.
        plugins: the manager that the extension is registered with.
        key: the extension: "extension:ini".
    """
    return replace(entry, read=_Reader(plugins, key, entry.read))


@dataclass(frozen=True, slots=True)
class _Reader:
    plugins: "ExtensionManager"
    key: str
    read: Read

    def __call__(self, file: TextFile, how: HowToRead) -> Records | Iterable[Row]:
        def report(problem: SeedframeError) -> None:
            how.report(_of_file(problem, file))

        try:
            found: Any = self.read(file, replace(how, report=report))
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except SeedframeError as error:
            raise _of_file(error, file) from error.__cause__
        except BaseException as error:
            raise self._failed(error, file, None) from error
        if isinstance(found, Records):
            return found
        if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
            raise BadData(f"{self._who} returned {type(found).__name__}, and no rows", hint=_SHAPE, where=file.shown)
        return self._rows(iter(found), file)

    def _rows(self, rows: Iterator[Any], file: TextFile) -> Iterator[Row]:
        line: int | None = None
        number = 0
        while True:
            try:
                row: Any = next(rows, _END)
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except SeedframeError as error:
                raise _of_file(error, file) from error.__cause__
            except BaseException as error:
                raise self._failed(error, file, line) from error
            if row is _END:
                return
            number += 1
            wrong = _misshapen(row)
            if wrong is not None:
                after = "" if line is None else f", after line {line}"
                message = f"{self._who} yielded {wrong} as row {number}{after}"
                raise BadData(message, hint=_SHAPE, where=file.shown)
            line = row[0]
            yield row

    @property
    def _who(self) -> str:
        return f"{self.plugins.called(self.key)}: the reader of the file"

    def _failed(self, error: BaseException, file: TextFile, line: int | None) -> BadData:
        """What the reader raised, after it had yielded the row of a line."""
        own = self.plugins.own_files(self.plugins.get_plugin(self.key))
        trace = render(error, since=own.owns)
        logger.bind(extension=self.key, file=file.shown, traceback=trace).info("a reader raised")
        place = own.raised_at(error)
        at = (f" after line {line}" if line is not None else "") + (f" ({place})" if place is not None else "")
        if isinstance(error, SystemExit):
            what = "it called sys.exit()"
        else:
            # A plain ValueError is what says that the file is not as it should be.
            what = one_line(str(error)) if type(error) is ValueError and str(error).strip() else describe(error)
        return BadData(f"{self._who} failed{at}: {what}", hint="run with -v for the traceback", where=file.shown)


def _of_file(error: SeedframeError, file: TextFile) -> BadData:
    """What a reader says on purpose: of the file, where it names no place."""
    return BadData.of(
        replace(problem, code=BadData.code, where=problem.where or file.shown) for problem in error.problems
    )


def _misshapen(row: Any) -> str | None:
    """What a reader yielded that is no row; None where it is one."""
    if not isinstance(row, tuple) or len(row) != 2:
        return f"a tuple of {len(row)}" if isinstance(row, tuple) else _kind(row)
    line, fields = row
    if type(line) is not int:
        return f"{_kind(line)} for the number of the line"
    if not isinstance(fields, Mapping):
        return f"{_kind(fields)} for the fields"
    strange = next((name for name in fields if not isinstance(name, str)), None)
    if strange is not None:
        return f"{_kind(strange)} for the name of a field"
    return None if fields else "no fields"


def _kind(value: object) -> str:
    name = type(value).__name__
    return "None" if value is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
