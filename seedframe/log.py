"""The logger of the library: silent unless an application asks for it with `logger.enable("seedframe")`.

This is what loguru recommends to libraries. Sinks are never added here: the command line does that for itself.
"""

from typing import Final

from loguru import logger

NAMESPACE: Final = "seedframe"

logger.disable(NAMESPACE)

__all__ = ["NAMESPACE", "logger"]
