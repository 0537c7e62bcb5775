"""One seed's module held against the contract: which hooks it has, what they ask for, what its constants say."""

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, Protocol, TypeVar

from seedframe import hookspecs
from seedframe.configuration.seed_option import Option
from seedframe.configuration.settings import Setting
from seedframe.errors import Problem

_HOOK_CODE: Final = "hook"

ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(inspect.signature(getattr(hookspecs, name)).parameters)
    for name in ("resources", "check", "apply", "verify")
}
"""The hooks of a seed, and what each may ask for."""

CONSTANTS: Final = ("REQUIRES", "TAGS", "ENVIRONMENTS", "CRITICAL", "SETTINGS", "OPTIONS", "WRITES")


class Place(Protocol):
    """Where in the seed's own files a function (or a constant, by name) stands: `seeds/10_x.py:12`."""

    def __call__(self, thing: object, argument: str | None = None, /) -> str | None:
        """The place of a thing, or of one of a function's arguments."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """What a seed's module says of it, each as `Seed` wants it."""

    requires: tuple[str, ...] = ()
    tags: frozenset[str] = frozenset()
    environments: frozenset[str] | None = None
    critical: bool = True
    settings: tuple[Setting, ...] = ()
    options: tuple[Option, ...] | None = None
    writes: tuple[str, ...] | None = None


def hook_functions(plugin: object) -> dict[str, list[Callable[..., Any]]]:
    """The functions that implement each hook: those marked with `@hookimpl`, and in a module those named like it."""
    found: dict[str, list[Callable[..., Any]]] = {}
    for name, value in members(plugin):
        options = hook_options(value)
        if options is not None:
            found.setdefault(options.get("specname") or name, []).append(value)
        elif is_unmarked_hook(plugin, name, value):
            found.setdefault(name, []).append(value)
    return found


def hook_options(value: object) -> dict[str, Any] | None:
    """What `@hookimpl` left on a function; None for everything else, of which no attribute is touched.

    The type is compared, not asked: a lazy object in a module (Django's settings, say) may raise when it is looked at.
    """
    if type(value) not in (FunctionType, MethodType):
        return None
    options = getattr(value, "seedframe_impl", None)
    return options if isinstance(options, dict) else None


def is_unmarked_hook(plugin: object, name: str, value: object) -> bool:
    """True for a function with a hook's name that is defined in the module itself; an imported one is not its own."""
    return (
        isinstance(plugin, ModuleType)
        and name in ARGUMENTS
        and type(value) is FunctionType
        and value.__module__ == plugin.__name__
    )


def hook_mistakes(plugin: object, place: Place) -> list[Problem]:
    """Everything about the hooks that does not fit the contract."""
    hooks = hook_functions(plugin)
    problems = list(_misnamed(plugin, hooks, place))
    for hook, functions in hooks.items():
        for function in functions:
            problems.extend(signature_mistakes(ARGUMENTS.get(hook), hook, function, place))
    if "apply" in hooks and "check" not in hooks:
        problems.append(
            Problem(
                _HOOK_CODE,
                "has `apply` but no `check`",
                "`apply` makes the changes that `check` returned: say in `check` what differs",
                place(hooks["apply"][0]),
                "apply-without-check",
            )
        )
    if not problems and not hooks.keys() & ARGUMENTS.keys():
        problems.append(
            Problem(
                _HOOK_CODE,
                "has no hook",
                "define `resources` (or `check`, or `verify`) in it; a helper's name begins with an underscore",
                place(plugin),
                "no-hook",
            )
        )
    return problems


def members(plugin: object) -> Iterator[tuple[str, Any]]:
    """What may hold a hook: the names of a module, the functions of an object."""
    if isinstance(plugin, ModuleType):
        yield from sorted(vars(plugin).items())
        return
    for name in dir(plugin):
        # getattr_static first: a property is not a hook, and must not run.
        if isinstance(inspect.getattr_static(plugin, name, None), _FUNCTIONS):
            yield name, getattr(plugin, name)


_FUNCTIONS: Final = (FunctionType, MethodType, staticmethod, classmethod)


def _misnamed(plugin: object, hooks: Mapping[str, object], place: Place) -> Iterator[Problem]:
    known = ", ".join(ARGUMENTS)
    for hook in sorted(hooks.keys() - ARGUMENTS.keys()):
        near = _nearest(hook, ARGUMENTS)
        hint = f"did you mean {near!r}?" if near else f"the hooks of a seed are {known}"
        yield Problem(_HOOK_CODE, f"unknown hook {hook!r}", hint, place(hook), "unknown-hook")
    if not isinstance(plugin, ModuleType):
        return
    for name, value in members(plugin):
        if name.startswith("_") or hook_options(value) is not None:
            continue
        if name in ARGUMENTS:
            if name not in hooks:
                yield from _not_a_hook(plugin, name, value, place)
        elif type(value) is FunctionType and value.__module__ == plugin.__name__:
            near = _nearest(name, ARGUMENTS)
            if near is not None and near not in hooks:
                yield Problem(
                    _HOOK_CODE,
                    f"unknown hook {name!r}",
                    f"did you mean {near!r}? If it is a helper, begin its name with an underscore",
                    place(value),
                    "unknown-hook",
                )


def _not_a_hook(plugin: ModuleType, name: str, value: object, place: Place) -> Iterator[Problem]:
    """Something with a hook's name that is no hook, where its author surely thinks that it is one."""
    if type(value) is ModuleType:  # from importlib import resources
        return
    if type(value) is FunctionType and value.__module__ != plugin.__name__:
        package = plugin.__name__.partition(".")[0]
        if value.__name__ == name and value.__module__.partition(".")[0] != package:
            return
        yield Problem(
            _HOOK_CODE,
            f"{name!r} is not defined here, so it is not a hook of this seed",
            f"define `{name}` in the seed itself and call it from there, or mark it with @hookimpl; "
            "if it is a helper, import it under another name",
            place(name),
            "not-a-hook",
        )
        return
    yield Problem(
        _HOOK_CODE,
        f"{name!r} is {what_it_is(value)}, and a hook is a function",
        f"write `def {name}(): …`, or give it another name",
        place(name),
        "not-a-hook",
    )


def signature_mistakes(
    known: Collection[str] | None, hook: str, function: Callable[..., Any], place: Place
) -> Iterator[Problem]:
    """What a hook asks for that it cannot be given, or in a way that it cannot be. `known` is None for no hook."""
    if known is None:
        return
    name = getattr(function, "__name__", hook)
    may_ask = f"it may ask for {', '.join(known) or 'nothing'}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        hint = "a hook is a plain function: drop `async`"
        yield Problem(_HOOK_CODE, f"{name!r} is async", hint, place(function), "hook-signature")
    options = hook_options(function) or {}
    if options.get("hookwrapper"):
        hint = "write wrapper=True: `results = yield`, and at the end `return results`"
        yield Problem(_HOOK_CODE, f"{name!r} has hookwrapper=True", hint, place(function), "hook-signature")
    elif options.get("wrapper") and not inspect.isgeneratorfunction(function):
        hint = "write `results = yield` where the hooks are to be called, and `return results` at the end"
        yield Problem(_HOOK_CODE, f"{name!r} is a wrapper and has no yield", hint, place(function), "hook-signature")
    for parameter in inspect.signature(function).parameters.values():
        problem, kind = None, "hook-signature"
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            problem = f"{name!r} asks for {str(parameter).partition(':')[0]}", f"name each argument: {may_ask}"
        elif parameter.name not in known:
            near = nearest_name(parameter.name, known)
            kind = "unknown-argument"
            problem = (
                f"{name!r} asks for {parameter.name!r}, which it cannot be given",
                f"did you mean {near!r}? {may_ask[0].upper()}{may_ask[1:]}" if near else may_ask,
            )
        elif parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            problem = (
                f"{name!r} asks for {parameter.name!r} as {parameter.kind.description}",
                "write it as a plain argument, without `*` or `/`",
            )
        elif parameter.default is not parameter.empty:
            problem = (
                f"{name!r} gives {parameter.name!r} a default, which would never be used",
                f"write just `{parameter.name}`",
            )
        if problem is not None:
            yield Problem(_HOOK_CODE, problem[0], problem[1], place(function, parameter.name), kind)


# -------------------------------------------------------------------------
# Constants
# -------------------------------------------------------------------------


def read_constants(plugin: object, place: Place) -> tuple[Constants, list[Problem]]:
    """The constants of a seed and what is wrong with them; one that is wrong is left at its default."""
    problems: list[Problem] = []

    def wrong(name: str, message: str, hint: str) -> None:
        kind = "settings" if name in ("SETTINGS", "OPTIONS") else "constant-value"
        problems.append(Problem("discovery", f"{name} {message}", hint, place(name), kind))

    def texts(name: str, example: str) -> tuple[str, ...] | None:
        value = getattr(plugin, name, None)
        if value is None:
            return None
        hint = f'write a list of texts: {name} = ["{example}"]'
        if isinstance(value, str) or not isinstance(value, Collection):
            wrong(name, f"is {what_it_is(value)}", hint)
            return None
        strange = next((item for item in value if not isinstance(item, str)), None)
        if strange is not None or "" in value:
            wrong(name, f"has {what_it_is(strange) if strange is not None else 'an empty text'} in it", hint)
            return None
        return tuple(value)

    requires, tags, environments = texts("REQUIRES", "core"), texts("TAGS", "demo"), texts("ENVIRONMENTS", "production")
    writes = texts("WRITES", "audit_log")
    if environments == ():
        wrong("ENVIRONMENTS", "is empty: the seed would never run", "name environments, or leave it out to run in all")
        environments = None
    critical = getattr(plugin, "CRITICAL", True)
    if not isinstance(critical, bool):
        wrong("CRITICAL", f"is {what_it_is(critical)}", "write CRITICAL = False, or leave it out")
        critical = True
    settings, mistake = _declared(getattr(plugin, "SETTINGS", ()), Setting)
    if mistake is not None:
        wrong("SETTINGS", mistake, 'write SETTINGS = [Setting("SEED_NAME", str, default="…", help="…")]')
    options, mistake = _declared(getattr(plugin, "OPTIONS", ()), Option)
    if mistake is not None:
        wrong("OPTIONS", mistake, 'write OPTIONS = [Option("name", str, default="…", help="…")]')
    problems.extend(_misnamed_constants(plugin, place))
    constants = Constants(
        requires=requires or (),
        tags=frozenset(tags or ()),
        environments=None if environments is None else frozenset(environments),
        critical=critical,
        settings=settings,
        options=options if hasattr(plugin, "OPTIONS") else None,
        writes=writes,
    )
    return constants, problems


_Declared = TypeVar("_Declared", Setting, Option)


def _declared(value: object, kind: type[_Declared]) -> tuple[tuple[_Declared, ...], str | None]:
    """The settings or options of a list, or what is wrong with it."""
    if isinstance(value, str | Mapping) or not isinstance(value, Collection):
        return (), f"is {what_it_is(value)}"
    declared: list[_Declared] = []
    for item in value:
        if not isinstance(item, kind):
            return (), f"has {what_it_is(item)} in it"
        if any(item.name == known.name for known in declared):
            return (), f"declares {item.name} twice"
        declared.append(item)
    return tuple(declared), None


def _misnamed_constants(plugin: object, place: Place) -> Iterator[Problem]:
    if not isinstance(plugin, ModuleType):
        return
    for name, value in members(plugin):
        if name in CONSTANTS or name.startswith("_") or type(value) not in _PLAIN:
            continue
        # `environments = […]` would let a seed run where it must not, so a wrong case is a mistake too.
        near = _nearest(name, CONSTANTS) if name.isupper() else next((c for c in CONSTANTS if c == name.upper()), None)
        if near is not None and not hasattr(plugin, near):
            yield Problem(
                "discovery",
                f"unknown constant {name}",
                f"did you mean {near}? If it is the seed's own, begin its name with an underscore",
                place(name),
                "unknown-constant",
            )


_PLAIN: Final = (bool, str, list, tuple, set, frozenset)


# -------------------------------------------------------------------------
# Words
# -------------------------------------------------------------------------


def _nearest(word: str, known: Collection[str]) -> str | None:
    """The known word that `word` is with one slip of the keyboard, or in another case."""
    return next((candidate for candidate in known if one_slip_apart(word.lower(), candidate.lower())), None)


_SYNONYMS: Final = {"database": "db", "connection": "db", "conn": "db", "session": "db", "environment": "env"}


def nearest_name(word: str, known: Collection[str]) -> str | None:
    """The known name that `word` most likely stands for, with more tolerance: a longer form, another word."""
    synonym = _SYNONYMS.get(_nearest(word, _SYNONYMS) or "")
    if synonym in known:
        return synonym
    return _nearest(word, known) or next(
        (name for name in known if word.lower().startswith(name) or (len(word) > 2 and name.startswith(word.lower()))),
        None,
    )


def one_slip_apart(left: str, right: str) -> bool:
    """True when one letter was left out, added, changed or swapped with its neighbour, or nothing at all.

    Changing one of four letters or fewer makes another word too easily (TAGS and TABS), and does not count.
    """
    if left == right:
        return True
    short, long = sorted((left, right), key=len)
    if len(long) - len(short) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    if len(short) < len(long):
        return short[at:] == long[at + 1 :]
    swapped = short[at : at + 2] == long[at : at + 2][::-1] and short[at + 2 :] == long[at + 2 :]
    return swapped or (len(short) > 4 and short[at + 1 :] == long[at + 1 :])


def what_it_is(value: object) -> str:
    """What a value is, in words, without showing it."""
    if value is None:
        return "None"
    if isinstance(value, type):
        return "a class"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
