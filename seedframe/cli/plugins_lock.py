"""`seedframe plugins lock`: pin the allowed plugins, file by file, or compare what is installed with that."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from seedframe.cli.options import Context, global_options
from seedframe.errors import ConfigError, DiscoveryError, UsageError
from seedframe.plugins.lockfile import LOCK_NAME, Lock, read_lock
from seedframe.reporting.cells import visible

if TYPE_CHECKING:
    from seedframe.config import Config
    from seedframe.plugins.installed import Distribution


@click.command("lock", short_help="Pin the allowed plugins, file by file; --check compares.")
@click.option("--check", is_flag=True, help="Write nothing; tell where the lock is not what is installed.")
@global_options
def lock(context: Context, *, check: bool) -> int:
    """Pin the allowed plugins in seedframe.lock: their versions, and the SHA-256 of each of their files.

    A file that was changed since it was installed is refused. Nothing is imported. Commit the lock: from then on,
    a plugin that is not as it says is refused before anything of it is imported.

    Exit code: 0, with --check 1 where the lock is not what is installed, or 3.
    """
    from seedframe.plugins.installed import installed, unmet

    # What is left out of one run is trusted all the same.
    config = replace(context.config(), plugins_disabled=frozenset(), plugins_named=frozenset(), plugins_autoload=True)
    found, mistakes = installed(config, check_lock=False)
    refused = [*mistakes, *unmet([dist for dist in found if dist.state != "missing"])]
    if refused:
        raise DiscoveryError.of(problem for error in refused for problem in error.problems)
    return _check(config, found) if check else _write(config, found)


def _write(config: "Config", found: "tuple[Distribution, ...]") -> int:
    from seedframe.plugins.lock_changes import lock_changes
    from seedframe.plugins.locking import lock_of
    from seedframe.reporting.output import write_file

    allowed = [dist for dist in found if dist.state == "allowed"]
    if not allowed:
        raise UsageError("there is nothing to lock: no installed plugin is allowed", hint="see seedframe plugins")
    before, locked = _before(config), lock_of(dist.installed for dist in allowed)
    try:
        write_file(config.root / LOCK_NAME, locked.text())
    except UsageError as error:
        raise UsageError(error.message, where=LOCK_NAME) from error
    for line in lock_changes(before, locked):
        click.echo(visible(line))
    for dist in found:
        if dist.state == "missing":
            click.echo(visible(f"{dist.name} is not installed, and is not in the lock"), err=True)
    click.echo(f"{LOCK_NAME} is as it was" if locked == before else f"{LOCK_NAME} is written: commit it")
    return 0


def _before(config: "Config") -> Lock | None:
    """The lock that is replaced; None for one that cannot be read, which is what a new one is for."""
    try:
        return read_lock(config.root)
    except ConfigError:
        return None


def _check(config: "Config", found: "tuple[Distribution, ...]") -> int:
    lines = list(_differences(read_lock(config.root), found))
    for line in lines:
        click.echo(visible(line))
    if not lines:
        click.echo(f"{LOCK_NAME} is what is installed")
    return 1 if lines else 0


def _differences(locked: Lock | None, found: "tuple[Distribution, ...]") -> Iterator[str]:
    from packaging.utils import canonicalize_name

    from seedframe.plugins.locking import differences

    if locked is None:
        yield f"there is no {LOCK_NAME}: seedframe plugins lock writes it"
        return
    allowed = {str(canonicalize_name(dist.name)): dist for dist in found if dist.state == "allowed"}
    for name, dist in allowed.items():
        for told in differences(locked.plugins.get(name), dist.installed):
            yield f"{dist.name}: {told}"
    wanted = {canonicalize_name(dist.name) for dist in found if dist.expected}
    for key, plugin in locked.plugins.items():
        if key not in allowed:
            why = "is not installed" if key in wanted else "is not allowed"
            yield f"{key}: {plugin.version} is locked, and {why}"
