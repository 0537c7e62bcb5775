"""The contract with seeds: what each hook is called for, with what, and what its result means.

A hook asks by name for the arguments it wants and is given those. All of them are keyword names; none has a default.

    db        the database, in the seed's transaction: `scalar`, `row`, `rows` and `execute`, with `:name` parameters.
              Read-only outside `apply`, enforced by the server
    seed      the `Seed` itself: name, number, origin, folder of its files …
    env       the name of the environment: "production"
    config    the table `[seeds.NAME]` of seedframe.toml, less what is seedframe's own
    settings  the variables declared in `SETTINGS`, by name, converted to their types
    plan      the seed's changes, as `Plan`; `apply` only
    kinds     the kinds of resources that are there: `kinds.rows(…)`, and those of extensions; `resources` only

Extensions, which come with plugins, implement the hooks whose names begin with `seedframe_`. What they may ask for
stands with each. What is built in (reports, file formats, account backends, kinds of resources) is contributed over the
same hooks.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from seedframe.markers import hookspec

if TYPE_CHECKING:
    import click

    from seedframe.accounts.chosen import BackendFactory
    from seedframe.changes import Change, Finding, Plan
    from seedframe.configuration.config import Config
    from seedframe.database.db import Db
    from seedframe.plugins.kinds import Kinds
    from seedframe.report import Report, ResourceOutcome, SeedOutcome
    from seedframe.reporting.formats import Reporter
    from seedframe.resources.protocol import Resource
    from seedframe.seed import Seed
    from seedframe.sources.formats import FileFormat

# -------------------------------------------------------------------------
# Declaring: what must be there
# -------------------------------------------------------------------------


@hookspec
def resources(
    db: "Db", seed: "Seed", env: str, config: Mapping[str, Any], settings: Mapping[str, Any], kinds: "Kinds"
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


# -------------------------------------------------------------------------
# Extensions: when a project is loaded
# -------------------------------------------------------------------------


@hookspec
def seedframe_configure(config: "Config") -> None:
    """Look at the configuration, or refuse it.

    Called once for each project that is loaded: all extensions are registered, no seed has been imported yet. By every
    command that looks for seeds.

    Nothing is expected in return. An exception makes the project one that cannot be used: commands exit with 3 and
    name the extension.

    Implemented by extensions.
    """


@hookspec
def seedframe_modify_order(seeds: "list[Seed]", config: "Config") -> None:
    """Change the order in which seeds run: reorder the list in place.

    Called once for each project that is loaded, with all seeds in run order, those included that do not run in this
    environment. Each extension sees what the one before left.

    Nothing is expected in return. The list must keep exactly its seeds. What a seed requires must still come before
    it: where it does not, the seed is broken, and the message says so.

    Implemented by extensions.
    """


# -------------------------------------------------------------------------
# Extensions: what they add
# -------------------------------------------------------------------------


@hookspec
def seedframe_resource_kinds() -> "Mapping[str, type[Resource]] | None":
    """Add kinds of resources: what seeds can declare beside `Rows` and the other built-in kinds.

    Called once for each project that is loaded.

    The result maps the kind's name ("bucket") to its class, which does what `Resource` says; the name of each resource
    begins with its kind and a colon ("bucket:photos"). Seeds get the class by name: `def resources(kinds): yield
    kinds.bucket("photos")`. Two kinds of one name are an error.

    Implemented by extensions, and for the built-in kinds.
    """


@hookspec
def seedframe_file_formats() -> "Iterable[FileFormat] | None":
    """Add formats of data files, for `Rows(…, file=…)`.

    Called once for each project that is loaded.

    The result has a `FileFormat` for each: the endings it has, and the function that reads it. Two formats with one
    ending are an error.

    Implemented by extensions, and for the built-in formats.
    """


@hookspec
def seedframe_account_backends() -> "Mapping[str, BackendFactory] | None":
    """Add places where accounts can be kept, for `[accounts] backend = "NAME"`.

    Called once for each project that is loaded.

    The result maps the backend's name to a function that makes it. It is given the `Accounts` that the seed declared,
    whose `local` and `supabase` say what tables there are. Two backends of one name are an error.

    Implemented by extensions, and for "local" and "supabase".
    """


@hookspec
def seedframe_reporters() -> "Iterable[Reporter] | None":
    """Add formats of reports, for `--format NAME` of `apply` and `verify`.

    Called when a report is to be written.

    The result has a `Reporter` for each: its name, and the function that makes a text of a report. Two reporters of
    one name are an error.

    Implemented by extensions, and for the built-in formats.
    """


@hookspec
def seedframe_commands() -> "Iterable[click.Command] | None":
    """Add commands: `seedframe NAME`.

    Called when a command is asked for that is not built in; `seedframe --help` lists the built-in ones only.

    The result has a click command for each; what its function returns is the exit code. A name that another command
    has is an error.

    Implemented by extensions.
    """


# -------------------------------------------------------------------------
# Extensions: watching a run
# -------------------------------------------------------------------------

# An exception in any of these is logged as a warning, once, and changes nothing of the run.


@hookspec
def seedframe_run_started(seeds: "tuple[Seed, ...]", mode: str, env: str) -> None:
    """A run begins: the seeds are chosen and ordered, the database answers.

    `mode` is "apply", "dry_run", "rehearse" or "verify". Called again when all is read once more, as the connection
    was lost.

    Implemented by extensions.
    """


@hookspec
def seedframe_run_finished(report: "Report") -> None:
    """A run is over, and this is its report; no secret is in it.

    Not called for a run that was stopped by a signal, or could not begin.

    Implemented by extensions.
    """


@hookspec
def seedframe_seed_started(seed: "Seed") -> None:
    """A seed's transaction begins.

    Implemented by extensions.
    """


@hookspec
def seedframe_seed_finished(seed: "Seed", outcome: "SeedOutcome") -> None:
    """A seed's transaction has ended, or its part of the run's; failed seeds too.

    Implemented by extensions.
    """


@hookspec
def seedframe_resource_started(seed: "Seed", resource: str) -> None:
    """A resource is about to be compared; `resource` is its name: "rows:medications". Once in every attempt.

    Implemented by extensions.
    """


@hookspec
def seedframe_resource_finished(seed: "Seed", outcome: "ResourceOutcome") -> None:
    """A resource was written, where the run writes, and compared, where it only looks.

    Called before the seed's transaction ends, which may still be rolled back: `seedframe_seed_finished` says. Not
    called for a resource that failed.

    Implemented by extensions.
    """
