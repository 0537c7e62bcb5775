"""`seedframe plugins lock`: pin the allowed plugins, file by file, or compare what is installed with that."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from seedframe.cli.options import Context, global_options
from seedframe.errors import ConfigError, DiscoveryError, UsageError
from seedframe.plugins.lockfile import LOCK_NAME, Lock, read_lock
from seedframe.reporting.cells import visible

if TYPE_CHECKING:
    from seedframe.configuration.config import Config
    from seedframe.plugins.installed import Distribution


@click.command("lock", short_help="Pin the allowed plugins, file by file; --check compares.")
@click.option("--check", is_flag=True, help="Write nothing; tell where the lock is not what is installed.")
@global_options
def lock(context: Context, *, check: bool) -> int:
    """Pin the allowed plugins in seedframe.lock: their versions, and the SHA-256 of each of their files.

    What another environment allows, by [env.NAME.plugins], is pinned as well; --check looks at the chosen one.

    A file that was changed since it was installed is refused. Nothing is imported. Commit the lock: from then on,
    a plugin that is not as it says is refused before anything of it is imported.

    Exit code: 0, with --check 1 where the lock is not what is installed, or 3.
    """
    from seedframe.plugins.installed import installed, unmet

    # What is left out of one run is trusted all the same.
    config = replace(context.config(), plugins_disabled=frozenset(), plugins_named=frozenset(), plugins_autoload=True)
    found, mistakes = installed(config, check_lock=False)
    elsewhere = [
        installed(replace(config, plugins_allow=lines), check_lock=False) for lines in config.plugins_allow_elsewhere
    ]
    refused = [*mistakes, *unmet([dist for dist in found if dist.state != "missing"])]
    refused += [error for _, errors in elsewhere for error in errors]
    if refused:
        raise DiscoveryError.of(dict.fromkeys(problem for error in refused for problem in error.problems))
    others = [dist for several, _ in elsewhere for dist in several if dist.expected]
    return _check(config, found, others) if check else _write(config, found, others)


def _write(config: "Config", found: "Sequence[Distribution]", others: "Sequence[Distribution]") -> int:
    """Pin what this environment allows, and what the others do."""
    from seedframe.plugins.lock_changes import lock_changes
    from seedframe.plugins.locking import lock_of
    from seedframe.reporting.output import write_file

    allowed = _by_name(dist for dist in (*found, *others) if dist.state == "allowed")
    if not allowed:
        raise UsageError("there is nothing to lock: no installed plugin is allowed", hint="see seedframe plugins")
    missing = _by_name(dist for dist in found if dist.state == "missing")
    absent = _by_name(dist for dist in others if dist.state == "missing").keys() - missing.keys() - allowed.keys()
    before = _before(config)
    # Others have them installed, where the environment that allows them is.
    kept = {name: plugin for name, plugin in (before.plugins if before else {}).items() if name in absent}
    locked = Lock({**lock_of(dist.installed for dist in allowed.values()).plugins, **kept})
    file = config.root / LOCK_NAME
    if file.exists() and not file.is_file():  # whoever writes into a pipe waits for the other end
        raise UsageError("is no regular file", hint="remove it", where=LOCK_NAME)
    try:
        write_file(file, locked.text())
    except UsageError as error:
        raise UsageError(error.message, where=LOCK_NAME) from error
    for line in lock_changes(before, locked):
        click.echo(visible(line))
    for dist in missing.values():
        click.echo(visible(f"{dist.name} is not installed, and is not in the lock"), err=True)
    for name in sorted(absent):
        told = f"what was locked of {kept[name].version} stays" if name in kept else "is not in the lock"
        click.echo(visible(f"{name}, which another environment allows, is not installed: {told}"), err=True)
    click.echo(f"{LOCK_NAME} is as it was" if locked == before else f"{LOCK_NAME} is written: commit it")
    return 0


def _by_name(dists: "Iterable[Distribution]") -> "dict[str, Distribution]":
    from packaging.utils import canonicalize_name

    return {str(canonicalize_name(dist.name)): dist for dist in dists}


def _before(config: "Config") -> Lock | None:
    """The lock that is replaced; None for one that cannot be read, which is what a new one is for."""
    try:
        return read_lock(config.root)
    except ConfigError:
        return None


def _check(config: "Config", found: "Sequence[Distribution]", others: "Sequence[Distribution]") -> int:
    lines = list(_differences(read_lock(config.root), found, frozenset(_by_name(others))))
    for line in lines:
        click.echo(visible(line))
    if not lines:
        click.echo(f"{LOCK_NAME} is what is installed")
    return 1 if lines else 0


def _differences(locked: Lock | None, found: "Sequence[Distribution]", elsewhere: "Collection[str]") -> Iterator[str]:
    """Where the lock is not what is installed; nothing of what only other environments allow."""
    from seedframe.plugins.locking import differences

    if locked is None:
        yield f"there is no {LOCK_NAME}: seedframe plugins lock writes it"
        return
    allowed = _by_name(dist for dist in found if dist.state == "allowed")
    for name, dist in allowed.items():
        for told in differences(locked.plugins.get(name), dist.installed):
            yield f"{dist.name}: {told}"
    wanted = _by_name(dist for dist in found if dist.expected)
    for key, plugin in locked.plugins.items():
        if key in wanted and key not in allowed:
            yield f"{key}: {plugin.version} is locked, and is not installed"
        elif key not in wanted and key not in elsewhere:
            yield f"{key}: {plugin.version} is locked, and is not allowed"
