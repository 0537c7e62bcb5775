"""Calls the code of one seed in one attempt: each call is watched, and what it raises is the seed's."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from seedframe.changes import Changes, Plan
from seedframe.configuration.settings import Settings
from seedframe.database.db import Db
from seedframe.errors import HookFailed
from seedframe.resources.built_in import is_built_in
from seedframe.resources.protocol import Resource
from seedframe.resources.rows import Rows
from seedframe.seed import Seed
from seedframe.seeding import hooks
from seedframe.seeding.own_code import OwnCode
from seedframe.seeding.scene import Scene
from seedframe.seeding.shapes import wrong_with_changes


class SeedCalls:
    """Calls a seed's own code, and seedframe's for what it declares.

    Args:
        on_step: called after code of the seed has run, whatever it did.
    """

    def __init__(self, scene: Scene, seed: Seed, db: Db, settings: Settings, on_step: Callable[[], None]) -> None:
        self._scene = scene
        self._seed = seed
        self._db = db
        self._settings = settings
        self._on_step = on_step
        self._own = OwnCode(scene.session, seed, scene.plugins, db)

    def allow(self, resources: tuple[Resource, ...]) -> None:
        """What the seed declares, it may write. Errors: DeclarationError; see `OwnCode.declare`."""
        self._own.declare(resources)

    @property
    def uncounted(self) -> bool:
        """True once it wrote, where the server does not count what is written to which table."""
        return self._own.uncounted

    def hook(self, hook: str, *, plan: Plan | None = None) -> list[Any]:
        """Call a hook, in a savepoint where it is given `db`; only `apply` may write in it. Errors: HookFailed …"""
        if not hooks.has_hook(self._seed, hook):
            return []
        if not hooks.is_given_db(self._seed, self._scene.plugins, hook):
            watched = self._own.without_db(hook)
        else:
            watched = self._own.writes(hook) if hook == "apply" else self._own.reads(hook)
        with watched:
            try:
                return hooks.call(
                    self._seed,
                    self._scene.plugins,
                    hook,
                    db=self._db,
                    env=self._scene.env,
                    settings=self._settings,
                    **({"plan": plan} if hook == "apply" else {}),
                )
            finally:
                self._on_step()

    @contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """Run code of the seed that is no hook."""
        try:
            with hooks.guarded(self._seed, self._scene.plugins, what):
                yield
        finally:
            self._on_step()

    def diff(self, resource: Resource) -> Changes:
        """Compare one resource. Only a seed's own are held to reading: `Rows` may stage rows in a temporary table."""
        what = f"{resource.name}: diff"
        if isinstance(resource, Rows):
            with self._own.supplies(what, by_code=resource.is_supplied_by_code), self.guarded(what):
                return resource.diff(self._db)
        with self._db.at_work() if is_built_in(resource) else self._own.reads(what):
            with self.guarded(what):
                found = resource.diff(self._db)
            if not isinstance(found, Changes):
                raise HookFailed(
                    f"`diff` of {resource.name} returned {type(found).__name__}",
                    hint="return Changes(…)",
                    where=self._seed.origin,
                )
            wrong = wrong_with_changes(found)
            if wrong is not None:
                raise HookFailed(
                    f"`diff` of {resource.name} returned Changes that do not fit: {wrong[0]}",
                    hint=wrong[1],
                    where=self._seed.origin,
                )
            return found

    def delete(self, resource: Resource, changes: Changes) -> None:
        """Have one resource delete."""
        with self._writing(resource, "delete"):
            resource.delete(self._db, changes)

    def write(self, resource: Resource, changes: Changes) -> None:
        """Have one resource write."""
        if isinstance(resource, Rows) and changes.counts.create:
            self._own.try_expressions(resource)
        with self._writing(resource, "write"):
            resource.write(self._db, changes)

    @contextmanager
    def settles(self) -> Iterator[None]:
        """Run what has deferred constraints speak. Errors: HookFailed; see `OwnCode.settles`."""
        with self._own.settles():
            yield

    @contextmanager
    def _writing(self, resource: Resource, what: str) -> Iterator[None]:
        """What built-in resources write, and triggers and cascades with them, is declared; a seed's own are watched."""
        what = f"{resource.name}: {what}"
        with ExitStack() as stack:
            if not is_built_in(resource):
                stack.enter_context(self._own.writes(what))
            elif not isinstance(resource, Rows):
                stack.enter_context(self._db.at_work())
            stack.enter_context(self.guarded(what))
            yield
