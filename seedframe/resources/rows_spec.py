"""What a `Rows` was told, as data: everything but the rows themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from seedframe.resources.values import Moved, Ref, Removed

if TYPE_CHECKING:
    from seedframe.database.declared import Mode  # with the driver, which linting does without


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsSpec:
    """What a `Rows` was told, less the rows themselves. `given` holds initial values for all rows."""

    name: str
    key: tuple[str, ...]
    mode: "Mode"
    file: str | None
    initial: tuple[str, ...]
    given: Mapping[str, Any]
    ignore: tuple[str, ...]
    secret: tuple[str, ...]
    refs: Mapping[str, Ref]
    where: str | None = None
    prune: bool = False
    transitions: tuple[Moved | Removed, ...] = ()
    validate: Mapping[str, str] = field(default_factory=dict)
    index: str | None = None
    max_delete: int | str | None = None
    max_update: int | str | None = None

    @property
    def removed(self) -> tuple[Removed, ...]:
        """The keys that must not be there."""
        return tuple(transition for transition in self.transitions if isinstance(transition, Removed))

    @property
    def removes(self) -> bool:
        """True where rows may have to be deleted."""
        return self.mode == "sync" or self.prune or bool(self.removed)
