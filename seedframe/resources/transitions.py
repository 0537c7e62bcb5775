"""Transitions: keys as `moved()` names them, as texts for the columns of the key."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.abc import Transformer

from seedframe.database.declared import Move, Shape
from seedframe.database.locate import bad_value, check_length
from seedframe.errors import DeclarationError, did_you_mean
from seedframe.resources.encode import Unsuitable, encode
from seedframe.resources.values import Column, Moved, Ref, Sql


def moves_of(moved: Sequence[Moved], shape: Shape, resource: str, transformer: Transformer) -> tuple[Move, ...]:
    """The old and new keys. Errors: DeclarationError for what is no key of the table, BadData for an unfit value."""
    names = [field.name for field in shape.key]
    for field in shape.key:
        if field.reference is not None or field.secret:
            why = "is looked up by ref()" if field.reference is not None else "is secret"
            raise DeclarationError(
                f"moved(), but key column {field.name!r} {why}",
                hint="rename such a row in a migration, or in the seed's own `apply`",
                where=resource,
            )
    moves = []
    for number, transition in enumerate(moved, start=1):
        where = f"{resource} moved() {number}"
        old = _by_column(transition.old, names, "old", where)
        new = _by_column(transition.new, names, "new", where)
        moves.append(Move(_texts(old, shape, where, transformer), _texts(new, shape, where, transformer)))
    return tuple(moves)


def _by_column(key: Any, names: Sequence[str], which: str, where: str) -> Mapping[str, Any]:
    if not isinstance(key, Mapping):
        if len(names) == 1:
            return {names[0]: key}
        raise DeclarationError(
            f"the {which} key is one value, and the key has {len(names)} columns",
            hint=f"write a mapping: {{{', '.join(f'{name!r}: …' for name in names)}}}",
            where=where,
        )
    for name in key:
        if name not in names:
            raise DeclarationError(
                f"the {which} key names {name!r}, which is no column of the key",
                hint=did_you_mean(str(name), names) or f"it is {', '.join(names)}",
                where=where,
            )
    for name in names:
        if name not in key:
            raise DeclarationError(f"the {which} key has no {name!r}", hint="give the whole key", where=where)
    return key


def _texts(key: Mapping[str, Any], shape: Shape, where: str, transformer: Transformer) -> tuple[str | None, ...]:
    texts: list[str | None] = []
    for field, entry in zip(shape.key, shape.keyed.inputs, strict=True):
        value = key[field.name]
        if isinstance(value, Ref | Sql | Column):
            raise DeclarationError(
                f"column {field.name!r} has {type(value).__name__.lower()}()", hint="give the value itself", where=where
            )
        if value is None and field.name not in shape.identity.nullable:
            raise DeclarationError(f"key column {field.name!r} has no value", hint="give the whole key", where=where)
        try:
            text = encode(value, entry.column, transformer)
        except Unsuitable as error:
            raise bad_value(where, entry.column.name, str(error)) from error
        wrong = check_length(entry, text) if text is not None else None
        if wrong is not None:
            raise bad_value(where, entry.column.name, wrong)
        texts.append(text)
    return tuple(texts)
