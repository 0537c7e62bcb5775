"""Settings: the variables a seed declares, typed, documented, and read from the environment, .env or NAME_FILE."""

from dataclasses import dataclass
from typing import Any, Final

from seedframe.secrets import Secret

_NO_DEFAULT: Final = object()


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable a seed reads.

    Args:
        name: the environment variable.
        type: str, int, float, bool or Secret.
        default: used when the variable is not set; without one the variable is required.
        help: one line for `seedframe env` and `.env.example`.
    """

    name: str
    type: type = str
    default: Any = _NO_DEFAULT
    help: str = ""

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is _NO_DEFAULT

    @property
    def secret(self) -> bool:
        """True when its value is never shown."""
        return self.type is Secret
