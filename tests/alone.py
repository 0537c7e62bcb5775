"""What is installed beside seedframe, and offers it seeds or extensions, is hidden from the tests and their processes.

A test sees the distributions that it installs itself, and no others. Where there is nothing to hide, nothing is done.
"""

import os
import sys
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Final

import pytest

from seedframe.plugins.offered import GROUP
from tests.alone_site.sitecustomize import VARIABLE, finders

_SITE: Final = str(Path(__file__).parent / "alone_site")
_PATH: Final = "PYTHONPATH"


# Looked for as this is imported, before any test has installed one.
_BESIDE: Final = tuple(
    os.path.realpath(str(getattr(dist, "_path", "")))
    for dist in distributions()
    if any(point.group == GROUP for point in dist.entry_points)
)


def hide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide them from this process, and from those that have its environment."""
    if _BESIDE:
        monkeypatch.setattr(sys, "meta_path", finders(_BESIDE))
        for name, value in hiding(os.environ).items():
            monkeypatch.setenv(name, value)


def hiding(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables for a process that is not to see them, its PYTHONPATH kept."""
    if not _BESIDE:
        return dict(variables)
    parts = [part for part in variables.get(_PATH, "").split(os.pathsep) if part and part != _SITE]
    return {**variables, _PATH: os.pathsep.join([_SITE, *parts]), VARIABLE: os.pathsep.join(_BESIDE)}
