"""Trust in an installed plugin: put down what it consists of, and compare that with what was put down before."""

from collections.abc import Iterable, Iterator
from importlib import metadata
from itertools import islice
from typing import Final

from packaging.utils import canonicalize_name

from seedframe.errors import DiscoveryError, Problem
from seedframe.plugins.dependencies import dependency_differences, locked_dependencies
from seedframe.plugins.entry_values import module_of, not_a_module
from seedframe.plugins.installed_files import (
    NoRecordError,
    as_a_copy,
    as_installed,
    file_differences,
    folder_of,
    module_file,
    recorded,
)
from seedframe.plugins.lockfile import Lock, LockedPlugin
from seedframe.plugins.offered import GROUP

_SHOWN: Final = 3


def lock_of(plugins: Iterable[metadata.Distribution]) -> Lock:
    """A lock of these installed plugins, each of which is as it was installed.

    Errors: DiscoveryError with all that is changed, missing, added, or cannot be locked.
    """
    locked: list[LockedPlugin] = []
    problems: list[Problem] = []
    for plugin in plugins:
        try:
            locked.append(_locked(plugin))
        except DiscoveryError as error:
            problems.extend(error.problems)
    if problems:
        raise DiscoveryError.of(problems)
    return Lock({plugin.name: plugin for plugin in locked})


def _locked(dist: metadata.Distribution) -> LockedPlugin:
    try:
        files = as_installed(dist)
    except NoRecordError as error:
        raise DiscoveryError(f"plugin {dist.name} {error}: it cannot be locked", hint=as_a_copy(dist)) from None
    foreign = tuple(foreign_entry_points(dist, files))
    if foreign:
        hint = "its author moves the module into the distribution"
        raise DiscoveryError(f"plugin {dist.name}: {foreign[0]}: it cannot be locked", hint=hint)
    return LockedPlugin(
        name=canonicalize_name(dist.name),
        version=dist.version,
        files=files,
        dependencies=locked_dependencies(dist),
    )


def foreign_entry_points(dist: metadata.Distribution, files: Iterable[str]) -> Iterator[str]:
    """Entry points that name what is none of the plugin's files, which a lock of them would say nothing of."""
    known = frozenset(files)
    for point in dist.entry_points:
        if point.group != GROUP:
            continue
        module = module_of(point)
        if module is None:
            yield not_a_module(point)
        elif module_file(module, known) is None:
            yield f"{point.name} names {point.value}, which is in none of its files"


def differences(locked: LockedPlugin | None, dist: metadata.Distribution) -> Iterator[str]:
    """Where an installed plugin is not what the lock has, each a text that its name may stand before."""
    if locked is None:
        yield "is not in seedframe.lock"
        return
    try:
        recorded(dist)
    except NoRecordError as error:
        yield f"{error}, and is locked"
        return
    if locked.version != dist.version:
        yield f"{locked.version} is locked, and {dist.version} is installed"
        return
    yield from foreign_entry_points(dist, locked.files)
    yield from file_differences(dist, locked.files)
    yield from dependency_differences(dist, locked.dependencies)


def why_not(locked: LockedPlugin | None, dist: metadata.Distribution) -> str | None:
    """Why the lock keeps an installed plugin out, in one line; None where it does not."""
    found = list(islice(differences(locked, dist), _SHOWN + 1))
    if not found:
        return None
    return "; ".join(found[:_SHOWN]) + ("; and more" if len(found) > _SHOWN else "")


def what_to_do(locked: LockedPlugin | None, dist: metadata.Distribution) -> str:
    """What gets a plugin that the lock keeps out back in: a new lock only where it can be locked as it is."""
    try:
        _locked(dist)
    except DiscoveryError as error:
        return error.problems[0].hint or error.message
    if locked is None:
        return "`seedframe plugins lock` once you trust it"
    if locked.version != dist.version:
        return f"`seedframe plugins lock` once you trust this version, or install {locked.version} again"
    return "`seedframe plugins lock` once you trust the change, or install again what was locked"


def serve(locked: LockedPlugin, dist: metadata.Distribution) -> None:
    """Have all imports of the plugin's packages come from the files that the lock has, byte by byte."""
    from seedframe.plugins.locked_import import LockedFiles, serve_from

    serve_from(LockedFiles.of(locked.name, folder_of(dist), locked.files))


def serve_unlocked(dist: metadata.Distribution) -> None:
    """Have the plugin's packages be imported as all others are, whatever another project's lock says of them."""
    from seedframe.plugins.locked_import import release

    release(canonicalize_name(dist.name))
