"""What an installed plugin requires, and what that requires: versions, and digests of what installers recorded."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Final

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from seedframe.errors import DiscoveryError, Problem
from seedframe.plugins.installed_files import NoRecordError, as_a_copy, record_digest
from seedframe.plugins.lockfile import LockedDependency

_OWN: Final = "seedframe"


def locked_dependencies(dist: Distribution) -> dict[str, LockedDependency]:
    """All that a plugin requires here, by normalised name, less seedframe and what that requires itself.

    Errors: DiscoveryError with everything that is not installed, or of which nothing tells what it consists of.
    """
    found: dict[str, LockedDependency] = {}
    problems: list[Problem] = []
    for name, required in _required(dist):
        told = f"plugin {dist.name} requires {name}, which"
        if required is None:
            problems.append(
                Problem(DiscoveryError.code, f"{told} is not installed", f"install it: pip install '{name}'")
            )
            continue
        try:
            found[name] = LockedDependency(required.version, record_digest(required))
        except NoRecordError as error:
            problems.append(Problem(DiscoveryError.code, f"{told} {error}", as_a_copy(required)))
    if problems:
        raise DiscoveryError.of(problems)
    return found


def dependency_differences(dist: Distribution, locked: Mapping[str, LockedDependency]) -> Iterator[str]:
    """Where what a plugin requires is not what a lock has: `pycountry 24.6.1, which it requires, is not 23.12`.

    The files of what it requires are not read.
    """
    seen = set()
    for name, required in _required(dist):
        seen.add(name)
        entry = locked.get(name)
        if required is None:
            yield f"{name}, which it requires, is not installed"
        elif entry is None:
            yield f"{name}, which it requires, is not in the lock"
        elif required.version != entry.version:
            yield f"{name} {required.version}, which it requires, is not {entry.version}"
        else:
            try:
                same = record_digest(required) == entry.record
            except NoRecordError as error:
                yield f"{name}, which it requires, {error}"
            else:
                if not same:
                    yield f"{name} {entry.version}, which it requires, was installed anew, with other files"
    yield from (f"{name}, which it required, is required no more" for name in locked if name not in seen)


def _required(dist: Distribution) -> list[tuple[str, Distribution | None]]:
    """What a distribution requires in this environment, whole, by normalised name; None for what is not there."""
    own = {_OWN}
    with suppress(PackageNotFoundError):  # seedframe may run from its source
        own |= _closure(distribution(_OWN), frozenset()).keys()
    return sorted(_closure(dist, frozenset(own)).items())


def _closure(dist: Distribution, without: frozenset[str]) -> dict[str, Distribution | None]:
    found: dict[str, Distribution | None] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(dist, "")]
    start = canonicalize_name(dist.name)
    while waiting:
        needs, extra = waiting.pop()
        for requirement in _requirements(needs, extra):
            name = canonicalize_name(requirement.name)
            if name in without or name == start:
                continue
            if name not in found:
                try:
                    found[name] = distribution(requirement.name)
                except PackageNotFoundError:
                    found[name] = None
            required = found[name]
            for wanted in ("", *requirement.extras):
                if required is not None and (name, wanted) not in seen:
                    seen.add((name, wanted))
                    waiting.append((required, wanted))
    return found


def _requirements(dist: Distribution, extra: str) -> Iterator[Requirement]:
    for line in dist.requires or ():
        try:
            requirement = Requirement(line)
        except InvalidRequirement:
            continue  # pip would not have installed it
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement
