"""Seed: one discovered seed, whatever it came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

from seedframe.errors import DiscoveryError

if TYPE_CHECKING:
    from seedframe.configuration.seed_option import Option
    from seedframe.configuration.settings import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One seed, as discovered; hooks ask for it as `seed`.

    Attributes:
        name: what identifies it: "reference". Renumbering changes nothing.
        number: what orders it: 20, or `[seeds.reference] order`.
        label: number and name as its author wrote them: "20_reference".
        origin: "seeds/20_reference.py", or "seedframe-icd10 1.2.0" for a plugin's.
        plugin: the module (or object) that has the hooks; None when it could not be imported.
        files: the folder its data files are found in, which may be inside an installed package.
        requires: names of seeds that must come earlier.
        environments: the environments it is limited to; None for all.
        settings: the variables it declares.
        options: what it declares that `[seeds.NAME]` may say to it; None leaves that table unchecked.
        writes: the tables that its own code writes, beside those of its resources. Of a plugin's seed: all that it may
            write, its resources included.
        config: the values of its options; without any, `[seeds.NAME]` less what is seedframe's own.
        distribution: the name of the distribution that a plugin's seed is from; None for the project's own.
        enabled: False when `[seeds.NAME] enabled = false`.
        broken: why it cannot be used; such a seed is listed, and an error to everything else.
    """

    name: str
    number: int
    label: str
    origin: str
    plugin: object | None
    files: Traversable | None
    requires: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    environments: frozenset[str] | None = None
    critical: bool = True
    settings: tuple["Setting", ...] = ()
    options: "tuple[Option, ...] | None" = None
    writes: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True
    broken: DiscoveryError | None = None
    doc: str | None = None
    distribution: str | None = None

    def unshared(self) -> "Seed":
        """The same, for code that is given it to look at: what that does to `config` is done to a copy."""
        return replace(self, config=unshared(self.config))

    def runs_in(self, env: str) -> bool:
        """True when it is enabled and its environments include `env`."""
        return self.enabled and (self.environments is None or env in self.environments)


def unshared(value: Any) -> Any:
    """The value with its own dicts and lists, all the way down; other things are the same."""
    if isinstance(value, Mapping):
        return {key: unshared(inner) for key, inner in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(unshared(inner) for inner in value)
    return value
