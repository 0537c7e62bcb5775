"""The contract with seeds: what each hook is called for, with what, and what its result means.

A hook asks by name for the arguments it wants and is given those. All of them are keyword names; none has a default.

    db        the database, in the seed's transaction: `scalar`, `row`, `rows` and `execute`, with `:name` parameters.
              Read-only outside `apply`, enforced by the server
    seed      the `Seed` itself: name, number, origin, folder of its files …
    env       the name of the environment: "production"
    config    the table `[seeds.NAME]` of seedframe.toml, less what is seedframe's own
    settings  the variables declared in `SETTINGS`, by name, converted to their types
    plan      the seed's changes, as `Plan`; `apply` only
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seedframe.markers import hookspec

if TYPE_CHECKING:
    from seedframe.changes import Change, Finding, Plan
    from seedframe.database.db import Db
    from seedframe.resources.protocol import Resource
    from seedframe.seed import Seed

# -------------------------------------------------------------------------
# Declaring: what must be there
# -------------------------------------------------------------------------


@hookspec
def resources(
    db: "Db", seed: "Seed", env: str, config: Mapping[str, Any], settings: Mapping[str, Any]
) -> "Iterable[Resource] | None":
    """Declare what must exist; nine seeds in ten need only this.

    Called once in every attempt: by `apply` (again when the attempt is repeated after a serialization failure or a
    lost connection), by its dry run and by `verify`. `list` and `lint` call it too, without a database, where it asks
    for neither `db` nor `settings`.

    The result, or what a generator yields, is the seed's resources in the order in which they are written; deletes run
    in reverse. Two resources of a seed have different names. An empty list, or nothing yielded, declares nothing; None
    is an error, since it is what a forgotten `yield` leaves. An exception fails the seed.

    Implemented by seeds. `db` is read-only here, whatever the command.
    """


# -------------------------------------------------------------------------
# Comparing: what differs
# -------------------------------------------------------------------------


@hookspec
def check(
    db: "Db", seed: "Seed", env: str, config: Mapping[str, Any], settings: Mapping[str, Any]
) -> "Iterable[Change] | None":
    """Find differences beyond the declared resources: an HTTP service, a file, a privilege.

    Called in every command that looks at the database, after the resources have been compared, and, when `apply` has
    written something, once more: then it must find nothing, or the seed fails because it does not converge.

    The result, or what a generator yields, is one `Change` for each difference; they appear in plans and reports as
    the resource `hook:check`. Declared resources are always compared by the runner itself, so returning nothing
    hides nothing. An exception fails the seed.

    Implemented by seeds; one with `apply` must have it. It only reads: the server enforces that for `db`, the seed's
    author for everything else.
    """


# -------------------------------------------------------------------------
# Changing: make it so
# -------------------------------------------------------------------------


@hookspec
def apply(
    db: "Db", seed: "Seed", env: str, config: Mapping[str, Any], settings: Mapping[str, Any], plan: "Plan"
) -> None:
    """Make the changes that the seed's own `check` returned: `plan.own`.

    Called by `apply` alone (not in a dry run or a rehearsal), inside the seed's transaction, after its resources have
    been written, and only when there is something in `plan.own`.

    Nothing is expected in return; a generator is drained. An exception rolls the whole seed back.

    Implemented by seeds that have `check`. What it does outside the database is not rolled back with the
    transaction, so it must be safe to do again.
    """


# -------------------------------------------------------------------------
# Proving: is it true
# -------------------------------------------------------------------------


@hookspec
def verify(
    db: "Db", seed: "Seed", env: str, config: Mapping[str, Any], settings: Mapping[str, Any]
) -> "Iterable[str | Finding] | str | Finding | None":
    """State truths beyond "what was declared is there", and report the ones that do not hold.

    Called by `verify`, and by `apply` (a rehearsal too) after the second check, before the commit; not in a dry run.

    The result, or what a generator yields, is a finding for each untruth: a text is an error, `Finding(text,
    severity)` may be "info", "warning" or "error". An error fails the seed, and in `apply` rolls it back. None, or
    nothing yielded, means that all is well. An exception fails the seed too, as something that could not be looked at.

    Implemented by seeds. `db` is read-only here, in `apply` as well.
    """
