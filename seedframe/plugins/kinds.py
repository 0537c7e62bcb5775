"""The kinds of resources that a project has, by name: what `resources` is given as `kinds`."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from seedframe.errors import DeclarationError, did_you_mean
from seedframe.markers import hookimpl

if TYPE_CHECKING:
    from seedframe.resources.protocol import Resource


class Kinds(Mapping[str, "type[Resource]"]):
    """Classes of resources by the names of their kinds; `kinds.bucket` is `kinds["bucket"]`."""

    def __init__(self, load: "Callable[[], Mapping[str, type[Resource]]]") -> None:
        """`load` gives the classes, when the first of them is asked for."""
        self._load = load

    @cached_property
    def _classes(self) -> "Mapping[str, type[Resource]]":
        return self._load()

    def __getitem__(self, name: str) -> "type[Resource]":
        """Errors: DeclarationError for a kind that nothing contributes."""
        if name in self._classes:
            return self._classes[name]
        known = f"the kinds are {', '.join(sorted(self._classes))}; `seedframe plugins` shows what brings more"
        raise DeclarationError(
            f"no kind of resource is called {name!r}", hint=did_you_mean(name, self._classes) or known
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)


@hookimpl
def seedframe_resource_kinds() -> "dict[str, type[Resource]]":
    """The built-in kinds."""
    from seedframe.accounts.account import Account  # here, as only a run needs them
    from seedframe.resources.extension import Extension
    from seedframe.resources.rows import Rows
    from seedframe.resources.tables import Tables

    return {"account": Account, "extension": Extension, "rows": Rows, "tables": Tables}
