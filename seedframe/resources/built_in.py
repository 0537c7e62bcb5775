"""Which resources are seedframe's own."""

from seedframe.resources.protocol import Resource


def is_built_in(resource: Resource) -> bool:
    """True for what is seedframe's own code, account backends included: what it writes is what was declared."""
    backend = getattr(resource, "backend", None)
    return all(
        type(part).__module__.partition(".")[0] == __name__.partition(".")[0]
        for part in (resource, backend)
        if part is not None
    )
