"""Settings: the variables a seed declares, typed, documented, and read from the environment, .env or NAME_FILE."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from seedframe.configuration.conversion import EXPECTED, Unfit, as_text, choose, convert, parse_value
from seedframe.configuration.variables import Variable, find_variable
from seedframe.errors import ConfigError, Problem, did_you_mean
from seedframe.secrets import MASK, Secret

_NO_DEFAULT: Final = object()
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable a seed reads.

    Args:
        name: the environment variable.
        type: str, int, float, bool or Secret.
        default: used when the variable is not set; without one the variable is required.
        help: one line for `seedframe env` and `.env.example`.
        choices: the values it may have; none of a Secret, which would stand in the code.
        parse: makes of the value, converted to `type`, what `settings[name]` is, and of the default, unless that is
            None. It raises ValueError for what does not fit; the message is shown, without the value, unless the type
            is Secret. `seedframe env` calls it too: it looks at its argument and at nothing else.

    Raises:
        ValueError: the name is no variable's name, or the type, the choices, the function or the default does not fit.
    """

    name: str
    type: type = str
    default: Any = _NO_DEFAULT
    help: str = ""
    choices: Sequence[Any] | None = field(default=None, kw_only=True)
    parse: Callable[[Any], Any] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(str(self.name)):
            raise ValueError(f"Setting({self.name!r}): a name has letters, digits and _, and begins with no digit")
        if not any(self.type is kind for kind in EXPECTED):  # it need not be hashable
            known = ", ".join(kind.__name__ for kind in EXPECTED)
            raise self._mistake(f"the type is one of {known}")
        if not isinstance(self.help, str):
            raise self._mistake("the help is not a text")
        if self.parse is not None and not callable(self.parse):
            raise self._mistake("parse is not a function")
        if self.choices is not None:
            object.__setattr__(self, "choices", self._checked_choices(self.choices))
        if self.default is _NO_DEFAULT or self.default is None:
            return
        default = self._typed(self.default)
        if default is None:
            raise self._mistake(f"the default is not {EXPECTED[self.type]}, nor None")
        if self.choices is not None and default not in self.choices:
            raise self._mistake("the default is none of the choices")
        object.__setattr__(self, "default", default)
        try:
            self.parsed(default)
        except Unfit as unfit:
            raise self._mistake(f"the default{unfit.message}") from None

    def _mistake(self, message: str) -> ValueError:
        return ValueError(f"Setting({self.name!r}): {message}")

    def _typed(self, value: object) -> Any:
        """A value of the code as one of the type; None where it is none."""
        if self.type is Secret and isinstance(value, str):
            return Secret(value)
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            try:
                return float(value)
            except OverflowError:
                return None
        return value if type(value) is self.type else None

    def _checked_choices(self, choices: object) -> tuple[Any, ...]:
        if self.type is Secret:
            raise self._mistake("a secret has no choices: they would stand in the code")
        if not isinstance(choices, list | tuple) or not choices:
            raise self._mistake("the choices are not a list with something in it")
        typed = tuple(self._typed(choice) for choice in choices)
        for choice in typed:
            if choice is None:
                raise self._mistake(f"a choice is not {EXPECTED[self.type]}")
            if isinstance(choice, str) and choice != choice.strip():
                raise self._mistake("a choice has blanks around it")
            if choice == "":
                raise self._mistake("a choice is empty, which counts as not set")
        if len(set(typed)) < len(typed):
            raise self._mistake("a choice stands there twice")
        return typed

    def parsed(self, value: Any) -> Any:
        """What `settings[name]` is for a value of the type. Errors: Unfit."""
        return value if self.parse is None or value is None else parse_value(self.parse, value)

    def read(self, text: str) -> Any:
        """What `settings[name]` is for a variable's text. Errors: Unfit."""
        value = convert(self.type, text)
        # What is only blanks is left over from a template, or from quotes around nothing.
        if not text.strip() and (self.secret or (self.required and self.choices is None)):
            raise Unfit(" is blank", "write the value, or nothing at all")
        return self.parsed(value if self.choices is None else choose(self.choices, value))

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

    __slots__ = ("_owner", "_secrets", "_texts", "_values")

    def __init__(
        self,
        values: Mapping[str, Any],
        owner: str = "",
        *,
        texts: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        """The values by name.

        Args:
            values: what `settings[name]` is.
            owner: the seed's name, for messages.
            texts: what those that were parsed were made of, unless that is secret.
            secrets: the plain texts of the secret ones that have a value.
        """
        self._values = dict(values)
        self._owner = owner
        self._texts = dict(texts or {})
        self._secrets = dict(secrets or {})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no text that leaves a run may hold."""
        held = (value.reveal() for value in self._values.values() if isinstance(value, Secret))
        return tuple(dict.fromkeys((*self._secrets.values(), *held)))

    def made_of(self, name: str) -> Any:
        """What a plan can be bound to: a parsed value's text, which stays the same while the value has no text form."""
        return self._texts.get(name, self[name])

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
        shown = (
            f"{name}={Secret(MASK)!r}" if name in self._secrets else f"{name}={value!r}"
            for name, value in self._values.items()
        )
        return f"Settings({', '.join(shown)})"


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
    texts: dict[str, str] = {}
    secrets: dict[str, str] = {}
    problems: list[Problem] = []
    for setting in settings:
        found = _look_up(setting, variables, sources or {}, root or Path(), seed)
        if found.problem is not None:
            problems.append(found.problem)
            continue
        values[setting.name] = found.value
        if found.text is not None and setting.secret:
            secrets[setting.name] = found.text
        elif found.text is not None and setting.parse is not None:
            texts[setting.name] = found.text
    if problems:
        raise ConfigError.of(problems)
    return Settings(values, seed, texts=texts, secrets=secrets)


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
        choices: the values it may have, as they would be written into .env; None where it has no such list.
        file: the file that its value is read from, where it is.
        warnings: what is odd about a value that fits.
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
    choices: tuple[str, ...] | None = None
    file: Path | None = None
    warnings: tuple[Problem, ...] = ()


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
    seeds: dict[tuple[object, ...], list[str]] = {}
    first: dict[tuple[object, ...], Setting] = {}
    for seed, settings in declared:
        for setting in settings:
            # By its identity, since a function need not be hashable.
            alike = (setting.name, setting.type, setting.default, setting.choices, id(setting.parse))
            seeds.setdefault(alike, []).append(seed)
            if alike not in first or not first[alike].help:
                first[alike] = setting
    return tuple(
        _describe(setting, tuple(seeds[alike]), variables, sources or {}, root or Path())
        for alike, setting in first.items()
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
                hint = "declare it alike in both, or rename one"
                problems.append(Problem(ConfigError.code, message, hint, kind="setting-conflict", about=setting.name))
    for name, (seed, _) in first.items():
        stem = name.removesuffix("_FILE")
        if stem != name and stem in first:
            message = f"{name} of seed {seed!r} is also the file that {stem} of seed {first[stem][0]!r} is read from"
            problems.append(
                Problem(ConfigError.code, message, "rename one of the two", kind="setting-conflict", about=name)
            )
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
        choices=None if setting.choices is None else tuple(as_text(choice) for choice in setting.choices),
        file=found.file,
        warnings=found.warnings,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    state: State
    value: Any = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    source: str | None = None
    file: Path | None = None
    problem: Problem | None = None
    warnings: tuple[Problem, ...] = ()


def _look_up(
    setting: Setting, variables: Mapping[str, str], sources: Mapping[str, str], root: Path, seed: str
) -> _Found:
    found = find_variable(setting.name, variables, sources, root)
    if isinstance(found, Problem):
        return _Found("invalid", problem=found)
    if found is not None:
        return _converted(setting, found)
    if not setting.required:
        return _default(setting)
    reader = f"seed {seed!r}: " if seed else ""
    about = f" ({setting.help})" if setting.help else ""
    hint = f"set it{about} in the environment or in .env, or set {setting.name}_FILE"
    return _Found("missing", problem=Problem(ConfigError.code, f"{reader}{setting.name} is not set", hint))


def _default(setting: Setting) -> _Found:
    default = setting.default
    text = None if default is None else default.reveal() if isinstance(default, Secret) else as_text(default)
    try:
        return _Found("default", setting.parsed(default), text)
    except Unfit as unfit:  # it fitted when it was declared
        return _Found("invalid", problem=Problem(ConfigError.code, f"{setting.name}: its default{unfit.message}"))


def _converted(setting: Setting, found: Variable) -> _Found:
    try:
        value = setting.read(found.value)
    except Unfit as unfit:
        # What is there is not shown: whoever mistakes one variable for another may have put a secret into it.
        problem = Problem(
            ConfigError.code, setting.name + unfit.message, unfit.hint or setting.help or None, found.source
        )
        return _Found("invalid", source=found.source, file=found.file, problem=problem)
    return _Found("set", value, found.value, found.source, found.file, warnings=_warnings(setting, found))


def _warnings(setting: Setting, found: Variable) -> tuple[Problem, ...]:
    """What is odd about a value, and yet may be meant."""
    kept_as_it_is = setting.type in (str, Secret) and setting.choices is None and setting.parse is None
    if not kept_as_it_is or found.value == found.value.strip():
        return ()
    message = f"{setting.name} has blanks or line breaks around it, which are part of its value"
    return (Problem(ConfigError.code, message, "take them away, unless they are meant", found.source),)


def _default_text(setting: Setting) -> str | None:
    if setting.required or setting.default is None:
        return None
    return MASK if setting.secret else as_text(setting.default)
