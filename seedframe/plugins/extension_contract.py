"""An extension held against the contract: which hooks it has, and what they ask for."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import FunctionType, ModuleType
from typing import Any, Final

from seedframe import hookspecs
from seedframe.errors import HookMistake, Problem
from seedframe.loading.contract import ARGUMENTS, Place, hook_functions, hook_options, members, signature_mistakes
from seedframe.loading.seed_names import nearest_seed_name

PREFIX: Final = "seedframe_"

EXTENSION_ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    name: tuple(inspect.signature(spec).parameters)
    for name, spec in vars(hookspecs).items()
    if name.startswith(PREFIX) and isinstance(spec, FunctionType)
}
"""The hooks of an extension, and what each may ask for."""


_RETURN_NOTHING: Final = frozenset(
    name for name in EXTENSION_ARGUMENTS if inspect.signature(getattr(hookspecs, name)).return_annotation is None
)


def _is_wrapper(function: Callable[..., Any]) -> bool:
    options = hook_options(function) or {}
    return bool(options.get("wrapper") or options.get("hookwrapper"))


def is_extension_hook(plugin: ModuleType, name: str, value: object) -> bool:
    """True for a function of an extension's module that is a hook by its name, right or wrong."""
    return name.startswith(PREFIX) and type(value) is FunctionType and value.__module__ == plugin.__name__


def extension_hooks(plugin: object) -> dict[str, list[Callable[..., Any]]]:
    """The functions that implement each hook: those marked with `@hookimpl`, and in a module those named like one."""
    found: dict[str, list[Callable[..., Any]]] = {}
    for name, value in members(plugin):
        options = hook_options(value)
        if options is not None:
            found.setdefault(options.get("specname") or name, []).append(value)
        elif isinstance(plugin, ModuleType) and is_extension_hook(plugin, name, value):
            found.setdefault(name, []).append(value)
    return found


def extension_mistakes(plugin: object, name: str, place: Place) -> tuple[Problem, ...]:
    """Everything about an extension's hooks that does not fit the contract; `name` is its entry point's."""
    return tuple(_mistakes(plugin, name, place))


def _mistakes(plugin: object, point: str, place: Place) -> Iterator[Problem]:
    hooks = extension_hooks(plugin)
    for hook, functions in hooks.items():
        known = EXTENSION_ARGUMENTS.get(hook)
        for function in functions:
            if known is None:
                hint = _hint(hook, point)
                yield Problem(HookMistake.code, f"unknown hook {hook!r}", hint, place(function), "unknown-hook")
            else:
                yield from signature_mistakes(known, hook, function, place)
                if hook in _RETURN_NOTHING and inspect.isgeneratorfunction(function) and not _is_wrapper(function):
                    what = f"{hook!r} has a `yield`, so that nothing of it would run"
                    yield Problem(HookMistake.code, what, "take the `yield` out", place(function), "not-a-hook")
    if isinstance(plugin, ModuleType):
        for name, value in vars(plugin).items():
            if name.startswith(PREFIX) and callable(value) and type(value) is not FunctionType:
                what = f"{name!r} is a {type(value).__name__}, and a hook is a function"
                yield Problem(HookMistake.code, what, f"write `def {name}(…): …`", place(name), "not-a-hook")
    if not hooks:
        near = next((name for name in vars(plugin) if PREFIX + name in EXTENSION_ARGUMENTS), None)
        of_a_seed = next((hook for hook in ARGUMENTS if hook in hook_functions(plugin)), None)
        if near is not None:
            hint = f"did you mean {PREFIX + near!r}?"
        elif of_a_seed is not None:
            hint = f"`{of_a_seed}` is a seed's hook: {_as_a_seed(point)}"
        else:
            hint = f"name a function {PREFIX}…, as docs/plugins.md has them"
        yield Problem(HookMistake.code, "has no hook", hint, place(plugin), "no-hook")


def _as_a_seed(point: str) -> str:
    """How an entry point is called whose module is a seed."""
    called = nearest_seed_name(point)[0]
    return (
        f"if this is a seed, call the entry point {called} (NN_name: a number, _ and a name of letters, digits and _)"
    )


def _hint(hook: str, point: str) -> str:
    if hook in ARGUMENTS:
        return f"that is a seed's hook: {_as_a_seed(point)}"
    # All of them begin alike: what follows is what tells them apart.
    known = [name.removeprefix(PREFIX) for name in EXTENSION_ARGUMENTS]
    near = get_close_matches(hook.removeprefix(PREFIX), known, n=1)
    return f"did you mean {PREFIX + near[0]!r}?" if near else "this version of seedframe has no such hook"
