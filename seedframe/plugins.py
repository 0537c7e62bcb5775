"""The plugin manager: the hooks, the seeds and the extensions of one project."""

import re
from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Final, cast

import pluggy

from seedframe import hookspecs
from seedframe.contract import ARGUMENTS, hook_options, is_unmarked_hook
from seedframe.errors import HookMistake, did_you_mean
from seedframe.markers import PROJECT, hookimpl
from seedframe.own_files import OwnFiles

EXTENSION_PREFIX: Final = "seedframe_"
SEED_NAME: Final = re.compile(r"(?P<number>[0-9]+)_(?P<name>[A-Za-z][A-Za-z0-9_]*)")

_UNMARKED: Final[pluggy.HookimplOpts] = {
    "wrapper": False,
    "hookwrapper": False,
    "optionalhook": False,
    "tryfirst": False,
    "trylast": False,
    "specname": None,
}


class SeedManager(pluggy.PluginManager):
    """Knows the hooks, the seeds and the extensions of one project; built by `build_manager`.

    In a seed, as in a test module of pytest, a function is a hook by its name.
    """

    def __init__(self, base: Path) -> None:
        super().__init__(PROJECT)
        self.base: Final = base
        self._extensions: list[object] = []
        self._seeds: dict[str, object] = {}
        self.add_hookspecs(hookspecs)
        self.register(_Drain(), "seedframe:drain")

    def parse_hookimpl_opts(self, plugin: object, name: str) -> pluggy.HookimplOpts | None:
        """Marked functions as pluggy has it; in modules, unmarked ones by their names too."""
        if not isinstance(plugin, ModuleType):
            return super().parse_hookimpl_opts(plugin, name)
        value = vars(plugin).get(name)
        options = hook_options(value)
        if options is not None:
            return cast("pluggy.HookimplOpts", options)
        if any(plugin is extension for extension in self._extensions):
            named = name.startswith(EXTENSION_PREFIX) and type(value) is FunctionType
            return _UNMARKED.copy() if named and value.__module__ == plugin.__name__ else None
        return _UNMARKED.copy() if is_unmarked_hook(plugin, name, value) else None

    def add_seed(self, name: str, plugin: object) -> None:
        """Register a seed's module or object under the seed's name. Errors: HookMistake."""
        try:
            hash(plugin)
        except TypeError:
            raise HookMistake(
                f"a {type(plugin).__name__} cannot be hashed, so it cannot be a seed",
                hint="name a module, or an object of a class without __eq__, in the entry point",
            ) from None
        try:
            self.register(plugin, f"seed:{name}")
        except (pluggy.PluginValidationError, ValueError) as error:
            raise HookMistake(f"cannot be registered: {error}") from error
        self._seeds[name] = plugin

    def add_extension(self, name: str, plugin: object) -> None:
        """Register an extension, which implements `seedframe_*` hooks only. Errors: HookMistake."""
        self._extensions.append(plugin)
        try:
            self.register(plugin, f"extension:{name}")
        except (pluggy.PluginValidationError, ValueError) as error:
            self._extensions.remove(plugin)
            raise HookMistake(f"cannot be registered: {error}") from error
        known = [
            hook
            for hook in vars(self.hook)
            if hook.startswith(EXTENSION_PREFIX) and getattr(self.hook, hook).has_spec()
        ]
        for caller in self.get_hookcallers(plugin) or ():
            if caller.name not in known:
                where = self.own_files(plugin).place(plugin)
                self.unregister(plugin)
                raise HookMistake(
                    f"unknown hook {caller.name!r}", hint=_extension_hint(caller.name, known), where=where
                )

    def only(self, name: str, hook: str) -> pluggy.HookCaller:
        """The hook as implemented by one seed: wrappers and what is built in take part, other seeds do not."""
        others = [plugin for seed, plugin in self._seeds.items() if seed != name]
        return self.subset_hook_caller(hook, remove_plugins=others)

    def own_files(self, plugin: object) -> OwnFiles:
        """The source files of a seed or an extension."""
        return OwnFiles.of(plugin, self.base)


def _extension_hint(hook: str, known: list[str]) -> str:
    if hook in ARGUMENTS:
        return "that is a seed's hook: name the entry point NN_name if this is a seed"
    return did_you_mean(hook, known) or "this version of seedframe has no such hook"


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


def build_manager(base: Path) -> SeedManager:
    """A manager that knows the hooks and nothing else; `base` is what paths in messages are relative to."""
    return SeedManager(base)
