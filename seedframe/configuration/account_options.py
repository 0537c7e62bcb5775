"""How a project keeps accounts, and what one run is to do about their passwords: plain data."""

from dataclasses import dataclass
from typing import Final

from seedframe.errors import Problem
from seedframe.secrets import Secret

ROUNDS: Final = 12
"""The least cost of a bcrypt hash: 2 ** 12 iterations, some 0.3 s."""
MAX_ROUNDS: Final = 20
"""The most that is made here: 2 ** 20 iterations take more than a minute."""

ADMINISTRATORS: Final = ("admin", "super_admin")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsConfig:
    """`[accounts]` of seedframe.toml, and the variables that go with it.

    Attributes:
        backend: where accounts are kept that leave it to the configuration, by its name; "auto" is Supabase Auth where
            both variables are set.
        fallback: under "auto", accounts are kept in the local table where Supabase Auth cannot be reached.
        rounds: the cost of the hashes made here; a lower one is a finding.
        administrators: the roles of which at least one enabled account must remain; None: `ADMINISTRATORS`, where
            an account is declared that has one of them.
        url: of Supabase: SUPABASE_URL.
        key: its service role's: SUPABASE_SERVICE_ROLE_KEY.
        problems: what is wrong with these variables; told where they are needed.
        timeout_s: for one request.
    """

    backend: str = "auto"
    fallback: bool = False
    rounds: int = ROUNDS
    administrators: tuple[str, ...] | None = None
    url: str | None = None
    key: Secret | None = None
    problems: tuple[Problem, ...] = ()
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordOptions:
    """What a run is to do about passwords beside what seeds declare.

    Attributes:
        rotate: e-mail addresses, normalised, whose passwords are to be changed.
        check: find out whether the passwords given open the accounts.
    """

    rotate: frozenset[str] = frozenset()
    check: bool = False
