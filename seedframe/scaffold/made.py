"""What a scaffold has made, for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

HIGHEST_NUMBER: Final = 9999
"""Of a seed that is made; whoever writes one by hand may go on."""


@dataclass(frozen=True, slots=True)
class Made:
    """Files that were written, and how to go on.

    Attributes:
        what: "the project shop".
        folder: where they are.
        names: the files, relative to the folder.
        commands: the two commands to go on with.
        note: what must be done before, if anything.
        left: files that were there and stay as they are, each with what to do about that, if anything.
    """

    what: str
    folder: Path
    names: tuple[str, ...]
    commands: tuple[str, str]
    note: str = ""
    left: Mapping[str, str] = field(default_factory=dict)
