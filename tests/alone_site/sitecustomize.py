"""Imported by Python as it starts, where this folder is on its path: some distributions are hidden from it.

Nothing is imported that a process does not have already: some tests look at what a command imports.
"""

import os
import sys
from collections.abc import Collection, Iterable
from typing import Any

VARIABLE = "SEEDFRAME_TEST_HIDDEN"
"""The folders of metadata that are hidden, as a path has them."""


def without(finder: Any, hidden: Collection[str]) -> Any:
    """A finder as one of `sys.meta_path`, that does not find the metadata in these folders; modules are found."""

    class Without(finder):  # type: ignore[misc]
        @staticmethod
        def find_distributions(*args: Any, **kwargs: Any) -> Iterable[Any]:
            found = finder.find_distributions(*args, **kwargs)
            return (dist for dist in found if os.path.realpath(str(getattr(dist, "_path", ""))) not in hidden)

    Without.__name__ = finder.__name__
    return Without


def finders(hidden: Collection[str]) -> list[Any]:
    """What `sys.meta_path` is to be."""
    return [
        without(finder, hidden) if getattr(finder, "__name__", "") == "PathFinder" else finder
        for finder in sys.meta_path
    ]


if VARIABLE in os.environ:
    sys.meta_path[:] = finders(os.environ[VARIABLE].split(os.pathsep))
