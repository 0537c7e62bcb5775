"""Resources of one seed that have one name."""

from collections.abc import Iterable, Iterator

from seedframe.errors import DeclarationError
from seedframe.resources.protocol import Resource


def declared_twice(resources: Iterable[Resource], seed: str, where: str) -> Iterator[tuple[Resource, DeclarationError]]:
    """Each resource whose name an earlier one has, and what is said of it.

    Args:
        resources: of one seed.
        seed: its label.
        where: its origin.
    """
    seen: set[str] = set()
    for resource in resources:
        if resource.name in seen:
            yield (
                resource,
                DeclarationError(
                    f"resource {resource.name} is declared twice in seed {seed}",
                    hint="an account has one declaration: give each its own e-mail address"
                    if resource.name.startswith("account:")
                    else 'tell them apart: Rows(…, name="…")',
                    where=where,
                    kind="duplicate-resource",
                ),
            )
        seen.add(resource.name)
