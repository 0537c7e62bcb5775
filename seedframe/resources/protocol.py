"""The resource protocol: what a kind of resource does, whether built in or a plugin's."""

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from seedframe.changes import Changes

if TYPE_CHECKING:
    from seedframe.database.db import Db


@runtime_checkable
class Resource(Protocol):
    """One thing a seed declares.

    The runner calls `diff` of all resources of a seed, then `delete` in reverse order and `write` in order, then
    `diff` again, which must find nothing. `diff` only reads; in `--dry-run` and `verify` the server enforces it.

    A kind whose resources may be limited to environments has an attribute `environments`, made by `environments_of`:
    anywhere else none of this is called, and the baseline that there is stays.
    """

    @property
    def name(self) -> str:
        """`kind:what`, unique within the seed: "rows:medications"."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables it writes, as named by the seed."""
        ...

    def describe(self) -> str:
        """One line for `seedframe list`: "medications.csv into medications by sku"."""
        ...

    def diff(self, db: "Db") -> Changes:
        """Compare what is declared with what is there. Errors: SeedError."""
        ...

    def delete(self, db: "Db", changes: Changes) -> None:
        """Remove what `changes` says to remove."""
        ...

    def write(self, db: "Db", changes: Changes) -> None:
        """Create and update what `changes` says."""
        ...
