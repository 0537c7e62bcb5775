"""Secret: a text that is masked wherever it could be shown, stored or copied by accident."""

from typing import Any, Final, NoReturn

MASK: Final = "********"


class Secret:
    """A text that shows itself only through `reveal()`.

    Its repr, str and format are a mask; it cannot be pickled or encoded as JSON; two secrets compare by value.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The plain text. Call it where the text is handed over, and keep it in no variable."""
        return self.__value

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self.__value == other.reveal()

    def __hash__(self) -> int:
        return hash(("seedframe.Secret", self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied: call reveal() where the text is needed")
