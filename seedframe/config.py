"""seedframe.toml, the environment and .env, read into one frozen Config."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seedframe.secrets import Secret

EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """Where the database is and how to talk to it. Times are seconds; 0 means no limit.

    Attributes:
        url: `"embedded"`, a URL or libpq keywords; None leaves everything to libpq's own variables.
        source: where `url` came from, for messages: "DATABASE_URL", "seedframe.toml [database] url", "default" …
    """

    url: Secret | None
    source: str
    schema: str = "public"
    search_path: tuple[str, ...] = ()
    lock_timeout_s: float = 5.0
    statement_timeout_s: float = 0.0
    connect_timeout_s: float = 10.0

    @property
    def embedded(self) -> bool:
        """True when the database is the embedded PostgreSQL of this project."""
        return self.url is not None and self.url.reveal() == EMBEDDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """One project, in one environment.

    Attributes:
        root: the project's folder; relative paths start there.
        file: the file it was read from; None when there is none.
        project: the name that keys the ledger.
        env: the name of the environment.
        seeds_dir: the folder of local seeds.
        migrations: the migration command, split into arguments; empty when there is none.
        plugins_allow: requirement lines (`"seedframe-iso>=1,<2"`); None when the project has no such list.
        plugins_disabled: names given with `-p no:NAME`.
        seeds: `[seeds.NAME]` tables, whole.
        variables: the process environment over `.env`; what settings are read from.
        variable_sources: for each variable that came from elsewhere than the environment, where from.
        baseline_rows: the largest resource whose baseline is kept row by row.
    """

    root: Path
    file: Path | None
    project: str
    env: str
    database: DatabaseConfig
    seeds_dir: Path
    migrations: tuple[str, ...] = ()
    plugins_allow: tuple[str, ...] | None = None
    plugins_disabled: frozenset[str] = frozenset()
    seeds: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    variable_sources: Mapping[str, str] = field(default_factory=dict)
    baseline_rows: int = 10_000
