"""Drops what the ledger knows of a seed that is gone, once, also when the connection is lost on the way."""

import time

from seedframe.changes import Counts
from seedframe.configuration.config import Config
from seedframe.database.engine import open_target
from seedframe.database.environment_mark import require_environment
from seedframe.database.ledger import Ledger
from seedframe.database.locks import begin_locked, ledger_lock, lock_too, run_lock
from seedframe.database.run_log import Audited, RunLog
from seedframe.errors import (
    ConnectionFailed,
    ConnectionLost,
    LedgerError,
    OutcomeUnknown,
    SeedframeError,
    UnknownSeed,
    did_you_mean,
)
from seedframe.history import FORGOTTEN
from seedframe.retrying import RECONNECT_S, is_lost, run_again
from seedframe.running.run_start import run_start


def forget(config: Config, name: str) -> int:
    """Drop a seed's baselines, and enter that in the ledger; how many there were.

    Errors: UnknownSeed when the ledger does not know it, LedgerError, WrongEnvironment, LockTimeout, ConnectionFailed;
    OutcomeUnknown.
    """
    with open_target(config) as target:
        session = target.session
        ledger = Ledger(session, project=config.project, baseline_rows=config.baseline_rows)
        log = RunLog(ledger)
        sent: list[int] = []

        def work(_attempt: int) -> int:
            # A transaction that was lost during COMMIT still has the lock until it is at its end.
            begin_locked(session, run_lock(config.project, session.schema), budget_s=RECONNECT_S if sent else 0.0)
            seed = _known(ledger, name, config.env)
            if seed is None:
                if sent:
                    return sent[-1]
                hint = did_you_mean(name, ledger.applied()) or "see seedframe verify"
                raise UnknownSeed(f"the ledger knows no seed {name!r}", hint=hint)
            sent.append(_forget(ledger, log, config, seed))
            try:
                session.commit()
            except OutcomeUnknown as error:
                raise ConnectionLost(error.message, hint=error.hint) from None
            return sent[-1]

        def recover(error: SeedframeError) -> None:
            session.rollback()
            if not (session.lost or is_lost(error)):
                return
            try:
                session.reconnect(RECONNECT_S)
            except ConnectionFailed as why:
                if not sent:
                    raise
                raise OutcomeUnknown(
                    "the connection to the server was lost during COMMIT, so that its outcome is not known:"
                    f" {name} may be forgotten ({why.message})",
                    hint="run the command again: it says whether the ledger knows the seed",
                ) from why

        return run_again(work, recover=recover)


def _forget(ledger: Ledger, log: RunLog, config: Config, seed: str) -> int:
    """Drop the baselines, and enter that it was done: an entry of the audit trail. Errors: PermissionDenied …"""
    started = time.monotonic()
    if not ledger.current:
        lock_too(ledger.session, ledger_lock())
        ledger.make_current()
    origin = ledger.applied()[seed]
    baselines = ledger.forget(seed)
    run = log.start(
        run_start(config, command="forget", mode="forget", arguments={"seeds": [seed], "baselines": baselines})
    )
    took = time.monotonic() - started
    nothing = Audited()
    log.record(
        run, seed=seed, origin=origin, status=FORGOTTEN, counts=Counts(), duration_s=took, error=None, audited=nothing
    )
    log.finish(run, status=FORGOTTEN, duration_s=took, error=None)
    return baselines


def _known(ledger: Ledger, name: str, env: str) -> str | None:
    """The seed's name as the ledger has it. Errors: LedgerError, WrongEnvironment."""
    ledger.look()
    if ledger.unreadable is not None:
        raise LedgerError(f"the ledger cannot be read: {ledger.unreadable}", hint=ledger.grants)
    require_environment(ledger, env)
    known = ledger.applied()
    return next((seed for seed in (name, name.partition("_")[2]) if seed in known), None)
