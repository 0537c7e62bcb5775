"""Resources that are limited to environments: what may be said, and whether one is skipped."""

from collections.abc import Collection

from seedframe.errors import DeclarationError


def environments_of(given: object, *, where: str) -> frozenset[str] | None:
    """`environments=` of a resource, checked; None where it is in all of them.

    Args:
        given: what a seed's author wrote.
        where: the resource's name, for messages.

    Errors: DeclarationError.
    """
    if given is None:
        return None
    example = 'write environments={"development", "staging"}'
    if isinstance(given, str) or not isinstance(given, Collection):
        raise DeclarationError(f"environments= is a {type(given).__name__}", hint=example, where=where)
    strange = next((name for name in given if not isinstance(name, str) or not name), None)
    if strange is not None:
        what = "an empty text" if strange == "" else f"a {type(strange).__name__}"
        raise DeclarationError(f"environments= has {what} in it", hint=example, where=where)
    if not given:
        raise DeclarationError(
            "environments= is empty: it would be nowhere", hint="name environments, or leave it out", where=where
        )
    return frozenset(given)


def limited_to(resource: object) -> frozenset[str] | None:
    """The environments that a resource of any kind is limited to, by an attribute `environments`; None for all."""
    environments = getattr(resource, "environments", None)
    return environments if isinstance(environments, frozenset) else None


def skipped_in(resource: object, env: str) -> str | None:
    """Why a resource is skipped in an environment; None where it is not."""
    environments = limited_to(resource)
    return only_in(environments) if environments is not None and env not in environments else None


def only_in(environments: Collection[str]) -> str:
    """ "only in development, staging"."""
    return f"only in {', '.join(sorted(environments))}"
