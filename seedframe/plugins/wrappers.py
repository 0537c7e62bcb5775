"""Hook wrappers under watch: one that breaks pluggy's rules is told as its author's mistake, with its line."""

from collections.abc import Callable, Generator
from functools import partial, wraps
from typing import Any, Final, TypeAlias

from seedframe.loading.contract import ARGUMENTS

Results: TypeAlias = list[Any]

HINT: Final = "a wrapper comes to one `results = yield`, whatever happens, and ends with `return results`"


class BadWrapper(Exception):
    """A wrapper broke the rules.

    Attributes:
        owner: the name that its plugin is registered under.
        what: the end of a sentence that begins with the wrapper.
        place: its file and the line.
    """

    def __init__(self, owner: str, what: str, place: tuple[str, int]) -> None:
        super().__init__(f"the wrapper {what}")
        self.owner = owner
        self.what = what
        self.place = place


def watched(function: Callable[..., Any], owner: str, hook: str) -> Callable[..., Generator[None, Results, Results]]:
    """The wrapper `function`, held to the rules; `owner` is the name that its plugin is registered under.

    Raises:
        BadWrapper: when it is run, and yields never or twice, or returns no list of results.
    """

    @wraps(function)
    def wrapper(*args: Any, **more: Any) -> Generator[None, Results, Results]:
        inner = function(*args, **more)
        try:
            next(inner)
        except StopIteration:
            raise BadWrapper(owner, "ended without a yield", _place(function)) from None
        try:
            results = yield
        except BaseException as error:  # noqa: BLE001 - the wrapper decides what becomes of it
            returned = _ended(partial(inner.throw, error), function, inner, owner)
        else:
            returned = _ended(partial(inner.send, results), function, inner, owner)
        if not isinstance(returned, list):
            raise BadWrapper(owner, f"returned {type(returned).__name__}, not the list of results", _place(function))
        # What a seed's hook returned is a list, when wrappers see it.
        strange = [type(each).__name__ for each in returned if hook in ARGUMENTS and not isinstance(each, list)]
        if strange:
            what = f"returned a list with {strange[0]} in it, where each is a list"
            raise BadWrapper(owner, what, _place(function))
        return returned

    return wrapper


def _ended(resume: Callable[[], object], function: Callable[..., Any], inner: Any, owner: str) -> object:
    """What the wrapper returns when it is gone on with."""
    try:
        resume()
    except StopIteration as end:
        return end.value
    frame = inner.gi_frame
    line = frame.f_lineno if frame is not None else None
    inner.close()
    file, first = _place(function)
    raise BadWrapper(owner, "yielded twice", (file, line or first))


def _place(function: Callable[..., Any]) -> tuple[str, int]:
    code = function.__code__
    return code.co_filename, code.co_firstlineno
