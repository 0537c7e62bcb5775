"""Option: what `[seeds.NAME]` of seedframe.toml may say to one seed, typed, checked and documented."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import GenericAlias
from typing import Any, Final, cast

from seedframe.configuration.conversion import Unfit, choose, parse_value
from seedframe.errors import ConfigError, Problem, did_you_mean

_NO_DEFAULT: Final = object()
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

_SCALARS: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_LISTS: Final[Mapping[type, str]] = {str: "an array of texts", int: "an array of whole numbers"}

RESERVED: Final = ("order", "enabled", "environments")
"""What `[seeds.NAME]` says to seedframe itself."""


@dataclass(frozen=True, slots=True)
class Option:
    """One key of `[seeds.NAME]`. Hooks find its value in `config`, by name.

    Args:
        name: the key.
        type: str, int, float, bool, list[str] or list[int].
        default: used when the key is not there; without one the key is required.
        help: one line for people.
        choices: the values it may have; of a list, its items.
        parse: makes of the value what `config[name]` is, and of the default, unless that is None. It raises ValueError
            for what does not fit; the message is shown, without the value.
        table: the value, a text, names a table that the seed writes, as `WRITES` does.

    Raises:
        ValueError: the name is no key's, is one of seedframe's own, or another argument does not fit.
    """

    name: str
    type: "type | GenericAlias" = str
    default: Any = _NO_DEFAULT
    help: str = ""
    choices: Sequence[Any] | None = field(default=None, kw_only=True)
    parse: Callable[[Any], Any] | None = field(default=None, kw_only=True)
    table: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise ValueError(f"Option({self.name!r}): a name has letters, digits and _, and begins with a letter")
        if self.name in RESERVED:
            raise self._mistake("that key is seedframe's own")
        if _described(self.type) is None:
            raise self._mistake("the type is one of str, int, float, bool, list[str], list[int]")
        if not isinstance(self.help, str):
            raise self._mistake("the help is not a text")
        if self.parse is not None and not callable(self.parse):
            raise self._mistake("parse is not a function")
        if self.table and self.type is not str:
            raise self._mistake("a table's name is a str")
        if self.choices is not None:
            object.__setattr__(self, "choices", self._checked_choices(self.choices))
        if self.default is _NO_DEFAULT or self.default is None:
            return
        try:
            self.read(self.default)
        except Unfit as unfit:
            raise self._mistake(f"the default{unfit.message}") from None

    def _mistake(self, message: str) -> ValueError:
        return ValueError(f"Option({self.name!r}): {message}")

    def _checked_choices(self, choices: object) -> tuple[Any, ...]:
        if _item_type(self.type) is bool or not isinstance(choices, list | tuple) or not choices:
            raise self._mistake("the choices are not a list with something in it")
        if any(_typed(_item_type(self.type), choice) is None for choice in choices):
            raise self._mistake(f"a choice is not {_SCALARS[_item_type(self.type)]}")
        return tuple(choices)

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is _NO_DEFAULT

    @property
    def type_name(self) -> str:
        """The type as `OPTIONS` has it: "str", "list[str]" …"""
        return str(self.type) if isinstance(self.type, GenericAlias) else self.type.__name__

    def any_choice(self) -> Any:
        """A value that a project may give: the first of the choices, of a list all of them; None without choices."""
        choices = list(self.choices or ())
        return choices if isinstance(self.type, GenericAlias) else next(iter(choices), None)

    def read(self, value: object) -> Any:
        """What `config[name]` is for a value of the file. Errors: Unfit."""
        if isinstance(self.type, GenericAlias):
            typed: Any = _typed_list(_item_type(self.type), value)
        else:
            typed = _typed(self.type, value)
        if typed is None:
            raise Unfit(f" is not {_described(self.type)}")
        if self.choices is not None:
            typed = _all_chosen(self.choices, typed) if isinstance(typed, list) else choose(self.choices, typed)
        if self.table and not typed.strip():
            raise Unfit(" is blank", "write the table's name")
        return typed if self.parse is None else parse_value(self.parse, typed)


def _all_chosen(choices: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The choices that the entries of a list are. Errors: Unfit, with all that are none; a value is never shown."""
    chosen: list[Any] = []
    wrong: list[tuple[int, Unfit]] = []
    for entry, value in enumerate(values, 1):
        try:
            chosen.append(choose(choices, value))
        except Unfit as unfit:
            wrong.append((entry, unfit))
    if not wrong:
        return chosen
    (entry, first), *others = wrong
    if not others:
        raise Unfit(f": entry {entry}{first.message}", first.hint)
    entries = f"{', '.join(str(each) for each, _ in wrong[:-1])} and {wrong[-1][0]}"
    hints = dict.fromkeys(unfit.hint for _, unfit in wrong if unfit.hint)
    raise Unfit(f": entries {entries} are{first.message.removeprefix(' is')}", " ".join(hints) or None)


def _described(kind: object) -> str | None:
    """What a value of the type is called; None for what is no type of an option."""
    if isinstance(kind, GenericAlias):
        item = kind.__args__[0] if kind.__origin__ is list and len(kind.__args__) == 1 else None
        return _LISTS.get(item) if isinstance(item, type) else None
    return _SCALARS.get(kind) if isinstance(kind, type) else None


def _item_type(kind: "type | GenericAlias") -> "type":
    """The type of the items of a list, or the type itself."""
    return kind if isinstance(kind, type) else cast("type", kind.__args__[0])


def _typed(kind: "type", value: object) -> Any:
    """A value of TOML as one of the type; None where it is none."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:  # of more digits than any number with a point has
            return None
    if type(value) is not kind or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value


def _typed_list(kind: "type", value: object) -> list[Any] | None:
    if not isinstance(value, list):
        return None
    items = [_typed(kind, item) for item in value]
    return None if any(item is None for item in items) else items


def read_options(
    options: Iterable[Option], table: Mapping[str, Any], where: str
) -> tuple[dict[str, Any], tuple[str, ...], tuple[Problem, ...]]:
    """The values of a seed's options, defaults filled in.

    Args:
        options: what the seed declares.
        table: `[seeds.NAME]`, without seedframe's own keys.
        where: what that table is called in messages: "seedframe.toml [seeds.icd10]".

    Returns:
        The values by name, the tables that they name as written, and everything that does not fit.
    """
    known = {option.name: option for option in options}
    values: dict[str, Any] = {}
    problems = [
        Problem(
            ConfigError.code,
            f"unknown key {name!r}",
            did_you_mean(name, [*known, *RESERVED])
            or f"its keys are {', '.join(known) or '(none)'}, and seedframe's own {', '.join(RESERVED)}",
            where,
            "option-misfit",
            name,
        )
        for name in table
        if name not in known
    ]
    for name, option in known.items():
        if name not in table:
            if option.required:
                needed = f"set it: {name} = …" + (f" ({option.help})" if option.help else "")
                problems.append(
                    Problem(ConfigError.code, f"{name!r} is required", needed, where, "option-misfit", name)
                )
                continue
            values[name] = None if option.default is None else option.read(option.default)
            continue
        try:
            values[name] = option.read(table[name])
        except Unfit as unfit:
            hint = unfit.hint or (f"set it: {name} = … ({option.help})" if option.help else "")
            problems.append(Problem(ConfigError.code, f"{name!r}{unfit.message}", hint, where, "option-misfit", name))
    written = tuple(
        str(table.get(name, option.default))
        for name, option in known.items()
        if option.table and name in values and table.get(name, option.default) is not None
    )
    return values, written, tuple(problems)
