"""What a new lock says otherwise than the one before it, plugin by plugin, as lines for whoever commits it."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Final

from seedframe.plugins.lockfile import Lock, LockedPlugin

_SHOWN: Final = 3


def lock_changes(before: Lock | None, after: Lock) -> Iterator[str]:
    """A line for each plugin of either lock, by name; those that are as they were in one line, at the end."""
    old = before.plugins if before is not None else {}
    same: list[LockedPlugin] = []
    for name in sorted({*old, *after.plugins}):
        was, now = old.get(name), after.plugins.get(name)
        if now is None:
            if was is not None:
                yield f"removed {name} {was.version}"
        elif was is None:
            yield f"added {name} {now.version}: {_contents(now)}"
        elif was.version != now.version:
            yield f"updated {name} {was.version} to {now.version}: {_contents(now)}"
        elif was != now:
            yield f"changed {name} {now.version}: {_differences(was, now)}"
        else:
            same.append(now)
    if same:
        yield f"unchanged: {', '.join(f'{plugin.name} {plugin.version}' for plugin in same)}"


def _contents(plugin: LockedPlugin) -> str:
    files = "1 file" if len(plugin.files) == 1 else f"{len(plugin.files)} files"
    required = [f"{name} {entry.version}" for name, entry in sorted(plugin.dependencies.items())]
    return f"{files}, and {', '.join(required)}" if required else files


def _differences(was: LockedPlugin, now: LockedPlugin) -> str:
    """The first few files, and all that it requires, of one version."""
    old = {name: entry.version for name, entry in was.dependencies.items()}
    new = {name: entry.version for name, entry in now.dependencies.items()}
    required = [
        f"{name} {_told(old.get(name), new.get(name))}"
        for name in sorted({*old, *new})
        if was.dependencies.get(name) != now.dependencies.get(name)
    ]
    files = list(islice(_files(was.files, now.files), _SHOWN + 1))
    shown = files[:_SHOWN] + (["and more"] if len(files) > _SHOWN else [])
    return "; ".join([*shown, *required])


def _files(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for path in sorted({*was, *now}):
        if was.get(path) != now.get(path):
            what = "is new" if path not in was else "is gone" if path not in now else "is another"
            yield f"{path} {what}"


def _told(was: str | None, now: str | None) -> str:
    if was is None or now is None:
        return f"{now} is new" if was is None else f"{was} is gone"
    return f"{now} is another build" if was == now else f"{was} to {now}"
