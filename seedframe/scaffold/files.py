"""Renders templates, and writes files that are not there yet: all of them, or none."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

from seedframe.errors import UsageError


def render(template: str, values: Mapping[str, str]) -> str:
    """A template of this package, such as `seed/seed.py.txt`, with `${name}` replaced."""
    text = files("seedframe.scaffold").joinpath("templates", *template.split("/")).read_text(encoding="utf-8")
    return Template(text).substitute(values)


def is_there(path: Path) -> bool:
    """Whether there is anything, be it a symbolic link to nothing."""
    return path.exists() or path.is_symlink()


def require_free(folder: Path, names: Mapping[str, str]) -> None:
    """Refuse to overwrite anything. Errors: UsageError, naming what is there."""
    there = [name for name in names if is_there(folder / name)]
    if there:
        more = f", and so {'is' if len(there) == 2 else 'are'} {', '.join(there[1:])}; " if len(there) > 1 else ", and "
        raise UsageError(
            f"it is there already{more}nothing is overwritten",
            hint=f"remove or rename {'it' if len(there) == 1 else 'them'}, or choose another name or folder",
            where=str(folder / there[0]),
        )
    for name in names:
        for above in (folder / name).parents:
            if above.exists() and not above.is_dir():
                raise UsageError("it is a file, and a folder is needed there", where=str(above))


def write_new(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files below a folder, which is made. Errors: UsageError where one is there, or cannot be written."""
    require_free(folder, texts)
    for name, text in texts.items():
        file = folder / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as opened:
                opened.write(text)
        except OSError as error:
            raise UsageError(f"cannot be written: {error.strerror or error}", where=str(file)) from error
