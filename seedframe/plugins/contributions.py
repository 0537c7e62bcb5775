"""What extensions, the built-in ones included, add to a project: kinds, file formats, backends, reporters, commands."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from seedframe.command_table import COMMANDS
from seedframe.errors import DiscoveryError, SeedframeError, did_you_mean
from seedframe.log import logger
from seedframe.plugins.kinds import Kinds
from seedframe.plugins.wrappers import HINT, BadWrapper
from seedframe.secrecy.tracebacks import describe, render

if TYPE_CHECKING:
    import click

    from seedframe.accounts.chosen import BackendFactory
    from seedframe.plugins.extension_manager import ExtensionManager
    from seedframe.reporting.formats import Reporter
    from seedframe.resources.protocol import Resource
    from seedframe.sources.formats import FileFormat

T = TypeVar("T")

_ENDING: Final = re.compile(r"\.[^.A-Z]+")
_METHODS: Final = ("describe", "diff", "delete", "write")


class Contributions:
    """What the extensions of one project add to it, asked for when it is needed. Each raises DiscoveryError."""

    def __init__(self, plugins: "ExtensionManager") -> None:
        self._plugins = plugins
        self._owners: dict[tuple[str, str], str] = {}

    def owner(self, what: str, name: str) -> str | None:
        """The extension that a thing is from that was asked for before: `owner("reporter", "short")`."""
        return self._owners.get((what, name))

    def added_by(self, key: str) -> "Mapping[str, tuple[str, ...]]":
        """What one extension adds, by what it is: {"reporter": ("short",)}. Errors: DiscoveryError."""
        asked = (len(self.kinds), self.file_formats, self.account_backends, self.reporters, self.commands)
        assert asked  # noqa: S101 - they were asked for, so that their owners are known
        found: dict[str, list[str]] = {}
        for (what, name), owner in self._owners.items():
            if owner == key:
                found.setdefault(what, []).append(name)
        return {what: tuple(sorted(names)) for what, names in sorted(found.items())}

    @cached_property
    def kinds(self) -> Kinds:
        """The kinds of resources, by name."""
        return Kinds(self._kinds)

    def _kinds(self) -> "Mapping[str, type[Resource]]":
        found = _Named("resource kind", self._owners)
        for key, who, kinds in self._of("seedframe_resource_kinds"):
            for name, kind in _mapping(kinds, who, "seedframe_resource_kinds").items():
                lacks = [part for part in _METHODS if not callable(getattr(kind, part, None))]
                if not isinstance(kind, type):
                    hint = 'map the name of the kind to its class: {"bucket": Bucket}'
                    raise DiscoveryError(f"{who}: the kind {name!r} is no class", hint=hint)
                if lacks:
                    raise DiscoveryError(
                        f"{who}: the kind {name!r} lacks {', '.join(lacks)}",
                        hint="a resource has name, tables, describe, diff, delete and write",
                    )
                found.add(name, kind, key, who)
        return found.things

    @cached_property
    def file_formats(self) -> "Mapping[str, FileFormat]":
        """The formats of data files, by ending."""
        from seedframe.plugins.readers import blamed
        from seedframe.sources.formats import FileFormat

        found = _Named("file format", self._owners)
        for key, who, formats in self._of("seedframe_file_formats"):
            own = key in self._plugins.extensions
            for entry in _items(formats, FileFormat, who, "seedframe_file_formats"):
                endings: Any = entry.endings  # whatever its author wrote
                if not isinstance(endings, tuple | list) or not _callable(entry.read):
                    hint = 'write FileFormat(endings=(".list",), read=read), with a function `read`'
                    raise DiscoveryError(f"{who}: a file format has no endings, or cannot be read", hint=hint)
                for ending in endings:
                    if not isinstance(ending, str) or not _ENDING.fullmatch(ending):
                        hint = 'an ending is lower case and has one dot, its first character: ".xlsx"'
                        raise DiscoveryError(f"{who}: {ending!r} is no ending of files", hint=hint)
                    found.add(ending, blamed(entry, self._plugins, key) if own else entry, key, who)
        return found.things

    @cached_property
    def account_backends(self) -> "Mapping[str, BackendFactory]":
        """What makes the places where accounts can be kept, by the backend's name."""
        found = _Named("account backend", self._owners)
        for key, who, backends in self._of("seedframe_account_backends"):
            for name, make in _mapping(backends, who, "seedframe_account_backends").items():
                if not callable(make) or name == "auto":
                    hint = "map each name but `auto` to a function that makes the backend"
                    raise DiscoveryError(f"{who}: the account backend {name!r} cannot be made", hint=hint)
                found.add(name, make, key, who)
        return found.things

    @cached_property
    def reporters(self) -> "Mapping[str, Reporter]":
        """The formats of reports, by name."""
        from seedframe.reporting.formats import Reporter

        found = _Named("reporter", self._owners)
        for key, who, reporters in self._of("seedframe_reporters"):
            for reporter in _items(reporters, Reporter, who, "seedframe_reporters"):
                if not _callable(reporter.document):
                    hint = 'write Reporter("short", document), with a function `document`'
                    raise DiscoveryError(f"{who}: the reporter {reporter.name!r} makes no document", hint=hint)
                found.add(reporter.name, reporter, key, who)
        return found.things

    @cached_property
    def commands(self) -> "Mapping[str, click.Command]":
        """Commands beside the built-in ones."""
        import click

        found = _Named("command", self._owners, dict.fromkeys(COMMANDS, "seedframe itself"))
        for key, who, commands in self._of("seedframe_commands"):
            for command in _items(commands, click.Command, who, "seedframe_commands"):
                found.add(command.name or "", command, key, who)
        return found.things

    def problems(self) -> tuple[DiscoveryError, ...]:
        """What is wrong with what is added. Nothing is asked where nothing but the built-in extensions is there."""
        found: list[DiscoveryError] = []
        if not self._plugins.extensions:
            return ()
        asked: tuple[Callable[[], object], ...] = (
            lambda: len(self.kinds),
            lambda: self.file_formats,
            lambda: self.account_backends,
            lambda: self.reporters,
            lambda: self.commands,
        )
        for ask in asked:
            try:
                ask()
            except DiscoveryError as error:
                found.append(error)
        return tuple(found)

    def _of(self, hook: str) -> Iterator[tuple[str, str, Any]]:
        """What each extension returns, with its key and what it is called in messages."""
        for key in self._plugins.implementing(hook):
            who = self._plugins.called(key)
            for result in guarded(self._plugins, key, hook):
                yield key, who, result


def guarded(plugins: "ExtensionManager", name: str, hook: str, **arguments: Any) -> list[Any]:
    """Call one extension's hook; what it raises is one line that names it.

    Errors: DiscoveryError; SeedframeError as raised, with the extension named.
    """
    try:
        return [_plain(result) for result in plugins.one(name, hook)(**arguments)]
    except SeedframeError as error:
        raise type(error)(
            f"{plugins.called(name)}: {error.message}", hint=error.hint, where=error.where
        ) from error.__cause__
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BadWrapper as error:
        whose, line = plugins.broken_wrapper(error)
        raise DiscoveryError(f"{whose}: its wrapper of `{hook}` {error.what}", hint=HINT, where=line) from error
    except BaseException as error:
        own = plugins.own_files(plugins.get_plugin(name))
        # It may have been raised in a wrapper, which is another extension's.
        who, where = plugins.raised_in(error) or (plugins.called(name), None)
        logger.bind(extension=name, hook=hook, traceback=render(error, since=own.owns)).info("a hook raised")
        what = "called sys.exit()" if isinstance(error, SystemExit) else f"failed: {describe(error)}"
        raise DiscoveryError(f"{who}: `{hook}` {what}", hint="run with -v for the traceback", where=where) from error


def _callable(thing: Any) -> bool:
    return callable(thing)


def _plain(result: Any) -> Any:
    """What a hook returned, drained while its own code is still called; items that come one by one as a list."""
    if isinstance(result, Mapping):
        return dict(result.items())
    return list(result) if isinstance(result, Iterator) else result


class _Named:
    """Things by their names, each of which one extension may take."""

    def __init__(self, what: str, owners: dict[tuple[str, str], str], taken: Mapping[str, str] | None = None) -> None:
        """`owners` is told which extension each is from; `taken` are names that nobody may take."""
        self.things: dict[str, Any] = {}
        self._what = what
        self._owners = owners
        self._taken = dict(taken or {})

    def add(self, name: object, thing: Any, key: str, who: str) -> None:
        """Errors: DiscoveryError for a name that is taken, or none."""
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise DiscoveryError(f"{who}: a {self._what} has no name", hint="give it one")
        if name in self._taken:
            raise DiscoveryError(
                f"two {self._what}s are called {name!r}: of {self._taken[name]} and of {who}",
                hint="leave one of the plugins out with -p no:NAME, or take it from [plugins] allow",
            )
        self._taken[name] = who
        self._owners[self._what, name] = key
        self.things[name] = thing


def _mapping(found: Any, who: str, hook: str) -> Mapping[str, Any]:
    if isinstance(found, Mapping):
        return found
    raise DiscoveryError(f"{who}: `{hook}` returned {type(found).__name__}", hint='return {"name": …}')


def _items(found: Any, kind: type[T], who: str, hook: str) -> list[T]:
    items = [found] if isinstance(found, kind) else found
    if isinstance(items, Iterable) and not isinstance(items, str | bytes | Mapping):
        items = list(items)
        strange = next((item for item in items if not isinstance(item, kind)), None)
        if strange is None:
            return items
        found = strange
    raise DiscoveryError(
        f"{who}: `{hook}` returned {type(found).__name__}, not {kind.__name__}", hint=f"return [{kind.__name__}(…)]"
    )


def unknown(what: str, name: str, known: Iterable[str]) -> tuple[str, str]:
    """The message and the hint for a name that nothing contributes."""
    listed = sorted(known)
    hint = did_you_mean(name, listed) or f"there are {', '.join(listed)}; `seedframe plugins` shows what brings more"
    return f"no {what} is called {name!r}", hint
