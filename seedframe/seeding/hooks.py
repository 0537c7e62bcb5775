"""Calls one seed's own hook: arguments by name, results as lists of the right things, failures as one clear line."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from inspect import signature
from typing import Any, Final

from seedframe.changes import Change, Finding
from seedframe.errors import ConfigError, HookFailed, SeedframeError
from seedframe.loading.contract import ARGUMENTS, hook_functions
from seedframe.log import logger
from seedframe.plugins.manager import SeedManager
from seedframe.plugins.wrappers import HINT, BadWrapper
from seedframe.secrecy.tracebacks import describe, one_line, render
from seedframe.seed import Seed
from seedframe.seeding.shapes import require_resource, wrong_with_change, wrong_with_finding


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
    if accept is None:
        return []
    asked = _Asked(seed, plugins, hook)
    return [accept(item, asked) for result in results for item in result]


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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A hook of a seed, whose results are held against what they must be."""

    seed: Seed
    plugins: SeedManager
    hook: str

    @property
    def where(self) -> str:
        """The line that the hook begins at."""
        functions = hook_functions(self.seed.plugin).get(self.hook, []) if self.seed.plugin is not None else []
        own = self.plugins.own_files(self.seed.plugin)
        return next((place for function in functions if (place := own.place(function)) is not None), self.seed.origin)

    def require(self, wrong: tuple[str, str] | None, what: str) -> None:
        """Errors: HookFailed, where something is wrong with what the hook returned."""
        if wrong is not None:
            message = f"`{self.hook}` of seed {self.seed.label} returned {what} that does not fit: {wrong[0]}"
            raise HookFailed(message, hint=wrong[1], where=self.where)


def _resource(item: Any, asked: _Asked) -> Any:
    guard = partial(guarded, asked.seed, asked.plugins)
    if require_resource(item, asked.seed.label, asked.where, guard):
        return item
    raise _refused(item, asked, "a resource: Rows(…), Tables(…) …")


def _change(item: Any, asked: _Asked) -> Change:
    if not isinstance(item, Change):
        raise _refused(item, asked, "a Change")
    asked.require(wrong_with_change(item), "a Change")
    return item


def _finding(item: Any, asked: _Asked) -> Finding:
    if isinstance(item, str):
        return Finding(one_line(item))
    if not isinstance(item, Finding):
        raise _refused(item, asked, "a text or a Finding, or nothing")
    asked.require(wrong_with_finding(item), "a Finding")
    return item


def _refused(item: object, asked: _Asked, wanted: str) -> HookFailed:
    kind = type(item).__name__
    hint = f"return or yield {wanted}"
    if isinstance(item, Iterable) and not isinstance(item, str | bytes):
        hint += "; to yield each thing of a list, write `yield from`"
    elif isinstance(item, bool):
        hint += '; write `if not …: yield "what is wrong"`' if asked.hook == "verify" else ""
    message = f"`{asked.hook}` of seed {asked.seed.label} returned {kind}, not {wanted}"
    return HookFailed(message, hint=hint, where=asked.where)


_ACCEPT: Final[dict[str, Callable[[Any, _Asked], Any] | None]] = {
    "resources": _resource,
    "check": _change,
    "apply": None,
    "verify": _finding,
}
