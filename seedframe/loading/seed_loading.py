"""Imports the module of one seed, or of an extension, and reads what it says of itself, or what is wrong with it."""

import importlib
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import seedframe
from seedframe.errors import (
    HookMistake,
    Problem,
    SeedframeError,
    SeedImportFailed,
)
from seedframe.loading.contract import Constants, hook_mistakes, read_constants
from seedframe.loading.local_modules import PREFIX
from seedframe.loading.own_files import OwnFiles
from seedframe.log import logger
from seedframe.secrecy.known_secrets import hide_declared
from seedframe.secrecy.tracebacks import deepest, describe, render
from seedframe.secrecy.written_settings import settings_on_the_way
from seedframe.seed import Seed

T = TypeVar("T")

# Where an import begins: the folders of importlib, with its metadata, and of seedframe itself.
_IMPORTING: Final = tuple(f"{folder}{os.sep}" for package in (importlib, seedframe) for folder in package.__path__)


def import_code(load: Callable[[], object], origin: str, own: OwnFiles | None) -> Any:
    """What `load` imports. Errors: SeedImportFailed, whatever its code raises, and where it changes the directory."""
    here = _working_folder()
    try:
        found = load()
    except KeyboardInterrupt:
        raise  # somebody wants the command to stop
    except BaseException as error:
        _go_back(here)
        raise _import_failed(error, origin, own) from error
    if _go_back(here):
        message = "changes the working directory while it is imported"
        raise SeedImportFailed(message, hint="start paths at the module's own `__file__`", where=origin)
    return found


def _working_folder() -> str | None:
    try:
        return os.getcwd()  # noqa: PTH109 - a text, as it comes
    except OSError:  # it was deleted
        return None


def _go_back(here: str | None) -> bool:
    """Whether we had to: what is relative on the command line starts at the folder that the command was called in."""
    if here is None or _working_folder() == here:
        return False
    with suppress(OSError):
        os.chdir(here)
    return True


def looked_at(look: Callable[[], T], origin: str, own: OwnFiles | None) -> T:
    """What `look` finds in what was imported: its own code may run then, a `__getattr__` say. Errors: SeedImportFailed;
    what seedframe itself finds wrong."""
    try:
        return look()
    except (SeedframeError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise _import_failed(error, origin, own) from error


def _import_failed(error: BaseException, origin: str, own: OwnFiles | None) -> SeedImportFailed:
    hide_declared(settings_on_the_way(error))
    trace = render(error, since=own.owns if own is not None else _outside_import_system)
    logger.bind(origin=origin, traceback=trace).info("a module raised while it was imported")
    where = own.raised_at(error) if own is not None else _innermost(error)
    hint = _of_missing(error.name) if isinstance(error, ModuleNotFoundError) and error.name else None
    who = "" if own is not None or where is None else f"plugin {origin} "
    if isinstance(error, SystemExit):
        return SeedImportFailed(f"{who}calls sys.exit() while it is imported", where=where or origin)
    hint = hint or "run with -v for the traceback"
    return SeedImportFailed(f"{who}cannot be imported: {describe(error)}", hint=hint, where=where or origin)


def _of_missing(module: str) -> str:
    """What to do about a module that is not there. Of a name with dots, all before the last one was imported."""
    package, _, last = str(module).rpartition(".")
    if not package:
        return f"is {last!r} installed in this environment?"
    if package.startswith(PREFIX):
        return f"the seeds folder has no {'/'.join(str(module).split('.')[1:])}.py"
    return f"{package!r} is there, and has no module {last!r}"


def _innermost(error: BaseException) -> str | None:
    """The place of an error in an installed plugin: its last frame outside Python's import system."""
    found = deepest(error, _outside_import_system)
    return None if found is None else f"{found[0]}:{found[1]}"


def _outside_import_system(filename: str) -> bool:
    # "<frozen …>" is Python's own; "<string>" is what its dataclasses are made of.
    return not filename.startswith(("<", *_IMPORTING))


def loaded(found: Seed, load: Callable[[], object], own: OwnFiles | None) -> Seed:
    """The seed with its module and constants, or with what is wrong in `broken`."""
    try:
        plugin = import_code(load, found.origin, own)
        return looked_at(lambda: _examined(found, plugin, own), found.origin, own)
    except SeedImportFailed as error:
        return replace(found, broken=error)


def _examined(found: Seed, plugin: object, own: OwnFiles | None) -> Seed:
    files = OwnFiles.of(plugin, own.base if own is not None else Path())
    constants, problems = read_constants(plugin, files.place)
    hide_declared(constants.settings)  # code that is imported later may tell them
    problems = [*hook_mistakes(plugin, files.place), *problems]
    said = constants.writes is not None or any(option.table for option in constants.options or ())
    if found.distribution is not None and not said and not problems:
        problems.append(_no_writes(files.place(plugin)))
    broken = HookMistake.of(_located(problem, found) for problem in problems) if problems else None
    return replace(_with_constants(found, constants), plugin=plugin, doc=_doc(plugin), broken=broken)


def _no_writes(where: str | None) -> Problem:
    return Problem(
        HookMistake.code,
        "does not say which tables it writes",
        'write WRITES = ["countries"] in it, or WRITES = [] if it writes none: whoever allows a plugin is to know',
        where,
        "writes-missing",
    )


def _located(problem: Problem, seed: Seed) -> Problem:
    """The problem with the seed in its place, where the place alone does not name it."""
    where = problem.where or seed.origin
    return replace(problem, where=where, message=f"seed {seed.label}: {problem.message}")


def _with_constants(seed: Seed, constants: Constants) -> Seed:
    return replace(
        seed,
        requires=constants.requires,
        tags=constants.tags,
        environments=constants.environments,
        critical=constants.critical,
        settings=constants.settings,
        options=constants.options,
        writes=constants.writes or (),
    )


def _doc(plugin: object) -> str | None:
    """The first line of the docstring."""
    doc = plugin.__doc__ if isinstance(plugin, ModuleType) else None
    return doc.strip().partition("\n")[0].strip() or None if doc else None
