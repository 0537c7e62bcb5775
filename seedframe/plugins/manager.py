"""The plugin manager: the hooks, the seeds and the extensions of one project."""

from pathlib import Path
from typing import Final

import pluggy

from seedframe.errors import HookMistake
from seedframe.plugins.contributions import Contributions
from seedframe.plugins.extension_manager import ExtensionManager


class SeedManager(ExtensionManager):
    """Knows the seeds of one project besides, and what its extensions add to it; built by `build_manager`."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self._seeds: dict[str, object] = {}
        self.contributions: Final = Contributions(self)

    def add_seed(self, name: str, plugin: object) -> None:
        """Register a seed's module or object under the seed's name. Errors: HookMistake."""
        try:
            hash(plugin)
        except TypeError:
            raise HookMistake(
                f"a {type(plugin).__name__} cannot be hashed, so it cannot be a seed",
                hint="name a module, or an object of a class without __eq__, in the entry point",
            ) from None
        self.require_new(plugin)
        try:
            self.register(plugin, f"seed:{name}")
        except (pluggy.PluginValidationError, ValueError) as error:
            raise HookMistake(f"cannot be registered: {error}") from error
        self._seeds[name] = plugin

    def only(self, name: str, hook: str) -> pluggy.HookCaller:
        """The hook as implemented by one seed: wrappers and what is built in take part, other seeds do not."""
        others = [plugin for seed, plugin in self._seeds.items() if seed != name]
        return self.subset_hook_caller(hook, remove_plugins=others)


def build_manager(base: Path) -> SeedManager:
    """A manager that knows the hooks and nothing else; `base` is what paths in messages are relative to."""
    return SeedManager(base)
