"""Apply, then check, is empty: generated tables, in front of generated rows that are there already.

SEEDFRAME_TEST_EXAMPLES says how many tables in all. A failure prints how to reproduce it; what was a defect once stays
as an example of its own.
"""

import os
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, Literal, TypeAlias

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql as compose

from seedframe import Project, Rows
from seedframe.changes import Change, Changes, Counts, Marker, Verdict
from seedframe.options import ApplyOptions
from seedframe.report import Report
from seedframe.sources import records
from tests import declaring
from tests.conftest import Connect, ProjectFactory, Sql
from tests.servers import Server
from tests.types_catalogue import FAMILIES, Kind, available, offered, preparation

EXAMPLES: Final = int(os.environ.get("SEEDFRAME_TEST_EXAMPLES", "300"))
SHARDS: Final = 4
WAL_BYTES: Final = 64 * 1024

Contract: TypeAlias = Literal["managed", "initial", "ignore", "secret", "left out"]
Cell: TypeAlias = tuple[Any, int | None]
"""What is declared, and which of its kind's values that means: None for NULL, -1 for a text of its own."""

KINDS: Final = {kind.type: kind for family in FAMILIES.values() for kind in family}

TEXTS: Final = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
SEPARATED: Final = st.text(st.sampled_from("a\x1f\x1e\x1d\t\n\r\\'\",{}% "), max_size=6)
FREE: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "text": TEXTS | SEPARATED,
    "varchar": TEXTS | SEPARATED,
    "varchar(3)": TEXTS.map(lambda text: text[:3]),
    "char(3)": st.text(string.ascii_letters + " ", max_size=3),
    "bytea": st.binary(max_size=6),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False),
    "numeric(10,2)": st.decimals(-9999, 9999, allow_nan=False),
    "double precision": st.floats(),
    "real": st.floats(width=32),
    "boolean": st.booleans(),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamp(0)": st.datetimes(),
    "interval": st.timedeltas(),
    "uuid": st.uuids(),
    "jsonb": st.recursive(
        st.booleans() | st.integers() | st.decimals(-9999, 9999, allow_nan=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner | TEXTS, max_size=3),
        max_leaves=5,
    ),
    "integer[]": st.lists(st.none() | st.integers(-9, 9), max_size=3),
    "text[]": st.lists(st.none() | TEXTS | SEPARATED, max_size=3),
}


@dataclass(frozen=True)
class Column:
    """A column that is no part of the key."""

    type: str
    contract: Contract = "managed"
    not_null: bool = False
    default: bool = False


@dataclass(frozen=True)
class Row:
    """A row: its key as it is spelled here, and its cells."""

    key: tuple[str, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Case:
    """A table, what is declared of it, and what is there before.

    Attributes:
        extra: columns that nobody declares, as DDL.
        chunk: so many rows travel together: a small number has apply stage them and the others stream them.
        turn: which cell of each row is changed by hand in the end.
    """

    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    declared: tuple[Row, ...]
    existing: tuple[Row, ...] = ()
    mode: Literal["insert", "upsert"] = "upsert"
    extra: tuple[str, ...] = ()
    chunk: int = 5_000
    turn: int = 0


CONTRACTS: Final[Sequence[Contract]] = ("managed", "managed", "managed", "initial", "ignore", "secret", "left out")

EXTRA: Final = (
    "serial_no serial",
    "identity_no bigint generated always as identity",
    "generated_text text generated always as ('always') stored",
    "made timestamptz not null default clock_timestamp()",
    "token uuid not null default gen_random_uuid()",
)


class Offered:
    """What the server of this test has: its types, and for key columns the texts that are equal to each other."""

    types: Sequence[str] = ()
    keys: Mapping[str, Sequence[Sequence[str]]] = {}


@pytest.fixture
def connection(connect: Connect) -> psycopg.Connection[Any]:
    return connect()


@pytest.fixture
def things(
    project: ProjectFactory,
    sql: Sql,
    server: Server,
    connection: psycopg.Connection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> "Things":
    """A project whose one seed declares what it is told, and what the server offers to tell of."""
    there = offered(sql)
    kinds = [kind for kind in KINDS.values() if available(kind, there, server.major)]
    for statement in preparation(kinds):
        sql(statement)
    Offered.types = [kind.type for kind in kinds]
    Offered.keys = {kind.type: equal for kind in kinds if kind.key and len(equal := _equal_texts(connection, kind)) > 1}
    folder = project({"seeds/10_things.py": declaring.SEED})
    return Things(Project.load(folder.path), connection, monkeypatch)


def _equal_texts(connection: psycopg.Connection[Any], kind: Kind) -> list[list[str]]:
    """The kind's texts, those together that are one key."""
    texts = [*kind.values, *(text for text in kind.same if isinstance(text, str))]
    inserts = [compose.SQL("insert into scratch (k) values ({})").format(compose.Literal(text)) for text in texts]
    connection.execute(f"create table scratch (n serial, k {kind.type})".encode())
    connection.execute(compose.SQL(";").join(inserts))
    rows = connection.execute(
        "select a.n, (select min(b.n) from scratch b where b.k = a.k) from scratch a order by 1"
    ).fetchall()
    connection.execute("drop table scratch")
    groups: dict[int, list[str]] = {}
    for (_, first), text in zip(rows, texts, strict=True):
        groups.setdefault(first, []).append(text)
    return list(groups.values())


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any table whose columns are of the types that the server offers."""
    keys = tuple(draw(st.lists(st.sampled_from(sorted(Offered.keys)), min_size=1, max_size=2)))
    columns = tuple(draw(st.lists(_columns(), max_size=5)))
    sizes = [len(Offered.keys[key]) for key in keys]
    total = min(sizes[0] * (sizes[1] if len(sizes) > 1 else 1), 12)
    entities = st.integers(0, total - 1)

    def spelled(entity: int) -> st.SearchStrategy[tuple[str, ...]]:
        positions = [entity % sizes[0], entity // sizes[0]]
        return st.tuples(*(st.sampled_from(Offered.keys[key][at]) for key, at in zip(keys, positions, strict=False)))

    def rows(*, declared: bool) -> Iterator[Row]:
        for entity in draw(st.lists(entities, unique=True, min_size=declared, max_size=min(total, 5))):
            yield Row(draw(spelled(entity)), tuple(draw(_cell(column, declared=declared)) for column in columns))

    return Case(
        keys,
        columns,
        tuple(rows(declared=True)),
        tuple(rows(declared=False)),
        draw(st.sampled_from(["upsert", "upsert", "upsert", "insert"])),
        tuple(draw(st.lists(st.sampled_from(EXTRA), unique=True, max_size=2))),
        draw(st.sampled_from([5_000, 5_000, 2])),
        draw(st.integers(0, 4)),
    )


@st.composite
def _columns(draw: st.DrawFn) -> Column:
    kind = KINDS[draw(st.sampled_from(Offered.types))]
    contract = draw(st.sampled_from(CONTRACTS))
    default = draw(st.booleans())
    written = contract not in ("ignore", "left out")
    not_null = draw(st.booleans()) if written or default else False
    # A domain's own NOT NULL is there in any case.
    return Column(kind.type, contract, not_null, default or (not kind.null and not written))


def _cell(column: Column, *, declared: bool) -> st.SearchStrategy[Cell]:
    kind = KINDS[column.type]
    cells: st.SearchStrategy[Cell] = st.integers(0, len(kind.values) - 1).map(lambda at: (kind.values[at], at))
    if declared:
        if kind.same:
            cells |= st.sampled_from(kind.same).map(lambda same: (same, 0))
        if kind.type in FREE:
            cells |= FREE[kind.type].map(lambda value: (value, -1))
    if not column.not_null and kind.null:
        cells |= st.just((None, None))
    return cells


class Things:
    """One table at a time, made, seeded and looked at."""

    _numbers = count(1)

    def __init__(self, project: Project, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self._connection = connection
        self._monkeypatch = monkeypatch
        self.table = ""
        self.names: list[str] = []
        self.keys: list[str] = []

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return self._connection.execute(statement.encode()).fetchall()

    def make(self, case: Case) -> None:
        """The table with the rows that are there before; the declared keys as the server has them in `wanted`."""
        # A table of its own, and a resource of its own: the ledger knows nothing of it.
        self.table = f"things_{next(self._numbers)}"
        self.keys = [f"k{n}" for n in range(len(case.keys))]
        self.names = [f"c{n}" for n in range(len(case.columns))]
        keys = [f"{name} {kind} not null" for name, kind in zip(self.keys, case.keys, strict=True)]
        columns = [
            f"{name} {column.type}{self._default(column)}{' not null' if column.not_null else ''}"
            for name, column in zip(self.names, case.columns, strict=True)
        ]
        listed = ", ".join([*keys, *columns, *case.extra, f"unique ({', '.join(self.keys)})"])
        statements = [
            compose.SQL("drop table if exists wanted"),
            compose.SQL(f"create table {self.table} ({listed})"),
            compose.SQL(f"create table wanted (n serial, {', '.join(keys)})"),
            *(
                self._insert(self.table, [*self.keys, *self.names], [*r.key, *(c[0] for c in r.cells)])
                for r in case.existing
            ),
            *(self._insert("wanted", self.keys, row.key) for row in case.declared),
        ]
        self._connection.execute(compose.SQL("; ").join(statements))
        self._monkeypatch.setattr(records, "BLOCK_ROWS", case.chunk)

    def _default(self, column: Column) -> str:
        if not column.default:
            return ""
        value = compose.Literal(KINDS[column.type].values[0]).as_string(self._connection)
        # A constant role would keep it from being dropped, so the server refuses it; what is computed it does not see.
        return f" default {value}" + ("::text::regrole" if column.type == "regrole" else "")

    @staticmethod
    def _insert(table: str, names: Sequence[str], values: Sequence[str | None]) -> compose.Composable:
        return compose.SQL("insert into {} ({}) values ({})").format(
            compose.Identifier(table),
            compose.SQL(", ").join(map(compose.Identifier, names)),
            compose.SQL(", ").join(map(compose.Literal, values)),
        )

    def declare(self, case: Case) -> None:
        """What the seed's `resources` returns from now on."""
        declared = [
            name for name, column in zip(self.names, case.columns, strict=True) if column.contract != "left out"
        ]
        rows = []
        for row in case.declared:
            cells = {name: cell[0] for name, cell in zip(self.names, row.cells, strict=True) if name in declared}
            rows.append({**dict(zip(self.keys, row.key, strict=True)), **cells})

        def with_contract(contract: Contract) -> list[str]:
            return [n for n, column in zip(self.names, case.columns, strict=True) if column.contract == contract]

        declaring.declare(
            lambda: [
                Rows(
                    self.table,
                    key=self.keys,
                    rows=rows,
                    mode=case.mode,
                    initial=with_contract("initial"),
                    ignore=with_contract("ignore"),
                    secret=with_contract("secret"),
                )
            ]
        )

    def written(self) -> dict[str, tuple[str, str]]:
        """Each row of the table by its place: what it is, and which transaction wrote it."""
        return {
            place: (text, xmin)
            for place, text, xmin in self.ask(f"select ctid::text, t::text, xmin::text from {self.table} t")
        }

    def sequences(self) -> list[tuple[Any, ...]]:
        """Where all sequences of the table stand."""
        return self.ask("select sequencename, last_value from pg_sequences where schemaname = 'public' order by 1")

    def change(self, case: Case, line: int, number: int) -> bool:
        """Change one cell of a declared row to another value, as an operator would; whether there is another."""
        column, (_, meaning) = case.columns[number], case.declared[line].cells[number]
        kind, name = KINDS[column.type], self.names[number]
        there = " and ".join(f"t.{key} = w.{key}" for key in self.keys)
        others: list[str | None] = [value for at, value in enumerate(kind.values) if at != meaning]
        if kind.null and not column.not_null:
            others.append(None)
        # The image tells whether it is another.
        for other in others:
            changed = self._connection.execute(
                compose.SQL(
                    "update {table} t set {name} = d.v from wanted w, (select {other}::{type} as v) d"
                    f" where w.n = {{line}} and {there} and record_image_ne(row(t.{{name}}), row(d.v))"
                ).format(
                    table=compose.Identifier(self.table),
                    name=compose.Identifier(name),
                    other=compose.Literal(other),
                    type=compose.SQL(kind.type.partition(" collate ")[0]),
                    line=compose.Literal(line + 1),
                )
            )
            if changed.rowcount:
                return True
        return False

    def drop(self) -> None:
        """The table goes; its baseline goes with the next apply."""
        self._connection.execute(f"drop table if exists {self.table}, wanted".encode())


def found(report: Report) -> Changes:
    """What was found of the one resource."""
    (seed,) = report.seeds
    assert seed.error is None, str(seed.error)
    (resource,) = (resource for resource in seed.resources if resource.resource.startswith("rows:"))
    return resource.changes


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("shard", range(SHARDS))
@settings(
    max_examples=-(-EXAMPLES // SHARDS),
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
@given(case=cases())
@example(
    # The hash of a numeric forgets its sign, and two rows shared a baseline.
    case=Case(
        ("numeric(10,2)",),
        (Column("smallint"),),
        (Row(("1.50",), ((None, None),)), Row(("1.51",), (("1", 0),)), Row(("-1.50",), (("1", 0),))),
    )
)
@example(
    # A composite value of NULLs is one, though IS NULL is true of it.
    case=Case(("nested",), (), (Row(('("(1,a)",{glad},abc)',), ()), Row(("(,,)",), ())))
)
@example(
    # The hash of an array forgets its dimensions, and two keys were taken for one.
    case=Case(("integer[]",), (), (Row(("{1,2}",), ()), Row(("{}",), ()), Row(("{{1},{2}}",), ())), chunk=2)
)
@example(
    # COPY reads 5 as days where the column says so, and a cast to the same type as seconds.
    case=Case(("integer",), (Column("interval day"),), (Row(("1",), (("5", 0),)),), (Row(("1",), (("5 days", 0),)),))
)
def test_apply_then_check_is_empty_and_every_change_by_hand_is_found(shard: int, case: Case, things: Things) -> None:
    things.make(case)
    try:
        things.declare(case)
        _holds(case, things)
    finally:
        things.drop()


def _holds(case: Case, things: Things) -> None:
    before = things.written()
    planned = found(things.project.apply(ApplyOptions(dry_run=True)))
    assert things.written() == before
    report = things.project.apply()
    done = found(report)
    assert report.exit_code == 0
    assert done.counts == planned.counts
    assert [(change.action, change.key, change.after) for change in done.sample] == [
        (change.action, change.key, change.after) for change in planned.sample
    ]

    # Nothing that was right already was written, nor what nobody declared.
    after = things.written()
    kept = {place for place, row in before.items() if after.get(place) == row}
    assert len(before) - len(kept) == done.counts.update
    assert len(after) == len(before) + done.counts.create
    assert len(case.declared) == done.counts.create + done.counts.update + done.counts.unchanged

    sequences, (lsn,) = things.sequences(), things.ask("select pg_current_wal_insert_lsn()::text")
    assert found(things.project.apply()).counts == Counts(0, 0, 0, len(case.declared))
    ((wal,),) = things.ask(f"select pg_current_wal_insert_lsn() - '{lsn[0]}'::pg_lsn")
    assert wal < WAL_BYTES
    assert things.written() == after
    assert things.sequences() == sequences
    held = things.project.verify()
    assert held.exit_code == 0
    assert not found(held)

    _finds_changes(case, things)


def _finds_changes(case: Case, things: Things) -> None:
    """One managed cell of each row, and whatever is not managed, changed by hand: the former are found."""
    managed = [
        n for n, column in enumerate(case.columns) if column.contract in ("managed", "secret") and case.mode == "upsert"
    ]
    others = [n for n in range(len(case.columns)) if n not in managed]
    expected = []
    # The text of a char has its blanks only where the type does not say how many.
    shown = [
        f"format('%s', {k})" if kind == "bpchar" else f"{k}::text"
        for k, kind in zip(things.keys, case.keys, strict=True)
    ]
    texts = things.ask(f"select {', '.join(shown)} from wanted order by n")
    for line in range(len(case.declared)):
        for number in others:
            things.change(case, line, number)
        if managed:
            number = managed[(line + case.turn) % len(managed)]
            if things.change(case, line, number):
                key = dict(zip(things.keys, texts[line], strict=True))
                expected.append((key, things.names[number], case.columns[number].contract == "secret"))
    report = things.project.verify()
    changes = found(report)
    assert [_seen(change) for change in changes.sample] == expected
    assert changes.counts == Counts(0, len(expected), 0, len(case.declared) - len(expected))
    assert report.exit_code == (2 if expected else 0)


def _seen(change: Change) -> tuple[Mapping[str, Any], str, bool]:
    assert change.action == "update"
    assert change.verdict is Verdict.DRIFT
    ((name, value),) = (change.before or {}).items()
    return dict(change.key), name, value is Marker.SECRET
