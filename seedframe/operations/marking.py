"""The environment that a database is marked as: shown, changed on purpose, and compared before migrations run."""

from collections.abc import Iterator
from contextlib import contextmanager

from seedframe.configuration.config import Config
from seedframe.database.engine import open_target
from seedframe.database.environment_mark import Mark, change_mark, read_mark
from seedframe.database.environment_mark import require_environment as require_mark
from seedframe.database.ledger import Ledger
from seedframe.database.locks import begin_locked, ledger_lock
from seedframe.database.run_log import RunLog
from seedframe.errors import ConfigError
from seedframe.history import MARKED
from seedframe.running.run_start import run_start


def mark_of(config: Config) -> Mark | None:
    """What the project's database is marked as; None where it is not marked yet.

    Errors: ConfigError, ConnectionFailed, LedgerError.
    """
    with _ledger(config) as ledger:
        ledger.session.begin(write=False)
        ledger.look()
        if ledger.env is None:
            ledger.require_readable()
        return read_mark(ledger)


def mark_as(config: Config, env: str) -> Mark | None:
    """Mark the project's database as that of an environment, whatever it was marked as. A ledger is made for it.

    Returns:
        What it was marked as before.

    Errors: ConfigError (a name that is none, or nearly that of another), ConnectionFailed, LedgerError, LockTimeout,
    PermissionDenied.
    """
    require_name(config, env)
    with _ledger(config) as ledger:
        begin_locked(ledger.session, ledger_lock(), budget_s=config.database.lock_timeout_s)
        ledger.make_current()
        before = read_mark(ledger)
        change_mark(ledger, env)
        _enter(RunLog(ledger), config, before, env)
        ledger.session.commit()
        return before


def _enter(log: RunLog, config: Config, before: Mark | None, env: str) -> None:
    """Enter that it was marked: a run of no seed, in the environment that it is marked as by then."""
    arguments = {"before": before.env if before is not None else None}
    run = log.start(run_start(config, command="db mark", mode="mark", arguments=arguments, env=env))
    log.finish(run, status=MARKED, duration_s=0.0, error=None)


def require_name(config: Config, env: str) -> None:
    """It can be the name of an environment of this project. Errors: ConfigError."""
    problem = config.environment_problem(env, "NAME")
    if problem is not None:
        raise ConfigError.of([problem])


def require_environment(config: Config) -> None:
    """The project's database is not marked as that of another environment than the configured one.

    Errors: WrongEnvironment, ConfigError, ConnectionFailed, LedgerError.
    """
    with _ledger(config) as ledger:
        ledger.session.begin(write=False)
        ledger.look()
        require_mark(ledger, config.env)
        ledger.require_readable()


@contextmanager
def _ledger(config: Config) -> Iterator[Ledger]:
    with open_target(config) as target:
        yield Ledger(target.session, project=config.project, baseline_rows=config.baseline_rows)
