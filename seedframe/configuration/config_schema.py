"""What may stand in seedframe.toml: tables, keys, and what each key accepts."""

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from seedframe.configuration.account_options import MAX_ROUNDS, ROUNDS
from seedframe.configuration.durations import Misfit, parse_age, parse_duration
from seedframe.configuration.limits import parse_limit
from seedframe.errors import did_you_mean

Check: TypeAlias = Callable[[object], Any]
"""Takes a TOML value; returns it as Config wants it, or raises Misfit with what was expected."""
KeyPath: TypeAlias = tuple[str, ...]
Mistake: TypeAlias = tuple[KeyPath, str, str | None]
"""The key, what is wrong, and a hint."""
Layer: TypeAlias = dict[str, dict[str, Any]]
"""Checked tables; `seeds` holds one table for each seed."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise Misfit(f"expected a text, found {_kind(value)}")
    if not value.strip():
        raise Misfit("is empty")
    if not value.isprintable():
        raise Misfit("has control characters in it")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Misfit(f"expected an array of texts, found {_kind(value)}")
    strange = next((item for item in value if not isinstance(item, str)), None)
    if strange is not None:
        raise Misfit(f"expected an array of texts, found {_kind(strange)} in it")
    return tuple(_text(item) for item in value)


def _environments(value: object) -> tuple[str, ...]:
    found = _texts(value)
    if not found:
        raise Misfit("is empty: the seed would never run, for which there is enabled = false")
    return found


def _identifier(value: object) -> str:
    text = _text(value)
    if len(text.encode()) > 63:
        raise Misfit("is longer than the 63 bytes PostgreSQL keeps of a name")
    return text


def _identifiers(value: object) -> tuple[str, ...]:
    return tuple(_identifier(item) for item in _texts(value))


def _command(value: object) -> tuple[str, ...]:
    if isinstance(value, list):
        words = _texts(value)
    elif isinstance(value, str):
        try:
            words = tuple(shlex.split(_text(value)))
        except ValueError as error:
            raise Misfit(f"cannot be split into words: {str(error).lower()}") from None
    else:
        raise Misfit(f"expected a text or an array of texts, found {_kind(value)}")
    if not words:
        raise Misfit("is empty")
    return words


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Misfit(f"expected a whole number, found {_kind(value)}")
    if not 0 <= value <= 2_147_483_647:
        raise Misfit("expected a whole number from 0 to 2147483647")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise Misfit(f"expected true or false, found {_kind(value)}")
    return value


def _rounds(value: object) -> int:
    rounds = _whole_number(value)
    if not ROUNDS <= rounds <= MAX_ROUNDS:
        raise Misfit(f"expected a whole number from {ROUNDS} to {MAX_ROUNDS}")
    return rounds


def _one_of(*words: str) -> Check:
    def check(value: object) -> str:
        text = _text(value)
        if text not in words:
            raise Misfit(f"expected {' or '.join(map(repr, words))}")
        return text

    return check


TABLES: Final[Mapping[str, Mapping[str, Check]]] = {
    "project": {"name": _text, "seeds": _text, "production": _flag},
    "database": {
        "url": _text,
        "schema": _identifier,
        "search_path": _identifiers,
        "lock_timeout": parse_duration,
        "statement_timeout": parse_duration,
        "connect_timeout": parse_duration,
        "tls": _one_of("required", "optional"),
    },
    "migrations": {"command": _command},
    "accounts": {
        "backend": _text,
        "fallback": _flag,
        "rounds": _rounds,
        "administrators": _texts,
        "timeout": parse_duration,
    },
    "plugins": {"allow": _texts, "shared": _texts},
    "ledger": {"baseline_rows": _whole_number, "changed_rows": _whole_number, "keep_unchanged_runs": parse_age},
    "limits": {"max_delete": parse_limit, "max_update": parse_limit},
    "lint": {"select": _texts, "ignore": _texts},
}
SEED_KEYS: Final[Mapping[str, Check]] = {"order": _whole_number, "enabled": _flag, "environments": _environments}
SEEDS: Final = "seeds"
ENV: Final = "env"


def check_document(document: Mapping[str, Any]) -> tuple[Layer, dict[str, Layer], list[Mistake]]:
    """The base tables, the overlay of each environment, and every mistake in them."""
    mistakes: list[Mistake] = []
    base = _check_layer({key: value for key, value in document.items() if key != ENV}, (), mistakes)
    overlays: dict[str, Layer] = {}
    for name, tables in _tables(document.get(ENV, {}), (ENV,), mistakes):
        overlays[name] = _check_layer(tables, (ENV, name), mistakes)
    return base, overlays, mistakes


def merge(base: Layer, overlay: Layer) -> Layer:
    """`base` with what `overlay` says put over it, key by key; arrays are replaced whole."""
    merged = dict(base)
    for table, values in overlay.items():
        merged[table] = _merge_tables(merged.get(table, {}), values)
    return merged


def _merge_tables(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merge_tables(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _check_layer(tables: Mapping[str, Any], at: KeyPath, mistakes: list[Mistake]) -> Layer:
    layer: Layer = {}
    for name, table in _tables(tables, at, mistakes, known=(*TABLES, SEEDS, *(() if at else (ENV,)))):
        if name == SEEDS:
            layer[name] = {
                seed: _check_table(values, SEED_KEYS, (*at, name, seed), mistakes, free=True)
                for seed, values in _tables(table, (*at, name), mistakes)
            }
        else:
            layer[name] = _check_table(table, TABLES[name], (*at, name), mistakes)
    return layer


def _tables(
    value: object, at: KeyPath, mistakes: list[Mistake], known: tuple[str, ...] | None = None
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named tables of `value`; what is not known, or is no table, is a mistake."""
    if not isinstance(value, dict):
        mistakes.append((at, f"expected a table, found {_kind(value)}", f"write [{'.'.join(at)}.NAME]"))
        return
    for name, table in value.items():
        if known is not None and name not in known:
            what = "unknown table" if isinstance(table, dict) else "unknown key"
            mistakes.append(((*at, name), what, did_you_mean(name, known) or f"known tables: {', '.join(known)}"))
        elif not isinstance(table, dict):
            header = ".".join((*at, name))
            mistakes.append(((*at, name), f"expected a table, found {_kind(table)}", f"write [{header}]"))
        else:
            yield name, table


def _check_table(
    table: Mapping[str, Any], checks: Mapping[str, Check], at: KeyPath, mistakes: list[Mistake], free: bool = False
) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for key, value in table.items():
        check = checks.get(key)
        if check is None and free:
            checked[key] = value
        elif check is None:
            hint = did_you_mean(key, checks) or f"known keys: {', '.join(checks)}"
            mistakes.append(((*at, key), "unknown key", hint))
        else:
            try:
                checked[key] = check(value)
            except Misfit as error:
                mistakes.append(((*at, key), str(error), None))
    return checked


_KINDS: Final = ((bool, "true or false"), (str, "a text"), (int, "a whole number"), (float, "a number"))


def _kind(value: object) -> str:
    """What a value is, without showing it: it may be a secret."""
    if isinstance(value, list):
        return "an array"
    if isinstance(value, dict):
        return "a table"
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "a date or time")
