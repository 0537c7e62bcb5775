"""A new project: a seed with its data, the tables it needs, and a test that proves that it converges."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import tomli_w

from seedframe.configuration.config import load_config
from seedframe.errors import UsageError
from seedframe.project import Project
from seedframe.scaffold.files import render, require_free, write_new
from seedframe.scaffold.made import Made

_EXAMPLE: Final = ".env.example"
_TEMPLATES: Final = {
    "seedframe.toml": "project/seedframe.toml.txt",
    "schema/0010_settings.sql": "project/settings.sql.txt",
    "schema/migrate.py": "project/migrate.py.txt",
    "seeds/10_settings.py": "project/settings.py.txt",
    "seeds/data/settings.csv": "project/settings.csv.txt",
    "tests/test_settings.py": "project/test_settings.py.txt",
    "README.md": "project/README.md.txt",
    ".gitignore": "project/gitignore.txt",
}


def new_project(folder: Path, example: Callable[[Project], str]) -> Made:
    """Write a project into a folder, which is made where it is missing; the project is called after it.

    Args:
        folder: where to.
        example: makes the text of `.env.example` of a project.

    Errors: UsageError, before anything is written, where a file is there already or the folder has no usable name.
    """
    shown, folder = folder, folder.resolve()
    name = folder.name
    if not name.strip() or not name.isprintable():
        raise UsageError("the folder's name cannot be a project's", hint="give another folder", where=str(folder))
    named = tomli_w.dumps({"name": name}).strip()
    texts = {file: render(template, {"name": name, "named": named}) for file, template in _TEMPLATES.items()}
    require_free(folder, {**texts, _EXAMPLE: ""})
    write_new(folder, texts)
    # What this process has set is no part of an example.
    config = replace(load_config(folder / "seedframe.toml", environ={}), variables={}, variable_sources={})
    write_new(folder, {_EXAMPLE: example(Project.of(config))})
    first = "seedframe db init"
    if folder != Path.cwd():
        there = f"./{shown}" if str(shown).startswith("-") else str(shown)
        first = f"cd {shlex.quote(there)} && {first}"
    return Made(f"the project {name}", shown, (*texts, _EXAMPLE), (first, "pytest"))
