"""Baselines: what the last apply left behind, resource by resource, and row by row where the tables are small."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, LiteralString

from psycopg import sql

from seedframe.database.declared import Shape
from seedframe.database.hashes import cell_hashes, declared_hashes, key_hash, row_fingerprint
from seedframe.database.keeping import NOTHING_KEPT, KeptRow, kept_count, save_kept
from seedframe.database.ledger import Ledger
from seedframe.database.source import Source
from seedframe.verdicts import Baseline, LeftCell, LeftRow

# What the server's hash functions make of a value of each type: equal on two servers whose hashes can be compared.
_PROBE: Final[LiteralString] = """
SELECT pg_catalog.hash_record_extended(row(true, 7::int2, 7, 7::int8, 7::oid,
    uuid '6ba7b810-9dad-11d1-80b4-00c04fd430c8',
  date '2001-02-03', time '04:05', timetz '04:05+01', timestamp '2001-02-03 04:05',
  timestamptz '2001-02-03 04:05+01', '\\x0a'::bytea, 'n'::name,
  'a text, long enough for more than one round'::text COLLATE "C", 'v'::varchar COLLATE "C",
  'c '::bpchar COLLATE "C", 1.50::numeric, 1.5::float4, 1.5::float8, inet '10.0.0.1', cidr '10.0.0.0/8',
  macaddr '08:00:2b:01:02:03', interval '1 mon 2 days', '{"a": [1, null]}'::jsonb), 0)
"""


class Baselines:
    """The baselines of one project and one schema, in the ledger.

    Args:
        seeds: the names of the project's seeds, which may undo each other's rows; those that are gone do so no more.
    """

    def __init__(self, ledger: Ledger, seeds: Collection[str] = ()) -> None:
        self.ledger = ledger
        self._seeds = sorted(seeds)
        self._session = ledger.session
        self._probed: int | None = None

    def of(self, seed: str) -> dict[str, Baseline]:
        """What the last apply of a seed left behind, by resource."""
        if not self.ledger.readable:
            return {}
        rows = self._session.dicts(
            "SELECT resource, id, declared_digest, fingerprint, columns, by_row, kept, server_major, hash_probe"
            " FROM seedframe.baseline WHERE project = $1 AND target_schema = $2 AND seed = $3 ORDER BY resource",
            [self.ledger.project, self.ledger.schema, seed],
        )
        major = self._session.server_version_num // 10000
        # Hashes may change with the major version; mostly they do not, and then what was left is known as before.
        probe = self._probe() if any(row["server_major"] != major for row in rows) else None
        return {
            row["resource"]: Baseline(
                id=row["id"],
                digest=row["declared_digest"],
                fingerprint=row["fingerprint"],
                columns=tuple(row["columns"]),
                by_row=row["by_row"],
                kept=row["kept"],
                comparable=row["server_major"] == major or row["hash_probe"] == probe,
            )
            for row in rows
        }

    def _probe(self) -> int:
        if self._probed is None:
            self._probed = int(self._session.scalar(_PROBE))
        return self._probed

    def store(self, seed: str, resource: str, baselines: dict[str, Baseline]) -> "BaselineStore":
        """The baselines of one resource."""
        return BaselineStore(self, seed, resource, baselines.get(resource))

    def save(
        self, seed: str, resource: str, *, digest: str, run: int, fingerprint: str | None = None,
        table: str | None = None, rows: int = 0, columns: Sequence[str] = (), by_row: bool = False, kept: int = 0,
        key: Sequence[str] = (),
    ) -> int:  # fmt: skip
        """Write a resource's baseline; its id."""
        return int(
            self._session.scalar(
                "INSERT INTO seedframe.baseline (project, target_schema, seed, resource, declared_digest, fingerprint,"
                " rows, columns, by_row, server_major, run_id, table_name, kept, hash_probe, key_columns)"
                " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
                " ON CONFLICT (project, target_schema, seed, resource) DO UPDATE SET"
                " declared_digest = excluded.declared_digest, fingerprint = excluded.fingerprint, rows = excluded.rows,"
                " columns = excluded.columns, by_row = excluded.by_row, server_major = excluded.server_major,"
                " hash_probe = excluded.hash_probe,"
                " run_id = excluded.run_id, table_name = excluded.table_name, kept = excluded.kept,"
                " key_columns = excluded.key_columns RETURNING id",
                [
                    self.ledger.project, self.ledger.schema, seed, resource, digest, fingerprint, rows, list(columns),
                    by_row, self._session.server_version_num // 10000, run, table, kept,
                    self._probe(), list(key),
                ],
            )
        )  # fmt: skip

    def shared(self, baseline: int) -> list[str]:
        """Other resources of the project's seeds that declare the same columns of the same rows, as
        `rows:products of seed shop`."""
        rows = self._session.query(
            "SELECT DISTINCT b.resource, b.seed FROM seedframe.baseline m"
            " JOIN seedframe.baseline b ON (b.project, b.target_schema, b.table_name)"
            " = (m.project, m.target_schema, m.table_name) AND b.id <> m.id"
            " AND b.columns OPERATOR(pg_catalog.&&) m.columns"
            " JOIN seedframe.baseline_row mr ON mr.baseline_id = m.id"
            " JOIN seedframe.baseline_row br ON br.baseline_id = b.id AND br.key_hash = mr.key_hash"
            " WHERE m.id = $1 AND b.seed = ANY ($2::text[]) ORDER BY 2, 1",
            [baseline, self._seeds],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def drop(self, seed: str, resource: str) -> None:
        """Forget one resource of a seed: it is no longer declared, and there is nothing of it to remove."""
        self._session.execute(
            "DELETE FROM seedframe.baseline WHERE project = $1 AND target_schema = $2 AND seed = $3 AND resource = $4",
            [self.ledger.project, self.ledger.schema, seed, resource],
        )


class BaselineStore:
    """The baseline of one resource: what it was compared with last, and where the next one is written."""

    def __init__(self, baselines: Baselines, seed: str, resource: str, baseline: Baseline | None) -> None:
        self._baselines = baselines
        self._ledger = baselines.ledger
        self._session = baselines.ledger.session
        self._seed = seed
        self._resource = resource
        self.baseline = baseline
        self.id = baseline.id if baseline is not None else None

    @property
    def unreadable(self) -> bool:
        """True when there is, or was, a ledger that cannot be read: nothing says whether this was ever applied."""
        return self._ledger.unreadable is not None or (self._ledger.repaired and self.baseline is None)

    @property
    def by_row(self) -> bool:
        """True when there are hashes of each row, as left, which those of now can be compared with."""
        return self.baseline is not None and self.baseline.by_row and self.baseline.comparable

    def rows_left(self, keys: Sequence[int]) -> dict[int, LeftRow]:
        """The rows with these key hashes, as left."""
        if self.baseline is None or not keys:
            return {}
        rows = self._session.query(
            "SELECT key_hash, cell_hashes, coalesce(declared_hashes, cell_hashes), kept, absent"
            " FROM seedframe.baseline_row WHERE baseline_id = $1 AND key_hash = ANY ($2::bigint[])",
            [self.baseline.id, list(keys)],
        )
        columns = self.baseline.columns
        return {
            key: LeftRow(
                {
                    name: LeftCell(was, declared, flag)
                    for name, was, declared, flag in zip(
                        columns, there, declared_then, kept or [False] * len(columns), strict=True
                    )
                },
                absent,
            )
            for key, there, declared_then, kept, absent in rows
        }

    def left_there(self, shape: Shape, key: int) -> bool:
        """Whether the last apply declared the row with this key hash, and left it there, as far as can be told."""
        if not self.by_row or not self.rows_declared(shape):
            return False
        left = self.rows_left([key]).get(key)
        return left is not None and not left.absent

    def rows_declared(self, shape: Shape) -> int:
        """How many rows the last apply had declared; 0 where those were of another table, or had another key."""
        return int(
            self._session.scalar(
                "SELECT coalesce(pg_catalog.sum(rows), 0) FROM seedframe.baseline"
                " WHERE id = $1 AND table_name = $2 AND key_columns OPERATOR(pg_catalog.=) $3::text[]",
                [self.id, shape.table.label, _told_apart_by(shape)],
            )
        )

    def undeclared(self, shape: Shape, source: Source | None, besides: Collection[int]) -> int | None:
        """How many rows that the last apply left there are not declared; None where the ledger has no row hashes.

        Args:
            source: the declared rows; None for none.
            besides: hashes of keys that do not count.
        """
        known = self.baseline
        if known is None or not self.by_row:
            return None
        if not self.rows_declared(shape):
            return 0
        number = len(source.parameters) + 1 if source is not None else 1
        declared = (
            sql.SQL(" AND NOT EXISTS (SELECT FROM {} WHERE {} = r.key_hash)").format(source.relation, key_hash(shape))
            if source is not None
            else sql.SQL("")
        )
        statement = sql.SQL(
            "{}SELECT pg_catalog.count(*) FROM seedframe.baseline_row AS r WHERE r.baseline_id = {} AND NOT r.absent"
            " AND r.key_hash <> ALL ({}::bigint[]){}"
        ).format(
            source.prefix if source is not None else sql.SQL(""),
            sql.SQL(f"${number}"),
            sql.SQL(f"${number + 1}"),
            declared,
        )
        parameters = source.parameters if source is not None else ()
        return int(self._session.scalar(statement, [*parameters, known.id, list(besides)]))

    def extras(self) -> frozenset[int]:
        """The key hashes of the rows that are not declared and were left there, by choice."""
        if self.baseline is None or self.unreadable:
            return frozenset()
        rows = self._session.query(
            "SELECT key_hash FROM seedframe.extra_row WHERE baseline_id = $1", [self.baseline.id]
        )
        return frozenset(row[0] for row in rows)

    def save_extras(self, extras: Collection[int]) -> None:
        """Keep the key hashes of such rows, once the baseline is there."""
        self._session.execute("DELETE FROM seedframe.extra_row WHERE baseline_id = $1", [self.id])
        self._session.execute(
            "INSERT INTO seedframe.extra_row (baseline_id, key_hash) SELECT DISTINCT $1::bigint, h"
            " FROM pg_catalog.unnest($2::bigint[]) AS u (h)",
            [self.id, list(extras)],
        )

    def untold(self, shape: Shape) -> list[str]:
        """Resources that declare rows of this table, and of which cannot be told here which: they have another key, or
        are too large for row hashes. As `rows:products of seed shop`."""
        rows = self._session.query(
            "SELECT b.resource, b.seed FROM seedframe.baseline AS b WHERE b.table_name = $1"
            " AND b.id IS DISTINCT FROM $2 AND (NOT b.by_row"
            " OR b.key_columns OPERATOR(pg_catalog.<>) $3::text[]) ORDER BY 2, 1",
            [shape.table.label, self.id, _told_apart_by(shape)],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def declarers(self, table: str) -> list[str]:
        """Resources that declare rows of a table, by its schema and name, as `rows:products of seed shop`."""
        if not self._ledger.readable:
            return []
        rows = self._session.query(
            "SELECT b.resource, b.seed FROM seedframe.baseline AS b WHERE b.table_name = $1 ORDER BY 2, 1", [table]
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def declared_by_others(self, shape: Shape, keys: Sequence[int]) -> list[str]:
        """Resources that declared rows with these key hashes when they were last applied, as far as can be told."""
        if not self._ledger.readable:
            return []
        rows = self._session.query(
            "SELECT DISTINCT b.resource, b.seed FROM seedframe.baseline AS b"
            " JOIN seedframe.baseline_row AS r ON r.baseline_id = b.id AND r.key_hash = ANY ($4::bigint[])"
            " WHERE b.table_name = $1 AND b.id IS DISTINCT FROM $2"
            " AND b.key_columns OPERATOR(pg_catalog.=) $3::text[] ORDER BY 2, 1",
            [shape.table.label, self.id, _told_apart_by(shape), list(keys)],
        )
        return [f"{resource} of seed {seed}" for resource, seed in rows]

    def table_fingerprint(self, shape: Shape, tracked: Sequence[str]) -> str | None:
        """The number of the table's rows and the sum of their hashes, over key and tracked columns; no secret ones.

        None when one of the columns is no longer there.
        """
        names = [*(field.name for field in shape.key if not field.secret), *tracked]
        columns = [shape.table.columns[name] for name in names if name in shape.table.columns]
        if len(columns) < len(names) or not columns:
            return None
        return str(
            self._session.scalar(
                sql.SQL(
                    "SELECT pg_catalog.count(*)::text || ':' || coalesce(pg_catalog.sum({}), 0)::text FROM {} AS t"
                ).format(row_fingerprint(columns), shape.table.source)
            )
        )

    def save(
        self,
        shape: Shape,
        declared: Callable[[], Source | None],
        *,
        digest: str,
        rows: int,
        changed: bool,
        run: int,
        kept: Mapping[int, KeptRow] = NOTHING_KEPT,
        owning: bool = False,
    ) -> list[str]:
        """Keep what was left behind, unless the ledger has just this. `declared` equals what is there by now.

        Args:
            kept: by line, the rows of which some cells, or all, were left as they are in the database.
            owning: whether the rows that the resource made are remembered; else they are forgotten, as somebody else
                may make them again meanwhile.

        Returns: the other resources that declare the same columns of the same rows.
        """
        columns = tuple(entry.name for entry in shape.tracked)
        # A hash of a secret key could be guessed at: such rows are told of as a whole.
        by_row = (rows <= self._ledger.baseline_rows or bool(kept)) and not any(field.secret for field in shape.key)
        known = self.baseline
        if (
            not changed
            and known is not None
            and (known.digest, known.columns, known.by_row, known.comparable, known.kept)
            == (digest, columns, by_row, True, kept_count(kept))
        ):
            return []
        source = declared() if by_row else None
        fingerprint = None if by_row else self.table_fingerprint(shape, columns)
        baseline = self._baselines.save(
            self._seed, self._resource, digest=digest, fingerprint=fingerprint, table=shape.table.label, rows=rows,
            columns=columns, by_row=by_row, run=run, kept=kept_count(kept),
            key=_told_apart_by(shape),
        )  # fmt: skip
        self.id = baseline
        self._session.execute("DELETE FROM seedframe.baseline_row WHERE baseline_id = $1", [baseline])
        if not owning and known is not None:
            self._session.execute("DELETE FROM seedframe.owned_row WHERE baseline_id = $1", [baseline])
        if by_row and source is not None:
            self._session.execute(
                sql.SQL(
                    "{}INSERT INTO seedframe.baseline_row (baseline_id, key_hash, cell_hashes, declared_hashes)"
                    " SELECT {}, {}, {}, {} FROM {} ON CONFLICT (baseline_id, key_hash) DO NOTHING"
                ).format(
                    source.prefix,
                    sql.Literal(baseline),
                    key_hash(shape),
                    cell_hashes(shape, of_table=False),
                    declared_hashes(shape) if any(field.reference for field in shape.tracked) else sql.NULL,
                    source.relation,
                ),
                source.parameters or None,
            )
            if kept:
                save_kept(self._session, shape, source, baseline, kept)
        return self._baselines.shared(baseline)

    def save_plain(self, digest: str, *, run: int) -> None:
        """Keep the digest of a resource that is no set of rows."""
        if self.baseline is None or self.baseline.digest != digest:
            self._baselines.save(self._seed, self._resource, digest=digest, run=run)


def _told_apart_by(shape: Shape) -> list[str]:
    """What the hashes of its keys are made from: two resources with the same have one hash for one row."""
    return [*(field.name for field in shape.key), *(expression.text for expression in shape.identity.expressions)]
