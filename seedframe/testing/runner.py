"""The runner of a test: a project in a folder, on a database of its own; the library's reports and the command line."""

import contextlib
import io
import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tomli_w

from seedframe.configuration.config import load_config
from seedframe.configuration.config_file import FILE_NAME
from seedframe.configuration.config_schema import merge
from seedframe.observer import Observer
from seedframe.options import ApplyOptions, Selection, VerifyOptions
from seedframe.project import Project
from seedframe.report import Report
from seedframe.testing.databases import Database
from seedframe.testing.quietly import Quietly

# Variables that would lead a test to the developer's own databases, seeds and services.
_OUTSIDE: Final = ("PG", "DATABASE_URL", "SEED", "SUPABASE")


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command left: its exit code and what it printed."""

    exit_code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit code {self.exit_code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@dataclass(slots=True)
class ProjectRunner:
    """A project in a folder, on a database.

    Attributes:
        path: the project's folder.
        database: its database.
        variables: the environment variables that the project is run with; those of the process are not seen.
        env: the name of the environment; None leaves it to the variables and the default.
        seeds_dir: the folder of its seeds; None leaves it to the configuration.
    """

    path: Path
    database: Database
    variables: dict[str, str] = field(default_factory=dict)
    env: str | None = None
    seeds_dir: Path | None = None

    # Writing the project

    def write(self, files: Mapping[str, str]) -> None:
        """Write text files, their names relative to the folder; folders are made as needed."""
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")

    def configure(self, tables: Mapping[str, Any]) -> None:
        """Put tables over those of seedframe.toml: `{"seeds": {"icd10": {"chapters": ["I"]}}}`."""
        file = self.path / FILE_NAME
        before = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        file.write_text(tomli_w.dumps(merge(before, dict(tables))), encoding="utf-8")

    def allow(self, *requirements: str) -> None:
        """Allow installed plugins, as `[plugins] allow` has them: `seedframe-iso>=1,<2`."""
        file = self.path / FILE_NAME
        before = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        allowed = before.get("plugins", {}).get("allow", [])
        self.configure({"plugins": {"allow": [*allowed, *(name for name in requirements if name not in allowed)]}})

    # Running it

    def environ(self) -> dict[str, str]:
        """The variables that it is run with, DATABASE_URL included."""
        return {**self.variables, "DATABASE_URL": self.database.url}

    def load(self, *, env: str | None = None) -> Project:
        """The project as its files are now. Errors: ConfigError."""
        config = load_config(self.path, env=env or self.env, environ=self.environ())
        if self.seeds_dir is not None:
            from dataclasses import replace

            config = replace(config, seeds_dir=self.seeds_dir)
        return Project.of(config)

    def apply(self, *seeds: str, env: str | None = None, observer: Observer | None = None, **options: Any) -> Report:
        """`seedframe apply SEEDS`; the options are those of `seedframe.options.ApplyOptions`: `dry_run=True` …

        Errors: as `Project.apply`.
        """
        chosen = ApplyOptions(selection=Selection(names=seeds), **options)
        return self.load(env=env).apply(chosen, observer or Quietly())

    def verify(self, *seeds: str, env: str | None = None, **options: Any) -> Report:
        """`seedframe verify SEEDS`. Errors: as `Project.verify`."""
        return self.load(env=env).verify(VerifyOptions(selection=Selection(names=seeds), **options))

    def run(self, *arguments: str, stdin: str = "") -> CommandResult:
        """`seedframe ARGUMENTS` in this process, in the project's folder.

        The working directory, the environment and the standard streams are changed meanwhile: not for threads.
        """
        from seedframe.cli.main import main

        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        given = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        with _streams(given, out, err), _environment(self.environ(), self.env), contextlib.chdir(self.path):
            code = main(list(arguments))
        return CommandResult(code, _text(out), _text(err))


@contextlib.contextmanager
def _streams(given: io.TextIOWrapper, out: io.TextIOWrapper, err: io.TextIOWrapper) -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    sys.stdin, sys.stdout, sys.stderr = given, out, err
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)  # noqa: S101 - made so above
    return buffer.getvalue().decode("utf-8", "replace")


@contextlib.contextmanager
def _environment(variables: Mapping[str, str], env: str | None) -> Iterator[None]:
    before = dict(os.environ)
    for name in before:
        if name.startswith(_OUTSIDE):
            del os.environ[name]
    os.environ.update(variables)
    if env is not None:
        os.environ["SEEDFRAME_ENV"] = env
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
