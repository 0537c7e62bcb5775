"""ref(): whether the row that it names is declared, as far as that is known without a database."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

from seedframe.errors import did_you_mean
from seedframe.linting.calls import called
from seedframe.linting.data import RowsCheck, key_text
from seedframe.linting.declared import Declared, Looked
from seedframe.linting.found import Collector, Place
from seedframe.resources.values import Column, Ref
from seedframe.seeding.hooks import has_hook

if TYPE_CHECKING:
    from seedframe.sources.records import Block

Columns: TypeAlias = tuple[str, ...]

# Of so many keys the texts are kept, to name one that is near.
_NEAR: Final = 1_000


def bare(table: str) -> str:
    """A table's name without its schema: whether two of one name are one is for the database to say."""
    return table.rpartition(".")[2].strip('"')


@dataclass(eq=False)
class Keys:
    """What one declaration has in some columns of its table.

    Attributes:
        order: of its seed.
        columns: sorted.
        complete: False where not all of it is known.
    """

    order: int
    columns: Columns
    complete: bool = True
    hashes: set[int] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)

    def take(self, fields: Sequence[str], block: "Block") -> None:
        """Take in a block of the rows."""
        if any(name not in fields for name in self.columns):
            self.complete = False
            return
        columns = [block.columns[fields.index(name)] for name in self.columns]
        for values in zip(*columns, strict=True):
            texts = tuple(map(key_text, values))
            self.hashes.add(hash(texts))
            if len(self.texts) < _NEAR and len(texts) == 1:
                self.texts.append(texts[0])


@dataclass(frozen=True)
class _Use:
    """One ref(), with plain values."""

    table: str
    key: Mapping[str, object]
    place: "Place | _Lazy"

    @property
    def columns(self) -> Columns:
        return tuple(sorted(self.key))


class References:
    """All references of a project's seeds.

    Args:
        looked: every seed, in run order.
        checks: the check of each declaration.
    """

    def __init__(
        self, looked: Sequence[Looked], checks: Mapping[int, RowsCheck], collector: Collector, texts: frozenset[str]
    ) -> None:
        self._looked = looked
        self._checks = checks
        self._collector = collector
        self._texts = texts
        self._order = {each.seed.name: order for order, each in enumerate(looked)}
        self._keys: dict[str, list[Keys]] = {}
        self._wanted: dict[str, set[Columns]] = {}
        for each in self._all():
            for table, columns in self._named_by(each):
                self._wanted.setdefault(table, set()).add(columns)

    def _all(self) -> Iterator[Declared]:
        return (declared for looked in self._looked for declared in looked.declared)

    def _named_by(self, declared: Declared) -> Iterator[tuple[str, Columns]]:
        spec = declared.rows.spec
        given = [*spec.refs.values(), *(value for value in spec.given.values() if isinstance(value, Ref))]
        if declared.rows.file is None and self._checks[id(declared)].readable:
            for _, block in self._checks[id(declared)].rows():
                given += [value for column in block.columns for value in column if isinstance(value, Ref)]
        for looked_up in given:
            yield bare(looked_up.table), tuple(sorted(looked_up.key))

    def keepers(self, declared: Declared) -> list[Keys]:
        """What is to be kept of a declaration, for others that refer to its table."""
        table, spec = bare(declared.rows.table), declared.rows.spec
        found = []
        for columns in self._wanted.get(table, ()):
            keys = Keys(self._order[declared.seed.name], columns)
            operators = {*spec.initial, *spec.ignore, *spec.refs, *spec.given}
            keys.complete = self._checks[id(declared)].readable and not operators & set(columns)
            self._keys.setdefault(table, []).append(keys)
            found.append(keys)
        return found

    def check(self) -> None:
        """Report what is declared nowhere, or only later."""
        for looked in self._looked:
            if looked.sources:
                for declared in looked.declared:
                    for use in self._uses(declared):
                        self._check(declared, use)

    def _uses(self, declared: Declared) -> Iterator[_Use]:
        spec, check = declared.rows.spec, self._checks[id(declared)]
        for value in spec.given.values():
            if isinstance(value, Ref):
                yield _Use(value.table, value.key, declared.place)
        if not check.readable or (declared.rows.file is not None and not spec.refs):
            return
        known = [looked_up for looked_up in spec.refs.values() if bare(looked_up.table) in self._keys]
        for records, block in check.rows():
            for looked_up in known:
                yield from self._by_rows(check, records.fields, block, looked_up)
            if declared.rows.file is None:
                for column in block.columns:
                    for line, value in zip(block.lines, column, strict=True):
                        if isinstance(value, Ref):
                            yield _Use(value.table, value.key, _call_place(declared, check, line, value))

    @staticmethod
    def _by_rows(check: RowsCheck, fields: Sequence[str], block: "Block", looked_up: Ref) -> Iterator[_Use]:
        named = {key: part.name for key, part in looked_up.key.items() if isinstance(part, Column)}
        if not named or any(each not in fields for each in named.values()):
            return
        columns = [block.columns[fields.index(each)] for each in named.values()]
        for line, *values in zip(block.lines, *columns, strict=True):
            key = {**looked_up.key, **dict(zip(named, values, strict=True))}
            yield _Use(looked_up.table, key, _Lazy(check, line, next(iter(named.values()))))

    def _check(self, declared: Declared, use: _Use) -> None:
        table, columns = bare(use.table), use.columns
        if any(value is None or isinstance(value, Ref | Column) for value in use.key.values()):
            return
        keys = [each for each in self._keys.get(table, ()) if each.columns == columns]
        if not keys or not all(each.complete for each in keys) or self._may_be_written_otherwise(table):
            return
        texts = tuple(key_text(use.key[name]) for name in columns)
        order = self._order[declared.seed.name]
        having = [each for each in keys if hash(texts) in each.hashes]
        if any(each.order <= order for each in having):
            return
        shown = f"ref({use.table!r}, {', '.join(f'{name}={_shown(use.key[name])}' for name in use.key)})"
        place = use.place.resolve() if isinstance(use.place, _Lazy) else use.place
        if having:
            later = self._looked[min(each.order for each in having)].seed.label
            kind, message = "late-ref", f"{shown} is declared by {later} only, which comes later"
            hint = "renumber one of the two seeds"
        else:
            kind, message = "unknown-ref", f"{shown}: no seed declares such a row"
            near = did_you_mean(texts[0], [text for each in keys for text in each.texts]) if len(texts) == 1 else None
            hint = near or "declare it, or silence this if it is there for another reason"
        self._collector.report(kind, place, message, hint, seed=declared.seed.label, declared=declared.place)

    def _may_be_written_otherwise(self, table: str) -> bool:
        """True where rows of the table may come from code, of which nothing is known."""
        for looked in self._looked:
            if table in map(bare, looked.seed.writes):
                return True
            if looked.resources is None:
                if not looked.sources or any(table in map(bare, source.texts) for source in looked.sources):
                    return True
                if table in self._texts:
                    return True
                continue
            for resource in looked.resources:
                mine = any(resource is declared.rows for declared in looked.declared)
                if not mine and table in map(bare, resource.tables):
                    return True
            if has_hook(looked.seed, "apply") and not looked.sources:
                return True
        return False


class _Lazy:
    """The place of a row's field, which is looked for when it is needed."""

    def __init__(self, check: RowsCheck, line: int, name: str) -> None:
        self._check, self._line, self._name = check, line, name

    def resolve(self) -> Place:
        """The place."""
        return self._check.place(self._line, self._name)


def _call_place(declared: Declared, check: RowsCheck, line: int, value: Ref) -> Place:
    call = declared.call
    node = call.row(line) if call is not None else None
    texts = {key_text(part) for part in value.key.values()}
    for each in ast.walk(node) if node is not None else ():
        if isinstance(each, ast.Call) and called(each) == "ref" and call is not None:
            given = {key_text(part.value) for part in ast.walk(each) if isinstance(part, ast.Constant)}
            if texts <= given:
                return call.source.at(each)
    return check.place(line)


def _shown(value: object) -> str:
    text = repr(value if isinstance(value, str | int | float) else str(value))
    return text if len(text) <= 60 else text[:59] + "…"
