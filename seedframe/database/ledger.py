"""The ledger: seedframe's own tables, in the schema `seedframe` of the same database. It only remembers."""

from seedframe.database import ledger_tables
from seedframe.database.session import Session
from seedframe.errors import LedgerError


class Ledger:
    """The ledger of one project and one schema, over one session. Live rows decide; the ledger only remembers.

    Attributes:
        exists: it is there, whole.
        incomplete: some of its tables are there, and some are not.
        repaired: it was incomplete, and was made whole by this run.
        unreadable: why it cannot be read; None where it can, or is not there.
        chained: its outcomes have the columns of the chain, whatever its version says.
        version: of its tables; None where that cannot be told. What reads it works with all that are known.
        env: the environment that the database is marked as; None where it is not, or where that cannot be read.
    """

    def __init__(self, session: Session, *, project: str, baseline_rows: int) -> None:
        self.session = session
        self.project = project
        self.schema = session.schema
        self.baseline_rows = baseline_rows
        self.exists = False
        self.incomplete = False
        self.repaired = False
        self.unreadable: str | None = None
        self.version: int | None = None
        self.chained = False
        self.env: str | None = None

    def look(self) -> None:
        """Find out whether there is a ledger and whether this role can read it. Errors: LedgerError (its version)."""
        state = ledger_tables.look(self.session)
        self.exists, self.incomplete, self.unreadable = state.exists, state.incomplete, state.unreadable
        self.version, self.chained, self.env = state.version, state.chained, state.env

    @property
    def readable(self) -> bool:
        """True when it is there and can be read."""
        return self.exists and self.unreadable is None

    @property
    def grants(self) -> str:
        """What a role needs that is to use a ledger that somebody else made."""
        return ledger_tables.grants(self.session)

    @property
    def current(self) -> bool:
        """True when it can be read, and has the newest version."""
        return self.readable and self.version == ledger_tables.LEDGER_VERSION

    def make_current(self) -> None:
        """Make it, make it whole, or upgrade it, unless another has done so meanwhile: looked at again, as the caller
        holds the ledger's lock by now.

        Errors: PermissionDenied, LedgerError.
        """
        self.look()
        if self.current:
            return
        if self.readable and self.version is not None:
            ledger_tables.upgrade(self.session, self.version)
        else:
            self.require_readable()
            self.repaired = self.repaired or self.incomplete
            ledger_tables.create(self.session)
        self.look()

    def require_readable(self) -> None:
        """It can be read, or can be made so that it can. Errors: LedgerError."""
        if self.unreadable is not None and not self.incomplete:
            raise LedgerError(f"the ledger cannot be read: {self.unreadable}", hint=self.grants)

    # What was applied

    def applied(self) -> dict[str, str]:
        """The seeds that were applied to this schema: name and origin."""
        if not self.readable:
            return {}
        rows = self.session.query(
            "SELECT seed, origin FROM seedframe.applied_seed WHERE project = $1 AND target_schema = $2 ORDER BY seed",
            [self.project, self.schema],
        )
        return {row[0]: row[1] for row in rows}

    def mark_applied(self, seed: str, *, origin: str, run: int) -> None:
        """Remember that a seed was applied; written once, and again only when it comes from elsewhere."""
        self.session.execute(
            "INSERT INTO seedframe.applied_seed AS a (project, target_schema, seed, origin, first_run)"
            " SELECT $1, $2, $3, $4, $5 WHERE NOT EXISTS (SELECT FROM seedframe.applied_seed"
            " WHERE project = $1 AND target_schema = $2 AND seed = $3 AND origin = $4)"
            " ON CONFLICT (project, target_schema, seed) DO UPDATE SET origin = excluded.origin",
            [self.project, self.schema, seed, origin, run],
        )

    def forget(self, seed: str) -> int:
        """Drop a seed, its baselines and its accounts' versions; how many baselines there were. Its rows stay."""
        baselines = int(
            self.session.scalar(
                "SELECT pg_catalog.count(*) FROM seedframe.baseline WHERE project = $1 AND target_schema = $2"
                " AND seed = $3",
                [self.project, self.schema, seed],
            )
        )
        self.session.execute(
            "DELETE FROM seedframe.applied_seed WHERE project = $1 AND target_schema = $2 AND seed = $3",
            [self.project, self.schema, seed],
        )
        if self.current:
            self.session.execute(
                "DELETE FROM seedframe.account WHERE project = $1 AND target_schema = $2 AND seed = $3",
                [self.project, self.schema, seed],
            )
        return baselines
