"""What a seed's code gave, held once against what it must be: resources, changes and findings.

All that is asked of a resource here is asked inside a guard, so that whatever its author's code raises is the seed's.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import fields
from inspect import getattr_static
from typing import Any, Final, TypeAlias, get_args

from seedframe.changes import CHECK_RESOURCE, Action, Change, Changes, Counts, Finding, Severity, Verdict
from seedframe.errors import DeclarationError, HookFailed
from seedframe.loading.contract import what_it_is
from seedframe.resources.built_in import is_built_in
from seedframe.resources.storable import why_unstorable

Guard: TypeAlias = Callable[[str], AbstractContextManager[None]]
"""Runs code of the seed that has the name it is given: "Flag: describe"."""

_CALLED: Final = ("describe", "diff", "delete", "write")
_MEMBERS: Final = ("name", "tables", *_CALLED)
_ABSENT: Final = object()
_ACTIONS: Final = get_args(Action)
_SEVERITIES: Final = get_args(Severity)


# -------------------------------------------------------------------------
# Resources
# -------------------------------------------------------------------------


def require_resource(item: object, seed: str, where: str, guard: Guard) -> bool:
    """Hold one thing that `resources` returned against the protocol of resources.

    Args:
        seed: its label.
        where: of the hook.

    Returns:
        False for what is not meant to be a resource at all.

    Raises:
        HookFailed: it is a class, lacks a member, or a member raised.
        DeclarationError: a member is not what it must be.
    """
    if isinstance(item, type):
        if getattr_static(item, "diff", None) is None:
            return False
        raise HookFailed(
            f"`resources` of seed {seed} returned the class {item.__name__}, not a resource made of it",
            hint=f"write {item.__name__}(…)",
            where=where,
        )
    kind = type(item).__name__
    members = {name: _member(item, name, kind, guard) for name in _MEMBERS}
    if members["diff"] is _ABSENT:
        return False
    lacks = [name for name, value in members.items() if value is _ABSENT]
    if lacks:
        raise HookFailed(
            f"`resources` of seed {seed} returned {kind}, which lacks {', '.join(lacks)}",
            hint=f"a resource has {', '.join(_MEMBERS)}",
            where=where,
        )
    environments = _member(item, "environments", kind, guard)
    for mistake, hint in _mistakes(item, members, None if environments is _ABSENT else environments, guard):
        raise DeclarationError(f"{mistake}, in seed {seed}", hint=hint, where=where)
    return True


def _member(item: object, name: str, kind: str, guard: Guard) -> Any:
    with guard(f"{kind}: {name}"):
        try:
            return getattr(item, name)
        except AttributeError:
            if getattr_static(item, name, _ABSENT) is not _ABSENT:
                raise  # it is there, and looked for what is not
            return _ABSENT


def _mistakes(item: Any, members: Mapping[str, Any], environments: object, guard: Guard) -> Iterator[tuple[str, str]]:
    """What is wrong with a resource's members, and what to write; the first is to be told, and ends it."""
    kind, name = type(item).__name__, members["name"]
    wrong = _wrong_text(name)
    if wrong is None and name == CHECK_RESOURCE:
        wrong = f"is {CHECK_RESOURCE!r}, under which the seed's own `check` is reported"
    if wrong is not None:
        yield f"`name` of {kind} {wrong}", 'write `kind:what`: name = "flag:beta"'
    with guard(f"{name}: tables"):
        wrong = _wrong_texts(members["tables"])
    if wrong is not None:
        yield f"`tables` of {name} {wrong}", 'write the names of the tables it writes: tables = ("items",), or ()'
    if environments is not None:
        wrong = f"is {what_it_is(environments)}" if not isinstance(environments, frozenset) else None
        wrong = wrong or ("is empty: it would be nowhere" if not environments else _wrong_texts(environments))
    if wrong is not None:
        hint = 'write environments = frozenset({"staging"}), or leave it out'
        yield f"`environments` of {name} {wrong}", hint
    for method in _CALLED:
        if not callable(members[method]):
            yield f"`{method}` of {name} is {what_it_is(members[method])}", "write it as a method"
    if is_built_in(item):
        return  # its text has what the seed gave it, a file's name say, of which it says itself what is wrong
    with guard(f"{name}: describe"):
        wrong = _wrong_text(members["describe"](), may_be_empty=True)
    if wrong is not None:
        yield f"what `describe` of {name} returned {wrong}", "return one line of text"


# -------------------------------------------------------------------------
# Changes
# -------------------------------------------------------------------------


def wrong_with_changes(found: Changes) -> tuple[str, str] | None:
    """What is wrong with the answer of a resource's `diff`, and what to write: `("its `counts` is None", …)`."""
    given: Any = found
    if not isinstance(given.counts, Counts):
        return f"its `counts` is {what_it_is(given.counts)}", "write Changes.of([Change(…)])"
    numbers = {**{each.name: getattr(given.counts, each.name) for each in fields(Counts)}, "omitted": given.omitted}
    for name, number in numbers.items():
        if type(number) is not int or number < 0:
            what = "less than 0" if type(number) is int else what_it_is(number)
            return f"its `{name}` is {what}", "write a number of rows"
    if not isinstance(given.sample, tuple | list):
        return f"its `sample` is {what_it_is(given.sample)}", "write Changes.of([Change(…)])"
    for change in given.sample:
        if not isinstance(change, Change):
            return f"its `sample` has {what_it_is(change)} in it", "write Changes.of([Change(…)])"
        wrong = wrong_with_change(change)
        if wrong is not None:
            return wrong
    return _wrong_verdict(given.verdict) or _wrong_line("skipped_reason", given.skipped_reason)


def wrong_with_change(change: Change) -> tuple[str, str] | None:
    """What is wrong with one change, and what to write: `("its `key` is None", "write …")`."""
    given: Any = change
    if given.action not in _ACTIONS:
        return f"its `action` is none of {', '.join(_ACTIONS)}", 'write Change("create", {…})'
    for name, cells in (("key", given.key), ("before", given.before), ("after", given.after)):
        if not isinstance(cells, Mapping) and (cells is not None or name == "key"):
            return f"its `{name}` is {what_it_is(cells)}", f'write {name}={{"column": "value"}}'
    return _wrong_verdict(given.verdict) or _wrong_line("reason", given.reason)


def _wrong_verdict(verdict: object) -> tuple[str, str] | None:
    if verdict is None or isinstance(verdict, Verdict):
        return None
    return f"its `verdict` is {what_it_is(verdict)}", "write Verdict.DRIFT, say, or leave it out"


def _wrong_line(name: str, text: object) -> tuple[str, str] | None:
    # What cannot be stored is replaced where it is stored, and escaped where it is shown.
    if text is None or isinstance(text, str):
        return None
    return f"its `{name}` is {what_it_is(text)}", "write one line of text, or leave it out"


# -------------------------------------------------------------------------
# Findings
# -------------------------------------------------------------------------


def wrong_with_finding(finding: Finding) -> tuple[str, str] | None:
    """What is wrong with a finding, and what to write."""
    given: Any = finding
    if not isinstance(given.text, str):
        return f"its `text` is {what_it_is(given.text)}", "write one line of text"
    if given.severity not in _SEVERITIES:
        return f"its `severity` is none of {', '.join(_SEVERITIES)}", 'write Finding("…", "warning")'
    return None


# -------------------------------------------------------------------------
# Texts
# -------------------------------------------------------------------------


def _wrong_text(value: object, *, may_be_empty: bool = False) -> str | None:
    if not isinstance(value, str):
        return f"is {what_it_is(value)}, not a text"
    if not value and not may_be_empty:
        return "is empty"
    unstorable = why_unstorable(value)
    return None if unstorable is None else f"has {unstorable}, in it"


def _wrong_texts(value: object) -> str | None:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
        return f"is {what_it_is(value)}, not a list of texts"
    for each in value:
        wrong = _wrong_text(each)
        if wrong is not None:
            return f"has a text in it that {wrong}" if isinstance(each, str) else f"has {what_it_is(each)} in it"
    return None
