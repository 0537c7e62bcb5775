"""Digests of what a seed declares: of each resource, and of its own `check`."""

from hashlib import sha256

from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed
from seedframe.seeding.code_digest import code_digest


def resource_digest(resource: Resource) -> str:
    """SHA-256 of what a resource says of itself; of its rows nothing is in it."""
    return sha256(resource.describe().encode()).hexdigest()


def content_digest(resource: Resource) -> str:
    """SHA-256 of what was declared, down to the rows where they were read."""
    rowset = resource.rowset if isinstance(resource, Rows) else None
    return rowset.digest if rowset is not None else resource_digest(resource)


def check_digest(seed: Seed) -> str:
    """What a seed's own `check` declares is its code and its configuration: when they move, the seed has moved on."""
    return sha256((code_digest(seed) + repr(sorted(seed.config.items()))).encode()).hexdigest()
