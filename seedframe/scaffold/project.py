"""A new project: a seed with its data, the tables it needs, and a test that proves that it converges."""

import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import tomli_w

from seedframe.configuration.config import load_config
from seedframe.configuration.config_file import has_config
from seedframe.errors import UsageError
from seedframe.project import Project
from seedframe.scaffold.files import is_there, render, require_free, write_new
from seedframe.scaffold.made import Made

_EXAMPLE: Final = ".env.example"
# A repository that is there already has its own, as a rule.
_LEFT_ALONE: Final = {
    "README.md": "",
    ".gitignore": "add /.env and /.seedframe/ to it",
    _EXAMPLE: "`seedframe env --example` prints what belongs into it",
}
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

    A README, .gitignore and .env.example that are there stay as they are.

    Errors: UsageError, before anything is written, where another file is there already, or the folder has no usable
        name.
    """
    shown, folder = folder, folder.resolve()
    name = folder.name
    if not name.strip() or not name.isprintable():
        raise UsageError("the folder's name cannot be a project's", hint="give another folder", where=str(folder))
    named = tomli_w.dumps({"name": name}).strip()
    texts = {file: render(template, {"name": name, "named": named}) for file, template in _TEMPLATES.items()}
    left = {name: advice for name, advice in _LEFT_ALONE.items() if is_there(folder / name)}
    texts = {file: text for file, text in texts.items() if file not in left}
    require_free(folder, texts)
    if has_config(folder):
        raise UsageError(
            "it has [tool.seedframe], and is a project already", hint="choose another folder", where=str(folder)
        )
    write_new(folder, texts)
    # What this process has set is no part of an example.
    config = replace(load_config(folder / "seedframe.toml", environ={}), variables={}, variable_sources={})
    examples = {} if _EXAMPLE in left else {_EXAMPLE: example(Project.of(config))}
    write_new(folder, examples)
    first = "seedframe db init"
    if folder != Path.cwd():
        there = f"./{shown}" if str(shown).startswith("-") else str(shown)
        first = f"cd {shlex.quote(there)} && {first}"
    note = 'pip install "seedframe[embedded]" pytest, unless both are there'
    return Made(f"the project {name}", shown, (*texts, *examples), (first, "pytest"), note, left)
