"""The plugin manager without seeds: the hooks of one project, and the extensions that implement them."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from types import ModuleType
from typing import Final, TypeAlias, cast

import pluggy

from seedframe import hookspecs
from seedframe.accounts import backends
from seedframe.errors import HookMistake
from seedframe.loading.contract import hook_options, is_unmarked_hook
from seedframe.loading.own_files import OwnFiles
from seedframe.markers import PROJECT, hookimpl
from seedframe.plugins import kinds
from seedframe.plugins.extension_contract import extension_mistakes, is_extension_hook
from seedframe.plugins.wrappers import BadWrapper, watched
from seedframe.reporting import formats as report_formats
from seedframe.secrecy.tracebacks import deepest
from seedframe.sources import formats as file_formats

Trace: TypeAlias = Callable[[str, tuple[str, ...], float], None]
"""Is told of a call of a hook: its name, the seeds ("seed:core") and extensions it reached, and the seconds it took."""

_OWN: Final = "seedframe:"
_EXTENSION: Final = "extension:"
_BUILT_IN: Final = (backends, file_formats, kinds, report_formats)

_UNMARKED: Final[pluggy.HookimplOpts] = {
    "wrapper": False,
    "hookwrapper": False,
    "optionalhook": False,
    "tryfirst": False,
    "trylast": False,
    "specname": None,
}


class ExtensionManager(pluggy.PluginManager):
    """Knows the hooks and the extensions of one project, the built-in ones included.

    In a seed or an extension, as in a test module of pytest, a function is a hook by its name.
    """

    def __init__(self, base: Path) -> None:
        super().__init__(PROJECT)
        self.base: Final = base
        self._extensions: list[object] = []
        self._origins: dict[str, str] = {}
        self.add_hookspecs(hookspecs)
        self.register(_Drain(), f"{_OWN}drain")
        for module in _BUILT_IN:
            self.register(module, f"{_OWN}{module.__name__}")

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Marked functions as pluggy has it; in modules, unmarked ones by their names too."""
        if not isinstance(plugin, ModuleType):
            return super().parse_hookimpl_opts(plugin, name)
        value = vars(plugin).get(name)
        options = hook_options(value)
        if options is not None:
            return cast("pluggy.HookimplOpts", options)
        if any(plugin is extension for extension in self._extensions):
            return _UNMARKED.copy() if is_extension_hook(plugin, name, value) else None
        return _UNMARKED.copy() if is_unmarked_hook(plugin, name, value) else None

    def register(self, plugin: object, name: str | None = None) -> str | None:
        """As pluggy has it; wrappers are watched, so that what they do wrong is told as theirs."""
        key = super().register(plugin, name)
        if key is not None and not key.startswith(_OWN):
            for caller in self.get_hookcallers(plugin) or ():
                for impl in caller.get_hookimpls():
                    if impl.plugin is plugin and impl.wrapper:
                        impl.function = watched(impl.function, key, caller.name)  # type: ignore[misc]
        return key

    def add_extension(self, name: str, plugin: object, origin: str) -> None:
        """Register an extension, which implements `seedframe_*` hooks only.

        Args:
            name: of its entry point.
            origin: the distribution it is from: "seedframe-s3 1.2.0".

        Errors: HookMistake, with everything that does not fit.
        """
        problems = extension_mistakes(plugin, name, self.own_files(plugin).place)
        if problems:
            raise HookMistake.of(problems)
        self.require_new(plugin)
        key = f"{_EXTENSION}{name}"
        if key in self._origins:
            raise HookMistake(
                f"is one of two that are called {name!r}: the other is of {self._origins[key]}",
                hint="leave one of the plugins out with -p no:NAME, or take it from [plugins] allow",
            )
        self._extensions.append(plugin)
        try:
            self.register(plugin, key)
        except (pluggy.PluginValidationError, ValueError) as error:
            self._extensions.remove(plugin)
            raise HookMistake(f"cannot be registered: {error}") from error
        self._origins[key] = origin

    def require_new(self, plugin: object) -> None:
        """Errors: HookMistake, for a module that is registered already."""
        known = self.get_name(plugin)
        if known is not None:
            raise HookMistake(
                f"is what {known.replace(':', ' ', 1)} is, too", hint="give each entry point a module of its own"
            )

    @property
    def extensions(self) -> Mapping[str, str]:
        """The registered extensions, without the built-in ones: the distribution each is from."""
        return self._origins

    def extension_hooks(self) -> frozenset[str]:
        """The hooks that extensions, without the built-in ones, implement."""
        return frozenset(
            caller.name for key in self._origins for caller in self.get_hookcallers(self.get_plugin(key)) or ()
        )

    def called(self, key: str) -> str:
        """What an extension is called in messages."""
        if key not in self._origins:
            return "seedframe itself"
        return f"plugin {self._origins[key]}, extension {key.removeprefix(_EXTENSION)!r}"

    def raised_in(self, error: BaseException) -> tuple[str, str] | None:
        """The extension whose code an error passed through first, as it is called in messages, and the line; None
        where it passed through none."""
        owned = {key: self.own_files(self.get_plugin(key)) for key in self._origins}
        found = deepest(error, lambda file: any(files.owns(file) for files in owned.values()))
        if found is None:
            return None
        sharing = [key for key, files in owned.items() if files.owns(found[0])]
        place = owned[sharing[0]].show(*found)
        if len(sharing) == 1:
            return self.called(sharing[0]), place
        # Of several in one package it is the one whose module the error passed through.
        modules = {getattr(owned[key].module, "__file__", None): key for key in sharing}
        passed = deepest(error, modules.__contains__)
        return self.called(modules[passed[0]]) if passed else f"plugin {self._origins[sharing[0]]}", place

    def broken_wrapper(self, error: BadWrapper) -> tuple[str, str]:
        """The plugin whose wrapper broke the rules, as it is called in messages, and the line."""
        return self.called(error.owner), self.own_files(self.get_plugin(error.owner)).show(*error.place)

    def implementing(self, hook: str) -> tuple[str, ...]:
        """The extensions that implement a hook, in the order in which they are called: the built-in ones first."""
        found = [impl.plugin_name for impl in getattr(self.hook, hook).get_hookimpls() if not impl.wrapper]
        return tuple(sorted(dict.fromkeys(found), key=lambda key: key in self._origins))

    def one(self, key: str, hook: str) -> pluggy.HookCaller:
        """The hook as implemented by one extension, with wrappers."""
        impls = getattr(self.hook, hook).get_hookimpls()
        others = [impl.plugin for impl in impls if impl.plugin_name != key and not impl.wrapper]
        return self.subset_hook_caller(hook, remove_plugins=others)

    def trace_calls(self, trace: Trace) -> None:
        """Tell `trace` of each call of a hook, when it is over: the hook, who implements it, and the seconds it took.

        What the hooks were given and what they returned is not told: it may be secret.
        """
        started: list[float] = []

        def before(hook: str, impls: Sequence[pluggy.HookImpl], arguments: Mapping[str, object]) -> None:  # noqa: ARG001
            started.append(perf_counter())

        def after(
            outcome: object,  # noqa: ARG001 - pluggy's signature, as above
            hook: str,
            impls: Sequence[pluggy.HookImpl],
            arguments: Mapping[str, object],  # noqa: ARG001
        ) -> None:
            took = perf_counter() - started.pop()
            names = [impl.plugin_name for impl in impls if not impl.plugin_name.startswith(_OWN)]
            trace(hook, tuple(names), took)

        self.add_hookcall_monitoring(before, after)

    def own_files(self, plugin: object) -> OwnFiles:
        """The source files of a seed or an extension."""
        return OwnFiles.of(plugin, self.base)


class _Drain:
    """Turns what a hook returns into a list while the hook's call still lasts, so that generators run inside it.

    It is the innermost wrapper: all others see lists.
    """

    @hookimpl(wrapper=True, trylast=True)
    def resources(self) -> Generator[None, list[object], list[list[object]]]:
        return [_items(result) for result in (yield)]

    check = apply = verify = resources


def _items(result: object) -> list[object]:
    if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
        return [result]
    return list(result)
