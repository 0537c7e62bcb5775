"""The pluggy markers, alone at the bottom so that seeds and extensions import nothing else."""

from typing import Final

import pluggy

PROJECT: Final = "seedframe"

hookspec: Final = pluggy.HookspecMarker(PROJECT)
hookimpl: Final = pluggy.HookimplMarker(PROJECT)
