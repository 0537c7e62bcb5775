"""Calls one seed's own hook: arguments by name, results as lists of the right things, failures as one clear line."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from inspect import signature
from typing import Any, Final

from seedframe.changes import Change, Finding
from seedframe.errors import ConfigError, HookFailed, SeedframeError
from seedframe.loading.contract import ARGUMENTS, hook_functions
from seedframe.log import logger
from seedframe.plugins.manager import SeedManager
from seedframe.plugins.wrappers import HINT, BadWrapper
from seedframe.resources.protocol import Resource
from seedframe.secrecy.tracebacks import describe, one_line, render
from seedframe.seed import Seed


def has_hook(seed: Seed, hook: str) -> bool:
    """True when the seed implements the hook."""
    return seed.plugin is not None and hook in hook_functions(seed.plugin)


def asks_for(seed: Seed, hook: str) -> frozenset[str]:
    """The arguments that the seed's own hook wants; empty when it does not have it."""
    functions = hook_functions(seed.plugin).get(hook, []) if seed.plugin is not None else []
    return frozenset(name for function in functions for name in signature(function).parameters)


def is_given_db(seed: Seed, plugins: SeedManager, hook: str) -> bool:
    """True when `db` reaches code of the seed, or a wrapper, in this hook: what is not asked for is not passed."""
    return any("db" in found.argnames for found in plugins.only(seed.name, hook).get_hookimpls())


def call(seed: Seed, plugins: SeedManager, hook: str, **arguments: Any) -> list[Any]:
    """Call one hook of one seed; wrappers and what is built in take part, other seeds do not.

    Args:
        seed: the seed; it is given to the hook as `seed`, and its table as `config`.
        plugins: the manager it was registered with.
        hook: "resources", "check", "apply" or "verify".
        arguments: what the hook may ask for: `db`, `env`, `settings`, and `plan` for `apply`. More is ignored.

    Returns:
        What the hook returned or yielded: resources, changes, findings (a text becomes one), nothing for `apply`. A
        generator has been drained. Empty when the seed does not have the hook.

    Raises:
        HookFailed: the hook raised, or returned what it may not.
        SeedframeError: as raised inside the hook, by `db` for instance.
    """
    own = seed.unshared()
    given = {"seed": own, "config": own.config, "kinds": plugins.contributions.kinds, **arguments}
    try:
        results = plugins.only(seed.name, hook)(**{name: given[name] for name in ARGUMENTS[hook]})
    except ConfigError as error:
        # Of a setting that was not declared, say: the mistake is the seed's, and stands in its code.
        raise HookFailed(error.message, hint=error.hint, where=_raised_at(seed, plugins, error)) from error
    except SeedframeError as error:
        error.where = error.where or _raised_at(seed, plugins, error)
        raise
    except (KeyboardInterrupt, GeneratorExit):
        raise  # somebody wants the run to stop
    except BadWrapper as error:
        _, where = plugins.broken_wrapper(error)
        raise HookFailed(
            f"the wrapper of `{hook}` of seed {seed.label} {error.what}", hint=HINT, where=where
        ) from error
    except BaseException as error:  # a library's own kind, a cancelled task …
        raise _failed(seed, plugins, hook, error) from error
    if hook == "resources" and not results and has_hook(seed, hook):
        raise HookFailed(
            f"`resources` of seed {seed.label} returned None",
            hint="write `yield` before each resource; to declare nothing, return []",
            where=seed.origin,
        )
    accept = _ACCEPT[hook]
    return [accept(item, seed, hook) for result in results for item in result] if accept is not None else []


@contextmanager
def guarded(seed: Seed, plugins: SeedManager, what: str) -> Iterator[None]:
    """Run code of a seed that is no hook (a resource of its own, an iterator of rows): what it raises is the seed's.

    Raises:
        HookFailed: it raised.
        SeedframeError: as raised inside.
    """
    try:
        yield
    except (SeedframeError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise _failed(seed, plugins, what, error) from error


@contextmanager
def blamed(seed: Seed, plugins: SeedManager) -> Iterator[None]:
    """Run an attempt of a seed: what its code raises where no hook is called (a property of a resource, say) is the
    seed's, and no part of it ends the process.

    Raises:
        HookFailed: code of the seed raised, or anything at all called sys.exit().
        Exception: as raised by code of seedframe.
    """
    try:
        yield
    except (SeedframeError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if not isinstance(error, SystemExit) and plugins.own_files(seed.plugin).raised_at(error) is None:
            raise
        raise _failed(seed, plugins, "resources", error) from error


def _failed(seed: Seed, plugins: SeedManager, hook: str, error: BaseException) -> HookFailed:
    own = plugins.own_files(seed.plugin)
    logger.bind(seed=seed.label, hook=hook, traceback=render(error, since=own.owns)).info("a hook raised")
    where, blamed = own.raised_at(error), ""
    if where is None and (found := plugins.raised_in(error)) is not None:
        who, where = found
        blamed = f"in {who}: "
    return HookFailed(
        f"`{hook}` of seed {seed.label} failed: {blamed}{describe(error)}",
        hint="run with -v for the traceback",
        where=where or seed.origin,
    )


def _raised_at(seed: Seed, plugins: SeedManager, error: BaseException) -> str:
    return plugins.own_files(seed.plugin).raised_at(error) or seed.origin


_OF_A_RESOURCE: Final = ("name", "tables", "describe", "diff", "delete", "write")


def _resource(item: Any, seed: Seed, hook: str) -> Any:
    if isinstance(item, Resource):
        return item
    lacks = [part for part in _OF_A_RESOURCE if not hasattr(item, part)]
    if lacks and len(lacks) < len(_OF_A_RESOURCE) and hasattr(item, "diff"):
        raise HookFailed(
            f"`{hook}` of seed {seed.label} returned {type(item).__name__}, which lacks {', '.join(lacks)}",
            hint=f"a resource has {', '.join(_OF_A_RESOURCE)}",
            where=seed.origin,
        )
    return _refuse(item, seed, hook, "a resource: Rows(…), Tables(…) …")


def _change(item: Any, seed: Seed, hook: str) -> Change:
    return item if isinstance(item, Change) else _refuse(item, seed, hook, "a Change")


def _finding(item: Any, seed: Seed, hook: str) -> Finding:
    if isinstance(item, str):
        return Finding(one_line(item))
    return item if isinstance(item, Finding) else _refuse(item, seed, hook, "a text or a Finding, or nothing")


def _refuse(item: object, seed: Seed, hook: str, wanted: str) -> Any:
    kind = type(item).__name__
    hint = f"return or yield {wanted}"
    if isinstance(item, Iterable) and not isinstance(item, str | bytes):
        hint += "; to yield each thing of a list, write `yield from`"
    elif isinstance(item, bool):
        hint += '; write `if not …: yield "what is wrong"`' if hook == "verify" else ""
    raise HookFailed(f"`{hook}` of seed {seed.label} returned {kind}, not {wanted}", hint=hint, where=seed.origin)


_ACCEPT: Final[dict[str, Callable[[Any, Seed, str], Any] | None]] = {
    "resources": _resource,
    "check": _change,
    "apply": None,
    "verify": _finding,
}
