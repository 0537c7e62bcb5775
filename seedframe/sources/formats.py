"""FileFormat: one format of data files, as built-in and other extensions contribute it; and the built-in ones."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from seedframe.markers import hookimpl
from seedframe.sources.records import Records, Report, keyed_records, refuse
from seedframe.sources.texts import TextFile


@dataclass(frozen=True, slots=True)
class HowToRead:
    """How a file is to be read.

    Attributes:
        null: the token that means NULL, for formats of texts; None where an empty field does.
        report: is told of records that are wrong; by default the first one is raised.
    """

    null: str | None = None
    report: Report = refuse


Row: TypeAlias = tuple[int, Mapping[str, Any]]
"""A row of a file: the number of its line, and its fields by name."""
Read: TypeAlias = Callable[[TextFile, HowToRead], Records | Iterable[Row]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFormat:
    """One format of data files.

    Attributes:
        endings: of the files that have it, in lower case and with the dot: (".yaml", ".yml").
        read: reads a file: yields (line number, fields by name) for each row, all with the same fields. It is read as
            the rows are needed, never whole, if the function is a generator that does not either.
        null_token: True where a row's fields are texts, and `null=` may say which one means NULL.
    """

    endings: tuple[str, ...]
    read: Read
    null_token: bool = False

    def records(self, file: TextFile, how: HowToRead) -> Records:
        """The rows of a file. Errors: BadData."""
        found = self.read(file, how)
        if isinstance(found, Records):
            return found
        return keyed_records(iter(found), file.place, report=how.report)


@hookimpl
def seedframe_file_formats() -> list[FileFormat]:
    """The built-in formats."""
    return [
        FileFormat(endings=(".csv",), read=_delimited(","), null_token=True),
        FileFormat(endings=(".tsv",), read=_delimited("\t"), null_token=True),
        FileFormat(endings=(".json",), read=_json),
        FileFormat(endings=(".jsonl", ".ndjson"), read=_json_lines),
        FileFormat(endings=(".toml",), read=_toml),
        FileFormat(endings=(".yaml", ".yml"), read=_yaml),
    ]


# The readers are imported by whoever reads such a file.


def _delimited(delimiter: str) -> Read:
    def read(file: TextFile, how: HowToRead) -> Records:
        from seedframe.sources.delimited import delimited_records

        return delimited_records(file, delimiter, how.null, how.report)

    return read


def _json(file: TextFile, how: HowToRead) -> Records:
    from seedframe.sources.json_files import json_records

    return json_records(file, how.report)


def _json_lines(file: TextFile, how: HowToRead) -> Records:
    from seedframe.sources.json_files import json_lines_records

    return json_lines_records(file, how.report)


def _toml(file: TextFile, how: HowToRead) -> Records:
    from seedframe.sources.toml_files import toml_records

    return toml_records(file, how.report)


def _yaml(file: TextFile, how: HowToRead) -> Records:
    from seedframe.sources.yaml_files import yaml_records

    return yaml_records(file, how.report)
