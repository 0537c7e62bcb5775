"""Settings: the variables a seed declares, typed, documented, and read from the environment, .env or NAME_FILE."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from seedframe.errors import ConfigError, Problem, did_you_mean
from seedframe.secrets import MASK, Secret
from seedframe.variables import Variable, find_variable

_NO_DEFAULT: Final = object()
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,1000}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_TRUE: Final = frozenset({"true", "yes", "on", "1"})
_FALSE: Final = frozenset({"false", "no", "off", "0"})
_EXPECTED: Final[Mapping[type, str]] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Secret: "a secret",
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable a seed reads.

    Args:
        name: the environment variable.
        type: str, int, float, bool or Secret.
        default: used when the variable is not set; without one the variable is required.
        help: one line for `seedframe env` and `.env.example`.

    Raises:
        ValueError: the name is no variable's name, or the type or the default does not fit.
    """

    name: str
    type: type = str
    default: Any = _NO_DEFAULT
    help: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise ValueError(f"Setting({self.name!r}): a name has letters, digits and _, and begins with no digit")
        if self.type not in _EXPECTED:
            known = ", ".join(kind.__name__ for kind in _EXPECTED)
            raise ValueError(f"Setting({self.name!r}): the type is one of {known}")
        if self.default is _NO_DEFAULT or self.default is None:
            return
        default = self.default
        if self.type is Secret and isinstance(default, str):
            default = Secret(default)
        elif self.type is float and isinstance(default, int) and not isinstance(default, bool):
            default = float(default)
        if type(default) is not self.type:
            raise ValueError(f"Setting({self.name!r}): the default is not {_EXPECTED[self.type]}, nor None")
        object.__setattr__(self, "default", default)

    @property
    def required(self) -> bool:
        """True when there is no default."""
        return self.default is _NO_DEFAULT

    @property
    def secret(self) -> bool:
        """True when its value is never shown."""
        return self.type is Secret

    @property
    def type_name(self) -> str:
        """The type's name, as in `SETTINGS`: "str", "Secret" …"""
        return self.type.__name__


class Settings(Mapping[str, Any]):
    """A seed's variables by name, converted to their types; read-only. A name that was not declared is an error."""

    __slots__ = ("_owner", "_values")

    def __init__(self, values: Mapping[str, Any], owner: str = "") -> None:
        self._values = dict(values)
        self._owner = owner

    def __getitem__(self, name: str) -> Any:
        """Errors: ConfigError for a name that `SETTINGS` does not have."""
        if name in self._values:
            return self._values[name]
        seed = f"seed {self._owner!r}" if self._owner else "the seed"
        near = did_you_mean(name, self._values)
        raise ConfigError(f"{seed} has no setting {name!r}", hint=near or "declare it in SETTINGS")

    def get(self, name: str, default: Any = None) -> Any:
        """The same as `settings[name]`, and `default` where that is None. Errors: as for `settings[name]`."""
        value = self[name]
        return default if value is None else value

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"Settings({shown})"


def resolve(
    settings: Iterable[Setting],
    variables: Mapping[str, str],
    sources: Mapping[str, str] | None = None,
    *,
    root: Path | None = None,
    seed: str = "",
) -> Settings:
    """The values of a seed's settings.

    Args:
        settings: what the seed declares.
        variables: all variables: `config.variables`.
        sources: where from, for those that are not from the environment: `config.variable_sources`.
        root: the folder that a relative path in NAME_FILE starts at: `config.root`; default: the working directory.
        seed: the seed's name, for messages.

    Raises:
        ConfigError: with every variable that is missing or does not fit; no secret is ever shown.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for setting in settings:
        found = _look_up(setting, variables, sources or {}, root or Path(), seed)
        if found.problem is None:
            values[setting.name] = found.value
        else:
            problems.append(found.problem)
    if problems:
        raise ConfigError.of(problems)
    return Settings(values, seed)


State: TypeAlias = Literal["set", "default", "missing", "invalid"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One variable, as `seedframe env` shows it; no value, only where it comes from.

    Attributes:
        default: as it would be written into .env; None when there is none, a mask for a secret.
        state: whether it is set.
        source: "environment", ".env" or "file PATH" when it is set.
        seeds: who declares it.
        problem: why it is missing or invalid.
    """

    name: str
    type: str
    required: bool
    secret: bool
    default: str | None
    state: State
    source: str | None
    help: str
    seeds: tuple[str, ...]
    problem: Problem | None = None


def describe(
    declared: Iterable[tuple[str, Iterable[Setting]]],
    variables: Mapping[str, str],
    sources: Mapping[str, str] | None = None,
    *,
    root: Path | None = None,
) -> tuple[Described, ...]:
    """Every variable that seeds declare, in the order they do; one that several seeds declare alike is listed once.

    Args:
        declared: seed names and their settings.
        variables, sources, root: as for `resolve`.
    """
    seeds: dict[Setting, list[str]] = {}
    helps: dict[Setting, str] = {}
    for seed, settings in declared:
        for setting in settings:
            bare = replace(setting, help="")
            seeds.setdefault(bare, []).append(seed)
            helps[bare] = helps.get(bare) or setting.help
    return tuple(
        _describe(replace(bare, help=helps[bare]), tuple(names), variables, sources or {}, root or Path())
        for bare, names in seeds.items()
    )


def declaration_problems(declared: Iterable[tuple[str, Iterable[Setting]]]) -> list[Problem]:
    """Variables that two seeds declare with different types, or that are another's NAME_FILE."""
    first: dict[str, tuple[str, Setting]] = {}
    problems: list[Problem] = []
    for seed, settings in declared:
        for setting in settings:
            other, earlier = first.setdefault(setting.name, (seed, setting))
            if earlier.type is not setting.type:
                message = (
                    f"{setting.name} is {setting.type_name} in seed {seed!r} and {earlier.type_name} in seed {other!r}"
                )
                problems.append(Problem(ConfigError.code, message, "declare it alike in both, or rename one"))
    for name, (seed, _) in first.items():
        stem = name.removesuffix("_FILE")
        if stem != name and stem in first:
            message = f"{name} of seed {seed!r} is also the file that {stem} of seed {first[stem][0]!r} is read from"
            problems.append(Problem(ConfigError.code, message, "rename one of the two"))
    return problems


def _describe(
    setting: Setting,
    seeds: tuple[str, ...],
    variables: Mapping[str, str],
    sources: Mapping[str, str],
    root: Path,
) -> Described:
    found = _look_up(setting, variables, sources, root, seeds[0])
    return Described(
        name=setting.name,
        type=setting.type_name,
        required=setting.required,
        secret=setting.secret,
        default=_default_text(setting),
        state=found.state,
        source=found.source,
        help=setting.help,
        seeds=seeds,
        problem=found.problem,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    state: State
    value: Any = field(default=None, repr=False)
    source: str | None = None
    problem: Problem | None = None


def _look_up(
    setting: Setting, variables: Mapping[str, str], sources: Mapping[str, str], root: Path, seed: str
) -> _Found:
    found = find_variable(setting.name, variables, sources, root)
    if isinstance(found, Problem):
        return _Found("invalid", problem=found)
    if found is not None:
        return _converted(setting, found)
    if not setting.required:
        return _Found("default", setting.default)
    reader = f"seed {seed!r}: " if seed else ""
    about = f" ({setting.help})" if setting.help else ""
    hint = f"set it{about} in the environment or in .env, or set {setting.name}_FILE"
    return _Found("missing", problem=Problem(ConfigError.code, f"{reader}{setting.name} is not set", hint))


def _converted(setting: Setting, found: Variable) -> _Found:
    try:
        return _Found("set", _convert(setting.type, found.value), found.source)
    except ValueError:
        # What is there is not shown: whoever mistakes one variable for another may have put a secret into it.
        hint = "true, yes, on, 1 or false, no, off, 0" if setting.type is bool else setting.help or None
        message = f"{setting.name} is not {_EXPECTED[setting.type]}"
        return _Found("invalid", None, found.source, Problem(ConfigError.code, message, hint, found.source))


def _convert(kind: type, text: str) -> Any:
    if kind is str:
        return text
    if kind is Secret:
        return Secret(text)
    word = text.strip()
    if kind is bool:
        return _truth(word.lower())
    if not (_INTEGER if kind is int else _NUMBER).fullmatch(word):
        raise ValueError("not a number")
    value = kind(word)
    if kind is float and not math.isfinite(value):
        raise ValueError("larger than a float can be")
    return value


def _truth(word: str) -> bool:
    if word not in _TRUE | _FALSE:
        raise ValueError("neither true nor false")
    return word in _TRUE


def _default_text(setting: Setting) -> str | None:
    if setting.required or setting.default is None:
        return None
    if setting.secret:
        return MASK
    return str(setting.default).lower() if setting.type is bool else str(setting.default)
