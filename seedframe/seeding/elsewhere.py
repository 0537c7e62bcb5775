"""Where a row that is referred to may be instead: with a resource for other environments, or in a seed not required."""

from seedframe.database.db import Db
from seedframe.errors import DeclarationError
from seedframe.ordering import not_required
from seedframe.resources.environments import limited_to, skipped_in
from seedframe.resources.protocol import Resource
from seedframe.seed import Seed
from seedframe.seeding.scene import Scene


def note_limits(resource: Resource, seed: Seed, scene: Scene) -> None:
    """The environments that it is limited to could be chosen; and if none of them is, that is remembered.

    Errors: DeclarationError.
    """
    for env in sorted(limited_to(resource) or ()):
        problem = scene.misnamed(env, f"{seed.origin}: environments= of {resource.name}")
        if problem is not None:
            raise DeclarationError(problem.message, hint=problem.hint, where=problem.where)
    skipped = skipped_in(resource, scene.env)
    if skipped is not None:
        scene.elsewhere.append((f"{resource.name} is {skipped}", resource.tables))


def where_it_may_be(table: int, seed: Seed, scene: Scene, db: Db) -> str | None:
    """What to do where other resources of the run, or other seeds, are to have the rows of a table, by its oid."""
    for why, tables in scene.elsewhere:
        if any(db.written(name) == table for name in tables):
            return f"{why}: limit these rows likewise, or declare that row where they are"
    for other in not_required(seed, scene.all_seeds):
        written = next((name for name in other.writes if db.written(name) == table), None)
        if written is not None and other.runs_in(scene.env):
            return f'seed {other.name} writes {written}: add "{other.name}" to REQUIRES, or correct the reference'
    return None
